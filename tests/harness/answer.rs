//! A response and the strict reading of its head: what RFC 9112 does not allow a server to send fails the scenario.

use std::time::{Duration, SystemTime};

use super::waiting::wall_clock;

/// Fields that may stand in a response once at most.
const SINGLE: [&str; 12] = [
    "age",
    "content-length",
    "content-range",
    "content-type",
    "content-encoding",
    "cache-control",
    "date",
    "etag",
    "last-modified",
    "location",
    "allow",
    "transfer-encoding",
];

/// A response, with names of fields in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// Reads a head that ends with its empty line; the body is still to come.
    #[track_caller]
    pub(crate) fn from_head(head: &[u8]) -> Self {
        let answer = Self::from_head_of_any_date(head);
        if (200..500).contains(&answer.status) {
            answer.check_date();
        }
        answer
    }

    /// As [`from_head`](Self::from_head), of a response that may have been made long ago.
    #[track_caller]
    pub(crate) fn from_head_of_any_date(head: &[u8]) -> Self {
        let shown = String::from_utf8_lossy(head).into_owned();
        let text = std::str::from_utf8(head).unwrap_or_else(|_| panic!("not text: {shown:?}"));
        let mut lines = text
            .strip_suffix("\r\n\r\n")
            .unwrap_or_else(|| panic!("no end: {shown:?}"))
            .split("\r\n");
        let status = read_status_line(lines.next().unwrap_or_default());
        let fields: Vec<_> = lines.map(read_field_line).collect();
        let answer = Self {
            status,
            fields,
            body: Vec::new(),
        };
        for name in SINGLE {
            assert!(answer.lines(name).len() <= 1, "{name} repeats: {shown:?}");
        }
        answer
    }

    /// All values of a field.
    pub(crate) fn lines(&self, name: &str) -> Vec<&str> {
        let lines = self.fields.iter().filter(|(known, _)| known == name);
        lines.map(|(_, value)| value.as_str()).collect()
    }

    /// The first value of a field.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.lines(name).first().copied()
    }

    /// The value of a field that the answer must have.
    #[track_caller]
    pub(crate) fn needs(&self, name: &str) -> &str {
        self.field(name)
            .unwrap_or_else(|| panic!("no {name} in {self:?}"))
    }

    /// The members of a list field, over all its lines, in lower case.
    pub(crate) fn members(&self, name: &str) -> Vec<String> {
        let lines = self.lines(name).join(",");
        let members = lines.split(',').map(|part| part.trim().to_lowercase());
        members.filter(|part| !part.is_empty()).collect()
    }

    /// The entity-tag, which must be a strong one.
    #[track_caller]
    pub(crate) fn etag(&self) -> String {
        let etag = self.needs("etag");
        assert!(
            etag.len() > 2 && etag.starts_with('"') && etag.ends_with('"'),
            "not a strong entity-tag: {etag}"
        );
        etag.to_owned()
    }

    /// Whether the server said that it closes the connection after this answer.
    pub(crate) fn closes(&self) -> bool {
        self.members("connection").contains(&"close".to_owned())
    }

    /// Whether a body follows the head of this answer to a request with `method`.
    pub(crate) fn has_body(&self, method: &str) -> bool {
        method != "HEAD" && self.status >= 200 && self.status != 204 && self.status != 304
    }

    /// The size of the body that follows the head. A static server always knows it.
    #[track_caller]
    pub(crate) fn body_size(&self, method: &str) -> usize {
        assert!(
            self.field("transfer-encoding").is_none(),
            "a static body needs no transfer coding: {self:?}"
        );
        if matches!(self.status, 100..=199 | 204) {
            assert!(self.field("content-length").is_none(), "{self:?}");
        }
        if !self.has_body(method) {
            return 0;
        }
        let length = self.needs("content-length");
        assert!(length.bytes().all(|byte| byte.is_ascii_digit()), "{length}");
        length.parse().expect("a size")
    }

    /// Asserts the status, showing the whole answer where it is another.
    #[track_caller]
    pub(crate) fn expect(&self, status: u16) -> &Self {
        assert_eq!(self.status, status, "{self}");
        self
    }

    /// Asserts that the status is one of several that the specification allows.
    #[track_caller]
    pub(crate) fn expect_one_of(&self, statuses: &[u16]) -> &Self {
        assert!(statuses.contains(&self.status), "not {statuses:?}: {self}");
        self
    }

    /// The body's JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self}"))
    }

    /// Asserts the body, naming the first byte that differs.
    #[track_caller]
    pub(crate) fn expect_body(&self, body: &[u8]) -> &Self {
        assert_same_bytes(&self.body, body);
        self
    }

    fn check_date(&self) {
        let text = self.needs("date");
        let date = httpdate::parse_http_date(text).unwrap_or_else(|_| panic!("Date: {text}"));
        assert_eq!(httpdate::fmt_http_date(date), text, "not an IMF-fixdate");
        let now = wall_clock();
        let skew = now
            .duration_since(date)
            .unwrap_or_else(|ahead| ahead.duration());
        assert!(skew < Duration::from_secs(20), "Date {text} is not now");
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "status {}", self.status)?;
        for (name, value) in &self.fields {
            writeln!(f, "{name}: {value}")?;
        }
        let start = &self.body[..self.body.len().min(200)];
        write!(
            f,
            "{} bytes: {:?}",
            self.body.len(),
            String::from_utf8_lossy(start)
        )
    }
}

/// Asserts that two bodies are the same without printing megabytes.
#[track_caller]
pub(crate) fn assert_same_bytes(found: &[u8], expected: &[u8]) {
    assert_eq!(found.len(), expected.len(), "sizes of bodies");
    if found != expected {
        let differs = found.iter().zip(expected).position(|(a, b)| a != b);
        assert_eq!(differs, None, "bodies differ at this byte");
    }
}

/// The `SystemTime` of a date field's value.
#[track_caller]
pub(crate) fn read_date(value: &str) -> SystemTime {
    httpdate::parse_http_date(value).unwrap_or_else(|_| panic!("not a date: {value}"))
}

#[track_caller]
fn read_status_line(line: &str) -> u16 {
    let rest = line
        .strip_prefix("HTTP/1.1 ")
        .unwrap_or_else(|| panic!("status line: {line:?}"));
    let (digits, reason) = rest
        .split_once(' ')
        .unwrap_or_else(|| panic!("no space after the status: {line:?}"));
    assert_eq!(digits.len(), 3, "{line:?}");
    assert!(reason.bytes().all(is_field_text), "{line:?}");
    digits
        .parse()
        .unwrap_or_else(|_| panic!("status: {line:?}"))
}

#[track_caller]
fn read_field_line(line: &str) -> (String, String) {
    let (name, value) = line
        .split_once(':')
        .unwrap_or_else(|| panic!("no colon: {line:?}"));
    assert!(!name.is_empty() && name.bytes().all(is_token), "{line:?}");
    let value = value.trim_matches([' ', '\t']);
    assert!(value.bytes().all(is_field_text), "{line:?}");
    (name.to_ascii_lowercase(), value.to_owned())
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn is_field_text(byte: u8) -> bool {
    byte == b'\t' || (b' '..=b'~').contains(&byte) || byte >= 0x80
}
