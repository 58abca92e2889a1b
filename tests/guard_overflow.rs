//! Guards that are wanted back when the signal queue is full. A program of its own: the limit is the whole process's.

use std::sync::Arc;
use std::time::Duration;

use hotplate::store::budget::Budget;
use hotplate::store::guards::Guards;
use hotplate::store::pinned::load::Budgets;
use hotplate::store::pinned::{Hold, Loader, Patience};
use hotplate::sys::clock;
use hotplate::sys::guard::{Break, BreakSignals};
use rustix::process::{Resource, Rlimit, setrlimit};

#[test]
fn full_signal_queue_still_gives_guards_back() {
    setrlimit(
        Resource::Sigpending,
        Rlimit {
            current: Some(0),
            maximum: Some(0),
        },
    )
    .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let signals = BreakSignals::of_this_thread().unwrap();
    let loader = Loader::new(Guards::new(signals.owner()));
    let budgets = Budgets {
        memory: Budget::new(0),
        descriptors: Budget::new(10),
    };
    let load = |name: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, b"old").unwrap();
        loader
            .load(&path, Hold::File, Patience::Wait, &budgets)
            .unwrap()
            .object
    };
    let (wanted, other) = (load("a"), load("b"));
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| std::fs::write(folder.path().join("a"), b"new"));
        let found = loop {
            if let Some(found) = signals.next() {
                break found;
            }
            clock::pause(Duration::from_millis(5));
        };
        assert_eq!(found, Break::Unknown);
        assert_eq!(loader.guards().answer(found), 1);
        assert!(wanted.is_revoked());
        assert!(!other.is_revoked());
        assert_eq!(Arc::strong_count(&wanted), 1);
        drop(wanted);
        writer.join().unwrap().unwrap();
    });
}
