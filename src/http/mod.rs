//! HTTP/1.1 semantics as pure functions: no I/O, no clock, no allocation on the way of a hit.
#![forbid(unsafe_code)]

pub mod accept_encoding;
pub mod authority;
pub mod conditional;
pub mod date;
pub mod etag;
pub mod field;
pub mod fields;
pub mod framing;
pub mod head;
mod list;
pub mod message;
pub mod mime;
pub mod multipart;
mod octets;
pub mod range;
pub mod reject;
pub mod target;
