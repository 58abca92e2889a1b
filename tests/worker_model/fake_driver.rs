//! A driver without a kernel's queue behind it: it notes what is armed, and asserts that the worker keeps its contract.

use std::collections::HashMap;
use std::io;
use std::os::fd::BorrowedFd;

use hotplate::server::driver::Controls;
use hotplate::server::slot::{IoState, Token};

/// Which of the two drivers is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Receives and waits are operations: they end some time after they were cancelled.
    Ring,
    /// Nothing is ever under way.
    Epoll,
}

/// What is known of a connection.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Armed {
    /// A receive is under way.
    pub(crate) receiving: bool,
    /// The receive is being cancelled.
    pub(crate) cancelling: bool,
    /// A wait for room is under way.
    pub(crate) writable: bool,
    /// The worker has ended the connection.
    pub(crate) ended: bool,
}

/// The driver.
#[derive(Debug)]
pub(crate) struct FakeDriver {
    pub(crate) kind: Kind,
    pub(crate) armed: HashMap<Token, Armed>,
    /// The connection that was begun last.
    pub(crate) newest: Option<Token>,
}

impl FakeDriver {
    pub(crate) fn new(kind: Kind) -> Self {
        Self {
            kind,
            armed: HashMap::new(),
            newest: None,
        }
    }

    /// What is armed for a live connection.
    fn live(&mut self, token: Token) -> &mut Armed {
        let armed = self.armed.get_mut(&token);
        let armed = armed.unwrap_or_else(|| panic!("{token:?} was never begun"));
        assert!(!armed.ended, "{token:?} was ended");
        armed
    }

    /// The receive under way has ended.
    pub(crate) fn receive_ended(&mut self, token: Token, io: &mut IoState) {
        let armed = self.armed.get_mut(&token).expect("a connection");
        assert!(armed.receiving && io.receiving, "{token:?}");
        armed.receiving = false;
        armed.cancelling = false;
        io.receiving = false;
    }

    /// The wait for room has ended.
    pub(crate) fn wait_ended(&mut self, token: Token, io: &mut IoState) {
        let armed = self.armed.get_mut(&token).expect("a connection");
        assert!(armed.writable && io.awaiting_writable, "{token:?}");
        armed.writable = false;
        io.awaiting_writable = false;
    }
}

impl Controls for FakeDriver {
    fn begin(&mut self, token: Token, _: BorrowedFd<'_>, io: &mut IoState) -> io::Result<()> {
        let armed = self.armed.entry(token).or_default();
        assert!(!armed.receiving, "{token:?} was begun twice");
        assert!(!armed.ended, "{token:?} was begun after its end");
        armed.receiving = true;
        io.receiving = true;
        self.newest = Some(token);
        Ok(())
    }

    fn pause(&mut self, token: Token, io: &mut IoState) -> io::Result<()> {
        let is_ring = self.kind == Kind::Ring;
        let armed = self.live(token);
        io.paused = true;
        armed.cancelling = is_ring && armed.receiving;
        Ok(())
    }

    fn resume(&mut self, token: Token, socket: BorrowedFd<'_>, io: &mut IoState) -> io::Result<()> {
        let armed = self.live(token);
        assert!(io.paused, "{token:?} was not paused");
        io.paused = false;
        if armed.receiving {
            return Ok(());
        }
        self.begin(token, socket, io)
    }

    fn await_writable(
        &mut self,
        token: Token,
        _: BorrowedFd<'_>,
        io: &mut IoState,
    ) -> io::Result<()> {
        let armed = self.live(token);
        armed.writable = true;
        io.awaiting_writable = true;
        Ok(())
    }

    fn end(&mut self, token: Token, _: &mut IoState) -> bool {
        let kind = self.kind;
        let armed = self.live(token);
        armed.ended = true;
        kind == Kind::Epoll || !(armed.receiving || armed.writable)
    }
}
