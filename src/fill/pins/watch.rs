//! The thread "pins": waits for guards that are wanted back, for changes of files and for orders, and keeps the board.
//!
//! A guard that is wanted back is answered at once, between any two other steps: a writer waits for it. Events are
//! gathered for [`GATHER`], since one save of a file is several of them. They come from notify's own thread through a
//! bounded queue; when that runs over, everything is looked at.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, EventKind};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

use super::board::Board;
use super::report::PinReport;
use crate::store::pinned::PinRule;
use crate::sys::clock;
use crate::sys::guard::BreakSignals;
use crate::units::MonoNanos;

/// How long events are gathered before they are acted on.
const GATHER: Duration = Duration::from_millis(20);

/// Most paths that wait to be looked at; more, and everything is.
pub(super) const EVENTS_MAX: usize = 4096;

/// What the thread is asked to do.
#[derive(Debug)]
pub(super) enum Command {
    Reload(Vec<PinRule>, SyncSender<PinReport>),
    Report(SyncSender<PinReport>),
    Stop,
}

/// Wakes the thread.
#[derive(Clone, Debug)]
pub(super) struct Bell(Arc<OwnedFd>);

impl Bell {
    pub(super) fn new() -> io::Result<Self> {
        let descriptor = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self(Arc::new(descriptor)))
    }

    pub(super) fn ring(&self) {
        // The only failure is a counter at its end, and then the bell rings already.
        rustix::io::write(&*self.0, &1_u64.to_ne_bytes()).ok();
    }

    fn calm(&self) {
        let mut count = [0; 8];
        rustix::io::read(&*self.0, &mut count).ok();
    }
}

/// Where notify's thread puts what it sees.
#[derive(Clone, Debug)]
pub(super) struct EventSink {
    pub(super) paths: SyncSender<PathBuf>,
    pub(super) has_lost: Arc<AtomicBool>,
    pub(super) bell: Bell,
}

impl notify::EventHandler for EventSink {
    fn handle_event(&mut self, event: notify::Result<notify::Event>) {
        let paths = match event {
            Ok(event) if event.need_rescan() => None,
            Ok(event) if is_change(event.kind) => Some(event.paths),
            Ok(_) => return,
            Err(_) => None,
        };
        let is_lost = match paths {
            Some(paths) => paths
                .into_iter()
                .any(|path| self.paths.try_send(path).is_err()),
            None => true,
        };
        if is_lost {
            self.has_lost.store(true, Ordering::Release);
        }
        self.bell.ring();
    }
}

/// Opening and reading a file, which this server itself does, changes nothing.
fn is_change(kind: EventKind) -> bool {
    !matches!(kind, EventKind::Access(access) if access != AccessKind::Close(AccessMode::Write))
}

/// The thread's ends of all queues.
pub(super) struct Watch {
    pub(super) signals: BreakSignals,
    pub(super) bell: Bell,
    pub(super) paths: Receiver<PathBuf>,
    pub(super) has_lost: Arc<AtomicBool>,
    pub(super) commands: Receiver<Command>,
}

impl Watch {
    /// Runs until it is told to stop.
    pub(super) fn run(self, mut board: Board) {
        let mut gathered = BTreeSet::new();
        let mut gathered_at = None;
        loop {
            let due = board.next_due().into_iter().chain(gathered_at).min();
            self.wait(due);
            self.answer_breaks(&mut board);
            if self.obey(&mut board) {
                return;
            }
            gathered.extend(self.paths.try_iter().take(EVENTS_MAX));
            let now = clock::mono();
            if gathered_at.is_none()
                && (!gathered.is_empty() || self.has_lost.load(Ordering::Acquire))
            {
                gathered_at = Some(now.after(GATHER));
            }
            if gathered_at.is_some_and(|at| at <= now) {
                gathered_at = None;
                self.look_at(&mut board, &mut gathered);
            }
            board.tick(now);
            board.publish();
        }
    }

    fn wait(&self, due: Option<MonoNanos>) {
        let timeout = due.map(|due| {
            let left = due.since(clock::mono());
            Timespec {
                tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: left.subsec_nanos().into(),
            }
        });
        let mut sources = [
            PollFd::from_borrowed_fd(self.signals.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(self.bell.0.as_fd(), PollFlags::IN),
        ];
        // EINTR is the only failure, and the loop looks at everything anyway.
        poll(&mut sources, timeout.as_ref()).ok();
        self.bell.calm();
    }

    /// Gives back the guards that writers wait for.
    fn answer_breaks(&self, board: &mut Board) {
        let mut revoked = 0;
        while let Some(wanted) = self.signals.next() {
            revoked += board.loader().guards().answer(wanted);
        }
        if revoked > 0 {
            board.drop_revoked();
            board.publish();
        }
    }

    /// Does what was ordered. Returns whether that was to stop.
    fn obey(&self, board: &mut Board) -> bool {
        while let Ok(command) = self.commands.try_recv() {
            let reply = match command {
                Command::Stop => return true,
                Command::Report(reply) => reply,
                Command::Reload(rules, reply) => {
                    board.set_rules(rules);
                    reply
                }
            };
            // Who asked may have gone; then nobody misses the answer.
            reply.try_send(board.report()).ok();
        }
        false
    }

    fn look_at(&self, board: &mut Board, gathered: &mut BTreeSet<PathBuf>) {
        let has_lost = self.has_lost.swap(false, Ordering::AcqRel) || gathered.len() > EVENTS_MAX;
        if has_lost {
            gathered.clear();
            board.look_at_all();
            return;
        }
        while let Some(path) = gathered.pop_first() {
            board.touch(&path);
            self.answer_breaks(board);
        }
    }
}
