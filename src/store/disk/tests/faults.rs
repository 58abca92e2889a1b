//! What the store does when the file system fails.

use rustix::io::Errno;

use super::rig::Call;
use super::*;

const CAP: u64 = 32 << 20;

fn try_put(disk: &Disk, key: &str, body: &[u8]) -> Result<ObjectId, DiskError> {
    let mut writer = disk.begin(label(key), Some(body.len() as u64), Extension::default())?;
    writer.write_at(0, body)?;
    let id = writer.complete()?;
    disk.flush()?;
    Ok(id)
}

/// Every call says that the store stands down.
fn assert_down(disk: &Disk, why: Why) {
    assert!(matches!(disk.health(), Health::StoodDown { why: told, .. } if told == why));
    let is_down = |error| matches!(error, DiskError::StoodDown);
    assert!(is_down(disk.find(b"kept").unwrap_err()));
    assert!(is_down(
        disk.begin(label("new"), None, Extension::default())
            .unwrap_err()
    ));
    assert!(is_down(disk.add_blocks(ObjectId(1)).unwrap_err()));
    assert!(is_down(disk.verify_block(ObjectId(1), 0).unwrap_err()));
    assert!(is_down(
        disk.update(ObjectId(1), Box::default(), None, None)
            .unwrap_err()
    ));
    assert!(is_down(disk.remove(ObjectId(1)).unwrap_err()));
    assert!(is_down(remove(disk, &Selection::Key(b"kept")).unwrap_err()));
    assert!(is_down(disk.mark(&Selection::All, |_| None).unwrap_err()));
    assert!(is_down(disk.list(b"", None, 1, &mut |_| true).unwrap_err()));
    assert!(is_down(disk.materialise(ObjectId(1)).unwrap_err()));
    assert!(is_down(disk.sweep_some(10).unwrap_err()));
    assert!(is_down(disk.flush().unwrap_err()));
    disk.touch(ObjectId(1));
    assert_eq!(disk.stats().bytes, 0);
}

#[test]
fn failing_calls_stand_the_store_down_and_a_probe_brings_it_back() {
    let faults = [
        (Call::Create, Errno::IO, Why::Device),
        (Call::Create, Errno::ROFS, Why::ReadOnly),
        (Call::Create, Errno::NOENT, Why::FolderGone),
        (Call::Write, Errno::IO, Why::Device),
        (Call::Write, Errno::ROFS, Why::ReadOnly),
        (Call::Sync, Errno::IO, Why::Device),
        (Call::Sync, Errno::NOSPC, Why::NoSpace),
        (Call::MetaWrite, Errno::NOSPC, Why::NoSpace),
        (Call::MetaWrite, Errno::IO, Why::Device),
        (Call::MetaSync, Errno::IO, Why::Device),
    ];
    for (call, errno, why) in faults {
        let fixture = Fixture::rigged(CAP);
        let disk = fixture.disk();
        let kept = bytes(1, 50_000);
        try_put(disk, "kept", &kept).unwrap();
        fixture.rig().fail(call, errno, 1000);
        let error = try_put(disk, "lost", &bytes(2, 50_000)).unwrap_err();
        assert!(
            matches!(error, DiskError::StoodDown),
            "{call:?} {errno}: {error}"
        );
        assert_down(disk, why);
        // While the fault is there, a probe changes nothing.
        if matches!(call, Call::Write | Call::Sync) {
            assert_ne!(disk.probe(), Health::Working);
        }
        fixture.rig().heal();
        assert_eq!(disk.probe(), Health::Working, "{call:?} {errno}");
        assert_eq!(body_of(disk, "kept"), Some(kept));
        assert_eq!(disk.stats().stood_down, 1);
        try_put(disk, "new", b"new").unwrap();
        assert_eq!(body_of(disk, "new").unwrap(), b"new");
    }
}

#[test]
fn full_file_system_is_answered_by_evicting() {
    let fixture = Fixture::rigged(CAP);
    let disk = fixture.disk();
    for number in 0..100 {
        try_put(disk, &format!("key{number}"), &bytes(number, 200_000)).unwrap();
    }
    let before = disk.stats();
    fixture.rig().fail(Call::Write, Errno::NOSPC, 2);
    try_put(disk, "new", &bytes(7, 100_000)).unwrap();
    let after = disk.stats();
    assert_eq!(disk.health(), Health::Working);
    assert_eq!(after.full - before.full, 2);
    assert!(after.bytes < before.bytes);
    assert_eq!(body_of(disk, "new"), Some(bytes(7, 100_000)));
    fixture.rig().fail(Call::Write, Errno::NOSPC, 1000);
    assert!(matches!(
        try_put(disk, "lost", &bytes(8, 100_000)),
        Err(DiskError::StoodDown)
    ));
    assert_down(disk, Why::NoSpace);
}

#[test]
fn unreadable_object_is_dropped_alone() {
    let mut fixture = Fixture::rigged(CAP);
    try_put(fixture.disk(), "bad", &bytes(1, 50_000)).unwrap();
    try_put(fixture.disk(), "good", &bytes(2, 50_000)).unwrap();
    fixture.close();
    let rig = fixture.rig.clone().unwrap();
    fixture.disk = Some(rig.open(fixture.settings.clone()).unwrap().0);
    let disk = fixture.disk();
    rig.fail(Call::Read, Errno::IO, 1);
    assert!(find(disk, "bad").is_none());
    assert_eq!(disk.health(), Health::Working);
    assert_eq!(disk.stats().dropped_unreadable, 1);
    assert_eq!(body_of(disk, "good"), Some(bytes(2, 50_000)));
    assert!(find(disk, "bad").is_none());
    disk.flush().unwrap();
    assert_eq!(disk.stats().objects, 1);
}

#[test]
fn lack_of_descriptors_drops_nothing() {
    let mut fixture = Fixture::rigged(CAP);
    try_put(fixture.disk(), "key", &bytes(1, 50_000)).unwrap();
    fixture.close();
    let rig = fixture.rig.clone().unwrap();
    fixture.disk = Some(rig.open(fixture.settings.clone()).unwrap().0);
    let disk = fixture.disk();
    rig.fail(Call::Open, Errno::MFILE, 1);
    assert!(matches!(disk.find(b"key"), Err(DiskError::File(_))));
    rig.fail(Call::Create, Errno::MFILE, 1);
    let refused = try_put(disk, "new", &bytes(2, 50_000));
    assert!(matches!(refused, Err(DiskError::File(_))));
    assert_eq!(disk.health(), Health::Working);
    assert_eq!(body_of(disk, "key"), Some(bytes(1, 50_000)));
}

#[test]
fn writers_of_a_store_that_stood_down_end_quietly() {
    let fixture = Fixture::rigged(CAP);
    let disk = fixture.disk();
    let mut writer = disk
        .begin(label("key"), Some(400_000), Extension::default())
        .unwrap();
    writer.write_at(0, &bytes(1, 100_000)).unwrap();
    writer.publish_partial().unwrap();
    fixture.rig().fail(Call::MetaSync, Errno::IO, 1);
    assert!(matches!(disk.flush(), Err(DiskError::StoodDown)));
    assert!(matches!(
        writer.write_at(100_000, b"more"),
        Err(DiskError::StoodDown)
    ));
    assert_eq!(disk.probe(), Health::Working);
    assert!(matches!(
        writer.write_at(100_000, b"more"),
        Err(DiskError::StoodDown)
    ));
    assert!(matches!(writer.complete(), Err(DiskError::StoodDown)));
    try_put(disk, "new", b"new").unwrap();
    assert_eq!(disk.stats().objects, 1);
}

#[test]
fn folder_that_is_removed_and_made_again_is_used_again() {
    let fixture = Fixture::new(CAP);
    let disk = fixture.disk();
    try_put(disk, "old", &bytes(1, 50_000)).unwrap();
    std::fs::remove_dir_all(fixture.path("")).unwrap();
    assert!(matches!(
        try_put(disk, "new", &bytes(2, 50_000)),
        Err(DiskError::StoodDown)
    ));
    assert_down(disk, Why::FolderGone);
    assert_eq!(disk.probe(), Health::Working);
    assert!(find(disk, "old").is_none());
    try_put(disk, "new", &bytes(2, 50_000)).unwrap();
    assert_eq!(body_of(disk, "new"), Some(bytes(2, 50_000)));
    assert!(matches!(
        Disk::open(fixture.settings.clone()),
        Err(DiskError::Held { .. })
    ));
}

#[test]
fn shelf_that_is_removed_is_made_again() {
    let fixture = Fixture::new(CAP);
    let disk = fixture.disk();
    try_put(disk, "old", &bytes(1, 50_000)).unwrap();
    for shelf in std::fs::read_dir(fixture.path("objects")).unwrap() {
        std::fs::remove_dir_all(shelf.unwrap().path()).unwrap();
    }
    try_put(disk, "new", &bytes(2, 50_000)).unwrap();
    assert_eq!(disk.health(), Health::Working);
    assert_eq!(body_of(disk, "new"), Some(bytes(2, 50_000)));
}

/// Writes an object with a data file, and holds that open.
fn open_put(disk: &Disk, key: &str, body: &[u8]) -> Arc<BodyFile> {
    let size = Some(body.len() as u64);
    let mut writer = disk.begin(label(key), size, Extension::default()).unwrap();
    writer.write_at(0, body).unwrap();
    let file = Arc::clone(writer.file().unwrap());
    writer.complete().unwrap();
    file
}

#[test]
fn what_no_sync_has_made_safe_is_in_doubt_when_the_device_fails() {
    for (call, errno, is_in_doubt) in [
        (Call::Sync, Errno::IO, true),
        (Call::Sync, Errno::NOSPC, true),
        (Call::MetaSync, Errno::IO, false),
        (Call::MetaWrite, Errno::NOSPC, false),
    ] {
        let fixture = Fixture::rigged(CAP);
        let disk = fixture.disk();
        let safe = open_put(disk, "safe", &bytes(1, 50_000));
        disk.flush().unwrap();
        let late = open_put(disk, "late", &bytes(2, 50_000));
        let under_way = {
            let size = Some(100_000);
            let mut writer = disk
                .begin(label("new"), size, Extension::default())
                .unwrap();
            writer.write_at(0, &bytes(3, 50_000)).unwrap();
            Arc::clone(writer.file().unwrap())
        };
        fixture.rig().fail(call, errno, 1000);
        assert!(disk.flush().is_err());
        assert!(safe.is_sound(), "{call:?} {errno}");
        // It is synced before the metadata are.
        assert_eq!(!late.is_sound(), is_in_doubt, "{call:?} {errno}");
        // A full device takes what it has promised room for.
        let is_spoilt = errno == Errno::IO;
        assert_eq!(!under_way.is_sound(), is_spoilt, "{call:?} {errno}");
    }
}
