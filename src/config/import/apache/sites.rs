//! The sites: what each server of an Apache config becomes, and why one is a comment.

use std::path::{Path, PathBuf};

use super::super::fault::ImportError;
use super::super::page::{Block, Entry, Fate, Note, text};
use super::access::{self, Served};
use super::caching::{self, For};
use super::ledger::Ledger;
use super::listen::{Listener, unknown};
use super::local::{self, Files, Mapping};
use super::names::{self, Names, Reached};
use super::origin::{self, Origin};
use super::tree::MAIN;

/// Why a site without anything to serve is a comment.
const NOTHING: &str =
    "neither a DocumentRoot nor a ProxyPass that can be followed says what it serves";

/// All sites, and what stands beside them.
#[derive(Debug, Default)]
pub(super) struct Sites {
    /// The `[[site]]` tables.
    pub(super) blocks: Vec<Block>,
    /// The `[[pin]]` tables.
    pub(super) pins: Vec<Block>,
    /// The longest wait for an origin, in seconds.
    pub(super) longest_wait: u64,
}

/// What the sites so far have taken.
#[derive(Debug, Default)]
struct Taken {
    hosts: Vec<String>,
    has_default: bool,
}

/// What is the same for all sites.
#[derive(Clone, Copy, Debug)]
pub(super) struct Common<'c> {
    /// Where Apache listens.
    pub(super) listeners: &'c [Listener],
    /// Whether there is a disk store.
    pub(super) has_disk: bool,
    /// Whether sites that open what was closed are no comments.
    pub(super) opens: bool,
}

/// Makes the sites.
pub(super) fn sites(ledger: &mut Ledger<'_>, common: Common<'_>) -> Result<Sites, ImportError> {
    let mut sites = Sites::default();
    let mut taken = Taken::default();
    let mut files = Vec::new();
    let count = ledger.tree.hosts.len();
    let main_is_reached = names::reaches_main(ledger, common.listeners);
    // The first virtual host of all listeners is for names that no other has.
    let is_first =
        |host: &usize| names::reached(ledger, *host, common.listeners) == Reached::Everywhere;
    let default = (MAIN + 1..count).find(is_first);
    // Without names of its own, a site is told from others by being the default; so the main server comes last.
    let mut hosts: Vec<usize> = (MAIN + 1..count).collect();
    if main_is_reached {
        hosts.push(MAIN);
    }
    let default = if count == 1 { Some(MAIN) } else { default };
    for host in hosts {
        let site = Site {
            host,
            is_default: default == Some(host),
            is_alone: count == 1 || (count == 2 && !main_is_reached),
        };
        files.push(site.make(ledger, common, &mut taken, &mut sites)?);
    }
    let (pins, notes) = local::pins(ledger, &files)?;
    sites.pins.extend(pins);
    let unheeded = caching::unheeded(ledger);
    if let Some(site) = sites.blocks.first_mut() {
        site.notes.extend(unheeded);
        site.notes.extend(notes);
    }
    Ok(sites)
}

/// What is said about a server.
#[derive(Debug)]
struct Parts {
    block: Block,
    names: Names,
    origin: Origin,
    root: Option<PathBuf>,
    cache_control: Option<(String, Note)>,
    rules: Vec<Block>,
    for_what: For,
    /// What would be open as a site and is closed in Apache.
    opens: Vec<String>,
}

/// A server that becomes a site.
#[derive(Clone, Copy, Debug)]
struct Site {
    host: usize,
    is_default: bool,
    is_alone: bool,
}

impl Site {
    fn make(
        self,
        ledger: &mut Ledger<'_>,
        common: Common<'_>,
        taken: &mut Taken,
        sites: &mut Sites,
    ) -> Result<Files, ImportError> {
        let Parts {
            mut block,
            names,
            mut origin,
            root,
            cache_control,
            rules,
            for_what,
            opens,
        } = self.parts(ledger, common)?;
        sites.longest_wait = sites.longest_wait.max(origin.longest_wait);
        let own_names = names.names.clone();
        // A site that stays a comment leaves its hosts to another.
        let is_in = (common.opens || opens.is_empty()) && for_what != For::Nothing;
        let cannot = self.hosts(&mut block, names, taken, is_in);
        block.out.extend(cannot);
        let mut files = Files {
            mappings: self.mappings(ledger, root.as_deref()),
            hosts: self.pin_hosts(&block, &own_names),
            cache_control: cache_control.as_ref().map(|(value, _)| value.clone()),
            out: false,
        };
        if let Some((value, note)) = cache_control {
            let value = text(&value);
            block
                .entries
                .push(Entry::new("cache_control", value, vec![note]));
        }
        block.entries.append(&mut origin.entries);
        block.inner = rules;
        if for_what == For::Nothing {
            block.out.push(NOTHING.to_owned());
            if !block.inner.is_empty() {
                let note = Ledger::unsaid("no ProxyPass", "write where the responses come from");
                let value = text("http://127.0.0.1:8000");
                block.entries.push(Entry::new("origin", value, vec![note]));
            }
        }
        if common.opens {
            let opened = |why| Ledger::unsaid("open now, by --open", why);
            block.notes.extend(opens.into_iter().map(opened));
        } else {
            block.out.extend(opens);
        }
        files.out = !block.out.is_empty();
        if let Some((_, document_root)) = local::root(ledger, self.host) {
            for (number, prefix) in origin.local {
                let pin = local::folder_pin(ledger, number, &document_root, &prefix, &files);
                sites.pins.push(pin);
            }
        }
        sites.blocks.push(block);
        Ok(files)
    }

    /// Reads all that is said about the server.
    fn parts(self, ledger: &mut Ledger<'_>, common: Common<'_>) -> Result<Parts, ImportError> {
        let mut block = Block::new("[[site]]");
        let host = &ledger.tree.hosts[self.host];
        if self.host != MAIN {
            block.notes.push(Note {
                fate: Fate::Translated,
                place: ledger.tree.place(host.place),
                what: host.written.clone(),
                why: String::new(),
            });
        }
        let names = names::names(ledger, self.host);
        let mut origin = origin::origin(ledger, self.host)?;
        let root = self.root(ledger, &mut block, origin.takes_all);
        let (cache_control, told) = local::cache_control(ledger, self.host, root.as_deref());
        block.notes.extend(told);
        let for_what = match (origin.is_some(), root.is_some()) {
            (true, _) => For::Origin,
            (false, true) => For::Files,
            (false, false) => For::Nothing,
        };
        let (mut rules, told) = caching::rules(ledger, self.host, for_what, common.has_disk)?;
        block.notes.extend(told);
        self.canonical_name(ledger, &names, &mut rules);
        block.notes.append(&mut origin.notes);
        let served = Served {
            root: root.as_deref(),
            has_origin: origin.is_some(),
            runs_files: origin.runs_files,
        };
        let mut opens = std::mem::take(&mut origin.opens);
        for (number, reason) in access::reasons(ledger, self.host, served) {
            ledger.tell(number);
            opens.push(reason);
        }
        opens.extend(self.reach(ledger, common.listeners));
        Ok(Parts {
            block,
            names,
            origin,
            root,
            cache_control,
            rules,
            for_what,
            opens,
        })
    }

    /// Adds the key `root`, where local files are sent.
    fn root(self, ledger: &mut Ledger<'_>, block: &mut Block, takes_all: bool) -> Option<PathBuf> {
        let Some((number, path)) = local::root(ledger, self.host) else {
            let number = ledger.last(self.host, "documentroot")?;
            let directive = ledger.directive(number);
            let note = ledger.note(number, Fate::Dropped, unknown(&directive.unknown));
            block.notes.push(note);
            return None;
        };
        if let Some(many) = ledger.last(self.host, "virtualdocumentroot") {
            let why = "a folder for each host, and a site has one root: write a site for each";
            let note = ledger.note(many, Fate::Dropped, why);
            block.notes.push(note);
            return None;
        }
        if takes_all {
            let why = "all paths go to the proxy in Apache; with root, files of this folder would go before the origin";
            let note = ledger.note(number, Fate::Dropped, why);
            block.notes.push(note);
            return None;
        }
        let note = ledger.note(number, Fate::Translated, "");
        block.entries.push(Entry::new(
            "root",
            text(&path.to_string_lossy()),
            vec![note],
        ));
        Some(path)
    }

    /// Adds the key `hosts`; returns why the site can't stand beside those before it.
    fn hosts(
        self,
        block: &mut Block,
        names: Names,
        taken: &mut Taken,
        is_in: bool,
    ) -> Option<String> {
        let Names { names, mut notes } = names;
        if self.is_default && !taken.has_default {
            taken.has_default |= is_in;
            if !self.is_alone {
                notes.push(Ledger::unsaid(
                    "the first of the servers",
                    "it answers for its names and for all that no other site has",
                ));
            }
            for note in &mut notes {
                if self.is_alone && note.fate == Fate::Translated {
                    note.why = "the only site answers for every host".to_owned();
                }
            }
            block.entries.insert(0, names::entry(&[], notes));
            return None;
        }
        let (twice, free): (Vec<String>, Vec<String>) = names
            .into_iter()
            .partition(|name| taken.hosts.contains(name));
        let is_without = free.is_empty();
        let shown = if is_without { &twice } else { &free };
        block.entries.insert(0, names::entry(shown, notes));
        if is_without && twice.is_empty() {
            return Some("it has no ServerName, so no request can be told to be for it".to_owned());
        }
        if is_without {
            return Some("its hosts have a site already".to_owned());
        }
        if is_in {
            taken.hosts.extend(free);
        }
        None
    }

    /// The hosts that a pin of the site's files is for: of the site for all other hosts its own names.
    fn pin_hosts(self, block: &Block, own: &[String]) -> Option<Vec<String>> {
        let is_default = block
            .entries
            .first()
            .is_some_and(|entry| entry.value == "[]");
        match (self.is_alone && is_default, own.is_empty()) {
            (true, _) => Some(Vec::new()),
            (false, true) => None,
            (false, false) => Some(own.to_vec()),
        }
    }

    fn mappings(self, ledger: &Ledger<'_>, root: Option<&Path>) -> Vec<Mapping> {
        let mut mappings = local::aliases(ledger, self.host);
        if let Some(root) = root {
            mappings.push(Mapping {
                url: String::new(),
                path: root.to_path_buf(),
            });
        }
        mappings
    }

    /// `UseCanonicalName On`: aliases share what is stored.
    fn canonical_name(self, ledger: &mut Ledger<'_>, names: &Names, rules: &mut [Block]) {
        let Some(number) = ledger.last(self.host, "usecanonicalname") else {
            return;
        };
        let is_on = ledger.directive(number).word(0).eq_ignore_ascii_case("on");
        let (true, Some(first)) = (is_on && names.names.len() > 1, names.names.first()) else {
            return;
        };
        for rule in rules {
            let has = |name: &str| rule.entries.iter().any(|entry| entry.name == name);
            if has("tiers") && !has("key_base_url") {
                let note = ledger.note(
                    number,
                    Fate::Translated,
                    "all names of the site share what is stored",
                );
                rule.entries.push(Entry::new(
                    "key_base_url",
                    text(&format!("http://{first}")),
                    vec![note],
                ));
            }
        }
    }

    /// Why requests would come to the site that don't come to the server.
    fn reach(self, ledger: &Ledger<'_>, listeners: &[Listener]) -> Option<String> {
        let host = &ledger.tree.hosts[self.host];
        let place = ledger.tree.place(host.place);
        let written = &host.written;
        if self.host == MAIN {
            let has_others = ledger.tree.hosts.len() > 1;
            return has_others.then(|| "the main server gets only what comes in where no VirtualHost is; a site is for all listeners".to_owned());
        }
        let why = match names::reached(ledger, self.host, listeners) {
            Reached::Everywhere => return None,
            Reached::InPart => "it is for some of the listeners; a site is for all of them",
            Reached::Never => "no Listen is for it, so no request comes to it in Apache",
            Reached::Tls => {
                "its clients speak TLS, which Hotplate does not: a terminating proxy has to stand before it, and nobody else may reach its listeners"
            }
        };
        Some(format!("{place}: {written}: {why}"))
    }
}
