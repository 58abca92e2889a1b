//! What a worker asks of the fill threads, and what comes back. Both ways are bounded queues.

use std::sync::Arc;

use crate::index::entry::Entry;
use crate::store::Object;
use crate::units::{MonoNanos, SiteId, WorkerId};

/// A worker's number for an order, unique within the worker while the order is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket(pub u64);

/// An order to the fill threads.
#[derive(Debug)]
pub struct Order {
    /// Who asks; the answer goes to this worker's inbox.
    pub worker: WorkerId,
    /// Comes back with the answer.
    pub ticket: Ticket,
    /// What is asked.
    pub job: Job,
}

/// What a worker can ask.
#[derive(Debug)]
pub enum Job {
    /// Find the file that a site's root has for a canonical path.
    Resolve {
        /// The site.
        site: SiteId,
        /// The canonical path, without query.
        path: Box<[u8]>,
    },
    /// Bring a range of an object into the page cache, so that sending it does not block.
    Warm {
        /// The object; the order keeps it alive.
        object: Arc<Object>,
        /// First byte.
        offset: u64,
        /// How many bytes.
        length: u64,
    },
}

/// The answer to an order.
#[derive(Debug)]
pub struct Filled {
    /// The order's ticket.
    pub ticket: Ticket,
    /// What came of it.
    pub outcome: Outcome,
    /// When the outcome was held to the disk; an answer that was remembered is older than its arrival.
    pub checked_at: MonoNanos,
}

/// What came of an order.
#[derive(Debug)]
pub enum Outcome {
    /// The file stands in the site's root.
    Found(Arc<Entry>),
    /// The path names a directory and lacks its final slash.
    Directory,
    /// There is no such file, or it is one that is never shown (dotfile, not regular, outside the root).
    Missing,
    /// The file may not be read by this process.
    Forbidden,
    /// Out of descriptors, or the file system failed; trying again later may help.
    Unavailable,
    /// The range is in the page cache now.
    Warm,
    /// The range could not be read: the file was truncated or its device failed.
    Cold,
}
