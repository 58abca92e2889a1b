//! Whole config texts: what they become, and what is said about them.

mod broken;
mod cache;
mod library;
mod profiles;
mod sample;
mod single;

use super::*;
use crate::store::pinned::{Hold, OnChange};
use crate::units::ByteSize;

/// Parses `text` as a file in a fresh folder that has a folder `www`, a file `a.wav` and certificates `ca.pem`.
fn parsed(text: &str) -> (tempfile::TempDir, Result<Settings, Mistakes>) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("www")).unwrap();
    std::fs::write(folder.path().join("a.wav"), b"RIFF").unwrap();
    let pem = "# roots\n-----BEGIN CERTIFICATE-----\n";
    std::fs::write(folder.path().join("ca.pem"), pem).unwrap();
    let settings = parse(text, &folder.path().join("hotplate.toml"));
    (folder, settings)
}

/// The line, key and text of each mistake in `text`, without file name and excerpt.
fn mistakes(text: &str) -> Vec<(usize, String, String)> {
    let (_folder, settings) = parsed(text);
    let list = settings.expect_err(text);
    list.into_iter()
        .map(|mistake| {
            let line = mistake.at.unwrap().line;
            (line, mistake.key, mistake.cause.to_string())
        })
        .collect()
}

/// Asserts that `text` has one mistake with this line, key and words.
#[track_caller]
fn assert_one(text: &str, line: usize, key: &str, words: &str) {
    let found = mistakes(text);
    assert_eq!(found.len(), 1, "{text}\n{found:#?}");
    let (found_line, found_key, found_words) = &found[0];
    assert_eq!((*found_line, found_key.as_str()), (line, key), "{text}");
    assert!(found_words.contains(words), "{text}\n{found_words}");
}

#[test]
fn empty_text_is_the_defaults() {
    let (_folder, settings) = parsed("");
    assert_eq!(settings, Ok(Settings::default()));
}

const ALLOWING: &str = "[disk]\npath = 'store'\n[library]\nhosts = ['a']\n";

#[test]
fn default_of_each_key_is_what_the_table_says() {
    for row in reference::reference() {
        let Some(default) = row.default else { continue };
        let (around, needed) = match (row.table, row.name) {
            ("pin", _) => ("", "path = 'a.wav'\nurl = '/a'\n"),
            ("disk", "size" | "max_object" | "block") => ("", "path = ''\n"),
            ("site", "origin") => ("", "root = 'www'\n"),
            ("site", _) => ("", "origin = 'http://a'\n"),
            ("profile", "name" | "kind") => continue,
            ("profile", _) => ("", "name = 'a'\nkind = 's3'\n"),
            ("prefetch", _) => (ALLOWING, "urls = ['http://a/']\n"),
            ("site.rule", _) => ("[[site]]\norigin = 'http://a'\n", "path = '/'\n"),
            _ => ("", ""),
        };
        let header = format!("{around}{}\n", row.written);
        let set = format!("{header}{} = {default}\n", row.name);
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("www")).unwrap();
        let file = folder.path().join("hotplate.toml");
        let with = parse(&format!("{set}{needed}"), &file);
        let without = parse(&format!("{header}{needed}"), &file);
        assert!(with.is_ok(), "{}.{}: {with:?}", row.table, row.name);
        assert_eq!(with, without, "{}.{}", row.table, row.name);
    }
}

#[test]
fn every_key_apart_from_the_caches_lands_in_its_setting() {
    let (folder, settings) = parsed(
        r#"
[server]
listen = ["0.0.0.0:80", "[::1]:81"]
workers = 3
driver = "epoll"
admin = "10.0.0.1:90"
admin_token = "0123456789abcdef"
access_log = "./access.log"
format = "json"
[limits]
head = "8KiB"
headers = 50
connections = 10
pipeline = 2
head_timeout = "1s"
idle_timeout = "2s"
send_timeout = "3s"
drain_timeout = "0s"
[[pin]]
path = "a.wav"
url = "/p/./a%2db.wav"
hosts = ["Media.Example.com"]
hold = "memory"
on_change = "keep"
cache_control = "no-cache"
content_type = "audio/x-wav"
[[site]]
hosts = ["*"]
root = "www"
cache_control = "public"
"#,
    );
    let settings = settings.unwrap();
    let folder = folder.path();
    let seconds = std::time::Duration::from_secs;
    let expected = Settings {
        server: ServerSettings {
            listen: vec!["0.0.0.0:80".parse().unwrap(), "[::1]:81".parse().unwrap()],
            workers: 3,
            driver: DriverChoice::Epoll,
            limits: Limits {
                head: ByteSize::kib(8),
                headers: 50,
                connections: 10,
                pipeline: 2,
                head_timeout: seconds(1),
                idle_timeout: seconds(2),
                send_timeout: seconds(3),
                drain_timeout: seconds(0),
            },
        },
        admin: AdminSettings {
            address: AdminAddress::Tcp("10.0.0.1:90".parse().unwrap()),
            token: "0123456789abcdef".to_owned(),
            access_log: crate::admin::settings::AccessLogTarget::File(folder.join("access.log")),
            format: crate::admin::settings::AccessLogFormat::Json,
        },
        pins: vec![PinRule {
            path: folder.join("a.wav"),
            url: "/p/a-b.wav".to_owned(),
            hosts: vec!["media.example.com".to_owned()],
            hold: Hold::Memory,
            on_change: OnChange::Keep,
            cache_control: "no-cache".to_owned(),
            content_type: "audio/x-wav".to_owned(),
            line: 19,
        }],
        sites: vec![SiteRule {
            root: Some(folder.join("www")),
            cache_control: "public".to_owned(),
            line: 27,
            ..SiteRule::default()
        }],
        ..Settings::default()
    };
    assert_eq!(settings, expected);
}

#[test]
fn ten_mistakes_in_one_file_are_all_reported() {
    let found = mistakes(
        r#"[server]
listn = ["127.0.0.1:80"]
workers = "four"
driver = "uring"
[limits]
head = 16384
headers = 1000
idle_timeout = "10 minutes"
[memory]
size = "512MB2"
[[pin]]
url = "prompts"
cache_control = "a\r\nb"
[[site]]
root = "nowhere"
[disc]
path = "/var/cache"
"#,
    );
    let lines: Vec<(usize, &str)> = found
        .iter()
        .map(|(line, key, _)| (*line, key.as_str()))
        .collect();
    let expected = [
        (2, "server.listn"),
        (3, "server.workers"),
        (4, "server.driver"),
        (6, "limits.head"),
        (7, "limits.headers"),
        (8, "limits.idle_timeout"),
        (10, "memory.size"),
        (11, "pin.path"),
        (12, "pin.url"),
        (13, "pin.cache_control"),
        (15, "site.root"),
        (16, "disc"),
    ];
    assert_eq!(lines, expected, "{found:#?}");
}

#[test]
fn mistake_prints_file_line_column_key_advice_and_the_line() {
    let text = "[server]\n\n[limits]\n  hed = \"16KiB\"\n";
    let list = parse(text, Path::new("config/hotplate.toml")).unwrap_err();
    let printed: Vec<String> = list.iter().map(ToString::to_string).collect();
    let expected = "config/hotplate.toml:4:3: limits.hed: unknown key; did you mean \"head\"?\n   |\n \
                    4 |   hed = \"16KiB\"\n   |   ^^^";
    assert_eq!(printed, [expected]);
}
