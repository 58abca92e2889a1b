//! What is told of the disk store and of the media library: one table for the metrics, the statistics and the documentation.

use prometheus_client::metrics::MetricType;
use serde_json::{Map, Value, json};

use super::metrics::ProcessFamily;
use crate::fill::disk::{DiskTier, TIER_FAMILIES};
use crate::fill::library::{LIBRARY_FAMILIES, Library};
use crate::stats::Durations;
use crate::stats::counters::Family;
use crate::store::disk::{DiskStats, Health};

/// A value of a family, and its label's value; empty for a family without label.
pub type Sample = (&'static str, fn(&DiskStats) -> u64);

/// A family, and where its values come from.
#[derive(Clone, Copy, Debug)]
pub struct DiskFamily {
    /// Name, kind, unit, label, help.
    pub family: ProcessFamily,
    samples: &'static [Sample],
}

impl DiskFamily {
    /// The values.
    pub fn samples(&self, stats: &DiskStats) -> impl Iterator<Item = (&'static str, u64)> {
        self.samples
            .iter()
            .map(move |(label, value)| (*label, value(stats)))
    }
}

macro_rules! disk_families {
    ($($name:literal $kind:ident in $unit:literal $(by $label:literal)?, $help:literal { $($value:literal = $field:ident),+ })+) => {
        /// Every family of the store's own, in the order in which they are shown.
        pub const DISK_FAMILIES: &[DiskFamily] = &[$(DiskFamily {
            family: ProcessFamily {
                name: $name,
                kind: MetricType::$kind,
                unit: $unit,
                label: concat!($($label)?),
                help: $help,
            },
            samples: &[$(($value, |stats| stats.$field)),+],
        }),+];
    };
}

disk_families! {
    "hotplate_disk_bytes" Gauge in "bytes",
    "Bytes of disk.size that are taken: bodies, metadata, and what is being written." { "" = bytes }
    "hotplate_disk_bytes_max" Gauge in "bytes",
    "disk.size." { "" = size }
    "hotplate_disk_metadata_bytes" Gauge in "bytes",
    "Bytes of the device that the metadata takes." { "" = metadata_bytes }
    "hotplate_disk_objects" Gauge in "objects",
    "Responses on disk that are safe there; each variant counts." { "" = objects }
    "hotplate_disk_published" Counter in "objects",
    "Responses that were written, whole or in part." { "" = published }
    "hotplate_disk_gone" Counter in "objects" by "way",
    "Responses that left the disk, by the way in which they did; those that were dropped had bytes that were not those stored." {
        "evicted" = evicted,
        "removed" = removed,
        "dropped-missing" = dropped_missing,
        "dropped-odd" = dropped_odd,
        "dropped-checksum" = dropped_checksum,
        "dropped-unreadable" = dropped_unreadable,
        "dropped-record" = dropped_record
    }
    "hotplate_disk_evicted_bytes" Counter in "bytes",
    "Bytes that were evicted to make room." { "" = evicted_bytes }
    "hotplate_disk_commits" Counter in "commits",
    "Commits of the metadata." { "" = commits }
    "hotplate_disk_limits" Counter in "times" by "limit",
    "Times that a limit of the store was reached." {
        "full-device" = full,
        "no-room" = no_room,
        "pending" = waits,
        "uses" = uses_lost
    }
    "hotplate_disk_stood_down" Counter in "times",
    "Times that the store stood down because its file system failed." { "" = stood_down }
    "hotplate_disk_orphans" Counter in "files" by "result",
    "Data files that belonged to no response, by whether they could be removed." {
        "removed" = orphans,
        "kept" = unlink_failures
    }
}

/// Whether the store works; of the table's kind, but no counter of the store's.
pub const DISK_WORKS: ProcessFamily = ProcessFamily {
    name: "hotplate_disk_works",
    kind: MetricType::Gauge,
    unit: "boolean",
    label: "",
    help: "1 while the disk store works, 0 while it stands down.",
};

/// 1 where the store works.
pub(super) fn works(tier: &DiskTier) -> u64 {
    u64::from(tier.disk().health() == Health::Working)
}

/// The figures as JSON, names without what they share.
pub(super) fn json(tier: &DiskTier) -> Map<String, Value> {
    let stats = tier.disk().stats();
    let short = |name: &str| name.trim_start_matches("hotplate_disk_").to_owned();
    let mut figures = Map::new();
    let health = match tier.disk().health() {
        Health::Working => "working".to_owned(),
        Health::StoodDown { why, .. } => format!("stands down: {why}"),
    };
    figures.insert("health".to_owned(), health.into());
    for one in DISK_FAMILIES {
        let value = value_of(one.family.label, one.samples(&stats));
        figures.insert(short(one.family.name), value);
    }
    append(&mut figures, TIER_FAMILIES, "hotplate_disk_", |counter| {
        tier.counts().read(counter)
    });
    figures
}

/// The library's figures as JSON, names without what they share.
pub(super) fn library_json(library: &Library) -> Map<String, Value> {
    let mut figures = Map::new();
    append(
        &mut figures,
        LIBRARY_FAMILIES,
        "hotplate_library_",
        |counter| library.counts().read(counter),
    );
    let times = library.times();
    let times = [
        ("hit", &times.hit),
        ("fetched", &times.fetched),
        ("failed", &times.failed),
    ];
    figures.insert("get_duration_seconds".to_owned(), durations_json(times));
    figures
}

/// How many there were of each, and how many seconds they took together.
pub(super) fn durations_json<'d>(
    samples: impl IntoIterator<Item = (&'static str, &'d Durations)>,
) -> Value {
    let samples = samples.into_iter().map(|(name, durations)| {
        let read = durations.read();
        let told = json!({"count": read.count, "sum": read.sum_seconds});
        (name.to_owned(), told)
    });
    samples.collect::<Map<_, _>>().into()
}

fn append<C: Copy>(
    figures: &mut Map<String, Value>,
    families: &[Family<C>],
    shared: &str,
    read: impl Fn(C) -> u64,
) {
    for family in families {
        let name = family.name.trim_start_matches(shared).to_owned();
        let samples = family.members.iter().map(|it| (it.value, read(it.counter)));
        figures.insert(name, value_of(family.label, samples));
    }
}

fn value_of(label: &str, samples: impl Iterator<Item = (&'static str, u64)>) -> Value {
    let mut samples = samples.peekable();
    match samples.peek() {
        Some((_, value)) if label.is_empty() => (*value).into(),
        _ => samples
            .map(|(name, value)| (name.to_owned(), Value::from(value)))
            .collect::<Map<_, _>>()
            .into(),
    }
}
