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

#[test]
fn survey_after_opening_denies_what_is_not_there_and_nothing_that_is() {
    let mut fixture = Fixture::new(32 << 20);
    for number in 0..1000 {
        put(fixture.disk(), &format!("old{number}"), b"body");
    }
    fixture.reopen();
    let disk = fixture.disk();
    assert!(
        disk.may_have(b"never"),
        "nothing is denied before the survey"
    );
    let mut parts = 0;
    while disk.survey_some(7).unwrap() {
        // Published on both sides of where the survey is; some are committed while it goes on, some are not.
        put(disk, &format!("a{parts}"), b"body");
        put(disk, &format!("z{parts}"), b"body");
        if parts % 10 == 0 {
            disk.flush().unwrap();
        }
        parts += 1;
    }
    assert!(parts >= 1000 / 7);
    let old = (0..1000).map(|number| format!("old{number}"));
    let new = (0..parts).flat_map(|number| [format!("a{number}"), format!("z{number}")]);
    for key in old.chain(new) {
        assert!(disk.may_have(key.as_bytes()), "{key}");
    }
    let absent = (0..1000).filter(|number| disk.may_have(format!("never{number}").as_bytes()));
    assert!(absent.count() < 50);
    assert!(!disk.survey_some(7).unwrap(), "it is done");
    put(disk, "later", b"body");
    assert!(disk.may_have(b"later"));
}

#[test]
fn survey_begun_anew_keeps_what_waits_for_its_commit() {
    let fixture = Fixture::new(256 << 20);
    let disk = fixture.disk();
    while disk.survey_some(1000).unwrap() {}
    // More than the first filter was made for, so that another survey is due.
    let mut count = 0;
    while count % 1000 != 0 || !disk.survey_some(1).unwrap() {
        put(disk, &format!("{count}"), b"b");
        count += 1;
        assert!(count < 1_000_000, "no survey became due");
    }
    put(disk, "waits", b"body");
    while disk.survey_some(100_000).unwrap() {}
    for number in 0..count {
        assert!(
            disk.may_have(format!("{number}").as_bytes()),
            "{number} of {count}"
        );
    }
    assert!(disk.may_have(b"waits"));
    assert!(!disk.may_have(b"never") || !disk.may_have(b"nor this") || !disk.may_have(b"nor that"));
}
