//! Reads pinned files ahead, so that the first answer after a start or a change does not wait for a device.
//!
//! A thread of its own, "pins-ahead", since a read may take long and a writer who waits for the thread "pins" must not. It
//! holds an object for one step only, and leaves alone what the page cache has.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;

use crate::index::entry::Entry;
use crate::store::{Held, Object};
use crate::sys::residency::is_resident;

/// Read of each file: enough to begin with. While it is sent, workers have the rest read (`fill::warm`).
const AHEAD_MAX: u64 = 8 << 20;

/// Read in one step.
const STEP_SIZE: usize = 256 * 1024;

/// Batches that wait for the thread; what does not fit stays with the board.
const BATCHES_MAX: usize = 4;

type Batch = Vec<Weak<Object>>;

/// The board's end of the thread.
#[derive(Debug)]
pub(super) struct Ahead {
    batches: Option<SyncSender<Batch>>,
    gathered: Batch,
    /// The thread goes on for as long as this lives.
    alive: Arc<()>,
    thread: Option<JoinHandle<()>>,
}

impl Ahead {
    /// Starts the thread.
    pub(super) fn start() -> io::Result<Self> {
        let (batches, queue) = sync_channel(BATCHES_MAX);
        let alive = Arc::new(());
        let reader = Reader {
            queue,
            alive: Arc::downgrade(&alive),
            buffer: vec![0; STEP_SIZE],
        };
        let thread = std::thread::Builder::new()
            .name("pins-ahead".to_owned())
            .spawn(move || reader.run())?;
        Ok(Self {
            batches: Some(batches),
            gathered: Vec::new(),
            alive,
            thread: Some(thread),
        })
    }

    /// Notes that the files of `entry` are to be read. Copies are in memory already.
    pub(super) fn gather(&mut self, entry: &Entry) {
        let is_file = |object: &&Arc<Object>| match object.held() {
            Held::Heap(_) | Held::Sealed(_) | Held::Growing(_) | Held::Passing(_) => false,
            Held::Mapping(..) | Held::File(_) | Held::Unguarded(_) => true,
        };
        let objects = entry.representations().map(|one| &one.object);
        self.gathered
            .extend(objects.filter(is_file).map(Arc::downgrade));
    }

    /// Has what was gathered read, without waiting for it.
    pub(super) fn send(&mut self) {
        if self.gathered.is_empty() {
            return;
        }
        let Some(batches) = &self.batches else { return };
        if let Err(refused) = batches.try_send(std::mem::take(&mut self.gathered)) {
            let (std::sync::mpsc::TrySendError::Full(batch)
            | std::sync::mpsc::TrySendError::Disconnected(batch)) = refused;
            self.gathered = batch;
            self.gathered.retain(|object| object.strong_count() > 0);
        }
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.batches = None;
        self.alive = Arc::new(());
        if let Some(thread) = self.thread.take() {
            // A panic there has been told on its own.
            thread.join().ok();
        }
    }
}

/// The thread.
struct Reader {
    queue: Receiver<Batch>,
    alive: Weak<()>,
    buffer: Vec<u8>,
}

impl Reader {
    /// Runs until the board is gone.
    fn run(mut self) {
        while let Ok(batch) = self.queue.recv() {
            // More would drive out of the page cache what was read at first.
            let mut left = memory_size() / 2;
            for object in &batch {
                left = left.saturating_sub(self.read_ahead(object, left.min(AHEAD_MAX)));
            }
        }
    }

    /// Reads at most `max` bytes from the start of the file; says how many are wanted of it.
    fn read_ahead(&mut self, object: &Weak<Object>, max: u64) -> u64 {
        let mut at = 0;
        while at < max && self.alive.strong_count() > 0 {
            // Anew in each step: who waits to write to the file waits for one step at most.
            let Some(object) = object.upgrade().filter(|object| !object.is_revoked()) else {
                break;
            };
            let (Held::Mapping(_, file) | Held::File(file) | Held::Unguarded(file)) = object.held()
            else {
                break;
            };
            let size = (STEP_SIZE as u64).min(object.size().saturating_sub(at));
            if size == 0 {
                break;
            }
            // A file that can't be read now is told of by the answers that need it.
            if !is_resident(file, at, size) && file.read(&mut self.buffer, at).is_err() {
                break;
            }
            at += size;
        }
        at
    }
}

/// The machine's memory in bytes.
#[expect(
    clippy::useless_conversion,
    reason = "the field's width differs between architectures"
)]
fn memory_size() -> u64 {
    let memory = rustix::system::sysinfo();
    u64::from(memory.totalram).saturating_mul(memory.mem_unit.into())
}
