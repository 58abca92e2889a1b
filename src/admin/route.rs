//! What the admin API answers, request by request.
//!
//! Order: token (401), path (404), method (405), who asks (403), body (413), then the endpoint. What is echoed of a request
//! stands in JSON or in plain text, and nothing may be stored on its way back.
//!
//! What changes something is asked by POST. A browser that a foreign page makes send one says where the page comes from:
//! it is refused, since the address alone keeps nobody out who can make the operator's own browser ask.

use std::hint::black_box;
use std::sync::Arc;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Bytes};
use hyper::header::{
    ACCEPT, ALLOW, AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderMap, HeaderValue,
    ORIGIN, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Method, Request, Response, StatusCode};
use serde::Serialize;
use tokio::sync::Semaphore;

use super::cache_api;
use super::library::{self, LibraryEndpoint};
use super::metrics::{self, Exposition};
use super::observed::{Observed, Phase};
use super::operator::CacheOperator;
use super::reading::Reading;
use super::report::StatsReport;
use super::upload;

pub(super) const TEXT: &str = "text/plain; charset=utf-8";
pub(super) const JSON: &str = "application/json";

/// Longest body of a request.
const BODY_BYTES_MAX: usize = 64 << 10;

/// What an endpoint answers with.
pub type Answer = Response<Full<Bytes>>;

/// The endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `/healthz`: the process lives.
    Health,
    /// `/readyz`: requests are served.
    Ready,
    /// `/metrics`: Prometheus text.
    Metrics,
    /// `/api/stats`: JSON.
    Stats,
    /// `/api/purge`: removes what is stored, or has it validated.
    Purge,
    /// `/api/cache/ls`: what is stored.
    List,
    /// `/api/cache/clear`: removes all that is stored.
    Clear,
    /// The media library's.
    Library(LibraryEndpoint),
    /// `/api/explain`: why a request is answered as it is.
    Explain,
    /// `/api/cache/put`: a file into the queue of uploads.
    Put,
    /// `/api/cache/record`: a path for a program to write a recording to.
    Record,
    /// `/api/cache/record/close`: makes an upload of a recording.
    CloseRecord,
    /// `/api/cache/uploads`: what becomes of uploads.
    Uploads,
    /// `/api/cache/uploads/retry`: has one tried again at once.
    RetryUpload,
    /// `/api/cache/uploads/drop`: takes one out for good.
    DropUpload,
}

impl Endpoint {
    /// The endpoint under `path`.
    #[must_use]
    pub fn at(path: &str) -> Option<Self> {
        match path {
            "/healthz" => Some(Self::Health),
            "/readyz" => Some(Self::Ready),
            "/metrics" => Some(Self::Metrics),
            "/api/stats" => Some(Self::Stats),
            "/api/purge" => Some(Self::Purge),
            "/api/cache/ls" => Some(Self::List),
            "/api/cache/clear" => Some(Self::Clear),
            "/api/explain" => Some(Self::Explain),
            "/api/cache/put" => Some(Self::Put),
            "/api/cache/record" => Some(Self::Record),
            "/api/cache/record/close" => Some(Self::CloseRecord),
            "/api/cache/uploads" => Some(Self::Uploads),
            "/api/cache/uploads/retry" => Some(Self::RetryUpload),
            "/api/cache/uploads/drop" => Some(Self::DropUpload),
            _ => LibraryEndpoint::at(path).map(Self::Library),
        }
    }

    /// Whether it changes something, and so is asked by POST.
    const fn changes(self) -> bool {
        match self {
            Self::Purge
            | Self::Clear
            | Self::Put
            | Self::Record
            | Self::CloseRecord
            | Self::RetryUpload
            | Self::DropUpload => true,
            Self::Library(endpoint) => endpoint.changes(),
            _ => false,
        }
    }

    /// Its methods, as Allow has them.
    const fn allowed(self) -> &'static str {
        if self.changes() { "POST" } else { "GET, HEAD" }
    }

    /// The longest body of a request for it.
    const fn body_bytes_max(self) -> usize {
        match self {
            Self::Library(endpoint) => endpoint.body_bytes_max(),
            _ => BODY_BYTES_MAX,
        }
    }

    /// Whether a request for it may have a body.
    const fn takes_body(self) -> bool {
        match self {
            Self::Purge | Self::Put => true,
            Self::Library(endpoint) => endpoint.changes(),
            _ => false,
        }
    }
}

/// What all requests share. Has no debug form: it holds the token.
pub struct AdminDesk {
    observed: Arc<Observed>,
    token: String,
    /// One reading at a time: each costs every worker a copy of its latencies.
    readings: Semaphore,
    /// One operation on the cache at a time: some look at all that is stored.
    operations: Semaphore,
}

impl AdminDesk {
    /// A desk that shows `observed` to those who know `token`; an empty token lets everyone see it.
    #[must_use]
    pub fn new(observed: Observed, token: String) -> Self {
        Self {
            observed: Arc::new(observed),
            token,
            readings: Semaphore::new(1),
            operations: Semaphore::new(1),
        }
    }

    /// Answers a request.
    pub async fn answer<B>(&self, request: Request<B>) -> Answer
    where
        B: Body,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        if !self.is_authorised(request.headers()) {
            let mut answer = failure(StatusCode::UNAUTHORIZED, "a bearer token is needed");
            answer.headers_mut().insert(
                WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"hotplate\""),
            );
            return answer;
        }
        let Some(endpoint) = Endpoint::at(request.uri().path()) else {
            return failure(StatusCode::NOT_FOUND, "no such endpoint");
        };
        let is_allowed = match *request.method() {
            Method::GET | Method::HEAD => !endpoint.changes(),
            Method::POST => endpoint.changes(),
            _ => false,
        };
        if !is_allowed {
            let mut answer = failure(StatusCode::METHOD_NOT_ALLOWED, "another method is needed");
            answer
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static(endpoint.allowed()));
            return answer;
        }
        if endpoint.changes() && request.headers().contains_key(ORIGIN) {
            return failure(StatusCode::FORBIDDEN, "not from a web page");
        }
        if !endpoint.takes_body() && !request.body().is_end_stream() {
            return too_large("this endpoint takes no body");
        }
        let (head, body) = request.into_parts();
        let query = head.uri.query().unwrap_or_default().to_owned();
        let uploads = self.observed.uploads.as_ref();
        if endpoint == Endpoint::Put {
            return upload::put(uploads, &query, body).await;
        }
        let Ok(body) = Limited::new(body, endpoint.body_bytes_max())
            .collect()
            .await
        else {
            return too_large("the body is too long, or broke off");
        };
        let accept = head.headers.get(ACCEPT);
        let accept = accept.and_then(|value| value.to_str().ok());
        let accept = accept.unwrap_or_default().to_owned();
        match endpoint {
            Endpoint::Health => answer(StatusCode::OK, TEXT, "ok\n"),
            Endpoint::Ready => self.ready(),
            Endpoint::Metrics => self.metrics(&accept).await,
            Endpoint::Stats => self.stats().await,
            Endpoint::Purge => {
                let body = body.to_bytes();
                self.operate(move |operator| cache_api::purge(operator, &body))
                    .await
            }
            Endpoint::Clear => self.operate(cache_api::clear).await,
            Endpoint::List => {
                self.operate(move |operator| cache_api::list(operator, &query))
                    .await
            }
            Endpoint::Library(endpoint) => {
                library::answer(&self.observed, endpoint, &body.to_bytes(), &query).await
            }
            Endpoint::Explain => {
                self.operate(move |operator| cache_api::explain(operator, &query, &accept))
                    .await
            }
            // Answered above, before its body is read.
            Endpoint::Put => failure(StatusCode::NOT_FOUND, "no such endpoint"),
            Endpoint::Record => upload::record(uploads, &query).await,
            Endpoint::CloseRecord => upload::close(uploads, &query).await,
            Endpoint::Uploads => upload::list(uploads, &query),
            Endpoint::RetryUpload => upload::change(uploads, &query, false),
            Endpoint::DropUpload => upload::change(uploads, &query, true),
        }
    }

    /// Does something with the cache on a thread that may take its time, so that health is told meanwhile.
    async fn operate(
        &self,
        operation: impl FnOnce(&CacheOperator) -> Answer + Send + 'static,
    ) -> Answer {
        // Never closed; were it, going on without a turn would still be right.
        let _turn = self.operations.acquire().await.ok();
        let operator = self.observed.cache.clone();
        let done = tokio::task::spawn_blocking(move || operation(&operator)).await;
        done.unwrap_or_else(|_| failure(StatusCode::INTERNAL_SERVER_ERROR, "it broke off"))
    }

    fn is_authorised(&self, headers: &HeaderMap) -> bool {
        self.token.is_empty()
            || headers
                .get(AUTHORIZATION)
                .and_then(|value| bearer(value.as_bytes()))
                .is_some_and(|given| is_same(given, self.token.as_bytes()))
    }

    fn ready(&self) -> Answer {
        match self.observed.readiness.phase() {
            Phase::Serving => answer(StatusCode::OK, TEXT, "serving\n"),
            phase @ (Phase::Starting | Phase::Draining) => answer(
                StatusCode::SERVICE_UNAVAILABLE,
                TEXT,
                format!("{}\n", phase.name()),
            ),
        }
    }

    async fn metrics(&self, accept: &str) -> Answer {
        let exposition = Exposition::accepted(accept);
        let reading = self.read().await;
        match metrics::render(Arc::clone(&self.observed), reading, exposition) {
            Ok(text) => answer(StatusCode::OK, exposition.content_type(), text),
            Err(_) => failure(StatusCode::INTERNAL_SERVER_ERROR, "the text was not made"),
        }
    }

    async fn stats(&self) -> Answer {
        let reading = self.read().await;
        match serde_json::to_vec_pretty(&StatsReport::new(&self.observed, &reading)) {
            Ok(text) => answer(StatusCode::OK, JSON, text),
            Err(_) => failure(StatusCode::INTERNAL_SERVER_ERROR, "the JSON was not made"),
        }
    }

    async fn read(&self) -> Reading {
        // The semaphore is never closed; were it, reading without a turn of one's own would still be right.
        let _turn = self.readings.acquire().await.ok();
        Reading::take(&self.observed).await
    }
}

/// The token of an Authorization field with the Bearer scheme (RFC 6750 s2.1; RFC 9110 s11.1: its case does not matter).
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(b"Bearer".len())?;
    let is_bearer = scheme.eq_ignore_ascii_case(b"Bearer") && token.first() == Some(&b' ');
    is_bearer.then(|| token.trim_ascii())
}

/// Compares in a time that depends on the length of `given` alone, so that it tells nothing of `token`.
fn is_same(given: &[u8], token: &[u8]) -> bool {
    let mut difference = u8::from(given.len() != token.len());
    for (byte, expected) in given.iter().zip(token.iter().cycle()) {
        difference |= black_box(byte ^ expected);
    }
    black_box(difference) == 0
}

pub(super) fn answer(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}

#[derive(Serialize)]
struct Failure<'e> {
    error: &'e str,
}

/// Refuses a body that is not read to its end.
fn too_large(error: &str) -> Answer {
    let mut answer = failure(StatusCode::PAYLOAD_TOO_LARGE, error);
    answer
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}

pub(super) fn failure(status: StatusCode, error: &str) -> Answer {
    let body = serde_json::to_vec(&Failure { error }).unwrap_or_default();
    answer(status, JSON, body)
}

#[cfg(test)]
mod tests {
    use http_body_util::Empty;

    use super::super::reading::tests::observed;
    use super::*;

    fn ask<B>(desk: &AdminDesk, request: Request<B>) -> (StatusCode, HeaderMap, String)
    where
        B: Body,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap()
            .block_on(async {
                let (head, body) = desk.answer(request).await.into_parts();
                let body = body.collect().await.unwrap().to_bytes();
                assert_eq!(head.headers[CACHE_CONTROL], "no-store");
                assert!(head.headers.contains_key(CONTENT_TYPE));
                (
                    head.status,
                    head.headers,
                    String::from_utf8(body.to_vec()).unwrap(),
                )
            })
    }

    fn get(path: &str) -> Request<Empty<Bytes>> {
        Request::get(path).body(Empty::new()).unwrap()
    }

    fn with_token(token: &str) -> AdminDesk {
        AdminDesk::new(observed(true), token.to_owned())
    }

    #[test]
    fn readyz_follows_the_phase() {
        let desk = with_token("");
        for (phase, status) in [
            (Phase::Starting, 503),
            (Phase::Serving, 200),
            (Phase::Draining, 503),
        ] {
            desk.observed.readiness.enter(phase);
            let (found, _, body) = ask(&desk, get("/readyz"));
            assert_eq!((found.as_u16(), body.trim_end()), (status, phase.name()));
            assert_eq!(ask(&desk, get("/healthz")).0, StatusCode::OK);
        }
    }

    #[test]
    fn metrics_come_in_the_format_asked_for() {
        let desk = with_token("");
        let (status, headers, body) = ask(&desk, get("/metrics"));
        assert_eq!(status, StatusCode::OK);
        assert_eq!(headers[CONTENT_TYPE], Exposition::Prometheus.content_type());
        assert!(body.contains("hotplate_requests_total 0\n"));
        let request = Request::get("/metrics")
            .header(ACCEPT, "application/openmetrics-text; version=1.0.0")
            .body(Empty::<Bytes>::new())
            .unwrap();
        let (_, headers, body) = ask(&desk, request);
        assert_eq!(
            headers[CONTENT_TYPE],
            Exposition::OpenMetrics.content_type()
        );
        assert!(body.ends_with("# EOF\n"));
    }

    #[test]
    fn stats_are_json() {
        let (status, headers, body) = ask(&with_token(""), get("/api/stats?pretty=1"));
        assert_eq!(status, StatusCode::OK);
        assert_eq!(headers[CONTENT_TYPE], JSON);
        let value: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(value["latency"]["count"], 2);
    }

    #[test]
    fn unknown_path_is_404_without_echo() {
        for path in ["/", "/metrics/", "/healthz2", "/api", "/%2e/metrics"] {
            let (status, headers, body) = ask(&with_token(""), get(path));
            assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
            assert_eq!(headers[CONTENT_TYPE], JSON);
            assert_eq!(body, "{\"error\":\"no such endpoint\"}");
        }
    }

    #[test]
    fn other_methods_are_405_with_allow() {
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
            let request = Request::builder()
                .method(method)
                .uri("/metrics")
                .body(Empty::<Bytes>::new())
                .unwrap();
            let (status, headers, _) = ask(&with_token(""), request);
            assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
            assert_eq!(headers[ALLOW], "GET, HEAD");
        }
        for path in ["/api/purge", "/api/cache/clear"] {
            let (status, headers, _) = ask(&with_token(""), get(path));
            assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
            assert_eq!(headers[ALLOW], "POST");
        }
    }

    fn post(path: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
        Request::post(path).body(Full::new(body.into())).unwrap()
    }

    #[test]
    fn purge_wants_exactly_one_thing_in_json() {
        let desk = with_token("");
        let (status, headers, body) = ask(&desk, post("/api/purge", "{\"tag\":\"a\"}"));
        assert_eq!(
            (status, &headers[CONTENT_TYPE]),
            (StatusCode::OK, &JSON.parse().unwrap())
        );
        let told: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(told["purged"], 0);
        assert_eq!(told["tag"], "a");
        for body in [
            "",
            "{}",
            "[]",
            "{\"tag\":\"a\",\"all\":true}",
            "{\"all\":false}",
            "{\"tga\":\"a\"}",
            "{\"url\":\"/a\"}",
            "{\"prefix\":\"ftp://a/\"}",
        ] {
            let (status, _, told) = ask(&desk, post("/api/purge", body));
            assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
            assert!(told.starts_with("{\"error\":"), "{told}");
        }
    }

    #[test]
    fn change_asked_by_a_web_page_is_403() {
        for path in ["/api/purge", "/api/cache/clear"] {
            let request = Request::post(path)
                .header(ORIGIN, "https://evil.example")
                .body(Empty::<Bytes>::new())
                .unwrap();
            let (status, ..) = ask(&with_token(""), request);
            assert_eq!(status, StatusCode::FORBIDDEN, "{path}");
        }
    }

    #[test]
    fn body_over_its_limit_is_413_and_closes() {
        let body = vec![b' '; BODY_BYTES_MAX + 1];
        for (path, body) in [("/api/purge", body), ("/api/cache/clear", vec![b'x'])] {
            let (status, headers, _) = ask(&with_token(""), post(path, body));
            assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{path}");
            assert_eq!(headers[CONNECTION], "close");
        }
    }

    #[test]
    fn query_that_makes_no_sense_is_400() {
        for path in [
            "/api/explain",
            "/api/explain?url=/a",
            "/api/explain?url=http://a/&header=x",
            "/api/explain?url=http://a/&header=Host:b",
            "/api/explain?url=http://a/&method=PUT",
            "/api/cache/ls?limit=0",
            "/api/cache/ls?stale=maybe",
            "/api/cache/ls?after=x",
            "/api/cache/ls?prefix=a",
            "/api/cache/ls?order=age",
        ] {
            let (status, ..) = ask(&with_token(""), get(path));
            assert_eq!(status, StatusCode::BAD_REQUEST, "{path}");
        }
        let (status, _, body) = ask(&with_token(""), get("/api/cache/ls"));
        assert_eq!(status, StatusCode::OK);
        assert_eq!(body, "{\"responses\":[],\"next\":null}");
    }

    #[test]
    fn request_with_a_body_is_413_and_closes() {
        let request = Request::get("/metrics")
            .body(Full::new(Bytes::from_static(b"x")))
            .unwrap();
        let (status, headers, _) = ask(&with_token(""), request);
        assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(headers[CONNECTION], "close");
    }

    #[test]
    fn token_is_asked_of_every_path() {
        let desk = with_token("s3cret");
        for path in ["/healthz", "/metrics", "/nothing"] {
            let (status, headers, _) = ask(&desk, get(path));
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}");
            assert_eq!(headers[WWW_AUTHENTICATE], "Bearer realm=\"hotplate\"");
        }
        for (value, status) in [
            ("Bearer s3cret", 200),
            ("bearer   s3cret", 200),
            ("Bearer s3cre", 401),
            ("Bearer s3crets3cret", 401),
            ("Bearer ", 401),
            ("Bearers3cret", 401),
            ("Basic s3cret", 401),
            ("s3cret", 401),
        ] {
            let request = Request::get("/healthz")
                .header(AUTHORIZATION, value)
                .body(Empty::<Bytes>::new())
                .unwrap();
            assert_eq!(ask(&desk, request).0.as_u16(), status, "{value}");
        }
    }

    #[test]
    fn comparison_agrees_with_equality() {
        for (given, token) in [("", "a"), ("a", "a"), ("aa", "a"), ("b", "a"), ("a", "aa")] {
            assert_eq!(
                is_same(given.as_bytes(), token.as_bytes()),
                given == token,
                "{given} {token}"
            );
        }
    }
}
