//! Which blocks of a body are there, and the checksum of each.

use super::error::DiskError;

/// Most blocks of one object; larger ones get larger blocks.
pub(super) const BLOCKS_MAX: u64 = 1 << 16;

/// The blocks of a body: present ones with their checksum (CRC-32C of the block's bytes).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockMap {
    sums: Vec<u32>,
    present: Vec<u8>,
}

impl BlockMap {
    /// Whether block `number` is present.
    #[must_use]
    pub fn is_present(&self, number: u64) -> bool {
        self.sum(number).is_some()
    }

    /// How many blocks are present.
    #[must_use]
    pub fn present_count(&self) -> u64 {
        let ones = self.present.iter().map(|byte| u64::from(byte.count_ones()));
        ones.sum()
    }

    /// The number after the last block that is present.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.sums.len() as u64
    }

    /// Numbers of the blocks that are present, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        (0..self.end()).filter(|number| self.is_present(*number))
    }

    pub(super) fn sum(&self, number: u64) -> Option<u32> {
        let at = usize::try_from(number).ok()?;
        let sum = self.sums.get(at)?;
        let bits = self.present.get(at / 8)?;
        (bits >> (at % 8) & 1 == 1).then_some(*sum)
    }

    pub(super) fn insert(&mut self, number: u64, sum: u32) -> Result<(), DiskError> {
        if number >= BLOCKS_MAX {
            return Err(DiskError::TooLarge);
        }
        let at = usize::try_from(number).map_err(|_| DiskError::TooLarge)?;
        if self.sums.len() <= at {
            self.sums.resize(at + 1, 0);
            self.present.resize(at / 8 + 1, 0);
        }
        if let (Some(slot), Some(bits)) = (self.sums.get_mut(at), self.present.get_mut(at / 8)) {
            *slot = sum;
            *bits |= 1 << (at % 8);
        }
        Ok(())
    }

    /// Encoded length in bytes, for `count` blocks.
    pub(super) fn encoded_length(count: u64) -> u64 {
        count * 4 + count.div_ceil(8)
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.present);
        for sum in &self.sums {
            out.extend_from_slice(&sum.to_le_bytes());
        }
    }

    /// Reads what [`encode`](Self::encode) wrote for `count` blocks; `None` where the length is another.
    pub(super) fn decode(count: u32, bytes: &[u8]) -> Option<Self> {
        let count_bytes = usize::try_from(count.div_ceil(8)).ok()?;
        let (present, sums) = bytes.split_at_checked(count_bytes)?;
        if u64::from(count) > BLOCKS_MAX
            || sums.len() != usize::try_from(count).ok()?.checked_mul(4)?
        {
            return None;
        }
        let (sums, _) = sums.as_chunks::<4>();
        let sums = sums.iter().map(|bytes| u32::from_le_bytes(*bytes));
        Some(Self {
            sums: sums.collect(),
            present: present.to_vec(),
        })
    }
}

/// How large the blocks of an object of `size` bytes are: `wanted`, doubled until there are not too many.
pub(super) fn block_size(wanted: u32, size: Option<u64>) -> u32 {
    let mut block = wanted;
    while size.unwrap_or(0).div_ceil(u64::from(block)) > BLOCKS_MAX && block < 1 << 31 {
        block <<= 1;
    }
    block
}

/// The length of block `number` of an object of `size` bytes; `None` for one behind its end.
pub(super) fn block_length(number: u64, block: u32, size: u64) -> Option<u64> {
    let start = number.checked_mul(u64::from(block))?;
    let left = size.checked_sub(start).filter(|left| *left > 0)?;
    Some(left.min(u64::from(block)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn map_is_read_back_as_written() {
        let mut map = BlockMap::default();
        for number in [0, 3, 8, 17] {
            map.insert(number, 100 + number as u32).unwrap();
        }
        let mut out = Vec::new();
        map.encode(&mut out);
        assert_eq!(out.len() as u64, BlockMap::encoded_length(18));
        assert_eq!(BlockMap::decode(18, &out), Some(map.clone()));
        assert_eq!(BlockMap::decode(17, &out), None);
        assert_eq!(map.iter().collect::<Vec<_>>(), [0, 3, 8, 17]);
        assert_eq!((map.present_count(), map.end()), (4, 18));
        assert_eq!(map.sum(8), Some(108));
        assert_eq!(map.sum(9), None);
        assert!(matches!(
            map.insert(BLOCKS_MAX, 1),
            Err(DiskError::TooLarge)
        ));
    }

    #[test]
    fn huge_object_gets_larger_blocks() {
        assert_eq!(block_size(1 << 20, None), 1 << 20);
        assert_eq!(block_size(1 << 20, Some(BLOCKS_MAX << 20)), 1 << 20);
        assert_eq!(block_size(1 << 20, Some((BLOCKS_MAX << 20) + 1)), 2 << 20);
    }

    #[test]
    fn last_block_is_as_long_as_what_is_left() {
        assert_eq!(block_length(0, 10, 25), Some(10));
        assert_eq!(block_length(2, 10, 25), Some(5));
        assert_eq!(block_length(3, 10, 25), None);
        assert_eq!(block_length(2, 10, 20), None);
        assert_eq!(block_length(u64::MAX, 10, 20), None);
    }
}
