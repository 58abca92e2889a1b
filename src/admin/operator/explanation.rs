//! What is told of a request that was not made: step by step, with the numbers behind each decision.

use serde::Serialize;
use serde_json::{Map, Value};

/// The whole of it. A step that was not reached is absent.
#[derive(Debug, Serialize)]
pub struct Explanation {
    /// The request.
    pub request: AskedRequest,
    /// The pin that answers it, before any site is looked at.
    pub pin: Option<String>,
    /// The site of its host.
    pub site: Option<SiteChosen>,
    /// The rule of its path.
    pub rule: Option<RuleChosen>,
    /// The cache key.
    pub key: Option<String>,
    /// What is stored under the key, the most recent first.
    pub variants: Vec<Variant>,
    /// The arithmetic for the one that was chosen.
    pub freshness: Option<Freshness>,
    /// What becomes of the request.
    pub verdict: Verdict,
}

/// A request as it is taken to be.
#[derive(Debug, Serialize)]
pub struct AskedRequest {
    /// Canonical path and query.
    pub target: String,
    /// The Host field.
    pub host: String,
    /// The other fields, each a line.
    pub fields: Vec<String>,
    /// What they say to caches.
    pub directives: Vec<String>,
}

/// A site.
#[derive(Debug, Serialize)]
pub struct SiteChosen {
    /// The line of the config on which it stands.
    pub line: usize,
    /// Its hosts; none: it is the default site.
    pub hosts: Vec<String>,
    /// The folder of its local files.
    pub root: Option<String>,
    /// Its origin's URLs.
    pub origin: Vec<String>,
}

/// A rule.
#[derive(Debug, Serialize)]
pub struct RuleChosen {
    /// The path that it is for.
    pub path: String,
    /// Whether responses are stored at all.
    pub cache: bool,
    /// How it departs from RFC 9111.
    pub departures: Vec<String>,
}

/// A stored response.
#[derive(Debug, Serialize)]
pub struct Variant {
    /// The request fields that it was selected by; null for a field that the request did not have.
    pub fields: Map<String, Value>,
    /// Whether it may answer the request, by its Vary.
    pub matches: bool,
    /// The first field by which the request differs.
    pub differs_by: Option<String>,
    /// Whether it is the one.
    pub chosen: bool,
    /// The status.
    pub status: u16,
    /// Seconds since it was received.
    pub resident: u64,
    /// Whether the whole body is there.
    pub complete: bool,
    /// Where its body is: `memory`, `disk`, or `memory and disk`.
    pub tier: &'static str,
}

/// Whether a response is fresh (RFC 9111 s4.2), in whole seconds.
#[derive(Debug, Serialize)]
pub struct Freshness {
    /// How long it is fresh from its generation on.
    pub lifetime: u64,
    /// Where the lifetime comes from.
    pub lifetime_from: String,
    /// Its age when it was received.
    pub initial_age: u64,
    /// How long ago that was.
    pub resident: u64,
    /// Its age now.
    pub age: u64,
    /// Until it is stale; negative since it is.
    pub ttl: i64,
    /// What else counts of it.
    pub facts: Vec<String>,
}

/// What becomes of a request.
#[derive(Debug, Serialize)]
pub struct Verdict {
    /// Who answers.
    pub answered_by: AnsweredBy,
    /// The decision's name, as in Cache-Status and counters.
    pub name: &'static str,
    /// Why.
    pub reason: String,
    /// The status of the answer, where it does not come from the origin.
    pub status: Option<u16>,
    /// The Cache-Status field; where the origin is asked, its beginning.
    pub cache_status: Option<String>,
    /// What happens then.
    pub then: Vec<String>,
}

/// Who answers a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AnsweredBy {
    /// A pinned file.
    Pin,
    /// A site's file, or nobody where there is none.
    Root,
    /// The cache.
    Cache,
    /// The origin.
    Origin,
    /// Hotplate itself, with an error.
    Error,
}
