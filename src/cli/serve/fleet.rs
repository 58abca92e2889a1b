//! Everything that runs: brought up in the order in which each needs the others, taken down in reverse.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::thread::JoinHandle;

use arc_swap::ArcSwap;

use super::backstage::start_backstage;
use super::ground::{Ground, files_max, fit};
use super::profiles::{self, SharedProfiles};
use super::uploads::RunningUploads;
use super::{Event, LOG_PATIENCE};
use crate::admin::access_log::{self, AccessLog};
use crate::admin::api::{self, AdminServer};
use crate::admin::error::AdminError;
use crate::admin::observed::{DriverReport, Observed, Readiness};
use crate::admin::operator::{CacheOperator, Stores};
use crate::config::Settings;
use crate::fill::desk::Desk;
use crate::fill::disk::{DiskThread, DiskTier};
use crate::fill::library::{Library, LibraryError, LibraryThread};
use crate::fill::pins::{BoardSettings, PinBoard, PinReport};
use crate::fill::upload::SpoolError;
use crate::http::reject::Reject;
use crate::index::pins::PinIndex;
use crate::index::responses::Responses;
use crate::index::sites::SiteTable;
use crate::server::crowd::Crowd;
use crate::server::inbox::{Inbox, Postbox};
use crate::server::settings::{Limits, ServerSettings};
use crate::server::start::{self, Bound, Own, Plan, Shared, StartError};
use crate::stats::{AccessSink, WorkerStats};
use crate::store::budget::Budget;
use crate::store::disk::{Disk, DiskError, OpenReport};
use crate::store::pinned::load::Budgets;
use crate::sys::clock;
use crate::units::WorkerId;

/// Why the server can't come up.
#[derive(Debug)]
pub(super) enum LaunchError {
    /// The workers can't start.
    Start(StartError),
    /// The admin API or the access log can't start.
    Admin(AdminError),
    /// The disk store can't be opened.
    Disk(PathBuf, DiskError),
    /// The media library can't begin.
    Library(LibraryError),
    /// The folder of uploads can't be used.
    Uploads(SpoolError),
    /// The system refused something.
    System(&'static str, io::Error),
}

impl fmt::Display for LaunchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(error) => error.fmt(f),
            Self::Admin(error) => error.fmt(f),
            Self::Disk(path, error) => {
                write!(
                    f,
                    "cannot open the disk store in {}: {error}",
                    path.display()
                )
            }
            Self::Library(error) => error.fmt(f),
            Self::Uploads(error) => write!(f, "cannot keep uploads in {error}"),
            Self::System(what, error) => write!(f, "cannot {what}: {error}"),
        }
    }
}

impl From<StartError> for LaunchError {
    fn from(error: StartError) -> Self {
        Self::Start(error)
    }
}

impl From<AdminError> for LaunchError {
    fn from(error: AdminError) -> Self {
        Self::Admin(error)
    }
}

/// Everything that runs.
#[derive(Debug)]
pub(super) struct Fleet {
    pub(super) settings: Settings,
    pub(super) plan: Plan,
    pub(super) addresses: Vec<SocketAddr>,
    pub(super) descriptor_limit: u64,
    pub(super) readiness: Arc<Readiness>,
    pub(super) postboxes: Vec<Postbox>,
    pub(super) pins: PinBoard,
    pub(super) report: PinReport,
    pub(super) desk: Desk,
    pub(super) sites: Arc<SiteTable>,
    pub(super) profiles: SharedProfiles,
    pub(super) cache: CacheOperator,
    pub(super) disk: Option<RunningDisk>,
    pub(super) library: Arc<Library>,
    library_thread: Option<LibraryThread>,
    pub(super) uploads: Option<RunningUploads>,
    pub(super) access_log: Option<AccessLog>,
    pub(super) admin: Option<AdminServer>,
    workers: Vec<JoinHandle<()>>,
}

impl Fleet {
    /// Brings everything up. `events` hears of each worker's end.
    pub(super) fn launch(
        settings: Settings,
        events: &SyncSender<Event>,
    ) -> Result<Self, LaunchError> {
        let started = clock::mono();
        let (started_at, _) = clock::wall();
        let readiness = Arc::new(Readiness::new());
        let Ground {
            descriptor_limit,
            limits,
            shares,
            plan,
            bound: Bound { addresses, sockets },
        } = Ground::find(&settings.server)?;
        let count = plan.cores.len();

        let stats: Vec<_> = (0..count).map(|_| Arc::new(WorkerStats::new())).collect();
        let (access_log, sinks) = access_log::start(&settings.admin, &stats)?;
        let (postboxes, inboxes) = inboxes(count)?;
        let wake = waker(&postboxes);

        let index = Arc::new(ArcSwap::from_pointee(PinIndex::default()));
        let (pins, report) = start_pins(&settings, &index, &wake, shares.pins_max)?;
        let private = SharedProfiles::start(&settings.profiles);
        let sites = Arc::new(profiles::sites(&SiteTable::default(), &settings));
        // Pins and stored responses share the memory.
        let held = report.totals.memory_bytes;
        let responses = Arc::new(Responses::new(settings.memory.size.0.saturating_sub(held)));
        let disk = start_disk(&settings, &responses)?;
        let stores = stores_of(&responses, disk.as_ref());
        let cache = CacheOperator::new(stores.clone(), Arc::clone(&sites), Arc::clone(&index));
        let known = (&sites, private.shared(), stores);
        let behind = start_backstage(&settings, known, &pins, &postboxes, shares)?;
        let known = (&cache, &private, &behind.library, &responses);
        let uploads = RunningUploads::start(&settings, known, &behind.origins)?;

        let shared = Shared {
            limits,
            pins: index,
            sites: Arc::clone(&sites),
            responses,
            files_max: files_max(shares.roots_max, count),
            orders: behind.desk.orders(),
            crowd: Arc::new(Crowd::default()),
        };
        let admin = api::start(
            &settings.admin,
            Observed {
                workers: stats.clone(),
                wake,
                readiness: Arc::clone(&readiness),
                refusal_names: Reject::ALL.iter().map(|reject| reject.name()).collect(),
                pins: report_reader(pins.shown()),
                cache: cache.clone(),
                library: Some(Arc::clone(&behind.library)),
                fills: behind.fills,
                origins: behind.origins,
                uploads: uploads.as_ref().map(RunningUploads::shared),
                driver: driver_report(&plan),
                access_log: access_log.as_ref().map(AccessLog::counts),
                started,
                started_at,
            },
        )?;
        let mailrooms = sockets.into_iter().zip(inboxes);
        let workers = spawn_workers(&plan, &shared, mailrooms, &stats, sinks, events)?;
        Ok(Self {
            settings,
            plan,
            addresses,
            descriptor_limit,
            readiness,
            postboxes,
            pins,
            report,
            desk: behind.desk,
            sites,
            profiles: private,
            cache,
            disk,
            library: behind.library,
            library_thread: Some(behind.library_thread),
            uploads,
            access_log,
            admin: Some(admin),
            workers,
        })
    }

    /// The limits that fit the descriptors that this process may have.
    pub(super) fn fitting(&self, limits: Limits) -> Limits {
        fit(limits, self.descriptor_limit).0
    }

    /// Settings that differ from those that the server runs with and that a reload can't change.
    pub(super) fn needs_restart(&self, new: &Settings) -> Vec<&'static str> {
        let ServerSettings {
            listen,
            workers,
            driver,
            limits: _,
        } = &self.settings.server;
        [
            (*listen != new.server.listen, "server.listen"),
            (*workers != new.server.workers, "server.workers"),
            (*driver != new.server.driver, "server.driver"),
            (
                self.settings.admin.address != new.admin.address,
                "server.admin",
            ),
            (
                self.settings.admin.token != new.admin.token,
                "server.admin_token",
            ),
            (
                self.settings.admin.access_log != new.admin.access_log,
                "server.access_log",
            ),
            (
                self.settings.admin.format != new.admin.format,
                "server.format",
            ),
            (self.settings.memory != new.memory, "[memory]"),
            (self.settings.disk != new.disk, "[disk]"),
            (self.settings.fill != new.fill, "[fill]"),
            (
                self.settings.library.group != new.library.group,
                "library.group",
            ),
            (
                self.settings.upload.needs_restart(&new.upload),
                "[upload] beside its hosts",
            ),
        ]
        .into_iter()
        .filter_map(|(changed, what)| changed.then_some(what))
        .collect()
    }

    /// Takes down what is left when the workers have gone.
    pub(super) fn land(&mut self) {
        for worker in self.workers.drain(..) {
            if worker.join().is_err() {
                tracing::error!("a worker's thread panicked");
            }
        }
        if let Some(admin) = self.admin.take() {
            admin.stop();
        }
        if let Some(library) = self.library_thread.take() {
            library.stop();
        }
        drop(self.uploads.take());
        if let Some(disk) = self.disk.take() {
            disk.thread.stop();
        }
        if let Some(log) = self.access_log.take()
            && !log.stop(LOG_PATIENCE)
        {
            tracing::warn!("the access log did not take its last lines in time");
        }
    }
}

/// What moves bytes, as it is told.
fn driver_report(plan: &Plan) -> DriverReport {
    DriverReport {
        name: plan.driver.to_string(),
        reason: plan.reason.clone(),
    }
}

/// The disk store while it runs.
#[derive(Debug)]
pub(super) struct RunningDisk {
    pub(super) tier: Arc<DiskTier>,
    /// What was found in its folder.
    pub(super) report: OpenReport,
    thread: DiskThread,
}

/// Where responses are stored.
fn stores_of(responses: &Arc<Responses>, disk: Option<&RunningDisk>) -> Stores {
    Stores {
        responses: Arc::clone(responses),
        disk: disk.map(|disk| Arc::clone(&disk.tier)),
    }
}

/// Opens the disk store, where the config has one.
fn start_disk(
    settings: &Settings,
    responses: &Arc<Responses>,
) -> Result<Option<RunningDisk>, LaunchError> {
    let Some(settings_of_disk) = &settings.disk else {
        return Ok(None);
    };
    let (disk, report) = Disk::open(settings_of_disk.into())
        .map_err(|error| LaunchError::Disk(settings_of_disk.path.clone(), error))?;
    let memory_max = settings.memory.max_object.in_memory();
    let (tier, thread) = DiskTier::start(disk, Arc::clone(responses), memory_max)
        .map_err(|error| LaunchError::System("start the disk store's thread", error))?;
    Ok(Some(RunningDisk {
        tier,
        report,
        thread,
    }))
}

/// Pins what is configured, and tells what came of it.
fn start_pins(
    settings: &Settings,
    index: &Arc<ArcSwap<PinIndex>>,
    wake: &Arc<dyn Fn() + Send + Sync>,
    descriptors_max: u64,
) -> Result<(PinBoard, PinReport), LaunchError> {
    let pins = PinBoard::start(BoardSettings {
        rules: settings.pins.clone(),
        budgets: Budgets {
            memory: Budget::new(settings.memory.size.0),
            descriptors: Budget::new(descriptors_max),
        },
        index: Arc::clone(index),
        wake: Arc::clone(wake),
    })
    .map_err(|error| LaunchError::System("start the pin board", error))?;
    let report = pins
        .report()
        .map_err(|stopped| LaunchError::System("read what is pinned", io::Error::other(stopped)))?;
    Ok((pins, report))
}

/// A postbox and an inbox for each worker.
fn inboxes(count: usize) -> Result<(Vec<Postbox>, Vec<Inbox>), LaunchError> {
    let made: io::Result<Vec<_>> = (0..count).map(|_| Inbox::new()).collect();
    let made = made.map_err(|error| LaunchError::System("make a wake-up", error))?;
    Ok(made.into_iter().unzip())
}

/// Starts the workers, each with its sockets, inbox, counters and log.
fn spawn_workers(
    plan: &Plan,
    shared: &Shared,
    mailrooms: impl Iterator<Item = (Vec<OwnedFd>, Inbox)>,
    stats: &[Arc<WorkerStats>],
    sinks: Vec<AccessSink>,
    events: &SyncSender<Event>,
) -> Result<Vec<JoinHandle<()>>, LaunchError> {
    let mut workers = Vec::new();
    let owned = (0_u16..)
        .zip(mailrooms)
        .zip(stats)
        .zip(sinks)
        .zip(&plan.cores);
    for ((((number, (listeners, inbox)), stats), log), core) in owned {
        let own = Own {
            id: WorkerId(number),
            core: *core,
            listeners,
            stats: Arc::clone(stats),
            log,
            inbox,
        };
        workers.push(start::spawn(plan.driver, shared, own, events.clone())?);
    }
    Ok(workers)
}

fn waker(postboxes: &[Postbox]) -> Arc<dyn Fn() + Send + Sync> {
    let postboxes = postboxes.to_vec();
    Arc::new(move || postboxes.iter().for_each(Postbox::wake))
}

/// What the admin API asks for the state of the pins.
fn report_reader(shown: &Arc<ArcSwap<PinReport>>) -> Arc<dyn Fn() -> Arc<PinReport> + Send + Sync> {
    let shown = Arc::clone(shown);
    Arc::new(move || shown.load_full())
}
