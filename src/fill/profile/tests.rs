//! How profiles are found.

use super::domain::Domain;
use super::*;

fn rule(name: &str, domains: &[&str]) -> ProfileRule {
    let domain = |text: &&str| {
        let (host, port) = host_and_port(text);
        let suffix = host.strip_prefix("*.");
        Domain {
            is_suffix: suffix.is_some(),
            name: suffix.unwrap_or(&host).to_owned(),
            port,
        }
    };
    ProfileRule {
        name: name.to_owned(),
        domains: domains.iter().map(domain).collect(),
        ..ProfileRule::default()
    }
}

fn profiles(rules: &[ProfileRule]) -> Profiles {
    Profiles::following(&Profiles::default(), rules, &Environment::default())
}

#[test]
fn longest_domain_wins_and_no_other_host_has_a_profile() {
    let profiles = profiles(&[
        rule("wide", &["*.example"]),
        rule("near", &["*.media.example", "other.example:9000"]),
        rule("exact", &["a.media.example"]),
        rule("named", &[]),
    ]);
    let cases = [
        ("b.example", Some("wide")),
        ("b.media.example", Some("near")),
        ("A.Media.Example", Some("exact")),
        ("a.media.example:8080", None),
        ("other.example:9000", Some("near")),
        ("other.example", Some("wide")),
        ("example", None),
        ("example.com", None),
        ("", None),
    ];
    for (authority, name) in cases {
        let found = profiles.of_host(authority).map(|profile| profile.name());
        assert_eq!(found, name, "{authority}");
    }
    assert_eq!(
        profiles.named("named").map(|profile| profile.name()),
        Some("named")
    );
    assert!(profiles.named("Named").is_none());
}

#[test]
fn profile_that_did_not_change_is_kept() {
    let before = profiles(&[rule("a", &["a.example"]), rule("b", &["b.example"])]);
    let rules = [rule("a", &["a.example"]), rule("b", &["c.example"])];
    let after = Profiles::following(&before, &rules, &Environment::default());
    let same = |name| Arc::ptr_eq(before.named(name).unwrap(), after.named(name).unwrap());
    assert!(same("a") && !same("b"));
}

#[test]
fn profile_shows_no_secret() {
    let mut rule = rule("a", &[]);
    rule.s3.secret_access_key = Secret::new("hidden-key");
    rule.azure.sas_token = Secret::new("hidden-token");
    rule.request_headers = vec![("Authorization".to_owned(), Secret::new("hidden-field"))];
    for kind in [ProfileKind::S3, ProfileKind::Azure, ProfileKind::Headers] {
        rule.kind = kind;
        let profile = Profile::new(rule.clone(), &Environment::default());
        let shown = format!("{profile:?} {profile:#?} {rule:?}");
        assert!(!shown.contains("hidden"), "{shown}");
    }
}
