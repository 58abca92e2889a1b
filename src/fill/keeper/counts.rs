//! What the keeper has done, for other threads to read.

use crate::policy::rule::Rule;
use crate::stats::SharedCounts;
use crate::stats::counters::counters;

counters! {
    /// A counter or gauge of the keeper; indexes [`KeeperCounts`].
    enum KeeperCount,
    /// The keeper's table, in the order in which it is shown.
    const KEEPER_FAMILIES;

    "hotplate_fetches" Counter in "requests",
    "Requests that the fill threads answered for a worker, by what the answer was.", by "answer" {
        Stored = "stored",
        Passed = "passed",
        Revalidated = "revalidated",
        Collapsed = "collapsed",
        Found = "found",
        StaleIfError = "stale-if-error",
        Failed = "failed",
    }

    "hotplate_fetches_refused" Counter in "requests",
    "Requests that were not fetched because as many were under way as may be, by the limit.", by "limit" {
        RefusedFetches = "fetches",
        RefusedFills = "fills",
        RefusedWaiters = "waiters",
    }

    "hotplate_fetches_waiting" Gauge in "requests",
    "Requests that wait for the answer to another one now." { Waiting }

    "hotplate_fetches_sent_on" Counter in "requests",
    "Requests that waited for another's answer and had to ask the origin themselves." { SentOn }

    "hotplate_validations_asked_again" Counter in "requests",
    "Requests that were sent once more without conditions, because a 304 was about nothing that could answer them." { AskedAgain }

    "hotplate_lone_keys_forgotten" Counter in "keys",
    "Keys whose answers are not shared, or outgrew what may be stored, that were forgotten before their time for others: their next requests wait for one another again." { KeysForgotten }

    "hotplate_fills_under_way" Gauge in "fills",
    "Exchanges with origins now, from the request to the answer's last byte." { UnderWay }

    "hotplate_informational_responses" Counter in "responses",
    "Informational (1xx) responses of origins, by what became of them.", by "fate" {
        InformationalPassed = "passed",
        InformationalKept = "kept",
        InformationalDropped = "dropped",
    }

    "hotplate_trailers_dropped" Counter in "sections",
    "Trailer sections of responses that were too large to go on." { TrailersDropped }

    "hotplate_refreshes" Counter in "refreshes",
    "Stored responses that were to be refreshed while they were sent stale." { Refreshes }

    "hotplate_fill_bodies" Counter in "bodies",
    "Bodies that were stored while they were sent, by how that ended.", by "end" {
        BodyComplete = "complete",
        BodyBrokenOff = "broken-off",
        BodyUnwanted = "unwanted",
        BodyTooLarge = "too-large",
        BodyNoMemory = "no-memory",
        BodyNoDescriptor = "no-descriptor",
        BodySpilled = "store-failed",
    }

    "hotplate_bodies_lost" Counter in "bodies",
    "Stored bodies whose files could not be read any more: who reads them is cut, and the next request fetches them anew." { BodiesLost }

    "hotplate_outgrown_bodies" Counter in "bodies",
    "Bodies of unknown size that outgrew what may be stored and went on as passes to those who read them, by how that ended.", by "end" {
        OutgrownComplete = "complete",
        OutgrownBrokenOff = "broken-off",
        OutgrownUnwanted = "unwanted",
    }

    "hotplate_outgrown_bodies_under_way" Gauge in "bodies",
    "Bodies that outgrew what may be stored and go on as passes now." { OutgrownNow }

    "hotplate_outgrown_readers_left" Counter in "readers",
    "Clients that were left behind because others who read the same outgrown body waited too long for them." { OutgrownLeft }

    "hotplate_ranges_fetched" Counter in "ranges",
    "Missing parts of stored bodies that origins were asked for, and those of them for which they had another representation.", by "result" {
        RangesAsked = "asked",
        RangesChanged = "changed",
    }

    "hotplate_ranges_full" Counter in "times",
    "Times that a reader of a stored body found as many missing parts of it on their way as may be: one that nobody waits for gives way, or the reader waits." { RangesFull }

    "hotplate_invalidated_responses" Counter in "responses",
    "Stored responses marked stale because a request changed something (RFC 9111 s4.4, RFC 9875) or a HEAD told so (s4.3.5)." { Invalidated }
}

/// The keeper's counters and gauges.
pub type KeeperCounts = SharedCounts<KeeperCount>;

impl KeeperCounts {
    /// Counts an answer by the rule that decided.
    pub(in crate::fill) fn answered(&self, rule: Rule) {
        self.bump(match rule {
            Rule::Stored => KeeperCount::Stored,
            Rule::Passed => KeeperCount::Passed,
            Rule::Revalidated => KeeperCount::Revalidated,
            Rule::Collapsed => KeeperCount::Collapsed,
            Rule::Fresh | Rule::MaxStale | Rule::StaleWhileRevalidate => KeeperCount::Found,
            Rule::StaleIfError => KeeperCount::StaleIfError,
            _ => KeeperCount::Failed,
        });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::stats::counters::{FAMILIES, Kind};

    #[test]
    fn answers_are_counted_by_their_rule() {
        let counts = KeeperCounts::default();
        for rule in [
            Rule::Stored,
            Rule::Stored,
            Rule::MaxStale,
            Rule::OriginTimeout,
            Rule::OnlyIfCached,
        ] {
            counts.answered(rule);
        }
        assert_eq!(counts.read(KeeperCount::Stored), 2);
        assert_eq!(counts.read(KeeperCount::Found), 1);
        assert_eq!(counts.read(KeeperCount::Failed), 2);
        assert_eq!(counts.read(KeeperCount::Passed), 0);
    }

    #[test]
    fn table_shares_no_name_with_the_workers_and_counts_end_with_a_point() {
        let mut names: HashSet<&str> = FAMILIES.iter().map(|family| family.name).collect();
        for family in KEEPER_FAMILIES {
            assert!(names.insert(family.name), "twice: {}", family.name);
            assert!(family.help.ends_with('.'), "{}", family.name);
            assert!(matches!(family.kind, Kind::Counter | Kind::Gauge));
            assert_eq!(family.label.is_empty(), family.members.len() == 1);
        }
        let listed = KEEPER_FAMILIES.iter().flat_map(|family| family.members);
        assert!(
            listed
                .map(|member| member.counter)
                .eq(KeeperCount::ALL.iter().copied())
        );
    }
}
