//! The access log: one well-formed line for each answer, in both formats, whatever clients send.

use std::fs;
use std::time::Duration;

use serde_json::Value;

use crate::harness::{Server, Setup, eventually, get, head, media};

fn logged(format: &str) -> Setup {
    let setup = media();
    let file = setup.folder.path("access.log");
    setup
        .server(&format!("access_log = {:?}", file.to_str().expect("UTF-8")))
        .server(&format!("format = {format:?}"))
}

fn combined() -> Setup {
    logged("combined")
}

fn json() -> Setup {
    logged("json")
}

/// The lines of the log once there are `count` of them.
#[track_caller]
fn lines_of(server: &Server, name: &str, count: usize) -> Vec<String> {
    let read = || fs::read_to_string(server.folder.path(name)).unwrap_or_default();
    eventually(Duration::from_secs(6), "the log has its lines", || {
        let text = read();
        text.lines().count() >= count && text.ends_with('\n')
    });
    let lines: Vec<String> = read().lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), count, "{lines:#?}");
    lines
}

/// Splits a combined line: quoted strings and the bracketed time are one part each, without their marks.
fn parts_of(line: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let mut rest = line;
    while !rest.is_empty() {
        let (part, after) = match rest.as_bytes()[0] {
            b'"' => {
                let mut end = 1;
                while rest.as_bytes()[end] != b'"' {
                    end += if rest.as_bytes()[end] == b'\\' { 2 } else { 1 };
                }
                (&rest[1..end], &rest[end + 1..])
            }
            b'[' => {
                let end = rest.find(']').expect("a closing bracket");
                (&rest[1..end], &rest[end + 1..])
            }
            _ => rest.split_at(rest.find(' ').unwrap_or(rest.len())),
        };
        parts.push(part.to_owned());
        rest = after.strip_prefix(' ').unwrap_or(after);
    }
    parts
}

/// Sends requests with what log readers stumble over, and returns how many there were.
fn ask_hostile(server: &Server) -> usize {
    let mut client = server.connect();
    let agents: [&[u8]; 6] = [
        b"quote \" quote",
        b"backslash \\",
        b"\" 200 1 \"-\" \"forged",
        b"tab\there",
        b"\x80\xff\xc3\x28 not UTF-8",
        b"{\"json\": \"inside\"}\\u0000",
    ];
    for agent in agents {
        let mut request = b"GET /file/page.txt HTTP/1.1\r\nHost: media.test\r\nReferer: ".to_vec();
        request.extend_from_slice(agent);
        request.extend_from_slice(b"\r\nUser-Agent: ");
        request.extend_from_slice(agent);
        request.extend_from_slice(b"\r\n\r\n");
        client.send(request);
        client.answer("GET").expect(200);
    }
    client
        .ask(&get("/%0A127.0.0.1%20-%20-%22").with("User-Agent", "plain"))
        .expect(404);
    agents.len() + 1
}

on_both_drivers!(combined_line_has_its_parts, combined, |server| {
    let request = get("/file/thousand.txt?q=1")
        .with("Referer", "http://from.test/")
        .with("User-Agent", "agent/1.0 (test)");
    server.ask(&request).expect(200);
    let line = lines_of(server, "access.log", 1).remove(0);
    let parts = parts_of(&line);
    assert_eq!(parts[..3], ["127.0.0.1", "-", "-"], "{line}");
    assert_eq!(parts[4], "GET /file/thousand.txt?q=1 HTTP/1.1", "{line}");
    assert_eq!(parts[5], "200", "{line}");
    assert_eq!(parts[6], "1000", "{line}");
    assert_eq!(parts[7], "http://from.test/", "{line}");
    assert_eq!(parts[8], "agent/1.0 (test)", "{line}");
    // 02/Jan/2024:03:04:05 +0000
    let time: Vec<_> = parts[3].split(['/', ':', ' ']).collect();
    assert_eq!(time.len(), 7, "{line}");
});

on_both_drivers!(json_line_has_its_members, json, |server| {
    let request = head("/mmap/thousand.txt").with("User-Agent", "agent/1.0");
    server.ask(&request).expect(200);
    let line = lines_of(server, "access.log", 1).remove(0);
    let value: Value = serde_json::from_str(&line).expect("JSON");
    for (name, expected) in [
        ("method", Value::from("HEAD")),
        ("target", Value::from("/mmap/thousand.txt")),
        ("status", Value::from(200)),
        ("body_bytes", Value::from(0)),
        ("user_agent", Value::from("agent/1.0")),
        ("host", Value::from("media.test")),
    ] {
        assert_eq!(value[name], expected, "{name} in {line}");
    }
});

on_both_drivers!(every_answer_has_one_line, json, |server| {
    let mut client = server.connect();
    for _ in 0..100 {
        client.ask(&get("/file/page.txt")).expect(200);
        client.ask(&get("/nothing")).expect(404);
    }
    let mut refused = server.connect();
    refused.send(b"GET / HTTP/1.1\r\nHost : a\r\n\r\n");
    refused.answer("GET").expect(400);
    let lines = lines_of(server, "access.log", 201);
    let with_status = |status: u64| {
        let values = lines
            .iter()
            .map(|line| -> Value { serde_json::from_str(line).expect("JSON") });
        values.filter(|value| value["status"] == status).count()
    };
    assert_eq!(
        [with_status(200), with_status(404), with_status(400)],
        [100, 100, 1]
    );
});

on_both_drivers!(combined_line_can_not_be_forged, combined, |server| {
    let count = ask_hostile(server);
    for line in lines_of(server, "access.log", count) {
        assert!(
            line.bytes().all(|byte| (b' '..=b'~').contains(&byte)),
            "{line:?}"
        );
        let parts = parts_of(&line);
        assert!(["200", "404"].contains(&parts[5].as_str()), "{line}");
        assert_eq!(parts.len(), 11, "{line}");
    }
});

on_both_drivers!(json_line_can_not_be_forged, json, |server| {
    let count = ask_hostile(server);
    for line in lines_of(server, "access.log", count) {
        let value: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line:?}"));
        assert!(
            [200, 404].contains(&value["status"].as_u64().expect("a status")),
            "{line}"
        );
        assert!(value.get("json").is_none());
    }
});

on_both_drivers!(log_is_opened_anew_at_a_reload, combined, |server| {
    server.get("/file/page.txt").expect(200);
    lines_of(server, "access.log", 1);
    fs::rename(
        server.folder.path("access.log"),
        server.folder.path("access.log.1"),
    )
    .expect("rotated");
    server.reload();
    eventually(Duration::from_secs(6), "a new log", || {
        server.folder.path("access.log").exists()
    });
    server.get("/file/page.txt").expect(200);
    lines_of(server, "access.log", 1);
    lines_of(server, "access.log.1", 1);
});

on_both_drivers!(log_is_complete_after_a_drain, json, |server| {
    let mut client = server.connect();
    for _ in 0..500 {
        client.ask(&get("/memory/page.txt")).expect(200);
    }
    server.terminate();
    server.wait_for_exit(Duration::from_secs(8));
    lines_of(server, "access.log", 500);
});
