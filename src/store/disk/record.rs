//! What the metadata says of one object, as bytes. Pure.
//!
//! ```text
//! 0   format (1)             1   flags: 1 complete, 2 inline, 4 size known      2   length of the extension
//! 3   extension (8)          11  block size (u32)                               15  size (u64)
//! 23  length of key (u32)    27  of variant (u32)    31  of metadata (u32)      35  number of tags (u32)
//! 39  length of the inline body, or number of blocks (u32)
//! 43  key, variant, metadata, each tag behind its length (u16), inline body or block map
//! end CRC-32C of the object's number and all before
//! ```
//!
//! Numbers are little-endian. A layout that changes gets a new format number; this one is never edited.

use std::sync::Arc;

use super::blocks::{BlockMap, block_length};
use super::error::DiskError;
use super::naming::{Extension, ObjectId};

/// The format of the records, and of the tables that hold them.
pub(super) const FORMAT: u8 = 1;

const FIXED: usize = 43;
const CHECKSUM: usize = 4;

/// Bodies up to this size are kept beside their metadata.
pub const INLINE_MAX: usize = 16 << 10;

/// Most bytes of a key or a variant.
pub const KEY_MAX: usize = 64 << 10;
/// Most bytes of the caller's metadata.
pub const META_MAX: usize = 1 << 20;
/// Most bytes of one tag.
pub const TAG_MAX: usize = 1024;
/// Most tags of an object.
pub const TAGS_MAX: usize = 256;

const COMPLETE: u8 = 1;
const INLINE: u8 = 2;
const SIZED: u8 = 4;

/// What an object is stored under, and what the caller says of it. Opaque to the store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Label {
    /// The key, 1 to [`KEY_MAX`] bytes.
    pub key: Box<[u8]>,
    /// Which of the key's variants it is; may be empty.
    pub variant: Box<[u8]>,
    /// The caller's metadata, up to [`META_MAX`] bytes.
    pub meta: Box<[u8]>,
    /// Tags to remove it by: up to [`TAGS_MAX`] of up to [`TAG_MAX`] bytes.
    pub tags: Vec<Box<[u8]>>,
}

impl Label {
    pub(super) fn check(&self) -> Result<(), DiskError> {
        let tags_fit = self.tags.iter().all(|tag| tag.len() <= TAG_MAX);
        let fits = !self.key.is_empty()
            && self.key.len() <= KEY_MAX
            && self.variant.len() <= KEY_MAX
            && self.meta.len() <= META_MAX
            && self.tags.len() <= TAGS_MAX
            && tags_fit;
        if fits {
            Ok(())
        } else {
            Err(DiskError::TooLong)
        }
    }
}

/// Where the body is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum StoredBody {
    /// In the record itself.
    Inline(Arc<[u8]>),
    /// In the object's data file, as far as the map says.
    File(BlockMap),
}

/// One object's record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) id: ObjectId,
    pub(super) label: Label,
    pub(super) extension: Extension,
    pub(super) block: u32,
    pub(super) size: Option<u64>,
    pub(super) is_complete: bool,
    pub(super) body: StoredBody,
}

impl Stored {
    /// What of the cap the object takes; see [`cost`].
    pub(super) fn cost(&self) -> u64 {
        match &self.body {
            StoredBody::Inline(body) => cost(&self.label, body.len() as u64),
            StoredBody::File(map) => {
                let unknown = u64::MAX;
                let size = self.size.unwrap_or(unknown);
                let full = map.present_count();
                let block = u64::from(self.block);
                // All blocks but the last are full ones.
                let last = map.end().saturating_sub(1);
                let tail = match block_length(last, self.block, size) {
                    Some(length) if map.is_present(last) && length < block => block - length,
                    _ => 0,
                };
                let held = (full * block).saturating_sub(tail);
                let file = file_cost(held, 1);
                cost(&self.label, BlockMap::encoded_length(map.end())).saturating_add(file)
            }
        }
    }

    /// How long the data file must at least be.
    pub(super) fn file_length(&self) -> u64 {
        let StoredBody::File(map) = &self.body else {
            return 0;
        };
        let end = map.end() * u64::from(self.block);
        end.min(self.size.unwrap_or(u64::MAX))
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let label = &self.label;
        let (body_flag, body_length, body_room) = match &self.body {
            StoredBody::Inline(body) => (INLINE, body.len(), body.len()),
            StoredBody::File(map) => (0, usize::try_from(map.end()).unwrap_or(usize::MAX), 64),
        };
        let names = label.key.len() + label.variant.len();
        let tags: usize = label.tags.iter().map(|tag| 2 + tag.len()).sum();
        let room = FIXED + names + label.meta.len() + tags + body_room + CHECKSUM;
        let mut out = Vec::with_capacity(room);
        let complete = if self.is_complete { COMPLETE } else { 0 };
        let sized = if self.size.is_some() { SIZED } else { 0 };
        out.push(FORMAT);
        out.push(complete | body_flag | sized);
        let extension = self.extension.as_bytes();
        out.push(u8::try_from(extension.len()).unwrap_or(0));
        let mut letters = [0; 8];
        for (slot, letter) in letters.iter_mut().zip(extension) {
            *slot = *letter;
        }
        out.extend_from_slice(&letters);
        out.extend_from_slice(&self.block.to_le_bytes());
        out.extend_from_slice(&self.size.unwrap_or(0).to_le_bytes());
        // Lengths were checked when the object was begun; see `Label::check`.
        for length in [
            label.key.len(),
            label.variant.len(),
            label.meta.len(),
            label.tags.len(),
            body_length,
        ] {
            let length = u32::try_from(length).unwrap_or(u32::MAX);
            out.extend_from_slice(&length.to_le_bytes());
        }
        out.extend_from_slice(&label.key);
        out.extend_from_slice(&label.variant);
        out.extend_from_slice(&label.meta);
        for tag in &label.tags {
            let length = u16::try_from(tag.len()).unwrap_or(u16::MAX);
            out.extend_from_slice(&length.to_le_bytes());
            out.extend_from_slice(tag);
        }
        match &self.body {
            StoredBody::Inline(body) => out.extend_from_slice(body),
            StoredBody::File(map) => map.encode(&mut out),
        }
        let sum = checksum(self.id, &out);
        out.extend_from_slice(&sum.to_le_bytes());
        out
    }

    /// Reads what [`encode`](Self::encode) wrote for object `id`; `None` for anything else.
    pub(super) fn decode(id: ObjectId, bytes: &[u8]) -> Option<Self> {
        let (fields, sum) = bytes.split_last_chunk::<CHECKSUM>()?;
        if checksum(id, fields) != u32::from_le_bytes(*sum) {
            return None;
        }
        let mut rest = Rest(fields);
        let (format, flags) = (rest.number()?, rest.number()?);
        let extension_length = usize::from(rest.number()?);
        let letters = rest.take(8)?;
        let extension = Extension::of_bytes(letters.get(..extension_length)?);
        if format != FORMAT || extension.as_bytes().len() != extension_length {
            return None;
        }
        let block = rest.long()?;
        let size = u64::from_le_bytes(*rest.take(8)?.first_chunk()?);
        let lengths = [
            rest.long()?,
            rest.long()?,
            rest.long()?,
            rest.long()?,
            rest.long()?,
        ];
        let [key, variant, meta, tag_count, body] = lengths;
        let (key, variant) = (rest.boxed(key)?, rest.boxed(variant)?);
        let meta = rest.boxed(meta)?;
        let mut tags = Vec::new();
        for _ in 0..tag_count {
            let length = u16::from_le_bytes(*rest.take(2)?.first_chunk()?);
            tags.push(rest.boxed(length.into())?);
        }
        let size = (flags & SIZED != 0).then_some(size);
        let (body, is_whole) = if flags & INLINE == 0 {
            (StoredBody::File(BlockMap::decode(body, rest.0)?), block > 0)
        } else {
            let is_whole =
                size == Some(body.into()) && rest.0.len() == usize::try_from(body).ok()?;
            (StoredBody::Inline(rest.0.into()), is_whole)
        };
        is_whole.then_some(Self {
            id,
            label: Label {
                key,
                variant,
                meta,
                tags,
            },
            extension,
            block,
            size,
            is_complete: flags & COMPLETE != 0,
            body,
        })
    }
}

/// Whether any bytes are read as a record without harm: what a fuzz target calls. `bytes` lack their checksum.
#[must_use]
pub fn is_record(id: ObjectId, bytes: &[u8]) -> bool {
    let mut sealed = bytes.to_vec();
    sealed.extend_from_slice(&checksum(id, bytes).to_le_bytes());
    let Some(stored) = Stored::decode(id, &sealed) else {
        return false;
    };
    let _costs: u64 = stored.cost().saturating_add(stored.file_length());
    Stored::decode(id, &stored.encode()).as_ref() == Some(&stored)
}

/// Reads what a record's file holds, checksum included, and writes it anew; `None` where it is no record. What a fuzz target
/// calls.
#[must_use]
pub fn rewritten(id: ObjectId, sealed: &[u8]) -> Option<Vec<u8>> {
    Stored::decode(id, sealed).map(|stored| stored.encode())
}

fn checksum(id: ObjectId, bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&id.0.to_le_bytes()), bytes)
}

/// What is left to read.
struct Rest<'b>(&'b [u8]);

impl<'b> Rest<'b> {
    fn take(&mut self, count: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn long(&mut self) -> Option<u32> {
        self.take(4)?
            .first_chunk()
            .map(|bytes| u32::from_le_bytes(*bytes))
    }

    fn boxed(&mut self, count: u32) -> Option<Box<[u8]>> {
        self.take(usize::try_from(count).ok()?).map(Into::into)
    }
}

/// The unit in which file systems give room.
const UNIT: u64 = 4096;

/// What a data file with `held` bytes in `pieces` pieces takes, its inode included.
pub(super) fn file_cost(held: u64, pieces: u64) -> u64 {
    let rounded = held.div_ceil(UNIT).saturating_mul(UNIT);
    rounded
        .saturating_add(pieces.saturating_sub(1).saturating_mul(UNIT))
        .saturating_add(512)
}

/// What a record and its entries in the indexes take, with `body` bytes of inline body or block map.
///
/// Pages of a B-tree that is written at one end and emptied at the other are three quarters full; a value that fills a page
/// alone is rounded up to a power of two, and leaves gaps. `benches/disk.rs` compares the sum with what the device holds.
pub(super) fn cost(label: &Label, body: u64) -> u64 {
    let tags: usize = label.tags.iter().map(|tag| tag.len()).sum();
    let names = label.key.len() + label.variant.len();
    let record =
        (FIXED + CHECKSUM + names + label.meta.len() + tags + 2 * label.tags.len()) as u64 + body;
    let in_pages = if record > UNIT / 3 {
        (record + 64).next_power_of_two().max(UNIT) / 20 * 21
    } else {
        record * 7 / 5
    };
    let entries = 64 + 2 * (names + tags + 16 * label.tags.len()) as u64;
    in_pages.saturating_add(entries)
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
