//! A buffer that one thread fills while others read what is there already, without a lock and without a copy.
#![expect(
    unsafe_code,
    reason = "bytes behind the published length are written while those before it are read"
)]

use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Memory whose first `published` bytes are written and never change again.
#[derive(Debug)]
struct Shared {
    memory: NonNull<MaybeUninit<u8>>,
    capacity: usize,
    published: AtomicUsize,
}

// SAFETY: bytes below `published` are only read, by anybody; those from it on belong to the one `GrowingWriter`.
unsafe impl Send for Shared {}
// SAFETY: as above; `published` is atomic.
unsafe impl Sync for Shared {}

impl Drop for Shared {
    fn drop(&mut self) {
        let memory = NonNull::slice_from_raw_parts(self.memory, self.capacity);
        // SAFETY: `memory` and `capacity` are those of the box that `growing` took apart, and nobody refers to it any more.
        drop(unsafe { Box::from_raw(memory.as_ptr()) });
    }
}

/// The end that writes; there is one of it.
#[derive(Debug)]
pub struct GrowingWriter(Arc<Shared>);

/// The end that reads.
#[derive(Clone, Debug)]
pub struct GrowingBuffer(Arc<Shared>);

/// A buffer for `capacity` bytes, none of them written; its memory is touched as it is filled.
#[must_use]
pub fn growing(capacity: usize) -> (GrowingWriter, GrowingBuffer) {
    let memory = Box::into_raw(Box::<[u8]>::new_uninit_slice(capacity));
    let shared = Arc::new(Shared {
        memory: NonNull::new(memory.cast()).unwrap_or(NonNull::dangling()),
        capacity,
        published: AtomicUsize::new(0),
    });
    (GrowingWriter(Arc::clone(&shared)), GrowingBuffer(shared))
}

impl GrowingWriter {
    /// Appends `bytes`; false, and nothing appended, where they do not fit.
    pub fn append(&mut self, bytes: &[u8]) -> bool {
        let shared = &self.0;
        let start = shared.published.load(Ordering::Relaxed);
        let Some(end) = start
            .checked_add(bytes.len())
            .filter(|end| *end <= shared.capacity)
        else {
            return false;
        };
        // SAFETY: `start` is within the allocation, since it was published by this writer.
        let to = unsafe { shared.memory.add(start) };
        // SAFETY: the stretch lies within the allocation (`end` was checked) and behind what is published, so that nobody else
        // refers to it; the one writer is borrowed exclusively.
        unsafe {
            to.cast::<u8>()
                .copy_from_nonoverlapping(NonNull::from(bytes).cast(), bytes.len());
        }
        shared.published.store(end, Ordering::Release);
        true
    }

    /// How many more bytes fit.
    #[must_use]
    pub fn room(&self) -> usize {
        self.0.capacity - self.0.published.load(Ordering::Relaxed)
    }
}

impl GrowingBuffer {
    /// How many bytes it can take.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.0.capacity
    }

    /// What is written by now.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        let size = self.0.published.load(Ordering::Acquire);
        // SAFETY: the first `size` bytes are written, were published with `Release`, and never change while `self` lives.
        unsafe { std::slice::from_raw_parts(self.0.memory.as_ptr().cast(), size) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_stays_while_more_is_written() {
        let (mut writer, buffer) = growing(10);
        assert_eq!(buffer.bytes(), b"");
        assert!(writer.append(b"hello"));
        let first = buffer.bytes();
        assert!(writer.append(b"worl"));
        assert_eq!((first, buffer.bytes()), (&b"hello"[..], &b"helloworl"[..]));
        assert!(!writer.append(b"d!"));
        assert_eq!(writer.room(), 1);
        drop(writer);
        assert_eq!(buffer.bytes(), b"helloworl");
    }

    #[test]
    fn an_empty_buffer_takes_nothing_but_nothing() {
        let (mut writer, buffer) = growing(0);
        assert!(writer.append(b""));
        assert!(!writer.append(b"x"));
        assert_eq!(buffer.bytes(), b"");
    }

    #[test]
    fn readers_on_other_threads_see_whole_prefixes_only() {
        let (mut writer, buffer) = growing(100_000);
        let readers: Vec<_> = (0..2)
            .map(|_| {
                let buffer = buffer.clone();
                std::thread::spawn(move || {
                    let mut seen = 0;
                    while seen < 100_000 {
                        let bytes = buffer.bytes();
                        assert!(bytes.len() >= seen);
                        let right = |(at, byte): (usize, &u8)| *byte == (at % 251) as u8;
                        assert!(bytes.iter().enumerate().skip(seen).all(right));
                        seen = bytes.len();
                        std::thread::yield_now();
                    }
                })
            })
            .collect();
        let all: Vec<u8> = (0..100_000).map(|at| (at % 251) as u8).collect();
        for piece in all.chunks(97) {
            assert!(writer.append(piece));
        }
        for reader in readers {
            reader.join().unwrap();
        }
    }
}
