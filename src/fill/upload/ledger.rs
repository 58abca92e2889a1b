//! Which uploads there are and what becomes of them next: the part of the queue that is in memory. Makes no system call.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use tokio::task::AbortHandle;

use super::counts::{UploadCount, UploadCounts};
use super::lanes::{LaneName, Lanes};
use super::record::Record;
use crate::units::MonoNanos;

/// Most uploads that have ended and are still told of.
const ENDED_MAX: usize = 1000;

/// Most uploads in parts of which the origin is still to be told that they are of no use.
const ORPHANS_MAX: usize = 100;

/// An upload that has not ended.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) record: Record,
    pub(super) phase: Phase,
    lane: LaneName,
}

/// What an upload does now.
#[derive(Debug)]
pub(super) enum Phase {
    /// Waits until then.
    Waiting(MonoNanos),
    /// Is under way; so many bytes were handed over.
    Running(Arc<AtomicU64>, Option<AbortHandle>),
    /// Was given up; waits for somebody to say what is to be done.
    Dead,
    /// Is written by another program.
    Recording,
}

/// An upload that has ended.
#[derive(Clone, Debug)]
pub(super) struct Ended {
    pub(super) record: Record,
    /// The origin's status; none for one that was dropped.
    pub(super) status: Option<u16>,
}

/// An upload in parts that nobody will complete.
#[derive(Debug)]
pub(super) struct Orphan {
    pub(super) url: String,
    pub(super) profile: Option<String>,
    pub(super) multipart: String,
}

/// The uploads.
#[derive(Debug)]
pub(super) struct Ledger {
    jobs: BTreeMap<u64, Job>,
    lanes: Lanes,
    ended: VecDeque<Ended>,
    pub(super) orphans: Vec<Orphan>,
    next_id: u64,
    next_turn: u64,
    /// Of jobs and of what is being accepted.
    bytes: u64,
    incoming: usize,
    running: usize,
    recording: usize,
    counts: Arc<UploadCounts>,
}

impl Ledger {
    /// What an earlier run left: all of it is due at once, except what was given up.
    pub(super) fn new(
        (records, next_id): (Vec<Record>, u64),
        now: MonoNanos,
        counts: Arc<UploadCounts>,
    ) -> Self {
        let mut ledger = Self {
            jobs: BTreeMap::new(),
            lanes: Lanes::default(),
            ended: VecDeque::new(),
            orphans: Vec::new(),
            next_id,
            next_turn: next_id,
            bytes: 0,
            incoming: 0,
            running: 0,
            recording: 0,
            counts,
        };
        for record in records {
            ledger.bytes = ledger.bytes.saturating_add(record.size);
            ledger.insert(record, now);
        }
        ledger
    }

    fn insert(&mut self, record: Record, due: MonoNanos) {
        let id = record.id;
        self.next_id = self.next_id.max(id + 1);
        self.next_turn = self.next_turn.max(record.place().0 + 1);
        let lane = LaneName::of(&record);
        let phase = if record.is_recording() {
            Phase::Recording
        } else if record.is_dead {
            Phase::Dead
        } else {
            self.lanes.wait(&lane, record.place(), due);
            Phase::Waiting(due)
        };
        self.recording += usize::from(matches!(phase, Phase::Recording));
        let job = Job {
            record,
            phase,
            lane,
        };
        self.jobs.insert(id, job);
        self.tell();
    }

    /// The turn of what is accepted now: after all that was accepted before.
    pub(super) fn take_turn(&mut self) -> u64 {
        self.next_turn += 1;
        self.next_turn - 1
    }

    /// The upload to the same URL that one waits for.
    pub(super) fn before(&self, job: &Job) -> Option<u64> {
        self.lanes.before(&job.lane, job.record.place())
    }

    /// A recording was closed: from here on it is an upload of so many bytes.
    pub(super) fn close(&mut self, record: Record, due: MonoNanos) {
        let id = record.id;
        self.bytes = self.bytes.saturating_add(record.size);
        if let Some(job) = self.jobs.get_mut(&id) {
            job.record = record;
        }
        self.enter(id, Phase::Waiting(due));
    }

    /// Takes a number and a place for an upload of `size` bytes or more; none where as many are there as may be.
    pub(super) fn reserve(
        &mut self,
        queue_max: usize,
        size: u64,
        bytes_max: u64,
    ) -> Result<u64, Full> {
        if self.jobs.len() + self.incoming >= queue_max {
            return Err(Full::Queue);
        }
        self.grow(size, bytes_max)?;
        self.incoming += 1;
        let id = self.next_id;
        self.next_id += 1;
        Ok(id)
    }

    /// Takes room for more bytes of what is being accepted.
    pub(super) fn grow(&mut self, more: u64, bytes_max: u64) -> Result<(), Full> {
        match self.bytes.checked_add(more) {
            Some(bytes) if bytes <= bytes_max => {
                self.bytes = bytes;
                self.tell();
                Ok(())
            }
            _ => Err(Full::Bytes),
        }
    }

    /// What was to be accepted is not.
    pub(super) fn give_back(&mut self, bytes: u64) {
        self.incoming = self.incoming.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
        self.tell();
    }

    /// What is being accepted takes less than was thought.
    pub(super) fn shrink(&mut self, bytes: u64) {
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    /// What was being accepted is.
    pub(super) fn accept(&mut self, record: Record, due: MonoNanos) {
        self.incoming = self.incoming.saturating_sub(1);
        self.insert(record, due);
    }

    pub(super) fn job(&self, id: u64) -> Option<&Job> {
        self.jobs.get(&id)
    }

    /// The record of an upload, also of one that ended lately.
    pub(super) fn record(&self, id: u64) -> Option<&Record> {
        let job = self.jobs.get(&id).map(|job| &job.record);
        let mut ended = self.ended.iter().map(|ended| &ended.record);
        job.or_else(|| ended.find(|record| record.id == id))
    }

    pub(super) fn record_mut(&mut self, id: u64) -> Option<&mut Record> {
        self.jobs.get_mut(&id).map(|job| &mut job.record)
    }

    pub(super) fn jobs(&self) -> impl Iterator<Item = &Job> {
        self.jobs.values()
    }

    pub(super) fn ended(&self) -> impl Iterator<Item = &Ended> {
        self.ended.iter()
    }

    pub(super) fn running(&self) -> usize {
        self.running
    }

    /// The upload that is due first, which is under way from now on.
    pub(super) fn start_due(&mut self, now: MonoNanos) -> Option<(Record, Arc<AtomicU64>)> {
        let (due, id) = self.lanes.first()?;
        if due > now {
            return None;
        }
        let record = self.jobs.get(&id)?.record.clone();
        let sent = Arc::<AtomicU64>::default();
        self.enter(id, Phase::Running(Arc::clone(&sent), None));
        Some((record, sent))
    }

    /// When the next one is due that need not wait for another.
    pub(super) fn next_due(&self) -> Option<MonoNanos> {
        self.lanes.first().map(|(due, _)| due)
    }

    /// Lets a running upload be broken off.
    pub(super) fn hold(&mut self, id: u64, handle: AbortHandle) {
        if let Some(job) = self.jobs.get_mut(&id)
            && let Phase::Running(_, place) = &mut job.phase
        {
            *place = Some(handle);
        }
    }

    /// Changes what an upload does.
    pub(super) fn enter(&mut self, id: u64, phase: Phase) {
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        match &job.phase {
            Phase::Running(..) => self.running = self.running.saturating_sub(1),
            Phase::Recording => self.recording = self.recording.saturating_sub(1),
            Phase::Waiting(_) | Phase::Dead => {}
        }
        let place = job.record.place();
        match &phase {
            Phase::Waiting(due) => self.lanes.wait(&job.lane, place, *due),
            Phase::Running(..) => {
                self.lanes.run(&job.lane, place);
                self.running += 1;
            }
            Phase::Dead | Phase::Recording => self.lanes.leave(&job.lane, place),
        }
        job.phase = phase;
        self.tell();
    }

    /// Takes an upload out that has ended.
    pub(super) fn end(&mut self, id: u64, status: Option<u16>) -> Option<Phase> {
        let job = self.jobs.remove(&id)?;
        self.lanes.leave(&job.lane, job.record.place());
        match &job.phase {
            Phase::Running(..) => self.running = self.running.saturating_sub(1),
            Phase::Recording => self.recording = self.recording.saturating_sub(1),
            Phase::Waiting(_) | Phase::Dead => {}
        }
        self.bytes = self.bytes.saturating_sub(job.record.size);
        if self.ended.len() >= ENDED_MAX {
            self.ended.pop_front();
        }
        if let Some(multipart) = job.record.multipart.clone()
            && self.orphans.len() < ORPHANS_MAX
        {
            self.orphans.push(Orphan {
                url: job.record.url.clone(),
                profile: job.record.profile.clone(),
                multipart,
            });
        }
        let record = job.record;
        self.ended.push_back(Ended { record, status });
        self.tell();
        Some(job.phase)
    }

    fn tell(&self) {
        let waiting = self.lanes.waiting() as u64;
        let running = self.running as u64;
        let all = (self.jobs.len() - self.recording) as u64;
        self.counts
            .set(UploadCount::Recording, self.recording as u64);
        self.counts.set(UploadCount::Waiting, waiting);
        self.counts.set(UploadCount::Running, running);
        self.counts
            .set(UploadCount::GivenUp, all.saturating_sub(waiting + running));
        self.counts.set(UploadCount::SpoolBytes, self.bytes);
    }
}

/// Which limit is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    Queue,
    Bytes,
}

#[cfg(test)]
mod tests {
    use super::super::record::Source;
    use super::*;

    fn record(id: u64, size: u64, is_dead: bool) -> Record {
        Record {
            id,
            url: format!("http://a/{id}"),
            turn: 0,
            profile: None,
            content_type: String::new(),
            size,
            sum: 0,
            accepted_at: 0,
            cache: false,
            source: Source::Put,
            attempts: 0,
            opened_at: 0,
            last: None,
            is_dead,
            multipart: Some("m".to_owned()),
            extension: None,
        }
    }

    #[test]
    fn limits_count_what_waits_and_what_is_being_accepted() {
        let counts = Arc::<UploadCounts>::default();
        let records = vec![record(3, 10, false), record(5, 20, true)];
        let mut ledger = Ledger::new((records, 6), MonoNanos(1), Arc::clone(&counts));
        assert_eq!(ledger.reserve(2, 0, 100), Err(Full::Queue));
        assert_eq!(ledger.reserve(3, 71, 100), Err(Full::Bytes));
        assert_eq!(ledger.reserve(3, 70, 100), Ok(6));
        assert_eq!(ledger.reserve(3, 0, 100), Err(Full::Queue));
        assert_eq!(ledger.grow(1, 100), Err(Full::Bytes));
        ledger.give_back(70);
        assert_eq!(ledger.reserve(3, 1, 100), Ok(7));
        ledger.accept(record(7, 1, false), MonoNanos(2));
        assert_eq!(counts.read(UploadCount::Waiting), 2);
        assert_eq!(counts.read(UploadCount::GivenUp), 1);
        assert_eq!(counts.read(UploadCount::SpoolBytes), 31);
    }

    #[test]
    fn upload_that_is_due_first_goes_first_and_ends_once() {
        let counts = Arc::<UploadCounts>::default();
        let records = vec![record(1, 1, false), record(2, 1, false)];
        let mut ledger = Ledger::new((records, 3), MonoNanos(5), counts);
        ledger.enter(1, Phase::Waiting(MonoNanos(9)));
        assert!(ledger.start_due(MonoNanos(4)).is_none());
        let (first, _) = ledger.start_due(MonoNanos(10)).unwrap();
        assert_eq!((first.id, ledger.running()), (2, 1));
        assert_eq!(ledger.next_due(), Some(MonoNanos(9)));
        assert!(ledger.end(2, Some(201)).is_some());
        assert!(ledger.end(2, Some(201)).is_none());
        assert_eq!(ledger.running(), 0);
        assert_eq!(ledger.orphans.len(), 1);
        assert_eq!(ledger.ended().count(), 1);
    }
}
