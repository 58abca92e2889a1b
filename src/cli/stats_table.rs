//! The statistics as a table for people.
//!
//! Lenient, so that it works with servers older and newer than itself: what is missing shows as `-`.

use std::fmt;

use serde_json::Value;

use super::terminal::printable;

/// The table, made from the JSON of `/api/stats`.
#[derive(Debug)]
pub(super) struct StatsTable {
    title: String,
    lines: Vec<Line>,
}

#[derive(Debug)]
struct Line {
    depth: usize,
    name: String,
    value: String,
}

/// What a missing figure shows as.
const MISSING: &str = "-";

/// Width of a value; longer ones stick out.
const VALUE_WIDTH: usize = 14;

impl StatsTable {
    /// Lays `stats` out.
    pub(super) fn new(stats: &Value) -> Self {
        let mut table = Self {
            title: title(stats),
            lines: Vec::new(),
        };
        table.line(0, "requests", count(&stats["requests"]));
        table.members("answers by status", &stats["answers"], Zeros::Hidden);
        table.members("hits by hold kind", &stats["hits"], Zeros::Shown);
        table.members("refusals by reason", &stats["refusals"], Zeros::Hidden);
        table.members("connections", &stats["connections"], Zeros::Shown);
        table.line(0, "bytes", String::new());
        for name in ["received", "sent"] {
            table.line(1, name, bytes(&stats["bytes"][name]));
        }
        table.latency(&stats["latency"]);
        table.pins(&stats["pins"]);
        table.cache(&stats["cache"]);
        table.disk(&stats["disk"]);
        table.fills(&stats["fills"], &stats["origins"]);
        table
    }

    fn line(&mut self, depth: usize, name: &str, value: String) {
        let name = printable(name);
        self.lines.push(Line { depth, name, value });
    }

    /// A counter for each member of an object.
    fn members(&mut self, name: &str, object: &Value, zeros: Zeros) {
        let shown: Vec<(&String, &Value)> = object
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(_, value)| zeros == Zeros::Shown || value.as_u64() != Some(0))
            .collect();
        let none = match (object.is_object(), shown.is_empty()) {
            (true, true) => "none",
            (true, false) => "",
            (false, _) => MISSING,
        };
        self.line(0, name, none.to_owned());
        for (name, value) in shown {
            self.line(1, name, count(value));
        }
    }

    fn latency(&mut self, latency: &Value) {
        self.line(0, "latency", String::new());
        let figures = [
            ("p50", "p50_us"),
            ("p90", "p90_us"),
            ("p99", "p99_us"),
            ("p99.9", "p99_9_us"),
            ("max", "max_us"),
        ];
        for (name, figure) in figures {
            let micros = latency[figure].as_f64();
            self.line(1, name, micros.map_or(MISSING.to_owned(), time));
        }
    }

    fn pins(&mut self, pins: &Value) {
        let totals = &pins["totals"];
        if !totals.is_object() {
            return;
        }
        self.line(0, "pinned files", count(&totals["pins"]));
        self.line(1, "ready", count(&totals["ready"]));
        self.line(1, "descriptors", count(&totals["descriptors"]));
        self.line(1, "memory", bytes(&totals["memory_bytes"]));
        self.line(1, "mapped", bytes(&totals["mapped_bytes"]));
        for warning in pins["warnings"].as_array().into_iter().flatten() {
            let warning = warning.as_str().unwrap_or(MISSING);
            self.line(1, &format!("! {warning}"), String::new());
        }
    }
}

impl StatsTable {
    /// What memory holds of origins' responses; nothing of a server that has no origin.
    fn cache(&mut self, cache: &Value) {
        if cache["inserted"]
            .as_u64()
            .is_none_or(|inserted| inserted == 0)
        {
            return;
        }
        self.line(0, "cached responses", count(&cache["responses"]));
        self.line(1, "memory", bytes(&cache["bytes"]));
        self.line(1, "of at most", bytes(&cache["max_bytes"]));
        self.line(1, "of it overhead", bytes(&cache["overhead_bytes"]));
        self.line(1, "inserted", count(&cache["inserted"]));
        self.line(1, "marked stale", count(&cache["marked"]));
        self.members("gone by way", &cache["gone"], Zeros::Hidden);
        self.members("refused by reason", &cache["refused"], Zeros::Hidden);
    }

    /// What the disk store holds; nothing of a server that has none.
    fn disk(&mut self, disk: &Value) {
        if !disk.is_object() {
            return;
        }
        let health = disk["health"].as_str().unwrap_or(MISSING);
        self.line(0, "disk store", printable(health));
        self.line(1, "responses", count(&disk["objects"]));
        self.line(1, "taken", bytes(&disk["bytes"]));
        self.line(1, "of at most", bytes(&disk["bytes_max"]));
        self.members("disk look-ups", &disk["loads"], Zeros::Hidden);
        self.members("saved to disk", &disk["saves"], Zeros::Hidden);
        self.members("gone from disk by way", &disk["gone"], Zeros::Hidden);
    }

    /// What was fetched, and from where; nothing of a server that has no origin.
    fn fills(&mut self, fills: &Value, origins: &Value) {
        if origins["requests"]
            .as_u64()
            .is_none_or(|requests| requests == 0)
        {
            return;
        }
        self.members("fetches by answer", &fills["fetches"], Zeros::Hidden);
        self.line(1, "waiting now", count(&fills["fetches_waiting"]));
        self.line(1, "under way now", count(&fills["fills_under_way"]));
        self.members(
            "fetches refused by limit",
            &fills["fetches_refused"],
            Zeros::Hidden,
        );
        self.members("bodies by end", &fills["fill_bodies"], Zeros::Hidden);
        self.line(0, "origin requests", count(&origins["requests"]));
        let figures = [
            ("connections made", "connects"),
            ("connections refused", "connect_failures"),
            ("connections reused", "reuses"),
            ("connections in use", "in_use"),
            ("connections idle", "idle"),
            ("waits for one", "waits"),
            ("failovers", "failovers"),
        ];
        for (name, figure) in figures {
            self.line(1, name, count(&origins[figure]));
        }
        self.members("origin faults", &origins["faults"], Zeros::Hidden);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Zeros {
    Shown,
    Hidden,
}

/// Version, phase, uptime, workers and driver in one line.
fn title(stats: &Value) -> String {
    let text = |value: &Value| value.as_str().map_or(MISSING.to_owned(), printable);
    let up = stats["uptime_seconds"]
        .as_f64()
        .map_or(MISSING.to_owned(), uptime);
    format!(
        "hotplate {}: {} for {up}, {} worker(s) on {}",
        text(&stats["version"]),
        text(&stats["phase"]),
        count(&stats["workers"]),
        text(&stats["driver"]["name"]),
    )
}

/// A whole number with its thousands apart.
fn count(value: &Value) -> String {
    let Some(number) = value.as_u64() else {
        return MISSING.to_owned();
    };
    let digits = number.to_string();
    let mut spaced = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            spaced.push(' ');
        }
        spaced.push(digit);
    }
    spaced
}

/// A size in the unit that leaves one to four digits before the point.
pub(super) fn bytes(value: &Value) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let Some(whole) = value.as_u64() else {
        return MISSING.to_owned();
    };
    if whole < 1024 {
        return format!("{whole} B");
    }
    let mut size = whole as f64 / 1024.0;
    let mut unit = UNITS[0];
    for larger in &UNITS[1..] {
        if size < 1024.0 {
            break;
        }
        size /= 1024.0;
        unit = larger;
    }
    format!("{size:.1} {unit}")
}

/// Microseconds in a unit that reads well.
fn time(micros: f64) -> String {
    if micros < 1_000.0 {
        format!("{micros:.1} us")
    } else if micros < 1_000_000.0 {
        format!("{:.2} ms", micros / 1_000.0)
    } else {
        format!("{:.2} s", micros / 1_000_000.0)
    }
}

/// Seconds as days, hours, minutes and seconds, from the first that is not zero on.
fn uptime(seconds: f64) -> String {
    // A float becomes an integer by saturation, so nothing a server sends is out of range.
    let mut left = seconds as u64;
    let mut parts = Vec::new();
    for (unit, size) in [("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)] {
        if left >= size || !parts.is_empty() || unit == "s" {
            parts.push(format!("{} {unit}", left / size));
            left %= size;
        }
    }
    parts.join(" ")
}

impl fmt::Display for StatsTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name_end = |line: &Line| line.depth * 2 + line.name.chars().count();
        let with_value = self.lines.iter().filter(|line| !line.value.is_empty());
        let width = with_value.map(name_end).max().unwrap_or_default();
        writeln!(f, "{}", self.title)?;
        for line in &self.lines {
            let indent = line.depth * 2;
            write!(f, "\n{:indent$}{}", "", line.name)?;
            if !line.value.is_empty() {
                let gap = width.saturating_sub(name_end(line));
                write!(f, "{:gap$}  {:>VALUE_WIDTH$}", "", line.value)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn table_shows_what_operators_ask_for() {
        let stats = json!({
            "version": "0.1.0", "phase": "serving", "uptime_seconds": 3723.5, "workers": 2,
            "driver": { "name": "io_uring", "reason": "probe passed" },
            "connections": { "open": 3, "accepted": 1200 },
            "requests": 1_234_567,
            "answers": { "200": 1_000_000, "304": 5, "404": 0 },
            "hits": { "pin-file": 0, "pin-mmap": 4, "pin-memory": 7, "root": 1 },
            "refusals": { "head-too-large": 2, "bad-host": 0 },
            "bytes": { "received": 1000, "sent": 5_368_709_120_u64 },
            "latency": { "p50_us": 12.3, "p90_us": 99.9, "p99_us": 1500.0, "p99_9_us": 2_000_000.0, "max_us": null },
            "pins": {
                "totals": { "pins": 12, "ready": 11, "descriptors": 3, "memory_bytes": 4096, "mapped_bytes": 0 },
                "warnings": ["a.wav\nis missing"],
            },
        });
        let expected = "\
hotplate 0.1.0: serving for 1 h 2 min 3 s, 2 worker(s) on io_uring

requests               1 234 567
answers by status
  200                  1 000 000
  304                          5
hits by hold kind
  pin-file                     0
  pin-memory                   7
  pin-mmap                     4
  root                         1
refusals by reason
  head-too-large               2
connections
  accepted                 1 200
  open                         3
bytes
  received                1000 B
  sent                   5.0 GiB
latency
  p50                    12.3 us
  p90                    99.9 us
  p99                    1.50 ms
  p99.9                   2.00 s
  max                          -
pinned files                  12
  ready                       11
  descriptors                  3
  memory                 4.0 KiB
  mapped                     0 B
  ! a.wav?is missing";
        assert_eq!(StatsTable::new(&stats).to_string(), expected);
    }

    #[test]
    fn stats_of_another_shape_show_gaps() {
        for stats in [
            json!({}),
            json!(null),
            json!([1]),
            json!({"hits": 3, "pins": {"totals": [1], "warnings": 7}}),
        ] {
            let text = StatsTable::new(&stats).to_string();
            assert!(text.contains("p99.9"), "{text}");
            assert!(text.contains(MISSING), "{text}");
        }
    }

    #[test]
    fn figures_read_well() {
        let counts = [
            (0, "0"),
            (999, "999"),
            (1000, "1 000"),
            (1_000_000, "1 000 000"),
        ];
        for (number, text) in counts {
            assert_eq!(count(&json!(number)), text);
        }
        let sizes = [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1_572_864, "1.5 MiB"),
        ];
        for (number, text) in sizes {
            assert_eq!(bytes(&json!(number)), text);
        }
        assert_eq!(bytes(&json!(u64::MAX)), "16.0 EiB");
        let times = [
            (0.0, "0 s"),
            (59.9, "59 s"),
            (86_400.0, "1 d 0 h 0 min 0 s"),
            (-1.0, "0 s"),
        ];
        for (seconds, text) in times {
            assert_eq!(uptime(seconds), text);
        }
    }
}
