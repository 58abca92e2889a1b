//! The bytes of an upload on their way from the spool to a connection: read as the origin takes them.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use tokio::sync::mpsc;

use super::counts::{UploadCount, UploadCounts};
use crate::fill::origin::{Piece, RequestBody, RequestStream};
use crate::fill::pieces::{self, PIECE};

/// Pieces that wait for the connection.
const PIECES_MAX: usize = 2;

/// An upload's bytes, and how far they have come.
#[derive(Clone, Debug)]
pub(super) struct Contents {
    pub(super) file: Arc<File>,
    pub(super) size: u64,
    pub(super) sum: u32,
    /// Bytes of the running attempt that were handed over.
    pub(super) sent: Arc<AtomicU64>,
    pub(super) counts: Arc<UploadCounts>,
}

impl Contents {
    /// All of it, as the body of a request. Its last bytes go only where the whole has the checksum of what was accepted.
    pub(super) fn whole(&self) -> RequestBody {
        self.sent.store(0, Ordering::Relaxed);
        self.stretch(0, self.size, true)
    }

    /// The bytes from `first` on, as the body of a request.
    pub(super) fn part(&self, first: u64, length: u64) -> RequestBody {
        self.sent.store(first, Ordering::Relaxed);
        self.stretch(first, length, false)
    }

    fn stretch(&self, first: u64, length: u64, is_checked: bool) -> RequestBody {
        if length == 0 {
            return RequestBody::None;
        }
        let (sender, pieces) = mpsc::channel(PIECES_MAX);
        let contents = self.clone();
        // Ends when the connection has taken all, or lets go of the other end.
        drop(tokio::task::spawn_blocking(move || {
            contents.read(first, length, is_checked.then_some(contents.sum), &sender)
        }));
        RequestBody::Stream(RequestStream::new(pieces, Some(length)))
    }

    /// Reads until the end, or until nobody takes more. A body that is left without its end is never taken for a whole one.
    fn read(&self, first: u64, length: u64, sum: Option<u32>, taker: &mpsc::Sender<Piece>) {
        pieces::read(&self.file, (first, length), sum, |piece| {
            let size = piece.len() as u64;
            let is_taken = taker.blocking_send(Piece::Bytes(piece)).is_ok();
            if is_taken {
                self.sent.fetch_add(size, Ordering::Relaxed);
                self.counts.add(UploadCount::Bytes, size);
            }
            is_taken
        });
    }

    /// Whether the file still has the checksum of what was accepted; reads all of it.
    pub(super) async fn is_sound(&self) -> bool {
        let contents = self.clone();
        let checking = tokio::task::spawn_blocking(move || {
            let mut buffer = vec![0; PIECE];
            let (mut at, mut found) = (0, 0);
            while at < contents.size {
                let left = usize::try_from(contents.size - at).unwrap_or(PIECE);
                let piece = buffer.get_mut(..left.min(PIECE)).unwrap_or_default();
                if contents.file.read_exact_at(piece, at).is_err() {
                    return false;
                }
                found = crc32c::crc32c_append(found, piece);
                at += piece.len() as u64;
            }
            found == contents.sum
        });
        checking.await.unwrap_or(false)
    }
}

/// A short text as the body of a request.
pub(super) fn text(text: String) -> RequestBody {
    let bytes = Bytes::from(text);
    let length = bytes.len() as u64;
    let (sender, pieces) = mpsc::channel(1);
    // There is room for one.
    drop(sender.try_send(Piece::Bytes(bytes)));
    RequestBody::Stream(RequestStream::new(pieces, Some(length)))
}
