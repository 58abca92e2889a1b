//! How bytes that are missing of a stored body are asked for: the request that it came by, with a range and under the
//! validator that it is stored with (RFC 9111 s3.4, RFC 9110 s13.1.5).

use std::cell::Cell;
use std::rc::Rc;

use super::Keeper;
use crate::cache::order::Fetch;
use crate::fill::origin::{Origin, OriginRequest, OriginResponse, RequestBody, Retry};
use crate::http::content_range::ContentRange;
use crate::http::fields::{FieldLines, Fields};
use crate::http::head::{Method, Version};
use crate::http::range::{AskedRange, ByteRange};
use crate::policy::forwarding::{self, Forwarding};
use crate::policy::key::Scheme;
use crate::policy::{stored::Stored, validation};

/// See the module's header.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) origin: Rc<Origin>,
    target: Box<[u8]>,
    authority: Box<[u8]>,
    version: Version,
    /// The client's fields, without its conditions and ranges.
    fields: Fields,
    etag: Box<[u8]>,
    /// Whether the origin is known to answer ranges with the whole.
    ignores_ranges: Cell<bool>,
}

/// What an answer to a request for a range means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RangeAnswer {
    /// Bytes from this one on.
    From(u64),
    /// It is another representation by now.
    Changed,
    /// There is none.
    Failed,
}

impl Source {
    /// The source of a response's missing bytes; none where they can't be asked for: it has no strong validator, or the request
    /// showed credentials, which are not used for others.
    pub(super) fn of(
        fetch: &Fetch,
        origin: &Rc<Origin>,
        stored: &Stored,
        ignores_ranges: bool,
    ) -> Option<Self> {
        let etag = stored.etag.as_deref().filter(|_| stored.is_strong())?;
        if has_credentials(&fetch.fields) {
            return None;
        }
        let fields = fetch
            .fields
            .filtered(|name, _| !validation::is_condition_or_range(name));
        Some(Self {
            origin: Rc::clone(origin),
            target: fetch.target.clone(),
            authority: fetch.authority.clone(),
            version: fetch.version,
            fields,
            etag: etag.into(),
            ignores_ranges: Cell::new(ignores_ranges),
        })
    }

    /// Whether the origin is known to answer ranges with the whole.
    pub(super) fn ignores_ranges(&self) -> bool {
        self.ignores_ranges.get()
    }

    /// The request for the bytes from `first` to before `end`.
    pub(super) fn request(&self, keeper: &Keeper, first: u64, end: u64) -> OriginRequest {
        let range = ByteRange {
            first,
            last: end.saturating_sub(1).max(first),
        };
        let conditions = validation::range_fields(range, Some(&self.etag));
        let forwarding = Forwarding {
            method: Method::Get,
            version: self.version,
            scheme: Scheme::Http,
            host: match self.origin.settings().host.as_str() {
                "" => &self.authority,
                host => host.as_bytes(),
            },
            // Asked by the cache, for whoever waits.
            client: None,
            believes_client: false,
            pseudonym: keeper.pseudonym.as_bytes(),
            own_conditions: Some(&conditions),
            has_body: false,
            takes_trailers: false,
        };
        OriginRequest {
            method: b"GET"[..].into(),
            target: self.target.clone(),
            fields: forwarding::request_fields(&self.fields, &forwarding),
            body: RequestBody::None,
            retry: Retry::Safe,
            informational: None,
        }
    }

    /// What an answer to a request for bytes from `first` on, of a body of `size` bytes, means.
    pub(super) fn judge(&self, answer: &OriginResponse, first: u64, size: u64) -> RangeAnswer {
        let is_same = validation::may_combine(Some(&self.etag), &answer.fields);
        match answer.status {
            206 if is_same => {
                let part = part_of(&answer.fields);
                let fits = part
                    .filter(|part| part.complete_size == Some(size) && part.range.first == first);
                fits.map_or(RangeAnswer::Changed, |part| {
                    RangeAnswer::From(part.range.first)
                })
            }
            200 if is_same && answer.body.size_hint() == Some(size) => {
                self.ignores_ranges.set(true);
                RangeAnswer::From(0)
            }
            200 | 206 | 404 | 410 | 416 => RangeAnswer::Changed,
            _ => RangeAnswer::Failed,
        }
    }
}

/// The one part that a 206 brings (RFC 9110 s14.4); none where it brings several, or says nothing sensible.
pub(super) fn part_of(fields: &Fields) -> Option<ContentRange> {
    let mut lines = fields.values("content-range");
    let part = lines.next().and_then(ContentRange::parse);
    part.filter(|_| lines.next().is_none())
}

/// The range that a request for something that may be fetched in parts asks for.
pub(super) fn asked_range(fetch: &Fetch) -> Option<AskedRange> {
    range_of(fetch).filter(|_| !has_credentials(&fetch.fields))
}

/// Whether a request for the whole of something has conditions of its client's.
pub(super) fn has_conditions(fetch: &Fetch) -> bool {
    let mut lines = fetch.fields.lines();
    fetch.method == Method::Get
        && !fetch.is_refresh
        && range_of(fetch).is_none()
        && lines.any(|(name, _)| validation::is_condition_or_range(name))
}

/// Whether a request asks for a range that is fetched for it alone: it shows credentials, which are not used for others.
pub(super) fn is_range_for_one(fetch: &Fetch) -> bool {
    range_of(fetch).is_some() && has_credentials(&fetch.fields)
}

fn range_of(fetch: &Fetch) -> Option<AskedRange> {
    if fetch.method != Method::Get || fetch.is_refresh {
        return None;
    }
    let mut lines = fetch.fields.values("range");
    let range = lines.next().and_then(AskedRange::parse);
    range.filter(|_| lines.next().is_none())
}

fn has_credentials(fields: &Fields) -> bool {
    fields.value("authorization").is_some()
}
