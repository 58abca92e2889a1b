//! The loop: one turn takes all completions there are, then sends to every connection that is owed an answer.
//!
//! Receives of a turn are counted before anything is sent, so a connection gets at most one send a turn, which holds
//! all the answers it is owed. That is what lets a send that succeeds whole stay silent (see `memory_sender`): the
//! kernel runs the turn's sends before it reports anything newer, so the next turn knows of every send that failed.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use io_uring::{IoUring, SubmissionQueue, Submitter, cqueue, opcode, squeue, types};
use memchr::memmem::Finder;

use crate::buffers::{self, Buffers};
use crate::connection::{BLANK_LINE, Connection};

/// How answers are sent; one implementation a variant.
pub(crate) trait Sender {
    /// The flags that accepted sockets have.
    const ACCEPT_FLAGS: i32;

    /// Makes room for state of descriptors below `count`.
    fn reserve(&mut self, count: usize);

    /// Forgets what is known of a descriptor's former connection.
    fn open(&mut self, fd: RawFd) -> io::Result<()>;

    /// Sends what `connection` is owed as far as possible. Called only when `connection.sending` is 0.
    fn send(&mut self, fd: RawFd, connection: &mut Connection, queue: &mut Queue<'_>);

    /// Takes the completion of an operation that `send` submitted.
    fn sent(&mut self, fd: RawFd, connection: &mut Connection, part: u8, result: i32);
}

/// What a completion belongs to, in the lowest byte of its user data; the descriptor stands above.
const ACCEPT: u8 = 0;
const RECEIVE: u8 = 1;
/// The sender's operations, with their part added.
pub(crate) const SEND: u8 = 2;

/// Descriptors above this are refused.
const DESCRIPTORS_MAX: usize = 1 << 16;
const SUBMISSIONS: u32 = 4096;
const COMPLETIONS: u32 = 16_384;

/// The submission queue, which submits when it is full.
pub(crate) struct Queue<'r> {
    submitter: Submitter<'r>,
    entries: SubmissionQueue<'r>,
}

impl Queue<'_> {
    /// Queues an operation on `fd`.
    ///
    /// # Safety
    /// All memory that the entry refers to must stay as the operation needs it until its completion.
    pub(crate) unsafe fn push(&mut self, entry: squeue::Entry, fd: RawFd, part: u8) {
        let entry = entry.user_data((fd as u64) << 8 | u64::from(part));
        // SAFETY: the caller's promise.
        while unsafe { self.entries.push(&entry) }.is_err() {
            self.entries.sync();
            if let Err(error) = self.submitter.submit() {
                assert!(is_passing(&error), "io_uring_enter: {error}");
            }
            self.entries.sync();
        }
    }

    /// Queues operations that run one after the other. The whole chain enters the kernel in one submission.
    ///
    /// # Safety
    /// As [`push`](Self::push), for every entry.
    pub(crate) unsafe fn push_chain<const N: usize>(
        &mut self,
        chain: [(squeue::Entry, u8); N],
        fd: RawFd,
    ) {
        if self.entries.capacity() - self.entries.len() < N {
            self.entries.sync();
            if let Err(error) = self.submitter.submit() {
                assert!(is_passing(&error), "io_uring_enter: {error}");
            }
            self.entries.sync();
        }
        for (place, (entry, part)) in chain.into_iter().enumerate() {
            let flags = if place + 1 < N {
                squeue::Flags::IO_LINK
            } else {
                squeue::Flags::empty()
            };
            // SAFETY: the caller's promise.
            unsafe { self.push(entry.flags(flags), fd, part) };
        }
    }
}

/// Serves until the process ends.
pub(crate) fn run<S: Sender>(listener: OwnedFd, mut sender: S) -> io::Result<()> {
    let mut ring: IoUring = IoUring::builder()
        .setup_single_issuer()
        .setup_defer_taskrun()
        .setup_no_sqarray()
        .setup_cqsize(COMPLETIONS)
        .build(SUBMISSIONS)?;
    let (mut submitter, entries, mut completions) = ring.split();
    submitter.register_ring_fd()?;
    let mut buffers = Buffers::register(&submitter)?;
    let mut queue = Queue { submitter, entries };
    let mut connections = vec![Connection::default(); DESCRIPTORS_MAX];
    sender.reserve(DESCRIPTORS_MAX);
    let mut to_answer: Vec<RawFd> = Vec::with_capacity(DESCRIPTORS_MAX);
    let blank_line = Finder::new(BLANK_LINE);
    accept::<S>(&listener, &mut queue);
    loop {
        queue.entries.sync();
        match queue.submitter.submit_and_wait(1) {
            Err(error) if !is_passing(&error) => return Err(error),
            _ => queue.entries.sync(),
        }
        completions.sync();
        for completion in &mut completions {
            let fd = (completion.user_data() >> 8) as RawFd;
            let kind = completion.user_data() as u8;
            if kind == ACCEPT {
                opened(&completion, &mut sender, &mut connections, &mut queue);
                if !cqueue::more(completion.flags()) {
                    accept::<S>(&listener, &mut queue);
                }
                continue;
            }
            let connection = &mut connections[fd as usize];
            if kind == RECEIVE {
                received(
                    fd,
                    &completion,
                    connection,
                    &mut buffers,
                    &blank_line,
                    &mut queue,
                );
            } else {
                sender.sent(fd, connection, kind, completion.result());
            }
            if !connection.listed {
                connection.listed = true;
                to_answer.push(fd);
            }
        }
        buffers.publish();
        for fd in to_answer.drain(..) {
            let connection = &mut connections[fd as usize];
            connection.listed = false;
            if connection.sending > 0 {
                continue;
            }
            if connection.owed > 0 && !connection.broken {
                sender.send(fd, connection, &mut queue);
            }
            if connection.broken && connection.receiving {
                // Ends the receive, whose completion comes back here.
                // SAFETY: no memory is passed, and the descriptor is the connection's.
                unsafe { libc::shutdown(fd, libc::SHUT_RDWR) };
            } else if !connection.receiving && connection.sending == 0 {
                // SAFETY: nothing is in flight on the descriptor, and only this table knows it.
                unsafe { libc::close(fd) };
            }
        }
    }
}

/// Arms the multishot accept.
fn accept<S: Sender>(listener: &OwnedFd, queue: &mut Queue<'_>) {
    let entry = opcode::AcceptMulti::new(types::Fd(listener.as_raw_fd())).flags(S::ACCEPT_FLAGS);
    // SAFETY: the entry refers to no memory.
    unsafe { queue.push(entry.build(), listener.as_raw_fd(), ACCEPT) };
}

/// Arms a connection's multishot receive.
fn receive(fd: RawFd, queue: &mut Queue<'_>) {
    let entry = opcode::RecvMulti::new(types::Fd(fd), buffers::GROUP);
    // SAFETY: the entry refers to the buffer group's memory only, which is never freed.
    unsafe { queue.push(entry.build(), fd, RECEIVE) };
}

/// Takes a new connection.
fn opened<S: Sender>(
    completion: &cqueue::Entry,
    sender: &mut S,
    connections: &mut [Connection],
    queue: &mut Queue<'_>,
) {
    let fd = completion.result();
    if fd < 0 {
        // Out of descriptors, or the client left before it was accepted.
        return;
    }
    if fd as usize >= DESCRIPTORS_MAX || sender.open(fd).is_err() {
        // SAFETY: the descriptor was just accepted and nothing else knows it.
        unsafe { libc::close(fd) };
        return;
    }
    connections[fd as usize] = Connection::open();
    receive(fd, queue);
}

/// Counts what was received, gives the buffer back, and arms the receive again when it ended for want of buffers.
fn received(
    fd: RawFd,
    completion: &cqueue::Entry,
    connection: &mut Connection,
    buffers: &mut Buffers,
    blank_line: &Finder<'_>,
    queue: &mut Queue<'_>,
) {
    let result = completion.result();
    if let Some(number) = cqueue::buffer_select(completion.flags()) {
        let length = usize::try_from(result).unwrap_or(0);
        connection.count_heads(buffers.filled(number, length), blank_line);
        buffers.give_back(number);
    }
    if cqueue::more(completion.flags()) {
        return;
    }
    if result > 0 || result == -libc::ENOBUFS {
        receive(fd, queue);
    } else {
        connection.receiving = false;
        connection.broken |= result < 0;
    }
}

/// Whether an enter failed for a reason that the next one need not meet.
fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EINTR | libc::EBUSY | libc::EAGAIN)
    )
}
