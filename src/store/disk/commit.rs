//! Commits: many publications in one transaction, data before metadata.
//!
//! 1. Take what is pending. It stays visible.
//! 2. Sync the data files that its records speak of.
//! 3. One transaction: records, uses, drops, whatever the caller came for, then evictions. It is durable when it returns.
//! 4. Forget what was pending, unlink the files of what was taken out, give their room back.
//!
//! A crash before 3 is done loses the publications; after it, at worst files that belong to nobody are left, which the sweep
//! removes. A record never speaks of bytes that were not synced before it. Names in folders are not synced: a file whose name a
//! power loss took is a record that is dropped when it is asked for.
//!
//! Threads: the committer comes when the bell was rung; who must have room, or must know that something is gone for good,
//! commits itself.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::counts::add;
use super::engine::Engine;
use super::error::{DiskError, is_full};
use super::eviction::evict;
use super::naming::ObjectId;
use super::pending::{Entry, Taken};
use super::record::Stored;
use super::room::difference;
use super::tables::{Batch, Freed, failed};
use super::writer::MayPublish;

/// How long publications gather before they are committed.
pub(super) const GATHER: Duration = Duration::from_millis(100);
/// From here on a commit begins at once.
const PENDING_SOON: (usize, usize) = (512, 4 << 20);
/// From here on who publishes waits for the commit.
const PENDING_MAX: (usize, usize) = (4096, 16 << 20);
/// How often room is made for one reservation, or a full file system is answered by evicting.
const TRIES: usize = 3;

/// What a transaction did.
struct Done<T> {
    value: T,
    freed: Vec<Freed>,
    /// Records that were left out, because their object is gone.
    skipped: Vec<ObjectId>,
    skipped_cost: i64,
    objects: u64,
}

impl Engine {
    /// Commits what is pending and what `work` does, and evicts until `free` bytes and the headroom fit in.
    ///
    /// # Errors
    /// `StoodDown`; the publications are lost then.
    pub(super) fn commit<T>(
        &self,
        free: u64,
        work: impl FnOnce(&mut Batch<'_>) -> Result<T, DiskError>,
    ) -> Result<T, DiskError> {
        let mut hand = self.hand.lock();
        self.check()?;
        let taken = self.pending.lock().take();
        let done = self
            .transact(&taken, &mut hand, free, work)
            .map_err(|error| self.fail(error))?;
        let freed = done.freed.iter().map(|freed| freed.id);
        let gone = freed.chain(done.skipped.iter().copied());
        let unbooked = self.pending.lock().settle(&taken, gone);
        self.room
            .adjust(0_i64.saturating_sub(unbooked + done.skipped_cost));
        self.objects.store(done.objects, Ordering::Relaxed);
        add(&self.counts().commits, 1);
        drop(hand);
        for freed in &done.freed {
            self.free(freed);
        }
        Ok(done.value)
    }

    fn transact<T>(
        &self,
        taken: &Taken,
        hand: &mut u64,
        free: u64,
        work: impl FnOnce(&mut Batch<'_>) -> Result<T, DiskError>,
    ) -> Result<Done<T>, DiskError> {
        for put in &taken.puts {
            if let Some(file) = &put.entry.file
                && file.wash()
            {
                let synced = self
                    .medium
                    .sync(file.name(), std::os::fd::AsFd::as_fd(&**file));
                synced.map_err(|error| {
                    file.doubt();
                    DiskError::File(error)
                })?;
            }
        }
        let mut transaction = self.database.begin_write().map_err(failed)?;
        // Without it, opening after a crash would read all of the metadata.
        transaction.set_quick_repair(true);
        let mut batch = Batch::open(&transaction, self.seed)?;
        let (mut skipped, mut skipped_cost) = (Vec::new(), 0_i64);
        for put in &taken.puts {
            if !batch.put(&put.entry.stored, put.is_new)? {
                skipped.push(put.entry.stored.id);
                skipped_cost += put.delta;
            }
        }
        batch.use_all(taken.touched.iter().copied())?;
        for id in &taken.drops {
            batch.remove(*id)?;
        }
        let value = work(&mut batch)?;
        let freed: u64 = batch.freed.iter().map(|freed| freed.cost).sum();
        let excess = self.room.excess(free).saturating_sub(freed);
        if excess > 0 {
            let writing = self.writing.lock().clone();
            let residents = self.lasting.residents.get().map(|residents| &**residents);
            let (count, bytes) = evict(&mut batch, hand, excess, &writing, residents)?;
            add(&self.counts().evicted, count);
            add(&self.counts().evicted_bytes, bytes);
        }
        add(&self.counts().dropped_record, batch.unreadable);
        let objects = batch.count;
        let freed = batch.close(*hand)?;
        transaction.commit().map_err(failed)?;
        Ok(Done {
            value,
            freed,
            skipped,
            skipped_cost,
            objects,
        })
    }

    fn free(&self, freed: &Freed) {
        if let Some(residents) = self.lasting.residents.get() {
            residents.gone(&freed.key, freed.id);
        }
        if let Some(name) = &freed.file
            && let Err(error) = self.medium.unlink(name)
            && error.kind() != io::ErrorKind::NotFound
        {
            // The sweep of a later run finds it.
            add(&self.counts().unlink_failures, 1);
        }
        self.room.give(freed.cost);
    }

    /// Commits what is pending, if anything is.
    pub(super) fn flush(&self) -> Result<(), DiskError> {
        if self.pending.lock().is_empty() && !self.room.is_tight() {
            return self.check();
        }
        self.commit(0, |_| Ok(()))
    }

    /// Makes a record findable, to be committed soon. `credit` is what the cap was charged for it before. Nothing happens
    /// where `may_publish` says no: it is asked below the lock that removals take, so that what is published after its yes is
    /// found by any removal that begins later.
    ///
    /// # Errors
    /// `Unwanted`, `StoodDown`.
    pub(super) fn publish(
        &self,
        entry: Entry,
        credit: u64,
        may_publish: Option<&MayPublish>,
    ) -> Result<(), DiskError> {
        self.check()?;
        let delta = difference(entry.stored.cost(), 0);
        let load = {
            let mut pending = self.pending.lock();
            if may_publish.is_some_and(|may| !may()) {
                return Err(DiskError::Unwanted);
            }
            pending.put(Arc::new(entry), delta, true);
            self.room
                .adjust(delta.saturating_sub(difference(credit, 0)));
            pending.load()
        };
        add(&self.counts().published, 1);
        self.after_put(load)
    }

    /// Changes an object's record, to be committed soon. `change` returns what the call returns.
    ///
    /// # Errors
    /// `Gone`, and those of `change`.
    pub(super) fn edit<T>(
        &self,
        id: ObjectId,
        credit: u64,
        change: impl FnOnce(
            &mut Stored,
            &mut Option<Arc<super::body_file::BodyFile>>,
        ) -> Result<T, DiskError>,
    ) -> Result<T, DiskError> {
        self.check()?;
        let (value, load) = {
            let mut pending = self.pending.lock();
            let base = self.newest(&pending, id)?.ok_or(DiskError::Gone)?;
            if pending.is_replaced(&base.stored) {
                return Err(DiskError::Gone);
            }
            let mut stored = base.stored.clone();
            let mut file = base.file.clone();
            let value = change(&mut stored, &mut file)?;
            let delta = difference(stored.cost(), base.stored.cost());
            pending.put(Arc::new(Entry { stored, file }), delta, false);
            self.room
                .adjust(delta.saturating_sub(difference(credit, 0)));
            (value, pending.load())
        };
        self.after_put(load)?;
        Ok(value)
    }

    fn after_put(&self, (count, bytes): (usize, usize)) -> Result<(), DiskError> {
        if count >= PENDING_MAX.0 || bytes >= PENDING_MAX.1 {
            add(&self.counts().waits, 1);
            return self.commit(0, |_| Ok(()));
        }
        let is_much = count >= PENDING_SOON.0 || bytes >= PENDING_SOON.1;
        self.lasting.bell.ring(is_much || self.room.is_tight());
        Ok(())
    }

    /// Takes `amount` bytes of the cap, evicting for them where it must.
    ///
    /// # Errors
    /// `NoRoom`, `StoodDown`.
    pub(super) fn reserve(&self, amount: u64) -> Result<(), DiskError> {
        for _ in 0..TRIES {
            self.check()?;
            if self.room.take(amount) {
                if self.room.is_tight() {
                    self.lasting.bell.ring(true);
                }
                return Ok(());
            }
            self.commit(amount, |_| Ok(()))?;
        }
        add(&self.counts().no_room, 1);
        Err(DiskError::NoRoom)
    }

    /// Does `work`; a full file system is answered by evicting, then by standing down, as is any other error.
    pub(super) fn insist<T>(
        &self,
        mut work: impl FnMut() -> io::Result<T>,
    ) -> Result<T, DiskError> {
        let mut tries = 0;
        loop {
            self.check()?;
            match work() {
                Ok(value) => return Ok(value),
                Err(error) if is_full(&error) && tries < TRIES => {
                    tries += 1;
                    add(&self.counts().full, 1);
                    let used = self.room.used();
                    let less = (used / 32).max(4 << 20);
                    let free = self.room.size().saturating_sub(used).saturating_add(less);
                    self.commit(free.saturating_sub(self.room.headroom()), |_| Ok(()))?;
                }
                Err(error) if super::error::is_passing(&error) => {
                    return Err(DiskError::File(error));
                }
                Err(error) => return Err(self.fail_io(error)),
            }
        }
    }
}
