//! Structured fields: CDN-Cache-Control and the two fields of cache groups say what a parser of its own finds, written from
//! the algorithms of RFC 9651; what that cannot parse counts as absent.
//!
//! Input: field lines.

#![no_main]

#[path = "structured/parser.rs"]
mod parser;

use std::collections::BTreeSet;

use hotplate::expected::{Argument, response};
use hotplate::http::cache_control::ResponseDirectives;
use hotplate::http::fields::{FieldLines as _, Fields};
use hotplate::http::head::Method;
use hotplate::input;
use hotplate::policy::groups::{GROUP_SIZE_MAX, GROUPS_MAX, Groups, invalidated_by, of};
use libfuzzer_sys::fuzz_target;

use crate::parser::{Bare, Failure, Member, dictionary, list};

fuzz_target!(|bytes: &[u8]| {
    let fields = input::fields(bytes);
    judge_directives(&fields);
    judge_groups(&of(&fields), "cache-groups", &fields);
    let invalidated = invalidated_by(Method::Post, &fields);
    judge_groups(&invalidated, "cache-group-invalidation", &fields);
    assert_eq!(invalidated_by(Method::Get, &fields), Groups::default());
});

fn judge_directives(fields: &Fields) {
    let lines: Vec<&[u8]> = fields
        .values("cdn-cache-control")
        .filter(|line| !line.is_empty())
        .collect();
    let said = ResponseDirectives::of(fields);
    let members = match dictionary(&lines.join(&b", "[..])) {
        Err(Failure::Unsure) => return,
        Err(Failure::Malformed) => Vec::new(),
        Ok(members) => members,
    };
    if members.is_empty() {
        assert!(!said.targeted);
        let others = fields.filtered(|name, _| !name.eq_ignore_ascii_case(b"cdn-cache-control"));
        assert_eq!(said, ResponseDirectives::of(&others));
        return;
    }
    let directives = members.into_iter().filter_map(|(name, member)| {
        let argument = match member {
            Member::Item(Bare::Boolean(false)) => return None,
            Member::Item(Bare::Boolean(true)) => Argument::None,
            Member::Item(Bare::Integer(number)) => Argument::Number(number),
            Member::Item(Bare::String(text)) => {
                // Digits in quotes are no number here.
                let is_number = text.iter().all(u8::is_ascii_digit);
                let is_list = matches!(name.as_str(), "no-cache" | "private");
                if is_number && !is_list {
                    Argument::Odd
                } else {
                    Argument::Text(text)
                }
            }
            Member::Item(_) | Member::InnerList => Argument::Odd,
        };
        Some((name, argument))
    });
    assert_eq!(said, response(&directives.collect::<Vec<_>>(), true));
}

fn judge_groups(groups: &Groups, name: &str, fields: &Fields) {
    let lines: Vec<&[u8]> = fields.values(name).collect();
    let members = match list(&lines.join(&b", "[..])) {
        Err(Failure::Unsure) => return,
        Err(Failure::Malformed) => Vec::new(),
        Ok(members) => members,
    };
    let mut expected = Groups::default();
    let mut names = BTreeSet::new();
    for member in members {
        let Member::Item(Bare::String(text)) = member else {
            assert_eq!(*groups, Groups::default(), "a member that is no string");
            return;
        };
        let text = String::from_utf8(text).expect("ASCII");
        if names.contains(&text) {
            continue;
        }
        if names.len() < GROUPS_MAX && text.len() <= GROUP_SIZE_MAX {
            names.insert(text);
        } else {
            expected.left_out += 1;
        }
    }
    expected.names = names.into_iter().map(String::into_boxed_str).collect();
    assert_eq!(*groups, expected);
}
