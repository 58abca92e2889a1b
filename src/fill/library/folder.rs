//! The folder of the files that are leased: `library/<lease>/<name>.<extension>` below the disk store's own.
//!
//! A file is a hard link to the store's data file, or a copy of its own. Its folder's modification time is the end of its lease, so that a
//! restart knows it without a list. Where there is a group its members may read: the folders are 0750, copies 0440, links 0640, for
//! the store writes to its data files as their owner. Without one all of it is the owner's alone.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps};

use crate::units::UnixSeconds;

const NAME: &str = "library";
/// Who has read it knows which boot the files are from.
const BOOT: &str = "boot";
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// What the owner may do with folders, links and copies; the group may read them, where there is one.
const FOLDER_MODE: u32 = 0o700;
const LINK_MODE: u32 = 0o600;
const COPY_MODE: u32 = 0o400;
/// What the group needs of the store's folder: to get through.
const GROUP_SEARCHES: u32 = 0o010;

/// See the module's header.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    group: Option<u32>,
}

/// A file of an earlier run.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Leftover {
    pub(super) id: u64,
    pub(super) path: PathBuf,
    pub(super) size: u64,
    pub(super) expires: UnixSeconds,
}

impl Folder {
    /// Opens the folder below `store`, made where it is missing, for members of `group` too, where there is one.
    ///
    /// # Errors
    /// What the file system says; `PermissionDenied` where this process may not give files to the group.
    pub(super) fn open(store: &Path, group: Option<u32>) -> io::Result<Self> {
        let folder = Self {
            path: store.join(NAME),
            group,
        };
        if group.is_some() {
            let mode = fs::metadata(store)?.permissions().mode();
            folder.give(store)?;
            let mode = mode & 0o7777 | GROUP_SEARCHES;
            fs::set_permissions(store, Permissions::from_mode(mode))?;
        }
        make(&folder.path)?;
        folder.give(&folder.path)?;
        fs::set_permissions(&folder.path, folder.mode(FOLDER_MODE))?;
        Ok(folder)
    }

    /// Links `source` as the file of a lease.
    ///
    /// # Errors
    /// `NotFound` where `source` has gone, or what the file system says; nothing is left behind.
    pub(super) fn link(&self, id: u64, name: &str, source: &Path) -> io::Result<PathBuf> {
        self.fill(id, |folder| {
            let path = folder.join(name);
            fs::hard_link(source, &path)?;
            let found = fs::metadata(&path)?;
            if self.group.is_some_and(|group| group != found.gid()) {
                self.give(&path)?;
            }
            let mode = self.mode(LINK_MODE);
            if found.permissions().mode() & 0o7777 != mode.mode() {
                fs::set_permissions(&path, mode)?;
            }
            Ok(path)
        })
    }

    /// Writes a copy as the file of a lease; `next` gives its bytes, and nothing at the end.
    ///
    /// # Errors
    /// Those of `next`, or what the file system says; nothing is left behind.
    pub(super) fn copy(
        &self,
        id: u64,
        name: &str,
        mut write: impl FnMut(&mut File) -> io::Result<()>,
    ) -> io::Result<PathBuf> {
        self.fill(id, |folder| {
            let path = folder.join(name);
            let mut options = File::options();
            options.write(true).create_new(true).mode(0o600);
            let mut file = options.open(&path)?;
            write(&mut file)?;
            file.flush()?;
            self.give(&path)?;
            file.set_permissions(self.mode(COPY_MODE))?;
            Ok(path)
        })
    }

    /// Notes when a lease ends.
    pub(super) fn set_expiry(&self, id: u64, expires: UnixSeconds) -> io::Result<()> {
        let time = Timespec {
            tv_sec: i64::try_from(expires.0).unwrap_or(i64::MAX),
            tv_nsec: 0,
        };
        let times = Timestamps {
            last_access: time,
            last_modification: time,
        };
        Ok(rustix::fs::utimensat(
            CWD,
            self.of_lease(id),
            &times,
            AtFlags::SYMLINK_NOFOLLOW,
        )?)
    }

    /// Whether the file of a lease is still where it was.
    pub(super) fn is_there(path: &Path) -> bool {
        rustix::fs::lstat(path).is_ok()
    }

    /// Whether a file has no other name, so that its bytes are there for the lease alone.
    pub(super) fn is_alone(path: &Path) -> bool {
        rustix::fs::lstat(path).is_ok_and(|found| found.st_nlink <= 1)
    }

    /// Deletes the file of a lease.
    ///
    /// # Errors
    /// What the file system says; what is not there is no error.
    pub(super) fn remove(&self, id: u64) -> io::Result<()> {
        match fs::remove_dir_all(self.of_lease(id)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    /// The files of earlier runs. Those from before the machine's last start, whose readers have gone and whose bytes may never have
    /// reached the device, are deleted, and so is what is no lease's.
    ///
    /// # Errors
    /// When the folder can't be read.
    pub(super) fn leftovers(&self) -> io::Result<Vec<Leftover>> {
        let is_same_boot = self.is_same_boot();
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let path = entry?.path();
            if path.file_name().is_some_and(|name| name == BOOT) {
                continue;
            }
            match leftover(&path).filter(|_| is_same_boot) {
                Some(one) => found.push(one),
                None => {
                    let removed = match path.is_dir() && !path.is_symlink() {
                        true => fs::remove_dir_all(&path),
                        false => fs::remove_file(&path),
                    };
                    if let Err(error) = removed {
                        tracing::warn!("{} can't be deleted: {error}", path.display());
                    }
                }
            }
        }
        Ok(found)
    }

    /// Whether the machine has not been started since the last run; from now on it is as if there had been one.
    fn is_same_boot(&self) -> bool {
        let this = fs::read(BOOT_ID).unwrap_or_default();
        let path = self.path.join(BOOT);
        let is_same = fs::read(&path).is_ok_and(|known| known == this);
        if !is_same && let Err(error) = fs::write(&path, &this) {
            tracing::warn!("{} can't be written: {error}", path.display());
        }
        is_same
    }

    /// Makes a lease's folder and has it filled; what was made is deleted where that fails.
    fn fill(
        &self,
        id: u64,
        work: impl FnOnce(&Path) -> io::Result<PathBuf>,
    ) -> io::Result<PathBuf> {
        let folder = self.of_lease(id);
        DirBuilder::new().mode(FOLDER_MODE).create(&folder)?;
        let filled = fs::set_permissions(&folder, self.mode(FOLDER_MODE))
            .and_then(|()| self.give(&folder))
            .and_then(|()| work(&folder));
        if filled.is_err() {
            // The error that is told is the first one.
            fs::remove_dir_all(&folder).ok();
        }
        filled
    }

    fn of_lease(&self, id: u64) -> PathBuf {
        self.path.join(lease_name(id))
    }

    /// The owner's permissions, and those of the group, where there is one: the same, without writing.
    fn mode(&self, owner: u32) -> Permissions {
        let group = owner >> 3 & 0o050;
        Permissions::from_mode(self.group.map_or(owner, |_| owner | group))
    }

    /// Gives a file to the group.
    fn give(&self, path: &Path) -> io::Result<()> {
        match self.group {
            Some(group) => std::os::unix::fs::lchown(path, None, Some(group)),
            None => Ok(()),
        }
    }
}

/// A lease's name.
pub(super) fn lease_name(id: u64) -> String {
    format!("{id:016x}")
}

/// The lease of this name.
pub(super) fn lease_of(name: &str) -> Option<u64> {
    let is_plain = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if name.len() != 16 || !name.bytes().all(is_plain) {
        return None;
    }
    u64::from_str_radix(name, 16).ok()
}

fn make(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(FOLDER_MODE).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let found = fs::symlink_metadata(path)?;
            match found.is_dir() {
                true => Ok(()),
                false => Err(error),
            }
        }
        other => other,
    }
}

/// What an earlier run left in a lease's folder.
fn leftover(folder: &Path) -> Option<Leftover> {
    let id = lease_of(folder.file_name()?.to_str()?)?;
    let found = fs::symlink_metadata(folder)
        .ok()
        .filter(fs::Metadata::is_dir)?;
    let mut files = fs::read_dir(folder).ok()?.filter_map(Result::ok);
    let (path, None) = (files.next()?.path(), files.next()) else {
        return None;
    };
    let size = fs::symlink_metadata(&path)
        .ok()
        .filter(fs::Metadata::is_file)?
        .len();
    Some(Leftover {
        id,
        path,
        size,
        expires: UnixSeconds(u64::try_from(found.mtime()).unwrap_or(0)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn files_are_readable_by_the_group_and_not_writable() {
        let own = rustix::process::getgid().as_raw();
        for (group, store_mode, folder_mode, modes) in [
            (None, 0o700, 0o700, (0o600, 0o400)),
            (Some(own), 0o710, 0o750, (0o640, 0o440)),
        ] {
            let store = tempfile::tempdir().unwrap();
            fs::set_permissions(store.path(), Permissions::from_mode(0o700)).unwrap();
            let folder = Folder::open(store.path(), group).unwrap();
            assert_eq!(mode(store.path()), store_mode);
            let source = store.path().join("source");
            fs::write(&source, b"abc").unwrap();
            let link = folder.link(1, "a.wav", &source).unwrap();
            let copy = folder.copy(2, "b.wav", |file| file.write_all(b"xyz"));
            let copy = copy.unwrap();
            assert_eq!((mode(&link), mode(&copy)), modes);
            assert_eq!(mode(link.parent().unwrap()), folder_mode);
        }
    }

    #[test]
    fn link_outlives_its_source() {
        let store = tempfile::tempdir().unwrap();
        let folder = Folder::open(store.path(), None).unwrap();
        let source = store.path().join("source");
        fs::write(&source, b"abc").unwrap();
        let link = folder.link(1, "a.wav", &source).unwrap();
        let copy = folder
            .copy(2, "b.wav", |file| file.write_all(b"xyz"))
            .unwrap();
        assert!(!Folder::is_alone(&link) && Folder::is_alone(&copy));
        fs::remove_file(&source).unwrap();
        assert!(Folder::is_alone(&link));
        assert_eq!(fs::read(&link).unwrap(), b"abc");
        folder.remove(1).unwrap();
        folder.remove(1).unwrap();
        assert!(!Folder::is_there(&link));
    }

    #[test]
    fn what_fails_leaves_nothing_behind() {
        let store = tempfile::tempdir().unwrap();
        let folder = Folder::open(store.path(), None).unwrap();
        let missing = folder.link(1, "a", &store.path().join("missing"));
        assert_eq!(missing.unwrap_err().kind(), io::ErrorKind::NotFound);
        let broken = folder.copy(2, "b", |_| Err(io::ErrorKind::StorageFull.into()));
        assert!(broken.is_err());
        assert!(folder.leftovers().unwrap().is_empty());
    }

    #[test]
    fn leases_of_an_earlier_run_are_found_with_their_end() {
        let store = tempfile::tempdir().unwrap();
        let folder = Folder::open(store.path(), None).unwrap();
        assert!(folder.leftovers().unwrap().is_empty());
        let path = folder
            .copy(0xabc, "a.mp3", |file| file.write_all(b"abc"))
            .unwrap();
        folder
            .set_expiry(0xabc, UnixSeconds(2_000_000_000))
            .unwrap();
        fs::write(store.path().join("library/odd"), b"x").unwrap();
        fs::create_dir(store.path().join("library/0000000000000001")).unwrap();
        let found = Folder::open(store.path(), None)
            .unwrap()
            .leftovers()
            .unwrap();
        let expected = Leftover {
            id: 0xabc,
            path: path.clone(),
            size: 3,
            expires: UnixSeconds(2_000_000_000),
        };
        assert_eq!(found, [expected]);
        assert!(!store.path().join("library/odd").exists());
        // The machine was started anew.
        fs::write(store.path().join("library/boot"), b"another").unwrap();
        assert!(folder.leftovers().unwrap().is_empty());
        assert!(!path.exists());
    }

    #[test]
    fn name_of_a_lease_is_sixteen_digits() {
        assert_eq!(lease_name(0xabc), "0000000000000abc");
        assert_eq!(lease_of("0000000000000abc"), Some(0xabc));
        for name in ["abc", "0000000000000ABC", "+000000000000abc", "boot"] {
            assert_eq!(lease_of(name), None, "{name}");
        }
    }
}
