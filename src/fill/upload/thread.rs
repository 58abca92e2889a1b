//! The thread that sends: takes what is due, makes attempts, and writes down what came of them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::LocalSet;

use super::Uploads;
use super::backoff;
use super::bytes::Contents;
use super::counts::UploadCount;
use super::exchange::{Origins, Road};
use super::ledger::{Orphan, Phase};
use super::multipart::{self, Progress};
use super::record::{LastFailure, Record};
use super::target::Target;
use super::transfer::{self, Success};
use super::verdict::Failure;
use crate::cache::order::Deposit;
use crate::fill::library::{Code, SentTo};
use crate::fill::origin::OriginCounts;
use crate::index::cached::Epoch;
use crate::index::responses::Responses;
use crate::sys::{clock, cpu};

/// How far the thread gives way to workers on its core.
const GIVES_WAY_BY: i32 = 5;

/// Longest sleep of the thread: nothing waits longer for a wake-up that got lost.
const SLEEP_MAX: Duration = Duration::from_secs(60);

/// What was uploaded.
#[derive(Debug)]
pub struct Uploaded {
    /// The canonical URL.
    pub url: String,
    /// Another one that it was moved to.
    pub moved_to: Option<String>,
    /// The profile that the caller named.
    pub profile: Option<String>,
    /// What is to be stored of it, and who has got it; none: nothing.
    pub deposit: Option<(Deposit, SentTo)>,
}

/// Is told what was uploaded; whether that is stored now.
pub type OnUploaded =
    Box<dyn Fn(Uploaded) -> Pin<Box<dyn Future<Output = bool> + Send>> + Send + Sync>;

/// What the thread needs of others.
pub struct Tools {
    /// What the origins' clients count in.
    pub origin_counts: Arc<OriginCounts>,
    /// A number from 0 to 1, another one each time.
    pub random: Box<dyn Fn() -> f64 + Send>,
    /// What is stored: the point in its sequence of purges is noted.
    pub responses: Arc<Responses>,
    /// Makes what is stored of a URL invalid, and stores what was uploaded.
    pub uploaded: OnUploaded,
}

impl fmt::Debug for Tools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tools")
    }
}

/// The running thread; ends with its value. What it was sending is sent again when the next one starts.
#[derive(Debug)]
pub struct UploadThread {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for UploadThread {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // Fails where the thread has ended already.
            stop.send(()).ok();
        }
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the upload thread ended by a panic");
        }
    }
}

impl Uploads {
    /// Starts the thread that sends.
    ///
    /// # Errors
    /// The thread or its runtime can't be made.
    pub fn start(self: &Arc<Self>, tools: Tools) -> io::Result<UploadThread> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (stop, stopped) = oneshot::channel();
        let uploads = Arc::clone(self);
        let thread = std::thread::Builder::new()
            .name("uploads".to_owned())
            .spawn(move || {
                cpu::give_way(GIVES_WAY_BY);
                let sender = Rc::new(Sender {
                    origins: Origins::new(Arc::clone(&tools.origin_counts)),
                    uploads,
                    tools,
                    progress: RefCell::default(),
                });
                LocalSet::new().block_on(&runtime, serve(&sender, stopped));
                // Readers of files end with their connections.
                runtime.shutdown_background();
            })?;
        Ok(UploadThread {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

/// What attempts are made with.
struct Sender {
    uploads: Arc<Uploads>,
    tools: Tools,
    origins: Origins,
    /// Uploads in parts that were begun, by number.
    progress: RefCell<HashMap<u64, Progress>>,
}

async fn serve(sender: &Rc<Sender>, mut stopped: oneshot::Receiver<()>) {
    let uploads = &sender.uploads;
    loop {
        let now = clock::mono();
        while let Some((record, sent)) = uploads.with(|ledger| {
            let has_room = ledger.running() < uploads.settings.concurrency;
            has_room.then(|| ledger.start_due(now)).flatten()
        }) {
            let id = record.id;
            let work = Rc::clone(sender);
            let task = tokio::task::spawn_local(async move { work.work_on(record, sent).await });
            uploads.with(|ledger| ledger.hold(id, task.abort_handle()));
        }
        while let Some(orphan) = uploads.with(|ledger| ledger.orphans.pop()) {
            let work = Rc::clone(sender);
            drop(tokio::task::spawn_local(async move {
                work.abort(&orphan).await
            }));
        }
        let next = uploads.with(|ledger| {
            let has_room = ledger.running() < uploads.settings.concurrency;
            ledger.next_due().filter(|_| has_room)
        });
        let sleep = next.map_or(SLEEP_MAX, |due| due.since(clock::mono()).min(SLEEP_MAX));
        tokio::select! {
            () = uploads.wake.notified() => {}
            () = tokio::time::sleep(sleep) => {}
            _ = &mut stopped => return,
        }
    }
}

impl Sender {
    /// Makes one attempt, and writes down what came of it.
    async fn work_on(&self, record: Record, sent: Arc<std::sync::atomic::AtomicU64>) {
        let id = record.id;
        // What is purged from here on may be newer than the file.
        let began = self.tools.responses.epoch();
        let started = clock::mono();
        let result = self.attempt(&record, sent).await;
        let counts = &self.uploads.counts;
        let times = &self.uploads.times;
        let times = match &result {
            Ok(_) => &times.done,
            Err(_) => &times.failed,
        };
        times.record(clock::mono().since(started));
        match result {
            Ok((success, target)) => {
                counts.bump(UploadCount::AttemptDone);
                self.uploaded(&record, &success, &target, began).await;
                self.done(&record, &success);
            }
            Err(failure) => {
                counts.bump(match failure.is_permanent {
                    true => UploadCount::AttemptRefused,
                    false => UploadCount::AttemptFailed,
                });
                self.failed(id, failure).await;
            }
        }
        self.uploads.tell();
    }

    async fn attempt(
        &self,
        record: &Record,
        sent: Arc<std::sync::atomic::AtomicU64>,
    ) -> Result<(Success, Target), Failure> {
        let uploads = &self.uploads;
        let file = uploads.spool.data(record.id).map_err(|error| {
            let reason = format!("the spooled file can't be read: {error}");
            Failure::permanent(reason).of_cause(Code::DiskFailed)
        })?;
        let size = file.metadata().map(|found| found.len());
        if !size.is_ok_and(|size| size == record.size) {
            let damaged = crate::fill::origin::OriginFault::Body;
            return Err(Failure::of_fault(damaged));
        }
        let contents = Contents {
            file: Arc::new(file),
            size: record.size,
            sum: record.sum,
            sent,
            counts: Arc::clone(&uploads.counts),
        };
        let road = self.road(&record.url, record.profile.as_deref())?;
        let mut progress = self
            .progress
            .borrow_mut()
            .remove(&record.id)
            .unwrap_or_default();
        if let Some(left) = &record.multipart
            && progress.id() != Some(left)
        {
            // An earlier run began it; how far it came is not known.
            multipart::abort(&road, left).await;
            self.keep(record.id, None);
        }
        let keep = |id: Option<&str>| self.keep(record.id, id);
        let part_size = uploads.settings.part_size.0;
        let result =
            transfer::attempt(&road, record, &contents, part_size, &mut progress, &keep).await;
        let mut kept = self.progress.borrow_mut();
        // What was dropped meanwhile is not gone on with.
        uploads.with(|ledger| kept.retain(|id, _| ledger.job(*id).is_some()));
        if progress.is_begun() {
            kept.insert(record.id, progress);
        }
        drop(kept);
        result.map(|success| (success, road.target))
    }

    /// The way to a URL. What the config does not name any more may come back with the next reload.
    fn road(&self, url: &str, profile: Option<&str>) -> Result<Road<'_>, Failure> {
        let routes = &self.uploads.routes;
        let target: Target = routes.resolve(url, profile).map_err(Failure::transient)?;
        Ok(Road {
            origins: &self.origins,
            routes,
            target,
        })
    }

    /// Notes an upload in parts that the origin knows of.
    fn keep(&self, id: u64, multipart: Option<&str>) {
        let uploads = &self.uploads;
        let _writing = uploads.writing();
        let changed = uploads.with(|ledger| {
            let record = ledger.record_mut(id)?;
            record.multipart = multipart.map(str::to_owned);
            Some(record.clone())
        });
        if let Some(record) = changed
            && let Err(error) = uploads.spool.write(&record, false)
        {
            tracing::warn!(%error, "the record of upload {id} could not be written");
        }
    }

    /// What is cached of the URL is not what is there now; the file may be.
    async fn uploaded(&self, record: &Record, success: &Success, target: &Target, began: Epoch) {
        let uploads = &self.uploads;
        // In the form that keys are made of.
        let url = target.url();
        let is_copy = record.cache && success.is_at_its_url();
        if record.cache && !is_copy {
            let (id, status) = (record.id, success.status);
            tracing::info!(
                "upload {id} is not the cached copy: the origin moved it, or has yet to work on it ({status})"
            );
        }
        let deposit = match uploads.spool.data(record.id) {
            Ok(file) if is_copy => SentTo::of(&target.settings).map(|sent_to| {
                let deposit = Deposit {
                    fields: success.fields(&record.content_type),
                    file: Arc::new(file),
                    size: record.size,
                    sum: record.sum,
                    began,
                };
                (deposit, sent_to)
            }),
            _ => None,
        };
        let is_stored = (self.tools.uploaded)(Uploaded {
            url,
            moved_to: success.moved_to.clone(),
            profile: record.profile.clone(),
            deposit,
        });
        let is_stored = is_stored.await;
        if record.cache {
            uploads.counts.bump(match is_stored {
                true => UploadCount::Cached,
                false => UploadCount::NotCached,
            });
        }
    }

    fn done(&self, record: &Record, success: &Success) {
        let uploads = &self.uploads;
        let _writing = uploads.writing();
        if uploads.with(|ledger| ledger.job(record.id).is_none()) {
            // It was dropped, and its files with it.
            return;
        }
        if let Err(error) = uploads.spool.remove(record.id) {
            // It would be sent again by the next start, which does no harm.
            tracing::error!(%error, "the files of upload {} could not be removed", record.id);
        }
        if uploads
            .with(|ledger| ledger.end(record.id, Some(success.status)))
            .is_some()
        {
            uploads.counts.bump(UploadCount::Done);
        }
    }

    /// Writes down that an attempt has failed; none where the upload was dropped meanwhile.
    fn note(&self, id: u64, failure: &Failure) -> Option<Record> {
        let uploads = &self.uploads;
        let settings = &uploads.settings;
        let (now, _) = clock::wall();
        let random = (self.tools.random)();
        let _writing = uploads.writing();
        let record = uploads.with(|ledger| {
            let record = ledger.record_mut(id)?;
            record.attempts = record.attempts.saturating_add(1);
            let age = Duration::from_secs(now.0.saturating_sub(record.accepted_at));
            record.is_dead = failure.is_permanent || age >= settings.give_up;
            record.last = Some(LastFailure {
                reason: failure.reason.clone(),
                status: failure.status,
                code: Some(failure.cause.name().to_owned()),
                at: now.0,
            });
            let record = record.clone();
            let phase = if record.is_dead {
                Phase::Dead
            } else {
                let (min, max) = (settings.retry_min, settings.retry_max);
                let own = backoff::delay(record.attempts, min, max, random);
                let wait = failure.after.map_or(own, |after| own.max(after));
                Phase::Waiting(clock::mono().after(wait))
            };
            ledger.enter(id, phase);
            Some(record)
        })?;
        if let Err(error) = uploads.spool.write(&record, record.is_dead) {
            tracing::warn!(%error, "the record of upload {id} could not be written");
        }
        Some(record)
    }

    async fn failed(&self, id: u64, failure: Failure) {
        let Some(record) = self.note(id, &failure) else {
            return;
        };
        if !record.is_dead {
            tracing::debug!(
                "upload {id} failed, attempt {}: {}",
                record.attempts,
                failure.reason
            );
            return;
        }
        self.uploads.counts.bump(UploadCount::Dead);
        tracing::warn!("upload {id} is given up: {}", failure.reason);
        let begun = self.progress.borrow_mut().remove(&id);
        if let Some(multipart) = begun.as_ref().and_then(Progress::id) {
            let orphan = Orphan {
                url: record.url,
                profile: record.profile,
                multipart: multipart.to_owned(),
            };
            self.abort(&orphan).await;
            self.keep(id, None);
        }
    }

    async fn abort(&self, orphan: &Orphan) {
        match self.road(&orphan.url, orphan.profile.as_deref()) {
            Ok(road) => multipart::abort(&road, &orphan.multipart).await,
            Err(failure) => {
                tracing::warn!("parts of an upload stay at the origin: {}", failure.reason);
            }
        }
    }
}
