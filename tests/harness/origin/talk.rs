//! One connection of the origin: reads requests, carries out replies.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::asked::{Asked, BODY_KEPT_MAX};
use super::made::content;
use super::reply::{Reply, Say};
use super::{PATIENCE, Shared, TICK};
use crate::harness::waiting::{now, pause};

/// Made content is written in steps of this size.
const STEP: u64 = 64 << 10;

/// The connection is over: closed by either side, or by the scenario's end.
struct Over;

/// Answers the requests of a connection until it is over.
pub(super) fn serve(shared: &Shared, connection: usize, stream: TcpStream) {
    stream.set_nodelay(true).ok();
    stream.set_read_timeout(Some(TICK)).ok();
    stream.set_write_timeout(Some(PATIENCE)).ok();
    let mut talk = Talk {
        shared,
        connection,
        stream,
        pending: Vec::new(),
        pace: None,
    };
    // Why it is over, the scenario sees from its own side.
    while talk.exchange().is_ok() {}
}

struct Talk<'s> {
    shared: &'s Shared,
    connection: usize,
    stream: TcpStream,
    pending: Vec<u8>,
    /// Bytes a second, since when, and how many so far.
    pace: Option<(u64, Instant, u64)>,
}

/// How much of a request's body is still to come.
enum Rest {
    None,
    Length(u64),
    Chunks { left: u64 },
}

/// A request whose body may not have been read.
struct Reading {
    number: usize,
    rest: Rest,
    kept: usize,
}

impl Talk<'_> {
    /// One request and its reply.
    fn exchange(&mut self) -> Result<(), Over> {
        let head = self.head()?;
        let mut asked = Asked::from_head(&head, self.connection, now());
        let mut reading = Reading {
            number: 0,
            rest: rest_of(&asked),
            kept: 0,
        };
        asked.is_whole = matches!(reading.rest, Rest::None);
        let number = self.shared.record(asked.clone());
        (asked.number, reading.number) = (number, number);
        let route = self.shared.route(&asked.target);
        if !route.is_early {
            if asked.field("expect").is_some() && !asked.is_whole {
                self.say(b"HTTP/1.1 100 Continue\r\n\r\n")?;
            }
            self.read_body(&mut reading, u64::MAX, Some(&mut asked.body))?;
            asked.is_whole = true;
        }
        let reply = (route.script)(&asked);
        self.pace = None;
        for step in &reply.steps {
            self.carry_out(step, &reply, &mut reading)?;
        }
        if !asked.persists() || !reply.persists(&asked.method) {
            return Err(Over);
        }
        self.read_body(&mut reading, u64::MAX, None)
    }

    fn carry_out(&mut self, step: &Say, reply: &Reply, reading: &mut Reading) -> Result<(), Over> {
        match step {
            Say::Head => self.say(&reply.head())?,
            Say::Bytes(bytes) => self.say(bytes)?,
            Say::Made(seed, range) => {
                let step = self
                    .pace
                    .map_or(STEP, |(rate, ..)| (rate / 50).clamp(1, STEP));
                let mut at = range.start;
                while at < range.end {
                    let end = at.saturating_add(step).min(range.end);
                    self.say(&content(*seed, at..end))?;
                    at = end;
                }
            }
            Say::Wait(gate) => {
                if !gate.pass(|| self.shared.is_over()) {
                    return Err(Over);
                }
            }
            Say::Pause(duration) => self.let_pass(*duration)?,
            Say::Rate(rate) => self.pace = Some((*rate, now(), 0)),
            Say::Read(size) => self.read_body(reading, *size, None)?,
            Say::ReadRest => self.read_body(reading, u64::MAX, None)?,
            Say::AwaitClose => return self.await_close(),
            Say::HalfClose => {
                self.stream.shutdown(std::net::Shutdown::Write).ok();
                return self.await_close();
            }
            Say::Close => return Err(Over),
            Say::Reset => {
                let linger = Some(Duration::ZERO);
                socket2::SockRef::from(&self.stream).set_linger(linger).ok();
                return Err(Over);
            }
        }
        Ok(())
    }

    fn await_close(&mut self) -> Result<(), Over> {
        let deadline = now() + PATIENCE;
        loop {
            self.pending.clear();
            self.fill(Some(deadline))?;
        }
    }

    /// The next head with its empty line; waits for it as long as the origin lives.
    fn head(&mut self) -> Result<Vec<u8>, Over> {
        loop {
            let end = self.pending.windows(4).position(|four| four == b"\r\n\r\n");
            if let Some(end) = end {
                let rest = self.pending.split_off(end + 4);
                return Ok(std::mem::replace(&mut self.pending, rest));
            }
            self.fill(None)?;
        }
    }

    /// Reads up to `size` bytes of a request's body and records them.
    fn read_body(
        &mut self,
        reading: &mut Reading,
        size: u64,
        mut copy: Option<&mut Vec<u8>>,
    ) -> Result<(), Over> {
        let mut wanted = size;
        while wanted > 0 && !matches!(reading.rest, Rest::None) {
            let piece = self.body_piece(reading, wanted)?;
            wanted -= piece.len() as u64;
            let room = BODY_KEPT_MAX - reading.kept;
            let kept = &piece[..piece.len().min(room)];
            reading.kept += kept.len();
            if let Some(copy) = &mut copy {
                copy.extend_from_slice(kept);
            }
            let is_whole = matches!(reading.rest, Rest::None);
            self.shared.record_body(reading.number, kept, is_whole);
        }
        Ok(())
    }

    /// The next bytes of a body, at most `wanted`; none of them where a chunk's frame was read.
    fn body_piece(&mut self, reading: &mut Reading, wanted: u64) -> Result<Vec<u8>, Over> {
        let rest = &mut reading.rest;
        let left = match rest {
            Rest::None => return Ok(Vec::new()),
            Rest::Length(left) => left,
            Rest::Chunks { left: 0 } => {
                let line = self.line()?;
                let size = line.split(';').next().unwrap_or_default().trim();
                let size = u64::from_str_radix(size, 16).map_err(|_| Over)?;
                if size == 0 {
                    loop {
                        match self.line()? {
                            line if line.is_empty() => break,
                            line => self.shared.record_trailer(reading.number, line),
                        }
                    }
                    *rest = Rest::None;
                } else {
                    *rest = Rest::Chunks { left: size };
                }
                return Ok(Vec::new());
            }
            Rest::Chunks { left } => left,
        };
        if self.pending.is_empty() {
            self.fill(Some(now() + PATIENCE))?;
        }
        let size = usize::try_from((*left).min(wanted)).unwrap_or(usize::MAX);
        let after = self.pending.split_off(size.min(self.pending.len()));
        let piece = std::mem::replace(&mut self.pending, after);
        *left -= piece.len() as u64;
        let is_done = *left == 0;
        match rest {
            Rest::Length(_) if is_done => *rest = Rest::None,
            Rest::Chunks { .. } if is_done => drop(self.line()?),
            _ => {}
        }
        Ok(piece)
    }

    /// The next line without its end.
    fn line(&mut self) -> Result<String, Over> {
        loop {
            let end = self.pending.windows(2).position(|two| two == b"\r\n");
            if let Some(end) = end {
                let rest = self.pending.split_off(end + 2);
                let line = std::mem::replace(&mut self.pending, rest);
                return Ok(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            self.fill(Some(now() + PATIENCE))?;
        }
    }

    fn fill(&mut self, deadline: Option<Instant>) -> Result<(), Over> {
        let mut chunk = [0; 65_536];
        loop {
            if self.shared.is_over() || deadline.is_some_and(|deadline| now() >= deadline) {
                return Err(Over);
            }
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(Over),
                Ok(size) => {
                    self.pending.extend_from_slice(&chunk[..size]);
                    return Ok(());
                }
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => {}
                    _ => return Err(Over),
                },
            }
        }
    }

    /// Writes bytes, no faster than the pace.
    fn say(&mut self, bytes: &[u8]) -> Result<(), Over> {
        let Some((rate, since, mut said)) = self.pace else {
            return self.stream.write_all(bytes).map_err(|_| Over);
        };
        let step = usize::try_from((rate / 50).clamp(1, STEP)).expect("at most 64 KiB");
        for piece in bytes.chunks(step) {
            self.stream.write_all(piece).map_err(|_| Over)?;
            said += piece.len() as u64;
            let due = since + Duration::from_secs_f64(said as f64 / rate as f64);
            self.let_pass(due.saturating_duration_since(now()))?;
        }
        self.pace = Some((rate, since, said));
        Ok(())
    }

    fn let_pass(&self, duration: Duration) -> Result<(), Over> {
        let end = now() + duration.min(PATIENCE);
        loop {
            let left = end.saturating_duration_since(now());
            if left.is_zero() {
                return Ok(());
            }
            if self.shared.is_over() {
                return Err(Over);
            }
            pause(left.min(TICK));
        }
    }
}

fn rest_of(asked: &Asked) -> Rest {
    if asked.field("transfer-encoding").is_some() {
        return Rest::Chunks { left: 0 };
    }
    match asked.field("content-length").map(str::parse) {
        Some(Ok(length)) if length > 0 => Rest::Length(length),
        _ => Rest::None,
    }
}
