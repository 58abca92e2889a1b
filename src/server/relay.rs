//! Writes answers that are responses of an origin: stored, being stored, or in passing (RFC 9110 s7.6, RFC 9111 s4).

use super::respond::{Envelope, Written, body, finish_head, parts_of};
use super::transfer::Transfer;
use crate::cache::{Lease, Sending};
use crate::http::fields::FieldLines;
use crate::http::head::{Method, RequestHead, Version};
use crate::http::message;
use crate::http::multipart::Multipart;
use crate::http::range::{ByteRange, RangeList};
use crate::policy::cache_status::XCache;
use crate::policy::selection::Part;
use crate::policy::trailers;
use crate::store::Reading;
use crate::store::tail::Tail;
use crate::store::window::Seat;

/// The fields of a 304 (RFC 9110 s15.4.5), beside those that each answer has of its own.
const NOT_MODIFIED_FIELDS: [&[u8]; 9] = [
    b"Cache-Control",
    b"CDN-Cache-Control",
    b"Content-Location",
    b"Date",
    b"ETag",
    b"Expires",
    b"Last-Modified",
    b"Vary",
    b"Via",
];

/// Settles what the envelope owes to a body of unknown size: for HTTP/1.0, which has no chunks, its end can only be told by
/// closing the connection; for others, trailer fields may come behind it.
pub fn dress(envelope: &mut Envelope<'_>, sending: &Sending, head: &RequestHead<'_>) {
    if head.method == Method::Head || !is_stream(sending) {
        return;
    }
    envelope.keep_alive &= head.version != Version::Http10;
    envelope.takes_trailers = trailers::are_taken(head.version, head);
}

/// Whether the answer is all of a body whose size is not known.
fn is_stream(sending: &Sending) -> bool {
    matches!(sending.part, Part::Whole)
        && sending.response.size().is_none()
        && message::has_content(sending.response.stored.status)
}

/// Answers with a response.
pub fn send(mut sending: Sending, envelope: &Envelope<'_>, out: &mut Vec<u8>) -> Written {
    let answer_at = out.len();
    let mut written = match &sending.part {
        Part::NotModified => not_modified(&sending, envelope, out),
        Part::One(range) => one_range(&sending, *range, envelope, out),
        Part::Many(ranges) => many_ranges(&sending, ranges, envelope, out),
        // The front desk turns 412 and 416 into replies.
        Part::Whole | Part::PreconditionFailed | Part::Unsatisfiable => {
            // Held until the transfer has its lease: who brings the body must never see it without a reader.
            let (_held, seat) = sending.reads.take().map(Reading::into_parts).unzip();
            whole(&sending, seat.flatten(), envelope, out)
        }
    };
    if let Some(transfer) = &mut written.transfer {
        transfer.answer_at = answer_at;
    }
    written
}

fn whole(
    sending: &Sending,
    seat: Option<Seat>,
    envelope: &Envelope<'_>,
    out: &mut Vec<u8>,
) -> Written {
    let response = &sending.response;
    let status = response.stored.status;
    out.extend_from_slice(response.head());
    let streams = is_stream(sending);
    if envelope.method == Method::Head {
        if let Some(size) = response.told_size {
            message::append_content_length(out, size);
        }
    } else if streams && envelope.version == Version::Http11 {
        out.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
        let tail = response.object.tail().filter(|_| envelope.takes_trailers);
        if let Some(names) = tail
            .map(Tail::announcement)
            .filter(|names| !names.is_empty())
        {
            message::append_field(out, b"Trailer", &[names]);
        }
    }
    own_fields(sending, envelope, out);
    finish_head(envelope, out);
    if !message::has_content(status) {
        return Written {
            status,
            body_bytes: 0,
            transfer: None,
        };
    }
    let lease = || Lease::of(&sending.response);
    if streams && envelope.method != Method::Head {
        let in_chunks = envelope.version == Version::Http11;
        return Written {
            status,
            body_bytes: 0,
            transfer: Some(Transfer::of_stream(
                lease(),
                seat,
                in_chunks,
                envelope.takes_trailers,
            )),
        };
    }
    let size = response.size().unwrap_or(0);
    body(&response.object, lease, (0, size), envelope, status, out)
}

fn not_modified(sending: &Sending, envelope: &Envelope<'_>, out: &mut Vec<u8>) -> Written {
    message::append_status_line(out, 304);
    for (name, value) in sending.response.fields.lines() {
        if NOT_MODIFIED_FIELDS
            .iter()
            .any(|wanted| wanted.eq_ignore_ascii_case(name))
        {
            message::append_field(out, name, &[value]);
        }
    }
    own_fields(sending, envelope, out);
    finish_head(envelope, out);
    Written {
        status: 304,
        body_bytes: 0,
        transfer: None,
    }
}

fn one_range(
    sending: &Sending,
    range: ByteRange,
    envelope: &Envelope<'_>,
    out: &mut Vec<u8>,
) -> Written {
    let response = &sending.response;
    message::append_status_line(out, 206);
    out.extend_from_slice(response.fields.as_bytes());
    message::append_content_range(out, range, response.object.size());
    message::append_content_length(out, range.size());
    own_fields(sending, envelope, out);
    finish_head(envelope, out);
    let lease = || Lease::of(response);
    let stretch = (range.first, range.last + 1);
    body(&response.object, lease, stretch, envelope, 206, out)
}

fn many_ranges(
    sending: &Sending,
    ranges: &RangeList,
    envelope: &Envelope<'_>,
    out: &mut Vec<u8>,
) -> Written {
    let response = &sending.response;
    let size = response.object.size();
    let multipart = Multipart::new(response.etag(), response.content_type(), size);
    let length = multipart.content_length(ranges);
    message::append_status_line(out, 206);
    for (name, value) in response.fields.lines() {
        if !name.eq_ignore_ascii_case(b"Content-Type") {
            message::append_field(out, name, &[value]);
        }
    }
    multipart.append_content_type(out);
    message::append_content_length(out, length);
    own_fields(sending, envelope, out);
    finish_head(envelope, out);
    let lease = Lease::of(response);
    Written {
        status: 206,
        body_bytes: length,
        transfer: Some(Transfer::of_parts(lease, parts_of(&multipart, ranges))),
    }
}

/// The fields that each answer has of its own.
fn own_fields(sending: &Sending, envelope: &Envelope<'_>, out: &mut Vec<u8>) {
    if let Some(age) = sending.age {
        out.extend_from_slice(b"Age: ");
        message::append_decimal(out, age);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"Cache-Status: ");
    let upstream = &sending.response.upstream_status;
    if !upstream.is_empty() {
        out.extend_from_slice(upstream);
        out.extend_from_slice(b", ");
    }
    sending.status.append_value(out);
    out.extend_from_slice(b"\r\n");
    if sending.response.rule.overrides.x_cache
        && let Some(x_cache) = sending.status.x_cache()
    {
        append_x_cache(x_cache, envelope.host, out);
    }
}

/// The fields of mod_cache; a client that names no host is told our name.
fn append_x_cache(x_cache: XCache, host: &[u8], out: &mut Vec<u8>) {
    let host = if host.is_empty() { b"hotplate" } else { host };
    x_cache.append_lines(out, host);
}
