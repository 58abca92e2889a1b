//! A file that was uploaded takes the place of the origin's answer to a GET, and is stored as that would be.
//!
//! RFC 9111 s4.4 has a cache do no more after a PUT than to make invalid what it has, and RFC 9110 s9.3.4 lets an origin keep
//! something else than what it was given, unless it answers with a validator. So this is the operator's override: only where he
//! asks for it. All else is by the rule of the URL: a lifetime, a validator, or it is not stored.

use std::rc::Rc;

use tokio::sync::mpsc;

use super::exchange::{Exchange, Known};
use super::{Keeper, is_storable, now};
use crate::cache::order::{Deposit, Fetch, Outcome};
use crate::fill::origin::{Origin, OriginBody, OriginResponse};
use crate::fill::pieces;
use crate::http::head::Version;
use crate::policy::request::Asked;
use crate::policy::rule::Rule;
use crate::policy::settings::Overrides;
use crate::policy::storability::{self, Received, Storability};

/// Pieces of the file that wait for the store.
const PIECES_MAX: usize = 2;

impl Keeper {
    /// Stores a file. The outcome is there when it can be found, and its body comes then.
    pub(super) async fn take_in(
        self: &Rc<Self>,
        fetch: &Fetch,
        origin: Option<Rc<Origin>>,
        deposit: Deposit,
    ) -> Outcome {
        let Some(origin) = origin else {
            return Outcome::NotFetched(Rule::OriginUnreachable);
        };
        let Deposit {
            fields,
            file,
            size,
            sum,
            began,
        } = deposit;
        let asked = Asked::of(fetch.method, &fetch.fields);
        let time = now();
        let received = Received {
            status: 200,
            fields: &fields,
            request_time: time,
            response_time: time,
        };
        let overrides = Overrides {
            // A PUT is seldom answered with a validator: where the rule gives a lifetime, that is enough.
            ignore_no_last_modified: true,
            ..fetch.rule.overrides.clone()
        };
        let stored = match storability::judge(&asked, &received, &overrides) {
            Storability::Store(stored)
                if is_storable(fetch) && size <= self.size_max(&fetch.rule) =>
            {
                stored
            }
            _ => return Outcome::NotFetched(Rule::Passed),
        };
        let Some(place) = self.place() else {
            return Outcome::NotFetched(Rule::OriginBusy);
        };
        let (sender, pieces) = mpsc::channel(PIECES_MAX);
        // Ends when all is taken, or nobody takes more.
        drop(tokio::task::spawn_blocking(move || {
            pieces::read(&file, (0, size), Some(sum), |piece| {
                sender.blocking_send(piece).is_ok()
            });
        }));
        let answer = OriginResponse {
            status: 200,
            version: Version::Http11,
            fields,
            body: OriginBody::own(pieces, size),
            url_index: 0,
            is_reused: false,
        };
        let exchange = Exchange {
            fetch,
            asked,
            origin,
            known: Known::nothing(),
            has_own_range: false,
            request_time: time,
            began,
            place,
        };
        self.save(exchange, answer, *stored, None).await
    }
}
