//! Request targets (RFC 9112 s3.2, RFC 3986 s5.2.4 and s6): one canonical path, no way out of it, and forms that fit the method.

use super::framing::assert_refused;
use crate::harness::{Request, Setup, get, media};

/// Files whose names need care, pinned and below a site's root at once.
fn named() -> Setup {
    let mut setup = Setup::new();
    for folder in ["pinned", "www"] {
        for name in NAMES {
            setup = setup.file(format!("{folder}/{}", name.0), name.0.as_bytes());
        }
    }
    setup
        .file("outside.txt", b"outside")
        .pin("pinned", "/p/")
        .site(&[], "www")
}

/// File names and ways to write them in a path.
const NAMES: [(&str, &[&str]); 10] = [
    (
        "plain.txt",
        &[
            "plain.txt",
            "%70lain.txt",
            "plain%2Etxt",
            "plain%2etxt",
            "./plain.txt",
            "x/../plain.txt",
        ],
    ),
    (
        "hello world.wav",
        &["hello%20world.wav", "hello%20%77orld.wav"],
    ),
    (
        "gr\u{fc}\u{df}e.mp3",
        &["gr%C3%BC%C3%9Fe.mp3", "gr%c3%bc%c3%9fe.mp3"],
    ),
    ("\u{65e5}\u{672c}.opus", &["%E6%97%A5%E6%9C%AC.opus"]),
    ("100%.txt", &["100%25.txt"]),
    ("a%20b.txt", &["a%2520b.txt"]),
    ("what?.txt", &["what%3F.txt", "what%3f.txt"]),
    ("c#.txt", &["c%23.txt"]),
    (
        "a+b&c=d;e,f!$'()*@:~_-.txt",
        &[
            "a+b&c=d;e,f!$'()*@:~_-.txt",
            "a%2Bb%26c%3Dd%3Be%2Cf%21%24%27%28%29%2A%40%3A%7E%5F%2D.txt",
        ],
    ),
    (
        "sub/tone.wav",
        &[
            "sub/tone.wav",
            "sub/./tone.wav",
            "sub/x/../tone.wav",
            "sub/%2e/tone.wav",
            "sub/x/%2E%2e/tone.wav",
        ],
    ),
];

on_both_drivers!(file_name_in_any_spelling_finds_its_file, named, |server| {
    let mut client = server.connect();
    for prefix in ["/p/", "/"] {
        for (name, spellings) in NAMES {
            for spelling in spellings {
                let answer = client.ask(&get(&format!("{prefix}{spelling}")));
                assert_eq!(answer.status, 200, "{prefix}{spelling}: {answer}");
                answer.expect_body(name.as_bytes());
            }
        }
    }
});

on_both_drivers!(query_does_not_choose_the_file, named, |server| {
    for query in ["?", "?x", "?x=1&y=/../..", "?/../plain.txt", "??"] {
        for prefix in ["/p/", "/"] {
            let answer = server.get(&format!("{prefix}plain.txt{query}"));
            answer.expect(200).expect_body(b"plain.txt");
        }
    }
});

on_both_drivers!(path_that_is_another_name_is_not_found, named, |server| {
    let mut client = server.connect();
    for path in [
        "plain.txt/",
        "PLAIN.TXT",
        "plain.txt%20",
        "sub%2Ftone.wav",
        "sub%2ftone.wav",
        "sub%5Ctone.wav",
        "sub//tone.wav",
        "/plain.txt",
        "hello+world.wav",
        "gr%FC%DFe.mp3",
        "100%2525.txt",
        "a%20b.txt",
        "plain.txt;x",
        "plain.txt:stream",
    ] {
        for prefix in ["/p/", "/"] {
            let answer = client.ask(&get(&format!("{prefix}{path}")));
            answer.expect_one_of(&[400, 404]);
            if answer.closes() {
                client = server.connect();
            }
        }
    }
});

on_both_drivers!(path_never_leaves_the_root, named, |server| {
    for path in [
        "/../outside.txt",
        "/p/../../outside.txt",
        "/%2e%2e/outside.txt",
        "/%2E%2E%2Foutside.txt",
        "/..%2foutside.txt",
        "/..%5coutside.txt",
        "/%2e%2e%5coutside.txt",
        "/sub/../../outside.txt",
        "/sub/%2e%2e/%2e%2e/outside.txt",
        "/./../outside.txt",
        "/..;/outside.txt",
        "/%c0%ae%c0%ae/outside.txt",
        "/%c0%ae%c0%ae%c0%afoutside.txt",
        "/%e0%80%ae%e0%80%ae/outside.txt",
        "/..%c0%afoutside.txt",
        "/%252e%252e/outside.txt",
        "/%uff0e%uff0e/outside.txt",
        "//../outside.txt",
        "/../../../../../../../../etc/passwd",
        "/..%2f..%2f..%2f..%2f..%2f..%2fetc/passwd",
        "//etc/passwd",
        "/%2fetc%2fpasswd",
        "/.%00./outside.txt",
        "/%2e%2e%00/outside.txt",
    ] {
        let answer = server.get(path);
        answer.expect_one_of(&[400, 403, 404]);
        let body = String::from_utf8_lossy(&answer.body);
        assert!(!body.contains("root:") && body != "outside", "{path}");
    }
});

on_both_drivers!(path_above_the_root_is_refused, media, |server| {
    for path in [
        "/..",
        "/../file/page.txt",
        "/file/../../file/page.txt",
        "/%2e%2e/file/page.txt",
    ] {
        server.get(path).expect(400);
    }
});

on_both_drivers!(
    octet_that_may_not_stand_in_a_path_is_refused,
    media,
    |server| {
        for path in [
            "/file/page%00.txt",
            "/file/page.txt%00",
            "/%00",
            "/file/page%.txt",
            "/file/page%2",
            "/file/page%2g.txt",
            "/file/page%zz.txt",
            "/file/%%70age.txt",
            "/file\\page.txt",
            "/file/page.txt#part",
        ] {
            let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
            assert_refused_or_answered_400(server, path, &request);
        }
    }
);

/// A 400 for the target; whether the connection goes on is the server's choice, but what follows is then a request.
#[track_caller]
fn assert_refused_or_answered_400(server: &crate::harness::Server, name: &str, request: &str) {
    let mut client = server.connect();
    client.send(request);
    let answer = client.answer("GET");
    assert_eq!(answer.status, 400, "{name}: {answer}");
    if answer.closes() {
        client.expect_closed();
    } else {
        client.ask(&get("/file/page.txt")).expect(200);
    }
}

on_both_drivers!(
    raw_octet_above_ascii_is_refused_or_means_its_encoding,
    named,
    |server| {
        let mut client = server.connect();
        client.send(b"GET /p/gr\xc3\xbc\xc3\x9fe.mp3 HTTP/1.1\r\nHost: a\r\n\r\n");
        let answer = client.answer("GET");
        if answer.expect_one_of(&[200, 400]).status == 200 {
            answer.expect_body("gr\u{fc}\u{df}e.mp3".as_bytes());
        }
    }
);

on_both_drivers!(absolute_form_is_understood, media, |server| {
    for target in [
        "http://media.test/file/page.txt",
        "HTTP://MEDIA.TEST:8080/file/page.txt",
        "https://media.test/file/page.txt",
        "http://127.0.0.1/file/page.txt?x",
        "http://[::1]:80/file/./page.txt",
    ] {
        server.get(target).expect(200);
    }
    server
        .get("http://media.test")
        .expect(200)
        .expect_body(b"<p>front</p>");
    server.get("http://media.test?x").expect_one_of(&[200, 400]);
});

on_both_drivers!(target_of_no_form_is_refused, media, |server| {
    for target in [
        "file/page.txt",
        "*",
        "media.test:80",
        "ftp://media.test/file/page.txt",
        "http:/file/page.txt",
        "http:///file/page.txt",
        "http://user@media.test/file/page.txt",
        "http://user:secret@media.test/file/page.txt",
        "http://me dia.test/file/page.txt",
        "://media.test/file/page.txt",
        "javascript:alert(1)",
    ] {
        let request = format!("GET {target} HTTP/1.1\r\nHost: media.test\r\n\r\n");
        assert_refused_or_answered_400(server, target, &request);
    }
    server.ask(&Request::new("HEAD", "*")).expect(400);
});

on_both_drivers!(target_that_is_too_long_is_refused, media, |server| {
    let target = format!("/file/{}", "x".repeat(20_000));
    let request = get(&target).bytes();
    assert_refused(server, "a long path", &request, &[414]);
    let query = get(&format!("/file/page.txt?{}", "x".repeat(20_000))).bytes();
    assert_refused(server, "a long query", &query, &[414]);
});

on_both_drivers!(long_target_within_the_limit_is_answered, media, |server| {
    let target = format!("/file/page.txt?{}", "x".repeat(14_000));
    server.get(&target).expect(200);
    let path = format!("/{}", "x".repeat(14_000));
    server.get(&path).expect_one_of(&[404, 414]);
    server
        .get(&format!("/{}", "x/".repeat(5_000)))
        .expect_one_of(&[404, 414]);
});
