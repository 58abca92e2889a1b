//! The fill desk: takes the workers' orders and answers each of them once.
//!
//! One thread, "fill", runs a runtime of its own. Files are found by a few blocking threads, cold ranges are read by the
//! ring, origins are asked by the keeper: none waits for another. Orders come through a bounded queue (a worker whose order does not fit answers 503
//! itself), and no more than [`ORDERS_MAX`] are under way; the rest waits in the queue.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

use super::delivery::{Delivery, Round};
use super::files::{Files, Resolved};
use super::keeper::{Keeper, KeeperSettings};
use super::origin::{Origin, OriginCounts};
use super::origins::{OriginSites, Origins};
use super::pins::Wake;
use super::profile::Profiles;
use super::task_pool::TaskPool;
use super::warm::Reader;
use crate::cache::order::{Fetch, Filled, Job, Order, Outcome, Ticket};
use crate::index::sites::SiteRule;
use crate::store::Object;
use crate::store::pinned::Loader;
use crate::store::pinned::load::Budgets;
use crate::sys::{clock, cpu};
use crate::units::{MonoNanos, SiteId, Waiter, WorkerId};

/// Most orders that wait.
pub const QUEUE_MAX: usize = 4096;

/// Most orders under way.
pub const ORDERS_MAX: usize = 1024;

/// How far the thread, and those that block for it, give way to a worker on their core: hits go before misses.
const GIVES_WAY_BY: i32 = 5;

/// Most files that are looked for at once; each takes a thread.
const RESOLVES_MAX: usize = 4;

/// Most ranges that are read at once.
const WARMS_MAX: usize = 32;

/// Most requests that wait for an origin at once, those that wait for another's answer included.
pub const FETCHES_MAX: usize = 16_384;

/// Most orders that wait for room; the places of the others are left to orders that can be worked on.
const ROOM_WAITS_MAX: usize = ORDERS_MAX / 4;

/// How long a file that found no room waits for its second try: a worker lets go of what is too old within a tick of its
/// own (100 ms).
const ROOM_WAIT: Duration = Duration::from_millis(150);

/// Most errands that wait to be taken up.
const ERRANDS_MAX: usize = 4;

/// What is worked on among the orders, on the thread that fills them: it gives orders and has them answered without waking another
/// thread. It never blocks.
pub type Errand = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What the desk starts with.
pub struct DeskSettings {
    /// The sites.
    pub sites: Vec<(SiteId, SiteRule)>,
    /// What origins' responses are kept and answered with.
    pub keeper: KeeperSettings,
    /// The pin board's loader, whose thread answers for all guards.
    pub loader: Arc<Loader>,
    /// What files below roots may take; their descriptors are not those of pins.
    pub budgets: Budgets,
    /// Takes answers to workers.
    pub delivery: Arc<dyn Delivery>,
    /// Called when somebody waits to write to a file: workers must let go of revoked entries.
    pub wake: Wake,
    /// What the origins' clients count in, all together.
    pub origin_counts: Arc<OriginCounts>,
    /// See [`KeeperSettings::patience`].
    pub patience: watch::Sender<Duration>,
    /// The credentials that origins are asked with; swapped at a reload, before the sites.
    pub profiles: Arc<ArcSwap<Profiles>>,
}

/// The fill desk's thread.
#[derive(Debug)]
pub struct Desk {
    orders: mpsc::Sender<Order>,
    errands: mpsc::Sender<Errand>,
    files: Arc<ArcSwap<Files>>,
    sites: Arc<ArcSwap<OriginSites>>,
    loader: Arc<Loader>,
    budgets: Budgets,
    patience: watch::Sender<Duration>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Desk {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the thread or its runtime can't be made.
    pub fn start(settings: DeskSettings) -> io::Result<Self> {
        let sites = Arc::new(ArcSwap::from_pointee(origins_of(&settings.sites)));
        let files = Arc::new(ArcSwap::from_pointee(Files::new(
            settings.sites,
            Arc::clone(&settings.loader),
            settings.budgets.clone(),
        )));
        drop_revoked_for(&files, &settings.loader, settings.wake);
        let (orders, queue) = mpsc::channel(QUEUE_MAX);
        let (errands, ordered) = mpsc::channel(ERRANDS_MAX);
        let (stop, stopped) = oneshot::channel();
        let (ready_sender, ready) = std::sync::mpsc::sync_channel(1);
        let counted_files = Arc::clone(&files);
        let (keeper, delivery) = (settings.keeper, settings.delivery);
        let origin_sites = Arc::clone(&sites);
        let origin_counts = settings.origin_counts;
        let profiles = settings.profiles;
        let thread = std::thread::Builder::new()
            .name("fill".to_owned())
            .spawn(move || {
                cpu::give_way(GIVES_WAY_BY);
                match Reader::start() {
                    Ok((runtime, reader)) => {
                        ready_sender.send(Ok(())).ok();
                        let round = Round::new(delivery);
                        let kitchen = Kitchen {
                            counter: Counter {
                                files: counted_files,
                                round: Rc::clone(&round),
                                resolves: Arc::new(Semaphore::new(RESOLVES_MAX)),
                                warms: Arc::new(Semaphore::new(WARMS_MAX)),
                                room_waits: Arc::new(Semaphore::new(ROOM_WAITS_MAX)),
                            },
                            reader,
                            keeper: Keeper::new(keeper, round),
                            origins: Origins::new(origin_sites, profiles, origin_counts),
                            fetches: Arc::new(Semaphore::new(FETCHES_MAX)),
                            fetching: TaskPool::new(),
                        };
                        runtime.block_on(serve((queue, ordered), stopped, kitchen));
                    }
                    Err(error) => {
                        ready_sender.send(Err(error)).ok();
                    }
                }
            })?;
        ready.recv().map_err(io::Error::other)??;
        Ok(Self {
            orders,
            errands,
            files,
            sites,
            loader: settings.loader,
            budgets: settings.budgets,
            patience: settings.patience,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Where workers put orders, by `try_send`.
    #[must_use]
    pub fn orders(&self) -> mpsc::Sender<Order> {
        self.orders.clone()
    }

    /// Has readers of outgrown bodies wait so long for slower ones from now on.
    pub fn set_patience(&self, patience: Duration) {
        self.patience.send_replace(patience);
    }

    /// Has an errand run, from now on until its end or the desk's. False where too many wait to be taken up.
    pub fn run(&self, errand: Errand) -> bool {
        self.errands.try_send(errand).is_ok()
    }

    /// Serves other sites from now on. Their ids must be new ones (`SiteTable::following`): an order under way for a
    /// site that is gone is answered with `Unavailable`, never with another site's file.
    pub fn set_sites(&self, sites: Vec<(SiteId, SiteRule)>) {
        self.sites.store(Arc::new(origins_of(&sites)));
        let files = Files::new(sites, Arc::clone(&self.loader), self.budgets.clone());
        self.files.store(Arc::new(files));
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // Fails where the thread has ended already.
            stop.send(()).ok();
        }
        if let Some(thread) = self.thread.take() {
            // A panic there has been told on its own.
            thread.join().ok();
        }
    }
}

/// Lets go of files that somebody waits to write to. Held weakly: the guards outlive the desk.
fn drop_revoked_for(files: &Arc<ArcSwap<Files>>, loader: &Loader, wake: Wake) {
    let files: Weak<ArcSwap<Files>> = Arc::downgrade(files);
    loader.guards().on_revoked(Arc::new(move || {
        if let Some(files) = files.upgrade() {
            files.load().drop_revoked();
            wake();
        }
    }));
}

/// What every order is worked on with.
#[derive(Clone)]
struct Counter {
    files: Arc<ArcSwap<Files>>,
    round: Rc<Round>,
    resolves: Arc<Semaphore>,
    warms: Arc<Semaphore>,
    room_waits: Arc<Semaphore>,
}

/// What the thread works with.
struct Kitchen {
    counter: Counter,
    reader: Reader,
    keeper: Rc<Keeper>,
    origins: Origins,
    fetches: Arc<Semaphore>,
    fetching: Rc<TaskPool<Fetching>>,
}

/// A request that the keeper answers.
struct Fetching {
    keeper: Rc<Keeper>,
    round: Rc<Round>,
    fetch: Box<Fetch>,
    origin: Option<Rc<Origin>>,
    asker: (WorkerId, Ticket),
    _place: OwnedSemaphorePermit,
}

impl Fetching {
    async fn answer(self) {
        let outcome = self.keeper.answer(self.fetch, self.origin).await;
        tell(&self.round, self.asker, outcome);
    }
}

/// Takes an answer to who asked.
fn tell(round: &Round, (worker, ticket): (WorkerId, Ticket), outcome: Outcome) {
    let filled = Filled {
        ticket,
        outcome,
        checked_at: clock::mono(),
    };
    round.deliver(worker, filled);
}

impl Kitchen {
    /// Has a request answered by the keeper. It takes no place of the other orders: origins are slower than disks.
    fn fetch(&self, (worker, ticket): (WorkerId, Ticket), mut fetch: Box<Fetch>) {
        fetch.asker = (!fetch.is_refresh).then_some(Waiter { worker, ticket });
        let round = &self.counter.round;
        let Ok(place) = Arc::clone(&self.fetches).try_acquire_owned() else {
            tell(round, (worker, ticket), self.keeper.refuse(&fetch));
            return;
        };
        let origin = match &fetch.foreign {
            Some(rule) => self.origins.foreign(rule),
            None => self.origins.of(fetch.site),
        };
        let fetching = Fetching {
            keeper: Rc::clone(&self.keeper),
            round: Rc::clone(round),
            fetch,
            origin,
            asker: (worker, ticket),
            _place: place,
        };
        self.fetching.give(fetching, Fetching::answer);
    }
}

fn origins_of(sites: &[(SiteId, SiteRule)]) -> OriginSites {
    let origins = sites.iter();
    origins
        .filter_map(|(id, rule)| Some((*id, rule.origin.clone()?)))
        .collect()
}

async fn serve(
    (mut queue, mut errands): (mpsc::Receiver<Order>, mpsc::Receiver<Errand>),
    mut stopped: oneshot::Receiver<()>,
    kitchen: Kitchen,
) {
    let room = Arc::new(Semaphore::new(ORDERS_MAX));
    drop(tokio::task::spawn_local(
        Rc::clone(&kitchen.counter.round).run(),
    ));
    drop(tokio::task::spawn_local(async move {
        while let Some(errand) = errands.recv().await {
            drop(tokio::task::spawn_local(errand));
        }
    }));
    loop {
        let next = async {
            // Neither the queue nor the semaphore is ever closed while the desk lives.
            let place = Arc::clone(&room).acquire_owned().await.ok()?;
            Some((queue.recv().await?, place))
        };
        let (order, place) = tokio::select! {
            taken = next => match taken {
                Some(taken) => taken,
                None => return,
            },
            _ = &mut stopped => return,
        };
        let Order {
            worker,
            ticket,
            job,
        } = order;
        let job = match job {
            Job::Fetch(fetch) => {
                kitchen.fetch((worker, ticket), fetch);
                continue;
            }
            Job::Resolve { site, path } => LocalJob::Resolve(site, path),
            Job::Warm {
                object,
                offset,
                length,
            } => LocalJob::Warm(object, offset, length),
        };
        let counter = kitchen.counter.clone();
        let reader = kitchen.reader;
        let keeper = Rc::clone(&kitchen.keeper);
        drop(tokio::task::spawn_local(async move {
            counter.work((worker, ticket), job, reader, &keeper).await;
            drop(place);
        }));
    }
}

/// An order about local files.
enum LocalJob {
    Resolve(SiteId, Box<[u8]>),
    Warm(Arc<Object>, u64, u64),
}

impl Counter {
    async fn work(
        self,
        (worker, ticket): (WorkerId, Ticket),
        job: LocalJob,
        reader: Reader,
        keeper: &Keeper,
    ) {
        let (outcome, checked_at) = match job {
            LocalJob::Resolve(site, path) => self.resolve(site, path).await,
            LocalJob::Warm(object, offset, length) => match self.warms.acquire().await {
                Ok(_turn) => {
                    let outcome = reader.warm(Arc::clone(&object), offset, length).await;
                    if matches!(outcome, Outcome::Cold) {
                        // Before its reader is told, who comes back at once.
                        keeper.lose(&object).await;
                    }
                    (outcome, clock::mono())
                }
                Err(_) => (Outcome::Cold, clock::mono()),
            },
        };
        let filled = Filled {
            ticket,
            outcome,
            checked_at,
        };
        self.round.deliver(worker, filled);
    }

    /// Finds the file. Where there is no room for it, tries once more when the workers have let go of what they remember;
    /// that wait takes no turn from other orders.
    async fn resolve(&self, site: SiteId, path: Box<[u8]>) -> (Outcome, MonoNanos) {
        let path: Arc<[u8]> = path.into();
        if let Resolved::Answer(outcome, checked_at) = self.find(site, Arc::clone(&path)).await {
            return (outcome, checked_at);
        }
        let Ok(_place) = self.room_waits.try_acquire() else {
            return (Outcome::Unavailable, clock::mono());
        };
        tokio::time::sleep(ROOM_WAIT).await;
        match self.find(site, path).await {
            Resolved::Answer(outcome, checked_at) => (outcome, checked_at),
            Resolved::NoRoom => (Outcome::Unavailable, clock::mono()),
        }
    }

    async fn find(&self, site: SiteId, path: Arc<[u8]>) -> Resolved {
        let unavailable = || Resolved::Answer(Outcome::Unavailable, clock::mono());
        let Ok(_turn) = self.resolves.acquire().await else {
            return unavailable();
        };
        let files = self.files.load_full();
        let find = move || files.resolve(site, &path, clock::mono());
        tokio::task::spawn_blocking(find)
            .await
            .unwrap_or_else(|_| unavailable())
    }
}

#[cfg(test)]
#[path = "desk_tests.rs"]
mod tests;
