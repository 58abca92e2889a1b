//! One mistake in a text, in table form: where it is reported and in which words.

use super::{assert_one, parsed};

/// Texts with one wrong value: the line, the key and some words of its mistake.
#[rustfmt::skip]
const WRONG_VALUES: &[(&str, usize, &str, &str)] = &[
    ("[server]\nlisten = []", 2, "server.listen", "a list of 1 to 64"),
    ("[server]\nlisten = '127.0.0.1:80'", 2, "server.listen", "found a text, must be a list"),
    ("[server]\nlisten = [\n 'localhost:80',\n]", 3, "server.listen", "not an IP address with a port"),
    ("[server]\nlisten = [80]", 2, "server.listen", "found a whole number"),
    ("[server]\nworkers = -1", 2, "server.workers", "-1 is out of range"),
    ("[server]\nworkers = 1.5", 2, "server.workers", "a whole number from 0 to 1024"),
    ("[server]\nworkers = 99999999999999999999", 2, "server.workers", "out of range"),
    ("[server]\ndriver = 'iouring'", 2, "server.driver", "did you mean \"io_uring\"?"),
    ("[server]\ndriver = true", 2, "server.driver", "\"auto\", \"io_uring\" or \"epoll\""),
    ("[server]\nadmin = 'localhost'", 2, "server.admin", "\"unix:/path\""),
    ("[server]\naccess_log = 'stdot'", 2, "server.access_log", "\"./\""),
    ("[server]\nformat = 'JSON'", 2, "server.format", "did you mean \"json\"?"),
    ("[limits]\nhead = 16384", 2, "limits.head", "16384 has no unit; write \"16KiB\""),
    ("[limits]\nhead = 16", 2, "limits.head", "16 has no unit; write \"1KiB\""),
    ("[limits]\nhead = \"99999\"", 2, "limits.head", "has no unit; write \"64KiB\""),
    ("[limits]\nidle_timeout = 9999", 2, "limits.idle_timeout", "9999 has no unit; write \"1h\""),
    ("[limits]\nhead = '16384'", 2, "limits.head", "write \"16KiB\""),
    ("[limits]\nhead = '512B'", 2, "limits.head", "\"512B\" is out of range, must be a size from \"1KiB\" to \"64KiB\""),
    ("[limits]\nhead = '65KiB'", 2, "limits.head", "out of range"),
    ("[limits]\nhead = '16kib'", 2, "limits.head", "did you mean \"KiB\"?"),
    ("[limits]\nhead = '16 KiB'", 2, "limits.head", "directly followed by a unit"),
    ("[limits]\nhead = true", 2, "limits.head", "found true or false"),
    ("[limits]\nheaders = 7", 2, "limits.headers", "from 8 to 256"),
    ("[limits]\nheaders = 257", 2, "limits.headers", "from 8 to 256"),
    ("[limits]\nconnections = 0", 2, "limits.connections", "from 1 to 1000000"),
    ("[limits]\npipeline = 1025", 2, "limits.pipeline", "from 1 to 1024"),
    ("[limits]\nidle_timeout = 65", 2, "limits.idle_timeout", "65 has no unit; write \"65s\""),
    ("[limits]\nidle_timeout = '99ms'", 2, "limits.idle_timeout", "from \"100ms\" to \"1h\""),
    ("[limits]\ndrain_timeout = '61m'", 2, "limits.drain_timeout", "from \"0s\" to \"1h\""),
    ("[limits]\ndrain_timeout = -1", 2, "limits.drain_timeout", "out of range"),
    ("[memory]\nsize = 536870912", 2, "memory.size", "write \"512MiB\""),
    ("[memory]\nsize = '99999999999TiB'", 2, "memory.size", "out of range"),
    ("[[pin]]\nurl = '/a'", 1, "pin.path", "missing"),
    ("[[pin]]\npath = 'a.wav'", 1, "pin.url", "missing"),
    ("[[pin]]\npath = 'a.wav'\nurl = 'a'", 3, "pin.url", "starts with \"/\""),
    ("[[pin]]\npath = 'a.wav'\nurl = '/a'\nhosts = ['a:80']", 4, "pin.hosts", "leave the port out"),
    ("[[pin]]\npath = 'a.wav'\nurl = '/a'\nhold = 'mapped'", 4, "pin.hold", "\"file\", \"mmap\" or \"memory\""),
    ("[[pin]]\npath = 'a.wav'\nurl = '/a'\non_change = 'swop'", 4, "pin.on_change", "did you mean \"swap\"?"),
    ("[[pin]]\npath = 'a.wav'\nurl = '/a'\ncontent_type = 'wav'", 4, "pin.content_type", "media type"),
    ("[[site]]\nroot = 'a.wav'", 2, "site.root", "a file is there"),
    ("[[site]]\nroot = 'missing'", 2, "site.root", "No such file or directory"),
];

#[test]
fn value_that_is_wrong_is_reported_at_its_place() {
    for (text, line, key, words) in WRONG_VALUES {
        assert_one(text, *line, key, words);
    }
}

/// Texts with one key that does not exist.
#[rustfmt::skip]
const UNKNOWN_KEYS: &[(&str, usize, &str, &str)] = &[
    ("[limits]\nhed = 1", 2, "limits.hed", "did you mean \"head\"?"),
    ("[limits]\nidle-timeout = '1s'", 2, "limits.idle-timeout", "did you mean \"idle_timeout\"?"),
    ("[limits]\nlisten = []", 2, "limits.listen", "it belongs to [server]"),
    ("listen = []", 1, "listen", "it belongs to [server]"),
    ("[server]\nhold = 'file'", 2, "server.hold", "it belongs to [[pin]]"),
    ("[servr]\n", 1, "servr", "did you mean \"server\"?"),
    ("[[pins]]\n", 1, "pins", "did you mean \"pin\"?"),
    ("[memory]\nquota = '1B'", 2, "memory.quota", "valid here: size, max_object"),
    ("[zzzzzzzz]\n", 1, "zzzzzzzz", "valid here: server, limits, memory, disk, fill, library, pin, site, profile, prefetch"),
];

#[test]
fn key_that_is_unknown_names_the_nearest_or_where_it_belongs() {
    for (text, line, key, words) in UNKNOWN_KEYS {
        assert_one(text, *line, key, words);
    }
}

/// Texts with one table of the wrong form.
#[rustfmt::skip]
const WRONG_TABLES: &[(&str, usize, &str, &str)] = &[
    ("[[server]]\n", 1, "server", "a table that starts with [server]"),
    ("[pin]\npath = 'a'", 1, "pin", "a table that starts with [[pin]]"),
    ("site = [1]", 1, "site", "a table that starts with [[site]]"),
    ("limits = 'low'", 1, "limits", "found a text"),
];

#[test]
fn table_of_the_wrong_form_says_how_to_start_it() {
    for (text, line, key, words) in WRONG_TABLES {
        assert_one(text, *line, key, words);
    }
}

/// Texts with two parts that are right by themselves and can not hold together.
#[rustfmt::skip]
const CONTRADICTIONS: &[(&str, usize, &str, &str)] = &[
    ("[server]\nlisten = ['127.0.0.1:80',\n'127.0.0.1:80']", 3, "server.listen", "line 2"),
    ("[server]\nlisten = ['127.0.0.1:80']\nadmin = '127.0.0.1:80'", 3, "server.admin", "line 2"),
    ("[server]\nlisten = ['0.0.0.0:80']\nadmin = '127.0.0.1:80'", 3, "server.admin", "line 2"),
    ("[server]\nlisten = ['127.0.0.1:9090']", 1, "server.admin", "line 2"),
    ("[server]\nadmin = '0.0.0.0:9090'", 2, "server.admin", "admin_token must be set"),
    ("[server]\nadmin = '[2001:db8::1]:9090'", 2, "server.admin", "admin_token must be set"),
    ("[[pin]]\npath = 'a'\nurl = '/x'\n[[pin]]\npath = 'b'\nurl = '/x'", 6, "pin.url", "line 1"),
    ("[[pin]]\npath = 'a'\nurl = '/'\n[[pin]]\npath = 'b'\nurl = '/%61'", 6, "pin.url", "/a"),
    ("[[pin]]\npath='a'\nurl='/x'\nhosts=['h','i']\n[[pin]]\npath='b'\nurl='/x'\nhosts=['i']", 7, "pin.url", "line 1"),
    ("[[pin]]\npath = '*.wav'\nurl = '/x'", 2, "pin.path", "end url with \"/\""),
    ("[[pin]]\npath = 'www'\nurl = '/x'", 2, "pin.path", "end url with \"/\""),
    ("[[site]]\nroot = 'www'\n[[site]]\nroot = 'www'", 3, "site.hosts", "line 1"),
    ("[[site]]\nroot='www'\n[[site]]\nroot='www'\nhosts=['*']", 3, "site.hosts", "line 1"),
    ("[[site]]\nroot='www'\nhosts=['a.b']\n[[site]]\nroot='www'\nhosts=['c','A.b']", 6, "site.hosts", "a.b is claimed on line 3"),
    ("[[site]]\nroot='www'\nhosts=['a','a']", 3, "site.hosts", "a is claimed on line 3"),
    ("[[site]]\nroot='www'\nhosts=['a','*']", 3, "site.hosts", "must stand alone"),
];

#[test]
fn contradictions_point_at_the_second_and_name_the_first() {
    for (text, line, key, words) in CONTRADICTIONS {
        assert_one(text, *line, key, words);
    }
}

#[test]
fn what_can_hold_together_is_no_contradiction() {
    let cases = [
        "[server]\nlisten = ['127.0.0.1:0', '127.0.0.1:0']",
        "[server]\nlisten = ['127.0.0.1:80', '[::1]:80', '127.0.0.1:81']",
        "[server]\nlisten = ['127.0.0.1:80']\nadmin = '127.0.0.2:80'",
        "[server]\nadmin = '[::1]:9090'",
        "[server]\nadmin = '127.1.2.3:9090'",
        "[server]\nadmin = '0.0.0.0:9090'\nadmin_token = '0123456789abcdef'",
        "[[pin]]\npath='a'\nurl='/x'\n[[pin]]\npath='b'\nurl='/x'\nhosts=['h']",
        "[[pin]]\npath='a'\nurl='/x'\nhosts=['g']\n[[pin]]\npath='b'\nurl='/x'\nhosts=['h']",
        "[[pin]]\npath='*.wav'\nurl='/'\n[[pin]]\npath='**/*.wav'\nurl='/'",
        "[[pin]]\npath='missing.wav'\nurl='/missing.wav'",
        "[[pin]]\npath='www'\nurl='/'",
        "[[site]]\nroot='www'\n[[site]]\nroot='www'\nhosts=['a']",
    ];
    for text in cases {
        let (_folder, settings) = parsed(text);
        assert!(settings.is_ok(), "{text}\n{settings:#?}");
    }
}
