//! HTTP/1.1 semantics as pure functions: no I/O, no clock, no allocation on the way of a hit.
#![forbid(unsafe_code)]

pub mod accept_encoding;
pub mod authority;
pub mod cache_control;
pub mod conditional;
pub mod content_range;
pub mod date;
pub mod etag;
pub mod field;
pub mod fields;
pub mod framing;
pub mod head;
pub mod hop_by_hop;
pub mod list;
pub mod logged;
pub mod message;
pub mod mime;
pub mod multipart;
mod octets;
pub mod range;
pub mod reject;
pub mod target;
