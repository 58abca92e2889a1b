//! Which fields of a response are stored (RFC 9111 s3.1).
//!
//! All of them, known or not, but those of one connection, those that the response itself or the rule takes out, and Age,
//! which is written anew for each answer (s4).

use super::settings::{Overrides, SetCookie};
use super::storability::Received;
use crate::http::cache_control::ResponseDirectives;
use crate::http::date;
use crate::http::fields::{FieldLines, Fields};
use crate::http::hop_by_hop::{ConnectionOptions, is_hop_by_hop, is_proxy_authentication};
use crate::http::list;

/// The fields to store. `directives` are those of `received`.
///
/// A response without a valid Date gets the time at which it was received (RFC 9110 s6.6.1). Of a 206, Content-Range and
/// Content-Length are left out: they are those of the part, not of the whole that is stored (s3.3). Trailers are
/// discarded, so Trailer is too.
#[must_use]
pub fn stored_fields(
    received: &Received<'_>,
    directives: &ResponseDirectives,
    rule: &Overrides,
) -> Fields {
    let fields = received.fields;
    let is_part = received.status == 206;
    let has_date = fields
        .values("date")
        .any(|value| date::parse_in_any_case(value).is_some());
    let left_out = LeftOut::of(fields, directives, rule);
    let mut kept = fields.filtered(|name, _| {
        let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
        let is_of_part = is_part && (is("content-range") || is("content-length"));
        !(left_out.has(name)
            || is("age")
            || is("trailer")
            || (is("date") && !has_date)
            || is_of_part)
    });
    if !has_date {
        kept.push(b"Date", &date::format(received.response_time));
    }
    kept
}

/// Which fields of one response are not stored: by protocol, by the response's own wish, or by the rule.
#[derive(Debug)]
pub struct LeftOut<'r> {
    fields: &'r Fields,
    options: ConnectionOptions<'r>,
    directives: &'r ResponseDirectives,
    rule: &'r Overrides,
}

impl<'r> LeftOut<'r> {
    /// Those of `fields`, whose directives are `directives`.
    #[must_use]
    pub fn of(fields: &'r Fields, directives: &'r ResponseDirectives, rule: &'r Overrides) -> Self {
        Self {
            fields,
            options: ConnectionOptions::of(fields),
            directives,
            rule,
        }
    }

    /// Whether the field called `name`, in any case, is one of them.
    #[must_use]
    pub fn has(&self, name: &[u8]) -> bool {
        // s3.1.
        is_hop_by_hop(name)
            || is_proxy_authentication(name)
            || self.options.name(name)
            // s5.2.2.7 forbids to store them; s5.2.2.4 to send them again, which is as well done here.
            || self.directives.private.names(name)
            || self.directives.no_cache.names(name)
            || (self.rule.set_cookie == SetCookie::Strip && name.eq_ignore_ascii_case(b"set-cookie"))
            || is_ignored(name, self.fields, self.rule)
    }
}

/// Whether the rule leaves the field out. Vary and what it names decide which requests the response answers: they stay.
fn is_ignored(name: &[u8], fields: &impl FieldLines, rule: &Overrides) -> bool {
    rule.ignore_headers
        .iter()
        .any(|ignored| ignored.as_bytes().eq_ignore_ascii_case(name))
        && !name.eq_ignore_ascii_case(b"vary")
        && !fields
            .values("vary")
            .flat_map(list::elements)
            .any(|named| named.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests;
