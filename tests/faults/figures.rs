//! The server's own figures, and what the kernel says of it.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::harness::process::Process;
use crate::harness::{Server, get};

/// The figures of one moment.
#[derive(Debug)]
pub(crate) struct Figures(String);

impl Figures {
    pub(crate) fn of(server: &Server) -> Self {
        let page = server.ask_admin(&get("/metrics"));
        Self(String::from_utf8_lossy(&page.expect(200).body).into_owned())
    }

    /// The sum of a gauge's values; none where there is no such gauge.
    pub(crate) fn gauge(&self, name: &str) -> Option<u64> {
        let values: Vec<f64> = self
            .0
            .lines()
            .filter(|line| {
                line.strip_prefix(name)
                    .is_some_and(|rest| rest.starts_with(['{', ' ']))
            })
            .filter_map(|line| line.rsplit(' ').next()?.parse().ok())
            .collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() as u64)
    }
}

/// Bytes of the device that all below a folder takes.
pub(crate) fn folder_bytes(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| {
            // What goes away while it is looked at takes nothing.
            let Ok(found) = entry.path().symlink_metadata() else {
                return 0;
            };
            let below = if found.is_dir() {
                folder_bytes(&entry.path())
            } else {
                0
            };
            found.blocks() * 512 + below
        })
        .sum()
}

/// Bytes of anonymous files that a process holds open.
pub(crate) fn anonymous_file_bytes(process: Process) -> u64 {
    let folder = format!("/proc/{}/fd", process.0);
    let entries = fs::read_dir(folder).expect("a live process").flatten();
    entries
        .filter(|entry| {
            fs::read_link(entry.path())
                .is_ok_and(|path| path.to_string_lossy().starts_with("/memfd:"))
        })
        .filter_map(|entry| fs::metadata(entry.path()).ok())
        .map(|file| file.blocks() * 512)
        .sum()
}
