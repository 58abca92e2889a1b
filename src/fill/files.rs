//! Files below the sites' roots, found by canonical path.
//!
//! A path's names are looked up below the root only (`sys::beneath`), names that begin with a dot are never shown but for
//! the root's `.well-known` (RFC 8615 s3), and a path that ends with a slash means the folder's `index.html`. What was found is remembered in a bounded table and held
//! to the disk at most once a second: as long as nothing changed, the same entry is given out. What was not found is
//! remembered for as long, in a table of its own, so that asking for names that do not exist drives nothing out.
//!
//! Threads: any that may block. No lock is held during a system call.

use std::path::{Path, PathBuf};
#[expect(
    clippy::disallowed_types,
    reason = "taken when a worker's own table has no answer, never for a hit"
)]
use std::sync::Mutex;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use hashbrown::HashMap;

use super::siblings::{ENDINGS, Seen, load_family, look_all};
use super::table::{Key, Opened, Recent, Refusal};
use crate::cache::order::Outcome;
use crate::http::mime::content_type_of;
use crate::http::target::decode_path;
use crate::index::entry::{Entry, Making, Source};
use crate::index::sites::SiteRule;
use crate::store::pinned::load::Budgets;
use crate::store::pinned::{Hold, LoadError, Loader, Patience};
use crate::sys::beneath::RootFolder;
use crate::sys::clock;
use crate::sys::file::folder_stamp;
use crate::units::{MonoNanos, SiteId};

/// Most files that are held open without being pinned.
const OPENED_MAX: usize = 1024;

/// Most paths without a file that are remembered.
const REFUSALS_MAX: usize = 1024;

/// How long an answer is given out before it is held to the disk again.
pub const TRUSTED_FOR: Duration = Duration::from_secs(1);

/// Part of the table that is given up at first when descriptors run out.
const EVICTED_PART: usize = 4;

/// What became of a path.
#[derive(Debug)]
pub enum Resolved {
    /// The answer, and when it was held to the disk.
    Answer(Outcome, MonoNanos),
    /// Every descriptor is in use by answers and by what the workers remember of the last second: worth another try soon.
    NoRoom,
}

const INDEX_FILE: &[u8] = b"index.html";

const WELL_KNOWN: &[u8] = b".well-known/";

/// See the module's header.
#[derive(Debug)]
#[expect(clippy::disallowed_types, reason = "see the import")]
pub struct Files {
    roots: HashMap<SiteId, Root>,
    loader: Arc<Loader>,
    budgets: Budgets,
    opened: Mutex<Recent<Opened>>,
    refused: Mutex<Recent<Refusal>>,
}

#[derive(Debug)]
#[expect(clippy::disallowed_types, reason = "see the import")]
struct Root {
    /// None: the site has no local files.
    path: Option<PathBuf>,
    cache_control: String,
    folder: Mutex<Option<OpenRoot>>,
}

/// The folder that has the root's name; another one has it after a release is switched by a link.
#[derive(Clone, Debug)]
struct OpenRoot {
    identity: (u64, u64),
    folder: Arc<RootFolder>,
}

/// A file's place: its root and its path below it.
struct Spot<'a> {
    root: &'a Root,
    folder: &'a RootFolder,
    relative: Vec<u8>,
}

/// What an open does about siblings that find no descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Siblings {
    /// Fails, so that room is made for them.
    All,
    /// Leaves them out.
    AsFit,
}

impl Files {
    /// The files of `sites`, whose ids are given along.
    #[must_use]
    #[expect(clippy::disallowed_types, reason = "see the import")]
    pub fn new(
        sites: impl IntoIterator<Item = (SiteId, SiteRule)>,
        loader: Arc<Loader>,
        budgets: Budgets,
    ) -> Self {
        let root = |rule: SiteRule| Root {
            path: rule.root,
            cache_control: rule.cache_control,
            folder: Mutex::new(None),
        };
        let files_max = usize::try_from(budgets.descriptors.max()).unwrap_or(usize::MAX);
        Self {
            roots: sites
                .into_iter()
                .map(|(site, rule)| (site, root(rule)))
                .collect(),
            loader,
            budgets,
            opened: Mutex::new(Recent::new(OPENED_MAX.min(files_max))),
            refused: Mutex::new(Recent::new(REFUSALS_MAX)),
        }
    }

    /// What stands under a site's canonical path. Blocks on the disk when that is not known from the last second.
    #[must_use]
    pub fn resolve(&self, site: SiteId, path: &[u8], now: MonoNanos) -> Resolved {
        let key: Key = (site, path.into());
        if let Some((refusal, checked_at)) = self.known_refusal(&key, now) {
            return Resolved::Answer(refusal.outcome(), checked_at);
        }
        let known = self.known_file(&key);
        let is_recent = |at: MonoNanos| now.since(at) < TRUSTED_FOR;
        if let Some((opened, checked_at)) = &known
            && is_recent(*checked_at)
            && !opened.entry.is_revoked()
        {
            return Resolved::Answer(Outcome::Found(Arc::clone(&opened.entry)), *checked_at);
        }
        let refusal = match self.look_up(&key, known.map(|(opened, _)| opened), now) {
            Ok(entry) => return Resolved::Answer(Outcome::Found(entry), now),
            Err(refusal) => refusal,
        };
        lock(&self.opened).remove(&key);
        match refusal {
            Refusal::NoRoom => return Resolved::NoRoom,
            Refusal::Unavailable => {}
            _ => lock(&self.refused).insert(key, refusal, now),
        }
        Resolved::Answer(refusal.outcome(), now)
    }

    /// Gives up what somebody waits to write to.
    pub fn drop_revoked(&self) {
        lock(&self.opened).retain(|opened| !opened.entry.is_revoked());
    }

    /// How many files are held open.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        lock(&self.opened).len()
    }

    fn known_refusal(&self, key: &Key, now: MonoNanos) -> Option<(Refusal, MonoNanos)> {
        let mut refused = lock(&self.refused);
        let (refusal, since) = refused.find(key)?;
        let refusal = *refusal;
        if now.since(since) < TRUSTED_FOR {
            return Some((refusal, since));
        }
        refused.remove(key);
        None
    }

    fn known_file(&self, key: &Key) -> Option<(Opened, MonoNanos)> {
        let mut opened = lock(&self.opened);
        let (known, checked_at) = opened.find(key)?;
        Some((known.clone(), checked_at))
    }

    /// Asks the disk: gives the known entry out again if nothing changed, else makes one.
    fn look_up(
        &self,
        key: &Key,
        known: Option<Opened>,
        now: MonoNanos,
    ) -> Result<Arc<Entry>, Refusal> {
        let root = self.roots.get(&key.0).ok_or(Refusal::Unavailable)?;
        let path = root.path.as_deref().ok_or(Refusal::Missing)?;
        let folder = root.open(path).ok_or(Refusal::Unavailable)?;
        let spot = Spot {
            root,
            folder: &folder,
            relative: relative_path(&key.1).ok_or(Refusal::Missing)?,
        };
        let seen = look_all(|ending| spot.folder.look(&spot.with(ending)));
        if let Some(known) = known
            && known.seen == seen
            && known
                .entry
                .representations()
                .all(|one| one.object.is_true())
        {
            lock(&self.opened).confirm(key, now);
            return Ok(known.entry);
        }
        let entry = self
            .open_with_room(&spot, &seen)
            .map_err(|error| refusal_of(&error))?;
        let opened = Opened {
            entry: Arc::clone(&entry),
            seen,
        };
        lock(&self.opened).insert(key.clone(), opened, now);
        if entry.is_revoked() {
            // Revoked before it was in the table, so drop_revoked did not find it.
            lock(&self.opened).remove(key);
            return Err(Refusal::Unavailable);
        }
        Ok(entry)
    }

    /// Opens the file; where descriptors ran out, at the cost of those that were not used for longest, then of all that
    /// nobody uses.
    fn open_with_room(&self, spot: &Spot<'_>, seen: &Seen) -> Result<Arc<Entry>, LoadError> {
        let part = lock(&self.opened).len().div_ceil(EVICTED_PART);
        for count in [part, usize::MAX] {
            match self.open(spot, seen, Siblings::All) {
                Err(LoadError::OutOfDescriptors { .. }) => self.make_room(count),
                other => return other,
            }
        }
        self.open(spot, seen, Siblings::AsFit)
    }

    fn open(
        &self,
        spot: &Spot<'_>,
        seen: &Seen,
        siblings: Siblings,
    ) -> Result<Arc<Entry>, LoadError> {
        let family = load_family(
            &self.loader,
            |ending| spot.folder.open_file(&spot.with(ending)),
            seen,
            Hold::File,
            Patience::TakeUnguarded,
            &self.budgets,
        )?;
        if let (Some(error), Siblings::All) = (family.no_room, siblings) {
            return Err(error);
        }
        let siblings = family.siblings.into_iter();
        Ok(Arc::new(Entry::build(Making {
            source: Source::Root,
            cache_control: &spot.root.cache_control,
            content_type: content_type_of(&spot.relative),
            identity: family.identity.object,
            siblings: siblings.map(|(coding, one)| (coding, one.object)).collect(),
            now: clock::wall().0,
        })))
    }

    /// Gives up files of which nobody else holds the entry: the others' descriptors would not come back.
    fn make_room(&self, count: usize) {
        lock(&self.opened).evict_idle(count, |opened| Arc::strong_count(&opened.entry) == 1);
    }
}

impl Root {
    /// The folder that has the root's name now.
    fn open(&self, path: &Path) -> Option<Arc<RootFolder>> {
        let identity = folder_stamp(path)?.identity;
        if let Some(open) = &*lock(&self.folder)
            && open.identity == identity
        {
            return Some(Arc::clone(&open.folder));
        }
        let folder = Arc::new(RootFolder::open(path).ok()?);
        *lock(&self.folder) = Some(OpenRoot {
            identity,
            folder: Arc::clone(&folder),
        });
        Some(folder)
    }
}

impl Spot<'_> {
    fn with(&self, ending: &str) -> Vec<u8> {
        let mut path = Vec::with_capacity(self.relative.len() + ending.len());
        path.extend_from_slice(&self.relative);
        path.extend_from_slice(ending.as_bytes());
        path
    }
}

/// The path below the root that a canonical path stands for; none for one that never names a file.
fn relative_path(canonical: &[u8]) -> Option<Vec<u8>> {
    let mut path = Vec::with_capacity(canonical.len() + INDEX_FILE.len());
    decode_path(canonical.strip_prefix(b"/")?, &mut path).ok()?;
    if path.is_empty() || path.ends_with(b"/") {
        path.extend_from_slice(INDEX_FILE);
    }
    // RFC 8615 s3: well-known URIs are those whose path begins with this name, so deeper it is as hidden as any other.
    let shown = path.strip_prefix(WELL_KNOWN).unwrap_or(&path);
    let mut names = shown.split(|octet| *octet == b'/');
    let is_shown = names.all(|name| !name.is_empty() && !name.starts_with(b"."));
    is_shown.then_some(path)
}

fn refusal_of(error: &LoadError) -> Refusal {
    match error {
        LoadError::Missing | LoadError::NotRegular | LoadError::OutsideRoot => Refusal::Missing,
        LoadError::Directory => Refusal::Directory,
        LoadError::NotReadable => Refusal::Forbidden,
        LoadError::OutOfDescriptors { .. } => Refusal::NoRoom,
        LoadError::ChangingNow | LoadError::WriterWaits | LoadError::Io(_) => Refusal::Unavailable,
    }
}

#[expect(clippy::disallowed_types, reason = "see the import")]
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every change below a lock leaves the tables whole, whatever panics elsewhere.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const _: () = assert!(ENDINGS.len() <= 4, "a file may take a descriptor for each");

#[cfg(test)]
#[path = "files_tests.rs"]
mod tests;
