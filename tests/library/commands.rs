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
