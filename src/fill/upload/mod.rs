//! Uploads: files that are to be sent to origins, kept on disk until they are there.
//!
//! ```text
//!  put ─▶ draft: bytes to the spool ─▶ accept: synced, recorded ─▶ "accepted"
//!                                          │
//!            thread "uploads": due ─▶ attempt ─▶ done: cached copy invalidated, record and file removed
//!                                      ▲  │  ├─▶ failed: waits longer each time ──┐
//!                                      └──┼──┼──────────────────────────────────┘
//!                                         │  └─▶ given up: kept until somebody retries or drops it
//! ```
//!
//! Once an upload is accepted, nothing but success or an operator's word takes it out: it is sent once or more, whole, whatever
//! happens to this process, the network or the origin. Where nobody may ever see half a file, that is the origin's
//! to keep for single requests (by their Content-Length); files in parts are put together in one step.

mod backoff;
mod blocks;
mod bytes;
mod counts;
mod exchange;
mod hops;
mod incoming;
mod lanes;
mod ledger;
mod multipart;
mod readable;
mod record;
mod recording;
pub mod settings;
mod spool;
mod status;
mod target;
mod thread;
mod transfer;
mod verdict;

use std::path::Path;
#[expect(
    clippy::disallowed_types,
    reason = "the admin API and the upload thread share the queue; no worker ever asks for it"
)]
use std::sync::Mutex;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, MutexGuard, OnceLock, PoisonError};

use tokio::sync::{Notify, watch};

pub(in crate::fill) use self::backoff::delay;
pub use self::counts::{AttemptTimes, UPLOAD_FAMILIES, UploadCount, UploadCounts};
pub use self::incoming::{Incoming, Order, Refused};
use self::ledger::{Ledger, Phase};
pub use self::readable::ReadableFiles;
pub use self::recording::{NotClosed, RecordingThread};
pub use self::settings::UploadSettings;
use self::spool::Spool;
pub use self::spool::SpoolError;
pub use self::status::{State, Status};
pub use self::target::{NoTarget, Routes, UploadHosts};
pub use self::thread::{OnUploaded, Tools, UploadThread, Uploaded};
use crate::sys::clock;

/// The queue of uploads; shared by the admin API and the thread that sends.
#[derive(Debug)]
pub struct Uploads {
    #[expect(clippy::disallowed_types, reason = "as above")]
    ledger: Mutex<Ledger>,
    #[expect(clippy::disallowed_types, reason = "as above")]
    records: Mutex<()>,
    spool: Spool,
    settings: UploadSettings,
    routes: Routes,
    counts: Arc<UploadCounts>,
    times: AttemptTimes,
    /// Wakes the thread.
    wake: Notify,
    /// Tells those who wait that something has changed.
    changed: watch::Sender<()>,
    /// What the thread that closes recordings is asked.
    closing: OnceLock<SyncSender<recording::Ask>>,
}

impl Uploads {
    /// Opens the spool in `folder` with what waits in it; members of `group` may write recordings, where there is one.
    ///
    /// # Errors
    /// The folder can't be used, or another process uses it.
    pub fn open(
        (folder, group): (&Path, Option<u32>),
        settings: UploadSettings,
        routes: Routes,
    ) -> Result<Arc<Self>, SpoolError> {
        let (spool, records, next_id) = Spool::open(folder, group)?;
        let counts = Arc::<UploadCounts>::default();
        let ledger = Ledger::new((records, next_id), clock::mono(), Arc::clone(&counts));
        #[expect(clippy::disallowed_types, reason = "as above")]
        let (ledger, records) = (Mutex::new(ledger), Mutex::new(()));
        Ok(Arc::new(Self {
            ledger,
            records,
            spool,
            settings,
            routes,
            counts,
            times: AttemptTimes::default(),
            wake: Notify::new(),
            changed: watch::Sender::new(()),
            closing: OnceLock::new(),
        }))
    }

    /// What it has done.
    #[must_use]
    pub fn counts(&self) -> &UploadCounts {
        &self.counts
    }

    /// How long attempts took.
    #[must_use]
    pub fn times(&self) -> &AttemptTimes {
        &self.times
    }

    /// The spool's folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.spool.folder()
    }

    fn with<R>(&self, work: impl FnOnce(&mut Ledger) -> R) -> R {
        // A panic elsewhere left the ledger as it was between two steps.
        let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        work(&mut ledger)
    }

    /// Held by whoever changes the files of an accepted upload or of a recording, from his look at the ledger on: what is dropped
    /// meanwhile must not come back, nor one record take the place of a newer one.
    fn writing(&self) -> MutexGuard<'_, ()> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something has changed for who waits or sends.
    fn tell(&self) {
        self.wake.notify_one();
        self.changed.send_replace(());
    }

    /// Has an upload tried again at once, also one that was given up.
    ///
    /// # Errors
    /// There is none of this number that waits.
    pub fn retry(&self, id: u64) -> Result<(), NoSuchUpload> {
        let now = clock::mono();
        let writing = self.writing();
        let found = self.with(|ledger| {
            let job = ledger.job(id)?;
            if matches!(job.phase, Phase::Running(..) | Phase::Recording) {
                return None;
            }
            let (accepted_at, _) = clock::wall();
            let record = ledger.record_mut(id)?;
            record.is_dead = false;
            // Its time begins anew.
            record.accepted_at = accepted_at.0;
            let record = record.clone();
            ledger.enter(id, Phase::Waiting(now));
            Some(record)
        });
        let record = found.ok_or(NoSuchUpload)?;
        if let Err(error) = self.spool.write(&record, true) {
            tracing::warn!(%error, "the record of upload {id} could not be written");
        }
        drop(writing);
        self.tell();
        Ok(())
    }

    /// Takes an upload out for good; one under way is broken off.
    ///
    /// # Errors
    /// There is none of this number.
    pub fn drop_upload(&self, id: u64) -> Result<(), NoSuchUpload> {
        let _writing = self.writing();
        let record = self.with(|ledger| ledger.job(id).map(|job| job.record.clone()));
        let phase = self
            .with(|ledger| ledger.end(id, None))
            .ok_or(NoSuchUpload)?;
        let removed = match (phase, record) {
            (Phase::Recording, Some(record)) => self.spool.forget_recording(&record),
            (Phase::Running(_, Some(handle)), _) => {
                handle.abort();
                self.spool.remove(id)
            }
            _ => self.spool.remove(id),
        };
        self.counts.bump(UploadCount::Dropped);
        if let Err(error) = removed {
            tracing::error!(%error, "the files of upload {id} could not be removed");
        }
        self.tell();
        Ok(())
    }
}

/// There is no such upload, or it does not wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSuchUpload;
