//! Purge tags: the names by which an operator purges responses of many URLs at once.
//!
//! Origins give them in the fields that other caches made known: `Cache-Tag` with commas between, `Surrogate-Key` and
//! `xkey` with spaces; and every cache group is a tag, too. Tags are compared octet by octet. The fields stay in what
//! clients see, as with Varnish; [`is_tag_field`] is for rules that want them gone.

use super::groups;
use crate::http::fields::FieldLines;

/// The most tags that count of one response.
pub const TAGS_MAX: usize = 256;

/// The longest tag that counts, in bytes.
pub const TAG_BYTES_MAX: usize = 256;

const _: () = assert!(groups::GROUPS_MAX <= TAGS_MAX && groups::GROUP_SIZE_MAX <= TAG_BYTES_MAX);

/// The fields that carry tags, and whether commas stand between them; else it is white space.
const FIELDS: [(&str, bool); 3] = [
    ("cache-tag", true),
    ("surrogate-key", false),
    ("xkey", false),
];

/// The tags of a response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags {
    /// The tags: sorted, each once, none empty.
    pub names: Vec<Box<[u8]>>,
    /// How many did not count, over the limits. To be counted: a purge by them will not find the response.
    pub left_out: usize,
}

impl Tags {
    /// The tags of a response with these fields.
    #[must_use]
    pub fn of(response: &impl FieldLines) -> Self {
        let mut tags = Self::default();
        for (name, has_commas) in FIELDS {
            let is_between = |byte: &u8| match has_commas {
                true => *byte == b',',
                false => byte.is_ascii_whitespace(),
            };
            let found = response
                .values(name)
                .flat_map(|line| line.split(is_between));
            found.for_each(|tag| tags.note(tag.trim_ascii()));
        }
        let groups = groups::of(response);
        tags.left_out += groups.left_out;
        for group in &groups.names {
            tags.note(group.as_bytes());
        }
        tags
    }

    /// Whether the response has the tag.
    #[must_use]
    pub fn contains(&self, tag: &[u8]) -> bool {
        self.place(tag).is_ok()
    }

    fn place(&self, tag: &[u8]) -> Result<usize, usize> {
        self.names.binary_search_by(|known| (**known).cmp(tag))
    }

    fn note(&mut self, tag: &[u8]) {
        if tag.is_empty() {
            return;
        }
        if let Err(place) = self.place(tag) {
            if self.names.len() < TAGS_MAX && tag.len() <= TAG_BYTES_MAX {
                self.names.insert(place, tag.into());
            } else {
                self.left_out += 1;
            }
        }
    }
}

/// Whether a field carries tags and nothing that a client needs. Cache-Groups is none of them: caches further out use it.
#[must_use]
pub fn is_tag_field(name: &[u8]) -> bool {
    FIELDS
        .iter()
        .any(|(known, _)| name.eq_ignore_ascii_case(known.as_bytes()))
}

/// Whether a field gives a response tags.
#[must_use]
pub fn gives_tags(name: &[u8]) -> bool {
    is_tag_field(name) || name.eq_ignore_ascii_case(b"cache-groups")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::http::fields::Fields;

    fn tags(lines: &[(&str, &str)]) -> Tags {
        let fields: Fields = lines.iter().copied().collect();
        Tags::of(&fields)
    }

    fn names(lines: &[(&str, &str)]) -> Vec<String> {
        let text = |tag: Box<[u8]>| String::from_utf8(tag.into()).unwrap();
        tags(lines).names.into_iter().map(text).collect()
    }

    #[test]
    fn all_fields_that_give_tags_are_known_as_such() {
        for name in ["CACHE-TAG", "surrogate-key", "xkey", "Cache-Groups"] {
            assert!(gives_tags(name.as_bytes()), "{name}");
            assert_eq!(names(&[(name, "\"a\"")]).len(), 1, "{name}");
        }
        assert!(!gives_tags(b"Cache-Control"));
    }

    #[test]
    fn every_field_gives_tags_in_its_own_form() {
        assert_eq!(names(&[("Cache-Tag", "a b , c,,d")]), ["a b", "c", "d"]);
        assert_eq!(names(&[("Surrogate-Key", "a  b,c\td")]), ["a", "b,c", "d"]);
        assert_eq!(names(&[("xkey", "b a"), ("XKEY", "c")]), ["a", "b", "c"]);
        assert_eq!(names(&[("Cache-Groups", "\"g 1\", \"h\"")]), ["g 1", "h"]);
        assert!(names(&[("Tag", "a"), ("Cache-Tag", " ,")]).is_empty());
    }

    #[test]
    fn tags_are_each_once_in_their_case() {
        let lines = [
            ("Cache-Tag", "a,A"),
            ("xkey", "a"),
            ("Cache-Groups", "\"a\""),
        ];
        let tags = tags(&lines);
        assert_eq!(tags.names.len(), 2);
        assert!(tags.contains(b"a") && tags.contains(b"A") && !tags.contains(b"b"));
    }

    #[test]
    fn tags_over_the_limits_are_left_out_and_counted() {
        let many: Vec<String> = (0..TAGS_MAX + 5).map(|index| index.to_string()).collect();
        let found = tags(&[("xkey", &many.join(" "))]);
        assert_eq!((found.names.len(), found.left_out), (TAGS_MAX, 5));
        let long = "x".repeat(TAG_BYTES_MAX + 1);
        let found = tags(&[("xkey", &long), ("Cache-Tag", &long[1..])]);
        assert_eq!((found.names.len(), found.left_out), (1, 1));
    }

    #[test]
    fn fields_of_tags_are_known_in_any_case() {
        for name in ["Cache-Tag", "SURROGATE-KEY", "xkey"] {
            assert!(is_tag_field(name.as_bytes()), "{name}");
        }
        assert!(!is_tag_field(b"Cache-Groups"));
        assert!(!is_tag_field(b"Surrogate-Control"));
    }

    proptest! {
        #[test]
        fn tags_are_those_of_a_plain_set(lists in proptest::collection::vec("[a-c ,]{0,8}", 0..4)) {
            let lines: Fields = lists.iter().map(|list| ("Cache-Tag", list)).collect();
            let plain: std::collections::BTreeSet<String> = lists.iter()
                .flat_map(|list| list.split(','))
                .map(|tag| tag.trim().to_owned())
                .filter(|tag| !tag.is_empty())
                .collect();
            let found = Tags::of(&lines);
            prop_assert_eq!(found.left_out, 0);
            prop_assert!(found.names.iter().map(|tag| &**tag).eq(plain.iter().map(String::as_bytes)));
        }
    }
}
