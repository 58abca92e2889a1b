//! `hotplate fs`: a command in the words of FreeSWITCH's mod_http_cache. The reply stands on standard output as it is there, the reason on
//! standard error.

use std::io::{self, Write as _};
use std::time::Duration;

use clap::Args;

use super::admin_client::Question;
use super::admin_door::AdminDoor;
use super::exit_code::ExitCode;
use super::terminal;

/// The longest wait: the longest that the config allows for a get, and a little.
const PATIENCE: Duration = Duration::from_secs(3660);

/// The command.
#[derive(Debug, Args)]
pub(super) struct What {
    /// http_get, http_tryget, http_prefetch, http_put, http_remove_cache or http_clear_cache, with what it takes
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

/// Has the command answered.
pub(super) fn command(door: &AdminDoor, what: &What) -> ExitCode {
    let question = Question::post("/api/fs", what.words.join(" "));
    let (reply, why) = match door.ask_words(&question.into_text().waiting(PATIENCE)) {
        Ok(told) => told,
        Err(code) => return code,
    };
    let mut stream = io::stdout().lock();
    let written = stream
        .write_all(reply.as_bytes())
        .and_then(|()| stream.flush());
    let code = match ExitCode::of_output(&written) {
        ExitCode::Success => code_of(&reply),
        unwritten => unwritten,
    };
    match why {
        Some(why) => terminal::complain(why, code),
        None => code,
    }
}

/// The code of a reply: a usage line is what was typed.
fn code_of(reply: &str) -> ExitCode {
    if reply.starts_with("USAGE: ") {
        ExitCode::Usage
    } else if reply.starts_with("-ERR") || reply == "download" {
        ExitCode::Failure
    } else {
        ExitCode::Success
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_follows_the_reply() {
        for (reply, code) in [
            ("/var/cache/hotplate/library/1/a.wav", ExitCode::Success),
            ("+OK\n", ExitCode::Success),
            ("+OK 200\n", ExitCode::Success),
            ("-ERR\n", ExitCode::Failure),
            ("-ERR download\n", ExitCode::Failure),
            ("-ERR 0\n", ExitCode::Failure),
            ("download", ExitCode::Failure),
            ("USAGE: <url>\n", ExitCode::Usage),
        ] {
            assert_eq!(code_of(reply), code, "{reply}");
        }
    }
}
