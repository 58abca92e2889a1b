//! Preconditions in the order of RFC 9110 s13.2.2, over the wire, for pins of every hold and for files of a site's root.

use std::time::{Duration, SystemTime};

use crate::harness::folder::PLACED_AT_SECONDS;
use crate::harness::{Answer, Client, Request, Server, get, head, media};

const TARGETS: [&str; 4] = [
    "/file/thousand.txt",
    "/mmap/thousand.txt",
    "/memory/large.bin",
    "/plain.txt",
];

/// What a test of preconditions needs to know of a resource.
struct Known {
    target: &'static str,
    etag: String,
    modified: String,
    earlier: String,
    later: String,
    whole: Answer,
}

impl Known {
    fn of(server: &Server, target: &'static str) -> Self {
        let whole = server.get(target);
        whole.expect(200);
        let date = |seconds: u64| {
            httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
        };
        Self {
            target,
            etag: whole.etag(),
            modified: whole.needs("last-modified").to_owned(),
            earlier: date(PLACED_AT_SECONDS - 1),
            later: date(PLACED_AT_SECONDS + 1),
            whole,
        }
    }

    /// Asks with fields in which `E` stands for the entity-tag, and `M`, `B`, `A` for the date and the seconds before and after.
    #[track_caller]
    fn assert(&self, client: &mut Client, fields: &[(&str, &str)], status: u16) {
        for method in ["GET", "HEAD"] {
            let mut request = Request::new(method, self.target);
            for (name, value) in fields {
                let value = match *value {
                    "M" => self.modified.clone(),
                    "B" => self.earlier.clone(),
                    "A" => self.later.clone(),
                    other => other.replace("{E}", &self.etag),
                };
                request = request.with(name, &value);
            }
            let answer = client.ask(&request);
            assert_eq!(answer.status, status, "{method} with {fields:?}: {answer}");
            match status {
                200 if method == "GET" => drop(answer.expect_body(&self.whole.body)),
                304 => self.assert_not_modified(&answer),
                _ => {}
            }
        }
    }

    /// RFC 9110 s15.4.5: what a 304 carries.
    #[track_caller]
    fn assert_not_modified(&self, answer: &Answer) {
        assert_eq!(answer.needs("etag"), self.etag);
        for name in ["cache-control", "vary", "content-location", "expires"] {
            assert_eq!(answer.field(name), self.whole.field(name), "{name}");
        }
        answer.needs("date");
        assert!(answer.field("content-encoding").is_none(), "{answer}");
        if let Some(length) = answer.field("content-length") {
            assert_eq!(length, self.whole.needs("content-length"));
        }
    }
}

#[track_caller]
fn assert_table(server: &Server, table: &[(&[(&str, &str)], u16)]) {
    for target in TARGETS {
        let known = Known::of(server, target);
        let mut client = server.connect();
        for (fields, status) in table {
            known.assert(&mut client, fields, *status);
        }
    }
}

on_both_drivers!(if_match_compares_strongly, media, |server| {
    assert_table(
        server,
        &[
            (&[("If-Match", "{E}")], 200),
            (&[("If-Match", "*")], 200),
            (&[("If-Match", "\"other\"")], 412),
            (&[("If-Match", "W/{E}")], 412),
            (&[("If-Match", "\"a\", \"b\", {E}")], 200),
            (&[("If-Match", "\"a,b\", {E}")], 200),
            (&[("If-Match", "\"a\""), ("If-Match", "{E}")], 200),
            (&[("If-Match", "\"a\", \"b\"")], 412),
        ],
    );
});

on_both_drivers!(if_unmodified_since_compares_dates, media, |server| {
    assert_table(
        server,
        &[
            (&[("If-Unmodified-Since", "M")], 200),
            (&[("If-Unmodified-Since", "A")], 200),
            (&[("If-Unmodified-Since", "B")], 412),
            (&[("If-Unmodified-Since", "yesterday")], 200),
        ],
    );
});

on_both_drivers!(if_none_match_compares_weakly, media, |server| {
    assert_table(
        server,
        &[
            (&[("If-None-Match", "{E}")], 304),
            (&[("If-None-Match", "W/{E}")], 304),
            (&[("If-None-Match", "*")], 304),
            (&[("If-None-Match", "\"other\"")], 200),
            (&[("If-None-Match", "\"a\", {E}, \"b\"")], 304),
            (&[("If-None-Match", "\"a,b\",W/{E}")], 304),
            (&[("If-None-Match", "\"a\""), ("If-None-Match", "{E}")], 304),
            (&[("If-None-Match", "\"a\", \"b\"")], 200),
        ],
    );
});

on_both_drivers!(if_modified_since_compares_dates, media, |server| {
    assert_table(
        server,
        &[
            (&[("If-Modified-Since", "M")], 304),
            (&[("If-Modified-Since", "A")], 304),
            (&[("If-Modified-Since", "B")], 200),
            (&[("If-Modified-Since", "yesterday")], 200),
        ],
    );
});

on_both_drivers!(obsolete_date_forms_are_understood, media, |server| {
    let known = Known::of(server, "/file/thousand.txt");
    let mut client = server.connect();
    // 2024-01-02 03:04:05, the time of placed files, in the forms of RFC 9110 s5.6.7.
    for date in [
        "Tue, 02 Jan 2024 03:04:05 GMT",
        "Tuesday, 02-Jan-24 03:04:05 GMT",
        "Tue Jan  2 03:04:05 2024",
    ] {
        known.assert(&mut client, &[("If-Modified-Since", date)], 304);
    }
});

on_both_drivers!(
    preconditions_are_evaluated_in_their_order,
    media,
    |server| {
        assert_table(
            server,
            &[
                // If-Match decides; If-Unmodified-Since is not looked at beside it.
                (&[("If-Match", "{E}"), ("If-Unmodified-Since", "B")], 200),
                (&[("If-Match", "\"x\""), ("If-Unmodified-Since", "A")], 412),
                // If-None-Match decides; If-Modified-Since is not looked at beside it.
                (
                    &[("If-None-Match", "\"x\""), ("If-Modified-Since", "M")],
                    200,
                ),
                (&[("If-None-Match", "{E}"), ("If-Modified-Since", "B")], 304),
                // The first pair goes before the second.
                (&[("If-None-Match", "{E}"), ("If-Match", "\"x\"")], 412),
                (&[("If-None-Match", "{E}"), ("If-Match", "{E}")], 304),
                (&[("If-None-Match", "\"x\""), ("If-Match", "{E}")], 200),
                (
                    &[("If-None-Match", "{E}"), ("If-Unmodified-Since", "B")],
                    412,
                ),
                (
                    &[("If-None-Match", "{E}"), ("If-Unmodified-Since", "M")],
                    304,
                ),
                (
                    &[("If-Modified-Since", "M"), ("If-Unmodified-Since", "B")],
                    412,
                ),
                (
                    &[("If-Modified-Since", "M"), ("If-Unmodified-Since", "M")],
                    304,
                ),
                (&[("If-Modified-Since", "M"), ("If-Match", "{E}")], 304),
                (&[("If-Modified-Since", "B"), ("If-Match", "{E}")], 200),
                // All four.
                (
                    &[
                        ("If-Match", "{E}"),
                        ("If-Unmodified-Since", "B"),
                        ("If-None-Match", "\"x\""),
                        ("If-Modified-Since", "M"),
                    ],
                    200,
                ),
            ],
        );
    }
);

on_both_drivers!(preconditions_go_before_ranges, media, |server| {
    for target in TARGETS {
        let known = Known::of(server, target);
        let mut client = server.connect();
        let range = get(target).with("Range", "bytes=0-9");
        let ask = |client: &mut Client, name: &str, value: &str| {
            client.ask(&range.clone().with(name, value))
        };
        ask(&mut client, "If-None-Match", &known.etag).expect(304);
        ask(&mut client, "If-Modified-Since", &known.modified).expect(304);
        ask(&mut client, "If-Match", "\"x\"").expect(412);
        ask(&mut client, "If-Unmodified-Since", &known.earlier).expect(412);
        ask(&mut client, "If-None-Match", "\"x\"").expect(206);
        ask(&mut client, "If-Match", &known.etag).expect(206);
        let beyond = get(target).with("Range", "bytes=9999999-");
        client
            .ask(&beyond.with("If-None-Match", &known.etag))
            .expect(304);
    }
});

on_both_drivers!(
    preconditions_do_not_apply_to_other_statuses,
    media,
    |server| {
        let mut client = server.connect();
        client
            .ask(&get("/nothing").with("If-None-Match", "*"))
            .expect(404);
        client
            .ask(&get("/nothing").with("If-Match", "\"x\""))
            .expect_one_of(&[404, 412]);
        client
            .ask(&get("/folder").with("If-None-Match", "*"))
            .expect(301);
        client
            .ask(&head("/nothing").with("If-Modified-Since", "Tue, 02 Jan 2024 03:04:05 GMT"))
            .expect(404);
    }
);

on_both_drivers!(not_modified_keeps_the_connection, media, |server| {
    let known = Known::of(server, "/file/thousand.txt");
    let mut client = server.connect();
    for _ in 0..50 {
        known.assert(&mut client, &[("If-None-Match", "{E}")], 304);
        known.assert(&mut client, &[], 200);
    }
});

on_both_drivers!(malformed_entity_tag_never_matches, media, |server| {
    let known = Known::of(server, "/file/thousand.txt");
    let bare = known.etag.trim_matches('"').to_owned();
    let mut client = server.connect();
    for value in [bare.as_str(), "\"", "", "w/\"x\"", "\"unended"] {
        let answer = client.ask(&get(known.target).with("If-None-Match", value));
        answer.expect_one_of(&[200, 400]);
        if answer.closes() {
            client = server.connect();
        }
    }
});
