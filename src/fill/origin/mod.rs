//! The client towards HTTP origins: sends one request, gives back one response whose body is pulled.
//!
//! It runs on one thread, inside a `LocalSet`, and takes no lock there. HTTP/1.1 is spoken by hyper; what is decided here is
//! which URL and which connection a request takes, how long each step may last, when it may be sent again, and
//! which responses are in doubt. A body that is not whole never ends as if it were.
//!
//! Bounded: connections to each URL, requests that wait for one, idle connections, look-ups, the head and the 1xx responses
//! before it, the bytes of a body that nobody has asked for yet (one read and the kernel's buffer). Each of them has a setting or a
//! constant, a counter in [`OriginCounts`], and a fault as the answer.
//!
//! It decides nothing about caching, and forwards the fields that it is given.

mod address;
mod body;
mod connection;
mod counts;
mod exchange;
mod fault;
mod head;
mod pool;
mod request;
mod response;
mod settings;
mod target;
mod tls;
mod upload;
mod watch;
mod wire;

use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use rustls::pki_types::ServerName;

pub use self::body::OriginBody;
pub use self::counts::{OriginCounts, OriginFigures};
pub use self::fault::{FAULT_COUNT, HeadFault, OriginFault, TlsFault};
pub use self::head::READ_MAX;
use self::pool::Pool;
use self::request::Outgoing;
pub use self::request::{Informational, OriginRequest, RequestBody, Retry};
pub use self::response::OriginResponse;
pub use self::settings::{Asker, ClientIdentity, OriginSettings, OriginUrl, TlsSettings};
pub use self::tls::{TlsSetupError, connector};
pub use self::upload::{Piece, RequestStream};
use crate::sys::clock;

/// Why an origin can't be set up.
#[derive(Debug)]
pub enum OriginSetupError {
    /// There is no URL.
    NoUrl,
    /// The host of an https URL is no name that a certificate could have.
    Host(OriginUrl),
    /// TLS can't be set up.
    Tls(TlsSetupError),
}

impl fmt::Display for OriginSetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoUrl => f.write_str("an origin needs a URL"),
            Self::Host(url) => write!(f, "{url}: no host name that a certificate could have"),
            Self::Tls(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for OriginSetupError {}

/// A site's origin. Its clones share connections.
#[derive(Clone, Debug)]
pub struct Origin {
    pools: Rc<[Rc<Pool>]>,
    settings: Rc<OriginSettings>,
    counts: Arc<OriginCounts>,
}

impl Origin {
    /// An origin without connections yet. Reads the trusted certificates where a URL is https, so it may wait for the disk.
    ///
    /// # Errors
    /// Where there is no URL, or TLS can't be set up.
    pub fn new(
        settings: OriginSettings,
        counts: Arc<OriginCounts>,
    ) -> Result<Self, OriginSetupError> {
        if settings.urls.is_empty() {
            return Err(OriginSetupError::NoUrl);
        }
        let connector = if settings.urls.iter().any(|url| url.https) {
            Some(tls::connector(&settings.tls).map_err(OriginSetupError::Tls)?)
        } else {
            None
        };
        let settings = Rc::new(settings);
        let pools = settings.urls.iter().map(|url| {
            let tls = match (&connector, url.https) {
                (Some(connector), true) => {
                    let name = ServerName::try_from(url.bare_host().to_owned())
                        .map_err(|_| OriginSetupError::Host(url.clone()))?;
                    Some((connector.clone(), name))
                }
                _ => None,
            };
            let (settings, counts) = (Rc::clone(&settings), Arc::clone(&counts));
            Ok(Pool::new(url.clone(), tls, settings, counts))
        });
        Ok(Self {
            pools: pools.collect::<Result<_, _>>()?,
            settings,
            counts,
        })
    }

    /// What it was made with.
    #[must_use]
    pub fn settings(&self) -> &OriginSettings {
        &self.settings
    }

    /// What it has done.
    #[must_use]
    pub fn counts(&self) -> &Arc<OriginCounts> {
        &self.counts
    }

    /// Sends a request and waits for the head of its final response. Must be called inside a `LocalSet`. Dropped before its end,
    /// the connection is closed.
    ///
    /// # Errors
    /// Whatever goes wrong up to the end of the head, after other URLs and a second try where the request allows them.
    pub async fn send(&self, request: OriginRequest) -> Result<OriginResponse, OriginFault> {
        self.counts.request();
        let total = self.settings.total_timeout;
        let deadline = total.map(|total| clock::mono().after(total));
        let sent = match Outgoing::new(request, &self.settings) {
            Ok(outgoing) => exchange::send(&self.pools, &outgoing, deadline).await,
            Err(fault) => {
                self.counts.fault(fault);
                Err(fault)
            }
        };
        sent.inspect_err(|fault| tracing::debug!(?fault, "no response from the origin"))
    }
}

#[cfg(test)]
mod tests;
