//! From an open file to an object whose bytes are those of its identity.
//!
//! What makes that true, by the way the bytes are held:
//!
//! - guarded: the guard is taken first, the identity afterwards, so nobody wrote in between and nobody can write now;
//! - copied: the identity is the same before and after the copy, and the guard (where it was granted) unbroken;
//! - unguarded: the content has been at rest for [`SETTLED`], so that any later write changes the file's times.
//!
//! File times have a granularity: two writes within a tick of the kernel's clock leave the same times, and two contents
//! would have one identity. So no object is made of a content younger than [`TICK`]; the loader waits that long.
//!
//! A file whose writer waits for an object of ours is not held unguarded meanwhile: its bytes are about to change, and
//! every answer from it would be broken off.
//!
//! Threads: any thread that may block. An object that is alive is shared by all who load the same file in the same way.

use std::io;
use std::path::Path;
#[expect(
    clippy::disallowed_types,
    reason = "taken when a file is loaded, never for an answer"
)]
use std::sync::Mutex;
use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use hashbrown::HashMap;

use super::packing::{Packing, Regions};
use super::rule::Hold;
pub use super::trouble::{LoadError, Shortfall};
use crate::store::budget::{Budget, Charge};
use crate::store::guards::Guards;
use crate::store::{Held, Object};
use crate::sys::clock;
use crate::sys::file::{FileIdentity, HeldFile, OpenRefused};
use crate::sys::guard::GuardRefused;
use crate::sys::mapping::Mapping;
use crate::sys::sealed::PAGE_SIZE;
use crate::units::ByteSize;

/// Copies up to this size live on the heap, beside their head, and go out in one send; larger ones in sealed memory.
pub const HEAP_MAX: u64 = 32 * 1024;

/// The coarsest granularity of file times (a tick at 100 Hz), doubled.
pub const TICK: Duration = Duration::from_millis(20);

/// How long a file that can't be guarded must have been at rest.
pub const SETTLED: Duration = Duration::from_millis(500);

/// Bytes copied in one step.
const COPY_SIZE: usize = 256 * 1024;

const HOLDS: [Hold; 3] = [Hold::File, Hold::Mmap, Hold::Memory];

/// Whether to wait for a writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// A file that somebody has open for writing is `ChangingNow`.
    Wait,
    /// A file that somebody keeps open for writing is held unguarded once it is settled.
    TakeUnguarded,
}

/// A loaded file.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The object.
    pub object: Arc<Object>,
    /// Why it is held otherwise than asked.
    pub shortfall: Option<Shortfall>,
}

/// The budgets that objects are charged to.
#[derive(Clone, Debug)]
pub struct Budgets {
    /// Bytes of private copies.
    pub memory: Arc<Budget>,
    /// Descriptors held open.
    pub descriptors: Arc<Budget>,
}

type Alive = HashMap<(FileIdentity, Hold), (Weak<Object>, Option<Shortfall>)>;

/// Loads files and shares the objects that are alive.
#[derive(Debug)]
#[expect(clippy::disallowed_types, reason = "see the import")]
pub struct Loader {
    guards: Arc<Guards>,
    alive: Mutex<Alive>,
    pub(super) regions: Regions,
}

impl Loader {
    /// A loader whose objects register with `guards`.
    #[must_use]
    #[expect(clippy::disallowed_types, reason = "see the import")]
    pub fn new(guards: Arc<Guards>) -> Arc<Self> {
        Arc::new(Self {
            guards,
            alive: Mutex::new(Alive::new()),
            regions: Regions::new(),
        })
    }

    /// The table of guarded objects.
    #[must_use]
    pub fn guards(&self) -> &Arc<Guards> {
        &self.guards
    }

    /// Lets the copies that are made until the answer is dropped share memory. To be dropped before they are published.
    #[must_use]
    pub fn pack(&self) -> Packing<'_> {
        self.regions.pack()
    }

    /// Bytes of sealed memory that copies take, slack and what is shared with copies that went included.
    #[must_use]
    pub fn memory_held(&self) -> u64 {
        self.regions.held()
    }

    /// Loads the file under `path`.
    ///
    /// # Errors
    /// Why it was not loaded.
    pub fn load(
        &self,
        path: &Path,
        hold: Hold,
        patience: Patience,
        budgets: &Budgets,
    ) -> Result<Loaded, LoadError> {
        self.load_by(|| HeldFile::open(path), hold, patience, budgets)
    }

    /// Loads the file that `open` opens.
    ///
    /// # Errors
    /// Why it was not loaded.
    pub fn load_by(
        &self,
        open: impl FnOnce() -> Result<HeldFile, OpenRefused>,
        hold: Hold,
        patience: Patience,
        budgets: &Budgets,
    ) -> Result<Loaded, LoadError> {
        let out_of_descriptors = || LoadError::OutOfDescriptors {
            max: budgets.descriptors.max(),
        };
        let file = open().map_err(|refused| match refused {
            OpenRefused::Missing => LoadError::Missing,
            OpenRefused::Directory => LoadError::Directory,
            OpenRefused::NotRegular => LoadError::NotRegular,
            OpenRefused::NotReadable => LoadError::NotReadable,
            OpenRefused::OutsideRoot => LoadError::OutsideRoot,
            OpenRefused::Busy => LoadError::ChangingNow,
            OpenRefused::OutOfDescriptors => out_of_descriptors(),
            OpenRefused::Failed(error) => LoadError::Io(error),
        })?;
        // Before anything is charged: a reload shares what the pins before it hold, however full the budgets are.
        let alive = self.find_alive(&file.identity()?, hold);
        let is_best = |alive: &&Loaded| !could_be_better(alive, budgets);
        if let Some(alive) = alive.as_ref().filter(is_best) {
            return Ok(alive.clone());
        }
        let Some(descriptor) = budgets.descriptors.take(1) else {
            return alive.ok_or_else(out_of_descriptors);
        };
        let (object, shortfall) = match hold {
            Hold::Memory => self.copy(file, patience, budgets, descriptor)?,
            Hold::File | Hold::Mmap => self.hold(file, hold, patience, descriptor)?,
        };
        // No better than what is there: whoever holds that need not take another.
        if let Some(alive) = alive.filter(|alive| is_equal(&alive.object, &object)) {
            return Ok(alive);
        }
        let loaded = Loaded {
            object: Arc::new(object),
            shortfall,
        };
        if !self.guards.register(&loaded.object) {
            return Err(LoadError::ChangingNow);
        }
        self.remember(&loaded, hold);
        Ok(loaded)
    }

    /// Takes the guard, and waits until the content is old enough to be told from a later one. Returns the identity of
    /// the content and why there is no guard.
    fn settle(
        &self,
        file: &HeldFile,
        patience: Patience,
    ) -> Result<(FileIdentity, Option<GuardRefused>), LoadError> {
        let refused = match file.guard(self.guards.owner()) {
            Ok(()) => None,
            Err(GuardRefused::WrittenNow) if self.is_wanted_back(&file.identity()?) => {
                return Err(LoadError::WriterWaits);
            }
            Err(GuardRefused::WrittenNow) if patience == Patience::Wait => {
                return Err(LoadError::ChangingNow);
            }
            Err(refused) => Some(refused),
        };
        let identity = file.identity()?;
        // A time in the future comes from a clock that was set back; what is written now has another one.
        if let Some(age) = identity.age_at(clock::wall()) {
            if refused.is_some() && age < SETTLED {
                return Err(LoadError::ChangingNow);
            }
            if age < TICK {
                clock::pause(TICK - age);
            }
        }
        Ok((identity, refused))
    }

    fn hold(
        &self,
        file: HeldFile,
        hold: Hold,
        patience: Patience,
        descriptor: Charge,
    ) -> Result<(Object, Option<Shortfall>), LoadError> {
        let (identity, refused) = self.settle(&file, patience)?;
        let (held, shortfall) = match (refused, hold) {
            (Some(reason), _) => (Held::Unguarded(file), Some(Shortfall::Unguarded(reason))),
            (None, Hold::Mmap) if identity.size > 0 => match Mapping::of(&file, identity.size) {
                Ok(mapping) => (Held::Mapping(mapping, file), None),
                Err(_) => (Held::File(file), Some(Shortfall::Unmapped)),
            },
            (None, _) => (Held::File(file), None),
        };
        Ok((Object::new(held, identity).charged([descriptor]), shortfall))
    }

    fn copy(
        &self,
        file: HeldFile,
        patience: Patience,
        budgets: &Budgets,
        descriptor: Charge,
    ) -> Result<(Object, Option<Shortfall>), LoadError> {
        let (identity, refused) = self.settle(&file, patience)?;
        let is_small = identity.size <= HEAP_MAX;
        let needed = if is_small {
            identity.size
        } else {
            identity.size.next_multiple_of(PAGE_SIZE)
        };
        let Some(memory) = budgets.memory.take(needed) else {
            let (object, unguarded) = self.hold(file, Hold::File, patience, descriptor)?;
            let shortfall = unguarded.unwrap_or(Shortfall::OverBudget {
                needed: ByteSize(needed),
                left: ByteSize(budgets.memory.left()),
            });
            return Ok((object, Some(shortfall)));
        };
        let source = CopySource {
            file: &file,
            identity: &identity,
            is_guarded: refused.is_none(),
        };
        if is_small {
            let mut bytes = Vec::with_capacity(usize::try_from(identity.size).unwrap_or(0));
            source.read_all(|piece| {
                bytes.extend_from_slice(piece);
                Ok(())
            })?;
            let object = Object::new(Held::Heap(bytes.into()), identity).charged([memory]);
            return Ok((object, None));
        }
        let (sealed, together) = self.regions.copy(identity.size, descriptor, |copy| {
            source.read_all(|piece| copy.append(piece))
        })?;
        let object = Object::new(Held::Sealed(sealed), identity)
            .charged([memory])
            .charged_together(together);
        Ok((object, None))
    }

    fn find_alive(&self, identity: &FileIdentity, hold: Hold) -> Option<Loaded> {
        let alive = self.alive.lock().unwrap_or_else(PoisonError::into_inner);
        let (object, shortfall) = alive.get(&(*identity, hold))?;
        let loaded = Loaded {
            object: object.upgrade()?,
            shortfall: *shortfall,
        };
        (!loaded.object.is_revoked()).then_some(loaded)
    }

    /// Whether a writer waits for an object of this content that answers still hold.
    fn is_wanted_back(&self, identity: &FileIdentity) -> bool {
        let alive = self.alive.lock().unwrap_or_else(PoisonError::into_inner);
        let object = |hold| alive.get(&(*identity, hold))?.0.upgrade();
        HOLDS.into_iter().filter_map(object).any(|object| {
            let is_broken = object.guarded().map(HeldFile::is_guard_broken);
            is_broken.is_some_and(|is_broken| is_broken || object.is_revoked())
        })
    }

    fn remember(&self, loaded: &Loaded, hold: Hold) {
        let mut alive = self.alive.lock().unwrap_or_else(PoisonError::into_inner);
        if alive.len() == alive.capacity() {
            alive.retain(|_, (object, _)| object.strong_count() > 0);
        }
        let key = (*loaded.object.identity(), hold);
        alive.insert(key, (Arc::downgrade(&loaded.object), loaded.shortfall));
    }
}

/// Whether what falls short of what was asked could be done better now.
fn could_be_better(loaded: &Loaded, budgets: &Budgets) -> bool {
    match loaded.shortfall {
        Some(Shortfall::Unguarded(_)) => true,
        Some(Shortfall::OverBudget { needed, .. }) => needed.0 <= budgets.memory.left(),
        Some(Shortfall::Unmapped) | None => false,
    }
}

/// Whether both hold the same content in the same way.
fn is_equal(one: &Object, other: &Object) -> bool {
    let is_same_way = std::mem::discriminant(one.held()) == std::mem::discriminant(other.held());
    is_same_way && one.identity() == other.identity() && !one.is_revoked()
}

/// A file that is copied whole.
struct CopySource<'a> {
    file: &'a HeldFile,
    identity: &'a FileIdentity,
    is_guarded: bool,
}

impl CopySource<'_> {
    /// Gives every piece to `take`. Stops early when a writer waits: the copy is retried when it is done.
    fn read_all(&self, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> Result<(), LoadError> {
        let mut buffer = vec![0; COPY_SIZE];
        let mut copied = 0;
        loop {
            let count = self.file.read(&mut buffer, copied)?;
            if count == 0 {
                break;
            }
            take(&buffer[..count])?;
            copied += count as u64;
            if self.is_guarded && self.file.is_guard_broken() {
                return Err(LoadError::ChangingNow);
            }
        }
        if copied != self.identity.size || !self.file.matches(self.identity) {
            return Err(LoadError::ChangingNow);
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
