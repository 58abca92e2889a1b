//! Reads a file piece by piece, for those who take the pieces as fast as they can send or store them. Blocks.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use bytes::{Bytes, BytesMut};

/// Bytes that are read at once.
pub(super) const PIECE: usize = 256 << 10;

/// Reads `length` bytes from `first` on until nobody takes more. Where they are to have the checksum `sum`, the last ones go only if all
/// of them do: whoever takes them knows how many there are to be, and never has a whole that is damaged.
pub(super) fn read(
    file: &File,
    (first, length): (u64, u64),
    sum: Option<u32>,
    mut take: impl FnMut(Bytes) -> bool,
) {
    let (mut at, end) = (first, first.saturating_add(length));
    let mut found = 0;
    while at < end {
        let size = usize::try_from(end - at).unwrap_or(PIECE).min(PIECE);
        let mut piece = BytesMut::zeroed(size);
        if let Err(error) = file.read_exact_at(&mut piece, at) {
            tracing::error!(%error, "the spooled file of an upload can't be read");
            return;
        }
        at += size as u64;
        if let Some(sum) = sum {
            found = crc32c::crc32c_append(found, &piece);
            if at == end && found != sum {
                tracing::error!("the spooled file of an upload is damaged");
                return;
            }
        }
        if !take(piece.freeze()) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(bytes: &[u8], stretch: (u64, u64), sum: Option<u32>) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, bytes).unwrap();
        let mut taken = Vec::new();
        read(&File::open(path).unwrap(), stretch, sum, |piece| {
            taken.extend_from_slice(&piece);
            true
        });
        taken
    }

    #[test]
    fn all_pieces_come_or_the_last_is_missing_where_they_are_damaged() {
        let bytes: Vec<u8> = (0..PIECE + 7).map(|at| (at % 251) as u8).collect();
        let size = bytes.len() as u64;
        let sum = crc32c::crc32c(&bytes);
        assert!(taken(&bytes, (0, size), Some(sum)) == bytes);
        assert!(taken(&bytes, (0, size), Some(sum ^ 1)) == bytes[..PIECE]);
        assert!(taken(&bytes, (5, size - 5), None) == bytes[5..]);
        // One that is shorter than it was.
        assert!(taken(&bytes, (0, size + 1), None) == bytes[..PIECE]);
        assert!(taken(&bytes, (0, 0), Some(0)).is_empty());
    }
}
