//! What is read of a `[[site]]` before it is known to hold together.

use super::read::Places;
use crate::index::sites::SiteRule;
use crate::policy::origin_rule::OriginRule;
use crate::policy::settings::CacheRule;

/// What the keys of a `[[site]]` fill.
#[derive(Debug, Default)]
pub(super) struct SiteDraft {
    /// The site without its origin.
    pub(super) site: SiteRule,
    /// Its origin; without URLs, the site has none.
    pub(super) origin: OriginRule,
}

/// A `[[site]]` with its rules and the places of its keys.
#[derive(Debug)]
pub(super) struct ReadSite {
    /// What its keys say.
    pub(super) draft: SiteDraft,
    /// Where they stand.
    pub(super) places: Places,
    /// Its `[[site.rule]]` tables in the order of the file.
    pub(super) rules: Vec<(CacheRule, Places)>,
}

impl ReadSite {
    /// The site as the other rooms know it.
    pub(super) fn finish(self) -> SiteRule {
        SiteRule {
            origin: (!self.draft.origin.urls.is_empty()).then_some(self.draft.origin),
            rules: self.rules.into_iter().map(|(rule, _)| rule).collect(),
            ..self.draft.site
        }
    }
}
