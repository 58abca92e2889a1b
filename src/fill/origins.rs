//! The origins of the sites: made when a site's origin is first asked, and kept while the site is.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use arc_swap::ArcSwap;
use hashbrown::HashMap;

use super::origin::{Origin, OriginCounts};
use crate::policy::origin_rule::OriginRule;
use crate::units::SiteId;

/// The origins of the config's sites.
pub type OriginSites = HashMap<SiteId, OriginRule>;

/// The origins in use.
#[derive(Debug)]
pub(super) struct Origins {
    shared: Arc<ArcSwap<OriginSites>>,
    counts: Arc<OriginCounts>,
    made: RefCell<Made>,
}

#[derive(Debug)]
struct Made {
    sites: Arc<OriginSites>,
    origins: HashMap<SiteId, Rc<Origin>>,
}

impl Origins {
    /// None made yet.
    pub(super) fn new(shared: Arc<ArcSwap<OriginSites>>, counts: Arc<OriginCounts>) -> Self {
        let sites = shared.load_full();
        let made = RefCell::new(Made {
            sites,
            origins: HashMap::new(),
        });
        Self {
            shared,
            counts,
            made,
        }
    }

    /// The origin of a site; none where it has none, or none that can be used, which is logged.
    pub(super) fn of(&self, site: SiteId) -> Option<Rc<Origin>> {
        let mut made = self.made.borrow_mut();
        let newest = self.shared.load();
        if !Arc::ptr_eq(&made.sites, &newest) {
            made.sites = Arc::clone(&newest);
            // A site that did not change keeps its id, and its connections.
            made.origins.retain(|site, _| newest.contains_key(site));
        }
        if let Some(origin) = made.origins.get(&site) {
            return Some(Rc::clone(origin));
        }
        let rule = newest.get(&site)?;
        match Origin::new(rule.into(), Arc::clone(&self.counts)) {
            Ok(origin) => {
                let origin = Rc::new(origin);
                made.origins.insert(site, Rc::clone(&origin));
                Some(origin)
            }
            Err(error) => {
                tracing::error!(%error, "an origin can't be asked");
                None
            }
        }
    }
}
