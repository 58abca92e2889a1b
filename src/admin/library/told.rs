//! The answers of the media library, as JSON.

use serde::Serialize;

use crate::fill::library::{Failure, Got, LeaseLine, Leased, lease_id};

/// A lease.
#[derive(Debug, Serialize)]
pub(super) struct ToldLease {
    id: String,
    path: String,
    /// Until it ends.
    seconds: f64,
}

impl From<&Leased> for ToldLease {
    fn from(leased: &Leased) -> Self {
        Self {
            id: lease_id(leased.id),
            path: leased.path.to_string_lossy().into_owned(),
            seconds: leased.left.as_secs_f64(),
        }
    }
}

/// The answer to get and tryget.
#[derive(Debug, Serialize)]
pub(super) struct ToldGot<'u> {
    path: String,
    size_bytes: u64,
    content_type: Option<String>,
    etag: Option<String>,
    /// An HTTP date (RFC 9110 s5.6.7).
    last_modified: Option<String>,
    /// Until it is stale; negative since it is.
    fresh_for_seconds: i64,
    cache_status: String,
    url: &'u str,
    /// Where redirects led.
    final_url: String,
    lease: ToldEnd,
}

/// A lease beside its path.
#[derive(Debug, Serialize)]
struct ToldEnd {
    id: String,
    seconds: f64,
    /// The second since 1970.
    expires_at: u64,
}

impl<'u> ToldGot<'u> {
    pub(super) fn new(url: &'u str, got: Got) -> Self {
        let date = got.last_modified.map(|date| {
            let since = std::time::Duration::from_secs(date.0);
            httpdate::fmt_http_date(std::time::UNIX_EPOCH + since)
        });
        Self {
            path: got.leased.path.to_string_lossy().into_owned(),
            size_bytes: got.size,
            content_type: got.content_type,
            etag: got.etag,
            last_modified: date,
            fresh_for_seconds: got.fresh_for,
            cache_status: got.cache_status,
            url,
            final_url: got.url,
            lease: ToldEnd {
                id: lease_id(got.leased.id),
                seconds: got.leased.left.as_secs_f64(),
                expires_at: got.expires_at.0,
            },
        }
    }
}

/// A lease among others.
#[derive(Debug, Serialize)]
pub(super) struct ToldLine {
    id: String,
    url: Option<String>,
    path: String,
    size_bytes: u64,
    seconds: f64,
    /// Null of one from before the last start.
    holders: Option<u32>,
    /// Whether its bytes stand on the device for the lease alone.
    held: bool,
}

impl From<LeaseLine> for ToldLine {
    fn from(line: LeaseLine) -> Self {
        Self {
            id: lease_id(line.id),
            url: line.url.map(String::from),
            path: line.path.to_string_lossy().into_owned(),
            size_bytes: line.size,
            seconds: line.left.as_secs_f64(),
            holders: line.holders,
            held: line.is_held,
        }
    }
}

/// A failure.
#[derive(Debug, Serialize)]
pub(super) struct ToldFailure<'f> {
    /// Why, for people.
    error: &'f str,
    code: &'static str,
    fault: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin_status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_status: Option<&'f str>,
}

impl<'f> From<&'f Failure> for ToldFailure<'f> {
    fn from(failure: &'f Failure) -> Self {
        Self {
            error: &failure.reason,
            code: failure.code.name(),
            fault: failure.code.party().name(),
            origin_status: failure.origin_status,
            cache_status: failure.cache_status.as_deref(),
        }
    }
}
