//! The thread that writes to the disk store what is in memory already, and looks after the store.
//!
//! Its queue is bounded: what does not fit stays in memory alone, or, where an older response would be found on disk in its place,
//! has that one taken out. Each second, or when the queue lets it, the thread goes on with the sweep, and every 30 s it
//! probes a store that stands down.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;

use super::counts::{TierCount, TierCounts};
use super::{extension_of, label_of, unless_purged};
use crate::index::cached::Epoch;
use crate::index::response::Response;
use crate::index::responses::Responses;
use crate::policy::settings::Tier;
use crate::store::disk::{Disk, DiskError, Health, ObjectId, Selection};
use crate::sys::{clock, cpu};
use crate::units::MonoNanos;

/// Most jobs that wait.
pub(super) const JOBS_MAX: usize = 1 << 16;
/// How far the thread gives way to others on its core.
const GIVES_WAY_BY: i32 = 10;
/// How long jobs gather behind the first, so that not each of them wakes the thread.
const GATHER: Duration = Duration::from_millis(4);
/// How long the thread sleeps at most.
const TICK: Duration = Duration::from_secs(1);
/// How often a store that stands down is probed.
const PROBE_EVERY: Duration = Duration::from_secs(30);
/// Keys that are surveyed in one go, and behind each job.
const SURVEY_BUDGET: usize = 1024;
const SURVEY_BEHIND_A_JOB: usize = 16;
/// File names that the sweep looks at in one go.
const SWEEP_BUDGET: usize = 512;

/// Something to be written. The epoch is that before the origin was asked: what was purged since is not written.
#[derive(Debug)]
pub(super) enum Job {
    /// A response with a whole body in memory, and its part of what may wait.
    Save(Arc<Response>, Epoch, OwnedSemaphorePermit),
    /// The facts and fields of a response whose body is there already, and its part of what may wait.
    Update(Arc<Response>, Epoch, OwnedSemaphorePermit),
    /// An object that was replaced by one that is not on disk.
    Remove(ObjectId),
    /// The last one.
    Stop,
}

/// What the thread works with.
pub(super) struct Porter {
    pub(super) disk: Arc<Disk>,
    pub(super) responses: Arc<Responses>,
    pub(super) counts: Arc<TierCounts>,
    /// See `DiskTier::miss`.
    pub(super) missed: Arc<AtomicBool>,
}

impl Porter {
    /// Works until it is told to stop.
    pub(super) fn work(self, jobs: &Receiver<Job>) {
        cpu::give_way(GIVES_WAY_BY);
        let (mut sweeps, mut surveys) = (true, true);
        let mut tended = clock::mono();
        loop {
            let tick = if surveys { Duration::ZERO } else { TICK };
            let mut survey_budget = SURVEY_BEHIND_A_JOB;
            match next(jobs, tick) {
                Ok(Job::Save(response, began, _waiting)) => self.save(&response, began),
                Ok(Job::Update(response, began, _waiting)) => self.update(&response, began),
                Ok(Job::Remove(id)) => {
                    if self.disk.remove(id).is_err() {
                        self.missed.store(true, Ordering::Release);
                    }
                }
                Ok(Job::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {
                    survey_budget = SURVEY_BUDGET;
                    if sweeps && !surveys {
                        let swept = self.disk.sweep_some(SWEEP_BUDGET);
                        sweeps = !swept.is_ok_and(|report| report.is_done);
                    }
                }
            }
            surveys = self.disk.survey_some(survey_budget).unwrap_or(false);
            sweeps |= self.tend(&mut tended);
        }
    }

    /// Probes a store that stands down, from time to time; true where it works again.
    fn tend(&self, tended: &mut MonoNanos) -> bool {
        let now = clock::mono();
        if now.since(*tended) < PROBE_EVERY {
            return false;
        }
        *tended = now;
        let stood_down = self.disk.health() != Health::Working;
        if stood_down && self.disk.probe() != Health::Working {
            return false;
        }
        if self.missed.load(Ordering::Acquire)
            && self.disk.remove_all(&Selection::All, |_| {}).is_ok()
        {
            self.missed.store(false, Ordering::Release);
            tracing::warn!("the disk store was emptied: it had missed removals");
        }
        stood_down
    }

    fn save(&self, response: &Arc<Response>, began: Epoch) {
        let count = match self.write(response, began) {
            Ok(id) => {
                response.object.set_on_disk(Some(id));
                if response.rule.tiers.first() != Some(&Tier::Memory) {
                    // The disk comes first: it is brought up again when it is asked for.
                    self.responses.remove(response);
                }
                TierCount::SaveDone
            }
            Err(DiskError::Unwanted) => TierCount::SaveUnwanted,
            Err(DiskError::TooLarge | DiskError::TooLong) => TierCount::SaveTooLarge,
            Err(error) => {
                tracing::debug!("a response was not written to disk: {error}");
                TierCount::SaveFailed
            }
        };
        self.counts.bump(count);
    }

    fn write(&self, response: &Arc<Response>, began: Epoch) -> Result<ObjectId, DiskError> {
        let body = response.object.in_memory().ok_or(DiskError::Incomplete)?;
        let size = body.len() as u64;
        let extension = extension_of(&response.key, &response.fields);
        let label = label_of(response);
        let may_publish = unless_purged(&self.responses, &label, began);
        let mut writer = self.disk.begin(label, Some(size), extension)?;
        writer.publish_if(may_publish);
        writer.write_at(0, body)?;
        writer.complete()
    }

    fn update(&self, response: &Arc<Response>, began: Epoch) {
        let Some(id) = response.object.on_disk() else {
            // It was invalidated before it was written, so that it was refused; it has been validated since.
            let is_whole = response.object.in_memory().is_some();
            if is_whole && self.is_current(response) {
                self.save(response, began);
            }
            return;
        };
        let label = label_of(response);
        let may_update = unless_purged(&self.responses, &label, began);
        let (meta, tags) = (label.meta, Some(label.tags));
        let count = match self.disk.update(id, meta, tags, Some(&may_update)) {
            Ok(()) => TierCount::UpdateDone,
            Err(DiskError::Gone | DiskError::Unwanted) => TierCount::UpdateGone,
            Err(error) => {
                tracing::debug!("a response was not brought up to date on disk: {error}");
                TierCount::UpdateFailed
            }
        };
        self.counts.bump(count);
    }

    /// Whether memory still has this very response.
    fn is_current(&self, response: &Arc<Response>) -> bool {
        let stored = self.responses.find(&response.key);
        let mut all = stored.iter().flat_map(|stored| stored.iter());
        all.any(|one| Arc::ptr_eq(one, response))
    }
}

/// The next job. One that had to be waited for is given a moment later.
fn next(jobs: &Receiver<Job>, tick: Duration) -> Result<Job, RecvTimeoutError> {
    if let Ok(job) = jobs.try_recv() {
        return Ok(job);
    }
    let job = jobs.recv_timeout(tick)?;
    if !matches!(job, Job::Stop) {
        clock::pause(GATHER);
    }
    Ok(job)
}
