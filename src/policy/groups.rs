//! Cache groups (RFC 9875): strings by which responses of one origin are invalidated together.
//!
//! Group names mean something within their origin only (s2.1), so what is stored and looked up is the origin with the
//! name: see [`append_scoped`]. Both fields are structured lists of strings; one that cannot be parsed, or has another kind
//! of member, counts as absent (RFC 9651 s4.2). Parameters are ignored.

use sfv::{BareItem, List, ListEntry, Parser};

use super::invalidation::is_safe;
use super::key::{self, Scheme};
use crate::http::fields::FieldLines;
use crate::http::head::Method;

/// The most groups that count of one field. RFC 9875 asks for at least 32.
pub const GROUPS_MAX: usize = 128;

/// The longest group that counts, in characters. RFC 9875 asks for at least 32.
pub const GROUP_SIZE_MAX: usize = 256;

const _: () = assert!(GROUPS_MAX >= 32 && GROUP_SIZE_MAX >= 32);

/// Groups, and how many were left out over the limits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Groups {
    /// The groups: sorted, each once.
    pub names: Vec<Box<str>>,
    /// How many did not count. To be counted.
    pub left_out: usize,
}

/// The groups that a response belongs to (s2).
#[must_use]
pub fn of(response: &impl FieldLines) -> Groups {
    list(response, "cache-groups")
}

/// The groups that a response invalidates (s3): none where the method is safe. The origin's word counts whatever the
/// status: it knows what it has done.
#[must_use]
pub fn invalidated_by(method: Method, response: &impl FieldLines) -> Groups {
    if is_safe(method) {
        return Groups::default();
    }
    list(response, "cache-group-invalidation")
}

/// The strings of a list field.
fn list(fields: &impl FieldLines, name: &str) -> Groups {
    let lines: Vec<&[u8]> = fields.values(name).collect();
    if lines.is_empty() {
        return Groups::default();
    }
    let Ok(members) = Parser::new(&lines.join(&b", "[..])).parse::<List>() else {
        return Groups::default();
    };
    let mut groups = Groups::default();
    for member in members {
        let ListEntry::Item(item) = member else {
            return Groups::default();
        };
        let BareItem::String(text) = item.bare_item else {
            return Groups::default();
        };
        let name = text.as_str();
        match groups.names.binary_search_by(|known| (**known).cmp(name)) {
            Ok(_) => {}
            Err(place) if groups.names.len() < GROUPS_MAX && name.len() <= GROUP_SIZE_MAX => {
                groups.names.insert(place, name.into());
            }
            Err(_) => groups.left_out += 1,
        }
    }
    groups
}

/// Appends `group` together with its origin: equal bytes where both are the same (s2.1). No purge tag has such bytes,
/// since neither has a NUL.
pub fn append_scoped(out: &mut Vec<u8>, scheme: Scheme, authority: &[u8], group: &str) {
    key::append_origin(out, scheme, authority);
    out.push(0);
    out.extend_from_slice(group.as_bytes());
}

#[cfg(test)]
mod rfc9875 {
    use super::*;
    use crate::http::fields::Fields;

    fn fields(name: &str, lines: &[&str]) -> Fields {
        lines.iter().map(|line| (name, *line)).collect()
    }

    fn groups(lines: &[&str]) -> Groups {
        of(&fields("Cache-Groups", lines))
    }

    fn names(lines: &[&str]) -> Vec<String> {
        groups(lines)
            .names
            .iter()
            .map(|name| (**name).to_owned())
            .collect()
    }

    #[test]
    fn s2_all_lines_make_one_set_of_strings() {
        assert_eq!(names(&["\"b\", \"a\"", "\"a\", \"A\""]), ["A", "a", "b"]);
        assert_eq!(names(&["\"a \\\"b\\\", c\""]), ["a \"b\", c"]);
        assert!(names(&[]).is_empty());
        assert!(names(&[""]).is_empty());
    }

    #[test]
    fn s2_parameters_are_ignored() {
        assert_eq!(names(&["\"a\";revalidate;x=\"y\", \"b\""]), ["a", "b"]);
    }

    #[test]
    fn s2_a_field_that_is_no_list_of_strings_counts_as_absent() {
        for line in [
            "\"a\", b",
            "\"a\", 1",
            "\"a\", (\"b\")",
            "\"a",
            "\"a\",",
            "\"\u{e9}\"",
            "a=1",
        ] {
            assert!(names(&[line]).is_empty(), "{line}");
        }
        assert!(names(&["\"a\"", "b"]).is_empty());
    }

    #[test]
    fn s2_at_least_32_groups_of_32_characters_count() {
        let many: Vec<String> = (0..32).map(|index| format!("\"{index:0>32}\"")).collect();
        assert_eq!(names(&[&many.join(",")]).len(), 32);
    }

    #[test]
    fn groups_over_the_limits_are_left_out_and_counted() {
        let many: Vec<String> = (0..GROUPS_MAX + 3)
            .map(|index| format!("\"{index}\""))
            .collect();
        let groups_of_many = groups(&[&many.join(",")]);
        assert_eq!(
            (groups_of_many.names.len(), groups_of_many.left_out),
            (GROUPS_MAX, 3)
        );
        let long = format!("\"{}\", \"a\"", "x".repeat(GROUP_SIZE_MAX + 1));
        assert_eq!(
            (names(&[&long]), groups(&[&long]).left_out),
            (vec!["a".to_owned()], 1)
        );
    }

    #[test]
    fn s2_1_groups_are_the_same_by_origin_and_character_by_character() {
        let scoped = |authority: &str, group| {
            let mut out = Vec::new();
            append_scoped(&mut out, Scheme::Http, authority.as_bytes(), group);
            out
        };
        assert_eq!(scoped("H:80", "a"), scoped("h", "a"));
        assert_ne!(scoped("h", "a"), scoped("h", "A"));
        assert_ne!(scoped("h", "a"), scoped("i", "a"));
        assert_ne!(scoped("h", "a"), scoped("h:8080", "a"));
    }

    #[test]
    fn s3_group_invalidation_counts_for_unsafe_methods_only() {
        let response = fields("Cache-Group-Invalidation", &["\"a\""]);
        for method in [Method::Get, Method::Head, Method::Options, Method::Trace] {
            assert_eq!(invalidated_by(method, &response), Groups::default());
        }
        for method in [
            Method::Post,
            Method::Put,
            Method::Delete,
            Method::Patch,
            Method::Other,
        ] {
            assert_eq!(invalidated_by(method, &response).names, ["a".into()]);
        }
        assert_eq!(
            invalidated_by(Method::Post, &fields("Cache-Groups", &["\"a\""])),
            Groups::default()
        );
    }
}
