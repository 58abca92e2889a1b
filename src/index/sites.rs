//! Sites: which host names map to which root and origin.

use std::path::PathBuf;

use crate::policy::origin_rule::OriginRule;
use crate::policy::settings::CacheRule;
use crate::units::SiteId;

/// One `[[site]]` of the config.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SiteRule {
    /// Host names in lower case without port; empty: the default site.
    pub hosts: Vec<String>,
    /// The folder of local files; none: it has none.
    pub root: Option<PathBuf>,
    /// Where that comes from which is no local file; none: nowhere.
    pub origin: Option<OriginRule>,
    /// How the origin's responses are cached, in the order of the file, no path twice. Where no rule is for a path,
    /// [`CacheRule::default`] holds.
    pub rules: Vec<CacheRule>,
    /// The Cache-Control field's value for its files; empty sends none.
    pub cache_control: String,
    /// The line of the config that the site starts on, 1-based, for messages.
    pub line: usize,
}

/// The sites of a config, by host.
#[derive(Clone, Debug, Default)]
pub struct SiteTable {
    by_host: hashbrown::HashMap<Box<[u8]>, SiteId>,
    default: Option<SiteId>,
    /// The id after the last one.
    next: u16,
}

impl SiteTable {
    /// A table of `rules`; the number of each is its place in the slice.
    #[must_use]
    pub fn new(rules: &[SiteRule]) -> Self {
        Self::numbered_from(0, rules)
    }

    /// A table of `rules` with ids that `before` does not have: what was asked of a site of the old table is never
    /// answered by one of this.
    #[must_use]
    pub fn following(before: &Self, rules: &[SiteRule]) -> Self {
        Self::numbered_from(before.next, rules)
    }

    fn numbered_from(first: u16, rules: &[SiteRule]) -> Self {
        let mut table = Self {
            next: first,
            ..Self::default()
        };
        for rule in rules {
            let site = SiteId(table.next);
            table.next = table.next.wrapping_add(1);
            if rule.hosts.is_empty() {
                table.default.get_or_insert(site);
            }
            for host in &rule.hosts {
                table.by_host.entry(host.as_bytes().into()).or_insert(site);
            }
        }
        table
    }

    /// Whether any site is bound to a host, so that [`find`](Self::find) needs the host.
    #[must_use]
    pub fn needs_host(&self) -> bool {
        !self.by_host.is_empty()
    }

    /// `rules`, which the table was made of, each with its id.
    #[must_use]
    pub fn with_ids(&self, rules: &[SiteRule]) -> Vec<(SiteId, SiteRule)> {
        let count = u16::try_from(rules.len()).unwrap_or(u16::MAX);
        let first = self.next.wrapping_sub(count);
        let ids = (0..count).map(|at| SiteId(first.wrapping_add(at)));
        ids.zip(rules.iter().cloned()).collect()
    }

    /// The site that answers for `host` (lower case, no port).
    #[must_use]
    pub fn find(&self, host: &[u8]) -> Option<SiteId> {
        self.by_host.get(host).copied().or(self.default)
    }
}
