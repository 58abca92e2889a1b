//! The uploads of the running server: their folder, their thread, and what they need of others.

use std::path::PathBuf;
use std::sync::Arc;

use super::fleet::LaunchError;
use super::profiles::SharedProfiles;
use crate::admin::operator::CacheOperator;
use crate::admin::operator::purge::{Meant, PurgeOrder};
use crate::config::Settings;
use crate::fill::origin::OriginCounts;
use crate::fill::upload::{Routes, Tools, UploadThread, Uploads};

/// Uploads while they run.
#[derive(Debug)]
pub(super) struct RunningUploads {
    uploads: Arc<Uploads>,
    _thread: UploadThread,
}

impl RunningUploads {
    /// Opens the folder and starts the thread; none where there is no folder.
    pub(super) fn start(
        settings: &Settings,
        (cache, profiles): (&CacheOperator, &SharedProfiles),
        origin_counts: &Arc<OriginCounts>,
    ) -> Result<Option<Self>, LaunchError> {
        let Some(folder) = folder(settings) else {
            return Ok(None);
        };
        let routes = Routes {
            sites: cache.sites(),
            profiles: Arc::clone(profiles.shared()),
        };
        let uploads = Uploads::open(&folder, settings.upload.clone(), routes)
            .map_err(LaunchError::Uploads)?;
        let tools = Tools {
            origin_counts: Arc::clone(origin_counts),
            random: Box::new(random),
            invalidate: invalidator(cache.clone()),
        };
        let thread = uploads
            .start(tools)
            .map_err(|error| LaunchError::System("start the upload thread", error))?;
        Ok(Some(Self {
            uploads,
            _thread: thread,
        }))
    }

    pub(super) fn shared(&self) -> Arc<Uploads> {
        Arc::clone(&self.uploads)
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

/// Has what is stored of a URL validated before it is used again (RFC 9111 s4.4).
fn invalidator(cache: CacheOperator) -> Arc<dyn Fn(&str) + Send + Sync> {
    Arc::new(move |url| {
        let order = PurgeOrder {
            meant: Meant::Url(url.to_owned()),
            is_soft: true,
            is_dry_run: false,
            keys_max: 0,
        };
        if let Err(error) = cache.purge(order) {
            tracing::warn!(%error, "what is stored of an uploaded URL may still be used");
        }
    })
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
