//! Looking up what is stored under a key, and proving that its bytes are those that were stored.
//!
//! What was published last is seen before it is committed. A record whose data file is missing, too short or no regular
//! file, or whose bytes do not have their checksum, is dropped and counted, and is found by nobody from then on.

use std::io;
use std::os::fd::AsFd as _;
use std::sync::Arc;

use rustix::io::Errno;

use super::blocks::{BlockMap, block_length};
use super::body_file::BodyFile;
use super::counts::Cause;
use super::engine::Engine;
use super::error::{DiskError, is_passing};
use super::naming::{Extension, ObjectId};
use super::pending::Entry;
use super::purge::Selection;
use super::record::{Label, Stored, StoredBody};
use super::tables::{OBJECTS, TAGS, VARIANTS, failed};

/// How much is read at once to make a checksum.
const READ_AT_ONCE: u64 = 128 << 10;
/// Bodies up to this size are verified when they are found; larger ones block by block (see `Disk::verify_block`).
const VERIFIED_AT_ONCE: u64 = 64 << 10;

/// Where a found body is.
#[derive(Clone, Debug)]
pub enum Body {
    /// Here, whole and verified.
    Inline(Arc<[u8]>),
    /// In its data file.
    File(Arc<BodyFile>),
}

/// A stored object.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its number.
    pub id: ObjectId,
    /// Key, variant, the caller's metadata, tags.
    pub label: Label,
    /// The body's size in bytes, where it is known.
    pub size: Option<u64>,
    /// Whether all of the body is there.
    pub is_complete: bool,
    /// The size of a block in bytes.
    pub block_size: u32,
    /// The blocks that are there; empty for an inline body, which is always whole.
    pub blocks: BlockMap,
    /// The body.
    pub body: Body,
    /// The extension of its data file.
    pub extension: Extension,
    /// Whether all of it was verified; else each block must be, before its first use in this run.
    pub is_verified: bool,
}

impl Engine {
    pub(super) fn find(&self, key: &[u8]) -> Result<Vec<Record>, DiskError> {
        self.check()?;
        let mut entries = self.pending.lock().of_key(key);
        // What was published last stands last.
        entries.reverse();
        let mut newest: Vec<Arc<Entry>> = Vec::new();
        let is_in = |found: &[Arc<Entry>], variant: &[u8]| {
            found
                .iter()
                .any(|entry| *entry.stored.label.variant == *variant)
        };
        for entry in entries {
            if !is_in(&newest, &entry.stored.label.variant) {
                newest.push(entry);
            }
        }
        for stored in self.committed(key)? {
            let is_dropped = self.pending.lock().is_dropped(stored.id);
            if !is_dropped && !is_in(&newest, &stored.label.variant) {
                newest.push(Arc::new(Entry { stored, file: None }));
            }
        }
        let mut found = Vec::with_capacity(newest.len());
        for entry in newest {
            found.extend(self.open_entry(&entry)?);
        }
        Ok(found)
    }

    /// Whether anything of a selection is stored, or is about to be: what waits for its commit counts though it was dropped
    /// meanwhile, for the commit under way may write it still.
    pub(super) fn has_any(&self, selection: &Selection<'_>) -> Result<bool, DiskError> {
        self.check()?;
        if self.pending.lock().has_any(selection) {
            return Ok(true);
        }
        // Behind the lock: what is being published is entered below it.
        if let Selection::Key(key) = selection
            && !self.presence.may_have(key)
        {
            return Ok(false);
        }
        self.read(|transaction| {
            if let Selection::Tag(tag) = selection {
                let tags = transaction.open_table(TAGS).map_err(failed)?;
                let mut range = tags.range((*tag, 0)..=(*tag, u64::MAX)).map_err(failed)?;
                return Ok(range.next().transpose().map_err(failed)?.is_some());
            }
            let variants = transaction.open_table(VARIANTS).map_err(failed)?;
            let from: (&[u8], &[u8]) = (selection.first_key(), &[]);
            let first = variants.range(from..).map_err(failed)?.next();
            let first = first.transpose().map_err(failed)?;
            Ok(first.is_some_and(|(name, _)| selection.has_key(name.value().0)))
        })
    }

    fn committed(&self, key: &[u8]) -> Result<Vec<Stored>, DiskError> {
        self.read(|transaction| {
            let variants = transaction.open_table(VARIANTS).map_err(failed)?;
            let objects = transaction.open_table(OBJECTS).map_err(failed)?;
            let mut found = Vec::new();
            let from: (&[u8], &[u8]) = (key, &[]);
            for entry in variants.range(from..).map_err(failed)? {
                let (name, id) = entry.map_err(failed)?;
                if name.value().0 != key {
                    break;
                }
                let id = ObjectId(id.value());
                let value = objects.get(id.0).map_err(failed)?;
                let Some(value) = value else {
                    continue;
                };
                match Stored::decode(id, value.value()) {
                    Some(stored) => found.push(stored),
                    // The commit that takes it out counts it.
                    None => {
                        self.pending.lock().drop_object(id);
                    }
                }
            }
            Ok(found)
        })
    }

    fn open_entry(&self, entry: &Entry) -> Result<Option<Record>, DiskError> {
        let stored = &entry.stored;
        let (body, blocks, is_verified) = match &stored.body {
            StoredBody::Inline(body) => (Body::Inline(Arc::clone(body)), BlockMap::default(), true),
            StoredBody::File(map) => {
                let Some(file) = self.open_body(stored, entry.file.as_ref())? else {
                    return Ok(None);
                };
                let is_small = stored.size.is_some_and(|size| size <= VERIFIED_AT_ONCE);
                if is_small {
                    for number in map.iter() {
                        if !self.verify(stored, &file, number)? {
                            return Ok(None);
                        }
                    }
                }
                (Body::File(file), map.clone(), is_small)
            }
        };
        Ok(Some(Record {
            id: stored.id,
            label: stored.label.clone(),
            size: stored.size,
            is_complete: stored.is_complete,
            block_size: stored.block,
            blocks,
            body,
            extension: stored.extension,
            is_verified,
        }))
    }

    /// Opens an object's data file and checks its length; `None` where the object was dropped for it.
    pub(super) fn open_body(
        &self,
        stored: &Stored,
        known: Option<&Arc<BodyFile>>,
    ) -> Result<Option<Arc<BodyFile>>, DiskError> {
        let opened = match known.cloned().or_else(|| self.files.find(stored.id)) {
            Some(file) => Ok(file),
            None => {
                let name = self.name_of(stored.id, stored.extension);
                let opened = self.medium.open(&name);
                opened.map(|file| self.files.enter(BodyFile::new(stored.id, name, file)))
            }
        };
        let cause = match opened.and_then(|file| Ok((file.length()?, file))) {
            Ok((length, file)) => {
                let wanted = stored.file_length();
                let is_odd = length < wanted || (stored.is_complete && length != wanted);
                if !is_odd {
                    return Ok(Some(file));
                }
                Cause::Odd
            }
            Err(error) if is_passing(&error) => return Err(DiskError::File(error)),
            // Symbolic links, pipes and folders in a file's place are odd.
            Err(error) => match error.raw_os_error().map(Errno::from_raw_os_error) {
                Some(Errno::NOENT) => Cause::Missing,
                Some(Errno::LOOP | Errno::NOTDIR | Errno::ISDIR | Errno::NXIO) => Cause::Odd,
                _ => Cause::Unreadable,
            },
        };
        self.drop_for(stored.id, cause)?;
        Ok(None)
    }

    /// Whether a block's bytes have their checksum; an object for which they have not is dropped.
    fn verify(&self, stored: &Stored, file: &BodyFile, number: u64) -> Result<bool, DiskError> {
        if file.is_verified(number) {
            return Ok(true);
        }
        let StoredBody::File(map) = &stored.body else {
            return Ok(false);
        };
        let size = stored.size.unwrap_or(u64::MAX);
        let (Some(expected), Some(length)) =
            (map.sum(number), block_length(number, stored.block, size))
        else {
            return Ok(false);
        };
        let offset = number * u64::from(stored.block);
        let cause = match self.block_sum(file, offset, length) {
            Ok(Some(sum)) if sum == expected => {
                file.set_verified(number);
                return Ok(true);
            }
            Ok(Some(_)) => Cause::Checksum,
            Ok(None) => Cause::Odd,
            Err(error) if is_passing(&error) => return Err(DiskError::File(error)),
            Err(_) => Cause::Unreadable,
        };
        self.drop_for(stored.id, cause)?;
        Ok(false)
    }

    pub(super) fn verify_block(&self, id: ObjectId, number: u64) -> Result<bool, DiskError> {
        self.check()?;
        let newest = {
            let pending = self.pending.lock();
            self.newest(&pending, id)?
        };
        let Some(entry) = newest else {
            return Ok(false);
        };
        if matches!(entry.stored.body, StoredBody::Inline(_)) {
            return Ok(number == 0);
        }
        match self.open_body(&entry.stored, entry.file.as_ref())? {
            Some(file) => self.verify(&entry.stored, &file, number),
            None => Ok(false),
        }
    }

    /// See [`Disk::verify`](super::Disk::verify).
    pub(super) fn verify_all(&self, id: ObjectId) -> Result<bool, DiskError> {
        self.check()?;
        let newest = {
            let pending = self.pending.lock();
            self.newest(&pending, id)?
        };
        let Some(entry) = newest else {
            return Ok(false);
        };
        let StoredBody::File(map) = &entry.stored.body else {
            return Ok(true);
        };
        let Some(file) = self.open_body(&entry.stored, entry.file.as_ref())? else {
            return Ok(false);
        };
        for number in map.iter() {
            if !self.verify(&entry.stored, &file, number)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Lets nobody find an object any more. One that was evicted or removed meanwhile is not counted.
    fn drop_for(&self, id: ObjectId, cause: Cause) -> Result<(), DiskError> {
        let mut pending = self.pending.lock();
        if self.newest(&pending, id)?.is_some() && pending.drop_object(id) {
            self.counts().dropped(cause);
            drop(pending);
            self.lasting.bell.ring(false);
        }
        Ok(())
    }

    /// The checksum of `length` bytes of a data file; `None` where it is shorter.
    pub(super) fn block_sum(
        &self,
        file: &BodyFile,
        offset: u64,
        length: u64,
    ) -> io::Result<Option<u32>> {
        let mut buffer = vec![0; usize::try_from(length.min(READ_AT_ONCE)).unwrap_or(0)];
        let (mut sum, mut done) = (0, 0);
        while done < length {
            let wanted = usize::try_from(length - done)
                .unwrap_or(usize::MAX)
                .min(buffer.len());
            let part = buffer.get_mut(..wanted).unwrap_or(&mut []);
            let count = self.medium.read(file.as_fd(), offset + done, part)?;
            if count < wanted {
                return Ok(None);
            }
            sum = crc32c::crc32c_append(sum, part);
            done += wanted as u64;
        }
        Ok(Some(sum))
    }
}
