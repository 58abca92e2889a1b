//! What memory holds of the store's objects: it keeps their uses, and their data files open.

use super::naming::ObjectId;

/// Asked and told by the store on threads that may block, in the midst of its own work: an answer takes no time, and never
/// calls the store.
pub trait Residents: Send + Sync {
    /// Whether the object was used in memory since this was last asked: then eviction passes it by once more.
    fn take_use(&self, key: &[u8], id: ObjectId) -> bool;

    /// The object was taken out of the store. Whoever holds its data file open keeps its bytes on the device: it must be let go
    /// of.
    fn gone(&self, key: &[u8], id: ObjectId);
}
