//! Files that somebody, or the device, changed while the store was closed.

use super::*;

const CAP: u64 = 32 << 20;

fn flip(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    let at = at % bytes.len();
    bytes[at] ^= 0x10;
    std::fs::write(path, bytes).unwrap();
}

/// A closed store with one object of `size` bytes in a data file.
fn closed(size: usize) -> (Fixture, PathBuf) {
    let mut fixture = Fixture::new(CAP);
    put(fixture.disk(), "key", &bytes(1, size));
    fixture.close();
    let files = fixture.data_files();
    assert_eq!(files.len(), 1);
    let file = files[0].clone();
    (fixture, file)
}

/// The object is not found, now and later, and everything works.
fn assert_dropped(mut fixture: Fixture, count: impl Fn(DiskStats) -> u64) {
    fixture.reopen();
    for _ in 0..2 {
        assert!(body_of(fixture.disk(), "key").is_none());
    }
    assert_eq!(count(fixture.disk().stats()), 1);
    fixture.disk().flush().unwrap();
    assert!(find(fixture.disk(), "key").is_none());
    assert_eq!(fixture.disk().stats().objects, 0);
    assert_eq!(fixture.disk().health(), Health::Working);
    put(fixture.disk(), "key", &bytes(2, 30_000));
    assert_eq!(body_of(fixture.disk(), "key"), Some(bytes(2, 30_000)));
}

#[test]
fn flipped_bit_in_a_body_drops_the_object() {
    for (size, at) in [
        (20_000, 0),
        (60_000, 59_999),
        (400_000, 70_000),
        (400_000, 399_999),
    ] {
        let (fixture, file) = closed(size);
        flip(&file, at);
        assert_dropped(fixture, |stats| stats.dropped_checksum);
    }
}

#[test]
fn file_of_another_length_drops_the_object() {
    for (size, length) in [
        (20_000, 19_999),
        (20_000, 0),
        (400_000, 399_999),
        (20_000, 20_001),
    ] {
        let (fixture, file) = closed(size);
        std::fs::OpenOptions::new()
            .write(true)
            .open(&file)
            .unwrap()
            .set_len(length)
            .unwrap();
        assert_dropped(fixture, |stats| stats.dropped_odd);
    }
}

#[test]
fn missing_file_drops_the_object() {
    let (fixture, file) = closed(20_000);
    std::fs::remove_file(file).unwrap();
    assert_dropped(fixture, |stats| stats.dropped_missing);
}

#[test]
fn link_pipe_or_folder_in_a_files_place_drops_the_object() {
    type Make = fn(&Path, &Path);
    let makes: [Make; 3] = [
        |file, copy| std::os::unix::fs::symlink(copy, file).unwrap(),
        |file, _| {
            let kind = rustix::fs::FileType::Fifo;
            let mode = rustix::fs::Mode::from_raw_mode(0o600);
            rustix::fs::mknodat(rustix::fs::CWD, file, kind, mode, 0).unwrap();
        },
        |file, _| std::fs::create_dir(file).unwrap(),
    ];
    for make in makes {
        let (fixture, file) = closed(20_000);
        let copy = fixture.folder.path().join("copy");
        std::fs::rename(&file, &copy).unwrap();
        make(&file, &copy);
        assert_dropped(fixture, |stats| stats.dropped_odd);
    }
}

#[test]
fn file_put_in_anothers_place_drops_the_object() {
    let mut fixture = Fixture::new(CAP);
    put(fixture.disk(), "key", &bytes(1, 30_000));
    fixture.close();
    let first = fixture.data_files()[0].clone();
    fixture.reopen();
    put(fixture.disk(), "other", &bytes(2, 30_000));
    fixture.close();
    let files = fixture.data_files();
    let second = files.iter().find(|file| **file != first).unwrap();
    std::fs::copy(second, &first).unwrap();
    fixture.reopen();
    assert!(find(fixture.disk(), "key").is_none());
    assert_eq!(body_of(fixture.disk(), "other"), Some(bytes(2, 30_000)));
}

#[test]
fn any_flipped_bit_in_the_metadata_is_never_a_wrong_answer() {
    let mut fixture = Fixture::new(CAP);
    for number in 0..300 {
        put(
            fixture.disk(),
            &format!("key{number}"),
            &bytes(number, 3000),
        );
    }
    fixture.close();
    let meta = fixture.path("meta.redb");
    let whole = std::fs::read(&meta).unwrap();
    let used: Vec<usize> = (0..whole.len()).filter(|at| whole[*at] != 0).collect();
    let (mut set_aside, mut stood_down) = (0, 0);
    for round in 0..120 {
        let mut damaged = whole.clone();
        // The front, the heads and the first sums, and places all over.
        let at = if round < 40 {
            used[round * 13]
        } else {
            used[round * 7919 * 31 % used.len()]
        };
        damaged[at] ^= 1 << (round % 8);
        std::fs::write(&meta, &damaged).unwrap();
        match Disk::open(fixture.settings.clone()) {
            Ok((disk, report)) => {
                set_aside += usize::from(report.set_aside.is_some());
                for number in 0..300 {
                    match disk.find(format!("key{number}").as_bytes()) {
                        Ok(found) => {
                            for record in found {
                                assert_eq!(read(&disk, &record), Some(bytes(number, 3000)));
                            }
                        }
                        Err(DiskError::StoodDown) => {
                            stood_down += 1;
                            break;
                        }
                        Err(error) => panic!("{error}"),
                    }
                }
                if disk.health() != Health::Working {
                    assert_eq!(disk.probe(), Health::Working);
                    assert!(find(&disk, "key1").is_none());
                }
                put(&disk, "new", b"new");
                assert_eq!(body_of(&disk, "new").unwrap(), b"new");
            }
            Err(error) => panic!("{error}"),
        }
        for number in 1..10 {
            let aside = fixture.path(&format!("meta.redb.broken-{number}"));
            if aside.exists() {
                std::fs::remove_file(aside).unwrap();
            }
        }
    }
    assert!(
        set_aside > 2 && stood_down > 20,
        "{set_aside} set aside, {stood_down} stood down"
    );
}

#[test]
fn metadata_cut_short_behind_a_crash_is_set_aside() {
    let mut fixture = Fixture::new(CAP);
    for number in 0..300 {
        put(
            fixture.disk(),
            &format!("key{number}"),
            &bytes(number, 3000),
        );
    }
    fixture.disk().flush().unwrap();
    let meta = fixture.path("meta.redb");
    // As a crash leaves it: the database is in use.
    let crashed = std::fs::read(&meta).unwrap();
    fixture.close();
    for pages in [4, 40, 200, 250] {
        let cut = pages * 4096;
        assert!(cut < crashed.len(), "{} bytes", crashed.len());
        std::fs::write(&meta, &crashed[..cut]).unwrap();
        let report = fixture.reopen();
        assert!(report.set_aside.is_some(), "cut to {pages} pages");
        assert!(find(fixture.disk(), "key1").is_none());
        fixture.close();
    }
    std::fs::write(&meta, &crashed).unwrap();
    fixture.reopen();
    assert_eq!(body_of(fixture.disk(), "key7"), Some(bytes(7, 3000)));
}

#[test]
fn damaged_metadata_is_kept_and_its_files_are_swept() {
    let (mut fixture, file) = closed(50_000);
    let meta = fixture.path("meta.redb");
    std::fs::write(&meta, b"this is no metadata at all").unwrap();
    let report = fixture.reopen();
    assert_eq!(report.set_aside.as_deref(), Some("meta.redb.broken-1"));
    assert_eq!(report.objects, 0);
    let aside = fixture.path("meta.redb.broken-1");
    assert_eq!(std::fs::read(aside).unwrap(), b"this is no metadata at all");
    put(fixture.disk(), "new", &bytes(2, 50_000));
    let odd = file.with_file_name("odd");
    std::fs::write(&odd, b"x").unwrap();
    let mut removed = 0;
    loop {
        let report = fixture.disk().sweep_some(10).unwrap();
        assert!(report.looked_at <= 10);
        removed += report.removed;
        if report.is_done {
            break;
        }
    }
    assert_eq!(removed, 2);
    assert!(!file.exists() && !odd.exists());
    assert_eq!(fixture.disk().stats().orphans, 2);
    fixture.disk().flush().unwrap();
    assert_eq!(body_of(fixture.disk(), "new"), Some(bytes(2, 50_000)));
    // Nothing that belongs to an object is swept, in a later run either.
    fixture.reopen();
    while !fixture.disk().sweep_some(1000).unwrap().is_done {}
    assert_eq!(fixture.disk().stats().orphans, 0);
    assert_eq!(body_of(fixture.disk(), "new"), Some(bytes(2, 50_000)));
}

#[test]
fn metadata_of_another_version_is_refused_and_left_alone() {
    let (mut fixture, _) = closed(50_000);
    let meta = fixture.path("meta.redb");
    let mut front = std::fs::read(&meta).unwrap();
    let whole = front.clone();
    front[16] = 9;
    let sum = crc32c::crc32c(&front[..20]);
    front[20..24].copy_from_slice(&sum.to_le_bytes());
    std::fs::write(&meta, &front).unwrap();
    let refused = Disk::open(fixture.settings.clone());
    assert!(matches!(
        refused,
        Err(DiskError::UnknownFormat { found: 9, known: 1 })
    ));
    assert_eq!(std::fs::read(&meta).unwrap(), front);
    assert!(!fixture.path("meta.redb.broken-1").exists());
    std::fs::write(&meta, &whole).unwrap();
    fixture.reopen();
    assert_eq!(body_of(fixture.disk(), "key"), Some(bytes(1, 50_000)));
}
