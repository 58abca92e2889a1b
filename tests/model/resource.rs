//! The origin's side: resources that change, what is said of them, and a record of each exchange.

#![expect(
    clippy::disallowed_types,
    reason = "the scenario and the origin's threads share resources and exchanges"
)]

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use crate::harness::origin::{Asked, Origin, Reply, reply};
use crate::harness::waiting::wall_clock;

/// When the first version of every resource was made: long ago, so that a tenth of that is a lifetime.
const MADE_AT: u64 = 1_600_000_000;

/// The kind of entity-tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tag {
    None,
    Weak,
    Strong,
}

/// What is at a URL.
#[derive(Clone, Debug)]
pub(crate) struct Resource {
    /// Grows with each change of the content or of what it varies by.
    pub(crate) version: u64,
    pub(crate) size: usize,
    pub(crate) status: u16,
    pub(crate) tag: Tag,
    pub(crate) is_dated: bool,
    pub(crate) cache_control: String,
    /// Seconds from Date to Expires.
    pub(crate) expires: Option<i64>,
    /// Age, and how long before now Date is.
    pub(crate) age: Option<u64>,
    pub(crate) back: u64,
    pub(crate) vary: Vec<&'static str>,
    /// The content is the same for all of that, under one entity-tag.
    pub(crate) is_uniform: bool,
    pub(crate) cache_tag: Option<&'static str>,
    pub(crate) sets_cookie: bool,
    /// The body breaks off half way.
    pub(crate) is_cut: bool,
    /// The status of answers to unsafe methods, and the Location in them.
    pub(crate) unsafe_status: u16,
    pub(crate) location: Option<&'static str>,
}

impl Default for Resource {
    fn default() -> Self {
        Self {
            version: 1,
            size: 1000,
            status: 200,
            tag: Tag::Strong,
            is_dated: true,
            cache_control: "max-age=100".to_owned(),
            expires: None,
            age: None,
            back: 0,
            vary: Vec::new(),
            is_uniform: false,
            cache_tag: None,
            sets_cookie: false,
            is_cut: false,
            unsafe_status: 200,
            location: None,
        }
    }
}

/// What the origin said.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) fields: Vec<(String, String)>,
    /// The bytes behind the head.
    pub(crate) body: Arc<[u8]>,
    /// The whole content, where this was a part of it.
    pub(crate) whole: Arc<[u8]>,
    pub(crate) is_cut: bool,
}

impl Said {
    /// The first value of a field.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn has_strong_tag(&self) -> bool {
        self.field("etag").is_some_and(|tag| !tag.starts_with("W/"))
    }
}

/// A request to the origin and its answer.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    pub(crate) asked: Asked,
    pub(crate) said: Said,
    /// When, in seconds since 1970.
    pub(crate) at: u64,
}

/// All resources, and the exchanges since they were last taken.
#[derive(Clone, Default)]
pub(crate) struct Resources(Arc<Mutex<Shared>>);

#[derive(Default)]
struct Shared {
    all: HashMap<String, Resource>,
    exchanges: Vec<Exchange>,
    count: u64,
}

impl Resources {
    /// Has `origin` serve these resources.
    pub(crate) fn serve(&self, origin: &Origin, paths: &[&str]) {
        self.with(|shared| {
            for path in paths {
                shared.all.insert((*path).to_owned(), Resource::default());
            }
        });
        let resources = self.clone();
        origin.otherwise(move |asked| resources.answer(asked));
    }

    /// Changes the resource at a path.
    pub(crate) fn change(&self, path: &str, change: impl FnOnce(&mut Resource)) {
        self.with(|shared| change(shared.all.get_mut(path).expect("a known path")));
    }

    /// The resource at a path as it is now.
    pub(crate) fn get(&self, path: &str) -> Resource {
        self.with(|shared| shared.all[path].clone())
    }

    /// The exchanges since this was last called.
    pub(crate) fn take_exchanges(&self) -> Vec<Exchange> {
        self.with(|shared| std::mem::take(&mut shared.exchanges))
    }

    fn with<T>(&self, work: impl FnOnce(&mut Shared) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn answer(&self, asked: &Asked) -> Reply {
        let now = seconds();
        self.with(|shared| {
            shared.count += 1;
            let resource = &shared.all[asked.path()];
            let said = resource.say(asked, now, shared.count);
            shared.exchanges.push(Exchange {
                asked: asked.clone(),
                said: said.clone(),
                at: now,
            });
            as_reply(asked, said)
        })
    }
}

/// The wall clock in whole seconds.
pub(crate) fn seconds() -> u64 {
    let since = wall_clock().duration_since(UNIX_EPOCH);
    since.expect("after 1970").as_secs()
}

/// A date field's value.
pub(crate) fn date(seconds: u64) -> String {
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds))
}

fn as_reply(asked: &Asked, said: Said) -> Reply {
    let mut reply = reply(said.status);
    for (name, value) in &said.fields {
        reply = reply.field(name, value);
    }
    if matches!(said.status, 204 | 304) {
        return reply.end();
    }
    reply = reply.length(said.body.len() as u64);
    if asked.method == "HEAD" {
        return reply.end();
    }
    if said.is_cut {
        return reply.bytes(&said.body[..said.body.len() / 2]).close();
    }
    reply.bytes(&*said.body)
}

impl Resource {
    /// The values by which the content differs.
    fn variant(&self, asked: &Asked) -> String {
        if self.is_uniform {
            return String::new();
        }
        let values = self
            .vary
            .iter()
            .map(|name| asked.field(name).unwrap_or("-"));
        values.collect::<Vec<_>>().join("+")
    }

    /// The entity-tag of the content for a request with these values.
    fn etag(&self, variant: &str) -> Option<String> {
        let mark = match self.tag {
            Tag::None => return None,
            Tag::Weak => "W/",
            Tag::Strong => "",
        };
        Some(format!("{mark}\"{}{variant}\"", self.version))
    }

    /// When the content was made.
    pub(crate) fn modified(&self) -> u64 {
        MADE_AT + self.version * 1000
    }

    /// The entity-tag that a client without preferences would have.
    pub(crate) fn plain_etag(&self) -> Option<String> {
        let count = if self.is_uniform { 0 } else { self.vary.len() };
        self.etag(&vec!["-"; count].join("+"))
    }

    fn say(&self, asked: &Asked, now: u64, count: u64) -> Said {
        if !matches!(asked.method.as_str(), "GET" | "HEAD") {
            return self.say_to_unsafe(asked, count);
        }
        let variant = self.variant(asked);
        let etag = self.etag(&variant).filter(|_| self.status == 200);
        let mut fields = vec![
            ("date", date(now - self.back)),
            ("x-turn", count.to_string()),
        ];
        let modified = date(self.modified());
        if self.is_dated && self.status == 200 {
            fields.push(("last-modified", modified.clone()));
        }
        fields.extend(etag.clone().map(|etag| ("etag", etag)));
        if !self.cache_control.is_empty() {
            fields.push(("cache-control", self.cache_control.clone()));
        }
        if let Some(expires) = self.expires {
            let at = (now - self.back).saturating_add_signed(expires);
            fields.push(("expires", date(at)));
        }
        fields.extend(self.age.map(|age| ("age", age.to_string())));
        if !self.vary.is_empty() {
            fields.push(("vary", self.vary.join(", ")));
        }
        fields.extend(self.cache_tag.map(|tag| ("cache-tag", tag.to_owned())));
        if self.sets_cookie {
            fields.push(("set-cookie", "id=1".to_owned()));
        }
        let whole = self.content(asked.path(), &variant);
        let dated = self.is_dated.then_some(modified.as_str());
        let (status, body) = answer_to(asked, self.status, etag.as_deref(), dated, &whole);
        if status == 206 || status == 416 {
            let range = part(asked, whole.len());
            let told = match &range {
                Some(part) if status == 206 => {
                    format!("bytes {}-{}/{}", part.start, part.end - 1, whole.len())
                }
                _ => format!("bytes */{}", whole.len()),
            };
            fields.push(("content-range", told));
        }
        Said {
            status,
            fields: owned(fields),
            body,
            whole,
            is_cut: self.is_cut && matches!(status, 200 | 206),
        }
    }

    fn say_to_unsafe(&self, asked: &Asked, count: u64) -> Said {
        let mut fields = vec![("date", date(seconds())), ("x-turn", count.to_string())];
        fields.extend(
            self.location
                .map(|location| ("location", location.to_owned())),
        );
        let text = format!("{} {count}", asked.method);
        let body: Arc<[u8]> = match self.unsafe_status {
            204 => Arc::default(),
            _ => text.into_bytes().into(),
        };
        Said {
            status: self.unsafe_status,
            fields: owned(fields),
            whole: Arc::clone(&body),
            body,
            is_cut: false,
        }
    }

    /// Bytes that no other version, variant or path has.
    fn content(&self, path: &str, variant: &str) -> Arc<[u8]> {
        let line = format!("{path} {} {variant} {}\n", self.version, self.status);
        let line = line.into_bytes();
        let size = if self.status == 200 { self.size } else { 40 };
        line.iter().copied().cycle().take(size).collect()
    }
}

fn owned(fields: Vec<(&str, String)>) -> Vec<(String, String)> {
    let fields = fields.into_iter();
    fields
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// Status and body by conditions and range (RFC 9110 s13.2.2).
fn answer_to(
    asked: &Asked,
    status: u16,
    etag: Option<&str>,
    modified: Option<&str>,
    whole: &Arc<[u8]>,
) -> (u16, Arc<[u8]>) {
    if status != 200 {
        return (status, Arc::clone(whole));
    }
    let is_unchanged = match asked.field("if-none-match") {
        Some(list) => list_has(list, etag),
        None => modified.is_some_and(|modified| asked.field("if-modified-since") == Some(modified)),
    };
    if is_unchanged {
        return (304, Arc::default());
    }
    let is_same = asked
        .field("if-range")
        .is_none_or(|tag| !tag.starts_with("W/") && Some(tag) == etag);
    if asked.method != "GET" || asked.field("range").is_none() || !is_same {
        return (200, Arc::clone(whole));
    }
    match part(asked, whole.len()) {
        Some(part) => (206, whole[part].into()),
        None => (416, Arc::default()),
    }
}

fn part(asked: &Asked, size: usize) -> Option<std::ops::Range<usize>> {
    part_of(asked.field("range")?, size)
}

/// Whether an If-None-Match names the tag, by weak comparison.
pub(crate) fn list_has(list: &str, etag: Option<&str>) -> bool {
    let bare = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let tags = list.split(',').map(bare);
    etag.is_some_and(|etag| tags.into_iter().any(|tag| tag == "*" || tag == bare(etag)))
}

/// The bytes that a single range means; none where it can't be satisfied.
pub(crate) fn part_of(range: &str, size: usize) -> Option<std::ops::Range<usize>> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let (start, end) = match (first.parse::<usize>(), last.parse::<usize>()) {
        (Ok(first), Ok(last)) => (first, last.saturating_add(1).min(size)),
        (Ok(first), Err(_)) => (first, size),
        (Err(_), Ok(count)) => (size.saturating_sub(count), size),
        (Err(_), Err(_)) => return None,
    };
    (start < end).then_some(start..end)
}
