//! `[memory]` and `[disk]`: bounds among themselves, and the disk store's folder beside those that are served.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::add;
use crate::config::cache_contradiction::CacheContradiction;
use crate::config::draft::ReadSite;
use crate::config::read::{Places, Report};
use crate::store::tiers::{DiskSettings, MemorySettings};
use crate::units::ByteSize;

/// The largest body must fit the store.
pub(in crate::config) fn memory(report: &mut Report<'_>, memory: MemorySettings, places: &Places) {
    object(report, "memory", memory.max_object, memory.size, places);
}

/// The largest body and a block must fit the store, and what is said about it needs one.
pub(in crate::config) fn disk(report: &mut Report<'_>, disk: &DiskSettings, places: &Places) {
    if places.set("path").is_none() && places.keys().next().is_some() {
        let without_path = CacheContradiction::DiskWithoutPath;
        add(report, &places.header, "disk.path", without_path);
    }
    object(report, "disk", disk.max_object, disk.size, places);
    let place = places.of("block").or_else(|| places.of("size"));
    if let Some(place) = place
        && disk.block > disk.size
        && !places.is_wrong("size")
    {
        let too_large = CacheContradiction::BlockOverSize {
            block: disk.block,
            size: disk.size,
        };
        add(report, &place, "disk.block", too_large);
    }
}

/// A largest body that is set and is larger than the whole store.
fn object(
    report: &mut Report<'_>,
    table: &str,
    max_object: ByteSize,
    size: ByteSize,
    places: &Places,
) {
    if let Some(place) = places.of("max_object")
        && max_object > size
        && !places.is_wrong("size")
    {
        let key = format!("{table}.max_object");
        add(
            report,
            &place,
            &key,
            CacheContradiction::ObjectOverSize { size },
        );
    }
}

/// No site serves the files of a store or a spool, and none of those clears away what a site serves.
pub(in crate::config) fn outside_roots(
    report: &mut Report<'_>,
    (key, folder): (&str, &Path),
    places: &Places,
    sites: &[ReadSite],
) {
    let Some(place) = places.of("path") else {
        return;
    };
    if folder.as_os_str().is_empty() {
        return;
    }
    let store = resolved(folder);
    let with_roots = sites
        .iter()
        .filter_map(|site| Some((site.draft.site.root.as_deref()?, &site.places)));
    for (root, site_places) in with_roots {
        let root = resolved(root);
        if store.starts_with(&root) || root.starts_with(&store) {
            let root_place = site_places.of("root");
            let line = report.line(root_place.as_ref().unwrap_or(&site_places.header));
            let in_root = CacheContradiction::DiskInRoot { line };
            add(report, &place, key, in_root);
            return;
        }
    }
}

/// The path without links and dots, as far as it is there.
fn resolved(path: &Path) -> PathBuf {
    let mut missing: Vec<OsString> = Vec::new();
    let mut there = path;
    loop {
        if let Ok(mut found) = there.canonicalize() {
            found.extend(missing.iter().rev());
            return found;
        }
        match (there.parent(), there.file_name()) {
            (Some(parent), Some(name)) => {
                missing.push(name.to_owned());
                there = parent;
            }
            _ => return path.to_path_buf(),
        }
    }
}
