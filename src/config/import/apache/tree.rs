//! What was read of an Apache config: directives with the sections around them, in the order in which Apache reads them.

use std::path::PathBuf;

use super::super::fault::{ImportError, ImportFault};
use crate::config::source::Position;

/// The number of the main server among the hosts; the others are `<VirtualHost>` sections.
pub(super) const MAIN: usize = 0;

/// Where something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The number of the file.
    pub(super) file: usize,
    /// The line and column.
    pub(super) at: Position,
}

/// What a section that stays says where its directives hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// `<Location PATH>`.
    Location(String),
    /// `<Directory PATH>`, absolute, without a slash at the end.
    Directory(PathBuf),
    /// `<Files NAME>`.
    Files(String),
    /// `<Proxy URL>`.
    Proxy(String),
    /// `<Limit>` and `<LimitExcept>`.
    Limit,
    /// A pattern or an expression: `<LocationMatch>`, `<DirectoryMatch>`, `<FilesMatch>`, `<ProxyMatch>`, `<If>`, and plain
    /// sections with wildcards.
    Pattern(String),
    /// `<RequireAny>` and its kind: no scope of its own.
    Requirement,
    /// Any other.
    Other,
}

/// A section.
#[derive(Clone, Debug)]
pub(super) struct Section {
    /// What it says.
    pub(super) scope: Scope,
    /// The number of the section around it.
    pub(super) around: Option<usize>,
    /// How it was written.
    pub(super) written: String,
}

/// A directive.
#[derive(Clone, Debug)]
pub(super) struct Directive {
    /// Its name in lower case.
    pub(super) name: String,
    /// How it was written, with the values of its variables.
    pub(super) written: String,
    /// Its arguments.
    pub(super) words: Vec<String>,
    /// Where its arguments stand.
    pub(super) places: Vec<Position>,
    /// Where it stands.
    pub(super) place: Place,
    /// The number of the innermost section around it.
    pub(super) section: Option<usize>,
    /// The host that it belongs to.
    pub(super) host: usize,
    /// The names of variables in it that have no value.
    pub(super) unknown: Vec<String>,
}

impl Directive {
    /// The argument at `at`, or an empty text.
    pub(super) fn word(&self, at: usize) -> &str {
        self.words.get(at).map_or("", String::as_str)
    }
}

/// Lines whose content Apache leaves out, or reads as if they weren't there.
#[derive(Clone, Debug)]
pub(super) struct Aside {
    /// Where.
    pub(super) place: Place,
    /// How it was written.
    pub(super) written: String,
    /// What became of it.
    pub(super) why: String,
}

/// A server, main or virtual.
#[derive(Clone, Debug)]
pub(super) struct Host {
    /// The addresses of a `<VirtualHost>`.
    pub(super) addresses: Vec<String>,
    /// Where it starts.
    pub(super) place: Place,
    /// How it was written.
    pub(super) written: String,
}

/// A whole config.
#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    /// The directives.
    pub(super) directives: Vec<Directive>,
    /// The sections.
    pub(super) sections: Vec<Section>,
    /// The hosts; the first is the main server.
    pub(super) hosts: Vec<Host>,
    /// Conditions that hold, and files that were included.
    pub(super) followed: Vec<Aside>,
    /// Conditions that don't hold.
    pub(super) skipped: Vec<Aside>,
    /// The files: how messages name them, and where they are.
    pub(super) files: Vec<(String, PathBuf)>,
    /// What relative paths are below.
    pub(super) server_root: PathBuf,
}

impl Tree {
    /// `FILE:LINE`.
    pub(super) fn place(&self, place: Place) -> String {
        let name = self
            .files
            .get(place.file)
            .map_or("", |(name, _)| name.as_str());
        format!("{name}:{}", place.at.line)
    }

    /// The number of the section around a directive that says where it holds.
    pub(super) fn scope_number(&self, directive: &Directive) -> Option<usize> {
        let around = |number: &usize| self.sections[*number].around;
        let mut all = std::iter::successors(directive.section, around);
        all.find(|number| self.sections[*number].scope != Scope::Requirement)
    }

    /// That section.
    pub(super) fn scope(&self, directive: &Directive) -> Option<&Section> {
        self.scope_number(directive)
            .map(|number| &self.sections[number])
    }

    /// The sections around a directive, the innermost first.
    pub(super) fn scopes(&self, directive: &Directive) -> impl Iterator<Item = &Section> {
        let innermost = directive.section.map(|number| &self.sections[number]);
        let around = |section: &&Section| Some(&self.sections[section.around?]);
        std::iter::successors(innermost, around)
    }

    /// The error that a directive's argument is not what it takes; the directive itself where there is no such argument.
    pub(super) fn wrong(&self, directive: &Directive, word: usize, accepts: &str) -> ImportError {
        let name = directive.written.split_whitespace().next();
        let at = directive.places.get(word).copied();
        let at = at.unwrap_or(directive.place.at);
        self.error(
            Place {
                at,
                ..directive.place
            },
            ImportFault::Value {
                name: name.unwrap_or_default().to_owned(),
                accepts: accepts.to_owned(),
            },
        )
    }

    /// An error at a place.
    pub(super) fn error(&self, place: Place, cause: ImportFault) -> ImportError {
        let file = self.files.get(place.file);
        ImportError {
            file: file.map_or_else(PathBuf::new, |(_, path)| path.clone()),
            at: Some(place.at),
            cause,
        }
    }
}
