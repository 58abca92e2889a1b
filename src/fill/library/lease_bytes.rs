//! Where the bytes of a leased file come from: a link to the store's data file, or a copy.
//!
//! What is linked was seen to be as it was written; what is not is copied from memory, which has it as it came.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::PathBuf;

use crate::fill::disk::DiskTier;
use crate::store::body_file::BodyFile;
use crate::store::disk::{Disk, INLINE_MAX, ObjectId};
use crate::store::{Held, Object};

/// How much is copied at once.
const COPY_AT_ONCE: usize = 256 << 10;

/// Where the bytes of a file come from.
pub(super) enum Way {
    Link(PathBuf),
    Copy,
}

/// The store's object with a body's bytes.
pub(super) fn stored_id(object: &Object) -> Option<ObjectId> {
    let of_file = || match object.growing()?.file()? {
        BodyFile::Disk(file) => Some(file.id()),
        BodyFile::Memory(_) => None,
    };
    object.on_disk().or_else(of_file)
}

/// How a file gets a body's bytes: small ones are copied, as the store has no file of theirs.
pub(super) fn way_of(object: &Object, disk: &DiskTier) -> Way {
    let disk = disk.disk();
    if let Held::Growing(body) = object.held()
        && let Some(BodyFile::Disk(file)) = body.file()
    {
        return match body.is_kept_in_its_file() {
            true => Way::Link(disk.path_of(file)),
            false => Way::Copy,
        };
    }
    match object.on_disk() {
        Some(id) if object.size() > INLINE_MAX as u64 => match disk.materialise(id) {
            // What is not as it was written is not handed out: memory has it as it came.
            Ok(path) if is_intact(disk, id) => Way::Link(path),
            Ok(_) => Way::Copy,
            Err(error) => {
                tracing::debug!("a body is copied, not linked: {error}");
                Way::Copy
            }
        },
        _ => Way::Copy,
    }
}

/// Whether the store's data file has the bytes that were written.
fn is_intact(disk: &Disk, id: ObjectId) -> bool {
    match disk.verify(id) {
        Ok(is_intact) => is_intact,
        Err(error) => {
            tracing::debug!("a body is copied, not linked: {error}");
            false
        }
    }
}

/// Writes all of a body.
pub(super) fn write_all(file: &mut File, object: &Object) -> io::Result<()> {
    if let Some(bytes) = object.in_memory() {
        return file.write_all(bytes);
    }
    let Some(body) = object.growing() else {
        return Err(io::ErrorKind::Unsupported.into());
    };
    let size = body.size().ok_or(io::ErrorKind::UnexpectedEof)?;
    let mut buffer = vec![0; COPY_AT_ONCE];
    let mut at = 0;
    while at < size {
        let Some((source, run)) = body.file_from(at) else {
            let bytes = body.memory_from(at).ok_or(io::ErrorKind::UnexpectedEof)?;
            file.write_all(bytes)?;
            at += bytes.len() as u64;
            continue;
        };
        if !source.is_sound() {
            return Err(rustix::io::Errno::IO.into());
        }
        let wanted = usize::try_from(run.min(size - at)).unwrap_or(COPY_AT_ONCE);
        let part = buffer
            .get_mut(..wanted.min(COPY_AT_ONCE))
            .unwrap_or_default();
        match rustix::io::pread(source, &mut *part, at) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                file.write_all(part.get(..count).unwrap_or_default())?;
                at += count as u64;
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}
