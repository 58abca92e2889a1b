//! Removing and marking many objects at once, and listing them.
//!
//! Each call works on what was begun before it, in bounded batches, and returns when it is through and committed: what it
//! removed is not found again, not after a crash either. Look-ups go on meanwhile. Where there is nothing of it, nothing is
//! committed: one purge of a URL asks for its key in every scope that there is.

use super::counts::add;
use super::engine::Engine;
use super::error::DiskError;
use super::naming::ObjectId;
use super::record::{Label, META_MAX, Stored};
use super::tables::{Batch, OBJECTS, TAGS, VARIANTS, failed};
use super::writer::MayPublish;

/// Most objects of one transaction.
const BATCH: usize = 1024;
/// Most names that one call of [`list`](Engine::list) looks at.
const LOOKED_AT_MAX: usize = 64 << 10;

/// Which objects a call is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection<'s> {
    /// All variants of a key.
    Key(&'s [u8]),
    /// All keys that begin so.
    Prefix(&'s [u8]),
    /// All objects with this tag.
    Tag(&'s [u8]),
    /// All objects.
    All,
}

impl Selection<'_> {
    /// The first key that can be in it.
    pub(super) fn first_key(&self) -> &[u8] {
        match self {
            Self::Key(key) | Self::Prefix(key) => key,
            Self::Tag(_) | Self::All => &[],
        }
    }

    /// Whether it has the objects of `key`; one of a tag has those of any.
    pub(super) fn has_key(&self, key: &[u8]) -> bool {
        match self {
            Self::Key(wanted) => key == *wanted,
            Self::Prefix(prefix) => key.starts_with(prefix),
            Self::Tag(_) | Self::All => true,
        }
    }
}

/// An object in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its number.
    pub id: ObjectId,
    /// Key, variant, metadata, tags.
    pub label: Label,
    /// The body's size, where it is known.
    pub size: Option<u64>,
    /// Bytes of the cap that it takes.
    pub cost: u64,
    /// Whether all of its body is there.
    pub is_complete: bool,
}

/// A key and one of its variants.
pub type Name = (Box<[u8]>, Box<[u8]>);

/// A part of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Objects in the order of key and variant.
    pub objects: Vec<Listed>,
    /// Where to go on; `None` at the end.
    pub after: Option<Name>,
}

/// How far a batched walk is.
#[derive(Debug, Default)]
struct Cursor {
    key: Box<[u8]>,
    variant: Box<[u8]>,
    number: u64,
    is_through: bool,
}

impl Cursor {
    fn at(selection: &Selection<'_>) -> Self {
        Self {
            key: selection.first_key().into(),
            ..Self::default()
        }
    }
}

/// The name right behind `(key, variant)`.
fn behind(variant: &[u8]) -> Box<[u8]> {
    let mut next = variant.to_vec();
    next.push(0);
    next.into()
}

/// The next objects of a selection, and the names that lead to none.
fn next_batch(
    batch: &mut Batch<'_>,
    selection: &Selection<'_>,
    cursor: &mut Cursor,
) -> Result<Vec<ObjectId>, DiskError> {
    let mut ids = Vec::new();
    if let Selection::Tag(tag) = selection {
        ids = batch.tagged(tag, cursor.number, BATCH)?;
        cursor.is_through = ids.len() < BATCH;
        cursor.number = ids.last().map_or(u64::MAX, |last| last.0.saturating_add(1));
        return Ok(ids);
    }
    let mut last = None;
    let from = (&*cursor.key, &*cursor.variant);
    batch.names(from, |key, variant, id| {
        if !selection.has_key(key) || ids.len() >= BATCH {
            return false;
        }
        ids.push(id);
        last = Some((Box::from(key), behind(variant)));
        true
    })?;
    cursor.is_through = ids.len() < BATCH;
    if let Some((key, variant)) = last {
        (cursor.key, cursor.variant) = (key, variant);
    }
    Ok(ids)
}

impl Engine {
    /// Goes through a selection, `each` at each object in a batch.
    fn walk(
        &self,
        selection: &Selection<'_>,
        mut each: impl FnMut(&mut Batch<'_>, ObjectId) -> Result<bool, DiskError>,
    ) -> Result<u64, DiskError> {
        let end = self.ids_end();
        let mut cursor = Cursor::at(selection);
        let mut count = 0;
        while !cursor.is_through {
            count += self.commit(0, |batch| {
                let mut done = 0;
                for id in next_batch(batch, selection, &mut cursor)? {
                    if id < end && each(batch, id)? {
                        done += 1;
                    }
                }
                Ok(done)
            })?;
        }
        Ok(count)
    }

    pub(super) fn remove_all(
        &self,
        selection: &Selection<'_>,
        mut told: impl FnMut(&Label),
    ) -> Result<u64, DiskError> {
        if !self.has_any(selection)? {
            return Ok(0);
        }
        let removed = self.walk(selection, |batch, id| {
            let removed = batch.remove(id)?;
            Ok(removed.inspect(|stored| told(&stored.label)).is_some())
        })?;
        add(&self.counts().removed, removed);
        Ok(removed)
    }

    pub(super) fn count(
        &self,
        selection: &Selection<'_>,
        mut told: impl FnMut(&Label),
    ) -> Result<u64, DiskError> {
        // What is counted is what is committed.
        self.flush()?;
        self.read(|transaction| {
            let objects = transaction.open_table(OBJECTS).map_err(failed)?;
            let mut count = 0;
            let mut note = |id: u64| -> Result<(), DiskError> {
                if let Some(value) = objects.get(id).map_err(failed)?
                    && let Some(stored) = Stored::decode(ObjectId(id), value.value())
                {
                    count += 1;
                    told(&stored.label);
                }
                Ok(())
            };
            if let Selection::Tag(tag) = selection {
                let tags = transaction.open_table(TAGS).map_err(failed)?;
                let range = tags.range((*tag, 0)..=(*tag, u64::MAX));
                for entry in range.map_err(failed)? {
                    note(entry.map_err(failed)?.0.value().1)?;
                }
                return Ok(count);
            }
            let variants = transaction.open_table(VARIANTS).map_err(failed)?;
            let from: (&[u8], &[u8]) = (selection.first_key(), &[]);
            for entry in variants.range(from..).map_err(failed)? {
                let (name, id) = entry.map_err(failed)?;
                let key = name.value().0;
                if !selection.has_key(key) {
                    break;
                }
                note(id.value())?;
            }
            Ok(count)
        })
    }

    pub(super) fn remove(&self, id: ObjectId) -> Result<bool, DiskError> {
        let removed = self.commit(0, |batch| Ok(batch.remove(id)?.is_some()))?;
        add(&self.counts().removed, removed.into());
        Ok(removed)
    }

    /// Gives the objects of a selection the metadata that `mark` makes of theirs.
    pub(super) fn mark(
        &self,
        selection: &Selection<'_>,
        mut mark: impl FnMut(&Label) -> Option<Box<[u8]>>,
    ) -> Result<u64, DiskError> {
        if !self.has_any(selection)? {
            return Ok(0);
        }
        let (end, mut cursor) = (self.ids_end(), Cursor::at(selection));
        let mut count = 0;
        while !cursor.is_through {
            let mut ids = Vec::new();
            self.commit(0, |batch| {
                ids = next_batch(batch, selection, &mut cursor)?;
                Ok(())
            })?;
            // Through the pending records, so that nothing that is published meanwhile is overwritten by what was read here.
            for id in ids.into_iter().filter(|id| *id < end) {
                let marked = self.edit(id, 0, |stored, _| match mark(&stored.label) {
                    Some(meta) if meta.len() > META_MAX => Err(DiskError::TooLong),
                    Some(meta) => {
                        stored.label.meta = meta;
                        Ok(true)
                    }
                    None => Ok(false),
                });
                match marked {
                    Ok(true) => count += 1,
                    Ok(false) | Err(DiskError::Gone) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        self.commit(0, |_| Ok(()))?;
        Ok(count)
    }

    pub(super) fn update(
        &self,
        id: ObjectId,
        meta: Box<[u8]>,
        tags: Option<Vec<Box<[u8]>>>,
        may_update: Option<&MayPublish>,
    ) -> Result<(), DiskError> {
        self.edit(id, 0, |stored, _| {
            if may_update.is_some_and(|may| !may()) {
                return Err(DiskError::Unwanted);
            }
            stored.label.meta = meta;
            if let Some(tags) = tags {
                stored.label.tags = tags;
            }
            stored.label.check()
        })
    }

    pub(super) fn list(
        &self,
        prefix: &[u8],
        after: Option<(&[u8], &[u8])>,
        limit: usize,
        filter: &mut dyn FnMut(&Listed) -> bool,
    ) -> Result<Listing, DiskError> {
        // A list is made of what is committed.
        self.flush()?;
        let from_variant = after.map_or_else(Box::default, |(_, variant)| behind(variant));
        let from_key = after.map_or(prefix, |(key, _)| key);
        self.read(|transaction| {
            let variants = transaction.open_table(VARIANTS).map_err(failed)?;
            let objects = transaction.open_table(OBJECTS).map_err(failed)?;
            let mut listing = Listing::default();
            let from = (from_key, &*from_variant);
            let names = variants.range(from..).map_err(failed)?;
            for (looked_at, entry) in names.enumerate() {
                let (name, id) = entry.map_err(failed)?;
                let (key, variant) = name.value();
                if !key.starts_with(prefix) {
                    return Ok(listing);
                }
                let id = ObjectId(id.value());
                if let Some(value) = objects.get(id.0).map_err(failed)?
                    && let Some(stored) = Stored::decode(id, value.value())
                {
                    let listed = Listed {
                        id,
                        cost: stored.cost(),
                        size: stored.size,
                        is_complete: stored.is_complete,
                        label: stored.label,
                    };
                    if filter(&listed) {
                        listing.objects.push(listed);
                    }
                }
                if listing.objects.len() >= limit || looked_at + 1 >= LOOKED_AT_MAX {
                    listing.after = Some((key.into(), variant.into()));
                    return Ok(listing);
                }
            }
            Ok(listing)
        })
    }
}
