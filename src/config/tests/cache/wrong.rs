//! What is said about the cache's keys: wrong values, unknown keys, contradictions, and never a password.

use std::path::Path;

use super::super::{assert_one, mistakes};
use crate::config::parse;

/// A `[[site]]` with an origin and a rule that has `keys` from its line 5 on.
fn rule_with(keys: &str) -> String {
    format!("[[site]]\norigin = 'http://a'\n[[site.rule]]\npath = '/'\n{keys}")
}

/// Texts with one wrong value: the line, the key and some words of its mistake.
#[rustfmt::skip]
const WRONG_VALUES: &[(&str, usize, &str, &str)] = &[
    ("[memory]\nmax_object = 65536", 2, "memory.max_object", "write \"64KiB\""),
    ("[disk]\npath = 'missing/store'", 2, "disk.path", "make it first"),
    ("[disk]\npath = 'a.wav'", 2, "disk.path", "a file is there"),
    ("[disk]\npath = 'a.wav/store'", 2, "disk.path", "can't be the store's folder"),
    ("[disk]\npath = 7", 2, "disk.path", "found a whole number"),
    ("[disk]\npath = ''\nsize = '1KiB'", 3, "disk.size", "from \"4MiB\" to \"1024TiB\""),
    ("[disk]\npath = ''\nblock = '32KiB'", 3, "disk.block", "from \"64KiB\" to \"16MiB\" that is a power of two"),
    ("[disk]\npath = ''\nblock = '32MiB'", 3, "disk.block", "out of range"),
    ("[disk]\npath = ''\nblock = '1000kB'", 3, "disk.block", "a power of two"),
    ("[disk]\npath = ''\nblock = 1000000", 3, "disk.block", "write \"1MiB\""),
    ("[disk]\npath = ''\nblock = 99999999", 3, "disk.block", "write \"16MiB\""),
    ("[disk]\npath = ''\nblock = 9223372036854775807", 3, "disk.block", "write \"16MiB\""),
    ("[disk]\npath = ''\nmax_object = '1x'", 3, "disk.max_object", "unknown unit"),
    ("[fill]\nfills = 0", 2, "fill.fills", "from 1 to 65536"),
    ("[fill]\nwaiters = 0", 2, "fill.waiters", "from 1 to 1000000"),
    ("[fill]\nfill_timeout = 60", 2, "fill.fill_timeout", "write \"1m\""),
    ("[fill]\nfill_timeout = '2h'\n[[site]]\norigin = 'http://a'\nfirst_byte_timeout = '61s'", 2, "fill.fill_timeout", "from \"100ms\" to \"1h\""),
    ("[fill]\nmemory = '1KiB'", 2, "fill.memory", "from \"1MiB\""),
    ("[fill]\npass_memory = '1KiB'", 2, "fill.pass_memory", "from \"16KiB\" to \"16MiB\""),
    ("[[site]]\norigin = 80", 2, "site.origin", "or a list of at most 16 of them, or \"\" for none"),
    ("[[site]]\norigin = 'media:8000'", 2, "site.origin", "neither http:// nor https://"),
    ("[[site]]\norigin = 'ftp://a'", 2, "site.origin", "neither http:// nor https://"),
    ("[[site]]\norigin = ['http://a', '']", 2, "site.origin", "neither http:// nor https://"),
    ("[[site]]\norigin = ['http://a',\n 'http://b?c']", 3, "site.origin", "no \"?\""),
    ("[[site]]\norigin = 'http://a:0'", 2, "site.origin", "from 1 to 65535"),
    ("[[site]]\norigin = 'http://a..b'", 2, "site.origin", "not a host name"),
    ("[[site]]\norigin = 'http://u:p@a'", 2, "site.origin", "a password has no place"),
    ("[[site]]\norigin = ['http://a', 1]", 2, "site.origin", "found a whole number"),
    ("[[site]]\norigin = 'http://a'\nconnect_timeout = 5", 3, "site.connect_timeout", "write \"5s\""),
    ("[[site]]\norigin = 'http://a'\nfirst_byte_timeout = '1ms'", 3, "site.first_byte_timeout", "from \"100ms\" to \"1h\""),
    ("[[site]]\norigin = 'http://a'\nbetween_bytes_timeout = '2h'", 3, "site.between_bytes_timeout", "out of range"),
    ("[[site]]\norigin = 'http://a'\nconnections = 0", 3, "site.connections", "from 1 to 16384"),
    ("[[site]]\norigin = 'http://a'\nhost = 'http://b'", 3, "site.host", "a host with or without a port"),
    ("[[site]]\norigin = 'http://a'\ntrust_forwarded = 1", 3, "site.trust_forwarded", "must be true or false"),
    ("[[site]]\norigin = 'https://a'\nca_file = 'a.wav'", 3, "site.ca_file", "BEGIN CERTIFICATE"),
    ("[[site]]\norigin = 'https://a'\nca_file = 'none.pem'", 3, "site.ca_file", "No such file"),
    ("[[site]]\norigin = 'https://a'\nverify_peer = 'no'", 3, "site.verify_peer", "found a text, must be true or false"),
    ("[[site]]\norigin = 'http://a'\n[[site.rule]]\ncache = false", 3, "site.rule.path", "missing"),
];

/// Keys of a rule with a wrong value, and some words of the mistake.
#[rustfmt::skip]
const WRONG_RULES: &[(&str, &str, &str)] = &[
    ("cache = 1", "cache", "true or false"),
    ("tiers = []", "tiers", "found 0, must be a list of 1 to 2, each \"memory\" or \"disk\""),
    ("tiers = ['memory', 'disk', 'memory']", "tiers", "found 3"),
    ("tiers = ['memroy']", "tiers", "did you mean \"memory\"?"),
    ("tiers = 'memory'", "tiers", "found a text"),
    ("tiers = [1]", "tiers", "must be \"memory\" or \"disk\""),
    ("default_ttl = 60", "default_ttl", "write \"1m\"; must be a duration in whole seconds from \"0s\" to \"8760h\", or \"\" for none"),
    ("default_ttl = '1500ms'", "default_ttl", "in whole seconds"),
    ("min_ttl = '-1s'", "min_ttl", "in whole seconds"),
    ("max_ttl = '8761h'", "max_ttl", "out of range"),
    ("max_ttl = '7d'", "max_ttl", "unknown unit"),
    ("stale_if_error = true", "stale_if_error", "found true or false"),
    ("stale_while_revalidate = '1y'", "stale_while_revalidate", "unknown unit"),
    ("heuristic_factor = 1.1", "heuristic_factor", "1.1 is out of range, must be a number from 0.0 to 1.0"),
    ("heuristic_factor = -0.1", "heuristic_factor", "out of range"),
    ("heuristic_factor = 0.1234", "heuristic_factor", "at most 3 digits"),
    ("heuristic_factor = nan", "heuristic_factor", "out of range"),
    ("heuristic_factor = inf", "heuristic_factor", "out of range"),
    ("heuristic_factor = 10", "heuristic_factor", "out of range"),
    ("heuristic_factor = 99999999999999999999", "heuristic_factor", "out of range"),
    ("heuristic_factor = '10%'", "heuristic_factor", "found a text"),
    ("ignore_headers = ['Vary']", "ignore_headers", "misread"),
    ("ignore_headers = ['content-length']", "ignore_headers", "misread"),
    ("ignore_headers = ['Connection']", "ignore_headers", "one connection"),
    ("ignore_headers = ['Set-Cookie']", "ignore_headers", "set_cookie = \"strip\""),
    ("ignore_headers = ['a b']", "ignore_headers", "not a field name"),
    ("vary_refuse = ['*']", "vary_refuse", "not a field name"),
    ("ignore_headers = ['X:']", "ignore_headers", "not a field name"),
    ("strip_query = ['*']", "strip_query", "ignore_query = true"),
    ("strip_query = ['a;b']", "strip_query", "a parameter's name"),
    ("strip_query = ['a=b']", "strip_query", "a parameter's name"),
    ("set_cookie = 'drop'", "set_cookie", "\"refuse\", \"strip\" or \"store\""),
    ("negative_ttl = '10s'", "negative_ttl", "{ \"404\" = \"10s\", \"500-599\" = \"1s\" }"),
    ("negative_ttl = { 200 = '10s' }", "negative_ttl", "not a status from 400 to 599"),
    ("negative_ttl = { 4xx = '10s' }", "negative_ttl", "not a status from 400 to 599"),
    ("negative_ttl = { 404 = 10 }", "negative_ttl", "write \"10s\""),
    ("negative_ttl = { 404 = '' }", "negative_ttl", "must be a duration in whole seconds"),
    ("negative_ttl = { 404 = '10s', '404-404' = '1s' }", "negative_ttl", "404 has an entry already"),
    ("negative_ttl = { '400-450' = '10s', '440-499' = '1s' }", "negative_ttl", "within the other"),
    ("key_base_url = 'media.example.com'", "key_base_url", "neither http:// nor https://"),
    ("key_base_url = 'http://a/b'", "key_base_url", "leave it out"),
    ("x_cache = 'yes'", "x_cache", "true or false"),
];

#[test]
fn value_that_is_wrong_is_reported_at_its_place() {
    for (text, line, key, words) in WRONG_VALUES {
        assert_one(text, *line, key, words);
    }
    for (keys, key, words) in WRONG_RULES {
        assert_one(&rule_with(keys), 5, &format!("site.rule.{key}"), words);
    }
    for (path, words) in [("a", "starts with"), ("/*.jpg", "%2A"), ("/a?b", "%3F")] {
        let text = format!("[[site]]\norigin = 'http://a'\n[[site.rule]]\npath = '{path}'");
        assert_one(&text, 4, "site.rule.path", words);
    }
}

#[test]
fn too_many_members_are_refused() {
    let urls: Vec<String> = (0..17).map(|n| format!("'http://h{n}'")).collect();
    let text = format!("[[site]]\norigin = [{}]", urls.join(","));
    assert_one(&text, 2, "site.origin", "found 17");
    let statuses: Vec<String> = (400..433).map(|n| format!("{n} = '1s'")).collect();
    let text = rule_with(&format!("negative_ttl = {{ {} }}", statuses.join(",")));
    assert_one(&text, 5, "site.rule.negative_ttl", "found 33");
    let rules: String = (0..257)
        .map(|n| format!("[[site.rule]]\npath = '/{n}'\n"))
        .collect();
    let text = format!("[[site]]\norigin = 'http://a'\n{rules}");
    assert_one(&text, 515, "site.rule", "at most 256 [[site.rule]] tables");
}

/// Texts with one key or table that does not exist.
#[rustfmt::skip]
const UNKNOWN_KEYS: &[(&str, usize, &str, &str)] = &[
    ("[disk]\npath = ''\nsise = '1GiB'", 3, "disk.sise", "did you mean \"size\"?"),
    ("[fill]\nwaitors = 1", 2, "fill.waitors", "did you mean \"waiters\"?"),
    ("[[rule]]\npath = '/'", 1, "rule", "it belongs to [[site]]"),
    ("[[site]]\norigin = 'http://a'\n[[site.rul]]\npath = '/'", 3, "site.rul", "did you mean \"rule\"?"),
    ("[[site]]\norigin = 'http://a'\ndefault_ttl = '1s'", 3, "site.default_ttl", "it belongs to [[site.rule]]"),
    ("[[site]]\norigin = 'http://a'\npath = '/'", 3, "site.path", "it belongs to [[site.rule]]"),
    ("[[site]]\norigin = 'http://a'\n[[site.rule]]\npath = '/'\nhosts = []", 5, "site.rule.hosts", "it belongs to [[site]]"),
    ("[[site]]\norigin = 'http://a'\n[[site.rule]]\npath = '/'\nmax_tll = '1s'", 5, "site.rule.max_tll", "did you mean \"max_ttl\"?"),
    ("[site]\norigin = 'http://a'", 1, "site", "a table that starts with [[site]]"),
    ("[[site.rule]]\npath = '/'", 1, "site", "a table that starts with [[site]]"),
    ("[[site]]\norigin = 'http://a'\n[site.rule]\npath = '/'", 3, "site.rule", "a table that starts with [[site.rule]]"),
    ("[[site]]\norigin = 'http://a'\nrule = ['/']", 3, "site.rule", "a table that starts with [[site.rule]]"),
];

#[test]
fn key_that_is_unknown_names_the_nearest_or_where_it_belongs() {
    for (text, line, key, words) in UNKNOWN_KEYS {
        assert_one(text, *line, key, words);
    }
}

/// Texts with two parts that are right by themselves and can not hold together.
#[rustfmt::skip]
const CONTRADICTIONS: &[(&str, usize, &str, &str)] = &[
    ("[memory]\nsize = '1MiB'\nmax_object = '2MiB'", 3, "memory.max_object", "which is \"1MiB\""),
    ("[disk]\npath = ''\nsize = '4MiB'\nmax_object = '8MiB'", 4, "disk.max_object", "which is \"4MiB\""),
    ("[disk]\npath = ''\nmax_object = '21GiB'", 3, "disk.max_object", "which is \"20GiB\""),
    ("[disk]\npath = ''\nsize = '4MiB'\nblock = '8MiB'", 4, "disk.block", "\"8MiB\" does not fit"),
    ("[disk]\nsize = '1GiB'", 1, "disk.path", "no disk store"),
    ("[disk]\npath = 'www/store'\n[[site]]\nroot = 'www'", 2, "disk.path", "line 4"),
    ("[disk]\npath = 'www'\n[[site]]\nroot = 'www/../www'", 2, "disk.path", "line 4"),
    ("[disk]\npath = '.'\n[[site]]\nroot = 'www'", 2, "disk.path", "line 4"),
    ("[[site]]", 1, "site", "root, origin or both"),
    ("[[site]]\nroot = ''\norigin = []", 1, "site", "root, origin or both"),
    ("[[site]]\norigin = 'http://a'\ncache_control = 'public'", 3, "site.cache_control", "files below root"),
    ("[[site]]\nroot = 'www'\nhost = 'a'", 3, "site.host", "needs origin"),
    ("[[site]]\nroot = 'www'\ntrust_forwarded = true", 3, "site.trust_forwarded", "needs origin"),
    ("[[site]]\nroot = 'www'\nverify_peer = true", 3, "site.verify_peer", "needs origin"),
    ("[[site]]\nroot = 'www'\n[[site.rule]]\npath = '/'\n[[site.rule]]\npath = '/'", 3, "site.rule", "its site has none"),
    ("[[site]]\norigin = ['http://a',\n 'http://b',\n 'HTTP://A:80/']", 4, "site.origin", "http://a is listed on line 2"),
    ("[[site]]\norigin = 'http://a'\nfirst_byte_timeout = '61s'", 3, "site.first_byte_timeout", "fill.fill_timeout is \"1m\""),
    ("[fill]\nfill_timeout = '2s'\n[[site]]\norigin = 'http://a'\nconnect_timeout = '3s'", 5, "site.connect_timeout", "\"2s\""),
    ("[[site]]\norigin = 'http://a'\nca_file = 'ca.pem'", 3, "site.ca_file", "https://"),
    ("[[site]]\norigin = 'https://a'\nca_file = 'ca.pem'\nverify_peer = false", 3, "site.ca_file", "verify_peer"),
    ("[[site]]\norigin = 'https://a'\nsystem_roots = false", 3, "site.system_roots", "set ca_file"),
    ("[[site]]\norigin = 'https://a'\nsystem_roots = false\nverify_peer = false", 3, "site.system_roots", "verify_peer"),
    ("[[site]]\nroot = 'www'\nsystem_roots = false", 3, "site.system_roots", "needs origin"),
    ("[[site]]\norigin = 'http://a'\n[[site.rule]]\npath = '/a-b'\n[[site.rule]]\npath = '/a%2db'", 6, "site.rule.path", "line 3 is for /a-b"),
    ("[[site]]\norigin = 'http://a'\n[[site]]\norigin = 'http://b'", 3, "site.hosts", "line 1"),
];

/// Keys of a rule that can not hold together: which line of them, the key, and some words.
#[rustfmt::skip]
const RULE_CONTRADICTIONS: &[(&str, usize, &str, &str)] = &[
    ("cache = false\ndefault_ttl = '1s'", 1, "default_ttl", "cache = false"),
    ("cache = false\ntiers = ['memory']", 1, "tiers", "cache = false"),
    ("tiers = ['memory', 'memory']", 0, "tiers", "named already"),
    ("tiers = ['disk']", 0, "tiers", "disk.path is not set"),
    ("min_ttl = '2s'\nmax_ttl = '1s'", 0, "min_ttl", "max_ttl"),
    ("default_ttl = '2s'\nmax_ttl = '1s'", 0, "default_ttl", "max_ttl"),
    ("default_ttl = '1s'\nmin_ttl = '2s'", 0, "default_ttl", "min_ttl"),
    ("negative_ttl = { 404 = '2s', 410 = '1s' }\nmax_ttl = '1s'", 0, "negative_ttl", "lifetime of 404 lies beyond max_ttl"),
    ("min_ttl = '2s'\nnegative_ttl = { 404 = '2s', 500-599 = '1s' }", 1, "negative_ttl", "lifetime of 500-599 lies beyond min_ttl"),
    ("ignore_no_last_modified = true", 0, "ignore_no_last_modified", "default_ttl"),
    ("ignore_query = true\nstrip_query = ['a']", 1, "strip_query", "whole query"),
];

#[test]
fn contradictions_point_at_the_part_to_change() {
    for (text, line, key, words) in CONTRADICTIONS {
        assert_one(text, *line, key, words);
    }
    for (keys, line, key, words) in RULE_CONTRADICTIONS {
        let key = format!("site.rule.{key}");
        assert_one(&rule_with(keys), 5 + line, &key, words);
    }
    for memory in ["size = '0'", "max_object = '0'"] {
        let text = format!("{}\n[memory]\n{memory}", rule_with("tiers = ['memory']"));
        assert_one(&text, 5, "site.rule.tiers", "memory.max_object is 0");
    }
}

#[test]
fn disk_store_behind_a_link_into_a_root_is_found() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("www")).unwrap();
    std::os::unix::fs::symlink("www", folder.path().join("link")).unwrap();
    let text = "[disk]\npath = 'link/store'\n[[site]]\nroot = 'www'";
    let list = parse(text, &folder.path().join("hotplate.toml")).unwrap_err();
    assert_eq!(list.len(), 1, "{list:#?}");
    assert_eq!(list[0].key, "disk.path");
}

#[test]
fn password_in_a_url_is_never_repeated() {
    for text in [
        "origin = 'http://user:hunter2@a'",
        "origin = 'user:hunter2@a:80'",
        "origin = 'ftp://user:hunter2@a'",
        "origin = 'http://user:hunter2/@a'",
        "origin = ['http://user:hunter2@a', 'ftp://b']",
        "orign = 'http://user:hunter2@a'",
        "origin = http://user:hunter2@a",
        "origin = 'http://a'\nhost = 'user:hunter2@a'",
        "origin = 'http://a'\n[[site.rule]]\npath = '/'\nkey_base_url = 'http://user:hunter2@a'",
    ] {
        let text = format!("[[site]]\n{text}\n");
        for mistake in parse(&text, Path::new("a.toml")).unwrap_err() {
            let printed = format!("{mistake} {mistake:?}");
            assert!(!printed.contains("hunter2"), "{printed}");
        }
    }
}

#[test]
fn mistakes_of_sites_and_their_rules_are_all_reported() {
    let found = mistakes(
        "[[site]]\norigin = 'a'\nhost = '*'\n[[site.rule]]\npath = 'x'\ncach = true\n[[site.rule]]\npath = '/'\n\
         default_ttl = 1\n[[site]]\nroot = 'none'\n",
    );
    let places: Vec<(usize, &str)> = found
        .iter()
        .map(|(line, key, _)| (*line, key.as_str()))
        .collect();
    let expected = [
        (2, "site.origin"),
        (3, "site.host"),
        (5, "site.rule.path"),
        (6, "site.rule.cach"),
        (9, "site.rule.default_ttl"),
        (10, "site.hosts"),
        (11, "site.root"),
    ];
    assert_eq!(places, expected, "{found:#?}");
}
