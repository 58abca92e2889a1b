//! Opens files below a folder that no path leads out of: not by `..`, not by a symbolic link, not by a race with
//! somebody who moves folders about (openat2(2) with RESOLVE_BENEATH).

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::file::{FileIdentity, HeldFile, OPEN_FLAGS, OpenRefused, regular};

/// How often a lookup is begun anew after a rename crossed it (openat2(2): EAGAIN).
const RETRIES_MAX: usize = 8;

/// A folder whose files may be opened by relative paths.
#[derive(Debug)]
pub struct RootFolder {
    descriptor: OwnedFd,
}

impl RootFolder {
    /// Opens the folder.
    ///
    /// # Errors
    /// Those of open(2).
    pub fn open(path: &Path) -> io::Result<Self> {
        let descriptor = rustix::fs::open(
            path,
            OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        Ok(Self { descriptor })
    }

    /// Opens the regular file at `relative` for reading. Symbolic links are followed as long as they stay below the
    /// folder.
    ///
    /// # Errors
    /// Why the file was not opened.
    pub fn open_file(&self, relative: &[u8]) -> Result<HeldFile, OpenRefused> {
        for _ in 0..RETRIES_MAX {
            let opened = rustix::fs::openat2(
                &self.descriptor,
                relative,
                OPEN_FLAGS,
                Mode::empty(),
                ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS,
            );
            match opened {
                Ok(descriptor) => return HeldFile::of_regular(descriptor),
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(errno) => return Err(OpenRefused::of_errno(errno)),
            }
        }
        Err(OpenRefused::Busy)
    }

    /// The identity of the regular file at `relative`. Follows symbolic links without the check of
    /// [`open_file`](Self::open_file): good only to compare with an identity that was opened before.
    ///
    /// # Errors
    /// Why there is no regular file to be seen.
    pub fn look(&self, relative: &[u8]) -> Result<FileIdentity, OpenRefused> {
        let stat = rustix::fs::statat(&self.descriptor, relative, AtFlags::empty())
            .map_err(OpenRefused::of_errno)?;
        regular(&stat)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn paths_and_links_out_of_the_folder_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        std::fs::create_dir_all(root.join("sub")).unwrap();
        std::fs::write(folder.path().join("secret"), b"s").unwrap();
        std::fs::write(root.join("sub/file"), b"f").unwrap();
        symlink("../secret", root.join("out")).unwrap();
        symlink(folder.path().join("secret"), root.join("absolute")).unwrap();
        symlink("sub/file", root.join("in")).unwrap();
        symlink("/proc/self/fd/0", root.join("magic")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        let root = RootFolder::open(&root).unwrap();
        for outside in [
            &b"out"[..],
            b"absolute",
            b"../secret",
            b"/etc/passwd",
            b"magic",
        ] {
            assert!(matches!(
                root.open_file(outside),
                Err(OpenRefused::OutsideRoot)
            ));
        }
        assert!(matches!(root.open_file(b"loop"), Err(OpenRefused::Missing)));
        assert!(matches!(root.open_file(b"none"), Err(OpenRefused::Missing)));
        assert!(matches!(
            root.open_file(b"sub"),
            Err(OpenRefused::Directory)
        ));
        let file = root.open_file(b"in").unwrap();
        assert_eq!(file.identity().unwrap(), root.look(b"sub/file").unwrap());
    }
}
