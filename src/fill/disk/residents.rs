//! What the disk store asks and tells of the responses in memory.

use std::sync::{Arc, OnceLock};

use crate::index::response::Response;
use crate::index::responses::Responses;
use crate::store::body_file::BodyFile;
use crate::store::disk::{ObjectId, Residents};

/// Is told of each object that is taken out of the store, before its data file goes. Must not take time.
pub type Gone = Arc<dyn Fn(ObjectId) + Send + Sync>;

/// The responses in memory, as the store sees them.
pub(super) struct InMemory {
    pub(super) responses: Arc<Responses>,
    /// Who else is told.
    pub(super) told: Arc<OnceLock<Gone>>,
}

impl InMemory {
    /// The responses in memory that have the bytes of an object.
    fn of(&self, key: &[u8], id: ObjectId) -> Vec<Arc<Response>> {
        let found = self.responses.find(key);
        let all = found.iter().flat_map(|found| found.iter());
        all.filter(|response| response.object.on_disk() == Some(id))
            .cloned()
            .collect()
    }
}

impl Residents for InMemory {
    fn take_use(&self, key: &[u8], id: ObjectId) -> bool {
        let responses = self.of(key, id);
        // All of them are asked: each forgets its use.
        let recent = responses.iter().filter(|one| one.use_count().take_recent());
        recent.count() > 0
    }

    fn gone(&self, key: &[u8], id: ObjectId) {
        if let Some(told) = self.told.get() {
            told(id);
        }
        for response in self.of(key, id) {
            response.object.set_on_disk(None);
            let file = response.object.growing().and_then(|body| body.file());
            if matches!(file, Some(BodyFile::Disk(_))) {
                // Its file is gone from the folder, and keeps its room on the device until nobody has it open.
                self.responses.remove(&response);
            }
        }
    }
}
