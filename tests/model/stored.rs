//! A stored response, and whether it answers a request (RFC 9111 s4), by the letter and with ages between two bounds.

use std::sync::Arc;

use crate::asking::{Asking, Wishes};
use crate::expected::shown;
use crate::resource::{Exchange, Said};

/// Seconds between which a time lies, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Between(pub(crate) u64, pub(crate) u64);

/// A stored response.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    /// The request's fields that Vary names, with their values.
    pub(crate) selecting: Vec<(String, Option<String>)>,
    pub(crate) status: u16,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Arc<[u8]>,
    /// When it was received.
    pub(crate) received: Between,
    /// How old it was then.
    pub(crate) initial_age: Between,
    /// It must be validated before it is used again.
    pub(crate) is_invalid: bool,
    /// How old it was when a soft purge ended its lifetime.
    pub(crate) ended: Option<Between>,
    /// Not all of it may be there.
    pub(crate) is_partial: bool,
    /// It may not have survived a restart.
    pub(crate) may_be_gone: bool,
}

/// How a request goes on for which a response is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// It is the answer.
    Serve,
    /// It is the answer, and is validated meanwhile (RFC 5861 s3).
    ServeAndRefresh,
    /// The origin is asked.
    Ask,
}

/// Whether it stands in for an origin that fails (RFC 5861 s4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StandsIn {
    Yes,
    No,
    /// At the very second, or where nothing says so.
    Perhaps,
}

/// A directive of the response: its argument, empty where it has none.
fn directive<'f>(fields: &'f [(String, String)], wanted: &str) -> Option<&'f str> {
    let directives = value(fields, "cache-control")?.split(", ");
    let mut found = directives.filter_map(|directive| {
        let (name, argument) = directive.split_once('=').unwrap_or((directive, ""));
        (name == wanted).then_some(argument)
    });
    found.next()
}

fn value<'f>(fields: &'f [(String, String)], name: &str) -> Option<&'f str> {
    let found = fields.iter().find(|(known, _)| known == name);
    found.map(|(_, value)| value.as_str())
}

/// A date field's value in seconds since 1970.
pub(crate) fn date_of(text: &str) -> u64 {
    let date = httpdate::parse_http_date(text).expect("the origin's dates are dates");
    let since = date.duration_since(std::time::UNIX_EPOCH);
    since.expect("after 1970").as_secs()
}

/// What a cache may do with an answer (s3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Storing {
    Must,
    May,
    MustNot,
}

/// Whether the answer to `asking` is stored.
pub(crate) fn storing(asking: &Asking, said: &Said, fresh: bool) -> Storing {
    let has = |name| directive(&said.fields, name).is_some();
    let is_shared = has("public") || has("s-maxage") || has("must-revalidate");
    let states_lifetime = has("max-age") || has("s-maxage") || said.field("expires").is_some();
    let is_forbidden = asking.method != "GET"
        || asking.wishes().no_store
        || has("no-store")
        || has("private")
        || asking.field("authorization").is_some() && !is_shared
        || said.field("vary") == Some("*")
        || said.field("set-cookie").is_some()
        || said.status == 304
        || !(states_lifetime || has("public") || is_heuristic(said.status));
    let has_validator = said.field("etag").is_some() || said.field("last-modified").is_some();
    if is_forbidden || said.is_cut && !said.has_strong_tag() {
        Storing::MustNot
    } else if asking.field("if-none-match").is_some() || asking.field("if-modified-since").is_some()
    {
        // Where nothing was shared of the URL before, the client's conditions go on, and their answer is for it alone.
        Storing::May
    } else if said.is_cut {
        // s3.3: incomplete, where the rest can be had under its entity-tag.
        Storing::May
    } else if is_heuristic(said.status)
        && (has_validator && said.status == 200 || fresh && !has("no-cache"))
    {
        Storing::Must
    } else {
        Storing::May
    }
}

/// RFC 9110 s15.1, of the statuses that the origin says.
fn is_heuristic(status: u16) -> bool {
    matches!(status, 200 | 206 | 301 | 404 | 410)
}

impl Stored {
    /// What is stored of an exchange that began and ended for the client at these seconds.
    pub(crate) fn of(asking: &Asking, exchange: &Exchange, time: Between) -> Self {
        let said = &exchange.said;
        let mut stored = Self {
            selecting: selecting(asking, said),
            status: if said.status == 206 { 200 } else { said.status },
            fields: said.fields.clone(),
            body: Arc::clone(&said.whole),
            received: Between(0, 0),
            initial_age: Between(0, 0),
            is_invalid: false,
            ended: None,
            is_partial: said.status == 206 || said.is_cut,
            may_be_gone: false,
        };
        stored.fields.retain(|(name, _)| name != "content-range");
        stored.set_age(exchange, time);
        stored
    }

    /// s4.2.3.
    fn set_age(&mut self, exchange: &Exchange, Between(began, ended): Between) {
        let said = &exchange.said;
        let date = date_of(said.field("date").expect("the origin's answers have one"));
        let age: u64 = said
            .field("age")
            .map_or(0, |age| age.parse().expect("seconds"));
        self.received = Between(exchange.at, ended);
        let apparent = |now: u64| now.saturating_sub(date);
        let low = apparent(exchange.at).max(age);
        let high = apparent(ended).max(age + (ended - began));
        self.initial_age = Between(low, high);
        self.fields.retain(|(name, _)| name != "age");
    }

    /// Updates the fields by a 304 (s3.2).
    pub(crate) fn freshen(&mut self, exchange: &Exchange, time: Between) {
        for (name, value) in &exchange.said.fields {
            self.fields.retain(|(known, _)| known != name);
            self.fields.push((name.clone(), value.clone()));
        }
        self.set_age(exchange, time);
        self.is_invalid = false;
        self.ended = None;
    }

    /// Ends its lifetime.
    pub(crate) fn purge_softly(&mut self, now: Between) {
        let Between(low, high) = self.age(now);
        let (earlier_low, earlier_high) = match self.ended {
            Some(Between(low, high)) => (low, high),
            None => (u64::MAX, u64::MAX),
        };
        self.ended = Some(Between(low.min(earlier_low), high.min(earlier_high)));
    }

    /// What its lifetime may be.
    fn lifetimes(&self) -> std::ops::RangeInclusive<u64> {
        let stated = self.lifetime();
        let Between(low, high) = self.ended.unwrap_or(Between(stated, stated));
        stated.min(low)..=stated.min(high)
    }

    /// The same for the requests that `asking` is one of: a 304 to it has named this one (s4.3.4).
    pub(crate) fn adopted(&self, asking: &Asking) -> Self {
        Self {
            selecting: selecting_by(asking, self.field("vary")),
            ..self.clone()
        }
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        value(&self.fields, name)
    }

    fn directive(&self, name: &str) -> Option<&str> {
        directive(&self.fields, name)
    }

    fn seconds(&self, name: &str) -> Option<u64> {
        self.directive(name)?.parse().ok()
    }

    /// s4.1.
    pub(crate) fn matches(&self, asking: &Asking) -> bool {
        let mut names = self.selecting.iter();
        names.all(|(name, value)| asking.field(name) == value.as_deref())
    }

    /// How old it is at a time.
    pub(crate) fn age(&self, Between(from, to): Between) -> Between {
        let low = self.initial_age.0 + from.saturating_sub(self.received.1);
        Between(low, self.initial_age.1 + to.saturating_sub(self.received.0))
    }

    /// s4.2.1, s4.2.2.
    pub(crate) fn lifetime(&self) -> u64 {
        let date = || date_of(self.field("date").expect("stored with it"));
        if let Some(seconds) = self.seconds("s-maxage").or(self.seconds("max-age")) {
            return seconds;
        }
        if let Some(expires) = self.field("expires") {
            return date_of(expires).saturating_sub(date());
        }
        let may_be_guessed = is_heuristic(self.status) || self.directive("public").is_some();
        match self.field("last-modified") {
            Some(modified) if may_be_guessed => date().saturating_sub(date_of(modified)) / 10,
            _ => 0,
        }
    }

    /// Whether it is never to be sent stale (s4.2.4).
    fn forbids_stale(&self) -> bool {
        let forbidding = ["must-revalidate", "proxy-revalidate", "s-maxage"];
        forbidding.iter().any(|name| self.directive(name).is_some())
    }

    /// Whether it may not be used for this request without the origin, whatever its age.
    fn is_barred(&self, asking: &Asking) -> bool {
        let sharing = ["public", "s-maxage", "must-revalidate"];
        let is_shared = sharing.iter().any(|name| self.directive(name).is_some());
        // no-store and private may come with a 304: what is stored is then no more to be used.
        let barring = ["no-cache", "no-store", "private"];
        self.is_invalid
            || barring.iter().any(|name| self.directive(name).is_some())
            || asking.field("authorization").is_some() && !is_shared
    }

    /// The ways that are right at any of these ages.
    pub(crate) fn ways(&self, asking: &Asking, Between(low, high): Between) -> Vec<Way> {
        let mut ways = Vec::new();
        for age in low..=high {
            for lifetime in self.lifetimes() {
                self.add_ways(asking, &asking.wishes(), (age, lifetime), &mut ways);
            }
        }
        if self.is_partial {
            // Some of its bytes may have to be fetched.
            ways.push(Way::Ask);
        }
        ways.dedup();
        ways
    }

    fn add_ways(
        &self,
        asking: &Asking,
        wishes: &Wishes,
        (age, lifetime): (u64, u64),
        ways: &mut Vec<Way>,
    ) {
        let ttl = lifetime.saturating_sub(age);
        if self.is_barred(asking) || is_unmet(wishes, age, ttl) {
            return ways.push(Way::Ask);
        }
        if ttl > 0 {
            return ways.push(Way::Serve);
        }
        let over = age - lifetime;
        if self.forbids_stale() {
            return ways.push(Way::Ask);
        }
        if wishes.max_stale.is_some_and(|most| over <= most) {
            return ways.push(Way::Serve);
        }
        let window = self.seconds("stale-while-revalidate").unwrap_or(0);
        let accepts_stale = wishes.max_age.is_none() && wishes.max_stale.is_none();
        if accepts_stale && window > 0 && over <= window {
            ways.push(Way::ServeAndRefresh);
        }
        if !accepts_stale || over >= window {
            ways.push(Way::Ask);
        }
    }

    /// Whether it stands in at any of these ages.
    pub(crate) fn stands_in(&self, asking: &Asking, Between(low, high): Between) -> StandsIn {
        let wishes = asking.wishes();
        let mut found = None;
        let ages = low..=high;
        let all = ages.flat_map(|age| self.lifetimes().map(move |lifetime| (age, lifetime)));
        for (age, lifetime) in all {
            let now = self.stands_in_at(asking, &wishes, (age, lifetime));
            found = match found {
                None => Some(now),
                Some(before) if before == now => Some(now),
                Some(_) => Some(StandsIn::Perhaps),
            };
        }
        match found {
            // RFC 5861 lets a cache use it; for HEAD it is not demanded.
            Some(StandsIn::Yes) if asking.method == "HEAD" => StandsIn::Perhaps,
            found => found.unwrap_or(StandsIn::No),
        }
    }

    fn stands_in_at(
        &self,
        asking: &Asking,
        wishes: &Wishes,
        (age, lifetime): (u64, u64),
    ) -> StandsIn {
        let ttl = lifetime.saturating_sub(age);
        if self.is_barred(asking) || is_unmet(wishes, age, ttl) {
            return StandsIn::No;
        }
        if ttl > 0 {
            return StandsIn::Yes;
        }
        if self.forbids_stale() {
            return StandsIn::No;
        }
        let over = age - lifetime;
        let window = self.seconds("stale-if-error").unwrap_or(0);
        // What may be sent stale without a failure may be all the more with one (s4.2.4): after a restart the origin is asked first.
        let mut ways = Vec::new();
        self.add_ways(asking, wishes, (age, lifetime), &mut ways);
        let may_be_stale = ways.iter().any(|way| *way != Way::Ask);
        match over.cmp(&window) {
            std::cmp::Ordering::Less => StandsIn::Yes,
            std::cmp::Ordering::Equal if window > 0 => StandsIn::Perhaps,
            _ if may_be_stale => StandsIn::Perhaps,
            _ => StandsIn::No,
        }
    }

    /// Whether a 200 to a HEAD without any validator may be of it (s4.3.5): it has none either, and was not invalidated.
    pub(crate) fn is_as_large_as(&self, said: &Said) -> bool {
        let has_none = |of: &dyn Fn(&str) -> bool| !of("etag") && !of("last-modified");
        !self.is_invalid
            && said.status == 200
            && has_none(&|name| self.field(name).is_some())
            && has_none(&|name| said.field(name).is_some())
            && self.body.len() == said.body.len()
    }

    /// Whether a 304 with these fields is about it (s4.3.4).
    pub(crate) fn is_meant_by(&self, said: &Said) -> bool {
        match said.field("etag") {
            Some(etag) => self.field("etag") == Some(etag),
            None => {
                self.field("etag").is_none()
                    && said.field("last-modified").is_some()
                    && said.field("last-modified") == self.field("last-modified")
            }
        }
    }
}

impl std::fmt::Debug for Stored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} for {:?}: {}",
            self.status,
            self.selecting,
            shown(&self.body)
        )?;
        write!(f, ", {:?}", self.fields)?;
        let Between(low, high) = self.initial_age;
        write!(f, ", {low} to {high} s old at {}", self.received.0)?;
        write!(f, ", fresh for {:?} s", self.lifetimes())?;
        let marks = [
            (self.is_invalid, ", invalid"),
            (self.is_partial, ", partial"),
            (self.may_be_gone, ", or gone"),
        ];
        let mut marks = marks.iter().filter(|(is_so, _)| *is_so);
        marks.try_for_each(|(_, mark)| f.write_str(mark))
    }
}

/// Whether the client wishes what this age does not give (s5.2.1).
fn is_unmet(wishes: &Wishes, age: u64, ttl: u64) -> bool {
    wishes.no_cache
        || wishes.max_age.is_some_and(|most| age > most)
        || wishes.min_fresh.is_some_and(|least| ttl < least)
}

/// The values by which later requests are told apart.
fn selecting(asking: &Asking, said: &Said) -> Vec<(String, Option<String>)> {
    selecting_by(asking, said.field("vary"))
}

fn selecting_by(asking: &Asking, vary: Option<&str>) -> Vec<(String, Option<String>)> {
    let names = vary.unwrap_or_default().split(", ");
    let names = names.filter(|name| !name.is_empty());
    names
        .map(|name| (name.to_owned(), asking.field(name).map(str::to_owned)))
        .collect()
}
