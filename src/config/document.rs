//! The whole document: its tables in turn, then what they say together, then the mistakes in the order of the text.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::contradictions::{library, origins, profiles, rules, stores};
use super::draft::{ReadSite, SiteDraft};
use super::mistake::{Cause, Mistakes};
use super::read::{self, Places, Report};
use super::scalar;
use super::shape::Table;
use super::source::Source;
use super::{Settings, contradictions, keys};
use crate::fill::library::{LibrarySettings, PrefetchRule};
use crate::fill::profile::ProfileRule;
use crate::policy::settings::CacheRule;
use crate::store::pinned::PinRule;
use crate::store::tiers::{DiskSettings, MemorySettings};

/// Reads a config's text.
pub(super) fn read(source: Source<'_>) -> Result<Settings, Mistakes> {
    let folder = folder_of(source.file);
    let mut report = Report {
        folder: &folder,
        source,
        mistakes: Vec::new(),
    };
    let (document, errors) = DeTable::parse_recoverable(report.source.text);
    let settings = tables(&mut report, document.get_ref(), errors.is_empty());
    if !errors.is_empty() {
        // What the parser made of a broken line is a guess: only its own words count there, and a key that seems to be
        // missing from a table may stand on that table's broken line.
        let broken = syntax(&mut report, &errors);
        let Report {
            source, mistakes, ..
        } = &mut report;
        mistakes.retain(|mistake| match (&mistake.cause, mistake.at) {
            (Cause::Syntax { .. }, _) | (_, None) => true,
            (Cause::MissingKey { .. }, Some(at)) => {
                let end = table_end(source, at.line);
                broken.range(at.line..end).next().is_none()
            }
            (_, Some(at)) => !broken.contains(&at.line),
        });
    }
    report.mistakes.sort_by_key(|mistake| mistake.at);
    if report.mistakes.is_empty() {
        Ok(settings)
    } else {
        Err(report.mistakes)
    }
}

/// The line after the table that starts on `line`: the next header's, or one past any.
fn table_end(source: &Source<'_>, line: usize) -> usize {
    let mut lines = (line + 1..).zip(source.lines_after(line));
    let header = lines.find(|(_, text)| text.trim_start().starts_with('['));
    header.map_or(usize::MAX, |(number, _)| number)
}

/// The absolute folder of the config file.
fn folder_of(file: &Path) -> std::path::PathBuf {
    let folder = file.parent().unwrap_or(Path::new(""));
    std::path::absolute(folder.join(".")).unwrap_or_else(|_| folder.to_path_buf())
}

/// Adds the parser's errors, one a line and those that tell what was left open; returns the lines.
fn syntax(report: &mut Report<'_>, errors: &[toml::de::Error]) -> BTreeSet<usize> {
    let mut lines = BTreeSet::new();
    for error in errors {
        let end = report.source.text.len();
        let span = error.span().unwrap_or(end..end);
        let is_first = lines.insert(report.line(&span));
        if is_first || error.message().starts_with("unclosed") {
            let message = in_our_words(error.message());
            report.add(&span, String::new(), Cause::Syntax { message });
        }
    }
    lines
}

/// The parser's message with the advice that fits most: a text without quotes is read as a number or a date.
fn in_our_words(message: &str) -> String {
    let message = message.trim_end_matches(", expected nothing");
    let unquoted = [
        "invalid float",
        "invalid integer",
        "invalid datetime",
        "invalid date",
    ];
    if unquoted.iter().any(|start| message.starts_with(start)) {
        format!("{message}; a text, and a number with a unit, needs quotes")
    } else {
        message.to_owned()
    }
}

/// The tables that contradictions are looked for in, with the places of their keys.
#[derive(Debug, Default)]
struct Tables {
    settings: Settings,
    server: Places,
    memory: Places,
    disk: (DiskSettings, Places),
    fill: Places,
    library: (LibrarySettings, Places),
    prefetches: Vec<(PrefetchRule, Places)>,
    pins: Vec<(PinRule, Places)>,
    sites: Vec<ReadSite>,
    profiles: Vec<(ProfileRule, Places)>,
    upload: Places,
}

/// Reads every table; contradictions are only looked for in a text that could be read as a whole.
fn tables(report: &mut Report<'_>, document: &DeTable<'_>, is_whole: bool) -> Settings {
    let mut tables = Tables::default();
    for (name, value) in document {
        let settings = &mut tables.settings;
        match name.get_ref().as_ref() {
            "server" => tables.server = single(report, &keys::SERVER, value, settings),
            "limits" => drop(single(report, &keys::LIMITS, value, settings)),
            "memory" => tables.memory = single(report, &keys::MEMORY, value, settings),
            "disk" => tables.disk.1 = single(report, &keys::DISK, value, &mut tables.disk.0),
            "fill" => tables.fill = single(report, &keys::FILL, value, settings),
            "library" => {
                let (library, places) = &mut tables.library;
                *places = single(report, &keys::LIBRARY, value, library);
            }
            "prefetch" => {
                let most = keys::PREFETCHES_MAX;
                tables.prefetches = many(report, &keys::PREFETCH, value, most, prefetch);
            }
            "pin" => tables.pins = many(report, &keys::PIN, value, keys::PINS_MAX, pin),
            "site" => tables.sites = many(report, &keys::SITE, value, keys::SITES_MAX, site),
            "upload" => {
                tables.upload = single(report, &keys::UPLOAD, value, &mut tables.settings.upload);
            }
            "profile" => {
                tables.profiles = many(report, &keys::PROFILE, value, keys::PROFILES_MAX, profile);
            }
            unknown => {
                let cause = Cause::UnknownKey {
                    nearest: read::nearest(unknown, keys::tables().into_iter()),
                    belongs: keys::table_of(unknown, ""),
                    valid: keys::tables().to_vec(),
                };
                report.add(&name.span(), unknown.escape_debug().to_string(), cause);
            }
        }
    }
    for (pin, places) in &mut tables.pins {
        contradictions::every_host(report, "pin", &mut pin.hosts, places);
    }
    for site in &mut tables.sites {
        let hosts = &mut site.draft.site.hosts;
        contradictions::every_host(report, "site", hosts, &site.places);
    }
    if is_whole {
        contradictions(report, &tables);
    }
    finish(tables)
}

fn contradictions(report: &mut Report<'_>, tables: &Tables) {
    let (disk, places) = &tables.disk;
    contradictions::server(report, &tables.settings, &tables.server);
    contradictions::pins(report, &tables.pins);
    contradictions::sites(report, &tables.sites);
    stores::memory(report, tables.settings.memory, &tables.memory);
    stores::disk(report, disk, places);
    stores::outside_roots(
        report,
        ("disk.path", disk.path.as_path()),
        places,
        &tables.sites,
    );
    let spool = ("upload.path", tables.settings.upload.path.as_path());
    stores::outside_roots(report, spool, &tables.upload, &tables.sites);
    profiles::profiles(report, &tables.profiles);
    profiles::of_sites(report, &tables.sites, &tables.profiles);
    profiles::of_prefetches(report, &tables.prefetches, &tables.profiles);
    let room = rules::Room {
        memory: tables.settings.memory,
        has_disk: !disk.path.as_os_str().is_empty() || places.is_wrong("path"),
    };
    let fill_timeout =
        (!tables.fill.is_wrong("fill_timeout")).then_some(tables.settings.fill.fill_timeout);
    let (settings, places) = &tables.library;
    library::library(report, settings, places, room.has_disk, fill_timeout);
    if !places.is_wrong("hosts") {
        library::prefetches(report, settings, &tables.prefetches, &tables.sites);
    }
    for site in &tables.sites {
        origins::site(report, site, fill_timeout);
        rules::site(report, site, room);
    }
}

/// The settings that the tables say.
fn finish(tables: Tables) -> Settings {
    let Tables {
        settings,
        disk: (disk, _),
        library: (library, _),
        ..
    } = tables;
    // Where only the size is set, to less than what the largest body is by default.
    let memory = MemorySettings {
        max_object: settings.memory.max_object.min(settings.memory.size),
        ..settings.memory
    };
    Settings {
        memory,
        disk: (!disk.path.as_os_str().is_empty()).then_some(disk),
        library,
        prefetches: tables.prefetches.into_iter().map(|(it, _)| it).collect(),
        pins: tables.pins.into_iter().map(|(pin, _)| pin).collect(),
        sites: tables.sites.into_iter().map(ReadSite::finish).collect(),
        profiles: tables.profiles.into_iter().map(|(one, _)| one).collect(),
        ..settings
    }
}

/// Reads a table that exists once.
fn single<T>(
    report: &mut Report<'_>,
    rows: &'static Table<T>,
    value: &Spanned<DeValue<'_>>,
    target: &mut T,
) -> Places {
    match value.get_ref() {
        DeValue::Table(table) => read::table(report, rows, value.span(), table, target),
        other => {
            wrong_form(report, rows, value.span(), other);
            Places::default()
        }
    }
}

/// Reads a table that can stand in the file many times, each by `one`.
fn many<T, R>(
    report: &mut Report<'_>,
    rows: &'static Table<T>,
    value: &Spanned<DeValue<'_>>,
    count_max: usize,
    one: fn(&mut Report<'_>, Range<usize>, &DeTable<'_>) -> R,
) -> Vec<R> {
    let DeValue::Array(members) = value.get_ref() else {
        wrong_form(report, rows, value.span(), value.get_ref());
        return Vec::new();
    };
    if let Some(first_over) = members.get(count_max) {
        let cause = Cause::Members {
            found: members.len(),
            accepts: format!("at most {count_max} {} tables", rows.written),
        };
        report.add(&first_over.span(), rows.name.to_owned(), cause);
    }
    let mut read = Vec::with_capacity(members.len().min(count_max));
    for member in members.iter().take(count_max) {
        match member.get_ref() {
            DeValue::Table(table) => read.push(one(report, member.span(), table)),
            other => wrong_form(report, rows, member.span(), other),
        }
    }
    read
}

fn prefetch(
    report: &mut Report<'_>,
    header: Range<usize>,
    table: &DeTable<'_>,
) -> (PrefetchRule, Places) {
    let mut prefetch = PrefetchRule {
        line: report.line(&header),
        ..PrefetchRule::default()
    };
    let places = read::table(report, &keys::PREFETCH, header, table, &mut prefetch);
    (prefetch, places)
}

fn pin(report: &mut Report<'_>, header: Range<usize>, table: &DeTable<'_>) -> (PinRule, Places) {
    let mut pin = PinRule {
        path: std::path::PathBuf::new(),
        url: String::new(),
        hosts: Vec::new(),
        hold: crate::store::pinned::Hold::default(),
        on_change: crate::store::pinned::OnChange::default(),
        cache_control: String::new(),
        content_type: String::new(),
        line: report.line(&header),
    };
    let places = read::table(report, &keys::PIN, header, table, &mut pin);
    (pin, places)
}

fn site(report: &mut Report<'_>, header: Range<usize>, table: &DeTable<'_>) -> ReadSite {
    let mut draft = SiteDraft::default();
    draft.site.line = report.line(&header);
    let places = read::table(report, &keys::SITE, header, table, &mut draft);
    let rules = table.get("rule").map_or_else(Vec::new, |value| {
        many(report, &keys::RULE, value, keys::RULES_MAX, rule)
    });
    ReadSite {
        draft,
        places,
        rules,
    }
}

fn profile(
    report: &mut Report<'_>,
    header: Range<usize>,
    table: &DeTable<'_>,
) -> (ProfileRule, Places) {
    let mut profile = ProfileRule {
        line: report.line(&header),
        ..ProfileRule::default()
    };
    let places = read::table(report, &keys::PROFILE, header, table, &mut profile);
    (profile, places)
}

fn rule(report: &mut Report<'_>, header: Range<usize>, table: &DeTable<'_>) -> (CacheRule, Places) {
    let mut rule = CacheRule::default();
    let places = read::table(report, &keys::RULE, header, table, &mut rule);
    (rule, places)
}

fn wrong_form<T>(
    report: &mut Report<'_>,
    rows: &'static Table<T>,
    span: Range<usize>,
    found: &DeValue<'_>,
) {
    let accepts = format!("a table that starts with {}", rows.written);
    let cause = scalar::wrong_type(found, accepts);
    report.add(&span, rows.name.to_owned(), cause);
}
