//! The host names of servers, and which requests come to a virtual host.

use super::super::page::{Entry, Fate, Note, list};
use super::ledger::Ledger;
use super::listen::{Listener, unknown};
use super::tree::MAIN;
use crate::config::values;

/// Most hosts of a site.
const HOSTS_MAX: usize = 1024;

/// The names of a host.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// The names, in lower case, each once.
    pub(super) names: Vec<String>,
    /// What is told about them.
    pub(super) notes: Vec<Note>,
}

/// The names that a host says it has.
pub(super) fn names(ledger: &mut Ledger<'_>, host: usize) -> Names {
    let mut found = Names::default();
    let own = |ledger: &Ledger<'_>, name: &str| {
        let mut numbers = ledger.of_host(host, name);
        numbers.retain(|number| ledger.directive(*number).host == host);
        numbers
    };
    let mut server_names = own(ledger, "servername");
    let last = server_names.pop();
    for number in server_names {
        let note = ledger.note(number, Fate::Dropped, "another one after it says it again");
        found.notes.push(note);
    }
    for number in last.into_iter().chain(own(ledger, "serveralias")) {
        let directive = ledger.directive(number);
        if !directive.unknown.is_empty() {
            let note = ledger.note(number, Fate::Dropped, unknown(&directive.unknown));
            found.notes.push(note);
            continue;
        }
        let mut refused = Vec::new();
        for word in &directive.words {
            match values::host(bare(word)) {
                Ok(name) if name != "*" && found.names.len() < HOSTS_MAX => {
                    if !found.names.contains(&name) {
                        found.names.push(name);
                    }
                }
                _ => refused.push(word.as_str()),
            }
        }
        let note = match refused.is_empty() {
            true => ledger.note(number, Fate::Translated, ""),
            false => {
                let why = format!(
                    "without {}: hosts are whole names, without wildcards",
                    refused.join(" ")
                );
                ledger.note(number, Fate::Changed, why)
            }
        };
        found.notes.push(note);
    }
    found
}

/// A server name without scheme and port.
fn bare(name: &str) -> &str {
    let rest = name.split_once("://").map_or(name, |(_, rest)| rest);
    match rest.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => rest,
    }
}

/// How requests come to a virtual host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reached {
    /// From every listener.
    Everywhere,
    /// From some of them.
    InPart,
    /// From none.
    Never,
    /// By TLS.
    Tls,
}

/// How requests come to a virtual host.
pub(super) fn reached(ledger: &Ledger<'_>, host: usize, listeners: &[Listener]) -> Reached {
    let addresses = &ledger.tree.hosts[host].addresses;
    let engine = ledger.last(host, "sslengine");
    let is_on =
        engine.is_some_and(|number| !ledger.directive(number).word(0).eq_ignore_ascii_case("off"));
    let is_443 = !addresses.is_empty() && addresses.iter().all(|address| address.ends_with(":443"));
    if is_on || (is_443 && engine.is_none()) {
        return Reached::Tls;
    }
    let is_covered = |listener: &&Listener| {
        addresses
            .iter()
            .any(|address| listener.is_covered_by(address))
    };
    match listeners.iter().filter(is_covered).count() {
        count if count == listeners.len() => Reached::Everywhere,
        0 => Reached::Never,
        _ => Reached::InPart,
    }
}

/// Whether requests come to the main server: from listeners that no virtual host has.
pub(super) fn reaches_main(ledger: &Ledger<'_>, listeners: &[Listener]) -> bool {
    let hosts = ledger.tree.hosts.get(MAIN + 1..).unwrap_or_default();
    let addresses = || hosts.iter().flat_map(|host| &host.addresses);
    let is_open = |listener: &Listener| !addresses().any(|address| listener.is_covered_by(address));
    hosts.is_empty() || listeners.iter().any(is_open)
}

/// The key `hosts`.
pub(super) fn entry(names: &[String], notes: Vec<Note>) -> Entry {
    Entry::needed("hosts", list(names), notes)
}

#[cfg(test)]
mod tests {
    use super::bare;

    #[test]
    fn name_is_without_scheme_and_port() {
        let cases = [
            ("media.example", "media.example"),
            ("https://media.example:443", "media.example"),
            ("media.example:80", "media.example"),
            ("[::1]:80", "[::1]"),
        ];
        for (name, expected) in cases {
            assert_eq!(bare(name), expected);
        }
    }
}
