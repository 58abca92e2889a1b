//! A worker's inbox: what other threads tell it, through a bounded queue and a wake-up.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use super::settings::Limits;
use crate::cache::order::Filled;
use crate::index::sites::SiteTable;
use crate::sys::wake::Wake;

/// Most orders that a worker has with the fill threads at once; one more is refused.
pub const ORDERS_MAX: usize = 1024;

/// Places for everything else that a worker may be told.
const NOTICES_MAX: usize = 16;

/// Something told to a worker.
#[derive(Debug)]
pub enum Mail {
    /// An order is filled.
    Filled(Filled),
    /// The config was reloaded.
    Reloaded(Arc<SiteTable>, Limits),
    /// Stop accepting, finish what is under way, go.
    Drain,
}

/// The sending end; any thread may hold one.
#[derive(Clone, Debug)]
pub struct Postbox {
    queue: SyncSender<Mail>,
    wake: Arc<Wake>,
    revoked: Arc<AtomicBool>,
}

impl Postbox {
    /// Delivers `mail`. The queue has a place for every order a worker may have, so this waits only when notices pile
    /// up; false when the worker is gone.
    pub fn deliver(&self, mail: Mail) -> bool {
        let delivered = self.queue.send(mail).is_ok();
        self.wake.wake();
        delivered
    }

    /// Puts `mail` where the worker finds it when it is woken next, which is the caller's to do soon. Where there is no place,
    /// wakes it and waits for one, as [`deliver`](Self::deliver) does; false when the worker is gone.
    pub fn put(&self, mail: Mail) -> bool {
        match self.queue.try_send(mail) {
            Ok(()) => true,
            Err(TrySendError::Full(mail)) => {
                self.wake.wake();
                self.queue.send(mail).is_ok()
            }
            Err(TrySendError::Disconnected(_)) => false,
        }
    }

    /// Tells the worker that somebody waits to write to a file that it may hold.
    pub fn revoke(&self) {
        self.revoked.store(true, Ordering::Release);
        self.wake.wake();
    }

    /// Wakes the worker: there is a new snapshot, or its latencies are wanted.
    pub fn wake(&self) {
        self.wake.wake();
    }
}

/// The receiving end.
#[derive(Debug)]
pub struct Inbox {
    queue: Receiver<Mail>,
    wake: Arc<Wake>,
    revoked: Arc<AtomicBool>,
}

impl Inbox {
    /// An inbox and its postbox.
    ///
    /// # Errors
    ///
    /// Out of descriptors.
    pub fn new() -> io::Result<(Postbox, Self)> {
        let (sender, receiver) = sync_channel(ORDERS_MAX + NOTICES_MAX);
        let wake = Arc::new(Wake::new()?);
        let revoked = Arc::new(AtomicBool::new(false));
        Ok((
            Postbox {
                queue: sender,
                wake: Arc::clone(&wake),
                revoked: Arc::clone(&revoked),
            },
            Self {
                queue: receiver,
                wake,
                revoked,
            },
        ))
    }

    /// What the worker waits on.
    #[must_use]
    pub fn wake(&self) -> &Wake {
        &self.wake
    }

    /// Whether somebody has come to wait for a file since this was asked last.
    #[must_use]
    pub fn take_revoked(&self) -> bool {
        self.revoked.swap(false, Ordering::AcqRel)
    }

    /// The next mail, if any.
    pub fn take(&self) -> Option<Mail> {
        self.queue.try_recv().ok()
    }
}
