//! The table of prefetches: those that wait, run, or ended. Pure but for what a running one shows of its body.
//!
//! ```text
//!   add ─▶ queued ─▶ running ─▶ done | failed
//!            │ ▲       │ │
//!            │ └───────┘ │   somebody wants it anew who came while it ran
//!            └───────────┴─▶ cancelled
//! ```
//!
//! One URL has one job at a time that waits or runs: who asks for it meanwhile is given that one. The largest priority goes first, and
//! among equal ones the oldest. Of those that ended the latest are remembered.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use tokio::sync::Notify;

use super::super::failure::{Code, Failure};
use crate::store::{Object, SIZE_UNKNOWN};

/// Most ended jobs that are remembered; as many as may wait, where that is more.
const ENDED_MAX: usize = 16_384;

/// How a job stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobState {
    /// It waits for its turn.
    Queued,
    /// It is being fetched.
    Running,
    /// It is there, whole; whether it was before.
    Done {
        /// Nothing had to be fetched.
        was_there: bool,
    },
    /// It could not be had.
    Failed(Failure),
    /// It was not wanted any more.
    Cancelled,
}

impl JobState {
    /// Its name in answers.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Done { .. } => "done",
            Self::Failed(_) => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether it will not change any more.
    #[must_use]
    pub const fn is_end(&self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }
}

/// What is to be fetched ahead.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrefetchOrder {
    /// The URL, in canonical form.
    pub url: String,
    /// The profile that its origin is asked with; none: the one for its host.
    pub profile: Option<String>,
    /// Whether the origin is asked although what is stored is fresh.
    pub refresh: bool,
    /// The larger goes first.
    pub priority: i32,
}

impl PrefetchOrder {
    fn target(&self) -> Target {
        (self.url.clone(), self.profile.clone())
    }
}

/// A job as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobLine {
    /// Its number.
    pub id: u64,
    /// What is fetched.
    pub url: String,
    /// Its priority.
    pub priority: i32,
    /// How it stands.
    pub state: JobState,
    /// How many bytes are there, of one that runs or is done.
    pub bytes: u64,
    /// How many there will be, where that is known.
    pub size: Option<u64>,
}

/// What has to be done for a job.
#[derive(Debug)]
pub(super) struct Start {
    pub(super) id: u64,
    pub(super) url: String,
    pub(super) profile: Option<String>,
    pub(super) refresh: bool,
    pub(super) signals: Arc<Signals>,
}

/// What is told of one job.
#[derive(Debug, Default)]
pub(super) struct Signals {
    /// It is not wanted any more.
    pub(super) cancelled: Notify,
    /// It has ended.
    pub(super) ended: Notify,
}

#[derive(Debug)]
struct Job {
    order: PrefetchOrder,
    state: JobState,
    body: Option<Arc<Object>>,
    /// Of one that is done.
    size: u64,
    signals: Arc<Signals>,
    /// It is to be worked on once more: the origin has to be asked, and the run that goes on may not do so.
    is_due_again: bool,
}

/// How many there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) queued: usize,
    pub(super) running: usize,
}

/// What is fetched: a URL, with the profile that was named.
type Target = (String, Option<String>);

/// See the module's header.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    jobs: HashMap<u64, Job>,
    queue: BTreeSet<(Reverse<i32>, u64)>,
    active: HashMap<Target, u64>,
    ended: VecDeque<u64>,
    /// The longest queue that there was room for.
    queue_max: usize,
    running: usize,
    last: u64,
}

/// The queue is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

impl Jobs {
    /// Adds a job, or finds the one of the same URL that waits or runs; its number, and whether it was there.
    pub(super) fn add(
        &mut self,
        order: PrefetchOrder,
        queue_max: usize,
    ) -> Result<(u64, bool), Full> {
        let target = order.target();
        if let Some(&id) = self.active.get(&target) {
            self.merge(id, &order);
            return Ok((id, true));
        }
        self.queue_max = self.queue_max.max(queue_max);
        if self.queue.len() >= queue_max {
            return Err(Full);
        }
        self.last += 1;
        let id = self.last;
        self.queue.insert((Reverse(order.priority), id));
        self.active.insert(target, id);
        let job = Job {
            order,
            state: JobState::Queued,
            body: None,
            size: 0,
            signals: Arc::default(),
            is_due_again: false,
        };
        self.jobs.insert(id, job);
        Ok((id, false))
    }

    /// One that waits goes as early as anybody wants, and asks the origin if anybody wants that. One that runs without asking it
    /// waits for a second turn then.
    fn merge(&mut self, id: u64, order: &PrefetchOrder) {
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        let is_queued = job.state == JobState::Queued;
        if !is_queued {
            job.is_due_again |= order.refresh && !job.order.refresh;
        }
        job.order.refresh |= order.refresh;
        if order.priority > job.order.priority {
            let was_queued = self.queue.remove(&(Reverse(job.order.priority), id));
            job.order.priority = order.priority;
            if was_queued {
                self.queue.insert((Reverse(order.priority), id));
            }
        }
    }

    /// The next job that may run, where fewer than `concurrency` do.
    pub(super) fn next(&mut self, concurrency: usize) -> Option<Start> {
        if self.running >= concurrency {
            return None;
        }
        let (_, id) = self.queue.pop_first()?;
        let job = self.jobs.get_mut(&id)?;
        job.state = JobState::Running;
        self.running += 1;
        Some(Start {
            id,
            url: job.order.url.clone(),
            profile: job.order.profile.clone(),
            refresh: job.order.refresh,
            signals: Arc::clone(&job.signals),
        })
    }

    /// Shows the body of a job that runs.
    pub(super) fn show(&mut self, id: u64, body: &Arc<Object>) {
        if let Some(job) = self.jobs.get_mut(&id)
            && job.state == JobState::Running
        {
            job.body = Some(Arc::clone(body));
        }
    }

    /// Notes how the run of a job ended; false where the job goes on with another one.
    pub(super) fn end(&mut self, id: u64, state: JobState) -> bool {
        let Some(job) = self.jobs.get_mut(&id) else {
            return false;
        };
        if job.state != JobState::Running {
            return false;
        }
        self.running -= 1;
        if std::mem::take(&mut job.is_due_again) && state != JobState::Cancelled {
            job.body = None;
            job.state = JobState::Queued;
            self.queue.insert((Reverse(job.order.priority), id));
            return false;
        }
        job.size = job.body.take().map_or(0, |body| body.run_from(0));
        job.state = state;
        job.signals.ended.notify_waiters();
        let target = job.order.target();
        self.active.remove(&target);
        self.remember(id);
        true
    }

    /// Whether a job has ended, or there is none.
    pub(super) fn is_over(&self, id: u64) -> bool {
        self.jobs.get(&id).is_none_or(|job| job.state.is_end())
    }

    /// Cancels a job; false where it has ended already, or there is none.
    pub(super) fn cancel(&mut self, id: u64) -> bool {
        let Some(job) = self.jobs.get_mut(&id) else {
            return false;
        };
        match job.state {
            JobState::Queued => {
                job.state = JobState::Cancelled;
                job.signals.ended.notify_waiters();
                self.queue.remove(&(Reverse(job.order.priority), id));
                let target = job.order.target();
                self.active.remove(&target);
                self.remember(id);
                true
            }
            JobState::Running => {
                // Its end follows.
                job.signals.cancelled.notify_one();
                true
            }
            _ => false,
        }
    }

    /// What is told of a job; none where it has ended, or there is none.
    pub(super) fn open(&self, id: u64) -> Option<&Arc<Signals>> {
        let job = self.jobs.get(&id)?;
        (!job.state.is_end()).then_some(&job.signals)
    }

    /// A job as it is shown.
    pub(super) fn line(&self, id: u64) -> Option<JobLine> {
        let job = self.jobs.get(&id)?;
        let (bytes, size) = match &job.body {
            Some(body) => {
                let size = body.size();
                (body.run_from(0), (size != SIZE_UNKNOWN).then_some(size))
            }
            None if matches!(job.state, JobState::Done { .. }) => (job.size, Some(job.size)),
            None => (0, None),
        };
        Some(JobLine {
            id,
            url: job.order.url.clone(),
            priority: job.order.priority,
            state: job.state.clone(),
            bytes,
            size,
        })
    }

    /// Jobs that run, wait and ended, in this order; the latest of those that ended first.
    pub(super) fn list(&self, limit: usize) -> Vec<JobLine> {
        let is_running = |(_, job): &(&u64, &Job)| job.state == JobState::Running;
        let mut running: Vec<u64> = self
            .jobs
            .iter()
            .filter(is_running)
            .map(|(id, _)| *id)
            .collect();
        running.sort_unstable();
        let queued = self.queue.iter().map(|(_, id)| *id);
        let ended = self.ended.iter().rev().copied();
        let all = running.into_iter().chain(queued).chain(ended);
        all.take(limit).filter_map(|id| self.line(id)).collect()
    }

    pub(super) fn tally(&self) -> Tally {
        Tally {
            queued: self.queue.len(),
            running: self.running,
        }
    }

    fn remember(&mut self, id: u64) {
        self.ended.push_back(id);
        if self.ended.len() > ENDED_MAX.max(self.queue_max)
            && let Some(oldest) = self.ended.pop_front()
        {
            self.jobs.remove(&oldest);
        }
    }
}

/// The failure of a job that does not fit.
pub(super) fn queue_full(queue_max: usize) -> Failure {
    Failure::new(
        Code::QueueFull,
        format!("{queue_max} prefetches wait, as many as library.queue allows"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Held;

    fn order(url: &str, priority: i32) -> PrefetchOrder {
        PrefetchOrder {
            url: url.to_owned(),
            priority,
            ..PrefetchOrder::default()
        }
    }

    fn started(jobs: &mut Jobs) -> Vec<String> {
        std::iter::from_fn(|| jobs.next(100).map(|start| start.url)).collect()
    }

    const DONE: JobState = JobState::Done { was_there: false };

    #[test]
    fn largest_priority_goes_first_and_then_the_oldest() {
        let mut jobs = Jobs::default();
        for (url, priority) in [("a", 0), ("b", 5), ("c", 0), ("d", -1), ("e", 5)] {
            jobs.add(order(url, priority), 10).unwrap();
        }
        assert_eq!(started(&mut jobs), ["b", "e", "a", "c", "d"]);
    }

    #[test]
    fn url_that_waits_or_runs_has_one_job() {
        let mut jobs = Jobs::default();
        let (first, _) = jobs.add(order("a", 0), 2).unwrap();
        jobs.add(order("b", 1), 2).unwrap();
        let again = PrefetchOrder {
            refresh: true,
            ..order("a", 2)
        };
        // Although the queue is full, and earlier from now on.
        assert_eq!(jobs.add(again, 2), Ok((first, true)));
        assert_eq!(jobs.add(order("c", 9), 2), Err(Full));
        let start = jobs.next(1).unwrap();
        assert_eq!((start.id, start.refresh), (first, true));
        assert_eq!(jobs.add(order("a", 0), 2), Ok((first, true)));
        assert!(!jobs.is_over(first));
        assert!(jobs.end(first, DONE) && jobs.is_over(first));
        let (other, was_there) = jobs.add(order("a", 0), 2).unwrap();
        assert!(other != first && !was_there);
    }

    #[test]
    fn job_that_runs_has_a_second_turn_where_somebody_wants_it_anew() {
        let anew = || PrefetchOrder {
            refresh: true,
            ..order("a", 5)
        };
        let mut jobs = Jobs::default();
        let (a, _) = jobs.add(order("a", 0), 2).unwrap();
        assert!(!jobs.next(1).unwrap().refresh);
        for _ in 0..2 {
            assert_eq!(jobs.add(anew(), 2), Ok((a, true)));
        }
        let (b, _) = jobs.add(order("b", 1), 2).unwrap();
        assert!(!jobs.end(a, DONE) && !jobs.is_over(a));
        // With the priority that it was asked for meanwhile.
        let start = jobs.next(1).unwrap();
        assert_eq!((start.id, start.refresh), (a, true));
        // This one asks the origin as it is.
        assert_eq!(jobs.add(anew(), 2), Ok((a, true)));
        assert!(jobs.end(a, DONE));
        assert_eq!(jobs.next(1).unwrap().id, b);
        jobs.add(order("c", 0), 2).unwrap();
        let c = PrefetchOrder {
            refresh: true,
            ..order("c", 0)
        };
        let (c, _) = jobs.add(c, 2).unwrap();
        assert!(jobs.end(b, DONE));
        assert!(jobs.next(1).unwrap().refresh);
        // Cancelled is cancelled.
        assert!(jobs.cancel(c) && jobs.end(c, JobState::Cancelled));
        assert_eq!(jobs.tally(), Tally::default());
    }

    #[test]
    fn no_more_run_than_may() {
        let mut jobs = Jobs::default();
        for url in ["a", "b", "c"] {
            jobs.add(order(url, 0), 10).unwrap();
        }
        let first = jobs.next(2).unwrap();
        assert!(jobs.next(2).is_some());
        assert!(jobs.next(2).is_none());
        assert_eq!(
            jobs.tally(),
            Tally {
                queued: 1,
                running: 2
            }
        );
        jobs.end(first.id, DONE);
        assert!(jobs.next(2).is_some());
    }

    #[test]
    fn running_job_shows_its_bytes_and_a_cancelled_one_never_runs() {
        let mut jobs = Jobs::default();
        let (a, _) = jobs.add(order("a", 0), 10).unwrap();
        let (b, _) = jobs.add(order("b", 0), 10).unwrap();
        assert!(jobs.cancel(b));
        assert!(!jobs.cancel(b) && !jobs.cancel(99));
        assert_eq!(started(&mut jobs), ["a"]);
        let body = Object::of_response(Held::Heap(b"abc"[..].into()), 3);
        jobs.show(a, &Arc::new(body));
        let line = jobs.line(a).unwrap();
        assert_eq!(
            (line.bytes, line.size, line.state),
            (3, Some(3), JobState::Running)
        );
        assert!(jobs.cancel(a));
        jobs.end(a, JobState::Cancelled);
        jobs.end(a, DONE);
        let states: Vec<_> = jobs
            .list(9)
            .into_iter()
            .map(|line| (line.id, line.state))
            .collect();
        assert_eq!(states, [(a, JobState::Cancelled), (b, JobState::Cancelled)]);
        assert_eq!(jobs.tally(), Tally::default());
    }

    #[test]
    fn oldest_ended_job_is_forgotten() {
        let mut jobs = Jobs::default();
        let end_one = |jobs: &mut Jobs, queue_max| {
            let (id, _) = jobs.add(order("a", 0), queue_max).unwrap();
            jobs.next(1).unwrap();
            jobs.end(id, DONE);
        };
        for _ in 0..=ENDED_MAX {
            end_one(&mut jobs, 10);
        }
        assert_eq!(jobs.line(1), None);
        assert!(jobs.line(2).is_some());
        assert_eq!(jobs.list(usize::MAX).len(), ENDED_MAX);
        // Who may wait with more is told how they all ended.
        for _ in 0..9 {
            end_one(&mut jobs, ENDED_MAX + 9);
        }
        assert_eq!(jobs.list(usize::MAX).len(), ENDED_MAX + 9);
        assert!(jobs.line(2).is_some());
    }
}
