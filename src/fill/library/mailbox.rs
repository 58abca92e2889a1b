//! The library as one more worker of the fill threads: it gives orders and is told of answers, and of bodies that grow.
//!
//! Threads: answers are delivered on the fill threads, orders are given on any. An order whose asker has gone is forgotten; its
//! answer, when it comes, is dropped.

#![expect(
    clippy::disallowed_types,
    reason = "a lock for the time of a look-up, on threads that serve no hit"
)]

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::{Notify, mpsc, oneshot};

use crate::cache::order::{Fetch, Filled, Job, Order, Outcome, Ticket};
use crate::store::Object;
use crate::store::body::BodyState;
use crate::store::body_fault::BodyFault;
use crate::units::{Waiter, WorkerId};

/// The library's number among the workers.
pub const LIBRARY: WorkerId = WorkerId(u16::MAX);

/// See the module's header.
#[derive(Debug, Default)]
pub struct Mailbox {
    orders: OnceLock<mpsc::Sender<Order>>,
    waiting: Mutex<HashMap<u64, Waiting>>,
    next: AtomicU64,
}

#[derive(Debug)]
enum Waiting {
    Answer(oneshot::Sender<Outcome>),
    Growth(Arc<Notify>),
}

/// Something that is waited for, until this is dropped.
struct Place<'m> {
    mailbox: &'m Mailbox,
    ticket: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.mailbox.lock().remove(&self.ticket);
    }
}

impl Mailbox {
    /// Gives orders to `orders` from now on.
    pub fn open(&self, orders: mpsc::Sender<Order>) {
        self.orders.get_or_init(|| orders);
    }

    /// Takes in what is delivered to [`LIBRARY`].
    pub fn deliver(&self, filled: Filled) {
        // What comes before the answer is for clients.
        if matches!(filled.outcome, Outcome::Informational(_)) {
            return;
        }
        let mut waiting = self.lock();
        match waiting.get(&filled.ticket.0) {
            Some(Waiting::Growth(notify)) => notify.notify_one(),
            Some(Waiting::Answer(_)) => {
                if let Some(Waiting::Answer(asker)) = waiting.remove(&filled.ticket.0) {
                    drop(waiting);
                    // Who has gone needs none.
                    asker.send(filled.outcome).ok();
                }
            }
            None => {}
        }
    }

    /// Has a request answered; none where as many orders wait as may, or the fill threads have ended.
    pub(super) async fn ask(&self, fetch: Box<Fetch>) -> Option<Outcome> {
        let (sender, answer) = oneshot::channel();
        let place = self.wait_for(Waiting::Answer(sender));
        self.send(place.ticket, fetch)?;
        answer.await.ok()
    }

    /// Has a request answered that nobody waits for.
    pub(super) fn order(&self, fetch: Box<Fetch>) -> bool {
        let ticket = self.next.fetch_add(1, Ordering::Relaxed);
        self.send(ticket, fetch).is_some()
    }

    /// Waits until all of a body is there. Bytes that lie in a file unverified are verified on the way, and missing ones fetched.
    ///
    /// # Errors
    /// It does not come, or outgrows the store; why.
    pub(super) async fn wait_for_whole(&self, object: &Object) -> Result<(), BodyFault> {
        let Some(body) = object.growing() else {
            let is_complete = object.is_complete();
            return is_complete.then_some(()).ok_or(BodyFault::BrokenOff);
        };
        let notify = Arc::new(Notify::new());
        let place = self.wait_for(Waiting::Growth(Arc::clone(&notify)));
        let waiter = Waiter {
            worker: LIBRARY,
            ticket: Ticket(place.ticket),
        };
        let stand = body.stand(None);
        loop {
            if !body.takes_readers() {
                return Err(body.fault().unwrap_or(BodyFault::TooLarge));
            }
            match body.state() {
                BodyState::Complete => return Ok(()),
                BodyState::Failed => return Err(body.fault().unwrap_or(BodyFault::BrokenOff)),
                BodyState::Open => {}
            }
            let first = body.run_from(0);
            if body.subscribe(waiter, first) {
                if let Some(stand) = &stand {
                    stand.ask(first, body.size().unwrap_or(u64::MAX));
                }
                notify.notified().await;
            }
        }
    }

    fn send(&self, ticket: u64, fetch: Box<Fetch>) -> Option<()> {
        let order = Order {
            worker: LIBRARY,
            ticket: Ticket(ticket),
            job: Job::Fetch(fetch),
        };
        self.orders.get()?.try_send(order).ok()
    }

    fn wait_for(&self, waiting: Waiting) -> Place<'_> {
        let ticket = self.next.fetch_add(1, Ordering::Relaxed);
        self.lock().insert(ticket, waiting);
        Place {
            mailbox: self,
            ticket,
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Waiting>> {
        // Nothing that holds the lock can panic half-way.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::rule::Rule;
    use crate::store::Held;
    use crate::store::body::Body;
    use crate::units::MonoNanos;

    fn filled(ticket: u64, outcome: Outcome) -> Filled {
        Filled {
            ticket: Ticket(ticket),
            outcome,
            checked_at: MonoNanos(0),
        }
    }

    #[tokio::test]
    async fn body_is_waited_for_until_it_is_whole_or_has_failed() {
        for ends_well in [true, false] {
            let mailbox = Arc::new(Mailbox::default());
            let mut writer = Body::begin(None, 100);
            let object = Object::of_response(Held::Growing(Arc::clone(writer.body())), 0);
            let waits = {
                let mailbox = Arc::clone(&mailbox);
                tokio::spawn(async move { mailbox.wait_for_whole(&object).await })
            };
            tokio::task::yield_now().await;
            writer.append(b"abc").unwrap();
            for waiter in writer.wakers() {
                assert_eq!(waiter.worker, LIBRARY);
                mailbox.deliver(filled(waiter.ticket.0, Outcome::Grown));
            }
            tokio::task::yield_now().await;
            assert!(!waits.is_finished());
            if ends_well {
                assert!(writer.complete());
            } else {
                writer.fail(BodyFault::Gone);
            }
            for waiter in writer.wakers() {
                mailbox.deliver(filled(waiter.ticket.0, Outcome::Grown));
            }
            let expected = if ends_well {
                Ok(())
            } else {
                Err(BodyFault::Gone)
            };
            assert_eq!(waits.await.unwrap(), expected);
            assert!(mailbox.lock().is_empty());
        }
    }

    #[tokio::test]
    async fn body_that_outgrows_the_store_is_not_waited_for() {
        let mailbox = Mailbox::default();
        let mut writer = Body::begin(None, 100);
        let object = Object::of_response(Held::Growing(Arc::clone(writer.body())), 0);
        writer.append(b"abc").unwrap();
        writer.open_window(10, BodyFault::TooLarge);
        let told = Err(BodyFault::TooLarge);
        assert_eq!(mailbox.wait_for_whole(&object).await, told);
        // Not even where all of it has passed.
        assert!(writer.complete());
        assert_eq!(mailbox.wait_for_whole(&object).await, told);
    }

    #[test]
    fn answer_that_nobody_waits_for_is_dropped() {
        let mailbox = Mailbox::default();
        mailbox.deliver(filled(7, Outcome::NotFetched(Rule::OriginBusy)));
        assert!(mailbox.lock().is_empty());
    }
}
