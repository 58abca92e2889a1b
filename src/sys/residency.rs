//! Whether a range of a file is in the page cache, so that sending it does not wait for a device.
//!
//! An answer, not a promise: pages may be evicted right after. cachestat(2) (Linux 6.5) counts the pages of a range in
//! one call, but also those that are still being read, so the last byte is probed too: reads end in order. Where the
//! call is missing or forbidden, each page is probed by a read of one byte that must not wait.
#![expect(unsafe_code, reason = "cachestat(2) has no safe form")]

use std::io::IoSliceMut;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use rustix::io::{Errno, ReadWriteFlags};

const PAGE_SIZE: u64 = 4096;

/// The number of cachestat(2) on every architecture but alpha; libc names it for few targets only.
const SYS_CACHESTAT: libc::c_long = 451;

/// `struct cachestat_range`.
#[repr(C)]
struct CachestatRange {
    offset: u64,
    length: u64,
}

/// `struct cachestat`.
#[repr(C)]
#[derive(Default)]
struct Cachestat {
    cached: u64,
    dirty: u64,
    writeback: u64,
    evicted: u64,
    recently_evicted: u64,
}

/// Whether the range lies in the page cache. The range must lie within the file.
#[must_use]
pub fn is_resident(file: impl AsFd, offset: u64, length: u64) -> bool {
    let file = file.as_fd();
    if length == 0 {
        return true;
    }
    let last = offset.saturating_add(length - 1);
    match cached_pages(file, offset, length) {
        Some(cached) => {
            let pages = last / PAGE_SIZE - offset / PAGE_SIZE + 1;
            cached >= pages && probe(file, last) != Probe::Cold
        }
        None => probe_pages(file, offset, last),
    }
}

/// How many pages of the range are cached; `None` where the kernel does not tell.
fn cached_pages(file: BorrowedFd<'_>, offset: u64, length: u64) -> Option<u64> {
    let range = CachestatRange { offset, length };
    let mut found = Cachestat::default();
    // SAFETY: the descriptor is open; the kernel reads one cachestat_range and writes one cachestat, whose layouts are
    // those above, and both outlive the call.
    let result = unsafe {
        libc::syscall(
            SYS_CACHESTAT,
            file.as_raw_fd(),
            &raw const range,
            &raw mut found,
            0_u32,
        )
    };
    (result == 0).then_some(found.cached)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Probe {
    Warm,
    Cold,
    /// The file system can't read without waiting.
    Unable,
}

fn probe(file: BorrowedFd<'_>, offset: u64) -> Probe {
    let mut byte = [0];
    let mut slices = [IoSliceMut::new(&mut byte)];
    match rustix::io::preadv2(file, &mut slices, offset, ReadWriteFlags::NOWAIT) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Probe::Unable,
        Ok(_) => Probe::Warm,
        Err(_) => Probe::Cold,
    }
}

/// Where nothing can tell, the range counts as resident: a wait for the device is better than no answer.
fn probe_pages(file: BorrowedFd<'_>, offset: u64, last: u64) -> bool {
    let mut at = offset;
    while at <= last {
        match probe(file, at) {
            Probe::Cold => return false,
            Probe::Unable => return true,
            Probe::Warm => at = (at / PAGE_SIZE + 1) * PAGE_SIZE,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::Advice;
    use std::num::NonZeroU64;

    #[test]
    fn residency_follows_the_page_cache() {
        // Beside this program, which is on a disk; temporary folders may be in memory.
        let program = std::env::current_exe().unwrap();
        let folder = tempfile::tempdir_in(program.parent().unwrap()).unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, vec![1; 300_000]).unwrap();
        let file = std::fs::File::open(&path).unwrap();
        file.sync_all().unwrap();
        assert!(is_resident(&file, 0, 300_000));
        assert!(is_resident(&file, 5000, 1));
        rustix::fs::fadvise(&file, 0, NonZeroU64::new(300_000), Advice::DontNeed).unwrap();
        // A file system in memory can't drop pages; elsewhere both ways to ask must agree.
        let by_count = is_resident(&file, 0, 300_000);
        assert_eq!(by_count, probe_pages(file.as_fd(), 0, 299_999));
        let read = std::fs::read(&path).unwrap();
        assert_eq!(read.len(), 300_000);
        assert!(is_resident(&file, 0, 300_000));
    }

    #[test]
    fn empty_range_is_resident() {
        let file = std::fs::File::open("/dev/null").unwrap();
        assert!(is_resident(&file, 10, 0));
    }
}
