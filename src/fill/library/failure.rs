//! Why the library did not do what it was asked: a word for programs, a sentence for people, and whose fault it is.

use std::fmt;

use crate::policy::cache_status::CacheStatus;
use crate::policy::rule::Rule;
use crate::store::body_fault::BodyFault;

/// Whose fault a failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Party {
    /// Who asked: what was asked can't be had.
    Caller,
    /// The origin: its answer, or that there was none.
    Origin,
    /// This server: its limits, or its disk.
    Hotplate,
}

impl Party {
    /// Its name in answers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Origin => "origin",
            Self::Hotplate => "hotplate",
        }
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])+ $code:ident = $name:literal $party:ident $status:literal)+) => {
        /// What went wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code {
            $($(#[$doc])+ $code),+
        }

        impl Code {
            /// All of them.
            pub const ALL: &'static [Code] = &[$(Self::$code),+];

            /// Its name in answers.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$code => $name),+
                }
            }

            /// The one of this name.
            #[must_use]
            pub fn named(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|code| code.name() == name)
            }

            /// Whose fault it is.
            #[must_use]
            pub const fn party(self) -> Party {
                match self {
                    $(Self::$code => Party::$party),+
                }
            }

            /// The status of an HTTP answer that tells of it.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self {
                    $(Self::$code => $status),+
                }
            }
        }
    };
}

codes! {
    /// The URL is none that could be fetched.
    InvalidUrl = "invalid_url" Caller 400
    /// An option is unknown, or has a value that it can't have.
    InvalidOption = "invalid_option" Caller 400
    /// Neither a site nor `library.hosts` allows the host.
    HostNotAllowed = "host_not_allowed" Caller 403
    /// The host has only addresses that are not public.
    AddressNotAllowed = "address_not_allowed" Caller 403
    /// Nothing is stored, and nothing was to be fetched.
    Absent = "absent" Caller 404
    /// What is stored is stale, and nothing was to be fetched.
    Stale = "stale" Caller 404
    /// It is being fetched, and was not to be waited for.
    BeingFilled = "being_filled" Caller 404
    /// There is no such lease, or it is over.
    NoLease = "no_lease" Caller 404
    /// There is no such job, or it ended long ago.
    NoJob = "no_job" Caller 404
    /// There is no such upload, or it ended long ago.
    NoUpload = "no_upload" Caller 404
    /// The upload was dropped while it was waited for.
    Dropped = "dropped" Caller 410
    /// The recording's file is still open for writing.
    BeingWritten = "being_written" Caller 409
    /// More redirects than are followed.
    RedirectLimit = "redirect_limit" Origin 502
    /// Redirects in a circle.
    RedirectLoop = "redirect_loop" Origin 502
    /// A redirect to a URL that may not be fetched, or to none.
    RedirectRefused = "redirect_refused" Origin 502
    /// The origin has no such thing: 404 or 410.
    NotFound = "not_found" Origin 404
    /// The origin answered with another status than 200.
    OriginStatus = "origin_status" Origin 502
    /// The origin forbids to store its answer, or does not say enough.
    NotStorable = "not_storable" Origin 502
    /// The media type is none of `library.content_types`.
    ContentType = "content_type" Origin 502
    /// The origin coded the content although nobody asked for that.
    ContentCoding = "content_coding" Origin 502
    /// The origin broke off within the body.
    Incomplete = "incomplete" Origin 502
    /// No connection to the origin.
    OriginUnreachable = "origin_unreachable" Origin 502
    /// The origin's name has no address.
    OriginNameUnknown = "origin_name_unknown" Origin 502
    /// There are no credentials for the origin, or they are of no use.
    Credentials = "credentials" Hotplate 502
    /// What the origin said makes no sense.
    OriginBroken = "origin_broken" Origin 502
    /// The origin did not answer in time, or did not send all of it in time.
    OriginTimeout = "origin_timeout" Origin 504
    /// Larger than what the disk store takes.
    TooLarge = "too_large" Hotplate 507
    /// No room: as many files are leased, or as many of their bytes, as may be.
    LibraryFull = "library_full" Hotplate 507
    /// The disk store, or the library's folder, fails.
    DiskFailed = "disk_failed" Hotplate 503
    /// The file system of the disk store, or of the library, has no room.
    DiskFull = "disk_full" Hotplate 507
    /// There is no disk store, so that there are no paths.
    NoDisk = "no_disk" Hotplate 503
    /// As much is under way as may be.
    Busy = "busy" Hotplate 503
    /// The queue of prefetches is full.
    QueueFull = "queue_full" Hotplate 429
}

/// A failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What.
    pub code: Code,
    /// Why, in a sentence without a full stop.
    pub reason: String,
    /// The origin's status, where it is that.
    pub origin_status: Option<u16>,
    /// The Cache-Status that a client would have got, where it had come to asking the origin.
    pub cache_status: Option<Box<str>>,
}

impl Failure {
    /// A failure.
    pub fn new(code: Code, reason: impl Into<String>) -> Self {
        Self {
            code,
            reason: reason.into(),
            origin_status: None,
            cache_status: None,
        }
    }

    /// The failure of a request that was handled so.
    pub(super) fn handled(self, status: &CacheStatus) -> Self {
        let mut value = Vec::new();
        status.append_value(&mut value);
        let value = String::from_utf8_lossy(&value);
        Self {
            cache_status: Some(value.into()),
            ..self
        }
    }

    /// The failure of a request for which this rule decided.
    pub(super) fn by_rule(self, rule: Rule) -> Self {
        let value = format!("hotplate; {}", rule.outcome());
        Self {
            cache_status: Some(value.into()),
            ..self
        }
    }

    /// The failure of a fetch that brought no response, by the rule that decided.
    pub(super) fn of_rule(rule: Rule, url: &str) -> Self {
        let (code, why) = match rule {
            Rule::OriginUnreachable => (
                Code::OriginUnreachable,
                "the origin can't be connected to (refused, no way there, or TLS failed)",
            ),
            Rule::OriginNameUnknown => (
                Code::OriginNameUnknown,
                "the origin's name has no address; is it spelled right, and does this machine's resolver work?",
            ),
            Rule::OriginAddressRefused => (
                Code::AddressNotAllowed,
                "the host has only private, loopback or link-local addresses; library.allow_private = true, or the address itself \
                 in library.hosts, would allow it",
            ),
            Rule::OriginCredentials => (
                Code::Credentials,
                "its [[profile]] has no credentials, or they can't sign the request; the log says which and why",
            ),
            Rule::CredentialsNotLent => (
                Code::Credentials,
                "the client certificate of its [[profile]] is shown for objects alone, and the URL names none: it would list them",
            ),
            Rule::RequestBroken => (
                Code::InvalidUrl,
                "no request can be made of it for an origin: it is too long, or has what no request may have",
            ),
            Rule::OriginTimeout => (Code::OriginTimeout, "the origin did not answer in time"),
            Rule::OriginBusy => (
                Code::Busy,
                "as many requests are with origins, or wait for one, as may be; see [fill] and connections",
            ),
            Rule::Loop => (
                Code::OriginBroken,
                "the request came back to this server: origins ask each other in a circle",
            ),
            Rule::OnlyIfCached => (Code::Absent, "nothing fresh is stored"),
            _ => (
                Code::OriginBroken,
                "the origin's answer makes no sense, or broke off",
            ),
        };
        Self::new(code, format!("{url}: {why}")).by_rule(rule)
    }

    /// The failure of a fetch that an origin did not answer, and why not, in words.
    pub(super) fn of_origin(rule: Rule, why: &str, url: &str) -> Self {
        let general = Self::of_rule(rule, url);
        match rule {
            // What may be done about it is said there.
            Rule::OriginNameUnknown
            | Rule::OriginAddressRefused
            | Rule::OriginBusy
            | Rule::CredentialsNotLent => general,
            _ => Self::new(general.code, format!("{url}: {why}")).by_rule(rule),
        }
    }

    /// The failure of a fetch whose body did not come to its end.
    pub(super) fn of_body(fault: BodyFault, url: &str) -> Self {
        let (code, why) = match fault {
            BodyFault::BrokenOff => (
                Code::Incomplete,
                "the origin broke off within the body, or sent other than it said",
            ),
            BodyFault::Changed => (
                Code::Incomplete,
                "the origin changed it each time while it was fetched",
            ),
            BodyFault::Gone | BodyFault::Unwanted => (
                Code::DiskFailed,
                "what was stored of it was purged, evicted or damaged while it was brought, and so it was when it was fetched anew; \
                 ask again",
            ),
            BodyFault::TooLarge => (
                Code::TooLarge,
                "its body grew larger than what the disk store takes; see disk.size and disk.max_object",
            ),
            BodyFault::NoRoom => (
                Code::DiskFull,
                "the disk store has no room: its file system is full, or all of disk.size is in use; the rest of the body was more \
                 than memory takes meanwhile",
            ),
            BodyFault::StoreFailed => (
                Code::DiskFailed,
                "the disk store failed while it was fetched, and memory has no room for it; the log says why",
            ),
            BodyFault::Busy => (
                Code::Busy,
                "as much is under way as may be: memory or connections of [fill], or gets of [library]",
            ),
        };
        Self::new(code, format!("{url}: {why}"))
    }

    /// The failure of a redirect to something that may not be fetched.
    pub(super) fn of_redirect(self, from: &str) -> Self {
        Self::new(
            Code::RedirectRefused,
            format!(
                "{from} redirects to what may not be fetched: {}",
                self.reason
            ),
        )
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_words_of_their_own_and_statuses_fit_whose_fault_it_is() {
        let mut names = std::collections::HashSet::new();
        for code in Code::ALL {
            assert!(names.insert(code.name()), "{}", code.name());
            assert_eq!(Code::named(code.name()), Some(*code));
            let is_word = |letter: char| letter.is_ascii_lowercase() || letter == '_';
            assert!(code.name().chars().all(is_word));
            let is_callers = code.party() == Party::Caller;
            assert_eq!(
                is_callers,
                (400..429).contains(&code.status()) && *code != Code::NotFound
            );
        }
    }

    #[test]
    fn reasons_have_no_runs_of_spaces() {
        let bodies = [
            BodyFault::BrokenOff,
            BodyFault::Changed,
            BodyFault::Gone,
            BodyFault::Unwanted,
            BodyFault::TooLarge,
            BodyFault::NoRoom,
            BodyFault::StoreFailed,
            BodyFault::Busy,
        ];
        let rules = [
            Rule::OriginUnreachable,
            Rule::OriginNameUnknown,
            Rule::OriginAddressRefused,
            Rule::OriginCredentials,
            Rule::CredentialsNotLent,
            Rule::RequestBroken,
            Rule::OriginTimeout,
            Rule::OriginBusy,
            Rule::Loop,
            Rule::OnlyIfCached,
            Rule::OriginBroken,
        ];
        let of_bodies = bodies.map(|fault| Failure::of_body(fault, "http://a/"));
        let of_rules = rules.map(|rule| Failure::of_rule(rule, "http://a/"));
        for failure in of_bodies.iter().chain(&of_rules) {
            let reason = &failure.reason;
            assert!(!reason.contains("  ") && !reason.contains('\n'), "{reason}");
        }
    }
}
