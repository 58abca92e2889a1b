//! The loader on real files.

use super::*;
use crate::sys::guard::BreakSignals;
use std::io::Write as _;

struct Bench {
    folder: tempfile::TempDir,
    signals: BreakSignals,
    loader: Arc<Loader>,
    budgets: Budgets,
}

impl Bench {
    fn new(memory: u64, descriptors: u64) -> Self {
        let signals = BreakSignals::of_this_thread().unwrap();
        let loader = Loader::new(Guards::new(signals.owner()));
        Self {
            folder: tempfile::tempdir().unwrap(),
            signals,
            loader,
            budgets: Budgets {
                memory: Budget::new(memory),
                descriptors: Budget::new(descriptors),
            },
        }
    }

    fn write(&self, name: &str, bytes: &[u8]) -> std::path::PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn load(&self, path: &Path, hold: Hold) -> Result<Loaded, LoadError> {
        self.loader.load(path, hold, Patience::Wait, &self.budgets)
    }
}

#[test]
fn each_hold_has_its_form_and_its_charge() {
    let bench = Bench::new(1 << 20, 10);
    let small = bench.write("small", &[1; 100]);
    let large = bench.write("large", &[2; 100_000]);
    let heap = bench.load(&small, Hold::Memory).unwrap();
    assert!(matches!(heap.object.held(), Held::Heap(bytes) if bytes[..] == [1; 100]));
    assert_eq!(bench.budgets.descriptors.taken(), 0);
    let sealed = bench.load(&large, Hold::Memory).unwrap();
    assert!(matches!(sealed.object.held(), Held::Sealed(_)));
    assert_eq!(bench.budgets.memory.taken(), 100 + 102_400);
    let file = bench.load(&large, Hold::File).unwrap();
    assert!(matches!(file.object.held(), Held::File(_)));
    let mapped = bench.load(&large, Hold::Mmap).unwrap();
    assert!(matches!(mapped.object.held(), Held::Mapping(map, _) if map.size() == 100_000));
    assert_eq!(bench.budgets.descriptors.taken(), 3);
    assert_eq!(mapped.shortfall, None);
    drop((heap, sealed, file, mapped));
    assert_eq!(bench.budgets.descriptors.taken(), 0);
    assert_eq!(bench.budgets.memory.taken(), 0);
}

#[test]
fn same_file_and_hold_share_one_object() {
    let bench = Bench::new(1 << 20, 10);
    let path = bench.write("a", b"abc");
    let first = bench.load(&path, Hold::File).unwrap();
    let link = bench.folder.path().join("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let second = bench.load(&link, Hold::File).unwrap();
    assert!(Arc::ptr_eq(&first.object, &second.object));
    assert_eq!(bench.budgets.descriptors.taken(), 1);
    first.object.revoke();
    let third = bench.load(&path, Hold::File).unwrap();
    assert!(!Arc::ptr_eq(&first.object, &third.object));
}

#[test]
fn empty_file_is_held_in_every_way() {
    let bench = Bench::new(0, 10);
    let path = bench.write("empty", b"");
    for hold in [Hold::File, Hold::Mmap, Hold::Memory] {
        let loaded = bench.load(&path, hold).unwrap();
        assert_eq!(loaded.object.size(), 0);
        assert_eq!(loaded.shortfall, None);
    }
}

#[test]
fn copy_over_the_memory_budget_is_held_as_a_file() {
    let bench = Bench::new(1000, 10);
    let path = bench.write("a", &[1; 2000]);
    let loaded = bench.load(&path, Hold::Memory).unwrap();
    assert!(matches!(loaded.object.held(), Held::File(_)));
    assert_eq!(
        loaded.shortfall,
        Some(Shortfall::OverBudget {
            needed: ByteSize(2000),
            left: ByteSize(1000)
        })
    );
}

#[test]
fn descriptor_budget_refuses_the_file_beyond_it() {
    let bench = Bench::new(0, 1);
    let (a, b) = (bench.write("a", b"a"), bench.write("b", b"b"));
    let held = bench.load(&a, Hold::File).unwrap();
    let refused = bench.load(&b, Hold::File).unwrap_err();
    assert!(matches!(refused, LoadError::OutOfDescriptors { max: 1 }));
    assert!(refused.to_string().contains("raise the limit"));
    drop(held);
    assert!(bench.load(&b, Hold::File).is_ok());
}

#[test]
fn file_open_for_writing_is_waited_for_then_held_unguarded() {
    let bench = Bench::new(1 << 20, 10);
    let path = bench.write("a", b"abc");
    let mut writer = std::fs::OpenOptions::new()
        .append(true)
        .open(&path)
        .unwrap();
    for hold in [Hold::File, Hold::Mmap, Hold::Memory] {
        assert!(matches!(
            bench.load(&path, hold),
            Err(LoadError::ChangingNow)
        ));
    }
    let settled = |hold| {
        bench
            .loader
            .load(&path, hold, Patience::TakeUnguarded, &bench.budgets)
    };
    // Again and again, for machines that are too busy to load a file within half a second.
    let is_refused_while_young = (0..20).any(|_| {
        writer.write_all(b"c").unwrap();
        matches!(settled(Hold::File), Err(LoadError::ChangingNow))
    });
    assert!(is_refused_while_young);
    clock::pause(SETTLED + TICK);
    let loaded = settled(Hold::Mmap).unwrap();
    assert!(matches!(loaded.object.held(), Held::Unguarded(_)));
    assert!(loaded.shortfall.unwrap().to_string().contains("writing"));
    assert!(loaded.object.is_true());
    let again = settled(Hold::Mmap).unwrap();
    assert!(Arc::ptr_eq(&loaded.object, &again.object));
    let copy = settled(Hold::Memory).unwrap();
    assert!(matches!(copy.object.held(), Held::Heap(bytes) if bytes.starts_with(b"abcc")));
    writer.write_all(b"d").unwrap();
    assert!(!loaded.object.is_true());
    assert!(copy.object.is_true());
}

#[test]
fn break_revokes_the_object_and_its_drop_lets_the_writer_go_on() {
    let bench = Bench::new(0, 10);
    let path = bench.write("a", b"old");
    let loaded = bench.load(&path, Hold::Mmap).unwrap();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| std::fs::write(&path, b"new!"));
        let wanted = loop {
            if let Some(wanted) = bench.signals.next() {
                break wanted;
            }
            clock::pause(Duration::from_millis(5));
        };
        assert_eq!(bench.loader.guards().answer(wanted), 1);
        assert!(loaded.object.is_revoked());
        clock::pause(SETTLED);
        for (hold, patience) in [
            (Hold::Mmap, Patience::Wait),
            (Hold::File, Patience::TakeUnguarded),
        ] {
            let refused = bench.loader.load(&path, hold, patience, &bench.budgets);
            assert!(matches!(refused, Err(LoadError::WriterWaits)));
        }
        assert!(!writer.is_finished());
        drop(loaded);
        writer.join().unwrap().unwrap();
    });
    assert_eq!(bench.load(&path, Hold::Mmap).unwrap().object.size(), 4);
}

#[test]
fn names_of_other_things_are_typed_errors() {
    let bench = Bench::new(0, 10);
    let load = |path: &Path| bench.load(path, Hold::File).unwrap_err();
    let folder = bench.folder.path();
    assert!(matches!(load(&folder.join("none")), LoadError::Missing));
    assert!(matches!(load(folder), LoadError::Directory));
    assert!(matches!(
        load(Path::new("/dev/null")),
        LoadError::NotRegular
    ));
}

#[test]
fn file_of_another_user_is_held_unguarded_unless_the_process_may_guard_it() {
    let bench = Bench::new(1 << 20, 10);
    // Owned by root everywhere; whether the guard is granted depends on who runs the test.
    let path = Path::new("/etc/passwd");
    let loaded = bench.load(path, Hold::File).unwrap();
    match loaded.object.held() {
        Held::File(file) => assert!(!file.is_guard_broken()),
        Held::Unguarded(file) => {
            assert!(matches!(
                loaded.shortfall,
                Some(Shortfall::Unguarded(
                    GuardRefused::NotOwner | GuardRefused::NotSupported
                ))
            ));
            assert!(file.matches(loaded.object.identity()));
        }
        other => panic!("{other:?}"),
    }
    let copy = bench.load(path, Hold::Memory).unwrap();
    assert!(matches!(copy.object.held(), Held::Heap(_)));
    assert_eq!(copy.shortfall, None);
}
