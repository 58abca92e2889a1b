//! What was published but not yet committed: seen by every look-up, lost in a crash.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::body_file::BodyFile;
use super::naming::ObjectId;
use super::presence::Presence;
use super::purge::Selection;
use super::record::{Stored, StoredBody};

/// Most uses that are remembered between two commits; further ones are counted as lost.
const TOUCHED_MAX: usize = 1 << 16;

/// A record that waits for its commit.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) stored: Stored,
    /// The data file, to be synced first.
    pub(super) file: Option<Arc<BodyFile>>,
}

#[derive(Debug)]
struct Slot {
    entry: Arc<Entry>,
    /// Order of publication.
    turn: u64,
    /// What the cap was charged for it and no commit has booked.
    delta: i64,
    /// Whether no commit has written the object yet.
    is_new: bool,
    /// Whether a commit under way writes this very entry.
    is_taken: bool,
}

/// A record of a commit under way.
#[derive(Debug)]
pub(super) struct TakenEntry {
    pub(super) entry: Arc<Entry>,
    pub(super) is_new: bool,
    /// What the cap was charged for it.
    pub(super) delta: i64,
    turn: u64,
}

/// What a commit writes.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// In the order of publication.
    pub(super) puts: Vec<TakenEntry>,
    pub(super) drops: Vec<ObjectId>,
    pub(super) touched: HashSet<u64>,
}

/// See the module's header.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// Told of each key before it can be found.
    presence: Arc<Presence>,
    slots: BTreeMap<u64, Slot>,
    by_key: HashMap<Box<[u8]>, Vec<u64>>,
    /// Objects that must not be found any more.
    drops: HashSet<u64>,
    touched: HashSet<u64>,
    turns: u64,
    bytes: usize,
}

fn weight(entry: &Entry) -> usize {
    let label = &entry.stored.label;
    let body = match &entry.stored.body {
        StoredBody::Inline(body) => body.len(),
        StoredBody::File(map) => usize::try_from(map.end() * 5).unwrap_or(usize::MAX),
    };
    // The record's own structs and its place in the tables.
    512 + 2 * label.key.len() + label.variant.len() + label.meta.len() + body
}

impl Pending {
    /// Nothing yet; `presence` is told of each key.
    pub(super) fn new(presence: Arc<Presence>) -> Self {
        Self {
            presence,
            ..Self::default()
        }
    }

    /// Adds a record, or replaces the one of the same object. `delta` is what the cap was charged.
    pub(super) fn put(&mut self, entry: Arc<Entry>, delta: i64, is_new: bool) {
        let id = entry.stored.id.0;
        self.presence.enter(&entry.stored.label.key);
        self.bytes += weight(&entry);
        if let Some(slot) = self.slots.get_mut(&id) {
            self.bytes -= weight(&slot.entry);
            // A commit under way books what it took along.
            slot.delta = if slot.is_taken {
                delta
            } else {
                slot.delta + delta
            };
            slot.entry = entry;
            slot.is_taken = false;
            return;
        }
        let key = entry.stored.label.key.clone();
        self.by_key.entry(key).or_default().push(id);
        self.turns += 1;
        let slot = Slot {
            entry,
            turn: self.turns,
            delta,
            is_new,
            is_taken: false,
        };
        self.slots.insert(id, slot);
    }

    /// The record of object `id`, if one waits.
    pub(super) fn of(&self, id: ObjectId) -> Option<&Arc<Entry>> {
        self.slots.get(&id.0).map(|slot| &slot.entry)
    }

    /// The records of a key, in the order of publication.
    pub(super) fn of_key(&self, key: &[u8]) -> Vec<Arc<Entry>> {
        let ids = self.by_key.get(key).into_iter().flatten();
        let slots = ids.filter_map(|id| self.slots.get(id));
        slots
            .filter(|slot| !self.drops.contains(&slot.entry.stored.id.0))
            .map(|slot| Arc::clone(&slot.entry))
            .collect()
    }

    /// Whether any record of a selection waits, of an object that was dropped since too.
    pub(super) fn has_any(&self, selection: &Selection<'_>) -> bool {
        match selection {
            Selection::Key(key) => self.by_key.contains_key(*key),
            Selection::Prefix(_) | Selection::All => self.keys().any(|key| selection.has_key(key)),
            Selection::Tag(tag) => {
                let mut labels = self.slots.values().map(|slot| &slot.entry.stored.label);
                labels.any(|label| label.tags.iter().any(|known| **known == **tag))
            }
        }
    }

    /// The keys of all records that wait.
    pub(super) fn keys(&self) -> impl Iterator<Item = &[u8]> {
        self.by_key.keys().map(|key| &**key)
    }

    /// Whether another object that waits replaces this one.
    pub(super) fn is_replaced(&self, stored: &Stored) -> bool {
        let own_turn = self.slots.get(&stored.id.0).map_or(0, |slot| slot.turn);
        let ids = self.by_key.get(&stored.label.key).into_iter().flatten();
        ids.filter_map(|id| self.slots.get(id)).any(|slot| {
            let other = &slot.entry.stored;
            other.id != stored.id
                && other.label.variant == stored.label.variant
                && slot.turn > own_turn
        })
    }

    /// Marks an object as not to be found. Returns whether that is new.
    pub(super) fn drop_object(&mut self, id: ObjectId) -> bool {
        self.drops.insert(id.0)
    }

    pub(super) fn is_dropped(&self, id: ObjectId) -> bool {
        self.drops.contains(&id.0)
    }

    /// Notes a use. Returns false where there is no room for the note.
    pub(super) fn touch(&mut self, id: ObjectId) -> bool {
        if self.touched.len() >= TOUCHED_MAX {
            return self.touched.contains(&id.0);
        }
        self.touched.insert(id.0);
        true
    }

    /// How many records wait, and about how much memory they take.
    pub(super) fn load(&self) -> (usize, usize) {
        (self.slots.len(), self.bytes)
    }

    /// Whether there is nothing to commit but uses.
    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty() && self.drops.is_empty()
    }

    /// What a commit is to write. It stays visible until [`settle`](Self::settle).
    pub(super) fn take(&mut self) -> Taken {
        let mut puts: Vec<TakenEntry> = Vec::with_capacity(self.slots.len());
        for slot in self.slots.values_mut() {
            slot.is_taken = true;
            puts.push(TakenEntry {
                entry: Arc::clone(&slot.entry),
                is_new: slot.is_new,
                delta: slot.delta,
                turn: slot.turn,
            });
        }
        puts.sort_unstable_by_key(|put| put.turn);
        Taken {
            puts,
            drops: self.drops.iter().map(|id| ObjectId(*id)).collect(),
            touched: std::mem::take(&mut self.touched),
        }
    }

    /// After the commit of `taken`, from which the objects `gone` were left out or taken out. Returns what the cap was charged
    /// for records of them that no commit will write.
    pub(super) fn settle(&mut self, taken: &Taken, gone: impl Iterator<Item = ObjectId>) -> i64 {
        for put in &taken.puts {
            let id = put.entry.stored.id;
            let Some(slot) = self.slots.get_mut(&id.0) else {
                continue;
            };
            slot.is_new = false;
            if Arc::ptr_eq(&slot.entry, &put.entry) {
                self.remove(id);
            }
        }
        for id in &taken.drops {
            self.drops.remove(&id.0);
        }
        gone.filter_map(|id| self.remove(id))
            .map(|slot| slot.delta)
            .sum()
    }

    fn remove(&mut self, id: ObjectId) -> Option<Slot> {
        let slot = self.slots.remove(&id.0)?;
        self.bytes -= weight(&slot.entry);
        let key = &slot.entry.stored.label.key;
        if let Some(ids) = self.by_key.get_mut(key) {
            ids.retain(|other| *other != id.0);
            if ids.is_empty() {
                self.by_key.remove(key);
            }
        }
        Some(slot)
    }
}
