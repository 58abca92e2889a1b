//! A body on its way from a connection of the admin API to the spool, which may block.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hyper::body::Bytes;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::fill::upload::{Order, Refused, Uploads};

/// Pieces that wait for the disk.
const PIECES_MAX: usize = 8;

/// Writes on a thread that may block.
pub(super) struct Receiver {
    /// None is the body's end; where the channel closes without one, it broke off.
    pieces: mpsc::Sender<Option<Bytes>>,
    writing: JoinHandle<Result<u64, Refused>>,
}

impl Receiver {
    /// Begins an upload of `size` bytes, where that is known.
    pub(super) fn start(uploads: Arc<Uploads>, order: Order, size: Option<u64>) -> Self {
        let (pieces, mut queue) = mpsc::channel::<Option<Bytes>>(PIECES_MAX);
        let writing = tokio::task::spawn_blocking(move || {
            let mut incoming = uploads.begin(order, size)?;
            while let Some(piece) = queue.blocking_recv() {
                match piece {
                    Some(bytes) => incoming.write(&bytes)?,
                    None => return incoming.finish(),
                }
            }
            Err(Refused::BrokenOff)
        });
        Self { pieces, writing }
    }

    /// Takes a piece; false where no more is wanted.
    pub(super) async fn take(&self, bytes: Bytes) -> bool {
        self.pieces.send(Some(bytes)).await.is_ok()
    }

    /// The body is whole.
    pub(super) async fn end(self) -> Result<u64, Refused> {
        // Where nobody takes it, the result says why.
        self.pieces.send(None).await.ok();
        self.result().await
    }

    /// The body broke off.
    pub(super) async fn broken_off(self) -> Result<u64, Refused> {
        self.result().await
    }

    /// What came of it.
    pub(super) async fn result(self) -> Result<u64, Refused> {
        drop(self.pieces);
        self.writing.await.unwrap_or(Err(Refused::BrokenOff))
    }
}

/// Says that a connection receives a body, which may take longer than other requests live.
#[derive(Clone, Debug, Default)]
pub(in crate::admin) struct Receiving(Arc<AtomicUsize>);

impl Receiving {
    /// Receives until what is returned is dropped.
    pub(in crate::admin) fn begin(&self) -> Underway {
        self.0.fetch_add(1, Ordering::Relaxed);
        Underway(self.clone())
    }

    /// Whether a body is being received.
    pub(in crate::admin) fn is_underway(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }
}

/// A body that is being received.
#[derive(Debug)]
pub(in crate::admin) struct Underway(Receiving);

impl Drop for Underway {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}
