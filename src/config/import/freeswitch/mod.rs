//! FreeSWITCH's mod_http_cache: `http_cache.conf.xml`.
//!
//! Its keys become `[library]` and `[[profile]]`; the names of those stand in [`sections`] alone.

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
    Ok(Page {
        intro: Vec::new(),
        blocks,
        groups,
    })
}
