//! Tests of the operator over an index without a server.

use serde_json::Value;

use super::explain::{ExplainOrder, Unexplained};
use super::listing::{Cursor, ListOrder};
use super::purge::{Meant, PurgeOrder, Unmeant};
use super::*;
use crate::cache::Moment;
use crate::http::fields::Fields;
use crate::index::response::{Making, Response};
use crate::index::sites::SiteRule;
use crate::policy::origin_rule::OriginRule;
use crate::policy::settings::{CacheRule, Overrides};
use crate::policy::stored::{LifetimeFrom, Mark, Stored};
use crate::policy::vary::{self, Names, Vary};
use crate::store::{Held, Object};
use crate::units::{MonoNanos, UnixSeconds};

const NOW: UnixSeconds = UnixSeconds(1_700_000_100);

/// An operator of an empty cache without sites.
pub(in crate::admin) fn operator() -> CacheOperator {
    CacheOperator::new(
        Stores::in_memory(Arc::new(Responses::new(1 << 20))),
        Arc::default(),
        Arc::default(),
    )
}

/// An operator of an empty cache with a default site and one for `based.test`, which shares its keys.
fn with_sites() -> CacheOperator {
    let rule = |path: &str, cache, overrides| CacheRule {
        path: path.as_bytes().into(),
        cache,
        overrides,
        ..CacheRule::default()
    };
    let site = |host: Option<&str>, rules| SiteRule {
        hosts: host.map(str::to_owned).into_iter().collect(),
        origin: Some(OriginRule::default()),
        rules,
        line: 7,
        ..SiteRule::default()
    };
    let stripping = Overrides {
        strip_query: vec!["sid".into()],
        ..Overrides::default()
    };
    let based = Overrides {
        key_base_url: Some("http://a.test".into()),
        ..Overrides::default()
    };
    let operator = operator();
    operator.set_sites(Arc::new(SiteTable::new(&[
        site(
            None,
            vec![
                rule("/strip", true, stripping),
                rule("/off", false, Overrides::default()),
            ],
        ),
        site(Some("based.test"), vec![rule("/", true, based)]),
    ])));
    operator
}

fn stored() -> Stored {
    Stored {
        status: 200,
        response_time: UnixSeconds(NOW.0 - 10),
        date: UnixSeconds(NOW.0 - 10),
        initial_age: 5,
        lifetime: 60,
        lifetime_from: LifetimeFrom::MaxAge,
        no_cache: false,
        must_revalidate: false,
        immutable: false,
        authorized: false,
        shareable_with_authorization: false,
        stale_while_revalidate: 0,
        stale_if_error: 0,
        etag: Some(b"\"a\""[..].into()),
        last_modified: None,
        invalidated: false,
    }
}

/// What is put into the cache.
struct Put {
    key: &'static str,
    stored: Stored,
    vary: &'static [(&'static str, &'static str)],
    tags: &'static [&'static str],
}

fn put(key: &'static str) -> Put {
    Put {
        key,
        stored: stored(),
        vary: &[],
        tags: &[],
    }
}

impl Put {
    fn into(self, operator: &CacheOperator) {
        let names: Vec<&str> = self.vary.iter().map(|(name, _)| *name).collect();
        let response: Fields = [("Vary", names.join(", "))].into_iter().collect();
        let request: Fields = self.vary.iter().copied().collect();
        let variant = match Names::of(&response) {
            Vary::By(names) => vary::selection(&names, &request).unwrap(),
            _ => Box::default(),
        };
        let response = Response::new(Making {
            key: self.key.as_bytes().into(),
            variant,
            stored: self.stored,
            fields: Fields::new(),
            upstream_status: Box::default(),
            object: Arc::new(Object::of_response(Held::Heap(b"hello"[..].into()), 5)),
            told_size: None,
            rule: Arc::default(),
            tags: self.tags.iter().map(|tag| tag.as_bytes().into()).collect(),
        });
        assert!(operator.responses.insert(Arc::new(response)).is_stored());
    }
}

fn order(meant: Meant) -> PurgeOrder {
    PurgeOrder {
        meant,
        mark: None,
        is_dry_run: false,
        keys_max: 10,
    }
}

fn purge(operator: &CacheOperator, meant: Meant) -> (u64, Vec<String>) {
    let purged = operator.purge(order(meant)).unwrap();
    (purged.purged, purged.keys)
}

fn url(text: &str) -> Meant {
    Meant::Url(text.to_owned())
}

fn prefix(text: &str) -> Meant {
    Meant::Prefix(text.to_owned())
}

#[test]
fn purge_by_url_means_all_variants_under_the_key_of_a_request() {
    let operator = with_sites();
    for language in [
        &[("accept-language", "de")][..],
        &[("accept-language", "en")],
    ] {
        Put {
            vary: language,
            ..put("http://a.test/x")
        }
        .into(&operator);
    }
    put("http://a.test/x?q").into(&operator);
    put("http://a.test/strip?a").into(&operator);
    assert_eq!(purge(&operator, url("http://a.test/y")).0, 0);
    let (count, keys) = purge(&operator, url("http://A.test:80/./x"));
    assert_eq!((count, keys.len()), (2, 2));
    assert_eq!(purge(&operator, url("http://a.test/strip?sid=1&a")).0, 1);
    assert_eq!(operator.index_stats().values, 1);
}

#[test]
fn purge_by_url_where_there_are_many_profiles_leaves_fills_of_other_urls_alone() {
    let operator = with_sites();
    let names = (0..3000).map(|number| number.to_string().into_bytes().into());
    let sites = operator.sites.load().as_ref().clone();
    operator.set_sites(Arc::new(sites.with_scopes(names)));
    let began = operator.responses.epoch();
    for made_stale in ["http://a.test/strip?sid=1", "https://based.test/x"] {
        purge(&operator, url(made_stale));
    }
    let is_purged = |url: &str, scope: u16| {
        let key = key::in_scope(url.as_bytes(), scope.to_string().as_bytes());
        let responses = &operator.responses;
        responses.is_purged_since(&key, std::iter::empty(), began)
    };
    let meant = ["http://a.test/x", "http://a.test/strip"];
    assert!((0..100).all(|number| meant.iter().all(|url| is_purged(url, number))));
    let is_stored = |number: &u16| !is_purged(&format!("http://a.test/{number}"), *number);
    let stored = (0..100).filter(is_stored).count();
    // Some may share a place with one of the keys that were purged.
    assert!(stored > 90, "{stored} of 100");
}

#[test]
fn purge_by_url_of_one_host_means_the_key_that_hosts_share() {
    let operator = with_sites();
    put("http://a.test/x").into(&operator);
    assert_eq!(purge(&operator, url("http://based.test/x")).0, 1);
    put("http://a.test/dir/x").into(&operator);
    assert_eq!(purge(&operator, prefix("http://based.test/dir/")).0, 1);
}

#[test]
fn purge_by_prefix_means_what_begins_so() {
    let operator = with_sites();
    for key in [
        "http://a.test/images/1",
        "http://a.test/images/2?x",
        "http://a.test/imagesx",
        "http://a.test.evil/images/1",
        "http://a.test:8080/images/1",
    ] {
        put(key).into(&operator);
    }
    let (count, mut keys) = purge(&operator, prefix("http://a.test/images/"));
    keys.sort();
    assert_eq!(count, 2);
    assert_eq!(keys, ["http://a.test/images/1", "http://a.test/images/2?x"]);
    assert_eq!(purge(&operator, prefix("http://a.test")).0, 1);
    let refused = operator.purge(order(prefix("http://a.test/strip?a")));
    assert_eq!(
        refused.unwrap_err(),
        Unmeant::QueryInPrefix("/strip".to_owned())
    );
    let refused = operator.purge(order(prefix("a.test/")));
    assert!(matches!(refused, Err(Unmeant::NoUrl(_))));
}

#[test]
fn purge_by_tag_and_of_everything() {
    let operator = with_sites();
    for (key, tags) in [
        ("http://a.test/1", &["red", "round"][..]),
        ("http://a.test/2", &["red"]),
        ("http://a.test/3", &["reddish"]),
    ] {
        Put { tags, ..put(key) }.into(&operator);
    }
    assert_eq!(purge(&operator, Meant::Tag("round".to_owned())).0, 1);
    assert_eq!(purge(&operator, Meant::Tag("red".to_owned())).0, 1);
    assert_eq!(purge(&operator, Meant::All(true)).0, 1);
    assert_eq!(operator.index_stats().values, 0);
}

#[test]
fn dry_run_counts_and_changes_nothing_and_a_soft_purge_marks() {
    let operator = with_sites();
    for key in ["http://a.test/1", "http://a.test/2", "http://a.test/3"] {
        put(key).into(&operator);
    }
    let dry = PurgeOrder {
        is_dry_run: true,
        keys_max: 2,
        ..order(prefix("http://a.test/"))
    };
    let told = operator.purge(dry).unwrap();
    assert_eq!((told.purged, told.keys.len()), (3, 2));
    let soft = PurgeOrder {
        mark: Some(Mark::Stale(NOW)),
        ..order(url("http://a.test/1"))
    };
    assert_eq!(operator.purge(soft).unwrap().purged, 1);
    assert_eq!(operator.index_stats().values, 3);
    let stale = ListOrder {
        is_stale: true,
        ..ListOrder::default()
    };
    let listing = operator.list(&stale, NOW).unwrap();
    assert_eq!(listing.responses.len(), 1);
    assert!(!listing.responses[0].invalidated && !listing.responses[0].fresh);
    assert_eq!(listing.responses[0].key, "http://a.test/1");
}

#[test]
fn listing_goes_page_by_page_and_shows_each_response_once() {
    let operator = with_sites();
    let keys = [
        "http://a.test/1",
        "http://a.test/2",
        "http://a.test/3",
        "http://a.test/4",
        "http://b.test/5",
    ];
    for key in keys {
        Put {
            tags: &["t", "a\0g"],
            ..put(key)
        }
        .into(&operator);
    }
    let mut order = ListOrder {
        prefix: Some("http://a.test/".to_owned()),
        tag: Some("t".to_owned()),
        limit: 3,
        ..ListOrder::default()
    };
    let first = operator.list(&order, NOW).unwrap();
    assert_eq!(first.responses.len(), 3);
    order.after = Cursor::parse(&first.next.unwrap());
    let last = operator.list(&order, NOW).unwrap();
    assert_eq!(last.next, None);
    let lines = first.responses.iter().chain(&last.responses);
    let mut seen: Vec<&str> = lines.map(|line| line.key.as_str()).collect();
    seen.sort_unstable();
    assert_eq!(seen, keys[..4]);
    let line = &first.responses[0];
    assert_eq!((line.age, line.ttl, line.size), (15, 45, Some(5)));
    assert_eq!(line.tags, ["t"]);
    order.tag = Some("u".to_owned());
    order.after = None;
    assert!(operator.list(&order, NOW).unwrap().responses.is_empty());
}

fn explain(operator: &CacheOperator, url: &str, fields: &[&str]) -> Value {
    let order = ExplainOrder {
        url: url.to_owned(),
        fields: fields.iter().map(|line| (*line).to_owned()).collect(),
    };
    let now = Moment {
        mono: MonoNanos(1),
        wall: NOW,
    };
    let told = operator.explain(&order, now).unwrap();
    assert!(told.to_string().contains("verdict"), "{told}");
    serde_json::to_value(told).unwrap()
}

#[test]
fn hit_is_explained_with_its_numbers_and_changes_nothing() {
    let operator = with_sites();
    put("http://a.test/x").into(&operator);
    let told = explain(&operator, "http://a.test/x", &["Accept: */*"]);
    assert_eq!(told["key"], "http://a.test/x");
    assert_eq!(told["site"]["line"], 7);
    assert_eq!(told["variants"][0]["chosen"], true);
    let freshness = &told["freshness"];
    assert_eq!(freshness["lifetime"], 60);
    assert_eq!(freshness["lifetime_from"], "max-age");
    assert_eq!(freshness["initial_age"], 5);
    assert_eq!(freshness["resident"], 10);
    assert_eq!(freshness["age"], 15);
    assert_eq!(freshness["ttl"], 45);
    assert_eq!(told["verdict"]["name"], "fresh");
    assert_eq!(told["verdict"]["status"], 200);
    let status = "hotplate; hit; ttl=45; detail=max-age";
    assert_eq!(told["verdict"]["cache_status"], status);
    let listing = operator.list(&ListOrder::default(), NOW).unwrap();
    assert_eq!(listing.responses[0].uses, 0);
}

#[test]
fn conditional_and_ranged_requests_are_explained_by_their_status() {
    let operator = with_sites();
    put("http://a.test/x").into(&operator);
    for (field, status) in [
        ("If-None-Match: \"a\"", 304),
        ("If-Match: \"b\"", 412),
        ("Range: bytes=0-1", 206),
        ("Range: bytes=9-", 416),
    ] {
        let told = explain(&operator, "http://a.test/x", &[field]);
        assert_eq!(told["verdict"]["status"], status, "{field}");
    }
}

#[test]
fn request_directives_and_authorization_are_told_with_their_verdicts() {
    let operator = with_sites();
    put("http://a.test/x").into(&operator);
    for (field, name, status) in [
        (
            "Cache-Control: no-cache",
            "request-no-cache",
            "hotplate; fwd=request; detail=request-no-cache",
        ),
        (
            "Cache-Control: max-age=3",
            "request-max-age",
            "hotplate; fwd=request; detail=request-max-age",
        ),
        (
            "Pragma: no-cache",
            "request-pragma",
            "hotplate; fwd=request; detail=request-pragma",
        ),
        (
            "Authorization: Basic x",
            "authorization",
            "hotplate; fwd=request; detail=authorization",
        ),
        (
            "Cache-Control: no-store",
            "fresh",
            "hotplate; hit; ttl=45; detail=max-age",
        ),
        (
            "Cache-Control: only-if-cached, no-cache",
            "only-if-cached",
            "hotplate; detail=only-if-cached",
        ),
    ] {
        let told = explain(&operator, "http://a.test/x", &[field]);
        assert_eq!(told["verdict"]["name"], name, "{field}");
        assert_eq!(told["verdict"]["cache_status"], status, "{field}");
    }
    let told = explain(&operator, "http://a.test/x", &["Cache-Control: max-age=3"]);
    assert_eq!(
        told["request"]["directives"][0],
        "max-age: no older than 3 s"
    );
}

#[test]
fn stale_response_is_explained_with_what_happens_where_the_origin_fails() {
    let operator = with_sites();
    let mut old = stored();
    old.lifetime = 12;
    old.stale_if_error = 100;
    Put {
        stored: old.clone(),
        ..put("http://a.test/old")
    }
    .into(&operator);
    let told = explain(&operator, "http://a.test/old", &[]);
    assert_eq!(told["freshness"]["ttl"], -3);
    assert_eq!(told["verdict"]["answered_by"], "origin");
    let status = "hotplate; fwd=stale; detail=max-age";
    assert_eq!(told["verdict"]["cache_status"], status);
    let then = told["verdict"]["then"].to_string();
    assert!(then.contains("a 304 keeps it"), "{then}");
    assert!(then.contains("stands in for the origin"), "{then}");
    old.stale_while_revalidate = 30;
    Put {
        stored: old,
        ..put("http://a.test/swr")
    }
    .into(&operator);
    let told = explain(&operator, "http://a.test/swr", &[]);
    assert_eq!(told["verdict"]["name"], "stale-while-revalidate");
    assert_eq!(told["verdict"]["status"], 200);
}

#[test]
fn miss_by_vary_names_the_field_and_other_misses_the_reason() {
    let operator = with_sites();
    Put {
        vary: &[("accept-language", "de")],
        ..put("http://a.test/x")
    }
    .into(&operator);
    let told = explain(&operator, "http://a.test/x", &["Accept-Language: en"]);
    assert_eq!(told["variants"][0]["differs_by"], "accept-language");
    assert_eq!(told["variants"][0]["fields"]["accept-language"], "de");
    assert_eq!(told["verdict"]["name"], "vary-miss");
    assert_eq!(told["freshness"], Value::Null);
    for (url, name) in [
        ("http://a.test/none", "uri-miss"),
        ("http://a.test/off/x", "bypass"),
    ] {
        let told = explain(&operator, url, &[]);
        assert_eq!(told["verdict"]["name"], name);
        assert_eq!(told["verdict"]["answered_by"], "origin");
    }
    let told = explain(
        &operator,
        "http://a.test/none",
        &["Cache-Control: no-store"],
    );
    let then = told["verdict"]["then"].to_string();
    assert!(then.contains("the request says no-store"), "{then}");
}

#[test]
fn url_without_a_site_is_not_found_and_no_request_is_not_explained() {
    let told = explain(&operator(), "http://a.test/x", &[]);
    assert_eq!(told["verdict"]["status"], 404);
    let now = Moment {
        mono: MonoNanos(1),
        wall: NOW,
    };
    for (field, is_field) in [
        ("Host: b", false),
        ("a b: c", false),
        ("x", false),
        ("a: b", true),
    ] {
        let order = ExplainOrder {
            url: "http://a.test/".to_owned(),
            fields: vec![field.to_owned()],
        };
        let told = operator().explain(&order, now);
        assert_eq!(told.is_ok(), is_field, "{field}");
        assert!(
            is_field || told.is_err_and(|error| error == Unexplained::NoField(field.to_owned()))
        );
    }
}

#[test]
fn key_with_a_scope_is_told_with_it() {
    assert_eq!(key_text(b"\0\x02\0s3http://a/"), "{s3}http://a/");
    assert_eq!(key_text(b"http://a/"), "http://a/");
}
