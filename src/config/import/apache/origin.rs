//! A site's origin: the URL, or the balancer's URLs, that `ProxyPass` sends requests to, and how they are asked.

use super::super::fault::ImportError;
use super::super::page::{Entry, Fate, Note, list, seconds, text};
use super::ledger::Ledger;
use super::routes::{Route, Target, routes, why_unreachable};
use super::tree::Scope;
use crate::config::origin_url;

/// Most URLs of an origin.
const URLS_MAX: usize = 16;
/// Most connections to an origin.
const CONNECTIONS_MAX: u64 = 16_384;
/// Longest time-out in seconds.
const TIMEOUT_MAX: u64 = 3600;

/// What a host's requests that go to the proxy mean.
#[derive(Debug, Default)]
pub(super) struct Origin {
    /// The keys of the site; none where there is no origin.
    pub(super) entries: Vec<Entry>,
    /// Notes on what is no key.
    pub(super) notes: Vec<Note>,
    /// Whether all paths go to the proxy, so that no local file is sent but those below `local`.
    pub(super) takes_all: bool,
    /// Paths that don't go to the proxy although all others do.
    pub(super) local: Vec<(usize, String)>,
    /// What the origin would answer that Apache does not ask it.
    pub(super) opens: Vec<String>,
    /// Whether something else than an origin answers by a pattern, so that files may be what is run.
    pub(super) runs_files: bool,
    /// The longest wait among its time-outs, in seconds.
    pub(super) longest_wait: u64,
}

impl Origin {
    /// Whether there is one.
    pub(super) fn is_some(&self) -> bool {
        !self.entries.is_empty()
    }
}

/// The origin of a host.
pub(super) fn origin(ledger: &mut Ledger<'_>, host: usize) -> Result<Origin, ImportError> {
    let routes = routes(ledger, host)?;
    let mut origin = Origin::default();
    let is_catching =
        |route: &&Route| route.prefix.as_deref() == Some("") && route.target != Target::Local;
    let catching = routes.iter().find(is_catching);
    origin.takes_all = catching.is_some();
    let is_reached = |route: &&Route| {
        matches!(route.target, Target::Url { .. } | Target::Balancer { .. })
            && route.prefix.is_some()
            && route.keeps_paths()
    };
    let chosen = match catching {
        Some(route) => Some(route).filter(is_reached),
        None => routes.iter().find(is_reached),
    };
    if let Some(chosen) = chosen {
        urls(ledger, chosen, &mut origin);
    }
    let chosen = chosen.filter(|_| origin.is_some());
    for route in &routes {
        tell(ledger, route, chosen, &mut origin);
    }
    if let Some(chosen) = chosen.filter(|_| origin.is_some()) {
        asking(ledger, host, chosen, &mut origin)?;
    }
    Ok(origin)
}

/// Where the chosen route goes.
fn place_of(target: &Target) -> Option<(&str, &str)> {
    match target {
        Target::Url { base, path } => Some((base, path)),
        Target::Balancer { name, path } => Some((name, path)),
        Target::Local | Target::Unreachable(_) => None,
    }
}

/// Adds the key `origin`.
fn urls(ledger: &mut Ledger<'_>, route: &Route, origin: &mut Origin) {
    let Some((place, path)) = place_of(&route.target) else {
        return;
    };
    let base = if route.prefix.as_deref() == Some("") {
        path
    } else {
        ""
    };
    let is_all = origin.takes_all;
    let why = match (is_all, base) {
        (true, "") => "",
        (true, _) => "the URL's path goes before the requests'",
        (false, _) => "all paths go to the origin where no local file is found, not this one only",
    };
    let fate = if is_all {
        Fate::Translated
    } else {
        Fate::Changed
    };
    if let Target::Url { .. } = route.target {
        let note = ledger.note(route.number, fate, why);
        origin.entries.push(Entry::needed(
            "origin",
            text(&format!("{place}{base}")),
            vec![note],
        ));
        return;
    }
    let mut notes = vec![ledger.note(route.number, fate, why)];
    let mut urls: Vec<String> = Vec::new();
    let mut spare: Vec<String> = Vec::new();
    for (number, url, is_spare) in members(ledger, place) {
        match origin_url::origin(&url) {
            Ok(found) if urls.len() + spare.len() < URLS_MAX => {
                let url = format!("{found}{base}");
                if !urls.contains(&url) && !spare.contains(&url) {
                    if is_spare {
                        spare.push(url)
                    } else {
                        urls.push(url)
                    }
                }
                notes.push(ledger.note(number, Fate::Changed, "tried in their order, the next one when one can't be reached; the load is not balanced"));
            }
            Ok(_) => {
                notes.push(ledger.note(number, Fate::Dropped, "an origin has at most 16 URLs"))
            }
            Err(fault) => notes.push(ledger.note(number, Fate::Dropped, fault.to_string())),
        }
    }
    urls.append(&mut spare);
    if urls.is_empty() {
        origin.notes.append(&mut notes);
    } else {
        origin
            .entries
            .push(Entry::needed("origin", list(&urls), notes));
    }
}

/// The members of a balancer: number, URL, whether it is a spare one.
fn members(ledger: &Ledger<'_>, name: &str) -> Vec<(usize, String, bool)> {
    let mut found = Vec::new();
    for number in ledger.of_all("balancermember") {
        let directive = ledger.directive(number);
        let around = match ledger.tree.scope(directive).map(|section| &section.scope) {
            Some(Scope::Proxy(url)) => Some(url.as_str()),
            _ => None,
        };
        let (balancer, url) = match around {
            Some(around) => (around, directive.word(0)),
            None => (directive.word(0), directive.word(1)),
        };
        let is_spare = directive
            .words
            .iter()
            .any(|word| word.to_ascii_lowercase().starts_with("status=+h"));
        let balancer = balancer.to_ascii_lowercase();
        if balancer
            .strip_prefix("balancer://")
            .is_some_and(|found| found.trim_end_matches('/') == name)
        {
            found.push((number, url.trim_end_matches('/').to_owned(), is_spare));
        }
    }
    found
}

/// Tells what became of a route that is not the chosen one, and what the chosen one opens.
fn tell(ledger: &mut Ledger<'_>, route: &Route, chosen: Option<&Route>, origin: &mut Origin) {
    let directive = ledger.directive(route.number);
    let is_chosen = chosen.is_some_and(|chosen| chosen.number == route.number);
    let same_place = chosen
        .and_then(|chosen| place_of(&chosen.target))
        .map(|(place, _)| place.to_owned());
    let note = match (&route.prefix, &route.target) {
        (Some(prefix), _) if is_chosen => {
            if !prefix.is_empty() {
                origin.opens.push(format!(
                    "{}: Apache sends {prefix} alone to this origin; Hotplate asks it for every path that is no file below root. \
                     That is right where all the origin has may be seen",
                    ledger.tree.place(directive.place)
                ));
            }
            return;
        }
        (_, Target::Unreachable(why)) => {
            origin.runs_files |= route.prefix.is_none();
            ledger.note(route.number, Fate::Dropped, why_unreachable(directive, why))
        }
        (None, _) => {
            origin.runs_files = true;
            ledger.note(route.number, Fate::Dropped, "a site's origin is for all paths, not for those that fit a pattern")
        }
        (Some(prefix), Target::Local) => match chosen {
            Some(_) if origin.takes_all && !prefix.is_empty() => {
                origin.local.push((route.number, prefix.clone()));
                return;
            }
            _ => ledger.note(route.number, Fate::Translated, "files below root go before the origin anyway"),
        },
        (Some(_), target) => match place_of(target) {
            Some((place, _)) if same_place.as_deref() == Some(place) && route.keeps_paths() => {
                ledger.note(route.number, Fate::Translated, "the origin is for all paths")
            }
            _ if !route.keeps_paths() => ledger.note(
                route.number,
                Fate::Dropped,
                "it gives requests another path, and paths are not rewritten: give it a host of its own, whose origin has the path",
            ),
            _ => ledger.note(route.number, Fate::Dropped, "a site has one origin for all its paths: give it a host of its own"),
        },
    };
    origin.notes.push(note);
}

/// Adds the keys about how the origin is asked.
fn asking(
    ledger: &mut Ledger<'_>,
    host: usize,
    chosen: &Route,
    origin: &mut Origin,
) -> Result<(), ImportError> {
    host_field(ledger, host, origin);
    timeouts(ledger, host, chosen, origin)?;
    verification(ledger, host, origin);
    for name in [
        "proxypassreverse",
        "proxypassreversecookiedomain",
        "proxypassreversecookiepath",
    ] {
        for number in ledger.of_host(host, name) {
            let note = ledger.note(number, Fate::Dropped, "fields of the origin's answers are not rewritten: with host = \"\" it sees the clients' host and can redirect to it");
            origin.notes.push(note);
        }
    }
    Ok(())
}

/// The Host field that the origin gets.
fn host_field(ledger: &mut Ledger<'_>, host: usize, origin: &mut Origin) {
    let said = ledger.of_host(host, "proxypreservehost").pop();
    let is_preserved =
        said.is_some_and(|number| ledger.directive(number).word(0).eq_ignore_ascii_case("on"));
    let note = match (said, is_preserved) {
        (Some(number), true) => {
            let note = ledger.note(number, Fate::Translated, "");
            origin
                .entries
                .push(Entry::new("host", text(""), vec![note]));
            return;
        }
        (Some(number), false) => {
            ledger.note(number, Fate::Translated, "the origin gets its own name")
        }
        (None, _) => Note {
            fate: Fate::Translated,
            ..Ledger::unsaid(
                "ProxyPreserveHost Off",
                "Apache's default: the origin gets its own name",
            )
        },
    };
    let value = origin
        .entries
        .first()
        .map_or("", |entry| entry.value.as_str());
    let first = value
        .trim_start_matches('[')
        .trim_start_matches('"')
        .split('"')
        .next()
        .unwrap_or_default();
    let Some((_, rest)) = first.split_once("://") else {
        return;
    };
    let authority = rest.split('/').next().unwrap_or_default();
    origin
        .entries
        .push(Entry::needed("host", text(authority), vec![note]));
}

/// A parameter of a route that is a number; of a time, its seconds.
fn parameter(ledger: &Ledger<'_>, route: &Route, name: &str) -> Result<Option<u64>, ImportError> {
    let mut found = route
        .parameters
        .iter()
        .filter_map(|word| word.split_once('='));
    let Some((_, value)) = found.find(|(key, _)| key.eq_ignore_ascii_case(name)) else {
        return Ok(None);
    };
    let digits = value.strip_suffix("ms").unwrap_or(value);
    let Ok(number) = digits.parse::<u64>() else {
        let accepts = format!("followed by parameters, of which {name} is a number");
        return Err(ledger
            .tree
            .wrong(ledger.directive(route.number), 2, &accepts));
    };
    let is_fine = digits.len() < value.len();
    Ok(Some(if is_fine {
        number.div_ceil(1000)
    } else {
        number
    }))
}

/// The keys about times and connections.
fn timeouts(
    ledger: &mut Ledger<'_>,
    host: usize,
    chosen: &Route,
    origin: &mut Origin,
) -> Result<(), ImportError> {
    let connect = parameter(ledger, chosen, "connectiontimeout")?;
    let mut waits = vec![("connect_timeout", connect, chosen.number)];
    let mut answer = (parameter(ledger, chosen, "timeout")?, chosen.number);
    if let (None, Some(number)) = (answer.0, ledger.last(host, "proxytimeout")) {
        answer = (Some(super::stores::count(ledger, number, 0)?), number);
    }
    for key in ["first_byte_timeout", "between_bytes_timeout"] {
        waits.push((key, answer.0, answer.1));
    }
    for (key, time, number) in waits {
        let Some(time) = time else { continue };
        let kept = time.clamp(1, TIMEOUT_MAX);
        let (fate, why) = match kept == time {
            true => (Fate::Translated, ""),
            false => (Fate::Changed, "from a second to an hour"),
        };
        if key != "between_bytes_timeout" {
            origin.longest_wait = origin.longest_wait.max(kept);
        }
        let note = ledger.note(number, fate, why);
        origin
            .entries
            .push(Entry::new(key, seconds(kept), vec![note]));
    }
    if let Some(most) = parameter(ledger, chosen, "max")? {
        let kept = most.clamp(1, CONNECTIONS_MAX);
        let why = "for the whole server; in Apache for each of its processes";
        let note = ledger.note(chosen.number, Fate::Changed, why);
        origin
            .entries
            .push(Entry::new("connections", kept.to_string(), vec![note]));
    }
    Ok(())
}

/// How https origins prove who they are.
fn verification(ledger: &mut Ledger<'_>, host: usize, origin: &mut Origin) {
    let is_https = origin
        .entries
        .iter()
        .any(|entry| entry.name == "origin" && entry.value.contains("\"https://"));
    let verify = ledger.of_host(host, "sslproxyverify").pop();
    let certificates = ledger.of_host(host, "sslproxycacertificatefile").pop();
    if !is_https {
        for number in verify.into_iter().chain(certificates) {
            let note = ledger.note(number, Fate::Dropped, "no origin here is asked by https");
            origin.notes.push(note);
        }
        return;
    }
    let is_off = verify.is_some_and(|number| {
        ledger
            .directive(number)
            .word(0)
            .eq_ignore_ascii_case("none")
    });
    if let Some(number) = verify {
        let note = ledger.note(number, Fate::Translated, "");
        origin
            .entries
            .push(Entry::new("verify_peer", (!is_off).to_string(), vec![note]));
    } else {
        origin.notes.push(Ledger::unsaid(
            "no SSLProxyVerify",
            "Apache takes any certificate of an origin then; Hotplate verifies it. verify_peer = false turns that off",
        ));
    }
    if let Some(number) = certificates {
        let path = ledger
            .tree
            .server_root
            .join(ledger.directive(number).word(0));
        if is_off {
            let note = ledger.note(number, Fate::Dropped, "nothing is verified by it");
            origin.notes.push(note);
        } else {
            let note = ledger.note(number, Fate::Changed, "the system's certificates are trusted beside it; system_roots = false leaves them out");
            origin.entries.push(Entry::new(
                "ca_file",
                text(&path.to_string_lossy()),
                vec![note],
            ));
        }
    }
}
