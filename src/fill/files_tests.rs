//! Files below a root, on real folders.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::*;
use crate::store::Held;
use crate::store::budget::Budget;
use crate::store::guards::Guards;
use crate::sys::guard::BreakSignals;

const SITE: SiteId = SiteId(0);

struct Bench {
    folder: tempfile::TempDir,
    signals: BreakSignals,
    files: Files,
    now: MonoNanos,
}

impl Bench {
    fn new(descriptors: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        fs::create_dir(&root).unwrap();
        let signals = BreakSignals::of_this_thread().unwrap();
        let loader = Loader::new(Guards::new(signals.owner()));
        let rule = SiteRule {
            root: Some(root),
            cache_control: "no-cache".to_owned(),
            line: 1,
            ..SiteRule::default()
        };
        let budgets = Budgets {
            memory: Budget::new(0),
            descriptors: Budget::new(descriptors),
        };
        Self {
            files: Files::new([(SITE, rule)], loader, budgets),
            folder,
            signals,
            now: MonoNanos(0),
        }
    }

    fn root(&self) -> std::path::PathBuf {
        self.folder.path().join("root")
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.root().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn resolve(&self, path: &str) -> Outcome {
        match self.files.resolve(SITE, path.as_bytes(), self.now) {
            Resolved::Answer(outcome, _) => outcome,
            Resolved::NoRoom => panic!("{path}: no room"),
        }
    }

    fn find(&self, path: &str) -> Arc<Entry> {
        match self.resolve(path) {
            Outcome::Found(entry) => entry,
            other => panic!("{path}: {other:?}"),
        }
    }

    fn later(&mut self) {
        self.now = self.now.after(TRUSTED_FOR);
    }
}

fn body(entry: &Entry) -> Vec<u8> {
    let (Held::File(file) | Held::Unguarded(file)) = entry.identity.object.held() else {
        panic!("not a file");
    };
    let mut bytes = vec![0; 100];
    let count = file.read(&mut bytes, 0).unwrap();
    bytes.truncate(count);
    bytes
}

#[test]
fn paths_lead_to_files_and_folders_to_their_index() {
    let bench = Bench::new(100);
    bench.write("index.html", b"top");
    bench.write("a b/c.css", b"css");
    bench.write("a b/c.css.gz", b"zip");
    bench.write("sub/index.html", b"sub");
    assert_eq!(body(&bench.find("/")), b"top");
    assert_eq!(body(&bench.find("/sub/")), b"sub");
    let css = bench.find("/a%20b/c.css");
    assert_eq!(body(&css), b"css");
    assert_eq!(&*css.content_type, "text/css; charset=utf-8");
    assert_eq!(css.siblings.len(), 1);
    assert_eq!(css.source, Source::Root);
    assert!(matches!(bench.resolve("/sub"), Outcome::Directory));
    assert!(matches!(bench.resolve("/none"), Outcome::Missing));
    assert!(matches!(bench.resolve("/a%20b/"), Outcome::Missing));
    assert!(matches!(bench.resolve("/index.html/"), Outcome::Missing));
    let other = bench.files.resolve(SiteId(7), b"/", bench.now);
    assert!(matches!(other, Resolved::Answer(Outcome::Unavailable, _)));
}

#[test]
fn site_without_a_root_has_no_files() {
    let mut bench = Bench::new(100);
    let loader = Arc::clone(&bench.files.loader);
    let budgets = bench.files.budgets.clone();
    bench.files = Files::new([(SITE, SiteRule::default())], loader, budgets);
    for path in ["/", "/a", "*"] {
        assert!(matches!(bench.resolve(path), Outcome::Missing), "{path}");
    }
}

#[test]
fn nothing_leads_out_of_the_root_or_to_hidden_names() {
    let bench = Bench::new(100);
    bench.write(".secret", b"s");
    bench.write(".git/config", b"s");
    bench.write("sub/x", b"x");
    fs::write(bench.folder.path().join("outside"), b"o").unwrap();
    symlink("../outside", bench.root().join("link")).unwrap();
    symlink(bench.folder.path(), bench.root().join("up")).unwrap();
    symlink("sub/x", bench.root().join("inside")).unwrap();
    for path in [
        "/.secret",
        "/.git/config",
        "/sub/../.secret",
        "/../outside",
        "/%2E%2E/outside",
        "/sub%2Fx",
        "/sub//x",
        "//sub/x",
        "/x%00",
        "/link",
        "/up/outside",
        "*",
        "",
    ] {
        assert!(matches!(bench.resolve(path), Outcome::Missing), "{path}");
    }
    assert_eq!(body(&bench.find("/inside")), b"x");
}

#[test]
fn well_known_uris_are_shown_at_the_root_only() {
    let bench = Bench::new(100);
    bench.write(".well-known/security.txt", b"contact");
    bench.write(".well-known/.secret", b"s");
    bench.write(".well-known-not/x", b"s");
    bench.write("sub/.well-known/x", b"s");
    assert_eq!(body(&bench.find("/.well-known/security.txt")), b"contact");
    for path in [
        "/.well-known/.secret",
        "/.well-known/",
        "/.well-known",
        "/.well-known//security.txt",
        "/.well-known/../.well-known/security.txt",
        "/.well-known-not/x",
        "/sub/.well-known/x",
    ] {
        assert!(matches!(bench.resolve(path), Outcome::Missing), "{path}");
    }
}

#[test]
fn unchanged_file_keeps_its_entry_and_a_changed_one_gets_another() {
    let mut bench = Bench::new(100);
    bench.write("a", b"one");
    let first = bench.find("/a");
    fs::write(bench.root().join("b"), b"two").unwrap();
    fs::rename(bench.root().join("b"), bench.root().join("a")).unwrap();
    assert!(Arc::ptr_eq(&first, &bench.find("/a")));
    bench.later();
    let second = bench.find("/a");
    assert_eq!(body(&second), b"two");
    bench.later();
    assert!(Arc::ptr_eq(&second, &bench.find("/a")));
    bench.write("a.gz", b"zip");
    bench.later();
    assert_eq!(bench.find("/a").siblings.len(), 1);
    fs::remove_file(bench.root().join("a")).unwrap();
    bench.later();
    assert!(matches!(bench.resolve("/a"), Outcome::Missing));
    assert_eq!(bench.files.count(), 0);
}

#[test]
fn missing_file_is_remembered_for_a_second() {
    let mut bench = Bench::new(100);
    assert!(matches!(bench.resolve("/a"), Outcome::Missing));
    bench.write("a", b"one");
    assert!(matches!(bench.resolve("/a"), Outcome::Missing));
    bench.later();
    assert_eq!(body(&bench.find("/a")), b"one");
    for number in 0..3000 {
        assert!(matches!(
            bench.resolve(&format!("/none{number}")),
            Outcome::Missing
        ));
    }
    assert_eq!(lock(&bench.files.refused).len(), REFUSALS_MAX);
    assert_eq!(bench.files.count(), 1);
}

#[test]
fn root_that_is_switched_by_a_link_serves_the_new_folder() {
    let mut bench = Bench::new(100);
    bench.write("a", b"one");
    bench.find("/a");
    let other = bench.folder.path().join("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("a"), b"two").unwrap();
    fs::rename(bench.root(), bench.folder.path().join("old")).unwrap();
    symlink(&other, bench.root()).unwrap();
    bench.later();
    assert_eq!(body(&bench.find("/a")), b"two");
}

#[test]
fn open_files_never_exceed_their_descriptors() {
    let bench = Bench::new(8);
    for number in 0..50 {
        bench.write(&number.to_string(), number.to_string().as_bytes());
    }
    for number in 0..50 {
        let entry = bench.find(&format!("/{number}"));
        assert_eq!(body(&entry), number.to_string().as_bytes());
        assert!(bench.files.count() <= 8);
    }
    let held: Vec<_> = (0..8)
        .map(|number| bench.find(&format!("/{number}")))
        .collect();
    let refused = bench.files.resolve(SITE, b"/20", bench.now);
    assert!(matches!(refused, Resolved::NoRoom));
    // What others hold stays shared: giving it up would free nothing.
    assert_eq!(bench.files.count(), 8);
    drop(held);
    bench.find("/20");
}

#[test]
fn file_that_somebody_wants_to_write_is_given_up() {
    let bench = Bench::new(100);
    bench.write("a", b"one");
    let path = bench.root().join("a");
    drop(bench.find("/a"));
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| fs::write(&path, b"two"));
        let wanted = loop {
            if let Some(wanted) = bench.signals.next() {
                break wanted;
            }
            clock::pause(Duration::from_millis(5));
        };
        assert_eq!(bench.files.loader.guards().answer(wanted), 1);
        assert!(!writer.is_finished());
        assert!(matches!(bench.resolve("/a"), Outcome::Unavailable));
        bench.files.drop_revoked();
        writer.join().unwrap().unwrap();
    });
    assert_eq!(body(&bench.find("/a")), b"two");
}

#[test]
fn relative_paths_are_plain_names_only() {
    assert_eq!(relative_path(b"/a/b").as_deref(), Some(&b"a/b"[..]));
    assert_eq!(relative_path(b"/"), Some(b"index.html".to_vec()));
    for path in [&b"/."[..], b"/..", b"/a/../b", b"//", b"a", b"/%2e%2e/a"] {
        assert_eq!(
            relative_path(path),
            None,
            "{}",
            Path::new(&*String::from_utf8_lossy(path)).display()
        );
    }
}

/// Whoever remembers an answer adds no second of its own to ours.
#[test]
fn remembered_answer_comes_with_the_time_of_its_check() {
    let mut bench = Bench::new(10);
    bench.write("a", b"a");
    let start = bench.now;
    let checked_at =
        |bench: &Bench, path: &str| match bench.files.resolve(SITE, path.as_bytes(), bench.now) {
            Resolved::Answer(_, checked_at) => checked_at,
            Resolved::NoRoom => panic!("{path}: no room"),
        };
    for path in ["/a", "/none"] {
        assert_eq!(checked_at(&bench, path), start);
    }
    bench.now = start.after(TRUSTED_FOR / 2);
    for path in ["/a", "/none"] {
        assert_eq!(checked_at(&bench, path), start);
    }
    bench.now = start.after(TRUSTED_FOR);
    for path in ["/a", "/none"] {
        assert_eq!(checked_at(&bench, path), bench.now);
    }
}
