//! A folder of a test's own, and the ways in which files in it change.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The modification time that placed files get: long past, so that Last-Modified is a strong validator.
pub(crate) const PLACED_AT_SECONDS: u64 = 1_704_164_645;

/// A folder that goes away with its value.
#[derive(Debug)]
pub(crate) struct Folder {
    directory: tempfile::TempDir,
}

impl Folder {
    pub(crate) fn new() -> Self {
        let directory = tempfile::Builder::new()
            .prefix("hotplate-test-")
            .tempdir()
            .expect("a folder for the test");
        Self { directory }
    }

    /// The absolute path of something in the folder.
    pub(crate) fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.directory.path().join(relative)
    }

    /// Creates a file with a modification time long past.
    pub(crate) fn place(&self, relative: impl AsRef<Path>, bytes: impl AsRef<[u8]>) {
        let path = self.path(relative);
        fs::create_dir_all(path.parent().expect("a file has a folder")).expect("folders");
        fs::write(&path, bytes).expect("a file");
        let file = fs::File::options().write(true).open(&path).expect("it");
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(PLACED_AT_SECONDS))
            .expect("a time");
    }

    /// Writes new content in place: the same inode, as an editor or `cp` does.
    pub(crate) fn rewrite(&self, relative: impl AsRef<Path>, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(relative), bytes).expect("rewritten in place");
    }

    /// Writes over the first bytes of a file without truncating it.
    pub(crate) fn overwrite_start(&self, relative: impl AsRef<Path>, bytes: &[u8]) {
        let mut file = fs::File::options()
            .write(true)
            .open(self.path(relative))
            .expect("opened for writing");
        file.write_all(bytes).expect("overwritten");
    }

    /// Adds bytes to the end of a file.
    pub(crate) fn append(&self, relative: impl AsRef<Path>, bytes: &[u8]) {
        let mut file = fs::File::options()
            .append(true)
            .open(self.path(relative))
            .expect("opened for appending");
        file.write_all(bytes).expect("appended");
    }

    /// Cuts a file to `size` bytes.
    pub(crate) fn truncate(&self, relative: impl AsRef<Path>, size: u64) {
        let file = fs::File::options()
            .write(true)
            .open(self.path(relative))
            .expect("opened for truncating");
        file.set_len(size).expect("truncated");
    }

    /// Puts a new file in the place of the old one by rename, as careful publishers do.
    pub(crate) fn replace(&self, relative: impl AsRef<Path>, bytes: impl AsRef<[u8]>) {
        let new = self.path(".replacement");
        fs::write(&new, bytes).expect("the replacement");
        fs::rename(&new, self.path(relative)).expect("renamed over");
    }

    /// Deletes a file.
    pub(crate) fn remove(&self, relative: impl AsRef<Path>) {
        fs::remove_file(self.path(relative)).expect("removed");
    }
}

/// `size` bytes that look random and depend on `seed` only.
pub(crate) fn pattern(size: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}
