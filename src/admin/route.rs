//! What the admin API answers, request by request.
//!
//! Order: token (401), path (404), method (405), body (413: no endpoint takes one), then the endpoint. Nothing of a request
//! is echoed, and nothing may be stored on its way back.

use std::hint::black_box;
use std::sync::Arc;

use http_body_util::Full;
use hyper::body::{Body, Bytes};
use hyper::header::{
    ACCEPT, ALLOW, AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderMap, HeaderValue,
    WWW_AUTHENTICATE,
};
use hyper::{Method, Request, Response, StatusCode};
use serde::Serialize;
use tokio::sync::Semaphore;

use super::metrics::{self, Exposition};
use super::observed::{Observed, Phase};
use super::reading::Reading;
use super::report::StatsReport;

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

/// The methods of every endpoint.
const ALLOWED: &str = "GET, HEAD";

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
            _ => None,
        }
    }
}

/// What all requests share. Has no debug form: it holds the token.
pub struct AdminDesk {
    observed: Arc<Observed>,
    token: String,
    /// One reading at a time: each costs every worker a copy of its latencies.
    readings: Semaphore,
}

impl AdminDesk {
    /// A desk that shows `observed` to those who know `token`; an empty token lets everyone see it.
    #[must_use]
    pub fn new(observed: Observed, token: String) -> Self {
        Self {
            observed: Arc::new(observed),
            token,
            readings: Semaphore::new(1),
        }
    }

    /// Answers a request. Its body is not read.
    pub async fn answer<B: Body>(&self, request: Request<B>) -> Answer {
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
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut answer = failure(StatusCode::METHOD_NOT_ALLOWED, "GET or HEAD only");
            answer
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static(ALLOWED));
            return answer;
        }
        if !request.body().is_end_stream() {
            let mut answer = failure(StatusCode::PAYLOAD_TOO_LARGE, "no endpoint takes a body");
            answer
                .headers_mut()
                .insert(CONNECTION, HeaderValue::from_static("close"));
            return answer;
        }
        match endpoint {
            Endpoint::Health => answer(StatusCode::OK, TEXT, "ok\n"),
            Endpoint::Ready => self.ready(),
            Endpoint::Metrics => self.metrics(request.headers()).await,
            Endpoint::Stats => self.stats().await,
        }
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

    async fn metrics(&self, headers: &HeaderMap) -> Answer {
        let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
        let exposition = Exposition::accepted(accept.unwrap_or_default());
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

fn answer(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

#[derive(Serialize)]
struct Failure {
    error: &'static str,
}

fn failure(status: StatusCode, error: &'static str) -> Answer {
    let body = serde_json::to_vec(&Failure { error }).unwrap_or_default();
    answer(status, JSON, body)
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, Empty};

    use super::super::reading::tests::observed;
    use super::*;

    fn ask(desk: &AdminDesk, request: Request<impl Body>) -> (StatusCode, HeaderMap, String) {
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
