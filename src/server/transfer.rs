//! The part of a body that still has to be sent.

use std::collections::VecDeque;

use crate::cache::Lease;
use crate::http::range::ByteRange;

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
    rest: Option<Box<Parts>>,
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
        Self {
            lease,
            next: first,
            end,
            warm_to: 0,
            cold_asks: 0,
            answer_at: 0,
            rest: None,
        }
    }

    /// Several parts, each behind its head; starts with none of them.
    #[must_use]
    pub fn of_parts(lease: Lease, parts: Parts) -> Self {
        Self {
            lease,
            next: 0,
            end: 0,
            warm_to: 0,
            cold_asks: 0,
            answer_at: 0,
            rest: Some(Box::new(parts)),
        }
    }

    /// Bytes of the stretch that are left.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.end - self.next
    }

    /// Bytes of all stretches that are left, the heads between them not counted.
    #[must_use]
    pub fn left_in_all(&self) -> u64 {
        let parts = self.rest.iter().flat_map(|rest| &rest.parts);
        self.left() + parts.map(|(_, range)| range.size()).sum::<u64>()
    }

    /// Notes that `count` bytes were sent.
    pub fn advance(&mut self, count: u64) {
        self.next = self.next.saturating_add(count).min(self.end);
        self.cold_asks = 0;
    }

    /// Goes on to the next part, whose head (or the body's closing) is appended to `out`; false when nothing is left.
    pub fn next_part(&mut self, out: &mut Vec<u8>) -> bool {
        let Some(rest) = &mut self.rest else {
            return false;
        };
        if let Some((head, range)) = rest.parts.pop_front() {
            out.extend_from_slice(&head);
            self.next = range.first;
            self.end = range.last + 1;
            self.warm_to = 0;
        } else {
            out.append(&mut rest.closing);
            self.rest = None;
        }
        true
    }

    /// Notes that the fill threads have read what was asked of them.
    pub fn mark_warm(&mut self, length: u64) {
        self.warm_to = self.next.saturating_add(length).min(self.end);
    }

    /// Whether this stretch is the last of the body.
    #[must_use]
    pub fn is_last(&self) -> bool {
        self.rest.is_none()
    }
}
