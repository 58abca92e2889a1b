//! A device that is full long before `disk.size` is reached: everybody still gets the right bytes, and the figures tell of it.

use crate::figures::Figures;
use crate::harness::device::Device;
use crate::harness::origin::Origin;
use crate::harness::{Driver, Server, Setup, get};
use crate::numbered::Numbered;

/// Bytes of the device.
const DEVICE: u64 = 24 << 20;
/// So many bodies are more than twice what it takes.
const COUNT: u64 = 160;

fn setup(origin: &Origin) -> Setup {
    let mut setup = Setup::new();
    let folder = setup.folder.path("device/cache");
    let site = format!("origin = {:?}", origin.url());
    setup.config.sites.push(site);
    // Little memory, so that most is on the device or nowhere.
    let memory = "size = \"8MiB\"\nmax_object = \"16KiB\"";
    setup.config.memory.push(memory.to_owned());
    let disk = format!("path = {folder:?}\nsize = \"1GiB\"");
    setup.config.disk.push(disk);
    setup
}

fn ask_for_all(server: &Server, numbered: &Numbered) {
    let mut client = server.connect();
    for number in 0..COUNT {
        let answer = client.fetch(&get(&format!("/{number}")));
        numbered.check(number, answer.expect(200), false);
    }
}

fn run(driver: Driver) {
    if !driver.is_permitted("full_device") {
        return;
    }
    let origin = Origin::start();
    let numbered = Numbered::serve(&origin, false);
    let setup = setup(&origin);
    let folder = setup.folder.path("device");
    let Some(device) = Device::mount(&folder, DEVICE) else {
        return;
    };
    let server = setup.start(driver);
    ask_for_all(&server, &numbered);
    ask_for_all(&server, &numbered);
    let figures = Figures::of(&server);
    let stood_down = figures
        .gauge("hotplate_disk_stood_down_total")
        .expect("a counter");
    let evicted = figures
        .gauge("hotplate_disk_evicted_bytes_total")
        .expect("a counter");
    let published = figures
        .gauge("hotplate_disk_published_total")
        .expect("a counter");
    assert!(
        published > 10,
        "{published} were written before the device was full"
    );
    assert!(
        stood_down > 0 || evicted > DEVICE / 4,
        "nothing tells of the full device: {evicted} bytes evicted"
    );
    // Before the folder that it is mounted in.
    drop(device);
    drop(server);
}

#[test]
fn a_full_device_costs_nobody_a_byte_io_uring() {
    run(Driver::IoUring);
}

#[test]
fn a_full_device_costs_nobody_a_byte_epoll() {
    run(Driver::Epoll);
}
