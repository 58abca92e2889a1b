//! A worker's front desk: target to key, key to entry, entry to part, part to lease.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::answer::{Answer, Reply, Served};
use super::lease::{LocalEntry, LocalLease};
use super::local_files::{Known, LocalFiles, View};
use super::stored::{self, Wanted};
use crate::cache::order::{Fetched, Job, Outcome, Ticket};
use crate::http::accept_encoding;
use crate::http::conditional::Validators;
use crate::http::head::{Field, Method, RequestHead};
use crate::http::target::{self, Target, TargetForm};
use crate::index::entry::Entry;
use crate::index::pins::{Found, PinIndex};
use crate::index::responses::Responses;
use crate::index::sites::SiteTable;
use crate::policy::rule::Rule;
use crate::policy::selection::{self, Part};
use crate::policy::upgrade;
use crate::units::{MonoNanos, SiteId, UnixSeconds};

/// The time of a turn, by both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// For durations.
    pub mono: MonoNanos,
    /// For dates.
    pub wall: UnixSeconds,
}

/// A worker's front desk.
#[derive(Debug)]
pub struct FrontDesk {
    shared: Arc<ArcSwap<PinIndex>>,
    pins: Arc<PinIndex>,
    /// The worker's own counts of the pins' entries, by number; made when an entry is first hit.
    held: Vec<Option<LocalEntry>>,
    sites: Arc<SiteTable>,
    files: LocalFiles,
    tickets: u64,
    /// Room for a target that is not canonical as received.
    path: Vec<u8>,
    /// Room for a host name in lower case.
    host: Vec<u8>,
    /// What is stored of origins' responses.
    responses: Arc<Responses>,
    /// Room for a cache key.
    key: Vec<u8>,
}

impl FrontDesk {
    /// A desk over the shared pins, sites and stored responses, which remembers at most `files_max` files below roots.
    #[must_use]
    pub fn new(
        shared: Arc<ArcSwap<PinIndex>>,
        sites: Arc<SiteTable>,
        responses: Arc<Responses>,
        files_max: usize,
    ) -> Self {
        let pins = shared.load_full();
        let mut desk = Self {
            shared,
            held: Vec::new(),
            pins,
            sites,
            files: LocalFiles::new(files_max),
            tickets: 0,
            path: Vec::with_capacity(1024),
            host: Vec::with_capacity(256),
            responses,
            key: Vec::with_capacity(1024),
        };
        desk.held.resize_with(desk.pins.entries().len(), || None);
        desk
    }

    /// Takes over the newest snapshot of the pins; true when it was a new one. Leases on the old one go on.
    pub fn adopt(&mut self) -> bool {
        let newest = self.shared.load_full();
        if Arc::ptr_eq(&newest, &self.pins) {
            return false;
        }
        self.pins = newest;
        self.held.clear();
        self.held.resize_with(self.pins.entries().len(), || None);
        true
    }

    /// Takes over changed sites.
    pub fn set_sites(&mut self, sites: Arc<SiteTable>) {
        self.sites = sites;
        self.files.forget();
    }

    /// A ticket that no order under way has.
    pub fn next_ticket(&mut self) -> Ticket {
        next(&mut self.tickets)
    }

    /// Takes the fill threads' answer to a [`Answer::Fill`], which was held to the disk at `checked_at`.
    pub fn filled(
        &mut self,
        ticket: Ticket,
        outcome: Outcome,
        checked_at: MonoNanos,
        now: MonoNanos,
    ) {
        self.files.answered(ticket, outcome, checked_at, now);
    }

    /// Forgets an order that could not be placed.
    pub fn withdraw(&mut self, ticket: Ticket) {
        self.files.withdraw(ticket);
    }

    /// Lets go of files that nobody asked for within the last second, or that are wanted back.
    pub fn sweep(&mut self, now: MonoNanos) {
        self.files.sweep(now);
    }

    /// Answers one request. Allocates nothing, takes no lock and reads no clock when the answer is a hit.
    pub fn answer(&mut self, head: &RequestHead<'_>, now: Moment) -> Answer {
        let mut scratch = std::mem::take(&mut self.path);
        let answer = match target::normalise(head.method, head.target, &mut scratch) {
            Ok(target) => self.answer_target(head, &target, now),
            Err(reject) => Answer::Reject(reject),
        };
        self.path = scratch;
        answer
    }

    /// Answers the request that `fetched` was ordered for.
    #[must_use]
    pub fn answer_fetched(&self, head: &RequestHead<'_>, fetched: Fetched, now: Moment) -> Answer {
        stored::part(head, fetched, now)
    }

    fn answer_target(
        &mut self,
        head: &RequestHead<'_>,
        target: &Target<'_>,
        now: Moment,
    ) -> Answer {
        match target.form {
            TargetForm::Asterisk => return Answer::Respond(Reply::Options, Rule::Options),
            TargetForm::Authority => return unserved(head.method),
            TargetForm::Origin | TargetForm::Absolute => {}
        }
        self.note_host(head, target);
        let found = self.pins.find(&self.host, target.path);
        let reads = matches!(head.method, Method::Get | Method::Head);
        match found {
            Some(_) if !reads => unserved(head.method),
            Some(Found::Entry(number)) => match self.hold(number) {
                Some(entry) => serve(entry, head, now),
                None => Answer::Respond(Reply::NotFound, Rule::NotFound),
            },
            Some(Found::Changing) => Answer::Respond(Reply::Unavailable, Rule::FileChanging),
            None => match self.sites.find(&self.host) {
                Some(site) => self.answer_site(head, site, target, now),
                None if !reads => unserved(head.method),
                None => Answer::Respond(Reply::NotFound, Rule::NotFound),
            },
        }
    }

    /// A site's answer: its file where there is one, else its origin's.
    fn answer_site(
        &mut self,
        head: &RequestHead<'_>,
        site: SiteId,
        target: &Target<'_>,
        now: Moment,
    ) -> Answer {
        let Some(facts) = self.sites.facts(site) else {
            return Answer::Respond(Reply::NotFound, Rule::NotFound);
        };
        let has_origin = facts.rules.is_some();
        if facts.has_root && matches!(head.method, Method::Get | Method::Head) {
            let answer = match has_origin {
                true => self.answer_file_before_origin(head, site, target, now),
                false => Some(self.answer_file(head, site, target, now)),
            };
            if let Some(answer) = answer {
                return answer;
            }
        }
        let Self {
            sites,
            responses,
            key,
            tickets,
            ..
        } = self;
        let facts = sites.facts(site);
        let Some(rules) = facts.and_then(|facts| facts.rules.as_ref()) else {
            return unserved(head.method);
        };
        if matches!(head.method, Method::Trace | Method::Connect) {
            return unserved(head.method);
        }
        if upgrade::asks_for_websocket(head) {
            return Answer::Respond(Reply::UpgradeRefused, Rule::Upgrade);
        }
        let wanted = Wanted {
            head,
            target,
            site,
            rule: rules.of(target.path),
            rules,
            scope: facts.and_then(|facts| facts.scope.as_deref()),
            now,
        };
        stored::answer(&wanted, responses, key, || next(tickets))
    }

    /// Puts the request's host into `self.host`, lower case and without port; only where something depends on it.
    fn note_host(&mut self, head: &RequestHead<'_>, target: &Target<'_>) {
        self.host.clear();
        if !self.pins.needs_host() && !self.sites.needs_host() {
            return;
        }
        let authority = target.authority.or_else(|| head.field(Field::Host));
        if let Some(host) = authority.and_then(target::host_of) {
            self.host.extend(host.iter().map(u8::to_ascii_lowercase));
        }
    }

    /// The worker's own count of a pin's entry.
    fn hold(&mut self, number: u32) -> Option<LocalEntry> {
        let held = self.held.get_mut(number as usize)?;
        if let Some(entry) = held {
            return Some(entry.clone());
        }
        let entry = LocalEntry::new(Arc::clone(self.pins.entry(number)?));
        *held = Some(entry.clone());
        Some(entry)
    }

    /// As [`answer_file`](Self::answer_file), of a site whose origin is asked for what is no file: none then. A directory that shows
    /// nothing does not hide a resource of the origin by its name.
    fn answer_file_before_origin(
        &mut self,
        head: &RequestHead<'_>,
        site: SiteId,
        target: &Target<'_>,
        now: Moment,
    ) -> Option<Answer> {
        let answer = self.answer_file(head, site, target, now);
        match answer {
            Answer::Respond(Reply::NotFound, _) => None,
            Answer::Respond(_, Rule::DirectorySlash) => {
                let mut path = target.path.to_vec();
                path.push(b'/');
                let below = Target {
                    path: &path,
                    ..*target
                };
                match self.answer_file(head, site, &below, now) {
                    Answer::Respond(Reply::NotFound, _) => None,
                    shown @ (Answer::Fill(..) | Answer::Join(_)) => Some(shown),
                    _ => Some(answer),
                }
            }
            _ => Some(answer),
        }
    }

    fn answer_file(
        &mut self,
        head: &RequestHead<'_>,
        site: SiteId,
        target: &Target<'_>,
        now: Moment,
    ) -> Answer {
        match self.files.look_up(site, target.path, now.mono) {
            View::Known(Known::File(entry)) => serve(entry, head, now),
            View::Known(Known::Directory) => {
                Answer::Respond(Reply::Redirect(with_slash(target)), Rule::DirectorySlash)
            }
            View::Known(Known::Missing) => Answer::Respond(Reply::NotFound, Rule::NotFound),
            View::Known(Known::Forbidden) => Answer::Respond(Reply::Forbidden, Rule::Forbidden),
            View::Known(Known::Unavailable) => {
                Answer::Respond(Reply::Unavailable, Rule::FileUnavailable)
            }
            View::Asked(ticket) => Answer::Join(ticket),
            View::Unknown => {
                let ticket = self.next_ticket();
                self.files.ask(ticket);
                Answer::Fill(
                    ticket,
                    Job::Resolve {
                        site,
                        path: target.path.into(),
                    },
                )
            }
        }
    }
}

fn next(tickets: &mut u64) -> Ticket {
    *tickets += 1;
    Ticket(*tickets)
}

/// The answer to a method that what is there does not have.
fn unserved(method: Method) -> Answer {
    match method {
        Method::Options => Answer::Respond(Reply::Options, Rule::Options),
        Method::Other => Answer::Respond(Reply::MethodUnknown, Rule::MethodUnknown),
        _ => Answer::Respond(Reply::MethodNotAllowed, Rule::MethodNotAllowed),
    }
}

/// Chooses the representation and its part.
fn serve(entry: LocalEntry, head: &RequestHead<'_>, now: Moment) -> Answer {
    let which = choose(&entry, head);
    let rule = entry.source.rule();
    let lease = LocalLease::new(entry, which);
    let representation = lease.representation();
    let validators = Validators {
        etag: representation.etag.as_bytes(),
        last_modified: Some(representation.last_modified),
        date: representation.last_modified,
    };
    let size = representation.object.size();
    match selection::select(head, &validators, Some(size), now.wall) {
        Part::PreconditionFailed => Answer::Respond(Reply::PreconditionFailed, rule),
        Part::Unsatisfiable => Answer::Respond(Reply::RangeUnsatisfiable(size), rule),
        part => Answer::Serve(Served { lease, part, rule }),
    }
}

/// The number of the representation for the request's Accept-Encoding; the file itself where none is acceptable, as
/// RFC 9110 s12.5.3 allows.
fn choose(entry: &Entry, head: &RequestHead<'_>) -> u8 {
    if entry.siblings.is_empty() || head.field(Field::AcceptEncoding).is_none() {
        return 0;
    }
    let chosen = accept_encoding::choose(head.lines(Field::AcceptEncoding), entry.codings);
    let place = chosen.and_then(|coding| {
        entry
            .siblings
            .iter()
            .position(|sibling| sibling.coding == coding)
    });
    place
        .and_then(|place| u8::try_from(place + 1).ok())
        .unwrap_or(0)
}

/// A directory's reference with the slash that it lacks (RFC 9110 s10.2.2 allows a relative one).
fn with_slash(target: &Target<'_>) -> Box<[u8]> {
    // A path that starts with two slashes would be read as an authority; nothing with an empty segment names a
    // directory, but the reference must be safe whatever the fill threads say.
    let path = target
        .path
        .iter()
        .position(|byte| *byte != b'/')
        .unwrap_or(0)
        .saturating_sub(1);
    let mut reference = target.path.get(path..).unwrap_or_default().to_vec();
    reference.push(b'/');
    if let Some(query) = target.query {
        reference.push(b'?');
        reference.extend_from_slice(query);
    }
    reference.into()
}
