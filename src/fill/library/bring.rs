//! Brings what a URL stands for: from memory, or through the keeper from disk and origin, over redirects, and waits until all of it is
//! there.
//!
//! Everything goes the way of a client's request: the same keys, collapsing, validation, stale rules and stores. What may not be stored
//! can't be had. Each hop of a redirect is a request of its own, found by the same rules as the first; nothing of one hop goes
//! into what is stored of another.

use std::sync::Arc;
use std::time::Duration;

use super::Library;
use super::again::Attempts;
use super::allowed::is_wanted_type;
use super::counts::LibraryCount;
use super::failure::{Code, Failure};
use super::hops::{Hops, is_redirect};
use super::place::{Place, Plan, Source};
use super::seat::Seat;
use crate::cache::Way;
use crate::cache::order::{Fetch, Fetched, Outcome};
use crate::http::fields::{FieldLines, Fields};
use crate::http::head::{Method, Version};
use crate::http::logged::without_query;
use crate::index::response::Response;
use crate::policy::cache_status::{CacheStatus, Forward};
use crate::policy::request::Asked;
use crate::policy::rule::Rule;
use crate::policy::storability::{self, Received, Storability};
use crate::policy::{reuse, vary};
use crate::store::body_fault::BodyFault;
use crate::store::disk::{Health, Why};
use crate::store::{Object, Reading, SIZE_UNKNOWN};
use crate::sys::clock;
use crate::units::SiteId;

/// How something is brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// What is fresh is taken, else it is fetched.
    Any,
    /// The origin is asked, however fresh what is stored is.
    Anew,
}

/// What a URL stands for: the response, whole.
#[derive(Debug)]
pub(super) struct Brought {
    /// The place that it came from, after redirects.
    pub(super) place: Place,
    pub(super) response: Arc<Response>,
    pub(super) status: CacheStatus,
    /// No origin was asked.
    pub(super) is_hit: bool,
}

/// An answer to one request.
struct Answered {
    response: Arc<Response>,
    /// Its body: who brings it sees by this that it will be read.
    object: Arc<Object>,
    status: CacheStatus,
    rule: Rule,
    /// See [`Fetched::outgrew`].
    outgrew: Option<BodyFault>,
}

impl Answered {
    fn of(fetched: Fetched) -> Self {
        let object = fetched
            .reads
            .map(Reading::into_object)
            .unwrap_or_else(|| Arc::clone(&fetched.response.object));
        Self {
            object,
            response: fetched.response,
            status: fetched.status,
            rule: fetched.rule,
            outgrew: fetched.outgrew,
        }
    }
}

impl Library {
    /// Brings what `url` stands for, asked for with the profile that is named. `progress` is told of the body as soon as there is
    /// one; `seat` is taken where something has to be waited for. What fails and may be over soon is tried again, by `attempts`.
    pub(super) async fn bring(
        &self,
        (url, profile): (&str, Option<&str>),
        how: How,
        progress: impl Fn(&Arc<Object>),
        (seat, mut attempts): (&Seat, Attempts),
    ) -> Result<Brought, Failure> {
        let plan = self.plan();
        let mut place = Place::of(url, profile, &plan)?;
        let mut hops = Hops::from(&place);
        let mut is_hit = true;
        let mut may_try_again = true;
        loop {
            let answered = match self.answer(&place, &plan, how, seat).await {
                Ok(answered) => answered,
                Err(failure) => {
                    let wait = attempts.wait(&failure, None).ok_or(failure)?;
                    self.before_another(wait).await;
                    continue;
                }
            };
            is_hit &= answered.status.hit;
            let handled = answered.status;
            let status = answered.response.stored.status;
            if status == 200 {
                self.trails.note(hops.first(), hops.urls());
                let checked = self.check(&place, &plan, &answered);
                checked.map_err(|failure| failure.handled(&handled))?;
                progress(&answered.object);
                match self.whole(&place, &answered, seat).await {
                    Err(fault) if fault.is_passing() && may_try_again => {
                        let url = without_query(&place.url);
                        tracing::debug!("{url} is brought anew: {fault:?}");
                        self.counts.bump(LibraryCount::BroughtAnew);
                        may_try_again = false;
                        continue;
                    }
                    Err(fault) => {
                        return Err(Failure::of_body(fault, &place.url).handled(&handled));
                    }
                    Ok(()) => return Ok(self.brought(place, answered, is_hit)),
                }
            }
            if !is_redirect(status) {
                let failure = not_a_file(&place, status).handled(&handled);
                if answered.status.hit || answered.status.stored {
                    // It is remembered: the origin would not be asked.
                    return Err(failure);
                }
                let retry_after = answered.response.fields.value("retry-after");
                let wait = attempts.wait(&failure, retry_after).ok_or(failure)?;
                self.before_another(wait).await;
                continue;
            }
            let next = hops.next(&place, &answered.response.fields, &plan);
            let next = next.map_err(|failure| failure.handled(&handled))?;
            self.counts.bump(LibraryCount::Redirects);
            place = next;
        }
    }

    /// Waits before another attempt.
    async fn before_another(&self, wait: Duration) {
        self.counts.bump(LibraryCount::AnotherAttempt);
        tokio::time::sleep(wait).await;
    }

    /// Answers one request.
    async fn answer(
        &self,
        place: &Place,
        plan: &Plan,
        how: How,
        seat: &Seat,
    ) -> Result<Answered, Failure> {
        let fields = self.fields(plan);
        let why = match self.look(place, plan, &fields) {
            Look::Use(answered) if how == How::Any => return Ok(answered),
            Look::Use(_) => Forward::Request,
            Look::Ask(why) => why,
        };
        seat.take(&self.counts)?;
        let mut fetch = order(place, plan, fields, why);
        fetch.must_ask = how == How::Anew;
        let _filling = self.fillings.begin(&place.key);
        let outcome = self.mailbox.ask(fetch).await;
        match outcome {
            Some(Outcome::Fetched(fetched))
                if how == How::Anew && fetched.rule == Rule::StaleIfError =>
            {
                Err(not_refreshed(place, &fetched).handled(&fetched.status))
            }
            Some(Outcome::Fetched(fetched)) => Ok(Answered::of(*fetched)),
            Some(Outcome::NotFetched(rule)) => Err(Failure::of_rule(rule, &place.url)),
            Some(Outcome::OriginFailed(rule, why)) => {
                Err(Failure::of_origin(rule, &why, &place.url))
            }
            Some(_) | None => Err(Failure::of_rule(Rule::OriginBusy, &place.url)),
        }
    }

    /// What memory has for the request, as a worker would look it up.
    fn look(&self, place: &Place, plan: &Plan, fields: &Fields) -> Look {
        let Some(response) = self.select(place, fields) else {
            return Look::Ask(Forward::UriMiss);
        };
        if !response.object.is_sound() {
            return Look::Ask(Forward::UriMiss);
        }
        response.use_count().bump();
        let (now, _) = clock::wall();
        let asked = Asked::of(Method::Get, fields);
        let verdict = reuse::judge(&asked, &response.stored, &place.rule.overrides, now);
        let rule = match Way::of(verdict) {
            Way::Answer(rule) => rule,
            Way::Forward(why) => return Look::Ask(why),
            Way::OnlyIfCached => return Look::Ask(Forward::Stale),
        };
        if rule == Rule::StaleWhileRevalidate && response.begin_refresh() {
            let mut fetch = order(place, plan, fields.clone(), Forward::Stale);
            fetch.is_refresh = true;
            if !self.mailbox.order(fetch) {
                response.end_refresh();
            }
        }
        Look::Use(Answered {
            object: Arc::clone(&response.object),
            status: CacheStatus::hit(response.stored.ttl(now), verdict.detail(&response.stored)),
            response,
            rule,
            outgrew: None,
        })
    }

    /// The response in memory that is selected for the request.
    pub(super) fn select(&self, place: &Place, fields: &Fields) -> Option<Arc<Response>> {
        if !place.rule.cache {
            return None;
        }
        let found = self.responses.find(&place.key)?;
        let stored = found
            .iter()
            .map(|response| (&*response.variant, response.stored.recency()));
        let chosen = vary::choose(stored, fields)?;
        found.iter().nth(chosen).cloned()
    }

    /// What is fresh, whole, and needs no origin; see [`Library::tryget`].
    pub(super) async fn find(&self, url: &str, profile: Option<&str>) -> Result<Brought, Failure> {
        let plan = self.plan();
        let mut place = Place::of(url, profile, &plan)?;
        let mut hops = Hops::from(&place);
        loop {
            let answered = self.find_one(&place, &plan).await?;
            let status = answered.response.stored.status;
            if status == 200 {
                self.check(&place, &plan, &answered)?;
                if !has_all(&answered.object) {
                    return Err(self.missing(&place, Code::Absent));
                }
                // There is nothing to wait for but that what is there is proven.
                let whole = self.whole(&place, &answered, &Seat::unbounded()).await;
                return match whole {
                    Ok(()) => Ok(self.brought(place, answered, true)),
                    Err(fault) if fault.is_passing() => Err(self.missing(&place, Code::Absent)),
                    Err(fault) => Err(Failure::of_body(fault, &place.url)),
                };
            }
            if !is_redirect(status) {
                let failure = not_a_file(&place, status);
                // That there is none is remembered: nothing is stored that could be had.
                let code = match failure.code {
                    Code::NotFound => Code::Absent,
                    other => other,
                };
                return Err(Failure { code, ..failure });
            }
            place = hops.next(&place, &answered.response.fields, &plan)?;
        }
    }

    async fn find_one(&self, place: &Place, plan: &Plan) -> Result<Answered, Failure> {
        let mut fields = self.fields(plan);
        if let Look::Use(answered) = self.look(place, plan, &fields) {
            return Ok(answered);
        }
        // The disk is looked at on the way, and nobody else is asked (RFC 9111 s5.2.1.7).
        fields.push(b"Cache-Control", b"only-if-cached");
        let fetch = order(place, plan, fields, Forward::UriMiss);
        match self.mailbox.ask(fetch).await {
            Some(Outcome::Fetched(fetched)) => return Ok(Answered::of(*fetched)),
            Some(Outcome::NotFetched(Rule::OnlyIfCached)) => {}
            // Whether it is stored was not found out.
            Some(Outcome::NotFetched(rule)) => return Err(Failure::of_rule(rule, &place.url)),
            Some(_) | None => return Err(Failure::of_rule(Rule::OriginBusy, &place.url)),
        }
        let is_stored = self.select(place, &self.fields(plan)).is_some();
        let code = if is_stored { Code::Stale } else { Code::Absent };
        Err(self.missing(place, code))
    }

    /// Why there is nothing without a fetch.
    fn missing(&self, place: &Place, code: Code) -> Failure {
        let body = self.select(place, &self.fields(&self.plan()));
        let comes = body.is_some_and(|response| {
            let body = response.object.growing();
            body.is_some_and(|body| body.is_coming() && !response.object.is_complete())
        });
        if comes || self.fillings.has(&place.key) {
            return Failure::new(Code::BeingFilled, format!("{} is being fetched", place.url));
        }
        let why = match code {
            Code::Stale => "is stored, and stale",
            _ => "is not stored",
        };
        Failure::new(code, format!("{} {why}", place.url))
    }

    /// Whether a 200 is what may be handed out as a file.
    fn check(&self, place: &Place, plan: &Plan, answered: &Answered) -> Result<(), Failure> {
        let response = &answered.response;
        let url = &place.url;
        if response.key.is_empty() {
            return Err(match answered.outgrew {
                Some(fault) => Failure::of_body(fault, url),
                None => self.why_not_stored(place, response),
            });
        }
        let content_type = response.fields.value("content-type").unwrap_or_default();
        if !is_wanted_type(&plan.settings.content_types, content_type) {
            return Err(Failure::new(
                Code::ContentType,
                format!(
                    "{url} is {:?}, none of library.content_types: a login page, maybe",
                    String::from_utf8_lossy(content_type)
                ),
            ));
        }
        let mut codings = response.fields.values("content-encoding");
        if let Some(coding) = codings.find(|coding| !coding.eq_ignore_ascii_case(b"identity")) {
            return Err(Failure::new(
                Code::ContentCoding,
                format!(
                    "{url} came with Content-Encoding {:?}, which nobody asked for; its bytes are not the file's",
                    String::from_utf8_lossy(coding)
                ),
            ));
        }
        Ok(())
    }

    /// Why the origin's answer was passed on instead of being stored.
    fn why_not_stored(&self, place: &Place, response: &Response) -> Failure {
        let url = &place.url;
        if !place.rule.cache {
            let path = String::from_utf8_lossy(&place.rule.path);
            return Failure::new(
                Code::NotStorable,
                format!("{url} is not stored: the rule for {path} says cache = false"),
            );
        }
        let (now, _) = clock::wall();
        let received = Received {
            status: response.stored.status,
            fields: &response.fields,
            request_time: now,
            response_time: now,
        };
        let asked = Asked::of(Method::Get, &Fields::new());
        if let Storability::Refuse(why) =
            storability::judge(&asked, &received, &place.rule.overrides)
        {
            let table = match place.source {
                Source::Site(_) => "its [[site.rule]]",
                Source::Own { .. } => "[library]",
            };
            return Failure::new(
                Code::NotStorable,
                format!("{url} may not be stored (RFC 9111): {why}; keys of {table} may allow it"),
            );
        }
        let size = response.object.size();
        let max = self.size_max();
        if size != SIZE_UNKNOWN && size > max {
            return Failure::new(
                Code::TooLarge,
                format!(
                    "{url} has {size} bytes, and the disk store takes {max} at most; see disk.size and disk.max_object"
                ),
            );
        }
        let health = self.disk.as_ref().map(|shelf| shelf.tier.disk().health());
        let (code, why) = match health {
            Some(Health::StoodDown { why, .. }) => {
                let code = match why {
                    Why::NoSpace => Code::DiskFull,
                    _ => Code::DiskFailed,
                };
                (code, format!("the disk store stands down: {why}"))
            }
            _ => {
                let why = "the disk store has no room for it, or as many files are open as may be";
                (Code::DiskFailed, why.to_owned())
            }
        };
        Failure::new(code, format!("{url} could not be stored: {why}"))
    }

    /// Waits until all of a body is there.
    ///
    /// # Errors
    /// It does not come; why not.
    async fn whole(
        &self,
        place: &Place,
        answered: &Answered,
        seat: &Seat,
    ) -> Result<(), BodyFault> {
        let waits = !answered.object.is_complete();
        if waits {
            seat.take(&self.counts).map_err(|_| BodyFault::Busy)?;
        }
        let filling = waits.then(|| self.fillings.begin(&place.key));
        let whole = self.mailbox.wait_for_whole(&answered.object).await;
        drop(filling);
        whole
    }

    /// What was brought: an answer whose body is whole.
    fn brought(&self, place: Place, answered: Answered, is_hit: bool) -> Brought {
        Brought {
            place,
            response: newest(&self.responses, answered.response, &answered.object),
            status: answered.status,
            is_hit: is_hit && answered.rule != Rule::Collapsed,
        }
    }

    pub(super) fn fields(&self, plan: &Plan) -> Fields {
        let mut fields = Fields::new();
        fields.push(b"User-Agent", plan.settings.user_agent.as_bytes());
        fields.push(b"Accept", b"*/*");
        fields
    }
}

/// What memory has.
enum Look {
    Use(Answered),
    Ask(Forward),
}

/// The response with the body of `object` that is stored by now: the body of one whose size was not known has become another object when
/// it was whole.
fn newest(
    responses: &crate::index::responses::Responses,
    response: Arc<Response>,
    object: &Arc<Object>,
) -> Arc<Response> {
    let found = responses.find(&response.key);
    let body = object.growing();
    let mut all = found.iter().flat_map(|found| found.iter());
    let same = all.find(|stored| {
        let is_its_successor = || {
            stored.variant == response.variant
                && stored.stored.response_time == response.stored.response_time
                && stored.stored.etag == response.stored.etag
                && stored.object.is_complete()
                && body.is_some_and(|body| body.size() == Some(stored.object.size()))
        };
        Arc::ptr_eq(&stored.object, object) || is_its_successor()
    });
    same.map_or(response, Arc::clone)
}

fn has_all(object: &Object) -> bool {
    object
        .growing()
        .map_or(object.is_complete(), |body| body.has_all())
}

/// The request for a place.
pub(super) fn order(place: &Place, plan: &Plan, fields: Fields, why: Forward) -> Box<Fetch> {
    Box::new(Fetch {
        site: match place.source {
            Source::Site(id) => id,
            // Its origin is told beside.
            Source::Own { .. } => SiteId(u16::MAX),
        },
        rule: Arc::clone(&place.rule),
        rules: None,
        key: place.key.clone(),
        method: Method::Get,
        method_name: b"GET"[..].into(),
        version: Version::Http11,
        target: place.target.clone(),
        path_size: place.path_size,
        authority: place.authority.clone(),
        fields,
        client: None,
        takes_trailers: false,
        why: if place.rule.cache {
            why
        } else {
            Forward::Bypass
        },
        because: "",
        body: None,
        is_refresh: false,
        must_ask: false,
        deposit: None,
        foreign: place.foreign(plan),
        asker: None,
    })
}

/// Why what is stored is not an answer to who wants it anew.
fn not_refreshed(place: &Place, fetched: &Fetched) -> Failure {
    let status = fetched.status.fwd_status;
    let (code, why) = match status {
        Some(status) => (
            Code::OriginStatus,
            format!("its origin answers with {status}"),
        ),
        None => (
            Code::OriginUnreachable,
            "its origin could not be reached, or did not answer in time".to_owned(),
        ),
    };
    Failure {
        origin_status: status,
        ..Failure::new(
            code,
            format!(
                "{} was not refreshed: {why}; what is stored stays",
                place.url
            ),
        )
    }
}

fn not_a_file(place: &Place, status: u16) -> Failure {
    let code = match status {
        404 | 410 => Code::NotFound,
        _ => Code::OriginStatus,
    };
    let is_unsigned = matches!(status, 401 | 403) && place.is_unsigned();
    let unsigned = match is_unsigned {
        true => {
            ", which was asked without the credentials of its [[profile]]: they are lent for objects, and the URL names none, as far \
             as the profile's domains, base_domain and endpoint tell the bucket"
        }
        false => "",
    };
    Failure {
        origin_status: Some(status),
        ..Failure::new(
            code,
            format!(
                "{} is answered with {status} by its origin{unsigned}",
                place.url
            ),
        )
    }
}
