//! File systems of a test's own: one that is full before anything else is, and ones that fail under who uses them.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

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
        skip("this process may not mount a file system");
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

/// A block device that is a file, with a file system, which goes when it is dropped.
#[derive(Debug)]
pub(crate) struct LoopDevice {
    /// `/dev/loop` and a number.
    path: String,
    image: PathBuf,
    /// Where it is mounted.
    folder: PathBuf,
}

impl LoopDevice {
    /// Mounts one of so many bytes on `folder`, which is made; its `image` is a new file. None where this process may not, or this
    /// machine can't, which is said as by [`Device::mount`].
    pub(crate) fn mount(folder: &Path, image: &Path, bytes: u64) -> Option<Self> {
        fs::create_dir(folder).expect("a new folder");
        let file = fs::File::create_new(image).expect("a new file");
        file.set_len(bytes).expect("a sparse file");
        // Without a journal, so that each call fails for itself.
        let mut make = Command::new("mkfs.ext4");
        make.args(["-q", "-F", "-O", "^has_journal"]).arg(image);
        let mut attach = Command::new("losetup");
        attach.args(["--find", "--show"]).arg(image);
        let path = output(&mut make).and_then(|_| output(&mut attach));
        let Some(path) = path.map(|path| path.trim().to_owned()) else {
            skip("this machine has no loop devices, or no mkfs.ext4, for this process");
            return None;
        };
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "ext4", "-o", "errors=remount-ro", &path])
            .arg(folder);
        if output(&mut mount).is_none() {
            run("losetup", &["-d", &path]);
            skip("this process may not mount a file system");
            return None;
        }
        Some(Self {
            path,
            image: image.to_owned(),
            folder: folder.to_owned(),
        })
    }

    /// Has the file system find itself damaged: it can be read, and not be written to any more, by those neither who have files
    /// open. False where this kernel can't, which is said as by [`Device::mount`].
    pub(crate) fn turn_read_only(&self) -> bool {
        let name = self.path.trim_start_matches("/dev/");
        let trigger = format!("/sys/fs/ext4/{name}/trigger_fs_error");
        let triggered = fs::write(trigger, "a test");
        if triggered.is_err() {
            skip("this kernel has no way to have ext4 fail");
        }
        triggered.is_ok()
    }

    /// Takes the medium away: what is not in the page cache can't be read, and nothing can be written, for EIO.
    pub(crate) fn fail(&self) {
        let file = fs::File::options().write(true).open(&self.image);
        file.and_then(|file| file.set_len(0)).expect("no bytes");
        run("losetup", &["-c", &self.path]);
    }
}

impl Drop for LoopDevice {
    fn drop(&mut self) {
        run("umount", &["-l", &self.folder.to_string_lossy()]);
        run("losetup", &["-d", &self.path]);
    }
}

/// What a command prints; none where it fails, or is not there.
fn output(command: &mut Command) -> Option<String> {
    let output = command.stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    output.status.success().then_some(text)
}

#[track_caller]
fn run(command: &str, arguments: &[&str]) {
    let ended = output(Command::new(command).args(arguments));
    assert!(ended.is_some(), "{command} {arguments:?} fails");
}

fn skip(why: &str) {
    writeln!(std::io::stderr(), "skipped: {why}").expect("stderr takes a line");
}
