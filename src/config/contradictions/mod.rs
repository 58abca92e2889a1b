//! Parts of a config that are right by themselves and can't hold together.
//!
//! Overlapping globs are none of them: the first pin of a URL in the file wins. Two literal files under one URL are one,
//! because the second could never be served.

pub(super) mod library;
pub(super) mod origins;
pub(super) mod profiles;
pub(super) mod rules;
pub(super) mod stores;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;

use super::contradiction::Contradiction;
use super::draft::ReadSite;
use super::mistake::Cause;
use super::read::{Places, Report};
use super::{Settings, url, values};
use crate::admin::settings::AdminAddress;
use crate::store::pinned::PinRule;

/// `[server]`: listeners among themselves, and the admin address beside them.
pub(super) fn server(report: &mut Report<'_>, settings: &Settings, places: &Places) {
    let mut lines: HashMap<SocketAddr, usize> = HashMap::new();
    for (listener, place) in settings.server.listen.iter().zip(places.members("listen")) {
        let line = report.line(place);
        if listener.port() == 0 {
            continue; // the system chooses a port for each
        }
        if let Some(first) = lines.get(listener) {
            let twice = Contradiction::ListenerTwice { line: *first };
            add(report, place, "server.listen", twice);
        } else {
            lines.insert(*listener, line);
        }
    }
    let AdminAddress::Tcp(admin) = settings.admin.address else {
        return;
    };
    let place = places.of("admin").unwrap_or_else(|| places.header.clone());
    let mut clashes = lines
        .iter()
        .filter(|(listener, _)| clash(admin, **listener));
    if let Some((_, line)) = clashes.next() {
        let on_listener = Contradiction::AdminOnListener { line: *line };
        add(report, &place, "server.admin", on_listener);
    }
    let loopback = admin.ip().to_canonical().is_loopback();
    let has_token = !settings.admin.token.is_empty() || places.is_wrong("admin_token");
    if !loopback && !has_token {
        add(
            report,
            &place,
            "server.admin",
            Contradiction::AdminWithoutToken,
        );
    }
}

/// Whether two sockets can't both have their address: one port, and one address or a wildcard that covers both.
fn clash(one: SocketAddr, other: SocketAddr) -> bool {
    let covers = |wide: SocketAddr, narrow: SocketAddr| {
        wide.ip().is_unspecified() && (wide.is_ipv6() || narrow.is_ipv4())
    };
    one.port() == other.port()
        && one.port() != 0
        && (one.ip() == other.ip() || covers(one, other) || covers(other, one))
}

/// The `[[pin]]` tables: literal files under one URL of one host, many files under one URL.
pub(super) fn pins(report: &mut Report<'_>, pins: &[(PinRule, Places)]) {
    let mut lines: HashMap<(String, String), usize> = HashMap::new();
    for (pin, places) in pins {
        let (Some(url_place), Some(path_place)) = (places.of("url"), places.of("path")) else {
            continue;
        };
        if places.is_wrong("hosts") {
            continue;
        }
        if means_many(&pin.path) {
            if !pin.url.ends_with('/') {
                let many = Contradiction::ManyFilesOneUrl {
                    url: pin.url.clone(),
                };
                add(report, &path_place, "pin.path", many);
            }
            continue;
        }
        let url = url::of_file(&pin.url, &pin.path);
        let every_host = [String::new()];
        let hosts = if pin.hosts.is_empty() {
            &every_host[..]
        } else {
            &pin.hosts[..]
        };
        let mut first_line = None;
        for host in hosts {
            match lines.get(&(host.clone(), url.clone())) {
                Some(line) => first_line = first_line.or(Some(*line)),
                None => {
                    lines.insert((host.clone(), url.clone()), pin.line);
                }
            }
        }
        if let Some(line) = first_line {
            add(
                report,
                &url_place,
                "pin.url",
                Contradiction::UrlTwice { url, line },
            );
        }
    }
}

/// Whether a pin's path can mean more than one file.
fn means_many(path: &Path) -> bool {
    let is_folder = path.as_os_str().as_encoded_bytes().ends_with(b"/") || path.is_dir();
    is_folder || values::is_glob(path)
}

/// The `[[site]]` tables: hosts and the default claimed once.
pub(super) fn sites(report: &mut Report<'_>, sites: &[ReadSite]) {
    let mut default_line = None;
    let mut lines: HashMap<&str, usize> = HashMap::new();
    for ReadSite { draft, places, .. } in sites {
        let site = &draft.site;
        if site.hosts.is_empty() && !places.is_wrong("hosts") {
            match default_line {
                Some(line) => {
                    let twice = Contradiction::DefaultSiteTwice { line };
                    add(report, &places.header, "site.hosts", twice);
                }
                None => default_line = Some(site.line),
            }
        }
        for (host, place) in site.hosts.iter().zip(places.members("hosts")) {
            let line = report.line(place);
            match lines.get(host.as_str()) {
                Some(first) => {
                    let host = host.clone();
                    let twice = Contradiction::HostTwice { host, line: *first };
                    add(report, place, "site.hosts", twice);
                }
                None => {
                    lines.insert(host, line);
                }
            }
        }
    }
}

/// Makes a host list of `*` alone the empty list that means every host; beside others it is a mistake.
pub(super) fn every_host(
    report: &mut Report<'_>,
    table: &str,
    hosts: &mut Vec<String>,
    places: &Places,
) {
    let star = hosts.iter().position(|host| host == "*");
    let Some(star) = star else {
        return;
    };
    if hosts.len() > 1
        && let Some(place) = places.members("hosts").get(star).cloned()
    {
        add(
            report,
            &place,
            &format!("{table}.hosts"),
            Contradiction::EveryHostAndOthers,
        );
    }
    hosts.clear();
}

fn add(
    report: &mut Report<'_>,
    place: &std::ops::Range<usize>,
    key: &str,
    found: impl Into<Contradiction>,
) {
    report.add(place, key.to_owned(), Cause::Contradiction(found.into()));
}
