//! The config file's text: where a byte stands in it, and the excerpt that a message shows.

use std::ops::Range;
use std::path::Path;

/// A line and a column, both 1-based; the column counts characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The character in it.
    pub column: usize,
}

/// One line of the file and the part of it that is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt {
    /// The line's text without its end.
    pub text: String,
    /// How many characters are marked, at least one.
    pub width: usize,
}

/// Longest excerpt in characters; a longer line is shown without one.
const EXCERPT_CHARS_MAX: usize = 160;

/// A config file's text with its name.
#[derive(Clone, Debug)]
pub struct Source<'t> {
    /// The name as the operator wrote it.
    pub file: &'t Path,
    /// The whole text.
    pub text: &'t str,
    /// Where each line starts.
    line_starts: Vec<usize>,
}

impl<'t> Source<'t> {
    /// The text of a file.
    #[must_use]
    pub fn new(file: &'t Path, text: &'t str) -> Self {
        let after_ends = text.match_indices('\n').map(|(end, _)| end + 1);
        Self {
            file,
            text,
            line_starts: std::iter::once(0).chain(after_ends).collect(),
        }
    }

    /// The 1-based line of the byte at `offset`.
    #[must_use]
    pub fn line(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= offset)
    }

    /// The lines after the 1-based `line`.
    pub fn lines_after(&self, line: usize) -> impl Iterator<Item = &'t str> {
        let start = self.line_starts.get(line).copied();
        self.text[start.unwrap_or(self.text.len())..].lines()
    }

    /// Where the byte at `offset` stands; an offset past the end is the place after the last character.
    #[must_use]
    pub fn position(&self, offset: usize) -> Position {
        Position {
            line: self.line(offset),
            column: self.up_to(offset).chars().count() + 1,
        }
    }

    /// The line that `span` starts on, with the part of it that the span covers.
    #[must_use]
    pub fn excerpt(&self, span: &Range<usize>) -> Option<Excerpt> {
        let start = self.line_start(span.start);
        let line = self.text[start..].lines().next().unwrap_or_default();
        if line.chars().count() > EXCERPT_CHARS_MAX {
            return None;
        }
        let marked_start = start + self.up_to(span.start).len();
        let marked_end = span.end.min(start + line.len());
        let marked = self.text.get(marked_start..marked_end).unwrap_or_default();
        // A tab would move the mark, and other control characters who knows what.
        let text = line.replace(char::is_control, " ");
        Some(Excerpt {
            text,
            width: marked.chars().count().max(1),
        })
    }

    /// Where the line of `offset` starts.
    fn line_start(&self, offset: usize) -> usize {
        let starts = self.line_starts.get(self.line(offset) - 1);
        starts.copied().unwrap_or_default()
    }

    /// The line of `offset` up to there, or up to the character that `offset` points into.
    fn up_to(&self, offset: usize) -> &str {
        let mut end = offset.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        &self.text[self.line_start(end)..end]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source<'_> {
        Source::new(Path::new("a.toml"), text)
    }

    #[test]
    fn position_counts_lines_and_characters_from_one() {
        let text = "ab\nçd = 1\n\nx";
        let cases = [
            (0, (1, 1)),
            (2, (1, 3)),
            (3, (2, 1)),
            (4, (2, 1)), // inside the two bytes of ç
            (5, (2, 2)),
            (11, (3, 1)),
            (12, (4, 1)),
            (99, (4, 2)),
        ];
        for (offset, (line, column)) in cases {
            assert_eq!(
                source(text).position(offset),
                Position { line, column },
                "{offset}"
            );
        }
    }

    #[test]
    fn excerpt_marks_the_span_and_stops_at_the_line_end() {
        let text = "first\nhed = \"x\"\r\nlast";
        let cases = [
            (6..9, "hed = \"x\"", 3),
            (12..20, "hed = \"x\"", 3),
            (21..21, "last", 1),
        ];
        for (span, line, width) in cases {
            let found = source(text).excerpt(&span).unwrap();
            assert_eq!((found.text.as_str(), found.width), (line, width));
        }
    }

    #[test]
    fn excerpt_of_an_overlong_line_is_left_out() {
        let text = "x".repeat(EXCERPT_CHARS_MAX + 1);
        assert_eq!(source(&text).excerpt(&(0..1)), None);
    }

    #[test]
    fn empty_text_has_a_position_and_an_empty_excerpt() {
        assert_eq!(source("").position(0), Position { line: 1, column: 1 });
        assert_eq!(source("").excerpt(&(0..0)).unwrap().text, "");
    }
}
