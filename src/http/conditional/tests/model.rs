//! Whole requests, held against the steps of RFC 9110 s13.2.2 written out.

use proptest::prelude::*;

use super::super::{Precondition, evaluate, is_conditional};
use super::{MODIFIED, VALIDATORS, with_head};
use crate::http::date;
use crate::units::UnixSeconds;

/// A field that lists entity-tags, before it is written.
#[derive(Clone, Debug)]
enum Tags {
    Star,
    Lines(Vec<Vec<(bool, &'static str)>>),
}

/// A field with a date, before it is written.
#[derive(Clone, Copy, Debug)]
enum Since {
    Malformed,
    At(u64),
    Repeated(u64),
}

#[derive(Clone, Debug)]
struct Request {
    method: &'static str,
    if_match: Option<Tags>,
    if_none_match: Option<Tags>,
    if_modified_since: Option<Since>,
    if_unmodified_since: Option<Since>,
}

impl Request {
    fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (name, tags) in [
            ("If-Match", &self.if_match),
            ("If-None-Match", &self.if_none_match),
        ] {
            match tags {
                None => {}
                Some(Tags::Star) => lines.push(format!("{name}: *")),
                Some(Tags::Lines(all)) => lines.extend(all.iter().map(|line| {
                    let tags: Vec<String> = line
                        .iter()
                        .map(|(weak, tag)| format!("{}\"{tag}\"", if *weak { "W/" } else { "" }))
                        .collect();
                    format!("{name}: {}", tags.join(", "))
                })),
            }
        }
        let since = [
            ("If-Modified-Since", self.if_modified_since),
            ("If-Unmodified-Since", self.if_unmodified_since),
        ];
        for (name, since) in since {
            let line = |time| format!("{name}: {}", date::format(UnixSeconds(time)).escape_ascii());
            match since {
                None => {}
                Some(Since::Malformed) => lines.push(format!("{name}: soon")),
                Some(Since::At(time)) => lines.push(line(time)),
                Some(Since::Repeated(time)) => lines.extend([line(time), line(time)]),
            }
        }
        lines
    }

    /// RFC 9110 s13.2.2, step by step as it stands there.
    fn modelled(&self) -> Precondition {
        let has_tag = |tags: &Tags, weakly: bool| match tags {
            Tags::Star => true,
            Tags::Lines(lines) => lines
                .iter()
                .flatten()
                .any(|(weak, tag)| *tag == "now" && (weakly || !weak)),
        };
        let valid = |since: Option<Since>| match since {
            Some(Since::At(time)) => Some(time),
            _ => None,
        };
        let is_read = self.method == "GET" || self.method == "HEAD";
        // 1. When recipient is the origin server and If-Match is present:
        if let Some(tags) = &self.if_match
            && !has_tag(tags, false)
        {
            return Precondition::Failed;
        }
        // 2. If-Match is not present, and If-Unmodified-Since is present:
        if self.if_match.is_none()
            && let Some(time) = valid(self.if_unmodified_since)
            && MODIFIED.0 > time
        {
            return Precondition::Failed;
        }
        // 3. When If-None-Match is present:
        if let Some(tags) = &self.if_none_match
            && has_tag(tags, true)
        {
            return if is_read {
                Precondition::NotModified
            } else {
                Precondition::Failed
            };
        }
        // 4. When the method is GET or HEAD, If-None-Match is not present, and If-Modified-Since is present:
        if is_read
            && self.if_none_match.is_none()
            && let Some(time) = valid(self.if_modified_since)
            && MODIFIED.0 <= time
        {
            return Precondition::NotModified;
        }
        // 5 and 6. Otherwise, perform the requested method.
        Precondition::Proceed
    }
}

fn tags() -> impl Strategy<Value = Option<Tags>> {
    let tag = (
        any::<bool>(),
        prop::sample::select(vec!["now", "old", "now,", "", "a,b"]),
    );
    let lines = prop::collection::vec(prop::collection::vec(tag, 0..3), 1..3);
    prop_oneof![3 => Just(None), 1 => Just(Some(Tags::Star)), 4 => lines.prop_map(|lines| Some(Tags::Lines(lines)))]
}

fn since() -> impl Strategy<Value = Option<Since>> {
    let near = MODIFIED.0 - 2..MODIFIED.0 + 3;
    prop_oneof![
        3 => Just(None),
        1 => Just(Some(Since::Malformed)),
        1 => near.clone().prop_map(|time| Some(Since::Repeated(time))),
        4 => near.prop_map(|time| Some(Since::At(time))),
    ]
}

fn request() -> impl Strategy<Value = Request> {
    let method = prop::sample::select(vec!["GET", "HEAD", "PUT", "DELETE", "POST", "PROPFIND"]);
    (method, tags(), tags(), since(), since()).prop_map(
        |(method, if_match, if_none_match, if_modified_since, if_unmodified_since)| Request {
            method,
            if_match,
            if_none_match,
            if_modified_since,
            if_unmodified_since,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn evaluate_follows_the_steps_in_any_order_of_lines(
        (request, lines) in request().prop_flat_map(|request| {
            let lines = Just(request.lines()).prop_shuffle();
            (Just(request), lines)
        }),
    ) {
        let found = with_head(request.method, &lines, |head| (evaluate(head, &VALIDATORS), is_conditional(head)));
        prop_assert_eq!(found, (request.modelled(), !lines.is_empty()), "{:?}", lines);
    }
}
