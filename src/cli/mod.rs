//! The commands. Everything here may print; nothing here decides policy.
//!
//! Results go to standard output, everything else to standard error. Exit codes are in [`exit_code`].
#![forbid(unsafe_code)]

mod admin_client;
mod admin_door;
mod check;
mod columns;
pub mod exit_code;
mod explain;
mod fs;
mod get;
mod import;
mod jobs;
mod lease;
mod ls;
mod prefetch;
mod purge;
mod put;
mod record;
mod serve;
mod stats;
mod stats_table;
mod terminal;

use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};

use admin_door::AdminDoor;
pub use exit_code::ExitCode;

/// The config file when none is named.
const CONFIG_DEFAULT: &str = "config/hotplate.toml";

/// Serves hot static media at the lowest latency a Linux machine allows.
#[derive(Debug, Parser)]
#[command(name = "hotplate", version, about, disable_help_subcommand = true)]
#[command(after_help = "Without a command, hotplate serves.\n\
    Exit codes: 0 fine, 1 run-time failure, 2 usage or config.")]
struct CommandLine {
    /// Config file; config/hotplate.toml when none is named
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve until told to stop (the default command)
    Serve,
    /// Check the config and print every mistake in it at once
    Check {
        /// Print all keys there are, with their values and defaults, instead
        #[arg(long)]
        keys: bool,
    },
    /// Print the config of Apache httpd or FreeSWITCH's mod_http_cache as a config of Hotplate
    Import(import::What),
    /// Print the statistics of a running server
    Stats {
        #[command(flatten)]
        server: RunningServer,
        /// Print the JSON as the server sends it
        #[arg(long)]
        json: bool,
    },
    /// Remove stored responses of a running server, in all their variants, or have them validated
    Purge {
        #[command(flatten)]
        server: RunningServer,
        #[command(flatten)]
        what: purge::What,
    },
    /// List what a running server has stored
    Ls {
        #[command(flatten)]
        server: RunningServer,
        #[command(flatten)]
        what: ls::What,
    },
    /// Print the local path of what a URL stands for; a running server fetches it where it isn't stored or not fresh
    Get {
        #[command(flatten)]
        server: RunningServer,
        #[command(flatten)]
        what: get::What,
    },
    /// Print the local path of what a URL stands for, where a running server has it fresh; nothing is fetched
    Tryget {
        #[command(flatten)]
        server: RunningServer,
        #[command(flatten)]
        what: get::What,
    },
    /// Have a running server fetch URLs ahead, and wait until they are there
    Prefetch {
        #[command(flatten)]
        server: RunningServer,
        #[command(flatten)]
        what: prefetch::What,
    },
    /// List the prefetches of a running server, wait for them, or cancel them
    Jobs {
        #[command(flatten)]
        server: RunningServer,
        #[command(flatten)]
        what: jobs::What,
    },
    /// List the paths that a running server has handed out, the one that goes first above
    Leases {
        #[command(flatten)]
        server: RunningServer,
        #[command(flatten)]
        listed: lease::Listed,
    },
    /// Put off the end of a path that a running server has handed out, or give it back
    Lease {
        #[command(flatten)]
        server: RunningServer,
        #[command(flatten)]
        what: lease::What,
    },
    /// Ask a running server in the words of FreeSWITCH's mod_http_cache, such as "http_get URL"
    Fs {
        #[command(flatten)]
        server: RunningServer,
        #[command(flatten)]
        what: fs::What,
    },
    /// Remove what a running server has stored of a URL, and of those that it redirects to
    Remove {
        #[command(flatten)]
        server: RunningServer,
        #[command(flatten)]
        what: get::Removed,
    },
    /// Remove everything that a running server has stored
    Clear {
        #[command(flatten)]
        server: RunningServer,
    },
    /// Upload a file by a running server, which keeps it until it is at the origin
    Put {
        #[command(flatten)]
        server: RunningServer,
        #[command(flatten)]
        what: put::What,
    },
    /// Print a path to write to; the file is uploaded when its last writer closes it
    Record {
        #[command(flatten)]
        server: RunningServer,
        #[command(flatten)]
        what: record::What,
    },
    /// Tell what becomes of a running server's uploads, or change it
    Uploads {
        #[command(flatten)]
        server: RunningServer,
        #[command(flatten)]
        which: put::Which,
    },
    /// Tell why a running server would answer a request as it would, step by step
    Explain {
        #[command(flatten)]
        server: RunningServer,
        #[command(flatten)]
        what: explain::What,
    },
}

/// Which server is asked.
#[derive(Debug, clap::Args)]
struct RunningServer {
    /// Admin address, "IP:PORT" or "unix:PATH"; the config's when none is named
    #[arg(long, value_name = "ADDR", value_parser = admin_door::address)]
    admin: Option<crate::admin::settings::AdminAddress>,
}

/// Runs the command line and returns the exit code.
#[must_use]
pub fn main() -> std::process::ExitCode {
    abort_on_panic();
    match CommandLine::try_parse() {
        Ok(line) => run(line).into(),
        Err(shown) => {
            // Help and version come this way too; clap knows which stream each belongs to.
            let written = shown.print();
            let is_usage = shown.use_stderr();
            let code = match ExitCode::of_output(&written) {
                ExitCode::Success if is_usage => ExitCode::Usage,
                code => code,
            };
            code.into()
        }
    }
}

/// Has a panic on any thread end the process, in builds that unwind too: half a server is worse than none, and who
/// supervises it starts it anew.
fn abort_on_panic() {
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panicked| {
        tell(panicked);
        std::process::abort();
    }));
}

fn run(line: CommandLine) -> ExitCode {
    let named = line.config;
    let config = named.as_deref().unwrap_or(Path::new(CONFIG_DEFAULT));
    match line.command {
        None | Some(Command::Serve) => serve::command(config),
        Some(Command::Check { keys: true }) => check::keys(),
        Some(Command::Check { keys: false }) => check::command(config),
        Some(Command::Import(what)) => import::command(what),
        Some(Command::Stats { server, json }) => {
            with_door(server, &named, config, |door| stats::command(door, json))
        }
        Some(Command::Purge { server, what }) => {
            with_door(server, &named, config, |door| purge::command(door, &what))
        }
        Some(Command::Ls { server, what }) => {
            with_door(server, &named, config, |door| ls::command(door, &what))
        }
        Some(Command::Get { server, what }) => {
            with_door(server, &named, config, |door| get::get(door, &what))
        }
        Some(Command::Tryget { server, what }) => {
            with_door(server, &named, config, |door| get::tryget(door, &what))
        }
        Some(Command::Prefetch { server, what }) => with_door(server, &named, config, |door| {
            prefetch::command(door, &what)
        }),
        Some(Command::Jobs { server, what }) => {
            with_door(server, &named, config, |door| jobs::command(door, &what))
        }
        Some(Command::Leases { server, listed }) => {
            with_door(server, &named, config, |door| lease::leases(door, &listed))
        }
        Some(Command::Lease { server, what }) => {
            with_door(server, &named, config, |door| lease::command(door, &what))
        }
        Some(Command::Fs { server, what }) => {
            with_door(server, &named, config, |door| fs::command(door, &what))
        }
        Some(Command::Remove { server, what }) => {
            with_door(server, &named, config, |door| get::remove(door, &what))
        }
        Some(Command::Put { server, what }) => {
            with_door(server, &named, config, |door| put::command(door, &what))
        }
        Some(Command::Record { server, what }) => {
            with_door(server, &named, config, |door| record::command(door, &what))
        }
        Some(Command::Uploads { server, which }) => {
            with_door(server, &named, config, |door| put::uploads(door, &which))
        }
        Some(Command::Clear { server }) => with_door(server, &named, config, purge::clear),
        Some(Command::Explain { server, what }) => {
            with_door(server, &named, config, |door| explain::command(door, &what))
        }
    }
}

/// Does something at a running server's admin address.
fn with_door(
    server: RunningServer,
    named: &Option<PathBuf>,
    config: &Path,
    work: impl FnOnce(&AdminDoor) -> ExitCode,
) -> ExitCode {
    match AdminDoor::find(server.admin, named.is_some(), config) {
        Ok(door) => work(&door),
        Err(code) => code,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    fn parsed(words: &[&str]) -> Result<CommandLine, clap::Error> {
        CommandLine::try_parse_from([&["hotplate"], words].concat())
    }

    #[test]
    fn command_line_is_consistent() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn config_can_be_named_before_and_after_the_command() {
        let cases: [&[&str]; 4] = [
            &["--config", "a.toml"],
            &["--config", "a.toml", "serve"],
            &["serve", "--config", "a.toml"],
            &["stats", "--json", "--config=a.toml"],
        ];
        for words in cases {
            let line = parsed(words).unwrap();
            assert_eq!(line.config.as_deref(), Some(Path::new("a.toml")));
        }
        assert!(parsed(&[]).unwrap().command.is_none());
    }

    #[test]
    fn wrong_command_line_is_a_usage_error() {
        let cases: [&[&str]; 28] = [
            &["bake"],
            &["import"],
            &["import", "a", "--from", "nginx"],
            &["import", "a", "-D", "=b"],
            &["--confg", "a"],
            &["stats", "--admin", "nowhere"],
            &["check", "extra"],
            &["purge"],
            &["purge", "http://a/"],
            &["purge", "--url", "http://a/", "--tag", "a"],
            &["purge", "--all", "--prefix", "http://a/"],
            &["ls", "--limit", "0"],
            &["clear", "now"],
            &["get"],
            &["tryget", "http://a/", "http://b/"],
            &["remove"],
            &["fs"],
            &["lease", "1"],
            &["lease", "--release"],
            &["lease", "1", "--release", "--renew", "5m"],
            &["prefetch", "--priority", "high"],
            &["jobs", "--wait"],
            &["jobs", "--cancel"],
            &["jobs", "1", "--timeout", "1s"],
            &["jobs", "1", "--wait", "--cancel"],
            &["jobs", "--state", "ended"],
            &["explain"],
            &["explain", "-H", "Accept: a"],
        ];
        for words in cases {
            let error = parsed(words).unwrap_err();
            assert!(error.use_stderr(), "{words:?}");
        }
    }
}
