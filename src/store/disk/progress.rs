//! Which bytes of a block have been written while it is not complete, and the checksum as far as they came in order. Pure.

use super::error::DiskError;

/// Most pieces of a block that do not touch.
const PIECES_MAX: usize = 64;

/// A block that is being written.
#[derive(Debug, Default)]
pub(super) struct OpenBlock {
    /// Written stretches, ascending, not touching each other: first byte and the byte behind the last.
    pieces: Vec<(u64, u64)>,
    sum: u32,
    /// How far the checksum goes.
    summed: u64,
}

impl OpenBlock {
    /// Bytes that are there.
    pub(super) fn covered(&self) -> u64 {
        self.pieces.iter().map(|(start, end)| end - start).sum()
    }

    /// How many stretches there are.
    pub(super) fn piece_count(&self) -> u64 {
        self.pieces.len() as u64
    }

    /// The byte behind the last one written.
    pub(super) fn end(&self) -> u64 {
        self.pieces.last().map_or(0, |(_, end)| *end)
    }

    /// Whether the first `length` bytes are all there.
    pub(super) fn is_covered(&self, length: u64) -> bool {
        length == 0
            || self
                .pieces
                .first()
                .is_some_and(|(start, end)| *start == 0 && *end >= length)
    }

    /// The checksum of the first `length` bytes, where they were written in order.
    pub(super) fn sum(&self, length: u64) -> Option<u32> {
        (self.summed == length).then_some(self.sum)
    }

    /// Notes that `bytes` were written at `start` within the block.
    ///
    /// # Errors
    /// `Scattered`.
    pub(super) fn add(&mut self, start: u64, bytes: &[u8]) -> Result<(), DiskError> {
        let end = start + bytes.len() as u64;
        if bytes.is_empty() {
            return Ok(());
        }
        if start == self.summed {
            self.sum = crc32c::crc32c_append(self.sum, bytes);
            self.summed = end;
        } else if start < self.summed {
            // Written over what the checksum has seen: it is made anew from the file, in the end.
            self.summed = u64::MAX;
        }
        let first = self
            .pieces
            .partition_point(|(_, piece_end)| *piece_end < start);
        let after = self
            .pieces
            .partition_point(|(piece_start, _)| *piece_start <= end);
        let merged = self.pieces.get(first..after).unwrap_or(&[]);
        if merged.is_empty() && self.pieces.len() >= PIECES_MAX {
            return Err(DiskError::Scattered);
        }
        let from = merged.first().map_or(start, |piece| piece.0.min(start));
        let to = merged.last().map_or(end, |piece| piece.1.max(end));
        self.pieces.splice(first..after.max(first), [(from, to)]);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn coverage_is_that_of_a_byte_map(writes in prop::collection::vec((0_usize..200, 0_usize..40), 0..30)) {
            let mut map = [false; 256];
            let mut block = OpenBlock::default();
            for (start, length) in writes {
                map[start..start + length].fill(true);
                block.add(start as u64, &vec![0; length]).unwrap();
                let covered = map.iter().filter(|there| **there).count();
                prop_assert_eq!(block.covered(), covered as u64);
                let prefix = map.iter().take_while(|there| **there).count() as u64;
                prop_assert!(block.is_covered(prefix));
                prop_assert!(!block.is_covered(prefix + 1));
                let end = map.iter().rposition(|there| *there).map_or(0, |at| at + 1);
                prop_assert_eq!(block.end(), end as u64);
            }
        }
    }

    #[test]
    fn checksum_is_known_for_bytes_in_order_only() {
        let mut block = OpenBlock::default();
        block.add(0, b"ab").unwrap();
        block.add(2, b"cd").unwrap();
        assert_eq!(block.sum(4), Some(crc32c::crc32c(b"abcd")));
        block.add(1, b"x").unwrap();
        assert_eq!(block.sum(4), None);
        let mut gap = OpenBlock::default();
        gap.add(2, b"cd").unwrap();
        gap.add(0, b"ab").unwrap();
        assert_eq!(gap.sum(4), None);
        assert!(gap.is_covered(4));
    }

    #[test]
    fn scattered_writes_are_refused() {
        let mut block = OpenBlock::default();
        for piece in 0..PIECES_MAX as u64 {
            block.add(piece * 2, b"x").unwrap();
        }
        assert!(matches!(block.add(1000, b"x"), Err(DiskError::Scattered)));
        block.add(1, b"x").unwrap();
        assert_eq!(block.piece_count(), PIECES_MAX as u64 - 1);
    }
}
