//! TCP sockets: listeners, accepted connections, and the few calls that rustix and socket2 lack.
#![expect(unsafe_code, reason = "SIOCOUTQ has no safe form")]

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Duration;

use rustix::net::{RecvFlags, SendFlags, SocketFlags};
use socket2::{Domain, Protocol, SockRef, Socket, Type};

/// Connections that the kernel completes before we accept them; it caps this at `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// A non-blocking listener that shares its port with the other workers' (`SO_REUSEPORT`).
///
/// # Errors
///
/// The address is taken, not ours, or needs a right that we lack.
pub fn listen(address: SocketAddr) -> io::Result<OwnedFd> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Accepted sockets inherit it, which saves a system call a connection.
    socket.set_tcp_nodelay(true)?;
    if address.ip().to_canonical().is_loopback() {
        // Nothing is lost or queued on the way to this machine itself: pacing by a congestion control that was chosen for
        // networks (BBR) only costs timers. Reno is part of every kernel; where it may not be chosen, the default stays.
        if socket.set_tcp_congestion(b"reno").is_err() {
            tracing::debug!("the congestion control of {address} stays the system's");
        }
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Whether anybody listens on `address` already: `SO_REUSEPORT` would let a second server of the same user join in silence.
///
/// # Errors
///
/// The address is in use, not ours, or needs a right that we lack.
pub fn claim(address: SocketAddr) -> io::Result<()> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    Ok(())
}

/// The address that a socket is bound to.
///
/// # Errors
///
/// Not a bound inet socket.
pub fn local_address(socket: impl AsFd) -> io::Result<SocketAddr> {
    let address = SockRef::from(&socket).local_addr()?;
    address
        .as_socket()
        .ok_or_else(|| io::Error::from(io::ErrorKind::AddrNotAvailable))
}

/// The address of the other side.
///
/// # Errors
///
/// The connection has failed already.
pub fn peer_address(socket: impl AsFd) -> io::Result<SocketAddr> {
    let address = SockRef::from(&socket).peer_addr()?;
    address
        .as_socket()
        .ok_or_else(|| io::Error::from(io::ErrorKind::AddrNotAvailable))
}

/// Accepts one waiting connection, non-blocking and close-on-exec.
///
/// # Errors
///
/// `WouldBlock` when none waits; otherwise what the kernel says.
pub fn accept(listener: impl AsFd) -> io::Result<OwnedFd> {
    Ok(rustix::net::accept_with(
        listener,
        SocketFlags::NONBLOCK | SocketFlags::CLOEXEC,
    )?)
}

/// Receives what there is into `buffer`; 0 is the end of the stream.
///
/// # Errors
///
/// `WouldBlock` when nothing waits; otherwise the connection failed.
pub fn receive(socket: impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    let (count, _) = rustix::net::recv(socket, buffer, RecvFlags::DONTWAIT)?;
    Ok(count)
}

/// Sends as much of `bytes` as the socket takes. With `more`, the last segment waits for the next send.
///
/// # Errors
///
/// `WouldBlock` when the socket is full; otherwise the connection failed.
pub fn send(socket: impl AsFd, bytes: &[u8], more: bool) -> io::Result<usize> {
    let mut flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    flags.set(SendFlags::MORE, more);
    Ok(rustix::net::send(socket, bytes, flags)?)
}

/// Tells the other side that nothing more comes.
///
/// # Errors
///
/// The connection has failed already.
pub fn finish(socket: impl AsFd) -> io::Result<()> {
    Ok(rustix::net::shutdown(socket, rustix::net::Shutdown::Write)?)
}

/// Makes the coming close reset the connection and drop what is not sent, so that the other side can tell.
///
/// # Errors
///
/// Not a socket.
pub fn reset_on_close(socket: impl AsFd) -> io::Result<()> {
    SockRef::from(&socket).set_linger(Some(Duration::ZERO))
}

/// Bytes that the other side has not acknowledged yet.
///
/// # Errors
///
/// Not a TCP socket.
pub fn unacknowledged(socket: impl AsFd) -> io::Result<u32> {
    let mut count: libc::c_int = 0;
    // SAFETY: TIOCOUTQ (SIOCOUTQ) writes one int to the address given, which is one.
    let done = unsafe { libc::ioctl(socket.as_fd().as_raw_fd(), libc::TIOCOUTQ, &raw mut count) };
    if done < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(u32::try_from(count).unwrap_or(0))
}
