//! FreeSWITCH's mod_http_cache: `http_cache.conf.xml`.
//!
//! Its keys become `[library]`, `[upload]` and `[[profile]]`; the names of those stand in [`sections`] alone.

mod document;
mod profiles;
mod sections;
mod settings;

use super::Options;
use super::fault::ImportError;
use super::page::{Group, Page};
use document::Document;

/// Translates the config `bytes`.
pub(super) fn import(options: &Options, bytes: &[u8]) -> Result<Page, ImportError> {
    let document = Document::read(options, bytes)?;
    let (read, mut blocks) = settings::tables(&document)?;
    let (profiles, lines) = profiles::tables(&document, &read, options.with_secrets);
    blocks.extend(profiles);
    let mut groups = Vec::new();
    if !lines.is_empty() {
        groups.push(Group {
            why: "dropped:".to_owned(),
            lines,
        });
    }
    groups.push(Group {
        why: "the words of FreeSWITCH's dialplan and API:".to_owned(),
        lines: vec![
            "http_get, http_tryget, http_prefetch, http_put, http_remove_cache and http_clear_cache: `hotplate fs WORDS...`"
                .to_owned(),
            "http_cache://URL: play the path that http_get returns".to_owned(),
        ],
    });
    Ok(Page {
        intro: Vec::new(),
        blocks,
        groups,
    })
}
