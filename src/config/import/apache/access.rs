//! What Apache keeps from clients that Hotplate would send them.
//!
//! An import never opens what was closed. A site of which that might be said is printed as a comment with the reasons.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::ledger::Ledger;
use super::running;
use super::tree::{Directive, MAIN, Scope};

/// Most folders below each other in which files of access control are looked for.
const FOLDER_DEPTH_MAX: usize = 8;
/// Most names that are looked at for them.
const ENTRIES_MAX: usize = 65_536;

/// What of a site would be served.
#[derive(Clone, Copy, Debug)]
pub(super) struct Served<'s> {
    /// The folder whose files are.
    pub(super) root: Option<&'s Path>,
    /// Whether an origin's answers are.
    pub(super) has_origin: bool,
    /// Whether a pattern sends requests somewhere that is no origin.
    pub(super) runs_files: bool,
}

/// What is said about who may see something.
#[derive(Clone, Copy, Debug, Default)]
struct Closing {
    /// What closes it whatever else is said.
    shut: Option<usize>,
    /// What `Require` says; none: nothing. Several in a section are alternatives, so one that grants is enough.
    required: Option<(bool, usize)>,
    /// An `Order` by which nobody may who is not allowed.
    ordered: Option<usize>,
    /// Whether all are allowed.
    allows: bool,
}

impl Closing {
    /// Heeds a directive; tells whether it says anything.
    fn heed(&mut self, ledger: &Ledger<'_>, number: usize) -> bool {
        let directive = ledger.directive(number);
        let is = |at: usize, word: &str| directive.word(at).eq_ignore_ascii_case(word);
        match directive.name.as_str() {
            "require" => {
                let grants = is(0, "all") && is(1, "granted");
                let is_alternative = alternatives(ledger, directive);
                match (grants, self.required) {
                    (true, _) if is_alternative => self.required = Some((false, number)),
                    (true, _) => {}
                    (false, _) if !is_alternative => self.shut = Some(number),
                    (false, None) => self.required = Some((true, number)),
                    (false, Some(_)) => {}
                }
            }
            "deny" => self.shut = Some(number),
            "allow" if is(1, "all") => self.allows = true,
            "allow" => self.shut = Some(number),
            "order" if !is(0, "deny,allow") => self.ordered = Some(number),
            "order" => {}
            "rewriterule" if forbids(directive.words.last()) => self.shut = Some(number),
            "redirect" | "redirectmatch" if refuses(directive) => self.shut = Some(number),
            _ => return false,
        }
        true
    }

    /// What closes it; none where it is open, and no word where nothing was said.
    fn closed_by(&self) -> Option<Option<usize>> {
        match self {
            Self {
                shut: Some(number), ..
            } => Some(Some(*number)),
            Self {
                required: Some((is_closed, number)),
                ..
            } => Some(is_closed.then_some(*number)),
            Self { allows: true, .. } => Some(None),
            Self {
                ordered: Some(number),
                ..
            } => Some(Some(*number)),
            _ => None,
        }
    }
}

/// Whether a `Require` is one of several of which each is enough.
fn alternatives(ledger: &Ledger<'_>, directive: &Directive) -> bool {
    let mut around = ledger.tree.scopes(directive);
    let around = around.find(|section| section.scope == Scope::Requirement);
    around.is_none_or(|section| {
        section
            .written
            .to_ascii_lowercase()
            .starts_with("<requireany")
    })
}

/// Whether a redirect is an answer of refusal, but for files that are never sent.
fn refuses(directive: &Directive) -> bool {
    let status = directive.word(0);
    let is_refusal = status.eq_ignore_ascii_case("gone") || status.starts_with('4');
    is_refusal && !directive.words.iter().any(|word| word.contains("/\\."))
}

/// Whether a redirect is for all paths, as the one from http to https is.
fn sends_all_away(directive: &Directive) -> bool {
    // What is left of a pattern that fits everything.
    let is_all = |pattern: &str| {
        pattern
            .trim_matches(['^', '/', '?', '(', '.', '*', ')', '$'])
            .is_empty()
    };
    let is_url = |word: &str| word.contains("://");
    let words = &directive.words;
    match directive.name.as_str() {
        "redirect" | "redirectpermanent" | "redirecttemp" | "redirectmatch" => {
            let target = words.iter().position(|word| is_url(word));
            target.is_some_and(|at| at > 0 && is_all(directive.word(at - 1)))
        }
        "rewriterule" => is_all(directive.word(0)) && is_url(directive.word(1)),
        _ => false,
    }
}

/// Whether the flags of a RewriteRule answer by themselves: `[F]`, `[G]`, `[R=404]`.
fn forbids(flags: Option<&String>) -> bool {
    let Some(flags) = flags.and_then(|word| word.strip_prefix('[')?.strip_suffix(']')) else {
        return false;
    };
    flags.split(',').any(|flag| {
        let flag = flag.trim().to_ascii_lowercase();
        ["f", "forbidden", "g", "gone"].contains(&flag.as_str()) || flag.starts_with("r=4")
    })
}

/// The reasons for which a host's site is not to be served as it is; none: it may.
pub(super) fn reasons(
    ledger: &Ledger<'_>,
    host: usize,
    served: Served<'_>,
) -> Vec<(usize, String)> {
    let mut reasons = Vec::new();
    // By section, in Apache's order: what the main server says, then the host; by itself, then in its sections.
    let mut closings: BTreeMap<(bool, Option<usize>), Closing> = BTreeMap::new();
    for number in ledger.all_of_host(host) {
        let directive = ledger.directive(number);
        if let Some(why) = running::runs(ledger, directive, served) {
            reasons.push((number, format!("{}: {why}", told(ledger, number))));
        }
        if sends_all_away(directive) {
            let told = told(ledger, number);
            reasons.push((number, format!("{told}: Apache sends all clients elsewhere, and Hotplate would send them what is here")));
        }
        let section = ledger.tree.scope_number(directive);
        let closing = closings.entry((directive.host != MAIN, section));
        closing.or_default().heed(ledger, number);
    }
    // Of several sections for one path the last that says anything counts.
    let mut folders: BTreeMap<&Path, Option<usize>> = BTreeMap::new();
    let mut locations: BTreeMap<&str, Option<usize>> = BTreeMap::new();
    for ((_, section), closing) in &closings {
        let Some(closed_by) = closing.closed_by() else {
            continue;
        };
        let scope = section.map(|number| &ledger.tree.sections[number].scope);
        match scope {
            None => drop(locations.insert("/", closed_by)),
            Some(Scope::Location(path)) => drop(locations.insert(path, closed_by)),
            Some(Scope::Directory(path)) => drop(folders.insert(path, closed_by)),
            Some(Scope::Proxy(_) | Scope::Limit) if !served.has_origin => {}
            Some(Scope::Files(name)) if name.starts_with('.') => {}
            Some(Scope::Pattern(written)) if is_about_hidden_files(written) => {}
            Some(_) => reasons.extend(closed_by.map(|number| closed(ledger, number))),
        }
    }
    if let Some(root) = served.root {
        reasons.extend(closed_folders(ledger, root, &folders));
        reasons.extend(override_file(ledger, host, root));
    }
    let is_served = |path: &str| served.has_origin || !is_handled(ledger, host, path);
    let locations = locations.iter().filter(|(path, _)| is_served(path));
    let numbers = locations.filter_map(|(_, closed_by)| *closed_by);
    reasons.extend(numbers.map(|number| closed(ledger, number)));
    reasons
}

/// The folders that are closed: the root itself, by the deepest word that is about it, and those below it.
fn closed_folders(
    ledger: &Ledger<'_>,
    root: &Path,
    folders: &BTreeMap<&Path, Option<usize>>,
) -> Vec<(usize, String)> {
    let around = folders.iter().filter(|(path, _)| root.starts_with(path));
    let deepest = around.max_by_key(|(path, _)| path.components().count());
    let is_hidden = |path: &Path| {
        let mut names = path.strip_prefix(root).unwrap_or(path).components();
        names.any(|name| name.as_os_str().as_encoded_bytes().starts_with(b"."))
    };
    let is_below = |path: &Path| path.starts_with(root) && path != root && !is_hidden(path);
    let below = folders.iter().filter(|(path, _)| is_below(path));
    let all = deepest.into_iter().chain(below);
    all.filter_map(|(_, closed_by)| *closed_by)
        .map(|number| closed(ledger, number))
        .collect()
}

/// The first file below the root by which Apache may keep clients out of its folder; Hotplate reads none of them.
fn override_file(ledger: &Ledger<'_>, host: usize, root: &Path) -> Option<(usize, String)> {
    let is_on = |number: &usize| {
        let directive = ledger.directive(*number);
        let is_none = directive
            .words
            .iter()
            .all(|word| word.eq_ignore_ascii_case("none"));
        !is_none && running::is_about(ledger, directive, root)
    };
    let number = ledger
        .of_host(host, "allowoverride")
        .into_iter()
        .rfind(is_on)?;
    let names = ledger.of_host(host, "accessfilename").pop();
    let names = names.map_or(vec![".htaccess".to_owned()], |number| {
        ledger.directive(number).words.clone()
    });
    let mut left = ENTRIES_MAX;
    let found = named_below(root, &names, 0, &mut left)?;
    let why = format!(
        "{}: {} may keep clients out, and Hotplate does not read it",
        told(ledger, number),
        found.display()
    );
    Some((number, why))
}

/// The first file of one of the names in a folder or below it, as far as [`FOLDER_DEPTH_MAX`] and [`ENTRIES_MAX`] go.
fn named_below(folder: &Path, names: &[String], depth: usize, left: &mut usize) -> Option<PathBuf> {
    let found = names
        .iter()
        .map(|name| folder.join(name))
        .find(|path| path.is_file());
    if found.is_some() || depth >= FOLDER_DEPTH_MAX {
        return found;
    }
    let mut folders: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(folder).ok()?.flatten() {
        *left = left.checked_sub(1)?;
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            folders.push(entry.path());
        }
    }
    folders.sort();
    folders
        .iter()
        .find_map(|folder| named_below(folder, names, depth + 1, left))
}

fn told(ledger: &Ledger<'_>, number: usize) -> String {
    let directive = ledger.directive(number);
    let shown = super::reasons::shown(directive);
    let place = ledger.tree.place(directive.place);
    match ledger.tree.scope(directive) {
        Some(section) => format!("{place}: {shown}, in {}", section.written),
        None => format!("{place}: {shown}"),
    }
}

fn closed(ledger: &Ledger<'_>, number: usize) -> (usize, String) {
    let told = told(ledger, number);
    (
        number,
        format!("{told}: Apache keeps clients out, and Hotplate has no access control"),
    )
}

/// Whether a pattern is about files with a leading dot, which are never sent.
fn is_about_hidden_files(written: &str) -> bool {
    let pattern = written
        .rsplit(' ')
        .next()
        .unwrap_or_default()
        .trim_matches('"');
    pattern.starts_with("^\\.") || pattern.starts_with(".ht") || pattern.contains("/\\.")
}

/// Whether a location is a handler's, so that no file and no origin is behind it.
fn is_handled(ledger: &Ledger<'_>, host: usize, path: &str) -> bool {
    ledger.of_host(host, "sethandler").iter().any(|number| {
        let directive = ledger.directive(*number);
        let scope = ledger.tree.scope(directive).map(|section| &section.scope);
        scope == Some(&Scope::Location(path.to_owned())) && running::is_run(directive.word(0))
    })
}
