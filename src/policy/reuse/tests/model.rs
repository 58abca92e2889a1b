//! Reuse held against a slow model, and against whatever octets may come.
//!
//! The model knows the directives of a response as they were meant, not as they were written, and asks of each alone
//! whether it lets the response be fresh.

use proptest::prelude::*;

use super::*;
use crate::http::cache_control::{DELTA_MAX, ResponseDirectives};
use crate::http::date;
use crate::policy::settings::{NegativeTtl, SetCookie};
use crate::policy::stored_fields::stored_fields;

/// Statuses of every kind.
const STATUSES: [u16; 14] = [
    200, 203, 204, 206, 299, 301, 302, 304, 404, 410, 416, 429, 503, 599,
];

/// A directive, as it is meant.
#[derive(Clone, Debug)]
enum Meant {
    MaxAge(Option<u64>),
    SMaxage(Option<u64>),
    NoCache,
    NoStore,
    Private,
    Public,
    MustUnderstand,
    /// Neither freshness nor storability depends on it.
    Other,
}

/// Ways to write a lifetime that is none.
const UNREADABLE: [&str; 7] = ["x", "-1", "1.5", "\"\"", " 60", "60;", "'60'"];

/// Directives on which neither storing nor freshness depends, some of them only because of how they are written.
const OTHERS: [&str; 9] = [
    "foo",
    "ext=\"max-age=999, public\"",
    "immutable",
    "stale-if-error=5",
    "must-revalidate",
    "no-transform",
    "public=1",
    "private=\"x-a\"",
    "no-cache=x-b",
];

/// A directive and how it is written.
fn directive() -> impl Strategy<Value = (Meant, String)> {
    let lifetime = |name: &'static str| {
        let readable = (0..200u64, any::<bool>()).prop_map(move |(seconds, is_quoted)| {
            let text = match is_quoted {
                true => format!("{name}=\"{seconds}\""),
                false => format!("{name}=0{seconds}"),
            };
            (Some(seconds), text)
        });
        let unreadable = proptest::sample::select(&UNREADABLE[..])
            .prop_map(move |text| (None, format!("{name}={text}")));
        prop_oneof![6 => readable, 1 => unreadable]
    };
    prop_oneof![
        6 => lifetime("max-age").prop_map(|(seconds, text)| (Meant::MaxAge(seconds), text)),
        3 => lifetime("S-MaxAge").prop_map(|(seconds, text)| (Meant::SMaxage(seconds), text)),
        1 => proptest::sample::select(&["no-cache", "No-Cache=\"\"", "no-cache=\"a b\""][..])
            .prop_map(|text| (Meant::NoCache, text.to_owned())),
        1 => proptest::sample::select(&["no-store", "NO-STORE=1"][..])
            .prop_map(|text| (Meant::NoStore, text.to_owned())),
        1 => Just((Meant::Private, "private".to_owned())),
        2 => Just((Meant::Public, "Public".to_owned())),
        1 => Just((Meant::MustUnderstand, "must-understand".to_owned())),
        4 => proptest::sample::select(&OTHERS[..]).prop_map(|text| (Meant::Other, text.to_owned())),
    ]
}

/// A date field: seconds from when the response was received, or text that is no date.
fn date_line() -> impl Strategy<Value = Option<Result<i64, &'static str>>> {
    let invalid =
        proptest::sample::select(&["0", "-1", "now", "Sun, 06 Nov 1994 08:49:37 UTC"][..]);
    proptest::option::of(prop_oneof![4 => (-300..300i64).prop_map(Ok), 1 => invalid.prop_map(Err)])
}

fn written(line: Result<i64, &str>) -> String {
    match line {
        Ok(offset) => {
            let time = RECEIVED.0.checked_add_signed(offset).unwrap();
            String::from_utf8(date::format(UnixSeconds(time)).to_vec()).unwrap()
        }
        Err(text) => text.to_owned(),
    }
}

/// A response as it is meant.
#[derive(Clone, Debug)]
struct Response {
    status: u16,
    directives: Vec<(Meant, String, bool)>,
    expires: Option<Result<i64, &'static str>>,
    expires_again: bool,
    date: Option<Result<i64, &'static str>>,
    last_modified: Option<Result<i64, &'static str>>,
    ages: Vec<u64>,
    delay: u64,
}

fn any_response() -> impl Strategy<Value = Response> {
    let directives = proptest::collection::vec((directive(), any::<bool>()), 0..5);
    let dates = (date_line(), date_line(), date_line());
    let ages = proptest::collection::vec(0..200u64, 0..3);
    let status = proptest::sample::select(&STATUSES[..]);
    let repeated = proptest::bool::weighted(0.1);
    (status, directives, dates, repeated, ages, 0..20u64).prop_map(
        |(status, directives, (expires, date, last_modified), expires_again, ages, delay)| {
            Response {
                status,
                directives: directives
                    .into_iter()
                    .map(|((meant, text), breaks)| (meant, text, breaks))
                    .collect(),
                expires,
                expires_again,
                date,
                last_modified,
                ages,
                delay,
            }
        },
    )
}

impl Response {
    /// Its field lines; Cache-Control is broken into lines here and there.
    fn fields(&self) -> Fields {
        let mut lines: Vec<(&str, String)> = vec![("ETag", "\"a\"".to_owned())];
        for (at, (_, text, breaks)) in self.directives.iter().enumerate() {
            match lines.last_mut() {
                Some((_, line)) if at > 0 && !breaks => {
                    line.push_str(", ");
                    line.push_str(text);
                }
                _ => lines.push(("cache-CONTROL", text.clone())),
            }
        }
        let mut add = |name, line: Option<Result<i64, &str>>| {
            lines.extend(line.map(|line| (name, written(line))));
        };
        add("Expires", self.expires);
        add("Expires", self.expires.filter(|_| self.expires_again));
        add("Date", self.date);
        add("Last-Modified", self.last_modified);
        lines.extend(self.ages.iter().map(|age| ("Age", age.to_string())));
        lines.push(("Content-Range", "bytes 0-1/9".to_owned()));
        lines.into_iter().collect()
    }

    fn says(&self, is: impl Fn(&Meant) -> bool) -> bool {
        self.directives.iter().any(|(meant, _, _)| is(meant))
    }

    /// The lifetimes of all directives of one kind.
    fn lifetimes(&self, of: impl Fn(&Meant) -> Option<Option<u64>>) -> Vec<u64> {
        let found = self.directives.iter().filter_map(|(meant, _, _)| of(meant));
        found.map(Option::unwrap_or_default).collect()
    }

    /// Whether it is stored and fresh `seconds` after it was received, as RFC 9111 s3 and s4.2 read one after another.
    fn is_fresh(&self, seconds: u64) -> bool {
        let must_understand = self.says(|meant| matches!(meant, Meant::MustUnderstand));
        let is_unknown = [299, 599].contains(&self.status);
        if self.says(|meant| matches!(meant, Meant::Private | Meant::NoCache))
            || (self.says(|meant| matches!(meant, Meant::NoStore)) && !must_understand)
            || (must_understand && is_unknown)
            || [304, 416, 429].contains(&self.status)
        {
            return false;
        }
        let received = i64::try_from(RECEIVED.0).unwrap();
        let valid = |line: Option<Result<i64, &str>>| line?.ok().map(|offset| received + offset);
        let generated = valid(self.date).unwrap_or(received);
        let now = received + i64::try_from(seconds).unwrap();
        // Old by its date, or by what caches on the way say: both must leave it fresh.
        let told =
            i64::try_from(self.ages.iter().max().unwrap_or(&0) + self.delay + seconds).unwrap();
        let seen = (received - generated).max(0) + now - received;
        let is_younger = |lifetime: i64| told < lifetime && seen < lifetime;
        // None where there is no such directive.
        let all_younger = |lifetimes: Vec<u64>| {
            let is_each_younger = |lifetime: &u64| is_younger(i64::try_from(*lifetime).unwrap());
            (!lifetimes.is_empty()).then(|| lifetimes.iter().all(is_each_younger))
        };
        let shared = self.lifetimes(|meant| match meant {
            Meant::SMaxage(seconds) => Some(*seconds),
            _ => None,
        });
        let own = self.lifetimes(|meant| match meant {
            Meant::MaxAge(seconds) => Some(*seconds),
            _ => None,
        });
        if let Some(is_fresh) = all_younger(shared).or_else(|| all_younger(own)) {
            return is_fresh;
        }
        if self.expires.is_some() {
            let expires = valid(self.expires).filter(|_| !self.expires_again);
            return expires.is_some_and(|expires| is_younger(expires - generated));
        }
        let may_be_guessed = [200, 203, 204, 206, 301, 404, 410].contains(&self.status)
            || (self.says(|meant| matches!(meant, Meant::Public)) && !is_unknown);
        valid(self.last_modified).is_some_and(|changed| {
            may_be_guessed && is_younger((generated.min(received) - changed).max(0) / 10)
        })
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn rfc9111_s4_2_1_no_combination_makes_a_response_fresher_than_its_strictest_directive(
        response in any_response(),
        moments in proptest::collection::vec(0..250u64, 1..8),
    ) {
        let fields = response.fields();
        let received = Received {
            status: response.status,
            fields: &fields,
            request_time: UnixSeconds(RECEIVED.0 - response.delay),
            response_time: RECEIVED,
        };
        let rule = Overrides::default();
        let verdict = storability::judge(&request(&[]), &received, &rule);
        for seconds in moments {
            let is_fresh = match &verdict {
                Storability::Store(stored) => matches!(judged_plain(stored, seconds), Reuse::Fresh { .. }),
                Storability::Refuse(_) => false,
            };
            prop_assert_eq!(is_fresh, response.is_fresh(seconds), "{} s: {:?}", seconds, verdict);
        }
    }
}

/// Lines that decisions look at, with any octets in them.
fn any_lines() -> impl Strategy<Value = Fields> {
    let name = proptest::sample::select(
        &[
            "Cache-Control",
            "CDN-Cache-Control",
            "Pragma",
            "Age",
            "Date",
            "Expires",
            "Last-Modified",
            "ETag",
            "Vary",
            "Set-Cookie",
            "Connection",
            "Content-Range",
            "Authorization",
        ][..],
    );
    let directives = "((max-age|s-maxage|min-fresh|max-stale|stale-if-error|stale-while-revalidate)=\"?[0-9]{0,20}\"?,? ?){0,4}";
    let value = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..40),
        directives.prop_map(String::into_bytes),
        "[0-9]{0,22}".prop_map(String::into_bytes),
        "(public|private|no-cache|no-store|must-revalidate|must-understand|immutable)(=\"[a-z,]{0,9}\"?)?"
            .prop_map(String::into_bytes),
        (0..=u64::MAX).prop_map(|time| date::format(UnixSeconds(time)).to_vec()),
    ];
    proptest::collection::vec((name, value), 0..8).prop_map(|lines| lines.into_iter().collect())
}

fn any_rule() -> impl Strategy<Value = Overrides> {
    let ttl = || proptest::option::of(any::<u64>().prop_map(Duration::from_secs));
    let flags = any::<[bool; 5]>();
    (ttl(), ttl(), ttl(), ttl(), ttl(), any::<u32>(), flags).prop_map(
        |(
            default_ttl,
            min_ttl,
            max_ttl,
            stale_if_error,
            stale_while_revalidate,
            heuristic_permille,
            flags,
        )| Overrides {
            default_ttl,
            min_ttl,
            max_ttl,
            heuristic_permille,
            ignore_client_cache_control: flags[0],
            store_private: flags[1],
            store_no_store: flags[2],
            store_expired: flags[3],
            ignore_no_last_modified: flags[4],
            ignore_headers: vec!["etag".into()],
            set_cookie: if flags[0] {
                SetCookie::Strip
            } else {
                SetCookie::Store
            },
            negative_ttl: vec![NegativeTtl {
                first: 500,
                last: 503,
                ttl: default_ttl.unwrap_or_default(),
            }],
            stale_if_error,
            stale_while_revalidate,
            ..Overrides::default()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn whatever_comes_verdicts_hold_together(
        asked in any_lines(),
        fields in any_lines(),
        rule in any_rule(),
        status in prop_oneof![proptest::sample::select(&STATUSES[..]), any::<u16>()],
        times in any::<[u64; 2]>(),
        moments in (any::<u64>(), 0..5000u64),
        failure in prop_oneof![Just(Failure::Unreachable), any::<u16>().prop_map(Failure::Status)],
    ) {
        let asked = Asked::of(Method::Get, &asked);
        let received = Received {
            status,
            fields: &fields,
            request_time: UnixSeconds(times[0]),
            response_time: UnixSeconds(times[1]),
        };
        let directives = ResponseDirectives::of(&fields);
        let kept = stored_fields(&received, &directives, &rule);
        prop_assert_eq!(Fields::from_bytes(kept.as_bytes()), Some(kept));
        let stored = storability::facts(&asked, &received, &directives, &rule);
        if let Storability::Store(judged) = storability::judge(&asked, &received, &rule) {
            prop_assert_eq!(&*judged, &stored);
            prop_assert!(!asked.authorized || stored.shareable_with_authorization);
        }
        prop_assert!(stored.lifetime <= DELTA_MAX);
        let moments = [moments.0, received.response_time.0.saturating_add(moments.1)];
        for now in moments.map(UnixSeconds) {
            let age = stored.age(now);
            match judge(&asked, &stored, &rule, now) {
                Reuse::Fresh { ttl, .. } => prop_assert_eq!(stored.lifetime, age + ttl),
                Reuse::Stale { .. } | Reuse::WhileRevalidate { .. } => {
                    prop_assert!(!stored.is_fresh(now) && !stored.must_revalidate && !stored.no_cache);
                }
                Reuse::Revalidate(_) | Reuse::Refuse(_) | Reuse::OnlyIfCached504 => {}
            }
            match on_failure(&asked, &stored, &rule, now, failure) {
                Fallback::Stale { age: told, over, .. } => {
                    prop_assert_eq!(told, age);
                    prop_assert_eq!(over, age.saturating_sub(stored.lifetime));
                    prop_assert!(!stored.no_cache && (stored.is_fresh(now) || !stored.must_revalidate));
                }
                Fallback::None(_) => {}
            }
        }
    }

    #[test]
    fn rfc9111_s4_2_3_age_never_decreases_and_what_is_stale_stays_so(
        response in any_response(),
        (one, other) in any::<(u64, u64)>(),
        near in (0..400u64, 0..400u64),
    ) {
        let fields = response.fields();
        let received = Received {
            status: response.status,
            fields: &fields,
            request_time: RECEIVED,
            response_time: RECEIVED,
        };
        let directives = ResponseDirectives::of(&fields);
        let asked = request(&[]);
        let stored = storability::facts(&asked, &received, &directives, &Overrides::default());
        for (one, other) in [(one, other), (RECEIVED.0 + near.0, RECEIVED.0 + near.1)] {
            let (earlier, later) = (UnixSeconds(one.min(other)), UnixSeconds(one.max(other)));
            prop_assert!(stored.age(earlier) <= stored.age(later));
            prop_assert!(stored.is_fresh(earlier) || !stored.is_fresh(later));
            let judged = |now| judge(&asked, &stored, &Overrides::default(), now);
            prop_assert!(judged(earlier).age().is_some() || judged(later).age().is_none());
        }
    }
}
