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
        self.stretch(0, self.size, self.sum)
    }

    /// The bytes from `first` on, as the body of a request. Its last bytes go only where all of it has the checksum `sum`.
    pub(super) fn part(&self, first: u64, length: u64, sum: u32) -> RequestBody {
        self.sent.store(first, Ordering::Relaxed);
        self.stretch(first, length, sum)
    }

    fn stretch(&self, first: u64, length: u64, sum: u32) -> RequestBody {
        if length == 0 {
            return RequestBody::None;
        }
        let (sender, pieces) = mpsc::channel(PIECES_MAX);
        let contents = self.clone();
        // Ends when the connection has taken all, or lets go of the other end.
        drop(tokio::task::spawn_blocking(move || {
            contents.read(first, length, sum, &sender)
        }));
        RequestBody::Stream(RequestStream::new(pieces, Some(length)))
    }

    /// Reads until the end, or until nobody takes more. A body that is left without its end is never taken for a whole one.
    fn read(&self, first: u64, length: u64, sum: u32, taker: &mpsc::Sender<Piece>) {
        pieces::read(&self.file, (first, length), Some(sum), |piece| {
            let size = piece.len() as u64;
            let is_taken = taker.blocking_send(Piece::Bytes(piece)).is_ok();
            if is_taken {
                self.sent.fetch_add(size, Ordering::Relaxed);
                self.counts.add(UploadCount::Bytes, size);
            }
            is_taken
        });
    }

    /// The checksums of its parts of `size` bytes each; none where the whole has not the one of what was accepted. Reads all of it.
    pub(super) async fn sums(&self, size: u64) -> Option<Vec<u32>> {
        let contents = self.clone();
        let summing = tokio::task::spawn_blocking(move || {
            let mut buffer = vec![0; PIECE];
            let (mut sums, mut at, mut whole) = (Vec::new(), 0, 0);
            while at < contents.size {
                let end = contents.size.min(at.saturating_add(size));
                let mut sum = 0;
                while at < end {
                    let left = usize::try_from(end - at).unwrap_or(PIECE);
                    let piece = buffer.get_mut(..left.min(PIECE)).unwrap_or_default();
                    contents.file.read_exact_at(piece, at).ok()?;
                    sum = crc32c::crc32c_append(sum, piece);
                    whole = crc32c::crc32c_append(whole, piece);
                    at += piece.len() as u64;
                }
                sums.push(sum);
            }
            (whole == contents.sum).then_some(sums)
        });
        summing.await.ok().flatten()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn parts_have_sums_of_their_own_where_the_whole_has_its_own() {
        let bytes: Vec<u8> = (0..2 * PIECE + 7).map(|at| (at % 251) as u8).collect();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, &bytes).unwrap();
        let contents = |sum| Contents {
            file: Arc::new(File::open(&path).unwrap()),
            size: bytes.len() as u64,
            sum,
            sent: Arc::default(),
            counts: Arc::default(),
        };
        let sum = crc32c::crc32c(&bytes);
        for size in [1000, PIECE, PIECE + 1, bytes.len(), bytes.len() + 1] {
            let expected: Vec<u32> = bytes.chunks(size).map(crc32c::crc32c).collect();
            let found = contents(sum).sums(size as u64).await;
            assert_eq!(found, Some(expected), "{size}");
        }
        assert_eq!(contents(sum ^ 1).sums(1000).await, None);
    }
}
