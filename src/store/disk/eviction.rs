//! Who goes when room is needed: SIEVE (Zhang et al., NSDI 2024) over the objects in the order of their numbers.
//!
//! A hand goes from old to young and around again. An object that was used since the hand passed it loses that mark and stays; one
//! that was not goes. Nothing moves when an object is used, so a use is one bit in a small table, and the order is the
//! table of objects itself: no queue, no memory for objects at rest, and each step of the hand is paid for by a use or
//! by room. Uses of what memory holds are asked for when the hand comes by (see `residents`).

use std::collections::HashMap;

use super::error::DiskError;
use super::naming::ObjectId;
use super::residents::Residents;
use super::tables::Batch;

/// Evicts until `excess` bytes are free, or nothing is left that may go; objects being written stay. Returns how many
/// objects and bytes went.
pub(super) fn evict(
    batch: &mut Batch<'_>,
    hand: &mut u64,
    excess: u64,
    writing: &HashMap<u64, u32>,
    residents: Option<&dyn Residents>,
) -> Result<(u64, u64), DiskError> {
    let (mut count, mut bytes) = (0, 0);
    // Once around takes the marks away, the second time around takes the objects.
    let mut rounds = 0;
    while bytes < excess && rounds <= 2 {
        let Some(id) = batch.next(*hand)? else {
            *hand = 0;
            rounds += 1;
            continue;
        };
        *hand = id.saturating_add(1);
        if writing.contains_key(&id) || batch.forget_use(id)? {
            continue;
        }
        if let Some(residents) = residents
            && let Some(stored) = batch.read(ObjectId(id))?
            && residents.take_use(&stored.label.key, ObjectId(id))
        {
            continue;
        }
        if let Some(stored) = batch.remove(ObjectId(id))? {
            count += 1;
            bytes += stored.cost();
        }
    }
    Ok((count, bytes))
}
