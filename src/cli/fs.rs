//! `hotplate fs`: a command in the words of FreeSWITCH's mod_http_cache. The reply stands on standard output as it is there, the reason on
//! standard error.

use std::io::{self, Write as _};
use std::path::{Path, absolute};
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
    /// http_get, http_tryget, http_prefetch, http_put, http_remove_cache or http_clear_cache, with what it takes, as one word or as several
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

/// Has the command answered.
pub(super) fn command(door: &AdminDoor, what: &What) -> ExitCode {
    let question = Question::post("/api/fs", line(&what.words));
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

/// The command line that words make. The shell has taken away what kept them together: the URL and the file of `http_put`, which alone
/// takes more than one, get quotes of their own where they need some. A file that is named from the current folder gets its whole path.
fn line(words: &[String]) -> String {
    let Some((command, words)) = words.split_first() else {
        return String::new();
    };
    let mut line = command.clone();
    let is_put = command.split_whitespace().next() == Some("http_put");
    // The URL may stand beside the command.
    let mut arguments = match is_put {
        true => command
            .split_whitespace()
            .skip(1)
            .filter(|it| !it.starts_with('{'))
            .count(),
        false => 0,
    };
    let mut depth = 0;
    for word in words {
        line.push(' ');
        if !is_put {
            line.push_str(word);
            continue;
        }
        let end = match arguments {
            0 => options_end(word, &mut depth),
            _ => 0,
        };
        let (options, argument) = word.split_at(end);
        line.push_str(options);
        if argument.is_empty() {
            continue;
        }
        arguments += 1;
        let path = match arguments {
            2 => absolute(Path::new(argument)).ok(),
            _ => None,
        };
        let path = path.as_deref().and_then(Path::to_str);
        line.push_str(&quoted(path.unwrap_or(argument)));
    }
    line
}

/// Where the options at the start of a word end, which may be among more words than one; `depth` is how many braces are open.
fn options_end(word: &str, depth: &mut usize) -> usize {
    for (place, letter) in word.char_indices() {
        match letter {
            '{' => *depth += 1,
            '}' if *depth > 0 => *depth -= 1,
            ' ' => {}
            _ if *depth == 0 => return place,
            _ => {}
        }
    }
    word.len()
}

/// A word so that it stays one.
fn quoted(word: &str) -> String {
    let is_special = |letter: char| letter.is_whitespace() || matches!(letter, '\'' | '\\');
    if !word.contains(is_special) {
        return word.to_owned();
    }
    let mut text = "'".to_owned();
    for letter in word.chars() {
        if matches!(letter, '\'' | '\\') {
            text.push('\\');
        }
        text.push(letter);
    }
    text.push('\'');
    text
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
    fn line_keeps_words_together() {
        let line = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            super::line(&words)
        };
        let here = std::env::current_dir().unwrap();
        let here = here.to_str().unwrap();
        for (words, expected) in [
            (
                &["http_put http://a/b '/tmp/c d.wav'"][..],
                "http_put http://a/b '/tmp/c d.wav'".to_owned(),
            ),
            (
                &["http_put", "http://a/b", "/tmp/c d.wav"],
                "http_put http://a/b '/tmp/c d.wav'".to_owned(),
            ),
            (
                &["http_put", "http://a/b", "/tmp/it's\\.wav"],
                "http_put http://a/b '/tmp/it\\'s\\\\.wav'".to_owned(),
            ),
            (
                &["http_put", "{profile='a b', x=y}http://a/b c", "/d"],
                "http_put {profile='a b', x=y}'http://a/b c' /d".to_owned(),
            ),
            (
                &["http_put", "{a={b},", "c=d}", "http://a/b", "/d e"],
                "http_put {a={b}, c=d} http://a/b '/d e'".to_owned(),
            ),
            (
                &["http_put", "http://a/b", "c.wav"],
                format!("http_put http://a/b {}", quoted(&format!("{here}/c.wav"))),
            ),
            (
                &["http_put http://a/b", "/c d"],
                "http_put http://a/b '/c d'".to_owned(),
            ),
            // The others take all that follows as it is.
            (
                &["http_get", "{refresh=true}http://a/it's.wav"],
                "http_get {refresh=true}http://a/it's.wav".to_owned(),
            ),
        ] {
            assert_eq!(line(words), expected);
        }
    }

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
