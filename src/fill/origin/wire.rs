//! The bytes below HTTP: a socket, with or without TLS, that keeps account of what went over it.
//!
//! The account tells faults apart that look alike from above, such as a reset and a response that breaks the grammar, and
//! whether a request may be sent again. It also ends what has no end: 1xx responses without a final one.

use std::cell::{Cell, RefCell};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use rustix::net::RecvFlags;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// A connected socket that the pool can look at while HTTP reads and writes it.
#[derive(Clone, Debug)]
pub(super) struct Socket(Rc<RefCell<TcpStream>>);

/// What an idle socket holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pending {
    /// Nothing, and it is open.
    Nothing,
    /// Bytes that nobody asked for.
    Bytes,
    /// Its end.
    End,
}

impl Socket {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self(Rc::new(RefCell::new(stream)))
    }

    /// What has arrived and was not read: asks the kernel, which knows before the runtime does.
    pub(super) fn pending(&self) -> Pending {
        let mut byte = [0_u8; 1];
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        match rustix::net::recv(&*self.0.borrow(), &mut byte[..], flags) {
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Pending::Nothing,
            Ok((_, 1..)) => Pending::Bytes,
            Ok(_) | Err(_) => Pending::End,
        }
    }

    fn with<T>(&self, work: impl FnOnce(Pin<&mut TcpStream>) -> T) -> T {
        work(Pin::new(&mut *self.0.borrow_mut()))
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.with(|stream| stream.poll_read(cx, buffer))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.with(|stream| stream.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.with(|stream| stream.poll_write_vectored(cx, parts))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|stream| stream.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|stream| stream.poll_shutdown(cx))
    }
}

/// What went over a connection since its last request began.
#[derive(Debug, Default)]
pub(super) struct Account {
    sent: Cell<u64>,
    received: Cell<u64>,
    is_ended: Cell<bool>,
    failed: Cell<Option<io::ErrorKind>>,
    head_left: Cell<Option<u64>>,
    is_flooded: Cell<bool>,
}

impl Account {
    /// Begins a request. Until [`head_came`](Self::head_came), reading fails once `head_max` bytes were read.
    pub(super) fn begin(&self, head_max: u64) {
        self.sent.set(0);
        self.received.set(0);
        self.head_left.set(Some(head_max));
    }

    /// The final head has come: from here on, the body's length is nobody's concern here.
    pub(super) fn head_came(&self) {
        self.head_left.set(None);
    }

    /// Bytes of the request that left, TLS apart.
    pub(super) fn sent(&self) -> u64 {
        self.sent.get()
    }

    /// Bytes of the response that came, TLS apart.
    pub(super) fn received(&self) -> u64 {
        self.received.get()
    }

    /// Whether the origin closed its side.
    pub(super) fn is_ended(&self) -> bool {
        self.is_ended.get()
    }

    /// How the connection broke.
    pub(super) fn failed(&self) -> Option<io::ErrorKind> {
        self.failed.get()
    }

    /// Whether too much came before a final head.
    pub(super) fn is_flooded(&self) -> bool {
        self.is_flooded.get()
    }

    fn note_read(&self, result: &io::Result<()>, count: u64) {
        match result {
            Ok(()) if count == 0 => self.is_ended.set(true),
            Ok(()) => {
                self.received.set(self.received.get() + count);
                let left = self.head_left.get();
                self.head_left
                    .set(left.map(|left| left.saturating_sub(count)));
            }
            Err(error) => self.failed.set(Some(error.kind())),
        }
    }

    fn note_written(&self, result: &io::Result<usize>) {
        match result {
            Ok(count) => self.sent.set(self.sent.get() + *count as u64),
            Err(error) => self.failed.set(Some(error.kind())),
        }
    }
}

/// How bytes go between here and the origin.
#[derive(Debug)]
pub(super) enum Transport {
    Plain(Socket),
    Tls(Box<TlsStream<Socket>>),
}

/// A transport with its account.
#[derive(Debug)]
pub(super) struct Wire {
    transport: Transport,
    account: Rc<Account>,
}

impl Wire {
    pub(super) fn new(transport: Transport, account: Rc<Account>) -> Self {
        Self { transport, account }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.account.head_left.get() == Some(0) {
            self.account.is_flooded.set(true);
            return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
        }
        let before = buffer.filled().len();
        let result = ready!(match &mut self.transport {
            Transport::Plain(socket) => Pin::new(socket).poll_read(cx, buffer),
            Transport::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        });
        let count = buffer.filled().len() - before;
        self.account.note_read(&result, count as u64);
        Poll::Ready(result)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = ready!(match &mut self.transport {
            Transport::Plain(socket) => Pin::new(socket).poll_write(cx, bytes),
            Transport::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        });
        self.account.note_written(&result);
        Poll::Ready(result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = ready!(match &mut self.transport {
            Transport::Plain(socket) => Pin::new(socket).poll_write_vectored(cx, parts),
            Transport::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, parts),
        });
        self.account.note_written(&result);
        Poll::Ready(result)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.transport {
            Transport::Plain(socket) => Pin::new(socket).poll_flush(cx),
            Transport::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.transport {
            Transport::Plain(socket) => Pin::new(socket).poll_shutdown(cx),
            Transport::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
