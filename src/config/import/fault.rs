//! Why there is nothing to print: the other program's config can't be read, or that program itself would refuse it.

use std::fmt;
use std::path::PathBuf;

use crate::config::source::Position;

/// Why an import ended without a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportError {
    /// The file.
    pub file: PathBuf,
    /// Where in it; none where it is about the whole file.
    pub at: Option<Position>,
    /// What is wrong.
    pub cause: ImportFault,
}

/// What is wrong with the other program's config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportFault {
    /// The file can't be read.
    Unreadable {
        /// The system's words.
        reason: String,
    },
    /// Something else than a file is there.
    NotAFile,
    /// There is more of something than a config may have.
    TooMany {
        /// What.
        what: &'static str,
        /// How many at most.
        max: usize,
    },
    /// The text isn't UTF-8.
    NotUtf8,
    /// Neither program's config.
    UnknownKind,
    /// The text isn't XML.
    Xml {
        /// The parser's words.
        message: String,
    },
    /// XML, but not the config of the cache.
    NoConfiguration,
    /// Something that starts neither a directive nor a section.
    NotADirective,
    /// `<` without `>`.
    NoClosingBracket,
    /// A section's end without its start.
    NotOpen {
        /// The section's name.
        name: String,
        /// The section that is open there, and its line.
        open: Option<(String, usize)>,
    },
    /// A section's start without its end.
    NotClosed {
        /// The section's name.
        name: String,
    },
    /// A directive or parameter whose value can't be one.
    Value {
        /// Its name.
        name: String,
        /// What it takes.
        accepts: String,
    },
    /// An Include of what isn't there.
    NothingToInclude {
        /// The path or pattern, absolute.
        pattern: String,
    },
    /// An Include of a file that is being read.
    IncludesItself {
        /// The files from the first to the one that is included again.
        chain: Vec<String>,
    },
    /// Two limits that can't both hold; the program would not start either.
    Contradiction {
        /// What must be.
        must: &'static str,
    },
}

impl std::error::Error for ImportError {}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if let Some(at) = self.at {
            write!(f, "{}:{}:", at.line, at.column)?;
        }
        write!(f, " {}", self.cause)
    }
}

impl fmt::Display for ImportFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { reason } => write!(f, "can't be read: {reason}"),
            Self::NotAFile => f.write_str("not a file"),
            Self::TooMany { what, max } => write!(f, "more than {max} {what}: is this a config?"),
            Self::NotUtf8 => f.write_str("not UTF-8 here: save the file in UTF-8"),
            Self::UnknownKind => f.write_str(
                "neither a config of Apache httpd nor FreeSWITCH's http_cache.conf.xml; if it is one, say which with --from",
            ),
            Self::Xml { message } => write!(f, "not XML: {message}"),
            Self::NoConfiguration => {
                f.write_str("there is no <configuration name=\"http_cache.conf\"> in it")
            }
            Self::NotADirective => f.write_str("a directive starts with a letter, a section with \"<\""),
            Self::NoClosingBracket => f.write_str("a section's line ends with \">\""),
            Self::NotOpen { name, open: None } => write!(f, "</{name}> without <{name}> in this file"),
            Self::NotOpen {
                name,
                open: Some((open, line)),
            } => write!(f, "</{name}> where <{open}> of line {line} is open"),
            Self::NotClosed { name } => write!(f, "<{name}> is not closed in this file"),
            Self::Value { name, accepts } => write!(f, "{name} must be {accepts}"),
            Self::NothingToInclude { pattern } => write!(
                f,
                "nothing to include: {pattern}; if the files are elsewhere, say so with --server-root"
            ),
            Self::IncludesItself { chain } => write!(f, "includes itself: {}", chain.join(" -> ")),
            Self::Contradiction { must } => f.write_str(must),
        }
    }
}
