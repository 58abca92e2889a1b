//! What a worker does besides answering: closing, deadlines, mail, making room, draining.

use std::time::Duration;

use super::conn::Filling;
use super::deadlines::Wait;
use super::driver::Controls;
use super::inbox::Mail;
use super::settings::Limits;
use super::slot::{Stage, Token};
use super::worker::{WARM_BYTES, Worker};
use crate::cache::order::{Filled, Outcome};
use crate::policy::rule::Rule;
use crate::stats::Counter;
use crate::sys::socket;
use crate::units::MonoNanos;

/// How often deadlines are looked at.
pub(super) const TICK: Duration = Duration::from_millis(100);
/// How long the last answer's client has to close before we do.
const LINGER: Duration = Duration::from_secs(2);
/// How long a request waits for the fill threads.
const FILL: Duration = Duration::from_secs(10);
/// How long a request or a body waits for the origin: the fill threads' own deadlines are shorter, so that this only ends
/// what they have lost.
const ORIGIN: Duration = Duration::from_secs(3600);
/// How long a kept-alive connection that asks nothing stays open in a drain: a request that left its client before it could
/// know of the drain is still answered.
const DRAIN_IDLE: Duration = Duration::from_millis(500);
/// How long a connection over the limit may wait for another worker to make room.
const PROVISIONAL: Duration = Duration::from_millis(250);
/// Deadlines looked at in one tick; more wait for the next one.
const EXPIRED_MAX: usize = 512;
/// How long accepting rests after the process ran out of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long a body under way may go on when somebody wants to write to its file.
const REVOKED_GRACE: Duration = Duration::from_secs(2);

/// How long each wait may take, in the order of [`Wait::ALL`].
pub(super) fn lengths(limits: &Limits) -> [Duration; Wait::ALL.len()] {
    Wait::ALL.map(|wait| match wait {
        Wait::Head | Wait::Body => limits.head_timeout,
        Wait::Idle => limits.idle_timeout,
        // Looked at in quarters: a send that is slow but goes on is no reason to end a connection.
        Wait::Send => limits.send_timeout / 4,
        Wait::Upload => limits.send_timeout,
        Wait::Fill => FILL,
        Wait::Origin => ORIGIN,
        Wait::Linger => LINGER,
    })
}

impl Worker {
    /// Ends a connection. With `reset`, what is not sent is dropped and the client can tell.
    pub(super) fn close<C: Controls>(&mut self, key: usize, reset: bool, controls: &mut C) {
        let token = self.token(key);
        let now = self.clock.now();
        let millis = self.clock.millis();
        let slot = &mut self.slots[key];
        if slot.stage == Stage::Closing {
            return;
        }
        if reset && socket::reset_on_close(&slot.socket).is_err() {
            tracing::debug!("a connection could not be reset");
        }
        slot.stage = Stage::Closing;
        slot.conn.sent(slot.unsent(), now, millis, &mut self.log);
        slot.transfer = None;
        slot.pending = Vec::new();
        slot.backlog = Vec::new();
        self.deadlines.end(token.slot);
        if controls.end(token, &mut slot.io) {
            self.discard(key);
        }
    }

    /// A connection broke.
    pub(super) fn fail<C: Controls>(&mut self, key: usize, controls: &mut C) {
        self.stats.bump(Counter::ConnectionsReset);
        if self.slots[key].is_sending() {
            self.stats.bump(Counter::AbortedClient);
        }
        self.close(key, true, controls);
    }

    /// Takes a slot out and closes its socket.
    pub(super) fn discard(&mut self, key: usize) {
        self.deadlines.end(key as u32);
        drop(self.slots.remove(key));
        self.crowd.leave();
        self.stats.bump(Counter::ConnectionsClosed);
        self.stats
            .set(Counter::ConnectionsOpen, self.slots.len() as u64);
    }

    /// The last answer is handed over: tells the client, and waits for it to close, so that the answer is not lost to a
    /// reset (RFC 9112 s9.6).
    pub(super) fn linger<C: Controls>(&mut self, key: usize, controls: &mut C) {
        let token = self.token(key);
        let slot = &mut self.slots[key];
        slot.pending = Vec::new();
        slot.stage = Stage::Lingering;
        slot.progressed = self.clock.now().mono;
        if slot.ended {
            self.close(key, false, controls);
            return;
        }
        let resumed = if slot.io.paused {
            use std::os::fd::AsFd;
            controls.resume(token, slot.socket.as_fd(), &mut slot.io)
        } else {
            Ok(())
        };
        if socket::finish(&slot.socket).is_err() || resumed.is_err() {
            self.close(key, true, controls);
            return;
        }
        self.deadlines
            .begin(token.slot, Wait::Linger, self.clock.now().mono);
    }

    /// A lingering connection's client has not closed: we do, unless it is still taking bytes.
    fn linger_on<C: Controls>(&mut self, key: usize, controls: &mut C) {
        if socket::unacknowledged(&self.slots[key].socket).unwrap_or(0) == 0 {
            self.close(key, false, controls);
        } else {
            self.wait_for_progress(key, Wait::Linger, controls);
        }
    }

    /// Goes on waiting for a client that takes bytes, however slowly; resets one that has taken none for too long.
    fn wait_for_progress<C: Controls>(&mut self, key: usize, wait: Wait, controls: &mut C) {
        let now = self.clock.now().mono;
        let slot = &mut self.slots[key];
        let unacknowledged = socket::unacknowledged(&slot.socket).unwrap_or(0);
        if unacknowledged != slot.unacknowledged {
            slot.unacknowledged = unacknowledged;
            slot.progressed = now;
        }
        if now.since(slot.progressed) >= self.limits.send_timeout {
            self.stats.bump(Counter::TimeoutSend);
            self.close(key, true, controls);
        } else {
            self.deadlines.begin(key as u32, wait, now);
        }
    }

    /// Closes the connection that has been idle longest; false when none is idle.
    pub(super) fn evict_idle<C: Controls>(&mut self, controls: &mut C) -> bool {
        let Some((slot, _)) = self.deadlines.oldest(Wait::Idle) else {
            return false;
        };
        self.stats.bump(Counter::ConnectionsEvicted);
        self.close(slot as usize, false, controls);
        true
    }

    /// An accept failed. Out of descriptors, accepting rests for a moment and idle connections make room.
    pub fn on_accept_failed<C: Controls>(&mut self, error: &std::io::Error, controls: &mut C) {
        /// Idle connections that go at once when descriptors run out.
        const MAKE_ROOM: usize = 4;
        match error.raw_os_error() {
            Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM) => {
                self.stats.bump(Counter::AcceptDescriptors);
                self.accept_again = Some(self.clock.now().mono.after(ACCEPT_PAUSE));
                for _ in 0..MAKE_ROOM {
                    if !self.evict_idle(controls) {
                        break;
                    }
                }
            }
            // The client went away between connecting and being accepted.
            Some(libc::ECONNABORTED | libc::EINTR | libc::EAGAIN | libc::ECANCELED) => {}
            _ => {
                self.stats.bump(Counter::AcceptOther);
                self.accept_again = Some(self.clock.now().mono.after(ACCEPT_PAUSE));
            }
        }
    }

    /// Whether accepting may go on after a failure; true once for each.
    pub fn take_accept_again(&mut self) -> bool {
        let due = self
            .accept_again
            .is_some_and(|at| self.clock.now().mono >= at);
        if due {
            self.accept_again = None;
        }
        due
    }

    /// Whether accepting rests after a failure.
    #[must_use]
    pub fn is_accept_paused(&self) -> bool {
        self.accept_again.is_some()
    }

    /// Goes on with the connections that had their share of the last turn.
    pub fn run_ready<C: Controls>(&mut self, controls: &mut C) {
        for _ in 0..self.ready.len() {
            let Some(token) = self.ready.pop_front() else {
                break;
            };
            let Some(key) = self.key(token) else { continue };
            let slot = &self.slots[key];
            if slot.is_sending() {
                self.go_on(key, controls);
            } else if slot.stage == Stage::Open {
                self.converse_pending(key, controls);
            }
        }
    }

    /// Takes what other threads have told; returns true when a drain begins.
    pub fn on_woken<C: Controls>(&mut self, controls: &mut C) -> bool {
        let mut drain = false;
        self.inbox.wake().take();
        let revoked = self.inbox.take_revoked();
        let adopted = self.desk.adopt();
        if adopted {
            self.stats.bump(Counter::SnapshotAdoptions);
        }
        if revoked || adopted {
            self.desk.sweep(self.clock.now().mono);
            self.watch_revoked();
        }
        while let Some(mail) = self.inbox.take() {
            match mail {
                Mail::Filled(filled) => self.on_filled(filled, controls),
                Mail::Reloaded(sites, limits) => {
                    self.desk.set_sites(sites);
                    self.limits = limits;
                    self.deadlines.set_lengths(lengths(&limits));
                }
                Mail::Drain => drain |= self.begin_drain(),
            }
        }
        if self.stats.latency_wanted() {
            self.stats.publish_latency(&self.latency);
        }
        drain
    }

    fn on_filled<C: Controls>(&mut self, filled: Filled, controls: &mut C) {
        let Filled {
            ticket,
            outcome,
            checked_at,
        } = filled;
        if let Outcome::Informational(head) = outcome {
            self.on_informational(ticket, &head, controls);
            return;
        }
        let waiting = self.waiting.remove(&ticket).unwrap_or_default();
        let mut outcome = Some(outcome);
        match outcome {
            Some(
                Outcome::Warm
                | Outcome::Cold
                | Outcome::Grown
                | Outcome::Fetched(_)
                | Outcome::NotFetched(_)
                | Outcome::OriginFailed(..),
            ) => {}
            _ => {
                if let Some(outcome) = outcome.take() {
                    let now = self.clock.now().mono;
                    self.desk.filled(ticket, outcome, checked_at, now);
                }
            }
        }
        for token in waiting {
            let Some(key) = self.key(token) else { continue };
            let slot = &mut self.slots[key];
            match &outcome {
                Some(Outcome::Cold) => {
                    self.stats.bump(Counter::AbortedRead);
                    self.close(key, true, controls);
                }
                Some(Outcome::Warm) => {
                    if let Some(transfer) = &mut slot.transfer {
                        transfer.mark_warm(WARM_BYTES);
                        self.go_on(key, controls);
                    }
                }
                Some(Outcome::Grown) if slot.is_sending() => self.go_on(key, controls),
                Some(Outcome::Grown) if slot.conn.is_uploading() => {
                    self.converse_pending(key, controls);
                }
                Some(Outcome::Fetched(_) | Outcome::NotFetched(_) | Outcome::OriginFailed(..))
                    if slot.conn.is_uploading() =>
                {
                    slot.filled = filling(outcome.take());
                    self.answer_upload(key, controls);
                }
                _ if slot.stage == Stage::Waiting => {
                    slot.stage = Stage::Open;
                    slot.filled = filling(outcome.take());
                    // Earlier answers that are still being sent go first; the request is taken up behind them.
                    if !slot.is_sending() {
                        self.converse_pending(key, controls);
                    }
                }
                _ => {}
            }
        }
    }

    /// Looks at deadlines, at bodies sent by reference, and at what could not be ordered.
    pub fn on_tick<C: Controls>(&mut self, controls: &mut C) {
        let now = self.clock.now().mono;
        for _ in 0..EXPIRED_MAX {
            let Some((slot, wait)) = self.deadlines.expire(now) else {
                break;
            };
            self.expire(slot as usize, wait, controls);
        }
        self.make_room(now, controls);
        self.desk.sweep(now);
        self.break_off_revoked(now, controls);
        for token in std::mem::take(&mut self.retry) {
            if let Some(key) = self.key(token) {
                self.warm(key);
            }
        }
        if let Some(began) = self.draining
            && now.since(began) >= self.limits.drain_timeout
        {
            let open = self.slots.iter().filter(|(_, slot)| !slot.is_closing());
            let keys: Vec<usize> = open.map(|(key, _)| key).collect();
            for key in keys {
                self.stats.bump(Counter::TimeoutDrain);
                self.close(key, true, controls);
            }
        }
    }

    /// Gives up idle connections that another worker needs the room of, and those of our own that found none.
    fn make_room<C: Controls>(&mut self, now: MonoNanos, controls: &mut C) {
        while self.crowd.is_over(self.limits.connections)
            && self.crowd.is_room_wanted()
            && self.spare_provisional(now)
            && self.evict_idle(controls)
        {
            self.crowd.room_made();
        }
        for _ in 0..self.provisional.len() {
            let Some((token, since)) = self.provisional.pop_front() else {
                break;
            };
            let Some(key) = self.key(token) else { continue };
            if now.since(since) < PROVISIONAL {
                self.provisional.push_back((token, since));
            } else if !self.crowd.is_over(self.limits.connections) {
                self.slots[key].is_last_answer = false;
            } else if self.is_asking_nothing(token.slot) {
                self.crowd.room_made();
                self.stats.bump(Counter::ConnectionsRefused);
                self.close(key, false, controls);
            } else {
                // What has begun is whole: it keeps its place here until then, which bounds how many do.
                self.slots[key].is_last_answer = true;
                self.provisional.push_back((token, since));
            }
        }
    }

    /// Whether no request of a connection is whole and not answered to its end.
    fn is_asking_nothing(&self, slot: u32) -> bool {
        matches!(
            self.deadlines.waits_for(slot),
            None | Some(Wait::Idle | Wait::Head)
        )
    }

    /// Puts idle connections that room is wanted for behind the other idle ones; false when there are no others.
    fn spare_provisional(&mut self, now: MonoNanos) -> bool {
        for _ in 0..=self.provisional.len() {
            let Some((slot, _)) = self.deadlines.oldest(Wait::Idle) else {
                return false;
            };
            let mut newcomers = self.provisional.iter();
            if !newcomers.any(|(token, _)| self.key(*token) == Some(slot as usize)) {
                return true;
            }
            self.deadlines.begin(slot, Wait::Idle, now);
        }
        false
    }

    fn expire<C: Controls>(&mut self, key: usize, wait: Wait, controls: &mut C) {
        if !self.slots.contains(key) {
            return;
        }
        match wait {
            Wait::Idle => {
                self.stats.bump(Counter::TimeoutIdle);
                self.close(key, false, controls);
            }
            Wait::Body | Wait::Upload => {
                self.stats.bump(Counter::TimeoutBody);
                self.close(key, false, controls);
            }
            Wait::Send => self.wait_for_progress(key, Wait::Send, controls),
            Wait::Linger => self.linger_on(key, controls),
            Wait::Head => {
                self.stats.bump(Counter::TimeoutHead);
                self.with_turn(key, |conn, turn| conn.time_out(turn));
                self.finish(key, controls);
            }
            Wait::Fill | Wait::Origin if self.slots[key].is_sending() => {
                self.stats.bump(Counter::AbortedRead);
                self.close(key, true, controls);
            }
            Wait::Origin if self.slots[key].conn.is_uploading() => {
                self.answer_upload(key, controls)
            }
            Wait::Fill | Wait::Origin => {
                let head = std::mem::take(&mut self.slots[key].pending);
                self.with_turn(key, |conn, turn| {
                    conn.give_up(Rule::FillTimeout, &head, turn)
                });
                self.finish(key, controls);
            }
        }
    }

    /// Sends what is in the output as the connection's last.
    pub(super) fn finish<C: Controls>(&mut self, key: usize, controls: &mut C) {
        self.slots[key].stage = Stage::Finishing;
        if self.flush_out(key, controls) {
            self.settle(key, controls);
        }
    }

    /// Starts the grace of bodies under way whose files somebody waits to write to.
    fn watch_revoked(&mut self) {
        let now = self.clock.now().mono;
        for (key, slot) in &self.slots {
            if slot.is_revoked() {
                let token = Token {
                    slot: key as u32,
                    generation: slot.generation,
                };
                self.revoked.push_back((token, now));
            }
        }
    }

    /// Breaks off bodies whose grace is over: the writer has waited long enough.
    fn break_off_revoked<C: Controls>(&mut self, now: MonoNanos, controls: &mut C) {
        while let Some((token, since)) = self.revoked.front().copied() {
            if now.since(since) < REVOKED_GRACE {
                break;
            }
            self.revoked.pop_front();
            if let Some(key) = self.key(token)
                && self.slots[key].is_revoked()
            {
                self.stats.bump(Counter::AbortedChanged);
                self.close(key, true, controls);
            }
        }
    }

    /// Starts to go down; true the first time.
    fn begin_drain(&mut self) -> bool {
        if self.draining.is_some() {
            return false;
        }
        self.draining = Some(self.clock.now().mono);
        let mut lengths = lengths(&self.limits);
        lengths[Wait::Idle as usize] = DRAIN_IDLE;
        self.deadlines.set_lengths(lengths);
        // An idle connection may have a request on its way: its time runs from now.
        let idle: Vec<u32> = self
            .slots
            .iter()
            .map(|(key, _)| key as u32)
            .filter(|slot| self.deadlines.waits_for(*slot) == Some(Wait::Idle))
            .collect();
        for slot in idle {
            self.deadlines
                .begin(slot, Wait::Idle, self.clock.now().mono);
        }
        true
    }
}

/// What the connection that has waited is told.
fn filling(outcome: Option<Outcome>) -> Option<Filling> {
    match outcome {
        Some(Outcome::Fetched(fetched)) => Some(Filling::Fetched(fetched)),
        Some(Outcome::NotFetched(rule) | Outcome::OriginFailed(rule, _)) => {
            Some(Filling::NotFetched(rule))
        }
        _ => None,
    }
}
