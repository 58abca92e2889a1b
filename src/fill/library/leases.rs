//! The files that are leased: which there are, until when, and what they hold of the device.
//!
//! ```text
//!   get ──▶ reuse: the same bytes are leased already ──▶ their end is put off
//!      └──▶ make: a link to the store's data file, else a copy
//!   store ── gone ──▶ the link holds the bytes alone: they count against library.size
//!   tend ──▶ what has ended is deleted
//! ```
//!
//! A file is leased by all who got it: each of them holds it, it stays until the last of their leases has ended, or until each has
//! released it. Files never change: when a URL's content does, its next lease is another file.
//!
//! Threads: all of it may block for a file system call or two; none is called on a worker.

#![expect(
    clippy::disallowed_types,
    reason = "a lock for the time of a look-up, on threads that serve no hit"
)]

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::counts::{LibraryCount, LibraryCounts};
use super::failure::{Code, Failure};
use super::folder::Folder;
use super::lease_bytes::{Way, stored_id, way_of, write_all};
use super::lease_table::{Bytes, Lease, Table};
use crate::fill::disk::DiskTier;
use crate::store::Object;
use crate::store::disk::ObjectId;
use crate::units::{MonoNanos, UnixSeconds};

/// The time, by both clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    pub(super) mono: MonoNanos,
    pub(super) wall: UnixSeconds,
}

/// What the files may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) leases: usize,
    pub(super) bytes: u64,
}

/// What is to be leased.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'w> {
    /// The body, whole.
    pub(super) object: &'w Arc<Object>,
    /// The file's name without its extension.
    pub(super) stem: &'w str,
    pub(super) extension: &'w str,
    pub(super) url: &'w str,
    pub(super) lease: Duration,
}

/// A file that was leased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leased {
    /// The lease.
    pub id: u64,
    /// The file.
    pub path: PathBuf,
    /// How long it stays.
    pub left: Duration,
}

/// What is left of a lease that somebody gave back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Released {
    /// How many still hold it; none where that is not known, so that it ends by its time.
    pub left: Option<u32>,
}

/// A lease as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseLine {
    /// The lease.
    pub id: u64,
    /// The URL that it was made for; none of one from before the last start.
    pub url: Option<Box<str>>,
    /// The file.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size: u64,
    /// How long it stays.
    pub left: Duration,
    /// How many got it and have not released it; none of one from before the last start, which ends by its time alone.
    pub holders: Option<u32>,
    /// Whether its bytes are there for the lease alone.
    pub is_held: bool,
}

/// See the module's header.
#[derive(Debug)]
pub(super) struct Leases {
    folder: Folder,
    table: Mutex<Table>,
    counts: Arc<LibraryCounts>,
}

impl Leases {
    /// The leases of `folder`, those of an earlier run that have not ended among them.
    ///
    /// # Errors
    /// When the folder can't be read.
    pub(super) fn open(folder: Folder, now: Now, counts: Arc<LibraryCounts>) -> io::Result<Self> {
        let mut table = Table {
            // No lease of an earlier run has such a number, unless the clock was set back; that is found when it is made.
            next: now.wall.0 << 24,
            ..Table::default()
        };
        for found in folder.leftovers()? {
            if found.expires <= now.wall {
                if let Err(error) = folder.remove(found.id) {
                    tracing::warn!("{} can't be deleted: {error}", found.path.display());
                }
                continue;
            }
            table.restore(found, now);
        }
        let leases = Self {
            folder,
            table: Mutex::new(table),
            counts,
        };
        leases.show(&leases.lock());
        Ok(leases)
    }

    /// Puts off the end of a lease of the same bytes, where there is one, and counts its asker among its holders.
    pub(super) fn reuse(&self, wanted: &Wanted<'_>, now: Now) -> Option<Leased> {
        let stored = stored_id(wanted.object);
        let body = Bytes::Body(Arc::as_ptr(wanted.object) as usize);
        let mut table = self.lock();
        let by_stored = stored.and_then(|id| table.find(Bytes::Stored(id), wanted.extension));
        let id = by_stored.or_else(|| table.find(body, wanted.extension))?;
        let is_there = table
            .leases
            .get(&id)
            .is_some_and(|lease| Folder::is_there(&lease.path));
        if !is_there {
            // Somebody deleted it.
            table.forget(id);
            self.show(&table);
            return None;
        }
        if let (Some(stored), None) = (stored, by_stored) {
            // It was written to disk since: it is known by that, too, once it has left memory.
            table.enter(id, Bytes::Stored(stored), wanted.extension);
        }
        let leased = self.extend(&mut table, id, wanted.lease, now)?;
        if let Some(lease) = table.leases.get_mut(&id) {
            lease.holders = lease.holders.map(|count| count.saturating_add(1));
        }
        self.counts.bump(LibraryCount::Extended);
        Some(leased)
    }

    /// Makes a file and leases it. May copy the whole body.
    ///
    /// # Errors
    /// `LibraryFull`, `DiskFull`, `DiskFailed`.
    pub(super) fn make(
        &self,
        wanted: &Wanted<'_>,
        disk: &DiskTier,
        bounds: Bounds,
        now: Now,
    ) -> Result<Leased, Failure> {
        let size = wanted.object.size();
        let id = self.reserve(bounds)?;
        let made = self.file(id, wanted, disk, bounds);
        let mut table = self.lock();
        table.pending -= 1;
        // A copy's bytes are counted by now.
        let (path, is_copy) = made?;
        let bytes = match stored_id(wanted.object) {
            Some(stored) if !is_copy => Bytes::Stored(stored),
            _ => Bytes::Body(Arc::as_ptr(wanted.object) as usize),
        };
        let lease = Lease {
            path: path.clone(),
            url: Some(wanted.url.into()),
            size,
            bytes: Vec::new(),
            body: Arc::downgrade(wanted.object),
            expires: now.mono.after(wanted.lease),
            noted: UnixSeconds(0),
            holders: Some(1),
            is_held: is_copy,
            is_checked: is_copy,
        };
        table.leases.insert(id, lease);
        table.enter(id, bytes, wanted.extension);
        self.counts.bump(match is_copy {
            true => LibraryCount::Copied,
            false => LibraryCount::Linked,
        });
        let leased = self.extend(&mut table, id, wanted.lease, now);
        self.show(&table);
        leased.ok_or_else(|| Failure::new(Code::DiskFailed, "the lease was lost"))
    }

    /// Puts off the end of a lease; none where it is over.
    pub(super) fn renew(&self, id: u64, lease: Duration, now: Now) -> Option<Leased> {
        let mut table = self.lock();
        self.extend(&mut table, id, lease, now)
    }

    /// One holder less; the file is deleted with the last. None where the lease is over.
    ///
    /// One from an earlier run stays until its time is over: others may hold it who are not known of any more.
    pub(super) fn release(&self, id: u64) -> Option<Released> {
        let mut table = self.lock();
        let lease = table.leases.get_mut(&id)?;
        let Some(holders) = &mut lease.holders else {
            return Some(Released { left: None });
        };
        *holders = holders.saturating_sub(1);
        let left = *holders;
        if left == 0 {
            table.forget(id);
            self.show(&table);
            drop(table);
            self.counts.bump(LibraryCount::Released);
            self.delete(id);
        }
        Some(Released { left: Some(left) })
    }

    /// All leases, the one that ends first at the front.
    pub(super) fn list(&self, now: Now) -> Vec<LeaseLine> {
        let table = self.lock();
        let line = |(id, lease): (&u64, &Lease)| LeaseLine {
            id: *id,
            url: lease.url.clone(),
            path: lease.path.clone(),
            size: lease.size,
            left: lease.expires.since(now.mono),
            holders: lease.holders,
            is_held: lease.is_held,
        };
        let mut lines: Vec<LeaseLine> = table.leases.iter().map(line).collect();
        drop(table);
        lines.sort_by_key(|line| (line.left, line.id));
        lines
    }

    /// The store lets go of an object, whose data file is about to be deleted.
    pub(super) fn gone(&self, id: ObjectId) {
        let mut table = self.lock();
        let files = table.files.get(&Bytes::Stored(id));
        let leases: Vec<u64> = files
            .into_iter()
            .flatten()
            .map(|(_, lease)| *lease)
            .collect();
        if leases.is_empty() {
            return;
        }
        for lease in leases {
            table.hold(lease);
        }
        self.show(&table);
    }

    /// Deletes what has ended.
    pub(super) fn tend(&self, now: Now) {
        let mut table = self.lock();
        let ended = |(_, lease): &(&u64, &Lease)| lease.expires <= now.mono;
        let over: Vec<u64> = table
            .leases
            .iter()
            .filter(ended)
            .map(|(id, _)| *id)
            .collect();
        for id in &over {
            table.forget(*id);
            self.counts.bump(LibraryCount::Expired);
        }
        let fresh = table.leases.iter_mut().filter_map(|(id, lease)| {
            // The store's messenger tells of the others.
            let is_known = !lease.bytes.is_empty();
            let was_checked = std::mem::replace(&mut lease.is_checked, is_known || lease.is_held);
            (!was_checked).then(|| (*id, lease.path.clone()))
        });
        let fresh: Vec<(u64, PathBuf)> = fresh.collect();
        drop(table);
        // What the store let go of between the link and the entry into the table, and of what an earlier run linked.
        for (id, path) in fresh {
            if Folder::is_alone(&path) {
                self.lock().hold(id);
            }
        }
        for id in over {
            self.delete(id);
        }
        self.show(&self.lock());
    }

    /// Takes a place among the leases.
    fn reserve(&self, bounds: Bounds) -> Result<u64, Failure> {
        let mut table = self.lock();
        if table.leases.len() + table.pending >= bounds.leases {
            self.counts.bump(LibraryCount::LimitLeases);
            return Err(full(format!(
                "{} files are leased, as many as library.leases allows; release some, or lease them for a shorter time",
                table.leases.len()
            )));
        }
        if table.held >= bounds.bytes {
            return Err(self.no_room(table.held, bounds));
        }
        table.pending += 1;
        table.next += 1;
        Ok(table.next)
    }

    fn no_room(&self, held: u64, bounds: Bounds) -> Failure {
        self.counts.bump(LibraryCount::LimitSize);
        full(format!(
            "leased files hold {held} bytes that the disk store does not have (any more), of library.size = {} bytes; release \
             some, or lease them for a shorter time",
            bounds.bytes
        ))
    }

    /// Makes the file of a lease; whether it is a copy.
    fn file(
        &self,
        id: u64,
        wanted: &Wanted<'_>,
        disk: &DiskTier,
        bounds: Bounds,
    ) -> Result<(PathBuf, bool), Failure> {
        let name = match wanted.extension {
            "" => wanted.stem.to_owned(),
            extension => format!("{}.{extension}", wanted.stem),
        };
        if let Way::Link(source) = way_of(wanted.object, disk) {
            match self.folder.link(id, &name, &source) {
                Ok(path) => return Ok((path, false)),
                // It has gone meanwhile, or the file system has no links, or no more of them.
                Err(error) => {
                    tracing::debug!("{} is copied, not linked: {error}", source.display())
                }
            }
        }
        let size = wanted.object.size();
        self.reserve_bytes(size, bounds)?;
        let copied = self
            .folder
            .copy(id, &name, |file| write_all(file, wanted.object));
        copied.map(|path| (path, true)).map_err(|error| {
            let mut table = self.lock();
            table.held = table.held.saturating_sub(size);
            failed(&error)
        })
    }

    /// Counts bytes against the bound before they are written, so that several makers can't pass it together.
    fn reserve_bytes(&self, size: u64, bounds: Bounds) -> Result<(), Failure> {
        let mut table = self.lock();
        let held = table.held.saturating_add(size);
        if held > bounds.bytes {
            return Err(self.no_room(table.held, bounds));
        }
        table.held = held;
        Ok(())
    }

    /// Puts off the end of a lease, in its folder too where that is due.
    fn extend(&self, table: &mut Table, id: u64, duration: Duration, now: Now) -> Option<Leased> {
        let lease = table.leases.get_mut(&id)?;
        lease.expires = lease.expires.max(now.mono.after(duration));
        let left = lease.expires.since(now.mono);
        let end = UnixSeconds(now.wall.0.saturating_add(left.as_secs() + 1));
        if lease.noted < end {
            // Ahead of time, so that it is not written with each get.
            let noted = UnixSeconds(end.0.saturating_add(duration.as_secs().min(60)));
            match self.folder.set_expiry(id, noted) {
                Ok(()) => lease.noted = noted,
                Err(error) => tracing::warn!("the end of a lease can't be noted: {error}"),
            }
        }
        Some(Leased {
            id,
            path: lease.path.clone(),
            left,
        })
    }

    fn delete(&self, id: u64) {
        if let Err(error) = self.folder.remove(id) {
            // The next start finds it.
            tracing::warn!("a leased file can't be deleted: {error}");
        }
    }

    fn show(&self, table: &Table) {
        self.counts
            .set(LibraryCount::Leases, table.leases.len() as u64);
        self.counts.set(LibraryCount::HeldBytes, table.held);
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // Nothing that holds the lock can panic half-way.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn full(reason: String) -> Failure {
    Failure::new(Code::LibraryFull, reason)
}

/// What an error of the file system means.
fn failed(error: &io::Error) -> Failure {
    let is_full = matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    );
    if is_full {
        return Failure::new(
            Code::DiskFull,
            format!("the file system of the library has no room: {error}"),
        );
    }
    Failure::new(
        Code::DiskFailed,
        format!("the file could not be put into the library: {error}"),
    )
}

/// The stem of a file's name: what is harmless of the last segment of a URL's path.
pub(super) fn stem_of(path: &[u8]) -> String {
    const LETTERS_MAX: usize = 64;
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let end = name
        .iter()
        .rposition(|byte| *byte == b'.')
        .unwrap_or(name.len());
    let plain = |byte: &&u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
    let letters = name.get(..end).unwrap_or_default().iter().filter(plain);
    let stem: String = letters
        .take(LETTERS_MAX)
        .map(|byte| char::from(*byte))
        .collect();
    if stem.is_empty() {
        "media".to_owned()
    } else {
        stem
    }
}

#[cfg(test)]
#[path = "leases_tests.rs"]
mod tests;
