//! How answers reach workers: put at once, the bell rung when the turn of the fill thread is over.
//!
//! A worker on the same core takes it from the fill thread as soon as its bell rings. One bell for all that one turn has brought
//! saves both of them most of these changes, where many requests are under way.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::Notify;

use crate::cache::order::Filled;
use crate::units::WorkerId;

/// Takes answers to workers; called on the fill thread.
pub trait Delivery: Send + Sync {
    /// Puts an answer where the worker finds it at its next look.
    fn put(&self, worker: WorkerId, filled: Filled);

    /// Has the worker look.
    fn ring(&self, worker: WorkerId);
}

/// The fill thread's way to the workers.
pub(super) struct Round {
    delivery: Arc<dyn Delivery>,
    /// Whose bell is to be rung.
    waiting: RefCell<Vec<WorkerId>>,
    due: Notify,
    /// Whether somebody rings at the turn's end.
    is_running: Cell<bool>,
}

impl Round {
    /// A round by `delivery`; each bell rings at once until [`run`](Self::run) is under way.
    pub(super) fn new(delivery: Arc<dyn Delivery>) -> Rc<Self> {
        Rc::new(Self {
            delivery,
            waiting: RefCell::default(),
            due: Notify::new(),
            is_running: Cell::new(false),
        })
    }

    /// Takes an answer to its worker.
    pub(super) fn deliver(&self, worker: WorkerId, filled: Filled) {
        self.delivery.put(worker, filled);
        let mut waiting = self.waiting.borrow_mut();
        if !waiting.contains(&worker) {
            waiting.push(worker);
        }
        drop(waiting);
        if self.is_running.get() {
            self.due.notify_one();
        } else {
            self.ring();
        }
    }

    /// The way itself, for those who ring by themselves.
    pub(super) fn delivery(&self) -> Arc<dyn Delivery> {
        Arc::clone(&self.delivery)
    }

    fn ring(&self) {
        for worker in self.waiting.borrow_mut().drain(..) {
            self.delivery.ring(worker);
        }
    }

    /// Rings, each time behind the tasks that were ready when the first answer of a turn came. Never returns.
    pub(super) async fn run(self: Rc<Self>) {
        self.is_running.set(true);
        loop {
            self.due.notified().await;
            self.ring();
        }
    }
}

impl Drop for Round {
    fn drop(&mut self) {
        self.ring();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{SyncSender, sync_channel};

    use super::*;
    use crate::cache::order::{Outcome, Ticket};
    use crate::units::MonoNanos;

    #[derive(Debug, PartialEq, Eq)]
    enum Seen {
        Put(u16),
        Rang(u16),
    }

    struct Observed(SyncSender<Seen>);

    impl Delivery for Observed {
        fn put(&self, worker: WorkerId, _filled: Filled) {
            self.0.send(Seen::Put(worker.0)).unwrap();
        }

        fn ring(&self, worker: WorkerId) {
            self.0.send(Seen::Rang(worker.0)).unwrap();
        }
    }

    fn filled() -> Filled {
        Filled {
            ticket: Ticket(1),
            outcome: Outcome::Grown,
            checked_at: MonoNanos(0),
        }
    }

    #[test]
    fn bell_rings_once_for_what_one_turn_has_brought() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let (sender, seen) = sync_channel(16);
        let round = Round::new(Arc::new(Observed(sender)));
        tokio::task::LocalSet::new().block_on(&runtime, async {
            let ringer = tokio::task::spawn_local(Rc::clone(&round).run());
            tokio::task::yield_now().await;
            let tasks = (0..4).map(|number| {
                let round = Rc::clone(&round);
                tokio::task::spawn_local(
                    async move { round.deliver(WorkerId(number / 3), filled()) },
                )
            });
            for task in tasks.collect::<Vec<_>>() {
                task.await.unwrap();
            }
            tokio::task::yield_now().await;
            ringer.abort();
        });
        use Seen::{Put, Rang};
        let all: Vec<Seen> = seen.try_iter().collect();
        assert_eq!(all, [Put(0), Put(0), Put(0), Put(1), Rang(0), Rang(1)]);
    }

    #[test]
    fn bell_rings_at_once_where_nobody_rings_later() {
        let (sender, seen) = sync_channel(16);
        let round = Round::new(Arc::new(Observed(sender)));
        round.deliver(WorkerId(2), filled());
        assert_eq!(
            seen.try_iter().collect::<Vec<_>>(),
            [Seen::Put(2), Seen::Rang(2)]
        );
    }
}
