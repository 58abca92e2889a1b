//! What the access log says of an answer whose body is not sent yet.

use std::net::SocketAddr;
use std::time::Duration;

use crate::cache::Moment;
use crate::http::head::{Field, RequestHead, Version};
use crate::policy::rule::Rule;
use crate::stats::{AccessRecord, AccessSink};
use crate::units::MonoNanos;

/// Logs an answer that is complete in the turn of its request: nothing is copied but into the log's own batch.
pub fn record(
    peer: SocketAddr,
    head: Option<&RequestHead<'_>>,
    (status, body_bytes, rule): (u16, u64, Rule),
    (now, millis): (Moment, u32),
    log: &mut AccessSink,
) {
    let field = |name| head.and_then(|head| head.field(name)).unwrap_or_default();
    log.record(&AccessRecord {
        peer,
        at: now.wall,
        at_millis: millis,
        method: head.map(|head| head.method_name).unwrap_or_default(),
        target: head.map(|head| head.target).unwrap_or_default(),
        version: version_of(head),
        status,
        body_bytes,
        duration: Duration::ZERO,
        outcome: rule.outcome(),
        referer: field(Field::Referer),
        user_agent: field(Field::UserAgent),
        host: field(Field::Host),
    });
}

fn version_of(head: Option<&RequestHead<'_>>) -> &'static str {
    match head.map(|head| head.version) {
        Some(Version::Http11) => "HTTP/1.1",
        Some(Version::Http10) => "HTTP/1.0",
        None => "",
    }
}

/// An access record that waits for the end of its answer; only made while the log is on.
#[derive(Debug)]
pub struct Deferred {
    peer: SocketAddr,
    started: MonoNanos,
    status: u16,
    body_bytes: u64,
    rule: Rule,
    version: &'static str,
    method: Box<[u8]>,
    target: Box<[u8]>,
    referer: Box<[u8]>,
    user_agent: Box<[u8]>,
    host: Box<[u8]>,
}

impl Deferred {
    /// The record of an answer with `body_bytes` planned; without a head when none could be parsed.
    #[must_use]
    pub fn new(
        peer: SocketAddr,
        head: Option<&RequestHead<'_>>,
        status: u16,
        body_bytes: u64,
        rule: Rule,
        started: MonoNanos,
    ) -> Self {
        let field = |name| {
            head.and_then(|head| head.field(name))
                .unwrap_or_default()
                .into()
        };
        Self {
            peer,
            started,
            status,
            body_bytes,
            rule,
            version: version_of(head),
            method: head.map(|head| head.method_name).unwrap_or_default().into(),
            target: head.map(|head| head.target).unwrap_or_default().into(),
            referer: field(Field::Referer),
            user_agent: field(Field::UserAgent),
            host: field(Field::Host),
        }
    }

    /// The bytes of the body that were planned.
    #[must_use]
    pub fn body_bytes(&self) -> u64 {
        self.body_bytes
    }

    /// Hands the record to the log, with the bytes that were really sent.
    pub fn finish(&self, now: Moment, millis: u32, body_bytes: u64, log: &mut AccessSink) {
        log.record(&AccessRecord {
            peer: self.peer,
            at: now.wall,
            at_millis: millis,
            method: &self.method,
            target: &self.target,
            version: self.version,
            status: self.status,
            body_bytes,
            duration: now.mono.since(self.started),
            outcome: self.rule.outcome(),
            referer: &self.referer,
            user_agent: &self.user_agent,
            host: &self.host,
        });
    }
}
