//! Private copies in sealed memory (memfd), which sendfile(2) can send and nobody can change: not even this process.
//!
//! Copies lie one behind the other in a region, each from a page's start on:
//!
//! ```text
//! | copy a ....... | copy b . | copy c ................ |          |
//! 0                page       page                      end of c   size: the huge page's end
//! ```
//!
//! What is sent by reference costs by the page: 4 KiB pages make it dearer than a file of ext4 (whose folios are large),
//! 2 MiB pages cheaper. Systems give memfds huge pages by `shmem_enabled` only, which is `never` nearly everywhere, but
//! MADV_COLLAPSE (Linux 6.1) makes them of the pages that a region has, whatever that setting. It wants a mapping aligned
//! to 2 MiB, and the seal against writing wants no mapping at all, so: fill, map, collapse, unmap, seal. A region that
//! can't be collapsed keeps ordinary pages, and is as true.
//!
//! Until its region is sealed a copy is out of reach all the same: the region's only writer writes behind the last copy.
#![expect(
    unsafe_code,
    reason = "a mapping at a chosen address, and MADV_COLLAPSE, have no safe form"
)]

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::{MemfdFlags, SealFlags};
use rustix::mm::{MapFlags, ProtFlags};

use super::pages::Pages;

/// The size of an ordinary page, and what copies begin at a multiple of.
pub const PAGE_SIZE: u64 = 4096;

/// The size of a huge page.
pub const HUGE_PAGE_SIZE: u64 = 2 << 20;

/// The slack that pays for itself: a tail that fills half of a huge page is worth one.
pub const HUGE_SLACK_MAX: u64 = HUGE_PAGE_SIZE / 2;

/// `MADV_COLLAPSE`, which libc has for some targets only.
const MADV_COLLAPSE: libc::c_int = 25;

/// How often a collapse that met pages in use (EAGAIN) is tried.
const COLLAPSE_TRIES: usize = 3;

/// One private copy in sealed memory. Its memfd is lent (`AsFd`), never exchanged for one without seals:
///
/// ```compile_fail,E0616
/// # use hotplate::sys::sealed::SealedMemory;
/// fn exchange(memory: &mut SealedMemory, other: std::os::fd::OwnedFd) {
///     memory.region = other.into();
/// }
/// ```
#[derive(Debug)]
pub struct SealedMemory {
    /// Others share it: the memory is free when the last copy in it goes.
    region: Arc<OwnedFd>,
    offset: u64,
    size: u64,
}

impl SealedMemory {
    /// Where the copy begins in its memfd.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The copy's size in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Where in the memfd the copy's byte `first` is, and how many of the `count` bytes from there on are the copy's: what
    /// lies behind is another's.
    #[must_use]
    pub fn stretch(&self, first: u64, count: u64) -> (u64, u64) {
        let first = first.min(self.size);
        (self.offset + first, count.min(self.size - first))
    }
}

impl AsFd for SealedMemory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.region.as_fd()
    }
}

/// A region on its way to be sealed: copies are appended to it, and never touched again.
#[derive(Debug)]
pub struct UnsealedRegion {
    descriptor: Arc<OwnedFd>,
    /// Where the last copy ends.
    end: u64,
}

/// A copy on its way into a region. Dropped before it is finished, it leaves nothing there.
#[derive(Debug)]
pub struct UnfinishedCopy<'r> {
    region: &'r mut UnsealedRegion,
    offset: u64,
    size: u64,
}

/// What a sealed region takes.
#[derive(Debug)]
pub struct SealedRegion {
    /// Bytes of memory, the slack behind the last copy included.
    pub held: u64,
    /// Why its pages are ordinary ones although it is large enough for huge ones.
    pub collapse_failed: Option<io::Error>,
}

impl UnsealedRegion {
    /// An empty region.
    ///
    /// # Errors
    /// Those of memfd_create(2).
    pub fn new() -> io::Result<Self> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let descriptor = rustix::fs::memfd_create("hotplate-pin", flags)?;
        Ok(Self {
            descriptor: Arc::new(descriptor),
            end: 0,
        })
    }

    /// Where the last copy ends.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Begins a copy behind the last one.
    ///
    /// # Errors
    /// Those of ftruncate(2).
    pub fn begin(&mut self) -> io::Result<UnfinishedCopy<'_>> {
        // Drops what a copy that was broken off has left.
        rustix::fs::ftruncate(&*self.descriptor, self.end)?;
        Ok(UnfinishedCopy {
            offset: self.end.next_multiple_of(PAGE_SIZE),
            size: 0,
            region: self,
        })
    }

    /// Bytes that would be left over were all of the region in huge pages.
    #[must_use]
    pub fn huge_slack(&self) -> u64 {
        self.end.next_multiple_of(HUGE_PAGE_SIZE) - self.end
    }

    /// Seals the region, in huge pages where they leave over no more than `slack_max` bytes and the system has them: from
    /// here on neither bytes nor size can change.
    ///
    /// # Errors
    /// Those of ftruncate(2) and fcntl(2).
    pub fn seal(self, slack_max: u64) -> io::Result<SealedRegion> {
        let plain = self.end.next_multiple_of(PAGE_SIZE);
        let huge = size_in_huge_pages(self.end, slack_max);
        let collapse_failed = self.collapse(huge).err();
        let is_huge = huge > 0 && collapse_failed.is_none();
        let (size, held) = if is_huge {
            (huge.max(self.end), huge.max(plain))
        } else {
            (self.end, plain)
        };
        rustix::fs::ftruncate(&*self.descriptor, size)?;
        rustix::fs::fcntl_add_seals(
            &*self.descriptor,
            SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL,
        )?;
        Ok(SealedRegion {
            held,
            collapse_failed,
        })
    }

    /// Makes huge pages of the first `size` bytes.
    fn collapse(&self, size: u64) -> io::Result<()> {
        if size == 0 {
            return Ok(());
        }
        rustix::fs::ftruncate(&*self.descriptor, size.max(self.end))?;
        let mapping = AlignedMapping::of(&self.descriptor, size)?;
        let mut collapsed = mapping.collapse();
        for _ in 1..COLLAPSE_TRIES {
            match &collapsed {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    collapsed = mapping.collapse();
                }
                _ => break,
            }
        }
        collapsed
    }
}

impl UnfinishedCopy<'_> {
    /// Appends `bytes`.
    ///
    /// # Errors
    /// Those of pwrite(2); `OutOfMemory` from ENOSPC where the system has no memory left.
    pub fn append(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let at = self.offset + self.size;
            let wrote = match rustix::io::pwrite(&*self.region.descriptor, bytes, at) {
                Err(rustix::io::Errno::INTR) => continue,
                Err(rustix::io::Errno::NOSPC) => return Err(io::ErrorKind::OutOfMemory.into()),
                other => other?,
            };
            self.size += wrote as u64;
            bytes = &bytes[wrote..];
        }
        Ok(())
    }

    /// The copy. It is sealed when its region is.
    #[must_use]
    pub fn finish(self) -> SealedMemory {
        self.region.end = self.offset + self.size;
        SealedMemory {
            region: Arc::clone(&self.region.descriptor),
            offset: self.offset,
            size: self.size,
        }
    }
}

/// How much of a region that is filled up to `end` gets huge pages: whole ones, and a tail that leaves over no more than
/// `slack_max` bytes of one.
fn size_in_huge_pages(end: u64, slack_max: u64) -> u64 {
    let all = end.next_multiple_of(HUGE_PAGE_SIZE);
    if all - end <= slack_max {
        all
    } else {
        all - HUGE_PAGE_SIZE
    }
}

/// A read-only shared mapping of a memfd's start whose address is a huge page's. Never read through.
struct AlignedMapping {
    /// Room that the mapping lies in; both are unmapped together.
    room: Pages,
    size: usize,
}

impl AlignedMapping {
    fn of(descriptor: &OwnedFd, size: u64) -> io::Result<Self> {
        let too_large = |_| io::Error::from(io::ErrorKind::OutOfMemory);
        let room = usize::try_from(size + HUGE_PAGE_SIZE).map_err(too_large)?;
        let size = usize::try_from(size).map_err(too_large)?;
        let mapping = Self {
            room: Pages::new(room)?,
            size,
        };
        let (protection, flags) = (ProtFlags::READ, MapFlags::SHARED | MapFlags::FIXED);
        // SAFETY: what the address range replaces lies within `room`, which nobody else has; `sealed_region_is_huge` would
        // catch a wrong address.
        let mapped = unsafe {
            rustix::mm::mmap(
                mapping.address(),
                mapping.size,
                protection,
                flags,
                descriptor,
                0,
            )
        };
        mapped?;
        Ok(mapping)
    }

    /// The first address in the room that a huge page may have; a huge page's size is left for it.
    fn address(&self) -> *mut libc::c_void {
        const ALIGNMENT: usize = 2 << 20;
        let start = self.room.address() as usize;
        let skipped = start.next_multiple_of(ALIGNMENT) - start;
        self.room.at(skipped).cast()
    }

    fn collapse(&self) -> io::Result<()> {
        // SAFETY: the range is our mapping, and MADV_COLLAPSE changes its pages' size, not their bytes: the property test
        // of the bytes would catch it.
        let advised = unsafe { libc::madvise(self.address(), self.size, MADV_COLLAPSE) };
        if advised == 0 {
            return Ok(());
        }
        Err(io::Error::last_os_error())
    }
}

#[cfg(test)]
#[path = "sealed_tests.rs"]
mod tests;
