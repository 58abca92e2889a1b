//! Limits: how large a head may be, how many connections there may be, and what happens at each border.

use std::time::Duration;

use super::framing::assert_refused;
use crate::harness::waiting::throughout;
use crate::harness::{Client, Setup, eventually, get, media, pattern};

/// A request whose head has exactly `size` bytes.
fn head_of(size: usize) -> Vec<u8> {
    let start = b"GET /file/page.txt HTTP/1.1\r\nHost: media.test\r\nX-Fill: ".to_vec();
    let fill = size - start.len() - 4;
    [start, vec![b'x'; fill], b"\r\n\r\n".to_vec()].concat()
}

fn small_heads() -> Setup {
    media().limit("head = \"1KiB\"").limit("headers = 10")
}

on_both_drivers!(
    head_up_to_the_limit_is_read_and_beyond_it_refused,
    small_heads,
    |server| {
        let mut client = server.connect();
        for size in [100, 1_000, 1_023, 1_024] {
            client.send(head_of(size));
            client.answer("GET").expect(200);
        }
        for size in [1_025, 1_100, 4_000, 60_000] {
            assert_refused(server, &format!("a head of {size}"), &head_of(size), &[431]);
        }
    }
);

on_both_drivers!(default_head_limit_is_16_kib, media, |server| {
    let mut client = server.connect();
    client.send(head_of(16 << 10));
    client.answer("GET").expect(200);
    assert_refused(server, "17 KiB", &head_of(17 << 10), &[431]);
});

on_both_drivers!(
    head_that_grows_beyond_the_limit_is_refused_before_it_ends,
    small_heads,
    |server| {
        let mut client = server.connect();
        client.send(b"GET /file/page.txt HTTP/1.1\r\nHost: a\r\n");
        for _ in 0..200 {
            // The server may have closed by now.
            if client
                .try_send(b"X-Fill: xxxxxxxxxxxxxxxxxxxxxxxx\r\n")
                .is_err()
            {
                break;
            }
        }
        client.answer("GET").expect(431);
        client.expect_closed();
    }
);

on_both_drivers!(
    request_line_beyond_the_limit_is_refused_before_it_ends,
    small_heads,
    |server| {
        let mut client = server.connect();
        client.send(format!("GET /{}", "x".repeat(3_000)));
        client.answer("GET").expect(414);
        client.expect_closed();
    }
);

on_both_drivers!(method_without_end_is_refused, small_heads, |server| {
    let mut client = server.connect();
    client.send("G".repeat(3_000));
    client.answer("GET").expect_one_of(&[400, 414, 431, 501]);
    client.expect_closed();
});

on_both_drivers!(
    fields_up_to_the_limit_are_read_and_beyond_it_refused,
    small_heads,
    |server| {
        let with_fields = |count: usize| {
            // Host is the first.
            let more = (1..count)
                .map(|at| format!("X-{at}: y\r\n"))
                .collect::<String>();
            format!("GET /file/page.txt HTTP/1.1\r\nHost: media.test\r\n{more}\r\n").into_bytes()
        };
        let mut client = server.connect();
        for count in [1, 9, 10] {
            client.send(with_fields(count));
            client.answer("GET").expect(200);
        }
        for count in [11, 30, 60] {
            assert_refused(
                server,
                &format!("{count} fields"),
                &with_fields(count),
                &[431],
            );
        }
    }
);

on_both_drivers!(default_field_limit_is_100, media, |server| {
    let mut request = get("/file/page.txt");
    for at in 1..100 {
        request = request.with(&format!("X-{at}"), "y");
    }
    server.ask(&request).expect(200);
    let request = request.with("X-100", "y");
    assert_refused(server, "101 fields", &request.bytes(), &[431]);
});

fn eight_connections() -> Setup {
    media().limit("connections = 8").workers(1)
}

on_both_drivers!(
    oldest_idle_connection_gives_way_over_the_limit,
    eight_connections,
    |server| {
        let mut clients: Vec<Client> = (0..8)
            .map(|_| {
                let mut client = server.connect();
                client.ask(&get("/file/page.txt")).expect(200);
                client
            })
            .collect();
        let mut ninth = server.connect();
        ninth.ask(&get("/file/page.txt")).expect(200);
        eventually(
            Duration::from_secs(5),
            "the oldest idle connection is closed",
            || clients[0].is_closed(),
        );
        for client in &mut clients[1..] {
            client.ask(&get("/file/page.txt")).expect(200);
        }
        ninth.ask(&get("/file/page.txt")).expect(200);
    }
);

on_both_drivers!(
    connection_used_again_is_not_the_oldest,
    eight_connections,
    |server| {
        let mut clients: Vec<Client> = (0..8)
            .map(|_| {
                let mut client = server.connect();
                client.ask(&get("/file/page.txt")).expect(200);
                client
            })
            .collect();
        clients[0].ask(&get("/file/page.txt")).expect(200);
        server.get("/file/page.txt").expect(200);
        eventually(
            Duration::from_secs(5),
            "the second connection is closed",
            || clients[1].is_closed(),
        );
        clients[0].ask(&get("/file/page.txt")).expect(200);
    }
);

on_both_drivers!(
    many_clients_over_the_limit_are_served_one_after_the_other,
    eight_connections,
    |server| {
        let mut kept = Vec::new();
        for _ in 0..200 {
            let mut client = server.connect();
            client.ask(&get("/file/page.txt")).expect(200);
            // Left open: it becomes the idle one that gives way.
            kept.push(client);
        }
        let open = kept
            .iter_mut()
            .filter_map(|client| (!client.is_closed()).then_some(()));
        assert!(open.count() <= 8);
    }
);

on_both_drivers!(
    busy_connections_do_not_give_way,
    || {
        Setup::new()
            .file("p/big.bin", pattern(24 << 20, 3))
            .file("p/small.txt", b"small")
            .pin("p/*", "/")
            .limit("connections = 4")
            .workers(1)
    },
    |server| {
        let mut busy: Vec<Client> = (0..4)
            .map(|_| {
                let mut client = server.connect();
                client.send(get("/big.bin").bytes());
                assert!(!client.read_some(1).is_empty());
                client
            })
            .collect();
        // Nobody is idle: the fifth waits, or is turned away; it never breaks an answer under way.
        if let Ok(fifth) = Client::try_open(server.address) {
            let mut fifth = fifth.with_patience(Duration::from_millis(500));
            if fifth.try_send(get("/small.txt").bytes()).is_ok()
                && let Ok(answer) = fifth.try_answer("GET")
            {
                answer.expect_one_of(&[200, 503]);
            }
        }
        for client in &mut busy {
            let mut size = 1;
            while size < 24 << 20 {
                let more = client.read_some(1 << 20);
                assert!(
                    !more.is_empty(),
                    "an answer under way was broken after {size} bytes"
                );
                size += more.len();
            }
        }
        drop(busy);
        eventually(Duration::from_secs(10), "room for a new client", || {
            Client::try_open(server.address).is_ok_and(|client| {
                let mut client = client.with_patience(Duration::from_secs(1));
                client.try_send(get("/small.txt").bytes()).is_ok()
                    && client
                        .try_answer("GET")
                        .is_ok_and(|answer| answer.status == 200)
            })
        });
        throughout(Duration::from_millis(50), || {
            server.get("/small.txt").expect(200);
        });
    }
);
