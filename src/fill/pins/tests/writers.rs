//! Files that somebody writes to in place.

use super::*;

#[test]
fn file_being_written_is_changing_and_a_copy_stays() {
    let mut bench = Bench::new();
    bench.write("a", "old");
    let rules = in_all_ways(&bench, "a", OnChange::Swap);
    bench.start(rules);
    let mut writer = fs::OpenOptions::new()
        .write(true)
        .open(bench.path("a"))
        .unwrap();
    for hold in [Hold::File, Hold::Mmap] {
        assert_eq!(bench.found(&url_of(hold)), Some(Found::Changing));
    }
    std::io::Write::write_all(&mut writer, b"new").unwrap();
    clock::pause(Duration::from_millis(100));
    // A machine that is busy for longer than the board is patient may have the new content already, verified piecewise.
    match bench.entry("/File") {
        None => assert_eq!(bench.body("/Memory").as_deref(), Some(&b"old"[..])),
        Some(entry) => assert!(matches!(entry.identity.object.held(), Held::Unguarded(_))),
    }
    drop(writer);
    for hold in HOLDS {
        bench.wait_for_body("close", &url_of(hold), b"new");
    }
}

#[test]
fn writer_who_stays_gets_the_file_served_unguarded() {
    let mut bench = Bench::new();
    bench.write("a", "old");
    let rules = in_all_ways(&bench, "a", OnChange::Swap);
    bench.start(rules);
    let mut writer = fs::OpenOptions::new()
        .append(true)
        .open(bench.path("a"))
        .unwrap();
    std::io::Write::write_all(&mut writer, b"er").unwrap();
    for hold in HOLDS {
        bench.wait_for_body("settled", &url_of(hold), b"older");
    }
    let entry = bench.entry("/Mmap").unwrap();
    assert!(matches!(entry.identity.object.held(), Held::Unguarded(_)));
    let report = bench.report();
    assert_eq!(report.totals.unguarded, 2);
    assert!(report.warnings.iter().any(|line| line.contains("writing")));
    std::io::Write::write_all(&mut writer, b"!").unwrap();
    assert!(read(&entry.identity.object).is_none());
    drop(entry);
    bench.wait("withdrawn", |bench| {
        bench.found("/Mmap") == Some(Found::Changing)
    });
    drop(writer);
    for hold in HOLDS {
        bench.wait_for_body("close", &url_of(hold), b"older!");
    }
    bench.wait("guard", |bench| bench.report().totals.unguarded == 0);
}

/// Each content is one repeated octet; an entity-tag must never be seen with two of them, nor a content mixed.
#[test]
fn rewriting_in_place_never_shows_bytes_under_a_foreign_etag() {
    let mut bench = Bench::new();
    let content = |number: usize| vec![u8::try_from(number % 251).unwrap(); 70_000];
    bench.write("a", content(0));
    let rules = in_all_ways(&bench, "a", OnChange::Swap);
    bench.start(rules);
    let is_done = AtomicBool::new(false);
    let contents_seen = AtomicUsize::new(0);
    let last = std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut contents = HashMap::new();
            while !is_done.load(Ordering::Relaxed) {
                for hold in HOLDS {
                    let Some(entry) = bench.entry(&url_of(hold)) else {
                        continue;
                    };
                    let Some(bytes) = read(&entry.identity.object) else {
                        continue;
                    };
                    assert!(bytes.iter().all(|octet| *octet == bytes[0]));
                    let seen = *contents
                        .entry(entry.identity.etag.clone())
                        .or_insert(bytes[0]);
                    assert_eq!(seen, bytes[0]);
                }
                contents_seen.store(contents.len(), Ordering::Relaxed);
            }
        });
        // Whatever happens here, the reader ends.
        let start = clock::mono();
        let has_time = || clock::mono().since(start) < PATIENCE * 6;
        let has_seen_enough = || contents_seen.load(Ordering::Relaxed) > 3;
        let mut number = 0;
        while (number < 40 || !has_seen_enough()) && has_time() && !reader.is_finished() {
            number += 1;
            bench.write("a", content(number));
            // Some contents stay long enough to be loaded, others do not.
            if number % 4 == 0 {
                clock::pause(Duration::from_millis(60));
            }
        }
        is_done.store(true, Ordering::Relaxed);
        reader.join().unwrap();
        assert!(has_seen_enough(), "too few contents were seen");
        number
    });
    for hold in HOLDS {
        bench.wait_for_body("last", &url_of(hold), &content(last));
    }
}

/// A writer waited for answers under way, and after a second the old content was taken unguarded: fresh answers from it were
/// broken off as soon as the writer wrote, over and over until the next look at the file.
#[test]
fn file_that_a_writer_waits_for_is_changing_until_its_new_content_is_loaded_once() {
    let mut bench = Bench::new();
    bench.write("a", "old");
    let pin = rule(bench.path("a"), "/a", Hold::File, OnChange::Swap);
    bench.start(vec![pin]);
    let under_way = bench.entry("/a").unwrap();
    let path = bench.path("a");
    let writer = std::thread::spawn(move || {
        let mut file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        std::io::Write::write_all(&mut file, b"new").unwrap();
        drop(file);
        // A name that comes and goes beside it, an access and a reader: none of them is a new content.
        fs::write(path.with_extension("x"), "x").unwrap();
        fs::read(&path).unwrap();
    });
    bench.wait("revoked", |_| under_way.is_revoked());
    let start = clock::mono();
    while clock::mono().since(start) < Duration::from_millis(1600) {
        assert_eq!(bench.found("/a"), Some(Found::Changing));
        clock::pause(Duration::from_millis(1));
    }
    drop(under_way);
    writer.join().unwrap();
    bench.wait("loaded", |bench| bench.entry("/a").is_some());
    let entry = bench.entry("/a").unwrap();
    let start = clock::mono();
    while clock::mono().since(start) < Duration::from_millis(1500) {
        assert!(Arc::ptr_eq(&entry, &bench.entry("/a").unwrap()));
        assert!(!entry.is_revoked());
        clock::pause(Duration::from_millis(1));
    }
    assert!(matches!(entry.identity.object.held(), Held::File(_)));
    assert_eq!(bench.body("/a").unwrap(), b"new");
}

/// The event of a writer who closes the file without another write found the content unchanged, and left it unguarded.
#[test]
fn guard_follows_when_the_writer_leaves_and_answers_under_way_stay() {
    let mut bench = Bench::new();
    bench.write("a", "old");
    let writer = fs::OpenOptions::new()
        .append(true)
        .open(bench.path("a"))
        .unwrap();
    let pin = |on_change| {
        let url = format!("/{on_change:?}");
        rule(bench.path("a"), &url, Hold::File, on_change)
    };
    let rules = vec![pin(OnChange::Swap), pin(OnChange::Keep)];
    bench.start(rules);
    let urls = ["/Swap", "/Keep"];
    for url in urls {
        bench.wait("unguarded", |bench| bench.entry(url).is_some());
    }
    let unguarded = urls.map(|url| bench.entry(url).unwrap());
    let look = |bench: &Bench, is_guarded: bool| {
        for (url, before) in urls.iter().zip(&unguarded) {
            let entry = bench.entry(url).unwrap();
            let object = &entry.identity.object;
            assert_eq!(object.guarded().is_some(), is_guarded, "{url}");
            assert_eq!(Arc::ptr_eq(&entry, before), !is_guarded, "{url}");
            assert_eq!(entry.identity.etag, before.identity.etag, "{url}");
            assert!(before.identity.object.is_true());
        }
    };
    // An event of the file that changes nothing of it.
    drop(fs::OpenOptions::new().append(true).open(bench.path("a")));
    clock::pause(Duration::from_millis(300));
    look(&bench, false);
    drop(writer);
    bench.wait("guarded", |bench| {
        bench.report().totals.unguarded == 0 && bench.entry("/Keep").is_some()
    });
    look(&bench, true);
    let warnings = bench.report().warnings;
    assert!(warnings.is_empty(), "{warnings:?}");
}
