//! The rules that decide answers. Cache-Status, the access log and the counters all name them by these words.

use crate::stats::Counter;

/// The rule that an answer was decided by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rule {
    /// A pinned file, from its open descriptor.
    PinFile,
    /// A pinned file, from its mapping.
    PinMmap,
    /// A pinned file, from its copy in memory.
    PinMemory,
    /// A file below a site's root.
    Root,
    /// Nothing stands under the URL.
    NotFound,
    /// The file may not be read.
    Forbidden,
    /// A directory's URL lacks its final slash.
    DirectorySlash,
    /// The method is known, but a static resource does not have it (RFC 9110 s15.5.6).
    MethodNotAllowed,
    /// The method is unknown (RFC 9110 s15.6.2).
    MethodUnknown,
    /// WebSocket was asked for, and connections are not tunnelled (RFC 9110 s7.8).
    Upgrade,
    /// What the resource allows was asked (RFC 9110 s9.3.7).
    Options,
    /// The pinned file is being written to; its new content is not known yet.
    FileChanging,
    /// The file could not be opened now: out of descriptors, or the file system failed.
    FileUnavailable,
    /// The fill threads' queue was full.
    FillQueueFull,
    /// The fill threads did not answer in time.
    FillTimeout,
    /// A stored response that is fresh.
    Fresh,
    /// A stored response that is stale, which the request allows (`max-stale`).
    MaxStale,
    /// A stored response that is stale and being revalidated (RFC 5861 s3).
    StaleWhileRevalidate,
    /// A stored response that is stale, since the origin failed (RFC 5861 s4).
    StaleIfError,
    /// A stored response that the origin has just called valid.
    Revalidated,
    /// The origin's response, which is being stored.
    Stored,
    /// The origin's response, fetched for another request at the same time.
    Collapsed,
    /// The origin's response, which is not stored.
    Passed,
    /// The request wants a stored response and there is none (RFC 9111 s5.2.1.7).
    OnlyIfCached,
    /// The origin could not be reached.
    OriginUnreachable,
    /// The origin's name has no address.
    OriginNameUnknown,
    /// The origin's name has only addresses that may not be asked.
    OriginAddressRefused,
    /// There are no credentials to ask the origin with, or they are of no use.
    OriginCredentials,
    /// The origin's credentials are lent for reading objects alone, and the request does something else.
    CredentialsNotLent,
    /// The origin did not answer in time.
    OriginTimeout,
    /// What the origin said makes no sense, or it broke off.
    OriginBroken,
    /// As many requests are with the origin, or wait for one answer, as may be.
    OriginBusy,
    /// The request can't go on: it is no HTTP/1.1 for the origin, or its body broke off.
    RequestBroken,
    /// The request has been here before: origins and caches ask each other in a circle.
    Loop,
    /// The request was refused before any rule was asked.
    Refused,
}

impl Rule {
    /// The outcome in the words of RFC 9211.
    #[must_use]
    pub const fn outcome(self) -> &'static str {
        match self {
            Self::PinFile => "hit; detail=pin-file",
            Self::PinMmap => "hit; detail=pin-mmap",
            Self::PinMemory => "hit; detail=pin-memory",
            Self::Root => "hit; detail=root",
            Self::NotFound => "detail=not-found",
            Self::Forbidden => "detail=forbidden",
            Self::DirectorySlash => "detail=directory-slash",
            Self::MethodNotAllowed => "detail=method-not-allowed",
            Self::MethodUnknown => "detail=method-unknown",
            Self::Upgrade => "detail=upgrade",
            Self::Options => "detail=options",
            Self::FileChanging => "detail=file-changing",
            Self::FileUnavailable => "detail=file-unavailable",
            Self::FillQueueFull => "detail=fill-queue-full",
            Self::FillTimeout => "detail=fill-timeout",
            Self::Fresh => "hit",
            Self::MaxStale => "hit; detail=max-stale",
            Self::StaleWhileRevalidate => "hit; detail=stale-while-revalidate",
            Self::StaleIfError => "hit; detail=stale-if-error",
            Self::Revalidated => "fwd=stale; detail=revalidated",
            Self::Stored => "fwd=miss; stored",
            Self::Collapsed => "fwd=miss; collapsed",
            Self::Passed => "fwd=miss; detail=passed",
            Self::OnlyIfCached => "detail=only-if-cached",
            Self::OriginUnreachable => "fwd=miss; detail=origin-unreachable",
            Self::OriginNameUnknown => "fwd=miss; detail=origin-name-unknown",
            Self::OriginAddressRefused => "fwd=miss; detail=origin-address-refused",
            Self::OriginCredentials => "fwd=miss; detail=origin-credentials",
            Self::CredentialsNotLent => "detail=credentials-not-lent",
            Self::OriginTimeout => "fwd=miss; detail=origin-timeout",
            Self::OriginBroken => "fwd=miss; detail=origin-broken",
            Self::OriginBusy => "fwd=miss; detail=origin-busy",
            Self::RequestBroken => "detail=request-broken",
            Self::Loop => "detail=loop",
            Self::Refused => "detail=refused",
        }
    }

    /// What Cache-Status gives as `detail` beside the outcome (RFC 9211 s2.8); empty where the outcome says it all.
    #[must_use]
    pub const fn detail(self) -> &'static str {
        match self {
            Self::MaxStale => "max-stale",
            Self::StaleWhileRevalidate => "stale-while-revalidate",
            Self::StaleIfError => "stale-if-error",
            Self::Revalidated => "revalidated",
            _ => "",
        }
    }

    /// The counter of answers by this rule, for the rules that have one beside that of the status.
    #[must_use]
    pub const fn counter(self) -> Option<Counter> {
        match self {
            Self::PinFile => Some(Counter::HitPinFile),
            Self::PinMmap => Some(Counter::HitPinMmap),
            Self::PinMemory => Some(Counter::HitPinMemory),
            Self::Root => Some(Counter::HitRoot),
            Self::Fresh => Some(Counter::HitFresh),
            Self::MaxStale | Self::StaleWhileRevalidate | Self::StaleIfError => {
                Some(Counter::HitStale)
            }
            Self::Revalidated => Some(Counter::HitRevalidated),
            Self::Collapsed => Some(Counter::HitCollapsed),
            Self::Stored => Some(Counter::MissStored),
            Self::Passed => Some(Counter::MissPassed),
            Self::Upgrade => Some(Counter::UpgradesRefused),
            _ => None,
        }
    }
}
