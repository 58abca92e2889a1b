//! Everything that can go wrong between a request to an origin and its response's last byte.

use std::fmt;
use std::io;

use crate::fill::profile::CredentialFault;

/// Why there is no response, or no whole one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OriginFault {
    /// Nobody listens there.
    Refused,
    /// No way to the address.
    Unreachable,
    /// The name has no address, or could not be looked up in time.
    Dns,
    /// The name has only addresses that may not be asked: those of this machine and of private networks.
    Forbidden,
    /// The TLS handshake failed, or TLS was broken off.
    Tls(TlsFault),
    /// No connection in time.
    ConnectTimeout,
    /// No whole head in time.
    FirstByteTimeout,
    /// The body stopped flowing.
    BetweenBytesTimeout,
    /// The whole exchange took too long.
    TotalTimeout,
    /// The connection was reset, or closed before the response's first byte.
    Reset,
    /// The connection was closed within the response.
    Truncated,
    /// Bytes came after the response's end. Only counted: the response is whole, and the connection is not used again.
    OverLong,
    /// The head breaks HTTP's grammar.
    BadHead(HeadFault),
    /// The head, or the 1xx responses before it, are larger than is taken.
    HeadTooLarge,
    /// Where the body ends is in doubt (RFC 9112 s6.3), or its chunks are broken (s7.1).
    BadFraming,
    /// Too many requests wait for a connection already, or this one has waited too long.
    Busy,
    /// The origin switched protocols, or was asked to.
    UpgradeRefused,
    /// The client did not send the whole body of its request.
    Body,
    /// The request can't be put into HTTP/1.1: its method or target is no such thing.
    Unsendable,
    /// A private origin can't be asked with the profile's credentials, or refuses them.
    Credentials(CredentialFault),
    /// The origin takes our own certificate for credentials, and these are not lent for such a request: it reads no object.
    NotLent,
}

/// What was wrong with TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TlsFault {
    /// The certificate comes from nobody who is trusted.
    UnknownIssuer,
    /// The certificate is for another host.
    WrongHost,
    /// The certificate has expired, or is not valid yet.
    OutOfTime,
    /// The certificate is unusable for another reason.
    BadCertificate,
    /// The origin sent an alert.
    Alert,
    /// What the origin sent is not TLS, or it closed within the handshake.
    Protocol,
}

/// What was wrong with a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HeadFault {
    /// No status line, or a line that is no field.
    Malformed,
    /// No status code.
    Status,
    /// A field's value has octets that no value may have (RFC 9110 s5.5).
    FieldValue,
}

/// How many kinds of faults there are.
pub const FAULT_COUNT: usize = 21;

impl OriginFault {
    /// The kinds' names, by [`index`](Self::index); labels of metrics.
    pub const NAMES: [&str; FAULT_COUNT] = [
        "refused",
        "unreachable",
        "dns",
        "tls",
        "connect_timeout",
        "first_byte_timeout",
        "between_bytes_timeout",
        "total_timeout",
        "reset",
        "truncated",
        "over_long",
        "bad_head",
        "head_too_large",
        "bad_framing",
        "busy",
        "upgrade_refused",
        "body",
        "unsendable",
        "credentials",
        "forbidden",
        "not_lent",
    ];

    /// The kind's number, 0-based, below [`FAULT_COUNT`].
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Refused => 0,
            Self::Unreachable => 1,
            Self::Dns => 2,
            Self::Tls(_) => 3,
            Self::ConnectTimeout => 4,
            Self::FirstByteTimeout => 5,
            Self::BetweenBytesTimeout => 6,
            Self::TotalTimeout => 7,
            Self::Reset => 8,
            Self::Truncated => 9,
            Self::OverLong => 10,
            Self::BadHead(_) => 11,
            Self::HeadTooLarge => 12,
            Self::BadFraming => 13,
            Self::Busy => 14,
            Self::UpgradeRefused => 15,
            Self::Body => 16,
            Self::Unsendable => 17,
            Self::Credentials(_) => 18,
            Self::Forbidden => 19,
            Self::NotLent => 20,
        }
    }

    /// The status that a client gets where nothing stored may stand in (RFC 9110 s15.6).
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::ConnectTimeout
            | Self::FirstByteTimeout
            | Self::BetweenBytesTimeout
            | Self::TotalTimeout => 504,
            Self::Busy => 503,
            Self::Body | Self::Unsendable => 400,
            Self::NotLent => 403,
            Self::Refused
            | Self::Unreachable
            | Self::Dns
            | Self::Forbidden
            | Self::Tls(_)
            | Self::Reset
            | Self::Truncated
            | Self::OverLong
            | Self::BadHead(_)
            | Self::HeadTooLarge
            | Self::BadFraming
            | Self::UpgradeRefused
            | Self::Credentials(_) => 502,
        }
    }

    /// The `error` of a Proxy-Status field (RFC 9209 s2.3).
    #[must_use]
    pub const fn proxy_status(self) -> &'static str {
        match self {
            Self::Refused => "connection_refused",
            Self::Unreachable => "destination_ip_unroutable",
            Self::Dns => "dns_error",
            Self::Forbidden => "destination_ip_prohibited",
            Self::Tls(TlsFault::Alert) => "tls_alert_received",
            Self::Tls(TlsFault::Protocol) => "tls_protocol_error",
            Self::Tls(_) => "tls_certificate_error",
            Self::ConnectTimeout => "connection_timeout",
            Self::FirstByteTimeout | Self::TotalTimeout => "http_response_timeout",
            Self::BetweenBytesTimeout => "connection_read_timeout",
            Self::Reset => "connection_terminated",
            Self::Truncated => "http_response_incomplete",
            Self::OverLong => "http_response_body_size",
            Self::BadHead(_) | Self::BadFraming => "http_protocol_error",
            Self::HeadTooLarge => "http_response_header_section_size",
            Self::Busy => "connection_limit_reached",
            Self::UpgradeRefused => "http_upgrade_failed",
            Self::Body | Self::Unsendable => "http_request_error",
            Self::NotLent => "http_request_denied",
            Self::Credentials(_) => "proxy_configuration_error",
        }
    }

    /// Whether the same request may fare better another time or elsewhere: the fault is of the moment, not of what is asked
    /// or how it is answered.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        match self {
            Self::Refused
            | Self::Unreachable
            | Self::Dns
            | Self::ConnectTimeout
            | Self::FirstByteTimeout
            | Self::BetweenBytesTimeout
            | Self::Reset
            | Self::Truncated
            | Self::Busy => true,
            Self::Forbidden
            | Self::Tls(_)
            | Self::TotalTimeout
            | Self::OverLong
            | Self::BadHead(_)
            | Self::HeadTooLarge
            | Self::BadFraming
            | Self::UpgradeRefused
            | Self::Body
            | Self::Unsendable
            | Self::NotLent => false,
            Self::Credentials(fault) => fault.may_pass(),
        }
    }

    /// Whether there was no connection, so that the origin can't have seen the request.
    #[must_use]
    pub const fn is_before_connection(self) -> bool {
        matches!(
            self,
            Self::Refused
                | Self::Unreachable
                | Self::Dns
                | Self::Forbidden
                | Self::Tls(_)
                | Self::ConnectTimeout
                | Self::Busy
        )
    }

    /// The fault of a connect(2) that failed.
    pub(super) fn of_connect(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused,
            io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => Self::Reset,
            io::ErrorKind::TimedOut => Self::ConnectTimeout,
            // Also what is our own lack: no descriptors, no ports.
            _ => Self::Unreachable,
        }
    }
}

/// For people, as a sentence without a full stop.
impl fmt::Display for OriginFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Refused => "nobody listens there",
            Self::Unreachable => "there is no way to the origin",
            Self::Dns => "the origin's name has no address",
            Self::Forbidden => "the origin's name leads to private addresses only",
            Self::Tls(fault) => return fault.fmt(f),
            Self::ConnectTimeout => "the origin took no connection in time",
            Self::FirstByteTimeout => "the origin did not answer in time",
            Self::BetweenBytesTimeout => "the origin stopped within its answer",
            Self::TotalTimeout => "it took longer than total_timeout",
            Self::Reset => "the origin reset the connection",
            Self::Truncated => "the origin closed the connection within its answer",
            Self::OverLong => "the origin sent more than its answer",
            Self::BadHead(_) | Self::BadFraming => "the origin's answer is no HTTP/1.1",
            Self::HeadTooLarge => "the head of the origin's answer is too large",
            Self::Busy => "too many requests wait for this origin",
            Self::UpgradeRefused => "the origin switched protocols, or was asked to",
            Self::Body => "the body of the request did not come to its end",
            Self::Unsendable => "the request can't be sent",
            Self::Credentials(fault) => return fault.fmt(f),
            Self::NotLent => "the profile's certificate is lent for reading objects alone",
        };
        f.write_str(text)
    }
}

impl fmt::Display for TlsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::UnknownIssuer => {
                "TLS failed: the origin's certificate comes from nobody who is trusted; ca_file can name who it comes from"
            }
            Self::WrongHost => "TLS failed: the origin's certificate is for another host",
            Self::OutOfTime => "TLS failed: the origin's certificate is over, or not valid yet",
            Self::BadCertificate => "TLS failed: the origin's certificate is unusable",
            Self::Alert => {
                "TLS failed: the origin broke it off; does it want a client_cert that it knows?"
            }
            Self::Protocol => {
                "TLS failed: what the origin sent is no TLS; is the port one for https?"
            }
        };
        f.write_str(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [OriginFault; FAULT_COUNT] = [
        OriginFault::Refused,
        OriginFault::Unreachable,
        OriginFault::Dns,
        OriginFault::Tls(TlsFault::Alert),
        OriginFault::ConnectTimeout,
        OriginFault::FirstByteTimeout,
        OriginFault::BetweenBytesTimeout,
        OriginFault::TotalTimeout,
        OriginFault::Reset,
        OriginFault::Truncated,
        OriginFault::OverLong,
        OriginFault::BadHead(HeadFault::Malformed),
        OriginFault::HeadTooLarge,
        OriginFault::BadFraming,
        OriginFault::Busy,
        OriginFault::UpgradeRefused,
        OriginFault::Body,
        OriginFault::Unsendable,
        OriginFault::Credentials(CredentialFault::WrongKey),
        OriginFault::Forbidden,
        OriginFault::NotLent,
    ];

    #[test]
    fn every_fault_has_its_place_among_the_names() {
        for (index, fault) in ALL.into_iter().enumerate() {
            assert_eq!(fault.index(), index, "{fault:?}");
            let name = format!("{fault:?}");
            let kind = name.split('(').next().unwrap().to_lowercase();
            assert_eq!(OriginFault::NAMES[index].replace('_', ""), kind);
        }
    }

    #[test]
    fn faults_in_time_are_504_and_no_fault_of_the_origin_is_a_clients() {
        for fault in ALL {
            let is_late = format!("{fault:?}").ends_with("Timeout");
            assert_eq!(fault.status() == 504, is_late, "{fault:?}");
            let is_clients = matches!(
                fault,
                OriginFault::Body | OriginFault::Unsendable | OriginFault::NotLent
            );
            assert_eq!(fault.status() < 500, is_clients, "{fault:?}");
        }
    }

    #[test]
    fn every_fault_has_words_of_its_own() {
        let tls = [
            TlsFault::UnknownIssuer,
            TlsFault::WrongHost,
            TlsFault::OutOfTime,
            TlsFault::BadCertificate,
            TlsFault::Protocol,
        ];
        let mut seen = std::collections::HashSet::new();
        for fault in ALL.into_iter().chain(tls.map(OriginFault::Tls)) {
            let words = fault.to_string();
            assert!(!words.contains("  ") && !words.ends_with('.'), "{words}");
            // What is no HTTP/1.1 is that in its head or its framing.
            let is_new = seen.insert(words);
            assert!(is_new || fault == OriginFault::BadFraming, "{fault:?}");
        }
    }

    #[test]
    fn rfc9209_s2_3_error_types_are_tokens() {
        for fault in ALL {
            let word = fault.proxy_status();
            assert!(
                word.bytes()
                    .all(|byte| byte == b'_' || byte.is_ascii_lowercase())
            );
        }
    }
}
