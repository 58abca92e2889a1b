//! What went wrong once: each scenario says how, and must never be seen again.

use std::time::Duration;

use rustix::process::Signal;

use crate::harness::setup::{PAGE, sized};
use crate::harness::{
    Client, HOLDS, Request, Server, Setup, eventually, get, media, now, pattern, pause,
};

/// When a server that keeps a deadline of one second must have acted on a busy machine.
const ACTED_WITHIN: Duration = Duration::from_secs(8);

/// A sample of the metrics, by its name and labels as printed; 0 where it is not shown.
fn metric(server: &Server, sample: &str) -> u64 {
    let page = server.ask_admin(&get("/metrics"));
    let text = String::from_utf8_lossy(&page.body).into_owned();
    text.lines()
        .find_map(|line| line.strip_prefix(sample)?.trim().parse().ok())
        .unwrap_or(0)
}

/// A client that takes little at a time, so that the server soon has to wait for it.
fn narrow(server: &Server) -> Client {
    let client = server.connect();
    socket2::SockRef::from(client.stream())
        .set_recv_buffer_size(16 << 10)
        .expect("a small buffer");
    client
}

/// Pipelines requests and the start of one more, whose end comes while the answers wait for the client.
fn assert_last_head_is_answered(server: &Server, padding: usize, half_close: bool) {
    let pad = "p".repeat(padding);
    let request = get("/memory/buffer.bin").with("X-Pad", &pad).bytes();
    let (start, end) = request.split_at(20);
    let mut clients: Vec<_> = [2, 30, 31, 80, 150, 250]
        .map(|count| {
            let mut client = narrow(server);
            client.send([&request.repeat(count)[..], start].concat());
            (count, client)
        })
        .into();
    pause(Duration::from_millis(300));
    for (_, client) in &mut clients {
        client.send(end);
        if half_close {
            client.half_close();
        }
    }
    pause(Duration::from_millis(100));
    for (count, mut client) in clients {
        for _ in 0..=count {
            let answer = client.answer("GET");
            answer.expect(200).expect_body(&sized("buffer.bin"));
        }
        if !half_close {
            client.half_close();
        }
        client.expect_closed();
    }
}

// The end of a head that came while the socket was full was left unread until the head's deadline.
on_both_drivers!(
    head_whose_end_comes_while_sending_is_answered,
    media,
    |server| { assert_last_head_is_answered(server, 1, false) }
);

on_both_drivers!(
    head_whose_end_comes_while_sending_to_a_half_closed_client_is_answered,
    media,
    |server| { assert_last_head_is_answered(server, 1, true) }
);

on_both_drivers!(
    head_whose_end_comes_while_receiving_rests_is_answered,
    media,
    |server| { assert_last_head_is_answered(server, 1_500, false) }
);

// A pipeline whose share of a turn was used up ended with the client's half-close.
on_both_drivers!(
    pipeline_of_a_half_closed_client_that_reads_fast_is_answered_whole,
    media,
    |server| {
        for hold in HOLDS {
            let mut client = server.connect();
            client.send(get(&format!("/{hold}/large.bin")).bytes().repeat(40));
            client.half_close();
            for _ in 0..40 {
                let answer = client.answer("GET");
                answer.expect(200).expect_body(&sized("large.bin"));
            }
            client.expect_closed();
        }
    }
);

fn stretched() -> Setup {
    Setup::new()
        .file("p/large.bin", pattern(4 << 20, 9))
        .pin_under_every_hold("p/*", |pin| pin)
}

fn short_send() -> Setup {
    stretched().limit("send_timeout = \"1s\"")
}

/// Long enough for the kernel to tell the server what a slow client has taken: it does so in large steps.
fn longer_send() -> Setup {
    stretched().limit("send_timeout = \"3s\"")
}

// Room in the socket, not bytes taken by the client, was what a send's deadline looked at.
on_both_drivers!(
    steady_reader_slower_than_the_send_deadline_gets_all,
    longer_send,
    |server| {
        let mut readers = HOLDS.map(|hold| {
            let mut client = server.connect();
            client.send(get(&format!("/{hold}/large.bin")).close().bytes());
            (hold, client, Vec::new())
        });
        let began = now();
        while began.elapsed() < Duration::from_secs(8) {
            for (_, client, came) in &mut readers {
                came.extend(client.read_some(20_000));
            }
            pause(Duration::from_millis(100));
        }
        for (hold, mut client, mut came) in readers {
            came.extend(client.rest());
            let all = came.ends_with(&pattern(4 << 20, 9));
            assert!(all, "{hold}: {} bytes", came.len());
        }
    }
);

on_both_drivers!(
    client_that_reads_nothing_is_reset_at_the_send_deadline,
    short_send,
    |server| {
        let mut client = narrow(server);
        client.send(get("/memory/large.bin").bytes().repeat(4));
        let began = now();
        eventually(ACTED_WITHIN, "a send is given up", || {
            metric(server, "hotplate_timeouts_total{waiting_for=\"send\"}") == 1
        });
        let took = began.elapsed();
        assert!(took >= Duration::from_millis(800), "after {took:?}");
        assert!(client.rest().len() < 4 << 22);
    }
);

// Each byte of a body that is thrown away won it more time.
on_both_drivers!(
    trickled_body_ends_at_the_head_deadline,
    || media().limit("head_timeout = \"1s\""),
    |server| {
        let post = Request::new("POST", "/file/page.txt").with("Content-Length", "1000");
        let mut client = server.connect();
        let began = now();
        client.send(post.bytes());
        client.answer("POST").expect(405);
        while !client.is_closed() && client.try_send(b"b").is_ok() {
            let took = began.elapsed();
            assert!(took < ACTED_WITHIN, "still open after {took:?}");
            pause(Duration::from_millis(100));
        }
        let took = began.elapsed();
        assert!(took >= Duration::from_millis(800), "closed after {took:?}");
    }
);

// The refusal of a HEAD had a body, which the client takes for the next answer.
on_both_drivers!(refused_head_is_answered_without_a_body, media, |server| {
    let heads = [
        "HEAD /file/page.txt HTTP/1.1\r\n\r\n",
        "HEAD /file/page.txt HTTP/1.1\r\nHost: a\r\nBad Name: x\r\n\r\n",
    ];
    for head in heads {
        let mut client = server.connect();
        client.send(head);
        client.answer("HEAD").expect(400);
        client.expect_closed();
    }
});

fn shared_limit() -> Setup {
    Setup::new()
        .file("p/big.bin", pattern(16 << 20, 3))
        .file("p/small.txt", b"small")
        .pin("p/*", "/")
        .limit("connections = 8")
        .workers(4)
}

// Each worker had the whole limit, or its part of it, for itself.
on_both_drivers!(
    idle_connection_of_any_worker_gives_way_over_the_limit,
    shared_limit,
    |server| {
        let mut clients = Vec::new();
        for _ in 0..24 {
            let mut client = server.connect();
            client.ask(&get("/small.txt")).expect(200);
            clients.push(client);
            eventually(ACTED_WITHIN, "the limit is kept", || {
                metric(server, "hotplate_connections_open") <= 8
            });
        }
        eventually(ACTED_WITHIN, "eight are open", || {
            metric(server, "hotplate_connections_open") == 8
        });
        let mut newest = clients.pop().expect("a client");
        newest.ask(&get("/small.txt")).expect(200);
    }
);

on_both_drivers!(
    connection_over_the_limit_of_busy_workers_is_refused,
    shared_limit,
    |server| {
        let mut busy: Vec<_> = (0..8)
            .map(|_| {
                let mut client = narrow(server);
                client.send(get("/big.bin").close().bytes());
                client.read_some(1);
                client
            })
            .collect();
        let mut ninth = server.connect();
        eventually(ACTED_WITHIN, "the ninth is closed", || ninth.is_closed());
        eventually(ACTED_WITHIN, "it is counted", || {
            metric(server, "hotplate_connections_refused_total") >= 1
        });
        for client in &mut busy {
            assert!(client.rest().len() > 16 << 20);
        }
    }
);

// What a connection over the limit was being sent was cut off when no room was made for it.
on_both_drivers!(
    answer_that_began_over_the_limit_is_whole_and_the_last,
    shared_limit,
    |server| {
        let busy = [(); 8].map(|()| {
            let mut client = narrow(server);
            client.send(get("/big.bin").close().bytes());
            client.read_some(1);
            client
        });
        let mut ninth = narrow(server);
        ninth.send(get("/big.bin").bytes());
        let head = ninth.head().expect("a head");
        let mut silent = server.connect();
        eventually(ACTED_WITHIN, "who asks nothing is closed", || {
            silent.is_closed()
        });
        ninth.send(get("/small.txt").bytes());
        let body = ninth.body("GET", &head).expect("a whole body");
        assert!(body == pattern(16 << 20, 3), "other bytes");
        let last = ninth.answer("GET");
        last.expect(200).expect_body(b"small");
        assert_eq!(last.field("connection"), Some("close"));
        ninth.expect_closed();
        drop(busy);
    }
);

// A client that drained as fast as it was sent to kept its worker to itself.
on_both_drivers!(
    greedy_pipeline_leaves_others_their_turn,
    || media().workers(1),
    |server| {
        let mut greedy = server.connect();
        let requests = HOLDS.map(|hold| get(&format!("/{hold}/huge.bin")).bytes());
        greedy.send(requests.concat().repeat(20));
        greedy.half_close();
        let reader = std::thread::spawn(move || greedy.rest().len());
        for _ in 0..20 {
            server.get("/file/page.txt").expect(200).expect_body(PAGE);
        }
        let came = reader.join().expect("the greedy client");
        assert!(came > 60 * sized("huge.bin").len(), "{came} bytes");
    }
);

fn large() -> Setup {
    Setup::new()
        .file("p/large.bin", pattern(16 << 20, 4))
        .pin("p/*", "/")
}

/// Begins a drain that the returned client keeps going.
fn drain(server: &Server) -> Client {
    let mut stalled = server.connect();
    stalled.send(get("/large.bin").bytes().repeat(2));
    stalled.read_some(1);
    server.terminate();
    eventually(ACTED_WITHIN, "no new connection", || {
        Client::try_open(server.address).is_err()
    });
    stalled
}

// Only the drain's deadline ended a drain, whatever the operator did.
on_both_drivers!(second_terminate_ends_the_drain_at_once, large, |server| {
    let stalled = drain(server);
    assert!(server.is_running());
    server.process().signal(Signal::TERM);
    assert_eq!(server.wait_for_exit(ACTED_WITHIN).code(), Some(1));
    drop(stalled);
});

// A body behind the head was taken for a further request, whose answer would say that the connection closes.
on_both_drivers!(
    request_with_a_body_in_a_drain_is_told_of_the_close,
    large,
    |server| {
        let mut asking = server.connect();
        let request = Request::new("POST", "/large.bin").body(b"body").bytes();
        let (start, end) = request.split_at(20);
        asking.send(start);
        let mut stalled = drain(server);
        asking.send(end);
        let answer = asking.answer("POST");
        assert!(answer.expect(405).closes(), "{answer}");
        asking.expect_closed();
        stalled.rest();
        assert_eq!(server.wait_for_exit(ACTED_WITHIN).code(), Some(0));
    }
);
