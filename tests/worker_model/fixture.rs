//! The pinned files that all simulations share.

use std::sync::{Arc, LazyLock};

use arc_swap::ArcSwap;
use hotplate::fill::pins::{BoardSettings, PinBoard};
use hotplate::index::pins::PinIndex;
use hotplate::server::settings::Limits;
use hotplate::store::budget::Budget;
use hotplate::store::pinned::load::Budgets;
use hotplate::store::pinned::{Hold, OnChange, PinRule};

use crate::client::Stream;
use crate::fake_driver::Kind;
use crate::random::Random;
use crate::requests::FILES;
use crate::simulation::World;

/// The bytes of a file of `size`.
pub(crate) fn content(size: usize) -> &'static [u8] {
    static ALL: LazyLock<Vec<u8>> =
        LazyLock::new(|| (0..1 << 20).map(|at| (at * 31 % 251) as u8).collect());
    &ALL[..size]
}

/// The pinned files that all simulations share.
pub(crate) struct Fixture {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) index: Arc<ArcSwap<PinIndex>>,
    _board: PinBoard,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, size) in FILES {
            std::fs::write(folder.path().join(name), content(size)).unwrap();
        }
        let holds = [
            (Hold::File, "/file/"),
            (Hold::Mmap, "/mmap/"),
            (Hold::Memory, "/memory/"),
        ];
        let rules = holds.map(|(hold, url)| PinRule {
            path: folder.path().join("*.bin"),
            url: url.to_owned(),
            hosts: Vec::new(),
            hold,
            on_change: OnChange::Keep,
            cache_control: String::new(),
            content_type: String::new(),
            line: 1,
        });
        let index = Arc::new(ArcSwap::from_pointee(PinIndex::default()));
        let board = PinBoard::start(BoardSettings {
            rules: rules.to_vec(),
            budgets: Budgets {
                memory: Budget::new(1 << 30),
                descriptors: Budget::new(100),
            },
            index: Arc::clone(&index),
            wake: Arc::new(|| {}),
        })
        .unwrap();
        Self {
            folder,
            index,
            _board: board,
        }
    }

    /// The answer to a request that a client sends whole, and nothing else.
    pub(crate) fn ask_alone(&self, request: &[u8]) -> Vec<u8> {
        let mut random = Random::new(0);
        let mut world = World::new(self, Kind::Epoll, Limits::default());
        world.connect(&mut random, Stream::plain(request), 1 << 20);
        world.run_down(&mut random);
        std::mem::take(&mut world.clients[0].came)
    }
}
