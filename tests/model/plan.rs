//! What happens next, by chance.

use std::time::Duration;

use crate::asking::Asking;
use crate::crowd::WHO;
use crate::random::Random;
use crate::reference::Purged;
use crate::resource::{Resource, Tag, date};

/// The URLs.
pub(crate) const PATHS: [&str; 5] = ["/a", "/b", "/p/c", "/p/d", "/p/e"];

/// Where the rule ignores queries.
pub(crate) const IGNORING: &str = "/p/";

const WHOS: [&str; 5] = ["1", "2", "3", "4", "5"];
const TAGS: [&str; 2] = ["red", "round"];
const LANGUAGES: [&str; 3] = ["de", "en", "fr"];

/// A step.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Ask(Asking),
    /// All of them at once, for one URL.
    Crowd(Vec<Asking>),
    Change(&'static str, Resource),
    Purge(Purged, bool),
    Wait(Duration),
    /// The origin goes down, or comes up again.
    Outage,
    /// The server ends, by a crash or in order, and starts again.
    Restart {
        is_crash: bool,
    },
}

/// The next step; `resource` gives what is at a URL now.
pub(crate) fn next(
    random: &mut Random,
    resource: impl Fn(&str) -> Resource,
    is_down: bool,
) -> Step {
    let path = random.one_of(&PATHS);
    match random.below(1000) {
        // An outage is short.
        _ if is_down && random.once_in(4) => Step::Outage,
        0..540 => Step::Ask(safe(random, path, &resource(path))),
        540..600 => {
            let count = 2 + random.below(4);
            let all = WHOS[..count].iter();
            Step::Crowd(all.map(|who| of_crowd(random, path, who)).collect())
        }
        600..640 => Step::Ask(Asking {
            method: random.one_of(&["POST", "DELETE", "PUT", "PATCH"]),
            path,
            query: query(random, path),
            fields: Vec::new(),
        }),
        640..900 => Step::Change(path, changed(random, resource(path))),
        900..965 => {
            let purged = match random.below(8) {
                0 => Purged::All,
                1 | 2 => Purged::Prefix("/p/"),
                3 | 4 => Purged::Tag(random.one_of(&TAGS)),
                _ => Purged::Path(path),
            };
            Step::Purge(purged, random.once_in(2))
        }
        965..975 => Step::Wait(Duration::from_millis(300 + random.below(1000) as u64)),
        975..990 => Step::Outage,
        _ => Step::Restart {
            is_crash: random.once_in(2),
        },
    }
}

/// A query, where the rule of the path ignores it.
fn query(random: &mut Random, path: &str) -> &'static str {
    match path.starts_with(IGNORING) {
        true => random.one_of(&["", "?n=1", "?n=2"]),
        false => "",
    }
}

/// One of several requests at once.
fn of_crowd(random: &mut Random, path: &'static str, who: &str) -> Asking {
    let mut fields = wishes(random);
    fields.push((WHO, who.to_owned()));
    Asking {
        method: "GET",
        path,
        query: query(random, path),
        fields,
    }
}

fn safe(random: &mut Random, path: &'static str, resource: &Resource) -> Asking {
    let mut fields = wishes(random);
    let method = if random.once_in(6) { "HEAD" } else { "GET" };
    add_conditions(random, resource, &mut fields);
    Asking {
        method,
        path,
        query: query(random, path),
        fields,
    }
}

/// Fields by which responses may differ, credentials and directives.
fn wishes(random: &mut Random) -> Vec<(&'static str, String)> {
    let mut fields = Vec::new();
    if random.once_in(2) {
        fields.push(("accept-language", random.one_of(&LANGUAGES).to_owned()));
    }
    if random.once_in(3) {
        fields.push(("x-shape", random.one_of(&["round", "flat"]).to_owned()));
    }
    if random.once_in(12) {
        fields.push(("authorization", "Basic YTpi".to_owned()));
    }
    if random.once_in(3) {
        let directives = directives(random);
        if directives.is_empty() {
            fields.push(("pragma", "no-cache".to_owned()));
        } else {
            fields.push(("cache-control", directives));
        }
    }
    fields
}

/// Directives of a request; none stand for Pragma.
fn directives(random: &mut Random) -> String {
    let seconds = random.one_of(&[0, 1, 10, 60, 1000]);
    match random.below(9) {
        0 => "no-cache".to_owned(),
        1 => "no-store".to_owned(),
        2 => format!("max-age={seconds}"),
        3 => format!("min-fresh={seconds}"),
        4 => format!("max-stale={seconds}"),
        5 => "max-stale".to_owned(),
        6 => "only-if-cached".to_owned(),
        7 => format!("only-if-cached, max-stale={seconds}"),
        _ => String::new(),
    }
}

fn add_conditions(
    random: &mut Random,
    resource: &Resource,
    fields: &mut Vec<(&'static str, String)>,
) {
    let etag = resource
        .plain_etag()
        .unwrap_or_else(|| "\"none\"".to_owned());
    let other = "\"other\"".to_owned();
    match random.below(12) {
        0 => fields.push(("if-none-match", etag)),
        1 => fields.push((
            "if-none-match",
            format!("{other}, W/{}", etag.trim_start_matches("W/")),
        )),
        2 => fields.push(("if-none-match", other)),
        3 if resource.is_dated => fields.push(("if-modified-since", date(resource.modified()))),
        4..=6 => {
            let size = resource.size;
            let (first, last) = (random.below(size + 10), random.below(size + 10));
            let range = match random.below(4) {
                0 => format!("bytes={first}-"),
                1 => format!("bytes=-{}", last + 1),
                2 => "bytes=0-1".to_owned(),
                _ => format!("bytes={}-{}", first.min(last), first.max(last)),
            };
            fields.push(("range", range));
            if random.once_in(3) {
                fields.push(("if-range", if random.once_in(2) { etag } else { other }));
            }
        }
        _ => {}
    }
}

/// What the resource becomes.
fn changed(random: &mut Random, mut resource: Resource) -> Resource {
    match random.below(12) {
        0..=2 => {
            resource.version += 1;
            resource.size = random.one_of(&[1, 50, 1000, 20_000, 300_000]);
        }
        3..=6 => {
            resource.cache_control = lifetime(random);
            resource.expires = random.once_in(4).then(|| random.one_of(&[-10, 0, 2, 100]));
            let is_old = random.once_in(2);
            resource.age = is_old.then(|| random.one_of(&[0, 1, 9, 50, 150, 5000]));
            resource.back = random.one_of(&[0, 0, 0, 5, 200]);
        }
        7 => {
            // What it varies by is part of a version: no old tag may come with another content.
            resource.version += 1;
            let all: [&[&str]; 5] = [
                &[],
                &["accept-language"],
                &["x-shape"],
                &["accept-language", "x-shape"],
                &["*"],
            ];
            resource.vary = random.one_of(&all).to_vec();
            resource.is_uniform = random.once_in(2);
        }
        8 => {
            resource.version += 1;
            resource.tag = random.one_of(&[Tag::None, Tag::Weak, Tag::Strong, Tag::Strong]);
            resource.is_dated = !random.once_in(4);
        }
        9 => {
            let statuses = [200, 200, 200, 404, 410, 403, 500, 503];
            resource.status = random.one_of(&statuses);
            resource.is_cut = random.once_in(5);
        }
        10 => {
            resource.cache_tag = random.one_of(&[None, Some("red"), Some("round")]);
            resource.sets_cookie = random.once_in(6);
        }
        _ => {
            resource.unsafe_status = random.one_of(&[200, 204, 201, 303, 400, 404, 500]);
            resource.location = random.one_of(&[None, None, Some("/a"), Some("/p/c")]);
        }
    }
    if resource.status != 200 && random.once_in(2) {
        resource.status = 200;
    }
    resource
}

fn lifetime(random: &mut Random) -> String {
    let mut directives = Vec::new();
    if !random.once_in(6) {
        directives.push(format!(
            "max-age={}",
            random.one_of(&[0, 1, 2, 10, 60, 100, 1000])
        ));
    }
    let more = [
        "no-store",
        "no-cache",
        "private",
        "must-revalidate",
        "proxy-revalidate",
        "public",
        "s-maxage=1",
        "s-maxage=100",
        "stale-while-revalidate=20",
        "stale-while-revalidate=100000",
        "stale-while-revalidate=100000",
        "stale-if-error=20",
        "stale-if-error=100000",
        "stale-if-error=100000",
    ];
    while random.once_in(2) {
        let one = random.one_of(&more).to_owned();
        if !directives.contains(&one) && !one.starts_with("s-maxage") || directives.is_empty() {
            directives.push(one);
        }
    }
    directives.join(", ")
}
