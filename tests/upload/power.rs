//! What a power failure leaves of the spool: the bytes of its device at the moment of an answer. Needs the right to mount a file system.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::Driver;
use crate::harness::origin::Origin;
use crate::harness::{Request, pattern};
use crate::queue::{encoded, json, names, said, setup, url};

/// Bytes of the device.
const DEVICE: u64 = 16 << 20;

/// A file that is mounted as a device; unmounted when it is dropped.
struct Mounted(PathBuf);

impl Mounted {
    fn new(image: &Path, folder: &Path, options: &str) -> Option<Self> {
        std::fs::create_dir(folder).expect("a new folder");
        let mut mount = Command::new("mount");
        mount.args(["-o", options]).arg(image).arg(folder);
        is_done(&mut mount).then(|| Self(folder.to_owned()))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Lazily: the server may have files open still.
        assert!(is_done(Command::new("umount").arg("-l").arg(&self.0)));
    }
}

fn is_done(command: &mut Command) -> bool {
    command.output().is_ok_and(|done| done.status.success())
}

/// A file system that keeps what is synced and nothing beside it: one with a journal has one for all its folders.
fn device(image: &Path, folder: &Path) -> Option<Mounted> {
    let file = std::fs::File::create(image).expect("an image");
    file.set_len(DEVICE).expect("room");
    let mut format = Command::new("mkfs.ext4");
    format.args(["-q", "-F", "-O", "^has_journal"]).arg(image);
    let mounted = is_done(&mut format).then(|| Mounted::new(image, folder, "loop"));
    if let Some(Some(mounted)) = mounted {
        return Some(mounted);
    }
    let why = "skipped: this process may not make and mount a file system";
    writeln!(std::io::stderr(), "{why}").expect("stderr takes a line");
    None
}

#[test]
fn recording_that_was_opened_is_there_after_a_power_failure() {
    let origin = Origin::start();
    origin.otherwise(|_| said(503));
    let mut setup = setup(&origin.url(), "");
    let (image, folder) = (setup.folder.path("image"), setup.folder.path("device"));
    let Some(_mounted) = device(&image, &folder) else {
        return;
    };
    let spool = folder.join("spool");
    setup.config.sites[0].push_str(&format!("\npath = {spool:?}"));
    let server = setup.start(Driver::Epoll);
    let target = format!("/api/cache/record?url={}", encoded(&url("/call.wav")));
    let opened = server.ask_admin(&Request::new("POST", &target).body(b""));
    opened.expect(200);
    // What was in memory only is lost.
    let (lost, after) = (server.folder.path("lost"), server.folder.path("after"));
    std::fs::copy(&image, &lost).expect("room");
    let _after = Mounted::new(&lost, &after, "loop,ro").expect("a file system");
    let left = |folder: &str| names(&after.join(folder));
    assert_eq!(left("spool"), ["0000000000000001.rec"]);
    assert_eq!(left("spool/recordings"), ["0000000000000001.wav"]);
    let kept = after.join("spool/recordings/0000000000000001.wav");
    assert_eq!(std::fs::metadata(kept).expect("a file").len(), 0);
    // And it can be written and sent.
    let path = json(&opened)["path"].as_str().expect("a path").to_owned();
    std::fs::write(path, pattern(1000, 1)).expect("room");
}
