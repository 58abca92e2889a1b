//! A timer for one wait after another, which costs next to nothing while the waits are short.
//!
//! Moving a timer of the runtime costs more than looking at the clock. So the timer stays where it is as long as it fires
//! before the deadline; only when it does fire too early is it set anew. A connection with thousands of short
//! waits sets it once in a while.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::time::Sleep;

use crate::sys::clock;
use crate::units::MonoNanos;

/// A deadline that can be moved at will; used by one task at a time.
#[derive(Debug)]
pub(super) struct Watch {
    timer: Pin<Box<Sleep>>,
    /// When the timer fires; none once it has.
    set_for: Option<MonoNanos>,
}

impl Watch {
    /// A watch that is set when it is first waited for.
    pub(super) fn new() -> Self {
        Self {
            timer: Box::pin(tokio::time::sleep(std::time::Duration::ZERO)),
            set_for: None,
        }
    }

    /// Ready, with the time, once `deadline` has passed.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, deadline: MonoNanos) -> Poll<MonoNanos> {
        loop {
            if self.set_for.is_none_or(|set_for| set_for > deadline) {
                let now = clock::mono();
                if now >= deadline {
                    return Poll::Ready(now);
                }
                let left = deadline.since(now);
                self.timer.as_mut().set(tokio::time::sleep(left));
                self.set_for = Some(deadline);
            }
            if self.timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.set_for = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use super::*;

    fn run(work: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap()
            .block_on(work);
    }

    #[test]
    fn watch_fires_at_the_last_deadline_whether_it_was_moved_back_or_forth() {
        run(async {
            for (first, second) in [(20, 40), (40_000, 20)] {
                let mut watch = Watch::new();
                let start = clock::mono();
                let after = |millis| start.after(Duration::from_millis(millis));
                let early = poll_fn(|cx| Poll::Ready(watch.poll(cx, after(first)))).await;
                assert!(early.is_pending());
                let fired = poll_fn(|cx| watch.poll(cx, after(second))).await;
                assert!(fired >= after(second));
            }
        });
    }

    #[test]
    fn deadline_that_has_passed_is_ready_at_once() {
        run(async {
            let mut watch = Watch::new();
            let now = clock::mono();
            assert!(poll_fn(|cx| watch.poll(cx, now)).await >= now);
        });
    }
}
