//! Pinned files: found, loaded, watched, and published as snapshots of the pin index.
//!
//! One thread, "pins", does all of it, and answers for the write guards of every object in the process; another one,
//! "pins-ahead", reads what was pinned into the page cache.

mod ahead;
mod board;
mod expand;
mod folders;
mod remarks;
mod report;
mod slot;
mod watch;

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use arc_swap::ArcSwap;

use crate::index::pins::PinIndex;
use crate::store::guards::Guards;
use crate::store::pinned::load::Budgets;
use crate::store::pinned::{Loader, PinRule};
use crate::sys::guard::BreakSignals;

pub use board::Wake;
pub use report::{HeldSum, HeldSums, PinLine, PinReport, PinTotals};

use ahead::Ahead;
use board::Board;
use folders::Folders;
use watch::{Bell, Command, EVENTS_MAX, EventSink, Watch};

/// Orders that wait for the board.
const COMMANDS_MAX: usize = 16;

/// What the board starts with.
pub struct BoardSettings {
    /// The `[[pin]]`s, in the order of the config.
    pub rules: Vec<PinRule>,
    /// What pins may take: `[memory] size`, and the descriptors that are for pins.
    pub budgets: Budgets,
    /// Where snapshots are published.
    pub index: Arc<ArcSwap<PinIndex>>,
    /// Called after each snapshot, on the board's thread: the workers must load it and let go of what the one before
    /// held, since a writer may wait for that.
    pub wake: Wake,
}

/// The pin board's thread.
#[derive(Debug)]
pub struct PinBoard {
    commands: SyncSender<Command>,
    bell: Bell,
    loader: Arc<Loader>,
    shown: Arc<ArcSwap<PinReport>>,
    thread: Option<JoinHandle<()>>,
}

/// The board's thread has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BoardStopped;

impl std::fmt::Display for BoardStopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the thread that watches the pinned files has ended")
    }
}

impl std::error::Error for BoardStopped {}

impl PinBoard {
    /// Starts the thread, and returns when all pins were loaded and published once.
    ///
    /// # Errors
    /// When the thread or its descriptors can't be made. A pin that can't be loaded is no error: see the report.
    pub fn start(settings: BoardSettings) -> io::Result<Self> {
        let (command_sender, commands) = sync_channel(COMMANDS_MAX);
        let (ready_sender, ready) = sync_channel(1);
        let bell = Bell::new()?;
        let ahead = Ahead::start()?;
        let thread_bell = bell.clone();
        let shown = Arc::new(ArcSwap::from_pointee(PinReport::default()));
        let thread_shown = Arc::clone(&shown);
        let thread = std::thread::Builder::new()
            .name("pins".to_owned())
            .spawn(move || {
                // Here, because signals come to the thread that asks for them.
                let signals = match BreakSignals::of_this_thread() {
                    Ok(signals) => signals,
                    Err(error) => {
                        ready_sender.send(Err(error)).ok();
                        return;
                    }
                };
                let loader = Loader::new(Guards::new(signals.owner()));
                let (path_sender, paths) = sync_channel(EVENTS_MAX);
                let has_lost = Arc::new(AtomicBool::new(false));
                let sink = EventSink {
                    paths: path_sender,
                    has_lost: Arc::clone(&has_lost),
                    bell: thread_bell.clone(),
                };
                let folders = Folders::new(notify::recommended_watcher(sink));
                let mut board = Board::new(
                    Arc::clone(&loader),
                    settings.budgets,
                    settings.index,
                    settings.wake,
                    thread_shown,
                    folders,
                    ahead,
                );
                board.set_rules(settings.rules);
                ready_sender.send(Ok(loader)).ok();
                let watch = Watch {
                    signals,
                    bell: thread_bell,
                    paths,
                    has_lost,
                    commands,
                };
                watch.run(board);
            })?;
        let loader = ready.recv().map_err(|_| io::Error::other(BoardStopped))??;
        Ok(Self {
            commands: command_sender,
            bell,
            loader,
            shown,
            thread: Some(thread),
        })
    }

    /// The loader whose objects the board's thread answers for; the fill desk shares it.
    #[must_use]
    pub fn loader(&self) -> &Arc<Loader> {
        &self.loader
    }

    /// Pins what `rules` say from now on. Objects whose file and hold are unchanged stay as they are; files of pins
    /// with `on_change = "keep"` are taken anew. Blocks until they are loaded.
    ///
    /// # Errors
    /// When the board's thread has ended.
    pub fn reload(&self, rules: Vec<PinRule>) -> Result<PinReport, BoardStopped> {
        self.ask(|reply| Command::Reload(rules, reply))
    }

    /// The report of the newest snapshot, kept up to date; reading it never waits for the board.
    #[must_use]
    pub fn shown(&self) -> &Arc<ArcSwap<PinReport>> {
        &self.shown
    }

    /// What became of the pins. Blocks for as long as the board is busy.
    ///
    /// # Errors
    /// When the board's thread has ended.
    pub fn report(&self) -> Result<PinReport, BoardStopped> {
        self.ask(Command::Report)
    }

    fn ask(
        &self,
        command: impl FnOnce(SyncSender<PinReport>) -> Command,
    ) -> Result<PinReport, BoardStopped> {
        let (reply, answer) = sync_channel(1);
        self.commands
            .send(command(reply))
            .map_err(|_| BoardStopped)?;
        self.bell.ring();
        answer.recv().map_err(|_| BoardStopped)
    }
}

impl Drop for PinBoard {
    fn drop(&mut self) {
        self.commands.send(Command::Stop).ok();
        self.bell.ring();
        if let Some(thread) = self.thread.take() {
            // A panic there has been told on its own.
            thread.join().ok();
        }
    }
}

#[cfg(test)]
mod tests;
