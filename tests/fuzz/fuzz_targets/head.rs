//! Any bytes as a head and as the body after it: the verdict must not depend on splits, and what is accepted must be
//! what a bare parser finds.
#![no_main]

use hotplate::http::framing::{BodySkimmer, RequestBody, Skim, request_body};
use hotplate::http::head::{Field, FieldScratch, HeadLimits, Parsed, RequestHead, parse_head};
use hotplate::http::reject::Reject;
use libfuzzer_sys::fuzz_target;

const LIMITS: HeadLimits = HeadLimits {
    bytes_max: 1024,
    fields_max: 16,
};

/// What two parses of the same head must agree on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Complete {
        size: usize,
        body: Result<RequestBody, Reject>,
    },
    Partial,
    Refused(Reject),
}

fuzz_target!(|bytes: &[u8]| {
    let verdict = verdict_on(bytes);
    // The first byte picks a split; at every prefix the head is incomplete or the verdict is there already.
    let split = bytes
        .first()
        .map_or(0, |&byte| usize::from(byte) % bytes.len());
    let early = verdict_on(&bytes[..split]);
    assert!(
        early == Verdict::Partial || early == verdict,
        "{early:?} at {split}, then {verdict:?}"
    );
    match verdict {
        Verdict::Complete {
            size,
            body: Ok(body),
        } => check_body(body, &bytes[size..]),
        Verdict::Complete { .. } | Verdict::Refused(_) => {}
        Verdict::Partial => assert!(bytes.len() < LIMITS.bytes_max),
    }
    check_body(RequestBody::Chunked, bytes);
});

fn verdict_on(bytes: &[u8]) -> Verdict {
    match parse_head(bytes, &LIMITS, &mut FieldScratch::new()) {
        Err(reject) => Verdict::Refused(reject),
        Ok(Parsed::Partial) => Verdict::Partial,
        Ok(Parsed::Complete { head, size }) => {
            check_head(&head, &bytes[..size]);
            Verdict::Complete {
                size,
                body: request_body(&head),
            }
        }
    }
}

/// Checks an accepted head against its text.
fn check_head(head: &RequestHead<'_>, text: &[u8]) {
    assert!(text.len() <= LIMITS.bytes_max);
    assert!(text.ends_with(b"\r\n\r\n"));
    assert!(!text.contains(&0));
    let bare_line_feed = text
        .iter()
        .zip(text.iter().skip(1))
        .any(|(&byte, &next)| byte != b'\r' && next == b'\n');
    assert!(!bare_line_feed);
    let mut headers = [httparse::EMPTY_HEADER; 16];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(text) {
        // A later minor version, which that parser does not know.
        Err(httparse::Error::Version) => {}
        parsed => {
            assert_eq!(parsed, Ok(httparse::Status::Complete(text.len())));
            assert_eq!(request.method.map(str::as_bytes), Some(head.method_name));
            assert_eq!(request.path.map(str::as_bytes), Some(head.target));
            let expected = request
                .headers
                .iter()
                .map(|header| (header.name.as_bytes(), header.value));
            assert!(head.fields().eq(expected));
        }
    }
    for &known in Field::ALL {
        let is_known = |name: &[u8]| name.eq_ignore_ascii_case(known.name().as_bytes());
        let expected: Vec<_> = head
            .fields()
            .filter(|(name, _)| is_known(name))
            .map(|(_, value)| value)
            .collect();
        assert!(head.lines(known).eq(expected.iter().copied()));
        assert_eq!(head.field(known), expected.first().copied());
        assert_eq!(head.is_repeated(known), expected.len() > 1);
    }
    let _keep_alive = head.keep_alive();
}

/// Checks that a body ends at the same byte, or fails alike, whole and byte by byte.
fn check_body(body: RequestBody, bytes: &[u8]) {
    let whole = BodySkimmer::new(body).skim(bytes);
    let mut skimmer = BodySkimmer::new(body);
    let mut bytewise = skimmer.skim(b"");
    let mut used = 0;
    while bytewise == Ok(Skim::More) && used < bytes.len() {
        bytewise = skimmer.skim(&bytes[used..=used]);
        used += 1;
    }
    match (whole, bytewise) {
        (Ok(Skim::Done { used: whole }), Ok(Skim::Done { .. })) => assert_eq!(whole, used),
        (whole, bytewise) => assert_eq!(whole, bytewise),
    }
}
