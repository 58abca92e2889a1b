//! A pinned hit, from received bytes to sent bytes, through the worker that serves real clients: it allocates nothing.
//!
//! The driver is replaced by one that does nothing: bytes are handed over by the test, sends go to a real socket. Time is
//! the turn's: the worker reads its clock in `begin_turn` and `end_turn`, which the counted stretch leaves out, and
//! `tests/tidy.rs` holds that nothing behind the worker's hit path imports a clock or a lock.
#![expect(unsafe_code, reason = "a counting allocator")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{self, Read as _};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use hotplate::cache::FrontDesk;
use hotplate::fill::pins::{BoardSettings, PinBoard};
use hotplate::index::pins::PinIndex;
use hotplate::index::responses::Responses;
use hotplate::index::sites::SiteTable;
use hotplate::server::crowd::Crowd;
use hotplate::server::driver::Controls;
use hotplate::server::inbox::Inbox;
use hotplate::server::settings::Limits;
use hotplate::server::slot::{IoState, Token};
use hotplate::server::worker::{Parts, Worker};
use hotplate::stats::{AccessSink, WorkerStats};
use hotplate::store::budget::Budget;
use hotplate::store::pinned::load::Budgets;
use hotplate::store::pinned::{Hold, OnChange, PinRule};
use hotplate::units::WorkerId;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call goes to the system's allocator unchanged; counting touches a thread-local number only.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the contract, which is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, address: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(address, layout) }
    }

    unsafe fn realloc(&self, address: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: as above.
        unsafe { System.realloc(address, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations() -> u64 {
    ALLOCATIONS.with(Cell::get)
}

/// A driver that arms nothing.
#[derive(Default)]
struct Idle;

impl Controls for Idle {
    fn begin(&mut self, _: Token, _: BorrowedFd<'_>, io: &mut IoState) -> io::Result<()> {
        io.receiving = true;
        Ok(())
    }

    fn pause(&mut self, _: Token, _: &mut IoState) -> io::Result<()> {
        Ok(())
    }

    fn resume(&mut self, _: Token, _: BorrowedFd<'_>, _: &mut IoState) -> io::Result<()> {
        Ok(())
    }

    fn await_writable(&mut self, _: Token, _: BorrowedFd<'_>, _: &mut IoState) -> io::Result<()> {
        Ok(())
    }

    fn end(&mut self, _: Token, _: &mut IoState) -> bool {
        true
    }
}

struct Bench {
    worker: Worker,
    client: UnixStream,
    token: Token,
    _board: PinBoard,
}

fn pin(path: &Path, url: &str, hold: Hold) -> PinRule {
    PinRule {
        path: path.to_owned(),
        url: url.to_owned(),
        hosts: Vec::new(),
        hold,
        on_change: OnChange::Keep,
        cache_control: "public, max-age=3600".to_owned(),
        content_type: String::new(),
        line: 1,
    }
}

/// A worker with a 1 KiB and a 256 KiB file pinned in every way, and one client.
fn bench(folder: &Path) -> Bench {
    std::fs::write(folder.join("small.wav"), vec![7; 1024]).unwrap();
    std::fs::write(folder.join("large.wav"), vec![7; 256 << 10]).unwrap();
    let rules = [
        (Hold::File, "/file/"),
        (Hold::Mmap, "/mmap/"),
        (Hold::Memory, "/memory/"),
    ]
    .map(|(hold, url)| pin(&folder.join("*.wav"), url, hold));
    let index = Arc::new(ArcSwap::from_pointee(PinIndex::default()));
    let board = PinBoard::start(BoardSettings {
        rules: rules.to_vec(),
        budgets: Budgets {
            memory: Budget::new(1 << 30),
            descriptors: Budget::new(100),
        },
        index: Arc::clone(&index),
        wake: Arc::new(|| {}),
    })
    .unwrap();
    let (_, inbox) = Inbox::new().unwrap();
    let (orders, _) = tokio::sync::mpsc::channel(1);
    let mut worker = Worker::new(Parts {
        id: WorkerId(0),
        limits: Limits::default(),
        desk: FrontDesk::new(
            index,
            Arc::new(SiteTable::default()),
            Arc::new(Responses::new(1 << 20)),
            16,
        ),
        stats: Arc::new(WorkerStats::new()),
        log: AccessSink::off(),
        inbox,
        orders,
        crowd: Arc::new(Crowd::default()),
    });
    let (ours, client) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    worker.begin_turn();
    worker.on_accepted(OwnedFd::from(ours), &mut Idle);
    worker.end_turn();
    let token = Token {
        slot: 0,
        generation: 1,
    };
    Bench {
        worker,
        client,
        token,
        _board: board,
    }
}

impl Bench {
    /// Answers `request` and returns how many allocations that took, with the answer's bytes.
    fn answer(&mut self, request: &str) -> (u64, Vec<u8>) {
        self.worker.begin_turn();
        let before = allocations();
        self.worker
            .on_received(self.token, request.as_bytes(), &mut Idle);
        let taken = allocations() - before;
        self.worker.end_turn();
        (taken, self.read())
    }

    /// Reads what has been sent; lets a blocked body go on.
    fn read(&mut self) -> Vec<u8> {
        let mut answer = Vec::new();
        let mut piece = vec![0; 64 << 10];
        self.client.set_nonblocking(true).unwrap();
        loop {
            match self.client.read(&mut piece) {
                Ok(count) => {
                    assert!(count > 0, "the connection was closed");
                    answer.extend_from_slice(&piece[..count]);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return answer,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

/// Requests that must cost nothing, with the status each gets.
fn requests(path: &str, etag: &str) -> Vec<(String, &'static str)> {
    let request = |method: &str, more: &str| {
        format!("{method} {path} HTTP/1.1\r\nHost: media.example\r\nAccept: */*\r\n{more}\r\n")
    };
    vec![
        (request("GET", ""), "200"),
        (request("HEAD", ""), "200"),
        (request("GET", &format!("If-None-Match: {etag}\r\n")), "304"),
        (request("GET", "Range: bytes=100-299\r\n"), "206"),
        (
            request("GET", &format!("If-Range: {etag}\r\nRange: bytes=-100\r\n")),
            "206",
        ),
        // Three in one send.
        (
            [request("GET", ""), request("HEAD", ""), request("GET", "")].concat(),
            "200",
        ),
    ]
}

fn etag_of(answer: &[u8]) -> String {
    let text = String::from_utf8_lossy(answer);
    let line = text
        .lines()
        .find(|line| line.starts_with("ETag: "))
        .expect("an ETag");
    line.trim_start_matches("ETag: ").to_owned()
}

#[test]
fn the_allocator_counts() {
    let before = allocations();
    drop(std::hint::black_box(vec![1_u8; 100]));
    assert_eq!(allocations() - before, 1);
}

#[test]
fn a_pinned_hit_allocates_nothing_whatever_the_hold() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = bench(folder.path());
    for path in ["/file/small.wav", "/mmap/small.wav", "/memory/small.wav"] {
        let head = format!("HEAD {path} HTTP/1.1\r\nHost: a\r\n\r\n");
        // The first hit of an entry makes the worker's own count of it; the first sends grow the buffers.
        let (_, answer) = bench.answer(&head);
        let etag = etag_of(&answer);
        for (request, status) in requests(path, &etag) {
            bench.answer(&request);
            let (taken, answer) = bench.answer(&request);
            let line = format!("HTTP/1.1 {status} ");
            assert!(answer.starts_with(line.as_bytes()), "{path}: {request}");
            assert_eq!(taken, 0, "{path}: {request}");
        }
    }
}

#[test]
fn a_large_pinned_hit_allocates_nothing_up_to_the_full_socket() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = bench(folder.path());
    for path in ["/file/large.wav", "/mmap/large.wav", "/memory/large.wav"] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nRange: bytes=1000-60999\r\n\r\n");
        bench.answer(&request);
        let (taken, answer) = bench.answer(&request);
        assert!(answer.starts_with(b"HTTP/1.1 206 "), "{path}");
        assert!(answer.len() > 60_000, "{path}: {}", answer.len());
        assert_eq!(taken, 0, "{path}");
    }
}
