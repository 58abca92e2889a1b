//! What an operator may change (`[[site.rule]]`), and who is asked in which order.

use crate::harness::origin::{Origin, reply};
use crate::harness::{Request, Server, get};
use crate::site::{
    Site, ago, expect_forward, expect_hit, expect_outcome, fetch, fetch_get, outcome, ttl,
};

/// Has all paths say their target, fresh for a minute.
fn echo(origin: &Origin) {
    origin.otherwise(|asked| reply(200).max_age(60).body(asked.target.clone()));
}

before_an_origin!(
    cache_false_passes_everything,
    Site::plain().rule("/off/", "cache = false"),
    |origin, server| {
        echo(origin);
        for _ in 0..2 {
            let answer = fetch_get(server, "/off/a");
            answer.expect(200).expect_body(b"/off/a");
            expect_forward(&answer, "bypass");
            fetch_get(server, "/on/a").expect(200);
        }
        assert_eq!(origin.asked_for("/off/a").len(), 2);
        assert_eq!(origin.asked_for("/on/a").len(), 1);
    }
);

before_an_origin!(
    ignore_query_makes_one_response_of_all_queries,
    Site::ruled("ignore_query = true"),
    |origin, server| {
        echo(origin);
        fetch_get(server, "/a?b=1").expect_body(b"/a?b=1");
        for target in ["/a?b=2", "/a", "/a?"] {
            let hit = fetch_get(server, target);
            hit.expect_body(b"/a?b=1");
            expect_hit(&hit);
        }
        assert_eq!(origin.asked().len(), 1);
    }
);

before_an_origin!(
    strip_query_leaves_parameters_out_of_the_key,
    Site::ruled("strip_query = [\"session\", \"utm_*\"]"),
    |origin, server| {
        echo(origin);
        fetch_get(server, "/a?b=1&session=5").expect(200);
        for target in ["/a?b=1", "/a?b=1&session=6", "/a?utm_source=x&b=1"] {
            expect_hit(&fetch_get(server, target));
        }
        expect_forward(&fetch_get(server, "/a?b=2&session=5"), "uri-miss");
        assert_eq!(origin.asked().len(), 2);
    }
);

before_an_origin!(
    lifetimes_are_held_to_the_rules_bounds,
    Site::ruled("default_ttl = \"300s\"\nmin_ttl = \"200s\"\nmax_ttl = \"400s\""),
    |origin, server| {
        for (path, value, seconds) in [
            ("/short", "max-age=10", 200),
            ("/long", "max-age=1000", 400),
            ("/between", "max-age=250", 250),
            ("/stated-not", "", 300),
        ] {
            let mut said = reply(200).field("ETag", "\"1\"");
            if !value.is_empty() {
                said = said.field("Cache-Control", value);
            }
            origin.says(path, said.body("hello"));
            fetch_get(server, path).expect(200);
            let hit = fetch_get(server, path);
            expect_hit(&hit);
            assert!((seconds - 20..=seconds).contains(&ttl(&hit)), "{hit}");
        }
        for value in ["no-store", "private"] {
            let path = format!("/{value}");
            let said = reply(200).field("Cache-Control", value);
            origin.says(&path, said.body("hello"));
            fetch_get(server, &path).expect(200);
            fetch_get(server, &path).expect(200);
            assert_eq!(origin.asked_for(&path).len(), 2);
        }
    }
);

before_an_origin!(
    heuristic_factor_sets_the_part_of_the_age,
    Site::ruled("heuristic_factor = 0.5"),
    |origin, server| {
        let said = reply(200).field("Last-Modified", &ago(1_000));
        origin.says("/a", said.body("hello"));
        fetch_get(server, "/a").expect(200);
        let hit = fetch_get(server, "/a");
        assert!((480..=501).contains(&ttl(&hit)), "{hit}");
    }
);

before_an_origin!(
    store_private_and_store_no_store_store_what_they_name,
    Site::plain()
        .rule("/private/", "store_private = true")
        .rule("/no-store/", "store_no_store = true"),
    |origin, server| {
        origin.otherwise(|asked| {
            let kind = if asked.target.ends_with("private") {
                "private"
            } else {
                "no-store"
            };
            reply(200)
                .field("Cache-Control", &format!("{kind}, max-age=60"))
                .body("hello")
        });
        for (target, is_stored) in [
            ("/private/private", true),
            ("/private/no-store", false),
            ("/no-store/private", false),
            ("/no-store/no-store", true),
        ] {
            fetch_get(server, target).expect(200);
            let second = fetch_get(server, target);
            second.expect(200).expect_body(b"hello");
            let is_hit = outcome(&second).contains(&"hit".to_owned());
            assert_eq!(is_hit, is_stored, "{target}: {second}");
        }
    }
);

before_an_origin!(
    set_cookie_strip_stores_without_the_cookie,
    Site::plain()
        .rule("/strip/", "set_cookie = \"strip\"")
        .rule("/store/", "set_cookie = \"store\""),
    |origin, server| {
        origin.otherwise(|_| {
            reply(200)
                .max_age(60)
                .field("Set-Cookie", "id=1")
                .body("hello")
        });
        for _ in 0..2 {
            let answer = fetch_get(server, "/strip/a");
            answer.expect(200).expect_body(b"hello");
            assert_eq!(answer.field("set-cookie"), None, "{answer}");
        }
        fetch_get(server, "/store/a").expect(200);
        let hit = fetch_get(server, "/store/a");
        expect_hit(&hit);
        assert_eq!(hit.needs("set-cookie"), "id=1");
        assert_eq!(origin.asked().len(), 2);
    }
);

before_an_origin!(
    ignore_headers_are_not_stored,
    Site::ruled("ignore_headers = [\"X-Request-Id\"]"),
    |origin, server| {
        let said = reply(200).max_age(60).field("X-Request-Id", "1");
        origin.says("/a", said.field("X-Other", "2").body("hello"));
        fetch_get(server, "/a").expect(200);
        let hit = fetch_get(server, "/a");
        expect_hit(&hit);
        assert_eq!(hit.field("x-request-id"), None, "{hit}");
        assert_eq!(hit.needs("x-other"), "2");
    }
);

before_an_origin!(
    ignore_client_cache_control_keeps_reloads_from_the_origin,
    Site::ruled("ignore_client_cache_control = true"),
    |origin, server| {
        echo(origin);
        fetch_get(server, "/a").expect(200);
        for value in ["no-cache", "max-age=0", "no-store", "min-fresh=1000"] {
            let request = get("/a").with("Cache-Control", value);
            expect_hit(&fetch(server, &request));
        }
        expect_hit(&fetch(server, &get("/a").with("Pragma", "no-cache")));
        assert_eq!(origin.asked().len(), 1);
    }
);

before_an_origin!(
    stale_if_error_of_the_rule_stands_in_where_the_response_says_nothing,
    Site::ruled("stale_if_error = \"1h\""),
    |origin, server| {
        let old = reply(200)
            .max_age(10)
            .field("Age", "100")
            .field("ETag", "\"1\"");
        origin.queue("/a", [old.body("old"), reply(503).body("failed")]);
        fetch_get(server, "/a").expect_body(b"old");
        let answer = fetch_get(server, "/a");
        answer.expect(200).expect_body(b"old");
        expect_outcome(&answer, &["fwd=stale", "fwd-status=503"]);
    }
);

before_an_origin!(
    stale_while_revalidate_of_the_rule_answers_at_once,
    Site::ruled("stale_while_revalidate = \"1h\""),
    |origin, server| {
        let old = reply(200)
            .max_age(10)
            .field("Age", "100")
            .field("ETag", "\"1\"");
        origin.queue("/a", [old.body("old"), reply(503).body("failed")]);
        fetch_get(server, "/a").expect_body(b"old");
        let answer = fetch_get(server, "/a");
        answer.expect(200).expect_body(b"old");
        expect_outcome(&answer, &["hit", "detail=stale-while-revalidate"]);
    }
);

before_an_origin!(
    x_cache_says_it_in_the_words_of_mod_cache,
    Site::plain().rule("/x/", "x_cache = true"),
    |origin, server| {
        echo(origin);
        origin.says(
            "/x/no",
            reply(200).field("Cache-Control", "no-store").body(""),
        );
        let stale = reply(200)
            .max_age(10)
            .field("Age", "100")
            .field("ETag", "\"1\"");
        let then = reply(304).max_age(60).field("ETag", "\"1\"").end();
        origin.queue("/x/stale", [stale.body("hello"), then]);
        for (target, word, reason) in [
            ("/x/a", "MISS", "cache miss: attempting entity save"),
            ("/x/a", "HIT", "cache hit"),
            (
                "/x/no",
                "MISS",
                "cache miss: cache unwilling to store response",
            ),
            ("/x/stale", "MISS", "cache miss: attempting entity save"),
            (
                "/x/stale",
                "REVALIDATE",
                "conditional cache hit: entity refreshed",
            ),
        ] {
            let answer = fetch_get(server, target);
            answer.expect(200);
            assert_eq!(answer.needs("x-cache"), format!("{word} from media.test"));
            assert_eq!(
                answer.needs("x-cache-detail"),
                format!("\"{reason}\" from media.test")
            );
        }
        let without = fetch_get(server, "/a");
        assert_eq!(without.field("x-cache"), None, "{without}");
        assert_eq!(without.field("x-cache-detail"), None, "{without}");
    }
);

before_an_origin!(
    x_cache_of_the_origin_does_not_stand_beside_ours,
    Site::ruled("x_cache = true"),
    |origin, server| {
        let said = reply(200).max_age(60).field("X-Cache", "HIT from inner");
        origin.says("/a", said.body("hello"));
        for _ in 0..2 {
            let answer = fetch_get(server, "/a");
            assert_eq!(answer.lines("x-cache").len(), 1, "{answer}");
            assert!(
                answer.needs("x-cache").ends_with(" from media.test"),
                "{answer}"
            );
        }
    }
);

before_an_origin!(
    key_base_url_shares_what_is_stored_between_hosts,
    Site::ruled("key_base_url = \"http://shared.test\""),
    |origin, server| {
        echo(origin);
        fetch(server, &get("/a").host("one.test")).expect(200);
        expect_hit(&fetch(server, &get("/a").host("two.test")));
        assert_eq!(origin.asked().len(), 1);
        // An unsafe request of one host concerns all of them.
        let change = Request::new("DELETE", "/a").host("three.test");
        fetch(server, &change).expect(200);
        let answer = fetch(server, &get("/a").host("one.test"));
        assert!(!outcome(&answer).contains(&"hit".to_owned()), "{answer}");
    }
);

before_an_origin!(
    the_longest_path_that_fits_has_the_rule,
    Site::plain()
        .rule("/", "cache = false")
        .rule("/a/", "cache = true")
        .rule("/a/b/", "cache = false"),
    |origin, server| {
        echo(origin);
        for (target, asked) in [("/x", 2), ("/a/x", 1), ("/a/b/x", 2), ("/ax", 2)] {
            fetch_get(server, target).expect(200);
            fetch_get(server, target).expect(200);
            assert_eq!(origin.asked_for(target).len(), asked, "{target}");
        }
    }
);

before_an_origin!(
    files_of_the_root_go_before_the_origin,
    Site::plain().root_file("here.txt", b"from the root"),
    |origin, server| {
        echo(origin);
        fetch_get(server, "/here.txt")
            .expect(200)
            .expect_body(b"from the root");
        for _ in 0..2 {
            let answer = fetch_get(server, "/there.txt");
            answer.expect(200).expect_body(b"/there.txt");
        }
        assert_eq!(origin.asked().len(), 1);
    }
);

// A directory below the root hid what the origin has under its name: the client was sent to the name with a slash.
before_an_origin!(
    directory_of_the_root_that_shows_nothing_hides_nothing_of_the_origin,
    Site::plain()
        .root_file("api/v1.txt", b"from the root")
        .root_file("shown/index.html", b"an index"),
    |origin, server| {
        echo(origin);
        fetch_get(server, "/api/v1.txt")
            .expect(200)
            .expect_body(b"from the root");
        fetch_get(server, "/api").expect(200).expect_body(b"/api");
        fetch_get(server, "/api/").expect(200).expect_body(b"/api/");
        let slashed = fetch_get(server, "/shown?a=1");
        slashed.expect(301);
        assert_eq!(slashed.field("location"), Some("/shown/?a=1"));
        fetch_get(server, "/shown/")
            .expect(200)
            .expect_body(b"an index");
    }
);

fn pinned() -> Site {
    Site::plain().with(|setup| setup.file("pins/a.txt", b"pinned").pin("pins", "/p/"))
}

fn expect_pinned(server: &Server) {
    fetch_get(server, "/p/a.txt")
        .expect(200)
        .expect_body(b"pinned");
}

before_an_origin!(pins_go_first, pinned(), |origin, server| {
    echo(origin);
    expect_pinned(server);
    assert_eq!(origin.asked().len(), 0);
    fetch_get(server, "/p/b.txt")
        .expect(200)
        .expect_body(b"/p/b.txt");
    origin.go_down();
    expect_pinned(server);
});

before_an_origin!(
    the_next_of_several_origins_is_asked_where_one_is_down,
    Site::plain().after("http://127.0.0.1:9"),
    |origin, server| {
        echo(origin);
        for target in ["/a", "/b"] {
            let answer = fetch_get(server, target);
            answer.expect(200).expect_body(target.as_bytes());
        }
        assert_eq!(origin.asked().len(), 2);
    }
);
