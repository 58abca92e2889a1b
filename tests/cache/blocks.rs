//! Ranges of what is not stored: only the blocks that they need are fetched, and they add up to the whole (RFC 9111 s3.3, s3.4).

use std::time::Duration;

use crate::harness::origin::{Made, Origin, content, reply};
use crate::harness::{Answer, Request, Server, Setup, get};
use crate::site::{Site, expect_forward, expect_hit, expect_outcome, fetch, fetch_get};

const MIB: u64 = 1 << 20;
const SIZE: u64 = 20 * MIB + 12_345;

fn with_disk(setup: Setup) -> Setup {
    setup.disk(&["size = \"256MiB\""])
}

/// Parts are kept in memory as well as on disk.
fn in_memory() -> Site {
    Site::plain()
}

fn on_disk() -> Site {
    Site::plain().with(with_disk)
}

fn range(first: u64, last: u64) -> Request {
    get("/a").with("Range", &format!("bytes={first}-{last}"))
}

fn expect_part(answer: &Answer, seed: u64, first: u64, last: u64) {
    answer
        .expect(206)
        .expect_body(&content(seed, first..last + 1));
    let told = answer.needs("content-range");
    assert!(
        told.starts_with(&format!("bytes {first}-{last}/")),
        "{told}"
    );
}

/// The ranges that the origin was asked for since it last forgot.
fn asked_ranges(origin: &Origin) -> Vec<String> {
    let asked = origin.asked();
    let range = |field: Option<&str>| field.unwrap_or("whole").to_owned();
    asked.iter().map(|one| range(one.field("range"))).collect()
}

fn only_the_blocks_needed(origin: &Origin, server: &Server) {
    origin.serve("/a", Made::new(1, SIZE).max_age(600));
    // What players ask first.
    let probe = fetch(server, &range(0, 1));
    expect_part(&probe, 1, 0, 1);
    expect_forward(&probe, "uri-miss");
    expect_outcome(&probe, &["stored"]);
    assert_eq!(asked_ranges(origin), ["bytes=0-1048575"]);
    // A seek, and another one nearby.
    let far = 15 * MIB + 77;
    let seek = fetch(server, &range(far, far + 9));
    expect_part(&seek, 1, far, far + 9);
    expect_forward(&seek, "partial");
    expect_part(
        &fetch(server, &range(far + 100, far + 199)),
        1,
        far + 100,
        far + 199,
    );
    let near = fetch(server, &range(500, 1000));
    expect_part(&near, 1, 500, 1000);
    expect_hit(&near);
    let asked = asked_ranges(origin);
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert_eq!(asked[1], format!("bytes={}-{}", 15 * MIB, 16 * MIB - 1));
    assert!(origin.asked()[1].field("if-range").is_some());
}

before_an_origin!(
    rfc9111_s3_3_a_range_fetches_only_the_blocks_that_it_needs,
    on_disk(),
    |origin, server| {
        only_the_blocks_needed(origin, server);
    }
);

before_an_origin!(
    rfc9111_s3_3_a_range_fetches_only_the_blocks_that_it_needs_in_memory,
    in_memory(),
    |origin, server| {
        only_the_blocks_needed(origin, server);
    }
);

before_an_origin!(
    rfc9111_s3_4_blocks_add_up_to_the_whole,
    on_disk(),
    |origin, server| {
        origin.serve("/a", Made::new(1, SIZE).max_age(600));
        expect_part(
            &fetch(server, &range(3 * MIB, 3 * MIB)),
            1,
            3 * MIB,
            3 * MIB,
        );
        expect_part(
            &fetch(server, &range(7 * MIB, 9 * MIB)),
            1,
            7 * MIB,
            9 * MIB,
        );
        origin.forget();
        let whole = fetch_get(server, "/a");
        whole.expect(200).expect_body(&content(1, 0..SIZE));
        assert_eq!(whole.needs("content-length"), SIZE.to_string());
        // What was there was not asked for again.
        let asked = asked_ranges(origin);
        assert_eq!(
            asked,
            [
                format!("bytes=0-{}", 3 * MIB - 1),
                format!("bytes={}-{}", 4 * MIB, 7 * MIB - 1),
                format!("bytes={}-{}", 10 * MIB, SIZE - 1),
            ]
        );
        origin.forget();
        let hit = fetch_get(server, "/a");
        hit.expect(200).expect_body(&content(1, 0..SIZE));
        expect_hit(&hit);
        assert_eq!(asked_ranges(origin), [""; 0]);
    }
);

before_an_origin!(
    blocks_are_there_after_a_restart,
    on_disk(),
    |origin, server| {
        origin.serve("/a", Made::new(1, SIZE).max_age(600));
        for block in [0, 5, 20] {
            // With its last byte the whole block has come.
            let last = (block * MIB + MIB - 1).min(SIZE - 1);
            expect_part(&fetch(server, &range(last - 5, last)), 1, last - 5, last);
        }
        server.restart();
        origin.forget();
        for block in [20, 0, 5] {
            let first = block * MIB + 1000;
            let answer = fetch(server, &range(first, first + 5));
            expect_part(&answer, 1, first, first + 5);
            expect_hit(&answer);
        }
        assert_eq!(asked_ranges(origin), [""; 0]);
        let whole = fetch_get(server, "/a");
        whole.expect(200).expect_body(&content(1, 0..SIZE));
        assert!(!asked_ranges(origin).contains(&"whole".to_owned()));
        server.restart();
        origin.forget();
        fetch_get(server, "/a")
            .expect(200)
            .expect_body(&content(1, 0..SIZE));
        assert_eq!(asked_ranges(origin), [""; 0]);
    }
);

before_an_origin!(
    open_and_suffix_ranges_are_fetched_as_they_are_needed,
    on_disk(),
    |origin, server| {
        origin.serve("/a", Made::new(1, SIZE).max_age(600));
        let suffix = fetch(server, &get("/a").with("Range", "bytes=-100"));
        expect_part(&suffix, 1, SIZE - 100, SIZE - 1);
        assert_eq!(asked_ranges(origin), ["bytes=-100"]);
        let first = 18 * MIB + 5;
        let open = fetch(server, &get("/a").with("Range", &format!("bytes={first}-")));
        expect_part(&open, 1, first, SIZE - 1);
        let asked = asked_ranges(origin);
        assert_eq!(asked[1], format!("bytes={}-{}", 18 * MIB, SIZE - 101));
        origin.forget();
        let multi = get("/a").with("Range", &format!("bytes=0-9,{}-{}", 2 * MIB, 2 * MIB + 9));
        let answer = fetch(server, &multi);
        answer.expect(206);
        let body = &answer.body;
        for part in [content(1, 0..10), content(1, 2 * MIB..2 * MIB + 10)] {
            assert!(body.windows(part.len()).any(|window| window == part));
        }
    }
);

before_an_origin!(
    a_changed_validator_drops_the_old_blocks,
    on_disk(),
    |origin, server| {
        origin.serve("/a", Made::new(1, SIZE).max_age(600));
        expect_part(&fetch(server, &range(0, 9)), 1, 0, 9);
        origin.serve("/a", Made::new(2, SIZE + 1).max_age(600));
        // Its head has gone out when it turns out: the client can tell that it did not get it all.
        let mut client = server.connect();
        client.send(range(5 * MIB, 5 * MIB + 9).bytes());
        assert!(client.try_fetched("GET").is_err());
        // From now on everything is of the new representation.
        for (first, last) in [(0, 9), (5 * MIB, 5 * MIB + 9)] {
            expect_part(&fetch(server, &range(first, last)), 2, first, last);
        }
        let whole = fetch_get(server, "/a");
        whole.expect(200).expect_body(&content(2, 0..SIZE + 1));
    }
);

before_an_origin!(
    an_origin_that_ignores_ranges_still_works,
    on_disk(),
    |origin, server| {
        origin.serve("/a", Made::new(1, SIZE).max_age(600).ignoring_ranges());
        let first = 15 * MIB;
        expect_part(
            &fetch(server, &range(first, first + 9)),
            1,
            first,
            first + 9,
        );
        expect_part(&fetch(server, &range(0, 9)), 1, 0, 9);
        fetch_get(server, "/a")
            .expect(200)
            .expect_body(&content(1, 0..SIZE));
        assert_eq!(origin.asked().len(), 1);
    }
);

before_an_origin!(
    rfc9111_s3_4_without_a_strong_validator_a_range_goes_as_it_was_asked,
    on_disk(),
    |origin, server| {
        for etag in ["W/\"weak\"", ""] {
            origin.serve("/a", Made::new(1, SIZE).etag(etag).max_age(600));
            origin.forget();
            for _ in 0..2 {
                let answer = fetch(server, &range(5 * MIB, 5 * MIB + 9));
                expect_part(&answer, 1, 5 * MIB, 5 * MIB + 9);
            }
            let last = asked_ranges(origin).pop().expect("it was asked");
            assert_eq!(last, format!("bytes={}-{}", 5 * MIB, 5 * MIB + 9));
        }
    }
);

before_an_origin!(
    ranges_behind_the_end_are_unsatisfiable,
    on_disk(),
    |origin, server| {
        origin.serve("/a", Made::new(1, 5000).max_age(600));
        // Within the first block, and behind it.
        for first in [5000, 5 * MIB] {
            let answer = fetch(server, &range(first, first + 9));
            answer.expect(416);
            assert_eq!(answer.needs("content-range"), "bytes */5000");
        }
        expect_hit(&fetch_get(server, "/a"));
    }
);

before_an_origin!(
    what_is_whole_in_one_block_is_stored_as_the_whole,
    on_disk(),
    |origin, server| {
        origin.serve("/a", Made::new(1, 5000).max_age(600));
        expect_part(&fetch(server, &range(4000, 9999)), 1, 4000, 4999);
        let hit = fetch_get(server, "/a");
        hit.expect(200).expect_body(&content(1, 0..5000));
        expect_hit(&hit);
        assert_eq!(origin.asked().len(), 1);
    }
);

before_an_origin!(
    a_seek_while_a_slow_fill_runs_is_answered_at_once,
    on_disk(),
    |origin, server| {
        origin.on("/a", |asked| {
            let made = Made::new(1, SIZE).max_age(600);
            match asked.field("range") {
                Some(_) => made.reply(asked),
                // It would take hours.
                None => made.rate(1000).reply(asked),
            }
        });
        let mut slow = server.connect();
        slow.send(get("/a").bytes());
        origin.await_asked(1);
        assert_eq!(slow.head().expect("a head").status, 200);
        let mut seeker = server.connect().with_patience(Duration::from_secs(20));
        let first = 12 * MIB + 5;
        expect_part(
            &seeker.fetch(&range(first, first + 99)),
            1,
            first,
            first + 99,
        );
        // Others go on from there, to the end.
        let open = get("/a").with("Range", &format!("bytes={first}-"));
        expect_part(&seeker.fetch(&open), 1, first, SIZE - 1);
        let whole = asked_ranges(origin)
            .iter()
            .filter(|one| *one == "whole")
            .count();
        assert_eq!(whole, 1);
    }
);

before_an_origin!(
    requests_with_credentials_share_no_blocks,
    on_disk(),
    |origin, server| {
        let made = Made::new(1, SIZE).field("Cache-Control", "private, max-age=600");
        origin.serve("/a", made);
        let asked = range(5 * MIB, 5 * MIB + 9).with("Authorization", "Basic eDp5");
        for _ in 0..2 {
            expect_part(&fetch(server, &asked), 1, 5 * MIB, 5 * MIB + 9);
        }
        for one in origin.asked() {
            assert_eq!(one.field("authorization"), Some("Basic eDp5"));
        }
    }
);

before_an_origin!(
    a_part_that_goes_stale_is_validated_and_kept,
    on_disk(),
    |origin, server| {
        origin.serve("/a", Made::new(1, SIZE).max_age(0));
        expect_part(&fetch(server, &range(0, 9)), 1, 0, 9);
        origin.forget();
        let again = fetch(server, &range(10, 19));
        expect_part(&again, 1, 10, 19);
        expect_outcome(&again, &["fwd-status=304"]);
        assert_eq!(origin.asked().len(), 1);
    }
);

before_an_origin!(
    a_client_that_leaves_ends_a_fill_that_nobody_else_wants_and_its_blocks_stay,
    on_disk(),
    |origin, server| {
        origin.serve("/a", Made::new(1, SIZE).max_age(600).rate(4 * MIB));
        let mut client = server.connect();
        client.send(get("/a").bytes());
        let head = client.head().expect("a head");
        assert_eq!(head.status, 200);
        let some = client.exactly(3 * MIB as usize);
        assert_eq!(some, content(1, 0..3 * MIB));
        client.reset();
        crate::harness::waiting::eventually(Duration::from_secs(20), "the fill ends", || {
            origin.open_connections() == 0
        });
        origin.forget();
        let hit = fetch(server, &range(MIB, MIB + 9));
        expect_part(&hit, 1, MIB, MIB + 9);
        assert_eq!(asked_ranges(origin), [""; 0]);
    }
);

before_an_origin!(
    a_range_of_what_may_not_be_stored_goes_as_it_was_asked,
    on_disk(),
    |origin, server| {
        origin.on("/a", |asked| {
            let made = Made::new(1, SIZE).field("Cache-Control", "no-store");
            made.reply(asked)
        });
        for _ in 0..2 {
            expect_part(&fetch(server, &range(7, 9)), 1, 7, 9);
        }
        assert_eq!(
            asked_ranges(origin).last().map(String::as_str),
            Some("bytes=7-9")
        );
        origin.says("/b", reply(200).max_age(60).body("whole"));
        let answer = fetch(server, &get("/b").with("Range", "bytes=1-2"));
        answer.expect(206).expect_body(b"ho");
    }
);

fn stored_parts_alone_where_only_if_cached(origin: &Origin, server: &Server) {
    origin.serve("/a", Made::new(1, SIZE).max_age(600));
    expect_part(&fetch(server, &range(0, 1)), 1, 0, 1);
    let only = |request: Request| request.with("Cache-Control", "only-if-cached");
    // In the block that is there, in one that is not, and in both.
    expect_part(&fetch(server, &only(range(9, 99))), 1, 9, 99);
    fetch(server, &only(range(5 * MIB, 5 * MIB + 9))).expect(504);
    fetch(server, &only(range(9, 2 * MIB))).expect(504);
    fetch(server, &only(get("/a"))).expect(504);
    assert_eq!(asked_ranges(origin), ["bytes=0-1048575"]);
}

before_an_origin!(
    rfc9111_s5_2_1_7_only_if_cached_gets_stored_parts_and_has_none_fetched,
    in_memory(),
    |origin, server| {
        stored_parts_alone_where_only_if_cached(origin, server);
    }
);

before_an_origin!(
    rfc9111_s5_2_1_7_only_if_cached_gets_stored_parts_and_has_none_fetched_with_a_disk,
    on_disk(),
    |origin, server| {
        stored_parts_alone_where_only_if_cached(origin, server);
    }
);

/// Asserts that a body has these parts of the content of `seed`, and no others.
fn expect_parts(answer: &Answer, seed: u64, parts: &[(u64, u64)]) {
    answer.expect(206);
    let told = answer.needs("content-type");
    assert!(told.starts_with("multipart/byteranges"), "{told}");
    let body = &answer.body;
    let size: u64 = parts.iter().map(|(first, end)| end - first).sum();
    assert!((body.len() as u64) < size + 1_000, "{} bytes", body.len());
    for (first, end) in parts {
        let part = content(seed, *first..*end);
        assert!(body.windows(part.len()).any(|window| window == part));
    }
}

fn several_ranges(first: u64) -> (String, [(u64, u64); 2]) {
    let set = format!("bytes=0-7,{first}-{}", first + 9);
    (set, [(0, 8), (first, first + 10)])
}

fn several_ranges_fetch_their_blocks_alone(origin: &Origin, server: &Server) {
    origin.serve("/a", Made::new(1, SIZE).max_age(600));
    let ends = get("/a").with("Range", "bytes=0-7,-8");
    let answer = fetch(server, &ends);
    expect_parts(&answer, 1, &[(0, 8), (SIZE - 8, SIZE)]);
    expect_forward(&answer, "uri-miss");
    expect_outcome(&answer, &["stored"]);
    let last = SIZE - SIZE % MIB;
    let blocks = |number: u64| format!("bytes={}-{}", number * MIB, (number + 1) * MIB - 1);
    let end = format!("bytes={last}-{}", SIZE - 1);
    assert_eq!(asked_ranges(origin), [blocks(0), end]);
    origin.forget();
    expect_hit(&fetch(server, &ends));
    let (set, parts) = several_ranges(9 * MIB);
    let request = get("/a").with("Range", &set);
    expect_parts(&fetch(server, &request), 1, &parts);
    assert_eq!(asked_ranges(origin), [blocks(9)]);
    // One at the end alone is as large as it is asked for.
    origin.serve("/b", Made::new(2, SIZE).max_age(600));
    origin.forget();
    let far = format!("bytes={}-{},-5,{}-{}", 30 * MIB, 31 * MIB, 8 * MIB, 8 * MIB);
    let answer = fetch(server, &get("/b").with("Range", &far));
    expect_parts(&answer, 2, &[(SIZE - 5, SIZE), (8 * MIB, 8 * MIB + 1)]);
    assert_eq!(asked_ranges(origin), ["bytes=-5".to_owned(), blocks(8)]);
}

before_an_origin!(
    several_ranges_of_what_is_not_stored_fetch_their_blocks_alone,
    on_disk(),
    |origin, server| {
        several_ranges_fetch_their_blocks_alone(origin, server);
    }
);

before_an_origin!(
    several_ranges_of_what_is_not_stored_fetch_their_blocks_alone_in_memory,
    in_memory(),
    |origin, server| {
        several_ranges_fetch_their_blocks_alone(origin, server);
    }
);

before_an_origin!(
    several_ranges_that_can_not_be_stored_go_as_they_were_asked,
    on_disk(),
    |origin, server| {
        let (set, _) = several_ranges(9 * MIB);
        origin.serve("/a", Made::new(1, SIZE).etag("").max_age(600));
        for _ in 0..2 {
            // Which this origin answers with everything.
            let answer = fetch(server, &get("/a").with("Range", &set));
            answer.expect(200).expect_body(&content(1, 0..SIZE));
            assert_eq!(asked_ranges(origin).pop().as_ref(), Some(&set));
        }
        // Behind the end, all of them.
        origin.serve("/c", Made::new(1, 5000).max_age(600));
        let behind = get("/c").with("Range", "bytes=9000-9001,7000-");
        let answer = fetch(server, &behind);
        answer.expect(416);
        assert_eq!(answer.needs("content-range"), "bytes */5000");
        // Too many to be anything but everything.
        origin.serve("/d", Made::new(1, SIZE).max_age(600));
        origin.forget();
        let many: Vec<String> = (0..17)
            .map(|at| format!("{}-{}", at * 1000, at * 1000))
            .collect();
        let many = get("/d").with("Range", &format!("bytes={}", many.join(",")));
        fetch(server, &many)
            .expect(200)
            .expect_body(&content(1, 0..SIZE));
        assert_eq!(asked_ranges(origin), ["whole"]);
    }
);
