//! How long to wait between two attempts. Pure: chance enters as an argument.

use std::time::Duration;

/// The wait after `attempts` failures, 1 or more: doubled each time from `min`, at most `max`, of which the later half is left
/// to chance (`random`, 0 to 1), so that what failed together does not come back together.
#[must_use]
pub(in crate::fill) fn delay(attempts: u32, min: Duration, max: Duration, random: f64) -> Duration {
    let doublings = attempts.saturating_sub(1).min(31);
    let longest = min.saturating_mul(1 << doublings).min(max);
    longest / 2 + (longest / 2).mul_f64(random.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wait_doubles_up_to_its_longest_and_half_of_it_is_chance() {
        let (min, max) = (Duration::from_secs(1), Duration::from_secs(60));
        let wait = |attempts, random| delay(attempts, min, max, random).as_millis();
        assert_eq!((wait(1, 0.0), wait(1, 1.0)), (500, 1000));
        assert_eq!((wait(2, 0.0), wait(2, 1.0)), (1000, 2000));
        assert_eq!((wait(7, 0.0), wait(7, 1.0)), (30_000, 60_000));
        assert_eq!(wait(u32::MAX, 0.5), 45_000);
        assert_eq!(wait(0, 2.0), 1000);
    }
}
