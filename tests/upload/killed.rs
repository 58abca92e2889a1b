//! kill -9 at random moments of uploads: what was accepted arrives once or more, whole, and never half.
//!
//! `HOTPLATE_UPLOAD_KILLS` says how often; the default is few.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::harness::origin::Origin;
use crate::harness::waiting::number_from_environment;
use crate::harness::{Client, Request, eventually, pattern, pause};
use crate::queue::{PATIENCE, before, encoded, said, spooled, url};

const KILLS: u64 = 6;

#[test]
fn accepted_uploads_survive_kills_at_any_moment() {
    let kills = number_from_environment("HOTPLATE_UPLOAD_KILLS", KILLS);
    let origin = Origin::start();
    origin.otherwise(|asked| {
        // Some fail, so that attempts and records are under way when the process dies.
        said(if asked.number % 3 == 0 { 503 } else { 201 })
    });
    let mut server = before(&origin.url(), "concurrency = 2");
    let mut accepted: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for round in 0..kills {
        let admin = server.admin.expect("an address");
        let is_over = AtomicBool::new(false);
        let found = std::thread::scope(|scope| {
            let putting = scope.spawn(|| {
                let mut found = Vec::new();
                for number in 0.. {
                    if is_over.load(Ordering::SeqCst) {
                        break;
                    }
                    let path = format!("/{round}-{number}.wav");
                    let body = pattern(
                        20_000 + usize::try_from(number % 7).unwrap_or(0) * 30_000,
                        number + round * 1000,
                    );
                    let target = format!("/api/cache/put?url={}", encoded(&url(&path)));
                    let request = Request::new("POST", &target).body(&body);
                    let Ok(mut client) = Client::try_open(admin) else {
                        break;
                    };
                    if client.try_send(request.bytes()).is_err() {
                        break;
                    }
                    match client.try_answer("POST") {
                        Ok(answer) if answer.status == 202 => found.push((path, body)),
                        _ => break,
                    }
                }
                found
            });
            // Spread over what an upload takes, another moment each time.
            pause(Duration::from_micros(3_000 + round * 7_919 % 150_000));
            server.kill();
            is_over.store(true, Ordering::SeqCst);
            putting.join().expect("the thread that puts")
        });
        accepted.extend(found);
        server.start_again();
    }
    eventually(PATIENCE * 2, "everything is out of the spool", || {
        spooled(&server).is_empty()
    });
    assert!(!accepted.is_empty());
    let asked = origin.asked();
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
    }
    // Whatever was not accepted for certain arrived whole or not at all, too.
    for asked in asked.iter().filter(|asked| asked.is_whole) {
        let told = asked
            .field("content-length")
            .and_then(|told| told.parse().ok());
        assert_eq!(told, Some(asked.body.len()), "{}", asked.target);
    }
}
