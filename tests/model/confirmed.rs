//! What a 304 is about, and what is stored after it or after the answer to a HEAD (RFC 9111 s4.3.4, s4.3.5).

use crate::asking::Asking;
use crate::reference::{Seen, World, add};
use crate::resource::Exchange;
use crate::stored::Between;

/// The places of what a 304 is about.
pub(crate) fn confirmed(world: &World, exchange: &Exchange, place: Option<usize>) -> Vec<usize> {
    // Weak tags of others are not asked about, nor updated.
    let is_strong = exchange.said.has_strong_tag();
    let all = world.live.iter().enumerate();
    all.filter(|(at, stored)| {
        stored.is_meant_by(&exchange.said) && (is_strong || Some(*at) == place)
    })
    .map(|(at, _)| at)
    .collect()
}

/// The world where what a 304 names, and could have answered the request, has its fields.
pub(crate) fn freshened(
    world: &World,
    seen: &Seen<'_>,
    exchange: &Exchange,
    named: &[usize],
) -> World {
    let mut next = world.clone();
    let answering = |place: &&usize| world.live[**place].matches(seen.asking);
    for place in named.iter().filter(answering) {
        next.remember(next.live[*place].clone());
        next.live[*place].freshen(exchange, seen.time);
    }
    next
}

/// The worlds where what a 304 names is stored for requests like this one too (s4.3.4), with what the 304 says.
pub(crate) fn adopted(
    world: &World,
    asking: &Asking,
    (exchange, time): (&Exchange, Between),
    named: &[usize],
) -> Vec<World> {
    let is_known = named.iter().any(|at| world.live[*at].matches(asking));
    let adopt = |at: &usize| {
        let mut own = world.live[*at].adopted(asking);
        own.freshen(exchange, time);
        let mut next = world.clone();
        next.live.retain(|stored| stored.selecting != own.selecting);
        next.live.push(own);
        next
    };
    named.iter().filter(|_| !is_known).map(adopt).collect()
}

/// s4.3.5: what a HEAD tells may update what is stored and could have answered, or show that it is stale; the selected response alone,
/// or all of them.
pub(crate) fn after_head(
    world: &World,
    seen: &Seen<'_>,
    exchange: &Exchange,
    place: Option<usize>,
) -> Vec<World> {
    let mut worlds = vec![world.clone()];
    if !matches!(exchange.said.status, 200 | 304) {
        return worlds;
    }
    if exchange.said.status == 304 {
        let named = confirmed(world, exchange, place);
        let next = freshened(world, seen, exchange, &named);
        worlds.extend(adopted(&next, seen.asking, (exchange, seen.time), &named));
        add(&mut worlds, next);
    }
    let could_answer = |at: &usize| world.live[*at].matches(seen.asking);
    let all: Vec<usize> = (0..world.live.len()).filter(could_answer).collect();
    for touched in [place.into_iter().collect(), all] {
        let mut next = world.clone();
        for at in touched {
            next.remember(next.live[at].clone());
            let stored = &mut next.live[at];
            if stored.is_meant_by(&exchange.said) || stored.is_as_large_as(&exchange.said) {
                stored.freshen(exchange, seen.time);
            } else {
                stored.is_invalid = true;
            }
        }
        add(&mut worlds, next);
    }
    worlds
}
