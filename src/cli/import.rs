//! `hotplate import`: the config of Apache httpd or of FreeSWITCH's mod_http_cache as a config of Hotplate.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::exit_code::ExitCode;
use super::terminal;
use crate::config::import::{self, Kind, Options};

/// What is imported, and how.
#[derive(Debug, Args)]
pub(super) struct What {
    /// The config: Apache's httpd.conf, which is read with all that it includes, or FreeSWITCH's http_cache.conf.xml
    file: PathBuf,
    /// Whose config it is; told by its content when not said
    #[arg(long, value_enum, value_name = "PROGRAM")]
    from: Option<Program>,
    /// What is defined from outside: as with httpd -D, or a variable of either program
    #[arg(short = 'D', long = "define", value_name = "NAME[=VALUE]", value_parser = definition)]
    defines: Vec<(String, String)>,
    /// A module that is compiled into httpd, such as mod_cache.c, for <IfModule>
    #[arg(long = "module", value_name = "NAME")]
    modules: Vec<String>,
    /// The folder that Apache's relative paths are below, whatever ServerRoot says
    #[arg(long, value_name = "FOLDER")]
    server_root: Option<PathBuf>,
    /// Print keys and passwords as values; without it, comments say where to put them
    #[arg(long)]
    with_secrets: bool,
    /// Print in force what Apache keeps closed and Hotplate would not; without it, such a site is a comment
    #[arg(long)]
    open: bool,
}

/// A program whose config can be imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Program {
    Apache,
    Freeswitch,
}

/// Reads the argument of `-D`.
fn definition(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    match name.is_empty() {
        true => Err("a name is needed: NAME or NAME=VALUE".to_owned()),
        false => Ok((name.to_owned(), value.to_owned())),
    }
}

/// Prints the translated config.
pub(super) fn command(what: What) -> ExitCode {
    let options = Options {
        file: what.file,
        from: what.from.map(|program| match program {
            Program::Apache => Kind::Apache,
            Program::Freeswitch => Kind::FreeSwitch,
        }),
        defines: what.defines,
        modules: what.modules,
        server_root: what
            .server_root
            .map(|folder| std::path::absolute(&folder).unwrap_or(folder)),
        with_secrets: what.with_secrets,
        opens: what.open,
    };
    let imported = match import::import(&options) {
        Ok(imported) => imported,
        Err(error) => return terminal::complain(error, ExitCode::Usage),
    };
    let code = terminal::result(imported.text.trim_end());
    match imported.tables_out {
        0 => code,
        1 => terminal::complain("1 table is a comment: see \"left out\"", code),
        count => terminal::complain(
            format_args!("{count} tables are comments: see \"left out\""),
            code,
        ),
    }
}
