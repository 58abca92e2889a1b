//! Which rule a path has: the one with the longest path that the request's path lies at or below.

use std::sync::Arc;

use super::settings::CacheRule;

/// A site's rules. Built once; looking one up allocates nothing.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// The longest path first; among equal ones, in the order given.
    rules: Vec<Arc<CacheRule>>,
    fallback: Arc<CacheRule>,
}

impl Rules {
    /// The rules of a site. Of two for the same path the first counts.
    #[must_use]
    pub fn new(mut rules: Vec<CacheRule>) -> Self {
        // Their number is the operator's, the number of a path's segments is the client's: hence a walk over the rules
        // and not over the segments.
        rules.sort_by_key(|rule| std::cmp::Reverse(rule.path.len()));
        Self {
            rules: rules.into_iter().map(Arc::new).collect(),
            fallback: Arc::default(),
        }
    }

    /// The rule of a canonical path; the default where none is for it.
    #[must_use]
    pub fn of(&self, path: &[u8]) -> &Arc<CacheRule> {
        self.rules
            .iter()
            .find(|rule| is_at_or_below(path, &rule.path))
            .unwrap_or(&self.fallback)
    }

    /// Every rule that a path which begins with `start` can have, the default among them: for what is purged by prefix.
    pub fn of_prefix<'r>(&'r self, start: &'r [u8]) -> impl Iterator<Item = &'r Arc<CacheRule>> {
        let within = self
            .rules
            .iter()
            .filter(move |rule| rule.path.starts_with(start) || is_at_or_below(start, &rule.path));
        within.chain(std::iter::once(&self.fallback))
    }
}

/// Whether `path` is `top`, or lies below it on a segment's border.
fn is_at_or_below(path: &[u8], top: &[u8]) -> bool {
    path.strip_prefix(top)
        .is_some_and(|rest| matches!(rest, [] | [b'/', ..]) || top.ends_with(b"/"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rules(paths: &[&str]) -> Rules {
        let rules = paths.iter().map(|path| CacheRule {
            path: path.as_bytes().into(),
            cache: false,
            ..CacheRule::default()
        });
        Rules::new(rules.collect())
    }

    /// The path of the rule that is found; none for the default.
    fn found<'r>(rules: &'r Rules, path: &str) -> Option<&'r str> {
        let rule = rules.of(path.as_bytes());
        (!rule.cache).then(|| std::str::from_utf8(&rule.path).unwrap())
    }

    #[test]
    fn a_rule_is_for_its_path_and_all_below_on_a_segments_border() {
        let rules = rules(&["/foo", "/bar/"]);
        for path in ["/foo", "/foo/", "/foo/x"] {
            assert_eq!(found(&rules, path), Some("/foo"), "{path}");
        }
        for path in ["/bar/", "/bar/x", "/bar//"] {
            assert_eq!(found(&rules, path), Some("/bar/"), "{path}");
        }
        for path in ["/", "/foobar", "/fo", "/bar", "/Foo", "*"] {
            assert_eq!(found(&rules, path), None, "{path}");
        }
    }

    #[test]
    fn the_longest_path_wins_in_any_order() {
        for paths in [["/", "/a", "/a/b"], ["/a/b", "/a", "/"]] {
            let rules = rules(&paths);
            assert_eq!(found(&rules, "/a/b/c"), Some("/a/b"));
            assert_eq!(found(&rules, "/a/bc"), Some("/a"));
            assert_eq!(found(&rules, "/b"), Some("/"));
        }
    }

    #[test]
    fn without_a_rule_the_default_counts() {
        assert_eq!(**Rules::default().of(b"/x"), CacheRule::default());
    }

    #[test]
    fn a_rule_for_the_same_path_given_later_does_not_count() {
        let rule = |cache| CacheRule {
            path: b"/a"[..].into(),
            cache,
            ..CacheRule::default()
        };
        assert!(!Rules::new(vec![rule(false), rule(true)]).of(b"/a").cache);
    }

    proptest! {
        #[test]
        fn the_rule_found_is_that_of_the_nearest_parent(
            paths in proptest::collection::vec("(/[ab]){1,3}", 0..5),
            path in "(/[abc]){1,4}",
        ) {
            let names: Vec<&str> = paths.iter().map(String::as_str).collect();
            let rules = rules(&names);
            let mut parent = path.as_str();
            while !parent.is_empty() && !names.contains(&parent) {
                parent = &parent[..parent.rfind('/').unwrap()];
            }
            let expected = (!parent.is_empty()).then_some(parent);
            prop_assert_eq!(found(&rules, &path), expected);
        }

        #[test]
        fn rules_of_a_prefix_hold_that_of_every_path_below(
            paths in proptest::collection::vec("(/[ab]){1,3}", 0..5),
            path in "(/[abc]){1,4}",
            size in 0_usize..8,
        ) {
            let names: Vec<&str> = paths.iter().map(String::as_str).collect();
            let rules = rules(&names);
            let start = &path.as_bytes()[..size.min(path.len())];
            let rule = rules.of(path.as_bytes());
            prop_assert!(rules.of_prefix(start).any(|one| std::ptr::eq(one, rule)));
        }
    }
}
