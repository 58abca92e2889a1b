//! The body of a response, pulled piece by piece: as long as nobody asks for more, the origin has to wait.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hyper::body::{Body as _, Frame, Incoming};
use tokio::sync::mpsc;

use super::fault::OriginFault;
use super::head::{Framing, fields_of};
use super::pool::Carrier;
use super::response::connection_fault;
use crate::http::fields::Fields;
use crate::http::list;
use crate::sys::clock;
use crate::units::MonoNanos;

/// Pieces below this size are gathered.
const SMALL: usize = 16 << 10;

/// Most bytes that are gathered into one piece.
const GATHERED_MAX: usize = 64 << 10;

/// Where a body's bytes come from.
enum Flow {
    /// A connection.
    Connection(Incoming),
    /// This process itself; so many are still to come.
    Own(mpsc::Receiver<Bytes>, u64),
}

impl Flow {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        match self {
            Self::Connection(incoming) => Pin::new(incoming).poll_frame(cx),
            Self::Own(pieces, left) => pieces.poll_recv(cx).map(|piece| {
                let bytes = piece?;
                *left = left.saturating_sub(bytes.len() as u64);
                Some(Ok(Frame::data(bytes)))
            }),
        }
    }

    /// Whether its last byte has come.
    fn is_over(&self) -> bool {
        match self {
            Self::Connection(incoming) => incoming.is_end_stream(),
            Self::Own(_, left) => *left == 0,
        }
    }

    /// How it ended where no more comes.
    fn ending(&self) -> Result<(), OriginFault> {
        match self {
            Self::Own(_, 1..) => Err(OriginFault::Truncated),
            // Of a connection, whatever is missing is an error.
            _ => Ok(()),
        }
    }
}

/// A response's body. Dropped before its end, the connection is closed.
pub struct OriginBody {
    flow: Flow,
    /// The connection; none once the body has ended, well or not, and where there is none.
    carrier: Option<Carrier>,
    framing: Framing,
    length: Option<u64>,
    received: u64,
    between_bytes_timeout: Duration,
    total_deadline: Option<MonoNanos>,
    /// When the wait that is going on is over.
    deadline: Option<MonoNanos>,
    gathered: BytesMut,
    /// A large piece that came after gathered ones.
    held: Option<Bytes>,
    /// Whether the connection had its turn since the last piece.
    has_yielded: bool,
    ending: Option<Result<(), OriginFault>>,
    trailers: Option<Fields>,
    /// What the head's Connection names.
    of_one_connection: Box<[u8]>,
}

impl OriginBody {
    pub(super) fn new(
        incoming: Incoming,
        carrier: Carrier,
        framing: Framing,
        between_bytes_timeout: Duration,
        total_deadline: Option<MonoNanos>,
        of_one_connection: Box<[u8]>,
    ) -> Self {
        let mut body = Self {
            length: incoming.size_hint().exact(),
            flow: Flow::Connection(incoming),
            carrier: Some(carrier),
            framing,
            received: 0,
            between_bytes_timeout,
            total_deadline,
            deadline: None,
            gathered: BytesMut::new(),
            held: None,
            has_yielded: false,
            ending: None,
            trailers: None,
            of_one_connection,
        };
        body.end_if_over();
        body
    }

    /// A body of `size` bytes that this process brings itself. Where there are fewer, it is truncated.
    #[must_use]
    pub fn own(pieces: mpsc::Receiver<Bytes>, size: u64) -> Self {
        let mut body = Self {
            flow: Flow::Own(pieces, size),
            carrier: None,
            framing: Framing::Delimited,
            length: Some(size),
            received: 0,
            between_bytes_timeout: Duration::MAX,
            total_deadline: None,
            deadline: None,
            gathered: BytesMut::new(),
            held: None,
            has_yielded: false,
            ending: None,
            trailers: None,
            of_one_connection: Box::default(),
        };
        body.end_if_over();
        body
    }

    /// The whole body's size in bytes, where the head tells it; 0 for a response that has no body.
    #[must_use]
    pub fn size_hint(&self) -> Option<u64> {
        self.length
    }

    /// Whether the body ends where the connection does, so that nobody can tell whether it is whole (RFC 9112 s8).
    #[must_use]
    pub fn is_close_delimited(&self) -> bool {
        self.framing == Framing::Close
    }

    /// Bytes that [`next`](Self::next) has given so far.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received
    }

    /// The trailer fields (RFC 9110 s6.5), once the body has ended; without those that the head's Connection names, which
    /// are for this connection alone (s7.6.1).
    #[must_use]
    pub fn trailers(&self) -> Option<&Fields> {
        self.trailers.as_ref()
    }

    /// The next bytes, never none of them; `None` after the last. May be dropped and called again without loss.
    ///
    /// # Errors
    /// Once, and from then on, where the body does not come whole: `Truncated`, `Reset`, `BadFraming`, a timeout, or
    /// `Body` where the client gave up sending its own.
    pub async fn next(&mut self) -> Result<Option<Bytes>, OriginFault> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// The bytes that come next, which [`next`](Self::next) still gives: up to `max` of them and the rest of their piece, or up to the
    /// end, as far as they come by `by`.
    pub(super) async fn peek(&mut self, max: usize, by: MonoNanos) -> Bytes {
        let mut beginning = BytesMut::new();
        while beginning.len() < max {
            let left = by.since(clock::mono());
            match tokio::time::timeout(left, self.next()).await {
                Ok(Ok(Some(bytes))) => beginning.extend_from_slice(&bytes),
                Ok(Ok(None) | Err(_)) | Err(_) => break,
            }
        }
        let bytes = beginning.clone().freeze();
        // What was gathered goes before what is held, and all of it was taken; something may have come since.
        beginning.extend_from_slice(&self.gathered);
        self.gathered = beginning;
        bytes
    }

    /// As [`next`](Self::next), for those who wait for other things too.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, OriginFault>> {
        loop {
            if let Some(ending) = self.ending {
                return Poll::Ready(match self.take_gathered() {
                    Some(bytes) => Ok(Some(bytes)),
                    None => ending.map(|()| None),
                });
            }
            if self.held.is_some() || self.gathered.len() >= GATHERED_MAX {
                return Poll::Ready(Ok(self.take_gathered()));
            }
            match self.flow.poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => self.take(frame),
                Poll::Ready(Some(Err(error))) => {
                    let fault = self.fault_of(&error);
                    self.end(Err(fault));
                }
                Poll::Ready(None) => self.end(self.flow.ending()),
                Poll::Pending if self.gathered.is_empty() => {
                    if self.is_too_late(cx).is_pending() {
                        return Poll::Pending;
                    }
                }
                // The connection runs before this task does again, and may have the next piece at hand.
                Poll::Pending if !self.has_yielded => {
                    self.has_yielded = true;
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Poll::Pending => return Poll::Ready(Ok(self.take_gathered())),
            }
        }
    }

    fn take(&mut self, frame: Frame<Bytes>) {
        self.deadline = None;
        self.has_yielded = false;
        match frame.into_data() {
            Ok(bytes) => {
                self.received += bytes.len() as u64;
                self.end_if_over();
                if bytes.len() >= SMALL || (self.ending.is_some() && self.gathered.is_empty()) {
                    self.held = Some(bytes);
                } else {
                    self.gathered.extend_from_slice(&bytes);
                }
            }
            Err(frame) => {
                let Ok(trailers) = frame.into_trailers() else {
                    return;
                };
                match fields_of(&trailers) {
                    Ok(fields) => {
                        self.trailers = Some(self.without_those_of_one_connection(&fields))
                    }
                    Err(fault) => self.end(Err(fault)),
                }
            }
        }
    }

    fn without_those_of_one_connection(&self, trailers: &Fields) -> Fields {
        trailers.filtered(|name, _| {
            let mut options = list::elements(&self.of_one_connection);
            !options.any(|option| option.eq_ignore_ascii_case(name))
        })
    }

    /// What was gathered, then what came after it.
    fn take_gathered(&mut self) -> Option<Bytes> {
        if self.gathered.is_empty() {
            self.held.take()
        } else {
            Some(self.gathered.split().freeze())
        }
    }

    /// A body whose length was told is over with its last byte: the connection is given back before anybody asks.
    fn end_if_over(&mut self) {
        if self.flow.is_over() {
            self.end(Ok(()));
        }
    }

    fn end(&mut self, ending: Result<(), OriginFault>) {
        self.ending = Some(ending);
        let Some(carrier) = self.carrier.take() else {
            return;
        };
        match ending {
            Ok(()) => carrier.give_back(),
            Err(fault) => carrier.give_up(fault),
        }
    }

    fn fault_of(&self, error: &hyper::Error) -> OriginFault {
        let Some(carrier) = &self.carrier else {
            return OriginFault::Reset;
        };
        let account = carrier.account();
        if carrier.is_given_up_by_the_client() {
            OriginFault::Body
        } else if account.failed().is_some() || account.is_ended() {
            connection_fault(account)
        } else if is_decoding(error) {
            OriginFault::BadFraming
        } else {
            OriginFault::Reset
        }
    }

    /// Ends the body where the next bytes don't come in time.
    fn is_too_late(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(carrier) = &mut self.carrier else {
            // Who brings the bytes here ends it, too.
            return Poll::Pending;
        };
        let deadline = *self.deadline.get_or_insert_with(|| {
            let deadline = clock::mono().after(self.between_bytes_timeout);
            self.total_deadline
                .map_or(deadline, |total| deadline.min(total))
        });
        carrier.watch().poll(cx, deadline).map(|now| {
            let is_total = self.total_deadline.is_some_and(|total| now >= total);
            self.end(Err(if is_total {
                OriginFault::TotalTimeout
            } else {
                OriginFault::BetweenBytesTimeout
            }));
        })
    }
}

/// Whether the body's framing could not be read: the library gives the cause as an error of its reader.
fn is_decoding(error: &hyper::Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.is::<std::io::Error>())
}

impl fmt::Debug for OriginBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OriginBody")
            .field("length", &self.length)
            .field("received", &self.received)
            .field("ending", &self.ending)
            .finish_non_exhaustive()
    }
}
