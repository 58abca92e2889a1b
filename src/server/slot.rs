//! A client connection's place in its worker: socket, protocol state, and what is still to be sent or parsed.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use super::conn::{Connection, Filling};
use super::deadlines::Wait;
use super::transfer::Transfer;
use crate::units::MonoNanos;

/// Largest generation: it fits a driver's tag beside the slot and the operation.
pub(super) const GENERATION_MAX: u32 = (1 << 24) - 1;

/// A slot's number and generation: a number is used again, a token is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Token {
    /// The slot's number.
    pub slot: u32,
    /// Which connection of the slot.
    pub generation: u32,
}

/// What the driver has under way for a connection; written by the driver alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct IoState {
    /// A receive is armed.
    pub receiving: bool,
    /// A wait for room to send is armed.
    pub awaiting_writable: bool,
    /// The worker wants no more bytes for now.
    pub paused: bool,
}

/// A connection in its slot.
#[derive(Debug)]
pub struct Slot {
    /// The socket.
    pub socket: OwnedFd,
    /// Tells this connection from earlier ones in the slot.
    pub generation: u32,
    /// What the driver has under way.
    pub io: IoState,
    /// The protocol's state.
    pub conn: Connection,
    /// Received bytes that are not parsed yet.
    pub pending: Vec<u8>,
    /// Prepared bytes that the socket did not take at once.
    pub backlog: Vec<u8>,
    /// The body behind the backlog.
    pub transfer: Option<Transfer>,
    /// What came of the order that the connection waited for.
    pub filled: Option<Filling>,
    /// The client's address, where the access log or an origin wants it.
    pub peer: Option<SocketAddr>,
    /// When the answers in `unfinished` were asked for.
    pub started: MonoNanos,
    /// Answers begun whose last byte is not handed over yet.
    pub unfinished: u32,
    /// Bytes thrown away while lingering.
    pub lingered_bytes: u32,
    /// Bytes not acknowledged when a wait for the client was last looked at.
    pub unacknowledged: u32,
    /// When the client was last seen to take bytes.
    pub progressed: MonoNanos,
    /// What a waiting slot waits for.
    pub awaits: Wait,
    /// What the slot is up to.
    pub stage: Stage,
    /// The client has sent its last byte.
    pub ended: bool,
    /// It is over the limit of connections: what it is being answered is the last.
    pub is_last_answer: bool,
}

/// What a slot is up to. `-` is what does not happen or changes nothing.
///
/// | stage | last answer begun | order placed | all is sent | order filled | client has ended | deadline, failure |
/// |---|---|---|---|---|---|---|
/// | `Open` | `Finishing` | `Waiting` | `Open`; `Closing` once ended | - | `Closing`, when nothing is left to answer | `Finishing` (408) or `Closing` |
/// | `Waiting` | `Finishing` (503) | - | `Waiting` | `Open` | - | `Finishing` (503) or `Closing` |
/// | `Finishing` | - | - | `Lingering`; `Closing` once ended | - | - | `Closing` |
/// | `Lingering` | - | - | - | - | `Closing` | `Closing` |
/// | `Closing` | - | - | - | - | - | - |
///
/// A `Closing` slot goes when the driver has nothing under way for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Requests are read and answered.
    Open,
    /// An order to the fill threads is awaited.
    Waiting,
    /// The last answer is on its way; then linger.
    Finishing,
    /// All is sent; waiting for the client to close.
    Lingering,
    /// Closed for us; the driver still has operations under way.
    Closing,
}

impl Slot {
    /// A fresh connection.
    #[must_use]
    pub fn new(socket: OwnedFd, generation: u32, peer: Option<SocketAddr>) -> Self {
        Self {
            socket,
            generation,
            io: IoState::default(),
            conn: Connection::default(),
            pending: Vec::new(),
            backlog: Vec::new(),
            transfer: None,
            filled: None,
            peer,
            started: MonoNanos(0),
            unfinished: 0,
            lingered_bytes: 0,
            unacknowledged: 0,
            progressed: MonoNanos(0),
            awaits: Wait::Fill,
            stage: Stage::Open,
            ended: false,
            is_last_answer: false,
        }
    }

    /// Counts an order for the cold bytes that come next; false when there were `max` without progress.
    pub fn ask_for_cold(&mut self, max: u8) -> bool {
        let Some(transfer) = &mut self.transfer else {
            return false;
        };
        transfer.cold_asks = transfer.cold_asks.saturating_add(1);
        transfer.cold_asks <= max
    }

    /// Whether somebody waits to write to the file of the body under way.
    #[must_use]
    pub fn is_revoked(&self) -> bool {
        let transfer = self.transfer.as_ref();
        transfer.is_some_and(|transfer| transfer.lease.object().is_revoked())
    }

    /// Whether the connection is over for the worker.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.stage == Stage::Closing
    }

    /// Whether prepared bytes are still to be sent.
    #[must_use]
    pub fn is_sending(&self) -> bool {
        self.transfer.is_some() || !self.backlog.is_empty()
    }

    /// Whether received bytes have to wait.
    #[must_use]
    pub fn is_held_up(&self) -> bool {
        self.is_sending() || self.stage == Stage::Waiting || self.conn.holds()
    }

    /// Bytes of the body under way that are not sent.
    #[must_use]
    pub fn unsent(&self) -> u64 {
        self.transfer.as_ref().map_or(0, Transfer::left_in_all)
    }
}

const _: () = assert!(
    size_of::<Slot>() <= 512,
    "an idle connection must stay small"
);
