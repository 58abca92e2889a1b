//! What the report says of files that are not served as the operator expects.

use std::os::unix::fs::symlink;

use super::*;

fn has_warning(report: &PinReport, parts: &[&str]) -> bool {
    let has_all = |line: &String| parts.iter().all(|part| line.contains(part));
    report.warnings.iter().any(has_all)
}

/// They were dropped without a word: "pinned 1 of 1".
#[test]
fn names_that_are_no_files_are_reported_until_they_go() {
    let mut bench = Bench::new();
    fs::create_dir(bench.path("p")).unwrap();
    bench.write("p/a.txt", "a");
    symlink("nowhere", bench.path("p/dangling.txt")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        bench.path("p/pipe.txt"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .unwrap();
    let glob = bench.path("p/*.txt");
    let report = bench.start(vec![rule(glob, "/", Hold::File, OnChange::Swap)]);
    assert_eq!((report.totals.ready, report.totals.pins), (1, 3));
    assert!(has_warning(&report, &["dangling.txt", "leads to no file"]));
    assert!(has_warning(&report, &["pipe.txt", "not a regular file"]));

    bench.write("p/nowhere", "found");
    bench.wait_for_body("the link's target came", "/dangling.txt", b"found");
    fs::remove_file(bench.path("p/nowhere")).unwrap();
    bench.wait("the link's target went", |bench| {
        has_warning(&bench.report(), &["dangling.txt", "leads to no file"])
    });
    fs::remove_file(bench.path("p/dangling.txt")).unwrap();
    fs::remove_file(bench.path("p/pipe.txt")).unwrap();
    bench.wait("the names went", |bench| {
        let report = bench.report();
        report.totals.pins == 1 && report.warnings.is_empty()
    });
}

/// Every touch of a sibling was told as an edit of the file.
#[test]
fn kept_file_is_told_apart_from_its_sibling_that_was_edited() {
    let mut bench = Bench::new();
    bench.write("a.txt", "text");
    bench.write("a.txt.br", "coded");
    let pin = rule(bench.path("a.txt"), "/a", Hold::File, OnChange::Keep);
    let report = bench.start(vec![pin.clone()]);
    assert!(report.warnings.is_empty(), "{:?}", report.warnings);
    let first = bench.entry("/a").unwrap().identity.etag.clone();

    // Neither content is touched.
    let open = |name: &str| {
        let path = bench.path(name);
        drop(fs::OpenOptions::new().append(true).open(path).unwrap());
    };
    open("a.txt");
    open("a.txt.br");
    let is_whole = |bench: &Bench| {
        let entry = bench.entry("/a");
        entry.is_some_and(|entry| !entry.is_revoked() && entry.siblings.len() == 1)
    };
    bench.wait("loaded again", is_whole);
    let report = bench.report();
    assert!(report.warnings.is_empty(), "{:?}", report.warnings);

    bench.write("a.txt.br", "coded anew");
    bench.wait("remark", |bench| {
        is_whole(bench) && has_warning(&bench.report(), &["a.txt.br was edited in place"])
    });
    let report = bench.report();
    assert!(!has_warning(&report, &["a.txt was edited in place"]));
    assert_eq!(bench.entry("/a").unwrap().identity.etag, first);
    let report = bench.board.as_ref().unwrap().reload(vec![pin]).unwrap();
    assert!(report.warnings.is_empty(), "{:?}", report.warnings);
}

#[test]
fn link_that_leads_out_of_the_folder_is_reported() {
    let mut bench = Bench::new();
    fs::create_dir(bench.path("www")).unwrap();
    bench.write("www/here", "here");
    bench.write("secret", "secret");
    symlink("../secret", bench.path("www/out")).unwrap();
    symlink("here", bench.path("www/in")).unwrap();
    // The folder's own name may be a link.
    symlink("www", bench.path("current")).unwrap();
    let pin = |name: &str, url: &str| rule(bench.path(name), url, Hold::File, OnChange::Swap);
    let rules = vec![pin("current/", "/"), pin("www/out", "/named")];
    let report = bench.start(rules);
    assert_eq!(report.totals.ready, 4);
    let [warning] = report.warnings.as_slice() else {
        panic!("{:?}", report.warnings);
    };
    assert!(warning.contains("current/out: out is a link to /"));
    assert!(warning.contains("/secret, outside"));
}

#[test]
fn report_lists_what_needs_looking_at() {
    let mut bench = Bench::new();
    bench.write("a", "a");
    bench.write("b", "b");
    let pin = |name: &str, url: &str| rule(bench.path(name), url, Hold::File, OnChange::Swap);
    let rules = vec![
        pin("a", "/one"),
        pin("b", "/one"),
        pin("none", "/none"),
        pin("*.xyz", "/x/"),
        pin("[", "/y/"),
    ];
    let report = bench.start(rules);
    let states: Vec<_> = report.pins.iter().map(|pin| pin.state).collect();
    assert_eq!(states, ["ready", "shadowed", "absent"]);
    for part in ["earlier pin", "no such file", "matches no file"] {
        let has = report.warnings.iter().any(|line| line.contains(part));
        assert!(has, "{part}: {:?}", report.warnings);
    }
    assert_eq!(bench.body("/one").unwrap(), b"a");
    fs::remove_file(bench.path("a")).unwrap();
    bench.wait_for_body("the next pin takes the URL", "/one", b"b");
}

#[test]
fn warnings_are_bounded_and_all_counted() {
    let mut bench = Bench::new();
    let pin = |number| {
        rule(
            bench.path("none"),
            &format!("/{number}"),
            Hold::File,
            OnChange::Swap,
        )
    };
    let report = bench.start((0..1_500).map(pin).collect());
    assert_eq!(report.totals.problems, 1_500);
    assert!(report.warnings.len() < 1_000);
}

#[test]
fn pin_shadowed_on_some_of_its_hosts_is_served_on_the_others_and_reported() {
    let mut bench = Bench::new();
    bench.write("a", "a");
    let pin = |hosts: &[&str]| PinRule {
        hosts: hosts.iter().map(ToString::to_string).collect(),
        ..rule(bench.path("a"), "/a", Hold::File, OnChange::Swap)
    };
    let report = bench.start(vec![
        pin(&["one.example"]),
        pin(&["one.example", "two.example"]),
    ]);
    assert_eq!((report.totals.ready, report.totals.shadowed), (2, 0));
    assert!(has_warning(
        &report,
        &["an earlier pin has this URL for one.example"]
    ));
}

/// What changed no entry was not shown until some entry changed.
#[test]
fn shown_report_follows_what_changes_no_entry() {
    let mut bench = Bench::new();
    fs::create_dir(bench.path("p")).unwrap();
    bench.write("p/a", "a");
    bench.start(vec![rule(bench.path("p"), "/", Hold::File, OnChange::Swap)]);
    let shown = |bench: &Bench| bench.board.as_ref().unwrap().shown().load_full();
    symlink("nowhere", bench.path("p/dangling")).unwrap();
    bench.wait("told", |bench| {
        has_warning(&shown(bench), &["dangling", "leads to no file"])
    });
    fs::remove_file(bench.path("p/dangling")).unwrap();
    bench.wait("gone", |bench| shown(bench).warnings.is_empty());
}
