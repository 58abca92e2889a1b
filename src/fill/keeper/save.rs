//! A response on its way into the store, read by clients while it comes.

use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use super::attend::FirstRun;
use super::bring::Filling;
use super::exchange::{Exchange, fetched, is_without_content};
use super::flights::{Landing, Lead};
use super::source::Source;
use super::{Keeper, KeeperCount, trailers};
use crate::cache::order::{Fetch, Outcome};
use crate::fill::origin::{OriginBody, OriginFault, OriginResponse};
use crate::http::cache_control::ResponseDirectives;
use crate::http::fields::{FieldLines, Fields};
use crate::index::cached::{Epoch, Outcome as Inserted};
use crate::index::response::{Making, Response};
use crate::policy::cache_status::CacheStatus;
use crate::policy::forwarding;
use crate::policy::groups;
use crate::policy::key::Scheme;
use crate::policy::rule::Rule;
use crate::policy::settings::Overrides;
use crate::policy::storability::Received;
use crate::policy::stored::Stored;
use crate::policy::stored_fields::stored_fields;
use crate::policy::tags::Tags;
use crate::policy::vary::{self, Names, Vary};
use crate::store::body::{Body, BodyWriter};
use crate::store::body_fault::BodyFault;
use crate::store::{Held, Object};
use crate::sys::clock;
use crate::units::UnixSeconds;

/// What a saved answer needs until its client has it.
struct Saving<'f> {
    exchange: Exchange<'f>,
    making: Making,
    lead: Option<Lead>,
}

impl Keeper {
    /// Stores an answer that may be stored; the outcome is there as soon as its head is.
    pub(super) async fn save(
        self: &Rc<Self>,
        exchange: Exchange<'_>,
        answer: OriginResponse,
        stored: Stored,
        lead: Option<Lead>,
    ) -> Outcome {
        let fetch = exchange.fetch;
        let Some(making) = self.making(&exchange, &answer, stored) else {
            tell(lead, None);
            if exchange.is_own_part(&answer) {
                return self.ask_anew(exchange, answer).await;
            }
            return self.pass_on(fetch, answer, exchange.place, "vary-refused");
        };
        let size = if is_without_content(fetch.method, &answer) {
            Some(0)
        } else {
            answer.body.size_hint()
        };
        let saving = Saving {
            exchange,
            making,
            lead,
        };
        match size {
            Some(size) if size > self.memory_max_object as u64 => {
                let part = (0, size, size);
                self.save_large(saving, answer, part).await
            }
            _ => self.save_small(saving, answer, size).await,
        }
    }

    /// Stores a part of a representation of `size` bytes (RFC 9111 s3.3): those from `first` to before `end`.
    pub(super) async fn save_part(
        self: &Rc<Self>,
        exchange: Exchange<'_>,
        answer: OriginResponse,
        stored: Stored,
        lead: Option<Lead>,
        part: (u64, u64, u64),
    ) -> Outcome {
        match self.making(&exchange, &answer, stored) {
            Some(making) => {
                let saving = Saving {
                    exchange,
                    making,
                    lead,
                };
                self.save_large(saving, answer, part).await
            }
            None => {
                tell(lead, None);
                self.ask_anew(exchange, answer).await
            }
        }
    }

    /// Asks the origin for what the client asked for: the part that it gave instead can't be stored, and is no answer.
    pub(super) async fn ask_anew(
        self: &Rc<Self>,
        exchange: Exchange<'_>,
        part: OriginResponse,
    ) -> Outcome {
        drop(part);
        let Exchange {
            fetch,
            asked,
            origin,
            place,
            ..
        } = exchange;
        drop(place);
        Box::pin(self.ask_as_it_is(fetch, asked, &origin)).await
    }

    /// What a response is made of; none where it could not be selected again. Its body comes later.
    fn making(
        &self,
        exchange: &Exchange<'_>,
        answer: &OriginResponse,
        stored: Stored,
    ) -> Option<Making> {
        let fetch = exchange.fetch;
        let response_time = stored.response_time;
        let received = Received {
            status: answer.status,
            fields: &answer.fields,
            request_time: exchange.request_time,
            response_time,
        };
        let variant = variant_of(fetch, &answer.fields)?;
        let directives = ResponseDirectives::of(&answer.fields);
        let kept = stored_fields(&received, &directives, &fetch.rule.overrides);
        let fields = self.own(&kept, answer, response_time, &fetch.rule.overrides);
        Some(Making {
            key: fetch.key.clone(),
            variant,
            stored,
            upstream_status: upstream_status(&answer.fields),
            fields,
            object: Arc::new(Object::of_response(Held::Heap(Box::default()), 0)),
            told_size: None,
            rule: Arc::clone(&fetch.rule),
            tags: tags_of(fetch, &answer.fields),
        })
    }

    /// Puts a new response into memory, and tells those who waited for it. What it took the place of, and whether it is stored.
    fn enter(
        &self,
        response: &Arc<Response>,
        began: Epoch,
        lead: Option<Lead>,
    ) -> (Option<Arc<Response>>, bool) {
        let inserted = self.responses.insert_since(Arc::clone(response), began);
        let is_stored = inserted.is_stored();
        if is_stored {
            self.learn(response, lead.as_ref());
        }
        // One variant too many of a URL is one too many on disk, too.
        self.forget_replaced(inserted.crowded_out.as_ref(), &response.object);
        match inserted.outcome {
            // Purged meanwhile: the next answer may be shared all the same.
            Inserted::Purged => drop(lead),
            _ => tell(lead, is_stored.then_some(response)),
        }
        (inserted.replaced, is_stored)
    }

    /// Stores a response whose body fits in memory, as far as its size is known.
    async fn save_small(
        self: &Rc<Self>,
        saving: Saving<'_>,
        answer: OriginResponse,
        size: Option<u64>,
    ) -> Outcome {
        let Saving {
            exchange,
            mut making,
            lead,
        } = saving;
        let Exchange {
            fetch,
            began,
            place,
            ..
        } = exchange;
        let mut writer = Body::begin(size, self.memory_max_object);
        let mut body = answer.body;
        trailers::announce(writer.body().tail(), &answer.fields);
        let early = read_early(&mut writer, &mut body, size);
        let object = match &early {
            Early::Complete => of_complete(&writer),
            _ => Object::of_response(Held::Growing(Arc::clone(writer.body())), 0),
        };
        making.object = Arc::new(object);
        let response = Arc::new(Response::new(making));
        let is_stored = match early {
            Early::Failed => {
                drop(lead);
                writer.fail(BodyFault::BrokenOff);
                drop(place);
                false
            }
            Early::Complete => {
                let (replaced, is_stored) = self.enter(&response, began, lead);
                if is_stored {
                    self.to_disk(&response, began, replaced.as_ref()).await;
                }
                drop(place);
                is_stored
            }
            Early::Open(rest) => {
                let (replaced, is_stored) = self.enter(&response, began, lead);
                let keeper = Rc::clone(self);
                let shared = Arc::clone(&response);
                drop(tokio::task::spawn_local(async move {
                    let filling = Filling {
                        response: shared,
                        began,
                        replaced,
                    };
                    keeper.bring(writer, body, rest, filling).await;
                    drop(place);
                }));
                is_stored
            }
        };
        stored_answer(fetch, response, is_stored)
    }

    /// Stores a response whose body goes to a file, beginning with the bytes from `first` to before `end` of its `size`.
    async fn save_large(
        self: &Rc<Self>,
        saving: Saving<'_>,
        answer: OriginResponse,
        (first, end, size): (u64, u64, u64),
    ) -> Outcome {
        let Saving {
            exchange,
            mut making,
            lead,
        } = saving;
        let (fetch, began) = (exchange.fetch, exchange.began);
        let ignores_ranges = exchange.has_own_range && end - first == size;
        let source = Source::of(fetch, &exchange.origin, &making.stored, ignores_ranges);
        let begun = self
            .begin_large(&making, size, source.is_some(), began)
            .await;
        let Some(begun) = begun else {
            self.counts.bump(KeeperCount::BodyNoMemory);
            tell(lead, None);
            if end - first == size && !exchange.is_own_part(&answer) {
                return self.pass_on(fetch, answer, exchange.place, "no-room");
            }
            return self.ask_anew(exchange, answer).await;
        };
        making.object = Arc::clone(&begun.object);
        // Before anybody can find it: who does gets it whole without another request.
        begun.body.set_coming(end - first == size);
        let response = Arc::new(Response::new(making));
        let (replaced, is_stored) = self.enter(&response, began, lead);
        if is_stored && begun.is_in_memory() {
            self.forget_replaced(replaced.as_ref(), &response.object);
        }
        let first_run = FirstRun {
            body: answer.body,
            first,
            end,
            place: exchange.place,
        };
        self.attend(begun, &response, source, first_run);
        stored_answer(fetch, response, is_stored)
    }

    /// Has a whole response in memory written to disk, where its rule wants it there.
    pub(super) async fn to_disk(
        &self,
        response: &Arc<Response>,
        began: Epoch,
        replaced: Option<&Arc<Response>>,
    ) {
        match self.disk_for(&response.rule) {
            Some(disk) => disk.save(response, began, replaced).await,
            None => self.forget_replaced(replaced, &response.object),
        }
    }

    /// The fields as they are sent, with what this cache adds and without those that each answer has of its own.
    pub(super) fn own(
        &self,
        kept: &Fields,
        answer: &OriginResponse,
        now: UnixSeconds,
        rule: &Overrides,
    ) -> Fields {
        let fields =
            forwarding::response_fields(kept, answer.version, now, self.pseudonym.as_bytes());
        fields.filtered(|name, _| {
            let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
            let is_replaced = rule.x_cache && (is("x-cache") || is("x-cache-detail"));
            !(is("content-length") || is("cache-status") || is_replaced)
        })
    }
}

/// The outcome of a response that was just stored, or was to be.
fn stored_answer(fetch: &Fetch, response: Arc<Response>, is_stored: bool) -> Outcome {
    let response_time = response.stored.response_time;
    let status = CacheStatus {
        stored: is_stored,
        ttl: is_stored.then(|| response.stored.ttl(response_time)),
        ..CacheStatus::forwarded(fetch.why, response.stored.lifetime_from.name())
    };
    let age = Some(response.stored.age(response_time)).filter(|age| *age > 0);
    fetched(response, age, status, Rule::Stored)
}

/// Tells those aboard of the response that they may look at, or that there is none for them.
fn tell(lead: Option<Lead>, stored: Option<&Arc<Response>>) {
    if let Some(lead) = lead {
        let landing = stored.map_or(Landing::Alone, Landing::stored);
        lead.land(&landing, clock::mono());
    }
}

/// What the answer is selected by; none where it could not be selected again, or by too much.
pub(super) fn variant_of(fetch: &Fetch, answer: &Fields) -> Option<Box<[u8]>> {
    match Names::of(answer) {
        Vary::None => Some(Box::default()),
        Vary::By(names)
            if vary::is_refused(&names, &fetch.fields, &fetch.rule.overrides.vary_refuse) =>
        {
            None
        }
        Vary::By(names) => vary::selection(&names, &fetch.fields),
        Vary::Star => None,
    }
}

/// What a response can be purged by: its tags, and its groups as those of its origin (RFC 9875 s2.1).
pub(super) fn tags_of(fetch: &Fetch, fields: &Fields) -> Box<[Box<[u8]>]> {
    let mut tags = Tags::of(fields).names;
    for group in groups::of(fields).names {
        let mut tag = Vec::new();
        groups::append_scoped(&mut tag, Scheme::Http, &fetch.authority, &group);
        tags.push(tag.into());
    }
    tags.into()
}

/// What came of the body's first bytes, which are often there with the head.
enum Early {
    /// All of them, in memory.
    Complete,
    /// The origin broke off.
    Failed,
    /// More come, after these, which did not fit.
    Open(Option<Bytes>),
}

/// Takes what is there of the body, without waiting.
fn read_early(writer: &mut BodyWriter, body: &mut OriginBody, size: Option<u64>) -> Early {
    if size == Some(0) {
        return if writer.complete() {
            Early::Complete
        } else {
            Early::Failed
        };
    }
    loop {
        match poll_now(body) {
            Poll::Pending => return Early::Open(None),
            // They go on behind chunks: the body has no length yet for those who read it now.
            Poll::Ready(Ok(None)) if body.trailers().is_some() => return Early::Open(None),
            Poll::Ready(Ok(None)) => {
                return if writer.complete() {
                    Early::Complete
                } else {
                    Early::Failed
                };
            }
            Poll::Ready(Err(_)) => return Early::Failed,
            Poll::Ready(Ok(Some(bytes))) => {
                if bytes.len() > writer.memory_room() || writer.append(&bytes).is_err() {
                    return Early::Open(Some(bytes));
                }
            }
        }
    }
}

/// The next bytes, where they are there; the next wait for them asks to be woken.
pub(super) fn poll_now(body: &mut OriginBody) -> Poll<Result<Option<Bytes>, OriginFault>> {
    body.poll_next(&mut Context::from_waker(Waker::noop()))
}

/// The object of a body that is complete: on the heap, where it is small enough, for a single send.
fn of_complete(writer: &BodyWriter) -> Object {
    let body = writer.body();
    match body.in_memory() {
        Some(bytes) => Object::of_response(Held::Heap(bytes.into()), bytes.len() as u64),
        None => Object::of_response(Held::Growing(Arc::clone(body)), 0),
    }
}

/// The Cache-Status members of caches behind this one.
pub(super) fn upstream_status(fields: &Fields) -> Box<[u8]> {
    let lines: Vec<&[u8]> = fields.values("cache-status").collect();
    lines.join(&b", "[..]).into()
}
