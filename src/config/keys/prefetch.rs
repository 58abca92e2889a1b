//! The keys of `[[prefetch]]`.

use std::time::Duration;

use super::super::shape::{Shape, Table};
use super::super::{profile_values, values};
use super::{key, needed};
use crate::fill::library::PrefetchRule;

/// Most URLs of one table; more stand in a file.
const URLS_MAX: usize = 10_000;
const INTERVAL_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

/// `[[prefetch]]`
pub(in crate::config) static PREFETCH: Table<PrefetchRule> = Table {
    name: "prefetch",
    written: "[[prefetch]]",
    keys: &[
        needed(
            "urls",
            "URLs that are fetched at start, and after each interval.",
            Shape::List {
                accepts: "an http or https URL of a site with an origin, or of a host in library.hosts",
                lone: false,
                min: 0,
                max: URLS_MAX,
                clear: |prefetch| prefetch.urls.clear(),
                add: |prefetch, text, _| {
                    prefetch.urls.push(text.to_owned());
                    Ok(())
                },
            },
        ),
        key(
            "file",
            r#""""#,
            "File with further URLs, one a line, read anew each time; relative to this file's folder.",
            Shape::Text {
                accepts: "the path of a file of URLs, or \"\"",
                set: |prefetch, text, folder| {
                    prefetch.file = values::file_of_urls(text, folder)?;
                    Ok(())
                },
            },
        ),
        key(
            "interval",
            r#""0s""#,
            "How long after one round the next begins; \"0s\": at start alone.",
            Shape::Time {
                min: Duration::ZERO,
                max: INTERVAL_MAX,
                slot: |prefetch| &mut prefetch.interval,
            },
        ),
        key(
            "priority",
            "0",
            "Which prefetches go first: those with the larger number.",
            Shape::Count {
                min: 0,
                max: 1000,
                slot: |prefetch| &mut prefetch.priority,
            },
        ),
        key(
            "refresh",
            "false",
            "Whether the origin is asked each time although what is stored is fresh.",
            Shape::Flag(|prefetch| &mut prefetch.refresh),
        ),
        key(
            "profile",
            r#""""#,
            "The [[profile]] that the origins are asked with; \"\": the ones for their hosts, or their sites.",
            Shape::Text {
                accepts: "the name of a [[profile]], or \"\"",
                set: |prefetch, text, _| {
                    prefetch.profile = profile_values::name_or_none(text)?;
                    Ok(())
                },
            },
        ),
    ],
    inner: &[],
};
