//! The syntax of Apache's configuration files: logical lines, directives and sections, words, variables.
//!
//! Follows server/config.c and server/util.c of httpd 2.4: a `\` at a line's end joins it with the next, comments too;
//! a directive is the first word; a section's arguments end with the last `>`; `"` and `'` quote, `\` escapes the quote and
//! itself. Pure: bytes in, places as offsets out. It knows nothing of the rest of the program, so it can be fuzzed alone.

use std::ops::Range;

/// Longest logical line in bytes, also after its variables were replaced.
pub(crate) const LINE_BYTES_MAX: usize = 1 << 16;

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SyntaxFault {
    /// It is longer than [`LINE_BYTES_MAX`].
    TooLong,
    /// It isn't UTF-8.
    NotUtf8,
    /// It starts with neither a letter nor `<`.
    NotADirective,
    /// A section without `>`.
    NoClosingBracket,
}

/// A logical line: physical ones, joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Its text.
    pub(crate) text: String,
    /// Where in the text each physical line starts, with its 1-based number.
    starts: Vec<(usize, usize)>,
}

impl Line {
    /// The 1-based line and column, in characters, of the byte at `offset` of the text.
    #[must_use]
    pub(crate) fn position(&self, offset: usize) -> (usize, usize) {
        let offset = offset.min(self.text.len());
        let before = self.starts.iter().rev().find(|(start, _)| *start <= offset);
        let (start, number) = before.copied().unwrap_or((0, 1));
        // A character's octets may stand on two lines: it counts where it starts.
        let octets = &self.text.as_bytes()[start..offset];
        let column = octets.iter().filter(|octet| **octet & 0xc0 != 0x80).count();
        (number, column + 1)
    }

    /// What the line says.
    ///
    /// # Errors
    /// It is neither directive nor section; the offset is where that shows.
    pub(crate) fn statement(&self) -> Result<Statement, (SyntaxFault, usize)> {
        let text = self.text.as_str();
        let start = text.len() - text.trim_start_matches(is_space).len();
        let end = text.trim_end_matches(is_space).len().max(start);
        let body = &text[..end];
        let word_end = |from: usize| {
            body[from..]
                .find(is_space)
                .map_or(body.len(), |at| from + at)
        };
        let after = |from: usize| body.len() - body[from..].trim_start_matches(is_space).len();
        let Some(inside) = body[start..].strip_prefix('<') else {
            if !body[start..].starts_with(|c: char| c.is_ascii_alphabetic()) {
                return Err((SyntaxFault::NotADirective, start));
            }
            let end = word_end(start);
            return Ok(Statement::Directive {
                name: start..end,
                arguments: after(end)..body.len(),
            });
        };
        let Some(closing) = inside.rfind('>').map(|at| start + 1 + at) else {
            return Err((SyntaxFault::NoClosingBracket, start));
        };
        let is_end = inside.starts_with('/');
        let name_start = start + 1 + usize::from(is_end);
        if !body[name_start..].starts_with(|c: char| c.is_ascii_alphabetic()) {
            return Err((SyntaxFault::NotADirective, start));
        }
        let name_end = word_end(name_start).min(closing);
        let name = name_start..name_end;
        if is_end {
            return Ok(Statement::Close { name });
        }
        let arguments = after(name_end).min(closing)..closing;
        Ok(Statement::Open { name, arguments })
    }
}

/// What a line says, as ranges of its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Statement {
    /// A directive.
    Directive {
        /// Its name.
        name: Range<usize>,
        /// All behind it.
        arguments: Range<usize>,
    },
    /// A section's start.
    Open {
        /// Its name.
        name: Range<usize>,
        /// All behind it up to the bracket.
        arguments: Range<usize>,
    },
    /// A section's end.
    Close {
        /// Its name.
        name: Range<usize>,
    },
}

/// The logical lines of a file that are neither empty nor comments.
#[derive(Clone, Debug)]
pub(crate) struct Lines<'t> {
    rest: &'t [u8],
    number: usize,
}

impl<'t> Lines<'t> {
    /// The lines of a file.
    #[must_use]
    pub(crate) fn new(bytes: &'t [u8]) -> Self {
        Self {
            rest: bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes),
            number: 0,
        }
    }

    /// The number of the last physical line that was read.
    #[must_use]
    pub(crate) const fn number(&self) -> usize {
        self.number
    }

    /// The next physical line without its end.
    fn physical(&mut self) -> Option<&'t [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        self.number += 1;
        let end = self.rest.iter().position(|byte| *byte == b'\n');
        let (line, rest) = match end {
            Some(end) => (&self.rest[..end], &self.rest[end + 1..]),
            None => (self.rest, &[][..]),
        };
        self.rest = rest;
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }
}

impl Iterator for Lines<'_> {
    /// A line, or what is wrong with it and its 1-based line and column.
    type Item = Result<Line, (SyntaxFault, (usize, usize))>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let mut piece = self.physical()?;
            let first = self.number;
            let mut joined = Vec::new();
            let mut starts = vec![(0, first)];
            while let Some(kept) = piece.strip_suffix(b"\\") {
                joined.extend_from_slice(kept);
                starts.push((joined.len(), self.number + 1));
                piece = self.physical().unwrap_or_default();
                if joined.len() > LINE_BYTES_MAX {
                    break;
                }
            }
            joined.extend_from_slice(piece);
            if joined.len() > LINE_BYTES_MAX {
                return Some(Err((SyntaxFault::TooLong, (first, 1))));
            }
            let bare = joined.iter().find(|byte| !is_space(char::from(**byte)));
            if bare.is_none_or(|byte| *byte == b'#') {
                continue;
            }
            return Some(match String::from_utf8(joined) {
                Ok(text) => Ok(Line { text, starts }),
                Err(error) => {
                    let valid = error.utf8_error().valid_up_to();
                    let text = String::from_utf8_lossy(&error.as_bytes()[..valid]).into_owned();
                    let line = Line { text, starts };
                    Err((SyntaxFault::NotUtf8, line.position(valid)))
                }
            });
        }
    }
}

/// The words of a directive's arguments with their places in them.
#[must_use]
pub(crate) fn words(arguments: &str) -> Vec<(String, Range<usize>)> {
    let mut words = Vec::new();
    let mut at = 0;
    loop {
        let rest = &arguments[at..];
        let start = at + (rest.len() - rest.trim_start_matches(is_space).len());
        let Some(first) = arguments[start..].chars().next() else {
            return words;
        };
        let quote = (first == '"' || first == '\'').then_some(first);
        let mut word = String::new();
        let mut letters = arguments[start..].char_indices().skip(quote.iter().count());
        let mut end = arguments.len();
        while let Some((offset, letter)) = letters.next() {
            match (letter, quote) {
                ('\\', _) => match arguments[start + offset + 1..].chars().next() {
                    Some(next) if next == '\\' || Some(next) == quote => {
                        letters.next();
                        word.push(next);
                    }
                    _ => word.push('\\'),
                },
                (letter, Some(quote)) if letter == quote => {
                    end = start + offset + 1;
                    break;
                }
                (letter, None) if is_space(letter) => {
                    end = start + offset;
                    break;
                }
                (letter, _) => word.push(letter),
            }
        }
        words.push((word, start..end));
        at = end;
    }
}

/// A text whose variables were replaced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Expanded {
    /// The text.
    pub(crate) text: String,
    /// The names of variables that have no value; they stand in the text as they were.
    pub(crate) unknown: Vec<String>,
}

/// Replaces each `${NAME}` by its value; values are not looked into again.
///
/// # Errors
/// The text would be longer than [`LINE_BYTES_MAX`].
pub(crate) fn expand<'v>(
    text: &str,
    value: impl Fn(&str) -> Option<&'v str>,
) -> Result<Expanded, SyntaxFault> {
    let mut expanded = Expanded::default();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, after) = rest.split_at(at);
        expanded.text.push_str(before);
        let Some(end) = after.find('}') else {
            rest = after;
            break;
        };
        let name = &after[2..end];
        match value(name) {
            Some(value) => expanded.text.push_str(value),
            None => {
                expanded.text.push_str(&after[..=end]);
                if !name.is_empty() {
                    expanded.unknown.push(name.to_owned());
                }
            }
        }
        rest = &after[end + 1..];
        if expanded.text.len() > LINE_BYTES_MAX {
            return Err(SyntaxFault::TooLong);
        }
    }
    expanded.text.push_str(rest);
    if expanded.text.len() > LINE_BYTES_MAX {
        return Err(SyntaxFault::TooLong);
    }
    Ok(expanded)
}

const fn is_space(c: char) -> bool {
    c.is_ascii_whitespace() || c == '\x0b'
}
