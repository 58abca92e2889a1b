//! Sends prepared bytes and bodies by the way that fits where the body is held. Never blocks.
//!
//! | held | way |
//! |---|---|
//! | heap | one send of head and body |
//! | sealed memory | send of the head, then sendfile(2) by reference to the pages |
//! | guarded mapping or file | one send of head and mapping: the kernel copies |
//! | unguarded file | a piece is read, verified, then sent with the head |
//! | stored body in a file | send of the head, then sendfile(2): its bytes are written once |
//! | body that outgrew the store | one send of head and the next bytes |
//! | body in passing | one send of head and the next bytes |
//!
//! Of local files only sealed memory leaves by reference: a client on this machine (over loopback, or in another network namespace) may
//! leave bytes unread in its receive queue long after they were acknowledged, and the queue refers to the very pages that
//! were sent. Were they a file's, an edit in place would change what the client has yet to read.
//!
//! Pages that are not in memory are never touched: the caller is told to have them warmed.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use super::respond::slice;
use super::transfer::Transfer;
use crate::stats::{Counter, WorkerStats};
use crate::store::Held;
use crate::store::body::{Body, BodyState};
use crate::store::pipe::{Front, Pipe};
use crate::store::window::Beyond;
use crate::sys::file::HeldFile;
use crate::sys::{residency, send, socket};

/// Most bytes that one connection is sent before others get their turn; one answer prepared before may exceed it.
pub(super) const TURN_BYTES_MAX: u64 = 1 << 20;
/// Most bytes that are looked at and sent by one call.
const PIECE_MAX: u64 = 1 << 20;
/// Most bytes of a file that are read and sent at once.
const READ_MAX: usize = 128 << 10;

/// How a pump ended.
#[derive(Debug)]
pub enum Pumped {
    /// Everything was sent.
    Done,
    /// The socket is full.
    Blocked,
    /// The connection has had its share of this turn.
    Yield,
    /// The next bytes are not in memory.
    Cold,
    /// All that is there of the body was sent; more is to come.
    Starved,
    /// No more of the body comes, although its end was not reached.
    Broken,
    /// The file's bytes are no longer those of the answer's validator, or can't be read.
    Changed,
    /// The connection failed.
    Failed,
}

/// Sends `head`, then the stretch of `transfer`. Returns how much of the head was sent.
pub fn pump(
    socket: BorrowedFd<'_>,
    head: &[u8],
    transfer: Option<&mut Transfer>,
    scratch: &mut Vec<u8>,
    stats: &WorkerStats,
) -> (usize, Pumped) {
    let mut sent = 0;
    let ended = match transfer {
        Some(transfer) if transfer.left() > 0 => {
            pump_body(socket, head, &mut sent, transfer, scratch, stats)
        }
        _ => pump_bytes(socket, head, &mut sent, false, stats),
    };
    (sent, ended.unwrap_or_else(|failure| failure))
}

/// `Ok` is an orderly end, `Err` what cut it short; both are answers, the `?` only shortens the way.
type Flow = Result<Pumped, Pumped>;

fn pump_bytes(
    socket: BorrowedFd<'_>,
    bytes: &[u8],
    sent: &mut usize,
    more: bool,
    stats: &WorkerStats,
) -> Flow {
    while let Some(rest) = bytes.get(*sent..).filter(|rest| !rest.is_empty()) {
        let count = outcome(socket::send(socket, rest, more))?;
        stats.bump(Counter::SendMemory);
        stats.add(Counter::BytesSent, count as u64);
        if count < rest.len() {
            stats.bump(Counter::ShortSends);
        }
        *sent += count;
    }
    Ok(Pumped::Done)
}

fn pump_body(
    socket: BorrowedFd<'_>,
    head: &[u8],
    sent: &mut usize,
    transfer: &mut Transfer,
    scratch: &mut Vec<u8>,
    stats: &WorkerStats,
) -> Flow {
    let lease = transfer.lease.clone();
    let object = lease.object();
    let budget_ends = transfer.next.saturating_add(TURN_BYTES_MAX);
    while transfer.left() > 0 {
        if transfer.next >= budget_ends {
            return Ok(Pumped::Yield);
        }
        let piece = transfer.left().min(PIECE_MAX);
        match object.held() {
            Held::Heap(bytes) => {
                let body = slice(bytes, transfer.next, transfer.end).ok_or(Pumped::Changed)?;
                let rest = head.get(*sent..).unwrap_or_default();
                let count = outcome(send::memory(socket, rest, body))?;
                account(count, head.len(), sent, transfer, stats);
            }
            Held::Mapping(_, file) | Held::File(file) => {
                let rest = head.get(*sent..).unwrap_or_default();
                let count = match object.mapping() {
                    Some(mapping) => {
                        let piece = warm(transfer, file, piece)?;
                        let length = usize::try_from(piece).unwrap_or(usize::MAX);
                        let body = mapping.bytes_for_kernel(transfer.next, length);
                        outcome(send::mapping(socket, rest, body))?
                    }
                    None => outcome(send::memory(socket, rest, read(file, transfer, scratch)?))?,
                };
                account(count, head.len(), sent, transfer, stats);
            }
            Held::Sealed(memory) => {
                pump_bytes(socket, head, sent, true, stats)?;
                // Others' bytes lie behind the object's.
                let (at, piece) = memory.stretch(transfer.next, piece);
                let length = usize::try_from(piece).unwrap_or(usize::MAX);
                let count = outcome(send::file(socket, memory, at, length))?;
                by_reference(count, transfer, stats)?;
            }
            Held::Growing(body) => {
                grown(socket, head, sent, (body, transfer), stats)?;
            }
            Held::Passing(reader) => {
                passing(socket, head, sent, (reader.pipe(), transfer), stats)?;
            }
            Held::Unguarded(file) => {
                let body = read(file, transfer, scratch)?;
                // Looked at after the read: bytes of a later write can't be among those read before it.
                if !file.matches(object.identity()) {
                    return Err(Pumped::Changed);
                }
                let rest = head.get(*sent..).unwrap_or_default();
                let count = outcome(send::memory(socket, rest, body))?;
                account(count, head.len(), sent, transfer, stats);
            }
        }
    }
    Ok(Pumped::Done)
}

/// Sends what is there of a stored body.
fn grown(
    socket: BorrowedFd<'_>,
    head: &[u8],
    sent: &mut usize,
    (body, transfer): (&Body, &mut Transfer),
    stats: &WorkerStats,
) -> Result<(), Pumped> {
    // Before the bytes: those that come in between are found when the wait for them begins.
    let state = body.state();
    let run = body.run_from(transfer.next);
    if run == 0 {
        pump_bytes(socket, head, sent, false, stats)?;
        return Err(match state {
            BodyState::Open => Pumped::Starved,
            BodyState::Complete | BodyState::Failed => Pumped::Broken,
        });
    }
    let mut piece = run.min(transfer.left()).min(PIECE_MAX);
    let in_window = match transfer.beyond() {
        Beyond::Stored(count) => {
            piece = piece.min(count);
            None
        }
        Beyond::Bytes(bytes) => Some(bytes),
        Beyond::Lost => return Err(Pumped::Broken),
    };
    if let Some(bytes) = in_window
        .as_deref()
        .or_else(|| body.memory_from(transfer.next))
    {
        let length = usize::try_from(piece).unwrap_or(usize::MAX);
        let bytes = bytes.get(..length).unwrap_or(bytes);
        let rest = head.get(*sent..).unwrap_or_default();
        let count = outcome(send::memory(socket, rest, bytes))?;
        account(count, head.len(), sent, transfer, stats);
        return Ok(());
    }
    let (file, run) = body.file_from(transfer.next).ok_or(Pumped::Broken)?;
    let piece = piece.min(run);
    let piece = if file.is_memory() {
        piece
    } else if !file.is_sound() {
        // As one that can't be read: the fill threads find so too, and take it out.
        return Err(Pumped::Cold);
    } else {
        warm(transfer, file, piece)?
    };
    let length = usize::try_from(piece).unwrap_or(usize::MAX);
    pump_bytes(socket, head, sent, true, stats)?;
    let count = outcome(send::file(socket, file, transfer.next, length))?;
    by_reference(count, transfer, stats)
}

/// Sends the next bytes of a body in passing.
fn passing(
    socket: BorrowedFd<'_>,
    head: &[u8],
    sent: &mut usize,
    (pipe, transfer): (&Pipe, &mut Transfer),
    stats: &WorkerStats,
) -> Result<(), Pumped> {
    let bytes = match pipe.front() {
        Front::Bytes(bytes) => bytes,
        Front::Empty => {
            pump_bytes(socket, head, sent, false, stats)?;
            return Err(Pumped::Starved);
        }
        Front::End | Front::Failed => return Err(Pumped::Broken),
    };
    let length = usize::try_from(transfer.left()).unwrap_or(usize::MAX);
    let bytes = bytes.get(..length).unwrap_or(&bytes);
    let rest = head.get(*sent..).unwrap_or_default();
    let before = transfer.next;
    let count = outcome(send::memory(socket, rest, bytes))?;
    account(count, head.len(), sent, transfer, stats);
    pipe.consume(usize::try_from(transfer.next - before).unwrap_or(usize::MAX));
    Ok(())
}

/// How much of the next `piece` is in memory: all of it, or what was warmed just now.
fn warm(transfer: &mut Transfer, file: impl AsFd, piece: u64) -> Result<u64, Pumped> {
    if transfer.next < transfer.warm_to {
        return Ok(piece.min(transfer.warm_to - transfer.next));
    }
    if residency::is_resident(file, transfer.next, piece) {
        // Not asked again for what the socket does not take at once.
        transfer.warm_to = transfer.next + piece;
        return Ok(piece);
    }
    Err(Pumped::Cold)
}

/// Reads the next piece of a file.
fn read<'s>(
    file: &HeldFile,
    transfer: &Transfer,
    scratch: &'s mut Vec<u8>,
) -> Result<&'s [u8], Pumped> {
    let length = usize::try_from(transfer.left())
        .unwrap_or(READ_MAX)
        .min(READ_MAX);
    scratch.resize(length, 0);
    let read = match file.read_now(scratch, transfer.next) {
        Ok(0) => return Err(Pumped::Changed),
        Ok(count) => count,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(Pumped::Cold),
        Err(_) => return Err(Pumped::Changed),
    };
    scratch.get(..read).ok_or(Pumped::Changed)
}

/// Splits what one send took between the head and the body.
fn account(
    count: usize,
    head: usize,
    sent: &mut usize,
    transfer: &mut Transfer,
    stats: &WorkerStats,
) {
    stats.bump(Counter::SendMemory);
    stats.add(Counter::BytesSent, count as u64);
    let of_head = count.min(head - *sent);
    *sent += of_head;
    transfer.advance((count - of_head) as u64);
}

fn by_reference(count: usize, transfer: &mut Transfer, stats: &WorkerStats) -> Result<(), Pumped> {
    if count == 0 {
        // The file ends before the size it was pinned with.
        return Err(Pumped::Changed);
    }
    stats.bump(Counter::SendFile);
    stats.add(Counter::BytesSent, count as u64);
    transfer.advance(count as u64);
    Ok(())
}

fn outcome(sent: io::Result<usize>) -> Result<usize, Pumped> {
    sent.map_err(|error| match error.raw_os_error() {
        Some(libc::EAGAIN) => Pumped::Blocked,
        // A mapping's file was truncated, or a file's device failed.
        Some(libc::EFAULT | libc::EIO) => Pumped::Changed,
        _ => Pumped::Failed,
    })
}

/// Appends the rest of a small file's body to `out`, so that it leaves with its head and with other answers; false,
/// with `out` as it was, where it must take the long way.
///
/// # Errors
///
/// [`Pumped::Changed`] when the file's bytes are no longer those of the answer's validator.
pub fn append_small(transfer: &mut Transfer, out: &mut Vec<u8>) -> Result<bool, Pumped> {
    /// Bodies up to this size are read behind their head.
    const SMALL_MAX: u64 = 16 << 10;
    let object = transfer.lease.object();
    // The last moment at which another answer can be given instead.
    if matches!(object.held(), Held::Unguarded(file) if !file.matches(object.identity())) {
        return Err(Pumped::Changed);
    }
    let left = transfer.left();
    if left > SMALL_MAX || left == 0 || !transfer.is_last() {
        return Ok(false);
    }
    let (file, guarded) = match object.held() {
        Held::File(file) | Held::Mapping(_, file) => (file, true),
        Held::Unguarded(file) => (file, false),
        _ => return Ok(false),
    };
    let start = out.len();
    let length = usize::try_from(left).unwrap_or(0);
    out.resize(start + length, 0);
    let buffer = out.get_mut(start..).unwrap_or_default();
    let read = match file.read_now(buffer, transfer.next) {
        Ok(count) => count,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
        Err(_) => return Err(Pumped::Changed),
    };
    if !guarded && !file.matches(object.identity()) {
        return Err(Pumped::Changed);
    }
    if read < length {
        out.truncate(start);
        return Ok(false);
    }
    transfer.advance(left);
    Ok(true)
}
