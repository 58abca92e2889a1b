//! A connection as a client sees it.

mod streams;

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::answer::Answer;
use super::request::Request;
use super::waiting::now;

/// How long a client waits for an answer before the scenario fails. Generous: it only has to tell slow from stuck.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// The connection ended before the first byte of an answer.
    Closed,
    /// The connection ended within an answer; these are the bytes that came.
    Cut(Vec<u8>),
    /// Neither an answer nor an end came in time; these are the bytes that came.
    Late(Vec<u8>),
}

/// A connection to the server.
#[derive(Debug)]
pub(crate) struct Client {
    stream: TcpStream,
    pending: Vec<u8>,
    patience: Duration,
    is_reset: bool,
    trailers: Vec<String>,
}

/// What one read brought.
enum Came {
    Bytes,
    End,
    Nothing,
}

impl Client {
    #[track_caller]
    pub(crate) fn open(address: SocketAddr) -> Self {
        Self::try_open(address).unwrap_or_else(|error| panic!("no connection: {error}"))
    }

    pub(crate) fn try_open(address: SocketAddr) -> std::io::Result<Self> {
        TcpStream::connect_timeout(&address, PATIENCE).map(Self::from)
    }

    /// Waits no longer than this for each answer.
    pub(crate) fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Waits no longer than this for each answer from now on.
    pub(crate) fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// The socket.
    pub(crate) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Sends bytes; fails when the server has closed.
    #[track_caller]
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).expect("the server takes the bytes");
    }

    /// Sends bytes to a server that may have closed for good reason.
    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.stream.write_all(bytes.as_ref())
    }

    /// Sends no more, and goes on reading.
    pub(crate) fn half_close(&self) {
        self.stream.shutdown(Shutdown::Write).expect("a half-close");
    }

    /// Ends the connection with a reset instead of an orderly close.
    pub(crate) fn reset(self) {
        let linger = Some(Duration::ZERO);
        socket2::SockRef::from(&self.stream)
            .set_linger(linger)
            .expect("a reset at close");
    }

    /// Sends a request and reads its final answer.
    #[track_caller]
    pub(crate) fn ask(&mut self, request: &Request) -> Answer {
        self.send(request.bytes());
        self.answer(&request.method)
    }

    /// Reads the answer to a request with `method`, past any 1xx.
    #[track_caller]
    pub(crate) fn answer(&mut self, method: &str) -> Answer {
        loop {
            let answer = self.any_answer(method);
            if answer.status >= 200 {
                return answer;
            }
        }
    }

    /// Reads the next answer, which may be a 1xx.
    #[track_caller]
    pub(crate) fn any_answer(&mut self, method: &str) -> Answer {
        self.try_answer(method)
            .unwrap_or_else(|broken| panic!("no answer: {}", shown(&broken)))
    }

    /// Reads the next answer, or says why there is none.
    #[track_caller]
    pub(crate) fn try_answer(&mut self, method: &str) -> Result<Answer, Broken> {
        let deadline = now() + self.patience;
        let head_size = loop {
            let end = self.pending.windows(4).position(|w| w == b"\r\n\r\n");
            if let Some(at) = end {
                break at + 4;
            }
            assert!(self.pending.len() < 65_536, "a head without end");
            self.fill(deadline)?;
        };
        let mut answer = Answer::from_head(&self.pending[..head_size]);
        let size = answer.body_size(method);
        self.pending.reserve(size);
        while self.pending.len() < head_size + size {
            self.fill(now() + self.patience)?;
        }
        let rest = self.pending.split_off(head_size + size);
        answer.body = self.pending.split_off(head_size);
        self.pending = rest;
        Ok(answer)
    }

    /// Reads until the server closes, and returns what came.
    #[track_caller]
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let deadline = now() + self.patience;
        loop {
            match self.read(deadline) {
                Came::Bytes => {}
                Came::End => return std::mem::take(&mut self.pending),
                Came::Nothing => panic!(
                    "still open after {:?}; came: {:?}",
                    self.patience,
                    String::from_utf8_lossy(&self.pending)
                ),
            }
        }
    }

    /// Asserts that the server closes and sends nothing more before.
    #[track_caller]
    pub(crate) fn expect_closed(&mut self) {
        let rest = self.rest();
        assert!(
            rest.is_empty(),
            "sent before the close: {:?}",
            String::from_utf8_lossy(&rest)
        );
    }

    /// Whether the server has closed the connection by now, without any further byte.
    pub(crate) fn is_closed(&mut self) -> bool {
        matches!(self.read(now()), Came::End)
    }

    /// Asserts that nothing comes, and the connection stays open, for `duration`.
    #[track_caller]
    pub(crate) fn expect_silence(&mut self, duration: Duration) {
        let came = self.read(now() + duration);
        assert!(
            matches!(came, Came::Nothing) && self.pending.is_empty(),
            "not silent: {:?}",
            String::from_utf8_lossy(&self.pending)
        );
    }

    /// Reads at most `size` bytes; none at the end of the connection.
    #[track_caller]
    pub(crate) fn read_some(&mut self, size: usize) -> Vec<u8> {
        while self.pending.is_empty() {
            match self.read(now() + self.patience) {
                Came::Bytes => {}
                Came::End => return Vec::new(),
                Came::Nothing => panic!("nothing came in {:?}", self.patience),
            }
        }
        let rest = self.pending.split_off(size.min(self.pending.len()));
        std::mem::replace(&mut self.pending, rest)
    }

    fn fill(&mut self, deadline: Instant) -> Result<(), Broken> {
        match self.read(deadline) {
            Came::Bytes => Ok(()),
            Came::End if self.pending.is_empty() => Err(Broken::Closed),
            Came::End => Err(Broken::Cut(std::mem::take(&mut self.pending))),
            Came::Nothing => Err(Broken::Late(std::mem::take(&mut self.pending))),
        }
    }

    fn read(&mut self, deadline: Instant) -> Came {
        let left = deadline
            .saturating_duration_since(now())
            .max(Duration::from_millis(1));
        self.stream
            .set_read_timeout(Some(left))
            .expect("a deadline above zero");
        let mut chunk = [0; 65_536];
        match self.stream.read(&mut chunk) {
            Ok(0) => Came::End,
            Ok(size) => {
                self.pending.extend_from_slice(&chunk[..size]);
                Came::Bytes
            }
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut => Came::Nothing,
                // The ring that a driver's probe has let go of interrupts its thread once more.
                ErrorKind::Interrupted => self.read(deadline),
                ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => {
                    self.is_reset = true;
                    Came::End
                }
                _ => panic!("reading from the server: {error}"),
            },
        }
    }
}

impl From<TcpStream> for Client {
    fn from(stream: TcpStream) -> Self {
        stream.set_nodelay(true).expect("no delay");
        stream
            .set_write_timeout(Some(PATIENCE))
            .expect("a deadline above zero");
        Self {
            stream,
            pending: Vec::new(),
            patience: PATIENCE,
            is_reset: false,
            trailers: Vec::new(),
        }
    }
}

fn shown(broken: &Broken) -> String {
    match broken {
        Broken::Closed => "closed before the first byte".to_owned(),
        Broken::Cut(bytes) => format!("cut after {}", start_of(bytes)),
        Broken::Late(bytes) => format!("late after {}", start_of(bytes)),
    }
}

fn start_of(bytes: &[u8]) -> String {
    let start = &bytes[..bytes.len().min(400)];
    format!(
        "{} bytes: {:?}",
        bytes.len(),
        String::from_utf8_lossy(start)
    )
}
