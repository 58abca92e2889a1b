//! The listening socket.

use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::{io, mem};

/// Listens on `address`. Accepted sockets inherit TCP_NODELAY, which saves a call each.
pub(crate) fn listen(address: SocketAddr) -> io::Result<OwnedFd> {
    let listener: OwnedFd = std::net::TcpListener::bind(address)?.into();
    let on: libc::c_int = 1;
    // SAFETY: `on` lives through the call, and its size is the one given.
    let set = unsafe {
        libc::setsockopt(
            listener.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_NODELAY,
            (&raw const on).cast(),
            mem::size_of_val(&on) as libc::socklen_t,
        )
    };
    // As the server does on loopback: pacing by another congestion control only costs timers there. Where it may not be
    // chosen, the system's stays.
    let reno = b"reno";
    // SAFETY: `reno` lives through the call, and its size is the one given.
    unsafe {
        libc::setsockopt(
            listener.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_CONGESTION,
            reno.as_ptr().cast(),
            reno.len() as libc::socklen_t,
        )
    };
    // SAFETY: no memory is passed; listening again only raises the backlog that std chose.
    let listening = unsafe { libc::listen(listener.as_raw_fd(), 4096) };
    if set < 0 || listening < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(listener)
}
