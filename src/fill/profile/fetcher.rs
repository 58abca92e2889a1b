//! HTTP for credential providers: a request now and then to a metadata service or a token service.
//!
//! One connection for each request, over the same hyper and TLS as origins. Answers are bounded in time and size.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full};
use hyper::header::HOST;
use hyper::http::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use reqsign_core::{Error, HttpSend, Result};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::fill::origin::TlsSettings;

/// Longest time to connect: a metadata service is on this machine or next to it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Longest time of a whole exchange.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(5);

/// Longest answer.
const ANSWER_BYTES_MAX: usize = 256 << 10;

/// Sends requests for credential providers.
#[derive(Clone, Default)]
pub(super) struct Fetcher {
    /// Made when https is asked for first.
    tls: Arc<OnceCell<TlsConnector>>,
}

impl std::fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fetcher")
    }
}

impl HttpSend for Fetcher {
    async fn http_send(&self, request: Request<Bytes>) -> Result<Response<Bytes>> {
        match timeout(TOTAL_TIMEOUT, self.send(request)).await {
            Ok(answer) => answer,
            Err(_) => Err(failed("a service of credentials did not answer in time")),
        }
    }
}

impl Fetcher {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>> {
        let uri = request.uri().clone();
        let is_https = uri.scheme_str() == Some("https");
        let host = uri.host().unwrap_or_default();
        let bare = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let port = uri.port_u16().unwrap_or(if is_https { 443 } else { 80 });
        let connecting = TcpStream::connect((bare.as_str(), port));
        let stream = match timeout(CONNECT_TIMEOUT, connecting).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(_)) | Err(_) => return Err(failed("no service of credentials can be reached")),
        };
        if !is_https {
            return exchange(stream, request, &uri).await;
        }
        let name = ServerName::try_from(bare)
            .map_err(|_| failed("a service of credentials has no valid name"))?;
        let stream = self
            .connector()
            .await?
            .connect(name, stream)
            .await
            .map_err(|_| failed("TLS with a service of credentials failed"))?;
        exchange(stream, request, &uri).await
    }

    async fn connector(&self) -> Result<&TlsConnector> {
        let make = || async {
            let making = tokio::task::spawn_blocking(|| {
                crate::fill::origin::connector(&TlsSettings::default())
            });
            match making.await {
                Ok(Ok(connector)) => Ok(connector),
                Ok(Err(_)) | Err(_) => Err(failed("TLS can't be set up")),
            }
        };
        self.tls.get_or_try_init(make).await
    }
}

/// One exchange on a connection that is closed behind it.
async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Bytes>,
    uri: &Uri,
) -> Result<Response<Bytes>> {
    let broken = |_: hyper::Error| failed("the exchange with a service of credentials broke off");
    let (mut parts, body) = request.into_parts();
    if !parts.headers.contains_key(HOST)
        && let Some(authority) = uri.authority()
        && let Ok(value) = authority.as_str().parse()
    {
        parts.headers.insert(HOST, value);
    }
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    parts.uri = path
        .parse()
        .map_err(|_| failed("a service of credentials has no valid URL"))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(broken)?;
    let driving = tokio::spawn(connection);
    let answer = async {
        let request = Request::from_parts(parts, Full::new(body));
        let (head, mut body) = sender
            .send_request(request)
            .await
            .map_err(broken)?
            .into_parts();
        let mut bytes = BytesMut::new();
        while let Some(frame) = body.frame().await {
            if let Ok(piece) = frame.map_err(broken)?.into_data() {
                if bytes.len() + piece.len() > ANSWER_BYTES_MAX {
                    return Err(failed("the answer of a service of credentials is too long"));
                }
                bytes.extend_from_slice(&piece);
            }
        }
        Ok(Response::from_parts(head, bytes.freeze()))
    }
    .await;
    driving.abort();
    answer
}

fn failed(what: &'static str) -> Error {
    Error::unexpected(what).set_retryable(true)
}
