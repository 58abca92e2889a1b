//! Caps hold while responses of all sizes, told and untold, come and go: many clients, URLs that nobody asked for before, a sample each second.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::figures::{Figures, anonymous_file_bytes, folder_bytes};
use crate::harness::origin::Origin;
use crate::harness::waiting::{now, number_from_environment, pause};
use crate::harness::{Client, Driver, Setup, get};
use crate::numbered::{Numbered, UNTOLD, check_untold};

const CLIENTS: u64 = 12;
const MEMORY: u64 = 48 << 20;
const DISK: u64 = 96 << 20;
/// What bodies that are being filled may take.
const FILL: u64 = 64 << 20;
/// The largest body.
const LARGEST: u64 = 3 << 20;
/// What a process needs beside the cache: code, stacks, the database's pages, buffers.
const BESIDE: u64 = 160 << 20;

/// How often the folder is looked at for one sample.
const WALKS: usize = 3;

fn cap(size: u64) -> u64 {
    size + size / 50
}

fn capped(origin: &Origin) -> Setup {
    let mut setup = Setup::new();
    let folder = setup.folder.path("cache");
    let site = format!("origin = {:?}", origin.url());
    setup.config.sites.push(site);
    let memory = format!("size = \"{}MiB\"\nmax_object = \"2MiB\"", MEMORY >> 20);
    setup.config.memory.push(memory);
    let fill = format!("memory = \"{}MiB\"", FILL >> 20);
    setup.config.fill.push(fill);
    let disk = format!(
        "path = {folder:?}\nsize = \"{}MiB\"\nmax_object = \"4MiB\"",
        DISK >> 20
    );
    setup.config.disk.push(disk);
    setup
}

/// Asks for one URL after the other that nobody has asked for, and now and then for one of a moment ago.
fn churn(client: &mut Client, numbered: &Numbered, next: &AtomicU64) {
    let number = next.fetch_add(1, Ordering::Relaxed);
    let number = if number.is_multiple_of(4) {
        number.saturating_sub(CLIENTS * 2)
    } else {
        number
    };
    // Large and small, new ones and those of a moment ago.
    if number / 4 % 4 == 1 {
        let answer = client.fetch(&get(&format!("{UNTOLD}/{number}")));
        check_untold(number, answer.expect(200));
        return;
    }
    let answer = client.fetch(&get(&format!("/{number}")));
    numbered.check(number, answer.expect(200), false);
}

fn run(driver: Driver) {
    if !driver.is_permitted("caps") {
        return;
    }
    let seconds = number_from_environment("HOTPLATE_FAULT_SECONDS", 8);
    let origin = Origin::start();
    let numbered = Numbered::serve(&origin, false);
    let server = capped(&origin).start(driver);
    let cache = server.folder.path("cache");
    let (next, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    let mut evicted = 0;
    std::thread::scope(|scope| {
        let client = || {
            scope.spawn(|| {
                let mut client = server.connect();
                while !is_over.load(Ordering::Relaxed) {
                    churn(&mut client, &numbered, &next);
                    if next.load(Ordering::Relaxed).is_multiple_of(64) {
                        // What the origin remembers of requests is for other scenarios.
                        origin.forget();
                    }
                }
            })
        };
        let clients: Vec<_> = (0..CLIENTS).map(|_| client()).collect();
        // One that ends has failed.
        let all_ask = || !clients.iter().any(|client| client.is_finished());
        let end = now() + Duration::from_secs(seconds);
        // Long enough for more than both caps hold, however slow the machine.
        let wanted = 2 * (MEMORY + DISK) / 300_000;
        while all_ask() && (now() < end || next.load(Ordering::Relaxed) < wanted) {
            pause(Duration::from_secs(1));
            let sample = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                let figures = Figures::of(&server);
                let memory = figures.gauge("hotplate_cached_bytes").expect("a gauge");
                assert!(memory <= cap(MEMORY), "{memory} bytes in memory");
                let disk = figures.gauge("hotplate_disk_bytes").expect("a gauge");
                assert!(disk <= cap(DISK), "{disk} bytes on disk");
                // A walk that takes its time may count a file that goes and the one that comes in its place.
                let walks = (0..WALKS).map(|_| folder_bytes(&cache));
                let held = walks.min().unwrap_or(0);
                assert!(held <= cap(DISK), "{held} bytes below the folder");
                let private = server.process().private_bytes();
                assert!(
                    private <= MEMORY + FILL + BESIDE,
                    "{private} bytes of private memory"
                );
                // Besides what is stored and filled, what clients are still being sent.
                let files = anonymous_file_bytes(server.process());
                let most = cap(MEMORY) + FILL + CLIENTS * LARGEST;
                assert!(files <= most, "{files} bytes in anonymous files");
                figures
                    .gauge("hotplate_cached_responses_gone_total")
                    .unwrap_or(0)
            }));
            match sample {
                Ok(gone) => evicted = gone,
                Err(failure) => {
                    is_over.store(true, Ordering::Relaxed);
                    std::panic::resume_unwind(failure);
                }
            }
        }
        is_over.store(true, Ordering::Relaxed);
    });
    assert!(evicted > 50, "only {evicted} responses were evicted");
    let outgrew = Figures::of(&server).gauge("hotplate_outgrown_bodies_total{end=\"complete\"}");
    assert!(outgrew > Some(3), "{outgrew:?} bodies outgrew the store");
}

#[test]
fn caps_hold_while_responses_of_all_sizes_come_and_go_io_uring() {
    run(Driver::IoUring);
}

#[test]
fn caps_hold_while_responses_of_all_sizes_come_and_go_epoll() {
    run(Driver::Epoll);
}
