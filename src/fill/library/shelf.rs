//! What paths are made with: the disk store, and the leases of the library's folder.

use std::sync::Arc;

use tokio::sync::Mutex;

use super::counts::LibraryCounts;
use super::failure::{Code, Failure};
use super::folder::Folder;
use super::leases::{Bounds, Leased, Leases, Wanted};
use super::now;
use crate::fill::disk::DiskTier;

/// Files of one body and extension are made one at a time; so many different ones side by side.
const MAKERS: usize = 16;

/// What paths are made with.
#[derive(Debug)]
pub(super) struct Shelf {
    pub(super) tier: Arc<DiskTier>,
    pub(super) leases: Arc<Leases>,
    makers: [Mutex<()>; MAKERS],
}

impl Shelf {
    /// Makes a file, unless somebody has just made the same.
    pub(super) async fn make(
        &self,
        wanted: &Wanted<'_>,
        bounds: Bounds,
    ) -> Result<Leased, Failure> {
        let address = Arc::as_ptr(wanted.object) as usize / 64;
        let Some(maker) = self.makers.get(address % MAKERS) else {
            return Err(Failure::new(Code::Busy, "nobody makes files"));
        };
        let _turn = maker.lock().await;
        if let Some(leased) = self.leases.reuse(wanted, now()) {
            return Ok(leased);
        }
        let (leases, tier) = (Arc::clone(&self.leases), Arc::clone(&self.tier));
        let object = Arc::clone(wanted.object);
        let (stem, extension) = (wanted.stem.to_owned(), wanted.extension.to_owned());
        let (url, lease) = (wanted.url.to_owned(), wanted.lease);
        let made = tokio::task::spawn_blocking(move || {
            let wanted = Wanted {
                object: &object,
                stem: &stem,
                extension: &extension,
                url: &url,
                lease,
            };
            leases.make(&wanted, &tier, bounds, now())
        });
        made.await
            .unwrap_or_else(|_| Err(Failure::new(Code::DiskFailed, "making the file broke off")))
    }
}

/// Opens the library's folder beside the store's files.
///
/// # Errors
/// It can't be made or read.
pub(super) fn shelf(
    tier: &Arc<DiskTier>,
    group: Option<u32>,
    counts: &Arc<LibraryCounts>,
) -> std::io::Result<Shelf> {
    let folder = Folder::open(tier.disk().folder(), group)?;
    let leases = Arc::new(Leases::open(folder, now(), Arc::clone(counts))?);
    let told = Arc::downgrade(&leases);
    tier.tell_of_gone(Arc::new(move |id| {
        if let Some(leases) = told.upgrade() {
            leases.gone(id);
        }
    }));
    Ok(Shelf {
        tier: Arc::clone(tier),
        leases,
        makers: std::array::from_fn(|_| Mutex::new(())),
    })
}
