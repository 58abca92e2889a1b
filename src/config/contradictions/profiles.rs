//! `[[profile]]`: names and domains once, keys that belong together, and the profiles that sites name.

use std::collections::HashMap;

use super::add;
use super::origins::has_origin;
use crate::config::draft::ReadSite;
use crate::config::profile_contradiction::ProfileContradiction;
use crate::config::read::{Places, Report};
use crate::fill::library::PrefetchRule;
use crate::fill::profile::{ProfileKind, ProfileRule};

/// Each profile by itself, and all among themselves.
pub(in crate::config) fn profiles(report: &mut Report<'_>, profiles: &[(ProfileRule, Places)]) {
    let mut names: HashMap<&str, usize> = HashMap::new();
    let mut domains: HashMap<String, usize> = HashMap::new();
    for (profile, places) in profiles {
        if let Some(place) = places.of("name") {
            if let Some(line) = names.get(profile.name.as_str()) {
                let twice = ProfileContradiction::NameTwice { line: *line };
                add(report, &place, "profile.name", twice);
            } else {
                names.insert(&profile.name, profile.line);
            }
        }
        for (domain, place) in profile.domains.iter().zip(places.members("domains")) {
            let line = report.line(place);
            let domain = domain.to_string();
            match domains.get(&domain) {
                Some(first) => {
                    let line = *first;
                    let twice = ProfileContradiction::DomainTwice { domain, line };
                    add(report, place, "profile.domains", twice);
                }
                None => {
                    domains.insert(domain, line);
                }
            }
        }
        keys(report, profile, places);
        pairs(report, profile, places);
    }
}

/// Keys that the kind has no use for.
fn keys(report: &mut Report<'_>, profile: &ProfileRule, places: &Places) {
    if places.is_wrong("kind") || places.of("kind").is_none() {
        return;
    }
    let (s3, azure) = (&profile.s3, &profile.azure);
    let of_s3 = [
        ("region", !profile.region.is_empty()),
        ("access_key_id", !s3.access_key_id.is_empty()),
        ("access_key_id_file", s3.access_key_id_file.is_some()),
        ("secret_access_key", !s3.secret_access_key.is_empty()),
        (
            "secret_access_key_file",
            s3.secret_access_key_file.is_some(),
        ),
        ("session_token", !s3.session_token.is_empty()),
        ("session_token_file", s3.session_token_file.is_some()),
    ];
    let of_azure = [
        ("account", !azure.account.is_empty()),
        ("account_key", !azure.account_key.is_empty()),
        ("account_key_file", azure.account_key_file.is_some()),
        ("sas_token", !azure.sas_token.is_empty()),
        ("sas_token_file", azure.sas_token_file.is_some()),
    ];
    let of_stores = [
        ("base_domain", !profile.base_domain.is_empty()),
        ("endpoint", profile.endpoint.is_some()),
        ("path_style", profile.path_style),
    ];
    let of_headers = [
        ("request_headers", !profile.request_headers.is_empty()),
        (
            "request_headers_file",
            profile.request_headers_file.is_some(),
        ),
    ];
    let all = [
        (ProfileKind::S3, &of_s3[..]),
        (ProfileKind::Azure, &of_azure[..]),
        (ProfileKind::Headers, &of_headers[..]),
    ];
    for (kind, keys) in all.into_iter().filter(|(kind, _)| *kind != profile.kind) {
        for (key, _) in keys.iter().filter(|(_, is_set)| *is_set) {
            if let Some(place) = places.set(key) {
                let other = ProfileContradiction::KeyOfOtherKind { kind: kind.name() };
                add(report, &place, &format!("profile.{key}"), other);
            }
        }
    }
    if profile.kind == ProfileKind::Headers {
        for (key, _) in of_stores.iter().filter(|(_, is_set)| *is_set) {
            tell(report, places, key, ProfileContradiction::KeyOfStores);
        }
    }
    if profile.kind == ProfileKind::Headers
        && of_headers
            .iter()
            .all(|(key, is_set)| !is_set && !places.is_wrong(key))
    {
        add(
            report,
            &places.header,
            "profile",
            ProfileContradiction::NoHeaders,
        );
    }
}

/// Keys of which one is of no use without another, or beside it.
fn pairs(report: &mut Report<'_>, profile: &ProfileRule, places: &Places) {
    let (s3, azure) = (&profile.s3, &profile.azure);
    let pairs = [
        (
            &s3.access_key_id,
            &s3.access_key_id_file,
            ["access_key_id", "access_key_id_file"],
        ),
        (
            &s3.secret_access_key,
            &s3.secret_access_key_file,
            ["secret_access_key", "secret_access_key_file"],
        ),
        (
            &s3.session_token,
            &s3.session_token_file,
            ["session_token", "session_token_file"],
        ),
        (
            &azure.account_key,
            &azure.account_key_file,
            ["account_key", "account_key_file"],
        ),
        (
            &azure.sas_token,
            &azure.sas_token_file,
            ["sas_token", "sas_token_file"],
        ),
    ];
    let [id, secret, token, key, sas] = pairs.map(|(text, path, names)| {
        if !text.is_empty() && path.is_some() {
            let both = ProfileContradiction::KeyAndFile { file: names[1] };
            tell(report, places, names[0], both);
        }
        Pair {
            names,
            is_set: !text.is_empty() || path.is_some(),
            is_wrong: names.iter().any(|name| places.is_wrong(name)),
        }
    });
    for (of, needed, missing) in [
        (&id, &secret, "secret_access_key or secret_access_key_file"),
        (&secret, &id, "access_key_id or access_key_id_file"),
        (&token, &id, "access_key_id or access_key_id_file"),
    ] {
        if of.is_set && !needed.is_set && !needed.is_wrong {
            let half = ProfileContradiction::HalfAPair { missing };
            tell(report, places, of.written(places), half);
        }
    }
    if key.is_set && sas.is_set {
        tell(
            report,
            places,
            sas.written(places),
            ProfileContradiction::KeyAndToken,
        );
    }
    tls(report, profile, places);
}

/// A key and the file in its place.
struct Pair {
    names: [&'static str; 2],
    is_set: bool,
    is_wrong: bool,
}

impl Pair {
    /// The one of both that the table has.
    fn written(&self, places: &Places) -> &'static str {
        let mut names = self.names.iter().copied();
        let found = names.find(|name| places.set(name).is_some());
        found.unwrap_or(self.names[0])
    }
}

/// What is said about TLS.
fn tls(report: &mut Report<'_>, profile: &ProfileRule, places: &Places) {
    let tls = &profile.tls;
    for (key, is_set, missing, is_missing) in [
        (
            "client_cert",
            tls.client_cert.is_some(),
            "client_key",
            tls.client_key.is_none(),
        ),
        (
            "client_key",
            tls.client_key.is_some(),
            "client_cert",
            tls.client_cert.is_none(),
        ),
    ] {
        if is_set && is_missing && !places.is_wrong(missing) {
            tell(
                report,
                places,
                key,
                ProfileContradiction::HalfAPair { missing },
            );
        }
    }
    if tls.ca_file.is_some() && !tls.verify_peer {
        tell(
            report,
            places,
            "ca_file",
            ProfileContradiction::CertificatesWithoutVerify,
        );
    }
    if !tls.system_roots && !tls.verify_peer {
        let needless = ProfileContradiction::CertificatesWithoutVerify;
        tell(report, places, "system_roots", needless);
    } else if !tls.system_roots && tls.ca_file.is_none() && !places.is_wrong("ca_file") {
        let nobody = ProfileContradiction::NobodyTrusted;
        tell(report, places, "system_roots", nobody);
    }
}

fn tell(report: &mut Report<'_>, places: &Places, key: &str, found: ProfileContradiction) {
    if let Some(place) = places.set(key) {
        add(report, &place, &format!("profile.{key}"), found);
    }
}

/// Sites' profiles are there.
pub(in crate::config) fn of_sites(
    report: &mut Report<'_>,
    sites: &[ReadSite],
    profiles: &[(ProfileRule, Places)],
) {
    // A profile whose name could not be read may be the one that is meant.
    if profiles.iter().any(|(profile, _)| profile.name.is_empty()) {
        return;
    }
    for site in sites {
        let ReadSite { draft, places, .. } = site;
        if !has_origin(site) {
            continue;
        }
        let named = (draft.origin.profile.as_str(), "site.profile");
        is_there(report, named, places, profiles);
    }
}

/// The profiles that `[[prefetch]]` tables name: each is there.
pub(in crate::config) fn of_prefetches(
    report: &mut Report<'_>,
    prefetches: &[(PrefetchRule, Places)],
    profiles: &[(ProfileRule, Places)],
) {
    if profiles.iter().any(|(profile, _)| profile.name.is_empty()) {
        return;
    }
    for (prefetch, places) in prefetches {
        let named = (prefetch.profile.as_str(), "prefetch.profile");
        is_there(report, named, places, profiles);
    }
}

/// A profile that a table's key names is there.
fn is_there(
    report: &mut Report<'_>,
    (name, key): (&str, &str),
    places: &Places,
    profiles: &[(ProfileRule, Places)],
) {
    let mut names = profiles.iter().map(|(profile, _)| &profile.name);
    if name.is_empty() || names.any(|known| known == name) {
        return;
    }
    let Some(place) = places.of("profile") else {
        return;
    };
    let near = profiles.iter().map(|(profile, _)| {
        let distance = strsim::damerau_levenshtein(name, &profile.name);
        (distance, &profile.name)
    });
    let nearest = near.min().filter(|(distance, _)| *distance <= 3);
    let none = ProfileContradiction::NoSuchProfile {
        name: name.to_owned(),
        nearest: nearest.map(|(_, name)| name.clone()),
    };
    add(report, &place, key, none);
}
