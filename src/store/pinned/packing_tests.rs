//! Copies of real files, alone and packed.

use crate::store::Held;
use crate::store::budget::Budget;
use crate::store::guards::Guards;
use crate::store::pinned::load::{Budgets, HEAP_MAX};
use crate::store::pinned::packing::{REGION_MAX, SLACK_MAX};
use crate::store::pinned::{Hold, Loaded, Loader, Patience};
use crate::sys::guard::BreakSignals;
use crate::sys::sealed::{HUGE_PAGE_SIZE, PAGE_SIZE};

struct Bench {
    folder: tempfile::TempDir,
    loader: std::sync::Arc<Loader>,
    budgets: Budgets,
}

impl Bench {
    fn new() -> Self {
        let signals = BreakSignals::of_this_thread().unwrap();
        Self {
            folder: tempfile::tempdir().unwrap(),
            loader: Loader::new(Guards::new(signals.owner())),
            budgets: Budgets {
                memory: Budget::new(1 << 30),
                descriptors: Budget::new(1000),
            },
        }
    }

    /// A copy of a file of `size` bytes `byte`.
    fn copy(&self, byte: u8, size: u64) -> Loaded {
        let path = self.folder.path().join(format!("{byte}-{size}"));
        std::fs::write(&path, vec![byte; usize::try_from(size).unwrap()]).unwrap();
        let loaded = self
            .loader
            .load(&path, Hold::Memory, Patience::Wait, &self.budgets);
        loaded.unwrap()
    }
}

fn assert_bytes(loaded: &Loaded, byte: u8) {
    let Held::Sealed(memory) = loaded.object.held() else {
        panic!("{:?}", loaded.object.held());
    };
    assert_eq!(memory.size(), loaded.object.size());
    let (at, size) = memory.stretch(0, u64::MAX);
    let mut bytes = vec![!byte; usize::try_from(size).unwrap()];
    assert_eq!(
        rustix::io::pread(memory, &mut bytes, at).unwrap(),
        bytes.len()
    );
    assert!(bytes.iter().all(|found| *found == byte));
}

/// What a region that is filled up to `end` takes: a huge page, where the machine makes them.
fn held_of_small(bench: &Bench, end: u64) -> u64 {
    let probe = bench.copy(0xff, HUGE_PAGE_SIZE - 1);
    let before = bench.loader.memory_held();
    drop(probe);
    let is_huge = before - bench.loader.memory_held() == HUGE_PAGE_SIZE;
    if is_huge {
        HUGE_PAGE_SIZE
    } else {
        end.next_multiple_of(PAGE_SIZE)
    }
}

fn is_sealed(loaded: &Loaded) -> bool {
    let Held::Sealed(memory) = loaded.object.held() else {
        return false;
    };
    let seals = rustix::fs::fcntl_get_seals(memory).unwrap();
    seals.contains(rustix::fs::SealFlags::WRITE | rustix::fs::SealFlags::SEAL)
}

#[test]
fn a_hundred_packed_copies_take_one_descriptor() {
    let bench = Bench::new();
    let packing = bench.loader.pack();
    let copies: Vec<Loaded> = (0..100).map(|byte| bench.copy(byte, 65_536)).collect();
    assert!(!is_sealed(&copies[99]));
    drop(packing);
    assert_eq!(bench.budgets.descriptors.taken(), 1);
    assert_eq!(bench.budgets.memory.taken(), 100 * 65_536);
    let slack = bench.loader.memory_held() - bench.budgets.memory.taken();
    assert!(slack < HUGE_PAGE_SIZE, "{slack}");
    for (byte, copy) in (0..).zip(&copies) {
        assert!(is_sealed(copy));
        assert_bytes(copy, byte);
    }
    let last = copies.into_iter().next_back().unwrap();
    assert_eq!(bench.budgets.descriptors.taken(), 1);
    assert_eq!(bench.budgets.memory.taken(), 65_536);
    assert!(bench.loader.memory_held() >= 100 * 65_536);
    assert_bytes(&last, 99);
    drop(last);
    assert_eq!(bench.budgets.descriptors.taken(), 0);
    assert_eq!(bench.loader.memory_held(), 0);
}

#[test]
fn copy_made_alone_has_its_own_sealed_region() {
    let bench = Bench::new();
    let (small, large) = (bench.copy(1, 65_537), bench.copy(2, 1 << 20));
    assert!(is_sealed(&small) && is_sealed(&large));
    assert_eq!(bench.budgets.descriptors.taken(), 2);
    drop(large);
    assert_eq!(bench.loader.memory_held(), held_of_small(&bench, 65_537));
    assert_bytes(&small, 1);
    drop(small);
    assert_eq!(bench.budgets.descriptors.taken(), 0);
}

#[test]
fn packed_copies_of_many_sizes_have_their_own_bytes() {
    let bench = Bench::new();
    let sizes = [
        HEAP_MAX + 1,
        1 << 20,
        (2 << 20) - 1,
        REGION_MAX / 2 + 1,
        2 << 20,
        5 << 20,
        7 << 20,
        REGION_MAX,
        HEAP_MAX + 1,
    ];
    let packing = bench.loader.pack();
    let copies: Vec<Loaded> = (1..).zip(sizes).map(|(n, s)| bench.copy(n, s)).collect();
    drop(packing);
    // Two for the large ones, two for the rest.
    assert_eq!(bench.budgets.descriptors.taken(), 4);
    for (byte, copy) in (1..).zip(&copies) {
        assert!(is_sealed(copy));
        assert_bytes(copy, byte);
    }
    drop(copies);
    assert_eq!(bench.loader.memory_held(), 0);
    assert_eq!(bench.budgets.descriptors.taken(), 0);
}

#[test]
fn copy_that_fails_leaves_the_region_to_the_next() {
    let bench = Bench::new();
    let packing = bench.loader.pack();
    let first = bench.copy(1, 50_000);
    let failed: Result<_, std::io::Error> = bench.loader.regions.copy(
        100_000,
        bench.budgets.descriptors.take(1).unwrap(),
        |copy| {
            copy.append(&[9; 60_000])?;
            Err(std::io::ErrorKind::Other.into())
        },
    );
    assert!(failed.is_err());
    let second = bench.copy(2, 50_000);
    drop(packing);
    assert_eq!(bench.budgets.descriptors.taken(), 1);
    assert_eq!(
        bench.loader.memory_held(),
        held_of_small(&bench, 2 * 53_248)
    );
    assert_bytes(&first, 1);
    assert_bytes(&second, 2);
}

#[test]
fn huge_pages_of_copies_made_alone_waste_a_bounded_amount() {
    let bench = Bench::new();
    let size = 65_536;
    let copies: Vec<Loaded> = (0..40).map(|byte| bench.copy(byte, size)).collect();
    let held = |count| {
        let slack = bench.loader.memory_held() - count * size;
        assert!(slack <= SLACK_MAX, "{slack}");
        slack
    };
    let slack = held(40);
    for (byte, copy) in (0..).zip(&copies) {
        assert_bytes(copy, byte);
    }
    drop(copies);
    assert_eq!(bench.loader.memory_held(), 0);
    // What they had is there for others.
    let again: Vec<Loaded> = (0..40).map(|byte| bench.copy(byte, size)).collect();
    assert_eq!(held(40), slack);
    drop(again);
}
