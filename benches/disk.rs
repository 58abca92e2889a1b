//! The disk store by hand: what it takes to open a store with many objects, cleanly and after a kill, what an object costs to
//! store and to find, and how the cap compares with what the device holds.
//!
//! `cargo bench --bench disk -- [FOLDER [OBJECTS]]`; a thousand objects in a temporary folder where nothing is said. Nothing is
//! asserted.

use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hotplate::store::disk::{Disk, DiskSettings, Extension, Label};
use hotplate::sys::clock::mono;

type Outcome = Result<(), Box<dyn std::error::Error>>;

const BODY: usize = 1024;
const META: usize = 200;

fn label(number: u64) -> Label {
    Label {
        key: format!(
            "http://media.example.com/prompts/{:016x}.wav",
            number.wrapping_mul(0x9e37_79b9_7f4a_7c15)
        )
        .into_bytes()
        .into(),
        variant: Box::default(),
        meta: vec![b'm'; META].into(),
        tags: Vec::new(),
    }
}

fn body(number: u64, length: usize) -> Vec<u8> {
    let mut state = number | 1;
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

fn put(disk: &Disk, number: u64, length: usize) -> Outcome {
    let begun = disk.begin(label(number), Some(length as u64), Extension::new("wav"));
    let mut writer = begun?;
    writer.write_at(0, &body(number, length))?;
    writer.complete()?;
    Ok(())
}

/// Resident memory of this process in KiB: all, and what is not a file's pages.
fn resident() -> (u64, u64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name));
        let number = line.and_then(|line| line.split_whitespace().nth(1));
        number.and_then(|number| number.parse().ok()).unwrap_or(0)
    };
    (field("VmRSS:"), field("RssAnon:"))
}

/// Bytes that a folder's files take on the device.
fn held(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(stat) if stat.is_dir() => held(&entry.path()),
        Ok(stat) => stat.blocks() * 512,
        Err(_) => 0,
    });
    sizes.sum()
}

fn open(title: &str, settings: &DiskSettings, objects: u64) -> Outcome {
    let before = resident();
    let start = mono();
    let (disk, report) = Disk::open(settings.clone())?;
    let took = mono().since(start);
    let opened = resident();
    tell(&format!(
        "{title}: {} objects ready in {:.1} ms, memory {} -> {} KiB (anonymous {} -> {})",
        report.objects,
        took.as_secs_f64() * 1e3,
        before.0,
        opened.0,
        before.1,
        opened.1,
    ))?;
    let start = mono();
    let finds = objects.min(20_000);
    for turn in 0..finds {
        let number = turn.wrapping_mul(7919) % objects;
        let found = disk.find(&label(number).key)?;
        assert_eq!(found.len(), 1, "object {number} is there");
    }
    let per_find = mono().since(start).as_secs_f64() * 1e6 / finds as f64;
    let after = resident();
    tell(&format!(
        "{title}: {per_find:.1} us a find over {finds} objects; memory then {} KiB (anonymous {})",
        after.0, after.1
    ))?;
    Ok(())
}

/// Stores far more than fits, and compares.
fn churn(folder: &Path, title: &str, size: u64, length: impl Fn(u64) -> usize) -> Outcome {
    let settings = DiskSettings::new(&folder.join("churn"), size);
    let (disk, _) = Disk::open(settings.clone())?;
    let (mut written, mut number) = (0, 0);
    let (mut most_booked, mut most_held) = (0, 0);
    while written < size * 3 {
        let length = length(number);
        put(&disk, number, length)?;
        written += length as u64 + 300;
        number += 1;
        if number.is_multiple_of(1000) || length > 100_000 {
            most_booked = most_booked.max(disk.stats().bytes);
            most_held = most_held.max(held(&settings.path));
        }
    }
    let stats = disk.stats();
    tell(&format!(
        "churn, {title}: cap {} KiB, most booked {} KiB, most held by the device {} KiB ({:.3} of the cap), {} objects, \
         metadata {} KiB, {} commits",
        size >> 10,
        most_booked >> 10,
        most_held >> 10,
        most_held as f64 / size as f64,
        stats.objects,
        stats.metadata_bytes >> 10,
        stats.commits,
    ))?;
    drop(disk);
    std::fs::remove_dir_all(&settings.path)?;
    Ok(())
}

fn tell(line: &str) -> Outcome {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(())
}

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|text| !text.starts_with("--"))
        .collect();
    let temporary = tempfile::tempdir()?;
    let folder = arguments
        .first()
        .map_or_else(|| temporary.path().to_path_buf(), PathBuf::from);
    let objects: u64 = arguments.get(1).map_or(Ok(1000), |text| text.parse())?;
    let settings = DiskSettings::new(&folder.join("many"), 64 << 30);
    let killed = folder.join("killed");
    let after_kill = DiskSettings::new(&killed, 64 << 30);
    // The process that only opens: its memory is that of a store at rest.
    if arguments.get(2).is_some_and(|text| text == "open") {
        open("clean end", &settings, objects)?;
        open("after a kill", &after_kill, objects)?;
        return Ok(());
    }

    let (disk, _) = Disk::open(settings.clone())?;
    let cpu = || rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let (start, cpu_start) = (mono(), cpu());
    for number in 0..objects {
        put(&disk, number, BODY)?;
    }
    disk.flush()?;
    let (took, cpu_end) = (mono().since(start), cpu());
    let cpu_took = Duration::new(cpu_end.tv_sec as u64, cpu_end.tv_nsec as u32).saturating_sub(
        Duration::new(cpu_start.tv_sec as u64, cpu_start.tv_nsec as u32),
    );
    let stats = disk.stats();
    tell(&format!(
        "{objects} objects of {BODY} bytes stored: {:.1} us each, {:.1} us of processor time each, {} commits",
        took.as_secs_f64() * 1e6 / objects as f64,
        cpu_took.as_secs_f64() * 1e6 / objects as f64,
        stats.commits,
    ))?;
    tell(&format!(
        "an object: {} bytes booked, {} bytes of the device",
        stats.bytes / objects,
        held(&settings.path) / objects,
    ))?;
    // What a kill leaves: the file as it is while the store is open.
    std::fs::create_dir_all(&killed)?;
    let copy = killed.join("meta.redb");
    std::fs::copy(settings.path.join("meta.redb"), &copy)?;
    let copied = std::fs::File::open(&copy)?;
    copied.sync_all()?;
    drop(disk);
    let opener = std::env::current_exe().and_then(|program| {
        let mut command = std::process::Command::new(program);
        command.arg(&folder).arg(objects.to_string()).arg("open");
        command.status()
    });
    assert!(opener.is_ok_and(|status| status.success()), "opened again");
    for path in [&settings.path, &killed] {
        std::fs::remove_dir_all(path)?;
    }
    let scale = (objects << 10).clamp(16 << 20, 256 << 20);
    churn(&folder, "300 bytes each", scale, |_| 300)?;
    churn(&folder, "up to 16 KiB each", scale, |number| {
        (number * 7919 % 16_384) as usize
    })?;
    churn(&folder, "64 KiB each", scale, |_| 64 << 10)?;
    churn(&folder, "mixed", scale, |number| {
        [500, 5000, 30_000, 300_000][(number % 4) as usize]
    })?;
    Ok(())
}
