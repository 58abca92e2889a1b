//! Every cause for which a request is refused before anyone looks for what it asks.
//!
//! All of them are the client's fault. This room only names the cause: `server/reject.rs` alone maps it to a status,
//! to the fate of the connection and to a counter.

/// Declares the enum, the list of its variants and their names from one table.
macro_rules! rejects {
    ($($(#[doc = $doc:literal])+ $variant:ident => $name:literal,)+) => {
        /// Why a request is refused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Reject {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Reject {
            /// Every cause, in the order of declaration: `ALL[cause as usize] == cause`.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The cause as a metric label: kebab-case, unique.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

rejects! {
    /// More than two empty lines stand before the request line (RFC 9112 s2.2).
    TooManyEmptyLines => "too-many-empty-lines",
    /// The first line is not `method SP request-target SP HTTP-version` (RFC 9112 s3).
    RequestLineMalformed => "request-line-malformed",
    /// The method is not a token (RFC 9110 s9.1).
    MethodMalformed => "method-malformed",
    /// The version is not `HTTP/` digit `.` digit (RFC 9112 s2.3).
    VersionMalformed => "version-malformed",
    /// The major version is not 1 (RFC 9110 s15.6.6).
    VersionNotSupported => "version-not-supported",
    /// A line of the head ends in LF without CR: allowed to accept (RFC 9112 s2.2), but parsers differ over it.
    BareLineFeed => "bare-line-feed",
    /// A CR in the head that no LF follows (RFC 9112 s2.2).
    BareCarriageReturn => "bare-carriage-return",
    /// A NUL in the head (RFC 9110 s5.5).
    NulByte => "nul-byte",
    /// A line of the field section starts with white space (RFC 9112 s2.2, s5.2).
    LineFolding => "line-folding",
    /// A field line starts with its colon (RFC 9112 s5).
    FieldNameEmpty => "field-name-empty",
    /// White space in a field name or between it and its colon (RFC 9112 s5.1).
    FieldNameSpace => "field-name-space",
    /// A field name is not a token, or its line has no colon (RFC 9110 s5.1).
    FieldNameMalformed => "field-name-malformed",
    /// A control character in a field value (RFC 9110 s5.5).
    FieldValueMalformed => "field-value-malformed",
    /// The request line alone is over the limit of the head (RFC 9112 s3).
    TargetTooLong => "target-too-long",
    /// The head is over its limit (RFC 6585 s5).
    HeadTooLarge => "head-too-large",
    /// The head has more field lines than allowed (RFC 6585 s5).
    TooManyFields => "too-many-fields",
    /// An HTTP/1.1 request without Host (RFC 9112 s3.2).
    HostMissing => "host-missing",
    /// More than one Host line (RFC 9112 s3.2).
    HostRepeated => "host-repeated",
    /// The value of Host is not `uri-host [ ":" port ]` (RFC 9112 s3.2).
    HostMalformed => "host-malformed",

    /// Transfer-Encoding beside Content-Length (RFC 9112 s6.3).
    TransferEncodingWithContentLength => "transfer-encoding-with-content-length",
    /// Transfer-Encoding in a request below HTTP/1.1 (RFC 9112 s6.1).
    TransferEncodingInHttp10 => "transfer-encoding-in-http10",
    /// Transfer-Encoding is not a list of codings, or chunked has parameters (RFC 9112 s6.1, s7.1).
    TransferEncodingMalformed => "transfer-encoding-malformed",
    /// The final transfer coding is not chunked (RFC 9112 s6.3).
    TransferEncodingNotChunked => "transfer-encoding-not-chunked",
    /// Chunked is applied more than once (RFC 9112 s6.1).
    TransferEncodingRepeated => "transfer-encoding-repeated",
    /// A transfer coding that we do not decode (RFC 9112 s6.1).
    TransferCodingUnknown => "transfer-coding-unknown",
    /// Content-Length in several lines or as a list, identical or not (RFC 9110 s8.6).
    ContentLengthRepeated => "content-length-repeated",
    /// Content-Length is not a run of digits (RFC 9110 s8.6).
    ContentLengthMalformed => "content-length-malformed",
    /// Content-Length is beyond 2^64 - 1 (RFC 9110 s8.6).
    ContentLengthOverflow => "content-length-overflow",
    /// The body is over its limit (RFC 9110 s15.5.14).
    BodyTooLarge => "body-too-large",
    /// A chunk does not start with hexadecimal digits, or other bytes follow them (RFC 9112 s7.1).
    ChunkSizeMalformed => "chunk-size-malformed",
    /// A chunk size of more than 16 digits (RFC 9112 s7.1).
    ChunkSizeOverflow => "chunk-size-overflow",
    /// A chunk extension breaks the grammar (RFC 9112 s7.1.1).
    ChunkExtensionMalformed => "chunk-extension-malformed",
    /// The extensions of a chunk are over their limit (RFC 9112 s7.1.1).
    ChunkExtensionTooLong => "chunk-extension-too-long",
    /// A line of the chunked framing does not end in CRLF, or chunk data is longer than its size (RFC 9112 s7.1).
    ChunkLineEndMalformed => "chunk-line-end-malformed",
    /// A line of the trailer section is not a field line (RFC 9112 s7.1.2).
    TrailerMalformed => "trailer-malformed",
    /// The trailer section is over its limit (RFC 9112 s7.1.2).
    TrailersTooLarge => "trailers-too-large",
    /// An expectation other than 100-continue (RFC 9110 s10.1.1).
    ExpectationUnknown => "expectation-unknown",

    /// The request target has none of the four forms (RFC 9112 s3.2).
    TargetMalformed => "target-malformed",
    /// The form of the target does not go with the method (RFC 9112 s3.2.3, s3.2.4).
    TargetFormMismatch => "target-form-mismatch",
    /// An absolute-form target whose scheme is neither http nor https (RFC 9112 s3.2.2).
    TargetSchemeUnknown => "target-scheme-unknown",
    /// The authority of an absolute-form or authority-form target is empty or invalid (RFC 9110 s4.2.1).
    TargetAuthorityMalformed => "target-authority-malformed",
    /// A fragment in the target (RFC 9112 s3.2).
    TargetFragment => "target-fragment",
    /// A control character, a space or a backslash stands literally in the target (RFC 9112 s3.2).
    TargetByteForbidden => "target-byte-forbidden",
    /// A `%` of the path is not followed by two hexadecimal digits (RFC 3986 s2.1).
    TargetPercentMalformed => "target-percent-malformed",
    /// The path holds `%00` (RFC 3986 s7.3).
    TargetNul => "target-nul",
    /// The path leads above the root (RFC 3986 s5.2.4).
    TargetEscapes => "target-escapes",
    /// A segment of the path holds an encoded slash, which no file name has (RFC 3986 s7.3).
    TargetEncodedSlash => "target-encoded-slash",
}

// The server counts causes in a table and keeps sets of them in one word.
const _: () = assert!(Reject::ALL.len() < 64);

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::Reject;

    #[test]
    fn all_is_indexed_by_the_discriminant() {
        for (index, &reject) in Reject::ALL.iter().enumerate() {
            assert_eq!(reject as usize, index);
        }
    }

    #[test]
    fn name_is_unique_and_kebab_case() {
        let names: HashSet<_> = Reject::ALL.iter().map(|reject| reject.name()).collect();
        assert_eq!(names.len(), Reject::ALL.len());
        for name in names {
            assert!(name.split('-').all(|word| {
                !word.is_empty()
                    && word
                        .bytes()
                        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
            }));
        }
    }
}
