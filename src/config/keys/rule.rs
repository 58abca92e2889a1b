//! The keys of `[[site.rule]]`.

use std::time::Duration;

use super::super::shape::{Key, Setter, Shape, Table};
use super::super::{origin_url, rule_values};
use super::{key, needed};
use crate::policy::settings::{CacheRule, SetCookie, Tier};

/// Most ignored fields, and most ignored parameters, of a rule.
const NAMES_MAX: usize = 64;
/// Most entries of a rule's `negative_ttl`.
const STATUSES_MAX: usize = 32;

/// `[[site.rule]]`
pub(in crate::config) static RULE: Table<CacheRule> = Table {
    name: "site.rule",
    written: "[[site.rule]]",
    keys: &[
        needed(
            "path",
            "URL path that the rule is for, with all below it; the rule with the longest path that fits counts, alone.",
            Shape::Text {
                accepts: "a URL path, such as \"/images/\"",
                set: |rule, text, _| {
                    rule.path = rule_values::path(text)?;
                    Ok(())
                },
            },
        ),
        flag(
            "cache",
            "true",
            "Whether responses are stored; false: every request goes to the origin.",
            |rule| &mut rule.cache,
        ),
        key(
            "tiers",
            r#"["memory", "disk"]"#,
            "Where responses may be stored, in this order; a store that is off is passed over.",
            Shape::Choices {
                words: &[
                    ("memory", |rule| rule.tiers.push(Tier::Memory)),
                    ("disk", |rule| rule.tiers.push(Tier::Disk)),
                ],
                clear: |rule| rule.tiers.clear(),
            },
        ),
        lifetime(
            "default_ttl",
            "Lifetime of a response that states none and has no Last-Modified to estimate one from.",
            |rule| &mut rule.overrides.default_ttl,
        ),
        lifetime(
            "min_ttl",
            "No lifetime is shorter; never applies to no-store, private or no-cache.",
            |rule| &mut rule.overrides.min_ttl,
        ),
        lifetime("max_ttl", "No lifetime is longer, stated or not.", |rule| {
            &mut rule.overrides.max_ttl
        }),
        key(
            "heuristic_factor",
            "0.1",
            "Lifetime of a response that states none, as a part of the time since its Last-Modified (RFC 9111 s4.2.2).",
            Shape::Part(|rule| &mut rule.overrides.heuristic_permille),
        ),
        flag(
            "ignore_client_cache_control",
            "false",
            "Clients' no-cache, no-store, max-age, min-fresh and Pragma are not heeded: no reload reaches the origin.",
            |rule| &mut rule.overrides.ignore_client_cache_control,
        ),
        flag(
            "store_private",
            "false",
            "Stores responses marked private, and sends one user's to all. Only where the mark is known to be wrong.",
            |rule| &mut rule.overrides.store_private,
        ),
        flag(
            "store_no_store",
            "false",
            "Stores responses marked no-store, on disk too. Only where the mark is known to be wrong.",
            |rule| &mut rule.overrides.store_no_store,
        ),
        flag(
            "store_expired",
            "false",
            "Stores responses that are stale already even without a validator.",
            |rule| &mut rule.overrides.store_expired,
        ),
        flag(
            "ignore_no_last_modified",
            "false",
            "Stores 200 responses with neither validator nor lifetime; default_ttl is then their lifetime.",
            |rule| &mut rule.overrides.ignore_no_last_modified,
        ),
        names(
            "ignore_headers",
            "Response fields that are not stored; one that a response varies by is kept all the same.",
            "a field name, such as \"X-Request-Id\", of a field that can be missed",
            |rule| rule.overrides.ignore_headers.clear(),
            |rule, text, _| {
                let name = rule_values::ignored_field(text)?;
                rule.overrides.ignore_headers.push(name);
                Ok(())
            },
        ),
        names_by_default(
            "vary_refuse",
            r#"["Cookie", "Referer", "User-Agent"]"#,
            "Request fields with a value for nearly each client: what varies by one is stored for requests without it alone.",
            "a field name, such as \"User-Agent\"",
            |rule| rule.overrides.vary_refuse.clear(),
            |rule, text, _| {
                let name = rule_values::field_name(text)?;
                rule.overrides.vary_refuse.push(name);
                Ok(())
            },
        ),
        flag(
            "ignore_query",
            "false",
            "One response for all queries of a path.",
            |rule| &mut rule.overrides.ignore_query,
        ),
        names(
            "strip_query",
            "Query parameters that make no difference: session ids, signatures, campaign marks.",
            "a parameter's name, such as \"utm_source\", or \"utm_*\" for all that start so",
            |rule| rule.overrides.strip_query.clear(),
            |rule, text, _| {
                let name = rule_values::parameter(text)?;
                rule.overrides.strip_query.push(name);
                Ok(())
            },
        ),
        key(
            "set_cookie",
            r#""refuse""#,
            "Responses with Set-Cookie: not stored, stored without the field, or stored and the cookie sent to all.",
            Shape::Choice(&[
                ("refuse", |rule| {
                    rule.overrides.set_cookie = SetCookie::Refuse
                }),
                ("strip", |rule| rule.overrides.set_cookie = SetCookie::Strip),
                ("store", |rule| rule.overrides.set_cookie = SetCookie::Store),
            ]),
        ),
        key(
            "negative_ttl",
            "{}",
            "Lifetimes of errors that state none, by status; the narrowest range that fits counts.",
            Shape::Statuses {
                max: STATUSES_MAX,
                clear: |rule| rule.overrides.negative_ttl.clear(),
                add: |rule, text, ttl| {
                    let entries = &mut rule.overrides.negative_ttl;
                    Ok(rule_values::add_negative_ttl(entries, text, ttl)?)
                },
            },
        ),
        lifetime(
            "stale_if_error",
            "How long a stale response stands in for a failing origin, where it does not say itself (RFC 5861 s4).",
            |rule| &mut rule.overrides.stale_if_error,
        ),
        lifetime(
            "stale_while_revalidate",
            "How long a stale response is sent while a newer one is fetched, where it does not say itself (RFC 5861 s3).",
            |rule| &mut rule.overrides.stale_while_revalidate,
        ),
        key(
            "key_base_url",
            r#""""#,
            "Stands for scheme, host and port in the key, so that several hosts share what is stored.",
            Shape::Text {
                accepts: "a scheme and a host, such as \"http://media.example.com\", or \"\"",
                set: |rule, text, _| {
                    rule.overrides.key_base_url = origin_url::key_base(text)?;
                    Ok(())
                },
            },
        ),
        flag(
            "x_cache",
            "false",
            "Answers have X-Cache and X-Cache-Detail too, beside Cache-Status.",
            |rule| &mut rule.overrides.x_cache,
        ),
    ],
    inner: &[],
};

const fn flag(
    name: &'static str,
    default: &'static str,
    help: &'static str,
    slot: fn(&mut CacheRule) -> &mut bool,
) -> Key<CacheRule> {
    key(name, default, help, Shape::Flag(slot))
}

const fn lifetime(
    name: &'static str,
    help: &'static str,
    slot: fn(&mut CacheRule) -> &mut Option<Duration>,
) -> Key<CacheRule> {
    key(name, r#""""#, help, Shape::Lifetime(slot))
}

const fn names(
    name: &'static str,
    help: &'static str,
    accepts: &'static str,
    clear: fn(&mut CacheRule),
    add: Setter<CacheRule>,
) -> Key<CacheRule> {
    names_by_default(name, "[]", help, accepts, clear, add)
}

const fn names_by_default(
    name: &'static str,
    default: &'static str,
    help: &'static str,
    accepts: &'static str,
    clear: fn(&mut CacheRule),
    add: Setter<CacheRule>,
) -> Key<CacheRule> {
    let shape = Shape::List {
        accepts,
        lone: false,
        min: 0,
        max: NAMES_MAX,
        clear,
        add,
    };
    key(name, default, help, shape)
}
