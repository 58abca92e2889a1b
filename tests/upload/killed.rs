//! kill -9 at random moments of uploads: what was accepted arrives once or more, whole, and never half, and no wrong byte is cached.
//!
//! `HOTPLATE_UPLOAD_KILLS` says how often; the default is few.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::harness::origin::Origin;
use crate::harness::waiting::number_from_environment;
use crate::harness::{Answer, Client, Driver, Request, Server, Setup, get, pattern, pause};
use crate::queue::{HOST, PATIENCE, encoded, json, said, spooled, url};

const KILLS: u64 = 6;

/// Asks a server that may be killed meanwhile.
fn try_ask(admin: SocketAddr, request: &Request) -> Option<Answer> {
    let mut client = Client::try_open(admin).ok()?;
    client.try_send(request.bytes()).ok()?;
    client.try_answer("POST").ok()
}

/// Hands a file over, in another way each time; whether it was accepted for certain.
fn hand_over(admin: SocketAddr, folder: &Path, number: u64, path: &str, body: &[u8]) -> bool {
    let query = format!("url={}&cache=true", encoded(&url(path)));
    let accepted = |target: &str, body: &[u8]| {
        let answer = try_ask(admin, &Request::new("POST", target).body(body));
        answer.is_some_and(|answer| answer.status == 202)
    };
    match number % 3 {
        0 => accepted(&format!("/api/cache/put?{query}"), body),
        1 => {
            let file = folder.join("file.wav");
            std::fs::write(&file, body).expect("the file");
            let file = encoded(file.to_str().expect("UTF-8"));
            accepted(&format!("/api/cache/put?{query}&file={file}"), b"")
        }
        _ => {
            let target = format!("/api/cache/record?{query}");
            let Some(opened) = try_ask(admin, &Request::new("POST", &target).body(b"")) else {
                return false;
            };
            let opened = json(&opened);
            let path = opened["path"].as_str();
            let path = path.unwrap_or_else(|| panic!("no recording: {opened}"));
            std::fs::write(path, body).expect("the recording");
            let target = format!("/api/cache/uploads?id={}", opened["id"]);
            // Its close is heard of, or the server is gone.
            loop {
                match try_ask(admin, &get(&target)) {
                    None => return false,
                    Some(told) if json(&told)["state"] != "recording" => return true,
                    Some(_) => pause(Duration::from_millis(1)),
                }
            }
        }
    }
}

/// Waits until all is sent. Recordings whose path nobody was told are dropped in time.
fn await_empty_spool(server: &Server) {
    let mut left = spooled(server);
    let deadline = crate::harness::now() + PATIENCE * 2;
    while !left.is_empty() {
        assert!(
            crate::harness::now() < deadline,
            "left in the spool: {left:?}"
        );
        pause(Duration::from_millis(20));
        left = spooled(server);
    }
}

#[test]
fn accepted_uploads_survive_kills_at_any_moment() {
    let kills = number_from_environment("HOTPLATE_UPLOAD_KILLS", KILLS);
    let origin = Origin::start();
    origin.otherwise(|asked| {
        // Some fail, so that attempts and records are under way when the process dies.
        let takes = asked.method == "PUT" && asked.number % 3 != 0;
        said(if takes { 201 } else { 503 })
    });
    let mut setup = Setup::new().disk(&["size = \"64MiB\""]);
    setup.config.sites.push(format!(
        "hosts = [{HOST:?}]\norigin = {:?}\n[[site.rule]]\npath = \"/\"\ndefault_ttl = \"1h\"\n[upload]\nretry_min = \"30ms\"\n\
         retry_max = \"200ms\"\nconcurrency = 2\nrecord_limit = \"1s\"",
        origin.url()
    ));
    let mut server = setup.start(Driver::Epoll);
    let folder = server.folder.path("");
    let mut accepted: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut offered: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for round in 0..kills {
        let admin = server.admin.expect("an address");
        let is_over = AtomicBool::new(false);
        let (tried, found) = std::thread::scope(|scope| {
            let putting = scope.spawn(|| {
                let (mut tried, mut found) = (Vec::new(), Vec::new());
                for number in 0.. {
                    if is_over.load(Ordering::SeqCst) {
                        break;
                    }
                    let path = format!("/{round}-{number}.wav");
                    let body = pattern(
                        20_000 + usize::try_from(number % 7).unwrap_or(0) * 30_000,
                        number + round * 1000,
                    );
                    tried.push((path.clone(), body.clone()));
                    if hand_over(admin, &folder, number + round, &path, &body) {
                        found.push((path, body));
                    }
                }
                (tried, found)
            });
            // Spread over what an upload takes, another moment each time.
            pause(Duration::from_micros(3_000 + round * 7_919 % 150_000));
            server.kill();
            is_over.store(true, Ordering::SeqCst);
            putting.join().expect("the thread that puts")
        });
        offered.extend(tried);
        accepted.extend(found);
        server.start_again();
    }
    await_empty_spool(&server);
    assert!(!accepted.is_empty());
    let asked = origin.asked();
    let mut cached = 0;
    for (path, body) in &accepted {
        let of_path = asked
            .iter()
            .filter(|asked| asked.target == *path && asked.is_whole);
        let whole: Vec<_> = of_path.collect();
        assert!(!whole.is_empty(), "{path} never arrived");
        assert!(
            whole.iter().all(|asked| asked.body == *body),
            "{path} arrived otherwise"
        );
        // Its copy may be lost with the process, but not half, and not another's.
        let copy = server.ask(&get(path).host(HOST));
        if copy.status == 200 {
            copy.expect_body(body);
            cached += 1;
        }
    }
    assert!(cached > 0, "no copy of {} was left", accepted.len());
    // Whatever was not accepted for certain arrived as it was offered or not at all, too: the writer of a recording is no part of the
    // server, and goes on where that dies.
    let puts = asked.iter().filter(|asked| asked.method == "PUT");
    for asked in puts.filter(|asked| asked.is_whole) {
        let body = offered.get(&asked.target);
        assert!(
            body == Some(&asked.body),
            "{} arrived otherwise",
            asked.target
        );
    }
}
