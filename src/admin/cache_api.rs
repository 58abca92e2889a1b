//! The endpoints of the cache: what a request says, and what it is answered.

use hyper::StatusCode;
use hyper::body::Bytes;
use serde::{Deserialize, Serialize};

use super::operator::CacheOperator;
use super::operator::explain::ExplainOrder;
use super::operator::listing::{Cursor, ListOrder};
use super::operator::purge::{KEYS_MAX, Meant, PurgeOrder, Unmeant};
use super::query::Query;
use super::route::{Answer, JSON, TEXT, answer, failure};
use crate::cache::Moment;
use crate::policy::stored::Mark;
use crate::sys::clock;

/// Keys that the answer to a purge names where it is not said.
const KEYS_DEFAULT: usize = 100;

/// The body of `POST /api/purge`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PurgeBody {
    url: Option<String>,
    prefix: Option<String>,
    tag: Option<String>,
    #[serde(default)]
    all: bool,
    #[serde(default)]
    soft: bool,
    #[serde(default)]
    dry_run: bool,
    limit: Option<usize>,
}

impl PurgeBody {
    /// The order; none unless exactly one thing is meant.
    fn order(self) -> Option<PurgeOrder> {
        let meant = [
            self.url.map(Meant::Url),
            self.prefix.map(Meant::Prefix),
            self.tag.map(Meant::Tag),
            self.all.then_some(Meant::All(true)),
        ];
        let mut meant = meant.into_iter().flatten();
        let (Some(meant), None) = (meant.next(), meant.next()) else {
            return None;
        };
        Some(PurgeOrder {
            meant,
            mark: self.soft.then(|| Mark::Stale(clock::wall().0)),
            is_dry_run: self.dry_run,
            keys_max: self.limit.unwrap_or(KEYS_DEFAULT).min(KEYS_MAX),
        })
    }
}

/// `POST /api/purge`.
pub(super) fn purge(operator: &CacheOperator, body: &Bytes) -> Answer {
    let body: PurgeBody = match serde_json::from_slice(body) {
        Ok(body) => body,
        Err(error) => {
            let error = format!("not the JSON that is wanted: {error}");
            return failure(StatusCode::BAD_REQUEST, &error);
        }
    };
    let Some(order) = body.order() else {
        let error = "exactly one of url, prefix, tag and all is needed";
        return failure(StatusCode::BAD_REQUEST, error);
    };
    match operator.purge(order) {
        Ok(purged) => json(&purged),
        Err(error) => unmeant(&error),
    }
}

/// `POST /api/cache/clear`.
pub(super) fn clear(operator: &CacheOperator) -> Answer {
    let order = PurgeOrder {
        meant: Meant::All(true),
        mark: None,
        is_dry_run: false,
        keys_max: 0,
    };
    match operator.purge(order) {
        Ok(purged) => json(&purged),
        Err(error) => unmeant(&error),
    }
}

/// `GET /api/cache/ls`.
pub(super) fn list(operator: &CacheOperator, query: &str) -> Answer {
    let known = ["prefix", "tag", "stale", "limit", "after"];
    let order = Query::read(query, &known).and_then(|query| {
        let own = |name| query.first(name).map(str::to_owned);
        Some(ListOrder {
            prefix: own("prefix"),
            tag: own("tag"),
            is_stale: match query.first("stale") {
                None | Some("false" | "0") => false,
                Some("" | "true" | "1") => true,
                Some(_) => return None,
            },
            limit: match query.first("limit") {
                None => 0,
                Some(limit) => limit.parse().ok().filter(|limit| *limit > 0)?,
            },
            after: match query.first("after") {
                None => None,
                Some(cursor) => Some(Cursor::parse(cursor)?),
            },
        })
    });
    let Some(order) = order else {
        let error = "the query is none of prefix=URL, tag=TAG, stale=true, limit=NUMBER and after=NEXT, percent-encoded";
        return failure(StatusCode::BAD_REQUEST, error);
    };
    match operator.list(&order, clock::wall().0) {
        Ok(listing) => json(&listing),
        Err(error) => unmeant(&error),
    }
}

fn unmeant(error: &Unmeant) -> Answer {
    let status = match error {
        Unmeant::NoUrl(_) | Unmeant::QueryInPrefix(_) => StatusCode::BAD_REQUEST,
        Unmeant::Disk(_) => StatusCode::SERVICE_UNAVAILABLE,
    };
    failure(status, &error.to_string())
}

/// `GET /api/explain`, as JSON where the client accepts that.
pub(super) fn explain(operator: &CacheOperator, query: &str, accept: &str) -> Answer {
    let read = Query::read(query, &["url", "header"]);
    let Some((query, url)) = read.and_then(|query| {
        let url = query.first("url")?.to_owned();
        Some((query, url))
    }) else {
        let error = "url=URL is needed, and header=NAME:VALUE may stand beside it, percent-encoded";
        return failure(StatusCode::BAD_REQUEST, error);
    };
    let order = ExplainOrder {
        url,
        fields: query.all("header").map(str::to_owned).collect(),
    };
    let now = Moment {
        mono: clock::mono(),
        wall: clock::wall().0,
    };
    match operator.explain(&order, now) {
        Ok(told) if accept.contains(JSON) => json(&told),
        Ok(told) => answer(StatusCode::OK, TEXT, told.to_string()),
        Err(error) => failure(StatusCode::BAD_REQUEST, &error.to_string()),
    }
}

fn json(value: &impl Serialize) -> Answer {
    match serde_json::to_vec(value) {
        Ok(text) => answer(StatusCode::OK, JSON, text),
        Err(_) => failure(StatusCode::INTERNAL_SERVER_ERROR, "the JSON was not made"),
    }
}
