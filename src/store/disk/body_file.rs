//! Open data files, shared by everybody who reads or writes the same object, and what is known of their blocks in this run.

use std::collections::{HashMap, HashSet};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use super::latch::Latch;
use super::naming::{FileName, ObjectId};
use super::room::Nameless;
use crate::sys::file::{HeldFile, OpenRefused};

/// The open data file of an object. It stays readable after the object was removed.
#[derive(Debug)]
pub struct BodyFile {
    id: ObjectId,
    name: FileName,
    descriptor: OwnedFd,
    /// Bytes that no sync has made safe.
    is_dirty: AtomicBool,
    /// The device did not take bytes of it, and the kernel may read others in their place.
    is_in_doubt: AtomicBool,
    blocks: Latch<Blocks>,
    /// What it still takes of the cap since its writer gave it up: the device has the bytes until nobody reads them.
    nameless: Latch<Option<Nameless>>,
}

/// What this run knows of an object's blocks.
#[derive(Debug, Default)]
struct Blocks {
    verified: Bits,
    claimed: HashSet<u64>,
}

#[derive(Debug, Default)]
struct Bits(Vec<u64>);

impl Bits {
    fn contains(&self, number: u64) -> bool {
        let word = usize::try_from(number / 64)
            .ok()
            .and_then(|at| self.0.get(at));
        word.is_some_and(|word| word >> (number % 64) & 1 == 1)
    }

    fn insert(&mut self, number: u64) {
        let Ok(at) = usize::try_from(number / 64) else {
            return;
        };
        if self.0.len() <= at {
            self.0.resize(at + 1, 0);
        }
        if let Some(word) = self.0.get_mut(at) {
            *word |= 1 << (number % 64);
        }
    }
}

impl BodyFile {
    pub(super) fn new(id: ObjectId, name: FileName, descriptor: OwnedFd) -> Self {
        Self {
            id,
            name,
            descriptor,
            is_dirty: AtomicBool::new(false),
            is_in_doubt: AtomicBool::new(false),
            blocks: Latch::default(),
            nameless: Latch::default(),
        }
    }

    /// The object.
    #[must_use]
    pub fn id(&self) -> ObjectId {
        self.id
    }

    /// A second descriptor of the same open file.
    ///
    /// # Errors
    /// `OutOfDescriptors`, mostly.
    pub fn share(&self) -> Result<HeldFile, OpenRefused> {
        let copy = self.descriptor.try_clone().map_err(OpenRefused::Failed)?;
        HeldFile::of_regular(copy)
    }

    pub(super) fn name(&self) -> &FileName {
        &self.name
    }

    /// The length now.
    pub(super) fn length(&self) -> io::Result<u64> {
        let stat = rustix::fs::fstat(&self.descriptor)?;
        Ok(u64::try_from(stat.st_size).unwrap_or(0))
    }

    /// Whether it holds bytes; one that can't tell does.
    pub(super) fn has_bytes(&self) -> bool {
        self.length().map_or(true, |length| length > 0)
    }

    /// Takes `room` until it is closed or emptied.
    pub(super) fn keep_room(&self, room: Nameless) {
        *self.nameless.lock() = Some(room);
    }

    /// Notes that somebody has cut it to nothing: one without a name takes no room any more.
    pub fn was_emptied(&self) {
        drop(self.nameless.lock().take());
    }

    pub(super) fn soil(&self) {
        self.is_dirty.store(true, Ordering::Release);
    }

    /// Whether there are bytes to sync; what is written from now on soils it anew.
    pub(super) fn wash(&self) -> bool {
        self.is_dirty.swap(false, Ordering::AcqRel)
    }

    /// Whether what is read of it is what was written. After a failure of the device what no sync has made safe is not: the kernel
    /// forgets it, and reads zeros or what stood there before.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        !self.is_in_doubt.load(Ordering::Acquire)
    }

    /// Notes that a sync of it failed, or can't be had.
    pub(super) fn doubt(&self) {
        self.is_in_doubt.store(true, Ordering::Release);
    }

    /// Whether block `number` was verified, or written, in this run.
    #[must_use]
    pub fn is_verified(&self, number: u64) -> bool {
        self.blocks.lock().verified.contains(number)
    }

    pub(super) fn set_verified(&self, number: u64) {
        self.blocks.lock().verified.insert(number);
    }

    /// Takes a block for one writer. Returns false where another has it.
    pub(super) fn claim(&self, number: u64) -> bool {
        self.blocks.lock().claimed.insert(number)
    }

    pub(super) fn unclaim(&self, number: u64) {
        self.blocks.lock().claimed.remove(&number);
    }
}

impl AsFd for BodyFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// The data files that are open now.
#[derive(Debug, Default)]
pub(super) struct OpenFiles {
    files: Latch<HashMap<u64, Weak<BodyFile>>>,
}

impl OpenFiles {
    pub(super) fn find(&self, id: ObjectId) -> Option<Arc<BodyFile>> {
        self.files.lock().get(&id.0).and_then(Weak::upgrade)
    }

    /// Notes that what no sync has made safe can't be made so any more.
    pub(super) fn doubt_unsynced(&self) {
        let open = self.files.lock();
        let files = open.values().filter_map(Weak::upgrade);
        files
            .filter(|file| file.is_dirty.load(Ordering::Acquire))
            .for_each(|file| file.doubt());
    }

    /// Enters a file; where another thread opened the same one first, that is returned instead.
    pub(super) fn enter(&self, file: BodyFile) -> Arc<BodyFile> {
        let mut files = self.files.lock();
        let known = files.get(&file.id.0).and_then(Weak::upgrade);
        if let Some(known) = known {
            return known;
        }
        if files.len() == files.capacity() {
            files.retain(|_, file| file.strong_count() > 0);
        }
        let id = file.id.0;
        let file = Arc::new(file);
        files.insert(id, Arc::downgrade(&file));
        file
    }
}
