//! Which bytes of a body are there: a set of ranges that never touch.

/// Most ranges that a body may have; one more is not taken note of, so its bytes are fetched again.
pub const RANGES_MAX: usize = 4096;

/// A set of bytes as ranges from a first byte to before an end, in order, with a gap between each two.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RangeSet(Vec<(u64, u64)>);

impl RangeSet {
    /// Adds the bytes from `first` to before `end`; false where there are too many ranges already.
    pub fn add(&mut self, first: u64, end: u64) -> bool {
        if first >= end {
            return true;
        }
        // Those that overlap or touch the new one are [from, to).
        let from = self.0.partition_point(|range| range.1 < first);
        let to = self.0.partition_point(|range| range.0 <= end);
        let joined = self.0.get(from..to).unwrap_or_default();
        let first = joined.first().map_or(first, |range| range.0.min(first));
        let end = joined.last().map_or(end, |range| range.1.max(end));
        if joined.is_empty() && self.0.len() >= RANGES_MAX {
            return false;
        }
        self.0.splice(from..to, [(first, end)]);
        true
    }

    /// How many bytes are there without a gap from `first` on.
    #[must_use]
    pub fn run_from(&self, first: u64) -> u64 {
        let at = self.0.partition_point(|range| range.1 <= first);
        match self.0.get(at) {
            Some(range) if range.0 <= first => range.1 - first,
            _ => 0,
        }
    }

    /// Where the gap that begins at `first` ends: at the next range, or at `size`.
    #[must_use]
    pub fn gap_end(&self, first: u64, size: u64) -> u64 {
        let at = self.0.partition_point(|range| range.1 <= first);
        self.0.get(at).map_or(size, |range| range.0.min(size))
    }

    /// The gaps between `first` and `end`, in order.
    #[must_use]
    pub fn gaps(&self, first: u64, end: u64) -> Vec<(u64, u64)> {
        let mut gaps = Vec::new();
        let mut at = first;
        for (from, to) in self.iter().filter(|range| range.1 > first) {
            if from >= end {
                break;
            }
            if from > at {
                gaps.push((at, from));
            }
            at = at.max(to);
        }
        if at < end {
            gaps.push((at, end));
        }
        gaps
    }

    /// How many bytes are there in all.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().map(|range| range.1 - range.0).sum()
    }

    /// The ranges, in order.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> {
        self.0.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn touching_ranges_become_one() {
        let mut set = RangeSet::default();
        for (first, end) in [(10, 20), (30, 40), (20, 30), (5, 5), (0, 3)] {
            assert!(set.add(first, end));
        }
        assert_eq!(set.iter().collect::<Vec<_>>(), [(0, 3), (10, 40)]);
        assert_eq!(
            (set.run_from(15), set.run_from(40), set.run_from(3)),
            (25, 0, 0)
        );
        assert_eq!((set.gap_end(3, 100), set.gap_end(40, 100)), (10, 100));
    }

    #[test]
    fn a_range_too_many_is_refused_unless_it_joins_others() {
        let mut set = RangeSet::default();
        for at in 0..RANGES_MAX as u64 {
            assert!(set.add(at * 4, at * 4 + 2));
        }
        assert!(!set.add(1 << 40, (1 << 40) + 1));
        assert!(set.add(2, 4));
        assert_eq!(set.run_from(0), 6);
    }

    proptest! {
        #[test]
        fn agrees_with_a_bit_for_each_byte(adds in proptest::collection::vec((0_u64..64, 0_u64..64), 0..20)) {
            let mut set = RangeSet::default();
            let mut bits = [false; 65];
            for (first, end) in adds {
                set.add(first, end);
                for bit in bits.iter_mut().take(end as usize).skip(first as usize) {
                    *bit = true;
                }
            }
            for first in 0..64_usize {
                let run = bits.iter().skip(first).take_while(|bit| **bit).count() as u64;
                prop_assert_eq!(set.run_from(first as u64), run);
                let gap = bits.iter().take(64).skip(first).take_while(|bit| !**bit).count();
                if run == 0 {
                    prop_assert_eq!(set.gap_end(first as u64, 64), (first + gap) as u64);
                }
            }
            let missing: Vec<usize> = set
                .gaps(3, 60)
                .into_iter()
                .flat_map(|(from, to)| from as usize..to as usize)
                .collect();
            let expected: Vec<usize> = (3..60).filter(|at| !bits[*at]).collect();
            prop_assert_eq!(missing, expected);
            prop_assert_eq!(set.total(), bits.iter().filter(|bit| **bit).count() as u64);
            prop_assert!(set.0.windows(2).all(|pair| pair[0].1 < pair[1].0));
        }
    }
}
