//! Purging: what an operator means goes, or is validated before it is used again.
//!
//! Complete when it returns: no hit that begins afterwards finds what was meant, and no fill that was begun before it
//! publishes what it means.

use std::fmt;

use serde::Serialize;

use super::asked_url::{AskedUrl, Scopes};
use super::{CacheOperator, key_text};
use crate::fill::disk::Removed;
use crate::http::logged::without_query;
use crate::index::cached::{Claim, Matcher};
use crate::index::response::Response;
use crate::index::responses::marked;
use crate::index::sites::SiteTable;
use crate::policy::stored::Mark;
use crate::store::disk::{Label, Selection};

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

impl Meant {
    /// As a log shows it: without a query, which may be a signature or a token.
    fn logged(&self) -> String {
        match self {
            Self::Url(url) | Self::Prefix(url) => without_query(url),
            Self::Tag(tag) => format!("tag {tag}"),
            Self::All(_) => "all".to_owned(),
        }
    }
}

/// What is to be purged, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PurgeOrder {
    /// What is meant.
    pub meant: Meant,
    /// It stays, without its freshness; none: it is removed.
    pub mark: Option<Mark>,
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
        self.purge_for(None, order)
    }

    /// As [`purge`](Self::purge), on behalf of a fill whose claim outlives it.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn purge_for(
        &self,
        mut claim: Option<&mut Claim>,
        order: PurgeOrder,
    ) -> Result<Purged, Unmeant> {
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
                self.remove(claim.as_deref_mut(), &matcher, order.mark, &mut told)?
            };
        }
        if !order.is_dry_run {
            tracing::info!(purged, soft = order.mark.is_some(), meant = %order.meant.logged(), "purged");
        }
        Ok(Purged {
            purged,
            meant: order.meant,
            soft: order.mark.is_some(),
            dry_run: order.is_dry_run,
            keys: told.keys,
        })
    }

    /// Purges in memory, then on disk, then in memory again: see `fill::disk`. A response that is in both counts once.
    fn remove(
        &self,
        mut claim: Option<&mut Claim>,
        matcher: &Matcher<'_>,
        mark: Option<Mark>,
        told: &mut Told,
    ) -> Result<u64, Unmeant> {
        let mut removed = Removed::default();
        self.remove_from_memory(claim.as_deref_mut(), matcher, mark, |response| {
            if removed.in_memory(response) {
                told.key(&response.key);
            }
        });
        let Some(disk) = &self.disk else {
            return Ok(removed.count());
        };
        let selection = selection(matcher);
        let met = |label: &Label| {
            if removed.on_disk(label) {
                told.key(&label.key);
            }
        };
        let on_disk = match mark {
            Some(mark) => disk.mark(&selection, mark, met),
            None => disk.remove(&selection, met),
        };
        // What was brought up meanwhile; it was on disk, and is counted there.
        self.remove_from_memory(claim, matcher, mark, |_| {});
        match on_disk {
            Ok(_) => Ok(removed.count()),
            Err(error) => Err(Unmeant::Disk(error.to_string())),
        }
    }

    fn remove_from_memory(
        &self,
        claim: Option<&mut Claim>,
        matcher: &Matcher<'_>,
        mark: Option<Mark>,
        mut met: impl FnMut(&Response),
    ) {
        self.responses.purge_for(claim, matcher, |response| {
            met(response);
            mark.and_then(|mark| marked(response, mark))
        });
    }

    fn count(&self, matcher: &Matcher<'_>, told: &mut Told) -> Result<u64, Unmeant> {
        let mut removed = Removed::default();
        let mut met = |response: &Response| {
            if removed.in_memory(response) {
                told.key(&response.key);
            }
        };
        if let Matcher::Key(key) = matcher {
            // One URL has a key in each scope: the whole index is not gone through for each.
            let found = self.responses.find(key);
            found
                .iter()
                .flat_map(|found| found.iter())
                .for_each(|response| met(response));
        } else {
            let wanted = self.responses.list(None, usize::MAX, |response| {
                if matcher.matches(response) {
                    met(response);
                }
                false
            });
            debug_assert!(wanted.is_empty(), "nothing was wanted");
        }
        if let Some(disk) = &self.disk {
            let counted = disk.disk().count(&selection(matcher), |label| {
                if removed.on_disk(label) {
                    told.key(&label.key);
                }
            });
            counted.map_err(|error| Unmeant::Disk(error.to_string()))?;
        }
        Ok(removed.count())
    }

    /// The scopes that keys have: those of profiles that a reload took away may still be stored, on disk from earlier runs too.
    fn scopes(&self, sites: &SiteTable) -> Scopes {
        let on_disk = self.disk.as_ref().map(|disk| disk.scopes());
        // Where the store fails, the purge itself will say so.
        let mut scopes = on_disk.and_then(Result::ok).unwrap_or_default();
        scopes.extend(sites.scopes().iter().cloned());
        scopes
    }

    /// Keys, beginnings of keys, or the tag.
    pub(super) fn names(&self, meant: &Meant) -> Result<Vec<Vec<u8>>, Unmeant> {
        let parse =
            |url: &str| AskedUrl::parse(url).map_err(|reject| Unmeant::NoUrl(reject.name()));
        let sites = self.sites.load();
        Ok(match meant {
            Meant::Url(url) => {
                let keys = parse(url)?.keys(&sites, &self.scopes(&sites));
                keys.into_iter().collect()
            }
            Meant::Prefix(prefix) => {
                let prefixes = parse(prefix)?.prefixes(&sites, &self.scopes(&sites));
                prefixes.map_err(|error| {
                    Unmeant::QueryInPrefix(String::from_utf8_lossy(&error.rule).into_owned())
                })?
            }
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
