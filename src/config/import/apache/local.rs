//! Local files: `DocumentRoot`, `Alias`, the Cache-Control field of files, `CacheFile` and `MMapFile`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::super::fault::ImportError;
use super::super::page::{Block, Entry, Fate, Note, list, text};
use super::ledger::Ledger;
use super::listen::unknown;
use super::tree::{MAIN, Scope, Section};
use crate::config::values;
use crate::http::target::encode_path;

/// How many files a comment names.
const NAMES_SHOWN: usize = 8;
/// Most pins.
const PINS_MAX: usize = 16_384;
/// Largest file that Apache keeps ready.
const APACHE_BYTES_MAX: u64 = 16 << 20;

/// A URL path and the folder or file behind it.
#[derive(Clone, Debug)]
pub(super) struct Mapping {
    /// The path, without a slash at its end.
    pub(super) url: String,
    /// The folder or file.
    pub(super) path: PathBuf,
}

/// What a site's files are, for those who pin some of them.
#[derive(Clone, Debug)]
pub(super) struct Files {
    /// Its folders, the root first.
    pub(super) mappings: Vec<Mapping>,
    /// The hosts that pins of it are for; none: they can't be told from those of other sites.
    pub(super) hosts: Option<Vec<String>>,
    /// The Cache-Control field of its files.
    pub(super) cache_control: Option<String>,
    /// Whether the site is a comment.
    pub(super) out: bool,
}

/// The folder of a host's files.
pub(super) fn root(ledger: &Ledger<'_>, host: usize) -> Option<(usize, PathBuf)> {
    let number = ledger.last(host, "documentroot")?;
    let directive = ledger.directive(number);
    if !directive.unknown.is_empty() || directive.word(0).is_empty() {
        return None;
    }
    let path = ledger.tree.server_root.join(directive.word(0));
    Some((number, path.components().collect()))
}

/// The folders that `Alias` puts below URL paths of a host.
pub(super) fn aliases(ledger: &Ledger<'_>, host: usize) -> Vec<Mapping> {
    let numbers = ledger.of_host(host, "alias").into_iter();
    let plain = numbers
        .map(|number| ledger.directive(number))
        .filter(|directive| directive.words.len() == 2);
    plain
        .map(|directive| Mapping {
            url: directive.word(0).trim_end_matches('/').to_owned(),
            path: ledger
                .tree
                .server_root
                .join(directive.word(1))
                .components()
                .collect(),
        })
        .collect()
}

/// The Cache-Control field that `Header` gives the files of a site, and notes on those that do something else.
pub(super) fn cache_control(
    ledger: &mut Ledger<'_>,
    host: usize,
    root: Option<&Path>,
) -> (Option<(String, Note)>, Vec<Note>) {
    let mut found: Option<(usize, String)> = None;
    let mut notes = Vec::new();
    for number in ledger.of_host(host, "header") {
        let directive = ledger.directive(number);
        let words: Vec<&str> = directive.words.iter().map(String::as_str).collect();
        let words = match words.as_slice() {
            [condition, rest @ ..]
                if condition.eq_ignore_ascii_case("always")
                    || condition.eq_ignore_ascii_case("onsuccess") =>
            {
                rest
            }
            all => all,
        };
        let ([action, name, ..], Some(root)) = (words, root) else {
            if directive
                .words
                .iter()
                .any(|word| word.eq_ignore_ascii_case("cache-control"))
            {
                notes.push(ledger.note(number, Fate::Dropped, "an origin's answers keep their own field; default_ttl, max_ttl and the like of a rule say how long they are stored"));
            }
            continue;
        };
        if !name.eq_ignore_ascii_case("cache-control") {
            continue;
        }
        let why = match (action.to_ascii_lowercase().as_str(), words) {
            _ if !is_for_all(ledger.tree.scope(directive), root) => {
                "for a part of the files only: a [[pin]] of them can have a cache_control of its own"
            }
            ("set", [_, _, value]) => match values::field_value(&value.replace("%%", "%")) {
                Ok(_) if value.replace("%%", "").contains('%') => {
                    "the value is made for each answer"
                }
                Ok(value) => {
                    if let Some((before, _)) = found.replace((number, value)) {
                        notes.push(ledger.note(
                            before,
                            Fate::Dropped,
                            "another one after it says it again",
                        ));
                    }
                    continue;
                }
                Err(_) => "not a value that a field can have",
            },
            ("set", _) => "it holds under a condition",
            ("unset", _) => "files have no Cache-Control unless one is set",
            _ => "only setting the whole field is known here",
        };
        notes.push(ledger.note(number, Fate::Dropped, why));
    }
    let found = found.map(|(number, value)| {
        let why = "for files; answers of an origin keep their own";
        (value, ledger.note(number, Fate::Translated, why))
    });
    (found, notes)
}

/// Whether what stands in a section is for all files of the root.
fn is_for_all(section: Option<&Section>, root: &Path) -> bool {
    match section.map(|section| &section.scope) {
        None => true,
        Some(Scope::Directory(path)) => root.starts_with(path),
        Some(Scope::Location(path)) => path == "/",
        Some(_) => false,
    }
}

/// The pins that `CacheFile` and `MMapFile` ask for, below the first of the sites that has the file.
pub(super) fn pins(
    ledger: &mut Ledger<'_>,
    sites: &[Files],
) -> Result<(Vec<Block>, Vec<Note>), ImportError> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut notes = Vec::new();
    let mut seen: BTreeSet<PathBuf> = BTreeSet::new();
    for (name, hold) in [("cachefile", "file"), ("mmapfile", "mmap")] {
        for number in ledger.of_host(MAIN, name) {
            let directive = ledger.directive(number);
            if directive.words.is_empty() {
                return Err(ledger.tree.wrong(directive, 0, "followed by a file"));
            }
            if !directive.unknown.is_empty() {
                notes.push(ledger.note(number, Fate::Dropped, unknown(&directive.unknown)));
                continue;
            }
            let mut unpinned: BTreeMap<Unpinned, Vec<&str>> = BTreeMap::new();
            for word in &directive.words {
                let path: PathBuf = ledger.tree.server_root.join(word).components().collect();
                let why = match () {
                    () if blocks.len() >= PINS_MAX => Unpinned::TooMany,
                    () if seen.contains(&path) => Unpinned::Already,
                    () if path.is_dir() => Unpinned::Folder,
                    () => {
                        let found = pin(ledger, number, &path, hold, sites);
                        seen.insert(path);
                        if !found.is_empty() {
                            blocks.extend(found);
                            continue;
                        }
                        Unpinned::NoUrl
                    }
                };
                unpinned.entry(why).or_default().push(word);
            }
            for (why, words) in unpinned {
                let why = format!("{}: {}", some(&words), why.words());
                notes.push(ledger.note(number, Fate::Dropped, why));
            }
        }
    }
    Ok((blocks, notes))
}

/// Why a file is no pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Unpinned {
    Already,
    Folder,
    NoUrl,
    TooMany,
}

impl Unpinned {
    const fn words(self) -> &'static str {
        match self {
            Self::Already => "pinned already",
            Self::Folder => "a folder, which Apache passes over; a [[pin]] can have one, or a glob",
            Self::NoUrl => "below no DocumentRoot and no Alias, so there is no URL for it",
            Self::TooMany => {
                "no more than 16384 pins are made; a [[pin]] can have a folder or a glob"
            }
        }
    }
}

/// The first of some words, and how many more there are.
fn some(words: &[&str]) -> String {
    let first = words.iter().take(NAMES_SHOWN);
    let mut shown = first.copied().collect::<Vec<_>>().join(" ");
    if words.len() > NAMES_SHOWN {
        shown.push_str(&format!(" and {} more", words.len() - NAMES_SHOWN));
    }
    shown
}

/// The pins of one file: one for each site that has it.
fn pin(
    ledger: &mut Ledger<'_>,
    number: usize,
    path: &Path,
    hold: &str,
    sites: &[Files],
) -> Vec<Block> {
    let mut blocks = Vec::new();
    for site in sites {
        let Some(url) = url_of(&site.mappings, path) else {
            continue;
        };
        let mut block = Block::new("[[pin]]");
        let mut why = "a change on disk is seen within a second, and never sent below the old file's ETag; on_change = \"keep\" keeps the \
             file as it was at start, as Apache does".to_owned();
        match std::fs::metadata(path) {
            Err(error) => why.push_str(&format!(
                ". Missing now ({error}): that is a warning at start, and the pin waits for it"
            )),
            Ok(file) if file.len() > APACHE_BYTES_MAX => why.push_str(
                ". Apache passes over files of more than 16 MiB; here they are pinned too",
            ),
            Ok(_) => {}
        }
        block.notes.push(ledger.note(number, Fate::Changed, why));
        block.entries.push(Entry::needed(
            "path",
            text(&path.to_string_lossy()),
            Vec::new(),
        ));
        block
            .entries
            .push(Entry::needed("url", text(&url), Vec::new()));
        match &site.hosts {
            Some(hosts) if hosts.is_empty() => {}
            Some(hosts) => block.entries.push(Entry::needed("hosts", list(hosts), Vec::new())),
            None => block.out.push("the site is for all hosts that no other has, and a pin can't say that: name its hosts".to_owned()),
        }
        block
            .entries
            .push(Entry::new("hold", text(hold), Vec::new()));
        if let Some(value) = &site.cache_control {
            block
                .entries
                .push(Entry::new("cache_control", text(value), Vec::new()));
        }
        if site.out {
            block.out.push("its site is left out".to_owned());
        }
        let is_same = |known: &Block| says(known) == says(&block);
        if !blocks.iter().any(is_same) {
            blocks.push(block);
        }
    }
    blocks
}

/// What tells one pin from another: its path, URL and hosts.
fn says(pin: &Block) -> Vec<(&'static str, &str)> {
    let keys = pin.entries.iter().filter(|entry| entry.is_needed);
    keys.map(|entry| (entry.name, entry.value.as_str()))
        .collect()
}

/// The URL path of a file, by the first of the mappings that has it.
fn url_of(mappings: &[Mapping], path: &Path) -> Option<String> {
    mappings.iter().find_map(|mapping| {
        let below = path.strip_prefix(&mapping.path).ok()?;
        let mut url = mapping.url.clone();
        for name in below.components() {
            let mut encoded = Vec::new();
            encode_path(name.as_os_str().as_encoded_bytes(), &mut encoded);
            url.push('/');
            url.push_str(&String::from_utf8_lossy(&encoded));
        }
        Some(if url.is_empty() { "/".to_owned() } else { url })
    })
}

/// The pin of a folder whose files go before an origin that has all other paths.
pub(super) fn folder_pin(
    ledger: &mut Ledger<'_>,
    number: usize,
    root: &Path,
    prefix: &str,
    site: &Files,
) -> Block {
    let mut block = Block::new("[[pin]]");
    let folder = root.join(prefix.trim_start_matches('/'));
    let why = "the files of this folder go before the origin, as pins: an open file each. What is not there is asked of the origin";
    block.notes.push(ledger.note(number, Fate::Changed, why));
    block.entries.push(Entry::needed(
        "path",
        text(&format!("{}/", folder.to_string_lossy())),
        Vec::new(),
    ));
    block.entries.push(Entry::needed(
        "url",
        text(&format!("{prefix}/")),
        Vec::new(),
    ));
    match &site.hosts {
        Some(hosts) if hosts.is_empty() => {}
        Some(hosts) => block
            .entries
            .push(Entry::needed("hosts", list(hosts), Vec::new())),
        None => block.out.push(
            "the site is for all hosts that no other has, and a pin can't say that: name its hosts"
                .to_owned(),
        ),
    }
    if site.out {
        block.out.push("its site is left out".to_owned());
    }
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_has_the_url_of_the_folder_that_it_is_below() {
        let mapping = |url: &str, path: &str| Mapping {
            url: url.to_owned(),
            path: path.into(),
        };
        let mappings = [
            mapping("/icons", "/usr/icons"),
            mapping("", "/srv/www"),
            mapping("/one", "/srv/other/a.txt"),
        ];
        let cases = [
            ("/srv/www/a b/c.html", Some("/a%20b/c.html")),
            ("/usr/icons/x.png", Some("/icons/x.png")),
            ("/srv/other/a.txt", Some("/one")),
            ("/srv/wwwx/a", None),
        ];
        for (path, expected) in cases {
            assert_eq!(
                url_of(&mappings, Path::new(path)).as_deref(),
                expected,
                "{path}"
            );
        }
    }
}
