//! The uploads of the running server: their folder, their thread, and what they need of others.

use std::io::{self, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use super::fleet::LaunchError;
use super::profiles::SharedProfiles;
use crate::admin::operator::CacheOperator;
use crate::admin::operator::purge::{Meant, PurgeOrder};
use crate::config::Settings;
use crate::fill::origin::OriginCounts;
use crate::fill::upload::{
    OnUploaded, RecordingThread, Routes, Tools, UploadHosts, UploadThread, Uploads,
};

/// Longest silence of this server while it is asked for an uploaded file.
const WARM_WAIT: Duration = Duration::from_secs(30);

/// Uploads while they run.
#[derive(Debug)]
pub(super) struct RunningUploads {
    uploads: Arc<Uploads>,
    hosts: Arc<ArcSwap<UploadHosts>>,
    _thread: UploadThread,
    _recordings: RecordingThread,
}

impl RunningUploads {
    /// Opens the folder and starts the thread; none where there is no folder.
    pub(super) fn start(
        settings: &Settings,
        (cache, profiles, listener): (&CacheOperator, &SharedProfiles, Option<&SocketAddr>),
        origin_counts: &Arc<OriginCounts>,
    ) -> Result<Option<Self>, LaunchError> {
        let Some(folder) = folder(settings) else {
            return Ok(None);
        };
        let routes = Routes {
            sites: cache.sites(),
            profiles: Arc::clone(profiles.shared()),
            hosts: Arc::new(ArcSwap::from_pointee(hosts(settings))),
        };
        let shared_hosts = Arc::clone(&routes.hosts);
        let uploads = Uploads::open(&folder, settings.upload.clone(), routes)
            .map_err(LaunchError::Uploads)?;
        let tools = Tools {
            origin_counts: Arc::clone(origin_counts),
            random: Box::new(random),
            uploaded: after_upload(cache.clone(), listener.copied()),
        };
        let thread = uploads
            .start(tools)
            .map_err(|error| LaunchError::System("start the upload thread", error))?;
        let recordings = uploads
            .watch_recordings()
            .map_err(|error| LaunchError::System("watch the folder of recordings", error))?;
        Ok(Some(Self {
            uploads,
            hosts: shared_hosts,
            _thread: thread,
            _recordings: recordings,
        }))
    }

    /// Sends files to the hosts that these settings name from now on, and to no others.
    pub(super) fn set_hosts(&self, settings: &Settings) {
        self.hosts.store(Arc::new(hosts(settings)));
    }

    pub(super) fn shared(&self) -> Arc<Uploads> {
        Arc::clone(&self.uploads)
    }
}

/// The hosts that `[upload]` names, reached as those that `[library]` names.
fn hosts(settings: &Settings) -> UploadHosts {
    UploadHosts {
        patterns: settings.upload.hosts.clone(),
        allow_private: settings.upload.allow_private,
        origin: settings.library.origin.clone(),
    }
}

/// Where uploads wait.
fn folder(settings: &Settings) -> Option<PathBuf> {
    let own = &settings.upload.path;
    if !own.as_os_str().is_empty() {
        return Some(own.clone());
    }
    let disk = settings.disk.as_ref()?;
    Some(disk.path.join("uploads"))
}

/// Has what is stored of a URL validated before it is used again (RFC 9111 s4.4) and, where it is to be cached, asks for it as
/// the first client would.
fn after_upload(cache: CacheOperator, listener: Option<SocketAddr>) -> OnUploaded {
    Arc::new(move |url, caches| {
        let order = PurgeOrder {
            meant: Meant::Url(url.to_owned()),
            is_soft: true,
            is_dry_run: false,
            keys_max: 0,
        };
        if let Err(error) = cache.purge(order) {
            tracing::warn!(%error, "what is stored of an uploaded URL may still be used");
        }
        if let Some(listener) = listener.filter(|_| caches)
            && let Err(error) = warm(listener, url)
        {
            tracing::warn!(%error, "an uploaded file was not fetched into the cache");
        }
    })
}

/// Asks this server for a URL, and reads the answer to its end.
fn warm(listener: SocketAddr, url: &str) -> io::Result<()> {
    let (_, rest) = url.split_once("://").unwrap_or_default();
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let mut address = listener;
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    let mut stream = TcpStream::connect_timeout(&address, WARM_WAIT)?;
    stream.set_read_timeout(Some(WARM_WAIT))?;
    let head = format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    io::copy(&mut stream, &mut io::sink()).map(drop)
}

/// A number from 0 to 1 that nobody can foretell.
fn random() -> f64 {
    let mut bytes = [0; 4];
    let source = rustls::crypto::aws_lc_rs::default_provider().secure_random;
    match source.fill(&mut bytes) {
        Ok(()) => f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX),
        // Without chance, waits are in the middle.
        Err(_) => 0.5,
    }
}
