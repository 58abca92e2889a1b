//! An access record as one line of text: Apache's combined format, or a JSON object.
//!
//! What clients sent never reaches a terminal or a log reader raw: a line is printable ASCII from its first byte to the
//! line feed that ends it. Combined writes other bytes as `\xHH` (and `\"`, `\\`, `\n`, `\r`, `\t`) as Apache does; JSON
//! writes them as `\uXXXX`, with U+FFFD for bytes that are not UTF-8.

use std::io::{self, Write};
use std::net::IpAddr;

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter};

use super::settings::AccessLogFormat;
use super::timestamp::Civil;
use crate::stats::AccessRecord;
use crate::units::UnixSeconds;

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Writes records as lines. Remembers the last second's text, which most neighbouring lines share.
#[derive(Debug)]
pub struct LineFormatter {
    format: AccessLogFormat,
    second: Option<UnixSeconds>,
    stamp: String,
}

impl LineFormatter {
    /// A formatter for one of the formats.
    #[must_use]
    pub fn new(format: AccessLogFormat) -> Self {
        Self {
            format,
            second: None,
            stamp: String::new(),
        }
    }

    /// Appends the record's line, with its line feed, to `out`.
    pub fn append(&mut self, record: &AccessRecord<'_>, out: &mut Vec<u8>) {
        if self.second != Some(record.at) {
            let civil = Civil::at(record.at);
            self.stamp = match self.format {
                AccessLogFormat::Combined => civil.combined(),
                AccessLogFormat::Json => civil.rfc3339_seconds(),
            };
            self.second = Some(record.at);
        }
        let start = out.len();
        let written = match self.format {
            AccessLogFormat::Combined => self.combined(record, out),
            AccessLogFormat::Json => self.json(record, out),
        };
        // Writing to memory does not fail; were it to, half a line would be worse than none.
        if written.is_err() {
            out.truncate(start);
        }
    }

    /// `%h - - %t "%r" %>s %b "%{Referer}i" "%{User-agent}i" "outcome" microseconds`
    fn combined(&self, record: &AccessRecord<'_>, out: &mut Vec<u8>) -> io::Result<()> {
        write!(out, "{} - - [{}] \"", client(record), self.stamp)?;
        if record.method.is_empty() {
            out.push(b'-');
        } else {
            escape(record.method, out);
            out.push(b' ');
            escape(record.target, out);
            out.push(b' ');
            escape(record.version.as_bytes(), out);
        }
        write!(out, "\" {} ", record.status)?;
        match record.body_bytes {
            0 => out.push(b'-'),
            bytes => write!(out, "{bytes}")?,
        }
        for string in [record.referer, record.user_agent, record.outcome.as_bytes()] {
            out.extend_from_slice(b" \"");
            match string {
                b"" => out.push(b'-'),
                string => escape(string, out),
            }
            out.push(b'"');
        }
        writeln!(out, " {}", record.duration.as_micros())
    }

    fn json(&self, record: &AccessRecord<'_>, out: &mut Vec<u8>) -> io::Result<()> {
        let line = JsonLine {
            time: format!("{}.{:03}Z", self.stamp, record.at_millis.min(999)),
            peer: client(record).to_string(),
            port: record.peer.port(),
            method: String::from_utf8_lossy(record.method),
            target: String::from_utf8_lossy(record.target),
            version: record.version,
            host: String::from_utf8_lossy(record.host),
            status: record.status,
            body_bytes: record.body_bytes,
            duration_us: u64::try_from(record.duration.as_micros()).unwrap_or(u64::MAX),
            outcome: record.outcome,
            referer: String::from_utf8_lossy(record.referer),
            user_agent: String::from_utf8_lossy(record.user_agent),
        };
        line.serialize(&mut serde_json::Serializer::with_formatter(
            &mut *out,
            AsciiFormatter,
        ))?;
        out.push(b'\n');
        Ok(())
    }
}

/// The client's address; one that came over IPv4 to a dual-stack listener shows as such.
fn client(record: &AccessRecord<'_>) -> IpAddr {
    record.peer.ip().to_canonical()
}

/// A JSON line's fields, in their order.
#[derive(Serialize)]
struct JsonLine<'a> {
    time: String,
    peer: String,
    port: u16,
    method: std::borrow::Cow<'a, str>,
    target: std::borrow::Cow<'a, str>,
    version: &'a str,
    host: std::borrow::Cow<'a, str>,
    status: u16,
    body_bytes: u64,
    duration_us: u64,
    outcome: &'a str,
    referer: std::borrow::Cow<'a, str>,
    user_agent: std::borrow::Cow<'a, str>,
}

/// Compact JSON in ASCII. The serialiser escapes quotes, backslashes and C0 controls; this escapes the rest.
struct AsciiFormatter;

impl Formatter for AsciiFormatter {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut units = [0; 2];
        let mut rest = fragment;
        while let Some(at) = rest.find(|c: char| !c.is_ascii() || c.is_ascii_control()) {
            let (plain, special) = rest.split_at(at);
            CompactFormatter.write_string_fragment(writer, plain)?;
            let mut chars = special.chars();
            if let Some(c) = chars.next() {
                for unit in c.encode_utf16(&mut units) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            }
            rest = chars.as_str();
        }
        CompactFormatter.write_string_fragment(writer, rest)
    }
}

/// Appends `bytes` with everything escaped that is not printable ASCII or would end a quoted string.
fn escape(bytes: &[u8], out: &mut Vec<u8>) {
    for byte in bytes {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', *byte]),
            b' '..=b'~' => out.push(*byte),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            byte => out.extend_from_slice(&[
                b'\\',
                b'x',
                HEX[usize::from(byte >> 4)],
                HEX[usize::from(byte & 15)],
            ]),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn line(format: AccessLogFormat, record: &AccessRecord<'_>) -> String {
        let mut out = Vec::new();
        LineFormatter::new(format).append(record, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn sample() -> AccessRecord<'static> {
        AccessRecord {
            peer: "203.0.113.9:40000".parse().unwrap(),
            at: UnixSeconds(971_186_136),
            at_millis: 7,
            method: b"GET",
            target: b"/prompts/hello.wav",
            version: "HTTP/1.1",
            status: 200,
            body_bytes: 2326,
            duration: Duration::from_micros(41),
            outcome: "hit; detail=pin-memory",
            referer: b"",
            user_agent: b"FreeSWITCH \"x\"",
            host: b"media.example",
        }
    }

    #[test]
    fn combined_line_has_the_fields_of_apache_then_outcome_and_time() {
        assert_eq!(
            line(AccessLogFormat::Combined, &sample()),
            "203.0.113.9 - - [10/Oct/2000:13:55:36 +0000] \"GET /prompts/hello.wav HTTP/1.1\" 200 2326 \
             \"-\" \"FreeSWITCH \\\"x\\\"\" \"hit; detail=pin-memory\" 41\n"
        );
    }

    #[test]
    fn combined_line_of_an_unparsed_head_shows_dashes() {
        let record = AccessRecord {
            method: b"",
            target: b"",
            version: "",
            status: 400,
            body_bytes: 0,
            user_agent: b"",
            outcome: "",
            ..sample()
        };
        assert_eq!(
            line(AccessLogFormat::Combined, &record),
            "203.0.113.9 - - [10/Oct/2000:13:55:36 +0000] \"-\" 400 - \"-\" \"-\" \"-\" 41\n"
        );
    }

    #[test]
    fn ipv4_client_of_a_dual_stack_listener_shows_as_ipv4() {
        for (peer, shown) in [
            ("[::ffff:203.0.113.9]:1", "203.0.113.9 - -"),
            ("[2001:db8::1]:1", "2001:db8::1 - -"),
        ] {
            let record = AccessRecord {
                peer: peer.parse().unwrap(),
                ..sample()
            };
            assert!(line(AccessLogFormat::Combined, &record).starts_with(shown));
        }
    }

    #[test]
    fn json_line_holds_every_field() {
        let value: serde_json::Value =
            serde_json::from_str(&line(AccessLogFormat::Json, &sample())).unwrap();
        assert_eq!(
            value,
            serde_json::json!({
                "time": "2000-10-10T13:55:36.007Z",
                "peer": "203.0.113.9",
                "port": 40000,
                "method": "GET",
                "target": "/prompts/hello.wav",
                "version": "HTTP/1.1",
                "host": "media.example",
                "status": 200,
                "body_bytes": 2326,
                "duration_us": 41,
                "outcome": "hit; detail=pin-memory",
                "referer": "",
                "user_agent": "FreeSWITCH \"x\"",
            })
        );
    }

    #[test]
    fn formatter_renews_the_time_with_each_second() {
        let mut formatter = LineFormatter::new(AccessLogFormat::Combined);
        let mut out = Vec::new();
        for second in [0, 0, 1] {
            let record = AccessRecord {
                at: UnixSeconds(second),
                ..sample()
            };
            formatter.append(&record, &mut out);
        }
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.matches(":00:00:00 ").count(), 2);
        assert_eq!(text.matches(":00:00:01 ").count(), 1);
    }

    /// Undoes [`escape`].
    fn unescape(text: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut bytes = text.iter().copied();
        while let Some(byte) = bytes.next() {
            if byte != b'\\' {
                out.push(byte);
                continue;
            }
            match bytes.next().unwrap() {
                b'n' => out.push(b'\n'),
                b'r' => out.push(b'\r'),
                b't' => out.push(b'\t'),
                b'x' => {
                    let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
                    let digits = std::str::from_utf8(&digits).unwrap();
                    out.push(u8::from_str_radix(digits, 16).unwrap());
                }
                other => out.push(other),
            }
        }
        out
    }

    fn hostile() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(
            prop_oneof![
                any::<u8>(),
                Just(b'"'),
                Just(b'\\'),
                Just(b'\n'),
                Just(0x7f),
                Just(0xc3),
            ],
            0..64,
        )
    }

    proptest! {
        #[test]
        fn hostile_bytes_make_one_line_of_printable_ascii(
            strings in [hostile(), hostile(), hostile(), hostile(), hostile()],
            text in any::<String>(),
        ) {
            let record = AccessRecord {
                method: &strings[0],
                target: &strings[1],
                referer: &strings[2],
                user_agent: &strings[3],
                host: &strings[4],
                outcome: &text,
                ..sample()
            };
            for format in [AccessLogFormat::Combined, AccessLogFormat::Json] {
                let line = line(format, &record);
                let (body, end) = line.split_at(line.len() - 1);
                prop_assert_eq!(end, "\n");
                prop_assert!(body.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{:?}", body);
            }
            let value: serde_json::Value =
                serde_json::from_str(&line(AccessLogFormat::Json, &record)).unwrap();
            prop_assert_eq!(&value["outcome"], &text);
        }

        #[test]
        fn escape_loses_nothing_and_never_ends_the_string(bytes in hostile()) {
            let mut out = Vec::new();
            escape(&bytes, &mut out);
            prop_assert_eq!(unescape(&out), bytes);
        }
    }
}
