//! `[[site.rule]]`: one rule for a path, and in each what can take effect.

use std::collections::HashMap;
use std::time::Duration;

use super::{add, origins};
use crate::config::draft::ReadSite;
use crate::config::keys::RULE;
use crate::config::read::{Places, Report};
use crate::config::rule_contradiction::RuleContradiction;
use crate::policy::settings::{CacheRule, Overrides, Tier};
use crate::store::tiers::MemorySettings;

/// Keys that mean something although nothing is stored.
const WITHOUT_STORING: [&str; 3] = ["path", "cache", "x_cache"];

/// The stores that there are.
#[derive(Clone, Copy, Debug)]
pub(in crate::config) struct Room {
    /// The memory store.
    pub(in crate::config) memory: MemorySettings,
    /// Whether there is a disk store.
    pub(in crate::config) has_disk: bool,
}

/// The rules of one site.
pub(in crate::config) fn site(report: &mut Report<'_>, site: &ReadSite, room: Room) {
    if !origins::has_origin(site) {
        return; // said of the site already
    }
    let mut lines = HashMap::new();
    for (rule, places) in &site.rules {
        if let Some(place) = places.of("path") {
            let line = report.line(&places.header);
            match lines.get(&rule.path) {
                Some(first) => {
                    let twice = RuleContradiction::PathTwice {
                        path: String::from_utf8_lossy(&rule.path).into_owned(),
                        line: *first,
                    };
                    add(report, &place, "site.rule.path", twice);
                }
                None => {
                    lines.insert(&rule.path, line);
                }
            }
        }
        if rule.cache {
            tiers(report, rule, places, room);
            lifetimes(report, RULE.name, &rule.overrides, places);
            queries(report, RULE.name, &rule.overrides, places);
        } else if !places.is_wrong("cache") {
            nothing_stored(report, places);
        }
    }
}

/// A rule by which nothing is stored says nothing about how.
fn nothing_stored(report: &mut Report<'_>, places: &Places) {
    for key in places.keys() {
        if !WITHOUT_STORING.contains(&key)
            && let Some(place) = places.of(key)
        {
            let key = format!("site.rule.{key}");
            add(report, &place, &key, RuleContradiction::NothingStored);
        }
    }
}

/// No store twice, and one at least that is on.
fn tiers(report: &mut Report<'_>, rule: &CacheRule, places: &Places, room: Room) {
    let members = places.members("tiers");
    for (at, (tier, place)) in rule.tiers.iter().zip(members).enumerate() {
        if rule.tiers.iter().take(at).any(|before| before == tier) {
            add(
                report,
                place,
                "site.rule.tiers",
                RuleContradiction::TierTwice,
            );
            return;
        }
    }
    if places.is_wrong("tiers") {
        return;
    }
    // Where both are named, one that is off is passed over, so that it can be turned off in one place.
    let off = match rule.tiers[..] {
        [Tier::Disk] if !room.has_disk => RuleContradiction::DiskIsOff,
        [Tier::Memory] if room.memory.size.0.min(room.memory.max_object.0) == 0 => {
            RuleContradiction::MemoryIsOff
        }
        _ => return,
    };
    if let Some(place) = places.of("tiers") {
        add(report, &place, "site.rule.tiers", off);
    }
}

/// The bounds of lifetimes do not cross, the default lies within them, and what needs it has it.
pub(in crate::config) fn lifetimes(
    report: &mut Report<'_>,
    table: &str,
    overrides: &Overrides,
    places: &Places,
) {
    let is_longer = |time: Duration| overrides.max_ttl.is_some_and(|max| time > max);
    let is_shorter = |time: Duration| overrides.min_ttl.is_some_and(|min| time < min);
    if let (Some(place), Some(min)) = (places.of("min_ttl"), overrides.min_ttl)
        && is_longer(min)
    {
        let crossed = RuleContradiction::LongerThanMax;
        add(report, &place, &format!("{table}.min_ttl"), crossed);
        return; // no other lifetime can be right now
    }
    if let (Some(place), Some(time)) = (places.of("default_ttl"), overrides.default_ttl) {
        let found = match time {
            _ if is_longer(time) => Some(RuleContradiction::LongerThanMax),
            _ if is_shorter(time) => Some(RuleContradiction::ShorterThanMin),
            _ => None,
        };
        if let Some(found) = found {
            add(report, &place, &format!("{table}.default_ttl"), found);
        }
    }
    let mut errors = overrides.negative_ttl.iter();
    if let Some(place) = places.of("negative_ttl")
        && let Some(entry) = errors.find(|entry| is_longer(entry.ttl) || is_shorter(entry.ttl))
    {
        let outside = RuleContradiction::ErrorsOutside {
            first: entry.first,
            last: entry.last,
            bound: if is_longer(entry.ttl) {
                "max_ttl"
            } else {
                "min_ttl"
            },
        };
        add(report, &place, &format!("{table}.negative_ttl"), outside);
    }
    if overrides.ignore_no_last_modified
        && overrides.default_ttl.is_none()
        && !places.is_wrong("default_ttl")
        && let Some(place) = places.of("ignore_no_last_modified")
    {
        let needs = RuleContradiction::NeedsDefaultTtl;
        add(
            report,
            &place,
            &format!("{table}.ignore_no_last_modified"),
            needs,
        );
    }
}

/// Either the whole query makes no difference, or parts of it.
pub(in crate::config) fn queries(
    report: &mut Report<'_>,
    table: &str,
    overrides: &Overrides,
    places: &Places,
) {
    if overrides.ignore_query
        && !overrides.strip_query.is_empty()
        && let Some(place) = places.of("strip_query")
    {
        let whole = RuleContradiction::WholeQueryIgnored;
        add(report, &place, &format!("{table}.strip_query"), whole);
    }
}
