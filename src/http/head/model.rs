//! The head parser against a slow, obvious model that splits lines, and against the bare `httparse`.

use proptest::prelude::*;

use super::*;
use crate::http::octets::{is_field_content, is_token};

const LIMITS: HeadLimits = HeadLimits {
    bytes_max: 96,
    fields_max: 4,
};

/// What the model finds in a head: method, target, version, fields and size.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    method: Vec<u8>,
    target: Vec<u8>,
    version: Version,
    fields: Vec<(Vec<u8>, Vec<u8>)>,
    size: usize,
}

/// The head at the start of `bytes`; `None` where there is none, refused or incomplete alike.
fn model(bytes: &[u8]) -> Option<Found> {
    let text = bytes.strip_prefix(b"\r\n").unwrap_or(bytes);
    let text = text.strip_prefix(b"\r\n").unwrap_or(text);
    let text_size = text.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let size = bytes.len() - text.len() + text_size;
    // In Latin-1 every byte is a char, so that the methods of str split bytes.
    let latin: String = text[..text_size - 4]
        .iter()
        .copied()
        .map(char::from)
        .collect();
    let bytes_of = |part: &str| part.chars().map(|c| c as u8).collect::<Vec<_>>();
    let mut lines = latin.split("\r\n");
    let request_line: Vec<_> = lines.next()?.split(' ').map(bytes_of).collect();
    let [method, target, version] = request_line.as_slice() else {
        return None;
    };
    let is_target = !target.is_empty()
        && target.iter().all(|&byte| byte > b' ' && byte != 0x7f)
        && std::str::from_utf8(target).is_ok();
    let version = match version.strip_prefix(b"HTTP/1.")? {
        b"0" => Version::Http10,
        [b'1'..=b'9'] => Version::Http11,
        _ => return None,
    };
    let mut fields = Vec::new();
    for line in lines {
        let (name, value) = line.split_once(':')?;
        let value = bytes_of(value.trim_matches([' ', '\t']));
        if !is_token(&bytes_of(name)) || !value.iter().all(|&byte| is_field_content(byte)) {
            return None;
        }
        fields.push((bytes_of(name), value));
    }
    let hosts: Vec<_> = fields
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case(b"host"))
        .collect();
    let is_host_fine = match hosts.as_slice() {
        [] => version == Version::Http10,
        [(_, host)] => host_of(host).is_some(),
        _ => false,
    };
    let is_within = size <= LIMITS.bytes_max && fields.len() <= LIMITS.fields_max;
    (is_token(method) && is_target && is_host_fine && is_within).then(|| Found {
        method: method.clone(),
        target: target.clone(),
        version,
        fields,
        size,
    })
}

/// What the parser finds, in the model's form; `Ok(None)` where the head is incomplete.
fn parsed(bytes: &[u8]) -> Result<Option<Found>, Reject> {
    let mut scratch = FieldScratch::new();
    Ok(match parse_head(bytes, &LIMITS, &mut scratch)? {
        Parsed::Partial => None,
        Parsed::Complete { head, size } => Some(Found {
            method: head.method_name.to_vec(),
            target: head.target.to_vec(),
            version: head.version,
            fields: head
                .fields()
                .map(|(name, value)| (name.to_vec(), value.to_vec()))
                .collect(),
            size,
        }),
    })
}

/// Heads that are valid, or nearly: pieces in a sensible order, then some bytes replaced, doubled or left out.
fn heads() -> impl Strategy<Value = Vec<u8>> {
    let empty_lines = prop::sample::select(vec!["", "", "", "\r\n", "\r\n\r\n", "\r\n\r\n\r\n"]);
    let line = prop::sample::select(vec![
        "GET / HTTP/1.1\r\n",
        "GET / HTTP/1.0\r\n",
        "GET /a%20b?c HTTP/1.3\r\n",
        "X * HTTP/1.1\r\n",
        "GET /\u{e9} HTTP/1.1\r\n",
        "GET / HTTP/2.0\r\n",
        "GET /\r\n",
    ]);
    let field = prop::sample::select(vec![
        "Host: a\r\n",
        "HOST:a:80\r\n",
        "Host:\r\n",
        "Host: a b\r\n",
        "Range: bytes=0-1\r\n",
        "X:\t y z \t\r\n",
        "X: \u{e9}\r\n",
        "X : y\r\n",
        " folded\r\n",
        "X: y\n",
    ]);
    let fields = prop::collection::vec(field, 0..6);
    let faults = prop::collection::vec(
        (
            any::<prop::sample::Index>(),
            0..3_u8,
            prop::sample::select(b"\r\n \t:\0a/\x7f\xff1".to_vec()),
        ),
        0..3,
    );
    let after = prop::sample::select(vec!["\r\n", "\r\n", "\r\nGET /", "", "\n"]);
    (empty_lines, line, fields, after, faults).prop_map(
        |(empty_lines, line, fields, after, faults)| {
            let mut bytes = [empty_lines, line, &fields.concat(), after]
                .concat()
                .into_bytes();
            for (index, kind, byte) in faults {
                let index = index.index(bytes.len());
                match kind {
                    0 => bytes[index] = byte,
                    1 => bytes.insert(index, byte),
                    _ => drop(bytes.remove(index)),
                }
            }
            bytes
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn parser_agrees_with_the_model(bytes in heads()) {
        match (parsed(&bytes), model(&bytes)) {
            (Ok(Some(parsed)), found) => prop_assert_eq!(Some(parsed), found),
            (_, found) => prop_assert_eq!(found, None),
        }
    }

    #[test]
    fn verdict_does_not_depend_on_splits(bytes in heads()) {
        let whole = parsed(&bytes);
        for size in 0..bytes.len() {
            match (parsed(&bytes[..size]), &whole) {
                (Ok(None), _) => {}
                (verdict, whole) => prop_assert_eq!(&verdict, whole, "at {}", size),
            }
        }
        // Bytes after a whole head, or after the fault, change nothing.
        if whole != Ok(None) {
            let mut longer = bytes.clone();
            longer.extend_from_slice(b"\n\0 GET / HTTP/1.1\r\n");
            prop_assert_eq!(parsed(&longer), whole);
        }
    }

    #[test]
    fn parser_is_stricter_than_httparse(bytes in heads()) {
        let mut fields = [EMPTY_HEADER; FIELDS_MAX];
        let mut request = httparse::Request::new(&mut fields);
        if let Ok(Some(found)) = parsed(&bytes) {
            let size = match request.parse(&bytes) {
                Err(httparse::Error::Version) => return Ok(()),
                size => size,
            };
            prop_assert_eq!(size, Ok(Status::Complete(found.size)));
            prop_assert_eq!(request.path.map(str::as_bytes), Some(found.target.as_slice()));
            prop_assert_eq!(request.headers.len(), found.fields.len());
            for (header, (name, value)) in request.headers.iter().zip(&found.fields) {
                prop_assert_eq!(header.name.as_bytes(), name.as_slice());
                prop_assert_eq!(header.value, value.as_slice());
            }
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _verdict = parsed(&bytes);
    }
}
