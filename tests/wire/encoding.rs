//! Precompressed siblings (RFC 9110 s12.5.3): which one goes out, and that each has validators and ranges of its own.

use crate::harness::setup::PAGE;
use crate::harness::{Answer, HOLDS, Server, get, head, media, pattern};

/// What `page.txt` holds in a coding.
fn coded(coding: &str) -> Vec<u8> {
    match coding {
        "gzip" => pattern(33, 1),
        "br" => pattern(22, 2),
        "zstd" => pattern(27, 3),
        _ => PAGE.to_vec(),
    }
}

#[track_caller]
fn ask(server: &Server, accept: &str) -> Answer {
    server.ask(&get("/file/page.txt").with("Accept-Encoding", accept))
}

/// The coding of an answer, whose bytes must be that coding's.
#[track_caller]
fn coding_of(answer: &Answer) -> &str {
    let coding = answer.field("content-encoding").unwrap_or("identity");
    answer.expect(200).expect_body(&coded(coding));
    coding
}

on_both_drivers!(accepted_coding_is_chosen_by_weight, media, |server| {
    for (accept, allowed) in [
        ("gzip", &["gzip"][..]),
        ("br", &["br"]),
        ("zstd", &["zstd"]),
        ("GZIP", &["gzip"]),
        ("gzip, br", &["br"]),
        ("br, gzip", &["br"]),
        ("gzip, zstd", &["zstd"]),
        ("gzip, deflate, br, zstd", &["br"]),
        ("gzip;q=1, br;q=0.5", &["gzip"]),
        ("br;q=0.2, zstd;q=0.4, gzip;q=0.3", &["zstd"]),
        ("gzip;q=1.000, br;q=0.999", &["gzip"]),
        ("gzip ; q=0.5 , br ; q=0.4", &["gzip", "identity"]),
        ("gzip;Q=0, br", &["br"]),
        ("br;q=0, gzip", &["gzip"]),
        ("br;q=0.0, *", &["gzip", "zstd"]),
        ("br;q=0.001, identity;q=0", &["br"]),
        ("*", &["br", "zstd", "gzip", "identity"]),
        ("identity;q=0, gzip", &["gzip"]),
        ("identity;q=0, *", &["br", "zstd", "gzip"]),
        ("gzip;q=0", &["identity"]),
        ("gzip;q=0, br;q=0, zstd;q=0", &["identity"]),
        ("deflate", &["identity"]),
        ("identity", &["identity"]),
        ("", &["identity"]),
        ("gzipped", &["identity"]),
        ("x-gzip", &["gzip", "identity"]),
        ("gzip;q=abc", &["gzip", "identity"]),
        ("gzip;q=2", &["gzip", "identity"]),
    ] {
        let answer = ask(server, accept);
        let coding = coding_of(&answer);
        assert!(allowed.contains(&coding), "{accept:?} got {coding}");
    }
});

on_both_drivers!(no_accept_encoding_gets_the_file_itself, media, |server| {
    for hold in HOLDS {
        let answer = server.get(&format!("/{hold}/page.txt"));
        assert_eq!(coding_of(&answer), "identity");
        assert!(
            answer
                .members("vary")
                .contains(&"accept-encoding".to_owned())
        );
    }
});

on_both_drivers!(
    accept_encoding_on_several_lines_is_one_list,
    media,
    |server| {
        let request = get("/file/page.txt")
            .with("Accept-Encoding", "gzip;q=0.5")
            .with("Accept-Encoding", "br");
        assert_eq!(coding_of(&server.ask(&request)), "br");
    }
);

on_both_drivers!(
    identity_refused_with_nothing_else_accepted_has_a_defined_answer,
    media,
    |server| {
        for accept in ["identity;q=0", "*;q=0", "identity;q=0, deflate"] {
            let answer = ask(server, accept);
            if answer.status != 406 {
                assert_eq!(coding_of(&answer), "identity", "{accept}");
            }
        }
    }
);

on_both_drivers!(every_hold_serves_siblings, media, |server| {
    for hold in HOLDS {
        for coding in ["gzip", "br", "zstd"] {
            let request = get(&format!("/{hold}/page.txt")).with("Accept-Encoding", coding);
            assert_eq!(coding_of(&server.ask(&request)), coding);
        }
    }
});

on_both_drivers!(
    siblings_share_the_type_and_vary_and_differ_in_entity_tag,
    media,
    |server| {
        let mut etags = Vec::new();
        for coding in ["identity", "gzip", "br", "zstd"] {
            let answer = ask(server, coding);
            assert_eq!(coding_of(&answer), coding);
            assert!(
                answer.needs("content-type").starts_with("text/plain"),
                "{answer}"
            );
            assert!(
                answer
                    .members("vary")
                    .contains(&"accept-encoding".to_owned()),
                "{answer}"
            );
            etags.push(answer.etag());
        }
        etags.sort_unstable();
        etags.dedup();
        assert_eq!(etags.len(), 4, "{etags:?}");
    }
);

on_both_drivers!(
    validator_of_one_coding_holds_for_that_coding_only,
    media,
    |server| {
        let etags: Vec<_> = ["identity", "gzip", "br"]
            .map(|coding| (coding, ask(server, coding).etag()))
            .into();
        for (asked, _) in &etags {
            for (owner, etag) in &etags {
                let request = get("/file/page.txt")
                    .with("Accept-Encoding", asked)
                    .with("If-None-Match", etag);
                let answer = server.ask(&request);
                answer.expect(if asked == owner { 304 } else { 200 });
                assert!(
                    answer
                        .members("vary")
                        .contains(&"accept-encoding".to_owned()),
                    "{answer}"
                );
            }
        }
    }
);

on_both_drivers!(range_applies_to_the_coded_bytes, media, |server| {
    for hold in HOLDS {
        for coding in ["gzip", "br", "zstd"] {
            let file = coded(coding);
            let request = get(&format!("/{hold}/page.txt"))
                .with("Accept-Encoding", coding)
                .with("Range", "bytes=5-9");
            let answer = server.ask(&request);
            answer.expect(206).expect_body(&file[5..=9]);
            assert_eq!(
                answer.needs("content-range"),
                format!("bytes 5-9/{}", file.len())
            );
            assert_eq!(answer.needs("content-encoding"), coding);
            assert!(
                answer
                    .members("vary")
                    .contains(&"accept-encoding".to_owned())
            );
        }
    }
});

on_both_drivers!(
    if_range_with_another_codings_validator_brings_the_whole,
    media,
    |server| {
        let of_gzip = ask(server, "gzip").etag();
        let request = get("/file/page.txt")
            .with("Accept-Encoding", "br")
            .with("Range", "bytes=0-4")
            .with("If-Range", &of_gzip);
        assert_eq!(coding_of(&server.ask(&request)), "br");
    }
);

on_both_drivers!(head_of_a_sibling_has_its_length, media, |server| {
    let answer = server.ask(&head("/file/page.txt").with("Accept-Encoding", "br"));
    assert_eq!(answer.expect(200).needs("content-length"), "22");
    assert_eq!(answer.needs("content-encoding"), "br");
});

on_both_drivers!(file_without_siblings_is_never_coded, media, |server| {
    let request = get("/file/thousand.txt").with("Accept-Encoding", "gzip, br, zstd");
    let answer = server.ask(&request);
    answer.expect(200).expect_body(&pattern(1_000, 7));
    assert!(answer.field("content-encoding").is_none());
});
