//! The admin address: health, readiness, metrics and statistics, whose counts agree with what was asked.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde_json::Value;

use crate::harness::server::run;
use crate::harness::{Client, HOLDS, Request, Server, Setup, eventually, get, head, media};

fn stats(server: &Server) -> Value {
    let answer = server.ask_admin(&get("/api/stats"));
    let kind = answer.expect(200).needs("content-type");
    assert!(kind.starts_with("application/json"), "{kind}");
    answer.json()
}

fn number(value: &Value) -> u64 {
    value
        .as_u64()
        .unwrap_or_else(|| panic!("a number: {value}"))
}

fn sum(value: &Value) -> u64 {
    let members = value
        .as_object()
        .unwrap_or_else(|| panic!("an object: {value}"));
    members.values().map(number).sum()
}

/// Waits until the workers have counted `requests` heads.
fn stats_after(server: &Server, requests: u64) -> Value {
    eventually(Duration::from_secs(5), "the requests are counted", || {
        number(&stats(server)["requests"]) >= requests
    });
    stats(server)
}

on_both_drivers!(health_and_readiness_are_ok_while_serving, media, |server| {
    server.ask_admin(&get("/healthz")).expect(200);
    server.ask_admin(&get("/readyz")).expect(200);
    server.ask_admin(&get("/nothing")).expect(404);
    server
        .ask_admin(&Request::new("POST", "/healthz"))
        .expect_one_of(&[404, 405]);
});

on_both_drivers!(
    admin_endpoints_are_not_on_the_public_address,
    media,
    |server| {
        for target in [
            "/healthz",
            "/readyz",
            "/metrics",
            "/api/stats",
            "/api/purge",
        ] {
            server.get(target).expect(404);
        }
    }
);

on_both_drivers!(readiness_ends_with_the_drain, media, |server| {
    let mut slow = server.connect();
    slow.send(get("/file/huge.bin").bytes().repeat(8));
    slow.read_some(1);
    let mut admin = Client::open(server.admin.expect("an admin address"));
    admin.ask(&get("/readyz")).expect(200);
    server.terminate();
    eventually(Duration::from_secs(5), "not ready", || {
        if admin.try_send(get("/readyz").bytes()).is_err() {
            return true;
        }
        // An admin API that has gone is not ready either.
        admin
            .try_answer("GET")
            .map_or(true, |answer| answer.status == 503)
    });
});

on_both_drivers!(counts_add_up_with_the_requests_sent, media, |server| {
    let mut client = server.connect();
    let mut sent = 0;
    let mut ask = |client: &mut Client, request: &Request, status: u16, times: u64| {
        for _ in 0..times {
            client.ask(request).expect(status);
            sent += 1;
        }
    };
    let etag = server.get("/file/page.txt").etag();
    for hold in HOLDS {
        ask(&mut client, &get(&format!("/{hold}/thousand.txt")), 200, 10);
    }
    ask(&mut client, &head("/file/thousand.txt"), 200, 3);
    ask(
        &mut client,
        &get("/file/page.txt").with("If-None-Match", &etag),
        304,
        4,
    );
    ask(
        &mut client,
        &get("/file/thousand.txt").with("Range", "bytes=0-9"),
        206,
        5,
    );
    ask(&mut client, &get("/plain.txt"), 200, 6);
    ask(&mut client, &get("/nothing"), 404, 7);
    ask(
        &mut client,
        &get("/file/thousand.txt").with("Range", "bytes=5000-"),
        416,
        2,
    );
    sent += 1; // The one that asked for the entity-tag.
    let stats = stats_after(server, sent);
    assert_eq!(number(&stats["requests"]), sent);
    let answers = &stats["answers"];
    for (status, count) in [("200", 40), ("304", 4), ("206", 5), ("404", 7), ("416", 2)] {
        assert_eq!(number(&answers[status]), count, "{status}: {answers}");
    }
    assert_eq!(sum(answers), sent);
    assert_eq!(number(&stats["connections"]["open"]), 1);
    assert_eq!(number(&stats["connections"]["accepted"]), 2);
    assert!(number(&stats["bytes"]["sent"]) > 40_000);
    assert!(number(&stats["bytes"]["received"]) > 1_000);
    assert_eq!(stats["driver"]["name"], server.driver.name());
    let hits = &stats["hits"];
    assert!(
        number(&hits["pin-mmap"]) >= 10 && number(&hits["pin-memory"]) >= 10,
        "{hits}"
    );
    assert!(
        number(&hits["pin-file"]) >= 10 && number(&hits["root"]) >= 6,
        "{hits}"
    );
});

on_both_drivers!(latency_of_every_answer_is_recorded, media, |server| {
    let mut client = server.connect();
    for _ in 0..50 {
        client.ask(&get("/file/page.txt")).expect(200);
    }
    eventually(Duration::from_secs(5), "50 latencies", || {
        number(&stats(server)["latency"]["count"]) >= 50
    });
    let latency = &stats(server)["latency"];
    let figure = |name: &str| {
        latency[name]
            .as_f64()
            .unwrap_or_else(|| panic!("{latency}"))
    };
    let figures = ["p50_us", "p90_us", "p99_us", "p99_9_us", "max_us"].map(figure);
    assert!(figures.is_sorted() && figures[0] > 0.0, "{latency}");
});

on_both_drivers!(refusals_are_counted_by_reason, media, |server| {
    for request in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        b"GET / HTTP/2.0\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    ] {
        let mut client = server.connect();
        client.send(request);
        client.answer("GET").expect_one_of(&[400, 505]);
    }
    eventually(Duration::from_secs(5), "four refusals", || {
        sum(&stats(server)["refusals"]) == 4
    });
    let stats = stats(server);
    let reasons = stats["refusals"].as_object().expect("by reason");
    assert_eq!(
        reasons.values().filter(|count| number(count) > 0).count(),
        4,
        "{reasons:?}"
    );
});

on_both_drivers!(metrics_are_in_the_prometheus_text_format, media, |server| {
    for _ in 0..5 {
        server.get("/file/page.txt").expect(200);
    }
    stats_after(server, 5);
    let answer = server.ask_admin(&get("/metrics"));
    let kind = answer.expect(200).needs("content-type");
    assert!(
        kind.starts_with("application/openmetrics-text") || kind.starts_with("text/plain"),
        "{kind}"
    );
    let text = String::from_utf8(answer.body.clone()).expect("UTF-8");
    assert!(text.ends_with('\n'));
    let mut requests = 0.0;
    for line in text.lines() {
        if line.starts_with('#') {
            let known = ["# HELP ", "# TYPE ", "# UNIT ", "# EOF"];
            assert!(known.iter().any(|start| line.starts_with(start)), "{line}");
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
        let value: f64 = value.parse().unwrap_or_else(|_| panic!("{line}"));
        let name = series.split('{').next().unwrap_or_default();
        assert!(
            name.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"_:".contains(&byte)),
            "{line}"
        );
        assert!(!series.contains('{') || series.ends_with('}'), "{line}");
        assert!(value.is_finite() && value >= 0.0, "{line}");
        if name == "hotplate_requests_total" {
            requests += value;
        }
    }
    assert!(
        (5.0..6.0).contains(&requests),
        "{requests} requests in:\n{text}"
    );
});

on_both_drivers!(
    hostile_requests_leave_no_trace_in_the_metrics,
    media,
    |server| {
        server.get("/%22%7D%0Aevil_metric%201").expect(404);
        let hostile = Request::new("EVIL_METRIC", "/").host("evil-metric.test");
        server.ask(&hostile).expect(501);
        let text = server.ask_admin(&get("/metrics")).body;
        let text = String::from_utf8_lossy(&text).to_lowercase();
        assert!(!text.contains("evil"), "{text}");
    }
);

on_both_drivers!(
    stats_command_prints_what_the_server_counted,
    media,
    |server| {
        for _ in 0..23 {
            server.get("/mmap/page.txt").expect(200);
        }
        stats_after(server, 23);
        // The command finds the admin address in the config.
        let admin = server.admin.expect("an admin address").to_string();
        let text = server
            .config
            .text(server.driver)
            .replace("admin = \"127.0.0.1:0\"", &format!("admin = \"{admin}\""));
        server.folder.place("bound.toml", text);
        let file = server.folder.path("bound.toml");
        let ended = run(
            &["stats", "--config", file.to_str().expect("UTF-8")],
            &server.folder.path(""),
        );
        assert_eq!(ended.code, Some(0), "{ended}");
        let shown = ended.output.to_lowercase();
        for word in [
            "23",
            "mmap",
            "p50",
            "p99",
            "p99.9",
            "max",
            "bytes",
            "connections",
        ] {
            assert!(shown.contains(word), "no {word:?} in:\n{shown}");
        }
    }
);

fn with_unix_socket() -> Setup {
    let mut setup = media();
    setup.config.admin = format!("unix:{}", setup.folder.path("admin.sock").display());
    setup
}

on_both_drivers!(admin_answers_on_a_unix_socket, with_unix_socket, |server| {
    let socket = server.folder.path("admin.sock");
    let mut stream = UnixStream::connect(&socket).expect("a connection");
    let request = get("/readyz").close().bytes();
    stream.write_all(&request).expect("sent");
    let mut came = Vec::new();
    stream.read_to_end(&mut came).expect("an answer");
    assert!(
        came.starts_with(b"HTTP/1.1 200 "),
        "{}",
        String::from_utf8_lossy(&came)
    );
    server.terminate();
    server.wait_for_exit(Duration::from_secs(8));
});

fn without_admin() -> Setup {
    let mut setup = media();
    setup.config.admin = String::new();
    setup
}

on_both_drivers!(
    server_without_an_admin_address_serves,
    without_admin,
    |server| {
        assert_eq!(server.admin, None);
        server.get("/file/page.txt").expect(200);
    }
);

fn with_token() -> Setup {
    media().server("admin_token = \"0123456789abcdef\"")
}

on_both_drivers!(token_is_needed_where_one_is_set, with_token, |server| {
    let bare = get("/api/stats");
    for request in [
        bare.clone(),
        bare.clone().with("Authorization", "Bearer wrong"),
        bare.clone().with("Authorization", "Bearer 0123456789abcde"),
        bare.clone().with("Authorization", "0123456789abcdef"),
    ] {
        let answer = server.ask_admin(&request);
        answer.expect(401);
        assert!(answer.field("www-authenticate").is_some(), "{answer}");
    }
    let right = bare.with("Authorization", "Bearer 0123456789abcdef");
    server.ask_admin(&right).expect(200);
});
