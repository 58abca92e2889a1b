//! Attends a body that is stored in part, or not verified yet: brings what its readers ask for.
//!
//! ```text
//!   readers ─ stands ▶ attendant ─┬─ in the store ──▶ verify the block
//!                                 ├─ on its way ────▶ wait for the run that brings it
//!                                 └─ missing ───────▶ a run: the origin is asked for the range
//!   runs ── bytes ──▶ pen ──▶ store and body ──▶ readers are woken
//! ```
//!
//! A **run** is one answer of the origin, whose bytes follow each other: the answer that the response came with, or one to a request
//! for a range under the stored validator. Several may be under way, at different places. A run goes on while somebody reads
//! towards what it brings next, and as far as others have not brought the rest: who leaves, or seeks elsewhere, leaves its run to
//! end, and where as many are under way as may be, one that nobody waits for gives way at once.
//!
//! The attendant ends when the body is complete, or has failed, or nobody has it any more. It fails the body where bytes that somebody
//! waits for can't be brought: those readers' connections are reset, and the response leaves memory. What the store has of
//! it stays there, unless the origin has another representation by now.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::{Arc, Weak};

use tokio::sync::Notify;

use super::pen::Pen;
use super::shelf::leave_memory;
use super::source::{RangeAnswer, Source};
use super::{Keeper, KeeperCount, Place};
use crate::fill::disk::DiskTier;
use crate::fill::origin::OriginBody;
use crate::store::Object;
use crate::store::body::BodyState;
use crate::store::body_fault::BodyFault;
use crate::store::demand::Stretch;
use crate::store::disk::ObjectId;
use crate::store::ranges::RangeSet;

/// Most runs of one body at a time.
const RUNS_MAX: usize = 16;
/// Who waits for a byte within this distance before a run waits for the run. Less is fetched again rather than passed over.
const NEAR: u64 = 4 << 20;
/// Blocks that are verified ahead of who asks.
const VERIFY_AHEAD: u64 = 4;
/// What a run gathers before it writes, where the origin is faster than the store.
const GATHERED_MAX: usize = 512 << 10;
/// A run that nobody reads goes on where no more than this is left of it, and as long as it has brought no more than this since
/// somebody did.
const REST_MAX: u64 = 1 << 20;

/// See the module's header.
pub(super) struct Attendant {
    keeper: Rc<Keeper>,
    key: Box<[u8]>,
    object: Weak<Object>,
    size: u64,
    pen: Pen,
    source: Option<Source>,
    /// The store's object, where it was published.
    on_disk: Option<(Arc<DiskTier>, ObjectId)>,
    runs: RefCell<Vec<Rc<Run>>>,
    /// The origin has another representation by now.
    is_over: Cell<bool>,
    /// As many runs are under way as may be, and somebody waits for another.
    is_full: Cell<bool>,
    /// A run has ended, or brought bytes that somebody may have waited for.
    stirred: Notify,
}

/// What an attendant begins with; see the fields of [`Attendant`].
pub(super) struct Attended {
    pub(super) key: Box<[u8]>,
    pub(super) object: Arc<Object>,
    pub(super) size: u64,
    pub(super) pen: Pen,
    pub(super) source: Option<Source>,
    pub(super) on_disk: Option<(Arc<DiskTier>, ObjectId)>,
}

/// The answer that a response came with: its bytes go on from this one.
pub(super) struct FirstRun {
    pub(super) body: OriginBody,
    pub(super) first: u64,
    pub(super) end: u64,
    pub(super) place: Place,
}

/// One answer of the origin that brings bytes.
#[derive(Debug)]
struct Run {
    /// The next byte that it brings.
    next: Cell<u64>,
    end: u64,
    /// It brings the whole body.
    is_whole: bool,
    /// Up to where it goes on whether anybody reads it or not.
    wanted_to: Cell<u64>,
    /// It is to end.
    is_cut: Cell<bool>,
    cut: Notify,
}

impl Run {
    fn new(first: u64, end: u64, is_whole: bool) -> Rc<Self> {
        Rc::new(Self {
            next: Cell::new(first),
            end,
            is_whole,
            wanted_to: Cell::new(first + REST_MAX),
            is_cut: Cell::new(false),
            cut: Notify::new(),
        })
    }

    fn cut(&self) {
        self.is_cut.set(true);
        self.cut.notify_one();
    }
}

/// Where the readers stand, and what is there for them.
struct Readers {
    all: Vec<Stretch>,
    present: RangeSet,
}

/// Why a run ended before its end.
enum Cut {
    /// Nobody wants its bytes.
    Unwanted,
    /// The rest of them is there, or others bring it.
    Met,
    /// The origin broke off, could not be asked, or there is no room for its bytes.
    Failed(BodyFault),
    /// The origin has another representation.
    Changed,
}

impl Attendant {
    /// Begins to attend.
    pub(super) fn begin(keeper: &Rc<Keeper>, attended: Attended, first: Option<FirstRun>) {
        let attendant = Rc::new(Self {
            keeper: Rc::clone(keeper),
            key: attended.key,
            object: Arc::downgrade(&attended.object),
            size: attended.size,
            pen: attended.pen,
            source: attended.source,
            on_disk: attended.on_disk,
            runs: RefCell::default(),
            is_over: Cell::new(false),
            is_full: Cell::new(false),
            stirred: Notify::new(),
        });
        if let Some(first) = first {
            attendant.start(first);
        }
        drop(tokio::task::spawn_local(async move {
            attendant.attend().await;
            // Nobody needs what is still on its way.
            for run in attendant.runs.borrow().iter() {
                run.cut();
            }
        }));
    }

    async fn attend(self: &Rc<Self>) {
        loop {
            let has_body = tokio::select! {
                has_body = self.pen.body.asked() => has_body,
                () = self.stirred.notified() => true,
            };
            match self.pen.body.state() {
                BodyState::Open if has_body => {}
                BodyState::Open | BodyState::Failed => return,
                BodyState::Complete => {
                    self.finish().await;
                    return;
                }
            }
            for (first, end) in self.waiting() {
                self.serve(first, end).await;
            }
        }
    }

    fn readers(&self) -> Readers {
        Readers {
            all: self.pen.body.readers(),
            present: self.pen.body.present(),
        }
    }

    /// What readers wait for: from their next byte on.
    fn waiting(&self) -> Vec<(u64, u64)> {
        let Readers { all, present } = self.readers();
        let all = all.into_iter().flatten();
        let mut waiting: Vec<_> = all
            .map(|(first, end)| (first, end.min(self.size)))
            .filter(|(first, end)| first < end && present.run_from(*first) == 0)
            .collect();
        waiting.sort_unstable();
        waiting.dedup();
        waiting
    }

    /// Does what brings the bytes from `first` on to who waits for those up to before `end`.
    async fn serve(self: &Rc<Self>, first: u64, end: u64) {
        let is_there = |(gap, _): &(u64, u64)| *gap > first;
        if self.is_over.get() || self.pen.body.gaps(first, end).first().is_none_or(is_there) {
            return;
        }
        if self.is_stored(first) {
            self.verify(first, end).await;
            return;
        }
        let (comes, count) = {
            let runs = self.runs.borrow();
            let comes = runs.iter().any(|run| self.brings(run, first));
            (comes, runs.len())
        };
        if comes {
            return;
        }
        if self.source.is_none() {
            // It can come by a run under way alone, however far that is.
            if count == 0 {
                self.fail(BodyFault::Unwanted);
            }
            return;
        }
        if count >= RUNS_MAX {
            self.make_room();
            return;
        }
        let (first, end) = self.run_for(first, end);
        self.ask(first, end);
    }

    /// Whether a run brings `byte`, before long.
    fn brings(&self, run: &Run, byte: u64) -> bool {
        let ignores_ranges = self.source.as_ref().is_some_and(Source::ignores_ranges);
        let next = run.next.get();
        let near = NEAR.max(self.keeper.block);
        let is_near = ignores_ranges || byte.saturating_sub(next) <= near;
        !run.is_cut.get() && next <= byte && byte < run.end && is_near
    }

    /// As many runs are under way as may be: one that nobody waits for gives way, be it that nobody reads it, be it that those who do
    /// have got enough for now. The end of one has who waits looked at again.
    fn make_room(&self) {
        if !self.is_full.replace(true) {
            self.keeper.counts.bump(KeeperCount::RangesFull);
        }
        let runs = self.runs.borrow();
        if runs.iter().any(|run| run.is_cut.get()) {
            return;
        }
        let readers = self.readers();
        let is_idle = |within: u64| runs.iter().find(|run| !self.is_read(run, &readers, within));
        if let Some(run) = is_idle(u64::MAX).or_else(|| is_idle(NEAR)) {
            run.cut();
        }
    }

    fn is_stored(&self, byte: u64) -> bool {
        let stored = self.pen.stored();
        stored.is_some_and(|stored| stored.map.is_present(byte / stored.block))
    }

    /// Verifies the stored block with the byte `first`, and some of those behind it.
    async fn verify(self: &Rc<Self>, first: u64, end: u64) {
        let (Some(stored), Some((tier, id))) = (self.pen.stored(), &self.on_disk) else {
            return;
        };
        let from = first / stored.block;
        let to = end.div_ceil(stored.block).min(from + VERIFY_AHEAD);
        for number in from..to.max(from + 1) {
            let (start, stop) = stored.stretch(number);
            if !stored.map.is_present(number) {
                break;
            }
            if self.pen.body.gaps(start, stop).is_empty() {
                continue;
            }
            let (tier, id) = (Arc::clone(tier), *id);
            let verify = move || tier.disk().verify_block(id, number);
            let verified = tokio::task::spawn_blocking(verify).await;
            if !matches!(verified, Ok(Ok(true))) {
                if number == from {
                    self.fail(BodyFault::Gone);
                }
                break;
            }
            self.pen.body.wrote(start, stop);
            self.keeper.wake(self.pen.body.wakers());
        }
        self.stirred.notify_one();
    }

    /// The stretch that a run brings for who waits for `first` and further bytes up to before `end`: whole blocks, as far as they
    /// are missing, and up to what another run brings.
    fn run_for(&self, first: u64, end: u64) -> (u64, u64) {
        let block = self.keeper.block;
        let start = first - first % block;
        let stop = end.div_ceil(block).saturating_mul(block).min(self.size);
        let gaps = self.pen.missing(start, stop);
        let gap = gaps.iter().find(|(_, to)| *to > first);
        let (start, mut stop) = gap.copied().unwrap_or((first, end));
        for run in self.runs.borrow().iter() {
            let next = run.next.get();
            if next > first && next < stop {
                stop = next;
            }
        }
        (start.min(first), stop)
    }

    /// Asks the origin for a stretch.
    fn ask(self: &Rc<Self>, first: u64, end: u64) {
        let run = Run::new(first, end, false);
        self.runs.borrow_mut().push(Rc::clone(&run));
        let attendant = Rc::clone(self);
        drop(tokio::task::spawn_local(async move {
            let cut = attendant.fetch(&run).await;
            attendant.ended(&run, cut).await;
        }));
    }

    async fn fetch(&self, run: &Run) -> Result<(), Cut> {
        let broken_off = || Cut::Failed(BodyFault::BrokenOff);
        let source = self.source.as_ref().ok_or_else(broken_off)?;
        let place = self.keeper.place();
        let _place = place.ok_or(Cut::Failed(BodyFault::Busy))?;
        self.keeper.counts.bump(KeeperCount::RangesAsked);
        let first = run.next.get();
        let request = source.request(&self.keeper, first, run.end);
        let sent = source.origin.send(request);
        let answered = tokio::select! {
            answered = tokio::time::timeout(self.keeper.settings.fill_timeout, sent) => answered,
            () = run.cut.notified() => return Err(Cut::Unwanted),
        };
        let answer = answered.ok().and_then(Result::ok).ok_or_else(broken_off)?;
        match source.judge(&answer, first, self.size) {
            RangeAnswer::From(from) => {
                run.next.set(from);
                self.carry(run, answer.body).await
            }
            RangeAnswer::Changed => Err(Cut::Changed),
            RangeAnswer::Failed => Err(broken_off()),
        }
    }

    /// Takes up the answer that the response came with.
    fn start(self: &Rc<Self>, first: FirstRun) {
        let is_whole = first.first == 0 && first.end == self.size;
        let run = Run::new(first.first, first.end, is_whole);
        self.runs.borrow_mut().push(Rc::clone(&run));
        let attendant = Rc::clone(self);
        let FirstRun { body, place, .. } = first;
        drop(tokio::task::spawn_local(async move {
            let cut = attendant.carry(&run, body).await;
            drop(place);
            let count = match cut {
                Ok(()) | Err(Cut::Met) => KeeperCount::BodyComplete,
                Err(Cut::Unwanted) => KeeperCount::BodyUnwanted,
                Err(Cut::Failed(_) | Cut::Changed) => KeeperCount::BodyBrokenOff,
            };
            attendant.keeper.counts.bump(count);
            attendant.ended(&run, cut).await;
        }));
    }

    /// Takes in what comes, until there is no more or nobody wants it.
    async fn carry(&self, run: &Run, mut body: OriginBody) -> Result<(), Cut> {
        loop {
            let mut pieces = Vec::new();
            let next = tokio::select! {
                next = body.next() => next,
                () = run.cut.notified() => return Err(Cut::Unwanted),
            };
            match next {
                Ok(Some(bytes)) => pieces.push(bytes),
                Ok(None) if run.next.get() >= run.end => return Ok(()),
                // A whole body that is shorter than it said, or a part that is shorter than asked.
                Ok(None) | Err(_) => return Err(Cut::Failed(BodyFault::BrokenOff)),
            }
            let mut size = pieces.iter().map(bytes::Bytes::len).sum::<usize>();
            while size < GATHERED_MAX
                && let std::task::Poll::Ready(Ok(Some(bytes))) = super::save::poll_now(&mut body)
            {
                size += bytes.len();
                pieces.push(bytes);
            }
            let first = run.next.get();
            let end = first + size as u64;
            if self.is_over.get() || end > self.size {
                return Err(Cut::Failed(BodyFault::BrokenOff));
            }
            let written = self.pen.write(&self.keeper, first, pieces).await;
            written.map_err(Cut::Failed)?;
            run.next.set(end);
            if self.pen.is_spilled() {
                self.leave_memory();
            }
            self.keeper.wake(self.pen.body.wakers());
            self.stirred.notify_one();
            if end >= run.end {
                // Further bytes, if any, are nobody's.
                return Ok(());
            }
            if self.is_met(run) {
                return Err(Cut::Met);
            }
            if !self.is_wanted(run) {
                return Err(Cut::Unwanted);
            }
        }
    }

    /// Whether a run goes on: somebody reads what it brings, or most of the body is there, or little of the run is left.
    fn is_wanted(&self, run: &Run) -> bool {
        let next = run.next.get();
        let is_near_its_end = if run.is_whole {
            next >= self.size / 2
        } else {
            run.end - next <= REST_MAX
        };
        if is_near_its_end && self.object.strong_count() > 0 {
            return true;
        }
        if !self.has_readers() {
            return false;
        }
        // Without a source nothing else brings it, wherever they read.
        if self.source.is_none() || next < run.wanted_to.get() {
            return true;
        }
        run.wanted_to.set(next + REST_MAX);
        self.is_read(run, &self.readers(), u64::MAX)
    }

    /// Whether somebody reads towards what a run brings next, from no more than `within` bytes before it.
    fn is_read(&self, run: &Run, readers: &Readers, within: u64) -> bool {
        readers.all.iter().any(|reader| {
            let Some((first, end)) = *reader else {
                return true;
            };
            let missing = self.pen.next_missing(&readers.present, first);
            let is_within = run.next.get().saturating_sub(first) <= within;
            missing < end.min(self.size) && is_within && self.brings(run, missing)
        })
    }

    /// Whether what a run brings next is there, or comes by a run ahead of it: all of the rest, or more than is passed over.
    fn is_met(&self, run: &Run) -> bool {
        let ignores_ranges = self.source.as_ref().is_none_or(Source::ignores_ranges);
        let next = run.next.get();
        let present = self.pen.body.present();
        let mut there = self.pen.next_missing(&present, next);
        if ignores_ranges || there == next {
            return false;
        }
        let runs = self.runs.borrow();
        let comes = |from: u64, at: u64| from > next && from <= at;
        while let Some(other) = runs.iter().find(|other| {
            comes(other.next.get(), there) && there < other.end && !other.is_cut.get()
        }) {
            there = self.pen.next_missing(&present, other.end);
        }
        there >= run.end || there - next >= NEAR
    }

    fn has_readers(&self) -> bool {
        let object = self.object.upgrade();
        object.is_some_and(|object| self.keeper.has_readers(&self.key, &object, 1))
    }

    async fn ended(&self, run: &Rc<Run>, ended: Result<(), Cut>) {
        self.runs
            .borrow_mut()
            .retain(|other| !Rc::ptr_eq(other, run));
        if run.is_whole {
            self.pen.body.set_coming(false);
        }
        self.is_full.set(false);
        let is_complete = self.pen.body.state() == BodyState::Complete;
        match ended {
            Ok(()) => {}
            // Readers are told when nobody can find the old bytes any more.
            Err(_) if self.is_over.get() => {}
            // Others have brought all of it.
            Err(Cut::Unwanted | Cut::Met | Cut::Failed(_)) if is_complete => {}
            // What there is stays, and the rest is asked for when it is wanted.
            Err(Cut::Unwanted | Cut::Met) if self.source.is_some() => {}
            Err(Cut::Unwanted | Cut::Met) => self.fail(BodyFault::Unwanted),
            Err(Cut::Failed(fault)) => self.fail(fault),
            Err(Cut::Changed) => {
                self.is_over.set(true);
                self.keeper.counts.bump(KeeperCount::RangesChanged);
                // Out of memory first, then off the disk, so that nobody who comes now finds it.
                self.leave_memory();
                if let Some((tier, id)) = &self.on_disk {
                    tier.drop_object(*id).await;
                }
                self.fail(BodyFault::Changed);
            }
        }
        self.stirred.notify_one();
    }

    /// No more bytes come.
    fn fail(&self, fault: BodyFault) {
        // First of all nobody finds it any more: who is reset comes back at once.
        self.leave_memory();
        self.pen.body.fail(fault);
        self.keeper.wake(self.pen.body.wakers());
        self.stirred.notify_one();
    }

    fn leave_memory(&self) {
        if let Some(object) = self.object.upgrade() {
            leave_memory(&self.keeper.responses, &self.key, &object);
        }
    }

    /// All bytes are there.
    async fn finish(&self) {
        self.keeper.wake(self.pen.body.wakers());
        let id = self.pen.complete().await;
        let Some(object) = self.object.upgrade() else {
            return;
        };
        if self.pen.is_spilled() {
            self.leave_memory();
        } else if id.is_some() {
            object.set_on_disk(id);
        }
    }
}
