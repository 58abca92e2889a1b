//! The folders that pins live in: watched for events, and their stamps compared where events fail to come.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::{Path, PathBuf};

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};

use crate::sys::file::{FolderStamp, folder_stamp};

/// Most folders that are followed; each takes an inotify watch.
const FOLDERS_MAX: usize = 1 << 16;

/// See the module's header.
#[derive(Debug)]
pub(super) struct Folders {
    known: BTreeMap<PathBuf, Followed>,
    watcher: Option<RecommendedWatcher>,
    /// Where the sweep goes on.
    cursor: Option<PathBuf>,
    trouble: Option<String>,
}

#[derive(Debug)]
struct Followed {
    stamp: Option<FolderStamp>,
    /// Named by a rule: followed even while it does not exist.
    is_named: bool,
}

impl Folders {
    /// Follows nothing yet. Without a watcher the stamps alone tell.
    pub(super) fn new(watcher: notify::Result<RecommendedWatcher>) -> Self {
        let (watcher, trouble) = match watcher {
            Ok(watcher) => (Some(watcher), None),
            Err(error) => (None, Some(error.to_string())),
        };
        Self {
            known: BTreeMap::new(),
            watcher,
            cursor: None,
            trouble,
        }
    }

    /// Why changes are found by comparing only.
    pub(super) fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    pub(super) fn knows(&self, path: &Path) -> bool {
        self.known.contains_key(path)
    }

    pub(super) fn count(&self) -> usize {
        self.known.len()
    }

    /// Follows a folder from now on: what is listed afterwards misses no change.
    pub(super) fn follow(&mut self, path: &Path, is_named: bool) {
        if let Some(followed) = self.known.get_mut(path) {
            followed.is_named |= is_named;
            return;
        }
        if self.known.len() >= FOLDERS_MAX {
            self.trouble = Some(format!("more than {FOLDERS_MAX} folders"));
            return;
        }
        self.watch(path);
        let stamp = folder_stamp(path);
        let followed = Followed { stamp, is_named };
        self.known.insert(path.to_owned(), followed);
    }

    /// Forgets all folders, before rules are set anew.
    pub(super) fn clear(&mut self) {
        for path in std::mem::take(&mut self.known).into_keys() {
            self.unwatch(&path);
        }
        self.cursor = None;
    }

    /// Compares the stamps of the next `count` folders. Returns those whose names changed, or that came or went.
    pub(super) fn sweep(&mut self, count: usize) -> Vec<PathBuf> {
        let from = match self.cursor.take() {
            Some(path) => Bound::Excluded(path),
            None => Bound::Unbounded,
        };
        let next: Vec<PathBuf> = self
            .known
            .range::<PathBuf, _>((from, Bound::Unbounded))
            .take(count)
            .map(|(path, _)| path.clone())
            .collect();
        if next.len() == count {
            self.cursor = next.last().cloned();
        }
        next.into_iter()
            .filter(|path| self.has_changed(path))
            .collect()
    }

    fn has_changed(&mut self, path: &Path) -> bool {
        let stamp = folder_stamp(path);
        let Some(followed) = self.known.get_mut(path) else {
            return false;
        };
        let before = std::mem::replace(&mut followed.stamp, stamp);
        if before == stamp {
            return false;
        }
        let is_named = followed.is_named;
        let identity = |stamp: Option<FolderStamp>| stamp.map(|stamp| stamp.identity);
        if identity(before) != identity(stamp) {
            // The watch follows the folder that had the name before.
            self.unwatch(path);
            if stamp.is_some() {
                self.watch(path);
            } else if !is_named {
                self.known.remove(path);
            }
        }
        true
    }

    fn watch(&mut self, path: &Path) {
        let Some(watcher) = &mut self.watcher else {
            return;
        };
        if let Err(error) = watcher.watch(path, RecursiveMode::NonRecursive)
            && !matches!(error.kind, notify::ErrorKind::PathNotFound)
            && path.is_dir()
        {
            self.trouble = Some(error.to_string());
        }
    }

    fn unwatch(&mut self, path: &Path) {
        if let Some(watcher) = &mut self.watcher {
            // Fails where the folder went, and its watch with it.
            watcher.unwatch(path).ok();
        }
    }
}
