//! The desk's answer to a request: one closed set of outcomes.

use super::lease::Lease;
use crate::cache::order::{Job, Ticket};
use crate::http::reject::Reject;
use crate::policy::rule::Rule;
use crate::policy::selection::Part;

/// What a request gets.
#[derive(Debug)]
pub enum Answer {
    /// Stored bytes.
    Serve(Served),
    /// An answer that needs no stored bytes.
    Respond(Reply, Rule),
    /// Nothing yet: the caller places this order with the fill threads and asks again when it is filled.
    Fill(Ticket, Job),
    /// Nothing yet: this order is under way already; ask again when it is filled.
    Join(Ticket),
    /// The target makes no sense: refuse the request.
    Reject(Reject),
}

/// A part of a representation, held for sending.
#[derive(Debug)]
pub struct Served {
    /// Keeps the bytes alive.
    pub lease: Lease,
    /// Which part; never one of the parts that a [`Reply`] stands for.
    pub part: Part,
    /// The rule that decided.
    pub rule: Rule,
}

/// Answers without stored bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// 404.
    NotFound,
    /// 403.
    Forbidden,
    /// 405, with Allow.
    MethodNotAllowed,
    /// 501.
    MethodUnknown,
    /// 204, with Allow.
    Options,
    /// 412.
    PreconditionFailed,
    /// 416, with the size of the representation in bytes.
    RangeUnsatisfiable(u64),
    /// 301 to this reference.
    Redirect(Box<[u8]>),
    /// 503, with Retry-After.
    Unavailable,
}

impl Reply {
    /// The status code.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::Options => 204,
            Self::Redirect(_) => 301,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::PreconditionFailed => 412,
            Self::RangeUnsatisfiable(_) => 416,
            Self::MethodUnknown => 501,
            Self::Unavailable => 503,
        }
    }
}
