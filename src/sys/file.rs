//! Open descriptors of regular files and what identifies their content.
//!
//! Opening never blocks on what a path may name instead of a regular file (pipes, devices), never makes a terminal the
//! controlling one, and a descriptor is never inherited by a child process.

use std::io::{self, IoSliceMut};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use rustix::fs::{FileType, Mode, OFlags, Stat};
use rustix::io::{Errno, ReadWriteFlags};

use crate::units::UnixSeconds;

/// What tells one state of a file's content from another, all from one fstat of the open descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileIdentity {
    /// Device number.
    pub device: u64,
    /// Inode number.
    pub inode: u64,
    /// Size in bytes.
    pub size: u64,
    /// Modification time: seconds since 1970 and nanoseconds.
    pub modified: (i64, u32),
    /// Change time, which nobody can set back.
    pub changed: (i64, u32),
}

impl FileIdentity {
    fn of_stat(stat: &Stat) -> Self {
        #[expect(
            clippy::useless_conversion,
            reason = "the fields' widths differ between architectures"
        )]
        let time = |seconds, nanos| {
            (
                i64::try_from(seconds).unwrap_or(0),
                u32::try_from(nanos).unwrap_or(0),
            )
        };
        Self {
            device: stat.st_dev,
            inode: stat.st_ino,
            size: u64::try_from(stat.st_size).unwrap_or(0),
            modified: time(stat.st_mtime, stat.st_mtime_nsec),
            changed: time(stat.st_ctime, stat.st_ctime_nsec),
        }
    }

    /// How long the content has been as it is at `now` (see `clock::wall`), by the change time: a modification time can
    /// be set at will. Zero for a time a little in the future, since the clocks that write and read it differ by as much;
    /// `None` for one further ahead, because the clock was set back.
    #[must_use]
    pub fn age_at(&self, now: (UnixSeconds, u32)) -> Option<Duration> {
        let (seconds, nanos) = self.changed;
        let now = i128::from(now.0.0) * 1000 + i128::from(now.1);
        let then = i128::from(seconds) * 1000 + i128::from(nanos.div_ceil(1_000_000));
        match u64::try_from(now - then) {
            Ok(age) => Some(Duration::from_millis(age)),
            Err(_) => (then - now <= SKEW_MAX_MS).then_some(Duration::ZERO),
        }
    }
}

/// Most milliseconds that a file server's clock is taken to be ahead of ours.
const SKEW_MAX_MS: i128 = 10_000;

/// Why a file was not opened.
#[derive(Debug)]
pub enum OpenRefused {
    /// Nothing has this name.
    Missing,
    /// The name is a directory's.
    Directory,
    /// The name is a pipe's, a socket's or a device's.
    NotRegular,
    /// This process may not read it.
    NotReadable,
    /// A symbolic link leads out of the folder that must hold the file.
    OutsideRoot,
    /// Somebody holds a lease that keeps readers out for now, or the name moved while it was looked up.
    Busy,
    /// The process or the system has no descriptor left.
    OutOfDescriptors,
    /// The file system failed.
    Failed(io::Error),
}

impl OpenRefused {
    /// Each errno of open(2) and openat2(2) by what it means here.
    pub(super) fn of_errno(errno: Errno) -> Self {
        match errno {
            Errno::NOENT | Errno::NOTDIR | Errno::NAMETOOLONG | Errno::LOOP | Errno::INVAL => {
                Self::Missing
            }
            Errno::ACCESS | Errno::PERM => Self::NotReadable,
            Errno::NXIO | Errno::NODEV => Self::NotRegular,
            Errno::XDEV => Self::OutsideRoot,
            Errno::AGAIN | Errno::TXTBSY => Self::Busy,
            Errno::MFILE | Errno::NFILE => Self::OutOfDescriptors,
            other => Self::Failed(other.into()),
        }
    }
}

/// The identity of the regular file under `path` (symbolic links followed), without opening it.
///
/// # Errors
/// Why there is no regular file to be seen.
pub fn look(path: &Path) -> Result<FileIdentity, OpenRefused> {
    let stat = rustix::fs::stat(path).map_err(OpenRefused::of_errno)?;
    regular(&stat)
}

/// What tells one state of a folder's names from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FolderStamp {
    /// Device and inode number: which folder it is.
    pub identity: (u64, u64),
    /// Modification time, which changes with each name that comes or goes.
    pub modified: (i64, u32),
}

/// The stamp of the folder `path`; `None` where there is none.
#[must_use]
pub fn folder_stamp(path: &Path) -> Option<FolderStamp> {
    let stat = rustix::fs::stat(path).ok()?;
    let is_folder = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
    is_folder.then(|| FolderStamp {
        identity: (stat.st_dev, stat.st_ino),
        modified: FileIdentity::of_stat(&stat).modified,
    })
}

pub(super) fn regular(stat: &Stat) -> Result<FileIdentity, OpenRefused> {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Ok(FileIdentity::of_stat(stat)),
        FileType::Directory => Err(OpenRefused::Directory),
        _ => Err(OpenRefused::NotRegular),
    }
}

/// The flags that every file is opened with; see the module's header.
pub(super) const OPEN_FLAGS: OFlags = OFlags::RDONLY
    .union(OFlags::CLOEXEC)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY);

/// An open descriptor of a regular file. Dropping it closes the file and gives its write guard back. It is lent (`AsFd`),
/// never given away or exchanged, so that the guard stays with what was guarded:
///
/// ```compile_fail,E0616
/// # use hotplate::sys::file::HeldFile;
/// fn exchange(file: &mut HeldFile, other: std::os::fd::OwnedFd) {
///     file.descriptor = other;
/// }
/// ```
#[derive(Debug)]
pub struct HeldFile {
    descriptor: OwnedFd,
}

impl HeldFile {
    /// Opens the regular file under `path` for reading, symbolic links followed.
    ///
    /// # Errors
    /// Why the file was not opened.
    pub fn open(path: &Path) -> Result<Self, OpenRefused> {
        let descriptor =
            rustix::fs::open(path, OPEN_FLAGS, Mode::empty()).map_err(OpenRefused::of_errno)?;
        Self::of_regular(descriptor)
    }

    /// Takes an open descriptor, which must be a regular file's.
    ///
    /// # Errors
    /// `Directory` or `NotRegular` for any other kind of file.
    pub fn of_regular(descriptor: OwnedFd) -> Result<Self, OpenRefused> {
        let stat = rustix::fs::fstat(&descriptor).map_err(OpenRefused::of_errno)?;
        regular(&stat)?;
        // NONBLOCK was for the open; reads of a ring would see it later.
        rustix::fs::fcntl_setfl(&descriptor, OFlags::empty()).map_err(OpenRefused::of_errno)?;
        Ok(Self { descriptor })
    }

    /// A second descriptor of the same open file, which shares its write guard.
    ///
    /// # Errors
    /// `OutOfDescriptors`, mostly.
    pub fn share(&self) -> Result<Self, OpenRefused> {
        let descriptor =
            rustix::io::fcntl_dupfd_cloexec(&self.descriptor, 0).map_err(OpenRefused::of_errno)?;
        Ok(Self { descriptor })
    }

    /// The identity of the content now.
    ///
    /// # Errors
    /// Those of fstat(2).
    pub fn identity(&self) -> io::Result<FileIdentity> {
        let stat = rustix::fs::fstat(&self.descriptor)?;
        Ok(FileIdentity::of_stat(&stat))
    }

    /// Whether the content is still that of `identity`.
    #[must_use]
    pub fn matches(&self, identity: &FileIdentity) -> bool {
        self.identity().is_ok_and(|now| now == *identity)
    }

    /// Reads at `offset` what the page cache holds, without waiting for the device.
    ///
    /// # Errors
    /// `WouldBlock` where the bytes are cold; else those of preadv2(2). A file system that can't tell is read from
    /// where [`is_resident`](super::residency::is_resident) says that the range is cached.
    pub fn read_now(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        loop {
            let mut slices = [IoSliceMut::new(buffer)];
            let read = rustix::io::preadv2(
                &self.descriptor,
                &mut slices,
                offset,
                ReadWriteFlags::NOWAIT,
            );
            match read {
                Ok(count) => return Ok(count),
                Err(Errno::INTR) => {}
                Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => {
                    let length = buffer.len() as u64;
                    if !super::residency::is_resident(&self.descriptor, offset, length) {
                        return Err(io::ErrorKind::WouldBlock.into());
                    }
                    return self.read(buffer, offset);
                }
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// Reads at `offset`, waiting for the device where it must.
    ///
    /// # Errors
    /// Those of pread(2).
    pub fn read(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        loop {
            match rustix::io::pread(&self.descriptor, &mut *buffer, offset) {
                Err(Errno::INTR) => {}
                other => return Ok(other?),
            }
        }
    }
}

impl AsFd for HeldFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_of_regular_file_reads_its_bytes_and_identity() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, b"hello").unwrap();
        let file = HeldFile::open(&path).unwrap();
        let identity = file.identity().unwrap();
        assert_eq!(identity.size, 5);
        assert_eq!(look(&path).unwrap(), identity);
        let mut buffer = [0; 8];
        assert_eq!(file.read_now(&mut buffer, 1).unwrap(), 4);
        assert_eq!(&buffer[..4], b"ello");
        assert!(file.matches(&identity));
        std::fs::write(&path, b"jello").unwrap();
        assert!(!file.matches(&identity));
    }

    #[test]
    fn age_of_a_file_of_this_moment_is_zero() {
        let mut identity = FileIdentity {
            device: 1,
            inode: 1,
            size: 1,
            modified: (0, 0),
            changed: (100, 5_000_001),
        };
        let age = |identity: &FileIdentity, millis| identity.age_at((UnixSeconds(100), millis));
        assert_eq!(age(&identity, 5), Some(Duration::ZERO));
        assert_eq!(age(&identity, 6), Some(Duration::ZERO));
        assert_eq!(age(&identity, 506), Some(Duration::from_millis(500)));
        identity.changed = (109, 0);
        assert_eq!(age(&identity, 0), Some(Duration::ZERO));
        identity.changed = (111, 0);
        assert_eq!(age(&identity, 0), None);
    }

    #[test]
    fn open_of_other_kinds_names_the_kind() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(
            HeldFile::open(folder.path()),
            Err(OpenRefused::Directory)
        ));
        assert!(matches!(
            HeldFile::open(&folder.path().join("none")),
            Err(OpenRefused::Missing)
        ));
        assert!(matches!(
            HeldFile::open(Path::new("/dev/null")),
            Err(OpenRefused::NotRegular)
        ));
        let pipe = folder.path().join("pipe");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            FileType::Fifo,
            Mode::from_raw_mode(0o600),
            0,
        )
        .unwrap();
        assert!(matches!(
            HeldFile::open(&pipe),
            Err(OpenRefused::NotRegular)
        ));
    }
}
