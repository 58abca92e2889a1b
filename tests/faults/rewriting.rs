//! Files rewritten in a loop while 64 clients check every body against its validator: never a body of two versions, and never
//! two bodies under one entity-tag.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use super::versions::{BLOCK, Seen, content, read};
use crate::harness::waiting::number_from_environment;
use crate::harness::{Answer, Broken, Client, Folder, Server, Setup, eventually, get, now, pause};

const CLIENTS: usize = 64;

/// How the files change, each its own way.
const WAYS: [&str; 5] = ["renamed", "in-place", "truncated", "deleted", "appended"];
/// How they are served.
const PREFIXES: [&str; 4] = ["/file", "/mmap", "/memory", "/root"];

fn rewritten() -> Setup {
    let mut setup = Setup::new()
        .pin_under_every_hold("p/*", |pin| pin.on_change("swap"))
        .site(&[], "www");
    for way in WAYS {
        setup = setup
            .file(format!("p/{way}.bin"), content(0, size_of(way, 0)))
            .file(format!("www/root/{way}.bin"), content(0, size_of(way, 0)));
    }
    setup
}

/// A version's size: on both sides of where servers change how they send; the same for edits in place.
fn size_of(way: &str, version: u64) -> usize {
    let blocks = match way {
        "in-place" => 2_048,
        _ => [64, 700, 4_096, 1_500][(version % 4) as usize],
    };
    blocks * BLOCK
}

/// Makes one version of a file take the place of another.
fn change(folder: &Folder, file: &str, way: &str, version: u64) {
    let new = content(version, size_of(way, version));
    match way {
        "renamed" => {
            let beside = format!("{}.new", file.replace('/', "-"));
            folder.place(&beside, &new);
            std::fs::rename(folder.path(beside), folder.path(file)).expect("renamed over");
        }
        // One write over the old bytes; the file is never shorter or longer.
        "in-place" => folder.overwrite_start(file, &new),
        "truncated" => {
            folder.truncate(file, (version % 5) * 1_000);
            folder.rewrite(file, &new);
        }
        "deleted" => {
            folder.remove(file);
            pause(Duration::from_millis(version % 3));
            folder.place(file, &new);
        }
        "appended" => {
            folder.rewrite(file, &new[..new.len() / 2]);
            folder.append(file, &new[new.len() / 2..]);
        }
        other => panic!("no such way: {other}"),
    }
}

/// What one client saw under each target and entity-tag.
type Sightings = HashMap<(usize, String), Seen>;

struct Watcher<'a> {
    address: SocketAddr,
    targets: &'a [String],
    sightings: Sightings,
    /// Takes each whole body's target, and its entity-tag where it is new to this client.
    bodies: SyncSender<(usize, Option<String>)>,
}

impl Watcher<'_> {
    /// Asks for the targets in turn until told to stop.
    fn watch(mut self, number: usize, stop: &AtomicBool) -> Sightings {
        let mut turn = number;
        let mut client = None;
        while !stop.load(Ordering::Relaxed) {
            let target = turn % self.targets.len();
            let connection = client.take().unwrap_or_else(|| Client::open(self.address));
            client = self.ask(connection, target, turn);
            turn += 1;
        }
        self.sightings
    }

    /// Asks once; gives the connection back where it goes on.
    fn ask(&mut self, mut client: Client, target: usize, turn: usize) -> Option<Client> {
        let mut request = get(&self.targets[target]);
        let ranged = (turn / self.targets.len()) % 5 == 4;
        if ranged {
            request = request.with("Range", "bytes=1024-3071");
        }
        if client.try_send(request.bytes()).is_err() {
            return None;
        }
        match client.try_answer("GET") {
            Ok(answer) => {
                self.check(target, &answer);
                (!answer.closes()).then_some(client)
            }
            // An answer may be broken off rather than completed with other bytes.
            Err(Broken::Closed | Broken::Cut(_)) => None,
            Err(Broken::Late(came)) => {
                panic!("{}: stuck after {} bytes", self.targets[target], came.len())
            }
        }
    }

    fn check(&mut self, target: usize, answer: &Answer) {
        let name = &self.targets[target];
        let offset = match answer.status {
            200 => 0,
            206 => 1_024,
            404 | 416 | 503 => return,
            other => panic!("{name}: status {other}: {answer}"),
        };
        let etag = answer.etag();
        let seen = read(&answer.body, offset)
            .unwrap_or_else(|wrong| panic!("{name} under {etag}: {wrong}"));
        if answer.status == 206 {
            if let Some(whole) = self.sightings.get(&(target, etag.clone())) {
                assert!(
                    seen.version.is_none() || seen.version == whole.version,
                    "{name} under {etag}: a part of another version"
                );
            }
            return;
        }
        let key = (target, etag.clone());
        let is_new = !self.sightings.contains_key(&key);
        let known = *self.sightings.entry(key).or_insert(seen);
        assert_eq!(known, seen, "{name}: two bodies under {etag}");
        // The last bodies may come when nobody counts any more.
        drop(self.bodies.send((target, is_new.then_some(etag))));
    }
}

fn targets() -> Vec<String> {
    let names = WAYS
        .iter()
        .flat_map(|way| PREFIXES.map(|prefix| format!("{prefix}/{way}.bin")));
    names.collect()
}

/// Rewrites one file over and over until told to stop; returns the last version.
fn rewrite(folder: &Folder, file: &str, way: &str, stop: &AtomicBool) -> u64 {
    let mut version = 0;
    while !stop.load(Ordering::Relaxed) {
        version += 1;
        change(folder, file, way, version);
        // Bursts, in which a file is never at rest, and rests in which a version is pinned and seen.
        let rest = [2, 10, 60, 150, 500][(version % 5) as usize];
        pause(Duration::from_millis(rest));
    }
    version
}

on_both_drivers!(
    bodies_of_rewritten_files_are_never_mixed,
    rewritten,
    |server| {
        let targets = targets();
        let seconds = number_from_environment("HOTPLATE_FAULT_SECONDS", 30);
        let stop = AtomicBool::new(false);
        let server: &Server = server;
        let (bodies, seen) = sync_channel(10_000);
        let last = std::thread::scope(|scope| {
            let writers: Vec<_> = WAYS
                .iter()
                .flat_map(|way| {
                    [
                        (format!("p/{way}.bin"), *way),
                        (format!("www/root/{way}.bin"), *way),
                    ]
                })
                .map(|(file, way)| {
                    let (folder, stop) = (&server.folder, &stop);
                    let thread = scope.spawn(move || rewrite(folder, &file, way, stop));
                    (way, thread)
                })
                .collect();
            let watchers: Vec<_> = (0..CLIENTS)
                .map(|number| {
                    let watcher = Watcher {
                        address: server.address,
                        targets: &targets,
                        sightings: HashMap::new(),
                        bodies: bodies.clone(),
                    };
                    let stop = &stop;
                    scope.spawn(move || watcher.watch(number, stop))
                })
                .collect();
            let failed = || {
                watchers
                    .iter()
                    .any(std::thread::ScopedJoinHandle::is_finished)
            };
            let mut enough = Enough::of(&targets, seconds);
            let end = now() + Duration::from_secs(seconds);
            let deadline = end + Duration::from_secs(9 * seconds + 60);
            while !failed() && (now() < end || enough.lacks().is_some() && now() < deadline) {
                pause(Duration::from_millis(20));
                enough.count(&seen);
            }
            stop.store(true, Ordering::Relaxed);
            drop(seen);
            let mut sightings = Sightings::new();
            for watcher in watchers {
                let its = watcher.join().expect("a client's checks hold");
                for (key, seen) in its {
                    let known = *sightings.entry(key.clone()).or_insert(seen);
                    assert_eq!(
                        known, seen,
                        "{} to two clients: two bodies under {}",
                        targets[key.0], key.1
                    );
                }
            }
            assert_eq!(enough.lacks(), None);
            writers
                .into_iter()
                .map(|(way, thread)| (way, thread.join().expect("a writer")))
                .collect::<Vec<_>>()
        });
        assert_last_versions_settle(server, &last);
    }
);

/// Guards the scenario itself: it proves little where few bodies or versions were seen, so it goes on until there are
/// enough.
struct Enough<'a> {
    targets: &'a [String],
    bodies_min: u64,
    versions_min: usize,
    bodies: u64,
    versions: Vec<HashSet<String>>,
}

impl<'a> Enough<'a> {
    fn of(targets: &'a [String], seconds: u64) -> Self {
        Self {
            targets,
            bodies_min: 100 * seconds,
            versions_min: usize::try_from(seconds / 3).expect("a few seconds"),
            bodies: 0,
            versions: vec![HashSet::new(); targets.len()],
        }
    }

    /// Counts what the clients have seen by now.
    fn count(&mut self, seen: &Receiver<(usize, Option<String>)>) {
        for (target, etag) in seen.try_iter() {
            self.bodies += 1;
            self.versions[target].extend(etag);
        }
    }

    /// What is lacking, if anything.
    fn lacks(&self) -> Option<String> {
        if self.bodies < self.bodies_min {
            return Some(format!("only {} whole bodies", self.bodies));
        }
        let target = self
            .versions
            .iter()
            .position(|versions| versions.len() < self.versions_min)?;
        let count = self.versions[target].len();
        Some(format!("only {count} versions of {}", self.targets[target]))
    }
}

/// Once the writers rest, every target shows the last version of its file.
fn assert_last_versions_settle(server: &Server, last: &[(&str, u64)]) {
    for (at, (way, version)) in last.iter().enumerate() {
        let whole = content(*version, size_of(way, *version));
        let prefixes = if at % 2 == 0 {
            &PREFIXES[..3]
        } else {
            &PREFIXES[3..]
        };
        for prefix in prefixes {
            let target = format!("{prefix}/{way}.bin");
            eventually(
                Duration::from_secs(6),
                &format!("{target} is version {version}"),
                || {
                    let answer = server.try_get(&target);
                    answer.is_some_and(|answer| answer.status == 200 && answer.body == whole)
                },
            );
        }
    }
    eventually(Duration::from_secs(10), "old files are released", || {
        server.descriptors_on_deleted() == 0
    });
}
