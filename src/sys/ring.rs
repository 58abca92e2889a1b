//! One io_uring: accepts, receives into a shared buffer ring, and waits for readiness.
//!
//! What makes the interface safe: the kernel holds no memory of a caller. Received bytes land in the ring's own
//! provided buffers, which live until after the ring is closed; sends are not ring operations at all (a plain
//! non-blocking `send` from the worker cost the same and leaves at once, see `perf/results`). A descriptor that an
//! operation was queued for must stay open until that operation's final completion; the server's slots hold that rule by
//! counting operations in flight.
//!
//! Threads: a ring belongs to the thread that made it (`SINGLE_ISSUER`), and completions are only produced while that
//! thread is inside [`Ring::wait`] (`DEFER_TASKRUN`).
#![expect(
    unsafe_code,
    reason = "queueing submissions and reading provided buffers"
)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::rc::Rc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use io_uring::types::BufRingEntry;
use io_uring::{IoUring, cqueue, opcode, squeue, types};

use super::pages::Pages;

/// Submissions that can be queued between two waits; more make an extra system call.
const SUBMISSIONS: u32 = 1024;
/// Completions that the kernel keeps without the overflow list.
const COMPLETIONS: u32 = 8192;
/// `IORING_CQE_F_BUFFER`: the completion names a provided buffer.
const BUFFER_FLAG: u32 = 1;
/// The one buffer group that all receives use.
const GROUP: u16 = 0;

/// How many receive buffers a ring has, and their size.
#[derive(Clone, Copy, Debug)]
pub struct BufferShape {
    /// Number of buffers; a power of two, at most 32768.
    pub count: u16,
    /// Bytes of each.
    pub size: u32,
}

/// One completion, taken out of the ring: what it hands over is handed over once.
#[derive(Debug)]
pub struct Completion {
    /// The tag that the operation was queued with.
    pub tag: u64,
    /// The result: bytes, a descriptor, poll events, or a negated error number.
    pub result: i32,
    flags: u32,
}

impl Completion {
    /// Whether the operation stays armed and will complete again.
    #[must_use]
    pub fn more(&self) -> bool {
        cqueue::more(self.flags)
    }

    /// The provided buffer that the bytes are in; the first time that it is asked for.
    #[must_use]
    pub fn take_buffer(&mut self) -> Option<Buffer> {
        let id = cqueue::buffer_select(self.flags)?;
        self.flags &= !BUFFER_FLAG;
        Some(Buffer {
            id,
            filled: u32::try_from(self.result).unwrap_or(0),
        })
    }

    /// The descriptor that an accept produced; the first time that it is asked for.
    ///
    /// # Errors
    ///
    /// The accept's error.
    pub fn take_accepted(&mut self) -> io::Result<OwnedFd> {
        let descriptor = std::mem::replace(&mut self.result, -libc::EBADF);
        if descriptor < 0 {
            return Err(io::Error::from_raw_os_error(-descriptor));
        }
        // SAFETY: an accept's result is a new descriptor that nobody else knows of; it is taken once. Only accepts are
        // asked for theirs (`server::ring` goes by the tag).
        Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
    }
}

/// A provided buffer in the caller's hands until it is given back with [`Ring::give_back`].
#[derive(Debug)]
pub struct Buffer {
    id: u16,
    filled: u32,
}

/// An io_uring with its provided buffers.
#[derive(Debug)]
pub struct Ring {
    ring: Closing,
    buffers: Buffers,
    tick: Box<types::Timespec>,
}

/// The ring's descriptor; a type of its own so that it is closed before the buffers are unmapped (field order).
struct Closing(IoUring);

impl std::fmt::Debug for Closing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("IoUring").field(&self.0.as_raw_fd()).finish()
    }
}

/// The memory of the provided buffers.
#[derive(Clone, Debug)]
pub struct Received {
    memory: Rc<Pages>,
    shape: BufferShape,
}

impl Received {
    /// The bytes that a receive left in `buffer`, which is of the same ring.
    #[must_use]
    pub fn bytes<'b>(&'b self, buffer: &'b Buffer) -> &'b [u8] {
        let size = self.shape.size as usize;
        let start = usize::from(buffer.id) * size;
        let filled = (buffer.filled as usize).min(size);
        if start + size > self.memory.size() {
            return &[];
        }
        // SAFETY: the range lies in the mapping, which lives as long as `self`; the kernel leaves a buffer alone until it is
        // given back, which `buffer`'s borrow rules out for as long as the bytes are looked at.
        unsafe { std::slice::from_raw_parts(self.memory.at(start), filled) }
    }
}

#[derive(Debug)]
struct Buffers {
    ring: Pages,
    memory: Rc<Pages>,
    shape: BufferShape,
    tail: u16,
    unpublished: bool,
}

impl Ring {
    /// A ring for the calling thread, with its buffers registered.
    ///
    /// # Errors
    ///
    /// What the kernel says: `ENOSYS` or `EPERM` where io_uring is missing or forbidden, `EINVAL` where it is older than
    /// 6.1 or lacks provided buffer rings.
    pub fn new(shape: BufferShape) -> io::Result<Self> {
        let ring: IoUring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_cqsize(COMPLETIONS)
            .build(SUBMISSIONS)?;
        let buffers = Buffers::new(shape)?;
        // SAFETY: the entries are page-aligned, zeroed, and outlive the ring (`Ring`'s field order).
        unsafe {
            ring.submitter().register_buf_ring_with_flags(
                buffers.ring.address() as u64,
                shape.count,
                GROUP,
                0,
            )
        }?;
        // Registered descriptors save a reference per enter; older kernels do without.
        if ring.submitter().register_ring_fd().is_err() {
            tracing::debug!("the kernel does not register ring descriptors");
        }
        let mut ring = Self {
            ring: Closing(ring),
            buffers,
            tick: Box::default(),
        };
        for id in 0..shape.count {
            ring.buffers.give_back(id);
        }
        ring.buffers.publish();
        Ok(ring)
    }

    /// Accepts connections from `listener` until it fails; each completion's result is a new non-blocking descriptor.
    ///
    /// # Errors
    ///
    /// The submission queue is full and could not be flushed.
    pub fn accept(&mut self, listener: BorrowedFd<'_>, tag: u64) -> io::Result<()> {
        let entry = opcode::AcceptMulti::new(types::Fd(listener.as_raw_fd()))
            .flags(libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC)
            .build();
        self.queue(entry.user_data(tag))
    }

    /// Receives from `socket` again and again, each time into one provided buffer. A final completion with
    /// `ENOBUFS` is normal when all buffers are taken: queue it again.
    ///
    /// # Errors
    ///
    /// As [`Ring::accept`].
    pub fn receive(&mut self, socket: BorrowedFd<'_>, tag: u64) -> io::Result<()> {
        let entry = opcode::RecvMulti::new(types::Fd(socket.as_raw_fd()), GROUP).build();
        self.queue(entry.user_data(tag))
    }

    /// Completes once when `socket` can take bytes or has failed.
    ///
    /// # Errors
    ///
    /// As [`Ring::accept`].
    pub fn poll_writable(&mut self, socket: BorrowedFd<'_>, tag: u64) -> io::Result<()> {
        let events = u32::from(libc::POLLOUT.unsigned_abs());
        let entry = opcode::PollAdd::new(types::Fd(socket.as_raw_fd()), events).build();
        self.queue(entry.user_data(tag))
    }

    /// Completes each time `descriptor` (an eventfd) becomes readable.
    ///
    /// # Errors
    ///
    /// As [`Ring::accept`].
    pub fn poll_readable(&mut self, descriptor: BorrowedFd<'_>, tag: u64) -> io::Result<()> {
        let events = u32::from(libc::POLLIN.unsigned_abs());
        let entry = opcode::PollAdd::new(types::Fd(descriptor.as_raw_fd()), events)
            .multi(true)
            .build();
        self.queue(entry.user_data(tag))
    }

    /// Completes once after `delay`, with `ETIME`. One tick at a time.
    ///
    /// # Errors
    ///
    /// As [`Ring::accept`].
    pub fn tick(&mut self, delay: Duration, tag: u64) -> io::Result<()> {
        *self.tick = types::Timespec::new()
            .sec(delay.as_secs())
            .nsec(delay.subsec_nanos());
        let entry = opcode::Timeout::new(&raw const *self.tick).build();
        self.queue(entry.user_data(tag))
    }

    /// Asks for the end of the operation tagged `target`; it still completes, usually with `ECANCELED`. The request
    /// itself completes under `tag`.
    ///
    /// # Errors
    ///
    /// As [`Ring::accept`].
    pub fn cancel(&mut self, target: u64, tag: u64) -> io::Result<()> {
        self.queue(opcode::AsyncCancel::new(target).build().user_data(tag))
    }

    /// Submits what is queued, waits for a completion (or only looks, when `block` is false), and appends all there are to
    /// `completions`.
    ///
    /// # Errors
    ///
    /// The kernel refused to wait; an interrupted wait is no error.
    pub fn wait(&mut self, block: bool, completions: &mut Vec<Completion>) -> io::Result<()> {
        self.buffers.publish();
        match self.ring.0.submit_and_wait(usize::from(block)) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // The completion queue overflowed: reap, and the kernel flushes the rest at the next wait.
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {}
            // No memory for an operation just now: it stays queued for the next wait.
            Err(error) if error.raw_os_error() == Some(libc::EAGAIN) => {}
            Err(error) => return Err(error),
        }
        completions.extend(self.ring.0.completion().map(|entry| Completion {
            tag: entry.user_data(),
            result: entry.result(),
            flags: entry.flags(),
        }));
        Ok(())
    }

    /// The memory that receives land in, for looking at buffers while the ring is in use.
    #[must_use]
    pub fn received(&self) -> Received {
        Received {
            memory: Rc::clone(&self.buffers.memory),
            shape: self.buffers.shape,
        }
    }

    /// Gives a buffer back to the kernel, which may fill it from the next [`Ring::wait`] on.
    pub fn give_back(&mut self, buffer: Buffer) {
        let Buffer { id, .. } = buffer;
        self.buffers.give_back(id);
    }

    fn queue(&mut self, entry: squeue::Entry) -> io::Result<()> {
        // SAFETY: the entry points to no memory but `tick`, which is boxed and lives as long as the ring; descriptors stay
        // open until the final completion (module header).
        if unsafe { self.ring.0.submission().push(&entry) }.is_ok() {
            return Ok(());
        }
        self.ring.0.submit()?;
        // SAFETY: as above; the queue was emptied by the submit.
        unsafe { self.ring.0.submission().push(&entry) }
            .map_err(|_| io::Error::from_raw_os_error(libc::EBUSY))
    }
}

impl Buffers {
    fn new(shape: BufferShape) -> io::Result<Self> {
        let count = usize::from(shape.count);
        Ok(Self {
            ring: Pages::new(count * size_of::<BufRingEntry>())?,
            memory: Rc::new(Pages::new(count * shape.size as usize)?),
            shape,
            tail: 0,
            unpublished: false,
        })
    }

    fn give_back(&mut self, id: u16) {
        let start = usize::from(id) * self.shape.size as usize;
        let at = usize::from(self.tail & (self.shape.count - 1)) * size_of::<BufRingEntry>();
        let entry = self.ring.at(at).cast::<BufRingEntry>();
        // SAFETY: `at` lies within the ring's pages, which only this thread writes; the kernel reads an entry only
        // after its tail has passed it.
        let entry = unsafe { &mut *entry };
        entry.set_addr(self.memory.at(start) as u64);
        entry.set_len(self.shape.size);
        entry.set_bid(id);
        self.tail = self.tail.wrapping_add(1);
        self.unpublished = true;
    }

    fn publish(&mut self) {
        if !self.unpublished {
            return;
        }
        self.unpublished = false;
        // SAFETY: the address is the registered ring's first entry, as `tail` asks.
        let tail = unsafe { BufRingEntry::tail(self.ring.address().cast()) };
        // SAFETY: the tail lies inside the ring's pages, is aligned, and is written by this thread alone.
        let tail = unsafe { AtomicU16::from_ptr(tail.cast_mut()) };
        tail.store(self.tail, Ordering::Release);
    }
}
