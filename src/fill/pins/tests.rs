//! The board on real files, with its own thread.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use super::*;
use crate::http::accept_encoding::Coding;
use crate::index::entry::Entry;
use crate::index::pins::Found;
use crate::store::budget::Budget;
use crate::store::pinned::{Hold, OnChange};
use crate::store::{Held, Object};
use crate::sys::clock;

mod ahead;
mod copies;
mod remarks;
mod writers;

/// What every change is seen within, and what a busy test machine adds.
const SEEN_WITHIN: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(10);

struct Bench {
    folder: tempfile::TempDir,
    index: Arc<ArcSwap<PinIndex>>,
    wakes: Arc<AtomicUsize>,
    board: Option<PinBoard>,
}

fn rule(path: PathBuf, url: &str, hold: Hold, on_change: OnChange) -> PinRule {
    PinRule {
        path,
        url: url.to_owned(),
        hosts: Vec::new(),
        hold,
        on_change,
        cache_control: "max-age=1".to_owned(),
        content_type: String::new(),
        line: 1,
    }
}

impl Bench {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            index: Arc::default(),
            wakes: Arc::default(),
            board: None,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).unwrap();
    }

    /// Sets the file's modification time back.
    fn set_age(&self, name: &str, age: Duration) {
        let file = fs::File::open(self.path(name)).unwrap();
        let time = file.metadata().unwrap().modified().unwrap();
        file.set_modified(time - age).unwrap();
    }

    fn start(&mut self, rules: Vec<PinRule>) -> PinReport {
        let wakes = Arc::clone(&self.wakes);
        let board = PinBoard::start(BoardSettings {
            rules,
            budgets: Budgets {
                memory: Budget::new(64 << 20),
                descriptors: Budget::new(12_000),
            },
            index: Arc::clone(&self.index),
            wake: Arc::new(move || {
                wakes.fetch_add(1, Ordering::Relaxed);
            }),
        })
        .unwrap();
        self.board.insert(board).report().unwrap()
    }

    fn report(&self) -> PinReport {
        self.board.as_ref().unwrap().report().unwrap()
    }

    fn found(&self, url: &str) -> Option<Found> {
        self.index.load().find(b"any", url.as_bytes())
    }

    fn entry(&self, url: &str) -> Option<Arc<Entry>> {
        let index = self.index.load();
        match index.find(b"any", url.as_bytes())? {
            Found::Entry(number) => index.entry(number).cloned(),
            Found::Changing => None,
        }
    }

    fn body(&self, url: &str) -> Option<Vec<u8>> {
        self.entry(url)
            .and_then(|entry| read(&entry.identity.object))
    }

    /// Waits until the change is seen. The deadline is generous; how long it took is returned.
    fn wait(&self, what: &str, is_seen: impl Fn(&Self) -> bool) -> Duration {
        let start = clock::mono();
        while !is_seen(self) {
            let waited = clock::mono().since(start);
            assert!(waited < PATIENCE, "{what}: not within {PATIENCE:?}");
            clock::pause(Duration::from_millis(2));
        }
        clock::mono().since(start)
    }

    fn wait_for_body(&self, what: &str, url: &str, body: &[u8]) {
        let waited = self.wait(what, |bench| bench.body(url).as_deref() == Some(body));
        if waited > SEEN_WITHIN {
            println!("{what}: took {waited:?}");
        }
    }
}

/// The bytes, if they are those of the object's identity.
fn read(object: &Object) -> Option<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(object.size()).unwrap()];
    match object.held() {
        Held::Heap(copy) => bytes.copy_from_slice(copy),
        Held::Sealed(memory) => {
            assert_eq!(
                rustix::io::pread(memory, &mut bytes, memory.offset()).unwrap(),
                bytes.len()
            );
        }
        Held::Mapping(_, file) | Held::File(file) => {
            assert_eq!(file.read(&mut bytes, 0).unwrap(), bytes.len());
        }
        Held::Unguarded(file) => {
            file.read(&mut bytes, 0).unwrap();
            if !file.matches(object.identity()) {
                return None;
            }
        }
        Held::Growing(_) | Held::Passing(_) => panic!("pins are files"),
    }
    Some(bytes)
}

const HOLDS: [Hold; 3] = [Hold::File, Hold::Mmap, Hold::Memory];

fn url_of(hold: Hold) -> String {
    format!("/{hold:?}")
}

/// One file pinned in the three ways, at `/File`, `/Mmap` and `/Memory`.
fn in_all_ways(bench: &Bench, name: &str, on_change: OnChange) -> Vec<PinRule> {
    HOLDS
        .map(|hold| rule(bench.path(name), &url_of(hold), hold, on_change))
        .into()
}

#[test]
fn swap_sees_every_kind_of_change() {
    let mut bench = Bench::new();
    bench.write("a", "one");
    let rules = in_all_ways(&bench, "a", OnChange::Swap);
    let report = bench.start(rules);
    assert_eq!(report.totals.ready, 3);
    assert!(report.warnings.is_empty(), "{:?}", report.warnings);
    let see = |bench: &Bench, what: &str, body: &[u8]| {
        for hold in HOLDS {
            bench.wait_for_body(&format!("{what} {hold:?}"), &url_of(hold), body);
        }
    };
    see(&bench, "start", b"one");
    let first = bench.entry("/File").unwrap().identity.etag.clone();

    bench.write("b", "two");
    fs::rename(bench.path("b"), bench.path("a")).unwrap();
    see(&bench, "rename", b"two");
    assert_ne!(bench.entry("/File").unwrap().identity.etag, first);

    bench.write("a", "three");
    see(&bench, "edit in place", b"three");

    fs::OpenOptions::new()
        .write(true)
        .open(bench.path("a"))
        .unwrap()
        .set_len(2)
        .unwrap();
    see(&bench, "truncation", b"th");

    {
        use std::io::Write as _;
        let mut file = fs::OpenOptions::new()
            .append(true)
            .open(bench.path("a"))
            .unwrap();
        file.write_all(b"ree").unwrap();
    }
    see(&bench, "growth", b"three");

    fs::remove_file(bench.path("a")).unwrap();
    for hold in HOLDS {
        bench.wait("removal", |bench| bench.found(&url_of(hold)).is_none());
    }
    bench.write("a", "four");
    see(&bench, "creation", b"four");
    assert!(bench.wakes.load(Ordering::Relaxed) > 5);
}

#[test]
fn keep_stays_through_rename_and_removal() {
    let mut bench = Bench::new();
    bench.write("a", "one");
    let rules = in_all_ways(&bench, "a", OnChange::Keep);
    bench.start(rules);
    let first = bench.entry("/File").unwrap().identity.etag.clone();
    bench.write("b", "two");
    fs::rename(bench.path("b"), bench.path("a")).unwrap();
    fs::remove_file(bench.path("a")).unwrap();
    clock::pause(Duration::from_millis(1300));
    for hold in HOLDS {
        assert_eq!(bench.body(&url_of(hold)).as_deref(), Some(&b"one"[..]));
    }
    assert_eq!(bench.entry("/File").unwrap().identity.etag, first);
}

#[test]
fn keep_edited_in_place_is_served_anew_under_new_validators() {
    let mut bench = Bench::new();
    bench.write("a", "one");
    let rules = in_all_ways(&bench, "a", OnChange::Keep);
    bench.start(rules);
    let first = bench.entry("/File").unwrap().identity.etag.clone();
    bench.write("a", "two");
    bench.wait_for_body("file", "/File", b"two");
    bench.wait_for_body("mmap", "/Mmap", b"two");
    assert_ne!(bench.entry("/File").unwrap().identity.etag, first);
    assert_eq!(bench.body("/Memory").as_deref(), Some(&b"one"[..]));
    assert_eq!(bench.entry("/Memory").unwrap().identity.etag, first);
    let warnings = bench.report().warnings;
    assert!(warnings.iter().any(|line| line.contains("edited in place")));
}

#[test]
fn glob_follows_files_and_folders_that_come_and_go() {
    let mut bench = Bench::new();
    fs::create_dir(bench.path("p")).unwrap();
    bench.write("p/a.wav", "a");
    let glob = bench.path("p/**/*.wav");
    let report = bench.start(vec![rule(glob, "/x/", Hold::File, OnChange::Swap)]);
    assert_eq!(report.totals.pins, 1);
    bench.write("p/b.wav", "b");
    bench.write("p/c.mp3", "c");
    bench.wait_for_body("created", "/x/b.wav", b"b");
    fs::create_dir_all(bench.path("p/en/us")).unwrap();
    bench.write("p/en/us/d.wav", "d");
    bench.wait_for_body("in a new folder", "/x/en/us/d.wav", b"d");
    fs::create_dir(bench.path("q")).unwrap();
    bench.write("q/e.wav", "e");
    fs::rename(bench.path("q"), bench.path("p/q")).unwrap();
    bench.wait_for_body("folder moved in", "/x/q/e.wav", b"e");
    fs::remove_dir_all(bench.path("p/en")).unwrap();
    fs::remove_file(bench.path("p/a.wav")).unwrap();
    bench.wait("removed", |bench| {
        bench.found("/x/en/us/d.wav").is_none() && bench.found("/x/a.wav").is_none()
    });
    assert_eq!(bench.found("/x/c.mp3"), None);
    assert_eq!(bench.report().totals.pins, 2);
}

#[test]
fn release_switched_by_a_link_is_seen_without_any_event() {
    let mut bench = Bench::new();
    for (release, body) in [("r1", "one"), ("r2", "two")] {
        fs::create_dir(bench.path(release)).unwrap();
        bench.write(&format!("{release}/a.wav"), body);
    }
    bench.write("r2/b.wav", "new");
    std::os::unix::fs::symlink("r1", bench.path("current")).unwrap();
    let single = bench.path("current/a.wav");
    bench.start(vec![
        rule(
            bench.path("current/*.wav"),
            "/x/",
            Hold::File,
            OnChange::Swap,
        ),
        rule(single, "/one", Hold::Mmap, OnChange::Swap),
    ]);
    assert_eq!(bench.body("/one").unwrap(), b"one");
    std::os::unix::fs::symlink("r2", bench.path("next")).unwrap();
    fs::rename(bench.path("next"), bench.path("current")).unwrap();
    bench.wait_for_body("single", "/one", b"two");
    bench.wait_for_body("of a glob", "/x/a.wav", b"two");
    bench.wait_for_body("new in a glob", "/x/b.wav", b"new");
}

#[test]
fn siblings_come_go_and_are_never_older_than_their_file() {
    let mut bench = Bench::new();
    bench.write("a.css", "text");
    bench.write("a.css.br", "stale");
    bench.set_age("a.css.br", Duration::from_secs(3));
    bench.write("a.css.zst", "copied first");
    bench.set_age("a.css.zst", Duration::from_secs(1));
    let report = bench.start(vec![rule(
        bench.folder.path().to_owned(),
        "/",
        Hold::File,
        OnChange::Swap,
    )]);
    assert_eq!(report.totals.pins, 1);
    let left_out = "a.css.br is older than a.css: left out";
    assert!(report.warnings.iter().any(|line| line.ends_with(left_out)));
    assert_eq!(report.pins[0].codings, ["zstd"]);
    bench.write("a.css.gz", "zip");
    bench.wait("sibling", |bench| {
        let entry = bench.entry("/a.css");
        entry.is_some_and(|entry| entry.representation(Coding::Gzip).is_some())
    });
    let entry = bench.entry("/a.css").unwrap();
    assert!(entry.representation(Coding::Brotli).is_none());
    let gzip = entry.representation(Coding::Gzip).unwrap();
    assert_eq!(read(&gzip.object).unwrap(), b"zip");
    drop(entry);
    for name in ["a.css.gz", "a.css.zst"] {
        fs::remove_file(bench.path(name)).unwrap();
    }
    bench.wait("siblings gone", |bench| {
        let entry = bench.entry("/a.css");
        entry.is_some_and(|entry| entry.siblings.is_empty())
    });
}

#[test]
fn reload_shares_unchanged_objects() {
    let mut bench = Bench::new();
    bench.write("a", "a");
    let rules = in_all_ways(&bench, "a", OnChange::Swap);
    bench.start(rules.clone());
    let before = bench.entry("/Mmap").unwrap();
    let board = bench.board.as_ref().unwrap();
    let report = board.reload(rules[1..].to_vec()).unwrap();
    assert_eq!(report.totals.ready, 2);
    let after = bench.entry("/Mmap").unwrap();
    assert!(Arc::ptr_eq(&before.identity.object, &after.identity.object));
    assert_eq!(bench.found("/File"), None);
    assert_eq!(board.reload(Vec::new()).unwrap().totals.pins, 0);
    drop((before, after));
    let report = bench.report();
    assert_eq!(
        (report.totals.descriptors, report.totals.memory_bytes),
        (0, 0)
    );
}

#[test]
fn ten_thousand_pins_load_and_one_change_is_seen() {
    let mut bench = Bench::new();
    for number in 0..10_000 {
        bench.write(&format!("{number}.wav"), number.to_string());
    }
    let glob: &Path = &bench.path("*.wav");
    let report = bench.start(vec![rule(
        glob.to_owned(),
        "/",
        Hold::Memory,
        OnChange::Swap,
    )]);
    assert_eq!(report.totals.ready, 10_000);
    // The report stays short, its sums are exact.
    assert_eq!((report.pins.len(), report.pins_omitted), (1_000, 9_000));
    assert_eq!(report.totals.held.memory.files, 10_000);
    let size_sum = 10 + 90 * 2 + 900 * 3 + 9_000 * 4;
    assert_eq!(report.totals.held.memory.bytes, size_sum);
    assert!(serde_json::to_vec(&report).unwrap().len() < 1 << 20);
    bench.write("77.wav", "changed");
    bench.wait_for_body("one of many", "/77.wav", b"changed");
}
