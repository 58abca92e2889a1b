//! The store while it works: its folder, database and what is on its way there. A store that stands down drops its
//! engine, and gets a new one when a probe succeeds.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hasher as _};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use redb::{ReadTransaction, ReadableDatabase as _};

use super::DiskSettings;
use super::body_file::{BodyFile, OpenFiles};
use super::checked_pages::{CheckedPages, Watch};
use super::counts::Counts;
use super::error::{DiskError, Why};
use super::health::Board;
use super::latch::{Bell, Latch};
use super::medium::Medium;
use super::naming::{Extension, FileName, ObjectId};
use super::pending::{Entry, Pending};
use super::presence::Presence;
use super::record::{FORMAT, Stored};
use super::residents::Residents;
use super::room::Room;
use super::tables::{
    Batch, FACT_BYTES, FACT_FORMAT, FACT_HAND, FACT_OBJECTS, FACT_RUN, FACT_SEED, OBJECTS, failed,
};

/// Memory for the database's pages.
const PAGE_CACHE: usize = 32 << 20;
/// Bits of an object's number that count within a run; the run's number is above.
const RUN_SHIFT: u32 = 40;

/// What outlives an engine.
#[derive(Default)]
pub(super) struct Lasting {
    pub(super) board: Board,
    pub(super) counts: Counts,
    pub(super) bell: Bell,
    pub(super) residents: OnceLock<Arc<dyn Residents>>,
}

impl std::fmt::Debug for Lasting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lasting")
            .field("board", &self.board)
            .field("has_residents", &self.residents.get().is_some())
            .finish_non_exhaustive()
    }
}

/// See the module's header.
#[derive(Debug)]
pub(super) struct Engine {
    pub(super) settings: DiskSettings,
    pub(super) medium: Arc<dyn Medium>,
    pub(super) lasting: Arc<Lasting>,
    pub(super) database: redb::Database,
    pub(super) watch: Arc<Watch>,
    pub(super) seed: u64,
    next_id: AtomicU64,
    pub(super) first_id: u64,
    pub(super) objects: AtomicU64,
    pub(super) room: Arc<Room>,
    pub(super) pending: Latch<Pending>,
    /// Which keys may be there.
    pub(super) presence: Arc<Presence>,
    pub(super) files: OpenFiles,
    /// How many writers each object has.
    pub(super) writing: Latch<HashMap<u64, u32>>,
    /// Held while a body moves out of its record.
    pub(super) moving: Latch<()>,
    /// The eviction's hand. Held during a commit, so that there is one at a time.
    pub(super) hand: Latch<u64>,
    is_down: AtomicBool,
}

/// What was found when the folder was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenReport {
    /// Objects that are there.
    pub objects: u64,
    /// Bytes of the cap that they take.
    pub bytes: u64,
    /// The new name of metadata that was damaged and set aside; the store began empty then.
    pub set_aside: Option<String>,
}

impl Engine {
    /// Opens what is in the folder. Damaged metadata is set aside.
    pub(super) fn open(
        settings: &DiskSettings,
        medium: Arc<dyn Medium>,
        lasting: Arc<Lasting>,
    ) -> Result<(Self, OpenReport), DiskError> {
        match Self::open_once(settings, &medium, &lasting) {
            Err(DiskError::Metadata(what)) => {
                let aside = medium.set_meta_aside().map_err(DiskError::Folder)?;
                tracing::warn!(
                    "the disk store's metadata is damaged ({what}): kept as {aside}, the store begins empty"
                );
                let (engine, mut report) = Self::open_once(settings, &medium, &lasting)?;
                report.set_aside = Some(aside);
                Ok((engine, report))
            }
            other => other,
        }
    }

    fn open_once(
        settings: &DiskSettings,
        medium: &Arc<dyn Medium>,
        lasting: &Arc<Lasting>,
    ) -> Result<(Self, OpenReport), DiskError> {
        let watch = Arc::<Watch>::default();
        let file = medium.meta().map_err(DiskError::Folder)?;
        let pages = CheckedPages::open(file, Arc::clone(&watch))?;
        let database = redb::Builder::new()
            .set_cache_size(PAGE_CACHE)
            .create_with_backend(pages)
            .map_err(failed)?;
        let mut transaction = database.begin_write().map_err(failed)?;
        transaction.set_quick_repair(true);
        let (facts, bytes, count) = {
            let mut batch = Batch::open(&transaction, 0)?;
            let facts = begin_run(&mut batch)?;
            let (bytes, count) = (batch.bytes, batch.count);
            batch.close(facts.hand)?;
            (facts, bytes, count)
        };
        transaction.commit().map_err(failed)?;
        let report = OpenReport {
            objects: count,
            bytes,
            set_aside: None,
        };
        let first_id = facts.run << RUN_SHIFT;
        let presence = Arc::<Presence>::default();
        let engine = Self {
            settings: settings.clone(),
            medium: Arc::clone(medium),
            lasting: Arc::clone(lasting),
            database,
            watch,
            seed: facts.seed,
            next_id: AtomicU64::new(first_id),
            first_id,
            objects: AtomicU64::new(count),
            room: Arc::new(Room::new(settings.size, bytes)),
            pending: Latch::new(Pending::new(Arc::clone(&presence))),
            presence,
            files: OpenFiles::default(),
            writing: Latch::default(),
            moving: Latch::default(),
            hand: Latch::new(facts.hand),
            is_down: AtomicBool::new(false),
        };
        Ok((engine, report))
    }

    /// The number of a new object.
    pub(super) fn new_id(&self) -> ObjectId {
        ObjectId(self.next_id.fetch_add(1, Ordering::Relaxed))
    }

    /// A number above those of all objects that were begun.
    pub(super) fn ids_end(&self) -> ObjectId {
        ObjectId(self.next_id.load(Ordering::Relaxed))
    }

    pub(super) fn counts(&self) -> &Counts {
        &self.lasting.counts
    }

    /// # Errors
    /// `StoodDown`.
    pub(super) fn check(&self) -> Result<(), DiskError> {
        if self.is_down.load(Ordering::Acquire) {
            return Err(DiskError::StoodDown);
        }
        Ok(())
    }

    /// Stands down for `error`. Returns what the caller is told.
    pub(super) fn fail(&self, error: DiskError) -> DiskError {
        let why = match &error {
            DiskError::StoodDown => return error,
            _ if self.watch.is_damaged() => Why::Metadata,
            DiskError::File(error) | DiskError::Folder(error) => Why::of_io(error),
            _ => Why::Metadata,
        };
        if !self.is_down.swap(true, Ordering::AcqRel) {
            if why.spoils_unsynced() {
                self.files.doubt_unsynced();
            }
            self.lasting.board.stand_down(why, &error, self.counts());
            self.watch.shut();
        }
        DiskError::StoodDown
    }

    pub(super) fn fail_io(&self, error: io::Error) -> DiskError {
        self.fail(DiskError::File(error))
    }

    /// Reads the database.
    ///
    /// # Errors
    /// `StoodDown`.
    pub(super) fn read<R>(
        &self,
        work: impl FnOnce(&ReadTransaction) -> Result<R, DiskError>,
    ) -> Result<R, DiskError> {
        self.check()?;
        let transaction = self.database.begin_read().map_err(failed);
        let result = transaction.and_then(|transaction| work(&transaction));
        result.map_err(|error| self.fail(error))
    }

    /// The newest record of an object, and its data file where that is known; `None` where it is gone.
    pub(super) fn newest(
        &self,
        pending: &Pending,
        id: ObjectId,
    ) -> Result<Option<Arc<Entry>>, DiskError> {
        if pending.is_dropped(id) {
            return Ok(None);
        }
        if let Some(entry) = pending.of(id) {
            return Ok(Some(Arc::clone(entry)));
        }
        let stored = self.read(|transaction| {
            let objects = transaction.open_table(OBJECTS).map_err(failed)?;
            let value = objects.get(id.0).map_err(failed)?;
            Ok(value.and_then(|value| Stored::decode(id, value.value())))
        })?;
        Ok(stored.map(|stored| Arc::new(Entry { stored, file: None })))
    }

    pub(super) fn name_of(&self, id: ObjectId, extension: Extension) -> FileName {
        FileName::of(id, self.seed, extension)
    }

    /// Makes an object's data file. One that is in the way is nobody's: numbers are never given twice.
    pub(super) fn create_file(
        &self,
        id: ObjectId,
        extension: Extension,
    ) -> io::Result<Arc<BodyFile>> {
        let name = self.name_of(id, extension);
        let descriptor = match self.medium.create(&name) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.medium.unlink(&name)?;
                self.medium.create(&name)?
            }
            other => other?,
        };
        Ok(self.files.enter(BodyFile::new(id, name, descriptor)))
    }
}

struct Facts {
    seed: u64,
    run: u64,
    hand: u64,
}

/// Reads the facts and begins a new run.
fn begin_run(batch: &mut Batch<'_>) -> Result<Facts, DiskError> {
    let known = u64::from(FORMAT);
    let found = batch.fact(FACT_FORMAT)?.unwrap_or(known);
    if found != known {
        return Err(DiskError::UnknownFormat {
            found: u32::try_from(found).unwrap_or(u32::MAX),
            known: known as u32,
        });
    }
    let seed = match batch.fact(FACT_SEED)? {
        Some(seed) => seed,
        None => std::hash::RandomState::new().build_hasher().finish(),
    };
    let run = batch.fact(FACT_RUN)?.unwrap_or(0) + 1;
    if run >= 1 << (u64::BITS - RUN_SHIFT) {
        return Err(DiskError::Metadata("it was opened too often".to_owned()));
    }
    batch.set_fact(FACT_FORMAT, known)?;
    batch.set_fact(FACT_SEED, seed)?;
    batch.set_fact(FACT_RUN, run)?;
    let hand = batch.fact(FACT_HAND)?.unwrap_or(0);
    batch.bytes = batch.fact(FACT_BYTES)?.unwrap_or(0);
    batch.count = batch.fact(FACT_OBJECTS)?.unwrap_or(0);
    Ok(Facts { seed, run, hand })
}
