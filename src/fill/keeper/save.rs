//! A response on its way into the store, read by clients while it comes.

use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use super::exchange::{Exchange, fetched, is_without_content};
use super::flights::{Landing, Lead};
use super::{Keeper, KeeperCount, trailers};
use crate::cache::order::{Fetch, Outcome};
use crate::fill::origin::{OriginBody, OriginFault, OriginResponse};
use crate::http::cache_control::ResponseDirectives;
use crate::http::fields::{FieldLines, Fields};
use crate::index::cached::Outcome as Inserted;
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
use crate::store::{Held, Object};
use crate::sys::clock;
use crate::units::UnixSeconds;

/// How much of the memory for bodies under way is taken at once.
const CHARGE: u64 = 1 << 20;

impl Keeper {
    /// Stores an answer that may be stored; the outcome is there as soon as its head is.
    pub(super) async fn save(
        self: &Rc<Self>,
        exchange: Exchange<'_>,
        answer: OriginResponse,
        stored: Stored,
        lead: Option<Lead>,
    ) -> Outcome {
        let Exchange {
            fetch,
            request_time,
            began,
            place,
            ..
        } = exchange;
        let response_time = stored.response_time;
        let received = Received {
            status: answer.status,
            fields: &answer.fields,
            request_time,
            response_time,
        };
        let Some(variant) = variant_of(fetch, &answer.fields) else {
            tell(lead, None);
            return self.pass_on(fetch, answer, place);
        };
        let directives = ResponseDirectives::of(&answer.fields);
        let kept = stored_fields(&received, &directives, &fetch.rule.overrides);
        let fields = self.own(&kept, &answer, response_time, &fetch.rule.overrides);
        let size = if is_without_content(fetch.method, &answer) {
            Some(0)
        } else {
            answer.body.size_hint()
        };
        let mut writer = Body::begin(size, self.memory_max_object);
        let mut body = answer.body;
        trailers::announce(writer.body().tail(), &answer.fields);
        let early = read_early(&mut writer, &mut body, size);
        let object = match &early {
            Early::Complete => of_complete(&writer),
            _ => Object::of_response(Held::Growing(Arc::clone(writer.body())), 0),
        };
        let response = Arc::new(Response::new(Making {
            key: fetch.key.clone(),
            variant,
            stored,
            upstream_status: upstream_status(&answer.fields),
            fields,
            object: Arc::new(object),
            told_size: None,
            rule: Arc::clone(&fetch.rule),
            tags: tags_of(fetch, &answer.fields),
        }));
        let inserted = match early {
            Early::Failed => None,
            Early::Complete | Early::Open(_) => {
                let inserted = self.responses.insert_since(Arc::clone(&response), began);
                Some(inserted.outcome)
            }
        };
        let is_stored = inserted == Some(Inserted::Stored);
        match inserted {
            // Purged meanwhile: the next answer may be shared all the same.
            Some(Inserted::Purged) => drop(lead),
            _ => tell(lead, is_stored.then_some(&response)),
        }
        let status = CacheStatus {
            stored: is_stored,
            ttl: is_stored.then(|| response.stored.ttl(response_time)),
            ..CacheStatus::forwarded(fetch.why, "")
        };
        let age = Some(response.stored.age(response_time)).filter(|age| *age > 0);
        match early {
            Early::Complete => drop(place),
            Early::Failed => {
                writer.fail();
                drop(place);
            }
            Early::Open(rest) => {
                let bring = Rc::clone(self).bring(writer, body, rest, Arc::clone(&response));
                drop(tokio::task::spawn_local(async move {
                    bring.await;
                    drop(place);
                }));
            }
        }
        fetched(response, age, status, Rule::Stored)
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

    /// Brings a body into the store while others read it.
    async fn bring(
        self: Rc<Self>,
        mut writer: BodyWriter,
        mut body: OriginBody,
        rest: Option<Bytes>,
        response: Arc<Response>,
    ) {
        let mut early = rest;
        let ended = loop {
            let next = match early.take() {
                Some(bytes) => Ok(Some(bytes)),
                None => body.next().await,
            };
            match next {
                Ok(Some(bytes)) if !self.append(&mut writer, &bytes) => break false,
                Ok(Some(_)) => self.wake(writer.wakers()),
                Ok(None) => {
                    self.take_trailers(writer.body().tail(), &body);
                    let is_whole = writer.complete();
                    self.counts.bump(match is_whole {
                        true => KeeperCount::BodyComplete,
                        false => KeeperCount::BodyBrokenOff,
                    });
                    break is_whole;
                }
                Err(_) => {
                    self.counts.bump(KeeperCount::BodyBrokenOff);
                    break false;
                }
            }
            if !self.is_wanted(&writer, &response) {
                self.counts.bump(KeeperCount::BodyUnwanted);
                break false;
            }
        };
        if ended {
            if response.size().is_none() || writer.body().in_memory().is_some() {
                // From now on its head has a length, and it takes no more room than its bytes.
                let whole = response.with_object(Arc::new(of_complete(&writer)));
                drop(self.responses.replace(&response, &Arc::new(whole)));
            }
        } else {
            writer.fail();
            self.responses.remove(&response);
        }
        self.wake(writer.wakers());
    }

    /// Appends to memory, or to a file once it is more than that takes.
    fn append(&self, writer: &mut BodyWriter, bytes: &Bytes) -> bool {
        let end = writer.appended() + bytes.len() as u64;
        if end > self.object_max {
            self.counts.bump(KeeperCount::BodyTooLarge);
            return false;
        }
        if writer.body().file().is_none() {
            if bytes.len() <= writer.memory_room() {
                return writer.append(bytes).is_ok();
            }
            if writer.spill_to_memory().is_err() {
                self.counts.bump(KeeperCount::BodyNoMemory);
                return false;
            }
        }
        while writer.charged() < end {
            match self.memory.take(CHARGE) {
                Some(charge) => writer.charge(charge, CHARGE),
                None => {
                    self.counts.bump(KeeperCount::BodyNoMemory);
                    return false;
                }
            }
        }
        writer.append(bytes).is_ok()
    }

    fn is_indexed(&self, response: &Arc<Response>) -> bool {
        let found = self.responses.find(&response.key);
        found.is_some_and(|found| found.iter().any(|other| Arc::ptr_eq(other, response)))
    }

    /// Whether a fill goes on: somebody reads it, or more than half of it is there.
    fn is_wanted(&self, writer: &BodyWriter, response: &Arc<Response>) -> bool {
        // The index and the fill itself hold it, too.
        let others = Arc::strong_count(response) > 1 + usize::from(self.is_indexed(response));
        let is_half = response
            .size()
            .is_some_and(|size| writer.appended() >= size / 2);
        others || is_half
    }
}

/// Tells those aboard of the response that they may look at, or that there is none for them.
fn tell(lead: Option<Lead>, stored: Option<&Arc<Response>>) {
    if let Some(lead) = lead {
        let landing = stored.map_or(Landing::Alone, |response| {
            Landing::Stored(Arc::clone(response))
        });
        lead.land(&landing, clock::mono());
    }
}

/// What the answer is selected by; none where it could not be selected again, or by too much.
fn variant_of(fetch: &Fetch, answer: &Fields) -> Option<Box<[u8]>> {
    match Names::of(answer) {
        Vary::None => Some(Box::default()),
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
fn poll_now(body: &mut OriginBody) -> Poll<Result<Option<Bytes>, OriginFault>> {
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
