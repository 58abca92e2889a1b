//! Whole objects: stored, found, replaced, kept over a restart.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

const CAP: u64 = 64 << 20;

#[test]
fn body_of_any_size_is_found_at_once_and_after_a_restart() {
    let mut fixture = Fixture::new(CAP);
    let sizes = [
        0,
        1,
        4096,
        INLINE_MAX,
        INLINE_MAX + 1,
        64 << 10,
        (64 << 10) + 1,
        1_000_000,
    ];
    for (seed, size) in sizes.into_iter().enumerate() {
        put(
            fixture.disk(),
            &format!("key{size}"),
            &bytes(seed as u64, size),
        );
    }
    let check = |disk: &Disk| {
        for (seed, size) in sizes.into_iter().enumerate() {
            let key = format!("key{size}");
            let record = find(disk, &key).unwrap();
            assert_eq!(record.size, Some(size as u64));
            assert_eq!(*record.label.meta, *b"meta");
            assert_eq!(read(disk, &record), Some(bytes(seed as u64, size)), "{key}");
            let is_inline = matches!(record.body, Body::Inline(_));
            assert_eq!(is_inline, size <= INLINE_MAX);
        }
    };
    check(fixture.disk());
    fixture.disk().flush().unwrap();
    check(fixture.disk());
    assert_eq!(fixture.disk().stats().objects, sizes.len() as u64);
    let before = fixture.disk().stats().bytes;
    let report = fixture.reopen();
    assert_eq!((report.objects, report.bytes), (sizes.len() as u64, before));
    check(fixture.disk());
    assert!(fixture.disk().find(b"other").unwrap().is_empty());
}

#[test]
fn body_of_unknown_size_is_as_long_as_what_was_written() {
    let fixture = Fixture::new(CAP);
    for size in [0, 100, INLINE_MAX + 1, 200_000] {
        let body = bytes(size as u64, size);
        let key = format!("key{size}");
        let mut writer = fixture
            .disk()
            .begin(label(&key), None, Extension::default())
            .unwrap();
        for (number, part) in body.chunks(7000).enumerate() {
            writer.write_at(number as u64 * 7000, part).unwrap();
        }
        writer.complete().unwrap();
        assert_eq!(body_of(fixture.disk(), &key), Some(body));
    }
}

#[test]
fn object_with_missing_bytes_is_not_published() {
    let fixture = Fixture::new(CAP);
    let disk = fixture.disk();
    for size in [100, 200_000] {
        let mut writer = disk
            .begin(label("key"), Some(size), Extension::default())
            .unwrap();
        writer.write_at(0, &[1; 99]).unwrap();
        assert!(matches!(writer.complete(), Err(DiskError::Incomplete)));
    }
    let mut gap = disk
        .begin(label("key"), None, Extension::default())
        .unwrap();
    gap.write_at(0, &[1; 70_000]).unwrap();
    gap.write_at(70_001, &[1; 70_000]).unwrap();
    assert!(matches!(gap.complete(), Err(DiskError::Incomplete)));
    let mut dropped = disk
        .begin(label("key"), None, Extension::default())
        .unwrap();
    dropped.write_at(0, &[1; 70_000]).unwrap();
    dropped.abort();
    assert!(find(disk, "key").is_none());
    assert_eq!(disk.stats().bytes, 0);
    assert!(fixture.data_files().is_empty());
}

#[test]
fn write_behind_the_end_is_refused() {
    let fixture = Fixture::new(CAP);
    let mut writer = fixture
        .disk()
        .begin(label("key"), Some(10), Extension::default())
        .unwrap();
    assert!(matches!(
        writer.write_at(5, &[0; 6]),
        Err(DiskError::BeyondEnd)
    ));
    assert!(matches!(writer.set_size(11), Err(DiskError::BeyondEnd)));
    let mut open = fixture
        .disk()
        .begin(label("key"), None, Extension::default())
        .unwrap();
    open.write_at(0, &[0; 20]).unwrap();
    assert!(matches!(open.set_size(19), Err(DiskError::BeyondEnd)));
    open.set_size(20).unwrap();
    open.complete().unwrap();
}

#[test]
fn replaced_object_stays_readable_where_it_is_open() {
    let fixture = Fixture::new(CAP);
    let disk = fixture.disk();
    let (old, new) = (bytes(1, 100_000), bytes(2, 90_000));
    put(disk, "key", &old);
    disk.flush().unwrap();
    let record = find(disk, "key").unwrap();
    put(disk, "key", &new);
    assert_eq!(body_of(disk, "key"), Some(new.clone()));
    disk.flush().unwrap();
    assert_eq!(body_of(disk, "key"), Some(new));
    assert_eq!(fixture.data_files().len(), 1);
    assert_eq!(disk.stats().objects, 1);
    let Body::File(file) = &record.body else {
        panic!("a large body is in a file");
    };
    assert_eq!(read_file(file, 0, old.len()), old);
}

#[test]
fn replacement_that_finishes_last_wins() {
    let fixture = Fixture::new(CAP);
    let disk = fixture.disk();
    for is_flushed in [false, true] {
        let mut early = disk
            .begin(label("key"), Some(3), Extension::default())
            .unwrap();
        put(disk, "key", b"two");
        if is_flushed {
            disk.flush().unwrap();
        }
        early.write_at(0, b"one").unwrap();
        early.complete().unwrap();
        assert_eq!(body_of(disk, "key").unwrap(), b"one");
        disk.flush().unwrap();
        assert_eq!(body_of(disk, "key").unwrap(), b"one");
        assert_eq!(disk.stats().objects, 1);
    }
}

#[test]
fn variants_of_a_key_are_found_together() {
    let mut fixture = Fixture::new(CAP);
    for (variant, body) in [("gzip", &b"z"[..]), ("", b"plain"), ("br", b"b")] {
        let label = Label {
            variant: variant.as_bytes().into(),
            ..label("key")
        };
        put_as(fixture.disk(), label, body);
    }
    put(fixture.disk(), "key2", b"other");
    fixture.reopen();
    let found = fixture.disk().find(b"key").unwrap();
    let variants: Vec<&[u8]> = found.iter().map(|record| &*record.label.variant).collect();
    assert_eq!(variants, [&b""[..], b"br", b"gzip"]);
    assert_eq!(remove(fixture.disk(), &Selection::Key(b"key")).unwrap(), 3);
    assert!(fixture.disk().find(b"key").unwrap().is_empty());
    assert!(find(fixture.disk(), "key2").is_some());
}

#[test]
fn metadata_is_updated_before_and_after_a_commit() {
    let mut fixture = Fixture::new(CAP);
    let id = put(fixture.disk(), "key", b"body");
    let meta = |fixture: &Fixture| find(fixture.disk(), "key").unwrap().label.meta;
    fixture
        .disk()
        .update(id, Box::from(&b"second"[..]), None, None)
        .unwrap();
    assert_eq!(&*meta(&fixture), b"second");
    fixture.disk().flush().unwrap();
    fixture
        .disk()
        .update(id, Box::from(&b"third, and longer"[..]), None, None)
        .unwrap();
    assert_eq!(&*meta(&fixture), b"third, and longer");
    fixture.reopen();
    assert_eq!(&*meta(&fixture), b"third, and longer");
    assert_eq!(body_of(fixture.disk(), "key").unwrap(), b"body");
    let gone = fixture
        .disk()
        .update(ObjectId(1), Box::default(), None, None);
    assert!(matches!(gone, Err(DiskError::Gone)));
}

#[test]
fn sums_are_those_of_the_records_whatever_happened() {
    let mut fixture = Fixture::new(CAP);
    let disk = fixture.disk();
    for round in 0..3 {
        for number in 0..40_u64 {
            let id = put(
                disk,
                &format!("key{}", number % 25),
                &bytes(number, (number * 1700) as usize),
            );
            if number % 3 == 0 {
                disk.update(id, vec![1; (number * 10) as usize].into(), None, None)
                    .unwrap();
            }
            if number % 7 == round {
                disk.remove(id).unwrap();
            }
            if number % 11 == 0 {
                disk.flush().unwrap();
            }
        }
    }
    disk.flush().unwrap();
    let listing = disk.list(b"", None, 1000, &mut |_| true).unwrap();
    let sum: u64 = listing.objects.iter().map(|object| object.cost).sum();
    let stats = disk.stats();
    assert_eq!(
        (stats.bytes, stats.objects),
        (sum, listing.objects.len() as u64)
    );
    assert_eq!(fixture.reopen().bytes, sum);
    assert_eq!(
        remove(fixture.disk(), &Selection::All).unwrap(),
        listing.objects.len() as u64
    );
    assert_eq!(fixture.disk().stats().bytes, 0);
    assert!(fixture.data_files().is_empty());
}

#[test]
fn path_is_given_for_any_complete_object() {
    let mut fixture = Fixture::new(CAP);
    for (key, size) in [("empty", 0), ("small", 500), ("large", 70_000)] {
        let body = bytes(7, size);
        let id = put(fixture.disk(), key, &body);
        let path = fixture.disk().materialise(id).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), body);
        assert_eq!(path.extension().unwrap(), "mp3");
        assert_eq!(fixture.disk().materialise(id).unwrap(), path);
        assert_eq!(body_of(fixture.disk(), key), Some(body));
    }
    fixture.reopen();
    assert_eq!(body_of(fixture.disk(), "small"), Some(bytes(7, 500)));
    assert_eq!(fixture.data_files().len(), 3);
    let listing = fixture.disk().list(b"", None, 10, &mut |_| true).unwrap();
    let sum: u64 = listing.objects.iter().map(|object| object.cost).sum();
    assert_eq!(fixture.disk().stats().bytes, sum);
}

#[test]
fn everything_is_the_owners_alone() {
    let fixture = Fixture::new(CAP);
    put(fixture.disk(), "key", &bytes(1, 50_000));
    fixture.disk().flush().unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let file = &fixture.data_files()[0];
    assert_eq!(mode(file), 0o600);
    assert_eq!(mode(file.parent().unwrap()), 0o700);
    assert_eq!(mode(&fixture.path("objects")), 0o700);
    assert_eq!(mode(&fixture.path("")), 0o700);
    assert_eq!(mode(&fixture.path("meta.redb")), 0o600);
    assert_eq!(mode(&fixture.path("hotplate.lock")), 0o600);
}

#[test]
fn second_store_in_a_folder_is_refused() {
    let fixture = Fixture::new(CAP);
    let second = Disk::open(fixture.settings.clone());
    let pid = Some(std::process::id());
    assert!(matches!(second, Err(DiskError::Held { pid: holder }) if holder == pid));
}

#[test]
fn settings_out_of_range_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let settings = DiskSettings::new(folder.path(), CAP);
    for bad in [
        DiskSettings {
            size: 1 << 20,
            ..settings.clone()
        },
        DiskSettings {
            size: u64::MAX,
            ..settings.clone()
        },
        DiskSettings {
            block: 4096,
            ..settings.clone()
        },
    ] {
        assert!(matches!(Disk::open(bad), Err(DiskError::Settings(_))));
    }
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(folder.path(), &link).unwrap();
    let linked = DiskSettings {
        path: link,
        ..settings
    };
    assert!(matches!(Disk::open(linked), Err(DiskError::Folder(_))));
}
