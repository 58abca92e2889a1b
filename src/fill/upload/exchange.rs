//! Requests of an upload: built, sent, followed where an origin moves them, and answered.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::hops::Hops;
use super::target::{Routes, Target};
use super::verdict::{Failure, is_success};
use crate::fill::library::Code;
use crate::fill::origin::{Origin, OriginCounts, OriginRequest, RequestBody, Retry};
use crate::fill::profile::fault::code_of;
use crate::http::date;
use crate::http::fields::{FieldLines as _, Fields};
use crate::sys::clock;

/// Most redirects that are followed.
const REDIRECTS_MAX: usize = 5;

/// Most bytes of an answer that are read.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Longest time that a Retry-After counts for.
const AFTER_MAX: Duration = Duration::from_secs(3600);

/// Most origins whose connections are kept.
const ORIGINS_MAX: usize = 64;

/// An origin's answer.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) status: u16,
    pub(super) fields: Fields,
    pub(super) body: Vec<u8>,
    /// Other credentials may be shown next time: see `Profile::may_change`.
    pub(super) keys_may_change: bool,
    /// The URL that it was moved to before it was answered so.
    pub(super) moved_to: Option<String>,
}

impl Answered {
    /// The failure that it is.
    pub(super) fn failure(&self) -> Failure {
        let code = code_of(&self.fields, &self.body);
        let failure = Failure::of_status(self.status, code.as_deref(), self.after());
        match self.keys_may_change {
            true => failure.of_changing_keys(),
            false => failure,
        }
    }

    /// When the origin wants to be asked again (RFC 9110 s10.2.3).
    fn after(&self) -> Option<Duration> {
        let value = self.fields.value("retry-after")?.trim_ascii();
        let number = std::str::from_utf8(value)
            .ok()
            .and_then(|text| text.parse().ok());
        let wait = match number {
            Some(seconds) => Duration::from_secs(seconds),
            None => {
                let (now, _) = clock::wall();
                Duration::from_secs(date::parse(value)?.0.saturating_sub(now.0))
            }
        };
        Some(wait.min(AFTER_MAX))
    }
}

/// The origins that uploads go to.
#[derive(Debug)]
pub(super) struct Origins {
    counts: Arc<OriginCounts>,
    made: RefCell<Vec<Rc<Origin>>>,
}

impl Origins {
    pub(super) fn new(counts: Arc<OriginCounts>) -> Self {
        Self {
            counts,
            made: RefCell::default(),
        }
    }

    /// The origin of a target; one that is as it was before keeps its connections.
    fn of(&self, target: &Target) -> Result<Rc<Origin>, Failure> {
        let mut made = self.made.borrow_mut();
        if let Some(known) = made.iter().find(|one| *one.settings() == target.settings) {
            return Ok(Rc::clone(known));
        }
        let origin = Origin::new(target.settings.clone(), Arc::clone(&self.counts));
        // A file of certificates may be set right.
        let origin = Rc::new(origin.map_err(Failure::transient)?);
        if made.len() >= ORIGINS_MAX {
            made.remove(0);
        }
        made.push(Rc::clone(&origin));
        Ok(origin)
    }
}

/// What one request of an upload asks.
pub(super) struct Asking<'a> {
    pub(super) method: &'static str,
    /// What is added to the query.
    pub(super) query: String,
    pub(super) fields: &'a [(&'a str, &'a str)],
    /// Made for each attempt anew.
    pub(super) body: &'a dyn Fn() -> RequestBody,
}

/// The road to a target.
pub(super) struct Road<'r> {
    pub(super) origins: &'r Origins,
    pub(super) routes: &'r Routes,
    pub(super) target: Target,
}

impl Road<'_> {
    /// Sends a request, follows 307 and 308, and reads the answer.
    ///
    /// # Errors
    /// There is no answer, or it moves the upload to where none may go.
    pub(super) async fn ask(&self, asking: &Asking<'_>) -> Result<Answered, Failure> {
        let mut target = self.target.clone();
        append_query(&mut target.path, &asking.query);
        let mut hops = Hops::from(&self.target);
        for hop in 0..=REDIRECTS_MAX {
            let mut answer = self.ask_once(&target, asking).await?;
            if !matches!(answer.status, 307 | 308) {
                answer.moved_to = (hop > 0).then(|| target.url());
                return Ok(answer);
            }
            let location = answer.fields.value("location").unwrap_or_default();
            target = hops.next(&target, (answer.status, location), self.routes)?;
        }
        let reason = format!("more than {REDIRECTS_MAX} redirects: they go in circles");
        Err(Failure::permanent(reason).of_cause(Code::RedirectLimit))
    }

    async fn ask_once(&self, target: &Target, asking: &Asking<'_>) -> Result<Answered, Failure> {
        let origin = self.origins.of(target)?;
        let mut fields = Fields::new();
        fields.push(b"Host", target.host.as_bytes());
        let hosts = self.routes.hosts.load();
        if !hosts.user_agent.is_empty() {
            fields.push(b"User-Agent", hosts.user_agent.as_bytes());
        }
        drop(hosts);
        for (name, value) in asking.fields {
            fields.push(name.as_bytes(), value.as_bytes());
        }
        let request = OriginRequest {
            method: asking.method.as_bytes().into(),
            target: target.path.as_bytes().into(),
            fields,
            body: (asking.body)(),
            // PUT and DELETE are idempotent; a POST of ours begins or ends something.
            retry: match asking.method {
                "POST" => Retry::Never,
                _ => Retry::Safe,
            },
            informational: None,
        };
        let profile = target.settings.profile.as_ref();
        let keys_may_change = profile.is_some_and(|profile| profile.may_change());
        let sent = origin.send(request).await;
        let mut response = sent.map_err(|fault| match keys_may_change {
            true => Failure::of_fault(fault).of_changing_keys(),
            false => Failure::of_fault(fault),
        })?;
        let mut body = Vec::new();
        // A success is one whatever follows, and this body has no end but the connection's.
        let needs_body = !(is_success(response.status) && response.body.is_close_delimited());
        while (needs_body || asking.method == "POST") && body.len() < ANSWER_BYTES_MAX {
            match response.body.next().await {
                Ok(Some(bytes)) => body.extend_from_slice(&bytes),
                Ok(None) => break,
                // The status counts, but not where more is to be read of it.
                Err(fault) if asking.method == "POST" => return Err(Failure::of_fault(fault)),
                Err(_) => break,
            }
        }
        body.truncate(ANSWER_BYTES_MAX);
        Ok(Answered {
            status: response.status,
            fields: response.fields,
            body,
            keys_may_change,
            moved_to: None,
        })
    }
}

/// Adds parameters to a target that may have a query.
fn append_query(path: &mut String, more: &str) {
    if more.is_empty() {
        return;
    }
    path.push(if path.contains('?') { '&' } else { '?' });
    path.push_str(more);
}
