//! The connections to one URL: how many there are, which are idle, and who waits for one.
//!
//! A request takes a place first, and only then a connection: the idle one that was used last, or a new one where none is
//! idle. So places and idle connections together are never more than `connections_max`. A connection that is being
//! closed may outlive its place by a turn of the runtime.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::address::Addresses;
use super::connection::{Connection, Freshness};
use super::counts::OriginCounts;
use super::fault::OriginFault;
use super::settings::{OriginSettings, OriginUrl};
use super::upload::UploadSource;
use super::watch::Watch;
use super::wire::Account;
use crate::sys::clock;
use crate::units::MonoNanos;

/// How often idle connections are looked through for those that the origin has closed.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How long ago a connection was used at most that carries a request which can't be sent twice. Servers keep idle connections for
/// longer than this.
const JUST_USED: Duration = Duration::from_secs(1);

/// The connections to one URL.
pub(super) struct Pool {
    pub(super) url: OriginUrl,
    pub(super) settings: Rc<OriginSettings>,
    pub(super) counts: Arc<OriginCounts>,
    addresses: Addresses,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    places: Arc<Semaphore>,
    waiting: Cell<usize>,
    /// The one used last is at the back.
    idle: RefCell<VecDeque<Idle>>,
    is_reaping: Cell<bool>,
    failures: Cell<u32>,
    skipped_until: Cell<Option<MonoNanos>>,
    answered_at: Cell<Option<MonoNanos>>,
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pool({})", self.url)
    }
}

#[derive(Debug)]
struct Idle {
    connection: Connection,
    since: MonoNanos,
}

/// The right to one connection.
#[derive(Debug)]
pub(super) struct Place {
    pool: Rc<Pool>,
    _permit: OwnedSemaphorePermit,
}

impl Place {
    pub(super) fn settings(&self) -> &Rc<OriginSettings> {
        &self.pool.settings
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.pool.counts.leave_place();
    }
}

impl Pool {
    pub(super) fn new(
        url: OriginUrl,
        tls: Option<(TlsConnector, ServerName<'static>)>,
        settings: Rc<OriginSettings>,
        counts: Arc<OriginCounts>,
    ) -> Rc<Self> {
        let places = settings.connections_max.clamp(1, Semaphore::MAX_PERMITS);
        Rc::new(Self {
            addresses: Addresses::of(&url, settings.public_only),
            url,
            settings,
            counts,
            tls,
            places: Arc::new(Semaphore::new(places)),
            waiting: Cell::new(0),
            idle: RefCell::default(),
            is_reaping: Cell::new(false),
            failures: Cell::new(0),
            skipped_until: Cell::new(None),
            answered_at: Cell::new(None),
        })
    }

    /// Waits for a place, no longer than a connection may take.
    ///
    /// # Errors
    /// `Busy` where too many wait, or none became free in time.
    pub(super) async fn place(self: &Rc<Self>) -> Result<Place, OriginFault> {
        let permit = match Arc::clone(&self.places).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                let _wait = Wait::begin(self).ok_or(OriginFault::Busy)?;
                self.counts.waited();
                let freed = Arc::clone(&self.places).acquire_owned();
                match timeout(self.settings.connect_timeout, freed).await {
                    Ok(Ok(permit)) => permit,
                    Ok(Err(_)) | Err(_) => return Err(OriginFault::Busy),
                }
            }
        };
        self.counts.take_place();
        Ok(Place {
            pool: Rc::clone(self),
            _permit: permit,
        })
    }

    /// The idle connection that was used last and is still good.
    pub(super) fn take_idle(&self) -> Option<Connection> {
        loop {
            let idle = self.idle.borrow_mut().pop_back()?;
            self.counts.unpark(1);
            if clock::mono().since(idle.since) >= self.settings.idle_timeout {
                continue;
            }
            match idle.connection.freshness() {
                Freshness::Fresh => return Some(idle.connection),
                Freshness::Closed => self.counts.stale(),
                Freshness::OverLong => self.counts.fault(OriginFault::OverLong),
            }
        }
    }

    /// As [`take_idle`](Self::take_idle), but one that was used a moment ago only. Where that leaves others idle, the oldest of them make
    /// room for a new one.
    pub(super) fn take_just_used(&self) -> Option<Connection> {
        let now = clock::mono();
        let was_just_used = |idle: &Idle| now.since(idle.since) < JUST_USED;
        if self.idle.borrow().back().is_some_and(was_just_used) {
            return self.take_idle();
        }
        let mut idle = self.idle.borrow_mut();
        while idle.len() > self.places.available_permits() && idle.pop_front().is_some() {
            self.counts.unpark(1);
        }
        None
    }

    /// A new connection, by `deadline` or in the time that one may take.
    pub(super) async fn connect(
        &self,
        deadline: Option<MonoNanos>,
    ) -> Result<Connection, OriginFault> {
        let own = clock::mono().after(self.settings.connect_timeout);
        let by = deadline.map_or(own, |deadline| deadline.min(own));
        let opening = Connection::open(
            &self.addresses,
            self.tls.as_ref(),
            self.settings.head_max,
            by,
        );
        let opened = opening.await;
        match opened {
            Ok(_) => self.counts.connected(),
            Err(_) => self.counts.connect_failed(),
        }
        opened
    }

    fn park(self: &Rc<Self>, connection: Connection) {
        if self.settings.idle_max == 0 {
            return;
        }
        let since = clock::mono();
        let mut idle = self.idle.borrow_mut();
        if idle.len() >= self.settings.idle_max && idle.pop_front().is_some() {
            self.counts.unpark(1);
        }
        idle.push_back(Idle { connection, since });
        self.counts.park();
        if !self.is_reaping.replace(true) {
            drop(tokio::task::spawn_local(reap(Rc::downgrade(self))));
        }
    }

    /// Closes what has been idle for too long or was closed by the origin; the time at which to look again, none where nothing
    /// is idle.
    fn close_old(&self) -> Option<MonoNanos> {
        let now = clock::mono();
        let mut idle = self.idle.borrow_mut();
        let before = idle.len();
        idle.retain(|idle| {
            now.since(idle.since) < self.settings.idle_timeout
                && !idle.connection.sender.is_closed()
        });
        self.counts.unpark(before - idle.len());
        let next = idle.front().map(|idle| {
            let end = idle.since.after(self.settings.idle_timeout);
            end.min(now.after(LOOK_EVERY))
        });
        self.is_reaping.set(next.is_some());
        next
    }

    /// Whether the URL failed so often a moment ago that another one is asked first.
    pub(super) fn is_skipped(&self) -> bool {
        let until = self.skipped_until.get();
        until.is_some_and(|until| clock::mono() < until)
    }

    /// Whether an answer has come since `then`.
    pub(super) fn has_answered_since(&self, then: MonoNanos) -> bool {
        self.answered_at.get().is_some_and(|at| at >= then)
    }

    pub(super) fn note_success(&self) {
        self.answered_at.set(Some(clock::mono()));
        self.failures.set(0);
        self.skipped_until.set(None);
    }

    pub(super) fn note_failure(&self) {
        self.failures.set(self.failures.get().saturating_add(1));
        if self.failures.get() >= self.settings.failures_max {
            let until = clock::mono().after(self.settings.skip_for);
            self.skipped_until.set(Some(until));
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.counts.unpark(self.idle.get_mut().len());
    }
}

/// Closes idle connections in time, as long as there are any.
async fn reap(pool: Weak<Pool>) {
    let mut watch = Watch::new();
    while let Some(next) = pool.upgrade().and_then(|pool| pool.close_old()) {
        std::future::poll_fn(|cx| watch.poll(cx, next)).await;
    }
}

/// A request that waits for a place.
struct Wait<'p>(&'p Pool);

impl<'p> Wait<'p> {
    fn begin(pool: &'p Pool) -> Option<Self> {
        let waiting = pool.waiting.get();
        (waiting < pool.settings.waits_max).then(|| {
            pool.waiting.set(waiting + 1);
            Self(pool)
        })
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        self.0.waiting.set(self.0.waiting.get() - 1);
    }
}

/// A connection on which a response comes, with its place.
#[derive(Debug)]
pub(super) struct Carrier {
    connection: Connection,
    place: Place,
    upload: Option<Rc<UploadSource>>,
    persists: bool,
}

impl Carrier {
    pub(super) fn new(
        connection: Connection,
        place: Place,
        upload: Option<Rc<UploadSource>>,
        persists: bool,
    ) -> Self {
        Self {
            connection,
            place,
            upload,
            persists,
        }
    }

    pub(super) fn account(&self) -> &Account {
        &self.connection.account
    }

    pub(super) fn watch(&mut self) -> &mut Watch {
        &mut self.connection.watch
    }

    pub(super) fn is_given_up_by_the_client(&self) -> bool {
        self.upload
            .as_ref()
            .is_some_and(|upload| upload.is_given_up())
    }

    /// The response is whole: the connection is kept for the next request, unless it is of no more use.
    pub(super) fn give_back(self) {
        let Self {
            connection,
            place,
            upload,
            persists,
        } = self;
        let is_sent = upload.is_none_or(|upload| upload.is_ended());
        if !persists || !is_sent {
            return;
        }
        if connection.is_over_long() {
            place.pool.counts.fault(OriginFault::OverLong);
        } else if !connection.sender.is_closed() {
            place.pool.park(connection);
        }
    }

    /// The response will never be whole.
    pub(super) fn give_up(self, fault: OriginFault) {
        self.place.pool.counts.fault(fault);
    }
}
