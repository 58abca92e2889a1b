//! The disk store as a tier of the cache: responses as the store's objects, and objects as responses.
//!
//! ```text
//!   keeper ── load ──▶ blocking thread ──▶ find, verify, read ──▶ Loaded
//!     │  ├─── begin ─▶ blocking thread ──▶ a writer of a body that is too large for memory
//!     │  └─── save, update ──▶ queue ──▶ thread "disk" ──▶ objects that are in memory already
//!     └────── invalidate ───▶ blocking thread ──▶ marks
//! ```
//!
//! **Purges** are never outrun. Who purges does so in memory first, then here, then in memory again. What is written is asked for below the
//! store's own lock whether memory knows of a purge since its fill began; so it is either refused, or there in time for the
//! purge to find it. What is loaded enters memory with the epoch of before the look-up, so that the second purge there
//! finds it, or refuses it.

mod counts;
mod loaded;
mod queue;
mod removed;
mod residents;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::Semaphore;

pub use self::counts::{TIER_FAMILIES, TierCount, TierCounts};
pub(in crate::fill) use self::loaded::{Loaded, LoadedBody, StoredBlocks};
use self::queue::{JOBS_MAX, Job, Porter};
pub use self::removed::Removed;
pub use self::residents::Gone;
use self::residents::InMemory;
use crate::http::fields::{FieldLines, Fields};
use crate::http::mime;
use crate::index::cached::Epoch;
use crate::index::record;
use crate::index::response::Response;
use crate::index::responses::Responses;
use crate::policy::key;
use crate::policy::stored::Mark;
use crate::store::body_fault::BodyFault;
use crate::store::disk::{
    BodyFile, Disk, DiskError, Extension, Health, Label, MayPublish, ObjectId, Selection, Why,
    Writer,
};

/// Most KiB of responses that wait to be written.
const WAITING_KIB_MAX: u32 = 64 << 10;
/// How long a miss waits for room among them: it comes no faster than the disk, as long as that is fast.
const WAITS_FOR_ROOM: Duration = Duration::from_millis(100);

/// Most look-ups at once; each takes a thread that may wait for the device.
const LOADS_MAX: usize = 16;

/// The tier; shared by the keeper, the porter and the operator.
pub struct DiskTier {
    disk: Arc<Disk>,
    jobs: SyncSender<Job>,
    /// What may wait to be written, in KiB.
    waiting: Arc<Semaphore>,
    loads: Semaphore,
    memory_max: u64,
    counts: Arc<TierCounts>,
    missed: Arc<AtomicBool>,
    told_of_gone: Arc<OnceLock<Gone>>,
}

/// The thread that writes; to be stopped before the process ends, so that nothing is lost.
#[derive(Debug)]
pub struct DiskThread {
    tier: Arc<DiskTier>,
    thread: JoinHandle<()>,
}

impl std::fmt::Debug for DiskTier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DiskTier")
            .field("disk", &self.disk)
            .finish_non_exhaustive()
    }
}

impl DiskTier {
    /// Starts the tier over `disk`. Bodies of up to `memory_max` bytes are read into memory where they may be there.
    ///
    /// # Errors
    /// When its thread can't be made.
    pub fn start(
        disk: Disk,
        responses: Arc<Responses>,
        memory_max: usize,
    ) -> std::io::Result<(Arc<Self>, DiskThread)> {
        let disk = Arc::new(disk);
        let told_of_gone = Arc::<OnceLock<Gone>>::default();
        disk.set_residents(Arc::new(InMemory {
            responses: Arc::clone(&responses),
            told: Arc::clone(&told_of_gone),
        }));
        let (jobs, queue) = sync_channel(JOBS_MAX);
        let counts = Arc::<TierCounts>::default();
        let missed = Arc::<AtomicBool>::default();
        let porter = Porter {
            disk: Arc::clone(&disk),
            responses,
            counts: Arc::clone(&counts),
            missed: Arc::clone(&missed),
        };
        let thread = std::thread::Builder::new()
            .name("disk".to_owned())
            .spawn(move || porter.work(&queue))?;
        let tier = Arc::new(Self {
            disk,
            jobs,
            waiting: Arc::new(Semaphore::new(WAITING_KIB_MAX as usize)),
            loads: Semaphore::new(LOADS_MAX),
            memory_max: memory_max as u64,
            counts,
            missed,
            told_of_gone,
        });
        let stopped = DiskThread {
            tier: Arc::clone(&tier),
            thread,
        };
        Ok((tier, stopped))
    }

    /// Has `told` called with each object that is taken out of the store from now on; only the first call counts.
    pub fn tell_of_gone(&self, told: Gone) {
        self.told_of_gone.get_or_init(|| told);
    }

    /// The store.
    #[must_use]
    pub fn disk(&self) -> &Disk {
        &self.disk
    }

    /// What it has done.
    #[must_use]
    pub fn counts(&self) -> &TierCounts {
        &self.counts
    }

    /// Whether the store works, and has nothing that it should not have any more.
    pub(in crate::fill) fn works(&self) -> bool {
        self.disk.health() == Health::Working && !self.missed.load(Ordering::Acquire)
    }

    /// What it means for a body that the store did not take its bytes.
    pub(in crate::fill) fn fault_of(&self, error: &DiskError) -> BodyFault {
        match error {
            DiskError::Gone | DiskError::Unwanted => BodyFault::Gone,
            DiskError::TooLarge => BodyFault::TooLarge,
            DiskError::NoRoom => BodyFault::NoRoom,
            DiskError::File(error) if Why::of_io(error) == Why::NoSpace => BodyFault::NoRoom,
            _ => match self.disk.health() {
                Health::StoodDown {
                    why: Why::NoSpace, ..
                } => BodyFault::NoRoom,
                Health::StoodDown { .. } | Health::Working => BodyFault::StoreFailed,
            },
        }
    }

    /// Notes that something could not be taken out. Nothing of the store is used from then on, and when it works again it is
    /// emptied first: what was meant must not come back.
    fn miss(&self) {
        if !self.missed.swap(true, Ordering::AcqRel) {
            tracing::warn!("the disk store could not take out what it was to: it will be emptied");
        }
    }

    /// Begins a body that is too large for memory; see [`Disk::begin`]. Where it `comes_in_parts`, each block is published as it
    /// becomes whole.
    pub(in crate::fill) async fn begin(
        self: &Arc<Self>,
        label: Label,
        size: Option<u64>,
        extension: Extension,
        may_publish: MayPublish,
        comes_in_parts: bool,
    ) -> Result<(Writer, Arc<BodyFile>), DiskError> {
        let tier = Arc::clone(self);
        let begin = move || {
            let mut writer = tier.disk.begin(label, size, extension)?;
            writer.publish_if(may_publish);
            let file = Arc::clone(writer.file()?);
            if comes_in_parts {
                writer.publish_partial()?;
            }
            Ok((writer, file))
        };
        let begun = tokio::task::spawn_blocking(begin).await;
        begun.unwrap_or(Err(DiskError::StoodDown))
    }

    /// Has a response that is whole, and in memory, written. Waits a moment where much is to be written already. `replaced` is
    /// what it took the place of in memory.
    pub(in crate::fill) async fn save(
        &self,
        response: &Arc<Response>,
        began: Epoch,
        replaced: Option<&Arc<Response>>,
    ) {
        if self.works() {
            let room = Arc::clone(&self.waiting).acquire_many_owned(waiting_kib(response));
            if let Ok(Ok(permit)) = tokio::time::timeout(WAITS_FOR_ROOM, room).await {
                let job = Job::Save(Arc::clone(response), began, permit);
                if self.jobs.try_send(job).is_ok() {
                    return;
                }
            }
        }
        self.counts.bump(TierCount::SaveQueueFull);
        let replaced = replaced.filter(|replaced| !replaced.shares_body());
        if let Some(id) = replaced.and_then(|replaced| replaced.object.on_disk()) {
            self.forget(id);
        }
    }

    /// Has the facts and fields of a response brought up to date, where its body is on disk when its turn comes: it may wait
    /// to be written still.
    pub(in crate::fill) fn update(&self, response: &Arc<Response>, began: Epoch) {
        let has_place =
            response.object.on_disk().is_some() || response.object.in_memory().is_some();
        if !has_place || response.shares_body() {
            return;
        }
        let room = Arc::clone(&self.waiting).try_acquire_many_owned(waiting_kib(response));
        let sent = room.map(|permit| {
            let job = Job::Update(Arc::clone(response), began, permit);
            self.jobs.try_send(job)
        });
        if matches!(sent, Err(_) | Ok(Err(TrySendError::Full(_)))) {
            // It stays as it was: stale sooner than it need be, which costs one more validation.
            self.counts.bump(TierCount::UpdateQueueFull);
            tracing::debug!("too much waits for the disk store");
        }
    }

    /// Has an object taken out.
    pub(in crate::fill) fn forget(&self, id: ObjectId) {
        if let Err(TrySendError::Full(_)) = self.jobs.try_send(Job::Remove(id)) {
            // Too important to be left out: what is on disk would come back.
            let (disk, missed) = (Arc::clone(&self.disk), Arc::clone(&self.missed));
            drop(tokio::task::spawn_blocking(move || {
                if disk.remove(id).is_err() {
                    missed.store(true, Ordering::Release);
                }
            }));
        }
    }

    /// Takes an object out, and returns when nobody finds it any more.
    pub(in crate::fill) async fn drop_object(&self, id: ObjectId) {
        let disk = Arc::clone(&self.disk);
        let removed = tokio::task::spawn_blocking(move || disk.remove(id)).await;
        if !matches!(removed, Ok(Ok(_))) {
            self.miss();
        }
    }

    /// Marks what is on disk under `keys` and with `tags` as invalidated (RFC 9111 s4.4); how many there were.
    pub(in crate::fill) async fn invalidate(
        self: &Arc<Self>,
        keys: Vec<Vec<u8>>,
        tags: Vec<Vec<u8>>,
    ) -> u64 {
        let tier = Arc::clone(self);
        let mark = move || {
            let mut count = 0;
            for key in &keys {
                count += tier.mark(&Selection::Key(key), Mark::Invalid, |_| {})?;
            }
            for tag in &tags {
                count += tier.mark(&Selection::Tag(tag), Mark::Invalid, |_| {})?;
            }
            Ok::<_, DiskError>(count)
        };
        let marked = tokio::task::spawn_blocking(mark).await;
        let count = marked.unwrap_or(Err(DiskError::StoodDown));
        if count.is_err() {
            self.miss();
        }
        let count = count.unwrap_or(0);
        self.counts.add(TierCount::Invalidated, count);
        count
    }

    /// Takes the freshness of what is selected away, for good when it returns, and tells of each. Returns how many there were.
    ///
    /// # Errors
    /// `StoodDown`: it will be emptied when it works again.
    pub fn mark(
        &self,
        selection: &Selection<'_>,
        mark: Mark,
        mut told: impl FnMut(&Label),
    ) -> Result<u64, DiskError> {
        let mut count = 0;
        let marked = self.disk.mark(selection, |label| {
            count += 1;
            told(label);
            record::marked(&label.meta, mark)
        });
        marked.inspect_err(|_| self.miss())?;
        Ok(count)
    }

    /// Removes what is selected, for good when it returns, and tells of each. Returns how many there were.
    ///
    /// # Errors
    /// `StoodDown`: it will be emptied when it works again.
    pub fn remove(
        &self,
        selection: &Selection<'_>,
        told: impl FnMut(&Label),
    ) -> Result<u64, DiskError> {
        let removed = self.disk.remove_all(selection, told);
        removed.inspect_err(|_| self.miss())
    }
}

impl DiskThread {
    /// Has everything written that waits, and the store committed.
    pub fn stop(self) {
        // Fails where the thread has ended already.
        self.tier.jobs.send(Job::Stop).ok();
        if self.thread.join().is_err() {
            tracing::error!("the disk store's thread panicked");
        }
        if let Err(error) = self.tier.disk.flush() {
            tracing::warn!("what was written last is not safe on disk: {error}");
        }
    }
}

/// Asks, whenever it is called, whether no purge since `began` means what is stored under this label.
pub(in crate::fill) fn unless_purged(
    responses: &Arc<Responses>,
    label: &Label,
    began: Epoch,
) -> MayPublish {
    let responses = Arc::clone(responses);
    let (key, tags) = (label.key.clone(), label.tags.clone());
    Arc::new(move || {
        let tags = tags.iter().map(AsRef::as_ref);
        !responses.is_purged_since(&key, tags, began)
    })
}

/// The part of what may wait that a response in memory takes, in KiB: a large one leaves room for three others.
fn waiting_kib(response: &Response) -> u32 {
    let kib = response.weight().div_ceil(1024);
    u32::try_from(kib).map_or(WAITING_KIB_MAX / 4, |kib| kib.min(WAITING_KIB_MAX / 4))
}

/// What a response is stored under, and what it is beside its body.
pub(in crate::fill) fn label_of(response: &Response) -> Label {
    let upstream = &response.upstream_status;
    Label {
        key: response.key.clone(),
        variant: response.variant.clone(),
        meta: record::encode(&response.stored, &response.fields, upstream),
        tags: response.tags.to_vec(),
    }
}

/// The extension of the data file of a response to the URL of `key`: what other programs know its bytes by.
pub(in crate::fill) fn extension_of(key: &[u8], fields: &Fields) -> Extension {
    let content_type = fields.value("content-type");
    Extension::new(&mime::extension_of(key::path_of(key), content_type))
}
