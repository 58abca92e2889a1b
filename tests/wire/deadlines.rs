//! Deadlines of a connection: for a head, between requests, and for a send that makes no progress.

use std::time::Duration;

use crate::harness::setup::sized;
use crate::harness::{Client, HOLDS, Setup, get, media, now, pause};

/// The deadline that the scenarios configure, and when a server that keeps it must have acted on a busy machine.
const DEADLINE: Duration = Duration::from_secs(1);
const ACTED_WITHIN: Duration = Duration::from_secs(6);

fn short_head() -> Setup {
    media()
        .limit("head_timeout = \"1s\"")
        .limit("idle_timeout = \"30s\"")
}

fn short_idle() -> Setup {
    media()
        .limit("idle_timeout = \"1s\"")
        .limit("head_timeout = \"30s\"")
}

fn short_all() -> Setup {
    media()
        .limit("idle_timeout = \"1s\"")
        .limit("head_timeout = \"1s\"")
        .limit("send_timeout = \"1s\"")
}

/// Waits for the server's close, and asserts that it came at the deadline: not much before, and not long after.
#[track_caller]
fn assert_ended_at_the_deadline(client: Client, began: std::time::Instant) {
    let came = client.with_patience(ACTED_WITHIN).rest();
    let took = began.elapsed();
    assert!(took >= DEADLINE * 8 / 10, "closed after {took:?}");
    let text = String::from_utf8_lossy(&came);
    assert!(
        text.is_empty() || text.starts_with("HTTP/1.1 408 "),
        "{text}"
    );
}

on_both_drivers!(
    head_that_never_ends_meets_its_deadline,
    short_head,
    |server| {
        let began = now();
        let starts = [
            &b"GET /file/page.txt HTTP/1.1\r\nHost: a\r\n"[..],
            b"G",
            b"\r\n",
        ];
        let clients = starts.map(|start| {
            let mut client = server.connect();
            client.send(start);
            client
        });
        for client in clients {
            assert_ended_at_the_deadline(client, began);
        }
    }
);

on_both_drivers!(
    second_head_that_never_ends_meets_its_deadline,
    short_head,
    |server| {
        let mut client = server.connect();
        client.ask(&get("/file/page.txt")).expect(200);
        let began = now();
        client.send(b"GET /file/page.txt HT");
        assert_ended_at_the_deadline(client, began);
    }
);

on_both_drivers!(
    dripping_bytes_do_not_extend_the_head_deadline,
    short_head,
    |server| {
        let mut client = server.connect().with_patience(ACTED_WITHIN);
        let began = now();
        client.send(b"GET /file/page.txt HTTP/1.1\r\nHost: a\r\n");
        while !client.is_closed() {
            assert!(
                began.elapsed() < ACTED_WITHIN,
                "still open: each byte won more time"
            );
            if client.try_send(b"X").is_err() {
                break;
            }
            pause(Duration::from_millis(50));
        }
        assert!(
            began.elapsed() >= DEADLINE * 8 / 10,
            "closed after {:?}",
            began.elapsed()
        );
    }
);

on_both_drivers!(slow_head_within_the_deadline_is_answered, media, |server| {
    let mut client = server.connect();
    for piece in get("/file/page.txt").bytes().chunks(8) {
        client.send(piece);
        pause(Duration::from_millis(30));
    }
    client.answer("GET").expect(200);
});

on_both_drivers!(
    idle_connection_is_closed_at_its_deadline,
    short_idle,
    |server| {
        let mut client = server.connect();
        client.ask(&get("/file/page.txt")).expect(200);
        let began = now();
        assert_ended_at_the_deadline(client, began);
    }
);

on_both_drivers!(connection_that_never_asks_is_closed, short_all, |server| {
    let client = server.connect();
    assert_ended_at_the_deadline(client, now());
});

on_both_drivers!(
    busy_connection_outlives_the_idle_deadline,
    short_idle,
    |server| {
        let mut client = server.connect();
        let began = now();
        while began.elapsed() < DEADLINE * 5 / 2 {
            client.ask(&get("/file/page.txt")).expect(200);
            pause(Duration::from_millis(200));
        }
    }
);

on_both_drivers!(
    request_body_that_never_ends_is_given_up,
    short_all,
    |server| {
        for method in ["GET", "POST"] {
            let request = crate::harness::Request::new(method, "/file/page.txt");
            let mut client = server.connect().with_patience(ACTED_WITHIN);
            client.send(request.with("Content-Length", "1000").bytes());
            client.send(b"only this");
            let rest = client.rest();
            assert!(
                rest.is_empty() || rest.starts_with(b"HTTP/1.1 "),
                "{rest:?}"
            );
        }
    }
);

on_both_drivers!(client_that_reads_nothing_is_given_up, short_all, |server| {
    let clients = HOLDS.map(|hold| {
        let mut client = server.connect();
        client.send(get(&format!("/{hold}/huge.bin")).bytes().repeat(8));
        client
    });
    pause(ACTED_WITHIN / 2);
    for (hold, mut client) in HOLDS.iter().zip(clients) {
        // What the kernel buffered can be read later; more than that, the server has given up sending.
        let came = client.rest();
        let all = 8 * sized("huge.bin").len();
        assert!(came.len() < all, "{hold}: all was sent");
    }
});

on_both_drivers!(
    slow_reader_that_makes_progress_is_not_given_up,
    short_all,
    |server| {
        let mut readers = HOLDS.map(|hold| {
            let mut client = server.connect();
            // With a small window the server has to wait for this reader.
            socket2::SockRef::from(client.stream())
                .set_recv_buffer_size(16 << 10)
                .expect("a small buffer");
            client.send(get(&format!("/{hold}/huge.bin")).close().bytes());
            (hold, client, Vec::new())
        });
        let began = now();
        while began.elapsed() < DEADLINE * 5 / 2 {
            for (_, client, came) in &mut readers {
                for _ in 0..4 {
                    came.extend(client.read_some(16 << 10));
                }
            }
            pause(Duration::from_millis(100));
        }
        for (hold, mut client, mut came) in readers {
            came.extend(client.rest());
            let file = sized("huge.bin");
            assert!(came.ends_with(&file), "{hold}: {} bytes", came.len());
        }
    }
);
