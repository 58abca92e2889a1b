//! What a start prints: what is pinned and how, what it takes, which driver and why, and where the server listens.

use std::fmt::Write as _;

use super::fleet::Fleet;
use crate::admin::api::AdminServer;
use crate::admin::settings::AdminAddress;
use crate::fill::pins::PinLine;
use crate::units::ByteSize;

/// Pins listed one by one; more are summed up.
const PINS_SHOWN: usize = 40;

/// The status text; its last line is `ready`.
pub(super) fn describe(fleet: &Fleet) -> String {
    let mut text = String::new();
    let report = &fleet.report;
    for pin in report.pins.iter().take(PINS_SHOWN) {
        push(&mut text, &describe_pin(pin));
    }
    let more = report.totals.pins.saturating_sub(PINS_SHOWN as u64);
    if more > 0 {
        push(&mut text, &format!("  ... and {more} more"));
    }
    for site in &fleet.settings.sites {
        let hosts = if site.hosts.is_empty() {
            "every host".to_owned()
        } else {
            site.hosts.join(", ")
        };
        if let Some(root) = &site.root {
            let line = format!("  root    {} for {hosts}", root.display());
            push(&mut text, &line);
        }
        if let Some(origin) = &site.origin {
            let urls: Vec<String> = origin.urls.iter().map(ToString::to_string).collect();
            let line = format!("  origin  {} for {hosts}", urls.join(", "));
            push(&mut text, &line);
        }
    }
    for warning in &report.warnings {
        push(&mut text, &format!("  warning {warning}"));
    }
    let untold = report
        .totals
        .problems
        .saturating_sub(report.warnings.len() as u64);
    if untold > 0 {
        push(&mut text, &format!("  warning {untold} more warnings"));
    }
    describe_totals(&mut text, fleet);
    text.push_str("ready");
    text
}

/// What the pins take, the driver, and where the server listens.
fn describe_totals(text: &mut String, fleet: &Fleet) {
    let totals = &fleet.report.totals;
    push(
        text,
        &format!(
            "pinned {} of {} files: {} in memory (of {}), {} mapped, {} descriptors (of {})",
            totals.ready,
            totals.pins,
            size(totals.memory_bytes),
            size(totals.memory_bytes_max),
            size(totals.mapped_bytes),
            totals.descriptors,
            totals.descriptors_max,
        ),
    );
    if let (Some(disk), Some(settings)) = (&fleet.disk, &fleet.settings.disk) {
        push(
            text,
            &format!(
                "disk store {}: {} responses, {} (of {})",
                settings.path.display(),
                disk.report.objects,
                size(disk.report.bytes),
                size(settings.size.0),
            ),
        );
    }
    let workers = fleet.plan.cores.len();
    let cores: Vec<String> = fleet
        .plan
        .cores
        .iter()
        .flatten()
        .map(ToString::to_string)
        .collect();
    let bound = if cores.is_empty() {
        "not bound to cores".to_owned()
    } else {
        format!("on core {}", cores.join(", "))
    };
    let plural = if workers == 1 { "" } else { "s" };
    push(
        text,
        &format!(
            "driver {} ({}), {workers} worker{plural} {bound}",
            fleet.plan.driver, fleet.plan.reason
        ),
    );
    for address in &fleet.addresses {
        push(text, &format!("listening on http://{address}"));
    }
    match (
        &fleet.settings.admin.address,
        fleet.admin.as_ref().and_then(AdminServer::address),
    ) {
        (AdminAddress::Unix(path), _) => {
            push(text, &format!("admin on unix:{}", path.display()));
        }
        (AdminAddress::Tcp(_), Some(address)) => {
            push(text, &format!("admin on http://{address}"));
        }
        _ => {}
    }
}

fn describe_pin(pin: &PinLine) -> String {
    let shown = if pin.hold.is_empty() {
        pin.state
    } else {
        pin.hold
    };
    let mut line = format!("  {:<7} {} <- {}", shown, pin.url, pin.path);
    let mut notes = vec![size(pin.bytes)];
    if !pin.codings.is_empty() {
        notes.push(format!("also {}", pin.codings.join(", ")));
    }
    if !pin.hosts.is_empty() {
        notes.push(format!("for {}", pin.hosts.join(", ")));
    }
    if let Some(why) = &pin.why {
        notes.push(why.clone());
    }
    let written = write!(line, " ({})", notes.join("; "));
    debug_assert!(written.is_ok(), "writing to a string cannot fail");
    line
}

fn push(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

/// A size with three digits or so, for people.
fn size(bytes: u64) -> String {
    match bytes {
        0..10_240 => format!("{bytes} B"),
        10_240..10_485_760 => format!("{} KiB", bytes >> 10),
        _ if bytes.is_multiple_of(1 << 30) => ByteSize(bytes).to_string(),
        _ => format!("{} MiB", bytes >> 20),
    }
}
