//! Explanations: they agree with what a request then gets, and change nothing.

use crate::cached_site::{admin_json, before_origin, command, expect_hit};
use crate::harness::origin::reply;
use crate::harness::{Request, Server, get};

/// The explanation of a request as people read it.
#[track_caller]
fn told(server: &Server, path: &str, fields: &[&str]) -> String {
    let url = format!("http://media.test{path}");
    let mut words = vec!["explain", &url];
    for field in fields {
        words.extend(["-H", field]);
    }
    let ended = command(server, &words);
    assert_eq!(ended.code, Some(0), "{ended}");
    ended.output
}

/// Asserts that the explanation has these lines, white space aside.
#[track_caller]
fn expect_lines(told: &str, lines: &[&str]) {
    let squeezed: Vec<String> = told
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    for line in lines {
        let is_there = squeezed.iter().any(|known| known.starts_with(line));
        assert!(is_there, "no {line:?} in:\n{told}");
    }
}

#[test]
fn hit_is_explained_as_it_is_then_answered() {
    before_origin("explain a hit", "", |origin, server| {
        let said = reply(200)
            .field("Cache-Control", "max-age=600")
            .field("Age", "100");
        origin.says("/page", said.body("hello"));
        server.get("/page").expect(200);
        let text = told(server, "/page", &[]);
        expect_lines(
            &text,
            &[
                "request GET /page",
                "host media.test",
                "site [[site]] of line",
                "rule for /: cache on",
                "key http://media.test/page",
                "stored 1 response",
                "-> 200, received",
                "does not vary",
                "lifetime 600 s, from max-age",
                "verdict fresh: fresh: age 10",
                "answer 200, from the cache",
                "Cache-Status hotplate; hit; ttl=",
            ],
        );
        assert!(
            text.contains(" s = 100 s when it was received + "),
            "{text}"
        );
        expect_hit(server, &get("/page"));
        let told = admin_json(server, "/api/explain?url=http://media.test/page");
        assert_eq!(told["freshness"]["lifetime"], 600);
        assert_eq!(told["freshness"]["initial_age"], 100);
        assert_eq!(told["verdict"]["answered_by"], "cache");
        assert_eq!(origin.asked_for("/page").len(), 1);
    });
}

#[test]
fn stale_response_is_explained_and_not_refreshed_by_it() {
    let site = "[[site.rule]]\npath = \"/\"\nstale_if_error = \"1h\"\n";
    before_origin("explain stale", site, |origin, server| {
        let said = reply(200)
            .field("Cache-Control", "max-age=10")
            .field("Age", "30");
        origin.says("/page", said.field("ETag", "\"e\"").body("hello"));
        server.get("/page").expect(200);
        let text = told(server, "/page", &[]);
        expect_lines(
            &text,
            &[
                "stale_if_error = 3600 s",
                "lifetime 10 s, from max-age",
                "ETag \"e\"",
                "verdict stale: to be validated: stale: age 3",
                "answer from the origin",
                "Cache-Status hotplate; fwd=stale; detail=max-age ...",
                "then the origin is asked whether it still holds",
                "then where the origin fails, it stands in for the origin",
            ],
        );
        assert_eq!(origin.asked_for("/page").len(), 1);
        let answer = server.get("/page");
        assert!(
            answer
                .needs("cache-status")
                .starts_with("hotplate; fwd=stale"),
            "{answer}"
        );
    });
}

#[test]
fn vary_miss_names_the_field_in_which_the_request_differs() {
    before_origin("explain a vary miss", "", |origin, server| {
        origin.on("/page", |_| {
            let said = reply(200)
                .max_age(600)
                .field("Vary", "Accept-Encoding, X-Shape");
            said.body("hello")
        });
        let first = get("/page")
            .with("Accept-Encoding", "br, gzip")
            .with("X-Shape", "round");
        server.ask(&first).expect(200);
        let text = told(
            server,
            "/page",
            &["Accept-Encoding: gzip, br", "X-Shape: flat"],
        );
        expect_lines(
            &text,
            &[
                "stored 1 response",
                "- 200, received",
                "varies by accept-encoding: \"br, gzip\", x-shape: \"round\"",
                "verdict vary-miss: what is stored varies by fields",
                "Cache-Status hotplate; fwd=vary-miss ...",
            ],
        );
        assert!(text.contains("it differs in x-shape"), "{text}");
        let text = told(
            server,
            "/page",
            &["Accept-Encoding: gzip, br", "X-Shape: round"],
        );
        expect_lines(&text, &["verdict fresh: "]);
        expect_hit(server, &first);
    });
}

#[test]
fn what_the_request_says_is_explained_with_its_consequence() {
    before_origin("explain directives", "", |origin, server| {
        origin.says("/page", reply(200).max_age(600).body("hello"));
        let text = told(server, "/page", &["Cache-Control: no-store"]);
        expect_lines(
            &text,
            &[
                "field Cache-Control: no-store",
                "asks for no-store: the answer to it is not stored",
                "stored nothing",
                "verdict uri-miss: nothing is stored under this key",
                "then the response is not stored: the request says no-store",
            ],
        );
        let text = told(server, "/page", &["Cache-Control: only-if-cached"]);
        expect_lines(
            &text,
            &["verdict only-if-cached: ", "answer 504, from hotplate"],
        );
        let wanted = get("/page").with("Cache-Control", "only-if-cached");
        server.ask(&wanted).expect(504);
        server.get("/page").expect(200);
        let text = told(server, "/page", &["Cache-Control: no-cache"]);
        expect_lines(
            &text,
            &[
                "verdict request-no-cache: to be validated: the request says no-cache",
                "Cache-Status hotplate; fwd=request; detail=request-no-cache ...",
            ],
        );
    });
}

#[test]
fn request_that_is_none_is_a_usage_error() {
    before_origin("explain nothing", "", |_, server| {
        for words in [
            &["explain", "/page"][..],
            &["explain", "http://media.test/", "-H", "Host: b"],
            &["explain", "http://media.test/", "-H", "no colon"],
        ] {
            let ended = command(server, words);
            assert_eq!(ended.code, Some(2), "{words:?}: {ended}");
        }
        let page = Request::new("POST", "/api/cache/clear").with("Origin", "http://evil.test");
        server.ask_admin(&page).expect(403);
    });
}
