//! Sites: which host names map to which root and origin, and which rule is for which URL.

use std::path::PathBuf;

use crate::policy::origin_rule::OriginRule;
use crate::policy::rules::Rules;
use crate::policy::settings::{CacheRule, Overrides};
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
    /// How the origin's responses are cached: no path twice, the longest path first, so that the first rule that is for a
    /// path is the nearest one. Where none is for it, [`CacheRule::default`] holds.
    pub rules: Vec<CacheRule>,
    /// The Cache-Control field's value for its files; empty sends none.
    pub cache_control: String,
    /// The line of the config that the site starts on, 1-based, for messages.
    pub line: usize,
}

/// What answering a request needs of a site.
#[derive(Clone, Debug)]
pub struct SiteFacts {
    /// Whether it has local files.
    pub has_root: bool,
    /// How its origin's responses are cached; none where it has no origin.
    pub rules: Option<Rules>,
    /// The scope of its keys: the name of its origin's profile.
    pub scope: Option<Box<[u8]>>,
}

/// A site of a table.
#[derive(Clone, Debug)]
struct Site {
    id: SiteId,
    rule: SiteRule,
    facts: SiteFacts,
}

/// The sites of a config, by host.
#[derive(Clone, Debug, Default)]
pub struct SiteTable {
    by_host: hashbrown::HashMap<Box<[u8]>, SiteId>,
    default: Option<SiteId>,
    /// In the order of the config.
    sites: Vec<Site>,
    /// The id after the largest one that was ever given.
    next: u16,
    /// The scopes that keys can have, of sites or not: those of the config last.
    scopes: Vec<Box<[u8]>>,
    /// What makes the keys of the library.
    library: Overrides,
}

/// Most scopes that are remembered beside those of the config; the ones that went longest ago are forgotten. What is stored on disk
/// tells its scope itself, and what memory still has under a forgotten one is asked for by nobody until a config names it again.
/// No counter tells of it: it takes reloads that have named more profiles than this in one run.
const SCOPES_MAX: usize = 4096;

impl SiteTable {
    /// A table of `rules`; the number of each is its place in the slice.
    #[must_use]
    pub fn new(rules: &[SiteRule]) -> Self {
        Self::following(&Self::default(), rules)
    }

    /// A table of `rules`. A site that is as it was in `before` keeps its id; others have one that `before` does not have:
    /// what was asked of a site of the old table is never answered by another one of this.
    #[must_use]
    pub fn following(before: &Self, rules: &[SiteRule]) -> Self {
        let mut table = Self {
            next: before.next,
            scopes: before.scopes.clone(),
            ..Self::default()
        };
        for rule in rules {
            let same = |site: &&Site| site.rule == *rule && table.facts(site.id).is_none();
            let kept = before.sites.iter().find(same).map(|site| site.id);
            let id = kept.unwrap_or_else(|| {
                let id = SiteId(table.next);
                table.next = table.next.wrapping_add(1);
                id
            });
            if rule.hosts.is_empty() {
                table.default.get_or_insert(id);
            }
            for host in &rule.hosts {
                table.by_host.entry(host.as_bytes().into()).or_insert(id);
            }
            let rules = || Rules::new(rule.rules.clone());
            table.sites.push(Site {
                id,
                rule: rule.clone(),
                facts: SiteFacts {
                    has_root: rule.root.is_some(),
                    rules: rule.origin.as_ref().map(|_| rules()),
                    scope: rule.origin.as_ref().and_then(scope_of),
                },
            });
        }
        table
    }

    /// The table, with the scopes that profiles give to keys. Those of the table before stay: what is stored under them does.
    #[must_use]
    pub fn with_scopes(mut self, scopes: impl IntoIterator<Item = Box<[u8]>>) -> Self {
        let scopes: Vec<Box<[u8]>> = scopes.into_iter().collect();
        self.scopes.retain(|known| !scopes.contains(known));
        let over = self.scopes.len().saturating_sub(SCOPES_MAX);
        self.scopes.drain(..over);
        self.scopes.extend(scopes);
        self
    }

    /// The table, with the rule that makes the keys of the library.
    #[must_use]
    pub fn with_library(mut self, rule: Overrides) -> Self {
        self.library = rule;
        self
    }

    /// The scopes that keys can have, by this config and those before.
    #[must_use]
    pub fn scopes(&self) -> &[Box<[u8]>] {
        &self.scopes
    }

    /// What makes the keys of what the library asks a URL's own host for.
    #[must_use]
    pub fn library(&self) -> &Overrides {
        &self.library
    }

    /// Whether any site is bound to a host, so that [`find`](Self::find) needs the host.
    #[must_use]
    pub fn needs_host(&self) -> bool {
        !self.by_host.is_empty()
    }

    /// The sites, each with its id, in the order of the config.
    #[must_use]
    pub fn with_ids(&self) -> Vec<(SiteId, SiteRule)> {
        let sites = self.sites.iter();
        sites.map(|site| (site.id, site.rule.clone())).collect()
    }

    /// The sites with what answering needs of them, in the order of the config.
    pub fn iter(&self) -> impl Iterator<Item = (&SiteRule, &SiteFacts)> {
        self.sites.iter().map(|site| (&site.rule, &site.facts))
    }

    /// A site as the config has it; none where it is another table's.
    #[must_use]
    pub fn rule(&self, id: SiteId) -> Option<&SiteRule> {
        let site = self.sites.iter().find(|site| site.id == id)?;
        Some(&site.rule)
    }

    /// What answering needs of a site; none where it is another table's.
    #[must_use]
    pub fn facts(&self, id: SiteId) -> Option<&SiteFacts> {
        let site = self.sites.iter().find(|site| site.id == id)?;
        Some(&site.facts)
    }

    /// The site that names `host` (lower case, no port) among its hosts.
    #[must_use]
    pub fn named(&self, host: &[u8]) -> Option<SiteId> {
        self.by_host.get(host).copied()
    }

    /// The site for all hosts that no other has.
    #[must_use]
    pub fn default_site(&self) -> Option<SiteId> {
        self.default
    }

    /// The site that answers for `host` (lower case, no port).
    #[must_use]
    pub fn find(&self, host: &[u8]) -> Option<SiteId> {
        self.by_host.get(host).copied().or(self.default)
    }
}

fn scope_of(origin: &OriginRule) -> Option<Box<[u8]>> {
    let name = origin.profile.as_bytes();
    (!name.is_empty()).then(|| name.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(host: &str, root: &str) -> SiteRule {
        SiteRule {
            hosts: vec![host.to_owned()],
            root: Some(root.into()),
            ..SiteRule::default()
        }
    }

    #[test]
    fn a_site_that_did_not_change_keeps_its_id_and_others_get_new_ones() {
        let before = SiteTable::new(&[site("a", "/a"), site("b", "/b")]);
        let after = SiteTable::following(
            &before,
            &[site("b", "/b"), site("a", "/other"), site("b", "/b")],
        );
        assert_eq!(after.find(b"b"), before.find(b"b"));
        assert_ne!(after.find(b"a"), before.find(b"a"));
        let ids: Vec<_> = after.with_ids().into_iter().map(|(id, _)| id).collect();
        assert_eq!(ids, [SiteId(1), SiteId(2), SiteId(3)]);
        let last = SiteTable::following(&after, &[site("a", "/a")]);
        assert_eq!(last.find(b"a"), Some(SiteId(4)));
        assert!(last.facts(SiteId(1)).is_none());
    }

    #[test]
    fn scopes_of_profiles_that_went_are_known_as_long_as_there_is_room() {
        let scopes = |names: &[String]| -> Vec<Box<[u8]>> {
            names.iter().map(|name| name.as_bytes().into()).collect()
        };
        let one = |number: usize| scopes(&[number.to_string()]);
        let mut table = SiteTable::default().with_scopes(one(0));
        for number in [1, 0, 2] {
            table = SiteTable::following(&table, &[]).with_scopes(one(number));
        }
        assert_eq!(table.scopes(), [one(1), one(0), one(2)].concat());
        for number in 3..SCOPES_MAX + 3 {
            table = SiteTable::following(&table, &[]).with_scopes(one(number));
        }
        assert_eq!(table.scopes().len(), SCOPES_MAX + 1);
        assert!(!table.scopes().contains(&one(0)[0]) && !table.scopes().contains(&one(1)[0]));
    }
}
