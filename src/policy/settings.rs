//! What an operator may change of the cache's behaviour, URL by URL. The defaults are those of RFC 9111.

use std::time::Duration;

/// Where a stored response may live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// The process's memory.
    Memory,
    /// The disk store.
    Disk,
}

/// What is done with a response that sets a cookie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SetCookie {
    /// It is not stored: the cookie is one client's.
    #[default]
    Refuse,
    /// It is stored and sent without the field.
    Strip,
    /// It is stored and replayed to everybody.
    Store,
}

/// Statuses of the same negative lifetime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NegativeTtl {
    /// First status, 400 to 599.
    pub first: u16,
    /// Last status.
    pub last: u16,
    /// The freshness lifetime where the response states none.
    pub ttl: Duration,
}

/// Departures from RFC 9111, each off by default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overrides {
    /// The freshness lifetime of a response that states none and has no usable Last-Modified.
    pub default_ttl: Option<Duration>,
    /// No freshness lifetime is shorter. Never applies to no-store, private or no-cache.
    pub min_ttl: Option<Duration>,
    /// No freshness lifetime is longer, stated or not.
    pub max_ttl: Option<Duration>,
    /// The heuristic lifetime as a part of the time since Last-Modified, in thousandths (RFC 9111 s4.2.2).
    pub heuristic_permille: u32,
    /// Request directives that ask for more than a fresh response are not heeded: no-cache, no-store, max-age, min-fresh, Pragma.
    pub ignore_client_cache_control: bool,
    /// Responses marked private are stored.
    pub store_private: bool,
    /// Responses marked no-store are stored.
    pub store_no_store: bool,
    /// Responses that are stale already are stored even without a validator.
    pub store_expired: bool,
    /// 200 responses with neither validator nor lifetime are stored (with `default_ttl`).
    pub ignore_no_last_modified: bool,
    /// Response fields that are not stored, in lower case. A field that a response varies by is kept all the same.
    pub ignore_headers: Vec<Box<str>>,
    /// Request fields, in lower case, that hardly two clients send the same value of: what varies by one is not stored for a request
    /// that has it.
    pub vary_refuse: Vec<Box<str>>,
    /// The query is no part of the key.
    pub ignore_query: bool,
    /// Query parameters that are no part of the key; a `*` at the end stands for any rest of a name.
    pub strip_query: Vec<Box<str>>,
    /// Responses with Set-Cookie.
    pub set_cookie: SetCookie,
    /// Lifetimes of error statuses that state none; the first that fits counts.
    pub negative_ttl: Vec<NegativeTtl>,
    /// How long after its lifetime a response may stand in for a failing origin where it does not say itself.
    pub stale_if_error: Option<Duration>,
    /// How long after its lifetime a response may be sent while it is revalidated where it does not say itself.
    pub stale_while_revalidate: Option<Duration>,
    /// Stands for scheme and authority in the key, so that several names share what is stored.
    pub key_base_url: Option<Box<str>>,
    /// Also send X-Cache and X-Cache-Detail.
    pub x_cache: bool,
}

impl Default for Overrides {
    fn default() -> Self {
        Self {
            default_ttl: None,
            min_ttl: None,
            max_ttl: None,
            heuristic_permille: 100,
            ignore_client_cache_control: false,
            store_private: false,
            store_no_store: false,
            store_expired: false,
            ignore_no_last_modified: false,
            ignore_headers: Vec::new(),
            vary_refuse: ["cookie", "referer", "user-agent"].map(Into::into).into(),
            ignore_query: false,
            strip_query: Vec::new(),
            set_cookie: SetCookie::default(),
            negative_ttl: Vec::new(),
            stale_if_error: None,
            stale_while_revalidate: None,
            key_base_url: None,
            x_cache: false,
        }
    }
}

/// A `[[site.rule]]`: how the URLs below a path are cached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheRule {
    /// A canonical path; the rule is for it and for all below it on a segment's border.
    pub path: Box<[u8]>,
    /// Whether responses are stored at all.
    pub cache: bool,
    /// Where they may live, in the order in which they are tried; never empty, no tier twice.
    pub tiers: Vec<Tier>,
    /// Departures from RFC 9111.
    pub overrides: Overrides,
}

impl Default for CacheRule {
    fn default() -> Self {
        Self {
            path: b"/"[..].into(),
            cache: true,
            tiers: vec![Tier::Memory, Tier::Disk],
            overrides: Overrides::default(),
        }
    }
}
