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
use crate::store::disk::Selection;

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

/// The keys that an answer names.
struct Told {
    keys: Vec<String>,
    max: usize,
}

impl Told {
    fn key(&mut self, key: &[u8]) {
        if self.keys.len() < self.max {
            self.keys.push(key_text(key));
        }
    }
}

/// Why a purge was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unmeant {
    /// The URL or prefix is none; why.
    NoUrl(&'static str),
    /// The prefix has a query, and the rule of this path takes queries apart.
    QueryInPrefix(String),
    /// The disk store fails; what was meant is gone from memory, and the store is emptied before it is used again.
    Disk(String),
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
            Self::Disk(error) => write!(
                f,
                "gone from memory, but not from disk: {error}; it is emptied when it works again, and not used before, unless \
                 the server is restarted: purge again then"
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
    /// Nothing can be meant so, and nothing has happened; or the disk store fails.
    pub fn purge(&self, order: PurgeOrder) -> Result<Purged, Unmeant> {
        let names = self.names(&order.meant)?;
        let mut told = Told {
            keys: Vec::new(),
            max: order.keys_max.min(KEYS_MAX),
        };
        let mut purged = 0;
        for matcher in matchers(&order.meant, &names) {
            purged += if order.is_dry_run {
                self.count(&matcher, &mut told)?
            } else {
                self.remove(&matcher, order.is_soft, &mut told)?
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
            keys: told.keys,
        })
    }

    /// Purges in memory, then on disk, then in memory again: see `fill::disk`. A response that is in both counts once.
    fn remove(
        &self,
        matcher: &Matcher<'_>,
        is_soft: bool,
        told: &mut Told,
    ) -> Result<u64, Unmeant> {
        let in_memory = self.remove_from_memory(matcher, is_soft, told);
        let Some(disk) = &self.disk else {
            return Ok(in_memory);
        };
        let selection = selection(matcher);
        let on_disk = if is_soft {
            disk.mark_stale(&selection, |label| told.key(&label.key))
        } else {
            disk.remove(&selection, |label| told.key(&label.key))
        };
        // What was brought up meanwhile; it was on disk, and is counted there.
        let mut nothing = Told {
            keys: Vec::new(),
            max: 0,
        };
        self.remove_from_memory(matcher, is_soft, &mut nothing);
        match on_disk {
            Ok(on_disk) => Ok(in_memory + on_disk),
            Err(error) => Err(Unmeant::Disk(error.to_string())),
        }
    }

    /// Purges in memory; how many there were that are not on disk too.
    fn remove_from_memory(&self, matcher: &Matcher<'_>, is_soft: bool, told: &mut Told) -> u64 {
        let mut count = 0;
        let purge = self.responses.purge(matcher, |response| {
            if response.object.on_disk().is_none() {
                count += 1;
                told.key(&response.key);
            }
            is_soft.then(|| marked_stale(response)).flatten()
        });
        debug_assert!(purge.count >= count);
        count
    }

    fn count(&self, matcher: &Matcher<'_>, told: &mut Told) -> Result<u64, Unmeant> {
        let mut count = 0;
        let wanted = self.responses.list(None, usize::MAX, |response| {
            if matcher.matches(response) && response.object.on_disk().is_none() {
                count += 1;
                told.key(&response.key);
            }
            false
        });
        debug_assert!(wanted.is_empty(), "nothing was wanted");
        if let Some(disk) = &self.disk {
            let counted = disk.disk().count(&selection(matcher), |label| {
                told.key(&label.key);
            });
            count += counted.map_err(|error| Unmeant::Disk(error.to_string()))?;
        }
        Ok(count)
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

/// What the disk store knows the meant responses by.
fn selection<'n>(matcher: &Matcher<'n>) -> Selection<'n> {
    match matcher {
        Matcher::All => Selection::All,
        Matcher::Key(key) => Selection::Key(key),
        Matcher::Prefix(prefix) => Selection::Prefix(prefix),
        Matcher::Tag(tag) => Selection::Tag(tag),
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
