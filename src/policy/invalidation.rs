//! Which URLs a request that may have changed something makes invalid (RFC 9111 s4.4).

use super::key::{self, Scheme};
use crate::http::fields::FieldLines;
use crate::http::head::Method;
use crate::http::target;

/// The most URLs that one response invalidates: the target's own, one of Location and one of Content-Location.
pub const TARGETS_MAX: usize = 3;

/// The target of a request.
#[derive(Clone, Copy, Debug)]
pub struct RequestTarget<'a> {
    /// The scheme by which the client came.
    pub scheme: Scheme,
    /// Its authority.
    pub authority: &'a [u8],
    /// Its canonical path.
    pub path: &'a [u8],
    /// What follows the first `?`.
    pub query: Option<&'a [u8]>,
}

/// A URL of the request's own origin: its scheme and authority are those of the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalidated {
    /// The canonical path.
    pub path: Box<[u8]>,
    /// What follows the first `?`.
    pub query: Option<Box<[u8]>>,
}

/// Whether a method is safe (RFC 9110 s9.2.1). Of a method that we do not know nobody knows it, so it is not
/// (RFC 9111 s4.4).
#[must_use]
pub const fn is_safe(method: Method) -> bool {
    matches!(
        method,
        Method::Get | Method::Head | Method::Options | Method::Trace
    )
}

/// Whether the response to `method` with `status` invalidates: the method is not safe, and the response is a 2xx or 3xx.
#[must_use]
pub const fn invalidates(method: Method, status: u16) -> bool {
    !is_safe(method) && matches!(status, 200..=399)
}

/// The URLs whose stored responses a response makes invalid, each once, the target's own first; none where it does not
/// change anything.
///
/// Location and Content-Location count where they lead to the request's own origin; else anyone could empty the cache of
/// somebody else (s4.4). Of several lines of one name, which none should have, the first counts.
#[must_use]
pub fn targets(
    method: Method,
    status: u16,
    request: &RequestTarget<'_>,
    response: &impl FieldLines,
) -> Vec<Invalidated> {
    // The targets of CONNECT and of `OPTIONS *` are no URLs.
    if !invalidates(method, status) || !request.path.starts_with(b"/") {
        return Vec::new();
    }
    let mut found = vec![Invalidated {
        path: request.path.into(),
        query: request.query.map(Into::into),
    }];
    for name in ["location", "content-location"] {
        if let Some(url) = response
            .value(name)
            .and_then(|reference| resolve(request, reference))
            && !found.contains(&url)
        {
            found.push(url);
        }
    }
    debug_assert!(found.len() <= TARGETS_MAX);
    found
}

/// What `reference` leads to from `base` (RFC 3986 s5.2.2); none where that is another origin, or no URL that a request
/// could have. A fragment is left out: it never gets to a server.
#[must_use]
pub fn resolve(base: &RequestTarget<'_>, reference: &[u8]) -> Option<Invalidated> {
    let end = memchr::memchr(b'#', reference).unwrap_or(reference.len());
    let reference = reference.get(..end)?;
    let first_delimiter = reference
        .iter()
        .find(|byte| matches!(byte, b':' | b'/' | b'?'));
    let text: Vec<u8> = match reference {
        // A scheme ends at a colon before anything else that delimits (s4.1): an absolute URL, or something of another kind.
        _ if first_delimiter == Some(&b':') => reference.to_vec(),
        [b'/', b'/', ..] => [base.scheme.name().as_bytes(), b":", reference].concat(),
        [b'/', ..] => reference.to_vec(),
        [] | [b'?', ..] => {
            let query = match (reference, base.query) {
                ([], Some(query)) => [b"?", query].concat(),
                _ => reference.to_vec(),
            };
            [base.path, &query].concat()
        }
        _ => {
            let parent_size = memchr::memrchr(b'/', base.path)? + 1;
            [base.path.get(..parent_size)?, reference].concat()
        }
    };
    let is_own_scheme = |text: &[u8]| {
        let scheme = base.scheme.name().as_bytes();
        text.get(..scheme.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
            && text.get(scheme.len()) == Some(&b':')
    };
    // Dot segments that lead above the root are dropped by RFC 3986 s5.2.4; here such a reference leads nowhere, as does a
    // request for it.
    let mut scratch = Vec::new();
    let target = target::normalise(Method::Get, &text, &mut scratch).ok()?;
    if let Some(authority) = target.authority
        && !(is_own_scheme(&text) && key::is_same_origin(base.scheme, authority, base.authority))
    {
        return None;
    }
    Some(Invalidated {
        path: target.path.into(),
        query: target.query.map(Into::into),
    })
}

#[cfg(test)]
mod tests;
