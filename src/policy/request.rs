//! What a cache decides by of a request: small, copied, without a reference into the head.

use crate::http::cache_control::RequestDirectives;
use crate::http::fields::FieldLines;
use crate::http::head::Method;

/// A presented request (RFC 9111 s4). Its key and its Vary are compared elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The method.
    pub method: Method,
    /// What it says to caches.
    pub directives: RequestDirectives,
    /// It has Authorization (s3.5).
    pub authorized: bool,
}

impl Asked {
    /// Reads a request's fields. Allocates nothing.
    #[must_use]
    pub fn of(method: Method, fields: &impl FieldLines) -> Self {
        Self {
            method,
            directives: RequestDirectives::of(fields),
            authorized: fields.value("authorization").is_some(),
        }
    }
}
