//! Stale responses for requests that get no answer (RFC 9111 s4.2.4, RFC 5861 s4): the origin failed them, or failed the request
//! that they waited for, or as many are under way as may be. Each is held to what it asks for itself.

use std::rc::Rc;
use std::sync::Arc;

use super::exchange::{Known, not_fetched};
use super::{Keeper, may_be_found};
use crate::cache::order::{Fetch, Outcome};
use crate::fill::origin::{Origin, OriginFault};
use crate::fill::profile::CredentialFault;
use crate::index::response::Response;
use crate::policy::request::Asked;
use crate::policy::reuse::Failure;
use crate::policy::rule::Rule;

impl Keeper {
    /// The answer to a request that gets none of the origin, by this rule, and was not looked up here.
    pub(super) async fn fall_back(
        self: &Rc<Self>,
        fetch: &Fetch,
        asked: &Asked,
        origin: &Rc<Origin>,
        why: (Rule, Option<OriginFault>),
    ) -> Outcome {
        let stale = match failure_of(why) {
            Some(failure) => self.stale_for(fetch, asked, origin, failure).await,
            None => None,
        };
        stale.unwrap_or_else(|| not_fetched(why.0, why.1))
    }

    /// The stale response that stands in for an origin that failed a request which was not looked up here.
    pub(super) async fn stale_for(
        self: &Rc<Self>,
        fetch: &Fetch,
        asked: &Asked,
        origin: &Rc<Origin>,
        failure: Failure,
    ) -> Option<Outcome> {
        let alone = self.bring_up(fetch, origin).await;
        let stored = self.select(fetch, &alone)?;
        self.stand_in(fetch, asked, &stored, failure)
    }

    /// As [`fall_back`](Self::fall_back), from what is at hand.
    pub(super) fn fall_back_now(&self, fetch: &Fetch, asked: &Asked, rule: Rule) -> Outcome {
        let stored = may_be_found(fetch).then(|| self.select(fetch, &[]));
        let outcome = stored
            .flatten()
            .and_then(|response| self.stand_in_by(fetch, asked, &response, (rule, None)));
        outcome.unwrap_or(Outcome::NotFetched(rule))
    }

    /// The answer with a stored response where there is none of the origin, by this rule.
    pub(super) fn stand_in_by(
        &self,
        fetch: &Fetch,
        asked: &Asked,
        response: &Arc<Response>,
        why: (Rule, Option<OriginFault>),
    ) -> Option<Outcome> {
        let failure = failure_of(why)?;
        self.stand_in(fetch, asked, response, failure)
    }

    /// The stored response that may stand in for the origin's answer to a request that went there.
    pub(super) fn stored_for(&self, fetch: &Fetch, known: Option<&Known>) -> Option<Arc<Response>> {
        let known = known.and_then(Known::selected).cloned();
        // One that goes as it is knows of nothing.
        known.or_else(|| {
            may_be_found(fetch)
                .then(|| self.select(fetch, &[]))
                .flatten()
        })
    }
}

/// How the origin failed; none where it did not, but the request, or the config, is to be mended first: a stored response would hide
/// what is wrong, and be an answer to who may not ask.
fn failure_of((rule, fault): (Rule, Option<OriginFault>)) -> Option<Failure> {
    match rule {
        Rule::OriginTimeout => Some(Failure::Timeout),
        Rule::Loop
        | Rule::RequestBroken
        | Rule::CredentialsNotLent
        | Rule::OriginAddressRefused => None,
        Rule::OriginCredentials => {
            let is_late = fault == Some(OriginFault::Credentials(CredentialFault::Late));
            is_late.then_some(Failure::Unreachable)
        }
        _ => Some(Failure::Unreachable),
    }
}
