//! A server that runs out of descriptors: accepting recovers, nothing spins, and those it serves stay served.

use std::time::Duration;

use super::load::loaded;
use crate::harness::{Broken, Client, Driver, Server, Setup, eventually, get, pattern, pause};

/// Enough to start with one worker, and far too few for the crowd.
const DESCRIPTORS_MAX: u32 = 128;
const CROWD: usize = 400;

/// Starts a server that may open few descriptors.
fn start_poor(setup: Setup, driver: Driver) -> Server {
    setup
        .workers(1)
        .try_start_with_descriptors(driver, DESCRIPTORS_MAX)
        .unwrap_or_else(|refused| panic!("did not start: {refused}"))
}

fn accepting_recovers_from_exhaustion(driver: Driver) {
    let mut server = start_poor(loaded(), driver);
    server.get("/file/small.bin").expect(200);
    let at_rest = server.process().descriptor_count();
    // The kernel completes connections that the server has no descriptor for.
    let mut crowd: Vec<Client> = (0..CROWD).map(|_| server.connect()).collect();
    for client in &mut crowd {
        // One that had to give way may be closed.
        drop(client.try_send(get("/file/small.bin").bytes()));
    }
    // One that spins never comes to rest while the crowd waits, however slow the machine.
    eventually(Duration::from_secs(30), "the server rests", || {
        let before = server.process().ticks();
        pause(Duration::from_millis(250));
        server.process().ticks() - before <= 2
    });
    assert!(server.is_running());
    let mut answered = 0;
    for client in &mut crowd {
        client.set_patience(Duration::from_millis(20));
        answered += usize::from(!matches!(client.try_answer("GET"), Err(Broken::Late(_))));
    }
    assert!(
        answered >= 20,
        "only {answered} of the crowd were answered or closed"
    );
    drop(crowd);
    eventually(
        Duration::from_secs(15),
        "descriptors are back where they were",
        || server.process().descriptor_count() <= at_rest + 4,
    );
    for _ in 0..50 {
        server
            .get("/memory/small.bin")
            .expect(200)
            .expect_body(&pattern(1_000, 1));
        server
            .get("/file/large.bin")
            .expect(200)
            .expect_body(&pattern(2_000_000, 2));
    }
}

fn root_files_without_a_descriptor_are_unavailable_and_recover(driver: Driver) {
    let mut setup = Setup::new().site(&[], "www");
    for at in 0..100 {
        setup = setup.file(format!("www/{at}.txt"), format!("file {at}"));
    }
    let mut server = start_poor(setup, driver);
    let crowd: Vec<Client> = (0..CROWD).map(|_| server.connect()).collect();
    pause(Duration::from_millis(300));
    assert!(server.is_running());
    drop(crowd);
    eventually(Duration::from_secs(15), "every file is served", || {
        (0..100).all(|at| {
            let answer = server.get(&format!("/{at}.txt"));
            answer.expect_one_of(&[200, 503]);
            answer.status == 200
        })
    });
}

fn pins_beyond_the_descriptors_are_reported(driver: Driver) {
    const PINS: usize = 300;
    let mut setup = Setup::new().pin("p/*", "/");
    for at in 0..PINS {
        setup = setup.file(format!("p/{at}.txt"), format!("file {at}"));
    }
    let server = start_poor(setup, driver);
    let output = server.output();
    let ready = output
        .lines()
        .find_map(|line| {
            line.strip_prefix("pinned ")?
                .split(' ')
                .next()?
                .parse::<usize>()
                .ok()
        })
        .unwrap_or_else(|| panic!("no count of pins in:\n{output}"));
    assert!(ready > 0 && ready < PINS, "{output}");
    let warned = output.lines().any(|line| {
        line.contains("warning") && line.contains("/p/") && line.contains("descriptor")
    });
    assert!(warned, "no warning names a file:\n{output}");
    // Descriptors are left for clients, and each pin is served or said to be missing.
    let served = (0..PINS)
        .filter(|at| {
            let answer = server.get(&format!("/{at}.txt"));
            answer.expect_one_of(&[200, 404, 503]).status == 200
        })
        .count();
    assert_eq!(served, ready);
}

/// Makes a scenario that starts its own server two tests.
macro_rules! on_each_driver {
    ($($name:ident),+) => {$(
        mod $name {
            use crate::harness::Driver;

            #[test]
            fn io_uring() {
                if Driver::IoUring.is_permitted(module_path!()) {
                    super::$name(Driver::IoUring);
                }
            }

            #[test]
            fn epoll() {
                super::$name(Driver::Epoll);
            }
        }
    )+};
}

on_each_driver!(
    accepting_recovers_from_exhaustion,
    root_files_without_a_descriptor_are_unavailable_and_recover,
    pins_beyond_the_descriptors_are_reported
);
