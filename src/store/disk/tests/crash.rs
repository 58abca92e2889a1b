//! Crashes at any point: a workload's log is cut anywhere, what was not synced is lost, torn or reordered, and the folder that
//! results is opened. Whatever is found must have been stored under its key; what a commit had made safe must be there.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::rig::{Op, Rig, Target};
use super::*;

const CAP: u64 = 24 << 20;
const KEYS: u64 = 24;

/// A fixed series of numbers.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides
    }
}

/// The body of a version of a key: its seed and length are all that tell it.
fn body_for(version: u64) -> Vec<u8> {
    let lengths = [0, 30, 3000, 16_384, 20_000, 70_000, 150_000];
    bytes(version + 1, lengths[(version % 7) as usize])
}

fn version_of(meta: &[u8]) -> u64 {
    u64::from_le_bytes(*meta.first_chunk().unwrap())
}

/// What a workload did, and what was safe when.
#[derive(Default)]
struct History {
    log: Vec<Op>,
    opened_at: usize,
    /// The log's length after each flush, and the version of each key then.
    safe: Vec<(usize, BTreeMap<u64, u64>)>,
    /// The log's length when a key began to change, and the key.
    changes: Vec<(usize, u64)>,
    versions: HashMap<u64, BTreeSet<u64>>,
}

fn put_version(disk: &Disk, key: u64, version: u64, dice: &mut Dice) {
    let mut label = label(&format!("key{key}"));
    label.meta = version.to_le_bytes().into();
    let body = body_for(version);
    let size = body.len() as u64;
    let mut writer = disk
        .begin(label, Some(size), Extension::new("mp3"))
        .unwrap();
    if size > 65_536 && dice.roll(2) == 0 {
        // In part: the first block, then perhaps the rest by another writer.
        writer.write_at(0, &body[..65_536]).unwrap();
        writer.publish_partial().unwrap();
        let id = writer.id();
        drop(writer);
        if dice.roll(2) == 0 {
            let mut more = disk.add_blocks(id).unwrap();
            for (part, at) in body[65_536..].chunks(65_536).zip(1..) {
                more.write_at(at * 65_536, part).unwrap();
            }
        }
        return;
    }
    for (part, at) in body.chunks(9000).zip(0..) {
        writer.write_at(at * 9000, part).unwrap();
    }
    if dice.roll(10) > 0 {
        writer.complete().unwrap();
    }
}

fn run(seed: u64) -> History {
    let fixture = Fixture::new(CAP);
    let settings = DiskSettings {
        path: fixture.folder.path().join("logged"),
        ..fixture.settings.clone()
    };
    let rig = Rig::logging();
    let (disk, _) = rig.open(settings).unwrap();
    let mut history = History {
        opened_at: rig.log_length(),
        ..History::default()
    };
    let mut dice = Dice(seed);
    let mut version = 0;
    for step in 0..260 {
        let key = dice.roll(KEYS);
        history.changes.push((rig.log_length(), key));
        match dice.roll(12) {
            0 => {
                remove(&disk, &Selection::Key(format!("key{key}").as_bytes())).unwrap();
            }
            1 => {
                for record in disk.find(format!("key{key}").as_bytes()).unwrap() {
                    let mut meta = record.label.meta.to_vec();
                    meta.push(b'+');
                    disk.update(record.id, meta.into(), None, None).unwrap();
                    disk.touch(record.id);
                }
            }
            2 if step % 5 == 0 => {
                for record in disk.find(format!("key{key}").as_bytes()).unwrap() {
                    if record.is_complete {
                        disk.materialise(record.id).unwrap();
                    }
                }
            }
            _ => {
                version += 1;
                history.versions.entry(key).or_default().insert(version);
                put_version(&disk, key, version, &mut dice);
            }
        }
        if dice.roll(8) == 0 {
            disk.flush().unwrap();
            let mut safe = BTreeMap::new();
            for key in 0..KEYS {
                if let Some(record) = find(&disk, &format!("key{key}")) {
                    safe.insert(key, version_of(&record.label.meta));
                }
            }
            history.safe.push((rig.log_length(), safe));
        }
    }
    drop(disk);
    history.log = rig.log();
    history
}

/// The folder's files as far as they are safe, and what was done since.
#[derive(Default)]
struct Device {
    safe: HashMap<Target, Vec<u8>>,
    since: HashMap<Target, Vec<Op>>,
    /// Files that were made or unlinked since the last sync of theirs.
    names: BTreeMap<PathBuf, bool>,
}

fn apply(bytes: &mut Vec<u8>, op: &Op, cut: Option<usize>) {
    match op {
        Op::Write(_, offset, written) => {
            let written = &written[..cut.unwrap_or(written.len()).min(written.len())];
            let (start, end) = (*offset as usize, *offset as usize + written.len());
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes[start..end].copy_from_slice(written);
        }
        Op::SetLength(length) => bytes.resize(*length as usize, 0),
        Op::Create(_) | Op::Unlink(_) | Op::Sync(_) => {}
    }
}

impl Device {
    fn step(&mut self, op: &Op) {
        match op {
            Op::Create(path) => {
                self.names.insert(path.clone(), true);
                self.safe.insert(Some(path.clone()), Vec::new());
            }
            Op::Unlink(path) => {
                self.names.insert(path.clone(), false);
            }
            Op::Write(target, ..) => self
                .since
                .entry(target.clone())
                .or_default()
                .push(op.clone()),
            Op::SetLength(_) => self.since.entry(None).or_default().push(op.clone()),
            Op::Sync(target) => {
                let bytes = self.safe.entry(target.clone()).or_default();
                for op in self.since.remove(target).unwrap_or_default() {
                    apply(bytes, &op, None);
                }
            }
        }
    }

    /// Writes what a crash leaves. `is_kill`: the process alone ended, so that everything was kept.
    fn write_to(&self, folder: &Path, is_kill: bool, dice: &mut Dice) {
        std::fs::create_dir_all(folder.join("objects")).unwrap();
        for (target, safe) in &self.safe {
            let path = match target {
                None => folder.join("meta.redb"),
                Some(path) => folder.join("objects").join(path),
            };
            if let Some(name) = target {
                let is_there = self.names.get(name) == Some(&true);
                let since = self.since.contains_key(target);
                // An unlink may be lost; so may the name of a file that was never synced.
                let is_kept = if is_there {
                    !since || dice.roll(3) > 0
                } else {
                    dice.roll(2) == 0
                };
                if !(if is_kill { is_there } else { is_kept }) {
                    continue;
                }
            }
            let mut bytes = safe.clone();
            for op in self.since.get(target).into_iter().flatten() {
                let torn = match op {
                    Op::Write(_, _, written) => dice.roll(written.len() as u64 + 1) as usize,
                    _ => 0,
                };
                match if is_kill { 0 } else { dice.roll(4) } {
                    0 | 1 => apply(&mut bytes, op, None),
                    2 => apply(&mut bytes, op, Some(torn)),
                    _ => {}
                }
            }
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
    }
}

/// Opens a folder that a crash left and checks all that is found. Returns how many objects there were.
fn check(folder: &Path, history: &History, cut: usize) -> u64 {
    let mut settings = DiskSettings::new(folder, CAP);
    settings.block = 64 << 10;
    let (disk, report) = Disk::open(settings).unwrap();
    if cut >= history.opened_at {
        assert_eq!(report.set_aside, None, "cut at {cut}");
    }
    let safe = history.safe.iter().rfind(|(at, _)| *at <= cut);
    let mut found_count = 0;
    for key in 0..KEYS {
        let found = find(&disk, &format!("key{key}"));
        let version = found.as_ref().map(|record| version_of(&record.label.meta));
        if let Some((at, safe)) = safe {
            let changes = &mut history.changes.iter();
            let is_unchanged =
                !changes.any(|(when, changed)| when >= at && *when <= cut && *changed == key);
            if is_unchanged {
                assert_eq!(version, safe.get(&key).copied(), "key{key}, cut at {cut}");
            }
        }
        let (Some(record), Some(version)) = (found, version) else {
            continue;
        };
        found_count += 1;
        assert!(history.versions[&key].contains(&version));
        let body = body_for(version);
        assert_eq!(record.size, Some(body.len() as u64));
        match &record.body {
            Body::Inline(inline) => assert_eq!(**inline, *body),
            Body::File(file) => {
                for number in record.blocks.iter() {
                    assert!(
                        disk.verify_block(record.id, number).unwrap(),
                        "a synced block is whole"
                    );
                    let start = number as usize * record.block_size as usize;
                    let end = body.len().min(start + record.block_size as usize);
                    assert_eq!(
                        read_file(file, start as u64, end - start),
                        &body[start..end]
                    );
                }
            }
        }
    }
    assert_eq!(disk.health(), Health::Working);
    while !disk.sweep_some(1000).unwrap().is_done {}
    put(&disk, "new", b"new");
    disk.flush().unwrap();
    assert_eq!(body_of(&disk, "new").unwrap(), b"new");
    found_count
}

#[test]
fn whatever_a_crash_leaves_holds_no_wrong_byte_and_all_that_was_safe() {
    let images: u64 = 60;
    for seed in [3, 77] {
        let history = run(seed);
        assert!(history.safe.len() > 10);
        let mut dice = Dice(seed);
        let mut cuts: Vec<usize> = (0..images)
            .map(|_| dice.roll(history.log.len() as u64 + 1) as usize)
            .chain(history.safe.iter().map(|(at, _)| *at))
            .collect();
        cuts.sort_unstable();
        let (mut device, mut done, mut found) = (Device::default(), 0, 0);
        for cut in cuts {
            for op in &history.log[done..cut] {
                device.step(op);
            }
            done = cut;
            for is_kill in [false, true] {
                let image = tempfile::tempdir().unwrap();
                device.write_to(image.path(), is_kill, &mut dice);
                found += check(image.path(), &history, cut);
            }
        }
        assert!(found > images * 5, "{found} objects found in all images");
    }
}
