//! Gives an inline body a data file, so that its path can be handed to another program.

use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::sync::Arc;

use super::blocks::BlockMap;
use super::counts::add;
use super::engine::Engine;
use super::error::DiskError;
use super::medium::OBJECTS;
use super::naming::ObjectId;
use super::record::{INLINE_MAX, Stored, StoredBody, file_cost};

impl Engine {
    /// The path of an object's data file; a body that has none gets one.
    pub(super) fn materialise(&self, id: ObjectId) -> Result<PathBuf, DiskError> {
        let newest = {
            let pending = self.pending.lock();
            self.newest(&pending, id)?
        };
        let entry = newest.ok_or(DiskError::Gone)?;
        let stored = &entry.stored;
        if !stored.is_complete {
            return Err(DiskError::Incomplete);
        }
        let name = self.name_of(id, stored.extension);
        if let StoredBody::Inline(body) = &stored.body {
            self.move_out(stored, Arc::clone(body))?;
        }
        Ok(self.medium.path().join(OBJECTS).join(name.path()))
    }

    fn move_out(&self, stored: &Stored, body: Arc<[u8]>) -> Result<(), DiskError> {
        let room = file_cost(body.len() as u64, 1);
        self.reserve(room)?;
        let moved = self.write_out(stored, &body, room);
        if moved.is_err() {
            self.room.give(room);
        }
        moved
    }

    fn write_out(&self, stored: &Stored, body: &[u8], room: u64) -> Result<(), DiskError> {
        // One at a time: two that move the same body out would write to the same name.
        let _one = self.moving.lock();
        let already = {
            let pending = self.pending.lock();
            self.newest(&pending, stored.id)?
        };
        if already.is_some_and(|entry| matches!(entry.stored.body, StoredBody::File(_))) {
            self.room.give(room);
            return Ok(());
        }
        let file = self.insist(|| self.create_file(stored.id, stored.extension))?;
        self.insist(|| self.medium.write(file.name(), file.as_fd(), 0, body))?;
        file.soil();
        let sum = crc32c::crc32c(body);
        file.set_verified(0);
        let edited = self.edit(stored.id, room, |stored, entry_file| {
            let mut map = BlockMap::default();
            if !body.is_empty() {
                map.insert(0, sum)?;
            }
            stored.block = stored.block.max(INLINE_MAX as u32);
            stored.body = StoredBody::File(map);
            *entry_file = Some(Arc::clone(&file));
            Ok(())
        });
        if edited.is_err() && self.medium.unlink(file.name()).is_err() {
            add(&self.counts().unlink_failures, 1);
        }
        edited
    }
}
