//! The disk store: objects under opaque keys, in one folder, below a cap.
//!
//! It never knows HTTP: keys, variants, metadata and tags are bytes to it. What it promises:
//!
//! - **no wrong byte**: what is found under a key was stored under it. Bytes are synced before the metadata speaks of them,
//!   each block has a checksum, each page of the metadata has one, and what does not match is dropped.
//! - **no waiting at start**: opening reads a few pages, after a crash too.
//! - **the cap holds**: bodies, metadata and what is being written are counted together; whoever writes makes room first.
//! - **no memory for objects at rest**: order of eviction and use are tables. What is in memory is bounded: the database's pages
//!   (32 MiB), what waits for a commit (16 MiB), uses (64 Ki numbers), 4 to 8 bytes for each key, and open data files.
//! - **it steps aside**: when the file system fails, the store stands down until a probe finds it well.
//!
//! | file | concept |
//! |---|---|
//! | `naming`, `blocks`, `record` | an object's number, file name, blocks and record; pure |
//! | `medium`, `lock` | the folder |
//! | `checked_pages`, `tables` | the metadata: pages with checksums below redb, tables above it |
//! | `pending`, `commit`, `eviction`, `room` | publication, group commit, who goes, the cap |
//! | `writer`, `progress`, `body_file` | bodies being written, and open data files |
//! | `presence` | which keys may be there, in memory |
//! | `find`, `purge`, `materialise`, `sweep` | look-ups, removal in bulk, paths, files that belong to nobody |
//! | `residents` | what memory holds of the objects |
//! | `engine`, `health`, `counts`, `error` | the store while it works, and what it tells |
//!
//! Threads: every method may block, none may be called on a worker. One thread of its own commits.
#![forbid(unsafe_code)]

mod blocks;
mod body_file;
mod checked_pages;
mod commit;
mod counts;
mod engine;
mod error;
mod eviction;
mod find;
mod health;
mod latch;
mod lock;
mod materialise;
mod medium;
mod naming;
mod pending;
mod presence;
mod progress;
mod purge;
mod record;
mod residents;
mod room;
mod sweep;
mod tables;
mod writer;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

pub use blocks::BlockMap;
pub use body_file::BodyFile;
pub use counts::DiskStats;
pub use engine::OpenReport;
pub use error::{DiskError, Health, Why};
pub use find::{Body, Record};
pub use naming::{Extension, ObjectId};
pub use purge::{Listed, Listing, Name, Selection};
pub use record::{INLINE_MAX, KEY_MAX, Label, META_MAX, TAG_MAX, TAGS_MAX, is_record, rewritten};
pub use residents::Residents;
pub use sweep::SweepReport;
pub use writer::{MayPublish, Writer};

use engine::{Engine, Lasting};
use latch::Latch;
use lock::FolderLock;
use medium::{Folder, Medium};
use presence::Survey;
use sweep::Sweep;

use crate::sys::cpu;

/// The smallest cap: the database alone takes a good part of it.
const SIZE_MIN: u64 = 4 << 20;
/// How far the committer gives way to others on its core.
const GIVES_WAY_BY: i32 = 10;
/// The smallest block.
const BLOCK_MIN: u32 = 64 << 10;

/// What the operator says of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskSettings {
    /// The folder; made where it is missing.
    pub path: PathBuf,
    /// The cap in bytes, 4 MiB at least.
    pub size: u64,
    /// The largest body in bytes; 0: no limit but the cap.
    pub max_object: u64,
    /// The size of a block in bytes, 64 KiB to 1 GiB.
    pub block: u32,
}

impl DiskSettings {
    /// A store of `size` bytes in `path`, with blocks of 1 MiB.
    #[must_use]
    pub fn new(path: &Path, size: u64) -> Self {
        Self {
            path: path.to_path_buf(),
            size,
            max_object: 0,
            block: 1 << 20,
        }
    }

    fn check(&self) -> Result<(), DiskError> {
        if self.size < SIZE_MIN || self.size > u64::MAX >> 2 {
            return Err(DiskError::Settings(
                "the disk store's size is out of range: 4 MiB at least",
            ));
        }
        if !(BLOCK_MIN..=1 << 30).contains(&self.block) {
            return Err(DiskError::Settings(
                "the disk store's block is out of range: 64 KiB to 1 GiB",
            ));
        }
        Ok(())
    }
}

/// Enters the folder, at first and after the store stood down.
type Enter = Box<dyn Fn(&Path) -> std::io::Result<Arc<dyn Medium>> + Send + Sync>;

/// The store. Dropping it commits what is pending.
pub struct Disk {
    settings: DiskSettings,
    enter: Enter,
    lasting: Arc<Lasting>,
    engine: Arc<Latch<Option<Arc<Engine>>>>,
    lock: Latch<Option<FolderLock>>,
    sweep: Latch<Sweep>,
    survey: Latch<Survey>,
    committer: Option<JoinHandle<()>>,
}

impl Disk {
    /// Opens the store. Takes as long for a million objects as for none.
    ///
    /// # Errors
    /// `Held`, `UnknownFormat`, `Settings`, `Folder`, or what the file system said.
    pub fn open(settings: DiskSettings) -> Result<(Self, OpenReport), DiskError> {
        let enter = |path: &Path| Ok(Arc::new(Folder::open(path)?) as Arc<dyn Medium>);
        Self::open_on(settings, Box::new(enter))
    }

    fn open_on(settings: DiskSettings, enter: Enter) -> Result<(Self, OpenReport), DiskError> {
        settings.check()?;
        let lasting = Arc::<Lasting>::default();
        let medium = enter(&settings.path).map_err(DiskError::Folder)?;
        let lock = FolderLock::take(&settings.path)?;
        let (engine, report) = Engine::open(&settings, medium, Arc::clone(&lasting))?;
        let engine = Arc::new(Latch::new(Some(Arc::new(engine))));
        let thread = {
            let (lasting, engine) = (Arc::clone(&lasting), Arc::clone(&engine));
            std::thread::Builder::new()
                .name("disk-commit".to_owned())
                .spawn(move || commit_as_rung(&lasting, &engine))
        };
        let disk = Self {
            settings,
            enter,
            lasting,
            engine,
            lock: Latch::new(Some(lock)),
            sweep: Latch::default(),
            survey: Latch::default(),
            committer: Some(thread.map_err(DiskError::Folder)?),
        };
        Ok((disk, report))
    }

    /// Has `residents` asked for uses and told of what was taken out, from now on; only the first call counts.
    pub fn set_residents(&self, residents: Arc<dyn Residents>) {
        self.lasting.residents.get_or_init(|| residents);
    }

    fn working(&self) -> Result<Arc<Engine>, DiskError> {
        self.engine.lock().clone().ok_or(DiskError::StoodDown)
    }

    /// All variants that are stored under `key`.
    ///
    /// # Errors
    /// `StoodDown`, or `File` where the process ran out of descriptors.
    pub fn find(&self, key: &[u8]) -> Result<Vec<Record>, DiskError> {
        self.working()?.find(key)
    }

    /// Whether anything may be stored under `key`: no is certain, by memory alone. While the store stands down, and until it
    /// was surveyed, everything may.
    #[must_use]
    pub fn may_have(&self, key: &[u8]) -> bool {
        self.working()
            .map_or(true, |engine| engine.presence.may_have(key))
    }

    /// Goes on with the survey that [`may_have`](Self::may_have) needs, where one is due: looks at up to `budget` keys. To be
    /// called again, from time to time. Returns whether more remain now.
    ///
    /// # Errors
    /// `StoodDown`.
    pub fn survey_some(&self, budget: usize) -> Result<bool, DiskError> {
        let engine = self.working()?;
        engine.survey_some(&mut self.survey.lock(), budget)
    }

    /// Whether block `number` of an object is there and its bytes have their checksum: to be asked before a block's first use in
    /// a run, as long as the record is not verified as a whole. An object for which they have not is dropped.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub fn verify_block(&self, id: ObjectId, number: u64) -> Result<bool, DiskError> {
        self.working()?.verify_block(id, number)
    }

    /// Whether all blocks of an object that are there have their checksums, as [`verify_block`](Self::verify_block) says of one. Those
    /// that were verified since their file was opened are not read again.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub fn verify(&self, id: ObjectId) -> Result<bool, DiskError> {
        self.working()?.verify_all(id)
    }

    /// Begins an object. It replaces what is stored under the same key and variant when it is published.
    ///
    /// # Errors
    /// `TooLong`, `TooLarge`, `NoRoom`, `StoodDown`.
    pub fn begin(
        &self,
        label: Label,
        size: Option<u64>,
        extension: Extension,
    ) -> Result<Writer, DiskError> {
        let block = blocks::block_size(self.settings.block, size);
        Writer::begin(self.working()?, label, size, block, extension)
    }

    /// A writer of further blocks of an object that was published in part. Several may write to different blocks.
    ///
    /// # Errors
    /// `Gone`, `StoodDown`, or `BlockPresent` for an object that is complete.
    pub fn add_blocks(&self, id: ObjectId) -> Result<Writer, DiskError> {
        let engine = self.working()?;
        let newest = {
            let pending = engine.pending.lock();
            engine.newest(&pending, id)?
        };
        let entry = newest.ok_or(DiskError::Gone)?;
        if entry.stored.is_complete {
            return Err(DiskError::BlockPresent(0));
        }
        let file = engine.open_body(&entry.stored, entry.file.as_ref())?;
        let file = file.ok_or(DiskError::Gone)?;
        Ok(Writer::extend(engine, &entry.stored, file))
    }

    /// Replaces an object's metadata, and its tags where `tags` are given. Seen at once, committed soon. Nothing happens where
    /// `may_update` says no, as with [`Writer::publish_if`].
    ///
    /// # Errors
    /// `Gone`, `Unwanted`, `TooLong`, `StoodDown`.
    pub fn update(
        &self,
        id: ObjectId,
        meta: Box<[u8]>,
        tags: Option<Vec<Box<[u8]>>>,
        may_update: Option<&MayPublish>,
    ) -> Result<(), DiskError> {
        self.working()?.update(id, meta, tags, may_update)
    }

    /// Removes an object for good. Returns whether it was there.
    ///
    /// # Errors
    /// `StoodDown`.
    pub fn remove(&self, id: ObjectId) -> Result<bool, DiskError> {
        self.working()?.remove(id)
    }

    /// Removes the selected objects for good, and tells of each. Returns how many there were.
    ///
    /// # Errors
    /// `StoodDown`; part of them may be removed then.
    pub fn remove_all(
        &self,
        selection: &Selection<'_>,
        told: impl FnMut(&Label),
    ) -> Result<u64, DiskError> {
        self.working()?.remove_all(selection, told)
    }

    /// Tells of each of the selected objects. Returns how many there are.
    ///
    /// # Errors
    /// `StoodDown`.
    pub fn count(
        &self,
        selection: &Selection<'_>,
        told: impl FnMut(&Label),
    ) -> Result<u64, DiskError> {
        self.working()?.count(selection, told)
    }

    /// Gives each selected object the metadata that `mark` makes of its label; `None` leaves it. Committed when it returns. Returns
    /// how many were changed.
    ///
    /// # Errors
    /// `TooLong`, `StoodDown`; part of them may be marked then.
    pub fn mark(
        &self,
        selection: &Selection<'_>,
        mark: impl FnMut(&Label) -> Option<Box<[u8]>>,
    ) -> Result<u64, DiskError> {
        self.working()?.mark(selection, mark)
    }

    /// Lists up to `limit` objects that `filter` takes, whose key begins with `prefix`, in the order of key and variant, behind
    /// `after`. A listing may be shorter than `limit` and still go on.
    ///
    /// # Errors
    /// `StoodDown`.
    pub fn list(
        &self,
        prefix: &[u8],
        after: Option<(&[u8], &[u8])>,
        limit: usize,
        filter: &mut dyn FnMut(&Listed) -> bool,
    ) -> Result<Listing, DiskError> {
        self.working()?.list(prefix, after, limit.max(1), filter)
    }

    /// Notes that an object was used, so that eviction passes it by once. Never fails: a use that finds no room is counted.
    pub fn touch(&self, id: ObjectId) {
        if let Ok(engine) = self.working()
            && !engine.pending.lock().touch(id)
        {
            counts::add(&self.lasting.counts.uses_lost, 1);
        }
    }

    /// The path of a file with an object's verbatim body, which other programs may read until the object goes. A body that is kept
    /// beside its metadata gets a file for it.
    ///
    /// # Errors
    /// `Gone`, `Incomplete`, `NoRoom`, `File`, `StoodDown`.
    pub fn materialise(&self, id: ObjectId) -> Result<PathBuf, DiskError> {
        self.working()?.materialise(id)
    }

    /// The path at which the data file of a body stands, as long as its object is in the store.
    #[must_use]
    pub fn path_of(&self, file: &BodyFile) -> PathBuf {
        let objects = self.settings.path.join(medium::OBJECTS);
        objects.join(file.name().path())
    }

    /// The store's folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.settings.path
    }

    /// Commits what is pending.
    ///
    /// # Errors
    /// `StoodDown`.
    pub fn flush(&self) -> Result<(), DiskError> {
        self.working()?.flush()
    }

    /// Looks at up to `budget` file names for files that belong to no object, and removes those. To be called again, from time to
    /// time, until it says that it is done.
    ///
    /// # Errors
    /// `StoodDown`.
    pub fn sweep_some(&self, budget: usize) -> Result<SweepReport, DiskError> {
        let engine = self.working()?;
        engine.sweep_some(&mut self.sweep.lock(), budget)
    }

    /// Counters and levels.
    #[must_use]
    pub fn stats(&self) -> DiskStats {
        let mut stats = self.lasting.counts.snapshot();
        stats.size = self.settings.size;
        if let Ok(engine) = self.working()
            && engine.check().is_ok()
        {
            stats.bytes = engine.room.used();
            stats.objects = engine.objects.load(Ordering::Relaxed);
            stats.metadata_bytes = engine.watch.held();
        }
        stats
    }

    /// Whether the store works.
    #[must_use]
    pub fn health(&self) -> Health {
        self.lasting.board.health()
    }

    /// Tries to bring a store back that stands down. To be called every 30 s. Returns its health after that.
    pub fn probe(&self) -> Health {
        if self.health() == Health::Working {
            return Health::Working;
        }
        // One probe at a time; who calls meanwhile is told that the store stands down, and does not wait for a device that may hang.
        let mut lock = self.lock.lock();
        if let Health::StoodDown { since, why } = self.health() {
            let old = self.engine.lock().take();
            match self.begin_anew(old, why, &mut lock) {
                Ok(anew) => {
                    *self.sweep.lock() = Sweep::default();
                    *self.survey.lock() = Survey::default();
                    *self.engine.lock() = Some(Arc::new(anew));
                    self.lasting.board.stand_up();
                }
                Err(error) => {
                    tracing::debug!("the disk store stands down since {}: {error}", since.0);
                }
            }
        }
        self.health()
    }

    fn begin_anew(
        &self,
        old: Option<Arc<Engine>>,
        why: Why,
        lock: &mut Option<FolderLock>,
    ) -> Result<Engine, DiskError> {
        // Writers may still hold it; it reads and writes nothing any more.
        if let Some(old) = &old {
            old.watch.shut();
        }
        drop(old);
        let medium = (self.enter)(&self.settings.path).map_err(DiskError::Folder)?;
        medium.probe().map_err(DiskError::Folder)?;
        if !lock.as_ref().is_some_and(FolderLock::is_in_place) {
            *lock = None;
            *lock = Some(FolderLock::take(&self.settings.path)?);
        }
        if why == Why::Metadata {
            match medium.set_meta_aside() {
                Ok(aside) => tracing::warn!(
                    "the disk store's damaged metadata is kept as {aside}, the store begins empty"
                ),
                // An earlier probe came that far.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(DiskError::Folder(error)),
            }
        }
        let (anew, _) = Engine::open(&self.settings, medium, Arc::clone(&self.lasting))?;
        Ok(anew)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.lasting.bell.stop();
        if let Some(committer) = self.committer.take() {
            // It ends by itself, and has nothing to tell that is not counted.
            drop(committer.join());
        }
        if let Ok(engine) = self.working()
            && let Err(error) = engine.flush()
        {
            tracing::warn!("the disk store's last commit failed: {error}");
        }
    }
}

impl std::fmt::Debug for Disk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Disk")
            .field("settings", &self.settings)
            .field("health", &self.health())
            .finish_non_exhaustive()
    }
}

/// The committer.
fn commit_as_rung(lasting: &Lasting, engine: &Latch<Option<Arc<Engine>>>) {
    cpu::give_way(GIVES_WAY_BY);
    while lasting.bell.wait(commit::GATHER) {
        let current = engine.lock().clone();
        if let Some(current) = current {
            // A failure stands the store down, which is told where it happens.
            drop(current.flush());
        }
    }
}
