//! Content that tells on itself: every block of 64 bytes carries the version, its own offset and the version's size, so a
//! body made of two versions, or of shifted bytes, is seen whatever its length.

use std::hash::{DefaultHasher, Hasher as _};

/// Bytes of a block.
pub(crate) const BLOCK: usize = 64;

/// A version's content: `size` bytes, a multiple of [`BLOCK`].
pub(crate) fn content(version: u64, size: usize) -> Vec<u8> {
    assert_eq!(size % BLOCK, 0);
    let mut bytes = Vec::with_capacity(size);
    for offset in (0..size).step_by(BLOCK) {
        bytes.extend_from_slice(&block(version, offset as u64, size as u64));
    }
    bytes
}

fn block(version: u64, offset: u64, size: u64) -> [u8; BLOCK] {
    let mut block = [b'.'; BLOCK];
    block[..16].copy_from_slice(format!("{version:016x}").as_bytes());
    block[16..32].copy_from_slice(format!("{offset:016x}").as_bytes());
    block[32..48].copy_from_slice(format!("{size:016x}").as_bytes());
    block[BLOCK - 1] = b'\n';
    block
}

/// What a body turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The version; none for an empty body.
    pub(crate) version: Option<u64>,
    /// A hash over all bytes.
    pub(crate) hash: u64,
    /// How many bytes there are.
    pub(crate) size: usize,
}

/// Reads a body that starts at `offset` of its version; says what is wrong where it is not of one version.
pub(crate) fn read(body: &[u8], offset: usize) -> Result<Seen, String> {
    let mut version = None;
    for (number, found) in body.chunks(BLOCK).enumerate() {
        let at = offset + number * BLOCK;
        let field = |index: usize| {
            let text = found.get(index * 16..index * 16 + 16)?;
            u64::from_str_radix(std::str::from_utf8(text).ok()?, 16).ok()
        };
        if found.len() < BLOCK {
            // A truncated file may end within a block.
            continue;
        }
        let (Some(its_version), Some(its_offset), Some(size)) = (field(0), field(1), field(2))
        else {
            return Err(format!(
                "no block at {at}: {:?}",
                String::from_utf8_lossy(found)
            ));
        };
        if found != block(its_version, its_offset, size) {
            return Err(format!(
                "a torn block at {at}: {:?}",
                String::from_utf8_lossy(found)
            ));
        }
        if its_offset != at as u64 {
            return Err(format!("the block of {its_offset} stands at {at}"));
        }
        if *version.get_or_insert(its_version) != its_version {
            return Err(format!(
                "version {version:?} turns into {its_version} at {at}"
            ));
        }
    }
    let mut hasher = DefaultHasher::new();
    hasher.write(body);
    Ok(Seen {
        version,
        hash: hasher.finish(),
        size: body.len(),
    })
}

#[test]
fn body_of_two_versions_is_told_from_a_whole_one() {
    let (old, new) = (content(1, 640), content(2, 640));
    assert_eq!(read(&old, 0).map(|seen| seen.version), Ok(Some(1)));
    assert_eq!(read(&old[128..], 128).map(|seen| seen.version), Ok(Some(1)));
    assert!(read(&[&old[..320], &new[320..]].concat(), 0).is_err());
    assert!(read(&[&old[..330], &new[330..]].concat(), 0).is_err());
    assert!(read(&old[64..], 0).is_err());
    assert!(read(&[0; 64], 0).is_err());
    assert_ne!(
        read(&old, 0).expect("whole").hash,
        read(&new, 0).expect("whole").hash
    );
}
