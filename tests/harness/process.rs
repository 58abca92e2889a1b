//! The server's process as the kernel sees it, through /proc.

use std::fs;
use std::path::Path;

/// A process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Process(pub(crate) u32);

impl Process {
    /// How many descriptors it has open.
    pub(crate) fn descriptor_count(self) -> usize {
        let folder = format!("/proc/{}/fd", self.0);
        fs::read_dir(folder).expect("a live process").count()
    }

    /// How many of its descriptors are open on paths that contain `part`.
    pub(crate) fn descriptors_on(self, part: &str) -> usize {
        let folder = format!("/proc/{}/fd", self.0);
        fs::read_dir(folder)
            .expect("a live process")
            .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
            .filter(|path| path.to_string_lossy().contains(part))
            .count()
    }

    /// How many of its descriptors hold files that once stood below `folder` and no longer do.
    pub(crate) fn descriptors_on_deleted(self, folder: &str) -> usize {
        let links = format!("/proc/{}/fd", self.0);
        fs::read_dir(links)
            .expect("a live process")
            .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
            .filter(|path| {
                let path = path.to_string_lossy();
                path.starts_with(folder) && path.ends_with(" (deleted)")
            })
            .count()
    }

    /// The largest regular file below `folder` that it has open, whether it still has its name or not.
    pub(crate) fn largest_file_on(self, folder: &Path) -> fs::File {
        let links = format!("/proc/{}/fd", self.0);
        let files = fs::read_dir(links)
            .expect("a live process")
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|link| fs::read_link(link).is_ok_and(|path| path.starts_with(folder)))
            .filter_map(|link| fs::File::open(link).ok());
        let size = |file: &fs::File| file.metadata().map_or(0, |file| file.len());
        files.max_by_key(size).expect("an open file")
    }

    /// The bytes on disk, or in memory, of all its open files whose paths contain `part`.
    pub(crate) fn file_bytes(self, part: &str) -> u64 {
        use std::os::unix::fs::MetadataExt as _;
        let links = format!("/proc/{}/fd", self.0);
        fs::read_dir(links)
            .expect("a live process")
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|link| {
                fs::read_link(link).is_ok_and(|path| path.to_string_lossy().contains(part))
            })
            .filter_map(|link| fs::metadata(link).ok())
            .map(|file| file.blocks() * 512)
            .sum()
    }

    /// Its private resident memory in bytes: heap and stacks, not file mappings.
    pub(crate) fn private_bytes(self) -> u64 {
        self.status("RssAnon:")
    }

    /// All its resident memory in bytes.
    pub(crate) fn resident_bytes(self) -> u64 {
        self.status("VmRSS:")
    }

    /// The most that it ever had resident, in bytes.
    pub(crate) fn peak_resident_bytes(self) -> u64 {
        self.status("VmHWM:")
    }

    /// A size in its status, in bytes.
    fn status(self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0)).expect("alive");
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .expect("a line of this name");
        let kib: u64 = line
            .trim()
            .trim_end_matches(" kB")
            .parse()
            .expect("a number of KiB");
        kib * 1_024
    }

    /// The processor time it has used, in clock ticks of 10 ms.
    pub(crate) fn ticks(self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0)).expect("alive");
        let (_, after_name) = stat.rsplit_once(')').expect("a name in parentheses");
        let numbers: Vec<&str> = after_name.split_whitespace().collect();
        let tick = |at: usize| numbers[at].parse::<u64>().expect("ticks");
        tick(11) + tick(12)
    }

    /// Sends it a signal.
    pub(crate) fn signal(self, signal: rustix::process::Signal) {
        let number = i32::try_from(self.0).expect("a process id");
        let pid = rustix::process::Pid::from_raw(number).expect("above zero");
        rustix::process::kill_process(pid, signal).expect("a live process");
    }
}

/// Raises this process's soft limit on descriptors to the hard one, which a server started later inherits.
pub(crate) fn raise_descriptor_limit(needed: u64) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, raised).expect("up to the hard limit");
    assert!(
        limit.maximum.is_none_or(|maximum| maximum >= needed),
        "this scenario needs a hard limit of {needed} descriptors, not {:?}",
        limit.maximum
    );
}
