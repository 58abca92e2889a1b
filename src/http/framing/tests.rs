//! Tables of heads and the framing they announce.

use super::*;
use crate::http::head::{FieldScratch, HeadLimits, Parsed, parse_head};

/// The framing that the field lines `fields` announce.
fn framing(version: &str, fields: &str) -> Result<RequestBody, Reject> {
    let limits = HeadLimits {
        bytes_max: 4096,
        fields_max: 64,
    };
    let text = format!("POST / HTTP/{version}\r\nHost: a\r\n{fields}\r\n");
    let mut scratch = FieldScratch::new();
    match parse_head(text.as_bytes(), &limits, &mut scratch) {
        Ok(Parsed::Complete { head, .. }) => request_body(&head),
        other => panic!("{text:?}: {other:?}"),
    }
}

mod rfc9112_s6_1 {
    use super::*;

    #[test]
    fn transfer_encoding_must_be_chunked_alone() {
        let table = [
            ("chunked", Ok(RequestBody::Chunked)),
            ("CHUNKED", Ok(RequestBody::Chunked)),
            (" \tchunked\t ", Ok(RequestBody::Chunked)),
            ("gzip, chunked", Err(Reject::TransferCodingUnknown)),
            ("gzip;q=1, chunked", Err(Reject::TransferCodingUnknown)),
            ("identity, chunked", Err(Reject::TransferCodingUnknown)),
            ("chunked, chunked", Err(Reject::TransferEncodingRepeated)),
            (
                "chunked, gzip, chunked",
                Err(Reject::TransferEncodingRepeated),
            ),
            ("gzip", Err(Reject::TransferEncodingNotChunked)),
            ("identity", Err(Reject::TransferEncodingNotChunked)),
            ("xchunked", Err(Reject::TransferEncodingNotChunked)),
            ("chunked, gzip", Err(Reject::TransferEncodingNotChunked)),
            ("chunked, identity", Err(Reject::TransferEncodingNotChunked)),
            ("", Err(Reject::TransferEncodingMalformed)),
            (",", Err(Reject::TransferEncodingMalformed)),
            (", chunked", Err(Reject::TransferEncodingMalformed)),
            ("chunked,", Err(Reject::TransferEncodingMalformed)),
            ("gzip chunked", Err(Reject::TransferEncodingMalformed)),
            ("\"chunked\"", Err(Reject::TransferEncodingMalformed)),
            ("chunked;", Err(Reject::TransferEncodingMalformed)),
            ("chunked;q=1", Err(Reject::TransferEncodingMalformed)),
            ("chunked ; a", Err(Reject::TransferEncodingMalformed)),
            ("chunked\u{a0}", Err(Reject::TransferEncodingMalformed)),
        ];
        for (value, body) in table {
            let fields = format!("Transfer-Encoding: {value}\r\n");
            assert_eq!(framing("1.1", &fields), body, "{value:?}");
        }
    }

    #[test]
    fn transfer_encoding_in_several_lines_is_one_list() {
        let table = [
            (["gzip", "chunked"], Reject::TransferCodingUnknown),
            (["chunked", "gzip"], Reject::TransferEncodingNotChunked),
            (["chunked", "chunked"], Reject::TransferEncodingRepeated),
            (["chunked", ""], Reject::TransferEncodingMalformed),
        ];
        for ([first, second], reject) in table {
            let fields = format!("Transfer-Encoding: {first}\r\ntransfer-encoding: {second}\r\n");
            assert_eq!(framing("1.1", &fields), Err(reject), "{fields:?}");
        }
    }

    #[test]
    fn transfer_encoding_in_http10_is_refused() {
        let fields = "Transfer-Encoding: chunked\r\n";
        assert_eq!(
            framing("1.0", fields),
            Err(Reject::TransferEncodingInHttp10)
        );
        assert_eq!(framing("1.2", fields), Ok(RequestBody::Chunked));
    }
}

mod rfc9112_s6_3 {
    use super::*;

    #[test]
    fn both_length_fields_are_refused() {
        for fields in [
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
            "Transfer-Encoding:\r\nContent-Length: x\r\n",
        ] {
            assert_eq!(
                framing("1.1", fields),
                Err(Reject::TransferEncodingWithContentLength)
            );
        }
    }

    #[test]
    fn content_length_is_one_run_of_digits() {
        let table = [
            ("0", Ok(RequestBody::Length(0))),
            ("42", Ok(RequestBody::Length(42))),
            ("00000000000000000000000042", Ok(RequestBody::Length(42))),
            ("18446744073709551615", Ok(RequestBody::Length(u64::MAX))),
            ("18446744073709551616", Err(Reject::ContentLengthOverflow)),
            (
                "99999999999999999999999",
                Err(Reject::ContentLengthOverflow),
            ),
            ("", Err(Reject::ContentLengthMalformed)),
            ("+5", Err(Reject::ContentLengthMalformed)),
            ("-5", Err(Reject::ContentLengthMalformed)),
            ("0x5", Err(Reject::ContentLengthMalformed)),
            ("5 5", Err(Reject::ContentLengthMalformed)),
            ("5.0", Err(Reject::ContentLengthMalformed)),
            ("5_0", Err(Reject::ContentLengthMalformed)),
            ("\u{665}", Err(Reject::ContentLengthMalformed)),
            ("5, 5", Err(Reject::ContentLengthRepeated)),
            ("5,6", Err(Reject::ContentLengthRepeated)),
            ("5,", Err(Reject::ContentLengthRepeated)),
        ];
        for (value, body) in table {
            let fields = format!("Content-Length: {value}\r\n");
            assert_eq!(framing("1.1", &fields), body, "{value:?}");
            assert_eq!(framing("1.0", &fields), body, "{value:?}");
        }
    }

    #[test]
    fn content_length_repeated_is_refused() {
        for second in ["5", "6", ""] {
            let fields = format!("Content-Length: 5\r\nContent-Length: {second}\r\n");
            assert_eq!(framing("1.1", &fields), Err(Reject::ContentLengthRepeated));
        }
    }

    #[test]
    fn no_length_field_is_no_body() {
        assert_eq!(framing("1.1", ""), Ok(RequestBody::None));
        assert_eq!(framing("1.0", ""), Ok(RequestBody::None));
    }
}
