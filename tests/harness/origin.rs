//! An origin that says what a scenario wants: on threads and blocking sockets, over plain HTTP/1.1 on 127.0.0.1.
//!
//! Each path has a script: a function of the request, a queue of replies, or made content of any size. Every request is recorded
//! as soon as its head is there. Nothing here sleeps to let something happen: a reply waits at a [`Gate`] until the
//! scenario opens it, and the scenario waits for requests to arrive. All waits end with the origin, and none outlasts
//! [`PATIENCE`] or says nothing about it.

#![expect(
    clippy::disallowed_types,
    reason = "threads of a test share what was asked and what to say"
)]

mod asked;
mod gate;
mod made;
mod reply;
mod talk;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

pub(crate) use asked::Asked;
pub(crate) use gate::Gate;
pub(crate) use made::{Made, content, content_byte};
pub(crate) use reply::{Reply, reply};

use super::waiting::{now, pause};

/// How long anybody here waits before the scenario fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// How often a wait looks whether the origin is to end.
const TICK: Duration = Duration::from_millis(25);

type Script = Arc<dyn Fn(&Asked) -> Reply + Send + Sync>;

/// What is said at a path.
#[derive(Clone)]
struct Route {
    script: Script,
    /// Whether the script begins before the request's body was read.
    is_early: bool,
}

/// What the origin's threads share.
struct Shared {
    asked: Mutex<Vec<Asked>>,
    arrived: Condvar,
    routes: Mutex<HashMap<String, Route>>,
    otherwise: Mutex<Route>,
    connections: AtomicUsize,
    open: Mutex<HashMap<usize, TcpStream>>,
    is_over: AtomicBool,
}

/// Another thread's panic has failed the scenario already; what it left is whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    /// What to say to a request: its target's own route, else its path's, else the one for all others.
    fn route(&self, target: &str) -> Route {
        let routes = lock(&self.routes);
        let path = target.split('?').next().unwrap_or_default();
        let found = routes.get(target).or_else(|| routes.get(path)).cloned();
        drop(routes);
        found.unwrap_or_else(|| lock(&self.otherwise).clone())
    }

    /// Records a head; gives the request's number.
    fn record(&self, mut asked: Asked) -> usize {
        let mut all = lock(&self.asked);
        let number = all.len();
        asked.number = number;
        all.push(asked);
        self.arrived.notify_all();
        number
    }

    fn record_body(&self, number: usize, body: &[u8], is_whole: bool) {
        let mut all = lock(&self.asked);
        if let Some(asked) = all.get_mut(number) {
            asked.body.extend_from_slice(body);
            asked.is_whole |= is_whole;
        }
        self.arrived.notify_all();
    }

    fn record_trailer(&self, number: usize, line: String) {
        if let Some(asked) = lock(&self.asked).get_mut(number) {
            asked.trailers.push(line);
        }
    }

    fn close_all(&self) {
        for stream in lock(&self.open).values() {
            // Fails where the client was faster.
            stream.shutdown(Shutdown::Both).ok();
        }
    }
}

/// The origin; it ends with its value.
pub(crate) struct Origin {
    address: SocketAddr,
    shared: Arc<Shared>,
    listening: Option<JoinHandle<()>>,
}

impl Origin {
    /// Listens on a free port; every path is 404 until it is given a script.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let address = listener.local_addr().expect("its address");
        let shared = Arc::new(Shared {
            asked: Mutex::default(),
            arrived: Condvar::new(),
            routes: Mutex::default(),
            otherwise: Mutex::new(Route {
                script: Arc::new(|_| reply(404).body("not here")),
                is_early: false,
            }),
            connections: AtomicUsize::new(0),
            open: Mutex::default(),
            is_over: AtomicBool::new(false),
        });
        let listening = Some(listen(listener, &shared));
        Self {
            address,
            shared,
            listening,
        }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its URL, without a slash at the end.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Says at `path`, or at a whole target with a query, what `script` returns for the request, its body read.
    pub(crate) fn on(&self, path: &str, script: impl Fn(&Asked) -> Reply + Send + Sync + 'static) {
        self.route(path, Arc::new(script), false);
    }

    /// As [`on`](Self::on), but the script begins before the request's body is read; see [`Reply::read`].
    pub(crate) fn on_head(
        &self,
        path: &str,
        script: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    ) {
        self.route(path, Arc::new(script), true);
    }

    /// Says the same to every request for `path`.
    pub(crate) fn says(&self, path: &str, reply: Reply) {
        self.on(path, move |_| reply.clone());
    }

    /// Says one reply after the other; the last one stays.
    pub(crate) fn queue(&self, path: &str, replies: impl IntoIterator<Item = Reply>) {
        let queue = Mutex::new(replies.into_iter().collect::<VecDeque<_>>());
        self.on(path, move |_| {
            let mut queue = lock(&queue);
            if queue.len() > 1 {
                queue.pop_front().expect("two or more")
            } else {
                queue.front().expect("a reply").clone()
            }
        });
    }

    /// Serves made content at `path`, with ranges and conditions.
    pub(crate) fn serve(&self, path: &str, made: Made) {
        self.on(path, move |asked| made.reply(asked));
    }

    /// Says what `script` returns at all paths that have none of their own.
    pub(crate) fn otherwise(&self, script: impl Fn(&Asked) -> Reply + Send + Sync + 'static) {
        *lock(&self.shared.otherwise) = Route {
            script: Arc::new(script),
            is_early: false,
        };
    }

    fn route(&self, path: &str, script: Script, is_early: bool) {
        lock(&self.shared.routes).insert(path.to_owned(), Route { script, is_early });
    }

    /// All requests so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        lock(&self.shared.asked).clone()
    }

    /// All requests so far for `path`, whatever their query.
    pub(crate) fn asked_for(&self, path: &str) -> Vec<Asked> {
        let mut asked = self.asked();
        asked.retain(|asked| asked.path() == path);
        asked
    }

    /// Forgets the requests so far.
    pub(crate) fn forget(&self) {
        lock(&self.shared.asked).clear();
    }

    /// Waits until `count` requests have come, and returns all that have.
    #[track_caller]
    pub(crate) fn await_asked(&self, count: usize) -> Vec<Asked> {
        self.await_that(&format!("{count} requests"), |asked| asked.len() >= count)
    }

    /// Waits until `count` requests for `path` have come, and returns those.
    #[track_caller]
    pub(crate) fn await_asked_for(&self, path: &str, count: usize) -> Vec<Asked> {
        self.await_that(&format!("{count} requests for {path}"), |asked| {
            asked.iter().filter(|asked| asked.path() == path).count() >= count
        });
        self.asked_for(path)
    }

    /// Waits until `condition` holds for what was asked.
    #[track_caller]
    pub(crate) fn await_that(
        &self,
        what: &str,
        condition: impl Fn(&[Asked]) -> bool,
    ) -> Vec<Asked> {
        let deadline = now() + PATIENCE;
        let mut asked = lock(&self.shared.asked);
        while !condition(&asked) {
            let left = deadline.saturating_duration_since(now());
            assert!(
                !left.is_zero(),
                "the origin waits for {what}; it has {asked:#?}"
            );
            let waited = self.shared.arrived.wait_timeout(asked, left);
            asked = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        asked.clone()
    }

    /// How many connections it has had.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// How many connections are open now.
    pub(crate) fn open_connections(&self) -> usize {
        lock(&self.shared.open).len()
    }

    /// Closes all connections and listens no more: whoever connects is refused.
    pub(crate) fn go_down(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        // Wakes the listener's thread.
        TcpStream::connect_timeout(&self.address, PATIENCE).ok();
        self.shared.close_all();
        if let Some(listening) = self.listening.take() {
            listening.join().ok();
        }
    }

    /// Listens again after [`go_down`](Self::go_down), on the same port.
    pub(crate) fn come_up(&mut self) {
        if self.listening.is_none() {
            // Somebody's connection may have been given the port meanwhile, for a moment.
            let limit = now() + PATIENCE;
            let listener = loop {
                match TcpListener::bind(self.address) {
                    Err(_) if now() < limit => pause(Duration::from_millis(10)),
                    bound => break bound.expect("the same port"),
                }
            };
            self.shared.is_over.store(false, Ordering::SeqCst);
            self.listening = Some(listen(listener, &self.shared));
        }
    }

    /// Closes the connections that are open now, idle ones and others.
    pub(crate) fn close_connections(&self) {
        self.shared.close_all();
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.go_down();
    }
}

impl std::fmt::Debug for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Origin({})", self.address)
    }
}

fn listen(listener: TcpListener, shared: &Arc<Shared>) -> JoinHandle<()> {
    let shared = Arc::clone(shared);
    std::thread::spawn(move || {
        let mut threads = Vec::new();
        for stream in listener.incoming() {
            if shared.is_over() {
                break;
            }
            let Ok(stream) = stream else { continue };
            let Ok(second) = stream.try_clone() else {
                continue;
            };
            let number = shared.connections.fetch_add(1, Ordering::SeqCst);
            lock(&shared.open).insert(number, second);
            let shared = Arc::clone(&shared);
            threads.retain(|thread: &JoinHandle<()>| !thread.is_finished());
            threads.push(std::thread::spawn(move || {
                talk::serve(&shared, number, stream);
                lock(&shared.open).remove(&number);
            }));
        }
        drop(listener);
        shared.close_all();
        for thread in threads {
            // A panic there has told its reason.
            thread.join().ok();
        }
    })
}
