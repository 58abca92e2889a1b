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
            Self::Options => "detail=options",
            Self::FileChanging => "detail=file-changing",
            Self::FileUnavailable => "detail=file-unavailable",
            Self::FillQueueFull => "detail=fill-queue-full",
            Self::FillTimeout => "detail=fill-timeout",
            Self::Refused => "detail=refused",
        }
    }

    /// The counter of answers from local bytes, for the rules that give some.
    #[must_use]
    pub const fn hit_counter(self) -> Option<Counter> {
        match self {
            Self::PinFile => Some(Counter::HitPinFile),
            Self::PinMmap => Some(Counter::HitPinMmap),
            Self::PinMemory => Some(Counter::HitPinMemory),
            Self::Root => Some(Counter::HitRoot),
            _ => None,
        }
    }
}
