//! `hotplate stats`: the statistics of a running server.

use super::admin_client::Question;
use super::admin_door::AdminDoor;
use super::exit_code::ExitCode;
use super::stats_table::StatsTable;
use super::terminal;

/// Prints the statistics of the server behind `door`.
pub(super) fn command(door: &AdminDoor, as_json: bool) -> ExitCode {
    match door.ask(&Question::get("/api/stats")) {
        Ok(stats) if as_json => terminal::result(format_args!("{stats:#}")),
        Ok(stats) => terminal::result(StatsTable::new(&stats)),
        Err(code) => code,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::super::admin_client;
    use super::*;
    use crate::admin::api;
    use crate::admin::observed::{DriverReport, Observed, Readiness};
    use crate::admin::operator::{CacheOperator, Stores};
    use crate::admin::settings::{AdminAddress, AdminSettings};
    use crate::fill::pins::PinReport;
    use crate::index::responses::Responses;
    use crate::stats::{Counter, LatencyRecorder, WorkerStats};
    use crate::sys::clock;
    use crate::units::UnixSeconds;

    /// What the admin API shows of a server that answered one request.
    fn observed() -> Observed {
        let stats = Arc::new(WorkerStats::new());
        stats.bump(Counter::HitPinMmap);
        stats.bump(Counter::Answer200);
        stats.refuse(0);
        let worker = Arc::clone(&stats);
        let wake = move || {
            let mut recorder = LatencyRecorder::new();
            recorder.record(Duration::from_micros(100));
            worker.publish_latency(&recorder);
        };
        let mut pins = PinReport::default();
        pins.totals.pins = 3;
        let pins = Arc::new(pins);
        Observed {
            uploads: None,
            workers: vec![stats],
            wake: Arc::new(wake),
            readiness: Arc::new(Readiness::new()),
            refusal_names: vec!["bad-host"],
            pins: Arc::new(move || Arc::clone(&pins)),
            cache: CacheOperator::new(
                Stores::in_memory(Arc::new(Responses::new(1 << 20))),
                Arc::default(),
                Arc::default(),
            ),
            library: None,
            fills: Arc::default(),
            origins: Arc::default(),
            driver: DriverReport {
                name: "epoll".to_owned(),
                reason: "asked for".to_owned(),
            },
            access_log: None,
            started: clock::mono(),
            started_at: UnixSeconds(1_700_000_000),
        }
    }

    #[test]
    fn table_of_the_admin_api_has_no_gaps() {
        let folder = tempfile::tempdir().unwrap();
        let token = "0123456789abcdef";
        let addresses = [
            AdminAddress::Tcp("127.0.0.1:0".parse().unwrap()),
            AdminAddress::Unix(folder.path().join("admin.sock")),
        ];
        for address in addresses {
            let settings = AdminSettings {
                address: address.clone(),
                token: token.to_owned(),
                ..AdminSettings::default()
            };
            let server = api::start(&settings, observed()).unwrap();
            let reached = server.address().map_or(address, AdminAddress::Tcp);
            let question = Question::get("/api/stats");
            let refused = admin_client::ask(&reached, "", &question).unwrap_err();
            assert!(refused.to_string().contains("admin_token"), "{refused}");
            let stats = admin_client::ask(&reached, token, &question).unwrap();
            let table = StatsTable::new(&stats).to_string();
            server.stop();
            let has_gap = |line: &str| line.ends_with(" -");
            assert!(!table.lines().any(has_gap), "{table}");
            for words in ["starting", "epoll", "pin-mmap", "bad-host", "pinned files"] {
                assert!(table.contains(words), "{words}\n{table}");
            }
        }
    }
}
