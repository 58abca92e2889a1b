//! Requests for one URL at the same time: each answer is held to what any order of them allows. What is stored afterwards is not
//! known; the URL is purged.

use crate::asking::Asking;
use crate::expected::{Aged, Mismatch, check_said, check_stored};
use crate::harness::{Answer, Broken};
use crate::reference::World;
use crate::resource::{Exchange, Said};
use crate::stored::{Between, StandsIn, Stored, Storing, Way, storing};

/// By this field of its request the origin tells whom it answers.
pub(crate) const WHO: &str = "x-who";

/// What a crowd saw, and what the origin.
#[derive(Debug)]
pub(crate) struct Crowd<'s> {
    pub(crate) askings: &'s [Asking],
    pub(crate) answers: &'s [Result<Answer, Broken>],
    pub(crate) exchanges: &'s [Exchange],
    pub(crate) is_origin_down: bool,
    /// The seconds in which it began and ended.
    pub(crate) time: Between,
}

/// Holds a crowd to what may have been stored before.
pub(crate) fn check(worlds: &[World], crowd: &Crowd<'_>) -> Result<(), String> {
    for (asking, answer) in crowd.askings.iter().zip(crowd.answers) {
        let Ok(answer) = answer else {
            // Of what is stored in part the rest may be of another representation by now.
            let mut live = worlds.iter().flat_map(|world| &world.live);
            if crowd.exchanges.iter().any(|one| one.said.is_cut) || live.any(|one| one.is_partial) {
                continue;
            }
            return Err(format!("{asking}: broken off, and the origin did not"));
        };
        let found = worlds
            .iter()
            .map(|world| check_one(world, crowd, asking, answer));
        let found: Vec<Result<(), Mismatch>> = found.collect();
        if found.iter().all(Result::is_err) {
            return Err(format!(
                "{asking}: {found:#?}\nwhere there may be {worlds:#?}"
            ));
        }
    }
    check_count(crowd)
}

/// An answer is right that some order of the requests allows.
fn check_one(
    world: &World,
    crowd: &Crowd<'_>,
    asking: &Asking,
    answer: &Answer,
) -> Result<(), Mismatch> {
    if answer.status == 504 && asking.wishes().only_if_cached {
        return Ok(());
    }
    let is_error = matches!(answer.status, 502..=504);
    let fails = |one: &Exchange| one.said.status >= 500 || one.said.is_cut;
    let has_failed = crowd.is_origin_down || crowd.exchanges.iter().any(fails);
    if is_error && (crowd.is_origin_down || crowd.exchanges.iter().any(|one| one.said.is_cut)) {
        return Ok(());
    }
    let mut mismatches = Vec::new();
    for stored in world.live.iter().filter(|one| one.matches(asking)) {
        let age = stored.age(crowd.time);
        let ways = stored.ways(asking, age);
        let may_stand_in = has_failed && stored.stands_in(asking, age) != StandsIn::No;
        if may_stand_in || ways.iter().any(|way| *way != Way::Ask) {
            match check_stored(asking, answer, stored, Aged::Must(age)) {
                Ok(()) => return Ok(()),
                Err(mismatch) => mismatches.push(format!("stored: {mismatch}")),
            }
        }
    }
    for exchange in crowd.exchanges {
        match check_by(world, crowd, asking, answer, exchange) {
            Ok(()) => return Ok(()),
            Err(mismatch) => mismatches.push(format!("x-turn {:?}: {mismatch}", turn(exchange))),
        }
    }
    Err(mismatches.join("\n"))
}

fn turn(exchange: &Exchange) -> &str {
    exchange.said.field("x-turn").unwrap_or_default()
}

/// Holds an answer to what an exchange brought, its own or that of another request.
fn check_by(
    world: &World,
    crowd: &Crowd<'_>,
    asking: &Asking,
    answer: &Answer,
    exchange: &Exchange,
) -> Result<(), Mismatch> {
    let (said, time) = (&exchange.said, crowd.time);
    let asked_by = exchange.asked.field(WHO);
    let is_own = asked_by == asking.field(WHO);
    let by = crowd.askings.iter().find(|one| one.field(WHO) == asked_by);
    let by = by.ok_or("a request of nobody's")?;
    if said.status == 304 {
        return check_confirmed(world, crowd, asking, answer, exchange);
    }
    let stored = Stored::of(by, exchange, time);
    let age = Between(0, stored.age(time).1.max(own_age(said)));
    if is_own {
        return check_said(asking, answer, said, age)
            .or_else(|_| check_stored(asking, answer, &stored, Aged::May(age)));
    }
    // s4: what is not stored, or is of another variant, or would have to be validated, answers one request.
    if storing(by, said, true) == Storing::MustNot || !stored.matches(asking) {
        return Err("it is not for others".to_owned());
    }
    let ways = stored.ways(&without_no_cache(asking), stored.age(time));
    if !ways.iter().any(|way| *way != Way::Ask) {
        return Err("it answers nobody else without the origin".to_owned());
    }
    check_stored(asking, answer, &stored, Aged::May(age))
}

/// Holds an answer to what a 304 made of a stored response, of any of this crowd's before it, too.
fn check_confirmed(
    world: &World,
    crowd: &Crowd<'_>,
    asking: &Asking,
    answer: &Answer,
    exchange: &Exchange,
) -> Result<(), Mismatch> {
    let brought = crowd.exchanges.iter().filter(|one| one.said.status == 200);
    let brought = brought.filter_map(|one| {
        let who = one.asked.field(WHO);
        let by = crowd.askings.iter().find(|asking| asking.field(WHO) == who);
        Some(Stored::of(by?, one, crowd.time))
    });
    let known: Vec<Stored> = world.live.iter().cloned().chain(brought).collect();
    let mut mismatches = Vec::new();
    for stored in known.iter().filter(|one| one.is_meant_by(&exchange.said)) {
        let mut fresh = stored.clone();
        fresh.freshen(exchange, crowd.time);
        let age = Aged::May(Between(0, fresh.age(crowd.time).1));
        match check_stored(asking, answer, &fresh, age) {
            Ok(()) => return Ok(()),
            Err(mismatch) => mismatches.push(mismatch),
        }
    }
    Err(format!("by a 304: {}", mismatches.join("; ")))
}

fn own_age(said: &Said) -> u64 {
    said.field("age")
        .map_or(0, |age| age.parse().expect("seconds"))
}

/// The request without what an answer grants that the origin was asked for after it.
fn without_no_cache(asking: &Asking) -> Asking {
    let mut asking = asking.clone();
    if asking.wishes().no_cache {
        let is_wish = |name: &str| matches!(name, "cache-control" | "pragma");
        asking.fields.retain(|(name, _)| !is_wish(name));
    }
    asking
}

/// No request is sent to the origin over and over: itself, once more without conditions, and to refresh what it got.
fn check_count(crowd: &Crowd<'_>) -> Result<(), String> {
    for asking in crowd.askings {
        let is_its = |one: &&Exchange| one.asked.field(WHO) == asking.field(WHO);
        let count = crowd.exchanges.iter().filter(is_its).count();
        if count > 3 {
            return Err(format!("{asking}: {count} requests to the origin"));
        }
    }
    Ok(())
}
