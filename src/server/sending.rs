//! A worker's sending side: flushing prepared output, what stands between it and the client, orders to the fill threads.

use std::os::fd::AsFd;
use std::sync::Arc;

use super::deadlines::Wait;
use super::driver::Controls;
use super::inbox::ORDERS_MAX;
use super::pump::{self, Pumped};
use super::slot::Stage;
use super::transfer::NextPart;
use super::worker::{OUTPUT_KEPT, PENDING_MAX, WARM_BYTES, Worker};
use crate::cache::order::{Job, Order, Ticket};
use crate::policy::rule::Rule;
use crate::stats::Counter;
use crate::store::Object;
use crate::store::pipe::Pipe;
use crate::sys::socket;
use crate::units::{MonoNanos, Waiter};

/// Most connections that wait for one order; the next is told to come back.
const WAITERS_MAX: usize = 4096;
/// Most further parts of one body that are sent before others get their turn.
const PARTS_MAX: usize = 64;
/// Marks the tickets of those who wait for a body; others count up from 1.
const GROWTH: u64 = 1 << 63;
/// Most orders for the same cold bytes before they are given up: the page cache does not keep them.
const COLD_MAX: u8 = 16;

impl Worker {
    /// Puts a small file's bytes behind their head; true when the body needs no sending of its own.
    pub(super) fn append_small(&mut self, key: usize) -> bool {
        let Some(transfer) = &mut self.slots[key].transfer else {
            return true;
        };
        let answer_at = transfer.answer_at;
        match pump::append_small(transfer, &mut self.out) {
            Ok(true) => {
                self.slots[key].transfer = None;
                let now = self.clock.now();
                let millis = self.clock.millis();
                self.slots[key].conn.sent(0, now, millis, &mut self.log);
                true
            }
            Ok(false) => false,
            Err(_) => {
                self.slots[key].transfer = None;
                // Nothing of this answer has left: say that the file is changing instead.
                self.out.truncate(answer_at);
                self.answers -= 1;
                self.stats.bump(Counter::AbortedChanged);
                self.with_turn(key, |conn, turn| {
                    conn.give_up(Rule::FileChanging, &[], turn)
                });
                true
            }
        }
    }

    /// Sends the turn's output and the body behind it; true when all of it was handed over.
    pub(super) fn flush_out<C: Controls>(&mut self, key: usize, controls: &mut C) -> bool {
        let mut out = std::mem::take(&mut self.out);
        let answers = std::mem::take(&mut self.answers);
        self.slots[key].unfinished += answers as u32;
        let flushed = self.flush(key, &out, controls);
        out.clear();
        if out.capacity() > OUTPUT_KEPT {
            out = Vec::with_capacity(OUTPUT_KEPT);
        }
        self.out = out;
        flushed
    }

    /// Sends `bytes`, then the slot's body; what the socket does not take stays in the slot. True when all was sent.
    pub(super) fn flush<C: Controls>(
        &mut self,
        key: usize,
        bytes: &[u8],
        controls: &mut C,
    ) -> bool {
        let mut part = Vec::new();
        for parts in 0.. {
            let head = if parts == 0 { bytes } else { &part };
            let slot = &mut self.slots[key];
            let socket = slot.socket.as_fd();
            let (sent, mut pumped) = pump::pump(
                socket,
                head,
                slot.transfer.as_mut(),
                &mut self.scratch,
                &self.stats,
            );
            let mut unsent = head.get(sent..).unwrap_or_default().to_vec();
            if matches!(pumped, Pumped::Done) {
                let transfer = slot.transfer.as_mut();
                let next = transfer.map_or(NextPart::Nothing, |transfer| {
                    transfer.next_part(&mut unsent)
                });
                pumped = match next {
                    NextPart::Nothing => {
                        self.complete(key);
                        return true;
                    }
                    // The head of a further part of the body goes the same way as what was sent before it.
                    NextPart::More if parts < PARTS_MAX => {
                        part = unsent;
                        continue;
                    }
                    NextPart::More => Pumped::Yield,
                    NextPart::Starved => Pumped::Starved,
                    NextPart::Failed => Pumped::Broken,
                };
            }
            slot.backlog = unsent;
            self.hold_up(key, &pumped, controls);
            break;
        }
        false
    }

    /// All of the slot's output was handed over.
    fn complete(&mut self, key: usize) {
        let now = self.clock.now();
        let millis = self.clock.millis();
        let slot = &mut self.slots[key];
        slot.backlog = Vec::new();
        if slot.transfer.take().is_some() {
            slot.conn.sent(0, now, millis, &mut self.log);
        }
        let finished = u64::from(std::mem::take(&mut slot.unfinished));
        if slot.started == MonoNanos(0) || slot.started == now.mono {
            self.turn_answers += finished;
        } else {
            self.latency
                .record_many(now.mono.since(slot.started), finished);
        }
        slot.started = MonoNanos(0);
    }

    /// Something stands between the slot's output and the client.
    fn hold_up<C: Controls>(&mut self, key: usize, why: &Pumped, controls: &mut C) {
        let now = self.clock.now().mono;
        let token = self.token(key);
        let slot = &mut self.slots[key];
        if slot.started == MonoNanos(0) {
            slot.started = now;
        }
        match why {
            Pumped::Done => {}
            Pumped::Blocked => {
                slot.progressed = now;
                self.deadlines.begin(token.slot, Wait::Send, now);
                let armed = controls.await_writable(token, slot.socket.as_fd(), &mut slot.io);
                if armed.is_err() {
                    self.close(key, true, controls);
                }
            }
            Pumped::Yield => {
                slot.progressed = now;
                self.deadlines.begin(token.slot, Wait::Send, now);
                self.ready.push_back(token);
            }
            Pumped::Cold if !slot.ask_for_cold(COLD_MAX) => {
                self.stats.bump(Counter::AbortedRead);
                self.close(key, true, controls);
            }
            Pumped::Cold => {
                self.stats.bump(Counter::ColdRanges);
                self.deadlines.begin(token.slot, Wait::Fill, now);
                self.warm(key);
            }
            Pumped::Starved => self.await_growth(key),
            Pumped::Broken => {
                self.stats.bump(Counter::AbortedFill);
                self.close(key, true, controls);
            }
            Pumped::Changed => {
                self.stats.bump(Counter::AbortedChanged);
                self.close(key, true, controls);
            }
            Pumped::Failed => self.fail(key, controls),
        }
    }

    /// Nothing is being sent: goes on with what was received, or arms the next wait.
    pub(super) fn settle<C: Controls>(&mut self, key: usize, controls: &mut C) {
        let now = self.clock.now().mono;
        let slot = &mut self.slots[key];
        if slot.stage == Stage::Finishing || slot.conn.is_finished() {
            self.linger(key, controls);
            return;
        }
        if slot.stage == Stage::Waiting {
            self.deadlines.begin(key as u32, slot.awaits, now);
            return;
        }
        if !slot.pending.is_empty() {
            // Even where only a part of a head was left: more of it may have come while the socket was full.
            self.converse_pending(key, controls);
            return;
        }
        // A body that has come to its end still gets its answer.
        if slot.ended && !slot.conn.holds() {
            self.close(key, false, controls);
            return;
        }
        let wait = slot.conn.waits_for();
        let slot = key as u32;
        // The time of a head or a body runs from its first byte, whatever trickles in.
        let runs = matches!(wait, Wait::Head | Wait::Body);
        if !runs || self.deadlines.waits_for(slot) != Some(wait) {
            self.deadlines.begin(slot, wait, now);
        }
    }

    /// Keeps the request that needs the fill threads until they have answered, and places its order; `head` starts with the
    /// request's head.
    pub(super) fn wait<C: Controls>(
        &mut self,
        key: usize,
        (ticket, job): (Ticket, Option<Job>),
        head: &[u8],
        controls: &mut C,
    ) {
        let token = self.token(key);
        self.slots[key].awaits = match job {
            Some(Job::Fetch(_)) => Wait::Origin,
            _ => Wait::Fill,
        };
        let placed = match job {
            Some(job) => {
                let placed = self.order(ticket, job);
                if !placed {
                    self.desk.withdraw(ticket);
                }
                placed
            }
            None => self.may_join(ticket),
        };
        if !placed {
            self.with_turn(key, |conn, turn| {
                conn.give_up(Rule::FillQueueFull, head, turn)
            });
            self.finish(key, controls);
            return;
        }
        self.waiting.entry(ticket).or_default().push(token);
        let generation = token.generation;
        // Earlier pipelined answers leave now; the slot waits whether or not the socket takes them.
        self.slots[key].stage = Stage::Waiting;
        self.flush_out(key, controls);
        let Some(slot) = self
            .slots
            .get_mut(key)
            .filter(|slot| slot.generation == generation)
        else {
            return;
        };
        if slot.stage == Stage::Waiting {
            if slot.started == MonoNanos(0) {
                slot.started = self.clock.now().mono;
            }
            // Where earlier answers are still being sent, the client's time runs, not the fill threads'.
            if !slot.is_sending() {
                let awaits = slot.awaits;
                self.deadlines
                    .begin(token.slot, awaits, self.clock.now().mono);
            }
        }
    }

    /// Names the client in a request that goes to an origin; the kernel is asked once a connection.
    pub(super) fn name_client(&mut self, key: usize, job: Option<&mut Job>) {
        let Some(Job::Fetch(fetch)) = job else { return };
        let slot = &mut self.slots[key];
        if slot.peer.is_none() {
            // None at a Unix socket, or where the client has gone.
            slot.peer = socket::peer_address(&slot.socket).ok();
        }
        fetch.client = slot.peer.map(|peer| peer.ip());
    }

    /// Whether one more connection may wait for an order under way.
    fn may_join(&mut self, ticket: Ticket) -> bool {
        self.stats.bump(Counter::FillJoins);
        let mut waiting = self.waiting.remove(&ticket).unwrap_or_default();
        if waiting.len() >= WAITERS_MAX {
            waiting.retain(|token| self.key(*token).is_some());
        }
        let fits = waiting.len() < WAITERS_MAX;
        self.waiting.insert(ticket, waiting);
        fits
    }

    /// Places an order with the fill threads; false when their queue, or the worker's share of it, is full.
    pub(super) fn order(&mut self, ticket: Ticket, job: Job) -> bool {
        let order = Order {
            worker: self.id,
            ticket,
            job,
        };
        if self.waiting.len() >= ORDERS_MAX || self.orders.try_send(order).is_err() {
            self.stats.bump(Counter::FillQueueFull);
            return false;
        }
        self.stats.bump(Counter::FillOrders);
        true
    }

    /// Has the next bytes of a slot's body brought into memory.
    pub(super) fn warm(&mut self, key: usize) {
        let token = self.token(key);
        let Some(transfer) = &self.slots[key].transfer else {
            return;
        };
        let job = Job::Warm {
            object: Arc::clone(transfer.lease.object()),
            offset: transfer.next,
            length: transfer.left_in_file().min(WARM_BYTES),
        };
        let ticket = self.desk.next_ticket();
        if self.order(ticket, job) {
            self.waiting.entry(ticket).or_default().push(token);
        } else {
            self.retry.push(token);
        }
    }

    /// Waits for more of a body that is being fetched.
    fn await_growth(&mut self, key: usize) {
        let token = self.token(key);
        let now = self.clock.now().mono;
        let Some(transfer) = &self.slots[key].transfer else {
            return;
        };
        let object = transfer.lease.object();
        let ticket = growth_of(object);
        let waiter = Waiter {
            worker: self.id,
            ticket,
        };
        if transfer.subscribe(waiter) {
            self.waiting.entry(ticket).or_default().push(token);
            self.deadlines.begin(token.slot, Wait::Origin, now);
        } else {
            // It has grown, or ended, just now.
            self.ready.push_back(token);
            self.deadlines.begin(token.slot, Wait::Send, now);
        }
    }

    /// Keeps what was received of a request's body until its pipe has room, or until the origin has answered.
    pub(super) fn hold<C: Controls>(
        &mut self,
        key: usize,
        pipe: Option<&Arc<Pipe>>,
        unused: usize,
        controls: &mut C,
    ) {
        let token = self.token(key);
        let now = self.clock.now().mono;
        if let Some(pipe) = pipe {
            let ticket = Ticket(Arc::as_ptr(pipe).addr() as u64 | GROWTH);
            let waiter = Waiter {
                worker: self.id,
                ticket,
            };
            if pipe.subscribe_writer(waiter) {
                self.waiting.entry(ticket).or_default().push(token);
            } else {
                self.ready.push_back(token);
            }
        }
        let slot = &mut self.slots[key];
        self.deadlines.begin(token.slot, Wait::Origin, now);
        let pauses = unused >= PENDING_MAX && !slot.io.paused;
        if pauses && controls.pause(token, &mut slot.io).is_err() {
            self.close(key, true, controls);
        }
    }

    /// Answers a request whose body is on its way, or at its end.
    pub(super) fn answer_upload<C: Controls>(&mut self, key: usize, controls: &mut C) {
        // What was begun before it and not taken by the client goes first.
        let backlog = std::mem::take(&mut self.slots[key].backlog);
        self.out.extend_from_slice(&backlog);
        let transfer = self.with_turn(key, |conn, turn| conn.answer_upload(turn));
        let slot = &mut self.slots[key];
        slot.transfer = transfer;
        if slot.conn.is_finished() {
            slot.pending = Vec::new();
            self.finish(key, controls);
            return;
        }
        self.append_small(key);
        if self.flush_out(key, controls) {
            self.settle(key, controls);
        }
    }

    /// Places the orders that nobody waits for.
    pub(super) fn order_refreshes(&mut self) {
        for (ticket, job, response) in std::mem::take(&mut self.refreshes) {
            if !self.order(ticket, job) {
                self.desk.withdraw(ticket);
                // The next request has it refreshed.
                response.end_refresh();
            }
        }
    }
}

/// The ticket of all who wait for a body to grow. Those who wait keep the body alive, so that its address is theirs alone;
/// one that comes late, for a body that has gone, wakes somebody who only looks again.
fn growth_of(object: &Arc<Object>) -> Ticket {
    Ticket(Arc::as_ptr(object).addr() as u64 | GROWTH)
}
