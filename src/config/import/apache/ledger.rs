//! Who has said what became of which directive, so that none is left without a word.

use super::super::page::{Fate, Group, Note};
use super::reasons;
use super::tree::{Aside, Directive, Tree};

/// The directives of a config, and which of them have had their note.
#[derive(Debug)]
pub(super) struct Ledger<'t> {
    /// The config.
    pub(super) tree: &'t Tree,
    told: Vec<bool>,
}

impl<'t> Ledger<'t> {
    /// A ledger in which nothing is told yet.
    pub(super) fn new(tree: &'t Tree) -> Self {
        Self {
            tree,
            told: vec![false; tree.directives.len()],
        }
    }

    /// The directive of a number.
    pub(super) fn directive(&self, number: usize) -> &'t Directive {
        &self.tree.directives[number]
    }

    /// The numbers of the directives named `name` that hold for `host`: the main server's first, then its own.
    pub(super) fn of_host(&self, host: usize, name: &str) -> Vec<usize> {
        let all = || self.tree.directives.iter().enumerate();
        let inherited =
            all().filter(|(_, found)| found.host == super::tree::MAIN && host != super::tree::MAIN);
        let own = all().filter(|(_, found)| found.host == host);
        let named = inherited.chain(own).filter(|(_, found)| found.name == name);
        named.map(|(number, _)| number).collect()
    }

    /// The last directive named `name` that holds for the whole of `host`.
    pub(super) fn last(&self, host: usize, name: &str) -> Option<usize> {
        let mut found = self.of_host(host, name);
        found.retain(|number| self.tree.scope(self.directive(*number)).is_none());
        found.pop()
    }

    /// Whether a directive has had its note.
    pub(super) fn is_told(&self, number: usize) -> bool {
        self.told[number]
    }

    /// What became of a directive.
    pub(super) fn note(&mut self, number: usize, fate: Fate, why: impl Into<String>) -> Note {
        self.told[number] = true;
        let directive = self.directive(number);
        Note {
            fate,
            place: self.tree.place(directive.place),
            what: reasons::shown(directive),
            why: why.into(),
        }
    }

    /// A note on what Apache does without being told.
    pub(super) fn unsaid(what: &str, why: impl Into<String>) -> Note {
        Note {
            fate: Fate::Changed,
            place: String::new(),
            what: what.to_owned(),
            why: why.into(),
        }
    }

    /// What nothing stands for, by reason; then what is no directive of its own.
    pub(super) fn rest(&self) -> Vec<Group> {
        let mut groups: Vec<Group> = Vec::new();
        let directives = self.tree.directives.iter().zip(&self.told);
        let left = directives
            .filter(|(directive, told)| !**told && !is_heeded(directive))
            .map(|(directive, _)| directive);
        let mut last: Option<(&Directive, usize)> = None;
        for directive in left {
            let why = reasons::why(directive);
            let shown = reasons::shown(directive);
            let place = self.tree.place(directive.place);
            // Many of a kind, one below the other, take one line.
            let is_run = last.is_some_and(|(before, _)| {
                before.name == directive.name
                    && before.place.file == directive.place.file
                    && !reasons::is_shown(&directive.name)
            });
            let group = match groups.iter().position(|group| group.why == why) {
                Some(at) => &mut groups[at],
                None => {
                    groups.push(Group {
                        why: why.to_owned(),
                        lines: Vec::new(),
                    });
                    let at = groups.len() - 1;
                    &mut groups[at]
                }
            };
            match (last, group.lines.last_mut()) {
                (Some((first, count)), Some(line)) if is_run => {
                    let start = self.tree.place(first.place);
                    *line = format!(
                        "{start}-{}: {shown}, {} times",
                        directive.place.at.line,
                        count + 1
                    );
                    last = Some((first, count + 1));
                }
                _ => {
                    group.lines.push(format!("{place}: {shown}"));
                    last = Some((directive, 1));
                }
            }
        }
        for group in &mut groups {
            group.why = format!("dropped: {}", group.why);
        }
        let heeded = self.tree.directives.iter().filter(|found| is_heeded(found));
        let heeded = heeded.map(|found| Aside {
            place: found.place,
            written: reasons::shown(found),
            why: String::new(),
        });
        let mut followed: Vec<Aside> = self.tree.followed.iter().cloned().chain(heeded).collect();
        followed.sort_by_key(|aside| (aside.place.file, aside.place.at));
        let asides = [
            ("not read:", &self.tree.skipped),
            ("read in its place:", &followed),
        ];
        for (why, asides) in asides {
            if !asides.is_empty() {
                groups.push(Group {
                    why: why.to_owned(),
                    lines: asides.iter().map(|aside| self.aside(aside)).collect(),
                });
            }
        }
        groups
    }

    /// Notes that a directive has its word elsewhere.
    pub(super) fn tell(&mut self, number: usize) {
        self.told[number] = true;
    }

    fn aside(&self, aside: &Aside) -> String {
        let place = self.tree.place(aside.place);
        let why = match aside.why.as_str() {
            "" => String::new(),
            why => format!(" ({why})"),
        };
        format!("{place}: {}{why}", aside.written.trim_end())
    }
}

/// Whether a directive says something about the reading of those behind it, and nothing else.
fn is_heeded(directive: &Directive) -> bool {
    ["define", "undefine", "serverroot"].contains(&directive.name.as_str())
}
