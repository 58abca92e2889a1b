//! Purging: what an operator means goes, or is validated before it is used again.
//!
//! Complete when it returns: no hit that begins afterwards finds what was meant, and no fill that was begun before it
//! publishes what it means.

use std::fmt;

use serde::Serialize;

use super::asked_url::AskedUrl;
use super::{CacheOperator, key_text};
use crate::index::cached::Matcher;
use crate::index::responses::marked_stale;

/// Most keys that an answer names.
pub const KEYS_MAX: usize = 1000;

/// What is meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Meant {
    /// A URL, in all its variants.
    Url(String),
    /// All URLs that begin so.
    Prefix(String),
    /// All that carry this tag: of Cache-Tag, Surrogate-Key, xkey or Cache-Groups.
    Tag(String),
    /// Everything; always true.
    All(bool),
}

/// What is to be purged, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PurgeOrder {
    /// What is meant.
    pub meant: Meant,
    /// It stays, and is validated before it is used again.
    pub is_soft: bool,
    /// Nothing happens; it is only told what would.
    pub is_dry_run: bool,
    /// Most keys to name, at most [`KEYS_MAX`].
    pub keys_max: usize,
}

/// What a purge did, or would do.
#[derive(Debug, Serialize)]
pub struct Purged {
    /// How many stored responses were meant; each variant counts.
    pub purged: u64,
    /// What was meant, as it was asked.
    #[serde(flatten)]
    pub meant: Meant,
    /// Whether they stay, to be validated.
    pub soft: bool,
    /// Whether nothing happened.
    pub dry_run: bool,
    /// The keys of the first of them, one for each variant.
    pub keys: Vec<String>,
}

/// Why nothing can be meant so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unmeant {
    /// The URL or prefix is none; why.
    NoUrl(&'static str),
    /// The prefix has a query, and the rule of this path takes queries apart.
    QueryInPrefix(String),
}

impl fmt::Display for Unmeant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoUrl(why) => write!(
                f,
                "not an absolute http or https URL that a request could have ({why})"
            ),
            Self::QueryInPrefix(rule) => write!(
                f,
                "a prefix with a query can't be found: the rule for {rule} leaves parts of queries out of keys; \
                 purge the prefix without its query, or whole URLs"
            ),
        }
    }
}

impl std::error::Error for Unmeant {}

impl CacheOperator {
    /// Purges.
    ///
    /// # Errors
    ///
    /// Nothing can be meant so; nothing has happened.
    pub fn purge(&self, order: PurgeOrder) -> Result<Purged, Unmeant> {
        let names = self.names(&order.meant)?;
        let keys_max = order.keys_max.min(KEYS_MAX);
        let mut keys = Vec::new();
        let mut purged = 0;
        for matcher in matchers(&order.meant, &names) {
            purged += if order.is_dry_run {
                self.count(&matcher, &mut keys, keys_max)
            } else {
                self.remove(&matcher, order.is_soft, &mut keys, keys_max)
            };
        }
        if !order.is_dry_run {
            tracing::info!(purged, soft = order.is_soft, meant = ?order.meant, "purged");
        }
        Ok(Purged {
            purged,
            meant: order.meant,
            soft: order.is_soft,
            dry_run: order.is_dry_run,
            keys,
        })
    }

    fn remove(
        &self,
        matcher: &Matcher<'_>,
        is_soft: bool,
        keys: &mut Vec<String>,
        keys_max: usize,
    ) -> u64 {
        let purge = self.responses.purge(matcher, |response| {
            if keys.len() < keys_max {
                keys.push(key_text(&response.key));
            }
            is_soft.then(|| marked_stale(response)).flatten()
        });
        purge.count
    }

    fn count(&self, matcher: &Matcher<'_>, keys: &mut Vec<String>, keys_max: usize) -> u64 {
        let mut count = 0;
        let wanted = self.responses.list(None, usize::MAX, |response| {
            let is_meant = matcher.matches(response);
            if is_meant {
                count += 1;
                if keys.len() < keys_max {
                    keys.push(key_text(&response.key));
                }
            }
            false
        });
        debug_assert!(wanted.is_empty(), "nothing was wanted");
        count
    }

    /// Keys, beginnings of keys, or the tag.
    pub(super) fn names(&self, meant: &Meant) -> Result<Vec<Vec<u8>>, Unmeant> {
        let parse =
            |url: &str| AskedUrl::parse(url).map_err(|reject| Unmeant::NoUrl(reject.name()));
        let sites = self.sites.load();
        Ok(match meant {
            Meant::Url(url) => parse(url)?.keys(&sites).into_iter().collect(),
            Meant::Prefix(prefix) => parse(prefix)?.prefixes(&sites).map_err(|error| {
                Unmeant::QueryInPrefix(String::from_utf8_lossy(&error.rule).into_owned())
            })?,
            Meant::Tag(tag) => vec![tag.clone().into_bytes()],
            Meant::All(_) => vec![Vec::new()],
        })
    }
}

/// What the index knows the meant responses by; no response is meant twice.
pub(super) fn matchers<'n>(
    meant: &Meant,
    names: &'n [Vec<u8>],
) -> impl Iterator<Item = Matcher<'n>> {
    let matcher: fn(&'n [u8]) -> Matcher<'n> = match meant {
        Meant::Url(_) => |name| Matcher::Key(name),
        Meant::Prefix(_) => |name| Matcher::Prefix(name),
        Meant::Tag(_) => |name| Matcher::Tag(name),
        Meant::All(_) => |_| Matcher::All,
    };
    names.iter().map(move |name| matcher(name))
}
