//! What an answer to an upload, or the lack of one, means: done, to be tried again, or given up. Pure.

use std::fmt;
use std::time::Duration;

use super::target::NoTarget;
use crate::fill::library::Code;
use crate::fill::origin::{OriginFault, OriginSetupError};

/// A reason that knows what went wrong.
pub(super) trait Reason: fmt::Display {
    /// What: the origin's answer, where nothing else is known.
    fn cause(&self) -> Code {
        Code::OriginBroken
    }
}

impl Reason for String {}

impl Reason for &str {}

impl Reason for NoTarget {
    fn cause(&self) -> Code {
        self.code()
    }
}

impl Reason for OriginSetupError {
    /// Certificates and their keys are files of this machine.
    fn cause(&self) -> Code {
        Code::Credentials
    }
}

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// The reason, for people; without secrets.
    pub(super) reason: String,
    /// What went wrong, for programs.
    pub(super) cause: Code,
    /// The origin's status, where it answered.
    pub(super) status: Option<u16>,
    /// Whether another attempt may help.
    pub(super) is_permanent: bool,
    /// How long the origin wants to be left alone.
    pub(super) after: Option<Duration>,
}

impl Failure {
    /// What another attempt will not mend.
    pub(super) fn permanent(reason: impl Reason) -> Self {
        Self {
            reason: reason.to_string(),
            cause: reason.cause(),
            status: None,
            is_permanent: true,
            after: None,
        }
    }

    /// What another attempt may mend.
    pub(super) fn transient(reason: impl Reason) -> Self {
        Self {
            is_permanent: false,
            ..Self::permanent(reason)
        }
    }

    /// The same with another cause.
    pub(super) fn of_cause(self, cause: Code) -> Self {
        Self { cause, ..self }
    }

    /// The same of an origin that may be shown other credentials next time, from files or a role: their refusal passes.
    pub(super) fn of_changing_keys(self) -> Self {
        let is_of_keys = self.cause == Code::Credentials || self.status == Some(401);
        Self {
            is_permanent: self.is_permanent && !is_of_keys,
            ..self
        }
    }

    /// An exchange without an answer.
    pub(super) fn of_fault(fault: OriginFault) -> Self {
        let is_permanent = match fault {
            OriginFault::Credentials(credentials) => !credentials.may_pass(),
            OriginFault::Unsendable | OriginFault::UpgradeRefused => true,
            // The config says so; who changes it says what is to be done with the upload.
            OriginFault::Forbidden => true,
            // The spool's file is not what it was.
            OriginFault::Body => true,
            // A certificate may be renewed, a name set right, a machine come back.
            _ => false,
        };
        Self {
            is_permanent,
            ..Self::permanent(in_words(fault)).of_cause(cause_of(fault))
        }
    }

    /// An answer that is no success; `code` is the origin's own word for it.
    pub(super) fn of_status(status: u16, code: Option<&str>, after: Option<Duration>) -> Self {
        let mut reason = match status {
            300..=399 => {
                format!("the origin redirects with {status}, which is not followed for uploads")
            }
            400..=499 => format!("the origin refuses it with {status}"),
            _ => format!("the origin failed with {status}"),
        };
        if let Some(code) = code {
            reason.push_str(&format!(" ({code})"));
        }
        Self {
            reason,
            cause: Code::OriginStatus,
            status: Some(status),
            is_permanent: is_permanent(status) && !code.is_some_and(passes),
            after,
        }
    }
}

/// Whether an answer to PUT says that the file is there.
pub(super) const fn is_success(status: u16) -> bool {
    matches!(status, 200 | 201 | 202 | 204)
}

/// Whether an answer will be the same next time: a client's mistake, except where it is one of time (RFC 9110 s15.5,
/// RFC 8470, RFC 6585), or where somebody else changes or locks the same thing (RFC 9110 s15.5.10, RFC 4918 s11.3); an odd success; a
/// redirect that is not followed.
const fn is_permanent(status: u16) -> bool {
    !(status >= 500 || matches!(status, 408 | 409 | 423 | 425 | 429))
}

/// Whether a store's own word for a refusal is one of time, whatever the status: S3 has 400 for a body that came too slowly.
fn passes(code: &str) -> bool {
    code == "RequestTimeout"
}

/// What a fault is, as it is of a fetch.
const fn cause_of(fault: OriginFault) -> Code {
    match fault {
        OriginFault::Refused | OriginFault::Unreachable | OriginFault::Tls(_) => {
            Code::OriginUnreachable
        }
        OriginFault::Dns => Code::OriginNameUnknown,
        OriginFault::Forbidden => Code::AddressNotAllowed,
        OriginFault::ConnectTimeout
        | OriginFault::FirstByteTimeout
        | OriginFault::BetweenBytesTimeout
        | OriginFault::TotalTimeout => Code::OriginTimeout,
        // The spool's file.
        OriginFault::Body => Code::DiskFailed,
        OriginFault::Unsendable => Code::InvalidUrl,
        OriginFault::Busy => Code::Busy,
        OriginFault::Credentials(_) | OriginFault::NotLent => Code::Credentials,
        OriginFault::Reset
        | OriginFault::Truncated
        | OriginFault::OverLong
        | OriginFault::BadHead(_)
        | OriginFault::HeadTooLarge
        | OriginFault::BadFraming
        | OriginFault::UpgradeRefused => Code::OriginBroken,
    }
}

/// In the words of uploads where there are such.
fn in_words(fault: OriginFault) -> String {
    match fault {
        OriginFault::Forbidden => {
            "the origin's name leads to a private address; upload.allow_private is off".to_owned()
        },
        OriginFault::Body => {
            "the spooled file is not what was accepted: the disk has damaged it, or somebody else changed it".to_owned()
        }
        OriginFault::Unsendable => "the URL can't be sent".to_owned(),
        fault => fault.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fill::profile::CredentialFault;

    #[test]
    fn statuses_are_success_permanent_or_to_be_tried_again() {
        for status in [200, 201, 202, 204] {
            assert!(is_success(status));
        }
        for status in [203, 301, 302, 303, 400, 401, 403, 404, 405, 411, 413, 422] {
            assert!(!is_success(status));
            assert!(
                Failure::of_status(status, None, None).is_permanent,
                "{status}"
            );
        }
        for status in [408, 409, 423, 425, 429, 500, 502, 503, 504, 507] {
            assert!(
                !Failure::of_status(status, None, None).is_permanent,
                "{status}"
            );
        }
    }

    #[test]
    fn refusals_of_time_and_of_keys_that_change_pass() {
        let of = |status, code| Failure::of_status(status, code, None);
        assert!(of(400, Some("EntityTooLarge")).is_permanent);
        assert!(!of(400, Some("RequestTimeout")).is_permanent);
        for status in [401, 403] {
            let failure = of(status, None).of_changing_keys();
            assert_eq!(failure.is_permanent, status == 403);
        }
        for fault in [CredentialFault::WrongKey, CredentialFault::UnknownKey] {
            let failure = Failure::of_fault(OriginFault::Credentials(fault));
            assert!(!failure.of_changing_keys().is_permanent);
        }
        let damaged = Failure::of_fault(OriginFault::Body).of_changing_keys();
        assert!(damaged.is_permanent);
    }

    #[test]
    fn wrong_key_is_permanent_and_a_missing_one_may_come() {
        let of = |fault| Failure::of_fault(OriginFault::Credentials(fault)).is_permanent;
        assert!(of(CredentialFault::WrongKey) && of(CredentialFault::UnknownKey));
        assert!(!of(CredentialFault::Missing) && !of(CredentialFault::Skew(None)));
        assert!(!Failure::of_fault(OriginFault::Dns).is_permanent);
        assert!(Failure::of_fault(OriginFault::Body).is_permanent);
    }
}
