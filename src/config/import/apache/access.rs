//! What Apache keeps from clients that Hotplate would send them: access control, and files that are run, not sent.
//!
//! An import never opens what was closed. A site of which that might be said is printed as a comment with the reasons.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::ledger::Ledger;
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

/// Whether a directive closes or opens what it is about; none where it does neither.
fn closes(directive: &Directive) -> Option<bool> {
    let is = |at: usize, word: &str| directive.word(at).eq_ignore_ascii_case(word);
    match directive.name.as_str() {
        "require" => Some(!(is(0, "all") && is(1, "granted"))),
        "deny" => Some(true),
        "allow" if is(1, "all") => Some(false),
        "rewriterule" => forbids(directive.words.last()).then_some(true),
        "redirectmatch" | "redirect" => {
            let refuses = is(0, "gone") || directive.word(0).starts_with('4');
            (refuses && !directive.words.iter().any(|word| word.contains("/\\."))).then_some(true)
        }
        _ => None,
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
    let mut folders: BTreeMap<PathBuf, (bool, usize)> = BTreeMap::new();
    let mut locations: BTreeMap<&str, (bool, usize)> = BTreeMap::new();
    let of_host = |directive: &&Directive| directive.host == MAIN || directive.host == host;
    let directives = ledger.tree.directives.iter().enumerate();
    for (number, directive) in directives.filter(|(_, directive)| of_host(directive)) {
        if let Some(why) = runs(ledger, directive, served) {
            reasons.push((number, format!("{}: {why}", told(ledger, number))));
        }
        let Some(is_closed) = closes(directive) else {
            continue;
        };
        let section = ledger.tree.scope(directive);
        match section.map(|section| &section.scope) {
            None => {
                locations.insert("/", (is_closed, number));
            }
            Some(Scope::Directory(path)) => {
                folders.insert(path.clone(), (is_closed, number));
            }
            Some(Scope::Location(path)) => {
                locations.insert(path, (is_closed, number));
            }
            Some(Scope::Proxy(_) | Scope::Limit) if !served.has_origin => {}
            Some(Scope::Files(name)) if name.starts_with('.') => {}
            Some(Scope::Pattern(written)) if is_about_hidden_files(written) => {}
            Some(_) if is_closed => reasons.push(closed(ledger, number)),
            Some(_) => {}
        }
    }
    if let Some(root) = served.root {
        reasons.extend(closed_folders(ledger, root, &folders));
        reasons.extend(override_file(ledger, host, root));
    }
    for (path, (is_closed, number)) in locations {
        let is_served = served.has_origin || !is_handled(ledger, host, path);
        if is_closed && is_served {
            reasons.push(closed(ledger, number));
        }
    }
    reasons
}

/// The folders that are closed: the root itself, by the deepest word that is about it, and those below it.
fn closed_folders(
    ledger: &Ledger<'_>,
    root: &Path,
    folders: &BTreeMap<PathBuf, (bool, usize)>,
) -> Vec<(usize, String)> {
    let around = folders.iter().filter(|(path, _)| root.starts_with(path));
    let deepest = around.max_by_key(|(path, _)| path.components().count());
    let below = folders
        .iter()
        .filter(|(path, _)| path.starts_with(root) && *path != root);
    let is_hidden = |path: &Path| {
        let mut names = path.strip_prefix(root).unwrap_or(path).components();
        names.any(|name| name.as_os_str().as_encoded_bytes().starts_with(b"."))
    };
    let below = below.filter(|(path, _)| !is_hidden(path));
    let all = deepest.into_iter().chain(below);
    all.filter(|(_, (is_closed, _))| *is_closed)
        .map(|(_, (_, number))| closed(ledger, *number))
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
        !is_none && is_about(ledger, directive, root)
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
        scope == Some(&Scope::Location(path.to_owned())) && is_run(directive.word(0))
    })
}

/// Whether files of a handler are run.
fn is_run(handler: &str) -> bool {
    let harmless = [
        "none",
        "default-handler",
        "type-map",
        "send-as-is",
        "imap-file",
    ];
    !harmless
        .iter()
        .any(|known| handler.eq_ignore_ascii_case(known))
}

/// Why a directive has files run that would be sent as they are: their source.
fn runs(ledger: &Ledger<'_>, directive: &Directive, served: Served<'_>) -> Option<&'static str> {
    let root = served.root?;
    let sent = "files that Apache runs would be sent as they are, with their source";
    let word = directive.word(0).to_ascii_lowercase();
    let is_so = match directive.name.as_str() {
        "sethandler" => is_run(&word) && (!is_in_location(ledger, directive) || is_of_files(&word)),
        "addhandler" => is_run(&word),
        "addtype" => word.starts_with("application/x-httpd"),
        "addoutputfilter" | "setoutputfilter" => word.split(';').any(|filter| filter == "includes"),
        "loadmodule" => {
            word.starts_with("php")
                || word.starts_with("wsgi")
                || word.starts_with("perl")
                || word.starts_with("lua")
        }
        "options" => {
            directive
                .words
                .iter()
                .any(|word| word.trim_start_matches('+').eq_ignore_ascii_case("execcgi"))
                && is_about(ledger, directive, root)
        }
        "scriptalias" => Path::new(directive.word(1)).starts_with(root),
        "proxypassmatch" => served.runs_files && directive.word(1) != "!",
        _ => false,
    };
    is_so.then_some(sent)
}

/// Whether a handler is one that runs files, wherever it is set.
fn is_of_files(handler: &str) -> bool {
    handler.starts_with("application/x-httpd") || handler.starts_with("proxy:")
}

fn is_in_location(ledger: &Ledger<'_>, directive: &Directive) -> bool {
    let scope = ledger.tree.scope(directive).map(|section| &section.scope);
    matches!(scope, Some(Scope::Location(_)))
}

/// Whether a directive is about files of the root.
fn is_about(ledger: &Ledger<'_>, directive: &Directive, root: &Path) -> bool {
    match ledger.tree.scope(directive).map(|section| &section.scope) {
        Some(Scope::Directory(path)) => path.starts_with(root) || root.starts_with(path),
        _ => true,
    }
}
