//! The uploads of the running server: their folder, their thread, and what they need of others.

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::fleet::LaunchError;
use super::profiles::SharedProfiles;
use crate::admin::operator::CacheOperator;
use crate::admin::operator::purge::{Meant, PurgeOrder};
use crate::config::Settings;
use crate::fill::library::Library;
use crate::fill::origin::OriginCounts;
use crate::fill::upload::{
    OnUploaded, ReadableFiles, RecordingThread, Routes, Tools, UploadHosts, UploadThread, Uploaded,
    Uploads,
};
use crate::index::responses::Responses;
use crate::policy::stored::Mark;

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
        (cache, profiles, library, responses): (
            &CacheOperator,
            &SharedProfiles,
            &Arc<Library>,
            &Arc<Responses>,
        ),
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
        let uploads = Uploads::open(
            (&folder, settings.library.group),
            settings.upload.clone(),
            routes,
        )
        .map_err(LaunchError::Uploads)?;
        let tools = Tools {
            origin_counts: Arc::clone(origin_counts),
            random: Box::new(random),
            responses: Arc::clone(responses),
            uploaded: after_upload(cache.clone(), Arc::clone(library)),
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

    /// Sends files to the hosts that these settings name from now on, and to no others, and reads the files that they name.
    pub(super) fn set_hosts(&self, settings: &Settings) {
        self.hosts.store(Arc::new(hosts(settings)));
    }

    pub(super) fn shared(&self) -> Arc<Uploads> {
        Arc::clone(&self.uploads)
    }
}

/// The hosts that `[upload]` names, reached as those that `[library]` names; and the files.
fn hosts(settings: &Settings) -> UploadHosts {
    UploadHosts {
        patterns: settings.upload.hosts.clone(),
        allow_private: settings.upload.allow_private,
        origin: settings.library.origin.clone(),
        user_agent: settings.upload.user_agent.clone(),
        files: ReadableFiles {
            patterns: settings.upload.files.clone(),
            group: settings.library.group,
        },
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

/// Has what is stored of a URL validated before it is used again (RFC 9111 s4.4) and stores the file itself, where that is wanted.
fn after_upload(cache: CacheOperator, library: Arc<Library>) -> OnUploaded {
    Box::new(move |uploaded| {
        let (cache, library) = (cache.clone(), Arc::clone(&library));
        Box::pin(take_in(cache, library, uploaded))
    })
}

async fn take_in(cache: CacheOperator, library: Arc<Library>, uploaded: Uploaded) -> bool {
    let Uploaded {
        url,
        moved_to,
        profile,
        deposit,
    } = uploaded;
    let profile = profile.as_deref();
    let claim = deposit
        .as_ref()
        .map(|(deposit, sent_to)| library.claim(&url, profile, deposit, sent_to));
    let (mut claim, refused) = match claim {
        Some(Ok(claim)) => (Some(claim), None),
        Some(Err(why)) => (None, Some(why)),
        None => (None, None),
    };
    let urls: Vec<String> = std::iter::once(url.clone()).chain(moved_to).collect();
    for url in &urls {
        library.invalidate(url, claim.as_mut()).await;
    }
    let purging = tokio::task::spawn_blocking(move || {
        let purged = urls
            .into_iter()
            .try_for_each(|url| cache.purge_for(claim.as_mut(), made_stale(url)).map(drop));
        (purged, claim)
    });
    let claim = match purging.await {
        Ok((purged, claim)) => {
            if let Err(error) = purged {
                tracing::warn!(%error, "what is stored of an uploaded URL may still be used");
            }
            claim
        }
        Err(_) => {
            tracing::error!("what is stored of an uploaded URL may still be used");
            None
        }
    };
    let Some((deposit, sent_to)) = deposit else {
        return false;
    };
    let stored = match (claim, refused) {
        (Some(claim), _) => {
            let sent = (deposit, &sent_to);
            library.take_in(&url, profile, sent, &claim).await
        }
        (None, refused) => Err(refused.unwrap_or_else(|| "its purge broke off".to_owned())),
    };
    if let Err(why) = &stored {
        // A query may be a signature.
        let path = url.split('?').next().unwrap_or_default();
        tracing::info!("{path} is not cached as it was uploaded: {why}");
    }
    stored.is_ok()
}

fn made_stale(url: String) -> PurgeOrder {
    PurgeOrder {
        meant: Meant::Url(url),
        mark: Some(Mark::Invalid),
        is_dry_run: false,
        keys_max: 0,
    }
}

/// A number from 0 to 1 that nobody can foretell.
pub(super) fn random() -> f64 {
    let mut bytes = [0; 4];
    let source = rustls::crypto::aws_lc_rs::default_provider().secure_random;
    match source.fill(&mut bytes) {
        Ok(()) => f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX),
        // Without chance, waits are in the middle.
        Err(_) => 0.5,
    }
}
