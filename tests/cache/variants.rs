//! Variants by Vary (RFC 9111 s4.1).

use crate::harness::origin::{Gate, content, reply};
use crate::harness::{Broken, get};
use crate::site::{
    Site, ago, expect_forward, expect_hit, expect_outcome, fetch, fetch_get, outcome,
};

before_an_origin!(
    rfc9111_s4_1_each_variant_answers_its_own_requests_only,
    Site::plain(),
    |origin, server| {
        origin.on("/a", |asked| {
            let language = asked.field("accept-language").unwrap_or("none").to_owned();
            reply(200)
                .max_age(60)
                .field("Vary", "Accept-Language")
                .body(language)
        });
        let asks = |language: &str| get("/a").with("Accept-Language", language);
        expect_forward(&fetch(server, &asks("de")), "uri-miss");
        let second = fetch(server, &asks("fr"));
        second.expect_body(b"fr");
        expect_forward(&second, "vary-miss");
        expect_outcome(&second, &["stored"]);
        expect_forward(&fetch_get(server, "/a"), "vary-miss");
        for language in ["de", "fr"] {
            let hit = fetch(server, &asks(language));
            hit.expect_body(language.as_bytes());
            expect_hit(&hit);
        }
        let hit = fetch_get(server, "/a");
        hit.expect_body(b"none");
        expect_hit(&hit);
        assert_eq!(origin.asked().len(), 3);
    }
);

before_an_origin!(
    rfc9111_s4_1_order_of_accept_encoding_makes_no_variant,
    Site::plain(),
    |origin, server| {
        let said = reply(200)
            .max_age(60)
            .field("Vary", "Accept-Encoding")
            .field("Content-Encoding", "gzip");
        origin.says("/a", said.body("coded"));
        for (number, value) in ["gzip, br", "br, gzip", "br,gzip", "gzip ,\tbr"]
            .into_iter()
            .enumerate()
        {
            let answer = fetch(server, &get("/a").with("Accept-Encoding", value));
            answer.expect(200).expect_body(b"coded");
            if number > 0 {
                expect_hit(&answer);
            }
        }
        let other = fetch(server, &get("/a").with("Accept-Encoding", "identity"));
        expect_forward(&other, "vary-miss");
        assert_eq!(origin.asked().len(), 2);
    }
);

before_an_origin!(
    rfc9111_s4_1_all_fields_of_vary_count,
    Site::plain(),
    |origin, server| {
        let said = reply(200)
            .max_age(60)
            .field("Vary", "X-A")
            .field("Vary", "X-B");
        origin.says("/a", said.body("hello"));
        let asks = |a: &str, b: &str| get("/a").with("X-A", a).with("X-B", b);
        fetch(server, &asks("1", "1")).expect(200);
        expect_forward(&fetch(server, &asks("1", "2")), "vary-miss");
        expect_forward(&fetch(server, &asks("2", "1")), "vary-miss");
        expect_hit(&fetch(server, &asks("1", "1")));
    }
);

before_an_origin!(
    rfc9111_s4_1_the_most_recent_of_several_matching_is_sent,
    Site::plain(),
    |origin, server| {
        origin.queue(
            "/a",
            [
                reply(200).max_age(60).field("Vary", "X-A").body("old"),
                reply(200).max_age(60).body("new"),
            ],
        );
        fetch(server, &get("/a").with("X-A", "1")).expect_body(b"old");
        fetch(server, &get("/a").with("X-A", "2")).expect_body(b"new");
        let answer = fetch(server, &get("/a").with("X-A", "2"));
        answer.expect_body(b"new");
        expect_hit(&answer);
        assert_eq!(origin.asked().len(), 2);
    }
);

before_an_origin!(
    what_varies_by_what_each_client_sends_is_stored_for_requests_without_it,
    Site::plain().rule("/few", "vary_refuse = []"),
    |origin, server| {
        for path in ["/a", "/few"] {
            let said = reply(200).max_age(60).field("Vary", "Cookie");
            origin.says(path, said.body("hello"));
            let with = get(path).with("Cookie", "sid=1");
            fetch(server, &with).expect(200);
            let again = fetch(server, &with);
            again.expect(200).expect_body(b"hello");
            let is_hit = outcome(&again).contains(&"hit".to_owned());
            assert_eq!(is_hit, path == "/few", "{again}");
        }
        // They don't get in the way of those that have none.
        origin.says(
            "/b",
            reply(200).max_age(60).field("Vary", "Cookie").body("b"),
        );
        fetch_get(server, "/b").expect(200);
        expect_hit(&fetch_get(server, "/b"));
        let with = get("/b").with("Cookie", "sid=1");
        expect_forward(&fetch(server, &with), "vary-miss");
        expect_hit(&fetch_get(server, "/b"));
    }
);

before_an_origin!(
    rfc9111_s4_1_the_most_recent_by_date_is_sent_whichever_came_first,
    Site::plain(),
    |origin, server| {
        let dated = |date: String, name: &str| {
            let said = reply(200).max_age(600).field("Vary", name);
            said.field("Date", &date)
        };
        let newer = dated(ago(10), "X-A").body("newer");
        let older = dated(ago(60), "X-B").body("older");
        origin.queue("/a", [newer, older]);
        let asking = |a: &str, b: &str| get("/a").with("X-A", a).with("X-B", b);
        fetch(server, &asking("1", "1")).expect_body(b"newer");
        fetch(server, &asking("2", "2")).expect_body(b"older");
        let answer = fetch(server, &asking("1", "2"));
        answer.expect_body(b"newer");
        expect_hit(&answer);
        assert_eq!(origin.asked().len(), 2);
    }
);

before_an_origin!(
    rfc9111_s4_3_4_variant_that_grows_is_not_freshened_and_goes_when_it_breaks_off,
    Site::plain(),
    |origin, server| {
        let gate = Gate::new();
        let behind = gate.clone();
        origin.on("/a", move |asked| {
            let of_both = |status| {
                let said = reply(status).field("Vary", "Accept-Language");
                said.field("ETag", "\"x\"")
            };
            let is_english = asked.field("accept-language") == Some("en");
            match asked.number {
                0 => of_both(200).field("Cache-Control", "no-cache").body("en"),
                1 => {
                    let first = of_both(200).max_age(60).chunked();
                    let half = first.chunk(content(1, 0..100_000)).wait(&behind);
                    half.reset()
                }
                2 if is_english => of_both(304).max_age(60).end(),
                _ => of_both(200).max_age(60).body("all of it"),
            }
        });
        let asks = |language: &str| get("/a").with("Accept-Language", language);
        fetch(server, &asks("en")).expect_body(b"en");
        let mut grows = server.connect();
        grows.send(asks("fr").bytes());
        let head = grows.head().expect("a head");
        let validated = fetch(server, &asks("en"));
        validated.expect(200).expect_body(b"en");
        expect_outcome(&validated, &["fwd-status=304"]);
        gate.open();
        let Err(Broken::Cut(came)) = grows.body("GET", &head) else {
            panic!("not cut");
        };
        assert!(content(1, 0..100_000).starts_with(&came));
        // Nothing of what broke off is an answer to anybody.
        let again = fetch(server, &asks("fr"));
        again.expect(200).expect_body(b"all of it");
        expect_forward(&again, "vary-miss");
        expect_hit(&fetch(server, &asks("en")));
        assert_eq!(origin.asked().len(), 4);
    }
);

before_an_origin!(
    rfc9111_s4_1_what_varies_by_a_field_that_is_written_here_is_not_stored,
    Site::plain(),
    |origin, server| {
        for name in ["X-Forwarded-For", "Accept, via", "TE"] {
            origin.forget();
            let said = reply(200).max_age(60).field("ETag", "\"x\"");
            origin.says("/a", said.field("Vary", name).body("yours"));
            for _ in 0..2 {
                let answer = fetch_get(server, "/a");
                answer.expect(200).expect_body(b"yours");
                assert!(!outcome(&answer).contains(&"stored".to_owned()), "{answer}");
            }
            assert_eq!(origin.asked().len(), 2, "{name}");
        }
        // A part of it reaches the client that asked for just that.
        origin.on("/part", |asked| {
            let made = crate::harness::origin::Made::new(1, 3_000_000);
            made.max_age(60)
                .field("Vary", "X-Forwarded-For")
                .reply(asked)
        });
        for _ in 0..2 {
            let answer = fetch(server, &get("/part").with("Range", "bytes=5-9"));
            answer.expect(206).expect_body(&content(1, 5..10));
        }
    }
);
