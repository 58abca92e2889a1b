//! Files that are not in the page cache: they are read by the fill threads, never by a worker, and arrive whole.

use std::fs::File;
use std::io::Write as _;

use hotplate::sys::residency::is_resident;

use crate::harness::{Server, Setup, get, pattern};

const SIZE: usize = 6_000_007;

fn pinned() -> Setup {
    Setup::new()
        .file("media/large.bin", pattern(SIZE, 3))
        .pin_under_every_hold("media/*", |pin| pin)
        .site(&[], "media")
}

/// Puts the file out of the page cache; false where that can't be done (a temporary folder in memory).
fn chill(server: &Server) -> bool {
    let file = File::open(server.folder.path("media/large.bin")).expect("the file is there");
    file.sync_all().expect("the file is written out");
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).expect("advice is taken");
    if is_resident(&file, 0, SIZE as u64) {
        let told = writeln!(
            std::io::stderr(),
            "skipped: the temporary folder can't be cold"
        );
        told.expect("standard error is there");
        return false;
    }
    true
}

fn cold_ranges(server: &Server) -> u64 {
    let page = server.ask_admin(&get("/metrics"));
    let text = String::from_utf8(page.body.clone()).expect("metrics are text");
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("hotplate_cold_ranges_total "))
        .expect("the counter is shown");
    line.parse().expect("the counter is a number")
}

/// Once the kernel has sent from a mapping, its pages stay: so each target has a server of its own.
fn assert_cold_body_is_whole(server: &Server, target: &str) {
    // The first answer below a root opens the file, which reads nothing of it.
    server
        .ask(&get(target).with("Range", "bytes=0-0"))
        .expect(206);
    if !chill(server) {
        return;
    }
    let before = cold_ranges(server);
    for _ in 0..2 {
        server
            .get(target)
            .expect(200)
            .expect_body(&pattern(SIZE, 3));
    }
    assert!(cold_ranges(server) > before, "nothing was ordered");
}

on_both_drivers!(
    cold_pinned_file_is_read_by_the_fill_threads,
    pinned,
    |server| {
        assert_cold_body_is_whole(server, "/file/large.bin");
    }
);

on_both_drivers!(cold_mapping_is_read_by_the_fill_threads, pinned, |server| {
    assert_cold_body_is_whole(server, "/mmap/large.bin");
});

on_both_drivers!(
    cold_file_below_a_root_is_read_by_the_fill_threads,
    pinned,
    |server| {
        assert_cold_body_is_whole(server, "/large.bin");
    }
);

on_both_drivers!(cold_range_in_the_middle_is_exact, pinned, |server| {
    if !chill(server) {
        return;
    }
    let request = get("/file/large.bin").with("Range", "bytes=3000001-4100000");
    let answer = server.ask(&request);
    answer
        .expect(206)
        .expect_body(&pattern(SIZE, 3)[3_000_001..=4_100_000]);
});
