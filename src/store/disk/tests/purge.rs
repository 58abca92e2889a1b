//! Removal and marking in bulk, and lists.

use super::*;

const CAP: u64 = 64 << 20;

fn tagged(key: &str, tags: &[&str]) -> Label {
    Label {
        tags: tags.iter().map(|tag| tag.as_bytes().into()).collect(),
        ..label(key)
    }
}

#[test]
fn selection_is_removed_whole_and_nothing_else() {
    let mut fixture = Fixture::new(CAP);
    let fill = |disk: &Disk| {
        for number in 0..3000 {
            let tags: &[&str] = if number % 3 == 0 {
                &["third", "x"]
            } else {
                &["x"]
            };
            put_as(
                disk,
                tagged(&format!("{}/{number}", number % 2), tags),
                b"b",
            );
        }
    };
    fill(fixture.disk());
    assert_eq!(
        remove(fixture.disk(), &Selection::Tag(b"third")).unwrap(),
        1000
    );
    assert_eq!(
        remove(fixture.disk(), &Selection::Tag(b"third")).unwrap(),
        0
    );
    assert!(find(fixture.disk(), "0/0").is_none());
    assert!(find(fixture.disk(), "1/1").is_some());
    fixture.reopen();
    assert!(find(fixture.disk(), "0/0").is_none());
    assert_eq!(
        remove(fixture.disk(), &Selection::Prefix(b"0/")).unwrap(),
        1000
    );
    assert_eq!(
        remove(fixture.disk(), &Selection::Prefix(b"2/")).unwrap(),
        0
    );
    assert_eq!(fixture.disk().stats().objects, 1000);
    assert!(find(fixture.disk(), "1/1").is_some());
    assert_eq!(remove(fixture.disk(), &Selection::Tag(b"x")).unwrap(), 1000);
    assert_eq!(fixture.disk().stats().bytes, 0);
    fill(fixture.disk());
    assert_eq!(remove(fixture.disk(), &Selection::All).unwrap(), 3000);
    assert_eq!(fixture.reopen(), OpenReport::default());
    assert_eq!(fixture.disk().stats().removed, 0);
}

#[test]
fn removal_is_there_after_a_crash() {
    let fixture = Fixture::new(CAP);
    let disk = fixture.disk();
    let id = put(disk, "one", b"1");
    put(disk, "two", &bytes(1, 100_000));
    put(disk, "three", b"3");
    disk.flush().unwrap();
    assert!(disk.remove(id).unwrap());
    assert!(!disk.remove(id).unwrap());
    assert_eq!(remove(disk, &Selection::Key(b"two")).unwrap(), 1);
    // A copy of the folder as it is now: what a process that is killed leaves.
    let copy = tempfile::tempdir().unwrap();
    std::fs::create_dir(copy.path().join("objects")).unwrap();
    std::fs::copy(fixture.path("meta.redb"), copy.path().join("meta.redb")).unwrap();
    let (after, report) = Disk::open(DiskSettings::new(copy.path(), CAP)).unwrap();
    assert_eq!((report.objects, report.set_aside), (1, None));
    assert!(find(&after, "one").is_none() && find(&after, "two").is_none());
    assert_eq!(body_of(&after, "three").unwrap(), b"3");
}

#[test]
fn mark_changes_metadata_of_a_selection() {
    let mut fixture = Fixture::new(CAP);
    let disk = fixture.disk();
    for number in 0..1500 {
        put_as(disk, tagged(&format!("a{number:04}"), &["t"]), b"b");
    }
    put(disk, "b", b"b");
    let stale = |label: &Label| (*label.meta == *b"meta").then(|| Box::from(&b"stale"[..]));
    assert_eq!(disk.mark(&Selection::Prefix(b"a00"), stale).unwrap(), 100);
    assert_eq!(disk.mark(&Selection::Tag(b"t"), stale).unwrap(), 1400);
    assert_eq!(disk.mark(&Selection::All, stale).unwrap(), 1);
    assert_eq!(disk.mark(&Selection::Key(b"b"), stale).unwrap(), 0);
    fixture.reopen();
    let listing = fixture.disk().list(b"", None, 9999, &mut |object| {
        *object.label.meta == *b"stale"
    });
    assert_eq!(listing.unwrap().objects.len(), 1501);
    assert_eq!(body_of(fixture.disk(), "a0007").unwrap(), b"b");
}

#[test]
fn list_goes_on_behind_its_last_object() {
    let fixture = Fixture::new(CAP);
    let disk = fixture.disk();
    for number in 0..25 {
        put(disk, &format!("in/{number:02}"), b"b");
    }
    put(disk, "on", b"b");
    let mut after: Option<Name> = None;
    let mut keys = Vec::new();
    loop {
        let from = after.as_ref().map(|(key, variant)| (&**key, &**variant));
        let even = &mut |object: &Listed| object.label.key.last().unwrap().is_multiple_of(2);
        let listing = disk.list(b"in/", from, 4, even).unwrap();
        assert!(listing.objects.len() <= 4);
        keys.extend(listing.objects.into_iter().map(|object| object.label.key));
        after = listing.after;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(keys.len(), 13);
    assert!(keys.is_sorted());
}

#[test]
fn removal_and_publication_at_once_leave_true_sums() {
    let fixture = Fixture::new(CAP);
    let disk = fixture.disk();
    std::thread::scope(|scope| {
        for writer in 0..2_u64 {
            scope.spawn(move || {
                for number in 0..400 {
                    let size = if number % 10 == 0 { 30_000 } else { 700 };
                    let id = put_as(
                        disk,
                        tagged(&format!("key{}", number % 50), &["t"]),
                        &bytes(writer, size),
                    );
                    match disk.update(id, vec![7; 100].into(), None, None) {
                        Ok(()) | Err(DiskError::Gone) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            });
        }
        for _ in 0..20 {
            remove(disk, &Selection::Tag(b"t")).unwrap();
            remove(disk, &Selection::Prefix(b"key1")).unwrap();
        }
    });
    disk.flush().unwrap();
    let listing = disk.list(b"", None, 1000, &mut |_| true).unwrap();
    let sum: u64 = listing.objects.iter().map(|object| object.cost).sum();
    assert_eq!(disk.stats().bytes, sum);
    assert_eq!(disk.stats().objects, listing.objects.len() as u64);
    remove(disk, &Selection::All).unwrap();
    assert_eq!((disk.stats().bytes, disk.stats().objects), (0, 0));
    assert!(fixture.data_files().is_empty());
}

#[test]
fn only_what_is_there_costs_a_commit() {
    let fixture = Fixture::new(CAP);
    let disk = fixture.disk();
    let selections = [
        Selection::Key(b"a/1"),
        Selection::Prefix(b"a/"),
        Selection::Tag(b"x"),
        Selection::All,
    ];
    let commits = || disk.stats().commits;
    put_as(disk, tagged("b", &["y"]), b"1");
    disk.flush().unwrap();
    let before = commits();
    for selection in &selections[..3] {
        assert_eq!(remove(disk, selection).unwrap(), 0);
        let marked = disk.mark(selection, |_| Some(Box::default())).unwrap();
        assert_eq!(marked, 0);
    }
    // The store's own thread may have been about to make one.
    assert!(commits() <= before + 1, "{} commits", commits() - before);
    for selection in &selections {
        // Published a moment ago, whether a commit took it along or not.
        put_as(disk, tagged("a/1", &["x"]), b"1");
        assert!(remove(disk, selection).unwrap() > 0, "{selection:?}");
        assert!(find(disk, "a/1").is_none());
        put_as(disk, tagged("a/1", &["x"]), b"1");
        let marked = disk.mark(selection, |_| Some(Box::default())).unwrap();
        assert!(marked > 0, "{selection:?}");
        assert!(find(disk, "a/1").unwrap().label.meta.is_empty());
    }
}

#[test]
fn what_was_dropped_before_its_commit_is_removed_for_good_too() {
    let fixture = Fixture::new(CAP);
    let disk = fixture.disk();
    let engine = disk.working().unwrap();
    // No commit ends meanwhile.
    let _hand = engine.hand.lock();
    let id = put_as(disk, tagged("a/1", &["x"]), b"1");
    // As a commit that was under way when its bytes were found damaged.
    engine.pending.lock().drop_object(id);
    assert!(find(disk, "a/1").is_none());
    for selection in [
        Selection::Key(b"a/1"),
        Selection::Prefix(b"a/"),
        Selection::Tag(b"x"),
    ] {
        assert!(engine.has_any(&selection).unwrap(), "{selection:?}");
    }
}
