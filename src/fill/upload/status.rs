//! What is told of uploads.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use super::Uploads;
use super::ledger::{Ended, Job, Ledger, Phase};
use super::record::{LastFailure, Record, Source};
use crate::fill::library::Code;
use crate::sys::clock;
use crate::units::MonoNanos;

/// Where an upload stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Waits for its turn, or for the next attempt.
    Waiting,
    /// Is under way.
    Running,
    /// Was given up: somebody has to say what is to be done.
    GivenUp,
    /// Is at the origin.
    Done,
    /// Was dropped.
    Dropped,
    /// Is written by another program.
    Recording,
}

impl State {
    /// Its name, as in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::GivenUp => "given-up",
            Self::Done => "done",
            Self::Dropped => "dropped",
            Self::Recording => "recording",
        }
    }
}

/// What is told of an upload.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// Its number.
    pub id: u64,
    /// Where it goes.
    pub url: String,
    /// The profile that was named.
    pub profile: Option<String>,
    /// What it is.
    pub content_type: String,
    /// Its size in bytes.
    pub size: u64,
    /// Where it comes from: `put` or `record`.
    pub source: &'static str,
    /// Where it stands.
    pub state: State,
    /// Bytes that the running attempt has handed over.
    pub sent: u64,
    /// Attempts that failed.
    pub attempts: u32,
    /// When it was accepted, in seconds since 1970.
    pub accepted_at: u64,
    /// When a recording was opened, in seconds since 1970; 0 for what is none.
    pub opened_at: u64,
    /// Seconds until the next attempt.
    pub next_attempt_in: Option<u64>,
    /// The upload to the same URL that it waits for.
    pub behind: Option<u64>,
    /// The origin's last status.
    pub status: Option<u16>,
    /// Why the last attempt failed, or it is gone.
    pub reason: Option<String>,
    /// The same for programs: in JSON the name of its `code`, and whose `fault` it is.
    #[serde(flatten, serialize_with = "in_json")]
    pub cause: Option<Code>,
}

fn in_json<S: Serializer>(cause: &Option<Code>, serializer: S) -> Result<S::Ok, S::Error> {
    let mut fields = serializer.serialize_map(Some(2))?;
    fields.serialize_entry("code", &cause.map(Code::name))?;
    fields.serialize_entry("fault", &cause.map(|cause| cause.party().name()))?;
    fields.end()
}

impl Status {
    fn of(record: &Record, state: State) -> Self {
        let last = record.last.as_ref();
        Self {
            id: record.id,
            url: record.url.clone(),
            profile: record.profile.clone(),
            content_type: record.content_type.clone(),
            size: record.size,
            source: match record.source {
                Source::Put => "put",
                Source::Record => "record",
            },
            state,
            sent: 0,
            attempts: record.attempts,
            accepted_at: record.accepted_at,
            opened_at: record.opened_at,
            next_attempt_in: None,
            behind: None,
            status: last.and_then(|last| last.status),
            reason: last.map(|last| last.reason.clone()),
            cause: last.map(LastFailure::cause),
        }
    }

    fn of_job(ledger: &Ledger, job: &Job, now: MonoNanos) -> Self {
        match &job.phase {
            Phase::Waiting(due) => Self {
                next_attempt_in: Some(due.since(now).as_secs()),
                behind: ledger.before(job),
                ..Self::of(&job.record, State::Waiting)
            },
            Phase::Running(sent, _) => Self {
                sent: sent.load(Ordering::Relaxed),
                ..Self::of(&job.record, State::Running)
            },
            Phase::Dead => Self::of(&job.record, State::GivenUp),
            Phase::Recording => Self::of(&job.record, State::Recording),
        }
    }

    /// It comes after `first`, for that one's reason.
    fn held_up_by(self, first: Self) -> Self {
        let why = first.reason.unwrap_or_default();
        Self {
            reason: Some(format!(
                "upload {} to the same URL comes first: {why}",
                first.id
            )),
            cause: first.cause,
            ..self
        }
    }

    fn of_ended(ended: &Ended) -> Self {
        match ended.status {
            Some(status) => Self {
                sent: ended.record.size,
                status: Some(status),
                reason: None,
                cause: None,
                ..Self::of(&ended.record, State::Done)
            },
            None => Self {
                reason: Some("it was dropped".to_owned()),
                cause: Some(Code::Dropped),
                ..Self::of(&ended.record, State::Dropped)
            },
        }
    }

    /// Whether the first attempt, or what was asked for since, has come to a result.
    fn is_settled(&self, attempts_before: u32) -> bool {
        !matches!(
            self.state,
            State::Waiting | State::Running | State::Recording
        ) || self.attempts > attempts_before
    }
}

fn find(ledger: &Ledger, id: u64, now: MonoNanos) -> Option<Status> {
    let job = ledger.job(id).map(|job| Status::of_job(ledger, job, now));
    let mut ended = ledger.ended();
    job.or_else(|| {
        ended
            .find(|ended| ended.record.id == id)
            .map(Status::of_ended)
    })
}

impl Uploads {
    /// What is known of an upload; none where it is unknown, or was done long ago.
    #[must_use]
    pub fn status(&self, id: u64) -> Option<Status> {
        let now = clock::mono();
        self.with(|ledger| find(ledger, id, now))
    }

    /// At most `limit` uploads with numbers above `after`, in the order of their numbers, those that ended lately among them where
    /// `ended` says so.
    #[must_use]
    pub fn list(&self, after: u64, limit: usize, ended: bool) -> Vec<Status> {
        let now = clock::mono();
        let mut found: Vec<Status> = self.with(|ledger| {
            let jobs = ledger.jobs().filter(|job| job.record.id > after);
            let jobs = jobs.map(|job| Status::of_job(ledger, job, now)).take(limit);
            let gone = ledger
                .ended()
                .filter(|gone| ended && gone.record.id > after);
            jobs.chain(gone.map(Status::of_ended)).collect()
        });
        found.sort_by_key(|status| status.id);
        found.truncate(limit);
        found
    }

    /// The upload to the same URL that an upload waits for, where that one has failed and waits itself.
    fn holding_up(&self, status: &Status) -> Option<Status> {
        let mut before = status.behind;
        while let Some(id) = before {
            let earlier = self.status(id)?;
            if earlier.state == State::Waiting && earlier.attempts > 0 {
                return Some(earlier);
            }
            before = earlier.behind;
        }
        None
    }

    /// Waits until an upload has ended, or more than `attempts` of its attempts have failed, or one to the same URL that has failed is to
    /// be tried again first; at most `longest`. What is known then.
    pub async fn wait(
        self: &Arc<Self>,
        id: u64,
        attempts: u32,
        longest: Duration,
    ) -> Option<Status> {
        let mut changed = self.changed.subscribe();
        let settled = async {
            loop {
                changed.mark_unchanged();
                match self.status(id) {
                    Some(status) if !status.is_settled(attempts) => {
                        if let Some(first) = self.holding_up(&status) {
                            return Some(status.held_up_by(first));
                        }
                    }
                    status => return status,
                }
                if changed.changed().await.is_err() {
                    return self.status(id);
                }
            }
        };
        match tokio::time::timeout(longest, settled).await {
            Ok(status) => status,
            Err(_) => self.status(id),
        }
    }
}
