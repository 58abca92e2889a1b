//! `hotplate stats`: the statistics of a running server.

use std::path::Path;

use super::admin_client;
use super::exit_code::ExitCode;
use super::stats_table::StatsTable;
use super::terminal;
use crate::admin::settings::AdminAddress;
use crate::config;

/// Reads the argument of `--admin`.
pub(super) fn admin_address(text: &str) -> Result<AdminAddress, String> {
    match config::admin_address(text) {
        Ok(AdminAddress::Off) => Err("an address is needed: IP:PORT or unix:PATH".to_owned()),
        Ok(address) => Ok(address),
        Err(fault) => Err(format!("{fault}; must be IP:PORT or unix:PATH")),
    }
}

/// Prints the statistics of the server at `admin`, or else of the config's admin address. The token comes from the
/// config; with `admin` it is only sent when the config was `named` too, as it is no other server's business.
pub(super) fn command(
    admin: Option<AdminAddress>,
    named: Option<&Path>,
    config_path: &Path,
    as_json: bool,
) -> ExitCode {
    let (address, token) = match (admin, named) {
        (Some(address), None) => (address, String::new()),
        (admin, _) => match config::load(config_path) {
            Ok(settings) => (
                admin.unwrap_or(settings.admin.address),
                settings.admin.token,
            ),
            Err(mistakes) => return terminal::mistakes(&mistakes),
        },
    };
    match admin_client::ask(&address, &token, "/api/stats") {
        Ok(stats) if as_json => terminal::result(format_args!("{stats:#}")),
        Ok(stats) => terminal::result(StatsTable::new(&stats)),
        Err(error) => {
            let at = match &address {
                AdminAddress::Off => String::new(),
                AdminAddress::Tcp(address) => format!("{address}: "),
                AdminAddress::Unix(socket) => format!("unix:{}: ", socket.display()),
            };
            terminal::complain(format_args!("{at}{error}"), ExitCode::Failure)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::admin::api;
    use crate::admin::observed::{DriverReport, Observed, Readiness};
    use crate::admin::settings::AdminSettings;
    use crate::fill::pins::PinReport;
    use crate::stats::{Counter, LatencyRecorder, WorkerStats};
    use crate::sys::clock;
    use crate::units::UnixSeconds;

    #[test]
    fn admin_argument_is_an_address() {
        let tcp = AdminAddress::Tcp("127.0.0.1:9090".parse().unwrap());
        assert_eq!(admin_address("127.0.0.1:9090"), Ok(tcp));
        let unix = AdminAddress::Unix("/run/a.sock".into());
        assert_eq!(admin_address("unix:/run/a.sock"), Ok(unix));
        for text in ["", "localhost", "9090", "unix:"] {
            assert!(admin_address(text).is_err(), "{text}");
        }
    }

    #[test]
    fn server_that_is_not_there_is_a_failure_and_a_wrong_config_is_usage() {
        let folder = tempfile::tempdir().unwrap();
        let socket = AdminAddress::Unix(folder.path().join("none.sock"));
        let config = folder.path().join("none.toml");
        let code = command(Some(socket.clone()), None, &config, false);
        assert_eq!(code, ExitCode::Failure);
        assert_eq!(command(None, None, &config, false), ExitCode::Usage);
        let code = command(Some(socket), Some(&config), &config, false);
        assert_eq!(code, ExitCode::Usage);
    }

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
            workers: vec![stats],
            wake: Arc::new(wake),
            readiness: Arc::new(Readiness::new()),
            refusal_names: vec!["bad-host"],
            pins: Arc::new(move || Arc::clone(&pins)),
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
            let refused = admin_client::ask(&reached, "", "/api/stats").unwrap_err();
            assert!(refused.to_string().contains("admin_token"), "{refused}");
            let stats = admin_client::ask(&reached, token, "/api/stats").unwrap();
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
