//! Which files an Include means: a file, a folder with all below it, or a pattern, each part of which may have wildcards.

use std::path::{Component, Path, PathBuf};

/// Most names that one Include may mean.
pub(super) const FILES_MAX: usize = 4096;
/// Most folders below each other that an Include of a folder goes into, as in httpd.
const FOLDER_DEPTH_MAX: usize = 20;

/// The files that `path` means, in the order in which Apache reads them; none where more than [`FILES_MAX`] do.
pub(super) fn files(path: &Path) -> Option<Vec<PathBuf>> {
    let mut found = vec![PathBuf::new()];
    for part in path.components() {
        let Component::Normal(name) = part else {
            for folder in &mut found {
                folder.push(part);
            }
            continue;
        };
        let pattern = name.to_str().filter(|name| has_wildcard(name));
        let Some(pattern) = pattern else {
            for folder in &mut found {
                folder.push(name);
            }
            continue;
        };
        let mut next = Vec::new();
        for folder in &found {
            next.extend(matching(folder, pattern)?);
            if next.len() > FILES_MAX {
                return None;
            }
        }
        found = next;
    }
    let mut files = Vec::new();
    for path in found {
        all_below(path, 0, &mut files)?;
    }
    Some(files)
}

/// Whether a path is a pattern, so that it may mean nothing.
pub(super) fn has_wildcard(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// The entries of a folder whose names match, sorted. A leading dot must be written, as in fnmatch(3) with FNM_PERIOD.
fn matching(folder: &Path, pattern: &str) -> Option<Vec<PathBuf>> {
    let glob = globset::GlobBuilder::new(pattern)
        .literal_separator(true)
        .build();
    let Ok(matcher) = glob.map(|glob| glob.compile_matcher()) else {
        return Some(Vec::new());
    };
    let shows_hidden = pattern.starts_with('.');
    let entries = names(folder)?.into_iter();
    let fits = entries.filter(|name| {
        let is_hidden = name.as_encoded_bytes().starts_with(b".");
        (shows_hidden || !is_hidden) && matcher.is_match(Path::new(name))
    });
    Some(fits.map(|name| folder.join(name)).collect())
}

/// Adds a file, or all that is below a folder.
fn all_below(path: PathBuf, depth: usize, files: &mut Vec<PathBuf>) -> Option<()> {
    if !path.is_dir() {
        if path.exists() {
            files.push(path);
        }
        return (files.len() <= FILES_MAX).then_some(());
    }
    if depth >= FOLDER_DEPTH_MAX {
        return None;
    }
    for name in names(&path)? {
        all_below(path.join(name), depth + 1, files)?;
    }
    Some(())
}

/// The names in a folder, sorted; none of one that can't be read.
fn names(folder: &Path) -> Option<Vec<std::ffi::OsString>> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Some(Vec::new());
    };
    let mut names: Vec<_> = entries
        .flatten()
        .take(FILES_MAX + 1)
        .map(|entry| entry.file_name())
        .collect();
    names.sort();
    (names.len() <= FILES_MAX).then_some(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pattern_file_and_folder_are_files_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for name in [
            "m/b.conf",
            "m/a.conf",
            "m/a.load",
            "m/.hidden.conf",
            "n/c.conf",
            "n/o/d.conf",
        ] {
            let path = root.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let found = |pattern: &str| {
            let files = files(&root.join(pattern)).unwrap().into_iter();
            let below = files.map(|path| path.strip_prefix(root).unwrap().display().to_string());
            below.collect::<Vec<_>>()
        };
        assert_eq!(found("m/*.conf"), ["m/a.conf", "m/b.conf"]);
        assert_eq!(found("?/*.conf"), ["m/a.conf", "m/b.conf", "n/c.conf"]);
        assert_eq!(found("n"), ["n/c.conf", "n/o/d.conf"]);
        assert_eq!(found("m/a.load"), ["m/a.load"]);
        assert_eq!(found("x/*.conf"), [""; 0]);
        assert_eq!(found("m/[.conf"), [""; 0]);
        assert_eq!(found("x"), [""; 0]);
    }
}
