//! Pipelining (RFC 9112 s9.3.2): answers come in the order of requests, whatever the pieces in which these arrive.

use crate::harness::setup::{PAGE, SIZES, sized};
use crate::harness::{HOLDS, Request, Setup, get, head, media, pattern};

on_both_drivers!(
    sixty_four_requests_in_one_write_are_answered_in_order,
    media,
    |server| {
        let mut client = server.connect();
        let files: Vec<_> = SIZES[..5].iter().map(|(name, _)| *name).collect();
        for _ in 0..3 {
            let order = || (0..64).map(|at| (HOLDS[at % 3], files[(at * 7) % files.len()]));
            let requests = order().map(|(hold, name)| get(&format!("/{hold}/{name}")).bytes());
            client.send(requests.collect::<Vec<_>>().concat());
            for (_, name) in order() {
                client.answer("GET").expect(200).expect_body(&sized(name));
            }
        }
    }
);

on_both_drivers!(
    more_requests_than_the_limit_are_all_answered,
    media,
    |server| {
        let mut client = server.connect();
        let mut expected = Vec::new();
        let mut bytes = Vec::new();
        for at in 0..2_000_usize {
            let first = (at * 13) % 900;
            let range = format!("bytes={first}-{}", first + 99);
            bytes.extend(get("/memory/thousand.txt").with("Range", &range).bytes());
            expected.push(first);
        }
        client.send(bytes);
        let file = pattern(1_000, 7);
        for first in expected {
            client
                .answer("GET")
                .expect(206)
                .expect_body(&file[first..first + 100]);
        }
    }
);

fn short_pipeline() -> Setup {
    media().limit("pipeline = 4")
}

on_both_drivers!(
    small_pipeline_limit_still_answers_all,
    short_pipeline,
    |server| {
        let mut client = server.connect();
        client.send(get("/file/page.txt").bytes().repeat(200));
        for _ in 0..200 {
            client.answer("GET").expect(200).expect_body(PAGE);
        }
    }
);

on_both_drivers!(answers_of_all_kinds_keep_their_order, media, |server| {
    let etag = server.get("/file/page.txt").etag();
    let requests = [
        (get("/file/page.txt"), 200),
        (get("/nothing"), 404),
        (get("/file/page.txt").with("If-None-Match", &etag), 304),
        (head("/mmap/large.bin"), 200),
        (get("/file/thousand.txt").with("Range", "bytes=0-9"), 206),
        (
            get("/file/thousand.txt").with("Range", "bytes=0-9,500-509"),
            206,
        ),
        (get("/file/thousand.txt").with("Range", "bytes=5000-"), 416),
        (get("/plain.txt"), 200),
        (get("/file/page.txt").with("If-Match", "\"x\""), 412),
        (get("/folder"), 301),
        (get("/file/huge.bin"), 200),
        (get("/folder/"), 200),
        (get("/mmap/huge.bin"), 200),
        (head("/nothing"), 404),
        (get("/memory/huge.bin"), 200),
        (get("/file/empty.bin"), 200),
        (
            get("/memory/one.bin").body(b"GET /file/secret.txt HTTP/1.1\r\n\r\n"),
            200,
        ),
        (get("/file/one.bin"), 200),
    ];
    let mut client = server.connect();
    for _ in 0..3 {
        let bytes: Vec<_> = requests
            .iter()
            .map(|(request, _)| request.bytes())
            .collect();
        client.send(bytes.concat());
        for (at, (request, status)) in requests.iter().enumerate() {
            let answer = client.answer(&request.method);
            assert_eq!(answer.status, *status, "request {at}: {answer}");
        }
    }
});

on_both_drivers!(options_between_reads_keeps_the_order, media, |server| {
    let mut client = server.connect();
    let bytes = [
        get("/file/page.txt").bytes(),
        Request::new("OPTIONS", "*").bytes(),
        get("/file/one.bin").bytes(),
    ];
    client.send(bytes.concat());
    client.answer("GET").expect(200).expect_body(PAGE);
    client.answer("OPTIONS").expect_one_of(&[200, 204]);
    client
        .answer("GET")
        .expect(200)
        .expect_body(&sized("one.bin"));
});

on_both_drivers!(requests_cut_at_every_byte_are_answered, media, |server| {
    let pair = [
        get("/file/page.txt")
            .with("Accept-Encoding", "gzip")
            .bytes(),
        get("/mmap/small.bin").bytes(),
    ]
    .concat();
    let mut client = server.connect();
    for cut in 1..pair.len() {
        let (start, end) = pair.split_at(cut);
        client.send(start);
        // A request that is complete is answered before the next one is.
        let first_size = get("/file/page.txt")
            .with("Accept-Encoding", "gzip")
            .bytes()
            .len();
        if cut >= first_size {
            client
                .answer("GET")
                .expect(200)
                .expect_body(&pattern(33, 1));
            client.send(end);
        } else {
            client.send(end);
            client
                .answer("GET")
                .expect(200)
                .expect_body(&pattern(33, 1));
        }
        client
            .answer("GET")
            .expect(200)
            .expect_body(&sized("small.bin"));
    }
});

on_both_drivers!(
    nothing_is_answered_after_the_requested_close,
    media,
    |server| {
        let mut client = server.connect();
        let bytes = [
            get("/file/page.txt").bytes(),
            get("/file/small.bin").close().bytes(),
            get("/file/secret.txt").bytes().repeat(10),
        ];
        client.send(bytes.concat());
        client.answer("GET").expect(200);
        let last = client.answer("GET");
        last.expect(200).expect_body(&sized("small.bin"));
        assert!(last.closes());
        client.expect_closed();
    }
);

on_both_drivers!(
    large_answers_wait_for_a_client_that_reads_late,
    media,
    |server| {
        let mut late = server.connect();
        let mut bytes = Vec::new();
        for hold in HOLDS.into_iter().cycle().take(9) {
            bytes.extend(get(&format!("/{hold}/huge.bin")).bytes());
            bytes.extend(get(&format!("/{hold}/page.txt")).bytes());
        }
        late.send(bytes);
        // Others are served while nothing of it is read.
        for _ in 0..20 {
            server.get("/file/large.bin").expect(200);
        }
        for _ in 0..9 {
            late.answer("GET")
                .expect(200)
                .expect_body(&sized("huge.bin"));
            late.answer("GET").expect(200).expect_body(PAGE);
        }
    }
);

on_both_drivers!(root_files_and_pins_interleave_in_order, media, |server| {
    let mut client = server.connect();
    let mut bytes = Vec::new();
    for at in 0..32 {
        bytes.extend(get(["/plain.txt", "/file/page.txt", "/nothing", "/"][at % 4]).bytes());
    }
    client.send(bytes);
    for at in 0..32 {
        let answer = client.answer("GET");
        match at % 4 {
            0 => answer.expect(200).expect_body(&pattern(2_000, 5)),
            1 => answer.expect(200).expect_body(PAGE),
            2 => answer.expect(404),
            _ => answer.expect(200).expect_body(b"<p>front</p>"),
        };
    }
});
