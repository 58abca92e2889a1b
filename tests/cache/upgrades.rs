//! Requests to switch protocols (RFC 9110 s7.8): none is tunnelled.

use crate::harness::origin::{Reply, reply};
use crate::harness::{Request, get};
use crate::site::{Site, expect_hit, expect_outcome, fetch, fetch_get};

/// What a WebSocket client begins with (RFC 6455 s1.2).
fn websocket(target: &str) -> Request {
    get(target)
        .with("Connection", "keep-alive, Upgrade")
        .with("Upgrade", "websocket")
        .with("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
        .with("Sec-WebSocket-Version", "13")
}

before_an_origin!(
    rfc6455_s4_2_2_websocket_is_refused_clearly,
    Site::plain(),
    |origin, server| {
        origin.says("/a", reply(200).max_age(60).body("a page"));
        let mut client = server.connect();
        // Also where a page is stored that it must not be taken for.
        for _ in 0..2 {
            let answer = client.fetch(&websocket("/a"));
            answer.expect(501);
            expect_outcome(&answer, &["detail=upgrade"]);
            let text = String::from_utf8(answer.body).expect("text");
            assert!(text.contains("not tunnelled"), "{text}");
            client.fetch(&get("/a")).expect(200).expect_body(b"a page");
        }
        assert_eq!(origin.asked().len(), 1);
        let metrics = server.ask_admin(&get("/metrics"));
        let text = String::from_utf8(metrics.body).expect("text");
        assert!(
            text.contains("hotplate_upgrades_refused_total 2\n"),
            "{text}"
        );
    }
);

before_an_origin!(
    rfc9110_s7_8_other_offers_are_ignored,
    Site::plain(),
    |origin, server| {
        origin.says("/a", reply(200).max_age(60).body("hello"));
        let offer = get("/a")
            .with("Connection", "Upgrade, HTTP2-Settings")
            .with("Upgrade", "h2c")
            .with("HTTP2-Settings", "AAMAAABkAAQAAP__");
        let answer = fetch(server, &offer);
        answer.expect(200).expect_body(b"hello");
        assert_eq!(answer.field("upgrade"), None, "{answer}");
        expect_hit(&fetch(server, &offer));
        for name in ["upgrade", "http2-settings"] {
            assert_eq!(origin.asked()[0].field(name), None);
        }
        // A server must ignore it in HTTP/1.0, and what Connection does not name is none.
        let old = websocket("/a").http10().with("Host", "media.test");
        expect_hit(&fetch(server, &old));
        let unnamed = get("/a").with("Upgrade", "websocket");
        expect_hit(&fetch(server, &unnamed));
    }
);

before_an_origin!(
    rfc9110_s7_8_files_ignore_all_offers,
    Site::plain().root_file("file.txt", "a file"),
    |origin, server| {
        let answer = fetch(server, &websocket("/file.txt"));
        answer.expect(200).expect_body(b"a file");
        fetch(server, &websocket("/none.txt")).expect(501);
        assert!(origin.asked().is_empty());
    }
);

before_an_origin!(
    rfc9110_s7_8_an_origin_that_switches_protocols_unasked_is_broken,
    Site::plain(),
    |origin, server| {
        let switched =
            "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";
        origin.says("/a", Reply::raw(switched).await_close());
        let answer = fetch_get(server, "/a");
        answer.expect(502);
        assert_eq!(answer.field("upgrade"), None, "{answer}");
    }
);
