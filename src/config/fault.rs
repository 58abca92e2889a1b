//! Why a text is not of its key's form, in words that an operator can act on.

use std::fmt;
use std::path::PathBuf;

use super::profile_fault::ProfileFault;
use super::rule_fault::RuleFault;
use super::values::{
    FIELD_VALUE_BYTES_MAX, SOCKET_PATH_BYTES_MAX, TOKEN_BYTES_MAX, TOKEN_BYTES_MIN,
};

/// Why a text is not of its key's form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No IP address with a port.
    NotAnAddress,
    /// A path that is empty, or empty where one is needed.
    EmptyPath,
    /// A NUL in a path.
    NulInPath,
    /// A unix socket's path that the kernel has no room for.
    SocketPathTooLong,
    /// A log path that looks like a mistyped word.
    BareLogName,
    /// A log path that names a folder.
    LogIsAFolder,
    /// A log path whose folder isn't there.
    NoLogFolder(PathBuf),
    /// A root that is missing or no folder.
    NotAFolder {
        /// The path looked at.
        path: PathBuf,
        /// What was found there.
        reason: String,
    },
    /// A glob that globset refuses.
    BadGlob(String),
    /// A relative path below a folder whose name has glob characters in it.
    GlobInFolder(PathBuf),
    /// A host with a port.
    HostWithPort,
    /// A host with letters beyond ASCII.
    HostNotAscii,
    /// No host name and no IP literal.
    NotAHost,
    /// A field value with a control character or a character beyond ASCII.
    FieldValueOctet,
    /// A field value that starts or ends with a space.
    FieldValueEnds,
    /// A field value longer than any sensible one.
    FieldValueTooLong,
    /// A media type without its slash.
    NotAMediaType,
    /// An extension that no file gets.
    NotAnExtension,
    /// A group that this machine does not know.
    NoSuchGroup,
    /// A token that is too short to be a secret, or too long.
    TokenSize,
    /// A token with a character that an Authorization field can't carry.
    TokenOctet,
    /// A URL path that doesn't start with a slash.
    UrlNotRooted,
    /// A URL path with a query or a fragment.
    UrlWithQuery,
    /// A URL path with an octet that can't stand in one.
    UrlOctet,
    /// A URL path with a % that no two hexadecimal digits follow, or that stands for a NUL.
    UrlPercent,
    /// A URL path that leads above the root.
    UrlEscapes,
    /// A URL that starts with neither scheme of HTTP.
    UrlWithoutScheme,
    /// A URL or an authority with a user, and maybe a password.
    UrlWithUser,
    /// A port that is none.
    NotAPort,
    /// A path where only scheme, host and port belong.
    UrlWithPath,
    /// A text of a cache rule that is none of its key's.
    Rule(RuleFault),
    /// A text of a profile that is none of its key's.
    Profile(ProfileFault),
    /// A file of certificates that can't be used.
    NoCertificates {
        /// The path looked at.
        path: PathBuf,
        /// What was found there.
        reason: String,
    },
    /// A folder for the disk store that can't be one.
    NoStoreFolder {
        /// The path looked at.
        path: PathBuf,
        /// What was found there.
        reason: String,
    },
}

impl Fault {
    /// Whether the text that has it may hold a password.
    pub(super) const fn is_about_a_secret(&self) -> bool {
        matches!(self, Self::UrlWithUser)
    }
}

impl From<RuleFault> for Fault {
    fn from(fault: RuleFault) -> Self {
        Self::Rule(fault)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::NotAnAddress => "not an IP address with a port",
            Self::EmptyPath => "empty path",
            Self::NulInPath => "a path can't have a NUL",
            Self::SocketPathTooLong => {
                return write!(
                    f,
                    "the kernel takes socket paths of at most {SOCKET_PATH_BYTES_MAX} bytes"
                );
            }
            Self::BareLogName => "neither a known word nor a path; put \"./\" before a file name",
            Self::LogIsAFolder => "a folder; name a file in it",
            Self::NoLogFolder(folder) => {
                return write!(f, "the folder {folder:?} isn't there; make it first");
            }
            Self::NotAFolder { path, reason } => {
                return write!(f, "{path:?} is no folder to serve: {reason}");
            }
            Self::BadGlob(reason) => return write!(f, "not a glob: {reason}"),
            Self::GlobInFolder(folder) => {
                return write!(
                    f,
                    "it is below {folder:?}, whose name has glob characters; write the whole path and escape them: [*]"
                );
            }
            Self::HostWithPort => "leave the port out: a host is the same on every listener",
            Self::HostNotAscii => "write the name as DNS has it (xn--...)",
            Self::NotAHost => "not a host name",
            Self::FieldValueOctet => "a field value has visible ASCII characters and spaces only",
            Self::FieldValueEnds => "a field value can't start or end with a space",
            Self::FieldValueTooLong => {
                return write!(f, "longer than {FIELD_VALUE_BYTES_MAX} bytes");
            }
            Self::NotAMediaType => "not a media type",
            Self::NotAnExtension => "an extension has 1 to 8 letters and digits",
            Self::NoSuchGroup => {
                "no group of this name stands in /etc/group; a number can be given, too"
            }
            Self::TokenSize => {
                return write!(
                    f,
                    "a token needs {TOKEN_BYTES_MIN} to {TOKEN_BYTES_MAX} characters"
                );
            }
            Self::TokenOctet => {
                "a character that a bearer token can't have (RFC 6750 allows letters, digits, -._~+/ and = at the end)"
            }
            Self::UrlNotRooted => "a URL path starts with \"/\"",
            Self::UrlWithQuery => "a URL path has no \"?\" and no \"#\"; write them %3F and %23",
            Self::UrlOctet => {
                "a URL path has no space, backslash or control character; write them %20, %5C and so on"
            }
            Self::UrlPercent => "% needs two hexadecimal digits behind it, and not 00",
            Self::UrlEscapes => "\"..\" leads above the root",
            Self::UrlWithoutScheme => "it starts with neither http:// nor https://",
            Self::UrlWithUser => "a user or a password has no place in it",
            Self::NotAPort => "a port is a number from 1 to 65535",
            Self::UrlWithPath => "the path of a key is the request's; leave it out",
            Self::Rule(fault) => return fault.fmt(f),
            Self::Profile(fault) => return fault.fmt(f),
            Self::NoCertificates { path, reason } => {
                return write!(f, "{path:?} has no certificates: {reason}");
            }
            Self::NoStoreFolder { path, reason } => {
                return write!(f, "{path:?} can't be the store's folder: {reason}");
            }
        };
        f.write_str(text)
    }
}
