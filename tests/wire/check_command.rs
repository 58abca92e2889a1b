//! The command line: `check` and `serve` find the same mistakes, all at once, and exit codes tell what happened.

use std::path::PathBuf;

use crate::harness::server::run;
use crate::harness::{Config, Driver, Folder, Setup};

/// A config with six mistakes, and what the report of each must hold: the line, the key, and a help.
const MISTAKEN: &str = "[server]
listen = [\"127.0.0.1:0\"]
drivr = \"epoll\"
workers = \"many\"

[limits]
head = 16384
head_timeout = \"10\"
connections = 0

[[pin]]
path = \"a.txt\"
url = \"/a.txt\"
hold = \"mmapped\"
";
const REPORTS: [(usize, &str, &str); 6] = [
    (3, "drivr", "driver"),
    (4, "workers", "0"),
    (7, "head", "KiB"),
    (8, "head_timeout", "10s"),
    (9, "connections", "1"),
    (14, "hold", "mmap"),
];

fn written(folder: &Folder, text: &str) -> PathBuf {
    folder.place("hotplate.toml", text);
    folder.place("a.txt", b"a");
    folder.path("hotplate.toml")
}

/// The report's lines that speak of line `number` of the file.
fn reports_of(output: &str, number: usize) -> Vec<&str> {
    let place = format!("hotplate.toml:{number}");
    let lines = output.lines().filter(|line| {
        line.find(&place).is_some_and(|at| {
            let after = line.as_bytes().get(at + place.len());
            !after.is_some_and(u8::is_ascii_digit)
        })
    });
    lines.collect()
}

#[test]
fn check_of_a_good_config_exits_0() {
    let folder = Folder::new();
    let mut config = Config::default();
    config.add_site(&[], &folder.path(""));
    let file = written(&folder, &config.text(Driver::Epoll));
    let ended = run(
        &["check", "--config", file.to_str().expect("UTF-8")],
        &folder.path(""),
    );
    assert_eq!(ended.code, Some(0), "{ended}");
}

#[test]
fn check_and_serve_of_a_mistaken_config_list_every_mistake_and_exit_2() {
    let folder = Folder::new();
    let file = written(&folder, MISTAKEN);
    for command in ["check", "serve"] {
        let ended = run(
            &[command, "--config", file.to_str().expect("UTF-8")],
            &folder.path(""),
        );
        assert_eq!(ended.code, Some(2), "{command}: {ended}");
        for (number, key, help) in REPORTS {
            let lines = reports_of(&ended.output, number);
            assert!(
                !lines.is_empty(),
                "{command}: nothing on line {number} in:\n{ended}"
            );
            let text = lines.join("\n");
            assert!(text.contains(key), "{command}: {key} in {text}");
            assert!(ended.output.contains(help), "{command}: {help} in {ended}");
        }
    }
}

#[test]
fn contradiction_is_refused_with_both_places() {
    let folder = Folder::new();
    folder.place("b.txt", b"b");
    let text = "[server]
listen = [\"127.0.0.1:0\"]
admin = \"\"

[[pin]]
path = \"a.txt\"
url = \"/same.txt\"

[[pin]]
path = \"b.txt\"
url = \"/same.txt\"
";
    let file = written(&folder, text);
    let ended = run(
        &["check", "--config", file.to_str().expect("UTF-8")],
        &folder.path(""),
    );
    assert_eq!(ended.code, Some(2), "{ended}");
    assert!(ended.output.contains("/same.txt"), "{ended}");
    assert!(
        !reports_of(&ended.output, 11).is_empty() || !reports_of(&ended.output, 9).is_empty(),
        "{ended}"
    );
}

#[test]
fn admin_beyond_loopback_without_a_token_is_refused() {
    let folder = Folder::new();
    let config = Config {
        admin: "0.0.0.0:0".to_owned(),
        ..Config::default()
    };
    let file = written(&folder, &config.text(Driver::Epoll));
    let ended = run(
        &["check", "--config", file.to_str().expect("UTF-8")],
        &folder.path(""),
    );
    assert_eq!(ended.code, Some(2), "{ended}");
    assert!(ended.output.contains("token"), "{ended}");
}

#[test]
fn text_that_is_no_toml_is_refused_with_its_line() {
    let folder = Folder::new();
    let file = written(&folder, "[server]\nlisten = [\"127.0.0.1:0\"\nworkers ==\n");
    let ended = run(
        &["check", "--config", file.to_str().expect("UTF-8")],
        &folder.path(""),
    );
    assert_eq!(ended.code, Some(2), "{ended}");
    assert!(ended.output.contains("hotplate.toml:"), "{ended}");
}

#[test]
fn missing_config_exits_2_and_names_the_file() {
    let folder = Folder::new();
    for command in ["check", "serve", "stats"] {
        let ended = run(&[command, "--config", "no-such.toml"], &folder.path(""));
        assert_eq!(ended.code, Some(2), "{command}: {ended}");
        assert!(ended.output.contains("no-such.toml"), "{command}: {ended}");
    }
}

#[test]
fn wrong_usage_exits_2_and_help_exits_0() {
    let folder = Folder::new();
    for arguments in [
        &["nonsense"][..],
        &["serve", "--nonsense"],
        &["check", "--config"],
    ] {
        let ended = run(arguments, &folder.path(""));
        assert_eq!(ended.code, Some(2), "{arguments:?}: {ended}");
    }
    for arguments in [&["--help"][..], &["serve", "--help"], &["--version"]] {
        let ended = run(arguments, &folder.path(""));
        assert_eq!(ended.code, Some(0), "{arguments:?}: {ended}");
        assert!(ended.output.contains("hotplate"), "{ended}");
    }
}

#[test]
fn address_in_use_is_a_run_time_failure_that_names_it() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address").to_string();
    let folder = Folder::new();
    let config = Config::default().text(Driver::Epoll);
    let config = config.replace(
        "listen = [\"127.0.0.1:0\"]",
        &format!("listen = [\"{address}\"]"),
    );
    let file = written(&folder, &config);
    let ended = run(
        &["serve", "--config", file.to_str().expect("UTF-8")],
        &folder.path(""),
    );
    assert_eq!(ended.code, Some(1), "{ended}");
    assert!(ended.output.contains(&address), "{ended}");
}

#[test]
fn stats_without_a_server_is_a_run_time_failure() {
    let folder = Folder::new();
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = free.local_addr().expect("its address").to_string();
    drop(free);
    let config = Config {
        admin: address,
        ..Config::default()
    };
    let file = written(&folder, &config.text(Driver::Epoll));
    let ended = run(
        &["stats", "--config", file.to_str().expect("UTF-8")],
        &folder.path(""),
    );
    assert_eq!(ended.code, Some(1), "{ended}");
}

#[test]
fn relative_paths_are_below_the_config_file() {
    let mut setup = Setup::new().file("sub/a.txt", b"a");
    setup
        .config
        .pins
        .push(crate::harness::Pin::new("sub/a.txt", "/a.txt"));
    let server = setup.start(Driver::Epoll);
    server.get("/a.txt").expect(200).expect_body(b"a");
}
