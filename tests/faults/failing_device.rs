//! A device that fails under the running server: its file system turns read-only, and then every read of it is an error. Nobody gets a
//! wrong byte, everybody gets an answer, and the figures and the log tell of it.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::figures::Figures;
use crate::harness::device::LoopDevice;
use crate::harness::origin::Origin;
use crate::harness::{Answer, Driver, Request, Server, Setup, eventually, get};
use crate::numbered::{Numbered, size};

/// Bytes of the device.
const DEVICE: u64 = 96 << 20;
/// Resources before the device fails, and others that are asked for only then.
const OLD: u64 = 60;
const ALL: u64 = 90;
/// So often is what was cut asked for again.
const TRIES_MAX: usize = 4;

struct Scenario {
    // In the order in which they go: the folder that the device is mounted in is the server's.
    device: LoopDevice,
    server: Server,
    numbered: Numbered,
    _origin: Origin,
}

/// A server with a store on a device of its own, and some resources in it.
fn begin(driver: Driver, name: &str) -> Option<Scenario> {
    if !driver.is_permitted(name) {
        return None;
    }
    let origin = Origin::start();
    let numbered = Numbered::serve(&origin, false);
    let mut setup = Setup::new();
    let folder = setup.folder.path("device");
    let device = LoopDevice::mount(&folder, &setup.folder.path("image"), DEVICE)?;
    let site = format!("origin = {:?}", origin.url());
    setup.config.sites.push(site);
    // Little memory, so that most is on the device.
    let memory = "size = \"8MiB\"\nmax_object = \"16KiB\"";
    setup.config.memory.push(memory.to_owned());
    let cache = folder.join("cache");
    let disk = format!("path = {cache:?}\nsize = \"1GiB\"");
    setup.config.disk.push(disk);
    let server = setup.start(driver);
    let scenario = Scenario {
        device,
        server,
        numbered,
        _origin: origin,
    };
    for number in 0..OLD {
        scenario.expect_all(number, &get(&format!("/{number}")));
    }
    Some(scenario)
}

impl Scenario {
    /// Asks until all of a number's bytes have come that are asked for; how often that was in vain.
    #[track_caller]
    fn tries(&self, number: u64, request: &Request) -> usize {
        for tries in 0..TRIES_MAX {
            let mut client = self.server.connect();
            client.send(request.bytes());
            if let Ok(answer) = client.try_fetched("GET") {
                answer.expect_one_of(&[200, 206]);
                self.numbered.check(number, &answer, false);
                return tries;
            }
        }
        panic!("/{number} is cut again and again");
    }

    #[track_caller]
    fn expect_all(&self, number: u64, request: &Request) {
        assert_eq!(self.tries(number, request), 0, "/{number} is cut");
    }

    /// The whole of a number, and a part of it.
    fn requests(number: u64) -> [Request; 2] {
        let url = get(&format!("/{number}"));
        let range = format!("bytes={}-", size(number) / 2);
        [url.clone().with("Range", &range), url]
    }

    /// The server stands its store down, says so, and serves.
    fn expect_stood_down(&mut self, why: &str) {
        eventually(Duration::from_secs(20), "the store stands down", || {
            Figures::of(&self.server).gauge("hotplate_disk_works") == Some(0)
        });
        let figures = Figures::of(&self.server);
        let stood_down = figures.gauge("hotplate_disk_stood_down_total");
        assert!(stood_down.is_some_and(|times| times > 0), "{stood_down:?}");
        let output = self.server.output();
        let line = format!("the disk store stands down, {why}");
        assert!(output.contains(&line), "{output}");
        let ready: Answer = self.server.ask_admin(&get("/readyz"));
        ready.expect(200);
        assert!(self.server.is_running());
    }
}

fn read_only(driver: Driver) {
    let Some(mut scenario) = begin(driver, "read_only_device") else {
        return;
    };
    if !scenario.device.turn_read_only() {
        return;
    }
    // What is stored can be read still, and the rest comes from the origin.
    for number in 0..ALL {
        for request in Scenario::requests(number) {
            scenario.expect_all(number, &request);
        }
    }
    scenario.expect_stood_down("the folder may not be written to");
}

#[test]
fn a_file_system_that_turns_read_only_costs_nobody_a_byte_io_uring() {
    read_only(Driver::IoUring);
}

#[test]
fn a_file_system_that_turns_read_only_costs_nobody_a_byte_epoll() {
    read_only(Driver::Epoll);
}

/// Has the kernel forget what it has read of the files below a folder.
fn drop_pages(folder: &Path) {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    for path in entries.map(|entry| entry.path()) {
        if path.is_dir() {
            drop_pages(&path);
            continue;
        }
        let file = std::fs::File::open(&path).and_then(|file| file.sync_all());
        file.expect("a file that is written");
        let dropped = Command::new("dd")
            .arg(format!("if={}", path.display()))
            .args(["iflag=nocache", "count=0", "status=none"])
            .status();
        assert!(dropped.is_ok_and(|status| status.success()), "{path:?}");
    }
}

fn io_errors(driver: Driver) {
    let Some(mut scenario) = begin(driver, "failing_device") else {
        return;
    };
    let objects = scenario.server.folder.path("device/cache/objects");
    drop_pages(&objects);
    // First read-only, so that nothing is on its way to the device: what a file system does with bytes that it could not write is its own
    // affair.
    if !scenario.device.turn_read_only() {
        return;
    }
    for number in OLD..ALL {
        scenario.expect_all(number, &get(&format!("/{number}")));
    }
    scenario.expect_stood_down("the folder may not be written to");
    scenario.device.fail();
    // Who was promised bytes that can't be read any more is cut, and gets them from the origin when it comes back.
    let mut cut = 0;
    for number in 0..ALL {
        for request in Scenario::requests(number) {
            cut += scenario.tries(number, &request);
        }
    }
    assert!(cut > 0, "nobody had to read from the device");
    let figures = Figures::of(&scenario.server);
    let lost = figures.gauge("hotplate_bodies_lost_total");
    assert!(lost.is_some_and(|lost| lost > 0), "{lost:?} bodies lost");
    for number in 0..ALL {
        for request in Scenario::requests(number) {
            scenario.tries(number, &request);
        }
    }
}

#[test]
fn a_device_that_fails_gives_nobody_a_wrong_byte_io_uring() {
    io_errors(Driver::IoUring);
}

#[test]
fn a_device_that_fails_gives_nobody_a_wrong_byte_epoll() {
    io_errors(Driver::Epoll);
}

fn written_to(driver: Driver) {
    let Some(mut scenario) = begin(driver, "device_that_is_written_to") else {
        return;
    };
    // What was stored last is not written out yet, and more is stored until the store has noticed. What is read in that moment is not
    // looked at: the kernel forgets pages before it says so.
    scenario.device.fail();
    for number in OLD..ALL {
        let mut client = scenario.server.connect();
        client.send(get(&format!("/{number}")).bytes());
        drop(client.try_fetched("GET"));
    }
    scenario.expect_stood_down("the device failed");
    for number in (0..ALL).chain(0..ALL) {
        for request in Scenario::requests(number) {
            scenario.tries(number, &request);
        }
    }
}

#[test]
fn a_device_that_fails_under_writes_gives_nobody_a_wrong_byte_io_uring() {
    written_to(Driver::IoUring);
}

#[test]
fn a_device_that_fails_under_writes_gives_nobody_a_wrong_byte_epoll() {
    written_to(Driver::Epoll);
}
