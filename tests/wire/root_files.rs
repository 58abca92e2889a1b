//! Files below a site's root: what is found, what is never shown, and how soon a change is seen.

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _, symlink};
use std::time::Duration;

use crate::harness::{Answer, Client, Server, Setup, eventually, get, head, media, pattern};

/// How soon a change below a root must be seen: the second that the specification gives, and room for a busy machine.
const SEEN_WITHIN: Duration = Duration::from_secs(4);

/// Asserts that an error page tells nothing about the machine, the files or the program's version.
#[track_caller]
fn assert_discreet(server: &Server, answer: &Answer) {
    let shown = format!("{answer}\n{}", String::from_utf8_lossy(&answer.body)).to_lowercase();
    let folder = server.folder.path("").to_string_lossy().to_lowercase();
    let version = env!("CARGO_PKG_VERSION");
    for secret in [
        folder.trim_end_matches('/'),
        "/tmp",
        "linux",
        "os error",
        "errno",
        version,
    ] {
        assert!(!shown.contains(secret), "{secret:?} in {shown}");
    }
}

on_both_drivers!(file_below_the_root_is_served, media, |server| {
    let mut client = server.connect();
    for _ in 0..3 {
        let answer = client.ask(&get("/plain.txt"));
        answer.expect(200).expect_body(&pattern(2_000, 5));
        assert!(answer.needs("content-type").starts_with("text/plain"));
        assert_eq!(answer.needs("accept-ranges"), "bytes");
        answer.etag();
        answer.needs("last-modified");
    }
});

on_both_drivers!(large_file_below_the_root_is_intact, media, |server| {
    server.folder.place("www/large.bin", pattern(5_000_011, 9));
    for _ in 0..3 {
        server
            .get("/large.bin")
            .expect(200)
            .expect_body(&pattern(5_000_011, 9));
    }
    server.folder.place("www/empty.bin", b"");
    server.get("/empty.bin").expect(200).expect_body(b"");
});

on_both_drivers!(folder_with_a_slash_is_its_index, media, |server| {
    server.get("/").expect(200).expect_body(b"<p>front</p>");
    server
        .get("/?query")
        .expect(200)
        .expect_body(b"<p>front</p>");
    let answer = server.get("/folder/");
    answer.expect(200).expect_body(b"<p>folder</p>");
    assert!(answer.needs("content-type").starts_with("text/html"));
});

on_both_drivers!(folder_without_a_slash_is_redirected, media, |server| {
    for (target, location) in [("/folder", "/folder/"), ("/folder?a=b", "/folder/")] {
        let answer = server.get(target);
        answer.expect(301);
        let found = answer.needs("location");
        let path = found.strip_prefix("http://media.test").unwrap_or(found);
        let path = path.strip_suffix("?a=b").unwrap_or(path);
        assert_eq!(path, location);
        assert_discreet(server, &answer);
    }
    let answer = server.ask(&head("/folder"));
    assert!(answer.expect(301).field("location").is_some());
});

on_both_drivers!(redirect_location_can_not_be_forged, media, |server| {
    fs::create_dir_all(server.folder.path("www/evil.test")).expect("a folder");
    fs::create_dir_all(server.folder.path("www/a\r\nSet-Cookie: b")).expect("a folder");
    let answer = server.get("//evil.test");
    if answer.expect_one_of(&[301, 400, 404]).status == 301 {
        // "//evil.test/" would be another host.
        assert!(!answer.needs("location").starts_with("//"), "{answer}");
    }
    let answer = server.get("/a%0D%0ASet-Cookie:%20b");
    answer.expect_one_of(&[301, 400, 404]);
    assert!(answer.field("set-cookie").is_none());
});

on_both_drivers!(folder_without_an_index_is_never_listed, media, |server| {
    server.folder.place("www/bare/private-name.txt", b"text");
    let answer = server.get("/bare/");
    answer.expect_one_of(&[403, 404]);
    assert!(!String::from_utf8_lossy(&answer.body).contains("private-name"));
    server.get("/bare/private-name.txt").expect(200);
});

on_both_drivers!(dotfile_is_not_found, media, |server| {
    for name in [
        ".secret",
        ".git/config",
        "folder/.htpasswd",
        "..hidden",
        "folder/.d/index.html",
    ] {
        server.folder.place(format!("www/{name}"), b"secret");
        let answer = server.get(&format!("/{name}"));
        answer.expect(404);
        assert_discreet(server, &answer);
    }
    server.get("/%2esecret").expect(404);
    server.get("/folder/.d/").expect(404);
    server.get("/.git").expect(404);
    server.get("/.git/").expect(404);
});

on_both_drivers!(
    unknown_path_is_not_found_and_says_nothing,
    media,
    |server| {
        for target in [
            "/nothing",
            "/folder/nothing",
            "/plain.txt/more",
            "/file/nothing",
            "/nothing/",
        ] {
            let answer = server.get(target);
            answer.expect(404);
            assert_discreet(server, &answer);
            assert!(answer.field("etag").is_none() && answer.field("last-modified").is_none());
        }
    }
);

on_both_drivers!(error_page_does_not_echo_the_request, media, |server| {
    let answer =
        server.ask(&get("/%3Cscript%3Ealert(1)%3C/script%3E").with("User-Agent", "<b>agent</b>"));
    answer.expect(404);
    let body = String::from_utf8_lossy(&answer.body).to_lowercase();
    assert!(
        !body.contains("script") && !body.contains("agent"),
        "{body}"
    );
});

on_both_drivers!(symlink_out_of_the_root_is_not_followed, media, |server| {
    server.folder.place("outside/secret.txt", b"outside");
    let link = |target: &str, name: &str| {
        symlink(target, server.folder.path(format!("www/{name}"))).expect("a link");
    };
    let outside = server.folder.path("outside");
    let outside = outside.to_str().expect("UTF-8");
    link(&format!("{outside}/secret.txt"), "absolute.txt");
    link("../outside/secret.txt", "relative.txt");
    link(outside, "absolute");
    link("../outside", "relative");
    link("/etc/hostname", "hostname");
    link("loop", "loop");
    link("nowhere", "dangling");
    for target in [
        "/absolute.txt",
        "/relative.txt",
        "/absolute/secret.txt",
        "/relative/secret.txt",
        "/hostname",
        "/loop",
        "/dangling",
    ] {
        let answer = server.get(target);
        answer.expect_one_of(&[403, 404]);
        assert_discreet(server, &answer);
    }
});

on_both_drivers!(
    symlink_within_the_root_is_followed_or_hidden,
    media,
    |server| {
        symlink("plain.txt", server.folder.path("www/alias.txt")).expect("a link");
        let answer = server.get("/alias.txt");
        if answer.expect_one_of(&[200, 403, 404]).status == 200 {
            answer.expect_body(&pattern(2_000, 5));
        }
    }
);

on_both_drivers!(what_is_no_regular_file_is_not_found, media, |server| {
    let pipe = server.folder.path("www/pipe");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .expect("a pipe");
    assert!(fs::metadata(&pipe).expect("it").file_type().is_fifo());
    let socket = std::os::unix::net::UnixListener::bind(server.folder.path("www/socket"));
    socket.expect("a socket");
    let mut client = server.connect();
    for _ in 0..20 {
        client.ask(&get("/pipe")).expect_one_of(&[403, 404]);
        client.ask(&get("/socket")).expect_one_of(&[403, 404]);
    }
    client.ask(&get("/plain.txt")).expect(200);
});

on_both_drivers!(unreadable_file_is_forbidden, media, |server| {
    server.folder.place("www/closed.txt", b"closed");
    let path = server.folder.path("www/closed.txt");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).expect("mode 000");
    let answer = server.get("/closed.txt");
    // A superuser reads it all the same.
    if fs::File::open(&path).is_ok() {
        answer.expect(200);
    } else {
        answer.expect_one_of(&[403, 404]);
        assert_discreet(server, &answer);
    }
});

on_both_drivers!(
    names_longer_than_the_system_allows_are_not_found,
    media,
    |server| {
        let mut client = server.connect();
        let longest = "n".repeat(255);
        server.folder.place(format!("www/{longest}"), b"long");
        client
            .ask(&get(&format!("/{longest}")))
            .expect(200)
            .expect_body(b"long");
        client
            .ask(&get(&format!("/{}", "n".repeat(256))))
            .expect_one_of(&[404, 414]);
        client
            .ask(&get(&format!("/{}x", "folder/".repeat(700))))
            .expect_one_of(&[404, 414]);
    }
);

on_both_drivers!(change_below_the_root_is_seen, media, |server| {
    let first = server.get("/plain.txt").etag();
    let await_body = |body: &[u8]| {
        let mut etag = String::new();
        eventually(SEEN_WITHIN, &String::from_utf8_lossy(body), || {
            let answer = server.try_get("/plain.txt");
            let answer = answer.filter(|answer| answer.status == 200 && answer.body == body);
            etag = answer.as_ref().map_or_else(String::new, Answer::etag);
            answer.is_some()
        });
        etag
    };
    server.folder.replace("www/plain.txt", b"replaced");
    assert_ne!(await_body(b"replaced"), first);
    server
        .folder
        .rewrite("www/plain.txt", b"rewritten in place");
    await_body(b"rewritten in place");
    server.folder.append("www/plain.txt", b" and grown");
    await_body(b"rewritten in place and grown");
    server.folder.truncate("www/plain.txt", 9);
    await_body(b"rewritten");
    server.folder.remove("www/plain.txt");
    eventually(SEEN_WITHIN, "a deleted file", || {
        server
            .try_get("/plain.txt")
            .is_some_and(|answer| answer.status == 404)
    });
    server.folder.place("www/plain.txt", b"created anew");
    await_body(b"created anew");
});

on_both_drivers!(
    validator_below_the_root_never_covers_two_contents,
    media,
    |server| {
        let mut seen: Vec<(String, Vec<u8>)> = Vec::new();
        for version in 0..40_u8 {
            // The same size, and times closer together than a clock tick.
            server
                .folder
                .overwrite_start("www/plain.txt", &[version; 2_000]);
            let answer = server.get("/plain.txt");
            answer.expect_one_of(&[200, 503]);
            if answer.status == 200 {
                let first = answer.body[0];
                assert!(
                    answer.body.iter().all(|byte| *byte == first) || version == 0,
                    "a mixed body"
                );
                let etag = answer.etag();
                match seen.iter().find(|(known, _)| *known == etag) {
                    Some((_, body)) => {
                        assert!(*body == answer.body, "one entity-tag for two contents")
                    }
                    None => seen.push((etag, answer.body)),
                }
            }
        }
    }
);

fn many_files() -> Setup {
    let mut setup = Setup::new().site(&[], "www");
    for at in 0..3_000 {
        setup = setup.file(format!("www/{at}.txt"), format!("file {at}"));
    }
    setup
}

on_both_drivers!(
    descriptors_of_root_files_stay_bounded,
    many_files,
    |server| {
        let mut client = server.connect();
        for at in 0..3_000 {
            let answer = client.ask(&get(&format!("/{at}.txt")));
            answer
                .expect(200)
                .expect_body(format!("file {at}").as_bytes());
        }
        let open = server.process().descriptors_on("/www/");
        assert!(open <= 2_048, "{open} descriptors below the root");
    }
);

/// Files that each have siblings in every coding.
const CODED: usize = 1_200;
const CODINGS: [(&str, &str); 4] = [
    ("identity", ""),
    ("gzip", ".gz"),
    ("br", ".br"),
    ("zstd", ".zst"),
];
const ASKING: usize = 4;

fn coded_body(at: usize, coding: &str) -> String {
    format!("file {at} in {coding}")
}

/// Four descriptors a file: more than the share of descriptors that files below roots get.
fn coded_files() -> Setup {
    let mut setup = Setup::new().site(&[], "www");
    for at in 0..CODED {
        for (coding, extension) in CODINGS {
            let name = format!("www/{at}.txt{extension}");
            setup = setup.file(name, coded_body(at, coding));
        }
    }
    setup
}

/// Asks for a file in a coding. The body is that of the coding that the answer names: the one asked for, or none.
#[track_caller]
fn ask_coded(client: &mut Client, at: usize, coding: &str) -> bool {
    let request = get(&format!("/{at}.txt")).with("Accept-Encoding", coding);
    let answer = client.ask(&request);
    let found = answer
        .expect(200)
        .field("content-encoding")
        .unwrap_or("identity");
    assert!(found == coding || found == "identity", "{at}: {answer}");
    answer.expect_body(coded_body(at, found).as_bytes());
    found == coding
}

on_both_drivers!(
    siblings_beyond_the_share_of_descriptors_never_cost_an_answer,
    coded_files,
    |server| {
        let server: &Server = server;
        std::thread::scope(|scope| {
            for number in 0..ASKING {
                scope.spawn(move || {
                    let mut client = server.connect();
                    for turn in 0..CODED {
                        // Each client at its own place, so that their files differ at any time.
                        let at = (turn + number * CODED / ASKING) % CODED;
                        let (coding, _) = CODINGS[(turn + number) % CODINGS.len()];
                        // Without a descriptor to spare, a sibling is left out for the moment.
                        ask_coded(&mut client, at, coding);
                    }
                });
            }
        });
        let open = server.process().descriptors_on("/www/");
        assert!(open <= 3_072, "{open} descriptors below the root");
        // A sibling that found no descriptor is back when there is room again.
        let mut client = server.connect();
        for (coding, _) in CODINGS {
            eventually(SEEN_WITHIN, "a sibling is served again", || {
                ask_coded(&mut client, 0, coding)
            });
        }
    }
);
