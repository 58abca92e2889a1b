//! The folder that the store lives in, as the few calls that the store makes. Tests put failing and recording media below
//! the same store.
//!
//! ```text
//! hotplate.lock            who uses the folder
//! meta.redb                the metadata, in checked pages
//! meta.redb.broken-N       metadata that was found damaged
//! objects/ab/cdef....mp3   one file for each larger body
//! ```
//!
//! Everything is the owner's alone (0700, 0600), but for what the media library hands out, where that has a group: it may search the folder
//! itself (0710), which has a folder of the library's in it, and read the data files that are linked from there (0640). No
//! symbolic link is followed below the folder.

use std::fmt::Debug;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::naming::FileName;

pub(super) const META: &str = "meta.redb";
pub(super) const OBJECTS: &str = "objects";
const PROBE: &str = "probe";
/// Most damaged metadata files that are kept; the last is replaced from then on.
const BROKEN_MAX: u32 = 9;
/// How often a look-up is begun anew after a rename crossed it (openat2(2): EAGAIN).
const RETRIES_MAX: usize = 8;

/// The file that holds the metadata.
pub(super) trait MetaFile: Debug + Send + Sync {
    fn length(&self) -> io::Result<u64>;
    fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;
    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;
    fn set_length(&self, length: u64) -> io::Result<()>;
    fn sync(&self) -> io::Result<()>;
    /// Bytes of the device that it takes.
    fn held(&self) -> io::Result<u64>;
}

/// See the module's header.
pub(super) trait Medium: Debug + Send + Sync {
    fn path(&self) -> &Path;
    /// Opens the metadata, empty where there is none.
    fn meta(&self) -> io::Result<Box<dyn MetaFile>>;
    /// Renames the metadata, so that it is kept but not used. Returns its new name.
    fn set_meta_aside(&self) -> io::Result<String>;
    /// Makes a data file, which must not exist.
    fn create(&self, name: &FileName) -> io::Result<OwnedFd>;
    /// Opens a data file for reading and writing.
    fn open(&self, name: &FileName) -> io::Result<OwnedFd>;
    fn write(
        &self,
        name: &FileName,
        file: BorrowedFd<'_>,
        offset: u64,
        bytes: &[u8],
    ) -> io::Result<()>;
    /// Reads up to the buffer's end or the file's.
    fn read(&self, file: BorrowedFd<'_>, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
    fn sync(&self, name: &FileName, file: BorrowedFd<'_>) -> io::Result<()>;
    fn unlink(&self, name: &FileName) -> io::Result<()>;
    /// Calls `each` with the name of every entry of a shelf.
    fn names(&self, shelf: u8, each: &mut dyn FnMut(&[u8])) -> io::Result<()>;
    /// Removes an entry of a shelf that is no data file of the store.
    fn remove_odd(&self, shelf: u8, name: &[u8]) -> io::Result<()>;
    /// Writes, syncs and removes a small file.
    fn probe(&self) -> io::Result<()>;
}

/// A real folder.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    root: OwnedFd,
    objects: OwnedFd,
}

const NEW: OFlags = OFlags::RDWR.union(OFlags::CREATE).union(OFlags::EXCL);

fn opened_folder(at: impl std::os::fd::AsFd, path: &Path) -> io::Result<OwnedFd> {
    match rustix::fs::mkdirat(&at, path, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(errno.into()),
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = rustix::fs::openat(&at, path, flags, Mode::empty())?;
    let mode = Mode::from_raw_mode(rustix::fs::fstat(&folder)?.st_mode);
    if mode.intersects(Mode::RGRP | Mode::WGRP | Mode::RWXO) {
        rustix::fs::fchmod(&folder, Mode::RWXU | mode.intersection(Mode::XGRP))?;
    }
    Ok(folder)
}

impl Folder {
    /// Opens the folder, made where it is missing (its parents too).
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        let root = opened_folder(CWD, path)?;
        let objects = opened_folder(&root, Path::new(OBJECTS))?;
        Ok(Self {
            path: path.to_path_buf(),
            root,
            objects,
        })
    }

    fn open_at(at: &OwnedFd, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
        // NONBLOCK: a pipe put in a file's place must not hold up the open.
        let flags = flags | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let mode = if flags.contains(OFlags::CREATE) {
            Mode::RUSR | Mode::WUSR
        } else {
            Mode::empty()
        };
        let within = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        let mut last = Errno::AGAIN;
        for _ in 0..RETRIES_MAX {
            match rustix::fs::openat2(at, path, flags, mode, within) {
                Ok(file) => return regular(file),
                Err(errno @ (Errno::AGAIN | Errno::INTR)) => last = errno,
                Err(errno) => return Err(errno.into()),
            }
        }
        Err(last.into())
    }

    fn shelf_path(&self, shelf: u8) -> PathBuf {
        format!("{shelf:02x}").into()
    }
}

fn regular(file: OwnedFd) -> io::Result<OwnedFd> {
    let stat = rustix::fs::fstat(&file)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(Errno::NXIO.into());
    }
    rustix::fs::fcntl_setfl(&file, OFlags::empty())?;
    Ok(file)
}

fn write_all(file: BorrowedFd<'_>, mut offset: u64, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::pwrite(file, bytes, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => {
                offset += count as u64;
                bytes = bytes.get(count..).unwrap_or(&[]);
            }
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

fn read_full(file: BorrowedFd<'_>, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match rustix::io::pread(file, rest, offset + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(filled)
}

impl Medium for Folder {
    fn path(&self) -> &Path {
        &self.path
    }

    fn meta(&self) -> io::Result<Box<dyn MetaFile>> {
        let flags = OFlags::RDWR | OFlags::CREATE;
        Self::open_at(&self.root, Path::new(META), flags).map(|file| Box::new(PlainMeta(file)) as _)
    }

    fn set_meta_aside(&self) -> io::Result<String> {
        let mut aside = String::new();
        for number in 1..=BROKEN_MAX {
            aside = format!("{META}.broken-{number}");
            let found = rustix::fs::statat(&self.root, &aside, AtFlags::SYMLINK_NOFOLLOW);
            if matches!(found, Err(Errno::NOENT)) {
                break;
            }
        }
        rustix::fs::renameat(&self.root, META, &self.root, &aside)?;
        Ok(aside)
    }

    fn create(&self, name: &FileName) -> io::Result<OwnedFd> {
        match Self::open_at(&self.objects, &name.path(), NEW) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let shelf = name.shelf();
                match rustix::fs::mkdirat(&self.objects, &shelf, Mode::RWXU) {
                    Ok(()) | Err(Errno::EXIST) => {}
                    Err(errno) => return Err(errno.into()),
                }
                Self::open_at(&self.objects, &name.path(), NEW)
            }
            other => other,
        }
    }

    fn open(&self, name: &FileName) -> io::Result<OwnedFd> {
        Self::open_at(&self.objects, &name.path(), OFlags::RDWR)
    }

    fn write(
        &self,
        _: &FileName,
        file: BorrowedFd<'_>,
        offset: u64,
        bytes: &[u8],
    ) -> io::Result<()> {
        write_all(file, offset, bytes)
    }

    fn read(&self, file: BorrowedFd<'_>, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        read_full(file, offset, buffer)
    }

    fn sync(&self, _: &FileName, file: BorrowedFd<'_>) -> io::Result<()> {
        Ok(rustix::fs::fdatasync(file)?)
    }

    fn unlink(&self, name: &FileName) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(
            &self.objects,
            name.path(),
            AtFlags::empty(),
        )?)
    }

    fn names(&self, shelf: u8, each: &mut dyn FnMut(&[u8])) -> io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let path = self.shelf_path(shelf);
        let folder = match rustix::fs::openat(&self.objects, &path, flags, Mode::empty()) {
            Ok(folder) => folder,
            Err(Errno::NOENT) => return Ok(()),
            Err(errno) => return Err(errno.into()),
        };
        for entry in Dir::read_from(&folder)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                each(name);
            }
        }
        Ok(())
    }

    fn remove_odd(&self, shelf: u8, name: &[u8]) -> io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let folder =
            rustix::fs::openat(&self.objects, self.shelf_path(shelf), flags, Mode::empty())?;
        Ok(rustix::fs::unlinkat(&folder, name, AtFlags::empty())?)
    }

    fn probe(&self) -> io::Result<()> {
        let flags = OFlags::RDWR | OFlags::CREATE;
        let path = Path::new(PROBE);
        let file = Self::open_at(&self.objects, path, flags)?;
        let written = write_all(std::os::fd::AsFd::as_fd(&file), 0, &[b'p'; 8192]);
        let synced = written.and_then(|()| Ok(rustix::fs::fdatasync(&file)?));
        rustix::fs::unlinkat(&self.objects, path, AtFlags::empty())?;
        synced
    }
}

/// The metadata of a real folder.
#[derive(Debug)]
struct PlainMeta(OwnedFd);

impl MetaFile for PlainMeta {
    fn length(&self) -> io::Result<u64> {
        Ok(u64::try_from(rustix::fs::fstat(&self.0)?.st_size).unwrap_or(0))
    }

    fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let wanted = buffer.len();
        match read_full(std::os::fd::AsFd::as_fd(&self.0), offset, buffer)? {
            count if count == wanted => Ok(()),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        write_all(std::os::fd::AsFd::as_fd(&self.0), offset, bytes)
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        Ok(rustix::fs::ftruncate(&self.0, length)?)
    }

    fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::fdatasync(&self.0)?)
    }

    fn held(&self) -> io::Result<u64> {
        let stat = rustix::fs::fstat(&self.0)?;
        Ok(u64::try_from(stat.st_blocks)
            .unwrap_or(0)
            .saturating_mul(512))
    }
}
