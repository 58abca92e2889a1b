//! A body on its way from a connection of the admin API to the spool, which may block.

use std::sync::Arc;

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
