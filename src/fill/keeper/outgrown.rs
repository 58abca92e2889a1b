//! A body of unknown size that outgrew what may be stored: it goes on as a pass, to all who were reading it by then.
//!
//! The response leaves the index, and its key is remembered, so that whoever comes now has the origin's answer passed on from the
//! start. The bytes that were stored stay until everybody aboard has read them; those that follow go through a window of
//! `fill.pass_memory`, and the origin is read no faster than the slowest reader takes them. One that takes none is closed by its
//! worker (`limits.send_timeout`); one that has come forward by less than a window in as long, while others wait, is left behind. How
//! long that is may change meanwhile.

use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;

use super::bring::{Large, LargePen};
use super::shelf::leave_memory;
use super::{Keeper, KeeperCount};
use crate::fill::origin::{OriginBody, OriginFault};
use crate::index::response::Response;
use crate::store::body::{Body, BodyWriter};
use crate::store::body_fault::BodyFault;
use crate::store::disk::Writer;
use crate::store::window::News;
use crate::sys::clock;

/// A body at the byte that is too much.
pub(super) struct Outgrown {
    pub(super) writer: BodyWriter,
    pub(super) large: Option<Large>,
    pub(super) body: OriginBody,
    /// What was not stored any more.
    pub(super) rest: Bytes,
    /// Why not.
    pub(super) why: BodyFault,
}

/// What the bringer of an outgrown body goes on with.
enum Step {
    News(News),
    Came(Result<Option<Bytes>, OriginFault>),
    Passed,
}

/// The time in which readers that others wait for have to come forward by a window, whatever room each piece of it makes.
struct Patience {
    allowed: watch::Receiver<Duration>,
    spent: Duration,
}

impl Patience {
    const fn new(allowed: watch::Receiver<Duration>) -> Self {
        Self {
            allowed,
            spent: Duration::ZERO,
        }
    }

    /// Waits for `step`; none where the time is over first, and begins anew.
    async fn wait_for(&mut self, step: impl Future<Output = Step>) -> Option<Step> {
        let began = clock::mono();
        let mut step = pin!(step);
        loop {
            let allowed = *self.allowed.borrow_and_update();
            let spent = self.spent + clock::mono().since(began);
            tokio::select! {
                biased;
                step = &mut step => {
                    self.spent += clock::mono().since(began);
                    return Some(step);
                }
                // Nobody changes it any more where that fails.
                Ok(()) = self.allowed.changed() => {}
                () = tokio::time::sleep(allowed.saturating_sub(spent)) => {
                    self.spent = Duration::ZERO;
                    return None;
                }
            }
        }
    }
}

/// What the store holds of an outgrown body, for those who are not past it.
struct Kept {
    body: Arc<Body>,
    /// Not to be published: until the bytes are gone from its file, they count towards the cap.
    disk: Option<Box<Writer>>,
}

impl Kept {
    /// Everybody is past what was stored.
    fn let_go(&mut self) {
        let body = Arc::clone(&self.body);
        let disk = self.disk.take();
        // Nobody waits for it: the room of a large file takes a while to be given back.
        drop(tokio::task::spawn_blocking(move || {
            if let Err(error) = body.forget_stored() {
                tracing::debug!(
                    "what was stored of a body keeps its room until that ends: {error}"
                );
            }
            if let Some(disk) = disk {
                disk.abort();
            }
        }));
    }

    /// No more bytes come: waits until nobody reads those that did.
    async fn outlast_readers(mut self, writer: BodyWriter) {
        loop {
            let news = poll_fn(|context| writer.poll_news(context)).await;
            self.let_go();
            if news == News::Unwanted {
                return;
            }
        }
    }
}

impl Keeper {
    /// Goes on with an outgrown body for those who read it.
    pub(super) async fn pass_to_readers(
        self: &Rc<Self>,
        outgrown: Outgrown,
        response: &Arc<Response>,
    ) {
        let Outgrown {
            mut writer,
            large,
            mut body,
            rest,
            why,
        } = outgrown;
        let _gauge = self.counts.hold(KeeperCount::OutgrownNow);
        // First of all nobody finds it any more.
        leave_memory(&self.responses, &response.key, &response.object);
        self.flights.outgrew(&response.key, why, clock::mono());
        writer.open_window(self.settings.pass_memory.in_memory(), why);
        // Whoever waits for the whole, instead of reading it, is told that it does not come.
        self.wake(writer.wakers());
        let mut kept = large.map(|large| Kept {
            body: Arc::clone(writer.body()),
            disk: match large.pen {
                LargePen::Disk(disk) => Some(disk),
                LargePen::Memory => None,
            },
        });
        let end = self
            .carry_on(&mut writer, kept.as_mut(), &mut body, rest)
            .await;
        let is_whole = end == KeeperCount::OutgrownComplete && writer.complete();
        if !is_whole {
            writer.fail(BodyFault::BrokenOff);
        }
        self.counts.bump(end);
        self.wake(writer.wakers());
        // It is no fill any more, but a slow reader may still be at what was stored.
        if let Some(kept) = kept {
            drop(tokio::task::spawn_local(kept.outlast_readers(writer)));
        }
    }

    /// Passes on what comes, to its end.
    async fn carry_on(
        &self,
        writer: &mut BodyWriter,
        mut kept: Option<&mut Kept>,
        body: &mut OriginBody,
        rest: Bytes,
    ) -> KeeperCount {
        let mut rest = Some(rest);
        let mut patience = Patience::new(self.patience.clone());
        loop {
            let step = match &rest {
                Some(bytes) => self.write_on(writer, bytes, &mut patience).await,
                None => {
                    poll_fn(|context| match writer.poll_news(context) {
                        Poll::Ready(news) => Poll::Ready(Step::News(news)),
                        Poll::Pending => body.poll_next(context).map(Step::Came),
                    })
                    .await
                }
            };
            match step {
                Step::News(News::Unwanted) => return KeeperCount::OutgrownUnwanted,
                Step::News(News::StorePassed) => {
                    if let Some(kept) = &mut kept {
                        kept.let_go();
                    }
                }
                Step::Passed => {
                    rest = None;
                    self.wake(writer.wakers());
                }
                Step::Came(Ok(Some(bytes))) => rest = Some(bytes),
                Step::Came(Ok(None)) => {
                    self.take_trailers(writer.body().tail(), body);
                    return KeeperCount::OutgrownComplete;
                }
                Step::Came(Err(_)) => return KeeperCount::OutgrownBrokenOff,
            }
        }
    }

    /// Puts bytes into the window as soon as there is room.
    async fn write_on(
        &self,
        writer: &mut BodyWriter,
        bytes: &Bytes,
        patience: &mut Patience,
    ) -> Step {
        loop {
            let written = poll_fn(|context| match writer.poll_news(context) {
                Poll::Ready(news) => Poll::Ready(Step::News(news)),
                Poll::Pending => writer.poll_pass(bytes, context).map(|()| Step::Passed),
            });
            if let Some(step) = patience.wait_for(written).await {
                return step;
            }
            let left = writer.leave_behind();
            self.counts.add(KeeperCount::OutgrownLeft, left as u64);
        }
    }
}
