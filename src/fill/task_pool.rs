//! Tasks that do one piece of work after the other.
//!
//! What a task keeps over its waits may be large. To have it allocated, moved and freed for each piece of work costs time, and tears the
//! heap apart; so a task that is done waits for the next one, and only where none waits a new one is begun.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use tokio::sync::Notify;

/// Most tasks that wait for work; each keeps some 10 KiB. Others end.
const IDLE_MAX: usize = 64;

/// See the module's header. Lives on one thread, inside a `LocalSet`.
pub(super) struct TaskPool<W> {
    /// The one that was done last is at the back.
    idle: RefCell<Vec<Rc<IdleTask<W>>>>,
}

struct IdleTask<W> {
    next: Cell<Option<W>>,
    called: Notify,
}

impl<W: 'static> TaskPool<W> {
    pub(super) fn new() -> Rc<Self> {
        Rc::new(Self {
            idle: RefCell::default(),
        })
    }

    /// Has `work` done by `how`, which is the same for all.
    pub(super) fn give<F>(self: &Rc<Self>, work: W, how: impl Fn(W) -> F + 'static)
    where
        F: Future<Output = ()> + 'static,
    {
        let idle = self.idle.borrow_mut().pop();
        match idle {
            Some(task) => {
                task.next.set(Some(work));
                task.called.notify_one();
            }
            None => {
                let pool = Rc::clone(self);
                // In a box: a task is moved several times before it starts.
                drop(tokio::task::spawn_local(Box::pin(pool.run(work, how))));
            }
        }
    }

    async fn run<F>(self: Rc<Self>, first: W, how: impl Fn(W) -> F)
    where
        F: Future<Output = ()>,
    {
        let own = Rc::new(IdleTask {
            next: Cell::new(Some(first)),
            called: Notify::new(),
        });
        while let Some(work) = own.next.take() {
            how(work).await;
            if self.idle.borrow().len() >= IDLE_MAX {
                return;
            }
            self.idle.borrow_mut().push(Rc::clone(&own));
            own.called.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::{LocalSet, id, yield_now};

    use super::*;

    type Seen = Rc<RefCell<Vec<(usize, tokio::task::Id)>>>;

    /// Has `at_once` pieces done side by side; who did each.
    async fn done(pool: &Rc<TaskPool<(usize, Seen)>>, at_once: usize) -> Vec<tokio::task::Id> {
        let seen = Seen::default();
        for number in 0..at_once {
            pool.give((number, Rc::clone(&seen)), async |(number, seen)| {
                yield_now().await;
                seen.borrow_mut().push((number, id()));
            });
        }
        while seen.borrow().len() < at_once {
            yield_now().await;
        }
        yield_now().await;
        let mut seen = seen.take();
        seen.sort_unstable_by_key(|(number, _)| *number);
        assert!(seen.iter().map(|(number, _)| *number).eq(0..at_once));
        seen.into_iter().map(|(_, id)| id).collect()
    }

    #[test]
    fn task_that_is_done_takes_the_next_and_no_more_wait_than_may() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        LocalSet::new().block_on(&runtime, async {
            let pool = TaskPool::new();
            let first = done(&pool, 1).await;
            assert_eq!(done(&pool, 1).await, first);
            let two = done(&pool, 2).await;
            assert!(two.contains(&first[0]) && two[0] != two[1]);
            done(&pool, IDLE_MAX + 10).await;
            assert_eq!(pool.idle.borrow().len(), IDLE_MAX);
            done(&pool, IDLE_MAX + 10).await;
        });
    }
}
