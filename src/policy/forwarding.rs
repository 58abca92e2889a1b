//! What goes on of a message: requests to the origin, responses to clients (RFC 9110 s7.6).
//!
//! - **Host** is the client's authority, as with Varnish and unlike nginx's default: the key is made from it, so the
//!   origin must answer for the same name. Where it needs another, the site's origin settings say so.
//! - **X-Forwarded-For** gets the client's address, as with Varnish. Whether what clients say of those before them goes on
//!   is for the caller to say: see [`Forwarding::believes_client`].
//! - **Via** is added both ways. A request that comes back with our own name in it goes in circles: see [`is_loop`].
//! - **Expect** never goes on by itself: whether the client waits for a 100 is between the caller and both sides.
//! - Bodies are framed anew on each connection. Content-Length goes on only with a body that goes on as it is. Trailer
//!   does not: the trailer fields of requests end here.

use std::net::IpAddr;

use super::key::Scheme;
use super::validation::is_condition_or_range;
use crate::http::date;
use crate::http::fields::{FieldLines, Fields};
use crate::http::head::{Method, Version};
use crate::http::hop_by_hop::{ConnectionOptions, is_hop_by_hop, is_proxy_authentication};
use crate::http::list;
use crate::units::UnixSeconds;

/// The status of a request that goes in circles: 508 (Loop Detected, RFC 5842 s7.2). It says what is wrong, which a 502
/// would not, and is not taken for the client's mistake.
pub const LOOP_STATUS: u16 = 508;

/// The highest Max-Forwards that goes on (RFC 9110 s7.6.2).
pub const MAX_FORWARDS_MAX: u64 = 255;

/// Room that is made for the fields of a message at once, in bytes: most have fewer.
const HEAD_BYTES: usize = 768;

/// How a request goes on.
#[derive(Clone, Copy, Debug)]
pub struct Forwarding<'a> {
    /// The client's method.
    pub method: Method,
    /// The version that the client speaks.
    pub version: Version,
    /// The scheme by which the client came.
    pub scheme: Scheme,
    /// What Host says: the authority that the client asked for, which the key is made from, or what the site names.
    pub host: &'a [u8],
    /// The client's address; none where it came through a Unix socket.
    pub client: Option<IpAddr>,
    /// Whether the client is a proxy of the operator's, so that its `Forwarded` and `X-Forwarded-` fields are true. Where
    /// not, they are left out: they are no part of the key, and an origin that builds its answer from them, such as a
    /// redirect to the scheme or host that they name, would let one client write what all others get.
    pub believes_client: bool,
    /// The name in Via: a token, with a part that no other running instance has.
    pub pseudonym: &'a [u8],
    /// The cache's own preconditions and ranges, which take the place of the client's; none where the client's go on.
    pub own_conditions: Option<&'a Fields>,
    /// Whether the client's body goes on.
    pub has_body: bool,
    /// Whether the client takes trailer fields, see `policy::trailers`.
    pub takes_trailers: bool,
}

/// The fields of the request to the origin.
#[must_use]
pub fn request_fields(client: &impl FieldLines, forwarding: &Forwarding<'_>) -> Fields {
    let options = ConnectionOptions::of(client);
    let mut fields = Fields::with_capacity(HEAD_BYTES);
    fields.push(b"Host", forwarding.host);
    for (name, value) in client.lines() {
        if goes_to_origin(name, forwarding) && !options.name(name) {
            fields.push(name, value);
        }
    }
    for (name, value) in forwarding
        .own_conditions
        .into_iter()
        .flat_map(FieldLines::lines)
    {
        fields.push(name, value);
    }
    if let MaxForwards::Left(left) = max_forwards(forwarding.method, client) {
        fields.push(b"Max-Forwards", left.to_string().as_bytes());
    }
    if forwarding.takes_trailers {
        // RFC 9110 s10.1.4: TE is for one connection, so Connection names it.
        fields.push(b"TE", b"trailers");
        fields.push(b"Connection", b"TE");
    }
    append_forwarded(&mut fields, client, &options, forwarding);
    append_via(&mut fields, forwarding.version, forwarding.pseudonym);
    fields
}

/// Whether a field of the client's goes on as it is, Connection aside.
fn goes_to_origin(name: &[u8], forwarding: &Forwarding<'_>) -> bool {
    let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
    let is_replaced = is("host") || is("expect") || is("trailer") || is("x-forwarded-for");
    let is_wanted = if is("content-length") {
        forwarding.has_body
    } else if is("max-forwards") {
        !counts_forwards(forwarding.method)
    } else if is_condition_or_range(name) {
        forwarding.own_conditions.is_none()
    } else if is_said_of_others(name) {
        forwarding.believes_client
    } else {
        // CGI hands `Proxy` to programs as HTTP_PROXY, which they take for the operator's setting (CVE-2016-5385).
        !is("proxy")
    };
    is_wanted && !is_replaced && !is_of_one_connection(name)
}

/// Whether a field tells of clients and connections further out (RFC 7239 and the fields before it).
fn is_said_of_others(name: &[u8]) -> bool {
    let prefix = b"x-forwarded-";
    name.eq_ignore_ascii_case(b"forwarded")
        || name
            .get(..prefix.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// Appends X-Forwarded-For, and X-Forwarded-Proto where nobody said it.
fn append_forwarded(
    fields: &mut Fields,
    client: &impl FieldLines,
    options: &ConnectionOptions<'_>,
    forwarding: &Forwarding<'_>,
) {
    let is_believed = forwarding.believes_client && !options.name(b"x-forwarded-for");
    let mut addresses: Vec<u8> = Vec::new();
    if is_believed {
        for line in client
            .values("x-forwarded-for")
            .filter(|line| !line.is_empty())
        {
            addresses.extend_from_slice(line);
            addresses.extend_from_slice(b", ");
        }
    }
    match forwarding.client {
        Some(address) => addresses.extend_from_slice(address.to_string().as_bytes()),
        None => addresses.truncate(addresses.len().saturating_sub(2)),
    }
    if !addresses.is_empty() {
        fields.push(b"X-Forwarded-For", &addresses);
    }
    if fields.value("x-forwarded-proto").is_none() {
        fields.push(b"X-Forwarded-Proto", forwarding.scheme.name().as_bytes());
    }
}

/// Appends a Via line (RFC 9110 s7.6.3): one more line is one more member of the list.
fn append_via(fields: &mut Fields, received: Version, pseudonym: &[u8]) {
    let version: &[u8] = match received {
        Version::Http10 => b"1.0 ",
        Version::Http11 => b"1.1 ",
    };
    fields.push(b"Via", &[version, pseudonym].concat());
}

/// Whether a request has been here before: a Via line names `pseudonym`. Its answer is [`LOOP_STATUS`].
///
/// Since the authority goes on unchanged, it would find the same site, and the same origin, again and again. Another
/// instance has another pseudonym, so several of them may stand in a row.
#[must_use]
pub fn is_loop(request: &impl FieldLines, pseudonym: &[u8]) -> bool {
    list_of(request, "via").any(|element| {
        // received-protocol RWS received-by [ RWS comment ]
        let mut words = element
            .split(|byte| matches!(byte, b' ' | b'\t'))
            .filter(|word| !word.is_empty());
        words
            .nth(1)
            .is_some_and(|received_by| received_by.eq_ignore_ascii_case(pseudonym))
    })
}

/// The elements of all lines of a list field.
fn list_of<'f>(fields: &'f impl FieldLines, name: &'f str) -> impl Iterator<Item = &'f [u8]> {
    fields.values(name).flat_map(list::elements)
}

/// Whether the field called `name` never goes beyond one connection. Those of proxy authentication are among them: they
/// are for the proxy that asked for it, which is not the origin (RFC 9110 s11.7).
fn is_of_one_connection(name: &[u8]) -> bool {
    is_hop_by_hop(name) || is_proxy_authentication(name)
}

/// How far a request may still go (RFC 9110 s7.6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaxForwards {
    /// Nothing limits it.
    Unlimited,
    /// No further: it is answered here, as the origin would.
    Last,
    /// On to the origin with this number.
    Left(u64),
}

/// How far a request may go. Counts for OPTIONS and TRACE only; what is not a number limits nothing, and does not go on.
#[must_use]
pub fn max_forwards(method: Method, request: &impl FieldLines) -> MaxForwards {
    if !counts_forwards(method) {
        return MaxForwards::Unlimited;
    }
    let least = request.values("max-forwards").filter_map(number_of).min();
    match least {
        None => MaxForwards::Unlimited,
        Some(0) => MaxForwards::Last,
        Some(count) => MaxForwards::Left((count - 1).min(MAX_FORWARDS_MAX)),
    }
}

const fn counts_forwards(method: Method) -> bool {
    matches!(method, Method::Options | Method::Trace)
}

/// Reads `1*DIGIT`; saturates.
fn number_of(value: &[u8]) -> Option<u64> {
    let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    is_number.then(|| {
        value.iter().fold(0_u64, |number, digit| {
            number
                .saturating_mul(10)
                .saturating_add(u64::from(digit - b'0'))
        })
    })
}

/// The fields of an origin's response as they are sent to clients, and before storing: fields of one connection are gone,
/// Via is there, and so is a valid Date (RFC 9110 s6.6.1: a recipient with a clock adds one).
///
/// `now` is when the response was received. Content-Length stays: it is the body's. Trailer goes: it is for those to say who
/// send trailer fields, see `policy::trailers`. Age stays as received.
#[must_use]
pub fn response_fields(
    origin: &impl FieldLines,
    received: Version,
    now: UnixSeconds,
    pseudonym: &[u8],
) -> Fields {
    let has_date = origin
        .value("date")
        .is_some_and(|value| date::parse(value).is_some());
    let options = ConnectionOptions::of(origin);
    let mut fields = Fields::with_capacity(HEAD_BYTES);
    for (name, value) in origin.lines() {
        let is_replaced = !has_date && name.eq_ignore_ascii_case(b"date");
        let is_announcement = name.eq_ignore_ascii_case(b"trailer");
        if !is_replaced && !is_announcement && !is_of_one_connection(name) && !options.name(name) {
            fields.push(name, value);
        }
    }
    if !has_date {
        fields.push(b"Date", &date::format(now));
    }
    append_via(&mut fields, received, pseudonym);
    fields
}

/// The fields of an informational response as they go on to the client (RFC 9110 s15.2), without those of one connection
/// and those that frame a body, which it has none of (s8.6). A gateway need not name itself in Via there (s7.6.3).
#[must_use]
pub fn informational_fields(origin: &Fields) -> Fields {
    let options = ConnectionOptions::of(origin);
    origin.filtered(|name, _| {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        let is_of_a_body = is("content-length") || is("trailer");
        !is_of_a_body && !is_of_one_connection(name) && !options.name(name)
    })
}

#[cfg(test)]
mod tests;
