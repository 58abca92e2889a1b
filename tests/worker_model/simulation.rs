//! One simulation: a worker, its clients, and the events that befall them.

use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use hotplate::cache::FrontDesk;
use hotplate::cache::order::{Filled, Job, Order, Outcome};
use hotplate::index::responses::Responses;
use hotplate::index::sites::{SiteRule, SiteTable};
use hotplate::policy::origin_rule::OriginRule;
use hotplate::server::crowd::Crowd;
use hotplate::server::inbox::{Inbox, Mail, Postbox};
use hotplate::server::settings::Limits;
use hotplate::server::slot::Token;
use hotplate::server::worker::{Parts, Worker};
use hotplate::stats::{AccessSink, Counter, WorkerStats};
use hotplate::units::{Ticket, WorkerId};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::sockopt;
use tokio::sync::mpsc::Receiver;

use crate::client::{Client, Stream};
use crate::fake_driver::{FakeDriver, Kind};
use crate::fixture::Fixture;
use crate::random::Random;
use crate::requests::Book;

/// A worker with its clients.
pub(crate) struct World {
    pub(crate) worker: Worker,
    pub(crate) driver: FakeDriver,
    pub(crate) clients: Vec<Client>,
    pub(crate) stats: Arc<WorkerStats>,
    pub(crate) postbox: Postbox,
    orders: Receiver<Order>,
}

/// Runs the simulation that follows from `seed`.
pub(crate) fn simulate(fixture: &Fixture, book: &mut Book, seed: u64) {
    let _named = Named(seed);
    let mut random = Random::new(seed);
    let kind = random.one_of(&[Kind::Ring, Kind::Epoll]);
    let limits = Limits {
        pipeline: random.one_of(&[1, 3, 64]),
        ..Limits::default()
    };
    let mut world = World::new(fixture, kind, limits);
    let count = 1 + random.below(5);
    for _ in 0..count {
        let stream = Stream::any(&mut random);
        let room = random.one_of(&[4_600, 9_000, 40_000, 200_000, 4 << 20]);
        world.connect(&mut random, stream, room);
    }
    for _ in 0..50 + random.below(400) {
        let events = 1 + random.below(6);
        world.turn(&mut random, events);
    }
    world.settle(&mut random);
    for client in &mut world.clients {
        // Nothing may be held back until more comes or the client ends.
        client.judge(fixture, book);
    }
    world.run_down(&mut random);
    world.judge(fixture, book);
}

/// Names the seed when a simulation fails.
struct Named(u64);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("the seed is {}", self.0);
        }
    }
}

impl World {
    pub(crate) fn new(fixture: &Fixture, kind: Kind, limits: Limits) -> Self {
        let (postbox, inbox) = Inbox::new().unwrap();
        let (sender, orders) = tokio::sync::mpsc::channel(64);
        let sites = SiteTable::new(&[
            SiteRule {
                root: Some(fixture.folder.path().to_owned()),
                line: 1,
                ..SiteRule::default()
            },
            SiteRule {
                hosts: vec!["origin".to_owned()],
                origin: Some(OriginRule::default()),
                line: 2,
                ..SiteRule::default()
            },
        ]);
        let stats = Arc::new(WorkerStats::new());
        let worker = Worker::new(Parts {
            id: WorkerId(0),
            limits,
            desk: FrontDesk::new(
                Arc::clone(&fixture.index),
                Arc::new(sites),
                Arc::new(Responses::new(1 << 20)),
                16,
            ),
            stats: Arc::clone(&stats),
            log: AccessSink::off(),
            inbox,
            orders: sender,
            crowd: Arc::new(Crowd::default()),
        });
        Self {
            worker,
            driver: FakeDriver::new(kind),
            clients: Vec::new(),
            stats,
            postbox,
            orders,
        }
    }

    pub(crate) fn connect(&mut self, random: &mut Random, stream: Stream, room: usize) {
        let (ours, socket) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        socket.set_nonblocking(true).unwrap();
        // Only with more room than an ordinary process may ask for can a connection use up its share of a turn.
        if sockopt::set_socket_send_buffer_size_force(&ours, room).is_err() {
            sockopt::set_socket_send_buffer_size(&ours, room).unwrap();
        }
        self.worker.begin_turn();
        self.worker
            .on_accepted(OwnedFd::from(ours), &mut self.driver);
        self.worker.end_turn();
        self.clients.push(Client {
            token: self.driver.newest.expect("a connection"),
            socket: Some(socket),
            stream,
            delivered: 0,
            hasty: random.once_in(2),
            came: Vec::new(),
            saw_end: false,
        });
    }

    /// A world with one client, whose socket takes `room` bytes and who has sent so many requests for a pin and then `last`,
    /// which waits for its origin under the ticket.
    pub(crate) fn before_an_origin(
        fixture: &Fixture,
        pins: usize,
        last: &str,
        room: usize,
    ) -> (Self, Ticket) {
        let mut world = Self::new(fixture, Kind::Epoll, Limits::default());
        let pin = "GET /memory/small.bin HTTP/1.1\r\nHost: a\r\n\r\n";
        let bytes = pin.repeat(pins) + last;
        let stream = Stream::plain(bytes.as_bytes());
        world.connect(&mut Random::new(1), stream, room);
        world.receive_all(0);
        let order = world.orders.try_recv().expect("an order");
        (world, order.ticket)
    }

    /// Has every order find that nobody takes it.
    pub(crate) fn refuse_orders(&mut self) {
        self.orders.close();
    }

    /// Brings all that a client sends in one piece.
    fn receive_all(&mut self, at: usize) {
        let client = &mut self.clients[at];
        client.delivered = client.stream.bytes.len();
        self.worker.begin_turn();
        let bytes = &client.stream.bytes;
        self.worker
            .on_received(client.token, bytes, &mut self.driver);
        self.worker.end_turn();
    }

    /// Has the worker told of an order.
    pub(crate) fn tell(&mut self, ticket: Ticket, outcome: Outcome) {
        self.postbox.deliver(Mail::Filled(Filled {
            ticket,
            checked_at: hotplate::sys::clock::mono(),
            outcome,
        }));
        self.worker.begin_turn();
        self.worker.on_woken(&mut self.driver);
        self.worker.end_turn();
    }

    /// One turn of the worker with some events.
    fn turn(&mut self, random: &mut Random, events: usize) {
        self.worker.begin_turn();
        for _ in 0..events {
            let at = random.below(self.clients.len());
            match random.below(9) {
                0..=3 => _ = self.receive(random, at),
                4 => _ = self.read(at, 1 + random.below(60_000)),
                5 | 6 => _ = self.writable(at),
                7 => _ = self.fill(),
                _ if random.once_in(200) => self.clients[at].socket = None,
                _ => {}
            }
        }
        self.worker.run_ready(&mut self.driver);
        if random.once_in(10) {
            self.worker.on_tick(&mut self.driver);
        }
        self.worker.end_turn();
    }

    /// Lets everything happen that still can, then has every client end.
    pub(crate) fn run_down(&mut self, random: &mut Random) {
        self.settle(random);
        for at in 0..self.clients.len() {
            self.clients[at].hasty = true;
        }
        self.settle(random);
    }

    pub(crate) fn settle(&mut self, random: &mut Random) {
        loop {
            self.worker.begin_turn();
            let mut moved = self.fill();
            for at in 0..self.clients.len() {
                while self.receive(random, at) {
                    moved = true;
                }
                moved |= self.writable(at);
                moved |= self.read(at, usize::MAX);
            }
            moved |= self.worker.has_ready();
            self.worker.run_ready(&mut self.driver);
            self.worker.end_turn();
            if !moved {
                return;
            }
        }
    }

    /// Brings the worker what a receive brings: bytes, the end, or that it was cancelled.
    fn receive(&mut self, random: &mut Random, at: usize) -> bool {
        let client = &mut self.clients[at];
        let token = client.token;
        let is_ring = self.driver.kind == Kind::Ring;
        let Some(slot) = self.worker.slot_mut(token) else {
            return false;
        };
        let armed = self.driver.armed[&token];
        assert_eq!(armed.receiving, slot.io.receiving);
        if !armed.receiving || !is_ring && (slot.io.paused || slot.ended) {
            return false;
        }
        let closing = slot.is_closing();
        let rest = &client.stream.bytes[client.delivered..];
        let cancelled = is_ring && (armed.cancelling || closing);
        if cancelled && (closing && rest.is_empty() || random.once_in(3)) {
            self.driver.receive_ended(token, &mut slot.io);
            self.after_receive(token);
            return true;
        }
        if !rest.is_empty() {
            let size = random.one_of(&[1, 10, 100, 1_000, 4_096]);
            let size = (1 + random.below(size)).min(rest.len());
            client.delivered += size;
            self.worker
                .on_received(token, &rest[..size], &mut self.driver);
            return true;
        }
        if !client.hasty && client.socket.is_some() {
            return false;
        }
        // A receive that is armed behind the end brings the end again.
        if is_ring {
            self.driver.receive_ended(token, &mut slot.io);
        }
        self.worker.on_ended(token, &mut self.driver);
        true
    }

    /// The ring's receive has ended without an end of the connection.
    fn after_receive(&mut self, token: Token) {
        let slot = self.worker.slot_mut(token).expect("a slot until quiet");
        if slot.is_closing() {
            if !slot.io.awaiting_writable {
                self.worker.on_quiet(token);
            }
        } else if !slot.io.paused {
            use hotplate::server::driver::Controls as _;
            let begun = self.driver.begin(token, slot.socket.as_fd(), &mut slot.io);
            begun.unwrap();
        }
    }

    /// Tells the worker that a socket has room, if it waits for that and the socket has.
    fn writable(&mut self, at: usize) -> bool {
        let token = self.clients[at].token;
        let Some(slot) = self.worker.slot_mut(token) else {
            return false;
        };
        if !slot.io.awaiting_writable {
            return false;
        }
        let closing = slot.is_closing();
        let mut polled = [PollFd::new(&slot.socket, PollFlags::OUT)];
        let now = rustix::time::Timespec::default();
        if !closing && poll(&mut polled, Some(&now)).unwrap() == 0 {
            return false;
        }
        self.driver.wait_ended(token, &mut slot.io);
        if !closing {
            self.worker.on_writable(token, &mut self.driver);
        } else if !slot.io.receiving {
            self.worker.on_quiet(token);
        }
        true
    }

    /// The client reads at most `max` bytes.
    fn read(&mut self, at: usize, max: usize) -> bool {
        let client = &mut self.clients[at];
        let Some(socket) = &mut client.socket else {
            return false;
        };
        let mut piece = vec![0; max.min(64 << 10)];
        let mut left = max;
        while left > 0 && !client.saw_end {
            let most = left.min(piece.len());
            match socket.read(&mut piece[..most]) {
                Ok(0) => client.saw_end = true,
                Ok(count) => {
                    client.came.extend_from_slice(&piece[..count]);
                    left -= count;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error}"),
            }
        }
        left < max
    }

    /// Fills the orders that were placed.
    fn fill(&mut self) -> bool {
        let mut filled = false;
        while let Ok(order) = self.orders.try_recv() {
            let outcome = match order.job {
                Job::Resolve { .. } => Outcome::Missing,
                Job::Warm { .. } => Outcome::Warm,
                Job::Fetch(_) => panic!("no stream asks an origin"),
            };
            let ticket = order.ticket;
            self.postbox.deliver(Mail::Filled(Filled {
                ticket,
                checked_at: hotplate::sys::clock::mono(),
                outcome,
            }));
            filled = true;
        }
        if filled {
            self.worker.on_woken(&mut self.driver);
        }
        filled
    }

    /// The statuses of what a client got, in order.
    pub(crate) fn statuses(&self, at: usize) -> Vec<u16> {
        let came = String::from_utf8_lossy(&self.clients[at].came).into_owned();
        let starts = came.match_indices("HTTP/1.1 ");
        starts
            .map(|(at, start)| came[at + start.len()..][..3].parse().expect("a status"))
            .collect()
    }

    fn judge(&mut self, fixture: &Fixture, book: &mut Book) {
        for client in &mut self.clients {
            client.judge(fixture, book);
            assert!(client.saw_end || client.socket.is_none(), "still open");
        }
        assert_eq!(self.stats.read(Counter::ConnectionsOpen), 0);
        assert!(self.driver.armed.values().all(|armed| armed.ended));
    }
}
