//! Reads an Apache config with all that it includes, as httpd does: in order, conditions and definitions on the way.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::super::fault::{ImportError, ImportFault};
use super::super::{FILE_BYTES_MAX, Options};
use super::conditions::{Holds, Known};
use super::include;
use super::syntax::{Line, Lines, Statement, SyntaxFault, expand, words};
use super::tree::{Aside, Directive, Host, MAIN, Place, Scope, Section, Tree};
use crate::config::source::Position;

/// Most files included by each other; httpd's own limit is lower.
const INCLUDE_DEPTH_MAX: usize = 20;
/// Most files in all.
const FILES_MAX: usize = include::FILES_MAX;
/// Most sections within each other.
const SECTION_DEPTH_MAX: usize = 64;
/// Most directives.
const DIRECTIVES_MAX: usize = 50_000;
/// Most virtual hosts: a config of Hotplate takes no more sites.
const HOSTS_MAX: usize = 4096;

/// Reads the config `bytes` of the file that `options` name.
pub(super) fn read(options: &Options, bytes: &[u8]) -> Result<Tree, ImportError> {
    let file = std::path::absolute(&options.file).unwrap_or_else(|_| options.file.clone());
    let folder = file.parent().unwrap_or(Path::new("/")).to_path_buf();
    let name = file
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let start = Place {
        file: 0,
        at: Position { line: 1, column: 1 },
    };
    let main = Host {
        addresses: Vec::new(),
        place: start,
        written: "the main server".to_owned(),
    };
    let mut reader = Reader {
        tree: Tree {
            hosts: vec![main],
            files: vec![(name, options.file.clone())],
            server_root: options
                .server_root
                .clone()
                .unwrap_or_else(|| folder.clone()),
            ..Tree::default()
        },
        known: Known::new(&options.defines, &options.modules),
        folder,
        keeps_root: options.server_root.is_some(),
        chain: vec![(0, file.canonicalize().unwrap_or(file))],
        bytes_left: FILE_BYTES_MAX.saturating_sub(bytes.len()),
        section: None,
        host: MAIN,
    };
    reader.text(0, bytes)?;
    Ok(reader.tree)
}

/// What is open in a file.
#[derive(Debug)]
enum Open {
    /// A section of the tree.
    Section(Option<usize>),
    /// A virtual host.
    Host(Option<usize>),
    /// A condition that holds.
    Condition,
}

struct Reader {
    tree: Tree,
    known: Known,
    /// The folder of the first file, which names in messages are below.
    folder: PathBuf,
    /// Whether `ServerRoot` is not heeded.
    keeps_root: bool,
    /// The files being read, by number and by their true path.
    chain: Vec<(usize, PathBuf)>,
    bytes_left: usize,
    section: Option<usize>,
    host: usize,
}

impl Reader {
    /// Reads one file's text.
    fn text(&mut self, file: usize, bytes: &[u8]) -> Result<(), ImportError> {
        let mut lines = Lines::new(bytes);
        let mut open: Vec<(String, usize, Open)> = Vec::new();
        while let Some(line) = lines.next() {
            let line = line.map_err(|(fault, (line, column))| {
                let at = Position { line, column };
                self.syntax(Place { file, at }, fault)
            })?;
            let statement = line
                .statement()
                .map_err(|(fault, offset)| self.syntax(place(file, &line, offset), fault))?;
            match statement {
                Statement::Directive { name, arguments } => {
                    let directive = self.directive(file, &line, name, arguments)?;
                    self.heed(directive)?;
                }
                Statement::Open { name, arguments } => {
                    let number = line.position(name.start).0;
                    let directive = self.directive(file, &line, name, arguments)?;
                    let at = directive.place;
                    if open.len() >= SECTION_DEPTH_MAX {
                        return Err(self.too_many(
                            at,
                            "sections within each other",
                            SECTION_DEPTH_MAX,
                        ));
                    }
                    let name = first_word(&directive.written);
                    if let Some(opened) = self.open(directive, &mut lines)? {
                        open.push((name, number, opened));
                    }
                }
                Statement::Close { name } => {
                    let at = place(file, &line, name.start);
                    self.close(&line.text[name], at, &mut open)?;
                }
            }
        }
        match open.pop() {
            None => Ok(()),
            Some((name, line, _)) => {
                let at = Position { line, column: 1 };
                Err(self
                    .tree
                    .error(Place { file, at }, ImportFault::NotClosed { name }))
            }
        }
    }

    /// A directive, or a section's start, with its variables replaced.
    fn directive(
        &self,
        file: usize,
        line: &Line,
        name: std::ops::Range<usize>,
        arguments: std::ops::Range<usize>,
    ) -> Result<Directive, ImportError> {
        let at = place(file, line, name.start);
        let written = &line.text[arguments.clone()];
        let expanded = expand(written, |name| self.known.value(name));
        let expanded = expanded.map_err(|fault| self.syntax(at, fault))?;
        let is_same = expanded.text == written;
        let words = words(&expanded.text);
        let place_of = |at: usize| {
            // Behind a variable that was replaced, places are not those of the file.
            let offset = if is_same { at } else { 0 };
            place(file, line, arguments.start + offset).at
        };
        let name = &line.text[name];
        Ok(Directive {
            name: name.to_ascii_lowercase(),
            written: format!("{name} {}", expanded.text),
            places: words
                .iter()
                .map(|(_, range)| place_of(range.start))
                .collect(),
            words: words.into_iter().map(|(word, _)| word).collect(),
            place: at,
            section: self.section,
            host: self.host,
            unknown: expanded.unknown,
        })
    }

    /// Does what a directive says about the reading itself; all are kept.
    fn heed(&mut self, directive: Directive) -> Result<(), ImportError> {
        match directive.name.as_str() {
            "include" | "includeoptional" => return self.include(&directive),
            "serverroot" if !self.keeps_root && directive.unknown.is_empty() => {
                self.tree.server_root = self.tree.server_root.join(directive.word(0));
            }
            "loadmodule" => self.known.load(directive.word(0), directive.word(1)),
            "define" => self.known.define(directive.word(0), directive.word(1)),
            "undefine" => self.known.undefine(directive.word(0)),
            _ => {}
        }
        if self.tree.directives.len() >= DIRECTIVES_MAX {
            return Err(self.too_many(directive.place, "directives", DIRECTIVES_MAX));
        }
        self.tree.directives.push(directive);
        Ok(())
    }

    /// Opens a section; none where it was a condition that doesn't hold, whose lines are read over.
    fn open(
        &mut self,
        directive: Directive,
        lines: &mut Lines<'_>,
    ) -> Result<Option<Open>, ImportError> {
        let written = format!("<{}>", directive.written.trim_end());
        let place = directive.place;
        let held = match directive.name.as_str() {
            "macro" => Some(Holds::No(
                "macros are not expanded, so what Use makes of them is missing".to_owned(),
            )),
            "perl" => Some(Holds::No("programs are not run".to_owned())),
            name => self
                .known
                .holds(name, &directive.words, &self.tree.server_root),
        };
        match held {
            Some(Holds::Yes(why)) => {
                let why = why.to_owned();
                self.tree.followed.push(Aside {
                    place,
                    written,
                    why,
                });
                Ok(Some(Open::Condition))
            }
            Some(Holds::No(why)) => {
                let last = self.skip(&directive, lines)?;
                let why = format!("to line {last}: {why}");
                self.tree.skipped.push(Aside {
                    place,
                    written,
                    why,
                });
                Ok(None)
            }
            None if directive.name == "virtualhost" => {
                if self.tree.hosts.len() > HOSTS_MAX {
                    return Err(self.too_many(place, "VirtualHost sections", HOSTS_MAX));
                }
                self.tree.hosts.push(Host {
                    addresses: directive.words,
                    place,
                    written,
                });
                self.host = self.tree.hosts.len() - 1;
                Ok(Some(Open::Host(self.section.take())))
            }
            None => {
                let around = self.section;
                self.tree.sections.push(Section {
                    scope: scope(&directive, &self.tree.server_root),
                    around,
                    written,
                });
                self.section = Some(self.tree.sections.len() - 1);
                Ok(Some(Open::Section(around)))
            }
        }
    }

    /// Reads over the lines of a section, of which only the ends of sections of this name count; returns the last one's number.
    fn skip(&self, directive: &Directive, lines: &mut Lines<'_>) -> Result<usize, ImportError> {
        let mut depth = 1_usize;
        for line in lines.by_ref() {
            let Ok(line) = line else { continue };
            let is_named = |name: std::ops::Range<usize>| {
                line.text[name].eq_ignore_ascii_case(&directive.name)
            };
            match line.statement() {
                Ok(Statement::Open { name, .. }) if is_named(name.clone()) => depth += 1,
                Ok(Statement::Close { name }) if is_named(name.clone()) => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return Ok(lines.number());
            }
        }
        let name = first_word(&directive.written);
        Err(self
            .tree
            .error(directive.place, ImportFault::NotClosed { name }))
    }

    fn close(
        &mut self,
        name: &str,
        at: Place,
        open: &mut Vec<(String, usize, Open)>,
    ) -> Result<(), ImportError> {
        match open.pop() {
            Some((opened, _, what)) if opened.eq_ignore_ascii_case(name) => {
                match what {
                    Open::Section(around) => self.section = around,
                    Open::Host(around) => {
                        self.section = around;
                        self.host = MAIN;
                    }
                    Open::Condition => {}
                }
                Ok(())
            }
            found => {
                let cause = ImportFault::NotOpen {
                    name: name.to_owned(),
                    open: found.map(|(name, line, _)| (name, line)),
                };
                Err(self.tree.error(at, cause))
            }
        }
    }

    /// Reads what an Include means in its place.
    fn include(&mut self, directive: &Directive) -> Result<(), ImportError> {
        if directive.words.len() != 1 || directive.word(0).is_empty() {
            return Err(self
                .tree
                .wrong(directive, 0, "followed by one path or pattern"));
        }
        let path = self.tree.server_root.join(directive.word(0));
        let Some(files) = include::files(&path) else {
            return Err(self.too_many(directive.place, "files", FILES_MAX));
        };
        let is_optional = directive.name == "includeoptional";
        if files.is_empty() && !is_optional {
            let pattern = path.display().to_string();
            let place = directive.place;
            return Err(self
                .tree
                .error(place, ImportFault::NothingToInclude { pattern }));
        }
        self.tree.followed.push(Aside {
            place: directive.place,
            written: directive.written.clone(),
            why: match files.len() {
                0 => "nothing is there".to_owned(),
                1 => "1 file".to_owned(),
                count => format!("{count} files"),
            },
        });
        for path in files {
            self.included(directive.place, &path)?;
        }
        Ok(())
    }

    fn included(&mut self, at: Place, path: &Path) -> Result<(), ImportError> {
        let canonical = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        if self.chain.iter().any(|(_, open)| *open == canonical) {
            let files = self
                .chain
                .iter()
                .filter_map(|(file, _)| self.tree.files.get(*file));
            let mut chain: Vec<String> = files.map(|(name, _)| name.clone()).collect();
            chain.push(self.name_of(path));
            return Err(self.tree.error(at, ImportFault::IncludesItself { chain }));
        }
        if self.chain.len() >= INCLUDE_DEPTH_MAX {
            return Err(self.too_many(at, "files included by each other", INCLUDE_DEPTH_MAX));
        }
        if self.tree.files.len() >= FILES_MAX {
            return Err(self.too_many(at, "files", FILES_MAX));
        }
        let bytes = read_file(path, self.bytes_left).map_err(|cause| ImportError {
            file: path.to_path_buf(),
            at: None,
            cause,
        })?;
        self.bytes_left = self.bytes_left.saturating_sub(bytes.len());
        let file = self.tree.files.len();
        self.tree
            .files
            .push((self.name_of(path), path.to_path_buf()));
        self.chain.push((file, canonical));
        self.text(file, &bytes)?;
        self.chain.pop();
        Ok(())
    }

    /// How messages name a file: below the first file's folder where it is.
    fn name_of(&self, path: &Path) -> String {
        let below = path.strip_prefix(&self.folder).unwrap_or(path);
        below.display().to_string()
    }

    fn too_many(&self, at: Place, what: &'static str, max: usize) -> ImportError {
        self.tree.error(at, ImportFault::TooMany { what, max })
    }

    fn syntax(&self, at: Place, fault: SyntaxFault) -> ImportError {
        let cause = match fault {
            SyntaxFault::TooLong => ImportFault::TooMany {
                what: "bytes in a line",
                max: super::syntax::LINE_BYTES_MAX,
            },
            SyntaxFault::NotUtf8 => ImportFault::NotUtf8,
            SyntaxFault::NotADirective => ImportFault::NotADirective,
            SyntaxFault::NoClosingBracket => ImportFault::NoClosingBracket,
        };
        self.tree.error(at, cause)
    }
}

/// Reads a regular file of at most `bytes_max`.
pub(in super::super) fn read_file(path: &Path, bytes_max: usize) -> Result<Vec<u8>, ImportFault> {
    let unreadable = |error: std::io::Error| ImportFault::Unreadable {
        reason: error.to_string(),
    };
    // Opening a pipe would wait for its writer.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(ImportFault::NotAFile);
    }
    let mut bytes = Vec::new();
    let limit = u64::try_from(bytes_max)
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    let opened = std::fs::File::open(path).map_err(unreadable)?;
    opened
        .take(limit)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() > bytes_max {
        return Err(ImportFault::TooMany {
            what: "bytes in all files",
            max: FILE_BYTES_MAX,
        });
    }
    Ok(bytes)
}

/// The name of a directive or a section as it was written.
fn first_word(written: &str) -> String {
    written
        .split_whitespace()
        .next()
        .unwrap_or_default()
        .to_owned()
}

fn place(file: usize, line: &Line, offset: usize) -> Place {
    let (line, column) = line.position(offset);
    Place {
        file,
        at: Position { line, column },
    }
}

/// What a section says where its directives hold.
fn scope(directive: &Directive, server_root: &Path) -> Scope {
    let word = directive.word(0);
    let is_plain =
        directive.words.len() == 1 && !include::has_wildcard(word) && directive.unknown.is_empty();
    let pattern = || Scope::Pattern(directive.written.clone());
    match directive.name.as_str() {
        "location" if is_plain && word.starts_with('/') => Scope::Location(word.to_owned()),
        "directory" if is_plain => {
            let path = server_root.join(word);
            Scope::Directory(path.components().collect())
        }
        "files" if is_plain => Scope::Files(word.to_owned()),
        "proxy" => Scope::Proxy(word.to_owned()),
        "limit" | "limitexcept" => Scope::Limit,
        "location" | "directory" | "files" | "locationmatch" | "directorymatch" | "filesmatch"
        | "proxymatch" | "if" | "elseif" | "else" => pattern(),
        "requireany" | "requireall" | "requirenone" => Scope::Requirement,
        _ => Scope::Other,
    }
}
