//! The desk's answer to a request: one closed set of outcomes.

use std::sync::Arc;

use super::lease::LocalLease;
use crate::cache::order::{Job, Ticket};
use crate::http::reject::Reject;
use crate::index::response::Response;
use crate::policy::cache_status::CacheStatus;
use crate::policy::rule::Rule;
use crate::policy::selection::Part;
use crate::store::Reading;

/// What a request gets.
#[derive(Debug)]
pub enum Answer {
    /// A local file.
    Serve(Served),
    /// A response of an origin, from the store.
    Send(Sending),
    /// A stale response, while the order has it revalidated (RFC 5861 s3).
    SendAndRefresh(Sending, Ticket, Job),
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
    pub lease: LocalLease,
    /// Which part; never one of the parts that a [`Reply`] stands for.
    pub part: Part,
    /// The rule that decided.
    pub rule: Rule,
}

/// A part of an origin's response, held for sending.
#[derive(Debug)]
pub struct Sending {
    /// The response; keeps its body alive.
    pub response: Arc<Response>,
    /// Its body, where it is on its way: who brings it sees by this that it will be read.
    pub reads: Option<Reading>,
    /// Which part; never one of the parts that a [`Reply`] stands for.
    pub part: Part,
    /// Its age in seconds, for a response that was not generated for this request (RFC 9111 s5.1).
    pub age: Option<u64>,
    /// What Cache-Status says.
    pub status: CacheStatus,
    /// The rule that decided.
    pub rule: Rule,
}

/// Answers without stored bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// 404.
    NotFound,
    /// 400: the request can't go on to the origin, or its body broke off.
    BadRequest,
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
    /// 501: WebSocket was asked for, and connections are not tunnelled.
    UpgradeRefused,
    /// 502: the origin could not be reached, or what it said makes no sense.
    BadGateway,
    /// 503, with Retry-After.
    Unavailable,
    /// 508: the request has been here before.
    Loop,
    /// 504: the origin did not answer in time, or was not to be asked.
    GatewayTimeout,
}

impl Reply {
    /// The answer where an origin gave none, by the rule that says why.
    #[must_use]
    pub const fn of_failure(rule: Rule) -> Self {
        match rule {
            Rule::OriginUnreachable
            | Rule::OriginNameUnknown
            | Rule::OriginAddressRefused
            | Rule::OriginCredentials
            | Rule::OriginBroken => Self::BadGateway,
            Rule::CredentialsNotLent => Self::Forbidden,
            Rule::RequestBroken => Self::BadRequest,
            Rule::Loop => Self::Loop,
            Rule::OriginTimeout | Rule::OnlyIfCached => Self::GatewayTimeout,
            _ => Self::Unavailable,
        }
    }

    /// The status code.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::Options => 204,
            Self::Redirect(_) => 301,
            Self::BadRequest => 400,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::PreconditionFailed => 412,
            Self::RangeUnsatisfiable(_) => 416,
            Self::MethodUnknown | Self::UpgradeRefused => 501,
            Self::BadGateway => 502,
            Self::Unavailable => 503,
            Self::GatewayTimeout => 504,
            Self::Loop => 508,
        }
    }
}
