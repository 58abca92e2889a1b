//! The server killed at any moment of its fills, and started again in the same folder: whatever it then sends has the bytes
//! that its entity-tag stands for.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::harness::origin::Origin;
use crate::harness::waiting::{number_from_environment, pause};
use crate::harness::{Broken, Client, Driver, Request, Server, Setup, get};
use crate::numbered::{Numbered, size};
use crate::random::Random;

const URLS: u64 = 24;
const CLIENTS: u64 = 4;
/// The longest that fills go on before the end.
const MOMENT_MAX: usize = 150;

fn stored_on_disk(origin: &Origin) -> Setup {
    let mut setup = Setup::new();
    let folder = setup.folder.path("cache");
    setup
        .config
        .sites
        .push(format!("origin = {:?}", origin.url()));
    let disk = format!("path = {folder:?}\nsize = \"64MiB\"");
    setup.config.disk.push(disk);
    // Less than all of them: some are read from disk while others are filled.
    setup.config.memory.push("size = \"8MiB\"".to_owned());
    setup
}

/// A request for the whole or for a part.
fn request(number: u64, random: &mut Random) -> Request {
    let request = get(&format!("/{number}"));
    if !random.once_in(3) {
        return request;
    }
    let size = size(number);
    let mut place = || random.below(usize::try_from(size).expect("few"));
    let (one, other) = (place(), place());
    let range = format!("bytes={}-{}", one.min(other), one.max(other));
    request.with("Range", &range)
}

/// Sends a request to a server that may end at any moment; false when it has.
fn ask(client: &mut Client, number: u64, request: &Request, numbered: &Numbered) -> bool {
    if client.try_send(request.bytes()).is_err() {
        return false;
    }
    let Ok(mut answer) = client.head() else {
        return false;
    };
    // A server that ends may refuse what it has begun.
    let is_content = matches!(answer.status, 200 | 206);
    match client.body("GET", &answer) {
        Ok(body) => {
            answer.body = body;
            if is_content {
                numbered.check(number, &answer, false);
            }
            true
        }
        Err(Broken::Cut(body)) => {
            answer.body = body;
            if is_content {
                numbered.check(number, &answer, true);
            }
            false
        }
        Err(Broken::Closed) => false,
        Err(Broken::Late(_)) => panic!("stuck"),
    }
}

/// Fills at random until the server is killed, at a random moment.
fn fill_and_kill(server: &mut Server, numbered: &Numbered, round: u64) {
    let address = server.address;
    let moment = Duration::from_millis(Random::new(round).below(MOMENT_MAX) as u64);
    let is_killed = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for number in 0..CLIENTS {
            let is_killed = &is_killed;
            scope.spawn(move || {
                let mut random = Random::new(round * CLIENTS + number + 1_000_000);
                while !is_killed.load(Ordering::SeqCst) {
                    let Ok(mut client) = Client::try_open(address) else {
                        return;
                    };
                    loop {
                        let number = random.below(URLS as usize) as u64;
                        let request = request(number, &mut random);
                        if !ask(&mut client, number, &request, numbered) {
                            break;
                        }
                    }
                }
            });
        }
        pause(moment);
        server.kill();
        is_killed.store(true, Ordering::SeqCst);
    });
}

/// Most answers that break off before one is whole: a response of which only parts were stored can't be brought to its end where the
/// origin has another by now. The first client learns that by a body that breaks off.
const BROKEN_MAX: usize = 2;

/// Asks for everything: first for what is stored alone, then for all of it. Returns how much was stored.
fn verify(server: &Server, numbered: &Numbered) -> usize {
    let mut stored = 0;
    for number in 0..URLS {
        let request = get(&format!("/{number}"));
        let only_stored = request.clone().with("Cache-Control", "only-if-cached");
        let answer = server.connect().fetch(&only_stored);
        if answer.expect_one_of(&[200, 504]).status == 200 {
            numbered.check(number, &answer, false);
            stored += 1;
        }
        let mut broken = 0;
        while !ask(&mut server.connect(), number, &request, numbered) {
            broken += 1;
            assert!(broken <= BROKEN_MAX, "/{number} never comes whole");
        }
    }
    stored
}

fn run(driver: Driver) {
    if !driver.is_permitted("killed") {
        return;
    }
    // Two rounds for each second that a fault goes on.
    let rounds = 2 * number_from_environment("HOTPLATE_FAULT_SECONDS", 6);
    let origin = Origin::start();
    let numbered = Numbered::serve(&origin, true);
    let mut server = stored_on_disk(&origin).start(driver);
    let mut stored = 0;
    for round in 0..rounds {
        fill_and_kill(&mut server, &numbered, round);
        server.start_again();
        stored += verify(&server, &numbered);
        numbered.change();
        if round % 4 == 3 {
            // All that is stored is old by now: the next rounds fill again.
            let all = Request::new("POST", "/api/purge").body(br#"{"all": true}"#);
            server.ask_admin(&all).expect(200);
        }
        origin.forget();
    }
    println!("{driver:?}: {stored} of {} were stored", rounds * URLS);
}

#[test]
fn killed_at_any_moment_of_its_fills_it_never_sends_a_wrong_byte_io_uring() {
    run(Driver::IoUring);
}

#[test]
fn killed_at_any_moment_of_its_fills_it_never_sends_a_wrong_byte_epoll() {
    run(Driver::Epoll);
}
