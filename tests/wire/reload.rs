//! SIGHUP: a good config takes the place of the old one without losing a connection; a bad one is refused with its reasons.

use std::time::Duration;

use crate::harness::{Pin, Server, Setup, eventually, get};

/// How soon a reload must have happened on a busy machine.
const RELOADED_WITHIN: Duration = Duration::from_secs(6);

fn two_files() -> Setup {
    Setup::new()
        .file("a.txt", b"a")
        .file("b.txt", b"b")
        .file("www/root.txt", b"root")
        .file("other/root.txt", b"other root")
        .pin_with("a.txt", "/a.txt", |pin| pin.cache_control("max-age=1"))
        .site(&[], "www")
}

#[track_caller]
fn await_status(server: &Server, target: &str, status: u16) {
    eventually(
        RELOADED_WITHIN,
        &format!("{target} answers {status}"),
        || server.get(target).status == status,
    );
}

on_both_drivers!(
    reload_swaps_pins_and_keeps_connections,
    two_files,
    |server| {
        let mut client = server.connect();
        client.ask(&get("/a.txt")).expect(200);
        client.ask(&get("/b.txt")).expect(404);
        let pin = Pin::new(server.folder.path("b.txt"), "/b.txt");
        server.config.pins = vec![pin];
        server.reload();
        await_status(server, "/b.txt", 200);
        client.ask(&get("/b.txt")).expect(200).expect_body(b"b");
        client.ask(&get("/a.txt")).expect(404);
    }
);

on_both_drivers!(reload_changes_the_fields_of_a_pin, two_files, |server| {
    assert_eq!(server.get("/a.txt").needs("cache-control"), "max-age=1");
    let pin = Pin::new(server.folder.path("a.txt"), "/a.txt").cache_control("max-age=2");
    server.config.pins = vec![pin];
    server.reload();
    eventually(RELOADED_WITHIN, "the new Cache-Control", || {
        server.get("/a.txt").field("cache-control") == Some("max-age=2")
    });
});

on_both_drivers!(reload_changes_the_root_of_a_site, two_files, |server| {
    server.get("/root.txt").expect(200).expect_body(b"root");
    server.config.sites.clear();
    let root = server.folder.path("other");
    server.config.add_site(&[], &root);
    server.reload();
    eventually(RELOADED_WITHIN, "the new root", || {
        server.get("/root.txt").body == b"other root"
    });
});

on_both_drivers!(
    broken_config_is_refused_with_its_reasons_and_the_old_one_stays,
    two_files,
    |server| {
        let mut client = server.connect();
        client.ask(&get("/a.txt")).expect(200);
        let good = server.config.text(server.driver);
        for (text, reason) in [
            (format!("{good}\n[limitz]\nhead = \"1KiB\"\n"), "limitz"),
            (good.replace("workers = 2", "workers = \"two\""), "workers"),
            ("this is no TOML".to_owned(), "hotplate.toml"),
        ] {
            let before = server.output().len();
            server.reload_text(&text);
            eventually(
                RELOADED_WITHIN,
                &format!("the reason {reason:?} is printed"),
                || server.output()[before..].contains(reason),
            );
            client.ask(&get("/a.txt")).expect(200).expect_body(b"a");
            server.get("/root.txt").expect(200);
            assert!(server.is_running());
        }
        let pin = Pin::new(server.folder.path("b.txt"), "/b.txt");
        server.config.pins.push(pin);
        server.reload();
        await_status(server, "/b.txt", 200);
        client.ask(&get("/b.txt")).expect(200);
    }
);

on_both_drivers!(
    missing_config_is_refused_and_the_old_one_stays,
    two_files,
    |server| {
        let before = server.output().len();
        std::fs::remove_file(server.config_path()).expect("removed");
        server.process().signal(rustix::process::Signal::HUP);
        eventually(RELOADED_WITHIN, "the refusal is printed", || {
            server.output()[before..].contains("hotplate.toml")
        });
        server.get("/a.txt").expect(200);
        assert!(server.is_running());
    }
);

on_both_drivers!(many_reloads_leave_descriptors_flat, two_files, |server| {
    server.get("/a.txt").expect(200);
    let before = server.process().descriptor_count();
    for round in 0..30 {
        let value = format!("max-age={round}");
        let pin = Pin::new(server.folder.path("a.txt"), "/a.txt").cache_control(&value);
        server.config.pins = vec![pin];
        server.reload();
        eventually(RELOADED_WITHIN, "the reload", || {
            server.get("/a.txt").field("cache-control") == Some(value.as_str())
        });
    }
    eventually(
        RELOADED_WITHIN,
        "descriptors are back where they were",
        || server.process().descriptor_count() <= before + 4,
    );
});
