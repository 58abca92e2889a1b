//! One process for one folder: a flock(2) on `hotplate.lock`, which ends with the process however that ends.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use super::error::DiskError;

const NAME: &str = "hotplate.lock";

/// The lock, held until it is dropped.
#[derive(Debug)]
pub(super) struct FolderLock {
    path: PathBuf,
    file: OwnedFd,
}

impl FolderLock {
    /// Takes the lock of `folder`, which must exist.
    ///
    /// # Errors
    /// `Held` with the holder's pid, or `Folder`.
    pub(super) fn take(folder: &Path) -> Result<Self, DiskError> {
        let path = folder.join(NAME);
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = rustix::fs::open(&path, flags, Mode::RUSR | Mode::WUSR)
            .map_err(|errno| DiskError::Folder(errno.into()))?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(DiskError::Held { pid: holder(&file) }),
            Err(errno) => return Err(DiskError::Folder(errno.into())),
        }
        let lock = Self { path, file };
        lock.sign().map_err(DiskError::Folder)?;
        Ok(lock)
    }

    fn sign(&self) -> io::Result<()> {
        rustix::fs::ftruncate(&self.file, 0)?;
        let pid = format!("{}\n", std::process::id());
        rustix::io::pwrite(&self.file, pid.as_bytes(), 0)?;
        Ok(())
    }

    /// Whether the lock file is still the one in the folder, so that another process would see the lock.
    pub(super) fn is_in_place(&self) -> bool {
        let identity = |stat: rustix::fs::Stat| (stat.st_dev, stat.st_ino);
        let ours = rustix::fs::fstat(self.file.as_fd()).map(identity);
        let there = rustix::fs::lstat(&self.path).map(identity);
        ours.is_ok() && ours == there
    }
}

fn holder(file: &OwnedFd) -> Option<u32> {
    let mut text = [0; 16];
    let count = rustix::io::pread(file, &mut text, 0).ok()?;
    let text = std::str::from_utf8(text.get(..count)?).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn second_lock_is_refused_with_the_holders_pid() {
        let folder = tempfile::tempdir().unwrap();
        let first = FolderLock::take(folder.path()).unwrap();
        let second = FolderLock::take(folder.path());
        let pid = Some(std::process::id());
        assert!(matches!(second, Err(DiskError::Held { pid: holder }) if holder == pid));
        assert!(first.is_in_place());
        drop(first);
        let third = FolderLock::take(folder.path()).unwrap();
        std::fs::remove_file(folder.path().join(NAME)).unwrap();
        assert!(!third.is_in_place());
    }

    #[test]
    fn lock_through_a_symbolic_link_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target");
        std::fs::write(&target, b"keep").unwrap();
        std::os::unix::fs::symlink(&target, folder.path().join(NAME)).unwrap();
        assert!(matches!(
            FolderLock::take(folder.path()),
            Err(DiskError::Folder(_))
        ));
        assert_eq!(std::fs::read(&target).unwrap(), b"keep");
    }
}
