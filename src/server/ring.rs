//! The io_uring driver: one ring per worker.
//!
//! Accepts and receives are multishot operations; receives share one pool of provided buffers, so an idle connection
//! holds none. Sends are plain system calls made by the worker (see `sys::ring`). A connection's socket is closed only
//! when nothing is under way for it: `end` cancels, and the final completions bring `Worker::on_quiet`.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::driver::Controls;
use super::slot::{IoState, Token};
use super::upkeep::TICK;
use super::worker::Worker;
use crate::stats::Counter;
use crate::sys::ring::{BufferShape, Completion, Received, Ring};

/// The receive buffers of a worker: 4 MiB of address space, touched as needed. A head of usual size fits one.
const BUFFERS: BufferShape = BufferShape {
    count: 1024,
    size: 4096,
};

/// What an operation does, in a tag's lowest byte: `generation (24) | slot (32) | operation (8)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Operation {
    Receive,
    Writable,
    Accept,
    Wake,
    Tick,
    Cancel,
}

impl Operation {
    fn of(tag: u64) -> Self {
        match tag as u8 {
            0 => Self::Receive,
            1 => Self::Writable,
            2 => Self::Accept,
            3 => Self::Wake,
            4 => Self::Tick,
            _ => Self::Cancel,
        }
    }
}

fn tag(token: Token, operation: Operation) -> u64 {
    u64::from(token.generation) << 40 | u64::from(token.slot) << 8 | operation as u64
}

fn token(tag: u64) -> Token {
    Token {
        slot: (tag >> 8) as u32,
        generation: (tag >> 40) as u32,
    }
}

/// A tag of an operation that belongs to no connection; `index` tells several apart.
fn plain(index: usize, operation: Operation) -> u64 {
    tag(
        Token {
            slot: index as u32,
            generation: 0,
        },
        operation,
    )
}

/// The driver's side of the connections.
#[derive(Debug)]
struct RingControls {
    ring: Ring,
    /// Receives that ended for want of buffers, to be armed again when the turn's buffers are back.
    starved: Vec<Token>,
}

impl Controls for RingControls {
    fn begin(&mut self, token: Token, socket: BorrowedFd<'_>, io: &mut IoState) -> io::Result<()> {
        self.ring.receive(socket, tag(token, Operation::Receive))?;
        io.receiving = true;
        Ok(())
    }

    fn pause(&mut self, token: Token, io: &mut IoState) -> io::Result<()> {
        if io.paused {
            return Ok(());
        }
        io.paused = true;
        if io.receiving {
            self.ring
                .cancel(tag(token, Operation::Receive), plain(0, Operation::Cancel))?;
        }
        Ok(())
    }

    fn resume(&mut self, token: Token, socket: BorrowedFd<'_>, io: &mut IoState) -> io::Result<()> {
        io.paused = false;
        // A receive whose cancelling is still under way is armed again by its final completion.
        if io.receiving {
            Ok(())
        } else {
            self.begin(token, socket, io)
        }
    }

    fn await_writable(
        &mut self,
        token: Token,
        socket: BorrowedFd<'_>,
        io: &mut IoState,
    ) -> io::Result<()> {
        if !io.awaiting_writable {
            self.ring
                .poll_writable(socket, tag(token, Operation::Writable))?;
            io.awaiting_writable = true;
        }
        Ok(())
    }

    fn end(&mut self, token: Token, io: &mut IoState) -> bool {
        let mut quiet = true;
        for (under_way, operation) in [
            (io.receiving, Operation::Receive),
            (io.awaiting_writable, Operation::Writable),
        ] {
            if under_way {
                quiet = false;
                let cancelled = self
                    .ring
                    .cancel(tag(token, operation), plain(0, Operation::Cancel));
                if cancelled.is_err() {
                    tracing::error!(
                        "an operation could not be cancelled; its connection stays open"
                    );
                }
            }
        }
        quiet
    }
}

/// Runs `worker` on a ring until it has drained.
///
/// # Errors
///
/// The ring could not be set up or stopped working.
pub fn run(worker: &mut Worker, listeners: Vec<OwnedFd>) -> io::Result<()> {
    let ring = Ring::new(BUFFERS)?;
    let mut driver = Driver {
        received: ring.received(),
        controls: RingControls {
            ring,
            starved: Vec::new(),
        },
        accepting: vec![false; listeners.len()],
        listeners,
    };
    driver.begin(worker)?;
    let mut completions = Vec::with_capacity(1024);
    while !worker.is_done() {
        let block = !worker.has_ready();
        driver.controls.ring.wait(block, &mut completions)?;
        worker.begin_turn();
        for mut completion in completions.drain(..) {
            driver.complete(worker, &mut completion)?;
        }
        driver.feed_starved(worker);
        worker.run_ready(&mut driver.controls);
        worker.end_turn();
    }
    Ok(())
}

#[derive(Debug)]
struct Driver {
    received: Received,
    controls: RingControls,
    listeners: Vec<OwnedFd>,
    /// Which listeners have an accept armed.
    accepting: Vec<bool>,
}

impl Driver {
    fn begin(&mut self, worker: &Worker) -> io::Result<()> {
        let ring = &mut self.controls.ring;
        ring.poll_readable(worker.wake().as_fd(), plain(0, Operation::Wake))?;
        ring.tick(TICK, plain(0, Operation::Tick))?;
        self.accept()
    }

    /// Arms the accepts that are not.
    fn accept(&mut self) -> io::Result<()> {
        for (index, listener) in self.listeners.iter().enumerate() {
            if !std::mem::replace(&mut self.accepting[index], true) {
                let tag = plain(index, Operation::Accept);
                self.controls.ring.accept(listener.as_fd(), tag)?;
            }
        }
        Ok(())
    }

    fn complete(&mut self, worker: &mut Worker, completion: &mut Completion) -> io::Result<()> {
        match Operation::of(completion.tag) {
            Operation::Receive => self.received(worker, completion),
            Operation::Writable => self.writable(worker, completion),
            Operation::Accept => self.accepted(worker, completion)?,
            Operation::Wake => {
                if !completion.more() {
                    let wake = plain(0, Operation::Wake);
                    self.controls
                        .ring
                        .poll_readable(worker.wake().as_fd(), wake)?;
                }
                if worker.on_woken(&mut self.controls) {
                    self.stop_accepting(worker)?;
                }
            }
            Operation::Tick => {
                worker.on_tick(&mut self.controls);
                if worker.take_accept_again() && !worker.is_draining() {
                    self.accept()?;
                }
                self.controls.ring.tick(TICK, plain(0, Operation::Tick))?;
            }
            Operation::Cancel => {}
        }
        Ok(())
    }

    fn received(&mut self, worker: &mut Worker, completion: &mut Completion) {
        let token = token(completion.tag);
        if let Some(buffer) = completion.take_buffer() {
            // Parsed in place: bytes are copied out of the pool only where a request is incomplete.
            worker.on_received(token, self.received.bytes(&buffer), &mut self.controls);
            self.controls.ring.give_back(buffer);
        }
        let more = completion.more();
        let Some(slot) = worker.slot_mut(token) else {
            return;
        };
        if more {
            return;
        }
        slot.io.receiving = false;
        let quiet = !slot.io.awaiting_writable;
        if slot.is_closing() {
            if quiet {
                worker.on_quiet(token);
            }
            return;
        }
        match completion.result {
            0 => worker.on_ended(token, &mut self.controls),
            result if result == -libc::ENOBUFS => {
                worker.count(Counter::ReceiveBuffersExhausted);
                self.controls.starved.push(token);
            }
            result if result > 0 || result == -libc::ECANCELED => self.rearm(worker, token),
            _ => worker.on_failed(token, &mut self.controls),
        }
    }

    /// Arms a receive that has ended, unless the worker wants no bytes for now.
    fn rearm(&mut self, worker: &mut Worker, token: Token) {
        let Some(slot) = worker.slot_mut(token) else {
            return;
        };
        if slot.io.paused || slot.io.receiving || slot.is_closing() {
            return;
        }
        if self
            .controls
            .begin(token, slot.socket.as_fd(), &mut slot.io)
            .is_err()
        {
            worker.on_failed(token, &mut self.controls);
        }
    }

    fn feed_starved(&mut self, worker: &mut Worker) {
        while let Some(token) = self.controls.starved.pop() {
            self.rearm(worker, token);
        }
    }

    fn writable(&mut self, worker: &mut Worker, completion: &mut Completion) {
        let token = token(completion.tag);
        let Some(slot) = worker.slot_mut(token) else {
            return;
        };
        slot.io.awaiting_writable = false;
        let quiet = !slot.io.receiving;
        if slot.is_closing() {
            if quiet {
                worker.on_quiet(token);
            }
            return;
        }
        worker.on_writable(token, &mut self.controls);
    }

    fn accepted(&mut self, worker: &mut Worker, completion: &mut Completion) -> io::Result<()> {
        let index = token(completion.tag).slot as usize;
        match completion.take_accepted() {
            Ok(accepted) => worker.on_accepted(accepted, &mut self.controls),
            Err(error) => worker.on_accept_failed(&error, &mut self.controls),
        }
        if !completion.more() {
            if let Some(accepting) = self.accepting.get_mut(index) {
                *accepting = false;
            }
            if !worker.is_accept_paused() && !worker.is_draining() {
                self.accept()?;
            }
        }
        Ok(())
    }

    /// Takes the connections that the kernel has completed already, then closes the listeners.
    fn stop_accepting(&mut self, worker: &mut Worker) -> io::Result<()> {
        for index in 0..self.listeners.len() {
            let target = plain(index, Operation::Accept);
            self.controls
                .ring
                .cancel(target, plain(0, Operation::Cancel))?;
        }
        for listener in std::mem::take(&mut self.listeners) {
            worker.drain_listener(&listener, &mut self.controls);
        }
        Ok(())
    }
}
