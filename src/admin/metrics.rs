//! `GET /metrics`: a reading in the Prometheus text formats.
//!
//! The workers' families come from the table of counters, the others from [`PROCESS_FAMILIES`]. OpenMetrics 1.0 for those
//! that ask for it, else the older text format 0.0.4, in which a counter's family carries the `_total` of its sample.

use std::fmt;
use std::sync::Arc;

use hdrhistogram::Histogram;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, MetricEncoder, NoLabelSet,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use super::disk_figures::{self, DISK_FAMILIES, DISK_WORKS};
use super::observed::{Observed, Phase};
use super::reading::Reading;
use crate::fill::disk::TIER_FAMILIES;
use crate::fill::keeper::KEEPER_FAMILIES;
use crate::fill::library::LIBRARY_FAMILIES;
use crate::fill::origin::OriginFault;
use crate::fill::upload::UPLOAD_FAMILIES;
use crate::index::cached::IndexStats;
use crate::stats::Durations;
use crate::stats::counters::{FAMILIES, Family, Kind};

/// The text formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposition {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// Prometheus text 0.0.4.
    Prometheus,
}

impl Exposition {
    /// The format for an Accept field.
    #[must_use]
    pub fn accepted(accept: &str) -> Self {
        if accept.contains("application/openmetrics-text") {
            Self::OpenMetrics
        } else {
            Self::Prometheus
        }
    }

    /// The format's media type.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// A metric family that is not counted by workers: name, kind as Prometheus calls it, unit, label, help.
#[derive(Clone, Copy, Debug)]
pub struct ProcessFamily {
    /// The name without a counter's `_total`.
    pub name: &'static str,
    /// The kind.
    pub kind: MetricType,
    /// What is measured.
    pub unit: &'static str,
    /// The labels' names, as shown in the documentation; empty for none.
    pub label: &'static str,
    /// One sentence for the operator.
    pub help: &'static str,
}

macro_rules! process_families {
    ($($constant:ident $name:literal $kind:ident in $unit:literal by $label:literal, $help:literal)+) => {
        $(const $constant: ProcessFamily = ProcessFamily {
            name: $name,
            kind: MetricType::$kind,
            unit: $unit,
            label: $label,
            help: $help,
        };)+

        /// Every family that does not stand in the table of counters.
        pub const PROCESS_FAMILIES: &[ProcessFamily] = &[$($constant),+];
    };
}

process_families! {
    REFUSALS "hotplate_refusals" Counter in "requests" by "reason",
    "Requests refused before they were answered from the index, by the rule of HTTP they broke."
    LATENCY "hotplate_answer_duration_seconds" Histogram in "seconds" by "le",
    "Time from a request head's first byte to the answer's last."
    LATENCY_WORKERS "hotplate_answer_duration_workers" Gauge in "workers" by "",
    "Workers whose durations are up to date in this exposition; late ones are shown as they were before."
    BUILD "hotplate_build_info" Gauge in "constant" by "version, driver",
    "The running version and the driver it chose; always 1."
    READY "hotplate_ready" Gauge in "boolean" by "",
    "1 while requests are served, 0 while starting or draining."
    WORKERS "hotplate_workers" Gauge in "workers" by "",
    "Workers of this process."
    UPTIME "hotplate_uptime_seconds" Gauge in "seconds" by "",
    "Time since the process started."
    PIN_GENERATION "hotplate_pin_generation" Gauge in "snapshots" by "",
    "Number of the pin index's snapshot; grows with each reload or changed file."
    PINNED_FILES "hotplate_pinned_files" Gauge in "files" by "hold",
    "Files pinned, by where their bytes live."
    PINNED_BYTES "hotplate_pinned_bytes" Gauge in "bytes" by "hold",
    "Bytes of the files pinned, by where they live."
    PIN_PROBLEMS "hotplate_pin_problems" Gauge in "problems" by "",
    "Files and rules that could not be pinned."
    CACHED "hotplate_cached_responses" Gauge in "responses" by "",
    "Responses of origins stored in memory; each variant counts."
    CACHED_BYTES "hotplate_cached_bytes" Gauge in "bytes" by "part",
    "Memory that stored responses take: their own (heads, keys, bodies), and what the index takes for them."
    CACHED_BYTES_MAX "hotplate_cached_bytes_max" Gauge in "bytes" by "",
    "Most memory that stored responses may take."
    CACHED_IN "hotplate_cached_responses_inserted" Counter in "responses" by "",
    "Responses that came into memory, also in place of others."
    CACHED_OUT "hotplate_cached_responses_gone" Counter in "responses" by "way",
    "Responses that left memory, by the way in which they did."
    CACHED_MARKED "hotplate_cached_responses_marked" Counter in "responses" by "",
    "Responses that were marked stale by a soft purge or an invalidation."
    CACHED_REFUSED "hotplate_cached_responses_refused" Counter in "responses" by "reason",
    "Responses that were not taken in: too large, or meant by a purge since their fill began."
    EVICTED_TOO_SOON "hotplate_cached_responses_back" Counter in "responses" by "queue",
    "Responses that were evicted and came back soon, by the queue that they went to then."
    ORIGIN_REQUESTS "hotplate_origin_requests" Counter in "requests" by "",
    "Requests to origins."
    ORIGIN_CONNECTS "hotplate_origin_connects" Counter in "connections" by "result",
    "Connections to origins that were made, or could not be."
    ORIGIN_REUSES "hotplate_origin_reuses" Counter in "requests" by "",
    "Requests to origins on a connection that had been used before."
    ORIGIN_STALE "hotplate_origin_stale_connections" Counter in "connections" by "",
    "Idle connections to origins that turned out to be closed."
    ORIGIN_FAILOVERS "hotplate_origin_failovers" Counter in "requests" by "",
    "Requests that went on to another URL of the origin after a failure."
    ORIGIN_SKIPS "hotplate_origin_skips" Counter in "urls" by "",
    "Times that a URL of an origin was skipped because it had failed a moment ago."
    ORIGIN_WAITS "hotplate_origin_waits" Counter in "requests" by "",
    "Requests that waited for a connection to their origin to become free."
    ORIGIN_CONNECTIONS "hotplate_origin_connections" Gauge in "connections" by "state",
    "Connections to origins now: those that carry a request or are being made, and idle ones."
    ORIGIN_FAULTS "hotplate_origin_faults" Counter in "faults" by "fault",
    "Faults of origins and of the way there, those mended by another try included."
    LOG_WRITTEN "hotplate_access_log_lines" Counter in "lines" by "",
    "Access-log lines written."
    LOG_LOST "hotplate_access_log_lines_lost" Counter in "lines" by "",
    "Access-log lines lost because a write failed."
    LOG_ERRORS "hotplate_access_log_write_errors" Counter in "errors" by "",
    "Access-log writes and reopenings that failed."
    RESIDENT "process_resident_memory_bytes" Gauge in "bytes" by "",
    "Physical memory in use, resident mappings of pinned files included."
    CPU "process_cpu_seconds" Counter in "seconds" by "",
    "CPU time spent in user space and in the kernel."
    DESCRIPTORS "process_open_fds" Gauge in "descriptors" by "",
    "Descriptors open."
    DESCRIPTORS_MAX "process_max_fds" Gauge in "descriptors" by "",
    "Limit of open descriptors."
    STARTED "process_start_time_seconds" Gauge in "seconds" by "",
    "When the process started, in seconds since 1970."
}

/// How long gets of the library take.
pub const GET_TIMES: ProcessFamily = ProcessFamily {
    name: "hotplate_library_get_duration_seconds",
    kind: MetricType::Histogram,
    unit: "seconds",
    label: "result",
    help: "Time of the media library's gets, by where the bytes came from: hit, fetched, or failed.",
};

/// How long attempts to upload take.
pub const ATTEMPT_TIMES: ProcessFamily = ProcessFamily {
    name: "hotplate_upload_attempt_duration_seconds",
    kind: MetricType::Histogram,
    unit: "seconds",
    label: "result",
    help: "Time of attempts to upload, by what came of them: done or failed.",
};

/// Upper bounds of the latency buckets in nanoseconds: 1-2-5 steps from 5 us to 10 s, then the recorder's end.
const LATENCY_BOUNDS: [u64; 21] = [
    5_000,
    10_000,
    20_000,
    50_000,
    100_000,
    200_000,
    500_000,
    1_000_000,
    2_000_000,
    5_000_000,
    10_000_000,
    20_000_000,
    50_000_000,
    100_000_000,
    200_000_000,
    500_000_000,
    1_000_000_000,
    2_000_000_000,
    5_000_000_000,
    10_000_000_000,
    60_000_000_000,
];

const NANOS_PER_SECOND: f64 = 1e9;

/// The reading as text.
///
/// # Errors
/// Only where writing to memory fails.
pub fn render(
    observed: Arc<Observed>,
    reading: Reading,
    exposition: Exposition,
) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Scrape {
        observed,
        reading,
        exposition,
    }));
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

#[derive(Debug)]
struct Scrape {
    observed: Arc<Observed>,
    reading: Reading,
    exposition: Exposition,
}

impl Collector for Scrape {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut page = Page {
            encoder,
            exposition: self.exposition,
        };
        self.counted(&mut page)?;
        self.latency(&mut page)?;
        self.state(&mut page)?;
        self.pins(&mut page)?;
        self.cached(&mut page)?;
        self.disk(&mut page)?;
        self.library(&mut page)?;
        self.origins(&mut page)?;
        self.access_log(&mut page)?;
        self.process(&mut page)
    }
}

impl Scrape {
    /// The table of counters, then the refusals.
    fn counted(&self, page: &mut Page<'_>) -> fmt::Result {
        page.counted(FAMILIES, |counter| self.reading.total(counter))?;
        let fills = &self.observed.fills;
        page.counted(KEEPER_FAMILIES, |counter| fills.read(counter))?;
        if let Some(uploads) = &self.observed.uploads {
            page.counted(UPLOAD_FAMILIES, |counter| uploads.counts().read(counter))?;
            let times = uploads.times();
            let samples = [("done", &times.done), ("failed", &times.failed)];
            page.durations(&ATTEMPT_TIMES, samples)?;
        }
        page.labelled(
            REFUSALS.name,
            REFUSALS.kind,
            REFUSALS.help,
            REFUSALS.label,
            self.reading.refusals.iter().copied(),
        )
    }

    fn latency(&self, page: &mut Page<'_>) -> fmt::Result {
        let (sum, buckets) = latency_buckets(&self.reading.latency);
        page.encoder
            .encode_descriptor(LATENCY.name, LATENCY.help, None, LATENCY.kind)?
            .encode_histogram::<NoLabelSet>(sum, self.reading.latency.len(), &buckets, None)?;
        page.single(&LATENCY_WORKERS, self.reading.workers_in_time as u64)
    }

    fn state(&self, page: &mut Page<'_>) -> fmt::Result {
        let build = [
            ("version", env!("CARGO_PKG_VERSION")),
            ("driver", self.observed.driver.name.as_str()),
        ];
        page.encoder
            .encode_descriptor(BUILD.name, BUILD.help, None, BUILD.kind)?
            .encode_family(&build)?
            .encode_gauge(&1_u64)?;
        page.single(&READY, u64::from(self.reading.phase == Phase::Serving))?;
        page.single(&WORKERS, self.reading.workers as u64)?;
        page.single(&UPTIME, self.reading.uptime.as_secs_f64())
    }

    fn pins(&self, page: &mut Page<'_>) -> fmt::Result {
        let pins = &self.reading.pins;
        page.single(&PIN_GENERATION, pins.generation)?;
        let held = &pins.totals.held;
        let holds = [
            ("file", held.file),
            ("mmap", held.mmap),
            ("memory", held.memory),
        ];
        page.family(&PINNED_FILES, holds.map(|(hold, sum)| (hold, sum.files)))?;
        page.family(&PINNED_BYTES, holds.map(|(hold, sum)| (hold, sum.bytes)))?;
        page.single(&PIN_PROBLEMS, pins.totals.problems)
    }

    fn cached(&self, page: &mut Page<'_>) -> fmt::Result {
        let index = &self.reading.index;
        page.single(&CACHED, index.values)?;
        page.family(&CACHED_BYTES, cached_bytes(index))?;
        page.single(&CACHED_BYTES_MAX, index.cap_bytes)?;
        page.single(&CACHED_IN, index.counts.inserted)?;
        page.family(&CACHED_OUT, cached_gone(index))?;
        page.single(&CACHED_MARKED, index.counts.marked)?;
        page.family(&CACHED_REFUSED, cached_refused(index))?;
        let back = [
            ("small", index.eviction.ghost_hits_small),
            ("main", index.eviction.ghost_hits_main),
        ];
        page.family(&EVICTED_TOO_SOON, back)
    }

    fn disk(&self, page: &mut Page<'_>) -> fmt::Result {
        let Some(tier) = self.observed.cache.disk() else {
            return Ok(());
        };
        page.single(&DISK_WORKS, disk_figures::works(tier))?;
        let stats = tier.disk().stats();
        for one in DISK_FAMILIES {
            page.family(&one.family, one.samples(&stats))?;
        }
        page.counted(TIER_FAMILIES, |counter| tier.counts().read(counter))
    }

    fn library(&self, page: &mut Page<'_>) -> fmt::Result {
        let Some(library) = &self.observed.library else {
            return Ok(());
        };
        page.counted(LIBRARY_FAMILIES, |counter| library.counts().read(counter))?;
        let times = library.times();
        let samples = [
            ("hit", &times.hit),
            ("fetched", &times.fetched),
            ("failed", &times.failed),
        ];
        page.durations(&GET_TIMES, samples)
    }

    fn origins(&self, page: &mut Page<'_>) -> fmt::Result {
        let origins = &self.reading.origins;
        page.single(&ORIGIN_REQUESTS, origins.requests)?;
        let connects = [
            ("made", origins.connects),
            ("failed", origins.connect_failures),
        ];
        page.family(&ORIGIN_CONNECTS, connects)?;
        page.single(&ORIGIN_REUSES, origins.reuses)?;
        page.single(&ORIGIN_STALE, origins.stale_connections)?;
        page.single(&ORIGIN_FAILOVERS, origins.failovers)?;
        page.single(&ORIGIN_SKIPS, origins.skips)?;
        page.single(&ORIGIN_WAITS, origins.waits)?;
        let now = [("in-use", origins.in_use), ("idle", origins.idle)];
        page.family(&ORIGIN_CONNECTIONS, now)?;
        let faults = OriginFault::NAMES.into_iter().zip(origins.faults);
        page.family(&ORIGIN_FAULTS, faults)
    }

    fn access_log(&self, page: &mut Page<'_>) -> fmt::Result {
        let Some(counts) = &self.observed.access_log else {
            return Ok(());
        };
        page.single(&LOG_WRITTEN, counts.lines_written())?;
        page.single(&LOG_LOST, counts.lines_lost())?;
        page.single(&LOG_ERRORS, counts.write_errors())
    }

    fn process(&self, page: &mut Page<'_>) -> fmt::Result {
        let used = &self.reading.process;
        if let Some(bytes) = used.resident_bytes {
            page.single(&RESIDENT, bytes)?;
        }
        if let Some(seconds) = used.cpu_seconds {
            page.single(&CPU, seconds)?;
        }
        if let Some(count) = used.descriptors_open {
            page.single(&DESCRIPTORS, count)?;
        }
        if let Some(count) = used.descriptors_max {
            page.single(&DESCRIPTORS_MAX, count)?;
        }
        page.single(&STARTED, self.observed.started_at.0)
    }
}

/// Memory by what takes it.
pub(super) fn cached_bytes(index: &IndexStats) -> [(&'static str, u64); 2] {
    let own = index.bytes.saturating_sub(index.overhead_bytes);
    [("responses", own), ("overhead", index.overhead_bytes)]
}

/// What left memory, by the way.
pub(super) fn cached_gone(index: &IndexStats) -> [(&'static str, u64); 7] {
    let counts = &index.counts;
    [
        ("evicted-small", index.eviction.evicted_small),
        ("evicted-main", index.eviction.evicted_main),
        ("replaced", counts.replaced),
        ("removed", counts.removed),
        ("purged", counts.purged),
        ("crowded-out", counts.crowded_out),
        ("bucket-overflow", counts.bucket_overflows),
    ]
}

/// What memory did not take, by the reason.
pub(super) fn cached_refused(index: &IndexStats) -> [(&'static str, u64); 2] {
    [
        ("too-large", index.counts.refused_too_large),
        ("purged", index.counts.refused_purged),
    ]
}

/// Writes families in one of the formats.
struct Page<'a> {
    encoder: DescriptorEncoder<'a>,
    exposition: Exposition,
}

impl Page<'_> {
    /// A table of counters.
    fn counted<C: Copy>(&mut self, families: &[Family<C>], read: impl Fn(C) -> u64) -> fmt::Result {
        for family in families {
            let kind = match family.kind {
                Kind::Counter => MetricType::Counter,
                Kind::Gauge => MetricType::Gauge,
            };
            let samples = family
                .members
                .iter()
                .map(|member| (member.value, read(member.counter)));
            self.labelled(family.name, kind, family.help, family.label, samples)?;
        }
        Ok(())
    }

    fn single(
        &mut self,
        family: &ProcessFamily,
        value: impl EncodeGaugeValue + EncodeCounterValue,
    ) -> fmt::Result {
        self.labelled(family.name, family.kind, family.help, "", [("", value)])
    }

    fn family(
        &mut self,
        family: &ProcessFamily,
        samples: impl IntoIterator<Item = (&'static str, u64)>,
    ) -> fmt::Result {
        self.labelled(family.name, family.kind, family.help, family.label, samples)
    }

    /// One family of histograms.
    fn durations<'d>(
        &mut self,
        family: &ProcessFamily,
        samples: impl IntoIterator<Item = (&'static str, &'d Durations)>,
    ) -> fmt::Result {
        let ProcessFamily { name, help, .. } = family;
        let mut metric = self
            .encoder
            .encode_descriptor(name, help, None, family.kind)?;
        for (value, durations) in samples {
            let read = durations.read();
            metric
                .encode_family(&[(family.label, value)])?
                .encode_histogram::<NoLabelSet>(
                    read.sum_seconds,
                    read.count,
                    &read.buckets,
                    None,
                )?;
        }
        Ok(())
    }

    /// One family of counters or gauges; an empty label stands for none.
    fn labelled<V: EncodeGaugeValue + EncodeCounterValue>(
        &mut self,
        name: &str,
        kind: MetricType,
        help: &str,
        label: &str,
        samples: impl IntoIterator<Item = (&'static str, V)>,
    ) -> fmt::Result {
        let is_counter = matches!(kind, MetricType::Counter);
        // 0.0.4 knows no suffix that a family's name lacks: there the name carries it and the sample is plain.
        let adds_suffix = is_counter && self.exposition == Exposition::OpenMetrics;
        let full_name = format!("{name}_total");
        let name = if is_counter && !adds_suffix {
            &full_name
        } else {
            name
        };
        let mut metric = self.encoder.encode_descriptor(name, help, None, kind)?;
        for (value, sample) in samples {
            if label.is_empty() {
                encode_value(&mut metric, &sample, adds_suffix)?;
            } else {
                let labels = [(label, value)];
                encode_value(&mut metric.encode_family(&labels)?, &sample, adds_suffix)?;
            }
        }
        Ok(())
    }
}

fn encode_value<V: EncodeGaugeValue + EncodeCounterValue>(
    metric: &mut MetricEncoder<'_>,
    value: &V,
    adds_suffix: bool,
) -> fmt::Result {
    if adds_suffix {
        metric.encode_counter::<NoLabelSet, _, u64>(value, None)
    } else {
        metric.encode_gauge(value)
    }
}

/// The sum in seconds, and the counts between neighbouring bounds in seconds.
fn latency_buckets(latency: &Histogram<u64>) -> (f64, Vec<(f64, u64)>) {
    let mut buckets: Vec<(f64, u64)> = LATENCY_BOUNDS
        .iter()
        .map(|bound| (*bound as f64 / NANOS_PER_SECOND, 0))
        .collect();
    buckets.push((f64::INFINITY, 0));
    let mut sum = 0.0;
    for step in latency.iter_recorded() {
        let nanos = latency.median_equivalent(step.value_iterated_to());
        let count = step.count_at_value();
        sum += nanos as f64 / NANOS_PER_SECOND * count as f64;
        let place = LATENCY_BOUNDS.partition_point(|bound| *bound < nanos);
        if let Some((_, bucket)) = buckets.get_mut(place) {
            *bucket += count;
        }
    }
    (sum, buckets)
}

#[cfg(test)]
#[path = "metrics_tests.rs"]
mod tests;
