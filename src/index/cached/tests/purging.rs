//! Purges: what they mean, and fills that were begun before them.

use super::*;

fn filled() -> CachedIndex<Response> {
    let index = index(1_000_000);
    for (number, key) in (0..).zip(["/a/1", "/a/2", "/b/1"]) {
        for variant in ["x", "y"] {
            let tags: &[&str] = if variant == "x" {
                &["red"]
            } else {
                &["red", key]
            };
            let response = Response::new(key).variant(variant).tags(tags);
            store(&index, response.number(number));
        }
    }
    index
}

fn keys(index: &CachedIndex<Response>) -> Vec<String> {
    let all = index.list(None, usize::MAX, |_| true);
    let mut keys: Vec<String> = all
        .iter()
        .map(|it| format!("{}{}", it.key.escape_ascii(), it.variant.escape_ascii()))
        .collect();
    keys.sort();
    keys
}

#[test]
fn hard_purge_removes_what_its_matcher_means_and_nothing_else() {
    for (matcher, left, count) in [
        (Matcher::All, &[][..], 6),
        (
            Matcher::Key(b"/a/1"),
            &["/a/2x", "/a/2y", "/b/1x", "/b/1y"],
            2,
        ),
        (Matcher::Prefix(b"/a/"), &["/b/1x", "/b/1y"], 4),
        (Matcher::Prefix(b""), &[], 6),
        (Matcher::Tag(b"red"), &[], 6),
        (
            Matcher::Tag(b"/a/2"),
            &["/a/1x", "/a/1y", "/a/2x", "/b/1x", "/b/1y"],
            1,
        ),
        (
            Matcher::Tag(b"blue"),
            &["/a/1x", "/a/1y", "/a/2x", "/a/2y", "/b/1x", "/b/1y"],
            0,
        ),
    ] {
        let index = filled();
        assert_eq!(index.purge(&matcher, |_| None).count, count, "{matcher:?}");
        assert_eq!(keys(&index), left, "{matcher:?}");
        let stats = index.stats();
        assert_eq!(stats.counts.purged + stats.counts.removed, count);
        assert_eq!(stats.values, left.len() as u64);
    }
}

#[test]
fn soft_purge_marks_values_which_keep_their_place_tags_and_uses() {
    let index = filled();
    let before: Vec<_> = index.list(None, usize::MAX, |_| true);
    before.iter().for_each(|it| it.uses.bump());
    let purge = index.purge(&Matcher::Tag(b"red"), |it| Some(it.stale()));
    assert_eq!((purge.count, purge.evicted.len()), (6, 0));
    let found = index.find(b"/a/1").unwrap();
    let variants: Vec<_> = found.iter().map(|it| it.variant.clone()).collect();
    assert_eq!(variants, [b"y", b"x"]);
    assert!(found.iter().all(|it| it.is_stale && it.uses.count() == 1));
    // What was there before can't be freshened by who still has it.
    let fresh = Response::new("/a/1").variant("x").shared();
    let old = before.iter().find(|it| it.variant == b"x").unwrap();
    assert_eq!(index.replace(old, &fresh).outcome, Outcome::NotThere);
    assert_eq!(index.purge(&Matcher::Tag(b"red"), |_| None).count, 6);
    assert_eq!(index.stats().values, 0);
}

#[test]
fn mark_of_another_key_or_too_large_removes_the_value() {
    let index = filled();
    let other = |_: &Arc<Response>| Some(Response::new("/other").shared());
    assert_eq!(index.purge(&Matcher::Key(b"/a/1"), other).count, 2);
    let vast = |it: &Arc<Response>| {
        let mut vast = Arc::into_inner(it.stale()).unwrap();
        vast.weight = u64::MAX;
        Some(vast.shared())
    };
    assert_eq!(index.purge(&Matcher::Key(b"/a/2"), vast).count, 2);
    assert_eq!(keys(&index), ["/b/1x", "/b/1y"]);
}

#[test]
fn marks_that_weigh_more_make_others_go() {
    let index = index(60_000);
    for number in 0..40 {
        store(&index, Response::new(&format!("key{number}")).weight(1000));
    }
    let purge = index.purge(&Matcher::All, |it| {
        let mut heavier = Arc::into_inner(it.stale()).unwrap();
        heavier.weight = 4000;
        Some(heavier.shared())
    });
    let stats = index.stats();
    assert!(stats.bytes <= stats.cap_bytes);
    assert!(!purge.evicted.is_empty());
    assert_eq!(stats.values + purge.evicted.len() as u64, 40);
    let left = index.list(None, usize::MAX, |_| true);
    assert!(left.iter().all(|it| it.is_stale));
}

#[test]
fn fill_begun_before_a_purge_is_refused_where_the_purge_means_it() {
    for (matcher, is_refused) in [
        (Matcher::All, true),
        (Matcher::Key(b"/a/1"), true),
        (Matcher::Key(b"/a"), false),
        (Matcher::Prefix(b"/a/"), true),
        (Matcher::Prefix(b"/a/12"), false),
        (Matcher::Tag(b"green"), true),
        (Matcher::Tag(b"red"), false),
    ] {
        let index = index(100_000);
        let began = index.epoch();
        assert_eq!(index.purge(&matcher, |_| None).count, 0);
        let fill = || Response::new("/a/1").tags(&["blue", "green"]).shared();
        let expected = if is_refused {
            Outcome::Purged
        } else {
            Outcome::Stored
        };
        let inserted = index.insert_since(fill(), began);
        assert_eq!(inserted.outcome, expected, "{matcher:?}");
        assert_eq!(index.find(b"/a/1").is_some(), !is_refused);
        assert_eq!(index.stats().counts.refused_purged, u64::from(is_refused));
        // One that was begun afterwards is not.
        assert!(index.insert_since(fill(), index.epoch()).is_stored());
    }
}

#[test]
fn fill_older_than_the_prefixes_that_are_remembered_is_refused() {
    let index = index(1_000_000);
    let before = index.epoch();
    for number in 0..=PREFIXES_MAX {
        index.purge(&Matcher::Prefix(format!("/{number}/").as_bytes()), |_| None);
    }
    let fill = || Response::new("/other").shared();
    assert_eq!(index.insert_since(fill(), before).outcome, Outcome::Purged);
    let after_the_first = Epoch(before.0 + 1);
    assert!(index.insert_since(fill(), after_the_first).is_stored());
}

#[test]
fn long_prefixes_that_are_remembered_count_against_the_cap() {
    let index = index(1_000_000);
    let before = index.stats().bytes;
    for number in 0..2 * PREFIXES_MAX {
        let prefix = format!("/{number:0>1000}/");
        index.purge(&Matcher::Prefix(prefix.as_bytes()), |_| None);
    }
    let taken = index.stats().bytes - before;
    assert_eq!(taken, PREFIXES_MAX as u64 * heap_bytes(1002));
}

/// A key as the credential profile `scope` has it.
fn scoped(url: &str, scope: u64) -> Response {
    let mut response = Response::new(url);
    response.key = crate::policy::key::in_scope(url.as_bytes(), scope.to_string().as_bytes());
    response
}

#[test]
fn purge_of_one_url_in_many_scopes_refuses_fills_of_that_url_alone() {
    const SCOPES: u64 = 20_000;
    for (meant, is_prefix) in [("http://a/b/1", false), ("http://a/b/", true)] {
        let index = index(1_000_000);
        let (before, began) = (index.stats().bytes, index.epoch());
        for scope in 0..SCOPES {
            let name = scoped(meant, scope).key;
            let matcher = match is_prefix {
                true => Matcher::Prefix(&name),
                false => Matcher::Key(&name),
            };
            index.purge(&matcher, |_| None);
        }
        assert!(index.stats().bytes - before <= heap_bytes(meant.len()));
        for scope in [0, 1, SCOPES - 1, SCOPES] {
            let meant = scoped("http://a/b/1", scope).shared();
            let inserted = index.insert_since(meant, began);
            assert_eq!(inserted.outcome, Outcome::Purged, "{scope}");
        }
        let others = 100;
        let is_stored = |number: &u64| {
            let other = scoped(&format!("http://a/{number}"), number % 3).shared();
            index.insert_since(other, began).is_stored()
        };
        let stored = (0..others).filter(is_stored).count();
        // One of them may have the place of what was purged.
        assert!(stored > 90, "{stored} of {others}");
    }
}

#[test]
fn purge_of_a_whole_scope_refuses_fills_of_that_scope_alone() {
    let index = index(1_000_000);
    let began = index.epoch();
    let whole = crate::policy::key::in_scope(b"", b"7");
    index.purge(&Matcher::Prefix(&whole), |_| None);
    let purged = index.insert_since(scoped("http://a/", 7).shared(), began);
    assert_eq!(purged.outcome, Outcome::Purged);
    for other in [scoped("http://a/", 8), Response::new("http://a/")] {
        assert!(index.insert_since(other.shared(), began).is_stored());
    }
}

/// A file that takes the place of what it makes invalid, in several steps between which others may purge.
#[test]
fn claim_outlives_its_own_purges_and_no_other() {
    let is_refused = |index: &CachedIndex<Response>, claim: &Claim| {
        let none = std::iter::empty();
        claim
            .began()
            .is_none_or(|began| index.is_purged_since(claim.key(), none, began))
    };
    let own = |index: &CachedIndex<Response>, claim: &mut Claim| {
        for matcher in [Matcher::Key(b"/a/1"), Matcher::Key(b"/a/2")] {
            index.purge_for(Some(&mut *claim), &matcher, |_| None);
        }
    };
    let others = [
        (Matcher::All, true),
        (Matcher::Key(b"/a/1"), true),
        (Matcher::Prefix(b"/a/"), true),
        (Matcher::Prefix(b"/b/"), false),
        (Matcher::Tag(b"red"), false),
    ];
    for (other, refuses) in others {
        for when in 0..4 {
            let index = filled();
            let mut claim = Claim::new(b"/a/1"[..].into(), index.epoch());
            for step in 0..3 {
                if step == when {
                    index.purge(&other, |_| None);
                }
                own(&index, &mut claim);
            }
            assert!(!is_refused(&index, &claim) || refuses && when < 3);
            if when == 3 {
                index.purge(&other, |_| None);
            }
            assert_eq!(is_refused(&index, &claim), refuses, "{other:?} at {when}");
        }
    }
}
