//! A worker: owns its client connections and answers them; the drivers bring it events and it tells them what to arm.
//!
//! Everything here happens between two waits of one thread. A connection's way through a turn:
//!
//! ```text
//!  on_received ─▶ converse: advance the protocol ─▶ flush: pump bytes out ─▶ settle: arm the next wait
//!                     ▲                                │ blocked, cold, share used up
//!                     └──── on_writable, resume ◀──────┘
//! ```

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use hashbrown::HashMap;
use slab::Slab;
use tokio::sync::mpsc::Sender;

use super::conn::{Connection, Filling, Next, Step, Turn};
use super::crowd::Crowd;
use super::deadlines::{Deadlines, Wait};
use super::driver::Controls;
use super::inbox::Inbox;
use super::pump;
use super::settings::Limits;
use super::slot::{GENERATION_MAX, Slot, Stage, Token};
use super::turn_clock::TurnClock;
use crate::cache::FrontDesk;
use crate::cache::order::{Job, Order, Ticket};
use crate::index::response::Response;
use crate::policy::rule::Rule;
use crate::stats::{AccessSink, Counter, LatencyRecorder, WorkerStats};
use crate::sys::wake::Wake;
use crate::sys::{clock, socket};
use crate::units::{MonoNanos, WorkerId};

/// Received bytes that a connection may have waiting while an answer is being sent.
pub(super) const PENDING_MAX: usize = 64 << 10;
/// Bytes of a lingering connection that are thrown away before it is reset.
const LINGER_BYTES_MAX: u32 = 1 << 20;
/// How much of a body is brought into memory at once.
pub(super) const WARM_BYTES: u64 = 1 << 20;
/// Largest output buffer that is kept between turns.
pub(super) const OUTPUT_KEPT: usize = 128 << 10;

/// Connections over the limit that a worker takes provisionally.
const PROVISIONAL_MAX: usize = 64;

/// What a worker is made of.
#[derive(Debug)]
pub struct Parts {
    /// Its number.
    pub id: WorkerId,
    /// Limits and deadlines.
    pub limits: Limits,
    /// Its front desk.
    pub desk: FrontDesk,
    /// Its counters.
    pub stats: Arc<WorkerStats>,
    /// Its end of the access log.
    pub log: AccessSink,
    /// What other threads tell it.
    pub inbox: Inbox,
    /// Where orders go.
    pub orders: Sender<Order>,
    /// Client connections of all workers.
    pub crowd: Arc<Crowd>,
}

/// A worker.
#[derive(Debug)]
pub struct Worker {
    pub(super) id: WorkerId,
    pub(super) limits: Limits,
    pub(super) desk: FrontDesk,
    pub(super) stats: Arc<WorkerStats>,
    pub(super) log: AccessSink,
    pub(super) inbox: Inbox,
    pub(super) orders: Sender<Order>,
    pub(super) crowd: Arc<Crowd>,
    /// Connections taken over the limit, until it is known whether another worker makes room; oldest first.
    pub(super) provisional: VecDeque<(Token, MonoNanos)>,
    pub(super) slots: Slab<Slot>,
    pub(super) deadlines: Deadlines,
    pub(super) clock: TurnClock,
    pub(super) latency: LatencyRecorder,
    /// Who waits for which order.
    pub(super) waiting: HashMap<Ticket, Vec<Token>>,
    /// Connections that go on in the next turn: they have had their share of this one.
    pub(super) ready: VecDeque<Token>,
    /// Connections whose order found the queue full, to be tried again at the next tick.
    pub(super) retry: Vec<Token>,
    /// Bodies under way of files that somebody waits to write to, and since when; oldest first.
    pub(super) revoked: VecDeque<(Token, MonoNanos)>,
    /// Orders that nobody waits for, until the turn that made them is over.
    pub(super) refreshes: Vec<(Ticket, Job, Arc<Response>)>,
    pub(super) out: Vec<u8>,
    pub(super) answers: usize,
    pub(super) scratch: Vec<u8>,
    generations: u32,
    /// Answers whose last byte was handed over in this turn and that were asked for in it.
    pub(super) turn_answers: u64,
    /// When accepting may go on after a failure for want of descriptors.
    pub(super) accept_again: Option<MonoNanos>,
    pub(super) draining: Option<MonoNanos>,
}

impl Worker {
    /// A worker without connections.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self {
            id: parts.id,
            deadlines: Deadlines::new(super::upkeep::lengths(&parts.limits)),
            limits: parts.limits,
            desk: parts.desk,
            stats: parts.stats,
            log: parts.log,
            inbox: parts.inbox,
            orders: parts.orders,
            crowd: parts.crowd,
            provisional: VecDeque::new(),
            slots: Slab::new(),
            clock: TurnClock::new(),
            latency: LatencyRecorder::new(),
            waiting: HashMap::new(),
            ready: VecDeque::new(),
            retry: Vec::new(),
            revoked: VecDeque::new(),
            refreshes: Vec::new(),
            out: Vec::with_capacity(OUTPUT_KEPT),
            answers: 0,
            scratch: Vec::new(),
            generations: 0,
            turn_answers: 0,
            accept_again: None,
            draining: None,
        }
    }

    /// What wakes the worker.
    #[must_use]
    pub fn wake(&self) -> &Wake {
        self.inbox.wake()
    }

    /// The turn's time.
    #[must_use]
    pub fn now(&self) -> MonoNanos {
        self.clock.now().mono
    }

    /// Counts something that the driver saw.
    pub fn count(&self, counter: Counter) {
        self.stats.bump(counter);
    }

    /// Whether the worker takes no more connections.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.is_some()
    }

    /// Whether the worker has drained and may go.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.draining.is_some() && self.slots.is_empty()
    }

    /// Begins a turn: reads the clock.
    pub fn begin_turn(&mut self) {
        self.clock.begin_turn();
        self.stats.bump(Counter::Turns);
    }

    /// Ends a turn: the answers completed in it have taken until now.
    pub fn end_turn(&mut self) {
        if self.turn_answers > 0 {
            let took = clock::mono().since(self.clock.now().mono);
            self.latency.record_many(took, self.turn_answers);
            self.turn_answers = 0;
        }
        if self.log.is_on() {
            self.log.flush_if_due(self.clock.now().mono);
        }
    }

    /// Whether a connection waits for the next turn, so that the driver must not block.
    #[must_use]
    pub fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Takes an accepted connection.
    pub fn on_accepted<C: Controls>(&mut self, socket: OwnedFd, controls: &mut C) {
        self.stats.bump(Counter::ConnectionsAccepted);
        let over = self.crowd.enter() > self.limits.connections && !self.evict_idle(controls);
        if over && self.provisional.len() >= PROVISIONAL_MAX {
            self.crowd.leave();
            self.stats.bump(Counter::ConnectionsRefused);
            return;
        }
        let peer: Option<SocketAddr> = if self.log.is_on() {
            socket::peer_address(&socket).ok()
        } else {
            None
        };
        self.generations = self.generations.wrapping_add(1) & GENERATION_MAX;
        let generation = self.generations;
        let key = self.slots.insert(Slot::new(socket, generation, peer));
        let token = Token {
            slot: key as u32,
            generation,
        };
        let slot = &mut self.slots[key];
        if controls
            .begin(token, slot.socket.as_fd(), &mut slot.io)
            .is_err()
        {
            self.discard(key);
            return;
        }
        self.stats
            .set(Counter::ConnectionsOpen, self.slots.len() as u64);
        if over {
            // Another worker may have an idle connection to give up: it is asked to, and this one stays if it does.
            self.crowd.want_room();
            self.provisional.push_back((token, self.clock.now().mono));
        }
        // A client that never sends anything is idle from the start.
        self.deadlines
            .begin(token.slot, Wait::Idle, self.clock.now().mono);
    }

    /// Takes the connections that the kernel has completed for a listener that is about to be closed.
    pub fn drain_listener<C: Controls>(&mut self, listener: &OwnedFd, controls: &mut C) {
        loop {
            match socket::accept(listener) {
                Ok(accepted) => self.on_accepted(accepted, controls),
                // That client has gone; the next one may be there.
                Err(error) if error.raw_os_error() == Some(libc::ECONNABORTED) => {}
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                // Out of descriptors: an idle connection has less to lose than one with a request on its way.
                Err(error)
                    if error.raw_os_error() == Some(libc::EMFILE) && self.evict_idle(controls) => {}
                Err(_) => return,
            }
        }
    }

    /// Takes bytes that a connection has received.
    pub fn on_received<C: Controls>(&mut self, token: Token, bytes: &[u8], controls: &mut C) {
        let Some(key) = self.key(token) else { return };
        self.stats.add(Counter::BytesReceived, bytes.len() as u64);
        let slot = &mut self.slots[key];
        match slot.stage {
            Stage::Closing => return,
            Stage::Lingering | Stage::Finishing => {
                slot.lingered_bytes = slot.lingered_bytes.saturating_add(bytes.len() as u32);
                if slot.lingered_bytes > LINGER_BYTES_MAX {
                    self.close(key, true, controls);
                }
                return;
            }
            Stage::Open | Stage::Waiting => {}
        }
        if slot.is_held_up() || !slot.pending.is_empty() {
            slot.pending.extend_from_slice(bytes);
            if slot.is_held_up() {
                if slot.pending.len() >= PENDING_MAX && controls.pause(token, &mut slot.io).is_err()
                {
                    self.close(key, true, controls);
                }
                return;
            }
            self.converse_pending(key, controls);
            return;
        }
        let used = self.converse(key, bytes, controls);
        if let Some(slot) = self.slots.get_mut(key)
            && slot.generation == token.generation
            && let Some(rest) = bytes.get(used..).filter(|rest| !rest.is_empty())
        {
            slot.pending.extend_from_slice(rest);
        }
    }

    /// The client has sent its last byte; it may still read.
    pub fn on_ended<C: Controls>(&mut self, token: Token, controls: &mut C) {
        let Some(key) = self.key(token) else { return };
        let slot = &mut self.slots[key];
        slot.ended = true;
        // A body that has come to its end still gets its answer; one that has not, can't.
        let is_quiet = slot.stage == Stage::Open && !slot.is_sending() && !slot.conn.holds();
        if is_quiet && !slot.pending.is_empty() {
            // Whole requests may be left of its share of the turn; where only a part of one is, settling closes.
            self.converse_pending(key, controls);
        } else if is_quiet || slot.stage == Stage::Lingering {
            self.close(key, false, controls);
        }
    }

    /// The connection has failed.
    pub fn on_failed<C: Controls>(&mut self, token: Token, controls: &mut C) {
        let Some(key) = self.key(token) else { return };
        self.fail(key, controls);
    }

    /// The socket takes bytes again.
    pub fn on_writable<C: Controls>(&mut self, token: Token, controls: &mut C) {
        let Some(key) = self.key(token) else { return };
        if self.slots[key].is_sending() {
            self.go_on(key, controls);
        }
    }

    /// The driver has nothing under way any more for a connection that is closing.
    pub fn on_quiet(&mut self, token: Token) {
        if let Some(key) = self.key(token)
            && self.slots[key].stage == Stage::Closing
        {
            self.discard(key);
        }
    }

    /// The slot that `token` names, if it is still that connection's.
    pub(super) fn key(&self, token: Token) -> Option<usize> {
        let key = token.slot as usize;
        self.slots
            .get(key)
            .filter(|slot| slot.generation == token.generation)
            .map(|_| key)
    }

    pub(super) fn token(&self, key: usize) -> Token {
        Token {
            slot: key as u32,
            generation: self.slots[key].generation,
        }
    }

    /// A slot for the driver's own book-keeping.
    pub fn slot_mut(&mut self, token: Token) -> Option<&mut Slot> {
        let key = self.key(token)?;
        self.slots.get_mut(key)
    }

    /// Goes on sending, then with the bytes that wait.
    pub(super) fn go_on<C: Controls>(&mut self, key: usize, controls: &mut C) {
        let slot = &mut self.slots[key];
        let backlog = std::mem::take(&mut slot.backlog);
        if self.flush(key, &backlog, controls) {
            self.settle(key, controls);
        }
    }

    /// Advances with the bytes that were kept.
    pub(super) fn converse_pending<C: Controls>(&mut self, key: usize, controls: &mut C) {
        let generation = self.slots[key].generation;
        let mut pending = std::mem::take(&mut self.slots[key].pending);
        let used = self.converse(key, &pending, controls);
        let Some(slot) = self.slots.get_mut(key) else {
            return;
        };
        if slot.generation != generation || slot.is_closing() {
            return;
        }
        if used < pending.len() {
            pending.drain(..used);
            slot.pending = pending;
        }
        if slot.io.paused && slot.pending.len() < PENDING_MAX {
            let token = Token {
                slot: key as u32,
                generation,
            };
            if controls
                .resume(token, slot.socket.as_fd(), &mut slot.io)
                .is_err()
            {
                self.close(key, true, controls);
            }
        }
    }

    /// Answers what is in `bytes` and sends it; returns how many bytes were used up. The slot may be gone afterwards.
    fn converse<C: Controls>(&mut self, key: usize, bytes: &[u8], controls: &mut C) -> usize {
        let token = self.token(key);
        let sent_before = self.stats.read(Counter::BytesSent);
        let mut used = 0;
        loop {
            let rest = bytes.get(used..).unwrap_or_default();
            let Step { used: count, next } =
                self.with_turn(key, |conn, turn| conn.advance(rest, turn));
            used += count;
            match next {
                Next::Receive => {
                    if self.flush_out(key, controls) {
                        self.settle(key, controls);
                    }
                    return used;
                }
                Next::Flush => {
                    if !self.flush_out(key, controls) {
                        return used;
                    }
                }
                Next::Body(transfer) => {
                    self.slots[key].transfer = Some(transfer);
                    if !self.append_small(key) && !self.flush_out(key, controls) {
                        return used;
                    }
                }
                Next::Wait(ticket, mut job) => {
                    self.name_client(key, job.as_mut());
                    let head = bytes.get(used..).unwrap_or_default();
                    self.wait(key, (ticket, job), head, controls);
                    return used;
                }
                Next::Upload(ticket, mut job) => {
                    self.name_client(key, Some(&mut job));
                    if !self.order(ticket, job) {
                        self.slots[key].filled = Some(Filling::NotFetched(Rule::FillQueueFull));
                        self.answer_upload(key, controls);
                        return bytes.len();
                    }
                    self.waiting.entry(ticket).or_default().push(token);
                    if !self.flush_out(key, controls) {
                        return used;
                    }
                }
                Next::Hold(pipe) => {
                    if self.flush_out(key, controls) {
                        self.hold(key, pipe.as_ref(), bytes.len() - used, controls);
                    }
                    return used;
                }
                Next::Close => {
                    self.finish(key, controls);
                    return bytes.len();
                }
            }
            let sent = self.stats.read(Counter::BytesSent) - sent_before;
            if sent > pump::TURN_BYTES_MAX {
                // A client that drains as fast as we send must not keep the others waiting: on with it in the next turn.
                self.ready.push_back(token);
                // Until then it is neither idle nor late with a head.
                let now = self.clock.now().mono;
                self.slots[key].progressed = now;
                self.deadlines.begin(token.slot, Wait::Send, now);
                return used;
            }
        }
    }

    /// Runs `act` on a connection's protocol state, with the turn around it.
    pub(super) fn with_turn<T>(
        &mut self,
        key: usize,
        act: impl FnOnce(&mut Connection, &mut Turn<'_>) -> T,
    ) -> T {
        let slot = &mut self.slots[key];
        let mut turn = Turn {
            now: self.clock.now(),
            millis: self.clock.millis(),
            date: self.clock.date(),
            limits: &self.limits,
            desk: &mut self.desk,
            out: &mut self.out,
            answers: self.answers,
            stats: &self.stats,
            log: &mut self.log,
            peer: slot.peer,
            draining: self.draining.is_some() || slot.is_last_answer,
            filled: slot.filled.take(),
            refreshes: &mut self.refreshes,
        };
        let result = act(&mut slot.conn, &mut turn);
        self.answers = turn.answers;
        if !self.refreshes.is_empty() {
            self.order_refreshes();
        }
        result
    }
}
