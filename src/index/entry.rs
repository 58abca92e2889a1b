//! An entry: all that is needed to answer for one URL, prepared when the entry is made, so that a hit only copies.

use std::sync::Arc;

use crate::http::accept_encoding::{Coding, Codings};
use crate::http::date;
use crate::policy::rule::Rule;
use crate::store::{Object, pinned::Hold};
use crate::sys::file::FileIdentity;
use crate::units::UnixSeconds;

/// One representation of a resource: the file itself, or its sibling in a content coding.
#[derive(Debug)]
pub struct Representation {
    /// The content coding of the bytes.
    pub coding: Coding,
    /// The bytes.
    pub object: Arc<Object>,
    /// The strong entity-tag with its quotes (RFC 9110 s8.8.3).
    pub etag: Box<str>,
    /// The modification time (RFC 9110 s8.8.2).
    pub last_modified: UnixSeconds,
    /// Fields of a 200, 206 or 304 up to but without `Date`: `Last-Modified`, `ETag`, `Cache-Control`, `Vary`, `Cache-Status`; each
    /// line ends with CRLF.
    pub validator_fields: Box<[u8]>,
    /// `Content-Type`, `Content-Encoding` and `Accept-Ranges` lines of a 200 or a 206 with one range.
    pub content_fields: Box<[u8]>,
    /// The whole head of a 200 that is sent on a kept-alive HTTP/1.1 connection; `date_at` is where its 29-byte date stands.
    pub ok_head: Box<[u8]>,
    /// Offset of the date's value in `ok_head`.
    pub date_at: usize,
}

/// Why an entry is in the index: the rule behind an answer, as Cache-Status detail, log and counters name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A `[[pin]]`, held in this way.
    Pin(Hold),
    /// A file below a site's `root`, through the descriptor cache.
    Root,
}

/// What stands under one URL.
#[derive(Debug)]
pub struct Entry {
    /// Why it is here.
    pub source: Source,
    /// The file itself.
    pub identity: Representation,
    /// Precompressed siblings, at most one a coding.
    pub siblings: Box<[Representation]>,
    /// The codings that `siblings` holds.
    pub codings: Codings,
    /// The Content-Type that all representations share.
    pub content_type: Box<str>,
}

/// What an entry is made of.
#[derive(Debug)]
pub struct Making<'a> {
    /// Why it is made.
    pub source: Source,
    /// The Cache-Control field's value; empty sends none.
    pub cache_control: &'a str,
    /// The Content-Type field's value.
    pub content_type: &'a str,
    /// The file itself.
    pub identity: Arc<Object>,
    /// Precompressed siblings, at most one a coding and none in the identity coding.
    pub siblings: Vec<(Coding, Arc<Object>)>,
    /// The wall clock: an origin never claims a modification in the future (RFC 9110 s8.8.2.1).
    pub now: UnixSeconds,
}

/// A date of the length that every date has (RFC 9110 s5.6.7), to be overwritten when the head is sent.
const DATE_PLACE: &[u8; 29] = b"Thu, 01 Jan 1970 00:00:00 GMT";

impl Source {
    /// The rule that an answer from the entry is decided by. Files below a root are a `hit` (RFC 9211 s2.2) too: no
    /// request went forward to an origin; `detail` (s2.7) tells which part of Hotplate answered.
    #[must_use]
    pub const fn rule(self) -> Rule {
        match self {
            Self::Pin(Hold::File) => Rule::PinFile,
            Self::Pin(Hold::Mmap) => Rule::PinMmap,
            Self::Pin(Hold::Memory) => Rule::PinMemory,
            Self::Root => Rule::Root,
        }
    }
}

impl Entry {
    /// Prepares everything that an answer needs.
    #[must_use]
    pub fn build(making: Making<'_>) -> Self {
        let varies = !making.siblings.is_empty();
        let mut codings = Codings::new();
        let identity = Representation::build(&making, Coding::Identity, &making.identity, varies);
        let siblings = making
            .siblings
            .iter()
            .map(|(coding, object)| {
                codings.insert(*coding);
                Representation::build(&making, *coding, object, varies)
            })
            .collect();
        Self {
            source: making.source,
            identity,
            siblings,
            codings,
            content_type: making.content_type.into(),
        }
    }

    /// The representation in `coding`, if there is one.
    #[must_use]
    pub fn representation(&self, coding: Coding) -> Option<&Representation> {
        self.representations().find(|one| one.coding == coding)
    }

    /// All representations, the file itself first.
    pub fn representations(&self) -> impl Iterator<Item = &Representation> {
        std::iter::once(&self.identity).chain(&self.siblings)
    }

    /// Whether somebody waits to write to one of its files, so that the entry must not be used for new answers.
    #[must_use]
    pub fn is_revoked(&self) -> bool {
        self.representations().any(|one| one.object.is_revoked())
    }
}

impl Representation {
    /// The coding's token, as in Content-Encoding; `identity` for none.
    #[must_use]
    pub fn coding_name(&self) -> &'static str {
        match self.coding {
            Coding::Identity => "identity",
            Coding::Gzip => "gzip",
            Coding::Brotli => "br",
            Coding::Zstd => "zstd",
        }
    }

    fn build(making: &Making<'_>, coding: Coding, object: &Arc<Object>, varies: bool) -> Self {
        let identity = object.identity();
        let etag = entity_tag(identity, coding);
        let modified = UnixSeconds(u64::try_from(identity.modified.0).unwrap_or(0));
        let last_modified = modified.min(making.now);

        let mut validator_fields = Vec::with_capacity(256);
        field(&mut validator_fields, "ETag", &etag);
        validator_fields.extend_from_slice(b"Last-Modified: ");
        validator_fields.extend_from_slice(&date::format(last_modified));
        validator_fields.extend_from_slice(b"\r\n");
        if !making.cache_control.is_empty() {
            field(&mut validator_fields, "Cache-Control", making.cache_control);
        }
        if varies {
            field(&mut validator_fields, "Vary", "Accept-Encoding");
        }
        let cache_status = format!("hotplate; {}", making.source.rule().outcome());
        field(&mut validator_fields, "Cache-Status", &cache_status);

        let mut content_fields = Vec::with_capacity(96);
        field(&mut content_fields, "Content-Type", making.content_type);
        content_fields.extend_from_slice(coding.content_encoding_line());
        field(&mut content_fields, "Accept-Ranges", "bytes");

        let mut ok_head = b"HTTP/1.1 200 OK\r\nServer: hotplate\r\nDate: ".to_vec();
        let date_at = ok_head.len();
        ok_head.extend_from_slice(DATE_PLACE);
        ok_head.extend_from_slice(b"\r\n");
        field(&mut ok_head, "Content-Length", &object.size().to_string());
        ok_head.extend_from_slice(&content_fields);
        ok_head.extend_from_slice(&validator_fields);
        ok_head.extend_from_slice(b"\r\n");
        Self {
            coding,
            object: Arc::clone(object),
            etag: etag.into(),
            last_modified,
            validator_fields: validator_fields.into(),
            content_fields: content_fields.into(),
            ok_head: ok_head.into(),
            date_at,
        }
    }
}

/// Appends a field line. Values come from the operator's config: a control octet would end the line early, so it is
/// left out.
fn field(to: &mut Vec<u8>, name: &str, value: &str) {
    to.extend_from_slice(name.as_bytes());
    to.extend_from_slice(b": ");
    let is_text = |octet: &u8| *octet >= b' ' && *octet != 0x7f;
    to.extend(value.bytes().filter(is_text));
    to.extend_from_slice(b"\r\n");
}

/// A strong entity-tag (RFC 9110 s8.8.3) of a state of a file: size and modification time to read, and a hash of all
/// that tells states apart. Without the device's number, which changes with a restart of the machine; with the change
/// time, which a restored modification time can't hide.
fn entity_tag(identity: &FileIdentity, coding: Coding) -> String {
    let hash = [
        identity.inode,
        identity.size,
        identity.modified.0.cast_unsigned(),
        identity.modified.1.into(),
        identity.changed.0.cast_unsigned(),
        identity.changed.1.into(),
        coding as u64,
    ]
    .into_iter()
    .fold(FNV_BASIS, fold_word);
    format!(
        "\"{:x}-{:x}-{hash:016x}\"",
        identity.size,
        identity.modified.0.cast_unsigned()
    )
}

// FNV-1a, 64 bit: the same on every machine and with every release, as a validator must be.
const FNV_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

fn fold_word(hash: u64, word: u64) -> u64 {
    word.to_le_bytes().into_iter().fold(hash, |hash, octet| {
        (hash ^ u64::from(octet)).wrapping_mul(FNV_PRIME)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Held;

    fn object(bytes: &[u8], inode: u64) -> Arc<Object> {
        let identity = FileIdentity {
            device: 1,
            inode,
            size: bytes.len() as u64,
            modified: (1_700_000_000, 5),
            changed: (1_700_000_001, 6),
        };
        Arc::new(Object::new(Held::Heap(bytes.into()), identity))
    }

    fn making(now: u64) -> Making<'static> {
        Making {
            source: Source::Pin(Hold::Memory),
            cache_control: "public, max-age=60\r\nX: y",
            content_type: "text/plain",
            identity: object(b"hello", 1),
            siblings: vec![(Coding::Gzip, object(b"zip", 2))],
            now: UnixSeconds(now),
        }
    }

    #[test]
    fn ok_head_is_complete_and_holds_its_date_place() {
        let entry = Entry::build(making(1_800_000_000));
        let one = entry.representation(Coding::Gzip).unwrap();
        let head = String::from_utf8(one.ok_head.to_vec()).unwrap();
        let expected = format!(
            "HTTP/1.1 200 OK\r\nServer: hotplate\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Length: 3\r\n\
             Content-Type: text/plain\r\nContent-Encoding: gzip\r\nAccept-Ranges: bytes\r\nETag: {}\r\n\
             Last-Modified: Tue, 14 Nov 2023 22:13:20 GMT\r\nCache-Control: public, max-age=60X: y\r\n\
             Vary: Accept-Encoding\r\nCache-Status: hotplate; hit; detail=pin-memory\r\n\r\n",
            one.etag
        );
        assert_eq!(head, expected);
        assert!(head[one.date_at..].starts_with("Thu, 01 Jan"));
        assert_ne!(one.etag, entry.identity.etag);
        assert!(entry.representation(Coding::Zstd).is_none());
    }

    #[test]
    fn last_modified_is_never_in_the_future() {
        let entry = Entry::build(making(1_600_000_000));
        assert_eq!(entry.identity.last_modified, UnixSeconds(1_600_000_000));
    }

    #[test]
    fn etag_tells_states_apart_that_differ_in_a_nanosecond() {
        let base = *object(b"hello", 1).identity();
        let tag = |identity: FileIdentity| entity_tag(&identity, Coding::Identity);
        let mut other = base;
        other.changed.1 += 1;
        assert_ne!(tag(base), tag(other));
        other = base;
        other.device += 1;
        assert_eq!(tag(base), tag(other));
    }

    #[test]
    fn revoked_sibling_revokes_the_entry() {
        let entry = Entry::build(making(1));
        assert!(!entry.is_revoked());
        entry.siblings[0].object.revoke();
        assert!(entry.is_revoked());
    }
}
