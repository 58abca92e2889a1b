//! Responses as bytes and back.

use proptest::prelude::*;

use super::*;

fn facts() -> impl Strategy<Value = Stored> {
    let flags = any::<[bool; 6]>();
    let numbers = any::<[u64; 6]>();
    let etag = prop::option::of(prop::collection::vec(any::<u8>(), 0..20));
    let last_modified = prop::option::of(any::<u64>());
    let rest = (200_u16..1000, 0..LIFETIMES.len(), etag, last_modified);
    (flags, numbers, rest).prop_map(|(flags, numbers, (status, from, etag, last_modified))| {
        Stored {
            status,
            response_time: UnixSeconds(numbers[0]),
            date: UnixSeconds(numbers[1]),
            initial_age: numbers[2],
            lifetime: numbers[3],
            lifetime_from: LIFETIMES[from],
            no_cache: flags[0],
            must_revalidate: flags[1],
            immutable: flags[2],
            authorized: flags[3],
            shareable_with_authorization: flags[4],
            stale_while_revalidate: numbers[4],
            stale_if_error: numbers[5],
            etag: etag.map(Into::into),
            last_modified: last_modified.map(UnixSeconds),
            invalidated: flags[5],
        }
    })
}

proptest! {
    #[test]
    fn response_is_read_back_as_written(
        stored in facts(),
        lines in prop::collection::vec(("[A-Za-z-]{1,9}", "[ -~]{0,20}"), 0..9),
        upstream in prop::collection::vec(any::<u8>(), 0..20),
    ) {
        let fields: Fields = lines.iter().cloned().collect();
        let bytes = encode(&stored, &fields, &upstream);
        let read = decode(&bytes).unwrap();
        prop_assert_eq!(&read.stored, &stored);
        prop_assert_eq!(read.fields, fields);
        prop_assert_eq!(&*read.upstream_status, &upstream[..]);
        for mark in [Mark::Stale(stored.response_time), Mark::Invalid] {
            let mut expected = stored.clone();
            let is_changed = expected.mark(mark);
            let again = marked(&bytes, mark);
            prop_assert_eq!(again.is_some(), is_changed);
            if let Some(again) = again {
                prop_assert_eq!(decode(&again).unwrap().stored, expected);
                prop_assert!(marked(&again, mark).is_none());
            }
        }
    }

    #[test]
    fn bytes_of_something_else_are_no_response(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Some(read) = decode(&bytes) {
            let again = encode(&read.stored, &read.fields, &read.upstream_status);
            prop_assert_eq!(&*again, &bytes[..]);
        }
    }
}

#[test]
fn a_later_format_and_a_cut_record_are_no_response() {
    let stored = Stored {
        status: 200,
        response_time: UnixSeconds(5),
        date: UnixSeconds(5),
        initial_age: 0,
        lifetime: 60,
        lifetime_from: LifetimeFrom::MaxAge,
        no_cache: false,
        must_revalidate: false,
        immutable: false,
        authorized: false,
        shareable_with_authorization: false,
        stale_while_revalidate: 0,
        stale_if_error: 0,
        etag: Some(b"\"a\""[..].into()),
        last_modified: None,
        invalidated: false,
    };
    let fields: Fields = [("ETag", "\"a\"")].into_iter().collect();
    let bytes = encode(&stored, &fields, b"");
    assert!(decode(&bytes).is_some());
    let mut later = bytes.to_vec();
    later[0] = FORMAT + 1;
    assert_eq!(decode(&later), None);
    assert_eq!(marked(&later, Mark::Invalid), None);
    for size in 0..FIXED + 3 {
        assert_eq!(decode(&bytes[..size]), None, "{size}");
    }
}
