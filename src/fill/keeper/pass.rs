//! A response that is not stored: it passes from the origin to one client, who sets the pace.

use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::exchange::{Exchange, fetched, is_without_content};
use super::save::upstream_status;
use super::{Keeper, Place, now, trailers};
use crate::cache::order::{Fetch, Outcome, Upload};
use crate::fill::origin::{OriginBody, OriginResponse, Piece, RequestBody, RequestStream};
use crate::http::cache_control::ResponseDirectives;
use crate::http::fields::FieldLines;
use crate::http::head::Method;
use crate::index::response::{Making, Response};
use crate::policy::cache_status::CacheStatus;
use crate::policy::request::Asked;
use crate::policy::rule::Rule;
use crate::policy::storability::{self, Received};
use crate::store::body::BodyState;
use crate::store::pipe::{Front, Pipe};
use crate::store::{Held, Object, PipeReader, SIZE_UNKNOWN};

impl Keeper {
    /// Passes an answer on; `because` is the rule by which it is not stored, a token.
    pub(super) fn pass(
        self: &Rc<Self>,
        exchange: Exchange<'_>,
        answer: OriginResponse,
        because: &'static str,
    ) -> Outcome {
        self.pass_on(exchange.fetch, answer, exchange.place, because)
    }

    /// As [`pass`](Self::pass).
    pub(super) fn pass_on(
        self: &Rc<Self>,
        fetch: &Fetch,
        answer: OriginResponse,
        place: Place,
        because: &'static str,
    ) -> Outcome {
        let now = now();
        // Age is the origin's, and stays.
        let fields = self.own(&answer.fields, &answer, now, &fetch.rule.overrides);
        let asked = Asked::of(fetch.method, &fetch.fields);
        let received = Received {
            status: answer.status,
            fields: &answer.fields,
            request_time: now,
            response_time: now,
        };
        let directives = ResponseDirectives::of(&answer.fields);
        let overrides = &fetch.rule.overrides;
        let mut stored = storability::facts(&asked, &received, &directives, overrides);
        stored.status = answer.status;
        let told_size = told_size(fetch.method, &answer);
        let object = if is_without_content(fetch.method, &answer) {
            drop(place);
            Object::of_response(Held::Heap(Box::default()), 0)
        } else {
            let pipe = Arc::new(Pipe::new(self.settings.pass_memory.in_memory()));
            trailers::announce(pipe.tail(), &answer.fields);
            let reader = PipeReader::new(Arc::clone(&pipe));
            let size = answer.body.size_hint().unwrap_or(SIZE_UNKNOWN);
            let keeper = Rc::clone(self);
            let body = answer.body;
            drop(tokio::task::spawn_local(async move {
                keeper.carry(body, &pipe).await;
                drop(place);
            }));
            Object::of_response(Held::Passing(reader), size)
        };
        let response = Response::new(Making {
            key: Box::default(),
            variant: Box::default(),
            stored,
            upstream_status: upstream_status(&answer.fields),
            fields,
            object: Arc::new(object),
            told_size,
            rule: Arc::clone(&fetch.rule),
            tags: Box::default(),
        });
        let status = CacheStatus::forwarded(fetch.why, because);
        fetched(Arc::new(response), None, status, Rule::Passed)
    }

    /// The body of a request, and what ends with its last byte.
    pub(super) fn body_of(
        self: &Rc<Self>,
        fetch: &Fetch,
    ) -> (RequestBody, Option<oneshot::Receiver<()>>) {
        let Some(upload) = &fetch.body else {
            return (RequestBody::None, None);
        };
        let (sending, sent) = oneshot::channel();
        (
            RequestBody::Stream(self.upload(upload, sending)),
            Some(sent),
        )
    }

    /// Has the body of a request carried to the origin, as fast as that takes it. `sending` goes when there is no more to carry.
    fn upload(self: &Rc<Self>, upload: &Upload, sending: oneshot::Sender<()>) -> RequestStream {
        let (pieces, taken) = mpsc::channel(1);
        let keeper = Rc::clone(self);
        let pipe = Arc::clone(&upload.pipe);
        drop(tokio::task::spawn_local(async move {
            loop {
                let front = poll_fn(|context| pipe.poll_read(context)).await;
                keeper.wake(pipe.waiter());
                let piece = match front {
                    Front::Bytes(bytes) => Piece::Bytes(bytes),
                    Front::End => Piece::End,
                    // The queue that closes without an end tells the origin's side.
                    Front::Empty | Front::Failed => break,
                };
                let is_last = matches!(piece, Piece::End);
                if pieces.send(piece).await.is_err() || is_last {
                    break;
                }
            }
            drop(sending);
            // What the client still sends goes nowhere.
            pipe.abandon();
            keeper.wake(pipe.waiter());
        }));
        RequestStream::new(taken, upload.size)
    }

    /// Carries a body to its client, as fast as that takes it.
    async fn carry(&self, mut body: OriginBody, pipe: &Pipe) {
        let state = loop {
            match body.next().await {
                Ok(Some(mut bytes)) => {
                    let written = poll_fn(|context| pipe.poll_write(&mut bytes, context)).await;
                    if !written {
                        break BodyState::Failed;
                    }
                    self.wake(pipe.waiter());
                }
                Ok(None) => {
                    self.take_trailers(pipe.tail(), &body);
                    break BodyState::Complete;
                }
                Err(_) => break BodyState::Failed,
            }
        };
        pipe.end(state);
        self.wake(pipe.waiter());
    }
}

/// What an answer to HEAD says of the size of the body that it does not have.
fn told_size(method: Method, answer: &OriginResponse) -> Option<u64> {
    if method != Method::Head {
        return None;
    }
    let value = answer.fields.value("content-length")?;
    std::str::from_utf8(value).ok()?.parse().ok()
}
