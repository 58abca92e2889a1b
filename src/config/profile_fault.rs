//! Why a text of a profile is not of its key's form. None of these repeats the text.

use std::fmt;
use std::path::PathBuf;

/// Why a profile's name, domain, key or field can't be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProfileFault {
    /// A name with an octet that could be read as something else in a command or a key.
    NotAName,
    /// A `*` that is not the whole first label.
    StarInDomain,
    /// A port behind a name that is a part of hosts' names.
    PortInBaseDomain,
    /// No name of a region.
    NotARegion,
    /// Spaces or control characters in a key.
    KeyOctet,
    /// A key that is not base64.
    NotBase64,
    /// No name of an account.
    NotAnAccount,
    /// No `Name: value`.
    NotAField,
    /// A field that the connection or the request decides on.
    FieldNotSettable,
    /// A file that can't be read.
    Unreadable {
        /// The path looked at.
        path: PathBuf,
        /// What was found there.
        reason: String,
    },
}

impl fmt::Display for ProfileFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::NotAName => "a profile's name has 1 to 64 letters, digits and -._",
            Self::StarInDomain => {
                "\"*\" stands for names below a domain, as in \"*.example.com\", and nowhere else"
            }
            Self::PortInBaseDomain => "a part of a host's name, which has no port",
            Self::NotARegion => "not a name of a region",
            Self::KeyOctet => "a key has visible ASCII characters only",
            Self::NotBase64 => "an account's key is base64",
            Self::NotAnAccount => "an account's name has 3 to 24 lower-case letters and digits",
            Self::NotAField => "not a field",
            Self::FieldNotSettable => {
                "the connection or the request decides on this field; a profile can't set it"
            }
            Self::Unreadable { path, reason } => {
                return write!(f, "{path:?} can't be read: {reason}");
            }
        };
        f.write_str(text)
    }
}
