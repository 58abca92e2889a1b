//! Sends bodies from where they are held: memory, a mapping, or a descriptor. None of these blocks on the socket.
#![expect(
    unsafe_code,
    reason = "a mapping is sent by address: user space must never read it"
)]

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use super::mapping::KernelSlice;

/// Sends `head`, then `body`, with one call; returns how many bytes of both the socket took.
///
/// # Errors
///
/// `WouldBlock` when the socket is full; otherwise the connection failed.
pub fn memory(socket: impl AsFd, head: &[u8], body: &[u8]) -> io::Result<usize> {
    gather(&socket, head, body.as_ptr(), body.len())
}

/// As [`memory`], from a mapping of a file. The kernel copies: a file that was truncated below the mapping's end is
/// an error here, not a signal.
///
/// # Errors
///
/// As [`memory`], and `EFAULT` when nothing could be copied because the file has shrunk.
pub fn mapping(socket: impl AsFd, head: &[u8], body: KernelSlice<'_>) -> io::Result<usize> {
    gather(&socket, head, body.address(), body.len())
}

fn gather(socket: &impl AsFd, head: &[u8], body: *const u8, size: usize) -> io::Result<usize> {
    let mut pieces = [
        libc::iovec {
            iov_base: head.as_ptr().cast_mut().cast(),
            iov_len: head.len(),
        },
        libc::iovec {
            iov_base: body.cast_mut().cast(),
            iov_len: size,
        },
    ];
    // SAFETY: all-zero is a valid msghdr: no name, no pieces, no control.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = pieces.as_mut_ptr();
    message.msg_iovlen = pieces.len();
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // SAFETY: the pieces outlive the call; the kernel only reads them and checks the addresses itself.
    let sent = unsafe { libc::sendmsg(socket.as_fd().as_raw_fd(), &raw const message, flags) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// Sends up to `count` bytes of `file` from `offset` on, by reference to its pages. Blocks on pages that are not in
/// memory (see [`super::residency`]), never on the socket, which must be non-blocking.
///
/// # Errors
///
/// `WouldBlock` when the socket is full; otherwise the connection or the file's device failed.
pub fn file(socket: impl AsFd, file: impl AsFd, offset: u64, count: usize) -> io::Result<usize> {
    let mut offset = offset;
    Ok(rustix::fs::sendfile(
        socket,
        file,
        Some(&mut offset),
        count,
    )?)
}
