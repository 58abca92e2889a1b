//! The worker's side of the access log: compact records, gathered in batches, handed to the log thread.
//!
//! A worker owns [`BATCHES_PER_WORKER`] buffers of [`BATCH_BYTES`]. It fills one and hands it over when it is full or
//! [`FLUSH_AFTER`] has passed; the log thread gives it back. When all of a worker's buffers are on their way, the log is too
//! slow: new records are dropped and counted, and the worker goes on. Nothing allocates after the start, nothing
//! blocks, and with the log off a record costs one branch.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use super::counters::Counter;
use super::record::RECORD_BYTES_MAX;
use super::worker::WorkerStats;
use crate::units::{MonoNanos, UnixSeconds};

/// The size of a batch buffer in bytes.
pub const BATCH_BYTES: usize = 64 << 10;

/// How many batch buffers a worker owns: one being filled, the others at the log thread or on the way.
pub const BATCHES_PER_WORKER: usize = 8;

/// How long a record waits for its batch to fill up.
pub const FLUSH_AFTER: Duration = Duration::from_millis(100);

/// Places in the log thread's queue beyond those that batches can take, for [`Parcel::Wake`].
const WAKES_MAX: usize = 4;

const _: () = assert!(RECORD_BYTES_MAX <= BATCH_BYTES);

/// One answered or refused request. Byte strings are as the client sent them: nothing in them is safe to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessRecord<'a> {
    /// The client's address.
    pub peer: SocketAddr,
    /// When the answer was complete, in whole seconds.
    pub at: UnixSeconds,
    /// And the milliseconds of that second, below 1000.
    pub at_millis: u32,
    /// The request's method; empty when the head could not be parsed.
    pub method: &'a [u8],
    /// The request target as received; empty when the head could not be parsed.
    pub target: &'a [u8],
    /// The protocol: `HTTP/1.1`; empty when the head could not be parsed.
    pub version: &'a str,
    /// The answer's status.
    pub status: u16,
    /// Bytes of the answer's body handed to the kernel.
    pub body_bytes: u64,
    /// From the turn of the worker's loop that took up the request to the one in which the answer's last byte was handed to the
    /// kernel; zero where both are the same turn.
    pub duration: Duration,
    /// The outcome as Cache-Status spells it: `hit; detail=pin-memory`.
    pub outcome: &'a str,
    /// The Referer field; empty when absent.
    pub referer: &'a [u8],
    /// The User-Agent field; empty when absent.
    pub user_agent: &'a [u8],
    /// The Host field; empty when absent.
    pub host: &'a [u8],
}

impl Default for AccessRecord<'_> {
    fn default() -> Self {
        Self {
            peer: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
            at: UnixSeconds(0),
            at_millis: 0,
            method: b"",
            target: b"",
            version: "",
            status: 0,
            body_bytes: 0,
            duration: Duration::ZERO,
            outcome: "",
            referer: b"",
            user_agent: b"",
            host: b"",
        }
    }
}

/// What the log thread receives.
#[derive(Debug)]
pub enum Parcel {
    /// Records of one worker.
    Batch(Batch),
    /// A reason to look at one's flags.
    Wake,
}

/// A buffer of records and the way back to its worker.
#[derive(Debug)]
pub struct Batch {
    records: Vec<u8>,
    home: SyncSender<Vec<u8>>,
}

impl Batch {
    /// The records, to be read with [`AccessRecord::decode`].
    #[must_use]
    pub fn records(&self) -> &[u8] {
        &self.records
    }

    /// Gives the buffer back to its worker; call it when the records are written.
    pub fn give_back(mut self) {
        self.records.clear();
        // Never full: it has a place for each of the worker's buffers. Disconnected: the worker is gone, the buffer with it.
        drop(self.home.try_send(self.records));
    }
}

/// The log thread's end of the access log.
#[derive(Debug)]
pub struct AccessStream {
    parcels: Receiver<Parcel>,
    waker: SyncSender<Parcel>,
}

impl AccessStream {
    /// Waits for a parcel.
    #[must_use]
    pub fn next(&self) -> Parcel {
        // Never disconnected: the stream itself holds a sender.
        self.parcels.recv().unwrap_or(Parcel::Wake)
    }

    /// A parcel that is there already.
    #[must_use]
    pub fn next_ready(&self) -> Option<Parcel> {
        self.parcels.try_recv().ok()
    }

    /// A handle that wakes the log thread.
    #[must_use]
    pub fn waker(&self) -> StreamWaker {
        StreamWaker(self.waker.clone())
    }
}

/// Wakes the log thread from another thread.
#[derive(Clone, Debug)]
pub struct StreamWaker(SyncSender<Parcel>);

impl StreamWaker {
    /// Makes [`AccessStream::next`] return soon. Never blocks: a full queue needs no wake-up.
    pub fn wake(&self) {
        drop(self.0.try_send(Parcel::Wake));
    }
}

/// Makes a sink for each worker, in the order of `workers`, and the stream that they all lead to.
#[must_use]
pub fn access_pipe(workers: &[Arc<WorkerStats>]) -> (Vec<AccessSink>, AccessStream) {
    let places = workers.len() * BATCHES_PER_WORKER + WAKES_MAX;
    let (outbox, parcels) = sync_channel(places);
    let sinks = workers
        .iter()
        .map(|stats| AccessSink::new(Arc::clone(stats), outbox.clone()))
        .collect();
    let stream = AccessStream {
        parcels,
        waker: outbox,
    };
    (sinks, stream)
}

/// The worker's end of the access log.
#[derive(Debug, Default)]
pub struct AccessSink {
    open: Option<OpenSink>,
}

#[derive(Debug)]
struct OpenSink {
    stats: Arc<WorkerStats>,
    filling: Vec<u8>,
    /// How many records `filling` holds.
    gathered: u64,
    /// When the records being gathered were first seen at a turn's end.
    waiting_since: Option<MonoNanos>,
    spare: Receiver<Vec<u8>>,
    home: SyncSender<Vec<u8>>,
    outbox: SyncSender<Parcel>,
}

impl AccessSink {
    /// A sink that takes nothing: the access log is off.
    #[must_use]
    pub fn off() -> Self {
        Self::default()
    }

    fn new(stats: Arc<WorkerStats>, outbox: SyncSender<Parcel>) -> Self {
        let (home, spare) = sync_channel(BATCHES_PER_WORKER);
        for _ in 1..BATCHES_PER_WORKER {
            // Cannot fail: the channel has a place for every buffer and its receiver is alive.
            drop(home.try_send(Vec::with_capacity(BATCH_BYTES)));
        }
        Self {
            open: Some(OpenSink {
                stats,
                filling: Vec::with_capacity(BATCH_BYTES),
                gathered: 0,
                waiting_since: None,
                spare,
                home,
                outbox,
            }),
        }
    }

    /// Whether records are taken. A caller may skip gathering a record's fields when not.
    #[inline]
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.open.is_some()
    }

    /// Takes a record. Never blocks or allocates; a record that finds no room is dropped and counted.
    #[inline]
    pub fn record(&mut self, record: &AccessRecord<'_>) {
        if let Some(open) = &mut self.open {
            open.record(record);
        }
    }

    /// When [`flush_if_due`](Self::flush_if_due) wants to be called again at the latest; none while nothing waits.
    #[inline]
    #[must_use]
    pub fn due_at(&self) -> Option<MonoNanos> {
        let since = self.open.as_ref()?.waiting_since?;
        Some(since.after(FLUSH_AFTER))
    }

    /// Hands the batch over when its oldest record has waited for [`FLUSH_AFTER`]. Called at each turn's end; a worker
    /// that is about to sleep asks [`due_at`](Self::due_at) afterwards.
    #[inline]
    pub fn flush_if_due(&mut self, now: MonoNanos) {
        let Some(open) = &mut self.open else { return };
        if open.filling.is_empty() {
            return;
        }
        match open.waiting_since {
            None => open.waiting_since = Some(now),
            Some(since) if now.since(since) >= FLUSH_AFTER => {
                if !open.hand_over() {
                    // The log is slow: try again after another wait, not in every turn.
                    open.waiting_since = Some(now);
                }
            }
            Some(_) => {}
        }
    }

    /// Hands over what was gathered, as far as the log thread can take it.
    pub fn flush(&mut self) {
        if let Some(open) = &mut self.open {
            open.hand_over();
        }
    }
}

impl OpenSink {
    fn record(&mut self, record: &AccessRecord<'_>) {
        let room = BATCH_BYTES - self.filling.len();
        if room < RECORD_BYTES_MAX && room < record.encoded_bytes() && !self.hand_over() {
            self.stats.bump(Counter::AccessRecordsDropped);
            return;
        }
        record.encode(&mut self.filling);
        self.gathered += 1;
        self.stats.bump(Counter::AccessRecords);
    }

    /// Hands the batch over if another buffer is at hand to go on with; says whether the buffer is empty now.
    fn hand_over(&mut self) -> bool {
        if self.filling.is_empty() {
            return true;
        }
        let Ok(empty) = self.spare.try_recv() else {
            return false;
        };
        match self.send(empty) {
            Ok(()) => true,
            Err(records) => {
                let empty = std::mem::replace(&mut self.filling, records);
                drop(self.home.try_send(empty));
                false
            }
        }
    }

    /// Sends what was gathered and goes on with `next`; gives the records back where the log thread takes no more.
    fn send(&mut self, next: Vec<u8>) -> Result<(), Vec<u8>> {
        let batch = Batch {
            records: std::mem::replace(&mut self.filling, next),
            home: self.home.clone(),
        };
        match self.outbox.try_send(Parcel::Batch(batch)) {
            Ok(()) => {
                self.waiting_since = None;
                self.gathered = 0;
                Ok(())
            }
            Err(
                TrySendError::Full(Parcel::Batch(batch))
                | TrySendError::Disconnected(Parcel::Batch(batch)),
            ) => Err(batch.records),
            Err(_) => Err(Vec::new()),
        }
    }
}

impl Drop for OpenSink {
    /// Hands the last records over; needs no spare buffer, for none are gathered after them.
    fn drop(&mut self) {
        if !self.filling.is_empty() && self.send(Vec::new()).is_err() {
            self.stats.add(Counter::AccessRecordsDropped, self.gathered);
        }
    }
}

#[cfg(test)]
#[path = "access_tests.rs"]
mod tests;
