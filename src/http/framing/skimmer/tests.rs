//! Tables of bodies, and the skimmer at every split of their bytes.

use proptest::prelude::*;

use super::*;

const _: () = assert!(size_of::<BodySkimmer>() < 64);

/// The verdict on a whole body.
fn verdict(body: RequestBody, bytes: &[u8]) -> Result<Skim, Reject> {
    BodySkimmer::new(body).skim(bytes)
}

/// The verdict on the same bytes in pieces that end at `cuts`.
fn verdict_in_pieces(body: RequestBody, bytes: &[u8], cuts: &[usize]) -> Result<Skim, Reject> {
    let mut skimmer = BodySkimmer::new(body);
    let mut start = 0;
    for &cut in cuts.iter().chain([&bytes.len()]) {
        if let Skim::Done { used } = skimmer.skim(&bytes[start..cut])? {
            return Ok(Skim::Done { used: start + used });
        }
        start = cut;
    }
    Ok(Skim::More)
}

/// Every row ends where it should, whatever follows.
fn assert_done(table: &[&str]) {
    for text in table {
        let mut bytes = text.as_bytes().to_vec();
        let used = bytes.len();
        for size in 0..used {
            assert_eq!(
                verdict(RequestBody::Chunked, &bytes[..size]),
                Ok(Skim::More),
                "{text:?} at {size}"
            );
        }
        bytes.extend_from_slice(b"\0\r\nGET");
        assert_eq!(
            verdict(RequestBody::Chunked, &bytes),
            Ok(Skim::Done { used }),
            "{text:?}"
        );
    }
}

fn assert_refused(table: &[(&str, Reject)]) {
    for (text, reject) in table {
        let mut skimmer = BodySkimmer::new(RequestBody::Chunked);
        assert_eq!(skimmer.skim(text.as_bytes()), Err(*reject), "{text:?}");
        assert_eq!(
            skimmer.skim(b"0\r\n\r\n"),
            Err(*reject),
            "{text:?} stays refused"
        );
    }
}

mod rfc9112_s6_2 {
    use super::*;

    #[test]
    fn length_counts_bytes() {
        for (size, bytes, skim) in [
            (0, "", Skim::Done { used: 0 }),
            (0, "abc", Skim::Done { used: 0 }),
            (2, "abc", Skim::Done { used: 2 }),
            (3, "abc", Skim::Done { used: 3 }),
            (4, "abc", Skim::More),
            (u64::MAX, "abc", Skim::More),
        ] {
            assert_eq!(
                verdict(RequestBody::Length(size), bytes.as_bytes()),
                Ok(skim)
            );
        }
        assert_eq!(
            verdict(RequestBody::None, b"abc"),
            Ok(Skim::Done { used: 0 })
        );
    }

    #[test]
    fn body_done_uses_no_more() {
        let mut skimmer = BodySkimmer::new(RequestBody::Length(1));
        assert_eq!(skimmer.skim(b"ab"), Ok(Skim::Done { used: 1 }));
        assert_eq!(skimmer.skim(b"b"), Ok(Skim::Done { used: 0 }));
    }
}

mod rfc9112_s7_1 {
    use super::*;

    #[test]
    fn chunks_valid_are_skimmed() {
        assert_done(&[
            "0\r\n\r\n",
            "0000000000000000\r\n\r\n",
            "5\r\nhello\r\n0\r\n\r\n",
            "00A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n",
            "4\r\n\r\n\r\n\r\n0\r\n\r\n",
        ]);
        // The largest size: the data never ends.
        assert_eq!(
            verdict(RequestBody::Chunked, b"FFFFFFFFFFFFFFFF\r\nabc"),
            Ok(Skim::More)
        );
    }

    #[test]
    fn chunk_malformed_is_refused() {
        assert_refused(&[
            ("\r\n", Reject::ChunkSizeMalformed),
            ("g\r\n", Reject::ChunkSizeMalformed),
            (" 5\r\nhello", Reject::ChunkSizeMalformed),
            ("+5\r\nhello", Reject::ChunkSizeMalformed),
            ("-5\r\nhello", Reject::ChunkSizeMalformed),
            ("0x5\r\nhello", Reject::ChunkSizeMalformed),
            ("5\nhello\r\n0\r\n\r\n", Reject::ChunkSizeMalformed),
            ("5,\r\nhello", Reject::ChunkSizeMalformed),
            ("5_\r\nhello", Reject::ChunkSizeMalformed),
            ("5\0\r\nhello", Reject::ChunkSizeMalformed),
            ("5\rhello\r\n0\r\n\r\n", Reject::ChunkLineEndMalformed),
            ("5\r\rhello\r\n0\r\n\r\n", Reject::ChunkLineEndMalformed),
            ("5\r\nhello0\r\n\r\n", Reject::ChunkLineEndMalformed),
            ("5\r\nhello\n0\r\n\r\n", Reject::ChunkLineEndMalformed),
            ("5\r\nhello\r0\r\n\r\n", Reject::ChunkLineEndMalformed),
            ("5\r\nhello\r\n\r\n", Reject::ChunkSizeMalformed),
            ("00000000000000005\r\nhello", Reject::ChunkSizeOverflow),
            ("10000000000000000\r\nhello", Reject::ChunkSizeOverflow),
        ]);
    }

    #[test]
    fn body_of_many_chunks_never_overflows() {
        let mut bytes = b"1\r\na\r\n".repeat(10_000);
        bytes.extend_from_slice(b"0\r\n\r\n");
        let used = bytes.len();
        assert_eq!(
            verdict(RequestBody::Chunked, &bytes),
            Ok(Skim::Done { used })
        );
    }
}

mod rfc9112_s7_1_1 {
    use super::*;

    #[test]
    fn chunk_extension_valid_is_ignored() {
        assert_done(&[
            "0;a\r\n\r\n",
            "0;a=b\r\n\r\n",
            "0;a=\"b;c\\\"\\\\\"\r\n\r\n",
            "0;a=\"\"\r\n\r\n",
            "0 \t; a\t=\t\"x y\" ;b = c;d\r\n\r\n",
            "1;a=0\r\nx\r\n0;b\r\n\r\n",
        ]);
    }

    #[test]
    fn chunk_extension_malformed_is_refused() {
        let malformed = [
            "5 \r\nhello",
            "5 5\r\nhello",
            "5;\r\nhello",
            "5;;\r\nhello",
            "5; \r\nhello",
            "5;=b\r\nhello",
            "5;a=\r\nhello",
            "5;a= \r\nhello",
            "5;a \r\nhello",
            "5;a b\r\nhello",
            "5;a=b \r\nhello",
            "5;a=b=c\r\nhello",
            "5;a=b c\r\nhello",
            "5;a=\"b\r\n\"\r\nhello",
            "5;a=\"b\\\r\n\"\r\nhello",
            "5;a=\"b\"c\r\nhello",
            "5;a=\"b\"=c\r\nhello",
            "5;a\nhello",
            "5;a\0\r\nhello",
            "5;a=\u{1}\r\nhello",
        ];
        for text in malformed {
            assert_refused(&[(text, Reject::ChunkExtensionMalformed)]);
        }
        assert_refused(&[("5;a\rb\r\nhello", Reject::ChunkLineEndMalformed)]);
    }

    #[test]
    fn chunk_extension_is_limited() {
        let at_limit = usize::from(CHUNK_EXTENSION_MAX) - 1;
        assert_done(&[&format!("0;{}\r\n\r\n", "a".repeat(at_limit))]);
        let spaces = " ".repeat(at_limit);
        assert_done(&[&format!(
            "1;{}a\r\nx\r\n0{};a\r\n\r\n",
            &spaces[1..],
            &spaces[1..]
        )]);
        let over = format!("0;{}\r\n\r\n", "a".repeat(at_limit + 1));
        assert_refused(&[(&over, Reject::ChunkExtensionTooLong)]);
        let over = format!("0{spaces};a\r\n\r\n");
        assert_refused(&[(&over, Reject::ChunkExtensionTooLong)]);
    }
}

mod rfc9112_s7_1_2 {
    use super::*;

    #[test]
    fn trailers_valid_are_ignored() {
        assert_done(&[
            "0\r\nA: b\r\n\r\n",
            "0\r\nA:\r\nB-c:\td \u{e9}\r\n\r\n",
            "5\r\nhello\r\n0\r\nContent-Length: 7\r\nTransfer-Encoding: x\r\n\r\n",
        ]);
    }

    #[test]
    fn trailers_malformed_are_refused() {
        assert_refused(&[
            ("0\r\nA\r\n\r\n", Reject::TrailerMalformed),
            ("0\r\n: b\r\n\r\n", Reject::TrailerMalformed),
            ("0\r\nA : b\r\n\r\n", Reject::TrailerMalformed),
            ("0\r\n A: b\r\n\r\n", Reject::TrailerMalformed),
            ("0\r\nA: b\r\n c\r\n\r\n", Reject::TrailerMalformed),
            ("0\r\nA: b\n\r\n", Reject::TrailerMalformed),
            ("0\r\nA: b\rc\r\n\r\n", Reject::TrailerMalformed),
            ("0\r\nA: b\0\r\n\r\n", Reject::TrailerMalformed),
            ("0\r\n\n", Reject::TrailerMalformed),
            ("0\r\nGET / HTTP/1.1\r\n", Reject::TrailerMalformed),
            ("0\r\n\rX", Reject::ChunkLineEndMalformed),
            ("0\r\n\r\r\n", Reject::ChunkLineEndMalformed),
        ]);
    }

    #[test]
    fn trailers_are_limited() {
        let trailers =
            |size: usize| format!("0\r\nA:{}\r\n\r\n", "b".repeat(size - "A:\r\n".len()));
        let max = usize::from(TRAILERS_MAX);
        let at_limit = trailers(max);
        let used = at_limit.len();
        assert_eq!(
            verdict(RequestBody::Chunked, at_limit.as_bytes()),
            Ok(Skim::Done { used })
        );
        assert_refused(&[(&trailers(max + 1), Reject::TrailersTooLarge)]);
        let lines = format!("0\r\n{}\r\n", "A:b\r\n".repeat(max / 5 + 1));
        assert_refused(&[(&lines, Reject::TrailersTooLarge)]);
    }
}

/// Chunked bodies that are valid, or nearly.
fn bodies() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        "5\r\nhello\r\n",
        "003\r\n\r\n\r\r\n",
        "1;a=\"b\\\"\" ; c\r\nx\r\n",
        "1;;\r\nx\r\n",
        "2\r\nx\r\n",
        "0;q=1\r\n",
        "0\r\n",
        "A: b\r\n",
        "\r\n",
        "\n",
        "7",
    ]);
    (prop::collection::vec(piece, 0..8), prop::bool::ANY).prop_map(|(pieces, ends)| {
        let mut bytes = pieces.concat().into_bytes();
        if ends {
            bytes.extend_from_slice(b"0\r\n\r\nmore");
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn verdict_does_not_depend_on_splits(
        bytes in bodies(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        size in 0..40_u64,
    ) {
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.sort_unstable();
        let bytewise: Vec<_> = (0..bytes.len()).collect();
        for body in [RequestBody::Chunked, RequestBody::Length(size)] {
            let whole = verdict(body, &bytes);
            prop_assert_eq!(verdict_in_pieces(body, &bytes, &cuts), whole);
            prop_assert_eq!(verdict_in_pieces(body, &bytes, &bytewise), whole);
        }
    }

    #[test]
    fn chunks_of_any_data_end_where_they_should(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..6)) {
        let mut bytes = Vec::new();
        for chunk in &chunks {
            bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            bytes.extend_from_slice(chunk);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"0\r\n\r\n");
        let used = bytes.len();
        bytes.extend_from_slice(b"0\r\n\r\n");
        prop_assert_eq!(verdict(RequestBody::Chunked, &bytes), Ok(Skim::Done { used }));
    }
}
