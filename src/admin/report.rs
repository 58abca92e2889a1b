//! `GET /api/stats`: a reading as JSON.
//!
//! The first level is what operators ask for most; `counters` holds the whole table by family name. Times in `_us`
//! are microseconds, sizes bytes.

use hdrhistogram::Histogram;
use serde::Serialize;
use serde_json::{Map, Value};

use super::disk_figures;
use super::metrics::{cached_gone, cached_refused};
use super::observed::{DriverReport, Observed, Phase};
use super::reading::Reading;
use crate::fill::keeper::KEEPER_FAMILIES;
use crate::fill::origin::{OriginFault, OriginFigures};
use crate::fill::pins::PinReport;
use crate::fill::upload::UPLOAD_FAMILIES;
use crate::index::cached::IndexStats;
use crate::stats::Counter;
use crate::stats::counters::{FAMILIES, Family};

/// The whole answer.
#[derive(Debug, Serialize)]
pub struct StatsReport<'a> {
    version: &'static str,
    phase: Phase,
    uptime_seconds: f64,
    started_at: u64,
    driver: &'a DriverReport,
    workers: usize,
    connections: Connections,
    requests: u64,
    answers: Value,
    hits: Value,
    refusals: Map<String, Value>,
    bytes: Bytes,
    latency: Latency,
    pins: &'a PinReport,
    cache: Cache,
    /// Null without a disk store.
    disk: Option<Map<String, Value>>,
    /// Null where it does not run.
    library: Option<Map<String, Value>>,
    fills: Map<String, Value>,
    /// Null without a folder for uploads.
    uploads: Option<Map<String, Value>>,
    origins: Origins,
    access_log: Option<AccessLogReport>,
    process: Process,
    counters: Map<String, Value>,
}

#[derive(Debug, Serialize)]
struct Connections {
    open: u64,
    accepted: u64,
    closed: u64,
    refused: u64,
    evicted: u64,
}

#[derive(Debug, Serialize)]
struct Bytes {
    received: u64,
    sent: u64,
}

/// Quantiles since the process started; null while nothing was answered.
#[derive(Debug, Serialize)]
struct Latency {
    count: u64,
    /// Workers whose figures are up to date; the others' are older.
    workers_in_time: usize,
    mean_us: Option<f64>,
    p50_us: Option<f64>,
    p90_us: Option<f64>,
    p99_us: Option<f64>,
    p99_9_us: Option<f64>,
    max_us: Option<f64>,
}

/// What memory holds of origins' responses, and what happened there.
#[derive(Debug, Serialize)]
struct Cache {
    responses: u64,
    bytes: u64,
    overhead_bytes: u64,
    max_bytes: u64,
    inserted: u64,
    marked: u64,
    gone: Map<String, Value>,
    refused: Map<String, Value>,
}

/// What the clients of the origins have done.
#[derive(Debug, Serialize)]
struct Origins {
    requests: u64,
    connects: u64,
    connect_failures: u64,
    reuses: u64,
    stale_connections: u64,
    failovers: u64,
    skips: u64,
    waits: u64,
    in_use: u64,
    idle: u64,
    faults: Map<String, Value>,
}

#[derive(Debug, Serialize)]
struct AccessLogReport {
    lines_written: u64,
    lines_lost: u64,
    write_errors: u64,
    records_dropped: u64,
}

#[derive(Debug, Serialize)]
struct Process {
    resident_bytes: Option<u64>,
    cpu_seconds: Option<f64>,
    descriptors_open: Option<u64>,
    descriptors_max: Option<u64>,
}

impl<'a> StatsReport<'a> {
    /// The report of a reading.
    #[must_use]
    pub fn new(observed: &'a Observed, reading: &'a Reading) -> Self {
        let total = |counter| reading.total(counter);
        Self {
            version: env!("CARGO_PKG_VERSION"),
            phase: reading.phase,
            uptime_seconds: reading.uptime.as_secs_f64(),
            started_at: observed.started_at.0,
            driver: &observed.driver,
            workers: reading.workers,
            connections: Connections {
                open: total(Counter::ConnectionsOpen),
                accepted: total(Counter::ConnectionsAccepted),
                closed: total(Counter::ConnectionsClosed),
                refused: total(Counter::ConnectionsRefused),
                evicted: total(Counter::ConnectionsEvicted),
            },
            requests: total(Counter::Requests),
            answers: family_with(Counter::Answer200, reading),
            hits: family_with(Counter::HitPinFile, reading),
            refusals: reading
                .refusals
                .iter()
                .map(|(reason, count)| ((*reason).to_owned(), Value::from(*count)))
                .collect(),
            bytes: Bytes {
                received: total(Counter::BytesReceived),
                sent: total(Counter::BytesSent),
            },
            latency: Latency::of(&reading.latency, reading.workers_in_time),
            pins: &reading.pins,
            cache: Cache::of(&reading.index),
            disk: observed.cache.disk().map(|tier| disk_figures::json(tier)),
            library: observed.library.as_deref().map(disk_figures::library_json),
            fills: KEEPER_FAMILIES
                .iter()
                .map(|family| {
                    let name = family.name.trim_start_matches("hotplate_");
                    let read = |counter| observed.fills.read(counter);
                    (name.to_owned(), family_value(family, read))
                })
                .collect(),
            uploads: observed.uploads.as_ref().map(|uploads| {
                let families = UPLOAD_FAMILIES.iter().map(|family| {
                    let name = family.name.trim_start_matches("hotplate_");
                    let read = |counter| uploads.counts().read(counter);
                    (name.to_owned(), family_value(family, read))
                });
                let times = uploads.times();
                let times = [("done", &times.done), ("failed", &times.failed)];
                let times = disk_figures::durations_json(times);
                let name = "upload_attempt_duration_seconds".to_owned();
                families.chain([(name, times)]).collect()
            }),
            origins: Origins::of(&reading.origins),
            access_log: observed.access_log.as_ref().map(|counts| AccessLogReport {
                lines_written: counts.lines_written(),
                lines_lost: counts.lines_lost(),
                write_errors: counts.write_errors(),
                records_dropped: total(Counter::AccessRecordsDropped),
            }),
            process: Process {
                resident_bytes: reading.process.resident_bytes,
                cpu_seconds: reading.process.cpu_seconds,
                descriptors_open: reading.process.descriptors_open,
                descriptors_max: reading.process.descriptors_max,
            },
            counters: FAMILIES
                .iter()
                .map(|family| (family.name.to_owned(), family_value(family, total)))
                .collect(),
        }
    }
}

impl Latency {
    fn of(latency: &Histogram<u64>, workers_in_time: usize) -> Self {
        let shown = |nanos: f64| (!latency.is_empty()).then(|| (nanos / 100.0).round() / 10.0);
        let quantile = |quantile| shown(latency.value_at_quantile(quantile) as f64);
        Self {
            count: latency.len(),
            workers_in_time,
            mean_us: shown(latency.mean()),
            p50_us: quantile(0.5),
            p90_us: quantile(0.9),
            p99_us: quantile(0.99),
            p99_9_us: quantile(0.999),
            max_us: shown(latency.max() as f64),
        }
    }
}

impl Cache {
    fn of(index: &IndexStats) -> Self {
        Self {
            responses: index.values,
            bytes: index.bytes,
            overhead_bytes: index.overhead_bytes,
            max_bytes: index.cap_bytes,
            inserted: index.counts.inserted,
            marked: index.counts.marked,
            gone: named(cached_gone(index)),
            refused: named(cached_refused(index)),
        }
    }
}

impl Origins {
    fn of(figures: &OriginFigures) -> Self {
        Self {
            requests: figures.requests,
            connects: figures.connects,
            connect_failures: figures.connect_failures,
            reuses: figures.reuses,
            stale_connections: figures.stale_connections,
            failovers: figures.failovers,
            skips: figures.skips,
            waits: figures.waits,
            in_use: figures.in_use,
            idle: figures.idle,
            faults: named(OriginFault::NAMES.into_iter().zip(figures.faults)),
        }
    }
}

fn named(counts: impl IntoIterator<Item = (&'static str, u64)>) -> Map<String, Value> {
    let counts = counts.into_iter();
    counts
        .map(|(name, count)| (name.to_owned(), count.into()))
        .collect()
}

/// A family's value: a number, or an object by label value.
fn family_value<C: Copy>(family: &Family<C>, read: impl Fn(C) -> u64) -> Value {
    match family.members {
        [only] if family.label.is_empty() => read(only.counter).into(),
        members => named(
            members
                .iter()
                .map(|member| (member.value, read(member.counter))),
        )
        .into(),
    }
}

/// The value of the family that `counter` belongs to.
fn family_with(counter: Counter, reading: &Reading) -> Value {
    FAMILIES
        .iter()
        .find(|family| {
            family
                .members
                .iter()
                .any(|member| member.counter == counter)
        })
        .map_or(Value::Null, |family| {
            family_value(family, |counter| reading.total(counter))
        })
}

#[cfg(test)]
mod tests {
    use super::super::reading::tests::{observed, take};
    use super::*;

    #[test]
    fn report_shows_counts_under_their_names() {
        let observed = observed(true);
        observed.workers[0].add(Counter::Answer206, 9);
        observed.workers[0].add(Counter::HitPinMmap, 4);
        observed.workers[1].set(Counter::ConnectionsOpen, 6);
        observed.workers[1].refuse(1);
        let reading = take(&observed);
        let value = serde_json::to_value(StatsReport::new(&observed, &reading)).unwrap();
        assert_eq!(value["answers"]["206"], 9);
        assert_eq!(value["hits"]["pin-mmap"], 4);
        assert_eq!(value["connections"]["open"], 6);
        assert_eq!(value["counters"]["hotplate_connections_open"], 6);
        assert_eq!(value["refusals"]["head-too-large"], 1);
        assert_eq!(value["phase"], "starting");
        assert_eq!(value["driver"]["name"], "epoll");
        assert_eq!(value["pins"]["pins"][0]["hold"], "memory");
        assert_eq!(value["access_log"], Value::Null);
        assert_eq!(value["counters"].as_object().unwrap().len(), FAMILIES.len());
    }

    #[test]
    fn latency_is_shown_in_microseconds_and_null_while_empty() {
        let observed = observed(true);
        let reading = take(&observed);
        let value = serde_json::to_value(StatsReport::new(&observed, &reading)).unwrap();
        assert_eq!(value["latency"]["count"], 2);
        for figure in ["p50_us", "p99_9_us", "max_us", "mean_us"] {
            let micros = value["latency"][figure].as_f64().unwrap();
            assert!((micros - 100.0).abs() <= 1.0, "{figure}: {micros}");
        }
        let empty = Latency::of(&crate::stats::latency::empty_histogram(), 0);
        assert_eq!(serde_json::to_value(empty).unwrap()["p50_us"], Value::Null);
    }
}
