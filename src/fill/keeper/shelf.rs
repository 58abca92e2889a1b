//! Bodies that hold a descriptor: how many there may be, and which go when one more is wanted.
//!
//! A stored response with a body in a file holds that file open as long as it is in memory. Those that were not used lately are let go
//! of, the oldest first; one in the disk store is found there again.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use crate::index::response::Response;
use crate::index::responses::Responses;
use crate::store::Object;
use crate::store::budget::{Budget, Charge};

/// Bodies that are looked at for one that can go.
const LOOKED_AT_MAX: usize = 256;

/// A body, and the key that it is stored under.
type Shelved = (Box<[u8]>, Weak<Object>);

/// See the module's header. Lives on the fill thread.
#[derive(Debug)]
pub(super) struct Shelf {
    descriptors: Arc<Budget>,
    responses: Arc<Responses>,
    bodies: RefCell<VecDeque<Shelved>>,
}

impl Shelf {
    pub(super) fn new(descriptors: Arc<Budget>, responses: Arc<Responses>) -> Self {
        Self {
            descriptors,
            responses,
            bodies: RefCell::default(),
        }
    }

    /// Room for one more descriptor; none where all of them are in use.
    pub(super) fn room(&self) -> Option<Charge> {
        for _ in 0..LOOKED_AT_MAX {
            if let Some(charge) = self.descriptors.take(1) {
                return Some(charge);
            }
            if !self.let_one_go() {
                break;
            }
        }
        self.descriptors.take(1)
    }

    /// Notes a body that holds one, stored under `key`.
    pub(super) fn put(&self, key: &[u8], object: &Arc<Object>) {
        let mut bodies = self.bodies.borrow_mut();
        if bodies.len() as u64 >= 2 * self.descriptors.max() {
            bodies.retain(|(_, object)| object.strong_count() > 0);
        }
        bodies.push_back((key.into(), Arc::downgrade(object)));
    }

    /// The key that a body is stored under; none of one that is not in a file, or was let go.
    pub(super) fn key_of(&self, object: &Arc<Object>) -> Option<Box<[u8]>> {
        let bodies = self.bodies.borrow();
        let mut all = bodies.iter();
        let (key, _) = all.find(|(_, known)| std::ptr::eq(known.as_ptr(), Arc::as_ptr(object)))?;
        Some(key.clone())
    }

    /// Has the oldest body go that was not used since the last time. False where there is none.
    fn let_one_go(&self) -> bool {
        let mut looked_at = 0;
        while looked_at < LOOKED_AT_MAX {
            looked_at += 1;
            let Some((key, weak)) = self.bodies.borrow_mut().pop_front() else {
                return false;
            };
            let Some(object) = weak.upgrade() else {
                continue;
            };
            let holders = responses_of(&self.responses, &key, &object);
            let is_used = holders.iter().any(|one| one.use_count().take_held());
            let is_last_look = looked_at == LOOKED_AT_MAX;
            if is_used && !is_last_look {
                self.bodies.borrow_mut().push_back((key, weak));
                continue;
            }
            for response in &holders {
                self.responses.remove(response);
            }
            return true;
        }
        false
    }
}

/// The stored responses under `key` that have this body.
pub(super) fn responses_of(
    responses: &Responses,
    key: &[u8],
    object: &Arc<Object>,
) -> Vec<Arc<Response>> {
    let found = responses.find(key);
    let all = found.iter().flat_map(|found| found.iter());
    all.filter(|response| Arc::ptr_eq(&response.object, object))
        .cloned()
        .collect()
}

/// Removes the stored responses under `key` that have this body, whatever of their heads was freshened meanwhile.
pub(super) fn leave_memory(responses: &Responses, key: &[u8], object: &Arc<Object>) {
    for response in responses_of(responses, key, object) {
        responses.remove(&response);
    }
}
