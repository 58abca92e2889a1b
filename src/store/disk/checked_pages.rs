//! The metadata's file: the pages of the database, each with a checksum, so that a damaged page is an error before the
//! database has read it. (redb verifies its own checksums only when it repairs, and takes what it reads for true.)
//!
//! ```text
//! page 0        magic, format, checksum           pages 1, 2   the database's page 0, twice
//! page 3        sums of the next 1024 pages       pages 4...   those pages: the database's pages 1 to 1024
//! page 1028     sums of the next 1024 pages       ...
//! ```
//!
//! A sum is the CRC-32C of the page's number and bytes, 0 for a page that was never written. After a crash, a page and
//! its sum may disagree only where neither was synced; the database refers to such pages nowhere, because it syncs
//! (two-phase commits) before it points to what it wrote. Its page 0 is the one that it rewrites in place: that goes
//! to the copy that was not synced last, behind a sequence number, so one copy is whole at any time.
//!
//! Format 1 never changes; another layout gets another number.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::error::DiskError;
use super::latch::{Gate, Latch};
use super::medium::MetaFile;

/// The format of the file.
pub(super) const FORMAT: u32 = 1;

const PAGE: u64 = 4096;
const PAGE_BYTES: usize = 4096;
/// Pages in a group, which share a page of sums.
const GROUP: u64 = 1024;
/// Pages before the first group.
const FRONT: u64 = 3;
const MAGIC: [u8; 16] = *b"hotplate disk\r\n\0";
/// How much of page 0 the database uses; the rest is zero.
const HEAD_BYTES: usize = 2048;
/// A copy of the head: sequence number, checksum, bytes.
const COPY_BYTES: usize = 8 + 4 + HEAD_BYTES;

/// What the database's owner keeps of its pages.
#[derive(Debug, Default)]
pub(super) struct Watch {
    gate: Gate,
    is_damaged: AtomicBool,
    held: AtomicU64,
}

impl Watch {
    /// Ends all reading and writing: what uses the database from now on gets an error.
    pub(super) fn shut(&self) {
        self.gate.shut();
    }

    /// Whether a page was found damaged.
    pub(super) fn is_damaged(&self) -> bool {
        self.is_damaged.load(Ordering::Relaxed)
    }

    /// Bytes of the device that the file took after the last sync.
    pub(super) fn held(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }
}

/// The database's page 0, as it is now and as it lies in the file.
#[derive(Debug)]
struct Head {
    bytes: [u8; HEAD_BYTES],
    sequence: u64,
    /// The copy (0 or 1) that a sync has made safe.
    safe: u64,
    /// Whether the other copy was written since.
    is_written: bool,
}

/// A database's storage in checked pages.
#[derive(Debug)]
pub(super) struct CheckedPages {
    file: Box<dyn MetaFile>,
    head: Latch<Head>,
    watch: Arc<Watch>,
}

fn damaged(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn unaligned() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "not a whole number of pages")
}

/// Where a group begins.
fn group_start(group: u64) -> u64 {
    (FRONT + group * (GROUP + 1)) * PAGE
}

/// Where the database's page `page` (not 0) and its sum lie.
fn place(page: u64) -> (u64, u64) {
    let (group, index) = ((page - 1) / GROUP, (page - 1) % GROUP);
    let start = group_start(group);
    (start + (1 + index) * PAGE, start + index * 4)
}

/// The file's length for `length` bytes of the database.
fn file_length(length: u64) -> u64 {
    match length.div_ceil(PAGE) {
        0 => PAGE,
        1 => FRONT * PAGE,
        pages => place(pages - 1).0 + PAGE,
    }
}

/// The database's length in a file of `length` bytes.
fn database_length(length: u64) -> u64 {
    let pages = length / PAGE;
    if pages < FRONT {
        return 0;
    }
    let (groups, rest) = ((pages - FRONT) / (GROUP + 1), (pages - FRONT) % (GROUP + 1));
    (1 + groups * GROUP + rest.saturating_sub(1)) * PAGE
}

/// The length that the database's page 0 states; 0 where it states none yet.
///
/// The database makes its file longer before it says so here, and shorter after: a file that is shorter was cut. After a crash
/// the database would take the length as it finds it, and end the process over pages in use that are not there.
fn stated_length(head: &[u8; HEAD_BYTES]) -> u64 {
    const MAGIC: &[u8] = b"redb\x1a\x0a\xa9\x0d\x0a";
    let long = |at: usize| {
        let bytes = head.get(at..).and_then(|rest| rest.first_chunk());
        bytes.map_or(0, |bytes| u64::from(u32::from_le_bytes(*bytes)))
    };
    // Pages before a region's data, most and, of the last region, number of its data pages; regions that are full.
    let (before, most, full, last) = (long(16), long(20), long(24), long(28));
    if !head.starts_with(MAGIC) {
        return 0;
    }
    let trailing = if last > 0 { before + last } else { 0 };
    let pages = full
        .saturating_mul(before + most)
        .saturating_add(1 + trailing);
    pages.saturating_mul(PAGE)
}

fn page_sum(page: u64, bytes: &[u8]) -> u32 {
    // 0 means never written.
    crc32c::crc32c_append(crc32c::crc32c(&page.to_le_bytes()), bytes).max(1)
}

fn encode_copy(head: &Head) -> [u8; COPY_BYTES] {
    let mut copy = [0; COPY_BYTES];
    let (sequence, rest) = copy.split_at_mut(8);
    sequence.copy_from_slice(&head.sequence.to_le_bytes());
    let (sum, bytes) = rest.split_at_mut(4);
    bytes.copy_from_slice(&head.bytes);
    let number = crc32c::crc32c(&head.sequence.to_le_bytes());
    sum.copy_from_slice(&crc32c::crc32c_append(number, &head.bytes).to_le_bytes());
    copy
}

fn decode_copy(copy: &[u8; COPY_BYTES]) -> Option<(u64, [u8; HEAD_BYTES])> {
    let (sequence, rest) = copy.split_first_chunk::<8>()?;
    let (sum, bytes) = rest.split_first_chunk::<4>()?;
    let expected = crc32c::crc32c_append(crc32c::crc32c(sequence), bytes);
    let is_whole = expected == u32::from_le_bytes(*sum);
    let bytes = bytes.first_chunk()?;
    is_whole.then_some((u64::from_le_bytes(*sequence), *bytes))
}

impl CheckedPages {
    /// Takes the file, which is empty or was written by this type.
    ///
    /// # Errors
    /// `UnknownFormat`; `Metadata` where the file is damaged; `File` where it can't be read or written.
    pub(super) fn open(file: Box<dyn MetaFile>, watch: Arc<Watch>) -> Result<Self, DiskError> {
        let length = file.length().map_err(DiskError::File)?;
        let is_new = length == 0 || (length == PAGE && is_blank(&*file));
        if is_new {
            let mut front = [0; PAGE_BYTES];
            write_front(&mut front);
            file.set_length(PAGE).map_err(DiskError::File)?;
            file.write(0, &front).map_err(DiskError::File)?;
        } else if length < PAGE {
            return Err(DiskError::Metadata("the file is cut short".to_owned()));
        } else {
            read_front(&*file)?;
        }
        // What a process that ended wrote may not be on the device: a copy is safe only after a sync.
        file.sync().map_err(DiskError::File)?;
        let mut head = Head {
            bytes: [0; HEAD_BYTES],
            sequence: 0,
            safe: 0,
            is_written: false,
        };
        if length >= FRONT * PAGE {
            for copy in 0..2 {
                let mut bytes = [0; COPY_BYTES];
                file.read((1 + copy) * PAGE, &mut bytes)
                    .map_err(DiskError::File)?;
                if let Some((sequence, bytes)) = decode_copy(&bytes)
                    && sequence > head.sequence
                {
                    head = Head {
                        bytes,
                        sequence,
                        safe: copy,
                        is_written: false,
                    };
                }
            }
            if head.sequence == 0 && database_length(length) > PAGE {
                return Err(DiskError::Metadata("both heads are damaged".to_owned()));
            }
            if database_length(length) < stated_length(&head.bytes) {
                return Err(DiskError::Metadata("the file is cut short".to_owned()));
            }
        }
        watch
            .held
            .store(file.held().unwrap_or(0), Ordering::Relaxed);
        Ok(Self {
            file,
            head: Latch::new(head),
            watch,
        })
    }

    fn guarded<R>(&self, work: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
        let passed = self.watch.gate.pass(work);
        passed.unwrap_or_else(|| Err(io::Error::other("the store stands down")))
    }

    fn read_head(&self, offset: u64, out: &mut [u8]) {
        let head = self.head.lock();
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let kept = head.bytes.get(start..).unwrap_or(&[]);
        let zeros = std::iter::repeat(&0);
        for (slot, byte) in out.iter_mut().zip(kept.iter().chain(zeros)) {
            *slot = *byte;
        }
    }

    fn write_head(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut head = self.head.lock();
        let start = usize::try_from(offset).map_err(|_| unaligned())?;
        let (kept, rest) = bytes.split_at(bytes.len().min(HEAD_BYTES.saturating_sub(start)));
        if rest.iter().any(|byte| *byte != 0) {
            return Err(unaligned());
        }
        if let Some(slot) = head.bytes.get_mut(start..start + kept.len()) {
            slot.copy_from_slice(kept);
        }
        head.sequence += 1;
        head.is_written = true;
        let at = (1 + (head.safe ^ 1)) * PAGE;
        self.file.write(at, &encode_copy(&head))
    }

    /// Splits `first..first + count` (pages, not 0) where a group ends: calls `each` with a first page and a count.
    fn runs(
        first: u64,
        count: u64,
        mut each: impl FnMut(u64, u64) -> io::Result<()>,
    ) -> io::Result<()> {
        let (mut page, end) = (first, first + count);
        while page < end {
            let group_end = ((page - 1) / GROUP + 1) * GROUP + 1;
            let next = end.min(group_end);
            each(page, next - page)?;
            page = next;
        }
        Ok(())
    }

    fn read_pages(&self, first: u64, out: &mut [u8]) -> io::Result<()> {
        let mut rest = out;
        let count = rest.len() as u64 / PAGE;
        Self::runs(first, count, |page, count| {
            let length = usize::try_from(count * PAGE).unwrap_or(usize::MAX);
            let (run, after) = std::mem::take(&mut rest)
                .split_at_mut_checked(length)
                .ok_or_else(unaligned)?;
            rest = after;
            let (at, sums_at) = place(page);
            self.file.read(at, run)?;
            let mut sums = vec![0; usize::try_from(count * 4).unwrap_or(0)];
            self.file.read(sums_at, &mut sums)?;
            let pages = run.chunks_exact(PAGE_BYTES).zip(page..);
            for ((bytes, page), sum) in pages.zip(sums.as_chunks::<4>().0) {
                let sum = u32::from_le_bytes(*sum);
                let is_true = if sum == 0 {
                    bytes.iter().all(|byte| *byte == 0)
                } else {
                    sum == page_sum(page, bytes)
                };
                if !is_true {
                    self.watch.is_damaged.store(true, Ordering::Relaxed);
                    return Err(damaged("a page of the metadata is damaged"));
                }
            }
            Ok(())
        })
    }

    fn write_pages(&self, first: u64, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        Self::runs(first, bytes.len() as u64 / PAGE, |page, count| {
            let length = usize::try_from(count * PAGE).unwrap_or(usize::MAX);
            let (run, after) = rest.split_at_checked(length).ok_or_else(unaligned)?;
            rest = after;
            let (at, sums_at) = place(page);
            self.file.write(at, run)?;
            let pages = run.chunks_exact(PAGE_BYTES).zip(page..);
            let sums: Vec<u8> = pages
                .flat_map(|(bytes, page)| page_sum(page, bytes).to_le_bytes())
                .collect();
            self.file.write(sums_at, &sums)
        })
    }

    fn change_length(&self, length: u64) -> io::Result<()> {
        let before = database_length(self.file.length()?);
        self.file.set_length(file_length(length))?;
        let pages = length.div_ceil(PAGE);
        if length < before && pages > 1 && !(pages - 1).is_multiple_of(GROUP) {
            // The sums of pages that are gone: should they come back, they are new.
            let sums_at = place(pages).1;
            let left = GROUP - (pages - 1) % GROUP;
            let zeros = vec![0; usize::try_from(left * 4).unwrap_or(0)];
            self.file.write(sums_at, &zeros)?;
        }
        Ok(())
    }
}

fn write_front(front: &mut [u8; PAGE_BYTES]) {
    let sum = crc32c::crc32c_append(crc32c::crc32c(&MAGIC), &FORMAT.to_le_bytes());
    let fields = MAGIC.into_iter().chain(FORMAT.to_le_bytes());
    for (slot, byte) in front.iter_mut().zip(fields.chain(sum.to_le_bytes())) {
        *slot = byte;
    }
}

/// Whether a crash came between the file's first length and its first bytes.
fn is_blank(file: &dyn MetaFile) -> bool {
    let mut front = [0; PAGE_BYTES];
    file.read(0, &mut front).is_ok() && front.iter().all(|byte| *byte == 0)
}

fn read_front(file: &dyn MetaFile) -> Result<(), DiskError> {
    let mut front = [0; 24];
    file.read(0, &mut front).map_err(DiskError::File)?;
    let long = |at: usize| {
        let bytes = front.get(at..).and_then(|rest| rest.first_chunk());
        bytes.map_or(0, |bytes| u32::from_le_bytes(*bytes))
    };
    let (found, sum) = (long(16), long(20));
    let expected = crc32c::crc32c_append(crc32c::crc32c(&MAGIC), &found.to_le_bytes());
    if !front.starts_with(&MAGIC) || sum != expected {
        return Err(DiskError::Metadata(
            "it is no metadata of this store".to_owned(),
        ));
    }
    if found != FORMAT {
        return Err(DiskError::UnknownFormat {
            found,
            known: FORMAT,
        });
    }
    Ok(())
}

impl redb::StorageBackend for CheckedPages {
    fn len(&self) -> io::Result<u64> {
        self.guarded(|| Ok(database_length(self.file.length()?)))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.guarded(|| {
            if offset + out.len() as u64 <= PAGE {
                self.read_head(offset, out);
                return Ok(());
            }
            let is_aligned = offset.is_multiple_of(PAGE) && out.len().is_multiple_of(PAGE_BYTES);
            if !is_aligned || offset == 0 {
                return Err(unaligned());
            }
            self.read_pages(offset / PAGE, out)
        })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.guarded(|| self.change_length(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.guarded(|| {
            let sequence = self.head.lock().sequence;
            self.file.sync()?;
            let mut head = self.head.lock();
            if head.is_written && head.sequence == sequence {
                head.safe ^= 1;
                head.is_written = false;
            }
            let held = self.file.held()?;
            self.watch.held.store(held, Ordering::Relaxed);
            Ok(())
        })
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.guarded(|| {
            if offset + data.len() as u64 <= PAGE {
                return self.write_head(offset, data);
            }
            let is_aligned = offset.is_multiple_of(PAGE) && data.len().is_multiple_of(PAGE_BYTES);
            if !is_aligned || offset == 0 {
                return Err(unaligned());
            }
            self.write_pages(offset / PAGE, data)
        })
    }
}

#[cfg(test)]
#[path = "checked_pages_tests.rs"]
mod tests;
