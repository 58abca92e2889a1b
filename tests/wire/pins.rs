//! Pins as configured: which files, under which URLs, with which fields, and what happens to those that cannot be pinned.

use std::os::unix::fs::symlink;

use crate::harness::{HOLDS, Setup, get, pattern};

fn places() -> Setup {
    Setup::new()
        .file("one.wav", b"one")
        .file("prompts/en/hello.wav", b"hello")
        .file("prompts/en/bye.wav", b"bye")
        .file("prompts/de/hallo.wav", b"hallo")
        .file("prompts/notes.txt", b"notes")
        .file("prompts/top.wav", b"top")
        .file("with space/a b.wav", b"spaced")
        .pin("one.wav", "/exact/name.wav")
        .pin("one.wav", "/named/")
        .pin("prompts", "/folder/")
        .pin("prompts/**/*.wav", "/glob/")
        .pin("prompts/*.wav", "/flat/")
        .pin("with space/*", "/spaced/")
}

on_both_drivers!(pin_of_a_file_stands_under_its_url, places, |server| {
    server
        .get("/exact/name.wav")
        .expect(200)
        .expect_body(b"one");
    server.get("/named/one.wav").expect(200).expect_body(b"one");
    for target in ["/exact/", "/exact/one.wav", "/named/", "/named", "/one.wav"] {
        server.get(target).expect_one_of(&[301, 403, 404]);
    }
});

on_both_drivers!(pin_of_a_folder_or_glob_appends_the_path, places, |server| {
    for (target, body) in [
        ("/folder/en/hello.wav", "hello"),
        ("/folder/notes.txt", "notes"),
        ("/folder/top.wav", "top"),
        ("/glob/en/hello.wav", "hello"),
        ("/glob/de/hallo.wav", "hallo"),
        ("/glob/top.wav", "top"),
        ("/flat/top.wav", "top"),
        ("/spaced/a%20b.wav", "spaced"),
    ] {
        server.get(target).expect(200).expect_body(body.as_bytes());
    }
    for target in [
        "/glob/notes.txt",
        "/flat/en/hello.wav",
        "/folder/",
        "/glob/hello.wav",
    ] {
        server.get(target).expect_one_of(&[403, 404]);
    }
});

on_both_drivers!(
    fields_of_a_pin_are_as_configured,
    || {
        Setup::new()
            .file("a.dat", b"a")
            .file("b.wav", b"b")
            .pin_with("a.dat", "/a", |pin| {
                pin.content_type("audio/x-special")
                    .cache_control("no-store")
            })
            .pin("b.wav", "/b.wav")
    },
    |server| {
        let answer = server.get("/a");
        assert_eq!(answer.needs("content-type"), "audio/x-special");
        assert_eq!(answer.needs("cache-control"), "no-store");
        assert!(server.get("/b.wav").field("cache-control").is_none());
    }
);

on_both_drivers!(
    cache_status_of_a_pin_is_a_hit,
    crate::harness::media,
    |server| {
        for hold in HOLDS {
            let answer = server.get(&format!("/{hold}/page.txt"));
            let status = answer.needs("cache-status");
            assert!(status.contains("hit") && status.contains(hold), "{status}");
        }
    }
);

/// Extensions and the types that fit them.
const TYPES: [(&str, &[&str]); 26] = [
    ("wav", &["audio/wav", "audio/x-wav", "audio/vnd.wave"]),
    ("WAV", &["audio/wav", "audio/x-wav", "audio/vnd.wave"]),
    ("ulaw", &["audio/basic", "audio/pcmu", "audio/x-mulaw"]),
    (
        "alaw",
        &["audio/pcma", "audio/x-alaw-basic", "audio/x-alaw"],
    ),
    ("opus", &["audio/ogg", "audio/opus"]),
    ("ogg", &["audio/ogg", "application/ogg"]),
    ("mp3", &["audio/mpeg"]),
    ("m4a", &["audio/mp4", "audio/x-m4a"]),
    ("aac", &["audio/aac"]),
    ("flac", &["audio/flac", "audio/x-flac"]),
    ("gsm", &["audio/gsm", "audio/x-gsm"]),
    ("mp4", &["video/mp4"]),
    ("webm", &["video/webm"]),
    (
        "m3u8",
        &[
            "application/vnd.apple.mpegurl",
            "application/x-mpegurl",
            "audio/mpegurl",
        ],
    ),
    ("mpd", &["application/dash+xml"]),
    ("m4s", &["video/iso.segment", "video/mp4", "audio/mp4"]),
    ("ts", &["video/mp2t"]),
    ("vtt", &["text/vtt"]),
    ("jpg", &["image/jpeg"]),
    ("webp", &["image/webp"]),
    ("png", &["image/png"]),
    ("txt", &["text/plain"]),
    ("html", &["text/html"]),
    ("json", &["application/json"]),
    ("unheardof", &["application/octet-stream"]),
    ("tar.zz9", &["application/octet-stream"]),
];

fn typed() -> Setup {
    let mut setup = Setup::new().pin("typed", "/");
    for (extension, _) in TYPES {
        setup = setup.file(format!("typed/name.{extension}"), b"bytes");
    }
    setup.file("typed/name", b"bytes")
}

on_both_drivers!(content_type_fits_the_name, typed, |server| {
    let mut client = server.connect();
    for (extension, allowed) in TYPES {
        let answer = client.ask(&get(&format!("/name.{extension}")));
        let found = answer.expect(200).needs("content-type").to_lowercase();
        let kind = found.split(';').next().unwrap_or_default().trim();
        assert!(allowed.contains(&kind), "{extension}: {found}");
        let text = kind.starts_with("text/") && kind != "text/vtt";
        assert!(
            !text || found.contains("charset=utf-8"),
            "{extension}: {found}"
        );
    }
    let answer = client.ask(&get("/name"));
    assert_eq!(answer.needs("content-type"), "application/octet-stream");
});

on_both_drivers!(
    file_of_64_mib_is_intact_for_every_hold,
    || {
        Setup::new()
            .file("big/big.bin", pattern(64 << 20, 64))
            .pin_under_every_hold("big", |pin| pin)
    },
    |server| {
        let file = pattern(64 << 20, 64);
        for hold in HOLDS {
            let target = format!("/{hold}/big.bin");
            server.get(&target).expect(200).expect_body(&file);
            let tail = server.ask(&get(&target).with("Range", "bytes=33554431-"));
            tail.expect(206).expect_body(&file[33_554_431..]);
        }
    }
);

on_both_drivers!(
    sparse_file_of_5_gib_is_served_by_range,
    || {
        let setup = Setup::new().file("big/sparse.bin", b"start");
        setup.folder.truncate("big/sparse.bin", 5 << 30);
        setup.folder.append("big/sparse.bin", b"end");
        setup
            .pin_with("big", "/file/", |pin| pin.hold("file"))
            .pin_with("big", "/mmap/", |pin| pin.hold("mmap"))
    },
    |server| {
        for hold in ["file", "mmap"] {
            let target = format!("/{hold}/sparse.bin");
            let size = (5_u64 << 30) + 3;
            let answer = server.ask(&get(&target).with("Range", "bytes=-5"));
            answer.expect(206).expect_body(b"\0\0end");
            assert_eq!(
                answer.needs("content-range"),
                format!("bytes {}-{}/{size}", size - 5, size - 1)
            );
            let answer = server.ask(&get(&target).with("Range", "bytes=4294967295-4294967296"));
            answer.expect(206).expect_body(b"\0\0");
            let answer = server.ask(&crate::harness::head(&target));
            assert_eq!(answer.needs("content-length"), size.to_string());
        }
    }
);

on_both_drivers!(
    first_of_overlapping_globs_wins,
    || {
        Setup::new()
            .file("a/x.txt", b"first")
            .file("b/x.txt", b"second")
            .file("b/y.txt", b"only second")
            .pin("a/*.txt", "/p/")
            .pin("b/*.txt", "/p/")
    },
    |server| {
        server.get("/p/x.txt").expect(200).expect_body(b"first");
        server
            .get("/p/y.txt")
            .expect(200)
            .expect_body(b"only second");
    }
);

on_both_drivers!(
    pin_goes_before_a_root_file,
    || {
        Setup::new()
            .file("pin.txt", b"pin")
            .file("www/both.txt", b"root")
            .pin("pin.txt", "/both.txt")
            .site(&[], "www")
    },
    |server| {
        server.get("/both.txt").expect(200).expect_body(b"pin");
    }
);

on_both_drivers!(
    pin_that_matches_nothing_is_reported_and_start_goes_on,
    || {
        Setup::new()
            .file("there.txt", b"there")
            .pin("missing-file.txt", "/missing.txt")
            .pin("no-such-folder/**/*.wav", "/none/")
            .pin("there.txt", "/there.txt")
    },
    |server| {
        server.get("/there.txt").expect(200);
        server.get("/missing.txt").expect(404);
        let output = server.output();
        assert!(output.contains("missing-file.txt"), "{output}");
        assert!(output.contains("no-such-folder"), "{output}");
        let status = server.ask_admin(&get("/api/stats"));
        let text = String::from_utf8_lossy(&status.body).into_owned();
        assert!(text.contains("missing-file.txt"), "{text}");
    }
);

on_both_drivers!(
    pin_that_is_no_readable_file_is_reported_and_start_goes_on,
    || {
        let setup = Setup::new().file("p/there.txt", b"there");
        symlink("nowhere", setup.folder.path("p/dangling.txt")).expect("a link");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            setup.folder.path("p/pipe.txt"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RWXU,
            0,
        )
        .expect("a pipe");
        setup.pin("p/*.txt", "/p/")
    },
    |server| {
        server.get("/p/there.txt").expect(200);
        for target in ["/p/dangling.txt", "/p/pipe.txt"] {
            server.get(target).expect(404);
        }
        let output = server.output();
        for words in [
            "dangling.txt: it is a link",
            "pipe.txt: it is not a regular",
        ] {
            assert!(output.contains(words), "no {words:?} in:\n{output}");
        }
        assert!(output.contains("pinned 1 of 3 files"), "{output}");
    }
);

on_both_drivers!(
    copies_beyond_the_memory_budget_are_reported_and_start_goes_on,
    || {
        let mut setup = Setup::new()
            .file("m/large.bin", pattern(3_000_000, 1))
            .file("m/small.bin", pattern(1_000, 2))
            .pin_with("m/*.bin", "/m/", |pin| pin.hold("memory"));
        setup.config.memory.push("size = \"1MiB\"".to_owned());
        setup
    },
    |server| {
        server
            .get("/m/small.bin")
            .expect(200)
            .expect_body(&pattern(1_000, 2));
        let output = server.output();
        assert!(output.contains("large.bin"), "{output}");
        // It is held as a file instead.
        let answer = server.get("/m/large.bin");
        answer.expect(200).expect_body(&pattern(3_000_000, 1));
        assert!(server.process().private_bytes() < 200 << 20);
    }
);

on_both_drivers!(
    start_says_what_is_pinned_and_which_driver_moves_it,
    places,
    |server| {
        let output = server.output();
        for word in [server.driver.name(), "/exact/name.wav", "/glob/"] {
            assert!(output.contains(word), "no {word:?} in:\n{output}");
        }
    }
);
