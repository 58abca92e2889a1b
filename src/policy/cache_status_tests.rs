//! Cache-Status and X-Cache as text.

use proptest::prelude::*;
use sfv::{BareItem, ListEntry, Parser};

use super::*;

fn text(status: &CacheStatus) -> String {
    let mut out = Vec::new();
    status.append_value(&mut out);
    String::from_utf8(out).unwrap()
}

fn forwarded(fwd: Forward) -> CacheStatus {
    CacheStatus::forwarded(fwd, "")
}

#[test]
fn rfc9211_s2_members_as_in_the_examples_of_s3() {
    let table = [
        (CacheStatus::hit(376, ""), "hotplate; hit; ttl=376"),
        (CacheStatus::hit(-412, ""), "hotplate; hit; ttl=-412"),
        (
            CacheStatus::hit(0, "max-age"),
            "hotplate; hit; ttl=0; detail=max-age",
        ),
        (forwarded(Forward::UriMiss), "hotplate; fwd=uri-miss"),
        (
            CacheStatus {
                fwd_status: Some(304),
                ..forwarded(Forward::Stale)
            },
            "hotplate; fwd=stale; fwd-status=304",
        ),
        (
            CacheStatus {
                collapsed: Some(true),
                stored: true,
                ..forwarded(Forward::UriMiss)
            },
            "hotplate; fwd=uri-miss; collapsed; stored",
        ),
        (
            CacheStatus {
                collapsed: Some(false),
                ..forwarded(Forward::UriMiss)
            },
            "hotplate; fwd=uri-miss; collapsed=?0",
        ),
        (CacheStatus::default(), "hotplate"),
    ];
    for (status, expected) in table {
        assert_eq!(text(&status), expected);
    }
}

#[test]
fn rfc9211_s2_2_every_reason_has_its_token() {
    let tokens = [
        (Forward::Bypass, "bypass"),
        (Forward::Method, "method"),
        (Forward::UriMiss, "uri-miss"),
        (Forward::VaryMiss, "vary-miss"),
        (Forward::Miss, "miss"),
        (Forward::Request, "request"),
        (Forward::Stale, "stale"),
        (Forward::Partial, "partial"),
    ];
    for (forward, token) in tokens {
        assert_eq!(forward.token(), token);
    }
}

#[test]
fn rfc9211_s2_3_what_needs_fwd_is_left_out_without_it() {
    let status = CacheStatus {
        fwd_status: Some(304),
        stored: true,
        collapsed: Some(true),
        ..CacheStatus::hit(1, "")
    };
    assert_eq!(text(&status), "hotplate; hit; ttl=1");
}

#[test]
fn line_is_written_without_growing_a_buffer_that_has_room() {
    let mut out = Vec::with_capacity(128);
    let before = out.as_ptr();
    CacheStatus::hit(12, "max-age").append_line(&mut out);
    assert_eq!(
        out,
        b"Cache-Status: hotplate; hit; ttl=12; detail=max-age\r\n"
    );
    assert_eq!(out.as_ptr(), before);
}

#[test]
fn x_cache_says_what_mod_cache_would() {
    let answered = |fwd, fwd_status, stored| CacheStatus {
        fwd_status,
        stored,
        ..forwarded(fwd)
    };
    let table = [
        (CacheStatus::hit(1, ""), Some(XCache::Hit)),
        (CacheStatus::hit(-1, ""), Some(XCache::StaleHit)),
        (
            answered(Forward::Stale, Some(304), true),
            Some(XCache::Revalidated),
        ),
        (
            answered(Forward::Stale, Some(503), false),
            Some(XCache::StaleHit),
        ),
        (
            answered(Forward::UriMiss, Some(503), false),
            Some(XCache::NotSaved),
        ),
        (answered(Forward::Stale, None, true), Some(XCache::Saved)),
        (answered(Forward::UriMiss, None, true), Some(XCache::Saved)),
        (
            answered(Forward::Partial, Some(206), true),
            Some(XCache::Saved),
        ),
        (
            answered(Forward::VaryMiss, None, false),
            Some(XCache::NotSaved),
        ),
        (answered(Forward::Bypass, None, false), None),
        (answered(Forward::Method, None, false), None),
        (CacheStatus::default(), None),
    ];
    for (status, expected) in table {
        assert_eq!(status.x_cache(), expected, "{status:?}");
    }
    let mut out = Vec::new();
    XCache::Revalidated.append_lines(&mut out, b"h");
    let expected = "X-Cache: REVALIDATE from h\r\nX-Cache-Detail: \"conditional cache hit: entity refreshed\" from h\r\n";
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

proptest! {
    #[test]
    fn rfc9211_s2_every_member_parses_as_a_structured_field_and_joins_an_upstreams_list(
        hit in any::<bool>(),
        fwd_status in proptest::option::of(100_u16..600),
        stored in any::<bool>(),
        collapsed in proptest::option::of(any::<bool>()),
        ttl in proptest::option::of(any::<i64>()),
        detail in proptest::sample::select(vec!["", "max-age", "a1"]),
    ) {
        let fwd = (!hit).then_some(Forward::Stale);
        let status = CacheStatus { hit, fwd, fwd_status, stored, collapsed, ttl, detail };
        let list = format!("OriginCache; hit; ttl=1100, {}", text(&status));
        let members: sfv::List = Parser::new(&list).parse().unwrap();
        prop_assert_eq!(members.len(), 2);
        let ListEntry::Item(own) = &members[1] else { panic!("an item") };
        prop_assert!(matches!(&own.bare_item, BareItem::Token(name) if name.as_str() == "hotplate"));
        let parameter = |name: &str| own.params.get(name).cloned();
        prop_assert_eq!(parameter("hit").is_some(), hit);
        prop_assert_eq!(parameter("stored").is_some(), stored && !hit);
        prop_assert_eq!(parameter("ttl").is_some(), ttl.is_some());
        prop_assert_eq!(parameter("collapsed"), collapsed.filter(|_| !hit).map(BareItem::Boolean));
    }
}
