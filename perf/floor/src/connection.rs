//! A connection's state, in a table indexed by descriptor: a descriptor is closed only when the kernel holds no
//! operation on it, so its number is a safe name for the connection until then.

use memchr::memmem::Finder;

/// What ends a head.
pub(crate) const BLANK_LINE: &[u8] = b"\r\n\r\n";

/// What is known of one connection.
#[derive(Clone, Copy, Default)]
pub(crate) struct Connection {
    /// Answers asked for and not sent to their end.
    pub(crate) owed: u32,
    /// Operations that send and are under way in the kernel (splice has up to three).
    pub(crate) sending: u8,
    /// How much of a blank line the bytes received so far end with.
    matched: u8,
    /// Whether a receive is armed.
    pub(crate) receiving: bool,
    /// Whether the connection waits in the turn's list of those to answer.
    pub(crate) listed: bool,
    /// Whether sending failed or the client is gone: nothing more is sent.
    pub(crate) broken: bool,
}

impl Connection {
    /// A new connection whose receive is armed.
    pub(crate) fn open() -> Self {
        Self {
            receiving: true,
            ..Self::default()
        }
    }

    /// Counts the heads that end in `bytes`; `blank_line` finds CRLF CRLF.
    pub(crate) fn count_heads(&mut self, bytes: &[u8], blank_line: &Finder<'_>) {
        if self.matched != 0 {
            self.count_by_byte(bytes);
            return;
        }
        let mut rest = bytes;
        while let Some(at) = blank_line.find(rest) {
            self.owed += 1;
            rest = &rest[at + BLANK_LINE.len()..];
        }
        let matched = (1..BLANK_LINE.len())
            .rev()
            .find(|length| rest.ends_with(&BLANK_LINE[..*length]));
        self.matched = matched.unwrap_or(0) as u8;
    }

    /// The same where the bytes before these may have ended inside a blank line.
    fn count_by_byte(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.matched = match (self.matched, byte) {
                (0 | 2, b'\r') => self.matched + 1,
                (1, b'\n') => 2,
                (3, b'\n') => {
                    self.owed += 1;
                    0
                }
                (_, b'\r') => 1,
                _ => 0,
            };
        }
    }
}
