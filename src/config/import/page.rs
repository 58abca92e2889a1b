//! The page that an import prints: tables and keys with what is told about each, as TOML with comments.
//!
//! What can't be used is not left out of sight: it stands there as a comment, ready to be made use of by deleting the `#`.

use std::fmt::Write as _;

/// Longest text of the other program's config that a comment repeats, in characters.
const SHOWN_CHARS_MAX: usize = 200;
/// Width of comments in characters, with the `#`.
const COMMENT_CHARS: usize = 118;

/// What became of a piece of the other program's config.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fate {
    /// It means the same here.
    Translated,
    /// It means something else here, or there is a choice to make.
    Changed,
    /// Nothing stands for it.
    Dropped,
}

impl Fate {
    const fn word(self) -> &'static str {
        match self {
            Self::Translated => "translated",
            Self::Changed => "changed",
            Self::Dropped => "dropped",
        }
    }
}

/// What is told about one piece of the other program's config.
#[derive(Clone, Debug)]
pub(super) struct Note {
    /// What became of it.
    pub(super) fate: Fate,
    /// Where it stands, `FILE:LINE`; empty for what the program does without being told.
    pub(super) place: String,
    /// It, as it was written; without secrets.
    pub(super) what: String,
    /// Why, or how it differs; may be empty.
    pub(super) why: String,
}

/// A key with its value.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// Its name.
    pub(super) name: &'static str,
    /// Its value as TOML.
    pub(super) value: String,
    /// What is told about it.
    pub(super) notes: Vec<Note>,
    /// Whether its table says something else without it, so that the table goes where the key has to.
    pub(super) is_needed: bool,
    /// Whether its value is a secret, which no comment may show.
    pub(super) is_secret: bool,
    /// Why it is a comment.
    pub(super) out: Option<String>,
}

impl Entry {
    /// A key that its table can do without.
    pub(super) fn new(name: &'static str, value: String, notes: Vec<Note>) -> Self {
        Self {
            name,
            value,
            notes,
            is_needed: false,
            is_secret: false,
            out: None,
        }
    }

    /// A key whose value is a secret.
    pub(super) fn secret(name: &'static str, value: String, notes: Vec<Note>) -> Self {
        Self {
            is_secret: true,
            ..Self::new(name, value, notes)
        }
    }

    /// A key that is a comment because of `reason`.
    pub(super) fn advice(name: &'static str, value: String, reason: &str) -> Self {
        Self {
            out: Some(reason.to_owned()),
            ..Self::new(name, value, Vec::new())
        }
    }

    /// A key that its table needs to mean what it means.
    pub(super) fn needed(name: &'static str, value: String, notes: Vec<Note>) -> Self {
        Self {
            is_needed: true,
            ..Self::new(name, value, notes)
        }
    }
}

/// A table.
#[derive(Clone, Debug, Default)]
pub(super) struct Block {
    /// How it begins, `[name]` or `[[name]]`.
    pub(super) header: &'static str,
    /// What is told about it as a whole.
    pub(super) notes: Vec<Note>,
    /// Its keys.
    pub(super) entries: Vec<Entry>,
    /// The tables inside it.
    pub(super) inner: Vec<Block>,
    /// Why it is a comment; empty: it is none.
    pub(super) out: Vec<String>,
}

impl Block {
    /// An empty table.
    pub(super) fn new(header: &'static str) -> Self {
        Self {
            header,
            ..Self::default()
        }
    }

    /// Whether nothing is said in it or about it.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.notes.is_empty()
    }
}

/// Pieces of the other program's config that have their fate in common.
#[derive(Clone, Debug)]
pub(super) struct Group {
    /// What it is.
    pub(super) why: String,
    /// The pieces.
    pub(super) lines: Vec<String>,
}

/// The whole page.
#[derive(Clone, Debug, Default)]
pub(super) struct Page {
    /// What stands above all.
    pub(super) intro: Vec<String>,
    /// The tables.
    pub(super) blocks: Vec<Block>,
    /// What nothing stands for.
    pub(super) groups: Vec<Group>,
}

/// The key or the table that a line of the page belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// The number of the table.
    pub(super) block: usize,
    /// The number of the table inside it.
    pub(super) inner: Option<usize>,
    /// The number of the key; none on the table's header.
    pub(super) entry: Option<usize>,
}

/// A page's text, and what is in force on each of its lines.
#[derive(Debug, Default)]
pub(super) struct Printed {
    /// The text.
    pub(super) text: String,
    /// For each line, what can be taken out there.
    pub(super) targets: Vec<Option<Target>>,
}

impl Printed {
    fn line(&mut self, text: &str, target: Option<Target>) {
        self.text.push_str(text.trim_end());
        self.text.push('\n');
        self.targets.push(target);
    }

    /// A comment that starts with `start` on its first line and with `rest` on the others.
    fn comment(&mut self, prefix: &str, start: &str, rest: &str, text: &str) {
        let width = COMMENT_CHARS.saturating_sub(prefix.len() + start.len().max(rest.len()));
        for (at, line) in wrapped(text, width).iter().enumerate() {
            let indent = if at == 0 { start } else { rest };
            self.line(&format!("{prefix}{indent}{line}"), None);
        }
    }

    fn notes(&mut self, prefix: &str, notes: &[Note]) {
        for note in notes {
            let mut said = format!("{}: ", note.fate.word());
            if !note.place.is_empty() {
                said.push_str(&format!("{}: ", printable(&note.place)));
            }
            said.push_str(&printable(&note.what));
            self.line(&format!("{prefix}# {said}"), None);
            if !note.why.is_empty() {
                self.comment(prefix, "#   ", "#   ", &note.why);
            }
        }
    }

    fn block(&mut self, block: &Block, outer: &str, number: usize, inner: Option<usize>) {
        let prefix = if block.out.is_empty() { outer } else { "# " };
        self.line("", None);
        for reason in &block.out {
            self.comment(prefix, "# left out: ", "#   ", reason);
        }
        self.notes(prefix, &block.notes);
        let target = |entry| {
            prefix.is_empty().then_some(Target {
                block: number,
                inner,
                entry,
            })
        };
        self.line(&format!("{prefix}{}", block.header), target(None));
        for (at, entry) in block.entries.iter().enumerate() {
            self.notes(prefix, &entry.notes);
            let is_comment = entry.out.is_some() || !prefix.is_empty();
            let value = match entry.is_secret && is_comment {
                true => "\"...\"",
                false => entry.value.as_str(),
            };
            let line = format!("{} = {value}", entry.name);
            match &entry.out {
                None => self.line(&format!("{prefix}{line}"), target(Some(at))),
                Some(reason) => {
                    self.comment(prefix, "# left out: ", "#   ", reason);
                    self.line(&format!("{prefix}# {line}"), None);
                }
            }
        }
        for (at, block) in block.inner.iter().enumerate() {
            self.block(block, prefix, number, Some(at));
        }
    }
}

impl Page {
    /// The page as text.
    pub(super) fn print(&self) -> Printed {
        let mut printed = Printed::default();
        for paragraph in &self.intro {
            printed.comment("", "# ", "# ", paragraph);
        }
        for (number, block) in self.blocks.iter().enumerate() {
            printed.block(block, "", number, None);
        }
        for group in &self.groups {
            printed.line("", None);
            printed.comment("", "# ", "# ", &group.why);
            for line in &group.lines {
                printed.line(&format!("#   {}", printable(line)), None);
            }
        }
        printed
    }

    /// How many tables are comments.
    pub(super) fn blocks_out(&self) -> usize {
        let inner = self.blocks.iter().flat_map(|block| &block.inner);
        let all = self.blocks.iter().chain(inner);
        all.filter(|block| !block.out.is_empty()).count()
    }
}

/// The text in lines of at most `width` characters, broken at spaces.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let word = printable_all(word);
        let Some(line) = lines.last_mut() else { break };
        let is_full = line.chars().count() + 1 + word.chars().count() > width;
        if line.is_empty() {
            line.push_str(&word);
        } else if is_full {
            lines.push(word);
        } else {
            line.push(' ');
            line.push_str(&word);
        }
    }
    lines
}

/// The text on one line, without what would end a comment or move a cursor, and not longer than comments need.
pub(super) fn printable(text: &str) -> String {
    let mut shown = printable_all(text.trim());
    if let Some((end, _)) = shown.char_indices().nth(SHOWN_CHARS_MAX) {
        shown.truncate(end);
        shown.push_str("...");
    }
    shown
}

fn printable_all(text: &str) -> String {
    // Marks of the writing direction would show the text in another order.
    let moves = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    let shown = |c: char| match c {
        '\t' => ' ',
        c if c.is_control() || moves(c) => '?',
        c => c,
    };
    text.chars().map(shown).collect()
}

/// A text as a TOML value.
pub(super) fn text(value: &str) -> String {
    let mut quoted = String::with_capacity(value.len() + 2);
    quoted.push('"');
    for c in value.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            c if c.is_control() => {
                // Writing to a String can't fail.
                let written = write!(quoted, "\\u{:04X}", u32::from(c));
                debug_assert!(written.is_ok());
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Texts as a TOML value.
pub(super) fn list<T: AsRef<str>>(values: &[T]) -> String {
    let quoted: Vec<String> = values.iter().map(|value| text(value.as_ref())).collect();
    format!("[{}]", quoted.join(", "))
}

/// A number of seconds as a TOML value.
pub(super) fn seconds(count: u64) -> String {
    let time = std::time::Duration::from_secs(count);
    format!("\"{}\"", crate::config::quantity::Written(time))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn block_that_is_out_is_a_comment_and_has_no_targets() {
        let mut site = Block::new("[[site]]");
        site.out = vec!["because".to_owned()];
        site.entries = vec![Entry::new("root", text("/a"), Vec::new())];
        site.inner = vec![Block::new("[[site.rule]]")];
        let page = Page {
            blocks: vec![site, Block::new("[fill]")],
            ..Page::default()
        };
        let printed = page.print();
        assert_eq!(
            printed.text,
            "\n# # left out: because\n# [[site]]\n# root = \"/a\"\n\n# [[site.rule]]\n\n[fill]\n"
        );
        assert_eq!(printed.targets.iter().flatten().count(), 1);
        assert_eq!(page.blocks_out(), 1);
    }

    #[test]
    fn secret_is_shown_in_force_only() {
        let secret = |out: Option<&str>| Entry {
            out: out.map(str::to_owned),
            ..Entry::secret("key", text("hunter2"), Vec::new())
        };
        let block = |entry, out: Vec<String>| Block {
            entries: vec![entry],
            out,
            ..Block::new("[a]")
        };
        let print = |block| {
            Page {
                blocks: vec![block],
                ..Page::default()
            }
            .print()
            .text
        };
        assert!(print(block(secret(None), Vec::new())).contains("hunter2"));
        for block in [
            block(secret(Some("b")), Vec::new()),
            block(secret(None), vec!["b".to_owned()]),
        ] {
            let text = print(block);
            assert!(
                text.contains("# key = \"...\"") && !text.contains("hunter2"),
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn text_reads_back_the_same(value: String) {
            let document = format!("a = {}", text(&value));
            let table: toml::Spanned<toml::de::DeTable<'_>> = toml::de::DeTable::parse(&document).unwrap();
            let (_, read) = table.get_ref().iter().next().unwrap();
            prop_assert_eq!(read.get_ref().as_str(), Some(value.as_str()));
        }

        #[test]
        fn comment_never_ends_before_its_line(value: String) {
            let note = Note { fate: Fate::Dropped, place: value.clone(), what: value.clone(), why: value.clone() };
            let page = Page {
                intro: vec![value.clone()],
                blocks: vec![Block { notes: vec![note], out: vec![value.clone()], ..Block::new("[a]") }],
                groups: vec![Group { why: value.clone(), lines: vec![value] }],
            };
            let printed = page.print();
            for line in printed.text.lines() {
                prop_assert!(line.is_empty() || line.starts_with('#'), "{}", line);
            }
            prop_assert!(toml::de::DeTable::parse(&printed.text).is_ok());
            prop_assert_eq!(printed.targets.len(), printed.text.lines().count());
        }
    }
}
