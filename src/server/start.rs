//! Brings the workers up: how many, on which cores, by which driver, behind which sockets.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::mpsc::Sender;

use super::crowd::Crowd;
use super::inbox::Inbox;
use super::settings::{DriverChoice, Limits, ServerSettings};
use super::worker::{Parts, Worker};
use super::{epoll, ring};
use crate::cache::FrontDesk;
use crate::cache::order::Order;
use crate::index::pins::PinIndex;
use crate::index::responses::Responses;
use crate::index::sites::SiteTable;
use crate::stats::{AccessSink, WorkerStats};
use crate::sys::{cpu, probe, socket};
use crate::units::WorkerId;

/// How long a worker's turns on its core are: shorter than those of the threads that fill, so that it interrupts them when
/// something comes.
const TURN: Duration = Duration::from_micros(300);

/// The driver that was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Driver {
    /// io_uring.
    IoUring,
    /// epoll.
    Epoll,
}

impl fmt::Display for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::IoUring => "io_uring",
            Self::Epoll => "epoll",
        })
    }
}

/// Why the workers can't start.
#[derive(Debug)]
pub enum StartError {
    /// A listener's address can't be had.
    Listen(SocketAddr, io::Error),
    /// io_uring was asked for and can't be had.
    Ring(probe::RingMissing),
    /// The system refused something that every worker needs.
    System(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen(address, error) => match error.kind() {
                io::ErrorKind::AddrInUse => write!(
                    f,
                    "cannot listen on {address}: another program does; stop it or change server.listen"
                ),
                io::ErrorKind::PermissionDenied => write!(
                    f,
                    "cannot listen on {address}: not permitted; ports below 1024 need CAP_NET_BIND_SERVICE"
                ),
                _ => write!(f, "cannot listen on {address}: {error}"),
            },
            Self::Ring(missing) => write!(
                f,
                "server.driver is \"io_uring\", but {missing}; set it to \"auto\" or \"epoll\""
            ),
            Self::System(error) => write!(f, "cannot start the workers: {error}"),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Listen(_, error) | Self::System(error) => Some(error),
            Self::Ring(missing) => Some(missing),
        }
    }
}

/// How the workers will run.
#[derive(Debug)]
pub struct Plan {
    /// The driver.
    pub driver: Driver,
    /// Why that one.
    pub reason: String,
    /// Each worker's core; none where there are more workers than cores.
    pub cores: Vec<Option<usize>>,
}

/// Chooses the driver and the cores.
///
/// # Errors
///
/// io_uring was asked for and does not work here.
pub fn plan(settings: &ServerSettings) -> Result<Plan, StartError> {
    let (driver, reason) = match settings.driver {
        DriverChoice::Epoll => (Driver::Epoll, "asked for by server.driver".to_owned()),
        DriverChoice::IoUring => {
            probe::ring().map_err(StartError::Ring)?;
            (Driver::IoUring, "asked for by server.driver".to_owned())
        }
        DriverChoice::Auto => match probe::ring() {
            Ok(()) => (Driver::IoUring, "the probe found it working".to_owned()),
            Err(missing) => (Driver::Epoll, missing.to_string()),
        },
    };
    let allowed = cpu::allowed().unwrap_or_default();
    let count = match settings.workers {
        0 => cpu::budget(),
        count => count,
    };
    let cores = (0..count)
        .map(|worker| {
            allowed
                .get(worker)
                .copied()
                .filter(|_| count <= allowed.len())
        })
        .collect();
    Ok(Plan {
        driver,
        reason,
        cores,
    })
}

/// The listeners of all workers.
#[derive(Debug)]
pub struct Bound {
    /// The addresses, with the port that the kernel chose where 0 was asked for.
    pub addresses: Vec<SocketAddr>,
    /// One list of sockets for each worker.
    pub sockets: Vec<Vec<OwnedFd>>,
}

/// Binds every address once for each worker.
///
/// # Errors
///
/// An address can't be had.
pub fn bind(listen: &[SocketAddr], workers: usize) -> Result<Bound, StartError> {
    let mut bound = Bound {
        addresses: Vec::new(),
        sockets: (0..workers).map(|_| Vec::new()).collect(),
    };
    for address in listen {
        let failed = |error| StartError::Listen(*address, error);
        let mut actual = *address;
        if address.port() != 0 {
            socket::claim(*address).map_err(failed)?;
        }
        for sockets in &mut bound.sockets {
            let listener = socket::listen(actual).map_err(failed)?;
            actual = socket::local_address(&listener).map_err(failed)?;
            sockets.push(listener);
        }
        bound.addresses.push(actual);
    }
    Ok(bound)
}

/// What all workers share.
#[derive(Debug)]
pub struct Shared {
    /// Limits and deadlines.
    pub limits: Limits,
    /// The pins.
    pub pins: Arc<ArcSwap<PinIndex>>,
    /// The sites.
    pub sites: Arc<SiteTable>,
    /// What is stored of origins' responses.
    pub responses: Arc<Responses>,
    /// Most files below roots that one worker remembers.
    pub files_max: usize,
    /// Where orders go.
    pub orders: Sender<Order>,
    /// Client connections of all workers.
    pub crowd: Arc<Crowd>,
}

/// What one worker gets of its own.
#[derive(Debug)]
pub struct Own {
    /// Its number.
    pub id: WorkerId,
    /// Its core.
    pub core: Option<usize>,
    /// Its listeners.
    pub listeners: Vec<OwnedFd>,
    /// Its counters.
    pub stats: Arc<WorkerStats>,
    /// Its end of the access log.
    pub log: AccessSink,
    /// What other threads tell it.
    pub inbox: Inbox,
}

/// A worker has gone: after a drain, or because it could not go on.
#[derive(Debug)]
pub struct Gone {
    /// Which.
    pub id: WorkerId,
    /// How.
    pub result: io::Result<()>,
}

/// Starts a worker's thread; `gone` is told when it ends.
///
/// # Errors
///
/// The system has no room for another thread.
pub fn spawn<E: From<Gone> + Send + 'static>(
    driver: Driver,
    shared: &Shared,
    own: Own,
    gone: SyncSender<E>,
) -> Result<JoinHandle<()>, StartError> {
    let pins = Arc::clone(&shared.pins);
    let sites = Arc::clone(&shared.sites);
    let limits = shared.limits;
    let responses = Arc::clone(&shared.responses);
    let files_max = shared.files_max;
    let orders = shared.orders.clone();
    let crowd = Arc::clone(&shared.crowd);
    let name = format!("worker-{}", own.id.0);
    let body = move || {
        let Own {
            id,
            core,
            listeners,
            stats,
            log,
            inbox,
        } = own;
        if let Some(core) = core
            && let Err(error) = cpu::bind(core)
        {
            tracing::warn!("worker {} is not bound to core {core}: {error}", id.0);
        }
        cpu::take_short_turns(TURN);
        let desk = FrontDesk::new(pins, sites, responses, files_max);
        let parts = Parts {
            id,
            limits,
            desk,
            stats,
            log,
            inbox,
            orders,
            crowd,
        };
        let mut worker = Worker::new(parts);
        let result = match driver {
            Driver::IoUring => ring::run(&mut worker, listeners),
            Driver::Epoll => epoll::run(&mut worker, listeners),
        };
        drop(worker);
        if gone.send(Gone { id, result }.into()).is_err() {
            tracing::debug!("nobody waits for worker {} any more", id.0);
        }
    };
    thread::Builder::new()
        .name(name)
        .spawn(body)
        .map_err(StartError::System)
}
