//! Contradictions about the cache's stores and origins.

use std::fmt;
use std::time::Duration;

use super::quantity::Written;
use crate::units::ByteSize;

/// Two parts of what is said about the cache that can't both hold. `line` is where the first of them stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CacheContradiction {
    /// A largest body that is larger than its whole store.
    ObjectOverSize {
        /// The store's size.
        size: ByteSize,
    },
    /// A block that is larger than the whole store.
    BlockOverSize {
        /// The block.
        block: ByteSize,
        /// The store's size.
        size: ByteSize,
    },
    /// Keys of a disk store that has no folder.
    DiskWithoutPath,
    /// A library that has no disk store to keep its files in.
    LibraryWithoutDisk,
    /// A prefetch of nothing.
    NothingToPrefetch,
    /// A URL to prefetch that may not be fetched; why.
    PrefetchRefused(String),
    /// The disk store's folder in a site's root, or around it.
    DiskInRoot {
        /// The root's line.
        line: usize,
    },
    /// A site with neither root nor origin.
    NothingToServe,
    /// A Cache-Control field for files of a site that has no root.
    CacheControlWithoutRoot,
    /// A key about the origin of a site that has none.
    OriginKeyWithoutOrigin,
    /// A rule of a site that has no origin.
    RuleWithoutOrigin,
    /// One URL twice in an origin.
    OriginTwice {
        /// The URL.
        url: String,
        /// The first one's line.
        line: usize,
    },
    /// A wait for an origin that is longer than any request waits.
    LongerThanFill {
        /// How long requests wait.
        fill_timeout: Duration,
    },
    /// Certificates for origins that are not verified.
    CertificatesWithoutVerify,
    /// Certificates for origins of which none has https.
    CertificatesWithoutHttps,
    /// Neither the system's certificates nor others.
    NobodyTrusted,
}

impl fmt::Display for CacheContradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::ObjectOverSize { size } => {
                return write!(
                    f,
                    "larger than the whole store; must be at most size, which is \"{size}\""
                );
            }
            Self::BlockOverSize { block, size } => {
                return write!(
                    f,
                    "a block of \"{block}\" does not fit the store's size of \"{size}\"; change one of the two"
                );
            }
            Self::DiskInRoot { line } => {
                return write!(
                    f,
                    "the root of line {line} is this folder, lies in it or has it inside, and its site would serve what \
                     is stored; give the store a folder of its own"
                );
            }
            Self::OriginTwice { url, line } => {
                return write!(
                    f,
                    "{url} is listed on line {line} already; remove one of the two"
                );
            }
            Self::LongerThanFill { fill_timeout } => {
                return write!(
                    f,
                    "no request waits that long: fill.fill_timeout is \"{}\"; lower this or raise that",
                    Written(*fill_timeout)
                );
            }
            Self::DiskWithoutPath => {
                "not set, so there is no disk store and what is said about it has no effect; set it, to \"\" to leave the store off"
            }
            Self::PrefetchRefused(why) => return f.write_str(why),
            Self::NothingToPrefetch => "no URLs and no file with some: there is nothing to fetch",
            Self::LibraryWithoutDisk => {
                "its files are kept in the disk store, and there is none; set disk.path"
            }
            Self::NothingToServe => "it needs root, origin or both",
            Self::CacheControlWithoutRoot => {
                "it is for files below root, which is not set; the origin's answers keep their own field"
            }
            Self::OriginKeyWithoutOrigin => "it needs origin, which is not set",
            Self::RuleWithoutOrigin => {
                "it is about what comes from an origin, and its site has none; set origin or remove the rule"
            }
            Self::CertificatesWithoutVerify => {
                "verify_peer = false verifies by no certificates; remove one of the two"
            }
            Self::NobodyTrusted => {
                "without the system's certificates and without ca_file no https host is trusted; set ca_file or remove this"
            }
            Self::CertificatesWithoutHttps => {
                "no origin here starts with https://, so nothing is verified by it"
            }
        };
        f.write_str(text)
    }
}
