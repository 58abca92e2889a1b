//! `hotplate get`, `tryget`, `remove` and `clear` as a script sees them.

use std::process::{Command, Output};

use crate::harness::Server;
use crate::harness::origin::{Made, Origin, content};
use crate::shelf::Shelf;

fn hotplate(server: &Server, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hotplate"))
        .args(words)
        .arg("--config")
        .arg(server.config_path())
        .args([
            "--admin",
            &server.admin.expect("an admin address").to_string(),
        ])
        .output()
        .expect("the built binary")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

#[test]
fn get_prints_the_path_alone() {
    let origin = Origin::start();
    origin.serve("/a.wav", Made::new(1, 5000).max_age(600));
    let server = Shelf::open().start();
    let url = format!("{}/a.wav", origin.url());
    let missed = hotplate(&server, &["tryget", &url]);
    assert_eq!(missed.status.code(), Some(1), "{missed:?}");
    assert!(missed.stdout.is_empty());
    assert!(
        text(&missed.stderr).contains("(the request's fault: absent)"),
        "{missed:?}"
    );
    for words in [["get", &url], ["tryget", &url]] {
        let output = hotplate(&server, &words);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let path = text(&output.stdout).strip_suffix('\n').expect("a line");
        assert_eq!(std::fs::read(path).unwrap(), content(1, 0..5000));
        assert!(output.stderr.is_empty(), "{output:?}");
    }
    let words = [
        "get",
        &url,
        "--json",
        "--lease",
        "2m",
        "--refresh",
        "--extension",
        "ul",
    ];
    let output = hotplate(&server, &words);
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert!(told["path"].as_str().unwrap().ends_with("/a.ul"), "{told}");
    assert!(told["lease"]["seconds"].as_f64().unwrap() > 100.0);
    assert_eq!(origin.asked().len(), 2);
}

#[test]
fn remove_and_clear_tell_how_much_went() {
    let origin = Origin::start();
    origin.serve("/a.wav", Made::new(1, 5000).max_age(600));
    let server = Shelf::open().start();
    let url = format!("{}/a.wav", origin.url());
    hotplate(&server, &["get", &url]);
    for line in ["removed 1 response\n", "removed 0 responses\n"] {
        let output = hotplate(&server, &["remove", &url]);
        assert_eq!(
            (output.status.code(), text(&output.stdout)),
            (Some(0), line)
        );
    }
    hotplate(&server, &["get", &url]);
    let output = hotplate(&server, &["clear"]);
    assert_eq!(text(&output.stdout), "purged 1 response\n");
}

#[test]
fn exit_code_is_2_for_what_was_typed_and_1_for_what_failed() {
    let origin = Origin::start();
    let server = Shelf::open().start();
    for (words, code, said) in [
        (vec!["get", "nonsense"], 2, "is no http or https URL"),
        (
            vec!["get", "http://127.0.0.1/", "--lease", "soon"],
            2,
            "duration",
        ),
        (vec!["get", "http://other.test/"], 1, "library.hosts"),
        (
            vec!["get", &format!("{}/none", origin.url())],
            1,
            "(the origin's fault: not_found)",
        ),
    ] {
        let output = hotplate(&server, &words);
        assert_eq!(output.status.code(), Some(code), "{words:?} {output:?}");
        assert!(text(&output.stderr).contains(said), "{words:?} {output:?}");
        assert!(output.stdout.is_empty());
    }
    let failed = hotplate(&server, &["get", "http://other.test/", "--json"]);
    let told: serde_json::Value = serde_json::from_slice(&failed.stdout).expect("JSON");
    assert_eq!(told["code"], "host_not_allowed");
    assert_eq!(failed.status.code(), Some(1));
}

#[test]
fn check_says_that_the_library_needs_the_disk_store() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("hotplate.toml");
    std::fs::write(&file, "[library]\nhosts = [\"a.example\"]\n").expect("a config");
    let output = Command::new(env!("CARGO_BIN_EXE_hotplate"))
        .args(["check", "--config"])
        .arg(&file)
        .output()
        .expect("the built binary");
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("set disk.path"), "{output:?}");
}

#[test]
fn leases_are_listed_renewed_and_given_back() {
    let origin = Origin::start();
    origin.serve("/a.wav", Made::new(1, 5000).max_age(600));
    let server = Shelf::open().start();
    let none = hotplate(&server, &["leases"]);
    assert_eq!(
        (none.status.code(), text(&none.stdout)),
        (Some(0), "no leases\n")
    );
    let url = format!("{}/a.wav", origin.url());
    let path = || {
        let output = hotplate(&server, &["get", &url, "--lease", "1m"]);
        text(&output.stdout).trim_end().to_owned()
    };
    let (path, second) = (path(), path());
    assert_eq!(path, second);
    let output = hotplate(&server, &["leases"]);
    let lines: Vec<&str> = text(&output.stdout).lines().collect();
    let words = |line: usize| lines[line].split_whitespace().collect::<Vec<_>>();
    assert_eq!(
        words(0),
        ["id", "seconds", "holders", "size", "held", "url", "path"]
    );
    let lease = words(1);
    let left: u64 = lease[1].parse().expect("seconds");
    assert!((1..=60).contains(&left), "{lease:?}");
    assert_eq!(lines.len(), 2);
    assert_eq!(lease[2..6], ["2", "4.9", "KiB", "yes"]);
    assert_eq!(lease[6..], [&*url, &*path]);
    let told: serde_json::Value =
        serde_json::from_slice(&hotplate(&server, &["leases", "--json"]).stdout).expect("JSON");
    assert_eq!(told["leases"][0]["id"], lease[0]);

    let renewed = hotplate(&server, &["lease", lease[0], "--renew", "5m"]);
    assert_eq!(renewed.status.code(), Some(0), "{renewed:?}");
    let line = format!("300 seconds left: {path}\n");
    assert_eq!(text(&renewed.stdout), line);
    let released = hotplate(&server, &["lease", &path, "--release"]);
    assert_eq!(text(&released.stdout), "released: 1 holder left\n");
    assert!(std::fs::exists(&path).unwrap());
    let words = ["lease", lease[0], "--release", "--json"];
    let told: serde_json::Value =
        serde_json::from_slice(&hotplate(&server, &words).stdout).expect("JSON");
    assert_eq!(told["holders"], 0);
    assert!(!std::fs::exists(&path).unwrap());

    for (words, code, said) in [
        (["lease", lease[0], "--release"].as_slice(), 1, "no_lease"),
        (
            &["lease", &path, "--release"],
            1,
            "(the request's fault: no_lease)",
        ),
        (
            &["lease", &path, "--renew", "5m"],
            1,
            "no lease has the path",
        ),
        (&["lease", "1", "--renew", "soon"], 2, "duration"),
        (&["lease", "1"], 2, "--renew"),
    ] {
        let output = hotplate(&server, words);
        assert_eq!(output.status.code(), Some(code), "{words:?} {output:?}");
        assert!(text(&output.stderr).contains(said), "{words:?} {output:?}");
        assert!(output.stdout.is_empty(), "{output:?}");
    }
}

#[test]
fn lease_from_before_the_last_start_stays_for_its_time() {
    let origin = Origin::start();
    origin.serve("/a.wav", Made::new(1, 5000).max_age(600));
    let mut server = Shelf::open().start();
    let url = format!("{}/a.wav", origin.url());
    let output = hotplate(&server, &["get", &url, "--lease", "1m"]);
    let path = text(&output.stdout).trim_end();
    server.restart();
    let released = hotplate(&server, &["lease", path, "--release"]);
    assert!(
        text(&released.stdout).contains("before the last start"),
        "{released:?}"
    );
    let output = hotplate(&server, &["leases"]);
    let line = text(&output.stdout).lines().nth(1).expect("a lease");
    let lease: Vec<&str> = line.split_whitespace().collect();
    assert_eq!((lease[2], lease[6]), ("-", "-"), "{line}");
    assert!(std::fs::exists(path).unwrap());
}
