//! `hotplate get`, `tryget`, `remove` and `clear` as a script sees them.

use std::process::{Command, Output};

use crate::harness::Server;
use crate::harness::origin::{Gate, Made, Origin, content, reply};
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

#[test]
fn jobs_are_listed_waited_for_and_cancelled() {
    let (origin, gate) = (Origin::start(), Gate::new());
    let slow = reply(200).max_age(600).length(3).wait(&gate).bytes("abc");
    origin.otherwise(move |_| slow.clone());
    let server = Shelf::open().line("concurrency = 1").start();
    let said = |words: &[&str]| {
        let output = hotplate(&server, words);
        assert!(output.stderr.is_empty(), "{words:?} {output:?}");
        assert_eq!(output.status.code(), Some(0), "{words:?} {output:?}");
        text(&output.stdout).to_owned()
    };
    assert_eq!(said(&["jobs"]), "no jobs\n");
    let url = |name: &str| format!("{}/{name}", origin.url());
    let order = ["prefetch", "--no-wait", &url("a"), &url("b"), &url("b")];
    assert_eq!(said(&order), "1\n2\n");
    origin.await_asked(1);
    let table = said(&["jobs"]);
    let lines: Vec<Vec<&str>> = table
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    let headings = ["id", "state", "priority", "bytes", "size", "url", "reason"];
    assert_eq!(lines[0], headings);
    assert_eq!(lines[1][..3], ["1", "running", "0"]);
    assert_eq!(lines[2][..3], ["2", "queued", "0"]);
    assert_eq!(lines[2].last(), Some(&&*url("b")));
    for (words, ids) in [
        (["jobs", "--json"].as_slice(), [1, 2].as_slice()),
        (&["jobs", "--json", "2", "1", "2"], &[1, 2]),
        (&["jobs", "--json", "--state", "queued"], &[2]),
        (&["jobs", "--json", "2", "--state", "running"], &[]),
        (&["jobs", "--json", "--limit", "1"], &[1]),
    ] {
        let told: serde_json::Value = serde_json::from_str(&said(words)).expect("JSON");
        let jobs = told["jobs"].as_array().expect("a list");
        let found: Vec<u64> = jobs.iter().filter_map(|job| job["id"].as_u64()).collect();
        assert_eq!(found, ids, "{words:?}");
    }
    assert_eq!(
        said(&["jobs", "2", "2", "--cancel"]),
        "cancelled 1 of 1 job\n"
    );
    assert_eq!(
        said(&["jobs", "2", "99", "--cancel"]),
        "cancelled 0 of 2 jobs\n"
    );
    gate.open();
    assert!(said(&["jobs", "1", "--wait"]).contains("  done "));
    assert!(origin.asked_for("/b").is_empty());
    let again = said(&["prefetch", "--no-wait", "--json", &url("a")]);
    let job: serde_json::Value = serde_json::from_str(&again).expect("a line of JSON");
    assert_eq!(job["id"], 3);
    let ended = said(&["jobs", "3", "--wait", "--timeout", "20s"]);
    assert!(ended.ends_with("  was there\n"), "{ended}");
}

#[test]
fn jobs_that_are_not_done_are_exit_code_1_with_their_reason() {
    let (origin, gate) = (Origin::start(), Gate::new());
    let slow = reply(200).max_age(600).length(3).wait(&gate).bytes("abc");
    origin.otherwise(move |asked| match asked.target.as_str() {
        "/slow" => slow.clone(),
        _ => reply(404).length(4).bytes("none"),
    });
    let server = Shelf::open().start();
    let url = |name: &str| format!("{}/{name}", origin.url());
    let order = [
        "prefetch",
        "--no-wait",
        &url("none"),
        "http://other.test/",
        &url("slow"),
    ];
    // One is refused: it has no job.
    let ordered = hotplate(&server, &order);
    assert_eq!(ordered.status.code(), Some(1), "{ordered:?}");
    assert_eq!(text(&ordered.stdout), "1\n2\n");
    let why = text(&ordered.stderr);
    assert!(why.contains("http://other.test/: "), "{why}");
    assert!(why.contains("host_not_allowed)"), "{why}");
    let timed = ["jobs", "2", "--wait", "--timeout", "100ms"].as_slice();
    for (words, code, said) in [
        (timed, 1, "has not ended in time: it is running"),
        (
            &["jobs", "1", "--wait"],
            1,
            "(the origin's fault: not_found)",
        ),
        (&["jobs", "1", "99", "--wait"], 1, "there is no job 99"),
        (&["jobs", "99"], 1, "(the request's fault: no_job)"),
        (&["jobs", "1", "--wait", "--timeout", "soon"], 2, "duration"),
        (&["jobs", "x"], 2, "invalid value"),
    ] {
        let output = hotplate(&server, words);
        assert_eq!(output.status.code(), Some(code), "{words:?} {output:?}");
        assert!(text(&output.stderr).contains(said), "{words:?} {output:?}");
    }
    hotplate(&server, &["jobs", "2", "--cancel"]);
    let cancelled = hotplate(&server, &["jobs", "2", "--wait"]);
    assert_eq!(cancelled.status.code(), Some(1), "{cancelled:?}");
    assert_eq!(text(&cancelled.stderr), "hotplate: job 2 was cancelled\n");
    gate.open();
}
