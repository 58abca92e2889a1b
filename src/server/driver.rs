//! What a worker asks of the driver that moves its bytes.

use std::io;
use std::os::fd::BorrowedFd;

use super::slot::{IoState, Token};

/// The driver's side of a connection. Each call names the connection by its token and gets its [`IoState`], which only
/// the driver writes.
pub trait Controls {
    /// Begins to deliver what the connection receives.
    ///
    /// # Errors
    ///
    /// Out of kernel memory or over a limit of the kernel's; the connection is of no use then.
    fn begin(&mut self, token: Token, socket: BorrowedFd<'_>, io: &mut IoState) -> io::Result<()>;

    /// Stops delivering for a while. What is under way may still come.
    ///
    /// # Errors
    ///
    /// As [`Controls::begin`].
    fn pause(&mut self, token: Token, io: &mut IoState) -> io::Result<()>;

    /// Delivers again.
    ///
    /// # Errors
    ///
    /// As [`Controls::begin`].
    fn resume(&mut self, token: Token, socket: BorrowedFd<'_>, io: &mut IoState) -> io::Result<()>;

    /// Tells the worker once when the socket takes bytes again.
    ///
    /// # Errors
    ///
    /// As [`Controls::begin`].
    fn await_writable(
        &mut self,
        token: Token,
        socket: BorrowedFd<'_>,
        io: &mut IoState,
    ) -> io::Result<()>;

    /// Ends everything; true when nothing is under way, so that the socket may be closed at once. Otherwise the
    /// driver calls `Worker::on_quiet` when that is so.
    fn end(&mut self, token: Token, io: &mut IoState) -> bool;
}
