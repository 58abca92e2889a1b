//! The XML: where things stand in it, and its variables.
//!
//! FreeSWITCH replaces `$${NAME}` before it reads the XML, by what `<X-PRE-PROCESS cmd="set" data="NAME=VALUE"/>` said before.
//! What is said in this file, and with `-D`, is replaced here; nothing is included or run.

use std::collections::BTreeMap;
use std::path::PathBuf;

use roxmltree::{Node, ParsingOptions};

use super::super::Options;
use super::super::fault::{ImportError, ImportFault};
use super::super::page::{Fate, Note};
use crate::config::source::{Position, Source};

/// Most elements, attributes and texts.
const NODES_MAX: u32 = 200_000;
/// Most elements within each other. FreeSWITCH's own files have fewer than ten.
const DEPTH_MAX: usize = 64;
/// Longest value after its variables were replaced.
const VALUE_BYTES_MAX: usize = 1 << 16;

/// An element that matters, with its variables replaced.
#[derive(Clone, Debug)]
pub(super) struct Element {
    /// Its name.
    pub(super) name: String,
    /// Its attributes.
    pub(super) attributes: Vec<(String, String)>,
    /// Its text, without space around it.
    pub(super) text: String,
    /// Where it starts.
    pub(super) at: Position,
    /// The names of variables in it that have no value.
    pub(super) unknown: Vec<String>,
    /// The elements in it.
    pub(super) children: Vec<Element>,
}

impl Element {
    /// An attribute's value; empty where there is none.
    pub(super) fn attribute(&self, name: &str) -> &str {
        let found = self.attributes.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value.as_str())
    }

    /// The elements of a name in it.
    pub(super) fn all<'e>(&'e self, name: &'e str) -> impl Iterator<Item = &'e Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The first element of a name in it.
    pub(super) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }
}

/// The config.
#[derive(Debug)]
pub(super) struct Document {
    /// The `<configuration>`.
    pub(super) root: Element,
    /// What preprocessing was not done.
    pub(super) undone: Vec<String>,
    file: PathBuf,
    name: String,
}

impl Document {
    /// Reads the XML.
    pub(super) fn read(options: &Options, bytes: &[u8]) -> Result<Self, ImportError> {
        let file = options.file.clone();
        let fault = |at, cause| ImportError {
            file: file.clone(),
            at,
            cause,
        };
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text),
            Err(error) => {
                let valid = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
                let at = Source::new(&file, &valid).position(valid.len());
                return Err(fault(Some(at), ImportFault::NotUtf8));
            }
        };
        let limits = ParsingOptions {
            nodes_limit: NODES_MAX,
            ..ParsingOptions::default()
        };
        let parsed = roxmltree::Document::parse_with_options(text, limits);
        let parsed = parsed.map_err(|error| {
            fault(
                position_of(&error),
                ImportFault::Xml {
                    message: message(&error),
                },
            )
        })?;
        let is_cache = |node: &Node<'_, '_>| {
            node.has_tag_name("configuration") && node.attribute("name") == Some("http_cache.conf")
        };
        let Some(found) = parsed.descendants().find(is_cache) else {
            return Err(fault(None, ImportFault::NoConfiguration));
        };
        let name = file
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let mut reader = Reader {
            source: Source::new(&file, text),
            variables: options.defines.iter().cloned().collect(),
            undone: Vec::new(),
            name: name.clone(),
            passes: None,
        };
        // What stands before it may define variables.
        let too_deep = |at| {
            fault(
                Some(at),
                ImportFault::TooMany {
                    what: "elements within each other",
                    max: DEPTH_MAX,
                },
            )
        };
        reader.passes = Some(found.range().start);
        for node in parsed
            .descendants()
            .filter(|node| node.is_element() && node.range().start < found.range().start)
        {
            reader.preprocess(node);
        }
        let root = reader.element(found, 0).map_err(too_deep)?;
        let undone = reader.undone;
        Ok(Self {
            root,
            undone,
            file,
            name,
        })
    }

    /// `FILE:LINE` of an element.
    pub(super) fn place(&self, element: &Element) -> String {
        format!("{}:{}", self.name, element.at.line)
    }

    /// What became of an element, of which `what` is shown.
    pub(super) fn note(
        &self,
        element: &Element,
        what: String,
        fate: Fate,
        why: impl Into<String>,
    ) -> Note {
        Note {
            fate,
            place: self.place(element),
            what,
            why: why.into(),
        }
    }

    /// The error that a parameter's value can't be one.
    pub(super) fn wrong(&self, element: &Element, accepts: &str) -> ImportError {
        ImportError {
            file: self.file.clone(),
            at: Some(element.at),
            cause: ImportFault::Value {
                name: element.attribute("name").to_owned(),
                accepts: accepts.to_owned(),
            },
        }
    }
}

struct Reader<'t> {
    source: Source<'t>,
    variables: BTreeMap<String, String>,
    undone: Vec<String>,
    name: String,
    passes: Option<usize>,
}

impl Reader<'_> {
    /// Heeds an `<X-PRE-PROCESS>`; tells whether it is one.
    fn preprocess(&mut self, node: Node<'_, '_>) -> bool {
        if !node.tag_name().name().eq_ignore_ascii_case("X-PRE-PROCESS") {
            return false;
        }
        let command = node.attribute("cmd").unwrap_or_default();
        let mut unknown = Vec::new();
        let said = self.expanded(node.attribute("data").unwrap_or_default(), &mut unknown);
        if command.eq_ignore_ascii_case("set")
            && let Some((name, value)) = said.split_once('=')
        {
            self.variables
                .insert(name.trim().to_owned(), value.trim().to_owned());
        } else {
            let line = self.source.line(node.range().start);
            self.undone.push(format!("{}:{line}: X-PRE-PROCESS {command} (nothing is included or run; pass what it defines with -D)", self.name));
        }
        true
    }

    fn element(&mut self, node: Node<'_, '_>, depth: usize) -> Result<Element, Position> {
        let at = self.source.position(node.range().start);
        if depth > DEPTH_MAX {
            return Err(at);
        }
        let mut unknown = Vec::new();
        let attributes = node.attributes().map(|attribute| {
            let value = self.expanded(attribute.value(), &mut unknown);
            (attribute.name().to_owned(), value)
        });
        let attributes = attributes.collect();
        let mut text = String::new();
        let mut children = Vec::new();
        for child in node.children() {
            if child.is_text() {
                text.push_str(child.text().unwrap_or_default());
            } else if child.is_element() && !self.preprocess(child) {
                children.push(self.element(child, depth + 1)?);
            }
        }
        let text = self.expanded(text.trim(), &mut unknown);
        let name = node.tag_name().name().to_owned();
        Ok(Element {
            name,
            attributes,
            text,
            at,
            unknown,
            children,
        })
    }

    /// A text with its variables replaced, as far as they have values.
    fn expanded(&self, text: &str, unknown: &mut Vec<String>) -> String {
        let mut found = String::new();
        let mut rest = text;
        while let Some(at) = rest.find("$${") {
            found.push_str(&rest[..at]);
            let after = &rest[at + 3..];
            let Some(end) = after.find('}') else {
                rest = &rest[at..];
                break;
            };
            let name = &after[..end];
            match self.variables.get(name) {
                Some(value) if found.len() + value.len() < VALUE_BYTES_MAX => found.push_str(value),
                _ => {
                    found.push_str(&rest[at..at + 3 + end + 1]);
                    unknown.push(name.to_owned());
                }
            }
            rest = &after[end + 1..];
        }
        found.push_str(rest);
        found
    }
}

fn position_of(error: &roxmltree::Error) -> Option<Position> {
    let at = error.pos();
    Some(Position {
        line: usize::try_from(at.row).unwrap_or(usize::MAX),
        column: usize::try_from(at.col).unwrap_or(usize::MAX),
    })
}

/// What is wrong with the XML, without the place, and without what may be a part of a key.
fn message(error: &roxmltree::Error) -> String {
    if matches!(
        error,
        roxmltree::Error::UnknownEntityReference(..)
            | roxmltree::Error::MalformedEntityReference(_)
    ) {
        return "an & that starts no entity; write &amp; or put the text in <![CDATA[...]]>"
            .to_owned();
    }
    let said = error.to_string();
    match said.rsplit_once(" at ") {
        Some((before, place)) if place.starts_with(|c: char| c.is_ascii_digit()) => {
            before.to_owned()
        }
        _ => said,
    }
}
