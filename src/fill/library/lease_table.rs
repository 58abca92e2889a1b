//! The table of leases: each with its end and who holds it, found by the bytes and the extension of its file. Pure but for a look
//! at the files of an earlier run.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Weak;
use std::time::Duration;

use super::folder::{Folder, Leftover};
use super::leases::Now;
use crate::store::Object;
use crate::store::disk::ObjectId;
use crate::units::{MonoNanos, UnixSeconds};

/// What bytes a file has: two with the same are one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Bytes {
    /// Those of an object of the disk store.
    Stored(ObjectId),
    /// Those of a body in memory, by its address; the lease keeps that from being another's.
    Body(usize),
}

#[derive(Debug)]
pub(super) struct Lease {
    pub(super) path: PathBuf,
    pub(super) url: Option<Box<str>>,
    pub(super) size: u64,
    pub(super) bytes: Vec<Bytes>,
    pub(super) body: Weak<Object>,
    pub(super) expires: MonoNanos,
    /// The end that a restart would find.
    pub(super) noted: UnixSeconds,
    /// None of one from an earlier run: how many hold it is not known.
    pub(super) holders: Option<u32>,
    /// Its bytes count against the bound.
    pub(super) is_held: bool,
    /// It was seen that the store has the bytes too, after the lease was known to the store's messenger.
    pub(super) is_checked: bool,
}

#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) leases: HashMap<u64, Lease>,
    /// The leases of the same bytes, by the extensions of their files.
    pub(super) files: HashMap<Bytes, Vec<(Box<str>, u64)>>,
    /// Files that are being made.
    pub(super) pending: usize,
    pub(super) held: u64,
    pub(super) next: u64,
}

impl Table {
    pub(super) fn find(&self, bytes: Bytes, extension: &str) -> Option<u64> {
        let files = self.files.get(&bytes)?;
        let (_, id) = files.iter().find(|(known, _)| **known == *extension)?;
        let lease = self.leases.get(id)?;
        let is_same = match bytes {
            Bytes::Stored(_) => true,
            Bytes::Body(address) => lease.body.as_ptr() as usize == address,
        };
        is_same.then_some(*id)
    }

    /// Has a lease found by `bytes`, in the place of another.
    pub(super) fn enter(&mut self, id: u64, bytes: Bytes, extension: &str) {
        let files = self.files.entry(bytes).or_default();
        files.retain(|(known, _)| **known != *extension);
        files.push((extension.into(), id));
        if let Some(lease) = self.leases.get_mut(&id) {
            lease.bytes.push(bytes);
        }
    }

    pub(super) fn restore(&mut self, found: Leftover, now: Now) {
        let left = Duration::from_secs(found.expires.0.saturating_sub(now.wall.0));
        // What else has it is the store: its messenger can't tell of this one, so it is looked at again and again.
        let is_held = Folder::is_alone(&found.path);
        if is_held {
            self.held += found.size;
        }
        let lease = Lease {
            path: found.path,
            url: None,
            size: found.size,
            bytes: Vec::new(),
            body: Weak::new(),
            expires: now.mono.after(left),
            noted: found.expires,
            holders: None,
            is_held,
            is_checked: is_held,
        };
        self.next = self.next.max(found.id);
        self.leases.insert(found.id, lease);
    }

    /// Counts a lease's bytes against the bound.
    pub(super) fn hold(&mut self, id: u64) {
        if let Some(lease) = self.leases.get_mut(&id).filter(|lease| !lease.is_held) {
            lease.is_held = true;
            self.held += lease.size;
        }
    }

    pub(super) fn forget(&mut self, id: u64) {
        let Some(lease) = self.leases.remove(&id) else {
            return;
        };
        for bytes in &lease.bytes {
            if let Some(files) = self.files.get_mut(bytes) {
                files.retain(|(_, known)| *known != id);
                if files.is_empty() {
                    self.files.remove(bytes);
                }
            }
        }
        if lease.is_held {
            self.held = self.held.saturating_sub(lease.size);
        }
    }
}
