//! The operator's hand on what is stored: purge, list, explain.
//!
//! One place for each operation, whoever asks for it: the admin API today, other ways in later. All of it runs on a thread
//! that may block, never on a worker's.

pub mod asked_url;
pub mod explain;
pub mod explanation;
mod explanation_text;
pub mod listing;
pub mod purge;
mod verdicts;

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::fill::disk::DiskTier;
use crate::index::cached::IndexStats;
use crate::index::pins::PinIndex;
use crate::index::responses::Responses;
use crate::index::sites::SiteTable;
use crate::policy::key;

/// Where responses are stored.
#[derive(Clone, Debug)]
pub struct Stores {
    /// Those in memory.
    pub responses: Arc<Responses>,
    /// Those on disk, where there is a disk store.
    pub disk: Option<Arc<DiskTier>>,
}

impl Stores {
    /// Memory alone.
    #[must_use]
    pub fn in_memory(responses: Arc<Responses>) -> Self {
        Self {
            responses,
            disk: None,
        }
    }
}

/// What an operator can see and change of the cache. Its clones are the same.
#[derive(Clone, Debug)]
pub struct CacheOperator {
    responses: Arc<Responses>,
    disk: Option<Arc<DiskTier>>,
    sites: Arc<ArcSwap<SiteTable>>,
    pins: Arc<ArcSwap<PinIndex>>,
}

impl CacheOperator {
    /// The operator of `stores`, which hold responses of `sites` that `pins` does not have.
    #[must_use]
    pub fn new(stores: Stores, sites: Arc<SiteTable>, pins: Arc<ArcSwap<PinIndex>>) -> Self {
        Self {
            responses: stores.responses,
            disk: stores.disk,
            sites: Arc::new(ArcSwap::new(sites)),
            pins,
        }
    }

    /// The sites, as they change.
    #[must_use]
    pub fn sites(&self) -> Arc<ArcSwap<SiteTable>> {
        Arc::clone(&self.sites)
    }

    /// Goes by other sites from now on.
    pub fn set_sites(&self, sites: Arc<SiteTable>) {
        self.sites.store(sites);
    }

    /// The disk store, where there is one.
    #[must_use]
    pub fn disk(&self) -> Option<&Arc<DiskTier>> {
        self.disk.as_ref()
    }

    /// What memory holds, and what happened in it.
    #[must_use]
    pub fn index_stats(&self) -> IndexStats {
        self.responses.stats()
    }
}

/// A cache key for people: that of a credential profile stands in braces before its URL. Of what the library asked a URL's own
/// host for, a slash ends it.
#[must_use]
pub fn key_text(key: &[u8]) -> String {
    match key::split_scope(key) {
        (Some(scope), url) => format!(
            "{{{}}}{}",
            String::from_utf8_lossy(scope),
            String::from_utf8_lossy(url)
        ),
        (None, url) => String::from_utf8_lossy(url).into_owned(),
    }
}

#[cfg(test)]
pub(in crate::admin) mod tests;
