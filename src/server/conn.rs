//! An HTTP/1.1 server connection without I/O (RFC 9112).
//!
//! Bytes and the time of the turn go in; answers are appended to the turn's output, and a [`Step`] says what the caller
//! does next. Allocates nothing while requests come whole and are answered from memory.
//!
//! ```text
//!             head complete, answered                 body of the request left
//!   Ready ───────────────────────────────▶ Ready ───────────────────────────────▶ Skimming ──▶ Ready
//!     │ part of a head                       ▲
//!     ├──────────────▶ Head ─────────────────┤ rest of the head
//!     │ bytes must be fetched first          │
//!     ├──────────────▶ Filling ──────────────┤ filled: the same head again
//!     │ its body goes to the origin          │
//!     └──────────────▶ Uploading ────────────┘ filled: the head that was kept; Finished, where the body is not at its end
//!   any ── refused, Connection: close, 1.0 ──▶ Finished: nothing more is read as a request
//! ```

use std::net::SocketAddr;
use std::sync::Arc;

use super::access::{self, Deferred};
use super::deadlines::Wait;
use super::reject;
use super::relay;
use super::respond::{self, Envelope, Written};
use super::settings::Limits;
use super::transfer::Transfer;
use super::upload::Uploading;
use crate::cache::order::{Fetched, Job, Ticket, Upload};
use crate::cache::{Answer, FrontDesk, Moment, Reply};
use crate::http::framing::{self, BodySkimmer, RequestBody, Skim};
use crate::http::head::{self, Field, HeadLimits, Method, Parsed, RequestHead, Version};
use crate::http::reject::Reject;
use crate::index::response::Response;
use crate::policy::rule::Rule;
use crate::stats::{AccessSink, Counter, WorkerStats};
use crate::store::pipe::Pipe;

/// Prepared output past which no further pipelined request is answered before it is sent.
const OUTPUT_MAX: usize = 64 << 10;

/// Bytes of a request's body that may wait for the origin.
const UPLOAD_MAX: usize = 256 << 10;

/// Longest request body that is read and thrown away to keep the connection.
const SKIM_MAX: u64 = 1 << 20;

/// What a connection needs of the turn it is advanced in.
#[derive(Debug)]
pub struct Turn<'t> {
    /// The time.
    pub now: Moment,
    /// The milliseconds of the wall clock's second, for the log.
    pub millis: u32,
    /// The time as a Date field's value.
    pub date: &'t [u8; 29],
    /// Limits of heads and pipelines.
    pub limits: &'t Limits,
    /// The front desk.
    pub desk: &'t mut FrontDesk,
    /// Where answers go.
    pub out: &'t mut Vec<u8>,
    /// How many answers `out` holds.
    pub answers: usize,
    /// The counters.
    pub stats: &'t WorkerStats,
    /// The access log.
    pub log: &'t mut AccessSink,
    /// The client, where the log wants it.
    pub peer: Option<SocketAddr>,
    /// Whether the server or this connection is to go, so that each answer is its connection's last.
    pub draining: bool,
    /// What came of the order that the connection has waited for; it is for the first request.
    pub filled: Option<Filling>,
    /// Orders that nobody waits for, with the response that each refreshes.
    pub refreshes: &'t mut Vec<(Ticket, Job, Arc<Response>)>,
}

/// What came of an order for a request that needs an origin.
#[derive(Debug)]
pub enum Filling {
    /// A response.
    Fetched(Box<Fetched>),
    /// None, for this reason.
    NotFetched(Rule),
}

/// What the caller does next.
#[derive(Debug)]
pub enum Next {
    /// Send the output; bytes not used belong to an incomplete message: keep them until more arrive.
    Receive,
    /// Send the output, then advance with the bytes not used.
    Flush,
    /// Send the output and this body, then advance with the bytes not used.
    Body(Transfer),
    /// Send the output; keep the bytes not used and advance again when this ticket is filled. The job is there
    /// for the first that asks.
    Wait(Ticket, Option<Job>),
    /// Send the output, place this order, and advance with the bytes not used, which are the request's body; when the
    /// order is filled, call [`Connection::answer_upload`].
    Upload(Ticket, Job),
    /// Keep the bytes not used: advance again when the pipe has room, or when the answer has been sent.
    Hold(Option<Arc<Pipe>>),
    /// Send the output, then close.
    Close,
}

/// How far an advance came.
#[derive(Debug)]
pub struct Step {
    /// Bytes that were used up.
    pub used: usize,
    /// What comes next.
    pub next: Next,
}

#[derive(Debug, Default)]
enum Phase {
    #[default]
    Ready,
    Head,
    Skimming(BodySkimmer, u64),
    Filling,
    Uploading(Box<Uploading>),
    Finished,
}

/// The protocol state of one connection.
#[derive(Debug, Default)]
pub struct Connection {
    phase: Phase,
    deferred: Option<Box<Deferred>>,
}

/// What came of one head.
enum Handled {
    /// Answered; the request's body follows.
    Answered(Option<Transfer>, RequestBody),
    /// Answered; nothing more is read.
    Last(Option<Transfer>),
    /// Must wait.
    Wait(Ticket, Option<Job>),
    /// Its body goes with the order.
    Upload(Ticket, Job, RequestBody, Arc<Pipe>),
}

impl Connection {
    /// What the connection waits for when nothing is being sent.
    #[must_use]
    pub fn waits_for(&self) -> Wait {
        match self.phase {
            Phase::Ready => Wait::Idle,
            Phase::Head => Wait::Head,
            Phase::Skimming(..) => Wait::Body,
            Phase::Filling => Wait::Fill,
            Phase::Uploading(ref upload) if upload.is_ended() => Wait::Origin,
            Phase::Uploading(_) => Wait::Upload,
            Phase::Finished => Wait::Linger,
        }
    }

    /// Whether nothing more is read as a request.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        matches!(self.phase, Phase::Finished)
    }

    /// Whether no more bytes are wanted for now: the body under way waits for room, or its answer for the origin.
    #[must_use]
    pub fn holds(&self) -> bool {
        matches!(&self.phase, Phase::Uploading(upload) if upload.holds())
    }

    /// Whether a request's body is on its way to the origin.
    #[must_use]
    pub fn is_uploading(&self) -> bool {
        matches!(self.phase, Phase::Uploading(_))
    }

    /// Answers as many of the requests in `bytes` as fit the output.
    pub fn advance(&mut self, bytes: &[u8], turn: &mut Turn<'_>) -> Step {
        let mut used = 0;
        loop {
            let rest = bytes.get(used..).unwrap_or_default();
            match &mut self.phase {
                Phase::Finished => {
                    return Step {
                        used: bytes.len(),
                        next: Next::Close,
                    };
                }
                Phase::Skimming(skimmer, skimmed) => {
                    let step = skimmer.skim(rest);
                    let count = match step {
                        Ok(Skim::Done { used }) => used,
                        _ => rest.len(),
                    };
                    *skimmed += count as u64;
                    used += count;
                    // The request is answered: a body that is broken or endless only costs the connection.
                    if step.is_err() || *skimmed > SKIM_MAX {
                        self.phase = Phase::Finished;
                    } else if let Ok(Skim::More) = step {
                        return Step {
                            used,
                            next: Next::Receive,
                        };
                    } else {
                        self.phase = Phase::Ready;
                    }
                    continue;
                }
                Phase::Uploading(upload) => {
                    let (count, next) = match upload.take(rest) {
                        Ok(taken) => taken,
                        Err(reject) => {
                            self.refuse(reject, Method::Post, None, turn);
                            return Step {
                                used: bytes.len(),
                                next: Next::Close,
                            };
                        }
                    };
                    return Step {
                        used: used + count,
                        next,
                    };
                }
                Phase::Ready | Phase::Head | Phase::Filling => {}
            }
            if rest.is_empty() {
                self.phase = Phase::Ready;
                return Step {
                    used,
                    next: Next::Receive,
                };
            }
            if turn.answers >= turn.limits.pipeline || turn.out.len() >= OUTPUT_MAX {
                return Step {
                    used,
                    next: Next::Flush,
                };
            }
            let next = self.take_head(rest, &mut used, turn);
            if let Some(next) = next {
                return Step { used, next };
            }
        }
    }

    /// Parses and answers the head at the start of `rest`; none to go on with what follows it.
    fn take_head(&mut self, rest: &[u8], used: &mut usize, turn: &mut Turn<'_>) -> Option<Next> {
        let mut scratch = head::FieldScratch::new();
        let parsed = head::parse_head(rest, &limits_of(turn), &mut scratch);
        let (head, size) = match &parsed {
            Ok(Parsed::Complete { head, size }) => (head, *size),
            Ok(Parsed::Partial) => {
                self.phase = Phase::Head;
                return Some(Next::Receive);
            }
            Err(reject) => {
                self.refuse(*reject, method_of_unparsed(rest), None, turn);
                return Some(Next::Close);
            }
        };
        let handled = self.take_request(head, rest.len() > size, turn);
        let kept = rest.get(..size).unwrap_or_default();
        if !matches!(handled, Handled::Wait(..)) {
            *used += size;
        }
        match handled {
            Handled::Answered(transfer, body) => {
                self.phase = match body {
                    RequestBody::None => Phase::Ready,
                    _ => Phase::Skimming(BodySkimmer::new(body), 0),
                };
                transfer.map(Next::Body)
            }
            Handled::Last(transfer) => {
                self.phase = Phase::Finished;
                Some(transfer.map_or(Next::Close, Next::Body))
            }
            Handled::Wait(ticket, job) => {
                self.phase = Phase::Filling;
                Some(Next::Wait(ticket, job))
            }
            Handled::Upload(ticket, job, body, pipe) => {
                self.phase = Phase::Uploading(Box::new(Uploading::new(kept, body, pipe)));
                Some(Next::Upload(ticket, job))
            }
        }
    }

    /// Answers one request; `follows` tells that the client has sent more behind it.
    fn take_request(
        &mut self,
        head: &RequestHead<'_>,
        follows: bool,
        turn: &mut Turn<'_>,
    ) -> Handled {
        if !matches!(self.phase, Phase::Filling) {
            turn.stats.bump(Counter::Requests);
            if turn.answers > 0 {
                turn.stats.bump(Counter::RequestsPipelined);
            }
        }
        let (body, expects) = match check_body(head) {
            Ok(checked) => checked,
            Err(reject) => {
                self.refuse(reject, head.method, Some(head), turn);
                return Handled::Last(None);
            }
        };
        let answer = match turn.filled.take() {
            None => turn.desk.answer(head, turn.now),
            Some(Filling::Fetched(fetched)) => turn.desk.answer_fetched(head, *fetched, turn.now),
            Some(Filling::NotFetched(rule)) => Answer::Respond(Reply::of_failure(rule), rule),
        };
        if let Answer::Fill(ticket, Job::Fetch(mut fetch)) = answer {
            if matches!(body, RequestBody::None) {
                return Handled::Wait(ticket, Some(Job::Fetch(fetch)));
            }
            if expects {
                // RFC 9110 s10.1.1: nothing speaks against the body, as far as this hop can tell.
                turn.stats.bump(Counter::AnswersContinue);
                turn.out.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
            }
            let pipe = Arc::new(Pipe::new(UPLOAD_MAX));
            fetch.body = Some(Upload {
                pipe: Arc::clone(&pipe),
                size: match body {
                    RequestBody::Length(size) => Some(size),
                    RequestBody::None | RequestBody::Chunked => None,
                },
            });
            return Handled::Upload(ticket, Job::Fetch(fetch), body, pipe);
        }
        self.give(answer, head, (body, expects), follows, turn)
    }

    /// Writes an answer that is there, or waits.
    fn give(
        &mut self,
        answer: Answer,
        head: &RequestHead<'_>,
        (body, expects): (RequestBody, bool),
        follows: bool,
        turn: &mut Turn<'_>,
    ) -> Handled {
        match body {
            _ if matches!(answer, Answer::Fill(..) | Answer::Join(_)) => {}
            RequestBody::Length(length) if length > SKIM_MAX => {
                self.refuse(Reject::BodyTooLarge, head.method, Some(head), turn);
                return Handled::Last(None);
            }
            _ => {}
        }
        // RFC 9110 s10.1.1: a final answer instead of 100 tells the client to keep its body; it may send it all the same,
        // so where it ends can't be known.
        let last = expects && !matches!(body, RequestBody::None);
        let body = if last { RequestBody::None } else { body };
        let follows = follows && matches!(body, RequestBody::None);
        let mut envelope = Envelope {
            method: head.method,
            version: head.version,
            // A drain answers what was received before it: the last of those answers says that no more will be read.
            keep_alive: head.keep_alive() && !last && (follows || !turn.draining),
            date: turn.date,
            host: head.field(Field::Host).unwrap_or_default(),
            takes_trailers: false,
        };
        let (written, rule) = match answer {
            Answer::Serve(ref served) => {
                let rule = served.rule;
                (respond::serve(served, &envelope, turn.out), rule)
            }
            Answer::Send(sending) => {
                let rule = sending.rule;
                relay::dress(&mut envelope, &sending, head);
                (relay::send(sending, &envelope, turn.out), rule)
            }
            Answer::SendAndRefresh(sending, ticket, job) => {
                let response = Arc::clone(&sending.response);
                turn.refreshes.push((ticket, job, response));
                let rule = sending.rule;
                relay::dress(&mut envelope, &sending, head);
                (relay::send(sending, &envelope, turn.out), rule)
            }
            Answer::Respond(reply, rule) => {
                (respond::reply(&reply, rule, &envelope, turn.out), rule)
            }
            Answer::Fill(ticket, job) => return Handled::Wait(ticket, Some(job)),
            Answer::Join(ticket) => return Handled::Wait(ticket, None),
            Answer::Reject(reject) => {
                self.refuse(reject, head.method, Some(head), turn);
                return Handled::Last(None);
            }
        };
        if let Some(counter) = rule.counter() {
            turn.stats.bump(counter);
        }
        if !matches!(body, RequestBody::None) {
            turn.stats.bump(Counter::RequestsIgnoredBody);
        }
        let transfer = self.account(written, rule, Some(head), turn);
        if envelope.keep_alive {
            Handled::Answered(transfer, body)
        } else {
            Handled::Last(transfer)
        }
    }

    /// Answers the request whose body is on its way to the origin, with what came of its order. What is left of the body
    /// is not read: the connection closes then.
    pub fn answer_upload(&mut self, turn: &mut Turn<'_>) -> Option<Transfer> {
        let Phase::Uploading(upload) = std::mem::take(&mut self.phase) else {
            return None;
        };
        let mut scratch = head::FieldScratch::new();
        let parsed = head::parse_head(upload.head(), &limits_of(turn), &mut scratch);
        let Ok(Parsed::Complete { head, .. }) = parsed else {
            self.phase = Phase::Finished;
            return None;
        };
        let answer = match turn.filled.take() {
            Some(Filling::Fetched(fetched)) => turn.desk.answer_fetched(&head, *fetched, turn.now),
            Some(Filling::NotFetched(rule)) => Answer::Respond(Reply::of_failure(rule), rule),
            None => Answer::Respond(Reply::Unavailable, Rule::FillTimeout),
        };
        let is_last = !upload.is_ended();
        // A body of which more comes can't be told from the next request: the answer says that it is the last.
        let left = if is_last {
            RequestBody::Chunked
        } else {
            RequestBody::None
        };
        let handled = self.give(answer, &head, (left, is_last), false, turn);
        let (transfer, closes) = match handled {
            Handled::Answered(transfer, _) => (transfer, is_last),
            Handled::Last(transfer) => (transfer, true),
            Handled::Wait(..) | Handled::Upload(..) => (None, true),
        };
        self.phase = if closes {
            Phase::Finished
        } else {
            Phase::Ready
        };
        transfer
    }

    /// Answers the request whose head `bytes` start with, if they do, with a 503: its order could not be placed or was not
    /// filled in time, or its file is changing. Nothing more is read.
    pub fn give_up(&mut self, rule: Rule, bytes: &[u8], turn: &mut Turn<'_>) {
        // An answer that was begun and taken back is not logged as well.
        self.deferred = None;
        let mut scratch = head::FieldScratch::new();
        let head = match head::parse_head(bytes, &limits_of(turn), &mut scratch) {
            Ok(Parsed::Complete { head, .. }) => Some(head),
            _ => None,
        };
        let envelope = Envelope {
            method: head.as_ref().map_or(Method::Get, |head| head.method),
            version: Version::Http11,
            keep_alive: false,
            date: turn.date,
            host: b"",
            takes_trailers: false,
        };
        let written = respond::reply(&Reply::Unavailable, rule, &envelope, turn.out);
        self.account(written, rule, head.as_ref(), turn);
        self.phase = Phase::Finished;
    }

    /// Answers a head that did not come whole in time with a 408.
    pub fn time_out(&mut self, turn: &mut Turn<'_>) {
        let written = respond::refuse(408, Method::Get, turn.date, turn.out);
        self.account(written, Rule::Refused, None, turn);
        self.phase = Phase::Finished;
    }

    fn refuse(
        &mut self,
        reject: Reject,
        method: Method,
        head: Option<&RequestHead<'_>>,
        turn: &mut Turn<'_>,
    ) {
        turn.stats.refuse(reject as u8);
        let status = reject::status(reject);
        let written = respond::refuse(status, method, turn.date, turn.out);
        self.account(written, Rule::Refused, head, turn);
        self.phase = Phase::Finished;
    }

    /// Counts and logs an answer; the record of one whose body is still to be sent waits for its end.
    fn account(
        &mut self,
        written: Written,
        rule: Rule,
        head: Option<&RequestHead<'_>>,
        turn: &mut Turn<'_>,
    ) -> Option<Transfer> {
        let Written {
            status,
            body_bytes,
            transfer,
        } = written;
        turn.stats.bump(Counter::answer(status));
        if turn.answers > 0 {
            turn.stats.bump(Counter::AnswersCoalesced);
        }
        turn.answers += 1;
        if turn.log.is_on()
            && let Some(peer) = turn.peer
        {
            if transfer.is_some() {
                let record = Deferred::new(peer, head, status, body_bytes, rule, turn.now.mono);
                self.deferred = Some(Box::new(record));
            } else {
                let answer = (status, body_bytes, rule);
                access::record(peer, head, answer, (turn.now, turn.millis), turn.log);
            }
        }
        transfer
    }

    /// Logs the answer whose body has been sent, or broken off after all but `missing` bytes.
    pub fn sent(&mut self, missing: u64, now: Moment, millis: u32, log: &mut AccessSink) {
        if let Some(record) = self.deferred.take() {
            let body_bytes = record.body_bytes().saturating_sub(missing);
            record.finish(now, millis, body_bytes, log);
        }
    }
}

/// The turn's limits of a head.
fn limits_of(turn: &Turn<'_>) -> HeadLimits {
    HeadLimits {
        bytes_max: turn.limits.head.in_memory(),
        fields_max: turn.limits.headers,
    }
}

/// The method that answers a head which could not be parsed: only HEAD matters, whose answers have no body.
fn method_of_unparsed(mut bytes: &[u8]) -> Method {
    // No more than the parser skips: what follows a fault must not matter, since it may not have come yet.
    for _ in 0..head::EMPTY_LINES_MAX {
        bytes = bytes.strip_prefix(b"\r\n").unwrap_or(bytes);
    }
    if bytes.starts_with(b"HEAD ") {
        Method::Head
    } else {
        Method::Get
    }
}

/// The request's body and whether the client waits for a 100 before it sends it.
fn check_body(head: &RequestHead<'_>) -> Result<(RequestBody, bool), Reject> {
    let body = framing::request_body(head)?;
    let expects = head.field(Field::Expect).is_some() && head.version == Version::Http11;
    if expects
        && !head
            .lines(Field::Expect)
            .all(|value| value.eq_ignore_ascii_case(b"100-continue"))
    {
        return Err(Reject::ExpectationUnknown);
    }
    Ok((body, expects))
}

#[cfg(test)]
#[path = "conn_tests.rs"]
mod tests;
