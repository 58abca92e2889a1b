//! A fill that purges on its own behalf before it publishes: what it purges itself does not stand against it, what others purge does.

use super::{Cached, CachedIndex, Epoch, Ledger};

/// The right to publish under a key. Each purge of its own goes on from the one before under one lock, so that no other gets in
/// between unseen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    key: Box<[u8]>,
    began: Epoch,
    is_lost: bool,
}

impl Claim {
    /// A claim on a key, by a fill that was begun at `began`.
    #[must_use]
    pub fn new(key: Box<[u8]>, began: Epoch) -> Self {
        Self {
            key,
            began,
            is_lost: false,
        }
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// Since when nobody else may have purged the key; none where somebody has.
    #[must_use]
    pub fn began(&self) -> Option<Epoch> {
        (!self.is_lost).then_some(self.began)
    }

    /// Looks for purges of others, before one of its own is begun. Under the writers' lock.
    pub(super) fn look<T: Cached>(&mut self, index: &CachedIndex<T>, ledger: &Ledger<T>) {
        let tags = std::iter::empty();
        self.is_lost |= ledger.is_purged(&index.buckets, &self.key, tags, self.began);
    }

    /// Its own purge has this epoch. Under the same lock.
    pub(super) fn go_on(&mut self, epoch: Epoch) {
        self.began = epoch;
    }
}
