//! One request and its response: over which URL and which connection, how long to wait, and when to try again.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, ready};
use std::time::Duration;

use hyper::body::{Body as _, Incoming};
use hyper::{Request, Response};
use tokio::time::timeout;

use super::body::OriginBody;
use super::connection::Connection;
use super::fault::OriginFault;
use super::head::{judge, persists};
use super::pool::{Carrier, Place, Pool};
use super::request::Outgoing;
use super::response::{OriginResponse, head_fault, version_of};
use super::upload::Upload;
use super::watch::Watch;
use super::wire::Account;
use crate::fill::profile::CredentialFault;
use crate::fill::profile::fault;
use crate::http::fields::{FieldLines as _, Fields};
use crate::sys::clock;
use crate::units::MonoNanos;

/// How long the words of a refusal are waited for.
const REFUSAL_TIME: Duration = Duration::from_secs(2);

/// An attempt that brought no response.
#[derive(Clone, Copy, Debug)]
struct Failure {
    fault: OriginFault,
    /// Whether the origin may have seen the request.
    is_sent: bool,
    /// Whether a byte of a response came.
    is_answered: bool,
    /// Whether it went over a connection that had been idle.
    is_reused: bool,
}

impl Failure {
    fn of(fault: OriginFault, account: &Account) -> Self {
        Self {
            fault,
            is_sent: account.sent() > 0,
            is_answered: account.received() > 0,
            is_reused: false,
        }
    }

    fn before_sending(fault: OriginFault) -> Self {
        Self {
            fault,
            is_sent: false,
            is_answered: false,
            is_reused: false,
        }
    }

    /// Whether the request can be sent once more as if nothing had happened (RFC 9110 s9.2.2).
    fn leaves_whole(self, outgoing: &Outgoing) -> bool {
        let may_repeat = !self.is_sent || outgoing.is_safe_to_repeat();
        !self.is_answered && outgoing.is_whole() && may_repeat
    }

    /// Whether other keys might have done.
    fn is_of_the_keys(self) -> bool {
        matches!(self.fault, OriginFault::Credentials(fault) if fault.is_of_the_keys())
    }

    /// Whether it is the URL that failed, so that another may do better.
    fn is_the_urls(self) -> bool {
        match self.fault {
            OriginFault::Busy => false,
            OriginFault::FirstByteTimeout | OriginFault::Reset => !self.is_answered,
            fault => fault.is_before_connection(),
        }
    }

    /// Whether the URL is to be passed over for a while. A connection that was closed while it was idle says nothing of it, and an
    /// answer that is late says nothing where others have come since the request was made.
    fn speaks_against(self, pool: &Pool, asked_at: MonoNanos) -> bool {
        match self.fault {
            OriginFault::Reset if self.is_reused => false,
            OriginFault::FirstByteTimeout => {
                self.is_the_urls() && !pool.has_answered_since(asked_at)
            }
            _ => self.is_the_urls(),
        }
    }
}

/// Asks the URLs one after the other, until one of them answers.
pub(super) async fn send(
    pools: &[Rc<Pool>],
    outgoing: &Outgoing,
    deadline: Option<MonoNanos>,
) -> Result<OriginResponse, OriginFault> {
    let is_any_up = pools.iter().any(|pool| !pool.is_skipped());
    let mut last = OriginFault::Unreachable;
    let mut is_first = true;
    for (index, pool) in pools.iter().enumerate() {
        // Where all have failed, all are tried: an answer may come, and nothing else could.
        if is_any_up && pool.is_skipped() {
            pool.counts.skipped();
            continue;
        }
        if !std::mem::take(&mut is_first) {
            pool.counts.failover();
        }
        let asked_at = clock::mono();
        let failure = match ask(pool, index, outgoing, deadline).await {
            Ok(response) => {
                pool.note_success();
                return Ok(response);
            }
            Err(failure) => failure,
        };
        last = failure.fault;
        pool.counts.fault(last);
        if failure.speaks_against(pool, asked_at) {
            pool.note_failure();
        }
        let is_over = deadline.is_some_and(|deadline| clock::mono() >= deadline);
        if is_over || !failure.is_the_urls() || !failure.leaves_whole(outgoing) {
            break;
        }
    }
    Err(last)
}

/// Asks one URL; once more where it refuses keys that others may have taken the place of meanwhile: it has done nothing then.
async fn ask(
    pool: &Rc<Pool>,
    index: usize,
    outgoing: &Outgoing,
    deadline: Option<MonoNanos>,
) -> Result<OriginResponse, Failure> {
    let keys = outgoing.profile().map(|profile| profile.generation());
    let answer = ask_once(pool, index, outgoing, deadline).await;
    match (&answer, outgoing.profile(), keys) {
        (Err(failure), Some(profile), Some(keys))
            if failure.is_of_the_keys() && profile.renew(keys) && outgoing.is_whole() =>
        {
            ask_once(pool, index, outgoing, deadline).await
        }
        _ => answer,
    }
}

/// Asks one URL, on an idle connection where there is one. Should that turn out to be closed, asks once more on a
/// new one (RFC 9112 s9.3.1).
async fn ask_once(
    pool: &Rc<Pool>,
    index: usize,
    outgoing: &Outgoing,
    deadline: Option<MonoNanos>,
) -> Result<OriginResponse, Failure> {
    // Keys may come from elsewhere, and nobody waits for them with a connection in hand.
    let mut message = signed(pool, outgoing, deadline).await?;
    let mut place = pool.place().await.map_err(Failure::before_sending)?;
    let idle = match outgoing.is_safe_to_repeat() && outgoing.upload().is_none() {
        true => pool.take_idle(),
        // Nothing can mend a connection that the origin closes just now: one that was used a moment ago is likely to stay.
        false => pool.take_just_used(),
    };
    if let Some(connection) = idle {
        pool.counts.reused();
        match exchange((connection, place), outgoing, message, deadline).await {
            Ok(mut response) => {
                (response.url_index, response.is_reused) = (index, true);
                return Ok(response);
            }
            Err((failure, Some(kept)))
                if failure.fault == OriginFault::Reset && failure.leaves_whole(outgoing) =>
            {
                pool.counts.stale();
                place = kept;
                message = signed(pool, outgoing, deadline).await?;
            }
            Err((failure, _)) => {
                return Err(Failure {
                    is_reused: true,
                    ..failure
                });
            }
        }
    }
    let opened = pool.connect(deadline).await;
    let connection = opened.map_err(Failure::before_sending)?;
    let mut response = exchange((connection, place), outgoing, message, deadline)
        .await
        .map_err(|(failure, _)| failure)?;
    response.url_index = index;
    Ok(response)
}

/// The message of an attempt, signed by `deadline`, or in the time that a connection may take.
async fn signed(
    pool: &Pool,
    outgoing: &Outgoing,
    deadline: Option<MonoNanos>,
) -> Result<Request<Upload>, Failure> {
    let now = clock::mono();
    let own = now.after(pool.settings.connect_timeout);
    let by = deadline.map_or(own, |deadline| deadline.min(own));
    let found = match timeout(by.since(now), outgoing.signed(&pool.url)).await {
        Ok(found) => found,
        Err(_) => {
            let fault = CredentialFault::Late;
            if let Some(profile) = outgoing.profile() {
                profile.complain(fault);
            }
            Err(OriginFault::Credentials(fault))
        }
    };
    found.map_err(Failure::before_sending)
}

/// Sends the request on `connection` and reads the response's head. A failure closes the connection and gives the place back.
async fn exchange(
    (mut connection, place): (Connection, Place),
    outgoing: &Outgoing,
    message: Request<Upload>,
    deadline: Option<MonoNanos>,
) -> Result<OriginResponse, (Failure, Option<Place>)> {
    let settings = Rc::clone(place.settings());
    connection.begin();
    let response = connection.sender.send_request(message);
    let wait = HeadWait {
        outgoing,
        account: &connection.account,
        timeout: settings.first_byte_timeout,
        deadline,
    };
    let found = wait.wait(response, &mut connection.watch).await;
    let checked = found.and_then(|response| {
        connection.account.head_came();
        let (framing, fields) = judge(&response, outgoing.is_head())?;
        Ok((response, framing, fields))
    });
    let (response, framing, fields) = match checked {
        Ok(checked) => checked,
        Err(fault) => return Err((Failure::of(fault, &connection.account), Some(place))),
    };
    // Only chunks have trailer fields behind them, which it may name.
    let of_one_connection = match response.body().size_hint().exact() {
        Some(_) => Box::default(),
        None => {
            let options: Vec<&[u8]> = fields.values("connection").collect();
            options.join(&b","[..]).into()
        }
    };
    let (status, version) = (response.status().as_u16(), response.version());
    let carrier = Carrier::new(
        connection,
        place,
        outgoing.upload().cloned(),
        persists(version, response.headers()),
    );
    let mut body = OriginBody::new(
        response.into_body(),
        carrier,
        framing,
        settings.between_bytes_timeout,
        deadline,
        of_one_connection,
    );
    if let Some(fault) = refused(outgoing, status, &fields, &mut body).await {
        let failure = Failure {
            fault: OriginFault::Credentials(fault),
            is_sent: true,
            is_answered: true,
            is_reused: false,
        };
        return Err((failure, None));
    }
    Ok(OriginResponse {
        status,
        version: version_of(version),
        fields,
        body,
        url_index: 0,
        is_reused: false,
    })
}

/// What a refusal says about the credentials that were shown.
async fn refused(
    outgoing: &Outgoing,
    status: u16,
    fields: &Fields,
    body: &mut OriginBody,
) -> Option<CredentialFault> {
    let profile = outgoing.profile()?;
    if !matches!(status, 400 | 401 | 403) {
        return None;
    }
    let (now, _) = clock::wall();
    let by = clock::mono().after(REFUSAL_TIME);
    let beginning = body.peek(fault::REFUSAL_BYTES_MAX, by).await;
    let fault = fault::refusal(status, fields, &beginning, now)?;
    profile.complain(fault);
    Some(fault)
}

/// The wait for a response's head.
struct HeadWait<'a> {
    outgoing: &'a Outgoing,
    account: &'a Account,
    timeout: Duration,
    deadline: Option<MonoNanos>,
}

impl HeadWait<'_> {
    async fn wait(
        &self,
        response: impl Future<Output = hyper::Result<Response<Incoming>>>,
        watch: &mut Watch,
    ) -> Result<Response<Incoming>, OriginFault> {
        let mut response = pin!(response);
        let mut due = self.due(clock::mono());
        let mut sent = 0;
        poll_fn(|cx| {
            loop {
                if let Poll::Ready(answer) = response.as_mut().poll(cx) {
                    return Poll::Ready(answer.map_err(|error| self.fault_of(&error)));
                }
                let now = ready!(watch.poll(cx, due));
                if self.deadline.is_some_and(|deadline| now >= deadline) {
                    return Poll::Ready(Err(OriginFault::TotalTimeout));
                }
                // As long as the request itself is under way, the origin owes nothing but to take it.
                if !self.is_uploading(sent) {
                    return Poll::Ready(Err(OriginFault::FirstByteTimeout));
                }
                sent = self.account.sent();
                due = self.due(now);
            }
        })
        .await
    }

    fn due(&self, now: MonoNanos) -> MonoNanos {
        let due = now.after(self.timeout);
        self.deadline.map_or(due, |deadline| due.min(deadline))
    }

    /// Whether the request's body moved since `sent` bytes were sent, or waits for the client.
    fn is_uploading(&self, sent: u64) -> bool {
        self.outgoing
            .upload()
            .is_some_and(|upload| upload.is_waiting_for_the_client() || self.account.sent() != sent)
    }

    fn fault_of(&self, error: &hyper::Error) -> OriginFault {
        if self.outgoing.is_given_up() {
            OriginFault::Body
        } else {
            head_fault(error, self.account)
        }
    }
}
