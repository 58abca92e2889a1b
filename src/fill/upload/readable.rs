//! Which files of this machine the server reads for who only names them.
//!
//! Who may ask the admin address need not be allowed to read what this process can: its keys, its certificates, other users' files. So a
//! file that is named is read where everybody may read it, or the library's group, who get the files here anyway; or, where `[upload]
//! files` says which, those and no others. What is looked at is the file that was opened, by its path without links.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use globset::GlobBuilder;

use crate::store::pinned::rule::has_wildcard;

/// What a group's and everybody's bits of a mode allow.
const READ: u32 = 0o4;
const SEARCH: u32 = 0o1;

/// What may be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadableFiles {
    /// Absolute paths of files, folders or globs; none: what everybody or the group may read.
    pub patterns: Vec<PathBuf>,
    /// The number of the library's group.
    pub group: Option<u32>,
}

impl ReadableFiles {
    /// Whether `file`, which was opened by `path`, may be read for others. Asks the file system.
    ///
    /// # Errors
    /// The path does not lead to the file any more.
    pub(super) fn admits(&self, file: &File, path: &Path) -> io::Result<bool> {
        let real = path.canonicalize()?;
        let (opened, found) = (file.metadata()?, real.symlink_metadata()?);
        if (opened.dev(), opened.ino()) != (found.dev(), found.ino()) {
            return Err(io::Error::other("another file takes its place"));
        }
        if !self.patterns.is_empty() {
            return Ok(self.patterns.iter().any(|pattern| matches(pattern, &real)));
        }
        if !self.may(&opened, READ) {
            return Ok(false);
        }
        for folder in real.ancestors().skip(1) {
            if !self.may(&folder.metadata()?, SEARCH) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether nobody is told why the file at `path` can't be opened, so that who names paths does not find out what is in folders that he
    /// can't see. Asks the file system.
    pub(super) fn hides(&self, path: &Path) -> bool {
        if !self.patterns.is_empty() {
            return !self.patterns.iter().any(|pattern| matches(pattern, path));
        }
        let mut above = path.ancestors().skip(1);
        let folder = above.find_map(|folder| folder.canonicalize().ok());
        let is_open = |folder: &Path| folder.metadata().is_ok_and(|it| self.may(&it, SEARCH));
        folder.is_some_and(|folder| !folder.ancestors().all(is_open))
    }

    /// Whether everybody may do this, or the group.
    fn may(&self, found: &Metadata, bit: u32) -> bool {
        let is_groups = Some(found.gid()) == self.group;
        found.mode() & bit != 0 || (is_groups && found.mode() & (bit << 3) != 0)
    }
}

/// Whether a pattern is for a path: a file, a folder with what is below it, or a glob. As with pins, no name that begins with a dot is
/// matched below a folder or a glob's fixed part.
fn matches(pattern: &Path, path: &Path) -> bool {
    let is_glob = has_wildcard(pattern) && !pattern.exists();
    let is_fixed = |part: &Component<'_>| !(is_glob && has_wildcard(part.as_ref()));
    let base: PathBuf = pattern.components().take_while(is_fixed).collect();
    let Ok(below) = path.strip_prefix(&base) else {
        return false;
    };
    let is_hidden = |part: Component<'_>| part.as_os_str().as_bytes().starts_with(b".");
    if below.components().any(is_hidden) {
        return false;
    }
    if !is_glob {
        return true;
    }
    let glob = GlobBuilder::new(&pattern.to_string_lossy())
        .literal_separator(true)
        .build();
    // The config let no malformed one pass.
    glob.is_ok_and(|glob| glob.compile_matcher().is_match(path))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn pattern_is_a_file_a_folder_or_a_glob() {
        for (pattern, path, fits) in [
            ("/srv/a.wav", "/srv/a.wav", true),
            ("/srv/a.wav", "/srv/a.wav2", false),
            ("/srv/calls", "/srv/calls/1/a.wav", true),
            ("/srv/calls/", "/srv/calls/1/a.wav", true),
            ("/srv/calls", "/srv/calls/.keys/a.wav", false),
            ("/srv/calls", "/srv/callsign", false),
            ("/srv/.calls", "/srv/.calls/a.wav", true),
            ("/srv/*.wav", "/srv/a.wav", true),
            ("/srv/*.wav", "/srv/1/a.wav", false),
            ("/srv/*.wav", "/srv/.a.wav", false),
            ("/srv/**/*.wav", "/srv/1/2/a.wav", true),
            ("/srv/**", "/srv/1/2/a", true),
            ("/srv/**", "/etc/shadow", false),
            ("/srv/[", "/srv/[", false),
        ] {
            let found = matches(Path::new(pattern), Path::new(path));
            assert_eq!(found, fits, "{pattern} {path}");
        }
    }

    #[test]
    fn without_patterns_everybody_or_the_group_must_be_let_through_to_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("calls");
        let (path, link) = (inner.join("a.wav"), folder.path().join("link"));
        fs::create_dir(&inner).unwrap();
        fs::write(&path, b"abc").unwrap();
        symlink(&path, &link).unwrap();
        let gid = fs::metadata(&path).unwrap().gid();
        let admits = |file: u32, dir: u32, group: Option<u32>| {
            fs::set_permissions(&path, Permissions::from_mode(file)).unwrap();
            fs::set_permissions(&inner, Permissions::from_mode(dir)).unwrap();
            let readable = ReadableFiles {
                patterns: Vec::new(),
                group,
            };
            let opened = File::open(&path).unwrap();
            let by = [&path, &link].map(|by| readable.admits(&opened, by).unwrap());
            assert_eq!(by[0], by[1]);
            by[0]
        };
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        for (file, dir, everybody, members) in [
            (0o644, 0o755, true, true),
            (0o600, 0o755, false, false),
            (0o640, 0o755, false, true),
            (0o640, 0o750, false, true),
            (0o644, 0o700, false, false),
            (0o604, 0o711, true, true),
        ] {
            assert_eq!(admits(file, dir, None), everybody, "{file:o} {dir:o}");
            assert_eq!(admits(file, dir, Some(gid)), members, "{file:o} {dir:o}");
            assert_eq!(
                admits(file, dir, Some(gid + 1)),
                everybody,
                "{file:o} {dir:o}"
            );
        }
        fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).unwrap();
        assert!(!admits(0o644, 0o755, None));
    }

    #[test]
    fn what_is_in_a_folder_that_not_everybody_sees_is_hidden() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        fs::set_permissions(&root, Permissions::from_mode(0o755)).unwrap();
        let keys = root.join("keys");
        fs::create_dir_all(keys.join("open")).unwrap();
        symlink(keys.join("open"), root.join("link")).unwrap();
        fs::set_permissions(&keys, Permissions::from_mode(0o700)).unwrap();
        let hides = |patterns: &[&str], path: &str| {
            let readable = ReadableFiles {
                patterns: patterns.iter().map(|path| root.join(path)).collect(),
                group: None,
            };
            readable.hides(&root.join(path))
        };
        for (path, is_hidden) in [
            ("none", false),
            ("none/none", false),
            ("keys", false),
            ("keys/none", true),
            ("keys/open/none", true),
            ("keys/none/none", true),
            ("link/none", true),
        ] {
            assert_eq!(hides(&[], path), is_hidden, "{path}");
        }
        assert!(!hides(&["keys/*.wav"], "keys/none.wav"));
        assert!(hides(&["keys/*.wav"], "keys/none"));
        assert!(hides(&["keys/*.wav"], "none.wav"));
    }

    #[test]
    fn link_is_no_way_out_of_a_pattern() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        fs::create_dir(root.join("calls")).unwrap();
        fs::write(root.join("key"), b"secret").unwrap();
        let link = root.join("calls/a.wav");
        symlink(root.join("key"), &link).unwrap();
        let readable = ReadableFiles {
            patterns: vec![root.join("calls")],
            group: None,
        };
        let admits = |path: &Path| readable.admits(&File::open(path).unwrap(), path);
        assert!(!admits(&link).unwrap());
        assert!(!admits(&root.join("calls/../key")).unwrap());
        fs::remove_file(&link).unwrap();
        fs::write(&link, b"call").unwrap();
        assert!(admits(&link).unwrap());
        // Another file in the place of the one that was opened.
        let opened = File::open(&link).unwrap();
        fs::rename(root.join("key"), &link).unwrap();
        assert!(readable.admits(&opened, &link).is_err());
    }
}
