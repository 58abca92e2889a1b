//! Leases over real files, with a store beside them that is none.

use std::fs;

use super::*;
use crate::index::responses::Responses;
use crate::store::Held;
use crate::store::disk::{Disk, DiskSettings};

struct Rig {
    _folder: tempfile::TempDir,
    tier: Arc<DiskTier>,
    leases: Leases,
    counts: Arc<LibraryCounts>,
}

const BOUNDS: Bounds = Bounds {
    leases: 3,
    bytes: 1000,
};

const SECOND: Duration = Duration::from_secs(1);

fn at(seconds: u64) -> Now {
    Now {
        mono: MonoNanos(seconds * 1_000_000_000),
        wall: UnixSeconds(1_900_000_000 + seconds),
    }
}

fn rig() -> Rig {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    let (disk, _) = Disk::open(DiskSettings::new(&store, 64 << 20)).unwrap();
    let (tier, thread) = DiskTier::start(disk, Arc::new(Responses::new(1 << 20)), 1 << 16).unwrap();
    thread.stop();
    let counts = Arc::<LibraryCounts>::default();
    let opened = Folder::open(&store, None).unwrap();
    Rig {
        leases: Leases::open(opened, at(0), Arc::clone(&counts)).unwrap(),
        tier,
        counts,
        _folder: folder,
    }
}

fn body(bytes: &[u8]) -> Arc<Object> {
    Arc::new(Object::of_response(
        Held::Heap(bytes.into()),
        bytes.len() as u64,
    ))
}

fn wanted<'w>(object: &'w Arc<Object>, extension: &'w str) -> Wanted<'w> {
    Wanted {
        object,
        stem: "a",
        extension,
        url: "http://a/a.wav",
        lease: 10 * SECOND,
    }
}

fn released(left: u32) -> Option<Released> {
    Some(Released { left: Some(left) })
}

impl Rig {
    fn get(&self, object: &Arc<Object>, extension: &str, now: Now) -> Result<Leased, Failure> {
        let wanted = wanted(object, extension);
        match self.leases.reuse(&wanted, now) {
            Some(leased) => Ok(leased),
            None => self.leases.make(&wanted, &self.tier, BOUNDS, now),
        }
    }

    fn held(&self) -> u64 {
        self.counts.read(LibraryCount::HeldBytes)
    }
}

#[test]
fn file_stays_until_the_last_lease_of_it_ends() {
    let rig = rig();
    let object = body(b"abc");
    let first = rig.get(&object, "wav", at(0)).unwrap();
    assert_eq!(fs::read(&first.path).unwrap(), b"abc");
    assert!(first.path.to_str().unwrap().ends_with("/a.wav"));
    assert_eq!(first.left, 10 * SECOND);
    let second = rig.get(&object, "wav", at(5)).unwrap();
    assert_eq!((second.id, &second.path), (first.id, &first.path));
    rig.leases.tend(at(14));
    assert!(first.path.exists());
    rig.leases.tend(at(15));
    assert!(!first.path.exists());
    assert_eq!((rig.leases.list(at(15)), rig.held()), (Vec::new(), 0));
    assert_eq!(rig.leases.renew(first.id, SECOND, at(15)), None);
}

#[test]
fn another_extension_or_body_is_another_file() {
    let rig = rig();
    let object = body(b"abc");
    let one = rig.get(&object, "wav", at(0)).unwrap();
    let two = rig.get(&object, "mp3", at(0)).unwrap();
    let three = rig.get(&body(b"abc"), "wav", at(0)).unwrap();
    assert!(one.path != two.path && one.path != three.path);
    assert_eq!(rig.held(), 9);
    let refused = rig.get(&body(b"x"), "", at(0)).unwrap_err();
    assert_eq!(refused.code, Code::LibraryFull);
    assert!(refused.reason.contains("library.leases"));
}

#[test]
fn bytes_that_only_leases_hold_are_bounded() {
    let rig = rig();
    let large = rig.get(&body(&[b'x'; 900]), "", at(0)).unwrap();
    let refused = rig.get(&body(&[b'y'; 200]), "", at(0)).unwrap_err();
    assert_eq!(refused.code, Code::LibraryFull);
    assert!(refused.reason.contains("library.size"), "{refused}");
    assert_eq!(rig.counts.read(LibraryCount::LimitSize), 1);
    assert_eq!(rig.leases.release(large.id), released(0));
    rig.get(&body(&[b'y'; 200]), "", at(0)).unwrap();
    assert_eq!(rig.held(), 200);
}

#[test]
fn makers_at_once_stay_below_the_bound() {
    let rig = rig();
    let bodies: Vec<_> = (0..3).map(|number| body(&[number; 400])).collect();
    let made = std::thread::scope(|scope| {
        let makers: Vec<_> = bodies
            .iter()
            .map(|object| scope.spawn(|| rig.get(object, "", at(0)).is_ok()))
            .collect();
        let made = makers.into_iter().map(|maker| maker.join().unwrap());
        made.filter(|is_made| *is_made).count()
    });
    assert_eq!((made, rig.held()), (2, 800));
}

#[test]
fn copy_that_fails_gives_its_bytes_back() {
    let rig = rig();
    let folder = rig.tier.disk().folder().join("library");
    fs::remove_dir_all(&folder).unwrap();
    let refused = rig.get(&body(&[b'x'; 900]), "", at(0)).unwrap_err();
    assert_eq!(refused.code, Code::DiskFailed);
    fs::create_dir(&folder).unwrap();
    rig.get(&body(&[b'y'; 900]), "", at(0)).unwrap();
    assert_eq!(rig.held(), 900);
}

#[test]
fn released_by_all_who_got_it_it_goes_at_once() {
    let rig = rig();
    let object = body(b"abc");
    let leased = rig.get(&object, "wav", at(0)).unwrap();
    rig.get(&object, "wav", at(0)).unwrap();
    assert_eq!(rig.leases.release(leased.id), released(1));
    assert!(leased.path.exists());
    assert_eq!(rig.leases.release(leased.id), released(0));
    assert!(!leased.path.exists());
    assert_eq!(rig.leases.release(leased.id), None);
}

#[test]
fn file_that_somebody_deleted_is_made_anew() {
    let rig = rig();
    let object = body(b"abc");
    let first = rig.get(&object, "wav", at(0)).unwrap();
    fs::remove_file(&first.path).unwrap();
    let second = rig.get(&object, "wav", at(0)).unwrap();
    assert_ne!(first.id, second.id);
    assert_eq!(fs::read(&second.path).unwrap(), b"abc");
}

#[test]
fn renewed_lease_ends_later_and_never_sooner() {
    let rig = rig();
    let leased = rig.get(&body(b"abc"), "wav", at(0)).unwrap();
    let renewed = rig.leases.renew(leased.id, 60 * SECOND, at(5)).unwrap();
    assert_eq!(renewed.left, 60 * SECOND);
    let renewed = rig.leases.renew(leased.id, SECOND, at(5)).unwrap();
    assert_eq!(renewed.left, 60 * SECOND);
    rig.leases.tend(at(64));
    assert!(leased.path.exists());
}

#[test]
fn leases_of_an_earlier_run_go_on_until_their_end() {
    let rig = rig();
    let leased = rig.get(&body(b"abc"), "wav", at(0)).unwrap();
    let store = rig.tier.disk().folder().to_path_buf();
    let again = |now: Now| {
        let folder = Folder::open(&store, None).unwrap();
        Leases::open(folder, now, Arc::default()).unwrap()
    };
    let next = again(at(5));
    let [line] = &next.list(at(5))[..] else {
        panic!("one lease");
    };
    assert_eq!(
        (line.id, line.url.as_deref(), line.size),
        (leased.id, None, 3)
    );
    assert!(
        line.left >= 5 * SECOND && line.left <= 25 * SECOND,
        "{line:?}"
    );
    // Others may hold it: it ends by its time alone.
    assert_eq!(line.holders, None);
    let still = Some(Released { left: None });
    assert_eq!(next.release(leased.id), still);
    assert_eq!(next.release(leased.id), still);
    next.tend(at(4));
    assert!(leased.path.exists());
    next.tend(at(40));
    assert!(!leased.path.exists());
    assert!(again(at(50)).list(at(50)).is_empty());
}

#[test]
fn stem_is_what_is_harmless_of_the_urls_last_segment() {
    for (path, stem) in [
        ("/a/hello-1.wav", "hello-1"),
        ("/a/%2e%2e%2fb.wav", "2e2e2fb"),
        ("/a/", "media"),
        ("/.wav", "media"),
        ("/a.tar.gz", "atar"),
    ] {
        assert_eq!(stem_of(path.as_bytes()), stem, "{path}");
    }
    assert_eq!(
        stem_of(format!("/{}", "x".repeat(500)).as_bytes()).len(),
        64
    );
}
