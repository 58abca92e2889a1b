//! Tests of the Prometheus exposition.

use std::collections::HashSet;
use std::time::Duration;

use super::super::reading::tests::{observed, take};
use super::*;
use crate::stats::{Counter, LatencyRecorder};

fn rendered(exposition: Exposition) -> String {
    let observed = Arc::new(observed(true));
    observed.workers[0].add(Counter::Requests, 5);
    observed.workers[1].add(Counter::Answer404, 2);
    observed.workers[1].refuse(0);
    let reading = take(&observed);
    render(observed, reading, exposition).unwrap()
}

#[test]
fn openmetrics_names_families_without_the_suffix_of_their_samples() {
    let text = rendered(Exposition::OpenMetrics);
    assert!(text.contains("# TYPE hotplate_requests counter\nhotplate_requests_total 5\n"));
    assert!(text.contains("hotplate_answers_total{status=\"404\"} 2\n"));
    assert!(text.contains("hotplate_refusals_total{reason=\"bad-host\"} 1\n"));
    assert!(text.contains("# TYPE hotplate_connections_open gauge\nhotplate_connections_open 0\n"));
    assert!(text.contains("hotplate_pinned_bytes{hold=\"memory\"} 49152\n"));
    assert!(text.ends_with("# EOF\n"));
}

#[test]
fn text_format_names_families_like_their_samples() {
    let text = rendered(Exposition::Prometheus);
    assert!(text.contains("# TYPE hotplate_requests_total counter\nhotplate_requests_total 5\n"));
    assert!(text.contains("hotplate_answers_total{status=\"404\"} 2\n"));
    assert!(text.contains("# TYPE hotplate_answer_duration_seconds histogram\n"));
}

#[test]
fn both_formats_hold_every_family_once_and_only_well_formed_lines() {
    for exposition in [Exposition::OpenMetrics, Exposition::Prometheus] {
        let text = rendered(exposition);
        let mut families = HashSet::new();
        let mut samples = HashSet::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                assert!(families.insert(rest.split(' ').next().unwrap().to_owned()));
            } else if !line.starts_with('#') {
                let (series, value) = line.rsplit_once(' ').unwrap();
                assert!(value.parse::<f64>().is_ok(), "{line}");
                assert!(samples.insert(series.to_owned()), "twice: {series}");
                let name = series.split('{').next().unwrap();
                assert!(
                    families
                        .iter()
                        .any(|family| name.starts_with(family.as_str())),
                    "{line}"
                );
            }
        }
        let logged = |family: &&ProcessFamily| !family.name.starts_with("hotplate_access_log_");
        let expected =
            FAMILIES.len() + KEEPER_FAMILIES.len() + PROCESS_FAMILIES.iter().filter(logged).count();
        assert_eq!(families.len(), expected);
    }
}

#[test]
fn process_families_do_not_repeat_a_name_of_the_table() {
    let mut names: HashSet<&str> = FAMILIES.iter().map(|family| family.name).collect();
    names.extend(KEEPER_FAMILIES.iter().map(|family| family.name));
    for family in PROCESS_FAMILIES {
        assert!(names.insert(family.name), "twice: {}", family.name);
    }
}

#[test]
fn buckets_hold_every_value_once_and_the_sum_is_close() {
    let mut recorder = LatencyRecorder::new();
    let micros = [1, 4, 7, 15, 150, 15_000, 1_500_000, 90_000_000];
    for micros in micros {
        recorder.record(Duration::from_micros(micros));
    }
    let (sum, buckets) = latency_buckets(recorder.histogram());
    assert_eq!(
        buckets.iter().map(|(_, count)| count).sum::<u64>(),
        micros.len() as u64
    );
    assert_eq!(buckets[0], (5e-6, 2));
    assert_eq!(buckets[1], (1e-5, 1));
    let exact = 60.0 + 1.5 + 0.015 + 0.000_177;
    assert!((sum - exact).abs() < exact * 0.01, "{sum}");
}

#[test]
fn accept_field_picks_the_format() {
    let scraper = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.3";
    assert_eq!(Exposition::accepted(scraper), Exposition::OpenMetrics);
    assert_eq!(Exposition::accepted("*/*"), Exposition::Prometheus);
    assert_eq!(Exposition::accepted(""), Exposition::Prometheus);
}
