//! The part of a body that still has to be sent.

use std::collections::VecDeque;

use crate::cache::Lease;
use crate::http::range::ByteRange;
use crate::store::body::BodyState;
use crate::store::demand::Stand;
use crate::store::tail::Tail;
use crate::store::window::{Beyond, Seat};
use crate::units::Waiter;

/// A stretch of a leased representation on its way out, and the parts that follow it.
#[derive(Debug)]
pub struct Transfer {
    /// Keeps the bytes alive.
    pub lease: Lease,
    /// The next byte to send.
    pub next: u64,
    /// One past the last byte of the stretch.
    pub end: u64,
    /// Bytes before this are in the page cache because the fill threads read them just now.
    pub warm_to: u64,
    /// Orders for cold bytes since the last byte was sent.
    pub cold_asks: u8,
    /// Where the answer's head starts in the output that it was written to, until that is sent.
    pub answer_at: usize,
    rest: Rest,
    /// Its place among the readers of a body that is brought as they need it.
    stand: Option<Stand>,
}

/// What follows the stretch.
#[derive(Debug)]
enum Rest {
    Nothing,
    /// Further parts of a multipart/byteranges body.
    Parts(Box<Parts>),
    /// More of a body whose size is not known: in chunks (RFC 9112 s7.1), or, for HTTP/1.0, until the connection closes.
    Stream {
        in_chunks: bool,
        began: bool,
        takes_trailers: bool,
        /// Its place among the readers of a body that may outgrow the store.
        seat: Option<Seat>,
    },
}

/// What [`Transfer::next_part`] came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextPart {
    /// There is a further stretch, or a closing, to send.
    More,
    /// The body is at its end.
    Nothing,
    /// More will come.
    Starved,
    /// More will not come.
    Failed,
}

/// The further parts of a multipart/byteranges body.
#[derive(Debug)]
pub struct Parts {
    /// The head of each part, and the part.
    pub parts: VecDeque<(Vec<u8>, ByteRange)>,
    /// What follows the last part.
    pub closing: Vec<u8>,
}

impl Transfer {
    /// The stretch from `first` to before `end`.
    #[must_use]
    pub fn new(lease: Lease, first: u64, end: u64) -> Self {
        let body = lease.object().growing();
        Self {
            stand: body.and_then(|body| body.stand(Some((first, end)))),
            lease,
            next: first,
            end,
            warm_to: 0,
            cold_asks: 0,
            answer_at: 0,
            rest: Rest::Nothing,
        }
    }

    /// A body whose size is not known: in chunks, with trailer fields where the client takes them, or until the connection
    /// closes.
    #[must_use]
    pub fn of_stream(
        lease: Lease,
        seat: Option<Seat>,
        in_chunks: bool,
        takes_trailers: bool,
    ) -> Self {
        let rest = Rest::Stream {
            in_chunks,
            began: false,
            takes_trailers,
            seat,
        };
        Self {
            rest,
            ..Self::new(lease, 0, 0)
        }
    }

    /// Several parts, each behind its head; starts with none of them.
    #[must_use]
    pub fn of_parts(lease: Lease, parts: Parts) -> Self {
        let (first, end) = match parts.parts.front() {
            Some((_, range)) => (range.first, range.last + 1),
            None => (0, 0),
        };
        Self {
            next: 0,
            end: 0,
            rest: Rest::Parts(Box::new(parts)),
            ..Self::new(lease, first, end)
        }
    }

    /// Bytes of the stretch that are left.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.end - self.next
    }

    /// How many of the next bytes stand where they are read from now: a body that grows, or outgrew the store, goes on elsewhere.
    #[must_use]
    pub fn left_in_file(&self) -> u64 {
        let Some(body) = self.lease.object().growing() else {
            return self.left();
        };
        let stored = match self.beyond() {
            Beyond::Stored(count) => count.min(body.run_from(self.next)),
            Beyond::Bytes(_) | Beyond::Lost => 0,
        };
        let in_file = body.file_from(self.next).map_or(0, |(_, count)| count);
        self.left().min(stored).min(in_file)
    }

    /// Bytes of all stretches that are left, the heads between them not counted.
    #[must_use]
    pub fn left_in_all(&self) -> u64 {
        let further = match &self.rest {
            Rest::Parts(rest) => rest.parts.iter().map(|(_, range)| range.size()).sum(),
            Rest::Nothing | Rest::Stream { .. } => 0,
        };
        self.left() + further
    }

    /// Notes that `count` bytes were sent.
    pub fn advance(&mut self, count: u64) {
        self.next = self.next.saturating_add(count).min(self.end);
        self.cold_asks = 0;
        if let Rest::Stream {
            seat: Some(seat), ..
        } = &self.rest
        {
            seat.advance(self.next);
        }
    }

    /// Where the next bytes of a stored body stand, which it says are there.
    #[must_use]
    pub fn beyond(&self) -> Beyond {
        match &self.rest {
            Rest::Stream {
                seat: Some(seat), ..
            } => seat.beyond(self.next),
            _ => Beyond::Stored(u64::MAX),
        }
    }

    /// Goes on to the next part, whose head (or the body's closing) is appended to `out`.
    pub fn next_part(&mut self, out: &mut Vec<u8>) -> NextPart {
        match &mut self.rest {
            Rest::Nothing => NextPart::Nothing,
            Rest::Parts(rest) => {
                if let Some((head, range)) = rest.parts.pop_front() {
                    out.extend_from_slice(&head);
                    self.next = range.first;
                    self.end = range.last + 1;
                    self.warm_to = 0;
                    if let Some(stand) = &self.stand {
                        stand.read(self.next, self.end);
                    }
                } else {
                    out.append(&mut rest.closing);
                    self.rest = Rest::Nothing;
                }
                NextPart::More
            }
            Rest::Stream {
                in_chunks,
                began,
                takes_trailers,
                seat: _,
            } => {
                // Looked at before the bytes: what is written in between is found in the next turn.
                let state = self.lease.object().state();
                let run = self.lease.object().run_from(self.next);
                if run == 0 {
                    return match state {
                        BodyState::Open => NextPart::Starved,
                        BodyState::Failed => NextPart::Failed,
                        BodyState::Complete => {
                            if *in_chunks {
                                let tail = self.lease.object().tail();
                                let tail = tail.filter(|_| *takes_trailers).map(Tail::bytes);
                                append_last_chunk(out, *began, tail.unwrap_or_default());
                            }
                            self.rest = Rest::Nothing;
                            NextPart::More
                        }
                    };
                }
                self.end = self.next.saturating_add(run);
                if *in_chunks {
                    if *began {
                        out.extend_from_slice(b"\r\n");
                    }
                    append_chunk_size(out, run);
                }
                *began = true;
                NextPart::More
            }
        }
    }

    /// Has `waiter` told, once, when there are more bytes of the stretch, or when none come any more; false where it is so now.
    #[must_use]
    pub fn subscribe(&self, waiter: Waiter) -> bool {
        let waits = self.lease.object().subscribe(waiter, self.next);
        if waits && let Some(stand) = &self.stand {
            stand.ask(self.next, self.end);
        }
        waits
    }

    /// Notes that the fill threads have read what was asked of them.
    pub fn mark_warm(&mut self, length: u64) {
        self.warm_to = self.next.saturating_add(length).min(self.end);
    }

    /// Whether this stretch is the last of the body.
    #[must_use]
    pub fn is_last(&self) -> bool {
        matches!(self.rest, Rest::Nothing)
    }
}

/// Appends the last chunk behind others, if there were any, and the trailer section (RFC 9112 s7.1).
fn append_last_chunk(out: &mut Vec<u8>, began: bool, trailers: &[u8]) {
    out.extend_from_slice(if began { b"\r\n0\r\n" } else { b"0\r\n" });
    out.extend_from_slice(trailers);
    out.extend_from_slice(b"\r\n");
}

/// Appends the line before a chunk of `size` bytes (RFC 9112 s7.1).
fn append_chunk_size(out: &mut Vec<u8>, size: u64) {
    let digits = (u64::BITS - size.leading_zeros()).div_ceil(4).max(1);
    for digit in (0..digits).rev() {
        let nibble = (size >> (digit * 4)) & 0xf;
        out.push(b"0123456789abcdef"[nibble as usize]);
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunk_sizes_are_hexadecimal_without_leading_zeros() {
        for size in [0, 1, 15, 16, 255, 4096, 0xabcdef, u64::MAX] {
            let mut out = Vec::new();
            append_chunk_size(&mut out, size);
            assert_eq!(out, format!("{size:x}\r\n").into_bytes());
        }
    }
}
