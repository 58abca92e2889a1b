//! The epoll driver: edge-triggered, for kernels and sandboxes without io_uring.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;

use super::driver::Controls;
use super::slot::{IoState, Token};
use super::upkeep::TICK;
use super::worker::Worker;
use crate::sys::epoll::{Epoll, Readiness};
use crate::sys::socket;
use crate::units::MonoNanos;

/// Descriptors reported by one wait.
const EVENTS_MAX: usize = 512;
/// Bytes received by one call.
const RECEIVE_BYTES: usize = 16 << 10;
/// Receives from one connection before the others get their turn.
const RECEIVES_MAX: usize = 16;
/// Connections accepted from one listener in a turn.
const ACCEPTS_MAX: usize = 64;

const WAKE: u64 = u64::MAX;
/// Listeners are tagged from here on; a connection's generation is below 2^24, so its tag is smaller.
const LISTENERS: u64 = 1 << 62;

fn tag(token: Token) -> u64 {
    u64::from(token.generation) << 32 | u64::from(token.slot)
}

fn token(tag: u64) -> Token {
    Token {
        slot: tag as u32,
        generation: (tag >> 32) as u32,
    }
}

#[derive(Debug)]
struct EpollControls {
    set: Epoll,
    /// Connections to be read from without waiting for another edge.
    again: Vec<Token>,
}

impl Controls for EpollControls {
    fn begin(&mut self, token: Token, socket: BorrowedFd<'_>, io: &mut IoState) -> io::Result<()> {
        self.set.add_connection(socket, tag(token))?;
        io.receiving = true;
        Ok(())
    }

    fn pause(&mut self, _token: Token, io: &mut IoState) -> io::Result<()> {
        io.paused = true;
        Ok(())
    }

    fn resume(&mut self, token: Token, _: BorrowedFd<'_>, io: &mut IoState) -> io::Result<()> {
        io.paused = false;
        // The edge that announced the bytes may be long gone.
        self.again.push(token);
        Ok(())
    }

    fn await_writable(
        &mut self,
        _token: Token,
        _socket: BorrowedFd<'_>,
        io: &mut IoState,
    ) -> io::Result<()> {
        // The socket was found full just now, so an edge is sure to come.
        io.awaiting_writable = true;
        Ok(())
    }

    fn end(&mut self, _token: Token, _io: &mut IoState) -> bool {
        // Closing the only descriptor of a socket takes it out of the set.
        true
    }
}

/// Runs `worker` on an epoll set until it has drained.
///
/// # Errors
///
/// The set could not be made or stopped working.
pub fn run(worker: &mut Worker, listeners: Vec<OwnedFd>) -> io::Result<()> {
    let set = Epoll::new(EVENTS_MAX)?;
    set.add_source(worker.wake(), WAKE)?;
    let mut driver = Driver {
        controls: EpollControls {
            set,
            again: Vec::new(),
        },
        listeners,
        listening: false,
        buffer: vec![0; RECEIVE_BYTES],
        next_tick: MonoNanos(0),
    };
    driver.listen(true)?;
    let mut ready = Vec::with_capacity(EVENTS_MAX);
    while !worker.is_done() {
        let idle = !worker.has_ready() && driver.controls.again.is_empty();
        let timeout = if idle { TICK } else { Duration::ZERO };
        driver.controls.set.wait(timeout, &mut ready)?;
        worker.begin_turn();
        for event in ready.drain(..) {
            driver.take(worker, event)?;
        }
        for token in std::mem::take(&mut driver.controls.again) {
            driver.receive(worker, token, true);
        }
        worker.run_ready(&mut driver.controls);
        driver.tick(worker)?;
        worker.end_turn();
    }
    Ok(())
}

#[derive(Debug)]
struct Driver {
    controls: EpollControls,
    listeners: Vec<OwnedFd>,
    /// Whether the listeners are in the set.
    listening: bool,
    buffer: Vec<u8>,
    next_tick: MonoNanos,
}

impl Driver {
    fn take(&mut self, worker: &mut Worker, event: Readiness) -> io::Result<()> {
        if event.tag == WAKE {
            if worker.on_woken(&mut self.controls) {
                self.stop_accepting(worker)?;
            }
            return Ok(());
        }
        if event.tag >= LISTENERS {
            return self.accept(worker, (event.tag - LISTENERS) as usize);
        }
        let token = token(event.tag);
        if event.writable
            && let Some(slot) = worker.slot_mut(token)
            && std::mem::take(&mut slot.io.awaiting_writable)
        {
            worker.on_writable(token, &mut self.controls);
        }
        if event.readable {
            self.receive(worker, token, event.ending);
        }
        Ok(())
    }

    /// Receives until the socket is empty or the connection has had its share. A short read empties it, unless the end
    /// stands behind the bytes: `ending` says that its edge has been and won't come again.
    fn receive(&mut self, worker: &mut Worker, token: Token, ending: bool) {
        for _ in 0..RECEIVES_MAX {
            let Some(slot) = worker.slot_mut(token) else {
                return;
            };
            if slot.io.paused || slot.ended || slot.is_closing() {
                return;
            }
            match socket::receive(&slot.socket, &mut self.buffer) {
                Ok(0) => {
                    worker.on_ended(token, &mut self.controls);
                    return;
                }
                Ok(count) => {
                    let bytes = self.buffer.get(..count).unwrap_or_default();
                    worker.on_received(token, bytes, &mut self.controls);
                    if count < self.buffer.len() && !ending {
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => {
                    worker.on_failed(token, &mut self.controls);
                    return;
                }
            }
        }
        self.controls.again.push(token);
    }

    fn accept(&mut self, worker: &mut Worker, index: usize) -> io::Result<()> {
        for _ in 0..ACCEPTS_MAX {
            let Some(listener) = self.listeners.get(index) else {
                return Ok(());
            };
            match socket::accept(listener) {
                Ok(accepted) => worker.on_accepted(accepted, &mut self.controls),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => {
                    worker.on_accept_failed(&error, &mut self.controls);
                    if worker.is_accept_paused() {
                        // Level-triggered: it would be reported in every turn until there is room.
                        return self.listen(false);
                    }
                }
            }
        }
        Ok(())
    }

    /// Puts the listeners into the set or takes them out.
    fn listen(&mut self, on: bool) -> io::Result<()> {
        if self.listening == on {
            return Ok(());
        }
        self.listening = on;
        for (tag, listener) in (LISTENERS..).zip(&self.listeners) {
            if on {
                self.controls.set.add_source(listener, tag)?;
            } else {
                self.controls.set.remove(listener)?;
            }
        }
        Ok(())
    }

    fn tick(&mut self, worker: &mut Worker) -> io::Result<()> {
        let now = worker.now();
        if now < self.next_tick {
            return Ok(());
        }
        self.next_tick = now.after(TICK);
        worker.on_tick(&mut self.controls);
        if worker.take_accept_again() && !worker.is_draining() {
            self.listen(true)?;
        }
        Ok(())
    }

    /// Takes the connections that the kernel has completed already, then closes the listeners.
    fn stop_accepting(&mut self, worker: &mut Worker) -> io::Result<()> {
        self.listen(false)?;
        for listener in std::mem::take(&mut self.listeners) {
            worker.drain_listener(&listener, &mut self.controls);
        }
        Ok(())
    }
}
