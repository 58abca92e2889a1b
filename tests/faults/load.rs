//! Clients that ask all the time, and insist on whole and right answers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use crate::harness::{Client, Setup, get, pattern};

/// Files under load: a small one for the rate, a large one so that there is always an answer under way.
pub(crate) fn loaded() -> Setup {
    Setup::new()
        .file("p/small.bin", pattern(1_000, 1))
        .file("p/large.bin", pattern(2_000_000, 2))
        .pin_under_every_hold("p/*", |pin| pin)
}

/// The targets and bodies of [`loaded`].
pub(crate) fn assets() -> Vec<(String, Vec<u8>)> {
    let mut assets = Vec::new();
    for hold in ["file", "mmap", "memory"] {
        for _ in 0..8 {
            assets.push((format!("/{hold}/small.bin"), pattern(1_000, 1)));
        }
        assets.push((format!("/{hold}/large.bin"), pattern(2_000_000, 2)));
    }
    assets
}

/// Clients at work on threads of their own.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    /// Starts `count` clients, each on one connection that must never break.
    pub(crate) fn start(address: SocketAddr, count: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let answered = Arc::new(AtomicU64::new(0));
        let threads = (0..count)
            .map(|number| {
                let (stop, answered) = (Arc::clone(&stop), Arc::clone(&answered));
                std::thread::spawn(move || {
                    let assets = assets();
                    let mut client = Client::open(address);
                    let mut turn = number;
                    while !stop.load(Ordering::Relaxed) {
                        let (target, body) = &assets[turn % assets.len()];
                        client.ask(&get(target)).expect(200).expect_body(body);
                        answered.fetch_add(1, Ordering::Relaxed);
                        turn += 1;
                    }
                })
            })
            .collect();
        Self {
            stop,
            answered,
            threads,
        }
    }

    /// How many answers came so far.
    pub(crate) fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    /// Ends the load; fails where any client failed.
    pub(crate) fn end(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().expect("every answer was whole and right");
        }
        self.answered.load(Ordering::Relaxed)
    }
}
