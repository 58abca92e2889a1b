//! Purging, listing and clearing what is stored, by the admin API and by the commands.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::cached_site::{
    admin_json, await_whole, before_origin, command, expect_forward, expect_hit, post,
};
use crate::harness::origin::{Gate, Origin, reply};
use crate::harness::{Server, eventually, get};

/// Fills the cache with a response at each path.
#[track_caller]
fn store(origin: &Origin, server: &Server, paths: &[&str]) {
    for path in paths {
        origin.says(
            path,
            reply(200).max_age(600).field("ETag", "\"1\"").body("hello"),
        );
        server.get(path).expect(200);
        expect_hit(server, &get(path));
    }
    await_whole(server);
}

#[track_caller]
fn purge(server: &Server, body: Value) -> u64 {
    let told = post(server, "/api/purge", &body);
    told["purged"].as_u64().expect("a number")
}

#[test]
fn purge_by_url_takes_all_variants_and_nothing_else() {
    before_origin("purge by url", "", |origin, server| {
        store(origin, server, &["/other", "/page/below"]);
        origin.on("/page", |asked| {
            let language = asked
                .field("accept-language")
                .unwrap_or_default()
                .to_owned();
            let said = reply(200).max_age(600).field("Vary", "Accept-Language");
            said.body(language)
        });
        let requests = ["de", "en"].map(|language| get("/page").with("Accept-Language", language));
        for request in &requests {
            server.ask(request).expect(200);
            expect_hit(server, request);
        }
        let told = post(
            server,
            "/api/purge",
            &json!({"url": "http://MEDIA.test:80/page"}),
        );
        assert_eq!(told["purged"], 2);
        assert_eq!(told["url"], "http://MEDIA.test:80/page");
        assert_eq!(told["keys"][0], "http://media.test/page");
        expect_forward(server, &requests[0], "uri-miss");
        expect_forward(server, &requests[1], "vary-miss");
        expect_hit(server, &get("/other"));
        expect_hit(server, &get("/page/below"));
        assert_eq!(purge(server, json!({"url": "http://media.test/none"})), 0);
    });
}

#[test]
fn purge_by_url_finds_what_the_rules_keyed_otherwise() {
    let site = "[[site.rule]]\npath = \"/strip\"\nstrip_query = [\"sid\"]\n\
                [[site.rule]]\npath = \"/shared\"\nkey_base_url = \"http://one.test\"\n";
    before_origin("purge by url under rules", site, |origin, server| {
        store(origin, server, &["/strip?a=1&sid=7", "/shared/x"]);
        assert_eq!(
            purge(server, json!({"url": "http://media.test/strip?sid=9&a=1"})),
            1
        );
        expect_forward(server, &get("/strip?a=1&sid=7"), "uri-miss");
        assert_eq!(
            purge(server, json!({"url": "http://elsewhere.test/shared/x"})),
            1
        );
        expect_forward(server, &get("/shared/x"), "uri-miss");
        let request = crate::harness::Request::new("POST", "/api/purge")
            .body(br#"{"prefix": "http://media.test/strip/x?a"}"#);
        let refused = server.ask_admin(&request);
        let body = String::from_utf8_lossy(&refused.expect(400).body).into_owned();
        assert!(body.contains("the rule for /strip"), "{body}");
    });
}

#[test]
fn purge_by_prefix_tag_and_all_take_what_they_mean() {
    before_origin("purge by prefix", "", |origin, server| {
        let paths = ["/a/1", "/a/2?x", "/ab", "/tagged", "/keyed"];
        store(origin, server, &paths[..3]);
        let tagged = reply(200).max_age(600).field("Cache-Tag", "red, round");
        origin.says("/tagged", tagged.body("t"));
        let keyed = reply(200).max_age(600).field("Surrogate-Key", "red flat");
        origin.says("/keyed", keyed.body("k"));
        for path in &paths[3..] {
            server.get(path).expect(200);
        }
        assert_eq!(purge(server, json!({"prefix": "http://media.test/a/"})), 2);
        expect_forward(server, &get("/a/1"), "uri-miss");
        expect_hit(server, &get("/ab"));
        assert_eq!(purge(server, json!({"tag": "round"})), 1);
        expect_forward(server, &get("/tagged"), "uri-miss");
        expect_hit(server, &get("/keyed"));
        assert_eq!(purge(server, json!({"tag": "red"})), 2);
        expect_forward(server, &get("/keyed"), "uri-miss");
        assert!(purge(server, json!({"all": true})) >= 3);
        expect_forward(server, &get("/ab"), "uri-miss");
    });
}

#[test]
fn soft_purge_has_the_next_request_validated() {
    before_origin("soft purge", "", |origin, server| {
        origin.on("/page", |asked| match asked.field("if-none-match") {
            Some("\"1\"") => reply(304).max_age(600).field("ETag", "\"1\"").end(),
            _ => reply(200).max_age(600).field("ETag", "\"1\"").body("hello"),
        });
        server.get("/page").expect(200);
        await_whole(server);
        let told = post(
            server,
            "/api/purge",
            &json!({"url": "http://media.test/page", "soft": true}),
        );
        assert_eq!((&told["purged"], &told["soft"]), (&json!(1), &json!(true)));
        let answer = server.get("/page");
        answer.expect(200).expect_body(b"hello");
        let status = answer.needs("cache-status");
        assert!(
            status.starts_with("hotplate; fwd=stale; fwd-status=304"),
            "{status}"
        );
        let asked = origin.await_asked_for("/page", 2);
        assert_eq!(asked[1].field("if-none-match"), Some("\"1\""));
        expect_hit(server, &get("/page"));
    });
}

#[test]
fn dry_run_tells_and_changes_nothing() {
    before_origin("dry run", "", |origin, server| {
        store(origin, server, &["/a", "/b"]);
        let told = post(
            server,
            "/api/purge",
            &json!({"prefix": "http://media.test/", "dry_run": true, "limit": 1}),
        );
        assert_eq!(
            (&told["purged"], &told["dry_run"]),
            (&json!(2), &json!(true))
        );
        assert_eq!(told["keys"].as_array().expect("keys").len(), 1);
        expect_hit(server, &get("/a"));
        expect_hit(server, &get("/b"));
    });
}

#[test]
fn fill_that_was_begun_before_a_purge_is_not_published_after_it() {
    for meant in [
        json!({"url": "http://media.test/slow"}),
        json!({"prefix": "http://media.test/s"}),
        json!({"tag": "t"}),
        json!({"all": true}),
        json!({"all": true, "soft": true}),
    ] {
        let origin = Origin::start();
        let mut setup = crate::harness::Setup::new();
        setup
            .config
            .sites
            .push(format!("origin = {:?}", origin.url()));
        let server = setup.start(crate::harness::Driver::Epoll);
        let gate = Gate::new();
        let said = || reply(200).max_age(600).field("Cache-Tag", "t");
        let old = said().wait(&gate).body("old");
        origin.queue("/slow", [old, said().body("new")]);
        let mut first = server.connect();
        first.send(get("/slow").bytes());
        gate.await_reached(1);
        assert_eq!(purge(&server, meant.clone()), 0, "{meant}");
        gate.open();
        first.answer("GET").expect(200).expect_body(b"old");
        server.get("/slow").expect(200).expect_body(b"new");
        expect_hit(&server, &get("/slow"));
    }
}

#[test]
fn purge_while_a_body_comes_leaves_those_who_read_it_alone() {
    before_origin("purge within a body", "", |origin, server| {
        let gate = Gate::new();
        let said = || reply(200).max_age(600);
        let old = said().length(10).bytes("hello").wait(&gate).bytes("world");
        origin.queue("/slow", [old, said().body("new")]);
        let mut first = server.connect();
        first.send(get("/slow").bytes());
        gate.await_reached(1);
        let listed = |server: &Server| admin_json(server, "/api/cache/ls")["responses"].clone();
        crate::harness::eventually(std::time::Duration::from_secs(10), "it is stored", || {
            listed(server).as_array().is_some_and(|all| !all.is_empty())
        });
        assert_eq!(listed(server)[0]["complete"], false);
        assert_eq!(
            purge(
                server,
                json!({"url": "http://media.test/slow", "soft": true})
            ),
            1
        );
        server.get("/slow").expect(200).expect_body(b"new");
        gate.open();
        first.answer("GET").expect(200).expect_body(b"helloworld");
        let answer = server.get("/slow");
        answer.expect(200).expect_body(b"new");
        assert_eq!(listed(server).as_array().expect("responses").len(), 1);
    });
}

#[test]
fn ls_pages_through_all_and_filters() {
    before_origin("ls", "", |origin, server| {
        let paths: Vec<String> = (0..25).map(|number| format!("/p/{number}")).collect();
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        store(origin, server, &paths);
        let old = reply(200)
            .max_age(0)
            .field("ETag", "\"o\"")
            .field("xkey", "k");
        origin.says("/old", old.body("12345678"));
        server.get("/old").expect(200);
        let mut seen = BTreeSet::new();
        let mut path = "/api/cache/ls?limit=10".to_owned();
        loop {
            let page = admin_json(server, &path);
            for line in page["responses"].as_array().expect("responses") {
                let key = line["key"].as_str().expect("a key").to_owned();
                assert!(seen.insert(key), "twice: {line}");
            }
            match page["next"].as_str() {
                Some(next) => path = format!("/api/cache/ls?limit=10&after={next}"),
                None => break,
            }
        }
        assert_eq!(seen.len(), 26);
        let keys = |query: &str| {
            let page = admin_json(server, &format!("/api/cache/ls?{query}"));
            let lines = page["responses"].as_array().expect("responses").clone();
            let keys = lines.iter().map(|line| line["key"].to_string());
            keys.collect::<Vec<_>>()
        };
        assert_eq!(keys("stale=true"), ["\"http://media.test/old\""]);
        assert_eq!(keys("tag=k"), ["\"http://media.test/old\""]);
        assert_eq!(keys("prefix=http://media.test/p/2").len(), 6);
        let line = &admin_json(server, "/api/cache/ls?tag=k")["responses"][0];
        assert_eq!((&line["size"], &line["status"]), (&json!(8), &json!(200)));
        assert_eq!(
            (&line["tier"], &line["fresh"]),
            (&json!("memory"), &json!(false))
        );
        assert_eq!(line["tags"], json!(["k"]));
    });
}

#[test]
fn commands_purge_list_and_clear() {
    before_origin("commands", "", |origin, server| {
        store(origin, server, &["/a", "/b", "/c"]);
        let ended = command(server, &["ls", "--limit", "2"]);
        assert_eq!(ended.code, Some(0), "{ended}");
        assert_eq!(ended.output.lines().count(), 2, "{ended}");
        let ended = command(server, &["ls", "--json", "--prefix", "http://media.test/b"]);
        let line: Value = serde_json::from_str(ended.output.trim_end()).expect("JSON");
        assert_eq!(line["key"], "http://media.test/b");
        let ended = command(
            server,
            &["purge", "--url", "http://media.test/a", "--dry-run"],
        );
        assert_eq!(
            ended.output,
            "would purge 1 response\n  http://media.test/a\n"
        );
        let ended = command(server, &["purge", "--url", "http://media.test/a"]);
        assert_eq!(
            (ended.code, ended.output.as_str()),
            (Some(0), "purged 1 response\n")
        );
        let gone = ["purge", "--url", "http://media.test/a"];
        let ended = command(server, &gone);
        assert_eq!(
            (ended.code, ended.output.as_str()),
            (Some(0), "purged 0 responses\n")
        );
        let ended = command(server, &[&gone[..], &["--must-exist"]].concat());
        assert_eq!(ended.code, Some(1), "{ended}");
        let ended = command(server, &["purge", "--url", "/a"]);
        assert_eq!(ended.code, Some(2), "{ended}");
        let ended = command(
            server,
            &["purge", "--prefix", "http://media.test/b", "--soft"],
        );
        assert_eq!(ended.output, "marked 1 response stale\n");
        let ended = command(server, &["ls", "--stale"]);
        assert!(ended.output.contains(" stale "), "{ended}");
        let ended = command(server, &["clear"]);
        assert_eq!(
            (ended.code, ended.output.as_str()),
            (Some(0), "purged 2 responses\n")
        );
        expect_forward(server, &get("/c"), "uri-miss");
    });
}

#[test]
fn figures_of_cache_fills_and_origin_agree_with_what_was_asked() {
    before_origin("figures", "", |origin, server| {
        store(origin, server, &["/a", "/b"]);
        origin.says(
            "/private",
            reply(200).field("Cache-Control", "private").body("p"),
        );
        server.get("/private").expect(200);
        purge(server, json!({"prefix": "http://media.test/a"}));
        let stats = admin_json(server, "/api/stats");
        let cache = &stats["cache"];
        assert_eq!(cache["responses"], 1, "{cache}");
        // A body that came after its head takes the place of the response without its end.
        let number = |value: &Value| value.as_u64().expect("a number");
        let replaced = number(&cache["gone"]["replaced"]);
        assert_eq!(number(&cache["inserted"]) - replaced, 2, "{cache}");
        assert_eq!(cache["gone"]["purged"], 1, "{cache}");
        let fetches = &stats["fills"]["fetches"];
        assert_eq!(
            (&fetches["stored"], &fetches["passed"]),
            (&json!(2), &json!(1)),
            "{fetches}"
        );
        assert_eq!(stats["origins"]["requests"], 3, "{}", stats["origins"]);
        let metrics = server.ask_admin(&get("/metrics")).body;
        let metrics = String::from_utf8(metrics).expect("UTF-8");
        for line in [
            "hotplate_cached_responses 1\n",
            "hotplate_fetches_total{answer=\"stored\"} 2\n",
            "hotplate_origin_requests_total 3\n",
            "hotplate_cached_responses_gone_total{way=\"purged\"} 1\n",
        ] {
            assert!(metrics.contains(line), "no {line}");
        }
        let ended = command(server, &["stats"]);
        for words in ["cached responses", "fetches by answer", "origin requests"] {
            assert!(ended.output.contains(words), "no {words}: {ended}");
        }
    });
}

#[test]
fn log_of_a_purge_shows_no_query() {
    before_origin("log of a purge", "", |_, server| {
        let url = "http://media.test/page?sig=c2VjcmV0";
        assert_eq!(purge(server, json!({"url": url})), 0);
        assert_eq!(
            purge(server, json!({"prefix": "http://media.test/calls"})),
            0
        );
        let has_said = |what: &str| server.output().contains(what);
        eventually(Duration::from_secs(5), "the log tells of both", || {
            has_said("meant=http://media.test/page?...")
                && has_said("meant=http://media.test/calls")
        });
        let said = server.output();
        assert!(!said.contains("c2VjcmV0"), "{said}");
    });
}
