//! Opening: as cheap for many objects as for few, after a clean end and after none.

use super::rig::{Call, Rig};
use super::*;

/// How often the metadata is read and written to open a store with `count` objects.
fn calls_to_open(count: u64, is_clean: bool) -> (u64, u64) {
    let mut fixture = Fixture::new(1 << 30);
    for number in 0..count {
        put(
            fixture.disk(),
            &format!("key{number}"),
            &number.to_le_bytes(),
        );
    }
    fixture.disk().flush().unwrap();
    let copy = fixture.folder.path().join("copy");
    if is_clean {
        fixture.close();
        std::fs::rename(fixture.path(""), &copy).unwrap();
    } else {
        // The folder as a process that is killed leaves it.
        std::fs::create_dir(&copy).unwrap();
        std::fs::copy(fixture.path("meta.redb"), copy.join("meta.redb")).unwrap();
    }
    let rig = Rig::new();
    let settings = DiskSettings {
        path: copy,
        ..fixture.settings.clone()
    };
    let (disk, report) = rig.open(settings).unwrap();
    let calls = (rig.count(Call::MetaRead), rig.count(Call::MetaWrite));
    assert_eq!((report.objects, report.set_aside), (count, None));
    let last = count - 1;
    assert_eq!(
        body_of(&disk, &format!("key{last}")).unwrap(),
        last.to_le_bytes()
    );
    calls
}

#[test]
fn opening_does_not_read_what_is_stored() {
    for is_clean in [true, false] {
        let few = calls_to_open(100, is_clean);
        let many = calls_to_open(100_000, is_clean);
        assert!(many.0 < few.0 + 100, "{few:?} {many:?} {is_clean}");
        assert!(many.1 < few.1 + 200, "{few:?} {many:?} {is_clean}");
    }
}

#[test]
fn publication_is_committed_without_being_asked() {
    let fixture = Fixture::new(32 << 20);
    let before = fixture.disk().stats().commits;
    put(fixture.disk(), "key", b"body");
    for _ in 0..1000 {
        if fixture.disk().stats().commits > before {
            break;
        }
        crate::sys::clock::pause(std::time::Duration::from_millis(10));
    }
    assert_eq!(fixture.disk().stats().objects, 1);
}

#[test]
fn publications_share_commits() {
    let fixture = Fixture::new(32 << 20);
    for number in 0..1000 {
        put(fixture.disk(), &format!("key{number}"), b"body");
    }
    fixture.disk().flush().unwrap();
    let stats = fixture.disk().stats();
    assert_eq!((stats.objects, stats.published), (1000, 1000));
    assert!(stats.commits < 200, "{}", stats.commits);
}
