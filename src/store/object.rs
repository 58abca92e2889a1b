//! An object: the bytes of one file, held open for as long as anyone sends them.
//!
//! What an `Object` promises is that its bytes never change while it lives, so that a validator made from it stays
//! true for every answer that holds it:
//!
//! - `Heap` and `Sealed` are private copies, `Sealed` ones in a region of memory that several objects may share;
//! - `Mapping` and `File` under a write guard: the kernel blocks a writer's `open` until the last holder lets go
//!   (see `sys::guard`), which is why holders of a revoked object must let go soon;
//! - `Unguarded` promises nothing: each piece is read, verified against `identity`, and only then sent;
//! - `Growing` and `Passing` are an origin's, written once by the fill threads and by nobody else.
//!
//! Threads: shared by `Arc` between the pin index, the workers and the fill threads. All methods take `&self`.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::body::{Body, BodyState};
use super::budget::Charge;
use super::demand::Stand;
use super::disk::ObjectId;
use super::pinned::Hold;
use super::pipe::{Front, Pipe};
use super::tail::Tail;
use super::window::{Seat, TooLate};
use crate::sys::file::{FileIdentity, HeldFile};
use crate::sys::mapping::Mapping;
use crate::sys::sealed::SealedMemory;
use crate::units::Waiter;

/// How the bytes of an object are held; see the module's header.
#[derive(Debug)]
pub enum Held {
    /// A private copy on the heap: small files with `hold = "memory"`.
    Heap(Box<[u8]>),
    /// A private copy in sealed memory, sent with sendfile(2): larger files with `hold = "memory"`.
    Sealed(SealedMemory),
    /// A guarded shared mapping (`hold = "mmap"`). User space never reads it: a truncated file would be SIGBUS.
    Mapping(Mapping, HeldFile),
    /// A guarded open descriptor (`hold = "file"`, and files below roots).
    File(HeldFile),
    /// An open descriptor that others may write to: read, verify, send.
    Unguarded(HeldFile),
    /// A stored response's body that is not all there yet, or too large for memory.
    Growing(Arc<Body>),
    /// The body of a response that is not stored, on its way from the origin to one client.
    Passing(PipeReader),
}

/// The reading end of a pipe; the writer finds out when it is dropped.
#[derive(Debug)]
pub struct PipeReader(Arc<Pipe>);

impl PipeReader {
    /// The one reader of `pipe`.
    #[must_use]
    pub fn new(pipe: Arc<Pipe>) -> Self {
        Self(pipe)
    }

    /// The pipe.
    #[must_use]
    pub fn pipe(&self) -> &Arc<Pipe> {
        &self.0
    }
}

impl Drop for PipeReader {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

/// A hold on a body that is on its way: who brings it sees by this that it will be read.
#[derive(Debug)]
pub struct Reading {
    object: Arc<Object>,
    seat: Option<Seat>,
    /// What it reads is not said yet.
    _stand: Option<Stand>,
}

impl Reading {
    /// A hold on the body of `object`; none where that is not on its way.
    ///
    /// # Errors
    /// [`TooLate`] where it goes on only for those who read it already.
    pub fn of(object: &Arc<Object>) -> Result<Option<Self>, TooLate> {
        let Some(body) = object.growing() else {
            return Ok(None);
        };
        let seat = Seat::of(body)?;
        Ok(Some(Self {
            object: Arc::clone(object),
            seat,
            _stand: body.stand(None),
        }))
    }

    /// The body, and the reader's place in one of unknown size.
    #[must_use]
    pub fn into_parts(self) -> (Arc<Object>, Option<Seat>) {
        (self.object, self.seat)
    }

    /// The body, for who waits until all of it is there: nothing of it waits for that.
    #[must_use]
    pub fn into_object(self) -> Arc<Object> {
        self.object
    }
}

/// The size of a body whose end is not known yet.
pub const SIZE_UNKNOWN: u64 = u64::MAX;

/// The bytes of one file and the identity that its validators were made from.
#[derive(Debug)]
pub struct Object {
    held: Held,
    identity: FileIdentity,
    revoked: AtomicBool,
    /// A guarded file's mapping, made when a large part of it is first sent.
    window: OnceLock<Option<Mapping>>,
    /// Given back when the bytes are gone: fields are dropped in their order.
    charges: Vec<Charge>,
    shared_charges: Option<Arc<SharedCharges>>,
    /// The number of the disk store's object with the same bytes; 0 for none.
    on_disk: AtomicU64,
}

/// What the memory that several objects share is charged: given back with the last of them.
#[derive(Debug)]
pub struct SharedCharges {
    _descriptor: Charge,
    /// Known when the memory is complete.
    held: OnceLock<Vec<Charge>>,
}

impl SharedCharges {
    /// Memory that takes `descriptor`.
    #[must_use]
    pub fn new(descriptor: Charge) -> Self {
        Self {
            _descriptor: descriptor,
            held: OnceLock::new(),
        }
    }

    /// Adds what the complete memory takes.
    pub fn add_held(&self, held: Vec<Charge>) {
        self.held.get_or_init(|| held);
    }
}

impl Object {
    /// An object of `identity.size` bytes.
    #[must_use]
    pub fn new(held: Held, identity: FileIdentity) -> Self {
        Self {
            held,
            identity,
            revoked: AtomicBool::new(false),
            window: OnceLock::new(),
            charges: Vec::new(),
            shared_charges: None,
            on_disk: AtomicU64::new(0),
        }
    }

    /// An object without a file: `size` bytes, or [`SIZE_UNKNOWN`].
    #[must_use]
    pub fn of_response(held: Held, size: u64) -> Self {
        let identity = FileIdentity {
            device: 0,
            inode: 0,
            size,
            modified: (0, 0),
            changed: (0, 0),
        };
        Self::new(held, identity)
    }

    /// The object, holding what it was charged to the budgets until it is dropped.
    #[must_use]
    pub fn charged(mut self, charges: impl IntoIterator<Item = Charge>) -> Self {
        self.charges.extend(charges);
        self
    }

    /// The object, holding its part of what it was charged together with others.
    #[must_use]
    pub fn charged_together(mut self, charges: Arc<SharedCharges>) -> Self {
        self.shared_charges = Some(charges);
        self
    }

    /// The disk store's object with the same bytes.
    #[must_use]
    pub fn on_disk(&self) -> Option<ObjectId> {
        let id = self.on_disk.load(Ordering::Acquire);
        (id != 0).then_some(ObjectId(id))
    }

    /// Notes which object of the disk store has the same bytes, if any.
    pub fn set_on_disk(&self, id: Option<ObjectId>) {
        self.on_disk
            .store(id.map_or(0, |id| id.0), Ordering::Release);
    }

    /// How the bytes are held.
    #[must_use]
    pub fn held(&self) -> &Held {
        &self.held
    }

    /// The hold that the bytes are really under, which a shortfall may have changed from what was asked.
    #[must_use]
    pub fn hold(&self) -> Hold {
        match &self.held {
            Held::Heap(_) | Held::Sealed(_) | Held::Growing(_) | Held::Passing(_) => Hold::Memory,
            Held::Mapping(..) => Hold::Mmap,
            Held::File(_) | Held::Unguarded(_) => Hold::File,
        }
    }

    /// All bytes, where they stand on the heap.
    #[must_use]
    pub fn in_memory(&self) -> Option<&[u8]> {
        match &self.held {
            Held::Heap(bytes) => Some(bytes),
            Held::Growing(body) => body.in_memory(),
            _ => None,
        }
    }

    /// The bytes of memory that the body takes, now or when it is complete; nothing of it that stands in a file on disk.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        match &self.held {
            Held::Heap(bytes) => bytes.len() as u64,
            Held::Growing(body) => body.memory_bytes(),
            _ => 0,
        }
    }

    /// Whether all bytes are there.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.state() == BodyState::Complete
    }

    /// Whether the bytes are those that were stored, as far as the device has told.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.growing().is_none_or(|body| body.is_sound())
    }

    /// Whether new answers may be made from the body: it is sound, and not one that goes on only for those who read it already.
    #[must_use]
    pub fn takes_readers(&self) -> bool {
        self.growing()
            .is_none_or(|body| body.is_sound() && body.takes_readers())
    }

    /// The body that grows, or stands in a file of its own.
    #[must_use]
    pub fn growing(&self) -> Option<&Arc<Body>> {
        match &self.held {
            Held::Growing(body) => Some(body),
            _ => None,
        }
    }

    /// How many bytes can be sent from `first` on: fewer than are left only where more are still to come.
    #[must_use]
    pub fn run_from(&self, first: u64) -> u64 {
        match &self.held {
            Held::Growing(body) => body.run_from(first),
            Held::Passing(reader) => match reader.0.front() {
                Front::Bytes(bytes) => bytes.len() as u64,
                Front::Empty | Front::End | Front::Failed => 0,
            },
            _ => self.size().saturating_sub(first),
        }
    }

    /// Whether more bytes come.
    #[must_use]
    pub fn state(&self) -> BodyState {
        match &self.held {
            Held::Growing(body) => body.state(),
            Held::Passing(reader) => match reader.0.front() {
                Front::Bytes(_) | Front::Empty => BodyState::Open,
                Front::End => BodyState::Complete,
                Front::Failed => BodyState::Failed,
            },
            _ => BodyState::Complete,
        }
    }

    /// What comes behind the bytes of one that is still on its way; none where nothing can.
    #[must_use]
    pub fn tail(&self) -> Option<&Tail> {
        match &self.held {
            Held::Growing(body) => Some(body.tail()),
            Held::Passing(reader) => Some(reader.0.tail()),
            _ => None,
        }
    }

    /// Has `waiter` told, once, when there are bytes from `first` on, or when none come any more; false where it is so now.
    #[must_use]
    pub fn subscribe(&self, waiter: Waiter, first: u64) -> bool {
        match &self.held {
            Held::Growing(body) => body.subscribe(waiter, first),
            Held::Passing(reader) => reader.0.subscribe_reader(waiter),
            _ => false,
        }
    }

    /// The file's identity when the bytes were taken.
    #[must_use]
    pub fn identity(&self) -> &FileIdentity {
        &self.identity
    }

    /// The size in bytes; [`SIZE_UNKNOWN`] where the end of the body has not been seen yet.
    #[must_use]
    pub fn size(&self) -> u64 {
        match &self.held {
            Held::Growing(body) => body.size().unwrap_or(SIZE_UNKNOWN),
            _ => self.identity.size,
        }
    }

    /// Marks the object as wanted back: somebody waits to write to the file. Holders finish soon or abort.
    pub fn revoke(&self) {
        self.revoked.store(true, Ordering::Release);
    }

    /// Whether somebody waits for the object to be let go.
    #[must_use]
    pub fn is_revoked(&self) -> bool {
        self.revoked.load(Ordering::Acquire)
    }

    /// A guarded file's mapping, for the kernel to copy from; none where there is no guard or no room for a mapping.
    #[must_use]
    pub fn mapping(&self) -> Option<&Mapping> {
        match &self.held {
            Held::Mapping(mapping, _) => Some(mapping),
            Held::File(file) => {
                let window = self
                    .window
                    .get_or_init(|| Mapping::of(file, self.size()).ok());
                window.as_ref()
            }
            _ => None,
        }
    }

    /// The guarded descriptor, where the object has one.
    #[must_use]
    pub fn guarded(&self) -> Option<&HeldFile> {
        match &self.held {
            Held::Mapping(_, file) | Held::File(file) => Some(file),
            _ => None,
        }
    }

    /// Whether a new answer may be made from the object: nobody waits for it, and an unguarded file is as it was.
    #[must_use]
    pub fn is_true(&self) -> bool {
        match &self.held {
            Held::Unguarded(file) => !self.is_revoked() && file.matches(&self.identity),
            _ => !self.is_revoked(),
        }
    }
}
