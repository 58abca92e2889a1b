//! Exit codes, and what goes to which stream.

use std::path::Path;
use std::process::{Command, Output};

fn hotplate(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hotplate"))
        .args(words)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[track_caller]
fn written(folder: &tempfile::TempDir, config: &str) -> String {
    let file = folder.path().join("hotplate.toml");
    std::fs::write(&file, config).unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn check_of_the_sample_is_fine() {
    let output = hotplate(&["check"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(text(&output.stdout), "ok: 6 pins, 1 site\n");
    assert!(output.stderr.is_empty());
}

#[test]
fn check_names_every_mistake_on_standard_error_and_exits_2() {
    let folder = tempfile::tempdir().unwrap();
    let file = written(&folder, "[limits]\nhed = 1\nhead = 16384\n[[pin]]\n");
    let output = hotplate(&["check", "--config", &file]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(output.stdout.is_empty());
    let said = text(&output.stderr);
    for line in [
        format!("{file}:2:1: limits.hed: unknown key; did you mean \"head\"?"),
        format!("{file}:3:8: limits.head: 16384 has no unit; write \"16KiB\""),
        format!("{file}:4:1: pin.path: missing"),
        format!("{file}:4:1: pin.url: missing"),
        "hotplate: 4 mistakes in the config".to_owned(),
    ] {
        assert!(said.contains(&line), "{line}\n{said}");
    }
}

#[test]
fn check_keys_prints_the_table_of_keys() {
    let output = hotplate(&["check", "--keys"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let said = text(&output.stdout);
    for words in [
        "[server]",
        "[[site]]",
        "[disk]",
        "[fill]",
        "[[site.rule]]",
        "default \"16KiB\"",
        "a duration in whole seconds from \"0s\" to \"8760h\", or \"\" for none; default \"\"",
        "must be set",
    ] {
        assert!(said.contains(words), "{words}\n{said}");
    }
}

#[test]
fn check_of_a_site_before_an_origin_is_fine() {
    let folder = tempfile::tempdir().unwrap();
    let file = written(
        &folder,
        "[disk]\npath = \"store\"\n[[site]]\norigin = [\"http://127.0.0.1:8000\", \"https://b/base\"]\n\
         [[site.rule]]\npath = \"/images/\"\ndefault_ttl = \"10m\"\nnegative_ttl = { 404 = \"10s\" }\n",
    );
    let output = hotplate(&["check", "--config", &file]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(text(&output.stdout), "ok: 0 pins, 1 site\n");
    assert!(
        !folder.path().join("store").exists(),
        "check makes no folder"
    );
}

#[test]
fn check_names_every_mistake_of_a_site_before_an_origin() {
    let folder = tempfile::tempdir().unwrap();
    let file = written(
        &folder,
        "[memory]\nsize = \"1MiB\"\nmax_object = \"2MiB\"\n[[site]]\norigin = \"media:8000\"\nconect_timeout = \"5s\"\n\
         [[site.rule]]\npath = \"/a\"\nmin_ttl = \"2s\"\nmax_ttl = \"1s\"\nheuristic_factor = 10\n\
         [[site.rule]]\npath = \"/a\"\ntiers = [\"disk\"]\n",
    );
    let output = hotplate(&["check", "--config", &file]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let said = text(&output.stderr);
    for line in [
        "3:14: memory.max_object: larger than the whole store; must be at most size, which is \"1MiB\"",
        "5:10: site.origin: \"media:8000\": it starts with neither http:// nor https://; must be an http or https URL",
        "6:1: site.conect_timeout: unknown key; did you mean \"connect_timeout\"?",
        "9:11: site.rule.min_ttl: longer than max_ttl",
        "11:20: site.rule.heuristic_factor: 10 is out of range, must be a number from 0.0 to 1.0",
        "13:8: site.rule.path: the [[site.rule]] of line 7 is for /a of this site already",
        "14:10: site.rule.tiers: nothing would be stored: disk.path is not set",
    ] {
        let line = format!("{file}:{line}");
        assert!(said.contains(&line), "{line}\n{said}");
    }
    assert!(
        said.contains("hotplate: 7 mistakes in the config"),
        "{said}"
    );
}

#[test]
fn password_of_an_origin_is_never_printed() {
    let folder = tempfile::tempdir().unwrap();
    let file = written(&folder, "[[site]]\norigin = \"http://user:hunter2@a\"\n");
    let output = hotplate(&["check", "--config", &file]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let said = text(&output.stderr);
    assert!(
        said.contains("2:10: site.origin: a user or a password has no place in it"),
        "{said}"
    );
    assert!(!said.contains("hunter2"), "{said}");
}

#[test]
fn serve_by_a_wrong_config_exits_2_with_or_without_the_command() {
    let folder = tempfile::tempdir().unwrap();
    let file = written(&folder, "[server]\nworkers = -1\n");
    for words in [
        &["serve", "--config", &file][..],
        &["--config", &file],
        &["serve", "--config", "/nonexistent/hotplate.toml"],
    ] {
        let output = hotplate(words);
        assert_eq!(output.status.code(), Some(2), "{words:?} {output:?}");
        assert!(text(&output.stderr).contains("1 mistake in the config"));
    }
}

#[test]
fn stats_of_a_server_that_does_not_run_exits_1() {
    let folder = tempfile::tempdir().unwrap();
    let socket = format!("unix:{}", folder.path().join("none.sock").display());
    let output = hotplate(&["stats", "--admin", &socket]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stdout.is_empty());
    assert!(text(&output.stderr).contains("is the server running?"));
}

#[test]
fn operators_commands_without_a_server_exit_1_and_without_a_meaning_2() {
    let folder = tempfile::tempdir().unwrap();
    let socket = format!("unix:{}", folder.path().join("none.sock").display());
    for words in [
        &["purge", "--all"][..],
        &["ls"],
        &["clear"],
        &["explain", "http://a/"],
    ] {
        let output = hotplate(&[words, &["--admin", &socket]].concat());
        assert_eq!(output.status.code(), Some(1), "{words:?} {output:?}");
        assert!(text(&output.stderr).contains("is the server running?"));
        let output = hotplate(&[words, &["--config", "/nonexistent/hotplate.toml"]].concat());
        assert_eq!(output.status.code(), Some(2), "{words:?} {output:?}");
    }
    for words in [
        &["purge"][..],
        &["purge", "http://a/"],
        &["purge", "--url", "http://a/", "--all"],
        &["purge", "--url"],
        &["ls", "--limit", "0"],
        &["ls", "http://a/"],
        &["clear", "--url", "http://a/"],
        &["explain"],
        &["explain", "http://a/", "http://b/"],
    ] {
        let output = hotplate(&[words, &["--admin", &socket]].concat());
        assert_eq!(output.status.code(), Some(2), "{words:?} {output:?}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn wrong_command_line_exits_2_and_help_exits_0() {
    for words in [&["bake"][..], &["--confg"], &["stats", "--admin", "x"]] {
        assert_eq!(hotplate(words).status.code(), Some(2), "{words:?}");
    }
    for words in [&["--help"][..], &["--version"], &["check", "--help"]] {
        let output = hotplate(words);
        assert_eq!(output.status.code(), Some(0), "{words:?}");
        assert!(!output.stdout.is_empty() && output.stderr.is_empty());
    }
}

fn bytes_below(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries
        .map(|entry| match entry.metadata().unwrap() {
            folder if folder.is_dir() => bytes_below(&entry.path()),
            file => file.len(),
        })
        .sum()
}

#[test]
fn sample_media_are_small_and_have_their_siblings() {
    let media = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/media");
    let bytes = bytes_below(&media);
    assert!(bytes < 500 << 10, "{bytes}");
    for name in ["about.txt", "about.txt.gz", "about.txt.br"] {
        assert!(media.join(name).is_file(), "{name}");
    }
}
