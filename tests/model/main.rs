//! A server that is driven at random, over real sockets, beside a reference cache that has no cleverness.
//!
//! From one seed follow requests, several of them at once now and then, changes at the origin, outages, purges, invalidations, passing time and restarts. Each answer
//! is held to what the reference allows: status, bytes, validators, Age, and whether the origin was asked. Time is moved by
//! the origin, whose Date and Age make a response as old as wanted when it comes; real seconds pass only now and then.
//!
//! `HOTPLATE_MODEL_SEED=n` runs one seed, `HOTPLATE_MODEL_STEPS=n` that many steps of each. A failure names its seed and
//! lists the steps that led to it.

#[cfg(test)]
#[macro_use]
#[path = "../harness/mod.rs"]
mod harness;
#[cfg(test)]
#[path = "../worker_model/random.rs"]
mod random;

#[cfg(test)]
mod asking;
#[cfg(test)]
mod confirmed;
#[cfg(test)]
mod crowd;
#[cfg(test)]
mod drive;
#[cfg(test)]
mod expected;
#[cfg(test)]
mod plan;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod resource;
#[cfg(test)]
mod stored;

#[cfg(test)]
mod tests {
    use crate::drive::{Lasting, drive};
    use crate::harness::Driver;
    use crate::harness::waiting::number_from_environment;

    /// How many steps a seed is run for: some seconds with what is waited for.
    const STEPS: u64 = 300;

    fn run(driver: Driver, lasting: Lasting, seed: u64) {
        if driver.is_permitted("the model") {
            let seed = number_from_environment("HOTPLATE_MODEL_SEED", seed);
            let steps = number_from_environment("HOTPLATE_MODEL_STEPS", STEPS);
            drive(driver, lasting, seed, usize::try_from(steps).expect("few"));
        }
    }

    #[test]
    fn every_answer_is_one_that_the_reference_allows_io_uring() {
        run(Driver::IoUring, Lasting::Memory, 1);
    }

    #[test]
    fn every_answer_is_one_that_the_reference_allows_epoll() {
        run(Driver::Epoll, Lasting::Memory, 2);
    }

    #[test]
    fn every_answer_is_one_that_the_reference_allows_with_a_disk_io_uring() {
        run(Driver::IoUring, Lasting::Disk, 3);
    }

    #[test]
    fn every_answer_is_one_that_the_reference_allows_with_a_disk_epoll() {
        run(Driver::Epoll, Lasting::Disk, 4);
    }
}
