//! Files that change under a pin: `swap` sees it soon and whole, `keep` stays true, and no validator covers two contents.

use std::time::Duration;

use crate::harness::waiting::throughout;
use crate::harness::{Answer, Broken, HOLDS, Server, Setup, eventually, get, pattern};

/// How soon a swap must be seen: the second that the specification gives, and room for a busy machine.
const SEEN_WITHIN: Duration = Duration::from_secs(4);
/// How soon a writer must be let in; the kernel itself would end its wait after 45 s.
const LET_IN_WITHIN: Duration = Duration::from_secs(30);

fn swapped() -> Setup {
    Setup::new()
        .file("p/a.txt", b"first content")
        .file("p/same.txt", b"AAAA")
        .file("p/page.txt", b"page")
        .file("p/large.bin", pattern(8 << 20, 1))
        .pin_under_every_hold("p/**/*", |pin| pin.on_change("swap"))
}

/// For scenarios that need to know which content a new answer starts with.
fn swapped_by_one_worker() -> Setup {
    swapped().workers(1)
}

fn kept() -> Setup {
    Setup::new()
        .file("p/a.txt", b"first content")
        .file("p/b.txt", b"first content")
        .file("p/large.bin", pattern(8 << 20, 1))
        .pin_under_every_hold("p/*", |pin| pin.on_change("keep"))
}

/// Waits until every hold serves `body` for the name; returns the entity-tags that it is served under. Each worker takes a
/// swap over by itself, so an answer of another one may still be the old content.
#[track_caller]
fn await_body(server: &Server, name: &str, body: &[u8]) -> [String; 3] {
    HOLDS.map(|hold| {
        let target = format!("/{hold}/{name}");
        let mut etag = String::new();
        eventually(SEEN_WITHIN, &format!("{target} is the new content"), || {
            let answer = server.try_get(&target);
            let answer = answer.filter(|answer| answer.status == 200 && answer.body == body);
            etag = answer.as_ref().map_or_else(String::new, Answer::etag);
            answer.is_some()
        });
        etag
    })
}

on_both_drivers!(replaced_file_is_swapped, swapped, |server| {
    let before = await_body(server, "a.txt", b"first content");
    server.folder.replace("p/a.txt", b"second content");
    let after = await_body(server, "a.txt", b"second content");
    for (hold, (old, new)) in HOLDS.iter().zip(before.iter().zip(&after)) {
        assert_ne!(old, new, "{hold}");
        let request = get(&format!("/{hold}/a.txt")).with("If-None-Match", old);
        eventually(SEEN_WITHIN, "the old validator matches no more", || {
            let answer = server.ask(&request);
            answer.status == 200 && answer.etag() == *new
        });
    }
});

on_both_drivers!(file_edited_in_place_is_swapped, swapped, |server| {
    server.folder.rewrite("p/a.txt", b"edited in place");
    await_body(server, "a.txt", b"edited in place");
});

on_both_drivers!(edit_that_keeps_the_size_is_swapped, swapped, |server| {
    let before = await_body(server, "same.txt", b"AAAA");
    server.folder.overwrite_start("p/same.txt", b"BBBB");
    let after = await_body(server, "same.txt", b"BBBB");
    assert!(before.iter().zip(&after).all(|(old, new)| old != new));
});

on_both_drivers!(truncated_and_grown_file_is_swapped, swapped, |server| {
    server.folder.truncate("p/a.txt", 5);
    await_body(server, "a.txt", b"first");
    server.folder.append("p/a.txt", b" of all");
    await_body(server, "a.txt", b"first of all");
    server.folder.truncate("p/a.txt", 0);
    await_body(server, "a.txt", b"");
    server.folder.append("p/a.txt", b"again");
    await_body(server, "a.txt", b"again");
});

on_both_drivers!(deleted_file_goes_and_comes_back, swapped, |server| {
    server.folder.remove("p/a.txt");
    for hold in HOLDS {
        let target = format!("/{hold}/a.txt");
        eventually(SEEN_WITHIN, "the deleted file is gone", || {
            server.get(&target).status == 404
        });
    }
    server.folder.place("p/a.txt", b"back");
    await_body(server, "a.txt", b"back");
});

on_both_drivers!(file_created_under_a_glob_is_pinned, swapped, |server| {
    server.folder.place("p/new.txt", b"new");
    server.folder.place("p/deep/er/new.txt", b"deep");
    await_body(server, "new.txt", b"new");
    await_body(server, "deep/er/new.txt", b"deep");
});

on_both_drivers!(
    folder_moved_under_a_glob_is_pinned_and_moved_away_is_gone,
    swapped,
    |server| {
        server.folder.place("elsewhere/x.txt", b"moved");
        let (here, there) = (
            server.folder.path("elsewhere"),
            server.folder.path("p/moved"),
        );
        std::fs::rename(&here, &there).expect("moved in");
        await_body(server, "moved/x.txt", b"moved");
        std::fs::rename(&there, &here).expect("moved out");
        for hold in HOLDS {
            let target = format!("/{hold}/moved/x.txt");
            eventually(SEEN_WITHIN, "the moved folder is gone", || {
                server.get(&target).status == 404
            });
        }
    }
);

on_both_drivers!(sibling_created_later_is_served, swapped, |server| {
    let request = get("/file/page.txt").with("Accept-Encoding", "gzip");
    assert!(server.ask(&request).field("content-encoding").is_none());
    server.folder.place("p/page.txt.gz", b"coded");
    eventually(SEEN_WITHIN, "the sibling is served", || {
        let answer = server.ask(&request);
        answer.field("content-encoding") == Some("gzip") && answer.body == b"coded"
    });
    server.folder.remove("p/page.txt.gz");
    eventually(SEEN_WITHIN, "the sibling is gone", || {
        let answer = server.ask(&request);
        answer.field("content-encoding").is_none() && answer.body == b"page"
    });
});

on_both_drivers!(
    answer_under_way_finishes_with_the_replaced_file,
    swapped_by_one_worker,
    |server| {
        let old = pattern(8 << 20, 1);
        for hold in HOLDS {
            server.folder.replace("p/large.bin", &old);
            await_body(server, "large.bin", &old);
            let mut client = server.connect();
            client.send(get(&format!("/{hold}/large.bin")).bytes());
            let start = client.read_some(1_000);
            assert!(start.starts_with(b"HTTP/1.1 200 "));
            let new = pattern(5 << 20, 2);
            server.folder.replace("p/large.bin", &new);
            await_body(server, "large.bin", &new);
            let mut came = start;
            while came.len() < old.len() {
                let more = client.read_some(1 << 20);
                assert!(!more.is_empty(), "{hold}: cut after {} bytes", came.len());
                came.extend(more);
            }
            let head_size = came
                .windows(4)
                .position(|w| w == b"\r\n\r\n")
                .expect("a head")
                + 4;
            while came.len() < head_size + old.len() {
                came.extend(client.read_some(1 << 20));
            }
            assert!(
                came[head_size..] == old[..],
                "{hold}: not the bytes it started with"
            );
        }
    }
);

on_both_drivers!(
    answer_under_way_is_never_completed_with_edited_bytes,
    swapped_by_one_worker,
    |server| {
        let old = pattern(8 << 20, 1);
        for hold in HOLDS {
            let mut client = server.connect();
            client.send(get(&format!("/{hold}/large.bin")).bytes());
            let start = client.read_some(1_000);
            assert!(start.starts_with(b"HTTP/1.1 200 "));
            let edit = vec![0xEE; 8 << 20];
            let folder = &server.folder;
            // The server may make the writer wait until it let go of the file.
            std::thread::scope(|scope| {
                let writer = scope.spawn(|| folder.overwrite_start("p/large.bin", &edit));
                let mut body = start;
                let mut patient = client;
                loop {
                    let more = patient.read_some(1 << 20);
                    if more.is_empty() {
                        break;
                    }
                    body.extend(more);
                    let head_size = body
                        .windows(4)
                        .position(|w| w == b"\r\n\r\n")
                        .expect("a head")
                        + 4;
                    let got = &body[head_size..];
                    assert!(
                        got == &old[..got.len()],
                        "{hold}: other bytes in an answer under way"
                    );
                    if got.len() == old.len() {
                        break;
                    }
                }
                eventually(LET_IN_WITHIN, "the writer is let in", || {
                    writer.is_finished()
                });
                writer.join().expect("the writer");
            });
            await_body(server, "large.bin", &edit);
            server.folder.rewrite("p/large.bin", &old);
            await_body(server, "large.bin", &old);
        }
    }
);

on_both_drivers!(
    stalled_client_does_not_stop_a_writer_for_long,
    swapped,
    |server| {
        let mut clients = Vec::new();
        for hold in HOLDS {
            let mut client = server.connect();
            client.send(get(&format!("/{hold}/large.bin")).bytes());
            client.read_some(1);
            clients.push(client);
        }
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| server.folder.truncate("p/large.bin", 1_000_000));
            eventually(LET_IN_WITHIN, "the writer is let in", || {
                writer.is_finished()
            });
        });
        await_body(server, "large.bin", &pattern(8 << 20, 1)[..1_000_000]);
        for client in &mut clients {
            // Whole, because it has been sent or copied, or cut: never completed from the truncated file.
            let whole = pattern(8 << 20, 1);
            let mut came = Vec::new();
            while came.len() < whole.len() {
                let more = client.read_some(1 << 20);
                if more.is_empty() {
                    break;
                }
                came.extend(more);
            }
            let body_at = came
                .windows(4)
                .position(|w| w == b"\r\n\r\n")
                .map_or(came.len(), |at| at + 4);
            let body = &came[body_at..];
            assert!(
                body == &whole[..body.len()],
                "other bytes after the truncation"
            );
        }
        assert!(server.is_running());
    }
);

on_both_drivers!(kept_pin_outlives_rename_and_deletion, kept, |server| {
    let before = HOLDS.map(|hold| server.get(&format!("/{hold}/a.txt")));
    server.folder.replace("p/a.txt", b"another file");
    server.folder.remove("p/b.txt");
    server.folder.place("p/c.txt", b"created");
    throughout(Duration::from_millis(1_500), || {
        for (hold, old) in HOLDS.iter().zip(&before) {
            let answer = server.get(&format!("/{hold}/a.txt"));
            assert_eq!(answer.expect_body(b"first content").etag(), old.etag());
            server
                .get(&format!("/{hold}/b.txt"))
                .expect(200)
                .expect_body(b"first content");
        }
    });
});

on_both_drivers!(
    kept_pin_edited_in_place_is_never_served_under_its_old_validator,
    kept,
    |server| {
        let before = HOLDS.map(|hold| server.get(&format!("/{hold}/a.txt")).etag());
        server.folder.overwrite_start("p/a.txt", b"FIRST");
        throughout(Duration::from_millis(1_500), || {
            for (hold, old) in HOLDS.iter().zip(&before) {
                let answer = server.get(&format!("/{hold}/a.txt"));
                if answer.status == 200 && answer.etag() == *old {
                    answer.expect_body(b"first content");
                }
            }
        });
        server
            .get("/memory/a.txt")
            .expect(200)
            .expect_body(b"first content");
    }
);

on_both_drivers!(
    kept_pin_truncated_on_disk_never_kills_the_server,
    kept,
    |server| {
        let whole = pattern(8 << 20, 1);
        let before = HOLDS.map(|hold| server.get(&format!("/{hold}/large.bin")).etag());
        server.folder.truncate("p/large.bin", 0);
        for _ in 0..10 {
            for (hold, old) in HOLDS.iter().zip(&before) {
                let mut client = server.connect();
                client.send(get(&format!("/{hold}/large.bin")).bytes());
                match client.try_answer("GET") {
                    Ok(answer) if answer.status == 200 && answer.etag() == *old => {
                        answer.expect_body(&whole);
                    }
                    Ok(_) | Err(Broken::Closed | Broken::Cut(_)) => {}
                    Err(Broken::Late(came)) => panic!("{hold}: stuck after {} bytes", came.len()),
                }
            }
        }
        assert!(server.is_running());
        server.get("/file/b.txt").expect(200);
    }
);

on_both_drivers!(old_files_are_released_after_many_swaps, swapped, |server| {
    await_body(server, "a.txt", b"first content");
    let before = server.process().descriptor_count();
    for round in 0..60 {
        server.folder.replace("p/a.txt", format!("round {round}"));
        server
            .folder
            .replace("p/large.bin", pattern(100_000, round));
        if round % 20 == 19 {
            await_body(server, "a.txt", format!("round {round}").as_bytes());
        }
    }
    await_body(server, "large.bin", &pattern(100_000, 59));
    eventually(SEEN_WITHIN, "descriptors are back where they were", || {
        server.process().descriptor_count() <= before + 4 && server.descriptors_on_deleted() == 0
    });
});
