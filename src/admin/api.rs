//! The admin API's server: HTTP/1.1 on a thread of its own, so that no scrape delays a worker.
//!
//! Everything has a limit: [`CONNECTIONS_MAX`] connections (more wait in the kernel's queue), a deadline for each head,
//! and a life span for each connection, so that a client that stops reading holds its place for that long at most. An answer that
//! is being made, such as that to a get of the media library, is waited for beyond it.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::error::AdminError;
use super::listener::{Bound, SocketFile, bind};
use super::observed::Observed;
use super::route::AdminDesk;
use super::settings::AdminSettings;
use crate::sys::cpu;

/// Most connections at a time.
pub const CONNECTIONS_MAX: usize = 256;

/// Longest wait for a request's head, between requests too.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest life of a connection; an answer under way at its end is given a second more.
pub const CONNECTION_LIFE: Duration = Duration::from_secs(120);

/// How long answers under way may take when a connection is to end.
const FAREWELL: Duration = Duration::from_secs(1);

/// The largest request head in bytes: room for any URL that is served by default, percent-encoded in a query.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// Most fields in a request head.
const FIELDS_MAX: usize = 64;

/// The pause after an accept that failed, for it fails again as long as the process is out of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How far the thread gives way to a worker on its core: hits go before gets of the media library, and before scrapes.
const GIVES_WAY_BY: i32 = 5;

/// The running admin API. [`stop`](Self::stop) ends it in order; dropping it ends it without waiting.
#[derive(Debug)]
pub struct AdminServer {
    address: Option<SocketAddr>,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    /// Its sender's end is the signal to stop.
    stop: watch::Sender<()>,
    thread: thread::JoinHandle<()>,
}

/// What a client can take up.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    connections: usize,
    head_timeout: Duration,
    connection_life: Duration,
    farewell: Duration,
}

const BOUNDS: Bounds = Bounds {
    connections: CONNECTIONS_MAX,
    head_timeout: HEAD_TIMEOUT,
    connection_life: CONNECTION_LIFE,
    farewell: FAREWELL,
};

/// Starts the admin API that `settings` ask for; with the address off, one that does nothing.
///
/// # Errors
/// All of [`bind`]'s, and [`AdminError::Thread`].
pub fn start(settings: &AdminSettings, observed: Observed) -> Result<AdminServer, AdminError> {
    start_within(settings, observed, BOUNDS)
}

fn start_within(
    settings: &AdminSettings,
    observed: Observed,
    bounds: Bounds,
) -> Result<AdminServer, AdminError> {
    let Some(bound) = bind(settings)? else {
        return Ok(AdminServer {
            address: None,
            running: None,
        });
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .map_err(AdminError::Thread)?;
    let (door, address) = {
        let _inside = runtime.enter();
        Door::open(bound).map_err(AdminError::Thread)?
    };
    let desk = Arc::new(AdminDesk::new(observed, settings.token.clone()));
    let (stop, stopping) = watch::channel(());
    let thread = thread::Builder::new()
        .name("admin".to_owned())
        .spawn(move || {
            cpu::give_way(GIVES_WAY_BY);
            runtime.block_on(serve(door, desk, bounds, stopping));
        })
        .map_err(AdminError::Thread)?;
    Ok(AdminServer {
        address,
        running: Some(Running { stop, thread }),
    })
}

impl AdminServer {
    /// The TCP address that is listened on, with the port that the kernel chose where 0 was asked for.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Stops listening, lets answers under way finish for a second, and removes the unix socket's file.
    pub fn stop(self) {
        if let Some(Running { stop, thread }) = self.running {
            drop(stop);
            if thread.join().is_err() {
                tracing::error!("the admin thread ended by a panic");
            }
        }
    }
}

/// A listener inside the runtime.
enum Door {
    Tcp(TcpListener),
    Unix(
        UnixListener,
        #[expect(dead_code, reason = "removes the file when dropped")] SocketFile,
    ),
}

/// An accepted connection.
enum Visitor {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Door {
    fn open(bound: Bound) -> io::Result<(Self, Option<SocketAddr>)> {
        Ok(match bound {
            Bound::Tcp(listener, address) => {
                (Self::Tcp(TcpListener::from_std(listener)?), Some(address))
            }
            Bound::Unix(listener, file) => {
                (Self::Unix(UnixListener::from_std(listener)?, file), None)
            }
        })
    }

    async fn accept(&self) -> io::Result<Visitor> {
        match self {
            Self::Tcp(listener) => listener.accept().await.map(|(it, _)| Visitor::Tcp(it)),
            Self::Unix(listener, _) => listener.accept().await.map(|(it, _)| Visitor::Unix(it)),
        }
    }
}

/// Accepts until it is told to stop, then lets the connections end.
async fn serve(door: Door, desk: Arc<AdminDesk>, bounds: Bounds, stopping: watch::Receiver<()>) {
    let places = Arc::new(Semaphore::new(bounds.connections));
    let mut connections = JoinSet::new();
    let mut stop = stopping.clone();
    loop {
        // Reaps what has ended, so that the set holds no more than there are places.
        while connections.try_join_next().is_some() {}
        tokio::select! {
            biased;
            _ = stop.changed() => break,
            (visitor, place) = admit(&door, &places) => {
                let desk = Arc::clone(&desk);
                let stop = stopping.clone();
                connections.spawn(async move {
                    match visitor {
                        Visitor::Tcp(stream) => converse(stream, &desk, bounds, stop).await,
                        Visitor::Unix(stream) => converse(stream, &desk, bounds, stop).await,
                    }
                    drop(place);
                });
            }
        }
    }
    drop(door);
    let all_end = async { while connections.join_next().await.is_some() {} };
    if timeout(bounds.farewell * 2, all_end).await.is_err() {
        tracing::warn!("admin connections were cut off");
    }
}

/// Waits for a free place, then for a connection.
async fn admit(door: &Door, places: &Arc<Semaphore>) -> (Visitor, Option<OwnedSemaphorePermit>) {
    // None only when the semaphore is closed, which it never is.
    let place = Arc::clone(places).acquire_owned().await.ok();
    let mut failing = false;
    loop {
        match door.accept().await {
            Ok(visitor) => return (visitor, place),
            Err(error) => {
                if !failing {
                    tracing::warn!(%error, "admin connections cannot be accepted");
                }
                failing = true;
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Serves one connection until it ends, its life span is over, or the server stops.
async fn converse<S>(stream: S, desk: &AdminDesk, bounds: Bounds, mut stop: watch::Receiver<()>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let is_busy = AtomicBool::new(false);
    let service = service_fn(|request| async {
        is_busy.store(true, Ordering::Relaxed);
        let answer = desk.answer(request).await;
        is_busy.store(false, Ordering::Relaxed);
        Ok::<_, Infallible>(answer)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.head_timeout)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(FIELDS_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let must_end = async {
        tokio::select! {
            _ = stop.changed() => {}
            () = outlived(&is_busy, bounds) => {}
        }
    };
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = must_end => {
            connection.as_mut().graceful_shutdown();
            // A client that does not read its answer by then is cut off.
            timeout(bounds.farewell, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        // The client's doing: a malformed head, a deadline missed, a reset.
        tracing::debug!(%error, "an admin connection failed");
    }
}

/// The end of a connection's life, which no answer that is being made sees.
async fn outlived(is_busy: &AtomicBool, bounds: Bounds) {
    sleep(bounds.connection_life).await;
    while is_busy.load(Ordering::Relaxed) {
        sleep(bounds.farewell).await;
    }
}

#[cfg(test)]
#[path = "api_tests.rs"]
mod tests;
