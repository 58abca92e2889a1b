//! Head from memory with MSG_MORE, body with sendfile(2), both called bare on a socket that never blocks. A full
//! socket is waited for by a poll of the ring.

use std::io;
use std::os::fd::{AsRawFd, RawFd};

use io_uring::{opcode, types};

use crate::answer::Answer;
use crate::connection::Connection;
use crate::turn::{Queue, SEND, Sender};

/// Bytes of the answer under way that are in the socket.
#[derive(Clone, Copy, Default)]
struct Progress {
    head: usize,
    body: usize,
}

pub(crate) struct FileSender<'a> {
    answer: &'a Answer,
    progress: Vec<Progress>,
}

/// How a push ended.
enum Pushed {
    Whole,
    Full,
    Broken,
}

impl<'a> FileSender<'a> {
    pub(crate) fn new(answer: &'a Answer) -> Self {
        Self {
            answer,
            progress: Vec::new(),
        }
    }

    /// Sends the rest of one answer.
    fn push(&mut self, fd: RawFd) -> Pushed {
        let progress = &mut self.progress[fd as usize];
        while progress.head < self.answer.head.len() {
            let rest = &self.answer.head[progress.head..];
            let more = if self.answer.body_bytes > 0 {
                libc::MSG_MORE
            } else {
                0
            };
            let flags = more | libc::MSG_NOSIGNAL;
            // SAFETY: `rest` is borrowed through the call.
            let sent = unsafe { libc::send(fd, rest.as_ptr().cast(), rest.len(), flags) };
            match usize::try_from(sent) {
                Ok(sent) => progress.head += sent,
                Err(_) => return failed(),
            }
        }
        while progress.body < self.answer.body_bytes {
            let mut offset = progress.body as libc::off_t;
            let rest = self.answer.body_bytes - progress.body;
            // SAFETY: `offset` lives through the call.
            let sent =
                unsafe { libc::sendfile(fd, self.answer.file.as_raw_fd(), &raw mut offset, rest) };
            match usize::try_from(sent) {
                Ok(0) => return Pushed::Broken,
                Ok(sent) => progress.body += sent,
                Err(_) => return failed(),
            }
        }
        *progress = Progress::default();
        Pushed::Whole
    }
}

impl Sender for FileSender<'_> {
    const ACCEPT_FLAGS: i32 = libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;

    fn reserve(&mut self, count: usize) {
        self.progress.resize(count, Progress::default());
    }

    fn open(&mut self, fd: RawFd) -> io::Result<()> {
        self.progress[fd as usize] = Progress::default();
        Ok(())
    }

    fn send(&mut self, fd: RawFd, connection: &mut Connection, queue: &mut Queue<'_>) {
        while connection.owed > 0 {
            match self.push(fd) {
                Pushed::Whole => connection.owed -= 1,
                Pushed::Broken => {
                    connection.broken = true;
                    return;
                }
                Pushed::Full => {
                    connection.sending = 1;
                    let room = opcode::PollAdd::new(types::Fd(fd), libc::POLLOUT as u32).build();
                    // SAFETY: the entry refers to no memory.
                    unsafe { queue.push(room, fd, SEND) };
                    return;
                }
            }
        }
    }

    fn sent(&mut self, _fd: RawFd, connection: &mut Connection, _part: u8, result: i32) {
        connection.sending = 0;
        connection.broken |= result < 0;
    }
}

/// What the last call's error means.
fn failed() -> Pushed {
    match io::Error::last_os_error().kind() {
        io::ErrorKind::WouldBlock => Pushed::Full,
        // Nothing was sent; the caller's loop would try at once, a turn later is as good.
        io::ErrorKind::Interrupted => Pushed::Full,
        _ => Pushed::Broken,
    }
}
