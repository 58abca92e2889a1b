//! The directives of mod_cache that are settings of a path: what each says, and the key that says it here.

use super::super::fault::ImportError;
use super::super::page::{Entry, Fate, Note, list, seconds, text};
use super::ledger::Ledger;
use super::stores::count;
use super::tree::Directive;
use crate::config::rule_fault::RuleFault;
use crate::config::{origin_url, rule_values};

/// Longest lifetime that a key takes, in seconds.
const LIFETIME_MAX: u64 = 365 * 24 * 3600;
/// Most names of a list.
const NAMES_MAX: usize = 64;
/// The lifetime that Apache gives where nothing says another, in seconds.
const DEFAULT_EXPIRE: u64 = 3600;

/// The settings, by the names of their directives in lower case.
pub(super) const SETTINGS: [&str; 16] = [
    "cachedefaultexpire",
    "cachemaxexpire",
    "cacheminexpire",
    "cachelastmodifiedfactor",
    "cacheignorecachecontrol",
    "cachestoreprivate",
    "cachestorenostore",
    "cachestoreexpired",
    "cacheignorenolastmod",
    "cacheignoreheaders",
    "cacheignorequerystring",
    "cacheignoreurlsessionidentifiers",
    "cachestaleonerror",
    "cachekeybaseurl",
    "cacheheader",
    "cachedetailheader",
];

/// Whether several directives of a setting add up.
pub(super) fn is_list(name: &str) -> bool {
    name == "cacheignoreheaders" || name == "cacheignoreurlsessionidentifiers"
}

/// The settings that hold for a path: for each the directives that say it.
pub(super) type Effective = std::collections::BTreeMap<&'static str, Vec<usize>>;

/// Makes keys of the settings of a path.
#[derive(Debug)]
pub(super) struct Keys<'l, 't> {
    /// Who tells what became of them.
    pub(super) ledger: &'l mut Ledger<'t>,
    /// What holds for the path.
    pub(super) effective: &'l Effective,
    /// The keys.
    pub(super) entries: Vec<Entry>,
    /// Notes on what is no key.
    pub(super) notes: Vec<Note>,
}

impl Keys<'_, '_> {
    /// The keys of a path whose responses are stored.
    pub(super) fn stored(&mut self) -> Result<(), ImportError> {
        self.lifetimes()?;
        self.factor()?;
        for (name, key, why) in [
            ("cacheignorecachecontrol", "ignore_client_cache_control", ""),
            (
                "cachestoreprivate",
                "store_private",
                "one user's answers are sent to all",
            ),
            (
                "cachestorenostore",
                "store_no_store",
                "of responses; a request's no-store is heeded unless CacheIgnoreCacheControl is on, as in Apache",
            ),
            (
                "cachestoreexpired",
                "store_expired",
                "what has a validator is stored anyway",
            ),
        ] {
            self.flag(name, key, why)?;
        }
        self.fields();
        self.queries()?;
        self.stale()?;
        self.base();
        self.marks()
    }

    /// The keys of a path of which nothing is stored.
    pub(super) fn passed(&mut self) -> Result<(), ImportError> {
        self.marks()
    }

    fn number(&self, name: &str) -> Option<usize> {
        self.effective
            .get(name)
            .and_then(|numbers| numbers.last())
            .copied()
    }

    fn add(&mut self, key: &'static str, value: String, number: usize, fate: Fate, why: &str) {
        let note = self.ledger.note(number, fate, why);
        self.entries.push(Entry::new(key, value, vec![note]));
    }

    fn drop(&mut self, number: usize, why: &str) {
        let note = self.ledger.note(number, Fate::Dropped, why);
        self.notes.push(note);
    }

    /// Whether a flag is on; none where it isn't said.
    fn is_on(&self, name: &str) -> Result<Option<(usize, bool)>, ImportError> {
        let Some(number) = self.number(name) else {
            return Ok(None);
        };
        Ok(Some((
            number,
            on_off(self.ledger, self.ledger.directive(number))?,
        )))
    }

    fn flag(&mut self, name: &str, key: &'static str, why: &str) -> Result<(), ImportError> {
        match self.is_on(name)? {
            Some((number, true)) => self.add(key, "true".to_owned(), number, Fate::Translated, why),
            Some((number, false)) => {
                let note = self
                    .ledger
                    .note(number, Fate::Translated, "off is the default");
                self.notes.push(note);
            }
            None => {}
        }
        Ok(())
    }

    /// A time in seconds, and whether it had to be cut.
    fn time(&self, name: &str) -> Result<Option<(usize, u64)>, ImportError> {
        let Some(number) = self.number(name) else {
            return Ok(None);
        };
        Ok(Some((
            number,
            count(self.ledger, number, 0)?.min(LIFETIME_MAX),
        )))
    }

    fn lifetimes(&mut self) -> Result<(), ImportError> {
        let max = self.time("cachemaxexpire")?;
        let default = self.time("cachedefaultexpire")?;
        let lets_in = self.is_on("cacheignorenolastmod")?;
        let bound = max.map_or(u64::MAX, |(_, max)| max);
        if let Some((number, default)) = default {
            let (fate, why) = match default > bound {
                true => (
                    Fate::Changed,
                    "cut to max_ttl, which caps every lifetime; in Apache CacheMaxExpire does not cap this one",
                ),
                false => (Fate::Translated, ""),
            };
            self.add(
                "default_ttl",
                seconds(default.min(bound)),
                number,
                fate,
                why,
            );
        }
        if let Some((number, max)) = max {
            self.add("max_ttl", seconds(max), number, Fate::Changed, "caps every lifetime, as Apache's manual says; Apache itself caps only what it estimates from Last-Modified");
        }
        if let Some((number, min)) = self.time("cacheminexpire")? {
            match min {
                0 => {
                    let note = self
                        .ledger
                        .note(number, Fate::Translated, "none is the default");
                    self.notes.push(note);
                }
                _ => {
                    let why = format!(
                        "in Apache it raises only lifetimes that are estimated from Last-Modified. min_ttl = {} would raise those \
                         that the origin states too: write it if that is wanted",
                        seconds(min)
                    );
                    self.drop(number, &why);
                }
            }
        }
        match lets_in {
            Some((number, true)) => {
                if default.is_none() {
                    let note = Ledger::unsaid(
                        "CacheDefaultExpire 3600",
                        "Apache's default, which CacheIgnoreNoLastMod needs here in words",
                    );
                    self.entries.push(Entry::new(
                        "default_ttl",
                        seconds(DEFAULT_EXPIRE.min(bound)),
                        vec![note],
                    ));
                }
                self.add(
                    "ignore_no_last_modified",
                    "true".to_owned(),
                    number,
                    Fate::Translated,
                    "",
                );
            }
            _ => self.flag("cacheignorenolastmod", "ignore_no_last_modified", "")?,
        }
        Ok(())
    }

    fn factor(&mut self) -> Result<(), ImportError> {
        let Some(number) = self.number("cachelastmodifiedfactor") else {
            return Ok(());
        };
        let factor = factor(self.ledger, number)?;
        let kept = (factor.min(1.0) * 1000.0).round() / 1000.0;
        let (fate, why) = match (factor - kept).abs() < 1e-9 {
            true => (Fate::Translated, ""),
            false => (
                Fate::Changed,
                "a part of the time since Last-Modified, in thousandths and at most 1.0",
            ),
        };
        self.add("heuristic_factor", format!("{kept:?}"), number, fate, why);
        Ok(())
    }

    /// Fields that are not stored.
    fn fields(&mut self) {
        let numbers = self
            .effective
            .get("cacheignoreheaders")
            .cloned()
            .unwrap_or_default();
        let mut names: Vec<String> = Vec::new();
        let mut notes = Vec::new();
        let mut strips = Vec::new();
        for number in numbers {
            let directive = self.ledger.directive(number);
            let mut refused = Vec::new();
            let mut has_cookie = false;
            for word in &directive.words {
                match rule_values::ignored_field(word) {
                    _ if word.eq_ignore_ascii_case("none") => {}
                    Ok(name) if names.len() < NAMES_MAX => {
                        if !names.contains(&name.to_string()) {
                            names.push(name.to_string());
                        }
                    }
                    Ok(_) => refused.push(format!("{word}: at most 64 names")),
                    Err(RuleFault::FieldWithOwnKey) => has_cookie = true,
                    Err(fault) => refused.push(format!("{word}: {fault}")),
                }
            }
            let (fate, why) = match refused.is_empty() {
                true => (Fate::Translated, String::new()),
                false => (Fate::Changed, format!("without {}", refused.join("; "))),
            };
            let note = self.ledger.note(number, fate, why);
            if has_cookie {
                strips.push(note);
            } else {
                notes.push(note);
            }
        }
        if names.is_empty() {
            self.notes.append(&mut notes);
        } else {
            if notes.is_empty() {
                notes.clone_from(&strips);
            }
            self.entries
                .push(Entry::new("ignore_headers", list(&names), notes));
        }
        if !strips.is_empty() {
            self.entries
                .push(Entry::new("set_cookie", text("strip"), strips));
        }
    }

    /// What of the query makes no difference.
    fn queries(&mut self) -> Result<(), ImportError> {
        let ignores_all = matches!(self.is_on("cacheignorequerystring")?, Some((_, true)));
        self.flag("cacheignorequerystring", "ignore_query", "")?;
        let numbers = self
            .effective
            .get("cacheignoreurlsessionidentifiers")
            .cloned()
            .unwrap_or_default();
        let mut names: Vec<&str> = Vec::new();
        let mut notes = Vec::new();
        for number in numbers {
            let directive = self.ledger.directive(number);
            if ignores_all {
                self.drop(number, "the whole query makes no difference");
                continue;
            }
            let mut refused = Vec::new();
            for word in &directive.words {
                match rule_values::parameter(word) {
                    _ if word.eq_ignore_ascii_case("none") || names.contains(&word.as_str()) => {}
                    Ok(_) if names.len() < NAMES_MAX => names.push(word),
                    Ok(_) => refused.push(format!("{word}: at most 64 names")),
                    Err(fault) => refused.push(format!("{word}: {fault}")),
                }
            }
            let mut why = "in the query; in a path (;name=...) they make a difference".to_owned();
            if !refused.is_empty() {
                why.push_str(&format!("; without {}", refused.join("; ")));
            }
            notes.push(self.ledger.note(number, Fate::Changed, why));
        }
        if names.is_empty() {
            self.notes.append(&mut notes);
        } else {
            self.entries
                .push(Entry::new("strip_query", list(&names), notes));
        }
        Ok(())
    }

    fn stale(&mut self) -> Result<(), ImportError> {
        match self.is_on("cachestaleonerror")? {
            Some((number, true)) => self.add(
                "stale_if_error",
                text("24h"),
                number,
                Fate::Changed,
                "for a day at most; in Apache for ever, and even where the origin says no-cache",
            ),
            Some((number, false)) => {
                let why = "off is the default; an origin's own stale-if-error is heeded";
                let note = self.ledger.note(number, Fate::Translated, why);
                self.notes.push(note);
            }
            None => {}
        }
        Ok(())
    }

    fn base(&mut self) {
        let Some(number) = self.number("cachekeybaseurl") else {
            return;
        };
        match origin_url::key_base(self.ledger.directive(number).word(0)) {
            Ok(Some(base)) => self.add("key_base_url", text(&base), number, Fate::Translated, ""),
            Ok(None) => self.drop(number, "it says nothing"),
            Err(fault) => self.drop(number, &fault.to_string()),
        }
    }

    /// X-Cache and X-Cache-Detail.
    fn marks(&mut self) -> Result<(), ImportError> {
        let mut notes = Vec::new();
        let mut is_any = false;
        for name in ["cacheheader", "cachedetailheader"] {
            if let Some((number, is_on)) = self.is_on(name)? {
                is_any |= is_on;
                let why = if is_on {
                    "X-Cache and X-Cache-Detail both, beside Cache-Status"
                } else {
                    "off is the default"
                };
                notes.push(self.ledger.note(number, Fate::Translated, why));
            }
        }
        if is_any {
            self.entries
                .push(Entry::new("x_cache", "true".to_owned(), notes));
        } else {
            self.notes.append(&mut notes);
        }
        Ok(())
    }
}

/// Checks what a setting says although it may never take effect: Apache would not start with it.
pub(super) fn check(ledger: &Ledger<'_>, number: usize) -> Result<(), ImportError> {
    let directive = ledger.directive(number);
    match directive.name.as_str() {
        "cachedefaultexpire" | "cachemaxexpire" | "cacheminexpire" => {
            count(ledger, number, 0).map(drop)
        }
        "cachelastmodifiedfactor" => factor(ledger, number).map(drop),
        "cacheignoreheaders" | "cacheignoreurlsessionidentifiers" | "cachekeybaseurl" => {
            match directive.words.is_empty() {
                true => Err(ledger.tree.wrong(directive, 0, "followed by a value")),
                false => Ok(()),
            }
        }
        _ => on_off(ledger, directive).map(drop),
    }
}

/// A number that is not below 0.
fn factor(ledger: &Ledger<'_>, number: usize) -> Result<f64, ImportError> {
    let directive = ledger.directive(number);
    let read = directive.word(0).parse().ok();
    let accepts = "followed by a number, such as 0.1";
    read.filter(|factor: &f64| factor.is_finite() && *factor >= 0.0)
        .ok_or_else(|| ledger.tree.wrong(directive, 0, accepts))
}

fn on_off(ledger: &Ledger<'_>, directive: &Directive) -> Result<bool, ImportError> {
    match directive.word(0) {
        word if word.eq_ignore_ascii_case("on") => Ok(true),
        word if word.eq_ignore_ascii_case("off") => Ok(false),
        _ => Err(ledger.tree.wrong(directive, 0, "followed by On or Off")),
    }
}
