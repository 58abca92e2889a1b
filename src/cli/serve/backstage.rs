//! What works behind the workers: the fill threads, and the library, which is one more worker of theirs.

use std::io;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::watch;

use super::fleet::LaunchError;
use crate::admin::operator::Stores;
use crate::cache::order::Filled;
use crate::config::Settings;
use crate::fill::delivery::Delivery;
use crate::fill::desk::{Desk, DeskSettings};
use crate::fill::keeper::{KeeperCounts, KeeperSettings};
use crate::fill::library::{LIBRARY, Library, LibraryStart, LibraryThread, Mailbox};
use crate::fill::origin::OriginCounts;
use crate::fill::pins::PinBoard;
use crate::fill::profile::Profiles;
use crate::index::sites::SiteTable;
use crate::server::inbox::{Mail, Postbox};
use crate::store::budget::Budget;
use crate::store::pinned::load::Budgets;
use crate::sys::clock;
use crate::sys::descriptors::DescriptorPlan;
use crate::units::WorkerId;

/// The part of the memory for stored responses that one of them may take.
const OBJECT_SHARE: u64 = 4;

/// What works behind the workers.
pub(super) struct Backstage {
    pub(super) fills: Arc<KeeperCounts>,
    pub(super) origins: Arc<OriginCounts>,
    pub(super) desk: Desk,
    pub(super) library: Arc<Library>,
    pub(super) library_thread: LibraryThread,
}

/// Starts the fill threads, and the library, which is one more worker of theirs.
pub(super) fn start_backstage(
    settings: &Settings,
    (sites, profiles, stores): (&Arc<SiteTable>, &Arc<ArcSwap<Profiles>>, Stores),
    pins: &PinBoard,
    postboxes: &[Postbox],
    shares: DescriptorPlan,
) -> Result<Backstage, LaunchError> {
    let (fills, origins) = (Arc::default(), Arc::default());
    let mailbox = Arc::<Mailbox>::default();
    let desk = start_desk(
        settings,
        (sites, profiles, stores.clone()),
        (&fills, &origins),
        pins,
        Arc::new(Postman {
            postboxes: postboxes.to_vec(),
            library: Arc::clone(&mailbox),
        }),
        (revoker(postboxes), shares),
    )?;
    mailbox.open(desk.orders());
    let (library, library_thread) = Library::start(LibraryStart {
        settings: settings.library.clone(),
        prefetches: settings.prefetches.clone(),
        sites: Arc::clone(sites),
        responses: stores.responses,
        disk: stores.disk,
        disk_max: disk_max(settings),
        profiles: Arc::clone(profiles),
        mailbox,
        chance: super::uploads::random,
    })
    .map_err(LaunchError::Library)?;
    if !desk.run(library.prefetching()) {
        let error = io::Error::from(io::ErrorKind::QuotaExceeded);
        return Err(LaunchError::System("begin to prefetch", error));
    }
    Ok(Backstage {
        fills,
        origins,
        desk,
        library,
        library_thread,
    })
}

/// Starts the fill threads.
fn start_desk(
    settings: &Settings,
    (sites, profiles, stores): (&SiteTable, &Arc<ArcSwap<Profiles>>, Stores),
    (fills, origins): (&Arc<KeeperCounts>, &Arc<OriginCounts>),
    pins: &PinBoard,
    delivery: Arc<dyn Delivery>,
    (wake, shares): (Arc<dyn Fn() + Send + Sync>, DescriptorPlan),
) -> Result<Desk, LaunchError> {
    let disk = settings.disk.clone().unwrap_or_default();
    let (patience_sender, patience) = watch::channel(settings.server.limits.send_timeout);
    Desk::start(DeskSettings {
        sites: sites.with_ids(),
        keeper: KeeperSettings {
            responses: stores.responses,
            fill: settings.fill,
            memory_max_object: settings.memory.max_object.in_memory(),
            object_max: settings.memory.size.0 / OBJECT_SHARE,
            disk_max: disk_max(settings),
            disk: stores.disk,
            block: disk.block.0,
            descriptors: Budget::new(shares.bodies_max),
            patience,
            pseudonym: pseudonym(),
            counts: Arc::clone(fills),
        },
        loader: Arc::clone(pins.loader()),
        budgets: Budgets {
            // Files below roots are held by descriptor alone.
            memory: Budget::new(0),
            descriptors: Budget::new(shares.roots_max),
        },
        delivery,
        wake,
        origin_counts: Arc::clone(origins),
        patience: patience_sender,
        profiles: Arc::clone(profiles),
    })
    .map_err(|error| LaunchError::System("start the fill threads", error))
}

/// The largest body that goes to the disk store.
fn disk_max(settings: &Settings) -> u64 {
    match &settings.disk {
        None => 0,
        Some(disk) if disk.max_object.0 == 0 => disk.size.0,
        Some(disk) => disk.max_object.0,
    }
}

/// The name in Via: that of the program, with a part that tells this running instance from others.
fn pseudonym() -> Box<str> {
    let (seconds, millis) = clock::wall();
    let process = u64::from(std::process::id());
    format!(
        "hotplate-{:x}",
        process << 40 ^ seconds.0 << 10 ^ u64::from(millis)
    )
    .into()
}

/// Tells every worker that somebody waits to write to a file.
fn revoker(postboxes: &[Postbox]) -> Arc<dyn Fn() + Send + Sync> {
    let postboxes = postboxes.to_vec();
    Arc::new(move || postboxes.iter().for_each(Postbox::revoke))
}

/// Takes the fill thread's answers to the workers, and to the library.
struct Postman {
    postboxes: Vec<Postbox>,
    library: Arc<Mailbox>,
}

impl Postman {
    fn postbox(&self, worker: WorkerId) -> Option<&Postbox> {
        self.postboxes.get(usize::from(worker.0))
    }
}

impl Delivery for Postman {
    fn put(&self, worker: WorkerId, filled: Filled) {
        if worker == LIBRARY {
            self.library.deliver(filled);
        } else if let Some(postbox) = self.postbox(worker) {
            // A worker that has gone has nobody left to answer.
            postbox.put(Mail::Filled(filled));
        }
    }

    fn ring(&self, worker: WorkerId) {
        if let Some(postbox) = self.postbox(worker) {
            postbox.wake();
        }
    }
}
