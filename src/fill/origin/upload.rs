//! The body of a request on its way from a client to the origin: pulled piece by piece, as the origin takes it.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::mpsc;

/// A part of a request's body.
#[derive(Debug)]
pub enum Piece {
    /// Its next bytes.
    Bytes(Bytes),
    /// Its end. A queue that closes without it says that the client gave up.
    End,
}

/// A request's body as it comes from a client: a bounded queue of pieces.
pub struct RequestStream {
    pieces: mpsc::Receiver<Piece>,
    length: Option<u64>,
    on_taken: Option<Box<dyn Fn(usize)>>,
}

impl RequestStream {
    /// The body that comes through `pieces`; `length` bytes where that is known. A body of known length is over with its
    /// last byte, and needs no [`Piece::End`].
    #[must_use]
    pub fn new(pieces: mpsc::Receiver<Piece>, length: Option<u64>) -> Self {
        Self {
            pieces,
            length,
            on_taken: None,
        }
    }

    /// Also calls `on_taken`, on the fill thread, with the size of each piece that was taken, so that whoever gives the
    /// pieces knows when there is room again without waiting for it.
    #[must_use]
    pub fn on_taken(mut self, on_taken: impl Fn(usize) + 'static) -> Self {
        self.on_taken = Some(Box::new(on_taken));
        self
    }
}

impl fmt::Debug for RequestStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestStream")
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

/// The client gave up within the body, or sent more than it had announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct GivenUp;

impl fmt::Display for GivenUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the client gave up within the request's body")
    }
}

impl std::error::Error for GivenUp {}

/// How far a body has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// There may be more to take.
    Flowing,
    /// The client has not sent the next piece yet.
    Waiting,
    /// All of it was taken.
    Ended,
    /// The rest will never come.
    GivenUp,
}

/// A body that outlives an attempt to send it.
#[derive(Debug)]
pub(super) struct UploadSource {
    stream: RefCell<RequestStream>,
    phase: Cell<Phase>,
    taken: Cell<u64>,
}

impl UploadSource {
    pub(super) fn new(stream: RequestStream) -> Rc<Self> {
        let is_empty = stream.length == Some(0);
        Rc::new(Self {
            stream: RefCell::new(stream),
            phase: Cell::new(if is_empty {
                Phase::Ended
            } else {
                Phase::Flowing
            }),
            taken: Cell::new(0),
        })
    }

    /// The whole body's size, where it is known.
    pub(super) fn length(&self) -> Option<u64> {
        self.stream.borrow().length
    }

    pub(super) fn is_untouched(&self) -> bool {
        self.taken.get() == 0 && matches!(self.phase.get(), Phase::Flowing | Phase::Waiting)
            || self.length() == Some(0)
    }

    pub(super) fn is_ended(&self) -> bool {
        self.phase.get() == Phase::Ended
    }

    pub(super) fn is_given_up(&self) -> bool {
        self.phase.get() == Phase::GivenUp
    }

    /// Whether it is the client that lets everybody wait.
    pub(super) fn is_waiting_for_the_client(&self) -> bool {
        self.phase.get() == Phase::Waiting
    }

    fn left(&self) -> Option<u64> {
        let length = self.length()?;
        Some(length.saturating_sub(self.taken.get()))
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, GivenUp>>> {
        loop {
            match self.phase.get() {
                Phase::Ended => return Poll::Ready(None),
                Phase::GivenUp => return Poll::Ready(Some(Err(GivenUp))),
                Phase::Flowing | Phase::Waiting => {}
            }
            self.phase.set(Phase::Waiting);
            let piece = ready!(self.stream.borrow_mut().pieces.poll_recv(cx));
            self.phase.set(Phase::Flowing);
            match piece {
                Some(Piece::Bytes(bytes)) if bytes.is_empty() => {}
                Some(Piece::Bytes(bytes)) => {
                    let size = bytes.len() as u64;
                    if self.left().is_some_and(|left| left < size) {
                        self.phase.set(Phase::GivenUp);
                        continue;
                    }
                    self.taken.set(self.taken.get() + size);
                    if self.left() == Some(0) {
                        self.phase.set(Phase::Ended);
                    }
                    if let Some(on_taken) = &self.stream.borrow().on_taken {
                        on_taken(bytes.len());
                    }
                    return Poll::Ready(Some(Ok(bytes)));
                }
                // A body of known length that is whole has ended above.
                Some(Piece::End) if self.length().is_none() => self.phase.set(Phase::Ended),
                Some(Piece::End) | None => self.phase.set(Phase::GivenUp),
            }
        }
    }
}

/// The body of one attempt, as the connection pulls it.
#[derive(Debug)]
pub(super) struct Upload(Option<Rc<UploadSource>>);

impl Upload {
    pub(super) fn of(source: Option<&Rc<UploadSource>>) -> Self {
        Self(source.map(Rc::clone))
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = GivenUp;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, GivenUp>>> {
        match &self.0 {
            None => Poll::Ready(None),
            Some(source) => source
                .poll(cx)
                .map(|piece| piece.map(|piece| piece.map(Frame::data))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(|source| source.is_ended())
    }

    fn size_hint(&self) -> SizeHint {
        let left = self.0.as_ref().map_or(Some(0), |source| source.left());
        left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
