//! Response directives (RFC 9111 s5.2.2), with those of RFC 5861 and RFC 8246.

use super::request::smaller;
use super::{Delta, Directives, NAME_MAX, Written, lower_case, targeted};
use crate::http::fields::FieldLines;

/// Fields without which the rest of a response would mean something else: to leave one of them out is to have no
/// response at all.
const ESSENTIAL: [&str; 3] = ["vary", "content-encoding", "content-type"];

/// A directive that is about the whole response or about some of its fields (RFC 9111 s5.2.2.4, s5.2.2.7).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Qualified {
    /// The response does not have it.
    #[default]
    No,
    /// It is about these fields only; names are in lower case, and there is at least one.
    Fields(Vec<Box<str>>),
    /// It is about the response: it came without names, or with an argument that is no list of names.
    Whole,
}

impl Qualified {
    /// Whether it is about the whole response.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        matches!(self, Self::Whole)
    }

    /// Whether it is about the field called `name`, in any case, and not about the response.
    #[must_use]
    pub fn names(&self, name: &[u8]) -> bool {
        match self {
            Self::Fields(fields) => fields
                .iter()
                .any(|field| field.as_bytes().eq_ignore_ascii_case(name)),
            Self::No | Self::Whole => false,
        }
    }

    /// Adds another occurrence: names come together, the whole response wins over them.
    fn add(&mut self, argument: &impl Written) {
        let names = argument
            .field_names()
            .filter(|names| names.iter().all(|name| !ESSENTIAL.contains(&name.as_ref())));
        match (&mut *self, names) {
            (Self::Whole, _) | (_, None) => *self = Self::Whole,
            (Self::Fields(fields), Some(names)) => fields.extend(names),
            (Self::No, Some(names)) => *self = Self::Fields(names),
        }
    }
}

/// What a response says to a shared cache. Of a directive that is repeated, the most restrictive counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResponseDirectives {
    /// They are those of CDN-Cache-Control: Cache-Control and Expires count for nothing (RFC 9213 s2.2).
    pub targeted: bool,
    /// How long it is fresh (s5.2.2.1).
    pub max_age: Option<Delta>,
    /// How long it is fresh in a shared cache (s5.2.2.10).
    pub s_maxage: Option<Delta>,
    /// No reuse without successful validation (s5.2.2.4).
    pub no_cache: Qualified,
    /// For one client only (s5.2.2.7).
    pub private: Qualified,
    /// Not stored (s5.2.2.5).
    pub no_store: bool,
    /// Stored only where the status is understood, and then in spite of no-store (s5.2.2.3).
    pub must_understand: bool,
    /// Not reused once stale (s5.2.2.2).
    pub must_revalidate: bool,
    /// Not reused by a shared cache once stale (s5.2.2.8).
    pub proxy_revalidate: bool,
    /// May be stored even if it could not be otherwise (s5.2.2.9).
    pub public: bool,
    /// The content is not transformed (s5.2.2.6).
    pub no_transform: bool,
    /// Does not change while it is fresh (RFC 8246).
    pub immutable: bool,
    /// How many seconds past its lifetime it may be sent while it is revalidated (RFC 5861 s3); 0 where that could not
    /// be read.
    pub stale_while_revalidate: Option<u64>,
    /// How many seconds past its lifetime it may stand in for a failing origin (RFC 5861 s4); 0 where that could not be
    /// read.
    pub stale_if_error: Option<u64>,
}

impl ResponseDirectives {
    /// Reads CDN-Cache-Control where that is a dictionary with members, and all lines of Cache-Control otherwise.
    #[must_use]
    pub fn of(fields: &impl FieldLines) -> Self {
        if let Some(read) = targeted::read(fields) {
            return read;
        }
        let mut read = Self::default();
        for line in fields.values("cache-control") {
            for directive in Directives::of(line) {
                read.add(directive.name, &directive.argument);
            }
        }
        read
    }

    /// Whether it must not be reused by a shared cache once stale: must-revalidate, proxy-revalidate, and s-maxage, which
    /// incorporates the latter (s5.2.2.10).
    #[must_use]
    pub const fn forbids_stale(&self) -> bool {
        self.must_revalidate || self.proxy_revalidate || self.s_maxage.is_some()
    }

    /// Whether it may answer other requests though it came for one with Authorization (s3.5). An s-maxage that could not
    /// be read allows nothing.
    #[must_use]
    pub const fn allows_authorization(&self) -> bool {
        self.must_revalidate || self.public || matches!(self.s_maxage, Some(Delta::Seconds(_)))
    }

    /// Adds a directive.
    pub(super) fn add(&mut self, name: &[u8], argument: &impl Written) {
        match lower_case(name, &mut [0; NAME_MAX]) {
            b"max-age" => self.max_age = smaller(self.max_age, argument.delta()),
            b"s-maxage" => self.s_maxage = smaller(self.s_maxage, argument.delta()),
            b"no-cache" => self.no_cache.add(argument),
            b"private" => self.private.add(argument),
            b"no-store" => self.no_store = true,
            b"must-revalidate" => self.must_revalidate = true,
            b"proxy-revalidate" => self.proxy_revalidate = true,
            b"no-transform" => self.no_transform = true,
            // These allow something: with an argument they are not what is defined.
            b"must-understand" => self.must_understand |= argument.is_bare(),
            b"public" => self.public |= argument.is_bare(),
            b"immutable" => self.immutable |= argument.is_bare(),
            b"stale-while-revalidate" => {
                let seconds = argument.delta().seconds();
                self.stale_while_revalidate = smaller(self.stale_while_revalidate, seconds);
            }
            b"stale-if-error" => {
                let seconds = argument.delta().seconds();
                self.stale_if_error = smaller(self.stale_if_error, seconds);
            }
            _ => {}
        }
    }
}
