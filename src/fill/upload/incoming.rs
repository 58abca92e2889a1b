//! Files on their way into the spool, and why one is not taken.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::OFlags;

use super::Uploads;
use super::counts::UploadCount;
use super::ledger::{Full, Ledger};
use super::record::{Record, Source};
use super::spool::{CopyFault, Draft};
use super::target::NoTarget;
use crate::fill::library::{Code, Party};
use crate::http::mime;
use crate::sys::clock;

/// What is to be uploaded where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// The URL.
    pub url: String,
    /// The profile, where the caller names one.
    pub profile: Option<String>,
    /// The Content-Type; none: by the URL's extension.
    pub content_type: Option<String>,
    /// Whether it becomes the cached copy; none: as `[upload] cache` says.
    pub cache: Option<bool>,
    /// The extension of a recording's file; none: by the URL or the Content-Type.
    pub extension: Option<String>,
}

/// Why an upload is not accepted.
#[derive(Debug)]
pub enum Refused {
    /// Nothing may be uploaded there.
    Url(NoTarget),
    /// The Content-Type is none.
    ContentType,
    /// The extension is none.
    Extension,
    /// As many wait as may.
    QueueFull(usize),
    /// They take as many bytes as they may.
    BytesFull(u64),
    /// The file system of the spool's folder is full.
    DiskFull(PathBuf),
    /// It fails.
    Disk(PathBuf, io::Error),
    /// The file can't be read.
    File(io::Error),
    /// The file is not read for others; whether `[upload] files` says which are.
    FileNotAllowed(PathBuf, bool),
    /// The body broke off before its end.
    BrokenOff,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(error) => error.fmt(f),
            Self::ContentType => f.write_str("the content type is no media type"),
            Self::Extension => f.write_str("an extension has 1 to 11 letters and digits"),
            Self::QueueFull(max) => write!(
                f,
                "{max} uploads wait already, as many as may ([upload] queue); try again later, or look at those given up"
            ),
            Self::BytesFull(max) => write!(
                f,
                "the uploads that wait would take more than {max} bytes ([upload] size); try again later, or look at those given up"
            ),
            Self::DiskFull(folder) => write!(
                f,
                "the file system of {} is full, where uploads wait; make room there, or try again when some are done",
                folder.display()
            ),
            Self::Disk(folder, error) => write!(
                f,
                "{}, where uploads wait, can't be written to: {error}",
                folder.display()
            ),
            Self::File(error) => write!(f, "the file can't be read: {error}"),
            Self::FileNotAllowed(path, true) => write!(
                f,
                "{} is not read for others: it fits none of [upload] files; send its bytes instead",
                path.display()
            ),
            Self::FileNotAllowed(path, false) => write!(
                f,
                "{} is not read for others: neither everybody nor library.group may read it, by its mode and those of the folders \
                 above it; send its bytes instead, or name it in [upload] files",
                path.display()
            ),
            Self::BrokenOff => f.write_str("the file broke off before its end"),
        }
    }
}

impl Refused {
    /// The file system's fault at what was to be kept in `folder`.
    pub(super) fn of_disk(folder: &Path, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::DiskFull(folder.to_owned())
            }
            _ => Self::Disk(folder.to_owned(), error),
        }
    }

    /// Its name, for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Url(error) => error.code().name(),
            Self::ContentType | Self::Extension => Code::InvalidOption.name(),
            Self::QueueFull(_) => Code::QueueFull.name(),
            Self::BytesFull(_) => "spool_full",
            Self::DiskFull(_) => Code::DiskFull.name(),
            Self::Disk(..) => Code::DiskFailed.name(),
            Self::File(_) => "file",
            Self::FileNotAllowed(..) => "file_not_allowed",
            Self::BrokenOff => Code::Incomplete.name(),
        }
    }

    /// Whose fault it is.
    #[must_use]
    pub const fn party(&self) -> Party {
        match self {
            Self::Url(_)
            | Self::ContentType
            | Self::Extension
            | Self::File(_)
            | Self::FileNotAllowed(..)
            | Self::BrokenOff => Party::Caller,
            Self::QueueFull(_) | Self::BytesFull(_) | Self::DiskFull(_) | Self::Disk(..) => {
                Party::Hotplate
            }
        }
    }
}

/// A file on its way into the spool. Dropped before it was finished, nothing is left of it.
#[derive(Debug)]
pub struct Incoming {
    uploads: Arc<Uploads>,
    order: Order,
    content_type: String,
    draft: Option<Draft>,
    source: Source,
    /// Bytes that are counted in the ledger.
    reserved: u64,
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if self.draft.take().is_some() {
            let reserved = self.reserved;
            self.uploads.with(|ledger| ledger.give_back(reserved));
        }
    }
}

impl Uploads {
    /// Begins to accept a file of `size` bytes, where that is known. May wait for the disk.
    ///
    /// # Errors
    /// It can't be accepted.
    pub fn begin(self: &Arc<Self>, order: Order, size: Option<u64>) -> Result<Incoming, Refused> {
        let begun = self.begin_from(order, size, Source::Put);
        begun.inspect_err(|refused| self.count(refused))
    }

    fn begin_from(
        self: &Arc<Self>,
        order: Order,
        size: Option<u64>,
        source: Source,
    ) -> Result<Incoming, Refused> {
        let (content_type, _) = self.looked_at(&order)?;
        let (queue, bytes) = (self.settings.queue, self.settings.size.0);
        let reserved = size.unwrap_or(0);
        let id = self
            .with(|ledger| ledger.reserve(queue, reserved, bytes))
            .map_err(|full| self.full(full))?;
        let draft = self.spool.draft(id).map_err(|error| {
            self.with(|ledger| ledger.give_back(reserved));
            Refused::of_disk(self.folder(), error)
        })?;
        Ok(Incoming {
            uploads: Arc::clone(self),
            order,
            content_type,
            draft: Some(draft),
            source,
            reserved,
        })
    }

    /// Accepts a file of this machine; the number of its upload. May wait for the disk for long.
    ///
    /// # Errors
    /// It can't be accepted.
    pub fn put_file(self: &Arc<Self>, order: Order, path: &Path) -> Result<u64, Refused> {
        let accepted = self.copy_in(order, path);
        accepted.inspect_err(|refused| self.count(refused))
    }

    fn copy_in(self: &Arc<Self>, order: Order, path: &Path) -> Result<u64, Refused> {
        if !path.is_absolute() {
            let error = io::Error::other("its path must be absolute");
            return Err(Refused::File(error));
        }
        let readable = &self.routes.hosts.load().files;
        let not_allowed =
            || Refused::FileNotAllowed(path.to_owned(), !readable.patterns.is_empty());
        let file = open_regular(path).map_err(|error| match readable.hides(path) {
            true => not_allowed(),
            false => Refused::File(error),
        })?;
        if !readable.admits(&file, path).map_err(Refused::File)? {
            return Err(not_allowed());
        }
        let size = file.metadata().map_err(Refused::File)?.len();
        let mut incoming = self.begin_from(order, Some(size), Source::Put)?;
        incoming.copy(file)?;
        incoming.finish_quietly()
    }

    /// What an order is of, and the path of its URL; an error where nothing may be uploaded there.
    pub(super) fn looked_at(&self, order: &Order) -> Result<(String, String), Refused> {
        let target = self.routes.resolve(&order.url, order.profile.as_deref());
        let target = target.map_err(Refused::Url)?;
        let path = target.path.split('?').next().unwrap_or_default().to_owned();
        let content_type = match &order.content_type {
            Some(named) => named.clone(),
            None => mime::content_type_of(path.as_bytes()).to_owned(),
        };
        let is_plain = |octet: u8| octet.is_ascii_graphic() || octet == b' ';
        if !content_type.contains('/') || !content_type.bytes().all(is_plain) {
            return Err(Refused::ContentType);
        }
        Ok((content_type, path))
    }

    pub(super) fn full(&self, full: Full) -> Refused {
        match full {
            Full::Queue => Refused::QueueFull(self.settings.queue),
            Full::Bytes => Refused::BytesFull(self.settings.size.0),
        }
    }

    pub(super) fn count(&self, refused: &Refused) {
        self.counts.bump(match refused {
            Refused::Url(_)
            | Refused::ContentType
            | Refused::Extension
            | Refused::File(_)
            | Refused::FileNotAllowed(..) => UploadCount::RefusedUrl,
            Refused::QueueFull(_) => UploadCount::RefusedQueue,
            Refused::BytesFull(_) => UploadCount::RefusedBytes,
            Refused::DiskFull(_) | Refused::Disk(..) => UploadCount::RefusedDisk,
            Refused::BrokenOff => UploadCount::RefusedBroken,
        });
    }
}

impl Incoming {
    /// Appends bytes. May wait for the disk.
    ///
    /// # Errors
    /// They don't fit.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        let written = self.append(bytes);
        written.inspect_err(|refused| self.uploads.count(refused))
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        let Some(draft) = &mut self.draft else {
            return Err(Refused::BrokenOff);
        };
        let size = draft.size + bytes.len() as u64;
        if size > self.reserved {
            let more = size - self.reserved;
            let bytes_max = self.uploads.settings.size.0;
            let grown = self.uploads.with(|ledger| ledger.grow(more, bytes_max));
            grown.map_err(|full| self.uploads.full(full))?;
            self.reserved = size;
        }
        let written = draft.write(bytes);
        written.map_err(|error| Refused::of_disk(self.uploads.folder(), error))
    }

    /// Takes a whole file's bytes.
    fn copy(&mut self, file: File) -> Result<(), Refused> {
        let Some(draft) = &mut self.draft else {
            return Err(Refused::BrokenOff);
        };
        let copied = draft.copy(file, self.reserved);
        copied.map_err(|fault| match fault {
            CopyFault::Grows => Refused::File(io::Error::other("it grows while it is copied")),
            CopyFault::Source(error) => Refused::File(error),
            CopyFault::Spool(error) => Refused::of_disk(self.uploads.folder(), error),
        })
    }

    /// Accepts the upload: its bytes are safe when this returns its number. May wait for the disk.
    ///
    /// # Errors
    /// The file system's.
    pub fn finish(self) -> Result<u64, Refused> {
        let uploads = Arc::clone(&self.uploads);
        let accepted = self.finish_quietly();
        accepted.inspect_err(|refused| uploads.count(refused))
    }

    fn finish_quietly(mut self) -> Result<u64, Refused> {
        let uploads = Arc::clone(&self.uploads);
        let Some(draft) = self.draft.take() else {
            return Err(Refused::BrokenOff);
        };
        let (now, _) = clock::wall();
        let record = Record {
            id: draft.id,
            turn: uploads.with(Ledger::take_turn),
            url: self.order.url.clone(),
            profile: self.order.profile.clone(),
            content_type: self.content_type.clone(),
            size: draft.size,
            sum: draft.sum,
            accepted_at: now.0,
            cache: self.order.cache.unwrap_or(uploads.settings.cache),
            source: self.source,
            attempts: 0,
            opened_at: 0,
            last: None,
            is_dead: false,
            multipart: None,
            extension: None,
        };
        // A file that shrank while it was copied took less than it was given.
        let reserved = self.reserved;
        if let Err(error) = uploads.spool.accept(draft, &record) {
            uploads.with(|ledger| ledger.give_back(reserved));
            return Err(Refused::of_disk(uploads.folder(), error));
        }
        let id = record.id;
        uploads.with(|ledger| {
            ledger.shrink(reserved.saturating_sub(record.size));
            ledger.accept(record, clock::mono());
        });
        uploads.counts.bump(UploadCount::Accepted);
        uploads.tell();
        Ok(id)
    }
}

/// Opens a regular file; what is none is not waited for.
fn open_regular(path: &Path) -> io::Result<File> {
    let flags = i32::try_from((OFlags::NONBLOCK | OFlags::CLOEXEC).bits()).unwrap_or(0);
    let file = File::options().read(true).custom_flags(flags).open(path)?;
    let kind = file.metadata()?.file_type();
    if kind.is_file() {
        return Ok(file);
    }
    let what = if kind.is_dir() {
        "it is a folder"
    } else if kind.is_fifo() {
        "it is a pipe"
    } else {
        "it is no file"
    };
    Err(io::Error::other(what))
}
