//! The folder in which uploads wait: for each a file with its bytes, and a record beside it.
//!
//! An upload is accepted when its record is in place and the folder is synced: `N.data` is written and synced first, then
//! `N.job` is written beside its name, synced and renamed. Whatever has no record was never accepted, and is removed at start.
//! What was uploaded loses its record first.
//!
//! Where there is a group its members may write recordings: the files are 0660 and the group's, and it may search the two folders, no
//! more. What was closed is the owner's alone.
//!
//! One process has one folder: a flock(2), as with the disk store.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, OFlags};

use super::record::{RECORD_BYTES_MAX, Record};

const LOCK: &str = "uploads.lock";

/// The folder inside that other programs write recordings to.
const RECORDINGS: &str = "recordings";

/// Bytes that are copied at once.
const COPY_BYTES: usize = 1 << 20;

/// What the group gets of a folder that it had other rights to: to get through.
const GROUP_RIGHTS: u32 = 0o070;
const GROUP_SEARCHES: u32 = 0o010;

/// A recording while it is written, and what was closed.
const RECORDING_MODE: u32 = 0o660;
const DATA_MODE: u32 = 0o600;

/// Why the spool can't be opened.
#[derive(Debug)]
pub enum SpoolError {
    /// Another process has it.
    Held(PathBuf),
    /// The system refused.
    Folder(PathBuf, io::Error),
    /// It can't be given to the group.
    Group(PathBuf, io::Error),
}

impl std::fmt::Display for SpoolError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Held(path) => write!(
                f,
                "{}: another process uploads from this folder",
                path.display()
            ),
            Self::Folder(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Group(path, error) => write!(
                f,
                "{}: {error}; must this process be a member of library.group?",
                path.display()
            ),
        }
    }
}

impl std::error::Error for SpoolError {}

/// The folder.
#[derive(Debug)]
pub(super) struct Spool {
    folder: PathBuf,
    /// Whose members may write recordings.
    group: Option<u32>,
    directory: File,
    _lock: File,
}

/// Why a file could not be copied.
#[derive(Debug)]
pub(super) enum CopyFault {
    /// There is more of it than there was.
    Grows,
    /// It can't be read.
    Source(io::Error),
    /// The spool can't be written to.
    Spool(io::Error),
}

/// Bytes that are not accepted yet; removed where they never are.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) id: u64,
    file: File,
    path: PathBuf,
    pub(super) size: u64,
    pub(super) sum: u32,
    is_kept: bool,
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.is_kept && std::fs::remove_file(&self.path).is_err() {
            tracing::debug!(path = %self.path.display(), "left for the next start to remove");
        }
    }
}

impl Draft {
    /// Appends bytes.
    ///
    /// # Errors
    /// The file system's.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.size += bytes.len() as u64;
        self.sum = crc32c::crc32c_append(self.sum, bytes);
        Ok(())
    }

    /// Takes a file's bytes: by reference where the file system shares blocks, else a copy.
    ///
    /// # Errors
    /// `size_max` is exceeded, or either file system's.
    pub(super) fn copy(&mut self, mut source: File, size_max: u64) -> Result<(), CopyFault> {
        let found = source.metadata().map_err(CopyFault::Source)?;
        if found.len() > size_max {
            return Err(CopyFault::Grows);
        }
        let is_shared = rustix::fs::ioctl_ficlone(&self.file, &source).is_ok();
        let mut buffer = vec![0; COPY_BYTES];
        if is_shared {
            // What was shared can't change any more: it is read for its checksum.
            source = File::open(&self.path).map_err(CopyFault::Spool)?;
        }
        loop {
            let count = match source.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if is_shared => return Err(CopyFault::Spool(error)),
                Err(error) => return Err(CopyFault::Source(error)),
            };
            let bytes = buffer.get(..count).unwrap_or_default();
            if is_shared {
                self.size += count as u64;
                self.sum = crc32c::crc32c_append(self.sum, bytes);
            } else {
                self.write(bytes).map_err(CopyFault::Spool)?;
            }
            // A file that grows while it is copied.
            if self.size > size_max {
                return Err(CopyFault::Grows);
            }
        }
    }
}

impl Spool {
    /// Opens the folder, making it where it is missing, and gives what waits in it, and the first number that no file has. What was never
    /// accepted is removed. Members of `group` may write recordings, where there is one.
    ///
    /// # Errors
    /// Another process has it, or the file system refuses.
    pub(super) fn open(
        folder: &Path,
        group: Option<u32>,
    ) -> Result<(Self, Vec<Record>, u64), SpoolError> {
        let failed = |error| SpoolError::Folder(folder.to_owned(), error);
        match std::fs::create_dir(folder) {
            Ok(()) => keep_name(folder).map_err(failed)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed(error)),
        }
        let recordings = folder.join(RECORDINGS);
        match std::fs::create_dir(&recordings) {
            Ok(()) => {
                let mode = Permissions::from_mode(0o770);
                std::fs::set_permissions(&recordings, mode).map_err(failed)?;
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed(error)),
        }
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let lock = rustix::fs::open(folder.join(LOCK), flags, Mode::RUSR | Mode::WUSR)
            .map_err(|errno| failed(errno.into()))?;
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(SpoolError::Held(folder.to_owned())),
            Err(errno) => return Err(failed(errno.into())),
        }
        let spool = Self {
            folder: folder.to_owned(),
            group,
            directory: File::open(folder).map_err(failed)?,
            _lock: lock.into(),
        };
        for path in [folder, &recordings] {
            let let_through = spool.let_through(path);
            let_through.map_err(|error| SpoolError::Group(path.to_owned(), error))?;
        }
        let (records, next) = spool.recover().map_err(failed)?;
        Ok((spool, records, next))
    }

    fn recover(&self) -> io::Result<(Vec<Record>, u64)> {
        let mut records: Vec<Record> = Vec::new();
        let (mut data, mut recordings) = (Vec::new(), Vec::new());
        let mut files = self.recorded()?;
        let mut last = files.keys().next_back().copied().unwrap_or(0);
        for entry in std::fs::read_dir(&self.folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let id = name
                .split('.')
                .next()
                .and_then(|id| u64::from_str_radix(id, 16).ok());
            // What is damaged keeps its number.
            last = last.max(id.unwrap_or(0));
            match (id, name.split_once('.').map(|(_, kind)| kind)) {
                (Some(id), Some("job")) => match self.read(&entry.path()) {
                    Some(record) if record.id == id => records.push(record),
                    // Kept for somebody to look at: it may have been accepted.
                    _ => tracing::error!(
                        path = %entry.path().display(),
                        "the record of an upload is damaged; it is left where it is"
                    ),
                },
                (Some(id), Some("rec")) => recordings.push((id, entry.path())),
                (Some(id), Some("data")) => data.push((id, entry.path())),
                (Some(_), Some("new")) => std::fs::remove_file(entry.path())?,
                _ => {}
            }
        }
        let has_record = |id: u64| self.path(id, "job").exists();
        for (id, path) in data {
            if !has_record(id) {
                std::fs::remove_file(path)?;
            }
        }
        for (id, path) in recordings {
            let found = self.read(&path).filter(|record| record.id == id);
            match found {
                // It was closed, and is an upload by now.
                Some(record) if has_record(id) => {
                    files.remove(&id);
                    self.forget_recording(&record)?;
                }
                Some(record) if self.recording(&record).exists() => {
                    // The group may be another now.
                    let path = self.recording(&record);
                    if let Err(error) = self.let_write(&path) {
                        tracing::warn!(path = %path.display(), %error, "the group may not write it");
                    }
                    files.remove(&id);
                    records.push(record);
                }
                // Begun and never told of, or gone; but bytes are not thrown away for a damaged record.
                _ if files.get(&id).is_none_or(|(_, is_empty)| *is_empty) => {
                    std::fs::remove_file(path)?;
                }
                _ => {}
            }
        }
        for (path, is_empty) in files.into_values() {
            match is_empty {
                // Nobody was told of it before its record was there.
                true => std::fs::remove_file(path)?,
                false => tracing::error!(
                    path = %path.display(),
                    "a recording has no record that can be read; it is left where it is"
                ),
            }
        }
        records.sort_by_key(|record| record.id);
        Ok((records, last.saturating_add(1)))
    }

    /// The files that other programs wrote, by number, and whether they are empty.
    fn recorded(&self) -> io::Result<BTreeMap<u64, (PathBuf, bool)>> {
        let mut files = BTreeMap::new();
        for entry in std::fs::read_dir(self.recordings())? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let id = name.split('.').next().unwrap_or_default();
            if let Ok(id) = u64::from_str_radix(id, 16) {
                let is_empty = entry.metadata()?.len() == 0;
                files.insert(id, (entry.path(), is_empty));
            }
        }
        Ok(files)
    }

    /// Lets the group through a folder.
    fn let_through(&self, folder: &Path) -> io::Result<()> {
        if self.group.is_none() {
            return Ok(());
        }
        std::os::unix::fs::lchown(folder, None, self.group)?;
        let mode = std::fs::metadata(folder)?.permissions().mode() & 0o7777;
        let mode = mode & !GROUP_RIGHTS | GROUP_SEARCHES;
        std::fs::set_permissions(folder, Permissions::from_mode(mode))
    }

    /// Lets the group write a recording, whatever the process's mask says.
    fn let_write(&self, recording: &Path) -> io::Result<()> {
        if self.group.is_some() {
            std::os::unix::fs::lchown(recording, None, self.group)?;
        }
        std::fs::set_permissions(recording, Permissions::from_mode(RECORDING_MODE))
    }

    fn read(&self, path: &Path) -> Option<Record> {
        let mut bytes = Vec::new();
        let file = File::open(path).ok()?;
        file.take(RECORD_BYTES_MAX).read_to_end(&mut bytes).ok()?;
        Record::decode(&bytes)
    }

    fn path(&self, id: u64, kind: &str) -> PathBuf {
        self.folder.join(format!("{id:016x}.{kind}"))
    }

    /// The folder.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A file for the bytes of an upload.
    ///
    /// # Errors
    /// The file system's.
    pub(super) fn draft(&self, id: u64) -> io::Result<Draft> {
        let path = self.path(id, "data");
        Ok(Draft {
            id,
            file: create(&path)?,
            path,
            size: 0,
            sum: 0,
            is_kept: false,
        })
    }

    /// Makes an upload last: from here on it survives whatever happens to the process or the machine.
    ///
    /// # Errors
    /// The file system's; the upload is not accepted then.
    pub(super) fn accept(&self, mut draft: Draft, record: &Record) -> io::Result<()> {
        draft.file.sync_data()?;
        if let Err(error) = self.write(record, true) {
            // Not accepted: what may have been renamed must not come back.
            for kind in ["new", "job"] {
                drop(std::fs::remove_file(self.path(record.id, kind)));
            }
            return Err(error);
        }
        draft.is_kept = true;
        Ok(())
    }

    /// Replaces an upload's record; one that `lasts` survives a power failure.
    ///
    /// # Errors
    /// The file system's; the old record stays then.
    pub(super) fn write(&self, record: &Record, lasts: bool) -> io::Result<()> {
        let (new, path) = (self.path(record.id, "new"), self.path(record.id, "job"));
        if new.exists() {
            std::fs::remove_file(&new)?;
        }
        let written = create(&new).and_then(|mut file| {
            file.write_all(&record.encode())?;
            if lasts {
                file.sync_data()?;
            }
            std::fs::rename(&new, &path)?;
            if lasts {
                self.directory.sync_all()?;
            }
            Ok(())
        });
        // Half a record of a full disk takes room for nothing; gone already where only the folder was not synced.
        written.inspect_err(|_| drop(std::fs::remove_file(&new)))
    }

    /// The folder that recordings are written in.
    pub(super) fn recordings(&self) -> PathBuf {
        self.folder.join(RECORDINGS)
    }

    /// The file that another program writes a recording to.
    pub(super) fn recording(&self, record: &Record) -> PathBuf {
        let extension = record.extension.as_deref().unwrap_or("bin");
        self.recordings()
            .join(format!("{:016x}.{extension}", record.id))
    }

    /// Makes the file of a recording, for this user and this group, and a record that lasts.
    ///
    /// # Errors
    /// The file system's; nothing is left then.
    pub(super) fn open_recording(&self, record: &Record) -> io::Result<PathBuf> {
        let path = self.recording(record);
        let made = create(&path).and_then(|file| {
            self.let_write(&path)?;
            let mut kept = create(&self.path(record.id, "rec"))?;
            kept.write_all(&record.encode())?;
            kept.sync_data()?;
            // What a program has synced into the file is of no use without its name.
            file.sync_all()?;
            File::open(self.recordings())?.sync_all()?;
            self.directory.sync_all()
        });
        match made {
            Ok(()) => Ok(path),
            Err(error) => {
                drop(self.forget_recording(record));
                Err(error)
            }
        }
    }

    /// Makes an upload of a closed recording: its bytes get a second name, which the record is then written for. Whether it is one
    /// now: it stays a recording where somebody has begun to write to it, which `is_at_rest` tells.
    ///
    /// # Errors
    /// The file system's; it stays a recording then.
    pub(super) fn close_recording(
        &self,
        record: &Record,
        is_at_rest: &dyn Fn() -> bool,
    ) -> io::Result<bool> {
        let data = self.path(record.id, "data");
        if data.exists() {
            std::fs::remove_file(&data)?;
        }
        std::fs::hard_link(self.recording(record), &data)?;
        // Nobody else writes to what is accepted; fails where another user has put a file of his own there.
        std::fs::set_permissions(&data, Permissions::from_mode(DATA_MODE)).ok();
        let closed = self.take_over(record, &data, is_at_rest);
        if !matches!(closed, Ok(true)) {
            // It stays a recording: what may have been renamed must not come back, and never without its bytes.
            let job = self.path(record.id, "job");
            if !job.exists() || std::fs::remove_file(job).is_ok() {
                drop(std::fs::remove_file(data));
                // As before; where even this fails, the next start does it.
                self.let_write(&self.recording(record)).ok();
                self.directory.sync_all().ok();
            }
            return closed;
        }
        if let Err(error) = self.forget_recording(record) {
            tracing::warn!(%error, "recording {} is closed; the next start removes its record", record.id);
        }
        Ok(true)
    }

    /// Writes the record of what was a recording, and takes its name away, unless somebody writes to it.
    fn take_over(
        &self,
        record: &Record,
        data: &Path,
        is_at_rest: &dyn Fn() -> bool,
    ) -> io::Result<bool> {
        if !is_at_rest() {
            return Ok(false);
        }
        self.write(record, true)?;
        let path = self.recording(record);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        // Who had found it by its name before gets it back.
        Ok(is_at_rest() || std::fs::hard_link(data, &path).is_err())
    }

    /// Removes what makes a recording one.
    pub(super) fn forget_recording(&self, record: &Record) -> io::Result<()> {
        for path in [self.recording(record), self.path(record.id, "rec")] {
            match std::fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// The bytes of an upload.
    ///
    /// # Errors
    /// The file system's.
    pub(super) fn data(&self, id: u64) -> io::Result<File> {
        File::open(self.path(id, "data"))
    }

    /// Removes an upload: its record first.
    ///
    /// # Errors
    /// The file system's.
    pub(super) fn remove(&self, id: u64) -> io::Result<()> {
        std::fs::remove_file(self.path(id, "job"))?;
        std::fs::remove_file(self.path(id, "data"))
    }
}

/// Makes the name of a new folder last.
fn keep_name(folder: &Path) -> io::Result<()> {
    let parent = folder.parent().unwrap_or(folder);
    match File::open(parent) {
        Ok(parent) => parent.sync_all(),
        // Who may write to it need not be able to read it.
        Err(_) => Ok(rustix::fs::syncfs(File::open(folder)?)?),
    }
}

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}
