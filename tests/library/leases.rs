//! A path stays for its lease whatever happens to what is stored, and goes afterwards.

use std::path::Path;

use serde_json::{Value, json};

use crate::harness::origin::{Made, Origin, content};
use crate::harness::{Request, Server, eventually};
use crate::shelf::{SOON, Shelf, bytes, fails, figure, got, got_with, leases, path, post, told};

/// In memory and packed, in memory with a file of its own, in a file alone.
const SIZES: [u64; 3] = [1000, 40_000, 500_000];

fn clear(server: &Server) {
    let clear = Request::new("POST", "/api/cache/clear");
    server.ask_admin(&clear).expect(200);
}

fn got_all(server: &Server, origin: &Origin) -> Vec<(u64, u64, Value)> {
    let all = (1..).zip(SIZES).map(|(seed, size)| {
        let name = format!("/{size}.wav");
        origin.serve(&name, Made::new(seed, size).max_age(600));
        (seed, size, got(server, &format!("{}{name}", origin.url())))
    });
    all.collect()
}

#[track_caller]
fn expect_all(all: &[(u64, u64, Value)]) {
    for (seed, size, found) in all {
        assert_eq!(bytes(found), content(*seed, 0..*size), "{size}");
    }
}

#[test]
fn path_outlives_a_purge_a_clear_and_a_removal() {
    let origin = Origin::start();
    let server = Shelf::open().start();
    let all = got_all(&server, &origin);
    let purge = Request::new("POST", "/api/purge").body(b"{\"all\":true}");
    server.ask_admin(&purge).expect(200);
    expect_all(&all);
    let all = got_all(&server, &origin);
    clear(&server);
    expect_all(&all);
    let all = got_all(&server, &origin);
    for (_, size, _) in &all {
        let url = format!("{}/{size}.wav", origin.url());
        post(&server, "remove", &json!({"url": url})).expect(200);
    }
    expect_all(&all);
    // The store has none of them any more: they count against the library's own bound.
    let held = figure(&server, &["library", "held_bytes"]);
    assert_eq!(held, 3 * SIZES.iter().sum::<u64>());
}

#[test]
fn path_outlives_an_eviction() {
    let origin = Origin::start();
    let server = Shelf::open()
        .with(|mut setup| {
            setup.config.disk[1] = "size = \"8MiB\"".to_owned();
            setup
        })
        .start();
    let all = got_all(&server, &origin);
    for number in 0..40 {
        let name = format!("/more/{number}.wav");
        origin.serve(&name, Made::new(100 + number, 1_000_000).max_age(600));
        got_with(
            &server,
            &format!("{}{name}", origin.url()),
            json!({"lease": "1s"}),
        );
    }
    eventually(SOON, "something was evicted", || {
        figure(&server, &["disk", "gone", "evicted"]) > 20
    });
    expect_all(&all);
}

#[test]
fn url_that_changes_under_a_lease_has_a_new_path_and_the_old_one_stays() {
    let origin = Origin::start();
    let server = Shelf::open().start();
    let url = format!("{}/a.wav", origin.url());
    let mut all = Vec::new();
    for seed in 1..=5 {
        origin.serve("/a.wav", Made::new(seed, 100_000 * seed).max_age(0));
        all.push((seed, 100_000 * seed, got(&server, &url)));
    }
    expect_all(&all);
    let paths: std::collections::HashSet<_> = all.iter().map(|(_, _, one)| path(one)).collect();
    assert_eq!(paths.len(), 5);
}

#[test]
fn file_goes_when_its_lease_ends() {
    let origin = Origin::start();
    let server = Shelf::open().start();
    origin.serve("/a.wav", Made::new(1, 1000).max_age(600));
    origin.serve("/b.wav", Made::new(2, 500_000).max_age(600));
    let urls = ["/a.wav", "/b.wav"].map(|name| format!("{}{name}", origin.url()));
    let found = urls
        .each_ref()
        .map(|url| got_with(&server, url, json!({"lease": "1s"})));
    for one in &found {
        assert!(path(one).exists());
        assert!(one["lease"]["seconds"].as_f64().unwrap() <= 1.0);
    }
    eventually(SOON, "the files are gone", || {
        found.iter().all(|one| !path(one).exists())
    });
    assert!(leases(&server).is_empty());
    assert_eq!(figure(&server, &["library", "leases_ended", "expired"]), 2);
    let folder = server.folder.path("store/library");
    let left = std::fs::read_dir(folder).unwrap().flatten();
    assert_eq!(left.filter(|entry| entry.path().is_dir()).count(), 0);
    // What is stored stays.
    got(&server, &urls[1]);
    assert_eq!(origin.asked().len(), 2);
}

#[test]
fn lease_is_listed_renewed_and_given_back() {
    let origin = Origin::start();
    let server = Shelf::open().start();
    origin.serve("/a.wav", Made::new(1, 1000).max_age(600));
    let url = format!("{}/a.wav", origin.url());
    let found = got_with(&server, &url, json!({"lease": 20}));
    got(&server, &url);
    let id = &found["lease"]["id"];
    let listed = leases(&server);
    assert_eq!(listed.len(), 1);
    assert_eq!((&listed[0]["id"], &listed[0]["url"]), (id, &json!(url)));
    assert_eq!(
        (&listed[0]["holders"], &listed[0]["size_bytes"]),
        (&json!(2), &json!(1000))
    );
    let body = json!({"id": id, "act": "renew", "lease": "10m"});
    let renewed = told(post(&server, "lease", &body).expect(200));
    assert!(renewed["seconds"].as_f64().unwrap() > 590.0, "{renewed}");
    let release = json!({"id": id, "act": "release"});
    assert_eq!(
        told(post(&server, "lease", &release).expect(200))["holders"],
        1
    );
    assert!(path(&found).exists());
    assert_eq!(
        told(post(&server, "lease", &release).expect(200))["holders"],
        0
    );
    assert!(!path(&found).exists());
    let gone = told(post(&server, "lease", &release).expect(404));
    assert_eq!(gone["code"], "no_lease");
}

#[test]
fn lease_survives_a_restart_and_a_kill_and_ends_afterwards() {
    let origin = Origin::start();
    let mut server = Shelf::open().start();
    let long: Vec<_> = (1..).zip(SIZES).collect();
    let get_long = |server: &Server, (seed, size): (u64, u64)| {
        let name = format!("/{size}.wav");
        origin.serve(&name, Made::new(seed, size).max_age(600));
        let url = format!("{}{name}", origin.url());
        got_with(server, &url, json!({"lease": "1h"}))
    };
    let all: Vec<_> = long
        .iter()
        .map(|one| (one.0, one.1, get_long(&server, *one)))
        .collect();
    origin.serve("/short.wav", Made::new(9, 1000).max_age(600));
    let short = format!("{}/short.wav", origin.url());
    let short = got_with(&server, &short, json!({"lease": "1s"}));
    for is_kill in [false, true] {
        match is_kill {
            true => server.kill_and_start(),
            false => server.restart(),
        }
        clear(&server);
        expect_all(&all);
    }
    let listed = leases(&server);
    let ends = listed
        .iter()
        .filter(|one| one["seconds"].as_f64().unwrap() > 3500.0);
    assert_eq!(ends.count(), SIZES.len());
    // Who holds them is not known any more: whoever gives one back takes it from nobody.
    assert!(listed.iter().all(|one| one["holders"].is_null()));
    let id = &all[0].2["lease"]["id"];
    let release = json!({"id": id, "act": "release"});
    let released = told(post(&server, "lease", &release).expect(200));
    assert!(released["holders"].is_null(), "{released}");
    expect_all(&all);
    eventually(SOON, "the short lease has ended", || !path(&short).exists());
}

#[test]
fn bound_of_leased_bytes_is_told_and_held() {
    let origin = Origin::start();
    let server = Shelf::open().line("size = \"1MiB\"").start();
    let url = |number: u64| {
        let name = format!("/{number}.wav");
        origin.serve(&name, Made::new(number, 600_000).max_age(600));
        format!("{}{name}", origin.url())
    };
    let first = got(&server, &url(1));
    let second = got(&server, &url(2));
    // Linked files cost nothing as long as the store has them, too.
    assert_eq!(figure(&server, &["library", "held_bytes"]), 0);
    clear(&server);
    assert_eq!(figure(&server, &["library", "held_bytes"]), 1_200_000);
    let why = fails(&server, &url(3), (507, "library_full", "hotplate"));
    assert!(
        why["error"].as_str().unwrap().contains("library.size"),
        "{why}"
    );
    assert_eq!(figure(&server, &["library", "limits", "size"]), 1);
    for one in [first, second] {
        let id = &one["lease"]["id"];
        post(&server, "lease", &json!({"id": id, "act": "release"})).expect(200);
    }
    got(&server, &url(3));
}

#[test]
fn after_a_restart_leased_bytes_count_where_the_store_has_them_no_more() {
    let origin = Origin::start();
    let mut server = Shelf::open().line("size = \"1MiB\"").start();
    let url = |number: u64| {
        let name = format!("/{number}.wav");
        origin.serve(&name, Made::new(number, 600_000).max_age(600));
        format!("{}{name}", origin.url())
    };
    got(&server, &url(1));
    got(&server, &url(2));
    server.restart();
    assert_eq!(figure(&server, &["library", "held_bytes"]), 0);
    let third = got(&server, &url(3));
    assert_eq!(bytes(&third), content(3, 0..600_000));
    // What the store lets go of from now on is found, too.
    clear(&server);
    eventually(SOON, "all are held", || {
        figure(&server, &["library", "held_bytes"]) == 1_800_000
    });
    fails(&server, &url(4), (507, "library_full", "hotplate"));
}

#[test]
fn file_of_the_store_that_was_damaged_is_not_handed_out() {
    let origin = Origin::start();
    let mut server = Shelf::open().start();
    origin.serve("/a.wav", Made::new(1, 40_000).max_age(600));
    let url = format!("{}/a.wav", origin.url());
    let release = |server: &Server, got: &Value| {
        let id = &got["lease"]["id"];
        post(server, "lease", &json!({"id": id, "act": "release"})).expect(200);
    };
    // The store has it, and let go of its file.
    release(&server, &got(&server, &url));
    server.restart();
    let made = |server: &Server, way: &str| figure(server, &["library", "leases_made", way]);
    // It is in memory again, and the lease is a second name of the store's file, to damage it by.
    let data = server.folder.path("store/data.wav");
    let linked = got(&server, &url);
    assert_eq!((made(&server, "linked"), made(&server, "copied")), (1, 0));
    std::fs::hard_link(path(&linked), &data).unwrap();
    release(&server, &linked);
    let file = std::fs::File::options().write(true).open(&data).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, b"damaged", 100).unwrap();
    let next = got(&server, &url);
    assert!(bytes(&next) == content(1, 0..40_000), "damaged bytes");
    assert_eq!((made(&server, "linked"), made(&server, "copied")), (1, 1));
    // It came from memory: nobody was asked for it.
    assert_eq!(origin.asked().len(), 1);
}

#[test]
fn bound_of_leases_is_told_and_held() {
    let origin = Origin::start();
    let server = Shelf::open().line("leases = 2").start();
    let url = |number: u64| {
        let name = format!("/{number}.wav");
        origin.serve(&name, Made::new(number, 1000).max_age(600));
        format!("{}{name}", origin.url())
    };
    got(&server, &url(1));
    got(&server, &url(2));
    fails(&server, &url(3), (507, "library_full", "hotplate"));
    // One that is there already takes no further place.
    got(&server, &url(2));
}

#[test]
fn group_may_read_and_search_and_nothing_else() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let origin = Origin::start();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    // Root alone may give files to any group.
    let group = match rustix::process::getuid().is_root() {
        true => 12345,
        false => rustix::process::getgid().as_raw(),
    };
    let line = format!("group = \"{group}\"");
    let mut server = Shelf::open().line(&line).start();
    let store = server.folder.path("store");
    for _ in 0..2 {
        let all = got_all(&server, &origin);
        assert_eq!(mode(&store), 0o710);
        assert_eq!(mode(&store.join("library")), 0o750);
        assert_eq!(mode(&store.join("objects")), 0o700);
        for (_, _, found) in &all {
            let file = path(found);
            assert!(matches!(mode(&file), 0o440 | 0o640), "{}", file.display());
            assert_eq!(mode(file.parent().unwrap()), 0o750);
            for path in [&*file, file.parent().unwrap(), &store] {
                assert_eq!(std::fs::metadata(path).unwrap().gid(), group, "{path:?}");
            }
        }
        // The store's folder is opened anew, and what is in it still found.
        server.restart();
    }
    assert_eq!(origin.asked().len(), SIZES.len());
}
