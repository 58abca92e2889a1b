//! The desk with its own thread, asked as a worker asks it.

use std::fs;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::*;
use crate::cache::order::Ticket;
use crate::fill::pins::{BoardSettings, PinBoard};
use crate::fill::settings::FillSettings;
use crate::index::responses::Responses;
use crate::store::budget::Budget;
use crate::store::pinned::{Hold, Patience};

struct Bench {
    folder: tempfile::TempDir,
    board: PinBoard,
    desk: Desk,
    inbox: Receiver<(WorkerId, Filled)>,
}

fn budgets() -> Budgets {
    Budgets {
        memory: Budget::new(1 << 20),
        descriptors: Budget::new(100),
    }
}

struct Letters(SyncSender<(WorkerId, Filled)>);

impl Delivery for Letters {
    fn put(&self, worker: WorkerId, filled: Filled) {
        self.0.send((worker, filled)).unwrap();
    }

    fn ring(&self, _worker: WorkerId) {}
}

impl Bench {
    fn new() -> Self {
        Self::with_room(100)
    }

    fn with_room(descriptors: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let board = PinBoard::start(BoardSettings {
            rules: Vec::new(),
            budgets: budgets(),
            index: Arc::default(),
            wake: Arc::new(|| {}),
        })
        .unwrap();
        let (sender, inbox) = sync_channel(10_000);
        let (patience, _) = watch::channel(Duration::from_secs(30));
        let desk = Desk::start(DeskSettings {
            profiles: Arc::default(),
            sites: vec![(
                SiteId(3),
                SiteRule {
                    root: Some(folder.path().to_owned()),
                    line: 1,
                    ..SiteRule::default()
                },
            )],
            keeper: KeeperSettings {
                responses: Arc::new(Responses::new(1 << 20)),
                fill: FillSettings::default(),
                memory_max_object: 1 << 10,
                object_max: 1 << 18,
                disk: None,
                disk_max: 0,
                block: 1 << 20,
                descriptors: Budget::new(16),
                patience: patience.subscribe(),
                pseudonym: "test".into(),
                counts: Arc::default(),
            },
            loader: Arc::clone(board.loader()),
            budgets: Budgets {
                descriptors: Budget::new(descriptors),
                ..budgets()
            },
            delivery: Arc::new(Letters(sender)),
            wake: Arc::new(|| {}),
            patience,
            origin_counts: Arc::default(),
        })
        .unwrap();
        Self {
            folder,
            board,
            desk,
            inbox,
        }
    }

    fn ask(&self, ticket: u64, job: Job) {
        let order = Order {
            worker: WorkerId(5),
            ticket: Ticket(ticket),
            job,
        };
        self.desk.orders().try_send(order).unwrap();
    }

    fn answer(&self) -> (Ticket, Outcome) {
        let (worker, filled) = self.inbox.recv_timeout(Duration::from_secs(10)).unwrap();
        assert_eq!(worker, WorkerId(5));
        (filled.ticket, filled.outcome)
    }

    fn resolve(&self, path: &str) -> Outcome {
        self.ask(
            1,
            Job::Resolve {
                site: SiteId(3),
                path: path.as_bytes().into(),
            },
        );
        self.answer().1
    }
}

#[test]
fn orders_are_answered_with_their_ticket() {
    let bench = Bench::new();
    fs::write(bench.folder.path().join("a"), b"hello").unwrap();
    for ticket in 0..500 {
        let path = if ticket % 2 == 0 { "/a" } else { "/b" };
        bench.ask(
            ticket,
            Job::Resolve {
                site: SiteId(3),
                path: path.as_bytes().into(),
            },
        );
    }
    let mut seen = [false; 500];
    for _ in 0..500 {
        let (ticket, outcome) = bench.answer();
        let at = usize::try_from(ticket.0).unwrap();
        assert!(!std::mem::replace(&mut seen[at], true));
        match outcome {
            Outcome::Found(entry) if at % 2 == 0 => assert_eq!(entry.identity.object.size(), 5),
            Outcome::Missing if at % 2 == 1 => {}
            other => panic!("{at}: {other:?}"),
        }
    }
    assert_eq!(bench.desk.files.load().count(), 1);
}

#[test]
fn warm_reads_what_is_there_and_says_cold_of_what_is_not() {
    let bench = Bench::new();
    let path = bench.folder.path().join("a");
    fs::write(&path, vec![1; 700_000]).unwrap();
    let load = |hold| {
        let loader = bench.board.loader();
        loader
            .load(&path, hold, Patience::Wait, &budgets())
            .unwrap()
            .object
    };
    for hold in [Hold::File, Hold::Mmap, Hold::Memory] {
        let object = load(hold);
        for (offset, length) in [(0, 700_000), (699_999, 1), (300_000, u64::MAX), (0, 0)] {
            let job = Job::Warm {
                object: Arc::clone(&object),
                offset,
                length,
            };
            bench.ask(9, job);
            assert!(matches!(bench.answer(), (Ticket(9), Outcome::Warm)));
        }
    }
    let object = load(Hold::File);
    object.revoke();
    let job = Job::Warm {
        object,
        offset: 0,
        length: 1,
    };
    bench.ask(9, job);
    assert!(matches!(bench.answer().1, Outcome::Cold));
}

#[test]
fn threads_read_as_the_ring_does() {
    let bench = Bench::new();
    let path = bench.folder.path().join("a");
    fs::write(&path, vec![1; 700_000]).unwrap();
    let loaded = bench
        .board
        .loader()
        .load(&path, Hold::File, Patience::Wait, &budgets())
        .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let warm = |offset| Reader::Threads.warm(Arc::clone(&loaded.object), offset, 700_000);
    assert!(matches!(runtime.block_on(warm(0)), Outcome::Warm));
    assert!(matches!(runtime.block_on(warm(699_000)), Outcome::Warm));
}

#[test]
fn edit_in_place_takes_the_file_back_and_its_new_content_follows() {
    let bench = Bench::new();
    let path = bench.folder.path().join("a");
    fs::write(&path, b"one").unwrap();
    let Outcome::Found(entry) = bench.resolve("/a") else {
        panic!("not found");
    };
    let etag = entry.identity.etag.clone();
    drop(entry);
    // Blocks until the board's thread has revoked the object and the desk has let it go.
    fs::write(&path, b"two").unwrap();
    let Outcome::Found(entry) = bench.resolve("/a") else {
        panic!("not found");
    };
    assert_ne!(entry.identity.etag, etag);
}

#[test]
fn sites_that_are_gone_are_unavailable() {
    let bench = Bench::new();
    fs::write(bench.folder.path().join("a"), b"one").unwrap();
    assert!(matches!(bench.resolve("/a"), Outcome::Found(_)));
    bench.desk.set_sites(Vec::new());
    assert!(matches!(bench.resolve("/a"), Outcome::Unavailable));
}

/// The worker remembers each file for a second, so nothing that is held comes back at once; every further file was 503.
#[test]
fn file_without_room_is_tried_again_when_others_are_let_go() {
    let bench = Bench::with_room(8);
    for number in 0..30 {
        fs::write(bench.folder.path().join(number.to_string()), b"x").unwrap();
    }
    let find = |number: usize| match bench.resolve(&format!("/{number}")) {
        Outcome::Found(entry) => entry,
        other => panic!("{number}: {other:?}"),
    };
    // Half of them in use, as much as all workers together remember.
    let used: Vec<_> = (0..4).map(find).collect();
    for number in 4..30 {
        find(number);
    }
    drop(used);
    // All of them in use, for a moment and for longer.
    let used: Vec<_> = (0..8).map(find).collect();
    for number in 8..12 {
        let path = format!("/{number}");
        let job = Job::Resolve {
            site: SiteId(3),
            path: path.as_bytes().into(),
        };
        bench.ask(number as u64, job);
    }
    // The waiting ones take no turn: what is known is answered meanwhile.
    let began = clock::mono();
    bench.ask(
        100,
        Job::Resolve {
            site: SiteId(3),
            path: b"/3".as_slice().into(),
        },
    );
    let (ticket, outcome) = bench.answer();
    assert!(matches!(
        (ticket, outcome),
        (Ticket(100), Outcome::Found(_))
    ));
    assert!(clock::mono().since(began) < ROOM_WAIT);
    drop(used);
    for _ in 8..12 {
        assert!(matches!(bench.answer().1, Outcome::Found(_)));
    }
    let used: Vec<_> = (0..8).map(find).collect();
    assert!(matches!(bench.resolve("/20"), Outcome::Unavailable));
    drop(used);
    find(20);
}

#[test]
fn errand_runs_beside_orders_and_ends_with_the_desk() {
    let bench = Bench::new();
    fs::write(bench.folder.path().join("a"), b"x").unwrap();
    let (told, hears) = sync_channel(1);
    let (kept, is_gone) = sync_channel::<()>(1);
    let errand = async move {
        let name = std::thread::current().name().map(str::to_owned);
        told.send(name).unwrap();
        std::future::pending::<()>().await;
        drop(kept);
    };
    assert!(bench.desk.run(Box::pin(errand)));
    let name = hears.recv_timeout(Duration::from_secs(10)).unwrap();
    assert_eq!(name.as_deref(), Some("fill"));
    assert!(matches!(bench.resolve("/a"), Outcome::Found(_)));
    drop(bench);
    assert!(
        is_gone
            .try_recv()
            .is_err_and(|error| error == std::sync::mpsc::TryRecvError::Disconnected)
    );
}
