//! What a worker asks of the fill threads, and what comes back. Both ways are bounded queues.

use std::fs::File;
use std::net::IpAddr;
use std::sync::Arc;

use crate::http::cache_control::RequestDirectives;
use crate::http::fields::Fields;
use crate::http::head::{Method, Version};
use crate::index::cached::Epoch;
use crate::index::entry::Entry;
use crate::index::response::Response;
use crate::policy::cache_status::{CacheStatus, Forward};
use crate::policy::origin_rule::OriginRule;
use crate::policy::rule::Rule;
use crate::policy::rules::Rules;
use crate::policy::settings::CacheRule;
use crate::store::body_fault::BodyFault;
use crate::store::pipe::Pipe;
use crate::store::{Object, Reading};
pub use crate::units::Ticket;
use crate::units::{MonoNanos, SiteId, Waiter, WorkerId};

/// An order to the fill threads.
#[derive(Debug)]
pub struct Order {
    /// Who asks; the answer goes to this worker's inbox.
    pub worker: WorkerId,
    /// Comes back with the answer.
    pub ticket: Ticket,
    /// What is asked.
    pub job: Job,
}

/// What a worker can ask.
#[derive(Debug)]
pub enum Job {
    /// Find the file that a site's root has for a canonical path.
    Resolve {
        /// The site.
        site: SiteId,
        /// The canonical path, without query.
        path: Box<[u8]>,
    },
    /// Bring a range of an object into the page cache, so that sending it does not block.
    Warm {
        /// The object; the order keeps it alive.
        object: Arc<Object>,
        /// First byte.
        offset: u64,
        /// How many bytes.
        length: u64,
    },
    /// Answer a request from the disk store or from the origin.
    Fetch(Box<Fetch>),
}

/// A request that goes to the fill threads.
#[derive(Debug)]
pub struct Fetch {
    /// The site.
    pub site: SiteId,
    /// The rule of its URL.
    pub rule: Arc<CacheRule>,
    /// All rules of its site, where it may change other URLs too.
    pub rules: Option<Rules>,
    /// The cache key of its URL.
    pub key: Box<[u8]>,
    /// The method.
    pub method: Method,
    /// The method's name.
    pub method_name: Box<[u8]>,
    /// The version that the client speaks.
    pub version: Version,
    /// Canonical path and query, as they go to the origin.
    pub target: Box<[u8]>,
    /// How many bytes of it are the path.
    pub path_size: usize,
    /// The authority that the client asked.
    pub authority: Box<[u8]>,
    /// Its fields, as received.
    pub fields: Fields,
    /// The client; the worker knows. None where nobody waits.
    pub client: Option<IpAddr>,
    /// Whether the client takes trailer fields.
    pub takes_trailers: bool,
    /// Why it is not answered from memory.
    pub why: Forward,
    /// The rule by which it is not, for Cache-Status; empty where `why` says it all.
    pub because: &'static str,
    /// Its body.
    pub body: Option<Upload>,
    /// Nobody waits for the answer: it only refreshes what is stored.
    pub is_refresh: bool,
    /// What is stored does not answer it, however fresh: the origin is asked, and what is stored stays until it has answered.
    pub must_ask: bool,
    /// The origin of a URL that is no site's; none: the site's.
    pub foreign: Option<Arc<OriginRule>>,
    /// What stands in for the origin's answer; none: the origin is asked.
    pub deposit: Option<Deposit>,
    /// Who waits for the answer, to be told what comes before it; the fill desk knows.
    pub asker: Option<Waiter>,
}

impl Fetch {
    /// The request that refreshes what has answered this one.
    #[must_use]
    pub fn into_refresh(mut self: Box<Self>) -> Box<Self> {
        // What is stored answers GET and HEAD, and only a GET can replace it.
        self.method = Method::Get;
        self.method_name = b"GET"[..].into();
        self.why = Forward::Stale;
        self.is_refresh = true;
        (self.client, self.asker, self.body) = (None, None, None);
        // What its client wants of stored responses alone is done with (RFC 9111 s5.2.1.7), and would keep the origin from
        // being asked.
        let directives = RequestDirectives::of(&self.fields);
        if directives.only_if_cached {
            let is_other = |name: &[u8]| !name.eq_ignore_ascii_case(b"cache-control");
            self.fields = self.fields.filtered(|name, _| is_other(name));
            if directives.no_store {
                self.fields.push(b"Cache-Control", b"no-store");
            }
        }
        self
    }
}

/// A file that its origin has taken a moment ago, and that is stored as the origin's answer to a GET would be.
#[derive(Debug)]
pub struct Deposit {
    /// The fields of that answer, names in lower case.
    pub fields: Fields,
    /// Its bytes.
    pub file: Arc<File>,
    /// How many there are.
    pub size: u64,
    /// Their CRC-32C: others are not stored.
    pub sum: u32,
    /// Since when nothing may have been purged of its URL.
    pub began: Epoch,
}

/// The body of a request on its way to the origin.
#[derive(Debug)]
pub struct Upload {
    /// Where its bytes come from.
    pub pipe: Arc<Pipe>,
    /// Its size in bytes, where the client told.
    pub size: Option<u64>,
}

/// A response for one request, stored or not.
#[derive(Debug)]
pub struct Fetched {
    /// The response; its body may still be on its way.
    pub response: Arc<Response>,
    /// Its body, where it is on its way: who brings it sees by this that it will be read.
    pub reads: Option<Reading>,
    /// Its age in seconds where it was not generated for this request.
    pub age: Option<u64>,
    /// What Cache-Status says.
    pub status: CacheStatus,
    /// The rule that decided.
    pub rule: Rule,
    /// Why it is not stored although it might be: of unknown size, it outgrew what may be a while ago.
    pub outgrew: Option<BodyFault>,
}

/// The answer to an order.
#[derive(Debug)]
pub struct Filled {
    /// The order's ticket.
    pub ticket: Ticket,
    /// What came of it.
    pub outcome: Outcome,
    /// When the outcome was held to the disk; an answer that was remembered is older than its arrival.
    pub checked_at: MonoNanos,
}

/// What came of an order.
#[derive(Debug)]
pub enum Outcome {
    /// The file stands in the site's root.
    Found(Arc<Entry>),
    /// The path names a directory and lacks its final slash.
    Directory,
    /// There is no such file, or it is one that is never shown (dotfile, not regular, outside the root).
    Missing,
    /// The file may not be read by this process.
    Forbidden,
    /// Out of descriptors, or the file system failed; trying again later may help.
    Unavailable,
    /// The range is in the page cache now.
    Warm,
    /// The range could not be read: the file was truncated or its device failed.
    Cold,
    /// The origin's response, or a stored one that stands in for it.
    Fetched(Box<Fetched>),
    /// There is none; the rule says why.
    NotFetched(Rule),
    /// As `NotFetched`, where the origin is why: in words, a sentence without a full stop.
    OriginFailed(Rule, Box<str>),
    /// A body under way has grown or ended.
    Grown,
    /// The head of an informational response (RFC 9110 s15.2), as it is sent. The order goes on.
    Informational(Box<[u8]>),
}
