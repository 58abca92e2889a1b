//! The table of all counters: each is declared here once, with its name, unit, help and label.
//!
//! A family is what Prometheus calls a metric family; its members differ in the value of one label, and a family without
//! a label has one member. Label values are a closed set: nothing a client sends ever becomes one.

/// How a family's values move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows while the process lives; Prometheus names it with `_total` at the end.
    Counter,
    /// Grows and shrinks.
    Gauge,
}

/// Counters and gauges that belong together: one name, one help text, at most one label.
#[derive(Clone, Copy, Debug)]
pub struct Family<C: 'static = Counter> {
    /// The name without the `_total` that counters end with in the exposition.
    pub name: &'static str,
    /// How the values move.
    pub kind: Kind,
    /// What is counted, as a plural noun: `bytes`, `connections`.
    pub unit: &'static str,
    /// One sentence for the operator.
    pub help: &'static str,
    /// The label's name; empty for a family without label.
    pub label: &'static str,
    /// The counters, in the order of their label values.
    pub members: &'static [Member<C>],
}

/// One counter of a family.
#[derive(Clone, Copy, Debug)]
pub struct Member<C = Counter> {
    /// Which counter it is.
    pub counter: C,
    /// The label's value; empty in a family without label.
    pub value: &'static str,
}

/// Declares a table of counters: the enum that names them, and the families that it is shown as.
macro_rules! counters {
    ($(#[$enum_doc:meta])+ enum $counter:ident, $(#[$table_doc:meta])+ const $table:ident; $(
        $name:literal $kind:ident in $unit:literal, $help:literal $(, by $label:literal)? {
            $($variant:ident $(= $value:literal)?),+ $(,)?
        }
    )+) => {
        $(#[$enum_doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum $counter {
            $($(
                #[doc = concat!($help $(, " Here: `", $value, "`.")?)]
                $variant,
            )+)+
        }

        impl $counter {
            /// Every counter, in the order of the table.
            pub const ALL: &'static [$counter] = &[$($($counter::$variant),+),+];

            /// How many counters there are.
            pub const COUNT: usize = Self::ALL.len();

            /// The counter's place in tables of [`COUNT`](Self::COUNT) values.
            #[must_use]
            pub const fn index(self) -> usize {
                self as usize
            }
        }

        impl $crate::stats::shared::Countable for $counter {
            const COUNT: usize = Self::COUNT;

            fn index(self) -> usize {
                self.index()
            }
        }

        $(#[$table_doc])+
        pub const $table: &[$crate::stats::counters::Family<$counter>] = &[$(
            $crate::stats::counters::Family {
                name: $name,
                kind: $crate::stats::counters::Kind::$kind,
                unit: $unit,
                help: $help,
                label: concat!($($label)?),
                members: &[$(
                    $crate::stats::counters::Member {
                        counter: $counter::$variant,
                        value: concat!($($value)?),
                    }
                ),+],
            }
        ),+];
    };
}

pub(crate) use counters;

counters! {
    /// A counter or gauge of a worker; indexes [`WorkerStats`](super::WorkerStats).
    enum Counter,
    /// The table, in the order in which it is shown.
    const FAMILIES;

    "hotplate_connections_accepted" Counter in "connections",
    "Client connections accepted." { ConnectionsAccepted }

    "hotplate_connections_closed" Counter in "connections",
    "Client connections closed, whatever the reason." { ConnectionsClosed }

    "hotplate_connections_open" Gauge in "connections",
    "Client connections open now." { ConnectionsOpen }

    "hotplate_connections_refused" Counter in "connections",
    "Client connections closed because the limit was reached and none was idle. One that was told with its answer that this is the last, and left, is not among them." { ConnectionsRefused }

    "hotplate_connections_evicted" Counter in "connections",
    "Idle client connections closed to make room for a new one." { ConnectionsEvicted }

    "hotplate_connections_reset" Counter in "connections",
    "Client connections that the client or the network broke off." { ConnectionsReset }

    "hotplate_accept_failures" Counter in "failures",
    "Accepts that failed, by cause.", by "cause" {
        AcceptDescriptors = "descriptors",
        AcceptOther = "other",
    }

    "hotplate_timeouts" Counter in "connections",
    "Client connections closed for a deadline, by what was waited for.", by "waiting_for" {
        TimeoutHead = "head",
        TimeoutBody = "body",
        TimeoutIdle = "idle",
        TimeoutSend = "send",
        TimeoutDrain = "drain",
    }

    "hotplate_requests" Counter in "requests",
    "Request heads parsed completely." { Requests }

    "hotplate_requests_with_ignored_body" Counter in "requests",
    "Requests whose body was read and thrown away." { RequestsIgnoredBody }

    "hotplate_requests_pipelined" Counter in "requests",
    "Requests that stood behind another one in the same receive buffer." { RequestsPipelined }

    "hotplate_answers" Counter in "answers",
    "Final answers begun, by status.", by "status" {
        Answer200 = "200",
        Answer204 = "204",
        Answer206 = "206",
        Answer301 = "301",
        Answer304 = "304",
        Answer400 = "400",
        Answer403 = "403",
        Answer404 = "404",
        Answer405 = "405",
        Answer406 = "406",
        Answer408 = "408",
        Answer412 = "412",
        Answer413 = "413",
        Answer414 = "414",
        Answer416 = "416",
        Answer417 = "417",
        Answer421 = "421",
        Answer431 = "431",
        Answer500 = "500",
        Answer501 = "501",
        Answer502 = "502",
        Answer503 = "503",
        Answer504 = "504",
        Answer505 = "505",
        AnswerOther = "other",
    }

    "hotplate_answers_continue" Counter in "answers",
    "Interim 100 answers sent." { AnswersContinue }

    "hotplate_hits" Counter in "answers",
    "Answers made from local bytes, by where these live.", by "source" {
        HitPinFile = "pin-file",
        HitPinMmap = "pin-mmap",
        HitPinMemory = "pin-memory",
        HitRoot = "root",
        HitFresh = "cache",
        HitStale = "cache-stale",
        HitRevalidated = "cache-revalidated",
        HitCollapsed = "cache-collapsed",
    }

    "hotplate_misses" Counter in "answers",
    "Answers that the origin gave, by what became of them.", by "outcome" {
        MissStored = "stored",
        MissPassed = "passed",
    }

    "hotplate_upgrades_refused" Counter in "requests",
    "Requests for WebSocket that were refused, since connections are not tunnelled." { UpgradesRefused }

    "hotplate_answers_coalesced" Counter in "answers",
    "Pipelined answers that left in the same send as an earlier one." { AnswersCoalesced }

    "hotplate_answers_aborted" Counter in "answers",
    "Bodies broken off before their end, by cause; the connection closes.", by "cause" {
        AbortedChanged = "file-changed",
        AbortedRead = "read-failed",
        AbortedFill = "fill-failed",
        AbortedClient = "client-gone",
    }

    "hotplate_received_bytes" Counter in "bytes",
    "Bytes received from clients." { BytesReceived }

    "hotplate_sent_bytes" Counter in "bytes",
    "Bytes handed to the kernel for clients, heads included." { BytesSent }

    "hotplate_sends" Counter in "calls",
    "Sends that completed, by way.", by "way" {
        SendMemory = "memory",
        SendFile = "file",
    }

    "hotplate_short_sends" Counter in "calls",
    "Sends that took only part of what was offered." { ShortSends }

    "hotplate_receive_buffers_exhausted" Counter in "events",
    "Receives that found no free buffer in the pool (ENOBUFS) and were armed again." { ReceiveBuffersExhausted }

    "hotplate_cold_ranges" Counter in "ranges",
    "Body ranges that were not in the page cache and were asked from the fill threads." { ColdRanges }

    "hotplate_fill_orders" Counter in "orders",
    "Orders handed to the fill threads." { FillOrders }

    "hotplate_fill_joins" Counter in "requests",
    "Requests that joined an order under way instead of making one." { FillJoins }

    "hotplate_fill_queue_full" Counter in "orders",
    "Orders that found the fill queue full; the client got a 503 or waited for another turn." { FillQueueFull }

    "hotplate_snapshot_adoptions" Counter in "snapshots",
    "Index snapshots taken over by a worker." { SnapshotAdoptions }

    "hotplate_turns" Counter in "turns",
    "Rounds of the workers' event loops." { Turns }

    "hotplate_access_records" Counter in "records",
    "Access-log records taken." { AccessRecords }

    "hotplate_access_records_dropped" Counter in "records",
    "Access-log records lost because the log could not keep up." { AccessRecordsDropped }
}

impl Counter {
    /// The member of `hotplate_answers` that counts `status`.
    #[must_use]
    pub const fn answer(status: u16) -> Self {
        match status {
            200 => Self::Answer200,
            204 => Self::Answer204,
            206 => Self::Answer206,
            301 => Self::Answer301,
            304 => Self::Answer304,
            400 => Self::Answer400,
            403 => Self::Answer403,
            404 => Self::Answer404,
            405 => Self::Answer405,
            406 => Self::Answer406,
            408 => Self::Answer408,
            412 => Self::Answer412,
            413 => Self::Answer413,
            414 => Self::Answer414,
            416 => Self::Answer416,
            417 => Self::Answer417,
            421 => Self::Answer421,
            431 => Self::Answer431,
            500 => Self::Answer500,
            501 => Self::Answer501,
            502 => Self::Answer502,
            503 => Self::Answer503,
            504 => Self::Answer504,
            505 => Self::Answer505,
            _ => Self::AnswerOther,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn is_name(text: &str) -> bool {
        text.starts_with(|c: char| c.is_ascii_lowercase())
            && text
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    }

    #[test]
    fn family_names_are_unique_valid_and_prefixed() {
        let mut seen = HashSet::new();
        for family in FAMILIES {
            assert!(is_name(family.name), "{}", family.name);
            assert!(family.name.starts_with("hotplate_"), "{}", family.name);
            assert!(!family.name.ends_with("_total"), "{}", family.name);
            assert!(seen.insert(family.name), "twice: {}", family.name);
            assert!(family.help.ends_with('.'), "{}", family.name);
            assert!(is_name(family.unit), "{}", family.name);
        }
    }

    #[test]
    fn labels_stand_exactly_where_a_family_has_several_members() {
        for family in FAMILIES {
            let mut values = HashSet::new();
            for member in family.members {
                assert_eq!(member.value.is_empty(), family.label.is_empty());
                assert!(values.insert(member.value), "twice in {}", family.name);
                assert!(
                    member
                        .value
                        .chars()
                        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
                );
            }
            assert!(family.label.is_empty() || is_name(family.label));
            assert!(!family.label.is_empty() || family.members.len() == 1);
        }
    }

    #[test]
    fn every_counter_stands_in_the_table_once_at_its_index() {
        let listed: Vec<Counter> = FAMILIES
            .iter()
            .flat_map(|family| family.members)
            .map(|member| member.counter)
            .collect();
        assert_eq!(listed, Counter::ALL);
        for (index, counter) in Counter::ALL.iter().enumerate() {
            assert_eq!(counter.index(), index);
        }
    }

    #[test]
    fn answer_agrees_with_the_label_of_each_status() {
        let answers = FAMILIES
            .iter()
            .find(|family| family.name == "hotplate_answers")
            .unwrap();
        for member in answers.members {
            let status = member.value.parse().unwrap_or(299);
            assert_eq!(Counter::answer(status), member.counter);
        }
    }
}
