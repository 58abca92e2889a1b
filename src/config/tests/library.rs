//! `[library]`: every key lands in its setting, and what can't hold is told.

use std::time::Duration;

use super::{assert_one, parsed};
use crate::fill::library::{HostPattern, LibrarySettings, PrefetchRule};
use crate::policy::origin_rule::OriginRule;
use crate::policy::settings::{CacheRule, NegativeTtl, Overrides, SetCookie};
use crate::units::ByteSize;

#[test]
fn every_key_of_the_library_lands_in_its_setting() {
    let (folder, settings) = parsed(
        r#"
[disk]
path = "store"
[library]
hosts = ["A.example", "*.b.example:81", "[::1]"]
allow_private = true
redirects = 3
content_types = ["Audio/*", "application/ogg"]
extension = ".WAV"
lease = "1m"
leases = 5
size = "2MiB"
group = "0"
gets = 7
attempts = 5
get_timeout = "8s"
queue = 9
concurrency = 2
user_agent = "x/1"
connect_timeout = "1s"
first_byte_timeout = "2s"
between_bytes_timeout = "3s"
connections = 4
ca_file = "ca.pem"
system_roots = false
default_ttl = "10s"
min_ttl = "1s"
max_ttl = "1h"
store_private = true
store_no_store = true
store_expired = true
ignore_no_last_modified = true
strip_query = ["sig", "X-*"]
set_cookie = "strip"
negative_ttl = { 404 = "5s" }
stale_if_error = "2h"
stale_while_revalidate = "3h"
"#,
    );
    let seconds = Duration::from_secs;
    let expected = LibrarySettings {
        hosts: vec![
            HostPattern::new("a.example", None),
            HostPattern::new("*.b.example", Some(81)),
            HostPattern::new("[::1]", None),
        ],
        allow_private: true,
        redirects: 3,
        content_types: vec!["audio/*".into(), "application/ogg".into()],
        extension: "wav".to_owned(),
        lease: seconds(60),
        leases: 5,
        size: ByteSize::mib(2),
        group: Some(0),
        gets: 7,
        attempts: 5,
        get_timeout: seconds(8),
        queue: 9,
        concurrency: 2,
        user_agent: "x/1".to_owned(),
        origin: OriginRule {
            connect_timeout: seconds(1),
            first_byte_timeout: seconds(2),
            between_bytes_timeout: seconds(3),
            connections: 4,
            ca_file: Some(folder.path().join("ca.pem")),
            system_roots: false,
            ..OriginRule::default()
        },
        rule: CacheRule {
            overrides: Overrides {
                default_ttl: Some(seconds(10)),
                min_ttl: Some(seconds(1)),
                max_ttl: Some(seconds(3600)),
                store_private: true,
                store_no_store: true,
                store_expired: true,
                ignore_no_last_modified: true,
                strip_query: vec!["sig".into(), "X-*".into()],
                set_cookie: SetCookie::Strip,
                negative_ttl: vec![NegativeTtl {
                    first: 404,
                    last: 404,
                    ttl: seconds(5),
                }],
                stale_if_error: Some(seconds(7200)),
                stale_while_revalidate: Some(seconds(10_800)),
                ..Overrides::default()
            },
            ..CacheRule::default()
        },
    };
    assert_eq!(settings.unwrap().library, expected);
}

#[test]
fn what_can_not_hold_is_told() {
    let disk = "[disk]\npath = 'store'\n[library]\n";
    for (text, line, key, words) in [
        ("[library]\nhosts = ['a']", 1, "library", "set disk.path"),
        (
            &format!("{disk}connect_timeout = '61s'"),
            4,
            "library.connect_timeout",
            "fill_timeout",
        ),
        (
            &format!("{disk}min_ttl = '2s'\nmax_ttl = '1s'"),
            4,
            "library.min_ttl",
            "max_ttl",
        ),
        (
            &format!("{disk}ignore_no_last_modified = true"),
            4,
            "library.ignore_no_last_modified",
            "default_ttl",
        ),
        (
            &format!("{disk}ignore_query = true\nstrip_query = ['a']"),
            5,
            "library.strip_query",
            "query",
        ),
        (
            &format!("{disk}hosts = ['a/b']"),
            4,
            "library.hosts",
            "not a host name",
        ),
        (
            &format!("{disk}content_types = ['audio']"),
            4,
            "library.content_types",
            "not a media type",
        ),
        (
            &format!("{disk}extension = 'a/b'"),
            4,
            "library.extension",
            "1 to 8 letters",
        ),
        (
            &format!("{disk}group = 'no such group'"),
            4,
            "library.group",
            "/etc/group",
        ),
        (
            &format!("{disk}lease = '8d'"),
            4,
            "library.lease",
            "from \"1s\" to \"168h\"",
        ),
        (
            &format!("{disk}hots = ['a']"),
            4,
            "library.hots",
            "did you mean \"hosts\"?",
        ),
    ] {
        assert_one(text, line, key, words);
    }
}

#[test]
fn every_key_of_a_prefetch_lands_in_its_setting() {
    let (folder, settings) = parsed(
        r#"
[disk]
path = "store"
[library]
hosts = ["*.example"]
[[site]]
hosts = ["media.test"]
origin = "http://a"
[[prefetch]]
urls = ["http://media.test/a", "https://b.example/"]
file = "urls.txt"
interval = "1h"
priority = 3
refresh = true
profile = "prompts"

[[profile]]
name = "prompts"
kind = "s3"
"#,
    );
    let expected = PrefetchRule {
        urls: ["http://media.test/a", "https://b.example/"]
            .map(str::to_owned)
            .into(),
        file: Some(folder.path().join("urls.txt")),
        interval: Duration::from_secs(3600),
        priority: 3,
        refresh: true,
        profile: "prompts".to_owned(),
        line: 9,
    };
    assert_eq!(settings.unwrap().prefetches, [expected]);
}

#[test]
fn prefetch_names_a_profile_that_is_there() {
    let text = "[disk]\npath = 'store'\n[library]\nhosts = ['a']\n[[prefetch]]\nurls = ['http://a/']\n\
                profile = 'prompt'\n[[profile]]\nname = 'prompts'\nkind = 's3'";
    assert_one(text, 7, "prefetch.profile", "\"prompts\"");
}

#[test]
fn prefetch_of_nothing_or_of_what_may_not_be_fetched_is_told() {
    for (text, line, words) in [
        ("[[prefetch]]", 1, "missing"),
        ("[[prefetch]]\nurls = []", 1, "nothing to fetch"),
        ("[[prefetch]]\nurls = ['http://a/']", 2, "library.hosts"),
        ("[[prefetch]]\nurls = ['/a']", 2, "no http or https URL"),
    ] {
        assert_one(text, line, "prefetch.urls", words);
    }
}
