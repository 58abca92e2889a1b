//! A lease keeps a representation's bytes alive while they are being sent.

use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;

use crate::index::entry::{Entry, Representation};
use crate::index::response::Response;
use crate::store::Object;

/// A worker's own count of an entry that all workers share: cloning it writes no memory that another core writes.
#[derive(Clone, Debug)]
pub(super) struct LocalEntry(Rc<SharedEntry>);

#[derive(Debug)]
struct SharedEntry(Arc<Entry>);

impl LocalEntry {
    /// Begins to count; the only step that touches the shared count, but for the last clone's drop.
    pub(super) fn new(entry: Arc<Entry>) -> Self {
        Self(Rc::new(SharedEntry(entry)))
    }
}

impl Deref for LocalEntry {
    type Target = Entry;

    fn deref(&self) -> &Entry {
        &self.0.0
    }
}

/// What keeps the bytes of an answer alive while they are being sent.
#[derive(Clone, Debug)]
pub enum Lease {
    /// Of a local file.
    Local(LocalLease),
    /// Of an origin's response.
    Response(Arc<Response>),
    /// Of a body that outlives the head that it was asked with: who fills it sees by these leases whether anybody reads it.
    Body(Arc<Object>),
}

impl Lease {
    /// The leased bytes.
    #[must_use]
    pub fn object(&self) -> &Arc<Object> {
        match self {
            Self::Local(lease) => lease.object(),
            Self::Response(response) => &response.object,
            Self::Body(object) => object,
        }
    }

    /// A lease on the body of an origin's response.
    #[must_use]
    pub fn of(response: &Arc<Response>) -> Self {
        match response.object.growing() {
            Some(_) => Self::Body(Arc::clone(&response.object)),
            None => Self::Response(Arc::clone(response)),
        }
    }
}

/// A worker's hold on one representation of an entry.
///
/// The count is the worker's own (`Rc`), so taking and ending a lease never writes memory that another core writes. The
/// bytes live until the last lease of every worker has ended and the index has let go of the entry.
#[derive(Clone, Debug)]
pub struct LocalLease {
    entry: LocalEntry,
    /// 0 is the file itself, n its (n - 1)th sibling.
    which: u8,
}

impl LocalLease {
    /// A lease on the representation `which` of `entry`: 0 is the file itself, n its (n - 1)th sibling.
    #[must_use]
    pub(super) fn new(entry: LocalEntry, which: u8) -> Self {
        Self { entry, which }
    }

    /// The entry that the representation belongs to.
    #[must_use]
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// The leased representation.
    #[must_use]
    pub fn representation(&self) -> &Representation {
        match usize::from(self.which).checked_sub(1) {
            None => &self.entry.identity,
            Some(sibling) => self
                .entry
                .siblings
                .get(sibling)
                .unwrap_or(&self.entry.identity),
        }
    }

    /// The leased bytes.
    #[must_use]
    pub fn object(&self) -> &Arc<Object> {
        &self.representation().object
    }
}
