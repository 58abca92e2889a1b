//! Recordings: files that another program writes, and that become uploads when it is done.
//!
//! The last writer's close tells: by inotify, and by the kernel, which grants a read lease only on a file that nobody has open
//! for writing. Who closes a file that stays empty has only made it. An operator's or a program's own word ends a
//! recording too. What was closed while this process did not run is found by looking at all of them now and then.
//! The lease is held until it is an upload: who opens the file to write to it meanwhile waits, and keeps it a recording.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind, RenameMode};
use notify::{RecursiveMode, Watcher as _};
use tokio::sync::oneshot;

use super::counts::UploadCount;
use super::incoming::{Order, Refused};
use super::ledger::{Ledger, Phase};
use super::record::{Record, Source};
use super::{NoSuchUpload, Uploads};
use crate::fill::library::Code;
use crate::http::mime;
use crate::sys::clock;
use crate::sys::file::{FileIdentity, HeldFile, OpenRefused};
use crate::sys::guard::{BreakSignals, GuardRefused};
use crate::units::MonoNanos;

/// Things that the thread may still have to look at; what does not fit is found by looking at all.
const ASKS_MAX: usize = 1024;

/// How often all recordings are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How long a file must have been at rest where only looking at it tells that it was closed.
const AT_REST: Duration = Duration::from_secs(2);

/// After this a file is looked at again whose close was heard of while it had a writer: the kernel tells first, and counts then.
const AGAIN: Duration = Duration::from_millis(50);

const COPY_BYTES: usize = 1 << 20;

/// Longest extension.
const EXTENSION_MAX: usize = 11;

/// What the thread is asked.
#[derive(Debug)]
pub(super) enum Ask {
    /// A file was closed by one who wrote to it, or came in the place of another.
    Closed(PathBuf),
    /// To end a recording.
    Close(u64, oneshot::Sender<Result<(), NotClosed>>),
    /// To end.
    Stop,
}

/// Why a recording does not become an upload.
#[derive(Debug)]
pub enum NotClosed {
    /// There is no such recording.
    Unknown,
    /// Somebody still writes to its file.
    Written,
    /// The file system refuses.
    Disk(io::Error),
}

impl NotClosed {
    /// What it is, for programs.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Unknown => Code::NoUpload,
            Self::Written => Code::BeingWritten,
            Self::Disk(error) => match error.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Code::DiskFull,
                _ => Code::DiskFailed,
            },
        }
    }
}

impl fmt::Display for NotClosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("there is no such recording"),
            Self::Written => f.write_str("a program still has the file open for writing"),
            Self::Disk(error) => write!(f, "the recording can't be taken over: {error}"),
        }
    }
}

/// The thread that ends recordings; stops with its value.
#[derive(Debug)]
pub struct RecordingThread {
    asks: SyncSender<Ask>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for RecordingThread {
    fn drop(&mut self) {
        // Fails where the thread has ended already.
        self.asks.send(Ask::Stop).ok();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of recordings ended by a panic");
        }
    }
}

impl Uploads {
    /// Opens a recording: its number, and the path that a program may write to. May wait for the disk.
    ///
    /// # Errors
    /// It can't be uploaded to this URL, or there are as many as may be.
    pub fn open_recording(self: &Arc<Self>, order: Order) -> Result<(u64, PathBuf), Refused> {
        let opened = self.open_one(order);
        opened.inspect_err(|refused| self.count(refused))
    }

    fn open_one(self: &Arc<Self>, order: Order) -> Result<(u64, PathBuf), Refused> {
        let (content_type, path) = self.looked_at(&order)?;
        let is_plain = |text: &str| {
            let plain = text.bytes().all(|octet| octet.is_ascii_alphanumeric());
            plain && (1..=EXTENSION_MAX).contains(&text.len())
        };
        let extension = match order.extension {
            Some(named) if is_plain(&named) => named.to_ascii_lowercase(),
            Some(_) => return Err(Refused::Extension),
            None => mime::extension_of(path.as_bytes(), Some(content_type.as_bytes())),
        };
        let (queue, bytes) = (self.settings.queue, self.settings.size.0);
        let id = self
            .with(|ledger| ledger.reserve(queue, 0, bytes))
            .map_err(|full| self.full(full))?;
        let (now, _) = clock::wall();
        let record = Record {
            id,
            url: order.url,
            profile: order.profile,
            content_type,
            size: 0,
            sum: 0,
            accepted_at: 0,
            turn: 0,
            cache: order.cache.unwrap_or(self.settings.cache),
            source: Source::Record,
            attempts: 0,
            opened_at: now.0,
            last: None,
            is_dead: false,
            multipart: None,
            extension: Some(extension).filter(|extension| !extension.is_empty()),
        };
        let path = self.spool.open_recording(&record).map_err(|error| {
            self.with(|ledger| ledger.give_back(0));
            Refused::of_disk(self.folder(), error)
        })?;
        self.with(|ledger| ledger.accept(record, clock::mono()));
        self.tell();
        Ok((id, path))
    }

    /// Ends a recording by its number: it is an upload when this returns, by this word or by its writer's close before.
    ///
    /// # Errors
    /// It does not become one.
    pub async fn close_recording(&self, id: u64) -> Result<(), NotClosed> {
        let closing = self.closing.get().ok_or(NotClosed::Unknown)?;
        let (answer, answered) = oneshot::channel();
        let busy = || NotClosed::Disk(io::Error::other("too much is being closed"));
        closing
            .try_send(Ask::Close(id, answer))
            .map_err(|_| busy())?;
        match answered.await.unwrap_or(Err(NotClosed::Unknown)) {
            Err(NotClosed::Unknown) if self.was_recorded(id) => Ok(()),
            closed => closed,
        }
    }

    /// Whether what is known by this number was a recording, and is none any more.
    fn was_recorded(&self, id: u64) -> bool {
        self.with(|ledger| {
            let record = ledger.record(id);
            let is_open = ledger
                .job(id)
                .is_some_and(|job| matches!(job.phase, Phase::Recording));
            !is_open && record.is_some_and(|record| record.source == Source::Record)
        })
    }

    /// The number of the recording that is written at `path`, or was, as long as it is known.
    ///
    /// # Errors
    /// There is none.
    pub fn recording_at(&self, path: &Path) -> Result<u64, NoSuchUpload> {
        let name = path.file_name().and_then(|name| name.to_str());
        let id = name.and_then(|name| name.split('.').next());
        let id = id.and_then(|id| u64::from_str_radix(id, 16).ok());
        let id = id.ok_or(NoSuchUpload)?;
        let is_there = self.with(|ledger| {
            ledger.record(id).is_some_and(|record| {
                record.source == Source::Record && self.spool.recording(record) == path
            })
        });
        is_there.then_some(id).ok_or(NoSuchUpload)
    }

    /// Starts the thread that ends recordings.
    ///
    /// # Errors
    /// The thread can't be made, or the folder can't be watched.
    pub fn watch_recordings(self: &Arc<Self>) -> io::Result<RecordingThread> {
        let (asks, queue) = sync_channel(ASKS_MAX);
        let told = asks.clone();
        let mut watcher =
            notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
                let Ok(event) = event else { return };
                let is_closed = matches!(
                    event.kind,
                    EventKind::Access(AccessKind::Close(AccessMode::Write))
                        | EventKind::Modify(ModifyKind::Name(RenameMode::To))
                );
                if is_closed {
                    for path in event.paths {
                        // What does not fit is found by looking at all.
                        told.try_send(Ask::Closed(path)).ok();
                    }
                }
            })
            .map_err(io::Error::other)?;
        watcher
            .watch(&self.spool.recordings(), RecursiveMode::NonRecursive)
            .map_err(io::Error::other)?;
        // Set once: there is one such thread.
        self.closing.set(asks.clone()).ok();
        let uploads = Arc::clone(self);
        let thread = std::thread::Builder::new()
            .name("recordings".to_owned())
            .spawn(move || {
                let _watcher = watcher;
                match BreakSignals::of_this_thread() {
                    Ok(signals) => Closer { uploads, signals }.work(&queue),
                    Err(error) => tracing::error!(%error, "recordings end by command alone"),
                }
            })?;
        Ok(RecordingThread {
            asks,
            thread: Some(thread),
        })
    }
}

/// Whether anybody has a file open for writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writers {
    None,
    Some,
    /// The file system, or who owns the file, keeps the kernel from telling.
    Unknown,
}

struct Closer {
    uploads: Arc<Uploads>,
    signals: BreakSignals,
}

impl Closer {
    fn work(&self, queue: &Receiver<Ask>) {
        let mut look = clock::mono();
        // By their numbers, of which there are no more than recordings.
        let mut again: BTreeMap<u64, MonoNanos> = BTreeMap::new();
        loop {
            // By the clock: on a busy server there is always something to hear of.
            if look <= clock::mono() {
                self.look_at_all();
                look = clock::mono().after(LOOK_EVERY);
            }
            let now = clock::mono();
            again.retain(|id, due| {
                let is_due = *due <= now;
                if is_due {
                    // Who still writes is heard of when he closes.
                    self.heard_of(*id);
                }
                !is_due
            });
            let next = again.values().min().map_or(look, |due| look.min(*due));
            match queue.recv_timeout(next.since(clock::mono())) {
                Ok(Ask::Closed(path)) => {
                    if let Ok(id) = self.uploads.recording_at(&path)
                        && self.heard_of(id) == Writers::Some
                    {
                        again.insert(id, clock::mono().after(AGAIN));
                    }
                }
                Ok(Ask::Close(id, answer)) => {
                    // Nobody may be left to hear it.
                    answer.send(self.close(id)).ok();
                }
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Ask::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Ends a recording whose close was heard of, unless it is empty; who still writes to it.
    fn heard_of(&self, id: u64) -> Writers {
        let record = self.record(id);
        let path = record.map(|record| self.uploads.spool.recording(&record));
        let found = path.and_then(|path| path.metadata().ok());
        match found {
            Some(found) if found.len() > 0 => self.close_and_tell(id),
            _ => Writers::Unknown,
        }
    }

    fn record(&self, id: u64) -> Option<Record> {
        self.uploads.with(|ledger| {
            let job = ledger.job(id)?;
            matches!(job.phase, Phase::Recording).then(|| job.record.clone())
        })
    }

    fn writers(&self, id: u64) -> Writers {
        let Some(record) = self.record(id) else {
            return Writers::Unknown;
        };
        let Ok(file) = HeldFile::open(&self.uploads.spool.recording(&record)) else {
            return Writers::Unknown;
        };
        // The lease ends with the file, at once.
        match file.guard(self.signals.owner()) {
            Ok(()) => Writers::None,
            Err(GuardRefused::WrittenNow) => Writers::Some,
            Err(_) => Writers::Unknown,
        }
    }

    /// Finds what was closed without being heard of, and what nobody will ever write.
    fn look_at_all(&self) {
        while self.signals.next().is_some() {}
        let (now, _) = clock::wall();
        let open: Vec<Record> = self.uploads.with(|ledger| {
            let recordings = ledger
                .jobs()
                .filter(|job| matches!(job.phase, Phase::Recording));
            recordings.map(|job| job.record.clone()).collect()
        });
        for record in open {
            let path = self.uploads.spool.recording(&record);
            let Ok(found) = path.metadata() else {
                tracing::warn!("the file of recording {} is gone", record.id);
                self.drop_one(record.id);
                continue;
            };
            let changed = found.modified().ok();
            let changed = changed.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
            let rests = changed
                .is_none_or(|time| now.0.saturating_sub(time.as_secs()) >= AT_REST.as_secs());
            let age = Duration::from_secs(now.0.saturating_sub(record.opened_at));
            if found.len() > 0 && rests && self.writers(record.id) == Writers::None {
                self.close_and_tell(record.id);
            } else if found.len() == 0
                && age >= self.uploads.settings.record_limit
                && self.writers(record.id) != Writers::Some
            {
                tracing::warn!(
                    "recording {} is dropped: nobody wrote to it in time",
                    record.id
                );
                self.drop_one(record.id);
            }
        }
    }

    fn drop_one(&self, id: u64) {
        if self.uploads.drop_upload(id).is_err() {
            tracing::debug!("recording {id} ended meanwhile");
        }
    }

    fn close_and_tell(&self, id: u64) -> Writers {
        match self.close(id) {
            Ok(()) => return Writers::None,
            Err(NotClosed::Written) => return Writers::Some,
            Err(NotClosed::Unknown) => {}
            Err(error) => tracing::error!("recording {id}: {error}"),
        }
        Writers::Unknown
    }

    /// Makes an upload of a recording.
    fn close(&self, id: u64) -> Result<(), NotClosed> {
        let uploads = &self.uploads;
        let mut record = self.record(id).ok_or(NotClosed::Unknown)?;
        let file = HeldFile::open(&uploads.spool.recording(&record));
        let file = file.map_err(|refused| match refused {
            OpenRefused::Failed(error) => NotClosed::Disk(error),
            OpenRefused::Missing => NotClosed::Disk(io::ErrorKind::NotFound.into()),
            OpenRefused::NotReadable => NotClosed::Disk(io::ErrorKind::PermissionDenied.into()),
            OpenRefused::OutOfDescriptors => {
                NotClosed::Disk(io::Error::other("this process has no descriptor left"))
            }
            _ => NotClosed::Disk(io::Error::other("no file is in its place")),
        })?;
        let is_guarded = match file.guard(self.signals.owner()) {
            Ok(()) => true,
            Err(GuardRefused::WrittenNow) => return Err(NotClosed::Written),
            // Its size and its time tell what they can.
            Err(_) => false,
        };
        let found = file.identity().map_err(NotClosed::Disk)?;
        let is_wanted = || is_guarded && file.is_guard_broken();
        let is_at_rest = || {
            let is_same =
                |now: FileIdentity| (now.size, now.modified) == (found.size, found.modified);
            !is_wanted() && file.identity().is_ok_and(is_same)
        };
        let mut buffer = vec![0; COPY_BYTES];
        loop {
            let count = file.read(&mut buffer, record.size);
            let bytes = match count.map_err(NotClosed::Disk)? {
                0 => break,
                count => buffer.get(..count).unwrap_or_default(),
            };
            record.size += bytes.len() as u64;
            record.sum = crc32c::crc32c_append(record.sum, bytes);
            if is_wanted() {
                return Err(NotClosed::Written);
            }
        }
        rustix::fs::fsync(&file).map_err(|errno| NotClosed::Disk(errno.into()))?;
        let _writing = uploads.writing();
        // It may have been dropped while it was read.
        self.record(id).ok_or(NotClosed::Unknown)?;
        let (now, _) = clock::wall();
        record.accepted_at = now.0.max(1);
        // Others may have come while it was written.
        record.turn = uploads.with(Ledger::take_turn);
        let closed = uploads.spool.close_recording(&record, &is_at_rest);
        if !closed.map_err(NotClosed::Disk)? {
            return Err(NotClosed::Written);
        }
        uploads.with(|ledger| ledger.close(record, clock::mono()));
        uploads.counts.bump(UploadCount::Accepted);
        uploads.tell();
        Ok(())
    }
}
