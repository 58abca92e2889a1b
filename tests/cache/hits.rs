//! What is stored is sent again: bytes, fields, Age, Cache-Status, Via, and what never passes from hop to hop.

use crate::harness::origin::{Made, Origin, content, reply};
use crate::harness::{Server, get, head, pattern};
use crate::site::{
    Site, ago, ahead, expect_forward, expect_hit, expect_outcome, fetch, fetch_get, ttl,
};

/// Fields that are for one connection only (RFC 9110 s7.6.1).
const HOP_BY_HOP: [&str; 6] = [
    "keep-alive",
    "proxy-connection",
    "te",
    "upgrade",
    "x-hop",
    "proxy-authenticate",
];

before_an_origin!(
    rfc9111_s4_a_stored_response_answers_without_the_origin,
    Site::plain(),
    |origin, server| {
        let said = reply(200)
            .max_age(60)
            .field("Content-Type", "text/plain")
            .field("ETag", "\"1\"");
        origin.says("/a", said.body("hello"));
        let first = fetch_get(server, "/a");
        first.expect(200).expect_body(b"hello");
        expect_forward(&first, "uri-miss");
        expect_outcome(&first, &["stored"]);
        assert!((59..=60).contains(&ttl(&first)), "{first}");
        for _ in 0..5 {
            let hit = fetch_get(server, "/a");
            hit.expect(200).expect_body(b"hello");
            expect_hit(&hit);
            assert!((0..=60).contains(&ttl(&hit)), "{hit}");
            assert_eq!(hit.needs("content-type"), "text/plain");
            assert_eq!(hit.needs("etag"), "\"1\"");
            assert_eq!(hit.needs("cache-control"), "max-age=60");
            assert_eq!(hit.needs("content-length"), "5");
            assert_eq!(hit.needs("date"), first.needs("date"));
        }
        assert_eq!(origin.asked().len(), 1);
    }
);

before_an_origin!(
    stored_get_answers_head_without_the_origin,
    Site::plain(),
    |origin, server| {
        origin.says("/a", reply(200).max_age(60).body("hello"));
        fetch_get(server, "/a").expect(200);
        let mut client = server.connect();
        for _ in 0..2 {
            let answer = client.fetch(&head("/a"));
            answer.expect(200).expect_body(b"");
            assert_eq!(answer.needs("content-length"), "5");
            expect_hit(&answer);
        }
        assert_eq!(origin.asked().len(), 1);
    }
);

before_an_origin!(
    head_without_a_stored_response_is_passed_and_not_taken_for_the_body,
    Site::plain(),
    |origin, server| {
        origin.on("/a", |asked| {
            let said = reply(200).max_age(60).length(5);
            if asked.method == "HEAD" {
                said.end()
            } else {
                said.bytes("hello")
            }
        });
        let answer = fetch(server, &head("/a"));
        answer.expect(200);
        assert_eq!(answer.needs("content-length"), "5");
        expect_forward(&answer, "uri-miss");
        fetch_get(server, "/a").expect(200).expect_body(b"hello");
        expect_hit(&fetch_get(server, "/a"));
        let asked: Vec<_> = origin.asked().into_iter().map(|one| one.method).collect();
        assert_eq!(asked, ["HEAD", "GET"]);
    }
);

before_an_origin!(
    rfc9111_s5_1_age_counts_what_the_response_has_spent_before,
    Site::plain(),
    |origin, server| {
        let said = reply(200).max_age(60).field("Age", "7");
        origin.says("/a", said.body("hello"));
        // A second may pass between the origin's answer and this one.
        let first: u64 = fetch_get(server, "/a")
            .needs("age")
            .parse()
            .expect("seconds");
        assert!((7..40).contains(&first), "{first}");
        let hit = fetch_get(server, "/a");
        expect_hit(&hit);
        let age: u64 = hit.needs("age").parse().expect("seconds");
        assert!((7..40).contains(&age), "{hit}");
        assert_eq!(ttl(&hit), 60 - i64::try_from(age).expect("small"));
    }
);

before_an_origin!(
    rfc9110_s6_6_1_date_of_the_origin_is_kept_and_counts_into_age,
    Site::plain(),
    |origin, server| {
        let date = ago(100);
        let said = reply(200).max_age(1_000).field("Date", &date);
        origin.says("/a", said.body("hello"));
        fetch_get(server, "/a").expect(200);
        let hit = fetch_get(server, "/a");
        expect_hit(&hit);
        assert_eq!(hit.needs("date"), date);
        let age: u64 = hit.needs("age").parse().expect("seconds");
        assert!((100..140).contains(&age), "{hit}");
    }
);

before_an_origin!(
    rfc9110_s6_6_1_a_response_without_date_gets_one,
    Site::plain(),
    |origin, server| {
        origin.says("/a", reply(200).undated().max_age(60).body("hello"));
        let first = fetch_get(server, "/a");
        assert_eq!(first.needs("date"), fetch_get(server, "/a").needs("date"));
    }
);

before_an_origin!(
    rfc9110_s7_6_3_via_tells_of_us_in_both_directions,
    Site::plain(),
    |origin, server| {
        origin.says("/a", reply(200).http10().max_age(60).body("hello"));
        origin.says("/b", reply(200).field("Via", "1.0 inner").body("hello"));
        let first = fetch(server, &get("/a").with("Via", "1.0 fred"));
        let via = first.needs("via");
        assert!(via.starts_with("1.0 hotplate"), "{first}");
        assert_eq!(fetch_get(server, "/a").needs("via"), via);
        let asked = origin.asked();
        let via = asked[0].lines("via").join(", ");
        assert!(via.starts_with("1.0 fred, 1.1 hotplate"), "{via}");
        let passed = fetch_get(server, "/b");
        let via = passed.lines("via").join(", ");
        assert!(via.starts_with("1.0 inner, 1.1 hotplate"), "{passed}");
    }
);

before_an_origin!(
    rfc9110_s7_6_1_hop_by_hop_fields_of_a_request_stay_on_their_hop,
    Site::plain(),
    |origin, server| {
        origin.says("/a", reply(200).body("hello"));
        let request = get("/a")
            .with("Connection", "X-Hop, keep-alive")
            .with("X-Hop", "1")
            .with("Keep-Alive", "timeout=5")
            .with("Proxy-Connection", "keep-alive")
            .with("TE", "trailers")
            .with("Upgrade", "h2c")
            .with("X-End", "2");
        fetch(server, &request).expect(200);
        let asked = origin.asked();
        for name in HOP_BY_HOP {
            assert_eq!(asked[0].field(name), None, "{:#?}", asked[0]);
        }
        assert_eq!(asked[0].field("x-end"), Some("2"));
        assert_eq!(asked[0].field("host"), Some("media.test"));
    }
);

before_an_origin!(
    rfc9111_s3_1_hop_by_hop_fields_of_a_response_are_neither_sent_nor_stored,
    Site::plain(),
    |origin, server| {
        for (path, lifetime) in [("/stored", "max-age=60"), ("/passed", "no-store")] {
            let said = reply(200)
                .field("Cache-Control", lifetime)
                .field("Connection", "X-Hop")
                .field("X-Hop", "1")
                .field("Keep-Alive", "timeout=5")
                .field("Proxy-Authenticate", "Basic realm=x")
                .field("Upgrade", "h2c")
                .field("X-End", "2");
            origin.says(path, said.body("hello"));
            for _ in 0..2 {
                let answer = fetch_get(server, path);
                answer.expect(200).expect_body(b"hello");
                for name in HOP_BY_HOP {
                    assert_eq!(answer.field(name), None, "{answer}");
                }
                assert_eq!(answer.needs("x-end"), "2");
            }
        }
        assert_eq!(origin.asked_for("/stored").len(), 1);
    }
);

before_an_origin!(
    rfc9211_s2_members_of_caches_behind_us_stand_before_ours,
    Site::plain(),
    |origin, server| {
        let said = reply(200)
            .max_age(60)
            .field("Cache-Status", "inner; hit; ttl=5");
        origin.says("/a", said.body("hello"));
        let first = fetch_get(server, "/a");
        assert!(
            first
                .lines("cache-status")
                .join(", ")
                .starts_with("inner; hit; ttl=5, hotplate; fwd=uri-miss"),
            "{first}"
        );
        let hit = fetch_get(server, "/a");
        expect_hit(&hit);
    }
);

before_an_origin!(
    rfc9211_s2_8_detail_names_the_rule_that_decided,
    Site::plain().rule("/ruled", "default_ttl = \"1m\""),
    |origin, server| {
        let (soon, long_ago) = (ahead(600), ago(100_000));
        let cases = [
            ("/1", ("Cache-Control", "max-age=60"), "max-age"),
            (
                "/2",
                ("Cache-Control", "s-maxage=60, max-age=0"),
                "s-maxage",
            ),
            (
                "/3",
                ("CDN-Cache-Control", "max-age=60"),
                "cdn-cache-control",
            ),
            ("/4", ("Expires", &soon), "expires"),
            ("/5", ("Last-Modified", &long_ago), "heuristic"),
            ("/ruled", ("ETag", "\"1\""), "rule-ttl"),
        ];
        for (path, (name, value), rule) in cases {
            origin.says(path, reply(200).field(name, value).body("hello"));
            let detail = format!("detail={rule}");
            expect_outcome(&fetch_get(server, path), &["stored", &detail]);
            expect_outcome(&fetch_get(server, path), &["hit", &detail]);
        }
        for (path, (name, value), rule) in [
            ("/6", ("Cache-Control", "no-store"), "no-store"),
            ("/7", ("Cache-Control", "private"), "private"),
            ("/8", ("Set-Cookie", "a=1"), "set-cookie"),
            ("/9", ("Vary", "*"), "vary-star"),
            ("/10", ("X-Odd", "1"), "no-last-modified"),
        ] {
            origin.says(path, reply(200).field(name, value).body("hello"));
            let answer = fetch_get(server, path);
            expect_outcome(&answer, &["fwd=uri-miss", &format!("detail={rule}")]);
        }
        let reload = get("/1").with("Cache-Control", "no-cache");
        let reloaded = fetch(server, &reload);
        expect_outcome(&reloaded, &["fwd=request", "stored", "detail=max-age"]);
        origin.says("/5", reply(304).field("Last-Modified", &long_ago).end());
        let reload = get("/5").with("Cache-Control", "no-cache");
        let reloaded = fetch(server, &reload);
        expect_outcome(&reloaded, &["fwd-status=304", "detail=request-no-cache"]);
    }
);

before_an_origin!(
    stored_bodies_of_all_sizes_come_back_byte_by_byte,
    Site::plain(),
    |origin, server| {
        let sizes = [
            0,
            1,
            1_024,
            65_535,
            65_536,
            65_537,
            300_000,
            1 << 20,
            3_000_017,
        ];
        for size in sizes {
            let path = format!("/{size}");
            let said = reply(200).max_age(60).field("ETag", "\"1\"");
            let body = pattern(size, size as u64);
            origin.says(&path, said.body(body.clone()));
            for _ in 0..3 {
                fetch_get(server, &path).expect(200).expect_body(&body);
            }
            expect_hit(&fetch_get(server, &path));
            assert_eq!(origin.asked_for(&path).len(), 1, "{path}");
        }
    }
);

before_an_origin!(
    stored_bodies_that_came_in_chunks_have_a_length_once_they_are_whole,
    Site::plain(),
    |origin, server| {
        for size in [0, 1, 70_000, 1_200_000] {
            let path = format!("/{size}");
            let body = pattern(size, size as u64);
            let mut said = reply(200).max_age(60).chunked();
            for piece in body.chunks(9_999) {
                said = said.chunk(piece);
            }
            origin.says(&path, said.last_chunk(&[("X-Sum", "1")]));
            fetch_get(server, &path).expect(200).expect_body(&body);
            let hit = fetch_get(server, &path);
            hit.expect(200).expect_body(&body);
            assert_eq!(hit.needs("content-length"), size.to_string());
            assert_eq!(origin.asked_for(&path).len(), 1, "{path}");
        }
    }
);

fn expect_part(server: &Server, range: &str, part: &[u8], told: &str) {
    let answer = fetch(server, &get("/made").with("Range", range));
    answer.expect(206).expect_body(part);
    assert_eq!(answer.needs("content-range"), told);
    expect_hit(&answer);
}

before_an_origin!(
    rfc9110_s14_ranges_of_stored_bodies_come_from_the_cache,
    Site::plain(),
    |origin, server| {
        origin.serve("/made", Made::new(3, 500_000).max_age(60));
        fetch_get(server, "/made").expect(200);
        expect_part(server, "bytes=0-1", &content(3, 0..2), "bytes 0-1/500000");
        expect_part(
            server,
            "bytes=100000-400000",
            &content(3, 100_000..400_001),
            "bytes 100000-400000/500000",
        );
        expect_part(
            server,
            "bytes=-10",
            &content(3, 499_990..500_000),
            "bytes 499990-499999/500000",
        );
        let beyond = get("/made").with("Range", "bytes=500000-");
        fetch(server, &beyond).expect(416);
        let other = get("/made")
            .with("Range", "bytes=0-1")
            .with("If-Range", "\"other\"");
        let whole = content(3, 0..500_000);
        fetch(server, &other).expect(200).expect_body(&whole);
        assert_eq!(origin.asked().len(), 1);
    }
);

before_an_origin!(
    pipelined_misses_and_hits_are_answered_in_their_order,
    Site::plain(),
    |origin, server| {
        origin.otherwise(|asked| reply(200).max_age(60).body(asked.target.clone()));
        let targets = ["/a", "/b", "/a", "/c", "/b"];
        let mut client = server.connect();
        let requests: Vec<u8> = targets.iter().flat_map(|path| get(path).bytes()).collect();
        client.send(requests);
        for target in targets {
            client
                .fetched("GET")
                .expect(200)
                .expect_body(target.as_bytes());
        }
        assert_eq!(origin.asked().len(), 3);
    }
);

/// The target that the origin is asked for.
fn target_at(origin: &Origin) -> Vec<String> {
    origin.asked().into_iter().map(|one| one.target).collect()
}

before_an_origin!(
    queries_make_different_resources_and_reach_the_origin_as_they_are,
    Site::plain(),
    |origin, server| {
        origin.otherwise(|asked| reply(200).max_age(60).body(asked.target.clone()));
        for target in ["/a", "/a?", "/a?b=1", "/a?b=2", "/a?b=1"] {
            fetch_get(server, target)
                .expect(200)
                .expect_body(target.as_bytes());
        }
        assert_eq!(target_at(origin), ["/a", "/a?", "/a?b=1", "/a?b=2"]);
    }
);

before_an_origin!(
    hosts_make_different_resources,
    Site::plain(),
    |origin, server| {
        origin.otherwise(|asked| {
            let host = asked.field("host").expect("a host").to_owned();
            reply(200).max_age(60).body(host)
        });
        for host in ["a.test", "b.test", "a.test"] {
            fetch(server, &get("/").host(host)).expect_body(host.as_bytes());
        }
        assert_eq!(origin.asked().len(), 2);
    }
);
