//! Imports the configs of programs that Hotplate stands for: Apache httpd's, and that of FreeSWITCH's mod_http_cache.
//!
//! What they say becomes a page of TOML with a comment for each of their directives: translated, changed in meaning, or dropped,
//! and why. Three things hold for every page:
//! - it passes `hotplate check` on the machine that it was made on: what is refused there is a comment with the reason;
//! - it opens nothing that the other program kept closed: such a site is a comment with the reason, unless asked for;
//! - it repeats no secret in a comment.
//!
//! The same files give the same bytes. Nothing is read but the files that are named, those they include, and whether those that
//! they name are there.

mod apache;
pub mod fault;
mod freeswitch;
mod kind;
mod page;
mod proof;

use std::path::PathBuf;

pub use fault::{ImportError, ImportFault};
pub use kind::Kind;

/// Most bytes in all files of a config.
pub(super) const FILE_BYTES_MAX: usize = 16 << 20;

/// What is imported, and how.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The file.
    pub file: PathBuf,
    /// The program whose config it is; none: that is told by its content.
    pub from: Option<Kind>,
    /// Names and values that are defined without the file's doing, as by `httpd -D`.
    pub defines: Vec<(String, String)>,
    /// Modules of Apache that are there without a `LoadModule`.
    pub modules: Vec<String>,
    /// What relative paths of Apache are below, whatever `ServerRoot` says.
    pub server_root: Option<PathBuf>,
    /// Whether secrets are printed, as values of keys.
    pub with_secrets: bool,
    /// Whether a site is printed in force although it opens what was closed.
    pub opens: bool,
}

/// A config of Hotplate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The config's text.
    pub text: String,
    /// How many of its tables are comments, because something stands against them.
    pub tables_out: usize,
}

/// Translates a config.
///
/// # Errors
/// The file can't be read, is neither program's config, or one that its program refuses.
pub fn import(options: &Options) -> Result<Imported, ImportError> {
    let whole = |cause| ImportError {
        file: options.file.clone(),
        at: None,
        cause,
    };
    let bytes = apache::read::read_file(&options.file, FILE_BYTES_MAX).map_err(whole)?;
    let kind = options.from.or_else(|| kind::of(&bytes));
    let (mut page, program) = match kind.ok_or_else(|| whole(ImportFault::UnknownKind))? {
        Kind::Apache => (apache::import(options, &bytes)?, "Apache httpd"),
        Kind::FreeSwitch => (
            freeswitch::import(options, &bytes)?,
            "FreeSWITCH's mod_http_cache",
        ),
    };
    let name = options
        .file
        .file_name()
        .unwrap_or_default()
        .to_string_lossy();
    page.intro = vec![
        format!("Hotplate's config, translated from \"{name}\" of {program}."),
        "\"translated\" means the same here, \"changed\" something else, and for what was \"dropped\" nothing stands; why is \
         said below each. \"left out\" stands above what is only a comment, with the reason: delete the \"# \" of its lines when that \
         is settled, and run `hotplate check`."
            .to_owned(),
    ];
    let text = proof::proven(&mut page);
    Ok(Imported {
        text,
        tables_out: page.blocks_out(),
    })
}

#[cfg(test)]
mod tests;
