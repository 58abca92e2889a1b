//! A request as the origin got it.

use std::time::Instant;

/// Most bytes of a body that are kept.
pub(super) const BODY_KEPT_MAX: usize = 4 << 20;

/// A request, recorded when its head was there.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Its place among all requests, 0-based.
    pub(crate) number: usize,
    /// The connection that it came on, 0-based.
    pub(crate) connection: usize,
    /// When its head was there.
    pub(crate) at: Instant,
    pub(crate) method: String,
    /// Path and query, as received.
    pub(crate) target: String,
    pub(crate) version: String,
    /// The fields in their order, names as received.
    pub(crate) fields: Vec<(String, String)>,
    /// What was read of its body, up to 4 MiB, without its transfer coding.
    pub(crate) body: Vec<u8>,
    /// The trailer lines behind a body in chunks.
    pub(crate) trailers: Vec<String>,
    /// Whether the body was read to its end.
    pub(crate) is_whole: bool,
}

impl Asked {
    /// Reads a head that ends with its empty line.
    pub(super) fn from_head(head: &[u8], connection: usize, at: Instant) -> Self {
        let text = String::from_utf8_lossy(head);
        let mut lines = text.trim_end_matches("\r\n").split("\r\n");
        let mut words = lines.next().unwrap_or_default().split(' ');
        let mut word = || words.next().unwrap_or_default().to_owned();
        let (method, target, version) = (word(), word(), word());
        let field = |line: &str| {
            let (name, value) = line.split_once(':').expect("a field line");
            (name.to_owned(), value.trim().to_owned())
        };
        Self {
            number: 0,
            connection,
            at,
            method,
            target,
            version,
            fields: lines.map(field).collect(),
            body: Vec::new(),
            trailers: Vec::new(),
            is_whole: false,
        }
    }

    /// The target without its query.
    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// All values of a field, whatever the case of its name.
    pub(crate) fn lines(&self, name: &str) -> Vec<&str> {
        let lines = self.fields.iter();
        lines
            .filter(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
            .collect()
    }

    /// The first value of a field.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.lines(name).first().copied()
    }

    /// Whether the client lets the connection persist.
    pub(super) fn persists(&self) -> bool {
        let says = |option: &str| {
            let lines = self.lines("connection").join(",").to_ascii_lowercase();
            lines.split(',').any(|known| known.trim() == option)
        };
        !says("close") && (self.version != "HTTP/1.0" || says("keep-alive"))
    }
}
