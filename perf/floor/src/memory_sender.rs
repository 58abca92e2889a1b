//! Head and body from memory with one send.
//!
//! The send runs inside the submission. Where it takes everything, which is nearly always, it posts no completion
//! (CQE_SKIP_SUCCESS): the turn after it either finds its failure or knows that all bytes are in the socket. A send
//! that falls short completes with what it took; the rest goes out by a send that the kernel keeps until all is sent.

use std::io;
use std::os::fd::RawFd;

use io_uring::{opcode, squeue, types};

use crate::answer::Answer;
use crate::connection::Connection;
use crate::turn::{Queue, SEND, Sender};

/// Copies of the answer stand side by side up to this many bytes, so that pipelined requests are answered by one send.
const COPIES_BYTES: usize = 256 << 10;
/// The first try: never waits, silent when everything was taken.
const TRY: u8 = SEND;
/// The rest, which waits for room.
const REST: u8 = SEND + 1;

/// Longest single send; a longer batch goes out in several.
const SEND_BYTES_MAX: usize = 1 << 30;

/// What was sent last on one connection.
#[derive(Clone, Copy, Default)]
struct Batch {
    /// Answers in it.
    answers: u32,
    /// Its bytes that are in the socket.
    sent: usize,
    /// Whether a try fell short, so that the rest goes before anything else.
    is_short: bool,
}

pub(crate) struct MemorySender {
    /// Head and body, `copies` times; never freed.
    bytes: &'static [u8],
    answer_bytes: usize,
    copies: u32,
    batches: Vec<Batch>,
}

impl MemorySender {
    pub(crate) fn new(answer: &Answer) -> io::Result<Self> {
        let mut one = answer.head.clone();
        one.extend_from_slice(&answer.body()?);
        let copies = (COPIES_BYTES / one.len()).clamp(1, 256);
        Ok(Self {
            answer_bytes: one.len(),
            bytes: one.repeat(copies).leak(),
            copies: copies as u32,
            batches: Vec::new(),
        })
    }

    fn push(&self, fd: RawFd, kind: u8, rest: &'static [u8], queue: &mut Queue<'_>) {
        let (flags, silence) = if kind == TRY {
            (libc::MSG_DONTWAIT, squeue::Flags::SKIP_SUCCESS)
        } else {
            (0, squeue::Flags::empty())
        };
        let length = rest.len().min(SEND_BYTES_MAX) as u32;
        let entry = opcode::Send::new(types::Fd(fd), rest.as_ptr(), length)
            .flags(flags | libc::MSG_WAITALL | libc::MSG_NOSIGNAL)
            .build()
            .flags(silence);
        // SAFETY: `rest` is static and never written to.
        unsafe { queue.push(entry, fd, kind) };
    }
}

impl Sender for MemorySender {
    const ACCEPT_FLAGS: i32 = libc::SOCK_CLOEXEC;

    fn reserve(&mut self, count: usize) {
        self.batches.resize(count, Batch::default());
    }

    fn open(&mut self, fd: RawFd) -> io::Result<()> {
        self.batches[fd as usize] = Batch::default();
        Ok(())
    }

    fn send(&mut self, fd: RawFd, connection: &mut Connection, queue: &mut Queue<'_>) {
        let batch = &mut self.batches[fd as usize];
        if !batch.is_short {
            *batch = Batch {
                answers: connection.owed.min(self.copies),
                ..Batch::default()
            };
        }
        let rest = &self.bytes[batch.sent..batch.answers as usize * self.answer_bytes];
        // Silence is for a send after which there is nothing to do: no more owed, not closing.
        let is_last = batch.answers == connection.owed && connection.receiving;
        if is_last && !batch.is_short && rest.len() <= SEND_BYTES_MAX {
            connection.owed = 0;
            self.push(fd, TRY, rest, queue);
        } else {
            connection.sending = 1;
            self.push(fd, REST, rest, queue);
        }
    }

    fn sent(&mut self, fd: RawFd, connection: &mut Connection, part: u8, result: i32) {
        let batch = &mut self.batches[fd as usize];
        if part == TRY {
            // It fell short: what it was to answer is owed again.
            connection.owed += batch.answers;
        } else {
            connection.sending = 0;
        }
        batch.is_short = true;
        match result {
            taken @ 0.. => batch.sent += taken as usize,
            failed if failed == -libc::EAGAIN || failed == -libc::EINTR => {}
            _ => connection.broken = true,
        }
        if batch.sent == batch.answers as usize * self.answer_bytes {
            connection.owed -= batch.answers;
            batch.is_short = false;
        }
    }
}
