//! Fetches ahead: a queue of URLs that are brought, so that who asks for them later does not wait.
//!
//! Jobs are worked on by tasks on the fill thread, so many at a time: the keeper and the origins' connections are there, and a hop to
//! another thread costs as much as a small fetch. Whoever asks is told their numbers, and may look at them, wait for their end, and
//! cancel them. A job makes no lease: what it brings is stored like anything else.

#![expect(
    clippy::disallowed_types,
    reason = "a lock for the time of a look-up, on threads that serve no hit"
)]

mod jobs;
mod schedule;

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};

pub use self::jobs::{JobLine, JobState, PrefetchOrder};
use self::jobs::{Jobs, Start, queue_full};
pub(super) use self::schedule::Schedule;
use super::again::Attempts;
use super::bring::How;
use super::counts::{LibraryCount, LibraryCounts};
use super::failure::{Code, Failure};
use super::place::{Place, Plan};
use super::seat::Seat;
use super::{Library, timed_out};
use crate::fill::desk::Errand;
use crate::http::logged::without_query;
use crate::store::Object;

/// The queue, shared by those who order and those who work.
#[derive(Debug)]
pub(super) struct Prefetch {
    jobs: Mutex<Jobs>,
    /// There may be something to do.
    wanted: Notify,
    /// Nothing new is begun.
    is_closed: AtomicBool,
    /// Changes with each job that ends.
    ended: watch::Sender<u64>,
    counts: Arc<LibraryCounts>,
}

impl Prefetch {
    pub(super) fn new(counts: Arc<LibraryCounts>) -> Self {
        Self {
            jobs: Mutex::default(),
            wanted: Notify::new(),
            is_closed: AtomicBool::new(false),
            ended: watch::Sender::new(0),
            counts,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Jobs> {
        // Nothing that holds the lock can panic half-way.
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows how many there are.
    fn tell(&self, jobs: &Jobs) {
        let tally = jobs.tally();
        self.counts
            .set(LibraryCount::PrefetchQueued, tally.queued as u64);
        self.counts
            .set(LibraryCount::PrefetchRunning, tally.running as u64);
    }

    fn end(&self, id: u64, state: JobState) {
        let count = match state {
            JobState::Done { .. } => LibraryCount::PrefetchDone,
            JobState::Failed(_) => LibraryCount::PrefetchFailed,
            _ => LibraryCount::PrefetchCancelled,
        };
        let mut jobs = self.lock();
        let is_over = jobs.end(id, state);
        self.tell(&jobs);
        drop(jobs);
        if is_over {
            self.counts.bump(count);
        }
        self.stir();
    }

    /// Wakes who waits for an end, or for room.
    fn stir(&self) {
        self.ended
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Has the queue looked at: there may be something to do.
    pub(super) fn look(&self) {
        self.wanted.notify_one();
    }

    /// Begins nothing new from now on.
    pub(super) fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
        self.look();
    }

    /// The next job, where it may run by now.
    fn next(&self, concurrency: usize) -> Option<Start> {
        if self.is_closed.load(Ordering::Acquire) {
            return None;
        }
        let mut jobs = self.lock();
        let start = jobs.next(concurrency)?;
        self.tell(&jobs);
        drop(jobs);
        // There is room in the queue.
        self.stir();
        Some(start)
    }
}

impl Library {
    /// Has a URL fetched ahead; its job.
    ///
    /// # Errors
    /// `InvalidUrl`, `HostNotAllowed`, `QueueFull`.
    pub fn prefetch(&self, order: PrefetchOrder) -> Result<JobLine, Failure> {
        let plan = self.plan();
        let added = self.add_job(order, &plan, plan.settings.queue);
        added.inspect_err(|failure| {
            if failure.code == Code::QueueFull {
                self.counts.bump(LibraryCount::LimitQueue);
            }
        })
    }

    /// Adds a job, where fewer than `queue_max` wait.
    fn add_job(
        &self,
        mut order: PrefetchOrder,
        plan: &Plan,
        queue_max: usize,
    ) -> Result<JobLine, Failure> {
        order.url = Place::of(&order.url, order.profile.as_deref(), plan)?.url;
        let mut jobs = self.prefetch.lock();
        let added = jobs.add(order, queue_max);
        let line = match added {
            Ok((id, _)) => jobs.line(id),
            Err(_) => None,
        };
        self.prefetch.tell(&jobs);
        drop(jobs);
        match (added, line) {
            (Ok((_, was_there)), Some(line)) => {
                if was_there {
                    self.counts.bump(LibraryCount::PrefetchMerged);
                }
                self.prefetch.look();
                Ok(line)
            }
            _ => Err(queue_full(queue_max)),
        }
    }

    /// Jobs as they stand: those that run, those that wait, and the latest that ended.
    #[must_use]
    pub fn jobs(&self, limit: usize) -> Vec<JobLine> {
        self.prefetch.lock().list(limit)
    }

    /// A job as it stands.
    ///
    /// # Errors
    /// `NoJob`.
    pub fn job(&self, id: u64) -> Result<JobLine, Failure> {
        let line = self.prefetch.lock().line(id);
        line.ok_or_else(|| {
            Failure::new(
                Code::NoJob,
                format!("there is no job {id}, or it ended long ago"),
            )
        })
    }

    /// Waits until all of these jobs have ended, or `any` of them, but no longer than `patience`; whether they have.
    pub async fn wait_for_jobs(&self, ids: &[u64], any: bool, patience: Duration) -> bool {
        let waiting = async {
            match any {
                true => self.one_ends(ids).await,
                false => self.all_end(ids).await,
            }
        };
        tokio::time::timeout(patience, waiting).await.is_ok()
    }

    async fn one_ends(&self, ids: &[u64]) {
        let mut ended = self.prefetch.ended.subscribe();
        loop {
            ended.borrow_and_update();
            let has_ended = {
                let jobs = self.prefetch.lock();
                ids.is_empty() || ids.iter().any(|id| jobs.is_over(*id))
            };
            if has_ended || ended.changed().await.is_err() {
                return;
            }
        }
    }

    /// What was asked for last ends last, as a rule: so one wait, not one for each job.
    async fn all_end(&self, ids: &[u64]) {
        for id in ids.iter().rev() {
            let Some(signals) = self.prefetch.lock().open(*id).cloned() else {
                continue;
            };
            let mut ended = pin!(signals.ended.notified());
            // From here on its end is heard.
            ended.as_mut().enable();
            if self.prefetch.lock().open(*id).is_some() {
                ended.await;
            }
        }
    }

    /// Cancels jobs; how many had not ended. What is fetched for others too goes on.
    pub fn cancel_jobs(&self, ids: &[u64]) -> usize {
        let mut jobs = self.prefetch.lock();
        let queued = jobs.tally().queued;
        let count = ids.iter().filter(|id| jobs.cancel(**id)).count();
        let never_ran = queued - jobs.tally().queued;
        self.prefetch.tell(&jobs);
        drop(jobs);
        for _ in 0..never_ran {
            self.counts.bump(LibraryCount::PrefetchCancelled);
        }
        self.prefetch.stir();
        self.prefetch.look();
        count
    }

    /// What works on the queue, for the fill desk to run.
    #[must_use]
    pub fn prefetching(self: &Arc<Self>) -> Errand {
        Box::pin(Arc::clone(self).work())
    }

    async fn work(self: Arc<Self>) {
        while !self.prefetch.is_closed.load(Ordering::Acquire) {
            match self.next_prefetch() {
                Some(start) => {
                    let library = Arc::clone(&self);
                    drop(tokio::task::spawn_local(library.run_on(start)));
                }
                None => self.prefetch.wanted.notified().await,
            }
        }
    }

    fn next_prefetch(&self) -> Option<Start> {
        self.prefetch.next(self.plan().settings.concurrency)
    }

    /// Works on a job, and on others as long as there are any.
    async fn run_on(self: Arc<Self>, mut start: Start) {
        loop {
            if !self.run(start).await {
                // It has not waited: others go on between it and the next.
                tokio::task::yield_now().await;
            }
            match self.next_prefetch() {
                Some(next) => start = next,
                None => return,
            }
        }
    }

    /// Works on a job. Returns whether something was fetched.
    async fn run(&self, start: Start) -> bool {
        let how = if start.refresh { How::Anew } else { How::Any };
        let longest = self.plan().settings.get_timeout;
        let brought = async {
            let show = |body: &Arc<Object>| self.prefetch.lock().show(start.id, body);
            let asked = (start.url.as_str(), start.profile.as_deref());
            // Jobs are bounded by `concurrency`.
            let seat = Seat::unbounded();
            let attempts = Attempts::new(self.plan().settings.attempts, longest, self.chance);
            let bringing = self.bring(asked, how, show, (&seat, attempts));
            match tokio::time::timeout(longest, bringing).await {
                Ok(brought) => brought.map(|brought| brought.is_hit),
                Err(_) => Err(timed_out(&start.url, longest)),
            }
        };
        let state = tokio::select! {
            brought = brought => match brought {
                Ok(was_there) => JobState::Done { was_there },
                Err(failure) => {
                    let (url, code) = (without_query(&start.url), failure.code.name());
                    tracing::debug!("{url} is not prefetched: {code}");
                    JobState::Failed(failure)
                }
            },
            () = start.signals.cancelled.notified() => JobState::Cancelled,
        };
        let is_fetched = state == JobState::Done { was_there: false };
        self.prefetch.end(start.id, state);
        is_fetched
    }

    /// Adds a job of a schedule when there is room for it: in half of the queue, so that callers find room in the other. Its number; none
    /// where it can't be fetched.
    async fn prefetch_when_there_is_room(&self, order: &PrefetchOrder) -> Option<u64> {
        let mut ended = self.prefetch.ended.subscribe();
        loop {
            ended.borrow_and_update();
            let plan = self.plan();
            let half = (plan.settings.queue / 2).max(1);
            match self.add_job(order.clone(), &plan, half) {
                Ok(line) => return Some(line.id),
                Err(failure) if failure.code == Code::QueueFull => {
                    ended.changed().await.ok()?;
                }
                Err(failure) => {
                    // The reason has the whole URL.
                    let (url, code) = (without_query(&order.url), failure.code.name());
                    tracing::warn!("{url} is not prefetched: {code}");
                    return None;
                }
            }
        }
    }
}
