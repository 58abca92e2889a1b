//! URLs, and whose origin answers for them.

use super::*;
use crate::fill::library::HostPattern;
use crate::fill::profile::domain::Domain;
use crate::fill::profile::{Environment, ProfileKind, ProfileRule};
use crate::index::sites::SiteRule;
use crate::policy::settings::Overrides;

fn site(hosts: &[&str], has_origin: bool) -> SiteRule {
    let rule = CacheRule {
        overrides: Overrides {
            strip_query: vec!["sid".into()],
            ..Overrides::default()
        },
        ..CacheRule::default()
    };
    SiteRule {
        hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
        origin: has_origin.then(OriginRule::default),
        root: (!has_origin).then(|| "/".into()),
        rules: if has_origin { vec![rule] } else { Vec::new() },
        ..SiteRule::default()
    }
}

fn plan(sites: &[SiteRule], hosts: &[&str]) -> Plan {
    let settings = LibrarySettings {
        hosts: hosts
            .iter()
            .map(|host| HostPattern::new(host, None))
            .collect(),
        ..LibrarySettings::default()
    };
    Plan::new(settings, Arc::new(SiteTable::new(sites)), Arc::default())
}

/// The key, its scope in braces.
fn key(place: &Place) -> String {
    let (scope, url) = key::split_scope(&place.key);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let scope = scope.map(|scope| format!("{{{}}}", text(scope)));
    scope.unwrap_or_default() + &text(url)
}

#[test]
fn site_that_names_the_host_goes_first_and_has_the_key_of_its_clients() {
    let plan = plan(&[site(&["a"], true), site(&[], true)], &["a", "b"]);
    for url in [
        "http://A/x?sid=1&b=2#f",
        "https://a:443/y/../x?b=2&sid=3",
        "http://a:80/x?b=2",
    ] {
        let place = Place::of(url, None, &plan).unwrap();
        assert_eq!(place.source, Source::Site(SiteId(0)), "{url}");
        assert_eq!(key(&place), "http://a/x?b=2", "{url}");
        assert_eq!(place.path(), b"/x");
    }
    let place = Place::of("http://b/x?sid=1", None, &plan).unwrap();
    assert!(matches!(&place.source, Source::Own { url, .. } if url.host == "b"));
    assert_eq!(key(&place), "{/}http://b/x?sid=1");
    let place = Place::of("http://c/x", None, &plan).unwrap();
    assert_eq!(place.source, Source::Site(SiteId(1)));
}

#[test]
fn allowed_host_is_its_own_origin_under_its_own_scheme() {
    let plan = plan(&[], &["*.example", "127.0.0.1"]);
    let place = Place::of("https://CDN.example:8443/a.wav", None, &plan).unwrap();
    assert_eq!(key(&place), "{/}https://cdn.example:8443/a.wav");
    let origin = place.foreign(&plan).unwrap();
    assert_eq!(origin.urls[0].to_string(), "https://cdn.example:8443");
    assert!(origin.public_only);
    // An address that is listed is meant.
    let place = Place::of("http://127.0.0.1:81/a", None, &plan).unwrap();
    assert!(!place.foreign(&plan).unwrap().public_only);
}

#[test]
fn host_that_nobody_allows_is_refused_with_the_key_that_would() {
    let plan = plan(&[site(&["files"], false)], &["a"]);
    for host in ["b", "files", "127.0.0.1", "[::1]"] {
        let failure = Place::of(&format!("http://{host}/x"), None, &plan).unwrap_err();
        assert_eq!(failure.code, Code::HostNotAllowed, "{host}");
        assert!(failure.reason.contains("library.hosts"), "{failure}");
    }
}

#[test]
fn text_that_is_no_url_is_refused_without_repeating_a_password() {
    let plan = plan(&[site(&[], true)], &["*"]);
    for url in [
        "",
        "a.wav",
        "/a.wav",
        "ftp://a/x",
        "file:///etc/passwd",
        "http://",
        "http:///x",
        "http://a b/",
        "http://a/b c",
        "http://a/\n",
        "http://a:0/",
        "http://a:99999/",
        "http://ä/",
        "http://u:hidden@a/x",
    ] {
        let failure = Place::of(url, None, &plan).unwrap_err();
        assert_eq!(failure.code, Code::InvalidUrl, "{url}");
        assert!(!failure.reason.contains("hidden"), "{failure}");
    }
}

#[test]
fn rfc3986_s5_2_references_are_resolved() {
    let plan = plan(&[], &["*"]);
    let base = Place::of("http://a:81/b/c/d?q", None, &plan).unwrap();
    for (location, expected) in [
        ("https://e/f", Some("https://e/f")),
        ("HTTP://e/f#g", Some("HTTP://e/f")),
        ("//e/f", Some("http://e/f")),
        ("/f?g", Some("http://a:81/f?g")),
        ("f", Some("http://a:81/b/c/f")),
        ("./f", Some("http://a:81/b/c/f")),
        ("../f", Some("http://a:81/b/f")),
        ("../../../f", Some("http://a:81/f")),
        ("..", Some("http://a:81/b/")),
        ("?x", Some("http://a:81/b/c/d?x")),
        ("f?x=../y", Some("http://a:81/b/c/f?x=../y")),
        ("mailto:a@b", Some("mailto:a@b")),
        ("a:b/c", Some("a:b/c")),
        ("./a:b", Some("http://a:81/b/c/a:b")),
    ] {
        let found = base.redirected(location.as_bytes());
        assert_eq!(found.as_deref(), expected, "{location}");
    }
    assert_eq!(base.redirected(b"\xff"), None);
}

#[test]
fn profile_is_found_by_host_or_by_name_and_is_part_of_the_key() {
    let profile = |name: &str, domain: &str| ProfileRule {
        name: name.to_owned(),
        kind: ProfileKind::Headers,
        domains: vec![Domain {
            is_suffix: true,
            name: domain.to_owned(),
            port: None,
        }],
        ..ProfileRule::default()
    };
    let signing = ProfileRule {
        kind: ProfileKind::S3,
        ..profile("s3", "s3.example")
    };
    let rules = [
        profile("one", "one.example"),
        profile("two", "two.example"),
        signing,
    ];
    let profiles = Profiles::following(&Profiles::default(), &rules, &Environment::of([]));
    let mut own = site(&["media"], true);
    if let Some(origin) = &mut own.origin {
        origin.profile = "one".to_owned();
    }
    let plan = Plan {
        profiles: Arc::new(profiles),
        ..plan(&[own], &["*"])
    };
    let scope = |url: &str, named: Option<&str>| {
        let place = Place::of(url, named, &plan).map_err(|failure| failure.code)?;
        let (scope, _) = key::split_scope(&place.key);
        let origin = place.foreign(&plan).map(|origin| origin.profile.clone());
        Ok((
            scope.map(|scope| String::from_utf8_lossy(scope).into_owned()),
            origin,
        ))
    };
    let found = |scope: &str, origin: &str| Ok((Some(scope.to_owned()), Some(origin.to_owned())));
    assert_eq!(scope("http://a.one.example/", None), found("one/", "one"));
    assert_eq!(scope("https://a.two.example/", None), found("two/", "two"));
    assert_eq!(
        scope("http://a.one.example:080/", Some("one")),
        found("one/", "one")
    );
    // Its fields are no business of others' hosts.
    for url in ["http://a.one.example/", "http://b/"] {
        assert_eq!(scope(url, Some("two")), Err(Code::InvalidOption), "{url}");
    }
    assert_eq!(scope("http://b/", None), found("/", ""));
    assert_eq!(scope("http://b/", Some("s3")), found("s3/", "s3"));
    assert_eq!(scope("http://b/", Some("three")), Err(Code::InvalidOption));
    assert_eq!(
        scope("http://media/", None),
        Ok((Some("one".to_owned()), None))
    );
    assert_eq!(
        scope("http://media/", Some("one")),
        Ok((Some("one".to_owned()), None))
    );
    assert_eq!(
        scope("http://media/", Some("two")),
        Err(Code::InvalidOption)
    );
}
