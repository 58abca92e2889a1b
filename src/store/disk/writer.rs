//! Writing an object's body.
//!
//! | state | goes on by | what is findable |
//! |---|---|---|
//! | in memory, up to 16 KiB in order | `write_at` beyond that, `file`, `publish_partial` | nothing |
//! | in its data file | `publish_partial` | nothing |
//! | published in part | `write_at`: each block that becomes whole is added | the whole blocks |
//! | done: `complete`, `abort`, or dropped | | the object; nothing; what was published in part |
//!
//! The bytes of a block that is there never change. Two writers of one object never write to the same block: the first to write
//! to it has it until it is whole, or until that writer ends.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::os::fd::AsFd as _;
use std::sync::Arc;

use super::blocks::{BlockMap, block_length};
use super::body_file::BodyFile;
use super::counts::add;
use super::engine::Engine;
use super::error::DiskError;
use super::naming::{Extension, ObjectId};
use super::pending::Entry as Publication;
use super::progress::OpenBlock;
use super::record::{INLINE_MAX, Label, Stored, StoredBody, cost, file_cost};
use super::room::Nameless;

#[derive(Debug)]
enum Body {
    Memory(Vec<u8>),
    File(Arc<BodyFile>),
}

/// Asked before an object is published for the first time: whether nothing has happened since it was begun that means it, such as
/// a purge. It takes no time, and never calls the store.
pub type MayPublish = Arc<dyn Fn() -> bool + Send + Sync>;

/// See the module's header. Dropping a writer aborts what it did not publish; what others still read of that takes its room until
/// the last of them is done.
pub struct Writer {
    engine: Arc<Engine>,
    id: ObjectId,
    label: Label,
    extension: Extension,
    block: u32,
    size: Option<u64>,
    body: Body,
    open: BTreeMap<u64, OpenBlock>,
    /// Blocks that are whole and not yet in the record.
    fresh: Vec<(u64, u32)>,
    fresh_bytes: u64,
    /// Blocks that are in the record, as far as this writer knows.
    known: BlockMap,
    /// What the cap was charged for what the record does not speak of.
    charged: u64,
    is_published: bool,
    is_done: bool,
    may_publish: Option<MayPublish>,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer")
            .field("id", &self.id)
            .field("size", &self.size)
            .field("body", &self.body)
            .field("is_published", &self.is_published)
            .finish_non_exhaustive()
    }
}

impl Writer {
    pub(super) fn begin(
        engine: Arc<Engine>,
        label: Label,
        size: Option<u64>,
        block: u32,
        extension: Extension,
    ) -> Result<Self, DiskError> {
        engine.check()?;
        label.check()?;
        let id = engine.new_id();
        let mut writer = Self {
            engine,
            id,
            label,
            extension,
            block,
            size: None,
            body: Body::Memory(Vec::new()),
            open: BTreeMap::new(),
            fresh: Vec::new(),
            fresh_bytes: 0,
            known: BlockMap::default(),
            charged: 0,
            is_published: false,
            is_done: false,
            may_publish: None,
        };
        writer.enter();
        if let Some(size) = size {
            writer.set_size(size)?;
        }
        writer.charge_for(0, 0)?;
        Ok(writer)
    }

    /// A writer of further blocks of `stored`.
    pub(super) fn extend(engine: Arc<Engine>, stored: &Stored, file: Arc<BodyFile>) -> Self {
        let known = match &stored.body {
            StoredBody::File(map) => map.clone(),
            StoredBody::Inline(_) => BlockMap::default(),
        };
        let writer = Self {
            engine,
            id: stored.id,
            label: stored.label.clone(),
            extension: stored.extension,
            block: stored.block,
            size: stored.size,
            body: Body::File(file),
            open: BTreeMap::new(),
            fresh: Vec::new(),
            fresh_bytes: 0,
            known,
            charged: 0,
            is_published: true,
            is_done: false,
            may_publish: None,
        };
        writer.enter();
        writer
    }

    fn enter(&self) {
        *self.engine.writing.lock().entry(self.id.0).or_default() += 1;
    }

    /// Has `may_publish` asked before the object is published.
    pub fn publish_if(&mut self, may_publish: MayPublish) {
        self.may_publish = Some(may_publish);
    }

    /// The object's number.
    #[must_use]
    pub fn id(&self) -> ObjectId {
        self.id
    }

    /// The size of a block in bytes; larger than asked for where the object is huge.
    #[must_use]
    pub fn block_size(&self) -> u32 {
        self.block
    }

    /// The object's size, where it is known.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        self.size
    }

    /// The data file, for reading what was written; a body in memory moves there. It stays readable after the writer's end.
    ///
    /// # Errors
    /// `File`, `NoRoom`, `StoodDown`.
    pub fn file(&mut self) -> Result<&Arc<BodyFile>, DiskError> {
        if let Body::Memory(bytes) = &mut self.body {
            let bytes = std::mem::take(bytes);
            let engine = Arc::clone(&self.engine);
            let file = engine.insist(|| engine.create_file(self.id, self.extension))?;
            self.body = Body::File(file);
            self.write_to_file(0, &bytes)?;
        }
        match &self.body {
            Body::File(file) => Ok(file),
            Body::Memory(_) => Err(DiskError::Incomplete),
        }
    }

    /// Says how large the object is. A size that is known can't change.
    ///
    /// # Errors
    /// `BeyondEnd` where more was written, or another size is known; `TooLarge`.
    pub fn set_size(&mut self, size: u64) -> Result<(), DiskError> {
        if self.size == Some(size) {
            return Ok(());
        }
        if self.size.is_some() || size < self.end() {
            return Err(DiskError::BeyondEnd);
        }
        self.check_size(size)?;
        self.size = Some(size);
        // The last block may have been waiting for nothing but its length.
        match self.open.last_key_value() {
            Some((last, _)) => self.finish_if_whole(*last),
            None => Ok(()),
        }
    }

    fn check_size(&self, size: u64) -> Result<(), DiskError> {
        let settings = &self.engine.settings;
        let is_over = settings.max_object > 0 && size > settings.max_object;
        if is_over || size > self.engine.room.size() {
            return Err(DiskError::TooLarge);
        }
        Ok(())
    }

    /// The byte behind the last one that this writer wrote.
    fn end(&self) -> u64 {
        if let Body::Memory(bytes) = &self.body {
            return bytes.len() as u64;
        }
        let block = u64::from(self.block);
        let whole = self.fresh.iter().map(|(number, _)| {
            let length = self.length_of(*number);
            number * block + length
        });
        let open = self
            .open
            .iter()
            .map(|(number, open)| number * block + open.end());
        whole.chain(open).max().unwrap_or(0)
    }

    /// The length of a block, as far as the size is known.
    fn length_of(&self, number: u64) -> u64 {
        block_length(number, self.block, self.size.unwrap_or(u64::MAX)).unwrap_or(0)
    }

    /// Writes `bytes` at `offset`. Makes room for them first.
    ///
    /// # Errors
    /// `BeyondEnd`, `TooLarge`, `NoRoom`, `BlockClaimed`, `BlockPresent`, `Scattered`, `File`, `StoodDown`. What was written
    /// before stands.
    pub fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        let end = offset
            .checked_add(bytes.len() as u64)
            .ok_or(DiskError::TooLarge)?;
        if self.size.is_some_and(|size| end > size) {
            return Err(DiskError::BeyondEnd);
        }
        self.check_size(end)?;
        if let Body::Memory(held) = &self.body {
            let in_order = offset == held.len() as u64;
            let is_small = self.size.unwrap_or(0).max(end) <= INLINE_MAX as u64;
            if in_order && is_small {
                self.charge_for(bytes.len() as u64, 0)?;
                if let Body::Memory(held) = &mut self.body {
                    held.extend_from_slice(bytes);
                }
                return Ok(());
            }
            self.file()?;
        }
        self.write_to_file(offset, bytes)
    }

    fn write_to_file(&mut self, mut offset: u64, mut bytes: &[u8]) -> Result<(), DiskError> {
        let block = u64::from(self.block);
        while !bytes.is_empty() {
            let (number, start) = (offset / block, offset % block);
            let left = usize::try_from(block - start).unwrap_or(usize::MAX);
            let (part, rest) = bytes.split_at(bytes.len().min(left));
            self.write_to_block(number, start, part)?;
            self.finish_if_whole(number)?;
            offset += part.len() as u64;
            bytes = rest;
        }
        Ok(())
    }

    fn write_to_block(&mut self, number: u64, start: u64, bytes: &[u8]) -> Result<(), DiskError> {
        let Body::File(file) = &self.body else {
            return Err(DiskError::Incomplete);
        };
        let file = Arc::clone(file);
        let is_whole = self.fresh.iter().any(|(whole, _)| *whole == number);
        if is_whole || self.known.is_present(number) {
            return Err(DiskError::BlockPresent(number));
        }
        if number >= super::blocks::BLOCKS_MAX {
            return Err(DiskError::TooLarge);
        }
        if let Entry::Vacant(vacant) = self.open.entry(number) {
            if !file.claim(number) {
                return Err(DiskError::BlockClaimed(number));
            }
            vacant.insert(OpenBlock::default());
        }
        self.charge_for(bytes.len() as u64, 1)?;
        let engine = Arc::clone(&self.engine);
        let offset = number * u64::from(self.block) + start;
        let written = engine.insist(|| {
            engine
                .medium
                .write(file.name(), file.as_fd(), offset, bytes)
        });
        file.soil();
        written?;
        match self.open.get_mut(&number) {
            Some(open) => open.add(start, bytes),
            None => Err(DiskError::Incomplete),
        }
    }

    /// What this writer holds of the cap when `bytes` more, in `pieces` more, are written.
    fn target(&self, bytes: u64, pieces: u64) -> u64 {
        if let Body::Memory(held) = &self.body {
            return cost(&self.label, held.len() as u64 + bytes);
        }
        let covered: u64 = self.open.values().map(OpenBlock::covered).sum();
        let open_pieces: u64 = self.open.values().map(OpenBlock::piece_count).sum();
        let held = covered + self.fresh_bytes + bytes;
        let touched = self.open.len() as u64 + self.fresh.len() as u64;
        if !self.is_published {
            let last = self.open.last_key_value().map_or(0, |(number, _)| *number);
            let fresh_last = self
                .fresh
                .iter()
                .map(|(number, _)| *number)
                .max()
                .unwrap_or(0);
            let map = BlockMap::encoded_length(last.max(fresh_last) + 1);
            return cost(&self.label, map) + file_cost(held, open_pieces + pieces);
        }
        match held {
            0 => 0,
            held => file_cost(held, open_pieces + pieces) + 16 * touched,
        }
    }

    fn charge_for(&mut self, bytes: u64, pieces: u64) -> Result<(), DiskError> {
        let target = self.target(bytes, pieces);
        if target > self.charged {
            self.engine.reserve(target - self.charged)?;
            self.charged = target;
        }
        Ok(())
    }

    /// What the cap was charged beyond what is still needed: it goes to the record.
    fn credit(&mut self) -> u64 {
        let credit = self.charged.saturating_sub(self.target(0, 0));
        self.charged -= credit;
        credit
    }

    fn finish_if_whole(&mut self, number: u64) -> Result<(), DiskError> {
        let length = self.length_of(number);
        let is_whole = self
            .open
            .get(&number)
            .is_some_and(|open| open.is_covered(length));
        if !is_whole || length == 0 {
            return Ok(());
        }
        let known = self.open.get(&number).and_then(|open| open.sum(length));
        let sum = match known {
            Some(sum) => sum,
            None => self.sum_from_file(number, length)?,
        };
        self.open.remove(&number);
        if let Body::File(file) = &self.body {
            file.set_verified(number);
        }
        self.fresh.push((number, sum));
        self.fresh_bytes += length;
        if self.is_published {
            self.merge(false)
        } else {
            Ok(())
        }
    }

    fn sum_from_file(&self, number: u64, length: u64) -> Result<u32, DiskError> {
        let Body::File(file) = &self.body else {
            return Err(DiskError::Incomplete);
        };
        let offset = number * u64::from(self.block);
        let sum = self
            .engine
            .block_sum(file, offset, length)
            .map_err(|error| self.engine.fail_io(error))?;
        sum.ok_or(DiskError::Incomplete)
    }

    /// Whether block `number` is whole: then it is in the record, if the object is published.
    ///
    /// # Errors
    /// `Incomplete` where bytes of it are missing.
    pub fn commit_block(&mut self, number: u64) -> Result<(), DiskError> {
        let is_fresh = self.fresh.iter().any(|(whole, _)| *whole == number);
        if is_fresh || self.known.is_present(number) {
            return Ok(());
        }
        Err(DiskError::Incomplete)
    }

    /// Publishes the object as far as its blocks are whole. Those that become whole later are added as they do.
    ///
    /// # Errors
    /// `Incomplete` where the size is not known; `File`, `NoRoom`, `StoodDown`, `Unwanted`.
    pub fn publish_partial(&mut self) -> Result<(), DiskError> {
        if self.is_published {
            return Ok(());
        }
        if self.size.is_none() {
            return Err(DiskError::Incomplete);
        }
        let file = Arc::clone(self.file()?);
        self.publish_file(file, false)
    }

    fn publish_file(&mut self, file: Arc<BodyFile>, is_complete: bool) -> Result<(), DiskError> {
        for (number, sum) in std::mem::take(&mut self.fresh) {
            self.known.insert(number, sum)?;
        }
        self.fresh_bytes = 0;
        let stored = self.stored(StoredBody::File(self.known.clone()), is_complete);
        self.is_published = true;
        let credit = self.credit();
        let published = self.engine.publish(
            Publication {
                stored,
                file: Some(file),
            },
            credit,
            self.may_publish.as_ref(),
        );
        self.note(published, credit)
    }

    /// Where an object may not be published it is as it was before: dropping the writer gives everything back.
    fn note(&mut self, published: Result<(), DiskError>, credit: u64) -> Result<(), DiskError> {
        if matches!(published, Err(DiskError::Unwanted)) {
            self.is_published = false;
            self.charged += credit;
        }
        published
    }

    fn stored(&self, body: StoredBody, is_complete: bool) -> Stored {
        Stored {
            id: self.id,
            label: self.label.clone(),
            extension: self.extension,
            block: self.block,
            size: self.size,
            is_complete,
            body,
        }
    }

    /// Adds the blocks that became whole to the record.
    fn merge(&mut self, is_last: bool) -> Result<(), DiskError> {
        let Body::File(file) = &self.body else {
            return Err(DiskError::Incomplete);
        };
        let file = Arc::clone(file);
        let fresh = std::mem::take(&mut self.fresh);
        self.fresh_bytes = 0;
        let credit = self.credit();
        let engine = Arc::clone(&self.engine);
        let merged = engine.edit(self.id, credit, |stored, entry_file| {
            let StoredBody::File(map) = &mut stored.body else {
                return Err(DiskError::Gone);
            };
            for (number, sum) in &fresh {
                map.insert(*number, *sum)?;
            }
            let blocks = stored
                .size
                .map(|size| size.div_ceil(u64::from(stored.block)));
            let is_whole = blocks == Some(map.present_count());
            if is_last && !is_whole {
                return Err(DiskError::Incomplete);
            }
            stored.is_complete |= is_whole;
            *entry_file = Some(file);
            Ok(map.clone())
        });
        match merged {
            Ok(map) => {
                self.known = map;
                Ok(())
            }
            Err(error) => {
                // The record did not take it over.
                self.charged += credit;
                Err(error)
            }
        }
    }

    /// Publishes the whole object. A size that was not known is what was written.
    ///
    /// # Errors
    /// `Incomplete` where bytes are missing: what was not published is given up; `File`, `NoRoom`, `StoodDown`, `Gone`,
    /// `Unwanted`.
    pub fn complete(mut self) -> Result<ObjectId, DiskError> {
        let end = self.end();
        if self.size.is_none() {
            self.set_size(end)?;
        }
        if self.is_published {
            self.merge(true)?;
            return Ok(self.id);
        }
        match &mut self.body {
            Body::Memory(held) => {
                let body: Arc<[u8]> = std::mem::take(held).into();
                if self.size != Some(body.len() as u64) {
                    return Err(DiskError::Incomplete);
                }
                self.publish_inline(body)?;
            }
            Body::File(file) => {
                let file = Arc::clone(file);
                let size = self.size.unwrap_or(0);
                if self.fresh.len() as u64 != size.div_ceil(u64::from(self.block)) {
                    return Err(DiskError::Incomplete);
                }
                if size <= INLINE_MAX as u64 {
                    let mut body = vec![0; usize::try_from(size).unwrap_or(0)];
                    let read = self.engine.medium.read(file.as_fd(), 0, &mut body);
                    if read.map_err(|error| self.engine.fail_io(error))? != body.len() {
                        return Err(DiskError::Incomplete);
                    }
                    self.publish_inline(body.into())?;
                    self.unlink(&file);
                } else {
                    self.publish_file(file, true)?;
                }
            }
        }
        Ok(self.id)
    }

    fn publish_inline(&mut self, body: Arc<[u8]>) -> Result<(), DiskError> {
        let stored = self.stored(StoredBody::Inline(body), true);
        let credit = std::mem::take(&mut self.charged);
        self.is_published = true;
        let publication = Publication { stored, file: None };
        let published = self
            .engine
            .publish(publication, credit, self.may_publish.as_ref());
        self.note(published, credit)
    }

    /// Gives up what was not published.
    pub fn abort(self) {
        drop(self);
    }

    fn unlink(&self, file: &BodyFile) {
        if self.engine.check().is_ok() && self.engine.medium.unlink(file.name()).is_err() {
            add(&self.engine.counts().unlink_failures, 1);
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if self.is_done {
            return;
        }
        self.is_done = true;
        let charged = Nameless::new(&self.engine.room, self.charged);
        if let Body::File(file) = &self.body {
            for number in self.open.keys() {
                file.unclaim(*number);
            }
            if !self.is_published {
                self.unlink(file);
                if file.has_bytes() {
                    file.keep_room(charged);
                }
            }
        }
        let mut writing = self.engine.writing.lock();
        if let Some(count) = writing.get_mut(&self.id.0) {
            *count -= 1;
            if *count == 0 {
                writing.remove(&self.id.0);
            }
        }
    }
}
