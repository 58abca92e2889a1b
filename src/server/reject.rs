//! The single map from the cause of a refusal to its status. Every refusal closes the connection: after a message that
//! makes no sense, nobody knows where the next one starts (RFC 9112 s2.2, s11.2).

use crate::http::reject::Reject;

/// The status that answers a refused request.
#[must_use]
pub const fn status(reject: Reject) -> u16 {
    match reject {
        Reject::TooManyEmptyLines
        | Reject::RequestLineMalformed
        | Reject::MethodMalformed
        | Reject::VersionMalformed
        | Reject::BareLineFeed
        | Reject::BareCarriageReturn
        | Reject::NulByte
        | Reject::LineFolding
        | Reject::FieldNameEmpty
        | Reject::FieldNameSpace
        | Reject::FieldNameMalformed
        | Reject::FieldValueMalformed
        | Reject::HostMissing
        | Reject::HostRepeated
        | Reject::HostMalformed
        | Reject::TransferEncodingWithContentLength
        | Reject::TransferEncodingInHttp10
        | Reject::TransferEncodingMalformed
        | Reject::TransferEncodingNotChunked
        | Reject::TransferEncodingRepeated
        | Reject::ContentLengthRepeated
        | Reject::ContentLengthMalformed
        | Reject::ChunkSizeMalformed
        | Reject::ChunkSizeOverflow
        | Reject::ChunkExtensionMalformed
        | Reject::ChunkLineEndMalformed
        | Reject::TrailerMalformed
        | Reject::TargetMalformed
        | Reject::TargetFormMismatch
        | Reject::TargetSchemeUnknown
        | Reject::TargetAuthorityMalformed
        | Reject::TargetFragment
        | Reject::TargetByteForbidden
        | Reject::TargetPercentMalformed
        | Reject::TargetNul
        | Reject::TargetEscapes
        | Reject::TargetEncodedSlash => 400,
        Reject::ContentLengthOverflow | Reject::BodyTooLarge | Reject::ChunkExtensionTooLong => 413,
        Reject::TargetTooLong => 414,
        Reject::ExpectationUnknown => 417,
        Reject::HeadTooLarge | Reject::TooManyFields | Reject::TrailersTooLarge => 431,
        Reject::TransferCodingUnknown => 501,
        Reject::VersionNotSupported => 505,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::message;

    #[test]
    fn every_refusal_has_a_status_with_a_reason_phrase() {
        for reject in Reject::ALL {
            let status = status(*reject);
            assert!((400..600).contains(&status), "{reject:?}: {status}");
            assert!(!message::reason(status).is_empty(), "{reject:?}: {status}");
        }
    }
}
