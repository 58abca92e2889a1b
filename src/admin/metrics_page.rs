//! `docs/metrics.md`, made from the tables of metric families, so that it can't lag behind them.
//!
//! A test compares the file with what the tables give. After a change to a table, write it anew with
//! `HOTPLATE_WRITE_DOCS=1 cargo test --lib metrics_page`.

use std::fmt::{self, Write};

use prometheus_client::metrics::MetricType;

use super::disk_figures::{DISK_FAMILIES, DISK_WORKS};
use super::metrics::{ATTEMPT_TIMES, GET_TIMES, PROCESS_FAMILIES, ProcessFamily};
use crate::fill::disk::TIER_FAMILIES;
use crate::fill::keeper::KEEPER_FAMILIES;
use crate::fill::library::LIBRARY_FAMILIES;
use crate::fill::upload::UPLOAD_FAMILIES;
use crate::stats::counters::{FAMILIES, Family, Kind};

const HEAD: &str = "\
# Metrics

`GET /metrics` on the admin address shows these families, in OpenMetrics 1.0 where the scraper asks for it and in the
Prometheus text format 0.0.4 otherwise. Counters end in `_total`. `GET /api/stats` holds the same figures as JSON.

This page is made from the tables in `src/stats/counters.rs`, `src/fill/keeper/counts.rs`,
`src/fill/disk/counts.rs`, `src/fill/library/counts.rs`, `src/fill/upload/counts.rs`, `src/admin/disk_figures.rs`
and `src/admin/metrics.rs`; after a change there, write it anew with
`HOTPLATE_WRITE_DOCS=1 cargo test --lib metrics_page`.
";

/// The page.
///
/// # Errors
/// Only where writing to memory fails.
pub fn markdown() -> Result<String, fmt::Error> {
    let mut page = String::from(HEAD);
    table(&mut page, "Counted by the workers", FAMILIES)?;
    table(&mut page, "Counted by the fill threads", KEEPER_FAMILIES)?;
    table(
        &mut page,
        "Counted on the way to the disk store",
        TIER_FAMILIES,
    )?;
    table(&mut page, "Counted by the media library", LIBRARY_FAMILIES)?;
    table(
        &mut page,
        "Of uploads, where there is a folder for them",
        UPLOAD_FAMILIES,
    )?;
    let own = DISK_FAMILIES.iter().map(|one| &one.family);
    let disk = std::iter::once(&DISK_WORKS).chain(own);
    process_table(&mut page, "Of the disk store, where there is one", disk)?;
    let times = [&GET_TIMES, &ATTEMPT_TIMES].into_iter();
    process_table(&mut page, "How long gets and uploads take", times)?;
    process_table(&mut page, "Of the whole process", PROCESS_FAMILIES.iter())?;
    Ok(page)
}

/// A table of families that are counted elsewhere, with its heading.
fn process_table<'f>(
    page: &mut String,
    heading: &str,
    families: impl Iterator<Item = &'f ProcessFamily>,
) -> fmt::Result {
    write!(page, "\n## {heading}\n\n")?;
    page.push_str("| name | kind | unit | label | meaning |\n|---|---|---|---|---|\n");
    for family in families {
        let suffix = match family.kind {
            MetricType::Counter => "_total",
            _ => "",
        };
        let label = match family.label {
            "" => String::new(),
            label => format!("`{}`", label.replace(", ", "`, `")),
        };
        writeln!(
            page,
            "| `{}{suffix}` | {} | {} | {label} | {} |",
            family.name,
            family.kind.as_str(),
            family.unit,
            family.help
        )?;
    }
    Ok(())
}

/// A table of counters, with its heading.
fn table<C>(page: &mut String, heading: &str, families: &[Family<C>]) -> fmt::Result {
    write!(page, "\n## {heading}\n\n")?;
    page.push_str("| name | kind | unit | label | meaning |\n|---|---|---|---|---|\n");
    for family in families {
        let (suffix, kind) = match family.kind {
            Kind::Counter => ("_total", "counter"),
            Kind::Gauge => ("", "gauge"),
        };
        let values: Vec<_> = family.members.iter().map(|member| member.value).collect();
        let label = match family.label {
            "" => String::new(),
            label => format!("`{label}`: {}", values.join(", ")),
        };
        writeln!(
            page,
            "| `{}{suffix}` | {kind} | {} | {label} | {} |",
            family.name, family.unit, family.help
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md");

    #[test]
    fn page_in_docs_is_what_the_tables_give() {
        let page = markdown().unwrap();
        let is_to_be_written =
            std::env::var_os("HOTPLATE_WRITE_DOCS").is_some_and(|set| set == "1");
        if is_to_be_written {
            std::fs::write(PAGE, &page).unwrap();
        }
        let written = std::fs::read_to_string(PAGE).unwrap();
        assert!(
            written == page,
            "docs/metrics.md is behind its tables: HOTPLATE_WRITE_DOCS=1 cargo test --lib metrics_page"
        );
    }
}
