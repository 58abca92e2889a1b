//! Records of the disk store: what is read as one is what its layout says, field by field; what was written is read back the
//! same; and no flipped bit, cut or foreign number is ever taken.
//!
//! Input: flags (1: as it stands, checksum included), the bit to flip (u16), the object's number (u64), then the record,
//! numbers little-endian.

#![no_main]

use hotplate::store::disk::{ObjectId, is_record, rewritten};
use libfuzzer_sys::fuzz_target;

const COMPLETE: u8 = 1;
const INLINE: u8 = 2;
const SIZED: u8 = 4;
const BLOCKS_MAX: usize = 1 << 16;

fuzz_target!(|input: &[u8]| {
    let Some((flags, input)) = input.split_first() else {
        return;
    };
    let Some((bit, input)) = input.split_first_chunk() else {
        return;
    };
    let Some((number, record)) = input.split_first_chunk() else {
        return;
    };
    let bit = usize::from(u16::from_le_bytes(*bit));
    let id = ObjectId(u64::from_le_bytes(*number));
    if flags & 1 != 0 {
        if let Some(again) = rewritten(id, record) {
            let (fields, sum) = record.split_last_chunk().expect("a checksum");
            assert_eq!(checksum(id, fields), u32::from_le_bytes(*sum));
            assert_same(record, &again);
        }
        return;
    }
    let sealed = seal(id, record);
    let again = rewritten(id, &sealed);
    assert_eq!(again.is_some(), read(record).is_some());
    assert_eq!(is_record(id, record), again.is_some());
    let Some(again) = again else {
        return;
    };
    assert_same(&sealed, &again);
    assert_eq!(rewritten(id, &again).as_ref(), Some(&again));
    judge_damage(id, sealed, bit);
});

/// Damage that a checksum of 32 bits always shows.
fn judge_damage(id: ObjectId, sealed: Vec<u8>, bit: usize) {
    let bit = bit % (sealed.len() * 8);
    let mut flipped = sealed.clone();
    flipped[bit / 8] ^= 1 << (bit % 8);
    assert_eq!(rewritten(id, &flipped), None, "with a flipped bit");
    let other = ObjectId(id.0 ^ (1 << (bit % 64)));
    assert_eq!(rewritten(other, &sealed), None, "of another object");
}

fn checksum(id: ObjectId, bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&id.0.to_le_bytes()), bytes)
}

fn seal(id: ObjectId, record: &[u8]) -> Vec<u8> {
    let mut sealed = record.to_vec();
    sealed.extend_from_slice(&checksum(id, record).to_le_bytes());
    sealed
}

/// Both say the same; bits that mean nothing may have gone.
fn assert_same(sealed: &[u8], again: &[u8]) {
    let record = |sealed: &[u8]| read(&sealed[..sealed.len() - 4]).expect("a record");
    assert_eq!(record(sealed), record(again));
}

/// A record's parts.
#[derive(Debug, PartialEq, Eq)]
struct Parts {
    flags: u8,
    extension: Vec<u8>,
    block: u32,
    size: Option<u64>,
    key: Vec<u8>,
    variant: Vec<u8>,
    meta: Vec<u8>,
    tags: Vec<Vec<u8>>,
    body: Vec<u8>,
}

/// Reads a record by its layout, at fixed places first.
fn read(record: &[u8]) -> Option<Parts> {
    let fixed = record.get(..43)?;
    let long = |at: usize| u32::from_le_bytes(*fixed[at..].first_chunk().expect("within"));
    let length = |at: usize| usize::try_from(long(at)).expect("32 bits fit");
    let extension = fixed[3..11].get(..usize::from(fixed[2]))?.to_vec();
    let is_letter = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    if fixed[0] != 1 || !extension.iter().all(is_letter) {
        return None;
    }
    let flags = fixed[1] & (COMPLETE | INLINE | SIZED);
    let size = u64::from_le_bytes(*fixed[15..].first_chunk().expect("within"));
    let size = (flags & SIZED != 0).then_some(size);
    let mut at = 43_usize;
    let mut next = |count: usize| {
        let part = record.get(at..at.checked_add(count)?)?;
        at += count;
        Some(part.to_vec())
    };
    let (key, variant, meta) = (next(length(23))?, next(length(27))?, next(length(31))?);
    let mut tags = Vec::new();
    for _ in 0..long(35) {
        let size = next(2)?;
        tags.push(next(usize::from(u16::from_le_bytes([size[0], size[1]])))?);
    }
    let body = record[at..].to_vec();
    let count = length(39);
    let is_whole = if flags & INLINE != 0 {
        size == Some(count as u64) && body.len() == count
    } else {
        long(11) > 0 && count <= BLOCKS_MAX && body.len() == count.div_ceil(8) + 4 * count
    };
    is_whole.then_some(Parts {
        flags,
        extension,
        block: long(11),
        size,
        key,
        variant,
        meta,
        tags,
        body,
    })
}
