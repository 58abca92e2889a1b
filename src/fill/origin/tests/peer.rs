//! A peer that speaks bytes: blocking sockets on threads of their own, none of which outlives its patience.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long a peer waits for anything.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// Lets peers wait until the test lets them go on, one for each word sent.
#[expect(
    clippy::disallowed_types,
    reason = "any of the peer's threads may be the next one to go on"
)]
pub(super) struct Gate(std::sync::Mutex<Receiver<()>>);

#[expect(clippy::disallowed_types, reason = "see Gate")]
pub(super) fn gate() -> (SyncSender<()>, Gate) {
    let (go, words) = sync_channel(1000);
    (go, Gate(std::sync::Mutex::new(words)))
}

impl Gate {
    /// Waits for a word; false where none will come.
    pub(super) fn pass(&self) -> bool {
        self.0.lock().unwrap().recv_timeout(PATIENCE).is_ok()
    }
}

/// A listener whose connections are served by a function each.
pub(super) struct Peer {
    address: SocketAddr,
    accepted: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Peer {
    /// Calls `serve` with the number of each connection, 0-based, and the connection.
    pub(super) fn each(serve: impl Fn(usize, Talk) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (accepted, is_over) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let (count, over) = (Arc::clone(&accepted), Arc::clone(&is_over));
        let serve = Arc::new(serve);
        let thread = std::thread::spawn(move || {
            let mut talks = Vec::new();
            for stream in listener.incoming() {
                if over.load(Ordering::SeqCst) {
                    break;
                }
                let index = count.fetch_add(1, Ordering::SeqCst);
                let (serve, talk) = (Arc::clone(&serve), Talk::of(stream.unwrap()));
                talks.push(std::thread::spawn(move || serve(index, talk)));
            }
            for talk in talks {
                // What went wrong there shows in what the client saw.
                talk.join().ok();
            }
        });
        Self {
            address,
            accepted,
            is_over,
            thread: Some(thread),
        }
    }

    pub(super) fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many connections it has had.
    pub(super) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        TcpStream::connect(self.address).ok();
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

/// A connection, from the peer's side.
pub(super) struct Talk {
    stream: TcpStream,
    pending: Vec<u8>,
}

impl Talk {
    fn of(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self {
            stream,
            pending: Vec::new(),
        }
    }

    /// The next request's head with its empty line; empty where the client closes instead.
    pub(super) fn head(&mut self) -> String {
        loop {
            let end = self.pending.windows(4).position(|four| four == b"\r\n\r\n");
            if let Some(end) = end {
                let rest = self.pending.split_off(end + 4);
                let head = std::mem::replace(&mut self.pending, rest);
                return String::from_utf8(head).unwrap();
            }
            if !self.read() {
                return String::new();
            }
        }
    }

    /// The next `size` bytes, or fewer where the client closes.
    pub(super) fn bytes(&mut self, size: usize) -> Vec<u8> {
        while self.pending.len() < size && self.read() {}
        let rest = self.pending.split_off(size.min(self.pending.len()));
        std::mem::replace(&mut self.pending, rest)
    }

    /// Whether the client has closed the connection; waits for it, and drops what comes before.
    pub(super) fn is_closed(&mut self) -> bool {
        while self.read() {
            self.pending.clear();
        }
        true
    }

    fn read(&mut self) -> bool {
        let mut chunk = [0; 65_536];
        match self.stream.read(&mut chunk) {
            Ok(0) => false,
            Ok(size) => {
                self.pending.extend_from_slice(&chunk[..size]);
                true
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            Err(error) => panic!("nothing came: {error}"),
        }
    }

    /// Sends bytes; false where the client has closed.
    pub(super) fn say(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).is_ok()
    }

    /// Answers a request with `body`.
    pub(super) fn answer(&mut self, body: &str) -> bool {
        self.say(format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ))
    }

    /// Ends the connection with a reset.
    pub(super) fn reset(self) {
        socket2::SockRef::from(&self.stream)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
    }

    /// The socket, for a TLS session on it.
    pub(super) fn into_stream(self) -> TcpStream {
        self.stream
    }
}
