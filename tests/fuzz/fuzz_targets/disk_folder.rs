//! The disk store's folder, damaged in any way while it was closed: the store opens or says why not, and whatever it still
//! finds has the very bytes that were stored under its key.
//!
//! Input: damages of six bytes each. A file (u8; the metadata is every other one), a place in it (u32), and what happens
//! there: 0 cuts the file off, 1 removes it, anything else is a mask of bits to flip.

#![no_main]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use hotplate::store::disk::{Body, Disk, DiskError, DiskSettings, Extension, Label, Record};
use libfuzzer_sys::fuzz_target;

const SIZE: u64 = 8 << 20;
/// Sizes of the bodies: kept inline up to 16 KiB, else in files, of several blocks from 64 KiB on.
const SIZES: [usize; 6] = [0, 100, 16_000, 17_000, 64 << 10, 150_000];
/// More damage makes nothing new.
const DAMAGES_MAX: usize = 64;

fuzz_target!(|input: &[u8]| {
    let image = image();
    let folder = tempfile::tempdir_in(place()).expect("a folder");
    let mut files = image.files.clone();
    let mut is_damaged = false;
    for damage in input.as_chunks::<6>().0.iter().take(DAMAGES_MAX) {
        is_damaged |= files.damage(*damage);
    }
    files.write(folder.path());
    let disk = match Disk::open(settings(folder.path())) {
        Ok((disk, _)) => disk,
        Err(error) => {
            assert!(is_damaged, "a whole store does not open: {error}");
            return;
        }
    };
    for (number, size) in SIZES.into_iter().enumerate() {
        let found = judge(&disk, number, size);
        assert!(found || is_damaged, "{number} is lost without damage");
    }
    // And it goes on as a store, unless it stands down.
    if put(&disk, SIZES.len(), 20_000).is_ok() {
        assert!(judge(&disk, SIZES.len(), 20_000) || is_damaged);
    }
});

fn place() -> &'static Path {
    let shared = Path::new("/dev/shm");
    if shared.is_dir() {
        shared
    } else {
        Path::new("/tmp")
    }
}

fn settings(path: &Path) -> DiskSettings {
    DiskSettings {
        block: 64 << 10,
        ..DiskSettings::new(path, SIZE)
    }
}

fn key(number: usize) -> Vec<u8> {
    format!("http://media.test/{number}").into_bytes()
}

fn body(number: usize, size: usize) -> Vec<u8> {
    (0..size)
        .map(|at| u8::try_from((at * 31 + at / 251 + number * 7) % 256).expect("below 256"))
        .collect()
}

fn put(disk: &Disk, number: usize, size: usize) -> Result<(), DiskError> {
    let label = Label {
        key: key(number).into(),
        meta: vec![number as u8; 300].into(),
        tags: vec![b"tag".as_slice().into()],
        ..Label::default()
    };
    let mut writer = disk.begin(label, Some(size as u64), Extension::new("mp3"))?;
    writer.write_at(0, &body(number, size))?;
    writer.complete()?;
    disk.flush()
}

/// Whether an object is found; where it is, it must be the right one.
fn judge(disk: &Disk, number: usize, size: usize) -> bool {
    let Ok(records) = disk.find(&key(number)) else {
        return false;
    };
    assert!(records.len() <= 1);
    let Some(record) = records.first() else {
        return false;
    };
    assert_eq!(*record.label.key, *key(number));
    assert_eq!(*record.label.meta, vec![number as u8; 300]);
    assert_eq!(record.size, Some(size as u64));
    assert!(record.is_complete);
    let Some(found) = bytes(disk, record) else {
        return false;
    };
    assert!(found == body(number, size), "other bytes of {number}");
    true
}

/// The object's bytes, as a server would send them: verified before they are used.
fn bytes(disk: &Disk, record: &Record) -> Option<Vec<u8>> {
    match &record.body {
        Body::Inline(bytes) => Some(bytes.to_vec()),
        Body::File(_) => {
            let is_whole = record.is_verified
                || record
                    .blocks
                    .iter()
                    .all(|block| disk.verify_block(record.id, block).unwrap_or(false));
            let path = is_whole.then(|| disk.materialise(record.id).ok())??;
            fs::read(path).ok()
        }
    }
}

/// The files of a folder, by path below it.
#[derive(Clone)]
struct Files(Vec<(PathBuf, Option<Vec<u8>>)>);

struct Image {
    files: Files,
}

/// A store that was closed in order.
fn image() -> &'static Image {
    static IMAGE: OnceLock<Image> = OnceLock::new();
    IMAGE.get_or_init(|| {
        let folder = tempfile::tempdir_in(place()).expect("a folder");
        let (disk, _) = Disk::open(settings(folder.path())).expect("a new store");
        for (number, size) in SIZES.into_iter().enumerate() {
            put(&disk, number, size).expect("room");
        }
        drop(disk);
        let mut files = Files(Vec::new());
        files.read(folder.path(), Path::new(""));
        // The same places for the same input, whatever the names of files.
        let size = |file: &(PathBuf, Option<Vec<u8>>)| file.1.as_ref().map(Vec::len);
        files
            .0
            .sort_by_key(|file| (file.0 != *"meta.redb", size(file)));
        Image { files }
    })
}

impl Files {
    fn read(&mut self, root: &Path, below: &Path) {
        for entry in fs::read_dir(root.join(below)).expect("a folder").flatten() {
            let path = below.join(entry.file_name());
            if entry.path().is_dir() {
                self.read(root, &path);
            } else if path != *"hotplate.lock" {
                let bytes = fs::read(entry.path()).expect("a file");
                self.0.push((path, Some(bytes)));
            }
        }
    }

    fn write(&self, root: &Path) {
        for (path, bytes) in &self.0 {
            if let Some(bytes) = bytes {
                let path = root.join(path);
                fs::create_dir_all(path.parent().expect("below the root")).expect("folders");
                fs::write(path, bytes).expect("a file");
            }
        }
    }

    /// Whether anything was changed.
    fn damage(&mut self, [file, place @ .., what]: [u8; 6]) -> bool {
        let index = match usize::from(file) {
            even if even.is_multiple_of(2) => 0,
            odd => (odd / 2) % self.0.len(),
        };
        let slot = &mut self.0[index].1;
        let Some(bytes) = slot.as_mut().filter(|bytes| !bytes.is_empty()) else {
            return false;
        };
        let at = u32::from_le_bytes(place) as usize % bytes.len();
        match what {
            0 => bytes.truncate(at),
            1 => *slot = None,
            mask => bytes[at] ^= mask,
        }
        true
    }
}
