//! The tables of the metadata, and what one transaction does to them.
//!
//! | table | key | value |
//! |---|---|---|
//! | `objects` | object's number | its record, the body within where that is small |
//! | `variants` | key, variant | object's number |
//! | `used` | object's number | nothing: it was used since the eviction's hand passed it |
//! | `tags` | tag, object's number | nothing |
//! | `facts` | name | a number |

use redb::{ReadableTable as _, Table, TableDefinition, WriteTransaction};

use super::error::DiskError;
use super::naming::{FileName, ObjectId};
use super::record::{Stored, StoredBody};

pub(super) const OBJECTS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("objects");
pub(super) const VARIANTS: TableDefinition<'_, (&[u8], &[u8]), u64> =
    TableDefinition::new("variants");
pub(super) const USED: TableDefinition<'_, u64, ()> = TableDefinition::new("used");
pub(super) const TAGS: TableDefinition<'_, (&[u8], u64), ()> = TableDefinition::new("tags");
pub(super) const FACTS: TableDefinition<'_, &str, u64> = TableDefinition::new("facts");

/// The format of tables and records.
pub(super) const FACT_FORMAT: &str = "format";
/// Scrambles the names of data files.
pub(super) const FACT_SEED: &str = "seed";
/// How often the store was opened: the upper part of object numbers.
pub(super) const FACT_RUN: &str = "run";
/// What all records cost.
pub(super) const FACT_BYTES: &str = "bytes";
/// How many records there are.
pub(super) const FACT_OBJECTS: &str = "objects";
/// Where the eviction's hand is.
pub(super) const FACT_HAND: &str = "hand";

/// Any error of the database.
pub(super) fn failed(error: impl Into<redb::Error>) -> DiskError {
    match error.into() {
        redb::Error::Io(error) if error.kind() != std::io::ErrorKind::InvalidData => {
            DiskError::File(error)
        }
        other => DiskError::Metadata(other.to_string()),
    }
}

/// What a transaction took out: its room and its file are free once it is committed.
#[derive(Clone, Debug)]
pub(super) struct Freed {
    pub(super) id: ObjectId,
    pub(super) key: Box<[u8]>,
    pub(super) cost: u64,
    pub(super) file: Option<FileName>,
}

/// The tables, open in a transaction.
pub(super) struct Batch<'t> {
    objects: Table<'t, u64, &'static [u8]>,
    variants: Table<'t, (&'static [u8], &'static [u8]), u64>,
    used: Table<'t, u64, ()>,
    tags: Table<'t, (&'static [u8], u64), ()>,
    facts: Table<'t, &'static str, u64>,
    seed: u64,
    /// What all records cost now.
    pub(super) bytes: u64,
    /// How many there are now.
    pub(super) count: u64,
    /// What was taken out.
    pub(super) freed: Vec<Freed>,
    /// Records that could not be read, and were taken out.
    pub(super) unreadable: u64,
}

impl<'t> Batch<'t> {
    pub(super) fn open(transaction: &'t WriteTransaction, seed: u64) -> Result<Self, DiskError> {
        let facts = transaction.open_table(FACTS).map_err(failed)?;
        let fact = |name| -> Result<u64, DiskError> {
            let found = facts.get(name).map_err(failed)?;
            Ok(found.map_or(0, |value| value.value()))
        };
        let (bytes, count) = (fact(FACT_BYTES)?, fact(FACT_OBJECTS)?);
        Ok(Self {
            objects: transaction.open_table(OBJECTS).map_err(failed)?,
            variants: transaction.open_table(VARIANTS).map_err(failed)?,
            used: transaction.open_table(USED).map_err(failed)?,
            tags: transaction.open_table(TAGS).map_err(failed)?,
            facts,
            seed,
            bytes,
            count,
            freed: Vec::new(),
            unreadable: 0,
        })
    }

    pub(super) fn fact(&self, name: &str) -> Result<Option<u64>, DiskError> {
        let found = self.facts.get(name).map_err(failed)?;
        Ok(found.map(|value| value.value()))
    }

    pub(super) fn set_fact(&mut self, name: &str, value: u64) -> Result<(), DiskError> {
        self.facts.insert(name, value).map_err(failed)?;
        Ok(())
    }

    /// Writes the sums. The last thing before the commit.
    pub(super) fn close(mut self, hand: u64) -> Result<Vec<Freed>, DiskError> {
        let (bytes, count) = (self.bytes, self.count);
        self.set_fact(FACT_BYTES, bytes)?;
        self.set_fact(FACT_OBJECTS, count)?;
        self.set_fact(FACT_HAND, hand)?;
        Ok(self.freed)
    }

    /// The record of object `id`. One that can't be read is taken out.
    pub(super) fn read(&mut self, id: ObjectId) -> Result<Option<Stored>, DiskError> {
        let found = {
            let value = self.objects.get(id.0).map_err(failed)?;
            value.map(|value| Stored::decode(id, value.value()))
        };
        match found {
            Some(None) => {
                self.objects.remove(id.0).map_err(failed)?;
                self.used.remove(id.0).map_err(failed)?;
                self.unreadable += 1;
                self.count = self.count.saturating_sub(1);
                Ok(None)
            }
            Some(stored) => Ok(stored),
            None => Ok(None),
        }
    }

    /// Writes a record: of a new object, or (`is_new` false) of one that must still be there. Returns whether it did. What
    /// the same key and variant named before is taken out.
    pub(super) fn put(&mut self, stored: &Stored, is_new: bool) -> Result<bool, DiskError> {
        let id = stored.id;
        let before = self.read(id)?;
        if before.is_none() && !is_new {
            return Ok(false);
        }
        let label = &stored.label;
        let name = (&*label.key, &*label.variant);
        let replaced = {
            let other = self.variants.insert(name, id.0).map_err(failed)?;
            other.map(|other| ObjectId(other.value()))
        };
        if let Some(other) = replaced.filter(|other| *other != id) {
            self.take_out(other, false)?;
        }
        if let Some(before) = &before {
            self.bytes = self.bytes.saturating_sub(before.cost());
            self.remove_tags(before)?;
        } else {
            self.count += 1;
        }
        for tag in &label.tags {
            self.tags.insert((&**tag, id.0), ()).map_err(failed)?;
        }
        self.bytes = self.bytes.saturating_add(stored.cost());
        let encoded = stored.encode();
        self.objects.insert(id.0, &*encoded).map_err(failed)?;
        Ok(true)
    }

    fn remove_tags(&mut self, stored: &Stored) -> Result<(), DiskError> {
        for tag in &stored.label.tags {
            self.tags.remove((&**tag, stored.id.0)).map_err(failed)?;
        }
        Ok(())
    }

    /// Takes out object `id`. Returns its record.
    pub(super) fn remove(&mut self, id: ObjectId) -> Result<Option<Stored>, DiskError> {
        self.take_out(id, true)
    }

    fn take_out(&mut self, id: ObjectId, with_name: bool) -> Result<Option<Stored>, DiskError> {
        let Some(stored) = self.read(id)? else {
            return Ok(None);
        };
        self.objects.remove(id.0).map_err(failed)?;
        self.used.remove(id.0).map_err(failed)?;
        self.remove_tags(&stored)?;
        if with_name {
            let name = (&*stored.label.key, &*stored.label.variant);
            let named = {
                let named = self.variants.get(name).map_err(failed)?;
                named.map(|named| named.value())
            };
            if named == Some(id.0) {
                self.variants.remove(name).map_err(failed)?;
            }
        }
        let cost = stored.cost();
        self.bytes = self.bytes.saturating_sub(cost);
        self.count = self.count.saturating_sub(1);
        let file = match &stored.body {
            StoredBody::Inline(_) => None,
            StoredBody::File(_) => Some(FileName::of(id, self.seed, stored.extension)),
        };
        let key = stored.label.key.clone();
        self.freed.push(Freed {
            id,
            key,
            cost,
            file,
        });
        Ok(Some(stored))
    }

    /// Notes that objects were used.
    pub(super) fn use_all(&mut self, ids: impl Iterator<Item = u64>) -> Result<(), DiskError> {
        for id in ids {
            let is_there = self.objects.get(id).map_err(failed)?.is_some();
            if is_there {
                self.used.insert(id, ()).map_err(failed)?;
            }
        }
        Ok(())
    }

    /// Whether object `id` was used since this was last asked.
    pub(super) fn forget_use(&mut self, id: u64) -> Result<bool, DiskError> {
        Ok(self.used.remove(id).map_err(failed)?.is_some())
    }

    /// The first object whose number is `from` or larger.
    pub(super) fn next(&self, from: u64) -> Result<Option<u64>, DiskError> {
        let mut range = self.objects.range(from..).map_err(failed)?;
        let first = range.next().transpose().map_err(failed)?;
        Ok(first.map(|(id, _)| id.value()))
    }

    /// Names from `(key, variant)` on, and the objects they name, as long as `take` wants more.
    pub(super) fn names(
        &self,
        from: (&[u8], &[u8]),
        mut take: impl FnMut(&[u8], &[u8], ObjectId) -> bool,
    ) -> Result<(), DiskError> {
        for entry in self.variants.range(from..).map_err(failed)? {
            let (name, id) = entry.map_err(failed)?;
            let (key, variant) = name.value();
            if !take(key, variant, ObjectId(id.value())) {
                break;
            }
        }
        Ok(())
    }

    /// Up to `count` objects with `tag`, from number `from` on.
    pub(super) fn tagged(
        &self,
        tag: &[u8],
        from: u64,
        count: usize,
    ) -> Result<Vec<ObjectId>, DiskError> {
        let range = self
            .tags
            .range((tag, from)..=(tag, u64::MAX))
            .map_err(failed)?;
        range
            .take(count)
            .map(|entry| Ok(ObjectId(entry.map_err(failed)?.0.value().1)))
            .collect()
    }
}
