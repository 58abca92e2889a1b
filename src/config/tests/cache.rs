//! The cache's keys: what stores, origins and rules become.

mod wrong;

use std::time::Duration;

use super::parsed;
use crate::config::Settings;
use crate::fill::settings::FillSettings;
use crate::index::sites::SiteRule;
use crate::policy::origin_rule::OriginRule;
use crate::policy::settings::{CacheRule, NegativeTtl, Overrides, SetCookie, Tier};
use crate::store::tiers::{DiskSettings, MemorySettings};
use crate::units::ByteSize;

/// The one site of a text without mistakes.
#[track_caller]
fn site(text: &str) -> SiteRule {
    let (_folder, settings) = parsed(text);
    let mut sites = settings.unwrap().sites;
    assert_eq!(sites.len(), 1, "{text}");
    sites.remove(0)
}

#[test]
fn every_key_of_the_stores_and_of_fills_lands_in_its_setting() {
    let (folder, settings) = parsed(
        r#"
[memory]
size = "1MiB"
max_object = "2KiB"
[disk]
path = "store"
size = "10GiB"
max_object = "1GiB"
block = "64KiB"
[fill]
fills = 10
waiters = 11
fill_timeout = "4s"
memory = "2MiB"
pass_memory = "32KiB"
"#,
    );
    let expected = Settings {
        memory: MemorySettings {
            size: ByteSize::mib(1),
            max_object: ByteSize::kib(2),
        },
        disk: Some(DiskSettings {
            path: folder.path().join("store"),
            size: ByteSize::mib(10 << 10),
            max_object: ByteSize::mib(1 << 10),
            block: ByteSize::kib(64),
        }),
        fill: FillSettings {
            fills: 10,
            waiters: 11,
            fill_timeout: Duration::from_secs(4),
            memory: ByteSize::mib(2),
            pass_memory: ByteSize::kib(32),
        },
        ..Settings::default()
    };
    assert_eq!(settings, Ok(expected));
}

#[test]
fn every_key_of_an_origin_lands_in_its_setting() {
    let (folder, settings) = parsed(
        r#"
[[site]]
origin = ["https://A.example/base/", "http://[::1]:8000"]
connect_timeout = "1s"
first_byte_timeout = "2s"
between_bytes_timeout = "3s"
connections = 4
host = "Media.example.com:81"
trust_forwarded = true
ca_file = "ca.pem"
system_roots = false
"#,
    );
    let settings = settings.unwrap();
    let origin = settings.sites[0].origin.clone().unwrap();
    let urls: Vec<String> = origin.urls.iter().map(ToString::to_string).collect();
    assert_eq!(urls, ["https://a.example/base", "http://[::1]:8000"]);
    let expected = OriginRule {
        urls: origin.urls.clone(),
        connect_timeout: Duration::from_secs(1),
        first_byte_timeout: Duration::from_secs(2),
        between_bytes_timeout: Duration::from_secs(3),
        connections: 4,
        host: "media.example.com:81".to_owned(),
        trusts_forwarded: true,
        ca_file: Some(folder.path().join("ca.pem")),
        system_roots: false,
        verify_peer: true,
        profile: String::new(),
        public_only: false,
    };
    assert_eq!(origin, expected);
    assert_eq!(settings.sites[0].root, None);
    let unverified = site("[[site]]\norigin = 'https://a'\nverify_peer = false");
    assert!(!unverified.origin.unwrap().verify_peer);
}

#[test]
fn every_key_of_a_rule_lands_in_its_setting() {
    let site = site(
        r#"
[[site]]
origin = "http://a"
[[site.rule]]
path = "/a%2db/"
cache = true
tiers = ["disk", "memory"]
default_ttl = "2m"
min_ttl = "1m"
max_ttl = "1h"
heuristic_factor = 0.25
ignore_client_cache_control = true
store_private = true
store_no_store = true
store_expired = true
ignore_no_last_modified = true
ignore_headers = ["X-Request-Id", "etag"]
vary_refuse = ["X-Session"]
strip_query = ["utm_*", "sid"]
set_cookie = "strip"
negative_ttl = { "500-599" = "1m", 404 = "10m", "503" = "1h" }
stale_if_error = "24h"
stale_while_revalidate = "30s"
key_base_url = "HTTP://Media.example.com:80/"
x_cache = true
"#,
    );
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    let negative = |first, last, ttl| NegativeTtl {
        first,
        last,
        ttl: Duration::from_secs(ttl),
    };
    let expected = CacheRule {
        path: b"/a-b/"[..].into(),
        cache: true,
        tiers: vec![Tier::Disk, Tier::Memory],
        overrides: Overrides {
            default_ttl: seconds(120),
            min_ttl: seconds(60),
            max_ttl: seconds(3600),
            heuristic_permille: 250,
            ignore_client_cache_control: true,
            store_private: true,
            store_no_store: true,
            store_expired: true,
            ignore_no_last_modified: true,
            ignore_headers: vec!["x-request-id".into(), "etag".into()],
            vary_refuse: vec!["x-session".into()],
            ignore_query: false,
            strip_query: vec!["utm_*".into(), "sid".into()],
            set_cookie: SetCookie::Strip,
            negative_ttl: vec![
                negative(404, 404, 600),
                negative(503, 503, 3600),
                negative(500, 599, 60),
            ],
            stale_if_error: seconds(86_400),
            stale_while_revalidate: seconds(30),
            key_base_url: Some("http://media.example.com".into()),
            x_cache: true,
        },
    };
    assert_eq!(site.rules, [expected]);
}

#[test]
fn rule_with_a_path_alone_is_the_default_rule() {
    let site = site("[[site]]\norigin = 'http://a'\n[[site.rule]]\npath = '/'");
    assert_eq!(site.rules, [CacheRule::default()]);
}

#[test]
fn rules_belong_to_the_site_above_them() {
    let (_folder, settings) = parsed(
        "[[site]]\norigin = 'http://a'\n[[site.rule]]\npath = '/a'\n[[site]]\nhosts = ['b']\norigin = 'http://b'\n\
         [[site.rule]]\npath = '/a'\n[[site.rule]]\npath = '/b'",
    );
    let sites = settings.unwrap().sites;
    let paths = |site: &SiteRule| -> Vec<String> {
        let paths = site.rules.iter().map(|rule| &rule.path);
        paths
            .map(|path| String::from_utf8(path.to_vec()).unwrap())
            .collect()
    };
    assert_eq!(paths(&sites[0]), ["/a"]);
    assert_eq!(paths(&sites[1]), ["/a", "/b"]);
}

#[test]
fn part_is_read_as_it_is_written() {
    for (text, permille) in [
        ("0", 0),
        ("0.0", 0),
        ("-0.0", 0),
        ("0.001", 1),
        ("0.1", 100),
        ("0.29", 290),
        ("1e-1", 100),
        ("0.999", 999),
        ("1", 1000),
        ("1.0", 1000),
    ] {
        let site = site(&format!(
            "[[site]]\norigin = 'http://a'\n[[site.rule]]\npath = '/'\nheuristic_factor = {text}"
        ));
        let read = site.rules[0].overrides.heuristic_permille;
        assert_eq!(read, permille, "{text}");
    }
}

#[test]
fn largest_body_by_default_shrinks_with_its_store() {
    let (_folder, settings) = parsed("[memory]\nsize = '1KiB'");
    assert_eq!(settings.unwrap().memory.max_object, ByteSize::kib(1));
}

#[test]
fn disk_is_off_without_a_path() {
    for text in ["", "[disk]", "[disk]\npath = ''\nsize = '1GiB'"] {
        let (_folder, settings) = parsed(text);
        assert_eq!(settings.unwrap().disk, None, "{text}");
    }
}

#[test]
fn what_can_hold_together_is_no_contradiction() {
    let cases = [
        "[[site]]\nroot = 'www'\norigin = 'http://a'\ncache_control = 'public'",
        "[[site]]\norigin = ''\nroot = 'www'",
        "[[site]]\norigin = ['http://a', 'http://a/b', 'https://a', 'http://a:81']",
        "[[site]]\norigin = ['http://a', 'https://b']\nca_file = 'ca.pem'",
        "[[site]]\norigin = 'http://a'\nca_file = ''\nverify_peer = false",
        "[fill]\nfill_timeout = '1s'\n[[site]]\norigin = 'http://a'",
        "[disk]\npath = 'store'\n[[site]]\nroot = 'www'",
        "[disk]\npath = 'www2'\n[[site]]\nroot = 'www'",
        "[disk]\npath = 'store'\n[[site]]\norigin = 'http://a'\n[[site.rule]]\npath = '/'\ntiers = ['disk']",
        "[memory]\nsize = '0'\n[[site]]\norigin = 'http://a'\n[[site.rule]]\npath = '/'",
        "[[site]]\norigin = 'http://a'\n[[site.rule]]\npath = '/a'\n[[site.rule]]\npath = '/a/'",
    ];
    for text in cases {
        let (_folder, settings) = parsed(text);
        assert!(settings.is_ok(), "{text}\n{settings:#?}");
    }
    let rules = [
        "cache = false\nx_cache = true",
        "tiers = ['disk', 'memory']",
        "min_ttl = '1s'\nmax_ttl = '1s'\ndefault_ttl = '1s'",
        "default_ttl = ''\nmin_ttl = '1s'",
        "ignore_query = true\nstrip_query = []",
        "ignore_query = false\nstrip_query = ['a']",
        "negative_ttl = {}",
        "negative_ttl.404 = '1s'",
        "[site.rule.negative_ttl]\n404 = '1s'",
    ];
    for keys in rules {
        let text = format!("[[site]]\norigin = 'http://a'\n[[site.rule]]\npath = '/'\n{keys}");
        let (_folder, settings) = parsed(&text);
        assert!(settings.is_ok(), "{keys}\n{settings:#?}");
    }
}
