//! What reads an origin's bytes: the library, set and judged by the fill room's own code, over memory instead of a socket.

#[path = "../../../src/fill/origin/fault.rs"]
mod fault;
#[path = "../../../src/fill/origin/head.rs"]
mod head;

use std::convert::Infallible;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::{Method, Request, Response};

pub use self::fault::OriginFault;
use self::head::{Framing, judge, library};
use crate::http::fields::Fields;

/// The largest head that is taken.
pub const HEAD_MAX: usize = 16 << 10;

/// Rounds after which an exchange in memory is stuck.
const ROUNDS_MAX: usize = 100_000;

/// How a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// There is none.
    Bodiless,
    /// With its length, or its last chunk.
    Delimited,
    /// With the connection.
    Close,
}

/// A response that was taken.
#[derive(Debug)]
pub struct Taken {
    /// Its status.
    pub status: u16,
    /// Its field lines.
    pub fields: Fields,
    /// How its body ends.
    pub end: End,
    /// The body's bytes, and whether they came whole.
    pub body: Vec<u8>,
    /// Whether the body ended as it should.
    pub is_whole: bool,
    /// Whether the connection may carry another request.
    pub persists: bool,
}

/// Why a response was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The library can't read it.
    Unreadable,
    /// It is in doubt.
    Judged(OriginFault),
}

/// Has `bytes` answer a GET, or a HEAD, in reads of `step` bytes at most.
///
/// # Errors
/// Whatever refuses the head.
///
/// # Panics
/// Where the exchange never ends.
pub fn answer(bytes: &[u8], step: usize, is_head: bool) -> Result<Taken, Refused> {
    let mut context = Context::from_waker(Waker::noop());
    let peer = Peer {
        bytes: Bytes::copy_from_slice(bytes),
        step: step.max(1),
    };
    let mut handshake = pin!(library(HEAD_MAX).handshake::<_, NoBody>(peer));
    let Poll::Ready(Ok((mut sender, connection))) = handshake.as_mut().poll(&mut context) else {
        panic!("a handshake needs no peer");
    };
    let mut connection = pin!(connection);
    let mut request = Request::new(NoBody);
    *request.uri_mut() = hyper::Uri::from_static("/");
    if is_head {
        *request.method_mut() = Method::HEAD;
    }
    let mut response = pin!(sender.send_request(request));
    let mut is_over = false;
    for _ in 0..ROUNDS_MAX {
        if !is_over {
            is_over = connection.as_mut().poll(&mut context).is_ready();
        }
        if let Poll::Ready(response) = response.as_mut().poll(&mut context) {
            let response = response.map_err(|_| Refused::Unreadable)?;
            return take(response, is_head, || {
                if !is_over {
                    is_over = connection
                        .as_mut()
                        .poll(&mut Context::from_waker(Waker::noop()))
                        .is_ready();
                }
            });
        }
    }
    panic!("no end of the exchange");
}

fn take(
    response: Response<Incoming>,
    is_head: bool,
    mut go_on: impl FnMut(),
) -> Result<Taken, Refused> {
    let (framing, fields) = judge(&response, is_head).map_err(Refused::Judged)?;
    let mut taken = Taken {
        status: response.status().as_u16(),
        fields,
        end: match framing {
            Framing::Bodiless => End::Bodiless,
            Framing::Delimited => End::Delimited,
            Framing::Close => End::Close,
        },
        body: Vec::new(),
        is_whole: false,
        persists: head::persists(response.version(), response.headers()),
    };
    let mut body = pin!(response.into_body());
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..ROUNDS_MAX {
        match body.as_mut().poll_frame(&mut context) {
            Poll::Ready(None) => {
                taken.is_whole = true;
                return Ok(taken);
            }
            Poll::Ready(Some(Err(_))) => return Ok(taken),
            Poll::Ready(Some(Ok(frame))) => {
                if let Ok(bytes) = frame.into_data() {
                    taken.body.extend_from_slice(&bytes);
                }
            }
            Poll::Pending => go_on(),
        }
    }
    panic!("no end of the body");
}

/// An origin that has said all that it will say.
struct Peer {
    bytes: Bytes,
    step: usize,
}

impl Read for Peer {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let count = self.step.min(self.bytes.len()).min(buffer.remaining());
        buffer.put_slice(&self.bytes.split_to(count));
        Poll::Ready(Ok(()))
    }
}

impl Write for Peer {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// The body of a request that has none.
struct NoBody;

impl Body for NoBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        true
    }
}
