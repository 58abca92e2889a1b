//! What is written about an upload beside its bytes: enough to go on with it after a crash.
//!
//! A line of magic, version and checksum, then JSON. Records are only ever replaced whole.

use serde::{Deserialize, Serialize};

use crate::fill::library::Code;

const MAGIC: &str = "hotplate-upload 1";

/// Longest record: URLs and reasons are bounded.
pub(super) const RECORD_BYTES_MAX: u64 = 256 << 10;

/// An accepted upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// Its number; the name of its files.
    pub(super) id: u64,
    /// When it was accepted, among the uploads to its URL; 0: by its number.
    #[serde(default)]
    pub(super) turn: u64,
    /// Where it goes.
    pub(super) url: String,
    /// The profile that the caller named.
    pub(super) profile: Option<String>,
    /// What it is.
    pub(super) content_type: String,
    /// Its size in bytes.
    pub(super) size: u64,
    /// CRC-32C of its bytes.
    pub(super) sum: u32,
    /// When it was accepted, in seconds since 1970; 0 for a recording that is not closed.
    pub(super) accepted_at: u64,
    /// Whether it becomes the cached copy.
    pub(super) cache: bool,
    /// Where it comes from.
    pub(super) source: Source,
    /// Attempts that failed.
    pub(super) attempts: u32,
    /// When a recording was opened, in seconds since 1970.
    pub(super) opened_at: u64,
    /// Why the last of them did.
    pub(super) last: Option<LastFailure>,
    /// Whether it was given up.
    pub(super) is_dead: bool,
    /// An upload in parts that the origin knows of, to be broken off where it is not gone on with.
    pub(super) multipart: Option<String>,
    /// The extension of a recording's file, which is written by another program.
    pub(super) extension: Option<String>,
}

/// Where an upload comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Source {
    /// A file or a body.
    Put,
    /// A recording.
    Record,
}

/// A failed attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LastFailure {
    /// Why.
    pub(super) reason: String,
    /// The origin's status, where it answered.
    pub(super) status: Option<u16>,
    /// The name of the cause's code; none in the records of older versions.
    pub(super) code: Option<String>,
    /// When, in seconds since 1970.
    pub(super) at: u64,
}

impl LastFailure {
    /// What went wrong, as far as an older version has written it down.
    pub(super) fn cause(&self) -> Code {
        let known = self.code.as_deref().and_then(Code::named);
        known.unwrap_or(match self.status {
            Some(_) => Code::OriginStatus,
            None => Code::OriginUnreachable,
        })
    }
}

impl Record {
    /// Its place among the uploads to its URL.
    pub(super) fn place(&self) -> (u64, u64) {
        let turn = if self.turn == 0 { self.id } else { self.turn };
        (turn, self.id)
    }

    /// Whether another program still writes it: it has no bytes of ours yet.
    pub(super) fn is_recording(&self) -> bool {
        self.source == Source::Record && self.accepted_at == 0
    }

    /// The record's bytes.
    pub(super) fn encode(&self) -> Vec<u8> {
        // Numbers, texts and options of them always have a JSON form.
        let json = serde_json::to_vec(self).unwrap_or_default();
        let mut bytes = format!("{MAGIC} {:08x}\n", crc32c::crc32c(&json)).into_bytes();
        bytes.extend_from_slice(&json);
        bytes.push(b'\n');
        bytes
    }

    /// Reads a record's bytes; none where they are not what was written.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let (head, json) = text.split_once('\n')?;
        let json = json.strip_suffix('\n')?;
        let sum = u32::from_str_radix(head.strip_prefix(MAGIC)?.trim(), 16).ok()?;
        if crc32c::crc32c(json.as_bytes()) != sum {
            return None;
        }
        serde_json::from_str(json).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failure_of_an_older_version_has_a_cause() {
        let of = |status: &str, code: &str| {
            let json = format!("{{\"reason\":\"r\",\"status\":{status},\"at\":1{code}}}");
            let last: LastFailure = serde_json::from_str(&json).expect("a failure");
            last.cause()
        };
        assert_eq!(of("503", ""), Code::OriginStatus);
        assert_eq!(of("null", ""), Code::OriginUnreachable);
        assert_eq!(of("null", ",\"code\":\"disk_failed\""), Code::DiskFailed);
        assert_eq!(
            of("null", ",\"code\":\"of tomorrow\""),
            Code::OriginUnreachable
        );
    }

    #[test]
    fn record_is_read_as_it_was_written_and_never_otherwise() {
        let record = Record {
            id: 7,
            turn: 9,
            url: "http://a/ü\n".to_owned(),
            profile: Some("x".to_owned()),
            content_type: "audio/wav".to_owned(),
            size: 5 << 30,
            sum: 1,
            accepted_at: 1_700_000_000,
            cache: true,
            source: Source::Put,
            attempts: 3,
            opened_at: 5,
            last: Some(LastFailure {
                reason: "\"no\"".to_owned(),
                status: Some(503),
                code: Some("busy".to_owned()),
                at: 2,
            }),
            is_dead: false,
            multipart: None,
            extension: Some("wav".to_owned()),
        };
        let bytes = record.encode();
        assert_eq!(Record::decode(&bytes), Some(record));
        for at in 0..bytes.len() {
            let mut broken = bytes.clone();
            broken[at] ^= 4;
            let mut short = bytes.clone();
            short.truncate(at);
            assert_eq!(Record::decode(&short), None, "{at}");
            // Letters of the checksum may be in either case.
            if Record::decode(&broken).is_some() {
                assert!(at < MAGIC.len() + 9, "{at}");
            }
        }
    }
}
