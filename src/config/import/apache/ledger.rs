//! Who has said what became of which directive, so that none is left without a word.

use std::collections::BTreeMap;

use super::super::page::{Fate, Group, Note};
use super::reasons;
use super::tree::{Aside, Directive, MAIN, Tree};

/// The directives of a config, and which of them have had their note.
#[derive(Debug)]
pub(super) struct Ledger<'t> {
    /// The config.
    pub(super) tree: &'t Tree,
    told: Vec<bool>,
    /// The numbers of each host's directives.
    by_host: Vec<Vec<usize>>,
    /// The numbers of each host's directives of a name.
    by_name: BTreeMap<(usize, &'t str), Vec<usize>>,
}

impl<'t> Ledger<'t> {
    /// A ledger in which nothing is told yet.
    pub(super) fn new(tree: &'t Tree) -> Self {
        let mut by_host = vec![Vec::new(); tree.hosts.len()];
        let mut by_name: BTreeMap<(usize, &str), Vec<usize>> = BTreeMap::new();
        for (number, directive) in tree.directives.iter().enumerate() {
            by_host[directive.host].push(number);
            let key = (directive.host, directive.name.as_str());
            by_name.entry(key).or_default().push(number);
        }
        Self {
            tree,
            told: vec![false; tree.directives.len()],
            by_host,
            by_name,
        }
    }

    /// The directive of a number.
    pub(super) fn directive(&self, number: usize) -> &'t Directive {
        &self.tree.directives[number]
    }

    /// The numbers of the directives that hold for `host`: the main server's first, then its own.
    pub(super) fn all_of_host(&self, host: usize) -> Vec<usize> {
        let inherited = if host == MAIN {
            &[][..]
        } else {
            &self.by_host[MAIN]
        };
        inherited
            .iter()
            .chain(&self.by_host[host])
            .copied()
            .collect()
    }

    /// The numbers of the directives named `name` among these.
    pub(super) fn of_host(&self, host: usize, name: &str) -> Vec<usize> {
        let of = |host| {
            self.by_name
                .get(&(host, name))
                .map_or(&[][..], Vec::as_slice)
        };
        let inherited = if host == MAIN { &[][..] } else { of(MAIN) };
        inherited.iter().chain(of(host)).copied().collect()
    }

    /// The numbers of the directives named `name` in all hosts.
    pub(super) fn of_all(&self, name: &str) -> Vec<usize> {
        let hosts = 0..self.by_host.len();
        let of = |host| self.by_name.get(&(host, name));
        let mut found: Vec<usize> = hosts.filter_map(of).flatten().copied().collect();
        found.sort_unstable();
        found
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
