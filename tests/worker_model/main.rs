//! A worker simulated from one seed: random requests in random pieces, slow clients, half-closes, and a driver that
//! orders its events at random within what the drivers may do. An obvious model says what each client must receive.
//!
//! `MODEL_SEED=n` runs one seed, `MODEL_SEEDS=n` that many. A failure names its seed.

#[cfg(test)]
mod client;
#[cfg(test)]
mod fake_driver;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod informational;
#[cfg(test)]
mod mended;
#[cfg(test)]
mod random;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod simulation;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hotplate::sys::clock;

    use crate::fixture::Fixture;
    use crate::requests::Book;
    use crate::simulation::simulate;

    /// How many seeds are run, and how long at most.
    const SEEDS: u64 = 400;
    const TIME_MAX: Duration = Duration::from_secs(20);
    /// Fewer than this in the time would hardly be a test.
    const SEEDS_MIN: u64 = 30;

    fn number(name: &str) -> Option<u64> {
        std::env::var_os(name)?.to_str()?.parse().ok()
    }

    #[test]
    fn every_request_is_answered_once_and_in_order_whatever_the_seed() {
        let fixture = Fixture::new();
        let mut book = Book::default();
        if let Some(seed) = number("MODEL_SEED") {
            simulate(&fixture, &mut book, seed);
            return;
        }
        let count = number("MODEL_SEEDS").unwrap_or(SEEDS);
        let began = clock::mono();
        for seed in 0..count {
            if clock::mono().since(began) >= TIME_MAX && count == SEEDS {
                assert!(seed >= SEEDS_MIN, "only {seed} seeds in {TIME_MAX:?}");
                return;
            }
            simulate(&fixture, &mut book, seed);
        }
    }
}
