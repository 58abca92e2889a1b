//! Starting: the config that is shipped serves the media that is shipped, and the driver is chosen as asked.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::harness::{Driver, Setup, eventually, get, head, media};

/// How soon an answer is in the log on a busy machine.
const LOGGED_WITHIN: Duration = Duration::from_secs(10);

/// Copies a folder with everything in it, in the order of names: a sibling is not older than its file.
fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    let entries = fs::read_dir(from).expect("a folder");
    let mut sources: Vec<_> = entries.map(|entry| entry.expect("one").path()).collect();
    sources.sort_unstable();
    for source in sources {
        let copy = to.join(source.file_name().expect("a name"));
        if source.is_dir() {
            copy_folder(&source, &copy);
        } else {
            fs::copy(source, copy).expect("copied");
        }
    }
}

/// The shipped config and media in a folder of the test's own, on free ports.
fn shipped() -> Setup {
    let mut setup = Setup::new();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    copy_folder(&source, &setup.folder.path(""));
    let text = fs::read_to_string(source.join("hotplate.toml")).expect("the shipped config");
    let free = text
        .replace("\"127.0.0.1:8080\"", "\"127.0.0.1:0\"")
        .replace("\"127.0.0.1:9090\"", "\"127.0.0.1:0\"");
    assert_ne!(free, text, "the shipped config names its ports");
    setup.config.verbatim = Some(free);
    setup
}

#[test]
fn shipped_config_serves_the_shipped_media() {
    let server = shipped().start(Driver::Epoll);
    let media = |name: &str| fs::read(server.folder.path("media").join(name)).expect("shipped");
    let kinds = [
        ("/prompts/welcome.wav", "prompts/welcome.wav", "audio/"),
        ("/prompts/goodbye.wav", "prompts/goodbye.wav", "audio/"),
        ("/hold.mp3", "hold.mp3", "audio/mpeg"),
        ("/hold.opus", "hold.opus", "audio/"),
        ("/live/index.m3u8", "hls/index.m3u8", ""),
        ("/live/segment0.ts", "hls/segment0.ts", "video/mp2t"),
        ("/live/segment1.ts", "hls/segment1.ts", "video/mp2t"),
        ("/about", "about.txt", "text/plain"),
        ("/cover.jpg", "cover.jpg", "image/jpeg"),
    ];
    for (target, name, kind) in kinds {
        let answer = server.get(target);
        answer.expect(200).expect_body(&media(name));
        assert!(answer.needs("content-type").starts_with(kind), "{answer}");
        let etag = answer.etag();
        let part = server.ask(&get(target).with("Range", "bytes=0-15"));
        part.expect(206).expect_body(&media(name)[..16]);
        server
            .ask(&get(target).with("If-None-Match", &etag))
            .expect(304);
    }
    for (coding, name) in [("br", "about.txt.br"), ("gzip", "about.txt.gz")] {
        let answer = server.ask(&get("/about").with("Accept-Encoding", coding));
        answer.expect(200).expect_body(&media(name));
        assert_eq!(answer.needs("content-encoding"), coding);
    }
}

#[test]
fn automatic_driver_is_io_uring_where_it_works_and_says_why() {
    let mut setup = media();
    let text = setup.config.text(Driver::Epoll);
    setup.config.verbatim = Some(text.replace("driver = \"epoll\"", "driver = \"auto\""));
    let server = setup.start(Driver::Epoll);
    server.get("/file/page.txt").expect(200);
    let output = server.output();
    let line = output
        .lines()
        .find(|line| line.starts_with("driver "))
        .unwrap_or_else(|| panic!("no driver named in:\n{output}"));
    if Driver::IoUring.is_permitted(module_path!()) {
        assert!(line.contains("io_uring"), "{line}");
    } else {
        assert!(line.contains("epoll"), "{line}");
    }
    let stats = server.ask_admin(&get("/api/stats"));
    let stats: serde_json::Value = serde_json::from_slice(&stats.body).expect("JSON");
    assert!(
        line.contains(stats["driver"]["name"].as_str().expect("a name")),
        "{line}"
    );
}

on_both_drivers!(every_worker_answers, || media().workers(3), |server| {
    // The kernel spreads connections over the workers' listeners.
    for _ in 0..60 {
        server.get("/mmap/page.txt").expect(200);
    }
});

on_both_drivers!(
    every_listener_answers,
    || {
        let mut setup = media();
        setup.config.listen = vec!["127.0.0.1:0".to_owned(), "127.0.0.2:0".to_owned()];
        setup
    },
    |server| {
        let output = server.output();
        let addresses: Vec<std::net::SocketAddr> = output
            .lines()
            .filter_map(|line| line.strip_prefix("listening on http://"))
            .map(|address| address.trim().parse().expect("an address"))
            .collect();
        assert_eq!(addresses.len(), 2, "{output}");
        for address in addresses {
            let mut client = crate::harness::Client::open(address);
            client.ask(&get("/file/page.txt")).expect(200);
        }
    }
);

/// Whether this machine has IPv6 at all.
fn has_ipv6() -> bool {
    std::net::TcpListener::bind("[::1]:0").is_ok()
}

on_both_drivers!(
    ipv6_listener_answers,
    || {
        let mut setup = media().server("access_log = \"stdout\"");
        if has_ipv6() {
            setup.config.listen = vec!["[::1]:0".to_owned()];
        }
        setup
    },
    |server| {
        if !has_ipv6() {
            // As loud as a driver that is skipped.
            eprintln!("skipped: this machine has no IPv6");
            return;
        }
        assert!(server.address.is_ipv6(), "{}", server.address);
        let host = server.address.to_string();
        let mut client = server.connect();
        for target in ["/file/page.txt", "/memory/large.bin", "/plain.txt"] {
            let request = get(target).host(&host);
            let answer = client.ask(&request);
            let etag = answer.expect(200).etag();
            let part = client.ask(&request.clone().with("Range", "bytes=5-9"));
            part.expect(206).expect_body(&answer.body[5..=9]);
            client
                .ask(&request.with("If-None-Match", &etag))
                .expect(304);
        }
        client
            .ask(&head(&format!("http://{host}/mmap/page.txt")))
            .expect(200);
        eventually(LOGGED_WITHIN, "the client's address is logged", || {
            server.output().lines().any(|line| line.starts_with("::1 "))
        });
    }
);
