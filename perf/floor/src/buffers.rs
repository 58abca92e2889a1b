//! The provided buffer ring that multishot receives draw from.

use std::alloc::{Layout, alloc_zeroed, handle_alloc_error};
use std::io;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::Submitter;
use io_uring::types::BufRingEntry;

/// The buffer group's number.
pub(crate) const GROUP: u16 = 0;
/// How many buffers. The kernel takes them in turn, so a larger ring walks through more of the cache; a smaller one
/// runs dry (ENOBUFS) when more connections than that have bytes in one turn.
const COUNT: u16 = 512;
/// Bytes in a buffer: 16 pipelined requests of wrk fit.
const SIZE: usize = 2048;

/// Buffers and the ring that hands them to the kernel. Both live as long as the process: never freed, so that no
/// operation in flight can outlive them.
pub(crate) struct Buffers {
    entries: *mut BufRingEntry,
    bytes: *mut u8,
    /// The ring's tail as we have it; the kernel sees it after `publish`.
    tail: u16,
}

impl Buffers {
    pub(crate) fn register(submitter: &Submitter<'_>) -> io::Result<Self> {
        let entries = zeroed(usize::from(COUNT) * size_of::<BufRingEntry>());
        let bytes = zeroed(usize::from(COUNT) * SIZE);
        // SAFETY: the ring's memory is page-aligned, holds COUNT entries and is never freed.
        unsafe { submitter.register_buf_ring_with_flags(entries as u64, COUNT, GROUP, 0) }?;
        let mut buffers = Self {
            entries: entries.cast(),
            bytes,
            tail: 0,
        };
        for number in 0..COUNT {
            buffers.give_back(number);
        }
        buffers.publish();
        Ok(buffers)
    }

    /// The first `length` bytes of a buffer that the kernel has filled and not been given back since.
    pub(crate) fn filled(&self, number: u16, length: usize) -> &[u8] {
        assert!(number < COUNT && length <= SIZE);
        // SAFETY: `number` is below COUNT, so the buffer lies within the allocation.
        let start = unsafe { self.bytes.add(usize::from(number) * SIZE) };
        // SAFETY: `length` bytes lie within the buffer, and the kernel does not write to it before `give_back`,
        // which needs `&mut self` and so ends this borrow.
        unsafe { std::slice::from_raw_parts(start, length) }
    }

    /// Puts a buffer at the ring's end; the kernel sees it after `publish`.
    pub(crate) fn give_back(&mut self, number: u16) {
        assert!(number < COUNT);
        // SAFETY: masked by COUNT - 1, the place lies within the ring's memory.
        let place = unsafe { self.entries.add(usize::from(self.tail & (COUNT - 1))) };
        // SAFETY: `number` is below COUNT, so the buffer lies within the allocation.
        let start = unsafe { self.bytes.add(usize::from(number) * SIZE) };
        // SAFETY: the place is ours until the tail is published. The first place's `resv` field is the ring's tail
        // itself, which the setters below leave alone.
        let entry = unsafe { &mut *place };
        entry.set_addr(start as u64);
        entry.set_len(SIZE as u32);
        entry.set_bid(number);
        self.tail = self.tail.wrapping_add(1);
    }

    /// Shows the kernel all buffers given back so far.
    pub(crate) fn publish(&self) {
        // SAFETY: `entries` is the start of a registered buffer ring.
        let tail = unsafe { BufRingEntry::tail(self.entries) };
        // SAFETY: the tail is aligned, lives as long as the process, and only this thread and the kernel use it.
        let tail = unsafe { AtomicU16::from_ptr(tail.cast_mut()) };
        tail.store(self.tail, Ordering::Release);
    }
}

/// `size` zeroed bytes on a page border, never freed.
fn zeroed(size: usize) -> *mut u8 {
    let Ok(layout) = Layout::from_size_align(size, 4096) else {
        unreachable!("a size given by constants fits a layout")
    };
    // SAFETY: the layout's size is not zero.
    let start = unsafe { alloc_zeroed(layout) };
    if start.is_null() {
        handle_alloc_error(layout);
    }
    start
}
