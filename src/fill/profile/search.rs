//! One look for credentials at a time, whoever waits for its end.
//!
//! A look asks services one after the other and may take seconds. A burst of requests shares one: those that come while it goes on wait for
//! it, and those right behind its end are given what it found, nothing included. It goes on where who began it has left, so that
//! the next one finds what it brought.

use std::time::Duration;

use tokio::sync::{Mutex, watch};

use super::MISSING_FOR;
use crate::sys::clock;
use crate::units::MonoNanos;

/// How long it is good for those who come behind it that something was found, or that the look failed.
const GOOD_FOR: Duration = Duration::from_secs(1);

/// The look failed; there may be credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Failed;

/// What was found, where there is something.
pub(super) type Found<T> = Result<Option<T>, Failed>;

/// A look that has ended.
#[derive(Clone, Debug)]
struct Ended<T> {
    found: Found<T>,
    at: MonoNanos,
}

/// See the module's header.
#[derive(Debug)]
pub(super) struct Search<T>(Mutex<Option<watch::Receiver<Option<Ended<T>>>>>);

impl<T> Default for Search<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone + Send + Sync + 'static> Search<T> {
    /// What `look` finds, or one that goes on or has just ended.
    pub(super) async fn find<W>(&self, look: impl FnOnce() -> W) -> Found<T>
    where
        W: Future<Output = Found<T>> + Send + 'static,
    {
        let mut latest = self.0.lock().await;
        let of_others = latest.as_ref().filter(|ended| is_good(ended)).cloned();
        let mut ended = of_others.unwrap_or_else(|| {
            let (sender, ended) = watch::channel(None);
            let look = look();
            drop(tokio::spawn(async move {
                let found = look.await;
                let at = clock::mono();
                // Who comes later reads it, too.
                sender.send_replace(Some(Ended { found, at }));
            }));
            *latest = Some(ended.clone());
            ended
        });
        drop(latest);
        match ended.wait_for(Option::is_some).await {
            Ok(ended) => ended
                .as_ref()
                .map_or(Err(Failed), |ended| ended.found.clone()),
            // It broke off.
            Err(_) => Err(Failed),
        }
    }
}

/// Whether a look goes on, or what it found is good still.
fn is_good<T>(latest: &watch::Receiver<Option<Ended<T>>>) -> bool {
    match &*latest.borrow() {
        None => latest.has_changed().is_ok(),
        Some(ended) => {
            let good_for = match ended.found {
                Ok(None) => MISSING_FOR,
                Ok(Some(_)) | Err(Failed) => GOOD_FOR,
            };
            clock::mono() < ended.at.after(good_for)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn burst_shares_one_look_and_what_it_did_not_find() {
        for found in [Ok(Some(7)), Ok(None), Err(Failed)] {
            let search = Arc::<Search<u32>>::default();
            let (count, gate) = (Arc::<AtomicUsize>::default(), Arc::<Notify>::default());
            let asking = || {
                let (search, count, gate) =
                    (Arc::clone(&search), Arc::clone(&count), Arc::clone(&gate));
                tokio::spawn(async move {
                    let look = || async move {
                        count.fetch_add(1, Ordering::Relaxed);
                        gate.notified().await;
                        found
                    };
                    search.find(look).await
                })
            };
            let all: Vec<_> = (0..50).map(|_| asking()).collect();
            tokio::task::yield_now().await;
            gate.notify_one();
            for one in all {
                assert_eq!(one.await.unwrap(), found);
            }
            // Right behind it.
            assert_eq!(asking().await.unwrap(), found);
            assert_eq!(count.load(Ordering::Relaxed), 1, "{found:?}");
        }
    }

    #[tokio::test]
    async fn look_goes_on_where_who_began_it_has_left_and_one_that_broke_off_is_begun_anew() {
        let search = Search::<u32>::default();
        let gate = Arc::<Notify>::default();
        let waits = Arc::clone(&gate);
        let look = || async move {
            waits.notified().await;
            Ok(Some(1))
        };
        let left = tokio::time::timeout(Duration::from_millis(20), search.find(look)).await;
        assert!(left.is_err());
        gate.notify_one();
        assert_eq!(search.find(|| async { Ok(Some(2)) }).await, Ok(Some(1)));
        let search = Search::<u32>::default();
        *search.0.lock().await = Some(watch::channel(None).1);
        assert_eq!(search.find(|| async { Ok(Some(2)) }).await, Ok(Some(2)));
    }
}
