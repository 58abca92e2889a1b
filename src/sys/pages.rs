//! Anonymous zeroed pages for memory that the kernel shares with us.
#![expect(unsafe_code, reason = "anonymous mappings have no safe form")]

use std::io;

use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};

/// A private anonymous mapping, page-aligned, zeroed, unmapped on drop.
#[derive(Debug)]
pub struct Pages {
    address: *mut u8,
    size: usize,
}

impl Pages {
    /// Maps `size` bytes; the kernel gives memory to each page when it is first touched.
    ///
    /// # Errors
    ///
    /// Out of memory or address space.
    pub fn new(size: usize) -> io::Result<Self> {
        let size = size.max(1);
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: no address is asked for, so no other mapping is replaced.
        let address =
            unsafe { mmap_anonymous(std::ptr::null_mut(), size, protection, MapFlags::PRIVATE) }?;
        Ok(Self {
            address: address.cast(),
            size,
        })
    }

    /// The first byte's address.
    #[must_use]
    pub fn address(&self) -> *mut u8 {
        self.address
    }

    /// The address `offset` bytes in; clamped to the mapping.
    #[must_use]
    pub fn at(&self, offset: usize) -> *mut u8 {
        self.address.wrapping_add(offset.min(self.size))
    }

    /// The size in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: the range is exactly what was mapped, and nothing borrows it any more.
        let unmapped = unsafe { munmap(self.address.cast(), self.size) };
        debug_assert!(unmapped.is_ok(), "the range was mapped by us");
    }
}
