//! Directives by which Apache runs files instead of sending them: as they are, they would show their source.

use std::path::Path;

use super::access::Served;
use super::ledger::Ledger;
use super::tree::{Directive, Scope};

/// The beginnings of the names of modules that run files.
const MODULES: [&str; 9] = [
    "php",
    "wsgi",
    "perl",
    "python",
    "passenger",
    "mono",
    "fcgid",
    "fastcgi",
    "jk_",
];

/// Whether the flags of a RewriteRule send requests to a proxy.
fn proxies(flags: &str) -> bool {
    let flags = flags
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let mut flags = flags.unwrap_or_default().split(',').map(str::trim);
    flags.any(|flag| flag.eq_ignore_ascii_case("p") || flag.eq_ignore_ascii_case("proxy"))
}

/// Whether files of a handler are run.
pub(super) fn is_run(handler: &str) -> bool {
    let harmless = [
        "none",
        "default-handler",
        "type-map",
        "send-as-is",
        "imap-file",
    ];
    !harmless
        .iter()
        .any(|known| handler.eq_ignore_ascii_case(known))
}

/// Why a directive has files run that would be sent as they are: their source.
pub(super) fn runs(
    ledger: &Ledger<'_>,
    directive: &Directive,
    served: Served<'_>,
) -> Option<&'static str> {
    let root = served.root?;
    let sent = "Apache runs files or asks somebody else where Hotplate would send files as they are, with their source";
    let word = directive.word(0).to_ascii_lowercase();
    let is_so = match directive.name.as_str() {
        "sethandler" => is_run(&word) && (!is_in_location(ledger, directive) || is_of_files(&word)),
        "addhandler" => is_run(&word),
        "addtype" => word.starts_with("application/x-httpd"),
        "addoutputfilter" | "setoutputfilter" => word.split(';').any(|filter| filter == "includes"),
        "loadmodule" => MODULES.iter().any(|module| word.starts_with(module)),
        // What it sends to a proxy is no file.
        "rewriterule" => directive.words.last().is_some_and(|flags| proxies(flags)),
        "options" => {
            directive
                .words
                .iter()
                .any(|word| word.trim_start_matches('+').eq_ignore_ascii_case("execcgi"))
                && is_about(ledger, directive, root)
        }
        "scriptalias" => Path::new(directive.word(1)).starts_with(root),
        "proxypassmatch" => served.runs_files && directive.word(1) != "!",
        _ => false,
    };
    is_so.then_some(sent)
}

/// Whether a handler is one that runs files, wherever it is set.
fn is_of_files(handler: &str) -> bool {
    handler.starts_with("application/x-httpd") || handler.starts_with("proxy:")
}

fn is_in_location(ledger: &Ledger<'_>, directive: &Directive) -> bool {
    let scope = ledger.tree.scope(directive).map(|section| &section.scope);
    matches!(scope, Some(Scope::Location(_)))
}

/// Whether a directive is about files of the root.
pub(super) fn is_about(ledger: &Ledger<'_>, directive: &Directive, root: &Path) -> bool {
    match ledger.tree.scope(directive).map(|section| &section.scope) {
        Some(Scope::Directory(path)) => path.starts_with(root) || root.starts_with(path),
        _ => true,
    }
}
