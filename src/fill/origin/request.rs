//! A request as the fill gives it, and as HTTP/1.1 puts it on the connection.

use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use hyper::header::{
    ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, HOST, HeaderName, HeaderValue, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use hyper::{HeaderMap, Method, Request};

use super::fault::OriginFault;
use super::settings::{Asker, OriginSettings, OriginUrl};
use super::target::origin_form;
use super::upload::{RequestStream, Upload, UploadSource};
use crate::fill::profile::Profile;
use crate::fill::profile::guard::{Guarded, guard, lists};
use crate::http::fields::{FieldLines as _, Fields};

/// What the origin is asked.
#[derive(Debug)]
pub struct OriginRequest {
    /// The method's name, case-sensitive.
    pub method: Box<[u8]>,
    /// Path and query, as they go on the wire below the URL's base; or `*`.
    pub target: Box<[u8]>,
    /// The field lines, Host among them. Those that frame the message or belong to one connection are left out: the
    /// connection has its own (RFC 9110 s7.6.1). Of TE, `trailers` counts.
    pub fields: Fields,
    /// The body.
    pub body: RequestBody,
    /// Whether the request may be sent twice.
    pub retry: Retry,
    /// Who is told of 1xx responses (RFC 9110 s15.2).
    pub informational: Option<Informational>,
}

/// The body of a request.
#[derive(Debug)]
pub enum RequestBody {
    /// None.
    None,
    /// As the client sends it.
    Stream(RequestStream),
}

/// Whether a request may be sent a second time after the origin may have seen it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Its method is idempotent (RFC 9110 s9.2.2).
    Safe,
    /// Once at most.
    Never,
}

/// Is called with status and fields of each 1xx response, in their order, before the final one. 101 is none of them.
#[derive(Clone)]
pub struct Informational(Arc<dyn Fn(u16, Fields) + Send + Sync>);

impl Informational {
    /// Calls `tell` on the fill thread; it must not wait.
    pub fn new(tell: impl Fn(u16, Fields) + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }
}

impl fmt::Debug for Informational {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Informational")
    }
}

/// A request on its way: what stays the same from one attempt to the next.
#[derive(Debug)]
pub(super) struct Outgoing {
    method: Method,
    target: Box<[u8]>,
    fields: Fields,
    upload: Option<Rc<UploadSource>>,
    retry: Retry,
    informational: Option<Informational>,
    /// Whose credentials it shows.
    profile: Option<Arc<Profile>>,
    /// Whether Host says the origin's own authority.
    names_origin: bool,
}

impl Outgoing {
    /// # Errors
    /// `Unsendable` where the method is no token; `UpgradeRefused` for CONNECT, which would make a tunnel of the connection.
    pub(super) fn new(
        mut request: OriginRequest,
        settings: &OriginSettings,
    ) -> Result<Self, OriginFault> {
        let method = Method::from_bytes(&request.method).map_err(|_| OriginFault::Unsendable)?;
        if method == Method::CONNECT {
            return Err(OriginFault::UpgradeRefused);
        }
        let mut profile = settings.profile.clone();
        let names_host = profile.as_ref().is_some_and(|profile| profile.names_host());
        if let Some(lent) = &profile
            && let Some(guarded) = guarded(&request, settings, lent)
        {
            if !guarded.is_signed && shows_identity(settings) {
                return Err(OriginFault::NotLent);
            }
            (request.target, request.fields) = (guarded.target, guarded.fields);
            profile = profile.filter(|_| guarded.is_signed);
        }
        Ok(Self {
            method,
            target: request.target,
            fields: request.fields,
            upload: match request.body {
                RequestBody::None => None,
                RequestBody::Stream(stream) => Some(UploadSource::new(stream)),
            },
            retry: request.retry,
            informational: request.informational,
            profile,
            names_origin: names_host && settings.host.is_empty(),
        })
    }

    /// The message of one attempt, to `url`, signed anew.
    pub(super) async fn signed(&self, url: &OriginUrl) -> Result<Request<Upload>, OriginFault> {
        let mut message = self.message(&url.base)?;
        if self.names_origin {
            let authority = HeaderValue::try_from(url.authority());
            let authority = authority.map_err(|_| OriginFault::Unsendable)?;
            message.headers_mut().insert(HOST, authority);
        }
        let Some(profile) = &self.profile else {
            return Ok(message);
        };
        let (mut parts, body) = message.into_parts();
        profile
            .sign(&mut parts, url.https)
            .await
            .map_err(OriginFault::Credentials)?;
        if profile.names_host() {
            // Stores send what they have; a refusal is looked into, in plain text.
            let identity = HeaderValue::from_static("identity");
            parts.headers.insert(ACCEPT_ENCODING, identity);
        }
        Ok(Request::from_parts(parts, body))
    }

    /// Whose credentials it shows, where it shows any.
    pub(super) fn profile(&self) -> Option<&Arc<Profile>> {
        self.profile.as_ref()
    }

    /// The message of one attempt, below a URL's `base`.
    fn message(&self, base: &str) -> Result<Request<Upload>, OriginFault> {
        let mut message = Request::new(Upload::of(self.upload.as_ref()));
        *message.method_mut() = self.method.clone();
        *message.uri_mut() = origin_form(base, &self.target)?;
        let headers = message.headers_mut();
        // Values are parts of one piece of memory.
        let lines = Bytes::copy_from_slice(self.fields.as_bytes());
        let count = Fields::lines_of(&lines).count();
        headers
            .try_reserve(count + 3)
            .map_err(|_| OriginFault::Unsendable)?;
        for (name, value) in Fields::lines_of(&lines) {
            let name = HeaderName::from_bytes(name).map_err(|_| OriginFault::Unsendable)?;
            if belongs_to_the_connection(&name) {
                continue;
            }
            let value = HeaderValue::from_maybe_shared(lines.slice_ref(value));
            let value = value.map_err(|_| OriginFault::Unsendable)?;
            headers
                .try_append(name, value)
                .map_err(|_| OriginFault::Unsendable)?;
        }
        if self.takes_trailers() {
            // RFC 9110 s10.1.4: TE is for one connection, so Connection names it.
            headers.insert(TE, HeaderValue::from_static("trailers"));
            headers.insert(CONNECTION, HeaderValue::from_static("TE"));
        }
        self.frame(headers);
        if let Some(Informational(tell)) = &self.informational {
            let tell = Arc::clone(tell);
            hyper::ext::on_informational(&mut message, move |response| {
                let lines = response.headers().iter();
                tell(response.status().as_u16(), lines.collect());
            });
        }
        Ok(message)
    }

    /// Says where the body ends (RFC 9112 s6): the library would leave some cases out.
    fn frame(&self, headers: &mut HeaderMap) {
        match self.upload.as_ref().map(|upload| upload.length()) {
            Some(Some(length)) => {
                headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
            }
            Some(None) => {
                headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
            }
            // RFC 9110 s8.6: where the method means a body to come, its absence is said.
            None if [Method::POST, Method::PUT, Method::PATCH].contains(&self.method) => {
                headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
            }
            None => {}
        }
    }

    /// Whether trailer fields are of use: of all codings of a transfer, TE asks for nothing else (RFC 9110 s10.1.4).
    fn takes_trailers(&self) -> bool {
        let mut codings = self.fields.values("te");
        codings.any(|coding| coding.eq_ignore_ascii_case(b"trailers"))
    }

    pub(super) fn is_head(&self) -> bool {
        self.method == Method::HEAD
    }

    pub(super) fn is_safe_to_repeat(&self) -> bool {
        self.retry == Retry::Safe
    }

    pub(super) fn upload(&self) -> Option<&Rc<UploadSource>> {
        self.upload.as_ref()
    }

    /// Whether nothing of the body was taken from the client, so that it can be sent from its start.
    pub(super) fn is_whole(&self) -> bool {
        self.upload().is_none_or(|upload| upload.is_untouched())
    }

    /// Whether the client gave up within the body.
    pub(super) fn is_given_up(&self) -> bool {
        self.upload().is_some_and(|upload| upload.is_given_up())
    }
}

/// What of a request goes on with the credentials of `lent`; none: all of it, as it is.
fn guarded(request: &OriginRequest, settings: &OriginSettings, lent: &Profile) -> Option<Guarded> {
    let OriginRequest { target, fields, .. } = request;
    let names_object = |path: &[u8]| {
        let mut urls = settings.urls.iter();
        urls.all(|url| lent.names_object(url, path))
    };
    match settings.asker {
        Asker::Own => None,
        Asker::Clients => Some(guard(
            lent.kind(),
            &request.method,
            target,
            fields,
            names_object,
        )),
        Asker::Library => {
            let end = memchr::memchr(b'?', target).unwrap_or(target.len());
            let (path, query) = target.split_at(end);
            Some(Guarded {
                target: target.clone(),
                fields: fields.clone(),
                is_signed: names_object(path) && !lists(lent.kind(), query),
            })
        }
    }
}

/// Whether our own certificate is shown on connections, whatever is asked on them.
fn shows_identity(settings: &OriginSettings) -> bool {
    settings.tls.client.is_some() && settings.urls.iter().any(|url| url.https)
}

/// Fields that this connection decides on, not those who forward the message (RFC 9110 s7.6.1).
fn belongs_to_the_connection(name: &HeaderName) -> bool {
    [
        CONNECTION,
        CONTENT_LENGTH,
        TE,
        TRAILER,
        TRANSFER_ENCODING,
        UPGRADE,
    ]
    .contains(name)
        || matches!(name.as_str(), "keep-alive" | "proxy-connection")
}
