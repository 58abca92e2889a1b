//! Any bytes as a request target: a canonical path must stay canonical, stay below the root, and decode to the name
//! that encodes to it.
#![no_main]

use hotplate::http::head::Method;
use hotplate::http::reject::Reject;
use hotplate::http::target::{Target, TargetForm, decode_path, encode_path, host_of, normalise};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for method in [Method::Get, Method::Options, Method::Connect] {
        let mut scratch = b"left over".to_vec();
        if let Ok(target) = normalise(method, bytes, &mut scratch) {
            check_target(bytes, &target);
        }
    }
    check_encoding(bytes);
});

fn check_target(received: &[u8], target: &Target<'_>) {
    if let Some(authority) = target.authority {
        assert!(host_of(authority).is_some_and(|host| !host.is_empty()));
    }
    if let Some(query) = target.query {
        assert!(received.ends_with(query));
        assert!(!query.contains(&b'#'));
    }
    match target.form {
        TargetForm::Origin | TargetForm::Absolute => check_path(target.path),
        TargetForm::Asterisk => assert_eq!(target.path, b"*"),
        TargetForm::Authority => assert_eq!(target.path, b""),
    }
}

fn check_path(path: &[u8]) {
    assert!(path.starts_with(b"/"));
    assert!(path.iter().all(u8::is_ascii_graphic));
    for segment in path.split(|&byte| byte == b'/') {
        assert!(segment != b"." && segment != b"..");
    }
    let mut scratch = Vec::new();
    let again = normalise(Method::Get, path, &mut scratch).expect("a canonical path is a target");
    assert_eq!((again.path, again.query), (path, None));
    assert!(scratch.is_empty(), "a canonical path is borrowed");
    let (mut decoded, mut encoded) = (Vec::new(), Vec::new());
    match decode_path(path, &mut decoded) {
        Ok(()) => {
            assert!(!decoded.contains(&0));
            encode_path(&decoded, &mut encoded);
            assert_eq!(encoded, path);
        }
        Err(reject) => {
            assert_eq!(reject, Reject::TargetEncodedSlash);
            assert!(path.windows(3).any(|three| three == b"%2F"));
        }
    }
}

/// Checks that the name of any file survives both ways.
fn check_encoding(name: &[u8]) {
    let (mut encoded, mut decoded) = (Vec::new(), Vec::new());
    encode_path(name, &mut encoded);
    match decode_path(&encoded, &mut decoded) {
        Ok(()) => assert_eq!(decoded, name),
        Err(reject) => {
            assert_eq!(reject, Reject::TargetNul);
            assert!(name.contains(&0));
        }
    }
}
