//! The write guard: while it is held, the kernel makes everybody who wants to write to the file wait.
//!
//! Why: bytes that sendfile(2) or a send from a mapping put into a socket's queue are references to the page cache.
//! Somebody who edits the file in place would change them under way, below a validator that was sent long before. A
//! check before or after the send can't see that; only keeping the writer out can.
//!
//! How, in the order in which things happen:
//!
//! 1. [`HeldFile::guard`] takes a read lease (fcntl(2), F_SETLEASE) on the open descriptor. It is granted only when
//!    nobody has the file open for writing, so the content is at rest from then on.
//! 2. A writer's open(2) or truncate(2) blocks (with O_NONBLOCK it fails with EWOULDBLOCK) and the kernel sends a
//!    signal to the guard's owner: the thread that made [`BreakSignals`]. The signal is a real-time one, is directed at
//!    that thread alone (F_OWNER_TID) and is blocked there, so that it queues up and is read from a signalfd. No other
//!    thread needs to block it, and it is not lost when the thread that took the guard ends.
//! 3. The owner revokes the object (`store::Object::revoke`), takes it out of the indexes and wakes the workers. Each
//!    lets go when its answers are out of the kernel's send queue, or aborts them after a grace.
//! 4. The last holder drops the object, which unmaps and closes the file; that ends the lease and the writer goes on.
//! 5. After `/proc/sys/fs/lease-break-time` (45 s) the kernel goes on without us, which is why step 3 has a deadline.
//!
//! When the signal queue is full the kernel sends a plain SIGIO without a descriptor: then every guarded descriptor is
//! asked with [`HeldFile::is_guard_broken`]. A descriptor number in a signal may have been reused since; the same
//! question tells.
//!
//! What it does not see: changes of the file's name (rename, unlink), mode or times; none of them changes bytes. What
//! it needs: the process owns the file or has CAP_LEASE, and the file system has leases (NFS and FUSE mostly do not).
#![expect(
    unsafe_code,
    reason = "fcntl leases, signal masks and signalfd have no safe form"
)]

use std::io;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use libc::c_int;

use super::file::HeldFile;

// Constants of <asm-generic/fcntl.h> that libc has for some targets only.
const F_SETSIG: c_int = 10;
const F_SETOWN_EX: c_int = 15;
const F_OWNER_TID: c_int = 0;

/// `struct f_owner_ex` of fcntl(2).
#[repr(C)]
struct OwnerEx {
    kind: c_int,
    thread: libc::pid_t,
}

/// Size of a record read from a signalfd, and where `ssi_signo` and `ssi_fd` stand in it (signalfd(2)).
const RECORD_SIZE: usize = size_of::<libc::signalfd_siginfo>();
const FD_AT: usize = std::mem::offset_of!(libc::signalfd_siginfo, ssi_fd);

/// The thread that is told when somebody wants to write to a guarded file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuardOwner {
    thread: libc::pid_t,
}

/// Why a file has no guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GuardRefused {
    /// Somebody has the file open for writing.
    WrittenNow,
    /// The file belongs to another user and the process lacks CAP_LEASE.
    NotOwner,
    /// The file system has no leases, or they are turned off.
    NotSupported,
}

impl std::fmt::Display for GuardRefused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::WrittenNow => "another program keeps it open for writing",
            Self::NotOwner => {
                "it belongs to another user (give the server CAP_LEASE or the file's owner)"
            }
            Self::NotSupported => "its file system has no leases",
        })
    }
}

/// The queue of signals about guards that are wanted back. Stays on the thread that made it.
#[derive(Debug)]
pub struct BreakSignals {
    descriptor: OwnedFd,
    owner: GuardOwner,
    /// A signalfd gives each thread its own signals, so another thread would never see these.
    stays_here: PhantomData<*const ()>,
}

/// A guard that is wanted back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    /// That of this descriptor, most likely; see [`HeldFile::is_guard_broken`].
    Of(RawFd),
    /// The queue ran over: ask every guarded descriptor.
    Unknown,
}

fn break_signal() -> c_int {
    libc::SIGRTMIN() + 3
}

impl BreakSignals {
    /// Makes this thread an owner of guards.
    ///
    /// # Errors
    /// Those of pthread_sigmask(3) and signalfd(2).
    pub fn of_this_thread() -> io::Result<Self> {
        let mut set = MaybeUninit::<libc::sigset_t>::zeroed();
        // SAFETY: `set` is writable memory for one sigset_t.
        unsafe { libc::sigemptyset(set.as_mut_ptr()) };
        for signal in [break_signal(), libc::SIGIO] {
            // SAFETY: `set` was initialised by sigemptyset; the signal numbers are valid ones.
            unsafe { libc::sigaddset(set.as_mut_ptr(), signal) };
        }
        // SAFETY: `set` is an initialised sigset_t; a null old set is allowed.
        let error =
            unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), std::ptr::null_mut()) };
        if error != 0 {
            return Err(io::Error::from_raw_os_error(error));
        }
        // SAFETY: `set` is an initialised sigset_t; -1 asks for a new descriptor.
        let raw =
            unsafe { libc::signalfd(-1, set.as_ptr(), libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
        if raw < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Self {
            // SAFETY: signalfd returned a descriptor that nobody else owns.
            descriptor: unsafe { OwnedFd::from_raw_fd(raw) },
            owner: GuardOwner {
                thread: rustix::thread::gettid().as_raw_nonzero().get(),
            },
            stays_here: PhantomData,
        })
    }

    /// The owner to take guards for.
    #[must_use]
    pub fn owner(&self) -> GuardOwner {
        self.owner
    }

    /// The next guard that is wanted back; `None` when there is none now.
    #[must_use]
    pub fn next(&self) -> Option<Break> {
        let mut record = [0_u8; RECORD_SIZE];
        match rustix::io::read(&self.descriptor, &mut record) {
            Ok(RECORD_SIZE) => {}
            // EAGAIN: the queue is empty. A signalfd gives whole records and no other error here.
            _ => return None,
        }
        let word = |at: usize| {
            let mut bytes = [0; 4];
            bytes.copy_from_slice(&record[at..at + 4]);
            i32::from_ne_bytes(bytes)
        };
        if word(0) == break_signal() {
            Some(Break::Of(word(FD_AT)))
        } else {
            Some(Break::Unknown)
        }
    }
}

impl AsFd for BreakSignals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

impl HeldFile {
    /// Takes the write guard for `owner`. It ends when the last descriptor and mapping of this open file is closed.
    ///
    /// # Errors
    /// Why the kernel does not grant it.
    pub fn guard(&self, owner: GuardOwner) -> Result<(), GuardRefused> {
        let raw = self.as_fd().as_raw_fd();
        let told = OwnerEx {
            kind: F_OWNER_TID,
            thread: owner.thread,
        };
        // The owner and the signal go first: a break must find both.
        // SAFETY: the descriptor is open; F_SETOWN_EX reads one f_owner_ex, which `told` is.
        let set = unsafe { libc::fcntl(raw, F_SETOWN_EX, &raw const told) };
        if set < 0 {
            return Err(GuardRefused::NotSupported);
        }
        // SAFETY: the descriptor is open; F_SETSIG takes a signal number.
        let set = unsafe { libc::fcntl(raw, F_SETSIG, break_signal()) };
        if set < 0 {
            return Err(GuardRefused::NotSupported);
        }
        // SAFETY: the descriptor is open for reading; F_SETLEASE takes a lock type.
        let set = unsafe { libc::fcntl(raw, libc::F_SETLEASE, libc::F_RDLCK) };
        if set == 0 {
            return Ok(());
        }
        Err(match io::Error::last_os_error().raw_os_error() {
            Some(libc::EAGAIN) => GuardRefused::WrittenNow,
            Some(libc::EACCES | libc::EPERM) => GuardRefused::NotOwner,
            _ => GuardRefused::NotSupported,
        })
    }

    /// Whether the file has no guard (any more), or somebody waits to have it back.
    #[must_use]
    pub fn is_guard_broken(&self) -> bool {
        // SAFETY: the descriptor is open; F_GETLEASE takes no argument.
        let lease = unsafe { libc::fcntl(self.as_fd().as_raw_fd(), libc::F_GETLEASE) };
        lease != libc::F_RDLCK
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    fn wait_for(signals: &BreakSignals) -> Break {
        for _ in 0..500 {
            if let Some(found) = signals.next() {
                return found;
            }
            crate::sys::clock::pause(Duration::from_millis(10));
        }
        panic!("no signal within 5 s");
    }

    #[test]
    fn guard_blocks_a_writer_until_the_file_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, b"old").unwrap();
        let signals = BreakSignals::of_this_thread().unwrap();
        let file = HeldFile::open(&path).unwrap();
        // Taken by a thread that ends: the signal must still come here.
        let owner = signals.owner();
        std::thread::scope(|scope| {
            scope.spawn(|| file.guard(owner).unwrap()).join().unwrap();
        });
        assert!(!file.is_guard_broken());
        let wrote = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::fs::write(&path, b"new").unwrap();
                wrote.store(true, Ordering::SeqCst);
            });
            assert_eq!(wait_for(&signals), Break::Of(file.as_fd().as_raw_fd()));
            assert!(file.is_guard_broken());
            crate::sys::clock::pause(Duration::from_millis(50));
            assert!(!wrote.load(Ordering::SeqCst));
            let mut buffer = [0; 3];
            assert_eq!(file.read(&mut buffer, 0).unwrap(), 3);
            assert_eq!(&buffer, b"old");
            drop(file);
        });
        assert!(wrote.load(Ordering::SeqCst));
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
    }

    #[test]
    fn guard_of_a_file_being_written_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let writer = std::fs::File::create(&path).unwrap();
        let signals = BreakSignals::of_this_thread().unwrap();
        let file = HeldFile::open(&path).unwrap();
        assert_eq!(file.guard(signals.owner()), Err(GuardRefused::WrittenNow));
        drop(writer);
        assert_eq!(file.guard(signals.owner()), Ok(()));
    }

    #[test]
    fn guard_breaks_for_truncation_by_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, b"old").unwrap();
        let signals = BreakSignals::of_this_thread().unwrap();
        let file = HeldFile::open(&path).unwrap();
        file.guard(signals.owner()).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let name = std::ffi::CString::new(path.as_os_str().as_encoded_bytes()).unwrap();
                // SAFETY: `name` is a string with its final NUL that outlives the call.
                assert_eq!(unsafe { libc::truncate(name.as_ptr(), 0) }, 0);
            });
            assert!(matches!(wait_for(&signals), Break::Of(_)));
            assert_eq!(file.identity().unwrap().size, 3);
            drop(file);
        });
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 0);
    }
}
