//! `hotplate serve`: brings the rooms up, tells the operator what runs, and waits for signals.

mod backstage;
mod fleet;
mod ground;
mod profiles;
mod signals;
mod status;
mod uploads;

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use super::exit_code::ExitCode;
use super::terminal;
use crate::admin::observed::Phase;
use crate::config::{self, Settings};
use crate::server::inbox::Mail;
use crate::server::start::Gone;
use fleet::Fleet;

/// Something that the main thread waits for.
#[derive(Debug)]
pub(super) enum Event {
    /// TERM or INT.
    Stop,
    /// HUP.
    Reload,
    /// A worker's thread has ended.
    Gone(Gone),
}

impl From<Gone> for Event {
    fn from(gone: Gone) -> Self {
        Self::Gone(gone)
    }
}

/// Signals and ends of workers that may wait to be looked at.
const EVENTS_MAX: usize = 1024;

/// Loads the config and serves by it.
pub(super) fn command(config_path: &Path) -> ExitCode {
    match config::load(config_path) {
        Ok(settings) => run(settings, config_path),
        Err(mistakes) => terminal::mistakes(&mistakes),
    }
}

/// Serves by `settings` until told to stop; `config_path` is what a reload reads anew.
fn run(settings: Settings, config_path: &Path) -> ExitCode {
    log_to_stderr();
    let (sender, events) = sync_channel(EVENTS_MAX);
    if let Err(error) = signals::listen(sender.clone()) {
        return terminal::complain(
            format!("cannot wait for signals: {error}"),
            ExitCode::Failure,
        );
    }
    let mut fleet = match Fleet::launch(settings, &sender) {
        Ok(fleet) => fleet,
        Err(error) => return terminal::complain(error, ExitCode::Failure),
    };
    drop(sender);
    let shown = terminal::result(status::describe(&fleet));
    if shown != ExitCode::Success {
        tracing::warn!("standard output is closed: the status was not shown");
    }
    fleet.readiness.enter(Phase::Serving);
    serve(&mut fleet, &events, config_path)
}

/// Waits for events until every worker has gone.
fn serve(fleet: &mut Fleet, events: &Receiver<Event>, config_path: &Path) -> ExitCode {
    let mut code = ExitCode::Success;
    let mut running = fleet.postboxes.len();
    let mut draining = false;
    while running > 0 {
        let event = match events.recv_timeout(wait_for(fleet, draining)) {
            Ok(event) => event,
            Err(RecvTimeoutError::Timeout) if draining => {
                tracing::error!(
                    "the drain did not end in limits.drain_timeout: going down without"
                );
                return ExitCode::Failure;
            }
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => break,
        };
        match event {
            Event::Stop => {
                if !std::mem::replace(&mut draining, true) {
                    tracing::info!("draining: no new connections, answers under way are finished");
                    drain(fleet);
                }
            }
            Event::Reload if draining => tracing::warn!("not reloading: the server is draining"),
            Event::Reload => reload(fleet, config_path),
            Event::Gone(Gone { id, result }) => {
                running -= 1;
                if let Err(error) = result {
                    tracing::error!("worker {} failed: {error}", id.0);
                    code = ExitCode::Failure;
                    if !std::mem::replace(&mut draining, true) {
                        drain(fleet);
                    }
                }
            }
        }
    }
    fleet.land();
    code
}

/// How long the next event may take: a drain must come to its end.
fn wait_for(fleet: &Fleet, draining: bool) -> Duration {
    /// Beyond the drain's own limit, which the workers keep.
    const MARGIN: Duration = Duration::from_secs(5);
    const FOREVER: Duration = Duration::from_secs(3600);
    let limits = fleet.settings.server.limits;
    if draining {
        limits.drain_timeout + MARGIN
    } else {
        FOREVER
    }
}

fn drain(fleet: &Fleet) {
    fleet.readiness.enter(Phase::Draining);
    for postbox in &fleet.postboxes {
        postbox.deliver(Mail::Drain);
    }
}

/// Reads the config anew. One with mistakes changes nothing.
fn reload(fleet: &mut Fleet, config_path: &Path) {
    // First: a log that was rotated goes on in its new file whatever the config says.
    if let Some(log) = &fleet.access_log {
        log.reopen();
    }
    let settings = match config::load(config_path) {
        Ok(settings) => settings,
        Err(mistakes) => {
            for mistake in &mistakes {
                tracing::error!("{mistake}");
            }
            tracing::error!(
                "not reloaded: {} mistake(s); the old config stays",
                mistakes.len()
            );
            return;
        }
    };
    for what in fleet.needs_restart(&settings) {
        tracing::warn!("{what} has changed: that takes a restart; the rest is reloaded");
    }
    let limits = fleet.fitting(settings.server.limits);
    fleet.settings.server.limits = limits;
    match fleet.pins.reload(settings.pins.clone()) {
        Ok(report) => {
            for warning in &report.warnings {
                tracing::warn!("{warning}");
            }
            tracing::info!("reloaded: {} pinned files are ready", report.totals.ready);
        }
        Err(stopped) => tracing::error!("pins not reloaded: {stopped}"),
    }
    fleet.profiles.set(&settings.profiles);
    let sites = Arc::new(profiles::sites(&fleet.sites, &settings));
    fleet.desk.set_sites(sites.with_ids());
    fleet.desk.set_patience(limits.send_timeout);
    fleet.cache.set_sites(Arc::clone(&sites));
    let library = settings.library.clone();
    let prefetches = settings.prefetches.clone();
    fleet
        .library
        .set_plan(library, prefetches, Arc::clone(&sites));
    if let Some(uploads) = &fleet.uploads {
        uploads.set_hosts(&settings);
    }
    fleet.sites = Arc::clone(&sites);
    for postbox in &fleet.postboxes {
        postbox.deliver(Mail::Reloaded(Arc::clone(&sites), limits));
    }
}

/// How long the access log may take to write its last lines.
const LOG_PATIENCE: Duration = Duration::from_secs(5);

fn log_to_stderr() {
    let subscriber = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(false)
        .finish();
    if tracing::subscriber::set_global_default(subscriber).is_err() {
        tracing::debug!("somebody else takes the log already");
    }
}
