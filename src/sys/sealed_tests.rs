//! Regions on the machine's own kernel.

use super::*;
use proptest::prelude::*;

/// A copy of `size` bytes that no copy of another `seed` has.
fn pattern(size: usize, seed: u8) -> Vec<u8> {
    let at = |index: usize| (index % 251) as u8 ^ seed;
    (0..size).map(at).collect()
}

fn append(region: &mut UnsealedRegion, bytes: &[u8]) -> SealedMemory {
    let mut copy = region.begin().unwrap();
    for piece in bytes.chunks(300_000) {
        copy.append(piece).unwrap();
    }
    copy.finish()
}

/// What `pread` gives of all that the copy says is its own.
fn read(memory: &SealedMemory) -> Vec<u8> {
    let (at, size) = memory.stretch(0, u64::MAX);
    let mut bytes = vec![0; usize::try_from(size).unwrap()];
    assert_eq!(
        rustix::io::pread(memory, &mut bytes, at).unwrap(),
        bytes.len()
    );
    bytes
}

fn assert_sealed(memory: &SealedMemory) {
    let size = rustix::fs::fstat(memory).unwrap().st_size.unsigned_abs();
    for at in [0, memory.offset(), size.saturating_sub(1), size] {
        assert!(rustix::io::pwrite(memory, b"x", at).is_err());
    }
    assert!(rustix::fs::ftruncate(memory, 0).is_err());
    assert!(rustix::fs::ftruncate(memory, size + 1).is_err());
    assert!(rustix::fs::fcntl_add_seals(memory, SealFlags::WRITE).is_err());
}

#[test]
fn sealed_memory_refuses_every_change() {
    for size in [6, 100_000, 1 << 20, 5 << 20] {
        let mut region = UnsealedRegion::new().unwrap();
        let bytes = pattern(size, 1);
        let memory = append(&mut region, &bytes);
        region.seal(HUGE_SLACK_MAX).unwrap();
        assert_sealed(&memory);
        assert!(read(&memory) == bytes);
    }
}

#[test]
fn region_size_wastes_no_more_than_half_a_huge_page() {
    let (mib, huge) = (1 << 20, HUGE_PAGE_SIZE);
    for (end, expected) in [
        (0, 0),
        (65_536, 0),
        (mib - 1, 0),
        (mib, huge),
        (huge - 1, huge),
        (huge, huge),
        (huge + 1, huge),
        (3 * mib - 1, huge),
        (3 * mib, 2 * huge),
        (5 * mib, 3 * huge),
    ] {
        assert_eq!(size_in_huge_pages(end, huge / 2), expected, "{end}");
    }
}

#[test]
fn region_whose_slack_is_allowed_is_all_huge() {
    let huge = HUGE_PAGE_SIZE;
    for (end, slack_max, expected) in [
        (0, huge, 0),
        (1, huge - 1, huge),
        (1, huge - 2, 0),
        (huge + 1, huge - 1, 2 * huge),
        (huge + 1, 0, huge),
        (huge, 0, huge),
    ] {
        assert_eq!(
            size_in_huge_pages(end, slack_max),
            expected,
            "{end} {slack_max}"
        );
    }
}

#[test]
fn stretch_ends_with_its_copy() {
    let mut region = UnsealedRegion::new().unwrap();
    append(&mut region, b"before");
    let memory = append(&mut region, b"0123456789");
    append(&mut region, b"behind");
    assert_eq!((memory.offset(), memory.size()), (4096, 10));
    assert_eq!(memory.stretch(0, 4), (4096, 4));
    assert_eq!(memory.stretch(7, 4), (4103, 3));
    assert_eq!(memory.stretch(10, 1), (4106, 0));
    assert_eq!(memory.stretch(u64::MAX, u64::MAX), (4106, 0));
}

#[test]
fn copy_broken_off_leaves_nothing() {
    let mut region = UnsealedRegion::new().unwrap();
    let first = append(&mut region, b"first");
    region.begin().unwrap().append(&[9; 100_000]).unwrap();
    let second = append(&mut region, b"second");
    region.begin().unwrap().append(&[8; 100_000]).unwrap();
    assert_eq!(region.seal(HUGE_SLACK_MAX).unwrap().held, 2 * PAGE_SIZE);
    assert_eq!(rustix::fs::fstat(&second).unwrap().st_size, 4096 + 6);
    assert_eq!(read(&first), b"first");
    assert_eq!(read(&second), b"second");
    let mut between = [1; 4096 - 5];
    rustix::io::pread(&first, &mut between, 5).unwrap();
    assert_eq!(between, [0; 4096 - 5]);
}

#[test]
fn descriptor_goes_with_the_last_copy() {
    let inode = |memory: &SealedMemory| rustix::fs::fstat(memory).unwrap().st_ino;
    // Other tests open and close descriptors meanwhile, so this region's own are counted.
    let count = |inode: u64| {
        let open = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
        let found = open.filter(|name| {
            use std::os::unix::fs::MetadataExt as _;
            let is_memfd = std::fs::read_link(name.path())
                .is_ok_and(|to| to.to_string_lossy().contains("memfd:hotplate-pin"));
            is_memfd && std::fs::metadata(name.path()).is_ok_and(|is| is.ino() == inode)
        });
        found.count()
    };
    let mut region = UnsealedRegion::new().unwrap();
    let first = append(&mut region, &[1; 50_000]);
    let second = append(&mut region, &[2; 50_000]);
    region.seal(HUGE_SLACK_MAX).unwrap();
    let inode = inode(&first);
    assert_eq!(count(inode), 1);
    drop(first);
    assert_eq!(count(inode), 1);
    assert!(read(&second) == [2; 50_000]);
    drop(second);
    assert_eq!(count(inode), 0);
}

#[test]
fn sealed_region_is_huge() {
    let mut region = UnsealedRegion::new().unwrap();
    let bytes = pattern(5 << 20, 3);
    let memory = append(&mut region, &bytes);
    let sealed = region.seal(HUGE_SLACK_MAX).unwrap();
    if let Some(error) = sealed.collapse_failed {
        println!("skipped: no huge pages here: {error}");
        assert_eq!(sealed.held, 5 << 20);
        return;
    }
    assert_eq!(sealed.held, 6 << 20);
    assert!(read(&memory) == bytes);
    let mapping = AlignedMapping::of(&memory.region, sealed.held).unwrap();
    // Finds the pages that are there, and maps them as they are.
    // SAFETY: the range is our mapping; the advice changes no byte.
    let advised =
        unsafe { libc::madvise(mapping.address(), mapping.size, libc::MADV_POPULATE_READ) };
    assert_eq!(advised, 0);
    let smaps = std::fs::read_to_string("/proc/self/smaps").unwrap();
    let start = format!("{:x}-", mapping.address() as usize);
    let ours = smaps.lines().skip_while(|line| !line.starts_with(&start));
    let huge = ours
        .skip(1)
        .find(|line| line.starts_with("ShmemPmdMapped:"));
    assert_eq!(
        huge.unwrap().split_whitespace().nth(1),
        Some("6144"),
        "kB in huge pages"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn copies_of_one_region_have_their_own_bytes(
        sizes in proptest::collection::vec(
            prop_oneof![
                Just(32 * 1024 + 1),
                Just(1 << 20),
                Just((2 << 20) - 1),
                Just(2 << 20),
                Just(5 << 20),
                1_usize..200_000,
            ],
            1..6,
        ),
        broken_off in 0_usize..6,
    ) {
        let mut region = UnsealedRegion::new().unwrap();
        let mut copies = Vec::new();
        for (number, size) in sizes.iter().enumerate() {
            if number == broken_off {
                region.begin().unwrap().append(&vec![0xee; size + 70_000]).unwrap();
            }
            let bytes = pattern(*size, number as u8 + 1);
            copies.push((append(&mut region, &bytes), bytes));
        }
        let sealed = region.seal(HUGE_SLACK_MAX).unwrap();
        let mut end = 0;
        for (memory, bytes) in &copies {
            prop_assert_eq!(memory.offset() % PAGE_SIZE, 0);
            prop_assert!(memory.offset() >= end);
            end = memory.offset() + memory.size();
            prop_assert!(read(memory) == *bytes);
            assert_sealed(memory);
        }
        prop_assert!(sealed.held >= end);
        prop_assert!(sealed.held - end <= HUGE_SLACK_MAX.max(PAGE_SIZE));
    }
}
