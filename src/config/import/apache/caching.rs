//! The rules of a site: for which paths `CacheEnable` and `CacheDisable` hold, and which settings.
//!
//! In Apache all that fits a path adds up; here the longest path's rule counts, alone. So each path that anything is said
//! about gets a rule with all that holds there.

use std::collections::{BTreeMap, BTreeSet};

use super::super::fault::{ImportError, ImportFault};
use super::super::page::{Block, Entry, Fate, Note, list, text};
use super::ledger::Ledger;
use super::settings::{self, Effective, Keys, SETTINGS};
use super::tree::{MAIN, Scope};
use crate::config::url;

/// Why files alone have no rules.
pub(super) const FILES_ALONE: &str =
    "the site has no origin: its files are sent as they are on disk, and need no cache";

/// Most rules of a site.
const RULES_MAX: usize = 256;

/// A path that `CacheEnable` or `CacheDisable` is for.
#[derive(Debug)]
struct Reach {
    number: usize,
    path: String,
    is_in_location: bool,
}

/// What is said about caching for one host.
#[derive(Debug, Default)]
struct Said {
    enabled: Vec<(Reach, Provider)>,
    disabled: Vec<Reach>,
    /// The settings of the main server, the host, and its locations in their order, with the paths they are for.
    layers: Vec<(String, Effective)>,
    notes: Vec<Note>,
}

/// Where a `CacheEnable` has responses stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Provider {
    Memory,
    Disk,
    Nowhere,
}

/// What a site has that could be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum For {
    /// What comes from an origin.
    Origin,
    /// Files alone.
    Files,
    /// Nothing: where responses come from is not said.
    Nothing,
}

impl Said {
    /// The directives that say something.
    fn numbers(&self) -> BTreeSet<usize> {
        let layers = self.layers.iter();
        let settings = layers.flat_map(|(_, layer)| layer.values().flatten().copied());
        let reaches = self.enabled.iter().map(|(reach, _)| reach);
        let reaches = reaches.chain(&self.disabled).map(|reach| reach.number);
        settings.chain(reaches).collect()
    }
}

/// The rules of a host's site, and notes on what is no rule.
pub(super) fn rules(
    ledger: &mut Ledger<'_>,
    host: usize,
    for_what: For,
    has_disk: bool,
) -> Result<(Vec<Block>, Vec<Note>), ImportError> {
    let mut said = said(ledger, host, has_disk)?;
    let numbers = said.numbers();
    let own = |number: &usize| ledger.directive(*number).host == host;
    if for_what == For::Nothing && !numbers.iter().any(own) {
        return Ok((Vec::new(), said.notes));
    }
    if for_what == For::Files {
        let mut notes = said.notes;
        for number in numbers.iter().copied().filter(own).collect::<Vec<_>>() {
            notes.push(ledger.note(number, Fate::Dropped, FILES_ALONE));
        }
        return Ok((Vec::new(), notes));
    }
    let mut notes = std::mem::take(&mut said.notes);
    if !said.enabled.is_empty() {
        notes.push(Ledger::unsaid(
            "what Apache's cache does without being told",
            "it keeps for an hour what states no lifetime and has no Last-Modified (here: not; default_ttl = \"1h\"), sends stale \
             responses for any failing origin (here: only where the response says so; stale_if_error = \"24h\"), and stores \
             Set-Cookie and sends it to all (here: such responses are not stored; set_cookie = \"strip\")",
        ));
    }
    let mut rules: Vec<(String, Block)> = Vec::new();
    let taken = taken(ledger, &said, &mut notes)?;
    said.layers.retain(|(path, _)| taken.contains(path));
    said.enabled
        .retain(|(reach, _)| taken.contains(&reach.path));
    said.disabled.retain(|reach| taken.contains(&reach.path));
    for path in taken {
        let mut rule = rule(ledger, &said, &path)?;
        let around = rules.iter().filter(|(known, _)| covers(known, &path));
        let around = around.max_by_key(|(known, _)| known.len());
        if let Some((_, around)) = around {
            if says(&rule) == says(around) {
                // The rule around it says the same already.
                notes.append(&mut rule.notes);
                continue;
            }
            without_repetition(&mut rule, around);
        }
        rules.push((path, rule));
    }
    for number in numbers {
        if !ledger.is_told(number) {
            let why = "nothing is stored where it holds, or there is no rule for it";
            notes.push(ledger.note(number, Fate::Dropped, why));
        }
    }
    Ok((rules.into_iter().map(|(_, rule)| rule).collect(), notes))
}

/// The paths that get rules: all of them, as far as there may be so many. Those of which nothing is stored go first: without
/// their rules, it would be.
fn taken(
    ledger: &Ledger<'_>,
    said: &Said,
    notes: &mut Vec<Note>,
) -> Result<BTreeSet<String>, ImportError> {
    let all = paths(said);
    if all.len() <= RULES_MAX {
        return Ok(all);
    }
    let disabled = said.disabled.iter().map(|reach| reach.path.clone());
    let mut taken: BTreeSet<String> = disabled.collect();
    taken.insert("/".to_owned());
    if let (true, Some(last)) = (taken.len() > RULES_MAX, said.disabled.last()) {
        let place = ledger.directive(last.number).place;
        let (what, max) = ("paths without a cache in one site", RULES_MAX);
        return Err(ledger.tree.error(place, ImportFault::TooMany { what, max }));
    }
    for path in all {
        if taken.len() < RULES_MAX {
            taken.insert(path);
        }
    }
    notes.push(Ledger::unsaid(
        "more than 256 paths",
        "a site has at most 256 rules: those of the other paths are left out",
    ));
    Ok(taken)
}

/// Notes on what the main server says about caching and no site heeds.
pub(super) fn unheeded(ledger: &mut Ledger<'_>) -> Vec<Note> {
    let names = SETTINGS.iter().chain(&["cacheenable", "cachedisable"]);
    let mut numbers: Vec<usize> = names.flat_map(|name| ledger.of_host(MAIN, name)).collect();
    numbers.retain(|number| !ledger.is_told(*number));
    numbers.sort_unstable();
    let notes = numbers.into_iter();
    notes
        .map(|number| ledger.note(number, Fate::Dropped, FILES_ALONE))
        .collect()
}

/// What a rule says beside its path.
fn says(rule: &Block) -> Vec<(&'static str, &str)> {
    let keys = rule.entries.iter().skip(1);
    keys.map(|entry| (entry.name, entry.value.as_str()))
        .collect()
}

/// Leaves out what was told at the rule around it.
fn without_repetition(rule: &mut Block, around: &Block) {
    for entry in &mut rule.entries {
        let same = |known: &&Entry| known.name == entry.name && known.value == entry.value;
        if let Some(known) = around.entries.iter().find(same) {
            let is_told = |note: &Note| known.notes.iter().any(|told| told.place == note.place);
            entry.notes.retain(|note| !is_told(note));
        }
    }
    let is_told = |note: &Note| around.notes.iter().any(|told| told.place == note.place);
    rule.notes.retain(|note| !is_told(note));
}

/// Collects what is said.
fn said(ledger: &mut Ledger<'_>, host: usize, has_disk: bool) -> Result<Said, ImportError> {
    let mut said = Said::default();
    enabled(ledger, host, has_disk, &mut said)?;
    for number in ledger.of_host(host, "cachedisable") {
        let directive = ledger.directive(number);
        let first = directive.word(0).to_owned();
        if first.is_empty() {
            return Err(ledger.tree.wrong(
                directive,
                0,
                "followed by a URL path, or by on in a <Location>",
            ));
        }
        match reach(
            ledger,
            number,
            Some(first)
                .filter(|word| !word.eq_ignore_ascii_case("on"))
                .as_deref(),
        ) {
            Ok(reach) => said.disabled.push(reach),
            Err(why) => said.notes.push(ledger.note(number, Fate::Dropped, why)),
        }
    }
    layers(ledger, host, &mut said)?;
    Ok(said)
}

fn enabled(
    ledger: &mut Ledger<'_>,
    host: usize,
    has_disk: bool,
    said: &mut Said,
) -> Result<(), ImportError> {
    for number in ledger.of_host(host, "cacheenable") {
        let directive = ledger.directive(number);
        let kind = directive.word(0).to_ascii_lowercase();
        let is_whole = ledger.tree.scope(directive).is_none();
        if kind.is_empty() || (is_whole && directive.words.len() < 2) {
            return Err(ledger.tree.wrong(
                directive,
                1,
                "followed by a type and a URL path, such as: disk /",
            ));
        }
        let provider = match kind.as_str() {
            "disk" if has_disk => Provider::Disk,
            "mem" | "fd" | "socache" => Provider::Memory,
            _ => Provider::Nowhere,
        };
        let path = directive.words.get(1).cloned();
        match reach(ledger, number, path.as_deref()) {
            Ok(reach) => said.enabled.push((reach, provider)),
            Err(why) => said.notes.push(ledger.note(number, Fate::Dropped, why)),
        }
    }
    // Those in locations are tried first.
    said.enabled.sort_by_key(|(reach, _)| !reach.is_in_location);
    Ok(())
}

/// The path that a directive is for: the one it names, or its location's.
fn reach(ledger: &Ledger<'_>, number: usize, named: Option<&str>) -> Result<Reach, String> {
    let directive = ledger.directive(number);
    let scope = ledger.tree.scope(directive).map(|section| &section.scope);
    let location = match scope {
        None => None,
        Some(Scope::Location(path)) => Some(path.as_str()),
        Some(_) => {
            return Err(
                "rules are for URL paths of an origin, not for folders, files or patterns"
                    .to_owned(),
            );
        }
    };
    let path = named.or(location).unwrap_or_default();
    let path = match path.split_once("://") {
        None => path,
        Some(_) => {
            return Err("only a forward proxy caches by whole URLs; Hotplate is none".to_owned());
        }
    };
    if path.contains('*') {
        return Err("a rule's path has no wildcards".to_owned());
    }
    match url::canonical(path) {
        Ok(path) => Ok(Reach {
            number,
            path,
            is_in_location: location.is_some(),
        }),
        Err(fault) => Err(fault.to_string()),
    }
}

/// The settings, layer by layer.
fn layers(ledger: &mut Ledger<'_>, host: usize, said: &mut Said) -> Result<(), ImportError> {
    // In Apache's order: the main server, the host, the sections of the main server, those of the host.
    let mut layers: BTreeMap<(bool, bool, usize), (String, Effective)> = BTreeMap::new();
    for name in SETTINGS {
        for number in ledger.of_host(host, name) {
            settings::check(ledger, number)?;
            let directive = ledger.directive(number);
            let section = ledger.tree.scope_number(directive);
            let path = match section {
                None => "/".to_owned(),
                Some(_) => match reach(ledger, number, None) {
                    Ok(reach) => reach.path,
                    Err(why) => {
                        said.notes.push(ledger.note(number, Fate::Dropped, why));
                        continue;
                    }
                },
            };
            let is_own = directive.host != MAIN;
            let order = (section.is_some(), is_own, section.unwrap_or_default());
            let (_, layer) = layers.entry(order).or_insert((path, Effective::new()));
            let numbers = layer.entry(name).or_default();
            let resets = directive
                .words
                .iter()
                .any(|word| word.eq_ignore_ascii_case("none"));
            if !settings::is_list(name) || resets {
                for before in std::mem::take(numbers) {
                    let why = format!("line {} says it again", directive.place.at.line);
                    said.notes.push(ledger.note(before, Fate::Dropped, why));
                }
            }
            numbers.push(number);
        }
    }
    said.layers = layers.into_values().collect();
    Ok(())
}

/// The paths that something is said about, `/` always.
fn paths(said: &Said) -> BTreeSet<String> {
    let reaches = said
        .enabled
        .iter()
        .map(|(reach, _)| reach)
        .chain(&said.disabled);
    let layers = said.layers.iter().map(|(path, _)| path.clone());
    let all = reaches.map(|reach| reach.path.clone()).chain(layers);
    all.chain(std::iter::once("/".to_owned())).collect()
}

/// Whether a rule for `outer` would be for `path` too.
fn covers(outer: &str, path: &str) -> bool {
    match path.strip_prefix(outer) {
        Some(rest) => rest.is_empty() || outer.ends_with('/') || rest.starts_with('/'),
        None => false,
    }
}

/// The rule of a path.
fn rule(ledger: &mut Ledger<'_>, said: &Said, path: &str) -> Result<Block, ImportError> {
    let mut block = Block::new("[[site.rule]]");
    block
        .entries
        .push(Entry::needed("path", text(path), Vec::new()));
    let mut effective = Effective::new();
    for (outer, layer) in &said.layers {
        if covers(outer, path) {
            effective.extend(layer.iter().map(|(name, numbers)| (*name, numbers.clone())));
        }
    }
    let disabled: Vec<&Reach> = said
        .disabled
        .iter()
        .filter(|reach| covers(&reach.path, path))
        .collect();
    let enabled: Vec<&(Reach, Provider)> = said
        .enabled
        .iter()
        .filter(|(reach, _)| covers(&reach.path, path))
        .collect();
    let mut tiers: Vec<&str> = Vec::new();
    let mut notes = Vec::new();
    for (reach, provider) in &enabled {
        let (fate, why) = enabling(ledger, reach, *provider, path);
        if disabled.is_empty() {
            notes.push(ledger.note(reach.number, fate, why));
        }
        let tier = match provider {
            Provider::Memory => "memory",
            Provider::Disk => "disk",
            Provider::Nowhere => continue,
        };
        if !tiers.contains(&tier) {
            tiers.push(tier);
        }
    }
    let is_stored = disabled.is_empty() && !tiers.is_empty();
    for reach in disabled {
        let why = if reach.path == path {
            border(&reach.path)
        } else {
            ""
        };
        let fate = if why.is_empty() {
            Fate::Translated
        } else {
            Fate::Changed
        };
        notes.push(ledger.note(reach.number, fate, why));
    }
    if notes.is_empty() {
        let note = Ledger::unsaid("no CacheEnable", "nothing is stored, as in Apache");
        notes.push(Note {
            fate: Fate::Translated,
            ..note
        });
    }
    let mut keys = Keys {
        ledger,
        effective: &effective,
        entries: Vec::new(),
        notes: Vec::new(),
    };
    if is_stored {
        block.entries.push(Entry::new("tiers", list(&tiers), notes));
        keys.stored()?;
    } else {
        block
            .entries
            .push(Entry::needed("cache", "false".to_owned(), notes));
        keys.passed()?;
    }
    block.entries.append(&mut keys.entries);
    block.notes.append(&mut keys.notes);
    Ok(block)
}

/// What a `CacheEnable` means for a path.
fn enabling(
    ledger: &Ledger<'_>,
    reach: &Reach,
    provider: Provider,
    path: &str,
) -> (Fate, &'static str) {
    let kind = ledger.directive(reach.number).word(0);
    match provider {
        Provider::Nowhere if kind.eq_ignore_ascii_case("disk") => {
            return (
                Fate::Dropped,
                "there is no CacheRoot, so Apache stores nothing there either",
            );
        }
        Provider::Nowhere => return (Fate::Dropped, "no kind of store that mod_cache comes with"),
        _ if kind.eq_ignore_ascii_case("fd") => {
            return (
                Fate::Changed,
                "what comes from an origin is no file: it is kept in memory, as Apache does; open files are what [[pin]] is for",
            );
        }
        _ => {}
    }
    if reach.is_in_location {
        return (
            Fate::Changed,
            "with CacheQuickHandler on, which is its default, Apache does not heed it in a section; here it takes effect",
        );
    }
    match border(&reach.path) {
        why if reach.path == path && !why.is_empty() => (Fate::Changed, why),
        _ => (Fate::Translated, ""),
    }
}

/// How a path that ends within a segment differs.
fn border(path: &str) -> &'static str {
    match path.ends_with('/') {
        true => "",
        false => {
            "for the path and all below it; in Apache for all that begins so, such as the path with another letter"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::covers;

    #[test]
    fn rule_covers_on_the_border_of_segments() {
        let cases = [
            ("/", "/a", true),
            ("/a", "/a", true),
            ("/a", "/a/b", true),
            ("/a", "/ab", false),
            ("/a/", "/a/b", true),
            ("/a/", "/a", false),
            ("/a/b", "/a", false),
        ];
        for (outer, path, expected) in cases {
            assert_eq!(covers(outer, path), expected, "{outer} {path}");
        }
    }
}
