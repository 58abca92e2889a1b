//! From a URL's host and port to a connected socket.
//!
//! Names are looked up by the system's resolver on a thread that may block, one look-up at a time for each URL: a
//! resolver that hangs holds one thread, not one for every request. What was found serves for [`KEEP`].

use std::cell::RefCell;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::fault::OriginFault;
use super::settings::OriginUrl;
use crate::policy::public_address::is_public;
use crate::sys::clock;
use crate::units::MonoNanos;

/// Most addresses of a name that are tried.
pub(super) const ADDRESSES_MAX: usize = 8;

/// How long the addresses of a name are used before it is looked up again.
const KEEP: Duration = Duration::from_secs(5);

/// Where a URL's host listens.
#[derive(Debug)]
pub(super) struct Addresses {
    host: String,
    port: u16,
    /// Others are not connected to.
    public_only: bool,
    /// The host where it is an address itself.
    literal: Option<Rc<[SocketAddr]>>,
    found: RefCell<Option<(MonoNanos, Rc<[SocketAddr]>)>>,
    turn: Arc<Semaphore>,
}

impl Addresses {
    pub(super) fn of(url: &OriginUrl, public_only: bool) -> Self {
        let host = url.bare_host().to_owned();
        let literal = host.parse::<IpAddr>().ok();
        Self {
            literal: literal.map(|address| Rc::from([SocketAddr::new(address, url.port)])),
            host,
            port: url.port,
            public_only,
            found: RefCell::new(None),
            turn: Arc::new(Semaphore::new(1)),
        }
    }

    /// A socket connected to the first address that answers before `deadline`. Each address gets its share of the time that is
    /// left, so that one that swallows packets leaves some to the next.
    ///
    /// # Errors
    /// The last address's fault: refused, unreachable, or out of time. `Dns` where there is no address, `Forbidden` where none
    /// may be connected to: what was looked at is the very address that would be, so that no later look-up gets around it.
    pub(super) async fn connect(&self, deadline: MonoNanos) -> Result<TcpStream, OriginFault> {
        let found = self.look_up(deadline).await?;
        let may_be_asked = |address: &&SocketAddr| !self.public_only || is_public(address.ip());
        let addresses: Vec<SocketAddr> = found.iter().filter(may_be_asked).copied().collect();
        if addresses.is_empty() {
            return Err(OriginFault::Forbidden);
        }
        let mut fault = OriginFault::Dns;
        for (index, &address) in addresses.iter().enumerate() {
            let left = deadline.since(clock::mono());
            if left.is_zero() {
                return Err(OriginFault::ConnectTimeout);
            }
            let others = u32::try_from(addresses.len() - index).unwrap_or(u32::MAX);
            fault = match timeout(left / others, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => match stream.set_nodelay(true) {
                    Ok(()) => return Ok(stream),
                    Err(error) => OriginFault::of_connect(&error),
                },
                Ok(Err(error)) => OriginFault::of_connect(&error),
                Err(_) => OriginFault::ConnectTimeout,
            };
        }
        // A name may have moved.
        self.found.replace(None);
        Err(fault)
    }

    async fn look_up(&self, deadline: MonoNanos) -> Result<Rc<[SocketAddr]>, OriginFault> {
        if let Some(literal) = &self.literal {
            return Ok(Rc::clone(literal));
        }
        if let Some(known) = self.known() {
            return Ok(known);
        }
        let left = deadline.since(clock::mono());
        match timeout(left, self.ask_resolver()).await {
            Ok(answer) => answer,
            Err(_) => Err(OriginFault::Dns),
        }
    }

    fn known(&self) -> Option<Rc<[SocketAddr]>> {
        let found = self.found.borrow();
        let (at, addresses) = found.as_ref()?;
        (clock::mono().since(*at) < KEEP).then(|| Rc::clone(addresses))
    }

    async fn ask_resolver(&self) -> Result<Rc<[SocketAddr]>, OriginFault> {
        // Never closed.
        let turn = Arc::clone(&self.turn).acquire_owned().await;
        if let Some(known) = self.known() {
            return Ok(known);
        }
        let (host, port) = (self.host.clone(), self.port);
        let answer = tokio::task::spawn_blocking(move || {
            let answer = (host.as_str(), port).to_socket_addrs();
            // The turn ends with the look-up, even where nobody waits for it any more.
            drop(turn);
            answer.map(|addresses| addresses.take(ADDRESSES_MAX).collect::<Vec<_>>())
        })
        .await;
        let Ok(Ok(addresses)) = answer else {
            return Err(OriginFault::Dns);
        };
        if addresses.is_empty() {
            return Err(OriginFault::Dns);
        }
        let addresses: Rc<[SocketAddr]> = addresses.into();
        self.found
            .replace(Some((clock::mono(), Rc::clone(&addresses))));
        Ok(addresses)
    }
}
