//! A client, what it sends, and the model that says what it must receive.

use std::os::unix::net::UnixStream;

use hotplate::server::slot::Token;

use crate::fixture::Fixture;
use crate::random::Random;
use crate::requests::{Book, Flavour, Request};

/// What a client sends.
pub(crate) struct Stream {
    pub(crate) bytes: Vec<u8>,
    requests: Vec<Request>,
}

impl Stream {
    /// Bytes that are not judged.
    pub(crate) fn plain(bytes: &[u8]) -> Self {
        Self {
            bytes: bytes.to_vec(),
            requests: Vec::new(),
        }
    }

    pub(crate) fn any(random: &mut Random) -> Self {
        let flavour = random.one_of(&[
            Flavour::Plain,
            Flavour::Plain,
            Flavour::Stuffed,
            Flavour::Greedy,
        ]);
        let count = match flavour {
            Flavour::Plain => 1 + random.below(30),
            Flavour::Stuffed => 60,
            Flavour::Greedy => 1 + random.below(12),
        };
        let requests: Vec<_> = (0..count)
            .map(|number| Request::any(random, number, flavour))
            .collect();
        let mut bytes = Vec::new();
        for request in &requests {
            bytes.extend_from_slice(&request.bytes);
        }
        // A client that ends may do so anywhere.
        if random.once_in(2) {
            bytes.truncate(1 + random.below(bytes.len()));
        }
        Self { bytes, requests }
    }
}

/// A client.
pub(crate) struct Client {
    pub(crate) token: Token,
    /// None once it has gone without a word.
    pub(crate) socket: Option<UnixStream>,
    pub(crate) stream: Stream,
    pub(crate) delivered: usize,
    /// Whether it ends as soon as it has sent all, instead of waiting for its answers.
    pub(crate) hasty: bool,
    pub(crate) came: Vec<u8>,
    pub(crate) saw_end: bool,
}

impl Client {
    /// The model: what was delivered is cut at the requests' ends, and each complete one has its answer, up to the first
    /// behind which nothing is read.
    pub(crate) fn judge(&mut self, fixture: &Fixture, book: &mut Book) {
        let (mut start, mut at, mut closed) = (0, 0, false);
        for (number, request) in self.stream.requests.iter().enumerate() {
            let is_complete = self.delivered >= start + request.due;
            // Enough of it may have come to be refused.
            let may_be = request.refused && self.delivered > start && at < self.came.len();
            if !is_complete && !may_be {
                break;
            }
            let answer = book.answer(fixture, request);
            let end = at + answer.len();
            if self.came.len() < end {
                let cut = self.socket.is_none();
                assert!(cut, "request {number} is not answered: {}", self.state());
                assert!(
                    same(&mut self.came[at..], answer),
                    "the start of answer {number}"
                );
                return;
            }
            assert!(same(&mut self.came[at..end], answer), "answer {number}");
            (start, at) = (start + request.bytes.len(), end);
            closed = request.closes;
            if closed {
                break;
            }
        }
        assert_eq!(at, self.came.len(), "bytes behind the last answer");
        let all = self.delivered == self.stream.bytes.len();
        assert!(closed || all || self.socket.is_none(), "{}", self.state());
    }

    fn state(&self) -> String {
        format!(
            "{:?}: {} of {} bytes delivered, {} came, end seen: {}",
            self.token,
            self.delivered,
            self.stream.bytes.len(),
            self.came.len(),
            self.saw_end
        )
    }
}

/// Whether what came is `answer`, or its start, whatever the date; its date is made that of `answer`.
fn same(came: &mut [u8], answer: &[u8]) -> bool {
    const FIELD: &[u8] = b"\r\nDate: ";
    let mut fields = answer.windows(FIELD.len());
    let date = fields.position(|bytes| bytes == FIELD).expect("a date") + FIELD.len();
    let end = (date + 29).min(came.len());
    if date < end {
        came[date..end].copy_from_slice(&answer[date..end]);
    }
    came == &answer[..came.len()]
}
