//! The reference cache: what may be stored at each URL, and which answers follow from it (RFC 9111, RFC 5861).
//!
//! Where the specification leaves a choice, or two clocks may differ by a second, it goes on with all that may be true:
//! each URL has its possible *worlds*, and an answer must be right in one of them at least. Those in which it is not are
//! given up.

use std::collections::HashMap;

use crate::asking::Asking;
use crate::confirmed::{adopted, after_head, confirmed, freshened};
use crate::expected::{Aged, Mismatch, bytes_for, check_said, check_stored};
use crate::harness::Answer;
use crate::resource::{Exchange, Said, part_of};
use crate::stored::{Between, StandsIn, Stored, Storing, Way, storing};

/// Most earlier forms that a URL's world remembers. Those that came before have long been written over.
const OLDER_MAX: usize = 6;

/// Most worlds of a URL; more than that is a mistake of the reference.
const WORLDS_MAX: usize = 4096;

/// What may be stored at a URL, and what was stored before and may still lie on the disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct World {
    pub(crate) live: Vec<Stored>,
    pub(crate) older: Vec<Stored>,
}

/// What a client saw, and what the origin.
#[derive(Debug)]
pub(crate) struct Seen<'s> {
    pub(crate) asking: &'s Asking,
    /// None where the answer broke off; then these bytes had come.
    pub(crate) answer: Result<&'s Answer, &'s [u8]>,
    pub(crate) exchanges: &'s [Exchange],
    pub(crate) is_origin_down: bool,
    /// The seconds in which it began and ended.
    pub(crate) time: Between,
}

/// What is purged.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purged {
    Path(&'static str),
    Prefix(&'static str),
    Tag(&'static str),
    All,
}

/// How the server came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// All is lost.
    Forgets,
    /// What is stored now may be there again.
    Orderly,
    /// So may what was stored before.
    Crash,
}

/// The reference cache.
#[derive(Debug, Default)]
pub(crate) struct Reference {
    worlds: HashMap<&'static str, Vec<World>>,
}

type Worlds = Result<Vec<World>, Mismatch>;

impl Reference {
    /// Holds an answer to what it may be, and learns from it.
    pub(crate) fn see(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        let path = seen.asking.path;
        let worlds = self
            .worlds
            .remove(path)
            .unwrap_or_else(|| vec![World::default()]);
        let (mut next, mut mismatches) = (Vec::new(), Vec::new());
        for world in &worlds {
            match follow(world, seen) {
                Ok(worlds) => worlds.into_iter().for_each(|world| merge(&mut next, world)),
                Err(mismatch) => add(&mut mismatches, mismatch),
            }
        }
        assert!(next.len() <= WORLDS_MAX, "{} worlds of {path}", next.len());
        if next.is_empty() {
            return Err(format!(
                "{}\nwhere there may be {worlds:#?}",
                mismatches.join("\n")
            ));
        }
        self.worlds.insert(path, next);
        self.invalidate_named(seen);
        Ok(())
    }

    /// What may be stored at a path.
    pub(crate) fn worlds(&self, path: &str) -> Vec<World> {
        let known = self.worlds.get(path).cloned();
        known.unwrap_or_else(|| vec![World::default()])
    }

    /// s4.4: what Location names in an answer to an unsafe request.
    fn invalidate_named(&mut self, seen: &Seen<'_>) {
        if let Some(exchange) = seen.exchanges.last()
            && !seen.asking.is_safe()
            && is_success(exchange.said.status)
            && let Some(location) = exchange.said.field("location")
        {
            let is_meant = |path: &str, _: &Stored| path == location;
            self.mark(is_meant, |stored| stored.is_invalid = true);
        }
    }

    /// Carries out a purge.
    pub(crate) fn purge(&mut self, purged: Purged, is_soft: bool, time: Between) {
        let is_meant = |path: &str, stored: &Stored| match purged {
            Purged::Path(meant) => path == meant,
            Purged::Prefix(meant) => path.starts_with(meant),
            Purged::Tag(meant) => stored.field("cache-tag") == Some(meant),
            Purged::All => true,
        };
        if is_soft {
            return self.mark(is_meant, |stored| stored.purge_softly(time));
        }
        for (path, worlds) in &mut self.worlds {
            for world in worlds.iter_mut() {
                world.live.retain(|stored| !is_meant(path, stored));
                world.older.retain(|stored| !is_meant(path, stored));
            }
        }
    }

    fn mark(&mut self, is_meant: impl Fn(&str, &Stored) -> bool, mark: impl Fn(&mut Stored)) {
        for (path, worlds) in &mut self.worlds {
            for world in worlds.iter_mut() {
                let all = world.live.iter_mut().chain(&mut world.older);
                all.filter(|stored| is_meant(path, stored)).for_each(&mark);
            }
        }
    }

    /// The server ends and starts again.
    pub(crate) fn restart(&mut self, ending: Ending) {
        if ending == Ending::Forgets {
            return self.worlds.clear();
        }
        for worlds in self.worlds.values_mut() {
            let mut next = Vec::new();
            worlds
                .iter()
                .for_each(|world| add(&mut next, survivors(world, ending)));
            *worlds = next;
        }
    }
}

impl World {
    /// Keeps an earlier form in mind.
    pub(crate) fn remember(&mut self, stored: Stored) {
        self.older.push(stored);
        while self.older.len() > OLDER_MAX {
            self.older.remove(0);
        }
    }
}

/// Adds a world; of those with the same stored responses, all earlier forms are kept in mind.
fn merge(all: &mut Vec<World>, world: World) {
    match all.iter_mut().find(|known| known.live == world.live) {
        None => all.push(world),
        Some(known) => world
            .older
            .into_iter()
            .for_each(|stored| add(&mut known.older, stored)),
    }
}

pub(crate) fn add<T: PartialEq>(all: &mut Vec<T>, one: T) {
    if !all.contains(&one) {
        all.push(one);
    }
}

fn is_success(status: u16) -> bool {
    (200..400).contains(&status)
}

/// Each stored response may be there again or not, in its last form or, after a crash, in an earlier one.
fn survivors(world: &World, ending: Ending) -> World {
    let older = match ending {
        Ending::Crash => &world.older[..],
        Ending::Orderly | Ending::Forgets => &[],
    };
    let mut next = World::default();
    for stored in older.iter().chain(&world.live) {
        add(
            &mut next.live,
            Stored {
                may_be_gone: true,
                // Not all of its bytes need have been written.
                is_partial: true,
                ..stored.clone()
            },
        );
    }
    next
}

/// The worlds that may follow from one, if the answer is right there.
fn follow(world: &World, seen: &Seen<'_>) -> Worlds {
    if !seen.asking.is_safe() {
        return follow_unsafe(world, seen);
    }
    // What the origin calls valid, or completes, need not be what would have been chosen.
    let by_parts = (0..world.live.len()).filter_map(|place| broken_off(world, seen, place));
    let mut next: Vec<World> = by_parts.flatten().collect();
    if !next.is_empty() {
        return Ok(next);
    }
    let chosen = chosen(world, seen);
    if chosen.is_empty() {
        return if seen.asking.wishes().only_if_cached {
            expect_only_if_cached(world, seen)
        } else {
            follow_to_the_origin(world, seen, None)
        };
    }
    let mut mismatches = Vec::new();
    for place in chosen {
        let stored = &world.live[place];
        if stored.may_be_gone {
            for world in [without(world, place), confirmed_alone(world, place)] {
                match follow(&world, seen) {
                    Ok(worlds) => next.extend(worlds),
                    Err(mismatch) => mismatches.push(mismatch),
                }
            }
            continue;
        }
        for way in stored.ways(seen.asking, stored.age(seen.time)) {
            let worlds = match way {
                Way::Serve => follow_from_the_cache(world, seen, place, false),
                Way::ServeAndRefresh => follow_from_the_cache(world, seen, place, true),
                Way::Ask if seen.asking.wishes().only_if_cached => {
                    expect_only_if_cached(world, seen)
                }
                Way::Ask => follow_to_the_origin(world, seen, Some(place)),
            };
            match worlds {
                Ok(worlds) => next.extend(worlds),
                Err(mismatch) => mismatches.push(format!("{way:?}: {mismatch}")),
            }
        }
    }
    if next.is_empty() {
        Err(mismatches.join("\n"))
    } else {
        Ok(next)
    }
}

/// It did not survive.
fn without(world: &World, place: usize) -> World {
    let mut next = world.clone();
    next.live.remove(place);
    next
}

/// It did, so that no other form of it did.
fn confirmed_alone(world: &World, place: usize) -> World {
    let mut next = world.clone();
    let mut stored = next.live.remove(place);
    stored.may_be_gone = false;
    next.live
        .retain(|other| other.selecting != stored.selecting);
    next.live.push(stored);
    next
}

/// The places of the responses that may be selected (s4.1): of those that match, one that varies, and the most recent.
fn chosen(world: &World, seen: &Seen<'_>) -> Vec<usize> {
    let matching = world.live.iter().enumerate();
    let matching: Vec<(usize, &Stored)> = matching
        .filter(|(_, stored)| stored.matches(seen.asking))
        .collect();
    let varies = |stored: &Stored| !stored.selecting.is_empty();
    let any_varies = matching.iter().any(|(_, stored)| varies(stored));
    let preferred = matching
        .into_iter()
        .filter(|(_, stored)| varies(stored) == any_varies);
    let preferred: Vec<(usize, &Stored)> = preferred.collect();
    let latest = preferred.iter().map(|(_, stored)| stored.received.0).max();
    let newest = preferred
        .iter()
        .filter_map(|(_, stored)| stored.field("date").map(read))
        .max();
    preferred
        .into_iter()
        .filter(|(_, stored)| {
            Some(stored.received.1) >= latest || stored.field("date").map(read) == newest
        })
        .map(|(place, _)| place)
        .collect()
}

fn read(date: &str) -> std::time::SystemTime {
    httpdate::parse_http_date(date).expect("a date of ours")
}

fn whole<'s>(seen: &Seen<'s>) -> Result<&'s Answer, Mismatch> {
    seen.answer
        .map_err(|came| format!("broken off after {} bytes", came.len()))
}

fn expect_only_if_cached(world: &World, seen: &Seen<'_>) -> Worlds {
    let answer = whole(seen)?;
    if answer.status != 504 || !seen.exchanges.is_empty() {
        return Err("504 without a word to the origin expected (s5.2.1.7)".to_owned());
    }
    Ok(vec![world.clone()])
}

fn follow_from_the_cache(world: &World, seen: &Seen<'_>, place: usize, refreshes: bool) -> Worlds {
    let (answer, stored) = (whole(seen)?, &world.live[place]);
    let aged = Aged::Must(stored.age(seen.time));
    check_stored(seen.asking, answer, stored, aged)?;
    let status = answer.field("cache-status").unwrap_or_default();
    let is_hit = status.contains("; hit") || stored.is_partial && status.contains("; fwd=partial");
    if answer.status != 416 && !is_hit {
        return Err(format!("a hit expected, not {status:?}"));
    }
    match seen.exchanges {
        [] if !refreshes || seen.is_origin_down => Ok(vec![world.clone()]),
        // A request that gets no part of it leaves the refresh to the next one.
        [] if answer.status == 416 => Ok(vec![world.clone()]),
        [] => Err("nobody refreshed it".to_owned()),
        [exchange] if refreshes => Ok(after(world, seen, exchange, Some(place))),
        // The rest of its bytes, under the same entity-tag (s3.4).
        parts if stored.is_partial && are_parts_of(stored, parts) => {
            Ok(vec![world.clone(), completed(world, place)])
        }
        // Both that, and what validates it.
        all if stored.is_partial && refreshes => {
            let is_part = |one: &&Exchange| are_parts_of(stored, std::slice::from_ref(*one));
            let others: Vec<&Exchange> = all.iter().filter(|one| !is_part(one)).collect();
            let [exchange] = others[..] else {
                return Err(format!("{} requests for a refresh", others.len()));
            };
            let before = [world.clone(), completed(world, place)];
            let after = |world| after(world, seen, exchange, Some(place));
            Ok(before.iter().flat_map(after).collect())
        }
        _ => Err(format!(
            "{} requests to the origin for a hit",
            seen.exchanges.len()
        )),
    }
}

/// All of its bytes are there.
fn completed(world: &World, place: usize) -> World {
    let mut next = world.clone();
    next.live[place].is_partial = false;
    next
}

/// The worlds after an answer that broke off because the rest of what is stored could not be had, or belongs to another
/// representation by now: bytes of two are never put together (s3.4). None where it is another matter.
fn broken_off(world: &World, seen: &Seen<'_>, place: usize) -> Option<Vec<World>> {
    let (stored, came) = (&world.live[place], seen.answer.err()?);
    let is_its_start = bytes_for(seen.asking, stored).starts_with(came);
    if !stored.is_partial || !stored.matches(seen.asking) || !is_its_start {
        return None;
    }
    let mut gone = without(world, place);
    gone.remember(stored.clone());
    if seen.is_origin_down {
        return Some(vec![world.clone(), gone]);
    }
    let Exchange { asked, said, .. } = seen.exchanges.last()?;
    let is_for_the_rest =
        asked.field("if-range").is_some() && asked.field("if-range") == stored.field("etag");
    let is_same = said.field("etag") == stored.field("etag");
    if !is_for_the_rest || said.status == 206 && is_same && !said.is_cut {
        return None;
    }
    let mut worlds = Vec::new();
    if said.status >= 500 || is_same && said.is_cut {
        // It stays as incomplete as it is. Before the rest it may have been validated.
        let mut kept = world.clone();
        let validations = seen.exchanges.iter().filter(|one| one.said.status == 304);
        for exchange in validations.filter(|one| stored.is_meant_by(&one.said)) {
            kept.remember(kept.live[place].clone());
            kept.live[place].freshen(exchange, seen.time);
        }
        worlds.push(kept);
    }
    worlds.push(gone);
    Some(worlds)
}

/// Whether the client has got what is stored, so that an exchange was for what comes next.
fn is_answered_by(stored: &Stored, seen: &Seen<'_>) -> bool {
    let turn = seen.answer.ok().and_then(|answer| answer.field("x-turn"));
    turn.is_some() && turn == stored.field("x-turn")
}

fn are_parts_of(stored: &Stored, parts: &[Exchange]) -> bool {
    parts.iter().all(|Exchange { said, .. }| {
        said.status == 206 && said.field("etag") == stored.field("etag")
    })
}

fn follow_to_the_origin(world: &World, seen: &Seen<'_>, place: Option<usize>) -> Worlds {
    let selected = place.map(|place| &world.live[place]);
    let stands_in = selected.map_or(StandsIn::No, |stored| {
        stored.stands_in(seen.asking, stored.age(seen.time))
    });
    if seen.is_origin_down {
        return follow_outage(world, seen, selected, stands_in);
    }
    let is_partial = |one: &Stored| one.is_partial;
    // Where nothing is selected, a 304 may name any.
    let has_parts = seen.asking.field("range").is_some()
        || selected.map_or_else(|| world.live.iter().any(is_partial), is_partial);
    let exchange = match seen.exchanges {
        [] => return Err("the origin was not asked".to_owned()),
        [.., last] if seen.exchanges.len() == 1 || has_parts => last,
        _ => return Err(format!("{} requests to the origin", seen.exchanges.len())),
    };
    check_conditions(world, seen, exchange, selected)?;
    let said = &exchange.said;
    if matches!(said.status, 500 | 502 | 503 | 504) && stands_in != StandsIn::No {
        let stale = expect_stale(seen, selected);
        if stale.is_ok() || stands_in == StandsIn::Yes {
            return stale.map(|()| vec![world.clone()]);
        }
    }
    // Of parts that were put together, the head is that of one of them.
    let (mut next, mut mismatches) = (Vec::new(), Vec::new());
    for exchange in seen.exchanges.iter().rev() {
        match check_answer(world, seen, exchange, place) {
            Ok(()) => next.extend(after(world, seen, exchange, place)),
            Err(mismatch) => mismatches.push(mismatch),
        }
    }
    if next.is_empty() {
        Err(mismatches.join("\n"))
    } else {
        Ok(next)
    }
}

fn expect_stale(seen: &Seen<'_>, selected: Option<&Stored>) -> Result<(), Mismatch> {
    let stored = selected.ok_or("nothing is stored")?;
    let aged = Aged::Must(stored.age(seen.time));
    check_stored(seen.asking, whole(seen)?, stored, aged).map_err(|why| format!("stale: {why}"))
}

fn follow_outage(
    world: &World,
    seen: &Seen<'_>,
    selected: Option<&Stored>,
    stands_in: StandsIn,
) -> Worlds {
    let answer = whole(seen)?;
    let stale = expect_stale(seen, selected);
    let is_error = matches!(answer.status, 502..=504);
    match (stands_in, stale) {
        (StandsIn::Yes | StandsIn::Perhaps, Ok(())) => Ok(vec![world.clone()]),
        (StandsIn::No | StandsIn::Perhaps, _) if is_error => Ok(vec![world.clone()]),
        (StandsIn::Yes | StandsIn::Perhaps, Err(mismatch)) => Err(mismatch),
        (StandsIn::No, _) => Err("the origin's failure is to be told".to_owned()),
    }
}

/// The origin is asked about what is stored, and about nothing else than that and what the client names (s4.3.1).
fn check_conditions(
    world: &World,
    seen: &Seen<'_>,
    exchange: &Exchange,
    selected: Option<&Stored>,
) -> Result<(), Mismatch> {
    let asked = &exchange.asked;
    let tags = asked.field("if-none-match").unwrap_or_default();
    for tag in tags.split(", ").filter(|tag| !tag.is_empty()) {
        let is_stored = world
            .live
            .iter()
            .any(|stored| stored.field("etag") == Some(tag));
        let is_clients = seen
            .asking
            .field("if-none-match")
            .is_some_and(|own| own.contains(tag));
        if !is_stored && !is_clients {
            return Err(format!(
                "the origin was asked about {tag}, which nobody has"
            ));
        }
    }
    // A part may be asked for as the client does, which stores nothing.
    let wants_part = seen.asking.field("range").is_some();
    let Some(stored) = selected.filter(|stored| {
        seen.asking.method == "GET" && !wants_part && stored.status == 200 && !stored.is_partial
    }) else {
        return Ok(());
    };
    let is_asked_about = match (stored.field("etag"), stored.field("last-modified")) {
        (Some(etag), _) => tags.contains(etag),
        (None, Some(modified)) => asked.field("if-modified-since") == Some(modified),
        (None, None) => true,
    };
    if is_asked_about {
        Ok(())
    } else {
        Err(format!(
            "what is stored is not validated but fetched anew: {:?}",
            asked.fields
        ))
    }
}

/// Holds the answer to a request that went to the origin.
fn check_answer(
    world: &World,
    seen: &Seen<'_>,
    exchange: &Exchange,
    place: Option<usize>,
) -> Result<(), Mismatch> {
    let (said, asking) = (&exchange.said, seen.asking);
    if said.is_cut {
        return match seen.answer {
            Err(came) if said.body.starts_with(came) || is_start_of_part(asking, said, came) => {
                Ok(())
            }
            Err(_) => Err("other bytes before it broke off".to_owned()),
            Ok(answer) if matches!(answer.status, 502..=504) => Ok(()),
            // A part may have come whole, or no content was wanted.
            Ok(answer) => check_said_or_stored(asking, answer, exchange, seen.time),
        };
    }
    let answer = whole(seen)?;
    if said.status != 304 {
        return check_said_or_stored(asking, answer, exchange, seen.time);
    }
    let mut mismatches = Vec::new();
    for place in confirmed(world, exchange, place) {
        let mut stored = world.live[place].clone();
        stored.freshen(exchange, seen.time);
        match check_stored(asking, answer, &stored, Aged::May(stored.age(seen.time))) {
            Ok(()) => return Ok(()),
            Err(mismatch) => mismatches.push(mismatch),
        }
    }
    let age = passed_age(
        &Stored::of(asking, exchange, seen.time),
        exchange,
        seen.time,
    );
    check_said(asking, answer, said, age).map_err(|mismatch| {
        mismatches.push(mismatch);
        format!("after a 304: {}", mismatches.join("; "))
    })
}

/// Whether these bytes begin what the client wants: a part, or all.
fn is_start_of_part(asking: &Asking, said: &Said, came: &[u8]) -> bool {
    let range = asking.field("range");
    let part = range.and_then(|range| part_of(range, said.whole.len()));
    let is_part = part.is_some_and(|part| said.whole[part].starts_with(came));
    is_part || said.whole.starts_with(came)
}

/// The answer is what the origin said, or the part of it that the client wants.
fn check_said_or_stored(
    asking: &Asking,
    answer: &Answer,
    exchange: &Exchange,
    time: Between,
) -> Result<(), Mismatch> {
    let stored = Stored::of(asking, exchange, time);
    let age = passed_age(&stored, exchange, time);
    check_said(asking, answer, &exchange.said, age).or_else(|mismatch| {
        check_stored(asking, answer, &stored, Aged::May(age))
            .map_err(|other| format!("{mismatch}; or of the whole: {other}"))
    })
}

/// The Age of an answer that the origin has just given: its own, or what a cache makes of it.
fn passed_age(stored: &Stored, exchange: &Exchange, time: Between) -> Between {
    let own = exchange
        .said
        .field("age")
        .map_or(0, |age| age.parse().expect("seconds"));
    let made = stored.age(time);
    Between(made.0.min(own), made.1)
}

/// The worlds after an exchange for a safe request.
fn after(world: &World, seen: &Seen<'_>, exchange: &Exchange, place: Option<usize>) -> Vec<World> {
    let said = &exchange.said;
    if exchange.asked.method == "HEAD" {
        return after_head(world, seen, exchange, place);
    }
    // A HEAD that is answered from the cache has what it was answered with refreshed by a GET.
    let asking = &Asking {
        method: "GET",
        ..seen.asking.clone()
    };
    if said.status == 304 {
        let named = confirmed(world, exchange, place);
        let next = freshened(world, seen, exchange, &named);
        let mut worlds = vec![next.clone()];
        worlds.extend(adopted(&next, asking, (exchange, seen.time), &named));
        // s5.2.1.5: nothing of an answer to no-store need be kept.
        worlds.extend(asking.wishes().no_store.then(|| world.clone()));
        return worlds;
    }
    let mut new = Stored::of(asking, exchange, seen.time);
    // What no client waits for need not be brought to its end.
    let came = seen.answer.map_or(0, |answer| answer.body.len());
    let is_refresh = place.is_some_and(|at| is_answered_by(&world.live[at], seen));
    new.is_partial |= !is_refresh && came < new.body.len();
    let mut without = world.clone();
    let is_replaced = |stored: &Stored| stored.selecting == new.selecting;
    while let Some(place) = without.live.iter().position(is_replaced) {
        let replaced = without.live.remove(place);
        without.remember(replaced);
    }
    let mut with = without.clone();
    with.live.push(new.clone());
    let is_fresh = new.lifetime() > new.age(seen.time).1;
    match storing(asking, said, is_fresh) {
        Storing::Must if !new.is_partial && asking.field("range").is_none() => vec![with],
        // What came before may be kept or not.
        Storing::MustNot => vec![world.clone(), without],
        Storing::Must | Storing::May => {
            let mut worlds = vec![with.clone(), world.clone(), without];
            if !said.is_cut {
                with.live.last_mut().expect("just added").is_partial = false;
                worlds.push(with);
            }
            worlds
        }
    }
}

fn follow_unsafe(world: &World, seen: &Seen<'_>) -> Worlds {
    let answer = whole(seen)?;
    if seen.is_origin_down {
        let is_error = matches!(answer.status, 502..=504);
        return is_error
            .then(|| vec![world.clone()])
            .ok_or("an error expected".to_owned());
    }
    let [exchange] = seen.exchanges else {
        return Err(format!(
            "{} requests to the origin for one",
            seen.exchanges.len()
        ));
    };
    if exchange.asked.method != seen.asking.method {
        return Err(format!(
            "{} became {}",
            seen.asking.method, exchange.asked.method
        ));
    }
    check_said(seen.asking, answer, &exchange.said, Between(0, 1))?;
    let mut next = world.clone();
    if is_success(exchange.said.status) {
        let all = next.live.iter_mut().chain(&mut next.older);
        all.for_each(|stored| stored.is_invalid = true);
    }
    Ok(vec![next])
}
