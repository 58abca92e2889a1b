//! The cache key of a request (RFC 9111 s2), as bytes.
//!
//! ```text
//! [ 0x00, size of the scope as u16 LE, scope ] scheme "://" authority path [ "?" query ]
//! ```
//!
//! - The scope is the name of a credential profile: what one profile may read is never found by another. What the library asks
//!   a URL's own host for has a scope of its own kind (see [`library_scope`]), so that clients of a site for all hosts, who say
//!   what host they mean, neither find it nor put anything in its place.
//! - The host is in lower case and the scheme's default port is left out (RFC 3986 s6.2.3). Any other port stands.
//! - The path is the canonical one of `http::target`. An empty query differs from none.
//!
//! The method is no part of it: only what answers GET is stored, and HEAD is answered from the same. Two requests have
//! the same key only where these parts are equal, or the rule says that they share. Keys below one URL prefix begin with
//! the same bytes, so that in the order of bytes they lie side by side.

use super::settings::Overrides;
use crate::http::authority::host_of;
use crate::http::head::Method;
use crate::http::reject::Reject;
use crate::http::target::{self, TargetForm};

/// How a URL is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Clear text.
    Http,
    /// TLS.
    Https,
}

impl Scheme {
    /// Its name, in lower case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port of an authority that names none (RFC 9110 s4.2.1, s4.2.2), in decimal.
    const fn default_port(self) -> &'static [u8] {
        match self {
            Self::Http => b"80",
            Self::Https => b"443",
        }
    }
}

/// What of a request makes its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyParts<'a> {
    /// The credential profile that the origin is asked with, where one applies.
    pub scope: Option<&'a [u8]>,
    /// The scheme.
    pub scheme: Scheme,
    /// The authority: valid, in any case, with or without port. Empty where the client sent none.
    pub authority: &'a [u8],
    /// The canonical path; starts with `/`.
    pub path: &'a [u8],
    /// What follows the first `?`.
    pub query: Option<&'a [u8]>,
}

/// Appends the key of `parts` to `out`. Allocates nothing where `out` has room.
///
/// Of `rule`, these count:
///
/// - `key_base_url` stands for scheme and authority.
/// - `ignore_query` leaves the query out.
/// - `strip_query` leaves parameters out. They end at `&` only, and their names are compared octet by octet, in their
///   case. The others keep their order. A query of which nothing is left counts as none. A parameter with a `;` in it
///   stays whatever its name: an origin that splits there, too, would see in it what the key does not tell apart.
pub fn append(out: &mut Vec<u8>, parts: &KeyParts<'_>, rule: &Overrides) {
    debug_assert!(parts.path.starts_with(b"/"), "only paths have keys");
    if let Some(scope) = parts.scope {
        append_scope(out, scope);
    }
    match &rule.key_base_url {
        Some(base) => out.extend_from_slice(base.trim_end_matches('/').as_bytes()),
        None => append_origin(out, parts.scheme, parts.authority),
    }
    out.extend_from_slice(parts.path);
    if let Some(query) = parts.query
        && !rule.ignore_query
    {
        append_query(out, query, &rule.strip_query);
    }
}

/// What the keys of all scopes begin with, and no other key.
pub const SCOPED: &[u8] = b"\0";

/// The scope of what the library asks a URL's own host for, with the profile of this name or, where it is empty, with none. No
/// profile is called like it.
#[must_use]
pub fn library_scope(profile: &str) -> Box<[u8]> {
    [profile.as_bytes(), b"/"].concat().into()
}

/// Whether a scope is one of the library's.
#[must_use]
pub fn is_library_scope(scope: &[u8]) -> bool {
    scope.ends_with(b"/")
}

/// Appends what keys of this scope begin with.
pub fn append_scope(out: &mut Vec<u8>, scope: &[u8]) {
    let size = u16::try_from(scope.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(SCOPED);
    out.extend_from_slice(&size.to_le_bytes());
    out.extend_from_slice(scope);
}

/// The same key in another scope.
#[must_use]
pub fn in_scope(key: &[u8], scope: &[u8]) -> Vec<u8> {
    let (_, url) = split_scope(key);
    let mut scoped = Vec::with_capacity(3 + scope.len() + url.len());
    append_scope(&mut scoped, scope);
    scoped.extend_from_slice(url);
    scoped
}

/// The scope of a key, and what stands behind it.
#[must_use]
pub fn split_scope(key: &[u8]) -> (Option<&[u8]>, &[u8]) {
    let scoped = key.strip_prefix(SCOPED).and_then(|rest| {
        let (size, rest) = rest.split_first_chunk::<2>()?;
        rest.split_at_checked(usize::from(u16::from_le_bytes(*size)))
    });
    match scoped {
        Some((scope, rest)) => (Some(scope), rest),
        None => (None, key),
    }
}

/// Appends the origin (RFC 9110 s4.3.1) that `scheme` and `authority` make, in canonical form: equal origins, equal bytes.
pub fn append_origin(out: &mut Vec<u8>, scheme: Scheme, authority: &[u8]) {
    let (host, port) = host_and_port(authority);
    out.extend_from_slice(scheme.name().as_bytes());
    out.extend_from_slice(b"://");
    out.extend(host.iter().map(u8::to_ascii_lowercase));
    if let Some(port) = port
        && port != scheme.default_port()
    {
        out.push(b':');
        out.extend_from_slice(port);
    }
}

/// The path of the URL that a key was made from; empty where it is none.
#[must_use]
pub fn path_of(key: &[u8]) -> &[u8] {
    let Some(scheme_end) = memchr::memmem::find(key, b"://") else {
        return &[];
    };
    let rest = key.get(scheme_end + 3..).unwrap_or_default();
    let start = memchr::memchr(b'/', rest).unwrap_or(rest.len());
    let path = rest.get(start..).unwrap_or_default();
    let end = memchr::memchr(b'?', path).unwrap_or(path.len());
    path.get(..end).unwrap_or_default()
}

/// Whether two authorities make the same origin under `scheme` (RFC 9110 s4.3.1).
#[must_use]
pub fn is_same_origin(scheme: Scheme, left: &[u8], right: &[u8]) -> bool {
    let (left_host, left_port) = host_and_port(left);
    let (right_host, right_port) = host_and_port(right);
    let default = scheme.default_port();
    left_host.eq_ignore_ascii_case(right_host)
        && left_port.unwrap_or(default) == right_port.unwrap_or(default)
}

/// Host and port of a valid authority; an empty port counts as none (RFC 3986 s6.2.3). A port has no leading zeros.
fn host_and_port(authority: &[u8]) -> (&[u8], Option<&[u8]>) {
    let host = host_of(authority).unwrap_or(authority);
    let Some([b':', port @ ..]) = authority.get(host.len()..) else {
        return (host, None);
    };
    let mut digits = port;
    while let [b'0', rest @ ..] = digits
        && !rest.is_empty()
    {
        digits = rest;
    }
    (host, (!digits.is_empty()).then_some(digits))
}

/// Appends `?` and what is left of `query` without the parameters that `patterns` name.
fn append_query(out: &mut Vec<u8>, query: &[u8], patterns: &[Box<str>]) {
    let mut separator = b'?';
    let parameters = query.split(|byte| *byte == b'&');
    for parameter in parameters.filter(|parameter| !is_stripped(parameter, patterns)) {
        out.push(separator);
        out.extend_from_slice(parameter);
        separator = b'&';
    }
}

/// Whether a parameter, `name` or `name=value`, is named by one of `patterns`.
fn is_stripped(parameter: &[u8], patterns: &[Box<str>]) -> bool {
    if parameter.contains(&b';') {
        return false;
    }
    let name = parameter.split(|byte| *byte == b'=').next();
    name.is_some_and(|name| {
        patterns
            .iter()
            .any(|pattern| match pattern.strip_suffix('*') {
                Some(start) => name.starts_with(start.as_bytes()),
                None => name == pattern.as_bytes(),
            })
    })
}

/// The parts of an absolute http or https URL, as an operator writes it. A fragment is left out.
///
/// `scratch` takes the canonical path; see [`target::normalise`].
///
/// # Errors
///
/// The text is no such URL, or one that no request could have.
pub fn from_url<'a>(url: &'a [u8], scratch: &'a mut Vec<u8>) -> Result<KeyParts<'a>, Reject> {
    let end = memchr::memchr(b'#', url).unwrap_or(url.len());
    let url = url.get(..end).unwrap_or(url);
    let target = target::normalise(Method::Get, url, scratch)?;
    let (TargetForm::Absolute, Some(authority)) = (target.form, target.authority) else {
        return Err(Reject::TargetFormMismatch);
    };
    let scheme = match url.get(4) {
        Some(b's' | b'S') => Scheme::Https,
        _ => Scheme::Http,
    };
    Ok(KeyParts {
        scope: None,
        scheme,
        authority,
        path: target.path,
        query: target.query,
    })
}

/// Appends the bytes that the keys of all URLs begin with that begin with the one of `parts`. What stands in the last
/// segment is a beginning, too: `/im` has `/images/a` below it; a slash at its end keeps to that segment.
///
/// False, and nothing appended, where there are no such bytes: `parts` have a query, and the rule takes queries apart.
pub fn append_prefix(out: &mut Vec<u8>, parts: &KeyParts<'_>, rule: &Overrides) -> bool {
    let is_query_whole = !rule.ignore_query && rule.strip_query.is_empty();
    if parts.query.is_some() && !is_query_whole {
        return false;
    }
    append(out, parts, rule);
    true
}

#[cfg(test)]
mod tests;
