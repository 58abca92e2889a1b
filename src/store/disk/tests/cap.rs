//! The cap: it holds while objects are written, and what is used stays.

use super::*;

const CAP: u64 = 8 << 20;

/// Bytes that the folder's files really take.
fn held(fixture: &Fixture) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    let mut sum = std::fs::metadata(fixture.path("meta.redb"))
        .unwrap()
        .blocks()
        * 512;
    for shelf in std::fs::read_dir(fixture.path("objects"))
        .unwrap()
        .flatten()
    {
        let files = std::fs::read_dir(shelf.path())
            .into_iter()
            .flatten()
            .flatten();
        sum += files
            .filter_map(|file| file.metadata().ok())
            .map(|stat| stat.blocks() * 512)
            .sum::<u64>();
    }
    sum
}

#[test]
fn cap_holds_under_churn_of_many_writers() {
    let fixture = Fixture::new(CAP);
    let disk = fixture.disk();
    let most = std::thread::scope(|scope| {
        let write = |writer: u64| {
            scope.spawn(move || {
                for number in 0..150 {
                    let size = [300, 9000, 40_000, 700_000][number % 4];
                    let key = format!("{writer}/{number}");
                    match disk.begin(label(&key), None, Extension::default()) {
                        Ok(mut body) => {
                            let bytes = bytes(writer, size);
                            let mut parts = bytes.chunks(16_000).zip(0..);
                            if parts.all(|(part, at)| body.write_at(at * 16_000, part).is_ok()) {
                                body.complete().unwrap();
                            }
                        }
                        Err(DiskError::NoRoom) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            })
        };
        let writers = [0, 1, 2].map(write);
        let mut most = (0, 0);
        while !writers.iter().all(|writer| writer.is_finished()) {
            // A walk takes its time: it may count a file that goes and the one that comes in its place.
            let walks = (0..3).map(|_| held(&fixture)).min().unwrap();
            most = (most.0.max(disk.stats().bytes), most.1.max(walks));
            crate::sys::clock::pause(std::time::Duration::from_millis(2));
        }
        most
    });
    assert!(most.0 <= CAP, "{} of {CAP} booked", most.0);
    assert!(most.1 <= CAP + CAP / 50, "{} of {CAP} held", most.1);
    let stats = disk.stats();
    assert!(stats.evicted > 100);
    // It is used well, too.
    assert!(stats.bytes > CAP / 2);
    disk.flush().unwrap();
    let listing = disk.list(b"", None, 9999, &mut |_| true).unwrap();
    let sum: u64 = listing.objects.iter().map(|object| object.cost).sum();
    assert_eq!(disk.stats().bytes, sum);
}

#[test]
fn small_objects_alone_hold_the_cap_on_the_device() {
    let fixture = Fixture::new(CAP);
    let disk = fixture.disk();
    let mut most = 0;
    for number in 0..6000_u64 {
        let size = (number * 7919 % 15_000) as usize;
        put(disk, &format!("key{number}"), &bytes(number, size));
        if number % 64 == 0 {
            disk.flush().unwrap();
            most = most.max(held(&fixture));
        }
    }
    assert!(most <= CAP + CAP / 50, "{most} of {CAP} held");
    assert!(disk.stats().evicted > 1000);
    assert!(disk.stats().bytes > CAP / 10 * 9);
}

#[test]
fn used_objects_outlive_unused_ones() {
    let fixture = Fixture::new(CAP);
    let disk = fixture.disk();
    let used = put(disk, "used", &bytes(1, 50_000));
    put(disk, "unused", &bytes(2, 50_000));
    disk.flush().unwrap();
    for number in 0..300 {
        disk.touch(used);
        put(disk, &format!("key{number}"), &bytes(number, 100_000));
        if number % 10 == 0 {
            disk.flush().unwrap();
        }
    }
    assert!(disk.stats().evicted > 200);
    assert!(find(disk, "used").is_some());
    assert!(find(disk, "unused").is_none());
    assert!(find(disk, "key0").is_none());
}

#[test]
fn object_larger_than_the_store_or_its_limit_is_refused() {
    let fixture = Fixture::with(CAP, |settings| settings.max_object = 1 << 20);
    let disk = fixture.disk();
    let begun = disk.begin(label("key"), Some((1 << 20) + 1), Extension::default());
    assert!(matches!(begun, Err(DiskError::TooLarge)));
    let mut writer = disk
        .begin(label("key"), None, Extension::default())
        .unwrap();
    writer.write_at(0, &vec![0; 1 << 20]).unwrap();
    assert!(matches!(
        writer.write_at(1 << 20, b"x"),
        Err(DiskError::TooLarge)
    ));
    writer.complete().unwrap();
    let unlimited = Fixture::new(CAP);
    let begun = unlimited
        .disk()
        .begin(label("key"), Some(CAP + 1), Extension::default());
    assert!(matches!(begun, Err(DiskError::TooLarge)));
}

#[test]
fn objects_being_written_are_not_evicted_and_end_without_room() {
    let fixture = Fixture::new(CAP);
    let disk = fixture.disk();
    let mut writers: Vec<Writer> = (0..4)
        .map(|number| {
            disk.begin(label(&format!("key{number}")), None, Extension::default())
                .unwrap()
        })
        .collect();
    let part = bytes(1, 1 << 20);
    let mut refused = false;
    for round in 0..3_u64 {
        for writer in &mut writers {
            match writer.write_at(round << 20, &part) {
                Ok(()) => {}
                Err(DiskError::NoRoom) => refused = true,
                Err(error) => panic!("{error}"),
            }
            assert!(disk.stats().bytes <= CAP);
        }
    }
    assert!(refused && disk.stats().no_room > 0);
    drop(writers);
    assert_eq!(disk.stats().bytes, 0);
    put(disk, "key", &part);
    assert_eq!(body_of(disk, "key"), Some(part));
}

#[test]
fn what_is_given_up_takes_its_room_until_nobody_reads_it() {
    type LetGo = fn(Arc<BodyFile>);
    // The last reader is done, or has cut the file to nothing and keeps it open.
    let ways: [(LetGo, bool); 2] = [(drop, false), (cut, true)];
    for (let_go, is_kept_open) in ways {
        let fixture = Fixture::new(CAP);
        let disk = fixture.disk();
        let mut writer = disk
            .begin(label("key"), None, Extension::default())
            .unwrap();
        writer.write_at(0, &bytes(1, 3_000_000)).unwrap();
        let file = Arc::clone(writer.file().unwrap());
        let other = Arc::clone(&file);
        writer.abort();
        assert!(fixture.data_files().is_empty());
        let holds = disk.stats().bytes;
        assert!(holds > 3_000_000, "{holds} bytes");
        drop(other);
        assert_eq!(disk.stats().bytes, holds);
        let kept = is_kept_open.then(|| Arc::clone(&file));
        let_go(file);
        assert_eq!(disk.stats().bytes, 0);
        drop(kept);
        assert_eq!(disk.stats().bytes, 0);
    }
}

fn cut(file: Arc<BodyFile>) {
    crate::store::body_file::BodyFile::Disk(file)
        .empty()
        .unwrap();
}

#[test]
fn eviction_goes_on_where_it_was_after_a_restart() {
    let mut fixture = Fixture::new(CAP);
    for number in 0..200 {
        put(
            fixture.disk(),
            &format!("key{number:03}"),
            &bytes(number, 100_000),
        );
        if number == 100 {
            fixture.reopen();
        }
    }
    // Without uses, the oldest go.
    let listing = fixture.disk().list(b"", None, 999, &mut |_| true).unwrap();
    let first = listing.objects.first().unwrap().label.key.clone();
    let count = listing.objects.len();
    assert!(count < 100);
    assert_eq!(*first, *format!("key{:03}", 200 - count).as_bytes());
}
