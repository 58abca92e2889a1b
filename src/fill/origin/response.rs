//! A response, and the faults of an exchange that brought none.

use hyper::Version;

use super::body::OriginBody;
use super::fault::{HeadFault, OriginFault};
use super::wire::Account;
use crate::http::fields::Fields;
use crate::http::head;

/// What the origin answered.
#[derive(Debug)]
pub struct OriginResponse {
    /// The status code, 200 to 999.
    pub status: u16,
    /// The version that the origin speaks.
    pub version: head::Version,
    /// The field lines, names in lower case, the lines of one name together where the name first stood.
    pub fields: Fields,
    /// The body, still to come.
    pub body: OriginBody,
    /// Which of the origin's URLs answered, 0-based.
    pub url_index: usize,
    /// Whether the connection had been used before.
    pub is_reused: bool,
}

/// The version in our own words.
pub(super) fn version_of(version: Version) -> head::Version {
    if version == Version::HTTP_10 {
        head::Version::Http10
    } else {
        head::Version::Http11
    }
}

/// The fault of an exchange that ended before a whole head.
pub(super) fn head_fault(error: &hyper::Error, account: &Account) -> OriginFault {
    if account.is_flooded() || error.is_parse_too_large() {
        OriginFault::HeadTooLarge
    } else if error.is_parse_status() {
        OriginFault::BadHead(HeadFault::Status)
    } else if error.is_parse() {
        // The library tells no cause but in words. Should it change them, the fault is called a bad head, which
        // has the same status; a test would show it.
        let words = error.to_string();
        if words.contains("content-length") || words.contains("transfer-encoding") {
            OriginFault::BadFraming
        } else {
            OriginFault::BadHead(HeadFault::Malformed)
        }
    } else {
        connection_fault(account)
    }
}

/// The fault of a connection that broke or ended within an exchange.
pub(super) fn connection_fault(account: &Account) -> OriginFault {
    use std::io::ErrorKind;
    let has_begun = account.received() > 0;
    match account.failed() {
        // Only TLS finds bytes invalid.
        Some(ErrorKind::InvalidData) => OriginFault::Tls(super::fault::TlsFault::Protocol),
        // TLS says so where the connection is closed without its own end.
        Some(ErrorKind::UnexpectedEof) | None if has_begun => OriginFault::Truncated,
        _ => OriginFault::Reset,
    }
}
