//! Contradictions about profiles.

use std::fmt;

/// Two parts of what is said about a profile that can't both hold. `line` is where the first of them stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProfileContradiction {
    /// One name for two profiles.
    NameTwice {
        /// The first one's line.
        line: usize,
    },
    /// One domain for two profiles, or twice for one.
    DomainTwice {
        /// The domain.
        domain: String,
        /// The first one's line.
        line: usize,
    },
    /// A key that this kind of profile has no use for.
    KeyOfOtherKind {
        /// The kind that has it.
        kind: &'static str,
    },
    /// A key of S3 and Azure that fixed fields have no use for.
    KeyOfStores,
    /// A key and the file that it is to be read from.
    KeyAndFile {
        /// The file's key.
        file: &'static str,
    },
    /// A name of a key without the key, or the other way round.
    HalfAPair {
        /// What is missing.
        missing: &'static str,
    },
    /// An account's key and a token: one of them would never be used.
    KeyAndToken,
    /// Nothing to put into requests.
    NoHeaders,
    /// Certificates for hosts that are not verified.
    CertificatesWithoutVerify,
    /// Neither the system's certificates nor others.
    NobodyTrusted,
    /// A site's profile that there is none of.
    NoSuchProfile {
        /// The name.
        name: String,
        /// The one that was probably meant.
        nearest: Option<String>,
    },
}

impl fmt::Display for ProfileContradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NameTwice { line } => write!(
                f,
                "the [[profile]] of line {line} has this name already; a name stands for one profile"
            ),
            Self::DomainTwice { domain, line } => write!(
                f,
                "{domain} is claimed on line {line} already; one domain belongs to one profile"
            ),
            Self::KeyOfOtherKind { kind } => write!(
                f,
                "it is for kind = \"{kind}\" and has no effect here; remove it or change kind"
            ),
            Self::KeyOfStores => f.write_str(
                "it is for kind = \"s3\" or \"azure\" and has no effect here; remove it or change kind",
            ),
            Self::KeyAndFile { file } => {
                write!(f, "{file} names a file for the same; remove one of the two")
            }
            Self::HalfAPair { missing } => {
                write!(f, "it is of no use without {missing}; set that too")
            }
            Self::KeyAndToken => {
                f.write_str("account_key is used where both are set; remove one of the two")
            }
            Self::NoHeaders => {
                f.write_str("kind = \"headers\" needs request_headers or request_headers_file")
            }
            Self::NobodyTrusted => f.write_str(
                "without the system's certificates and without ca_file no https host is trusted; set ca_file or remove this",
            ),
            Self::CertificatesWithoutVerify => f.write_str(
                "verify_peer = false verifies by no certificates; remove one of the two",
            ),
            Self::NoSuchProfile { name, nearest } => {
                write!(f, "there is no [[profile]] with the name {name:?}")?;
                match nearest {
                    Some(nearest) => write!(f, "; did you mean {nearest:?}?"),
                    None => Ok(()),
                }
            }
        }
    }
}
