//! Head from memory with MSG_MORE, body by splice through a pipe, all by the ring. The kernel runs splices on its
//! worker threads (io-wq), so a full socket blocks one of those and never this thread.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use io_uring::{opcode, types};

use crate::answer::Answer;
use crate::connection::Connection;
use crate::turn::{Queue, SEND, Sender};

const HEAD: u8 = SEND;
const FILL: u8 = SEND + 1;
const DRAIN: u8 = SEND + 2;

/// The pipe's size: a chain moves as much. The largest that a process without privileges may ask for.
const PIPE_BYTES: i32 = 1 << 20;

/// Where a connection's answer is: bytes of the head in the socket, of the body taken from the file, of the body in the
/// pipe.
#[derive(Default)]
struct Progress {
    head: usize,
    taken: usize,
    piped: usize,
    pipe: Option<Pipe>,
}

struct Pipe {
    read: OwnedFd,
    write: OwnedFd,
    size: usize,
}

pub(crate) struct SpliceSender<'a> {
    answer: &'a Answer,
    progress: Vec<Progress>,
}

impl<'a> SpliceSender<'a> {
    pub(crate) fn new(answer: &'a Answer) -> Self {
        Self {
            answer,
            progress: Vec::new(),
        }
    }
}

impl Sender for SpliceSender<'_> {
    const ACCEPT_FLAGS: i32 = libc::SOCK_CLOEXEC;

    fn reserve(&mut self, count: usize) {
        self.progress.resize_with(count, Progress::default);
    }

    fn open(&mut self, fd: RawFd) -> io::Result<()> {
        let progress = &mut self.progress[fd as usize];
        // A connection that broke leaves bytes in its pipe: only a clean one is used again.
        let pipe = progress.pipe.take().filter(|_| progress.piped == 0);
        let pipe = match pipe {
            Some(pipe) => pipe,
            None => Pipe::open()?,
        };
        *progress = Progress {
            pipe: Some(pipe),
            ..Progress::default()
        };
        Ok(())
    }

    fn send(&mut self, fd: RawFd, connection: &mut Connection, queue: &mut Queue<'_>) {
        let progress = &self.progress[fd as usize];
        let Some(pipe) = &progress.pipe else {
            connection.broken = true;
            return;
        };
        let (socket, file) = (types::Fd(fd), types::Fd(self.answer.file.as_raw_fd()));
        let rest = &self.answer.head[progress.head..];
        let more = if self.answer.body_bytes > 0 {
            libc::MSG_MORE
        } else {
            0
        };
        let head = opcode::Send::new(socket, rest.as_ptr(), rest.len() as u32)
            .flags(more | libc::MSG_WAITALL | libc::MSG_NOSIGNAL)
            .build();
        let fill_bytes = (self.answer.body_bytes - progress.taken).min(pipe.size) as u32;
        let (write, read) = (
            types::Fd(pipe.write.as_raw_fd()),
            types::Fd(pipe.read.as_raw_fd()),
        );
        let fill = opcode::Splice::new(file, progress.taken as i64, write, -1, fill_bytes).build();
        let drain = |bytes: u32| opcode::Splice::new(read, -1, socket, -1, bytes).build();
        // SAFETY (of the pushes below): the head belongs to the answer, which outlives the ring; the rest refers to no
        // memory.
        if progress.piped > 0 {
            connection.sending = 1;
            // SAFETY: see above.
            unsafe { queue.push(drain(progress.piped as u32), fd, DRAIN) };
        } else if rest.is_empty() {
            connection.sending = 2;
            // SAFETY: see above.
            unsafe { queue.push_chain([(fill, FILL), (drain(fill_bytes), DRAIN)], fd) };
        } else if fill_bytes == 0 {
            connection.sending = 1;
            // SAFETY: see above.
            unsafe { queue.push(head, fd, HEAD) };
        } else {
            connection.sending = 3;
            let chain = [(head, HEAD), (fill, FILL), (drain(fill_bytes), DRAIN)];
            // SAFETY: see above.
            unsafe { queue.push_chain(chain, fd) };
        }
    }

    fn sent(&mut self, fd: RawFd, connection: &mut Connection, part: u8, result: i32) {
        connection.sending -= 1;
        let progress = &mut self.progress[fd as usize];
        match usize::try_from(result) {
            // The file is shorter than it was.
            Ok(0) => connection.broken = true,
            Ok(count) if part == HEAD => progress.head += count,
            Ok(count) if part == FILL => {
                progress.taken += count;
                progress.piped += count;
            }
            Ok(count) => progress.piped -= count,
            // A short operation cancels the rest of its chain, which `send` submits anew.
            Err(_) if [libc::ECANCELED, libc::EINTR, libc::EAGAIN].contains(&-result) => {}
            Err(_) => connection.broken = true,
        }
        if progress.head == self.answer.head.len()
            && progress.taken == self.answer.body_bytes
            && progress.piped == 0
            && connection.sending == 0
        {
            connection.owed -= 1;
            (progress.head, progress.taken) = (0, 0);
        }
    }
}

impl Pipe {
    fn open() -> io::Result<Self> {
        let mut ends = [0; 2];
        // SAFETY: `ends` has room for the two descriptors.
        if unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) } < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call just opened it, and nothing else owns it.
        let read = unsafe { OwnedFd::from_raw_fd(ends[0]) };
        // SAFETY: the call just opened it, and nothing else owns it.
        let write = unsafe { OwnedFd::from_raw_fd(ends[1]) };
        // SAFETY: no memory is passed. Where the size is refused, the pipe stays as it is.
        unsafe { libc::fcntl(ends[1], libc::F_SETPIPE_SZ, PIPE_BYTES) };
        // SAFETY: no memory is passed.
        let size = unsafe { libc::fcntl(ends[1], libc::F_GETPIPE_SZ) };
        Ok(Self {
            read,
            write,
            size: usize::try_from(size).map_err(|_| io::Error::last_os_error())?,
        })
    }
}
