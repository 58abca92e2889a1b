//! What the origin says to a request, step by step.

use std::ops::Range;
use std::time::Duration;

use super::gate::Gate;
use crate::harness::waiting::wall_clock;

/// A step of a reply.
#[derive(Clone, Debug)]
pub(super) enum Say {
    /// The status line, the fields and the empty line.
    Head,
    /// Bytes as they are.
    Bytes(Vec<u8>),
    /// A range of made content.
    Made(u64, Range<u64>),
    /// Goes on when the gate is open.
    Wait(Gate),
    /// Lets time pass.
    Pause(Duration),
    /// From here on no more than so many bytes a second.
    Rate(u64),
    /// Reads so many bytes of the request's body.
    Read(u64),
    /// Reads the rest of the request's body.
    ReadRest,
    /// Waits until the client closes.
    AwaitClose,
    /// Sends no more, and reads on until the client closes.
    HalfClose,
    /// Closes the connection.
    Close,
    /// Resets the connection.
    Reset,
}

/// A reply: a head, and steps around it. Steps that are added before the head has ended come before it.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    status: u16,
    version: &'static str,
    fields: Vec<(String, String)>,
    is_dated: bool,
    pub(super) steps: Vec<Say>,
    has_head: bool,
}

/// A reply with `status`. Its head goes out with the first step of its body, or with [`end`](Reply::end).
pub(crate) fn reply(status: u16) -> Reply {
    Reply {
        status,
        version: "HTTP/1.1",
        fields: Vec::new(),
        is_dated: true,
        steps: Vec::new(),
        has_head: false,
    }
}

impl Reply {
    /// Bytes as they are, without a head.
    pub(crate) fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        let mut raw = reply(0);
        raw.has_head = true;
        raw.bytes(bytes)
    }

    /// Adds a field.
    pub(crate) fn field(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Fresh for so many seconds.
    pub(crate) fn max_age(self, seconds: u64) -> Self {
        self.field("Cache-Control", &format!("max-age={seconds}"))
    }

    /// Without the Date that it has else.
    pub(crate) fn undated(mut self) -> Self {
        self.is_dated = false;
        self
    }

    /// As an HTTP/1.0 server would say it.
    pub(crate) fn http10(mut self) -> Self {
        self.version = "HTTP/1.0";
        self
    }

    /// Says how long the body will be, whatever is sent of it.
    pub(crate) fn length(self, size: u64) -> Self {
        self.field("Content-Length", &size.to_string())
    }

    /// Says a whole body with its length.
    pub(crate) fn body(self, bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        self.length(bytes.len() as u64).bytes(bytes)
    }

    /// Says a 1xx response now, before the head.
    pub(crate) fn informational(self, status: u16, fields: &[(&str, &str)]) -> Self {
        let mut text = format!("HTTP/1.1 {status} Informational\r\n");
        for (name, value) in fields {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        self.early(Say::Bytes(text.into_bytes()))
    }

    /// Ends the head, without a body.
    pub(crate) fn end(mut self) -> Self {
        if !self.has_head {
            self.has_head = true;
            self.steps.push(Say::Head);
        }
        self
    }

    /// Says bytes of the body.
    pub(crate) fn bytes(self, bytes: impl Into<Vec<u8>>) -> Self {
        self.after_head(Say::Bytes(bytes.into()))
    }

    /// Says made content.
    pub(crate) fn made(self, seed: u64, range: Range<u64>) -> Self {
        self.after_head(Say::Made(seed, range))
    }

    /// Says that the body comes in chunks; ends the head.
    pub(crate) fn chunked(self) -> Self {
        self.field("Transfer-Encoding", "chunked").end()
    }

    /// Says a chunk.
    pub(crate) fn chunk(self, bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        let mut coded = format!("{:x}\r\n", bytes.len()).into_bytes();
        coded.extend_from_slice(bytes);
        coded.extend_from_slice(b"\r\n");
        self.bytes(coded)
    }

    /// Says the last chunk, and trailers.
    pub(crate) fn last_chunk(self, trailers: &[(&str, &str)]) -> Self {
        let mut text = "0\r\n".to_owned();
        for (name, value) in trailers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        self.bytes(text)
    }

    /// Waits at a gate: before the head where that has not ended, else here in the body.
    pub(crate) fn wait(self, gate: &Gate) -> Self {
        self.early(Say::Wait(gate.clone()))
    }

    /// Lets time pass, here.
    pub(crate) fn pause(self, duration: Duration) -> Self {
        self.early(Say::Pause(duration))
    }

    /// Sends no more than so many bytes a second from here on.
    pub(crate) fn rate(self, bytes_per_second: u64) -> Self {
        self.early(Say::Rate(bytes_per_second.max(1)))
    }

    /// Reads so many bytes of the request's body, where [`on_head`](super::Origin::on_head) left it unread.
    pub(crate) fn read(self, size: u64) -> Self {
        self.early(Say::Read(size))
    }

    /// Reads the rest of the request's body.
    pub(crate) fn read_rest(self) -> Self {
        self.early(Say::ReadRest)
    }

    /// Waits until the client closes, then closes.
    pub(crate) fn await_close(self) -> Self {
        self.after_head(Say::AwaitClose)
    }

    /// Sends no more, and reads on until the client closes.
    pub(crate) fn half_close(self) -> Self {
        self.after_head(Say::HalfClose)
    }

    /// Closes the connection here.
    pub(crate) fn close(self) -> Self {
        self.early(Say::Close)
    }

    /// Resets the connection here.
    pub(crate) fn reset(self) -> Self {
        self.early(Say::Reset)
    }

    fn early(mut self, step: Say) -> Self {
        self.steps.push(step);
        self
    }

    fn after_head(self, step: Say) -> Self {
        self.end().early(step)
    }

    /// The head as it goes out.
    pub(super) fn head(&self) -> Vec<u8> {
        let mut text = format!("{} {} Said\r\n", self.version, self.status);
        let has_date = self
            .fields
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("date"));
        if self.is_dated && !has_date {
            let date = httpdate::fmt_http_date(wall_clock());
            text.push_str(&format!("Date: {date}\r\n"));
        }
        let mut bytes = text.into_bytes();
        for (name, value) in &self.fields {
            bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes
    }

    /// Whether the connection can go on: the client must know where the reply ended.
    pub(super) fn persists(&self, method: &str) -> bool {
        let has = |wanted: &str, part: &str| {
            self.fields.iter().any(|(name, value)| {
                name.eq_ignore_ascii_case(wanted) && value.to_ascii_lowercase().contains(part)
            })
        };
        let is_bodiless = method == "HEAD" || matches!(self.status, 204 | 304);
        let is_delimited =
            is_bodiless || has("content-length", "") || has("transfer-encoding", "chunked");
        let is_raw = self.status == 0;
        let is_old = self.version == "HTTP/1.0" && !has("connection", "keep-alive");
        is_raw || is_delimited && !is_old && !has("connection", "close")
    }
}
