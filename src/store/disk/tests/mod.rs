//! The store's tests, and the media they put below it: one that fails on demand and keeps a log of all it did.

mod cap;
mod crash;
mod damage;
mod faults;
mod objects;
mod partial;
mod purge;
mod restart;
mod rig;

use std::os::fd::AsFd as _;

use super::*;
use rig::Rig;

/// A store in a folder of its own.
struct Fixture {
    disk: Option<Disk>,
    settings: DiskSettings,
    rig: Option<Arc<Rig>>,
    folder: tempfile::TempDir,
}

impl Fixture {
    fn new(size: u64) -> Self {
        Self::with(size, |_| {})
    }

    fn with(size: u64, change: impl FnOnce(&mut DiskSettings)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = DiskSettings::new(&folder.path().join("store"), size);
        settings.block = 64 << 10;
        change(&mut settings);
        let (disk, report) = Disk::open(settings.clone()).unwrap();
        assert_eq!(report, OpenReport::default());
        Self {
            disk: Some(disk),
            settings,
            rig: None,
            folder,
        }
    }

    /// A store on a rigged medium.
    fn rigged(size: u64) -> Self {
        let mut fixture = Self::new(size);
        fixture.disk = None;
        let rig = Rig::new();
        let (disk, _) = rig.open(fixture.settings.clone()).unwrap();
        fixture.disk = Some(disk);
        fixture.rig = Some(rig);
        fixture
    }

    fn disk(&self) -> &Disk {
        self.disk.as_ref().unwrap()
    }

    fn rig(&self) -> &Rig {
        self.rig.as_ref().unwrap()
    }

    fn close(&mut self) {
        self.disk = None;
    }

    fn reopen(&mut self) -> OpenReport {
        self.disk = None;
        let (disk, report) = Disk::open(self.settings.clone()).unwrap();
        self.disk = Some(disk);
        report
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("store").join(name)
    }

    /// Paths of all data files.
    fn data_files(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for shelf in std::fs::read_dir(self.path("objects")).unwrap().flatten() {
            for file in std::fs::read_dir(shelf.path()).unwrap().flatten() {
                found.push(file.path());
            }
        }
        found.sort();
        found
    }
}

fn label(key: &str) -> Label {
    Label {
        key: key.as_bytes().into(),
        meta: b"meta".as_slice().into(),
        ..Label::default()
    }
}

/// Bytes that differ everywhere between seeds.
fn bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut made = Vec::with_capacity(length + 8);
    while made.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        made.extend_from_slice(&state.to_le_bytes());
    }
    made.truncate(length);
    made
}

fn put_as(disk: &Disk, label: Label, body: &[u8]) -> ObjectId {
    let size = Some(body.len() as u64);
    let mut writer = disk.begin(label, size, Extension::new("mp3")).unwrap();
    for (number, part) in body.chunks(10_000).enumerate() {
        writer.write_at(number as u64 * 10_000, part).unwrap();
    }
    writer.complete().unwrap()
}

fn put(disk: &Disk, key: &str, body: &[u8]) -> ObjectId {
    put_as(disk, label(key), body)
}

/// The one record under a key.
fn find(disk: &Disk, key: &str) -> Option<Record> {
    let mut found = disk.find(key.as_bytes()).unwrap();
    assert!(found.len() <= 1);
    found.pop()
}

fn read_file(file: &BodyFile, offset: u64, length: usize) -> Vec<u8> {
    let mut read = vec![0; length];
    let mut filled = 0;
    while filled < length {
        let count =
            rustix::io::pread(file.as_fd(), &mut read[filled..], offset + filled as u64).unwrap();
        assert!(count > 0, "the file is too short");
        filled += count;
    }
    read
}

/// The whole body, each block verified; `None` where a block is refused.
fn read(disk: &Disk, record: &Record) -> Option<Vec<u8>> {
    assert!(record.is_complete);
    match &record.body {
        Body::Inline(body) => Some(body.to_vec()),
        Body::File(file) => {
            for number in record.blocks.iter() {
                if !disk.verify_block(record.id, number).unwrap() {
                    return None;
                }
            }
            Some(read_file(file, 0, record.size.unwrap() as usize))
        }
    }
}

fn body_of(disk: &Disk, key: &str) -> Option<Vec<u8>> {
    find(disk, key).and_then(|record| read(disk, &record))
}

/// Removes what is selected; how much that was.
fn remove(disk: &Disk, selection: &Selection<'_>) -> Result<u64, DiskError> {
    disk.remove_all(selection, |_| {})
}
