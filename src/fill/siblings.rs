//! Loads a file together with its precompressed siblings: `a.css` with `a.css.br`, `a.css.zst` and `a.css.gz`.
//!
//! A sibling that is older than its file was made from an earlier content and is left out. [`SLACK`] is granted: a copy of
//! a folder gives its files new times in whatever order it comes to them.

use std::path::Path;

use crate::http::accept_encoding::Coding;
use crate::store::pinned::load::Budgets;
use crate::store::pinned::{Hold, LoadError, Loaded, Loader, Patience};
use crate::sys::file::{FileIdentity, HeldFile, OpenRefused};

/// Name endings of siblings and the codings they stand for; the empty one is the file itself.
pub(super) const ENDINGS: [(&str, Coding); 4] = [
    ("", Coding::Identity),
    (".br", Coding::Brotli),
    (".zst", Coding::Zstd),
    (".gz", Coding::Gzip),
];

/// How many seconds a sibling may be older than its file and still be taken to be of the same content.
const SLACK: i64 = 2;

/// What was seen under each of [`ENDINGS`].
pub(super) type Seen = [Option<FileIdentity>; ENDINGS.len()];

/// Looks at the file and its siblings with `look`.
pub(super) fn look_all(look: impl Fn(&str) -> Result<FileIdentity, OpenRefused>) -> Seen {
    ENDINGS.map(|(ending, _)| look(ending).ok())
}

/// The path of the file whose sibling `path` would be, by its name alone.
pub(super) fn sibling_of(path: &Path) -> Option<&Path> {
    let name = path.to_str()?;
    ENDINGS[1..]
        .iter()
        .find_map(|(ending, _)| name.strip_suffix(ending))
        .filter(|stem| !stem.is_empty() && !stem.ends_with('/'))
        .map(Path::new)
}

/// A file and its siblings.
#[derive(Debug)]
pub(super) struct Family {
    pub(super) identity: Loaded,
    pub(super) siblings: Vec<(Coding, Loaded)>,
    /// A sibling is being written: it is worth trying again.
    pub(super) is_growing: bool,
    /// A sibling is left out because it found no descriptor.
    pub(super) no_room: Option<LoadError>,
    /// Endings of siblings that are left out because they are older than the file.
    pub(super) older: Vec<&'static str>,
}

/// Loads a file and those siblings that `seen` has and that are usable. `open` opens the file with an ending.
///
/// # Errors
/// Why the file itself was not loaded; a sibling that can't be loaded is left out.
pub(super) fn load_family(
    loader: &Loader,
    open: impl Fn(&str) -> Result<HeldFile, OpenRefused>,
    seen: &Seen,
    hold: Hold,
    patience: Patience,
    budgets: &Budgets,
) -> Result<Family, LoadError> {
    let identity = loader.load_by(|| open(""), hold, patience, budgets)?;
    let is_older = {
        let (seconds, nanos) = identity.object.identity().modified;
        move |sibling: &FileIdentity| {
            (sibling.modified.0.saturating_add(SLACK), sibling.modified.1) < (seconds, nanos)
        }
    };
    let mut family = Family {
        identity,
        siblings: Vec::new(),
        is_growing: false,
        no_room: None,
        older: Vec::new(),
    };
    for ((ending, coding), seen) in ENDINGS.iter().zip(seen).skip(1) {
        let Some(seen) = seen else { continue };
        if is_older(seen) {
            family.older.push(ending);
            continue;
        }
        match loader.load_by(|| open(ending), hold, patience, budgets) {
            Ok(sibling) if is_older(sibling.object.identity()) => family.older.push(ending),
            Ok(sibling) => family.siblings.push((*coding, sibling)),
            Err(LoadError::ChangingNow | LoadError::WriterWaits) => family.is_growing = true,
            Err(error @ LoadError::OutOfDescriptors { .. }) => family.no_room = Some(error),
            Err(_) => {}
        }
    }
    Ok(family)
}
