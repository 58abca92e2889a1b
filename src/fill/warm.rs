//! Brings a range of an object into the page cache, so that a worker can send it without waiting for a device.

use std::io;
use std::sync::Arc;

use super::warm_ring::{RingFile, RingRuntime};
use crate::cache::order::Outcome;
use crate::store::{Held, Object};
use crate::sys::file::HeldFile;

/// Read in one step.
const STEP_SIZE: usize = 256 * 1024;

/// Most bytes that one order reads; a worker asks for what it will send next.
pub const WARM_MAX: u64 = 8 << 20;

/// How the fill thread reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// Through io_uring, without a thread for each read.
    Ring,
    /// With pread(2) on threads that may block.
    Threads,
}

impl Reader {
    /// The runtime of the fill thread, and how its tasks read.
    pub(super) fn start() -> io::Result<(FillRuntime, Self)> {
        match RingRuntime::new() {
            Ok(runtime) => Ok((FillRuntime::Ring(runtime), Self::Ring)),
            Err(error) => {
                tracing::info!(%error, "no io_uring for the fill thread: cold files are read by threads");
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()?;
                Ok((FillRuntime::Threads(runtime), Self::Threads))
            }
        }
    }

    /// Reads the range, and tells whether all of it could be read.
    pub(super) async fn warm(self, object: Arc<Object>, offset: u64, length: u64) -> Outcome {
        let end = offset
            .saturating_add(length.min(WARM_MAX))
            .min(object.size());
        if object.is_revoked() {
            return Outcome::Cold;
        }
        let is_read = match (object.held(), self) {
            // Private memory: as warm as it gets.
            (Held::Heap(_) | Held::Sealed(_) | Held::Passing(_), _) => true,
            (Held::Growing(_), _) => {
                let shared = Arc::clone(&object);
                let read = move || read_by_thread(&shared, offset, end);
                tokio::task::spawn_blocking(read).await.unwrap_or(false)
            }
            (Held::Mapping(_, file) | Held::File(file) | Held::Unguarded(file), Self::Ring) => {
                read_by_ring(file, offset, end).await
            }
            (Held::Mapping(..) | Held::File(_) | Held::Unguarded(_), Self::Threads) => {
                let shared = Arc::clone(&object);
                let read = move || read_by_thread(&shared, offset, end);
                tokio::task::spawn_blocking(read).await.unwrap_or(false)
            }
        };
        if is_read {
            Outcome::Warm
        } else {
            Outcome::Cold
        }
    }
}

/// The fill thread's runtime.
pub(super) enum FillRuntime {
    Ring(RingRuntime),
    Threads(tokio::runtime::Runtime),
}

impl FillRuntime {
    pub(super) fn block_on(&self, work: impl Future<Output = ()>) {
        match self {
            Self::Ring(runtime) => runtime.block_on(work),
            Self::Threads(runtime) => tokio::task::LocalSet::new().block_on(runtime, work),
        }
    }
}

async fn read_by_ring(file: &HeldFile, offset: u64, end: u64) -> bool {
    let Ok(file) = RingFile::of(file) else {
        return false;
    };
    let mut at = offset;
    let mut buffer = Vec::with_capacity(step_size(at, end));
    while at < end {
        let (read, returned) = file.read(buffer, at).await;
        buffer = returned;
        buffer.clear();
        match read {
            Ok(count) if count > 0 => at += count as u64,
            _ => return false,
        }
    }
    true
}

fn read_by_thread(object: &Object, offset: u64, end: u64) -> bool {
    let read_at = |buffer: &mut [u8], at: u64| match object.held() {
        Held::Mapping(_, file) | Held::File(file) | Held::Unguarded(file) => file.read(buffer, at),
        Held::Growing(body) => match body.file_from(at) {
            Some((file, _)) if file.is_sound() => {
                rustix::io::pread(file, buffer, at).map_err(io::Error::from)
            }
            Some(_) => Err(rustix::io::Errno::IO.into()),
            None => Ok(buffer.len()),
        },
        Held::Heap(_) | Held::Sealed(_) | Held::Passing(_) => Ok(buffer.len()),
    };
    let mut buffer = vec![0; step_size(offset, end)];
    let mut at = offset;
    while at < end {
        match read_at(&mut buffer, at) {
            Ok(count) if count > 0 => at += count as u64,
            _ => return false,
        }
    }
    true
}

fn step_size(offset: u64, end: u64) -> usize {
    usize::try_from(end.saturating_sub(offset)).map_or(STEP_SIZE, |left| left.min(STEP_SIZE))
}
