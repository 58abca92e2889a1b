//! Pinned files are in the page cache before anybody asks for them.

use super::*;
use crate::sys::residency::is_resident;

const SIZE: usize = 3 << 20;

/// The first answer after a boot waited for the device.
#[test]
fn cold_file_is_read_ahead_after_the_start_and_after_a_change() {
    let mut bench = Bench::new();
    let write_cold = |bench: &Bench, name: &str| {
        bench.write(name, vec![7; SIZE]);
        let file = fs::File::open(bench.path(name)).unwrap();
        file.sync_all().unwrap();
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
        // A file system that lives in the page cache has no cold files.
        if is_resident(&file, 0, SIZE as u64) {
            println!("{name} can't be made cold here");
        }
    };
    for name in ["file", "mmap", "new"] {
        write_cold(&bench, name);
    }
    bench.start(vec![
        rule(bench.path("file"), "/file", Hold::File, OnChange::Swap),
        rule(bench.path("mmap"), "/mmap", Hold::Mmap, OnChange::Swap),
    ]);
    let is_warm = |name: &str| {
        let file = fs::File::open(bench.path(name)).unwrap();
        is_resident(&file, 0, SIZE as u64)
    };
    for name in ["file", "mmap"] {
        bench.wait(name, |_| is_warm(name));
    }
    fs::rename(bench.path("new"), bench.path("file")).unwrap();
    bench.wait("changed", |_| is_warm("file"));
}
