//! Refreshes of what the keeper itself has answered with while it was stale (RFC 5861 s3); workers order those of theirs.

use std::rc::Rc;

use super::Keeper;
use crate::cache::order::{Fetch, Outcome};
use crate::fill::origin::Origin;
use crate::index::response::Response;
use crate::policy::rule::Rule;

impl Keeper {
    /// Has `response` refreshed where `outcome` is an answer with it that wants that, and nobody else does so. Those under way
    /// are no more than the fills that may be: a refresh waits for nobody, and without a place it is over.
    pub(super) fn refresh_after(
        self: &Rc<Self>,
        outcome: &Outcome,
        response: &Response,
        fetch: Box<Fetch>,
        origin: &Rc<Origin>,
    ) {
        let is_stale = matches!(outcome, Outcome::Fetched(fetched) if fetched.rule == Rule::StaleWhileRevalidate);
        if is_stale && response.begin_refresh() {
            let (keeper, origin) = (Rc::clone(self), Rc::clone(origin));
            let refresh = keeper.answer(fetch.into_refresh(), Some(origin));
            drop(tokio::task::spawn_local(Box::pin(refresh)));
        }
    }
}
