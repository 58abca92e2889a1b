//! One connection to one URL: made, used for one request after another, and closed with its value.

use std::rc::Rc;

use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::address::Addresses;
use super::fault::OriginFault;
use super::head::{READ_MAX, library};
use super::tls;
use super::upload::Upload;
use super::watch::Watch;
use super::wire::{Account, Pending, Socket, Transport, Wire};
use crate::sys::clock;
use crate::units::MonoNanos;

/// What may be read beyond a head's limit before the library has looked at it: reads that reached into the body.
const READ_AHEAD_MAX: usize = 3 * READ_MAX;

/// A connection that carries one request at a time.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) sender: SendRequest<Upload>,
    pub(super) account: Rc<Account>,
    pub(super) watch: Watch,
    socket: Socket,
    /// The task that reads and writes.
    task: AbortHandle,
    head_max: usize,
}

/// Whether an idle connection can carry another request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Freshness {
    Fresh,
    /// It was closed, or is not done with the last request.
    Closed,
    /// It has bytes that belong to no response.
    OverLong,
}

impl Connection {
    /// Connects by `deadline`, which covers everything up to the end of the TLS handshake.
    pub(super) async fn open(
        addresses: &Addresses,
        tls: Option<&(TlsConnector, ServerName<'static>)>,
        head_max: usize,
        deadline: MonoNanos,
    ) -> Result<Self, OriginFault> {
        let socket = Socket::new(addresses.connect(deadline).await?);
        let transport = match tls {
            None => Transport::Plain(socket.clone()),
            Some((connector, name)) => {
                let left = deadline.since(clock::mono());
                let handshake = connector.connect(name.clone(), socket.clone());
                match timeout(left, handshake).await {
                    Ok(Ok(stream)) => Transport::Tls(Box::new(stream)),
                    Ok(Err(error)) => return Err(tls::fault_of(&error)),
                    Err(_) => return Err(OriginFault::ConnectTimeout),
                }
            }
        };
        let account = Rc::new(Account::default());
        let wire = Wire::new(transport, Rc::clone(&account));
        let (sender, connection) = library(head_max)
            .handshake(TokioIo::new(wire))
            .await
            .map_err(|_| OriginFault::Reset)?;
        let task = tokio::task::spawn_local(async move {
            // Whoever waits for the response is told; without anybody, the connection was idle and is gone.
            connection.await.ok();
        });
        Ok(Self {
            sender,
            account,
            watch: Watch::new(),
            socket,
            task: task.abort_handle(),
            head_max,
        })
    }

    /// Begins the account of a request.
    pub(super) fn begin(&self) {
        let most = self.head_max.saturating_add(READ_AHEAD_MAX);
        self.account.begin(most as u64);
    }

    /// Looks whether the origin has closed an idle connection, or sent what nobody asked for (RFC 9112 s9.2).
    pub(super) fn freshness(&self) -> Freshness {
        match self.socket.pending() {
            // Not ready: the end of the last request still waits to be taken by the origin.
            Pending::Nothing if self.sender.is_ready() => Freshness::Fresh,
            Pending::Bytes => Freshness::OverLong,
            Pending::Nothing | Pending::End => Freshness::Closed,
        }
    }

    /// Whether bytes came after the end of a response, which closed the connection although it was to persist.
    pub(super) fn is_over_long(&self) -> bool {
        self.sender.is_closed() && !self.account.is_ended() && self.account.failed().is_none()
    }
}

impl Drop for Connection {
    /// Closes at once: whatever is still under way is for nobody.
    fn drop(&mut self) {
        self.task.abort();
    }
}
