//! Asks a running server's admin API one question over TCP or a unix socket.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Body, Bytes};
use hyper::client::conn::http1;
use hyper::{Method, Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use crate::admin::settings::AdminAddress;

/// Longest time from the connect to the last byte of the answer.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);

/// Longest answer that is read.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum AskError {
    /// The admin API is turned off in the config.
    Off,
    /// This process could not set itself up.
    Runtime(io::Error),
    /// Nobody accepted the connection.
    Connect(io::Error),
    /// The exchange broke.
    Http(hyper::Error),
    /// It took too long.
    TimedOut,
    /// The body broke off or was too long.
    Body(String),
    /// The server refused.
    Status(StatusCode),
    /// The server says what is wrong with the question.
    Refused(String),
    /// The server understood, and says in JSON why it did not do it: the status, and the answer.
    Told(StatusCode, serde_json::Value),
    /// The body isn't JSON.
    NotJson(serde_json::Error),
}

impl fmt::Display for AskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str(
                "the config turns the admin API off (server.admin = \"\"); name an address with --admin",
            ),
            Self::Runtime(error) => write!(f, "can't start: {error}"),
            Self::Connect(error) => write!(f, "{error}; is the server running?"),
            Self::Http(error) => write!(f, "no HTTP answer: {error}"),
            Self::TimedOut => f.write_str("no answer in time; is this the admin address?"),
            Self::Told(_, told) => Reason(told).fmt(f),
            Self::Body(reason) => write!(f, "the answer broke off: {reason}"),
            Self::Status(status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)) => write!(
                f,
                "it answered {status}: name the config that has its admin_token with --config"
            ),
            Self::Refused(reason) => f.write_str(reason),
            Self::Status(status) => write!(
                f,
                "it answered {status}; is this the admin address of a hotplate?"
            ),
            Self::NotJson(error) => write!(f, "the answer is not JSON: {error}"),
        }
    }
}

/// Why something was not done, and whose fault it is, of the JSON that tells it.
#[derive(Debug)]
pub(super) struct Reason<'t>(pub(super) &'t serde_json::Value);

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |name: &str| self.0[name].as_str().unwrap_or_default();
        write!(f, "{} (", text("error"))?;
        match text("fault") {
            "caller" => f.write_str("the request's fault"),
            "origin" => f.write_str("the origin's fault"),
            _ => f.write_str("this server's fault"),
        }?;
        write!(f, ": {})", text("code"))
    }
}

/// What is asked.
#[derive(Debug)]
pub(super) struct Question<'q> {
    /// Path and query.
    path: Cow<'q, str>,
    /// What is to change; none for a GET.
    change: Option<Bytes>,
    /// The media type of the answer.
    accept: &'static str,
    /// Longest time from the connect to the last byte of the answer.
    patience: Duration,
}

impl<'q> Question<'q> {
    /// Gets `path` as JSON.
    pub(super) fn get(path: impl Into<Cow<'q, str>>) -> Self {
        Self {
            path: path.into(),
            change: None,
            accept: "application/json",
            patience: ANSWER_TIME_MAX,
        }
    }

    /// The same, to be waited for longer.
    pub(super) fn waiting(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Posts `body` to `path`; the answer is JSON.
    pub(super) fn post(path: &'q str, body: impl Into<Bytes>) -> Self {
        Self {
            change: Some(body.into()),
            ..Self::get(path)
        }
    }

    /// The same, with an answer for people.
    pub(super) fn into_text(self) -> Self {
        Self {
            accept: "text/plain",
            ..self
        }
    }
}

/// The body of an answer, and the reason that stands beside it.
type Told = (Bytes, Option<String>);

/// Asks the admin API at `address`, with `token` unless it is empty, and returns the JSON of the answer.
pub(super) fn ask(
    address: &AdminAddress,
    token: &str,
    question: &Question<'_>,
) -> Result<serde_json::Value, AskError> {
    let (body, _) = ask_bytes(address, token, question)?;
    serde_json::from_slice(&body).map_err(AskError::NotJson)
}

/// As [`ask`], for an answer as text.
pub(super) fn ask_text(
    address: &AdminAddress,
    token: &str,
    question: &Question<'_>,
) -> Result<String, AskError> {
    ask_words(address, token, question).map(|(text, _)| text)
}

/// As [`ask_text`], with the reason that stands beside the text.
pub(super) fn ask_words(
    address: &AdminAddress,
    token: &str,
    question: &Question<'_>,
) -> Result<(String, Option<String>), AskError> {
    let (body, reason) = ask_bytes(address, token, question)?;
    Ok((String::from_utf8_lossy(&body).into_owned(), reason))
}

fn ask_bytes(
    address: &AdminAddress,
    token: &str,
    question: &Question<'_>,
) -> Result<Told, AskError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(AskError::Runtime)?;
    runtime.block_on(async {
        let answer = exchange(address, token, question);
        let in_time = tokio::time::timeout(question.patience, answer).await;
        in_time.unwrap_or(Err(AskError::TimedOut))
    })
}

async fn exchange(
    address: &AdminAddress,
    token: &str,
    question: &Question<'_>,
) -> Result<Told, AskError> {
    match address {
        AdminAddress::Off => Err(AskError::Off),
        AdminAddress::Tcp(address) => {
            let address = reachable(*address);
            let stream = TcpStream::connect(address)
                .await
                .map_err(AskError::Connect)?;
            converse(stream, &address.to_string(), token, question).await
        }
        AdminAddress::Unix(socket) => {
            let stream = UnixStream::connect(socket)
                .await
                .map_err(AskError::Connect)?;
            converse(stream, "localhost", token, question).await
        }
    }
}

/// Where to connect to a server that listens on `address`: a wildcard is reached by loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => (Ipv4Addr::LOCALHOST, v4.port()).into(),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => (Ipv6Addr::LOCALHOST, v6.port()).into(),
        other => other,
    }
}

/// An answer's status, its body, and the reason that stands beside it.
type Carried = (StatusCode, Result<Bytes, AskError>, Option<String>);

/// Sends a request over a connection of its own, and reads the answer.
async fn carry<S, B>(
    stream: S,
    host: &str,
    token: &str,
    mut request: Request<B>,
) -> Result<Carried, AskError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(AskError::Http)?;
    // What ends the connection also ends the request or the body below, and is told there.
    let connection = tokio::spawn(connection);
    let fields = request.headers_mut();
    if let Ok(host) = host.parse() {
        fields.insert(header::HOST, host);
    }
    if !token.is_empty()
        && let Ok(bearer) = format!("Bearer {token}").parse()
    {
        fields.insert(header::AUTHORIZATION, bearer);
    }
    let response = sender.send_request(request).await.map_err(AskError::Http)?;
    let status = response.status();
    let beside = response.headers().get("hotplate-reason");
    let beside = beside
        .and_then(|reason| reason.to_str().ok())
        .map(str::to_owned);
    let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX);
    let collected = body.collect().await;
    connection.abort();
    let body = collected
        .map(http_body_util::Collected::to_bytes)
        .map_err(|error| AskError::Body(error.to_string()));
    Ok((status, body, beside))
}

/// Posts `body`, of any length, to the admin API at `address`; the answer's status and its JSON.
pub(super) fn send<B>(
    address: &AdminAddress,
    token: &str,
    path: &str,
    body: B,
) -> Result<(StatusCode, serde_json::Value), AskError>
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(AskError::Runtime)?;
    let mut request = Request::new(body);
    *request.method_mut() = Method::POST;
    *request.uri_mut() = path.parse().unwrap_or_default();
    let (status, body, _) = runtime.block_on(async {
        match address {
            AdminAddress::Off => Err(AskError::Off),
            AdminAddress::Tcp(address) => {
                let address = reachable(*address);
                let stream = TcpStream::connect(address)
                    .await
                    .map_err(AskError::Connect)?;
                carry(stream, &address.to_string(), token, request).await
            }
            AdminAddress::Unix(socket) => {
                let stream = UnixStream::connect(socket)
                    .await
                    .map_err(AskError::Connect)?;
                carry(stream, "localhost", token, request).await
            }
        }
    })?;
    let told = serde_json::from_slice(&body?).map_err(AskError::NotJson)?;
    Ok((status, told))
}

async fn converse<S>(
    stream: S,
    host: &str,
    token: &str,
    question: &Question<'_>,
) -> Result<Told, AskError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut request = Request::new(Full::new(question.change.clone().unwrap_or_default()));
    if question.change.is_some() {
        *request.method_mut() = Method::POST;
    }
    *request.uri_mut() = question.path.parse().unwrap_or_default();
    let accept = header::HeaderValue::from_static(question.accept);
    request.headers_mut().insert(header::ACCEPT, accept);
    let (status, body, beside) = carry(stream, host, token, request).await?;
    if !status.is_success()
        && let Ok(body) = &body
        && let Ok(told) = serde_json::from_slice::<serde_json::Value>(body)
        && told["code"].is_string()
    {
        return Err(AskError::Told(status, told));
    }
    match status {
        // Words with their reason beside them are the answer, whatever the status.
        _ if beside.is_some() => body.map(|body| (body, beside)),
        StatusCode::OK | StatusCode::ACCEPTED => body.map(|body| (body, beside)),
        StatusCode::BAD_REQUEST => {
            let reason = body.ok().and_then(|body| reason(&body));
            Err(reason.map_or(AskError::Status(status), AskError::Refused))
        }
        _ => Err(AskError::Status(status)),
    }
}

/// What the server says is wrong.
fn reason(body: &[u8]) -> Option<String> {
    let told: serde_json::Value = serde_json::from_slice(body).ok()?;
    told["error"].as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::thread::JoinHandle;

    /// Answers one request on `stream` with `answer`; returns what it received.
    fn answer_once(mut stream: impl Read + Write, answer: &str) -> String {
        let mut received = Vec::new();
        let mut byte = [0];
        while !received.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
            received.push(byte[0]);
        }
        stream.write_all(answer.as_bytes()).unwrap();
        String::from_utf8(received).unwrap()
    }

    fn tcp_server(answer: &'static str) -> (AdminAddress, JoinHandle<String>) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = AdminAddress::Tcp(listener.local_addr().unwrap());
        let server = std::thread::spawn(move || answer_once(listener.accept().unwrap().0, answer));
        (address, server)
    }

    const FINE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{\"requests\":7}";

    #[test]
    fn answer_over_tcp_is_json_and_the_token_was_sent() {
        let (address, server) = tcp_server(FINE);
        let question = Question::get("/api/stats");
        let value = ask(&address, "0123456789abcdef", &question).unwrap();
        assert_eq!(value["requests"], 7);
        let request = server.join().unwrap().to_ascii_lowercase();
        assert!(
            request.starts_with("get /api/stats http/1.1\r\n"),
            "{request}"
        );
        assert!(
            request.contains("authorization: bearer 0123456789abcdef\r\n"),
            "{request}"
        );
        assert!(request.contains("host: 127.0.0.1:"), "{request}");
    }

    #[test]
    fn answer_over_a_unix_socket_is_json() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.sock");
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let server = std::thread::spawn(move || answer_once(listener.accept().unwrap().0, FINE));
        let address = AdminAddress::Unix(path);
        let value = ask(&address, "", &Question::get("/api/stats")).unwrap();
        assert_eq!(value["requests"], 7);
        assert!(
            !server
                .join()
                .unwrap()
                .to_ascii_lowercase()
                .contains("authorization")
        );
    }

    #[test]
    fn answer_that_is_none_names_its_cause() {
        let cases = [
            (
                "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n",
                "admin_token",
            ),
            ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "404"),
            (
                "HTTP/1.1 400 Bad Request\r\nContent-Length: 18\r\n\r\n{\"error\":\"no URL\"}",
                "no URL",
            ),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{x", "not JSON"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", "broke off"),
            ("SSH-2.0-x\r\n", "no HTTP answer"),
        ];
        for (answer, words) in cases {
            let (address, server) = tcp_server(answer);
            let question = Question::get("/api/stats");
            let error = ask(&address, "", &question).unwrap_err().to_string();
            assert!(error.contains(words), "{answer}: {error}");
            server.join().unwrap();
        }
        let question = Question::get("/");
        let off = ask(&AdminAddress::Off, "", &question)
            .unwrap_err()
            .to_string();
        assert!(off.contains("--admin"), "{off}");
    }

    #[test]
    fn nobody_there_asks_whether_the_server_runs() {
        let missing = AdminAddress::Unix("/nonexistent/admin.sock".into());
        let question = Question::get("/");
        let error = ask(&missing, "", &question).unwrap_err().to_string();
        assert!(error.contains("is the server running?"), "{error}");
    }

    #[test]
    fn wildcard_is_reached_by_loopback() {
        let cases = [
            ("0.0.0.0:1", "127.0.0.1:1"),
            ("[::]:1", "[::1]:1"),
            ("10.0.0.1:1", "10.0.0.1:1"),
        ];
        for (listened, connected) in cases {
            let address = reachable(listened.parse().unwrap());
            assert_eq!(address, connected.parse().unwrap());
        }
    }
}
