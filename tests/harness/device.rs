//! A small file system of its own, to be full before anything else is.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file system in memory, which goes when it is dropped.
#[derive(Debug)]
pub(crate) struct Device(PathBuf);

impl Device {
    /// Mounts one of so many bytes on `folder`, which is made. None where this process may not mount, which is said on the real stderr,
    /// past the test runner's capture.
    pub(crate) fn mount(folder: &Path, bytes: u64) -> Option<Self> {
        std::fs::create_dir(folder).expect("a new folder");
        let options = format!("size={bytes},mode=0700");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "hotplate-test"])
            .arg(folder)
            .output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(folder.to_owned()));
        }
        let mut stderr = std::io::stderr();
        writeln!(stderr, "skipped: this process may not mount a file system")
            .expect("stderr takes a line");
        None
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        // Lazily: the server may have files open still.
        let unmounted = Command::new("umount").arg("-l").arg(&self.0).status();
        assert!(
            unmounted.is_ok_and(|status| status.success()),
            "it stays mounted"
        );
    }
}
