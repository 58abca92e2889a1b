//! Writes answers: heads and small bodies go into the output at once, larger bodies become a [`Transfer`].

use std::collections::VecDeque;

use super::transfer::{Parts, Transfer};
use crate::cache::{Lease, Reply, Served};
use crate::http::head::{Method, Version};
use crate::http::message;
use crate::http::multipart::Multipart;
use crate::http::range::{ByteRange, RangeList};
use crate::policy::rule::Rule;
use crate::policy::selection::Part;
use crate::store::Object;

/// Bodies held on the heap up to this size are copied behind their head: one send, and pipelined answers coalesce.
const COPY_MAX: u64 = 16 << 10;

/// What the methods of a static resource are.
const ALLOW: &[u8] = b"GET, HEAD, OPTIONS";

/// What a client is told that asks for WebSocket.
const UPGRADE_REFUSED: &str =
    "Not Implemented: connections are not tunnelled, so there is no WebSocket here";

/// How an answer is framed.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'d> {
    /// The request's method.
    pub method: Method,
    /// The request's version.
    pub version: Version,
    /// Whether the connection stays open afterwards.
    pub keep_alive: bool,
    /// The Date field's value.
    pub date: &'d [u8; 29],
    /// The host that the client named, as it wrote it; empty where none is known.
    pub host: &'d [u8],
    /// Whether the client gets the trailer fields of an answer in chunks.
    pub takes_trailers: bool,
}

/// What was written.
#[derive(Debug)]
pub struct Written {
    /// The status.
    pub status: u16,
    /// Bytes of the body, copied or still to be sent.
    pub body_bytes: u64,
    /// What of the body is still to be sent.
    pub transfer: Option<Transfer>,
}

/// Answers with stored bytes.
pub fn serve(served: &Served, envelope: &Envelope<'_>, out: &mut Vec<u8>) -> Written {
    let answer_at = out.len();
    let mut written = serve_part(served, envelope, out);
    if let Some(transfer) = &mut written.transfer {
        transfer.answer_at = answer_at;
    }
    written
}

fn serve_part(served: &Served, envelope: &Envelope<'_>, out: &mut Vec<u8>) -> Written {
    let size = served.lease.object().size();
    match &served.part {
        Part::NotModified => not_modified(served, envelope, out),
        Part::One(range) => one_range(served, *range, envelope, out),
        Part::Many(ranges) => many_ranges(served, ranges, envelope, out),
        // The front desk turns 412 and 416 into replies.
        Part::Whole | Part::PreconditionFailed | Part::Unsatisfiable => {
            whole(served, size, envelope, out)
        }
    }
}

fn whole(served: &Served, size: u64, envelope: &Envelope<'_>, out: &mut Vec<u8>) -> Written {
    let representation = served.lease.representation();
    let start = out.len();
    out.extend_from_slice(&representation.ok_head);
    let date_at = start + representation.date_at;
    if let Some(date) = out.get_mut(date_at..date_at + envelope.date.len()) {
        date.copy_from_slice(envelope.date);
    }
    if !(envelope.keep_alive && envelope.version == Version::Http11) {
        // The prepared head is for the common case: put the Connection field before its empty line.
        out.truncate(out.len() - 2);
        finish_head(envelope, out);
    }
    let lease = || Lease::Local(served.lease.clone());
    body(served.lease.object(), lease, (0, size), envelope, 200, out)
}

fn not_modified(served: &Served, envelope: &Envelope<'_>, out: &mut Vec<u8>) -> Written {
    begin_head(304, envelope, out);
    out.extend_from_slice(&served.lease.representation().validator_fields);
    finish_head(envelope, out);
    Written {
        status: 304,
        body_bytes: 0,
        transfer: None,
    }
}

fn one_range(
    served: &Served,
    range: ByteRange,
    envelope: &Envelope<'_>,
    out: &mut Vec<u8>,
) -> Written {
    let representation = served.lease.representation();
    begin_head(206, envelope, out);
    out.extend_from_slice(&representation.validator_fields);
    out.extend_from_slice(&representation.content_fields);
    message::append_content_range(out, range, representation.object.size());
    message::append_content_length(out, range.last - range.first + 1);
    finish_head(envelope, out);
    let lease = || Lease::Local(served.lease.clone());
    let stretch = (range.first, range.last + 1);
    body(served.lease.object(), lease, stretch, envelope, 206, out)
}

fn many_ranges(
    served: &Served,
    ranges: &RangeList,
    envelope: &Envelope<'_>,
    out: &mut Vec<u8>,
) -> Written {
    let representation = served.lease.representation();
    let size = representation.object.size();
    let content_type = served.lease.entry().content_type.as_bytes();
    let multipart = Multipart::new(representation.etag.as_bytes(), content_type, size);
    let length = multipart.content_length(ranges);
    begin_head(206, envelope, out);
    out.extend_from_slice(&representation.validator_fields);
    out.extend_from_slice(representation.coding.content_encoding_line());
    out.extend_from_slice(b"Accept-Ranges: bytes\r\n");
    multipart.append_content_type(out);
    message::append_content_length(out, length);
    finish_head(envelope, out);
    let lease = Lease::Local(served.lease.clone());
    Written {
        status: 206,
        body_bytes: length,
        transfer: Some(Transfer::of_parts(lease, parts_of(&multipart, ranges))),
    }
}

/// What is sent of a representation in several ranges.
pub(super) fn parts_of(multipart: &Multipart<'_>, ranges: &RangeList) -> Parts {
    let mut parts = VecDeque::with_capacity(ranges.len());
    for range in ranges.iter() {
        let mut head = Vec::with_capacity(256);
        multipart.append_part_head(&mut head, *range);
        parts.push_back((head, *range));
    }
    let mut closing = Vec::with_capacity(64);
    multipart.append_closing(&mut closing);
    Parts { parts, closing }
}

/// The bytes from `first` to before `end`, copied when they are few and in memory.
pub(super) fn body(
    object: &Object,
    lease: impl FnOnce() -> Lease,
    (first, end): (u64, u64),
    envelope: &Envelope<'_>,
    status: u16,
    out: &mut Vec<u8>,
) -> Written {
    if envelope.method == Method::Head || first == end {
        return Written {
            status,
            body_bytes: 0,
            transfer: None,
        };
    }
    let body_bytes = end - first;
    if body_bytes <= COPY_MAX
        && let Some(bytes) = object.in_memory()
        && let Some(bytes) = slice(bytes, first, end)
    {
        out.extend_from_slice(bytes);
        return Written {
            status,
            body_bytes,
            transfer: None,
        };
    }
    Written {
        status,
        body_bytes,
        transfer: Some(Transfer::new(lease(), first, end)),
    }
}

/// The bytes from `first` to before `end`, where they all exist.
#[must_use]
pub fn slice(bytes: &[u8], first: u64, end: u64) -> Option<&[u8]> {
    bytes.get(usize::try_from(first).ok()?..usize::try_from(end).ok()?)
}

/// Answers without stored bytes.
pub fn reply(reply: &Reply, rule: Rule, envelope: &Envelope<'_>, out: &mut Vec<u8>) -> Written {
    let status = reply.status();
    begin_head(status, envelope, out);
    append_outcome(rule, out);
    match reply {
        Reply::MethodNotAllowed | Reply::Options => message::append_field(out, b"Allow", &[ALLOW]),
        Reply::RangeUnsatisfiable(size) => message::append_unsatisfied_range(out, *size),
        Reply::Redirect(location) => message::append_field(out, b"Location", &[location]),
        Reply::Unavailable => message::append_field(out, b"Retry-After", &[b"1"]),
        Reply::NotFound
        | Reply::BadRequest
        | Reply::Forbidden
        | Reply::MethodUnknown
        | Reply::UpgradeRefused
        | Reply::PreconditionFailed
        | Reply::BadGateway
        | Reply::GatewayTimeout
        | Reply::Loop => {}
    }
    if status == 204 {
        finish_head(envelope, out);
        return Written {
            status,
            body_bytes: 0,
            transfer: None,
        };
    }
    match reply {
        Reply::UpgradeRefused => text(status, UPGRADE_REFUSED, envelope, out),
        _ => explain(status, envelope, out),
    }
}

/// Refuses a request: the status and nothing of what was asked for, and the connection closes.
pub fn refuse(status: u16, method: Method, date: &[u8; 29], out: &mut Vec<u8>) -> Written {
    let envelope = Envelope {
        method,
        version: Version::Http11,
        keep_alive: false,
        date,
        host: b"",
        takes_trailers: false,
    };
    begin_head(status, &envelope, out);
    append_outcome(Rule::Refused, out);
    explain(status, &envelope, out)
}

/// What decided, where nothing stored is sent (RFC 9211).
fn append_outcome(rule: Rule, out: &mut Vec<u8>) {
    message::append_field(
        out,
        b"Cache-Status",
        &[b"hotplate; ", rule.outcome().as_bytes()],
    );
}

/// Ends a head with a body that only says the status in words.
fn explain(status: u16, envelope: &Envelope<'_>, out: &mut Vec<u8>) -> Written {
    text(status, message::reason(status), envelope, out)
}

/// Ends a head with a body that says the status and `words`.
fn text(status: u16, words: &str, envelope: &Envelope<'_>, out: &mut Vec<u8>) -> Written {
    let body_bytes = (words.len() + 5) as u64;
    message::append_field(out, b"Content-Type", &[b"text/plain; charset=utf-8"]);
    message::append_content_length(out, body_bytes);
    finish_head(envelope, out);
    if envelope.method == Method::Head {
        return Written {
            status,
            body_bytes: 0,
            transfer: None,
        };
    }
    message::append_decimal(out, u64::from(status));
    out.push(b' ');
    out.extend_from_slice(words.as_bytes());
    out.push(b'\n');
    Written {
        status,
        body_bytes,
        transfer: None,
    }
}

fn begin_head(status: u16, envelope: &Envelope<'_>, out: &mut Vec<u8>) {
    message::append_status_line(out, status);
    out.extend_from_slice(b"Server: hotplate\r\nDate: ");
    out.extend_from_slice(envelope.date);
    out.extend_from_slice(b"\r\n");
}

pub(super) fn finish_head(envelope: &Envelope<'_>, out: &mut Vec<u8>) {
    let connection: &[u8] = match (envelope.keep_alive, envelope.version) {
        (true, Version::Http11) => b"\r\n",
        (true, Version::Http10) => b"Connection: keep-alive\r\n\r\n",
        (false, _) => b"Connection: close\r\n\r\n",
    };
    out.extend_from_slice(connection);
}
