//! `hotplate prefetch`: has a running server fetch URLs ahead, as many at a time as its queue takes, and waits until they are there.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io::{self, BufRead as _, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::admin_client::{AskError, Question, Reason};
use super::admin_door::AdminDoor;
use super::exit_code::ExitCode;
use super::terminal;
use crate::sys::clock;

/// URLs that are ordered at once.
const BATCH_MAX: usize = 100;
/// How long one question for jobs waits.
const WAIT: Duration = Duration::from_millis(500);
/// The pause after the queue was full of others' jobs.
const PAUSE: Duration = Duration::from_millis(500);
/// How long a question takes at most beside its wait.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is fetched.
#[derive(Debug, Args)]
pub(super) struct What {
    /// URLs; "-" reads them from standard input, one a line
    urls: Vec<String>,
    /// A file with a URL on each line; "#" begins a comment line
    #[arg(long, value_name = "FILE")]
    file: Vec<PathBuf>,
    /// Ask the origins although what is stored is fresh
    #[arg(long)]
    refresh: bool,
    /// The [[profile]] that the origins are asked with; the ones for their hosts when it isn't said
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// The larger goes first
    #[arg(
        long,
        default_value_t = 0,
        allow_hyphen_values = true,
        value_name = "NUMBER"
    )]
    priority: i32,
    /// Return as soon as all wait in the queue, and print the numbers of their jobs, for "hotplate jobs"
    #[arg(long)]
    no_wait: bool,
    /// Print a line of JSON for each job
    #[arg(long)]
    json: bool,
}

/// How many came to which end.
#[derive(Debug, Default)]
struct Tally {
    done: usize,
    failed: usize,
}

/// The work: what is still to be ordered, and what is under way.
struct Work<'d> {
    door: &'d AdminDoor,
    what: &'d What,
    left: VecDeque<String>,
    /// Jobs that were told of where they are not waited for.
    told: HashSet<u64>,
    /// The jobs, each with how many URLs it stands for: the same one twice is one job.
    under_way: HashMap<u64, usize>,
    tally: Tally,
    shown: Shown,
}

/// Orders and waits.
pub(super) fn command(door: &AdminDoor, what: &What) -> ExitCode {
    let urls = match urls(what) {
        Ok(urls) if urls.is_empty() => {
            return terminal::complain(
                "no URLs: name some, or a --file, or \"-\"",
                ExitCode::Usage,
            );
        }
        Ok(urls) => urls,
        Err(error) => return terminal::complain(error, ExitCode::Usage),
    };
    let count = urls.len();
    let mut work = Work {
        door,
        what,
        left: urls.into(),
        told: HashSet::new(),
        under_way: HashMap::new(),
        tally: Tally::default(),
        shown: Shown::new(count, what),
    };
    if let Err(code) = work.run() {
        return code;
    }
    work.shown.finish();
    let Tally { done, failed } = work.tally;
    if what.no_wait {
        return code_of(failed);
    }
    if !what.json {
        let told = terminal::result(format_args!(
            "{done} of {count} prefetched, {failed} failed"
        ));
        if told != ExitCode::Success {
            return told;
        }
    }
    code_of(failed)
}

fn code_of(failed: usize) -> ExitCode {
    if failed == 0 {
        ExitCode::Success
    } else {
        ExitCode::Failure
    }
}

impl Work<'_> {
    fn run(&mut self) -> Result<(), ExitCode> {
        while !(self.left.is_empty() && (self.under_way.is_empty() || self.what.no_wait)) {
            let has_room = self.under_way.len() < BATCH_MAX;
            let ordered = if self.left.is_empty() || !has_room {
                0
            } else {
                self.order()?
            };
            if self.what.no_wait {
                self.under_way.clear();
                if ordered == 0 && !self.left.is_empty() {
                    clock::pause(PAUSE);
                }
            } else if self.under_way.is_empty() {
                clock::pause(PAUSE);
            } else {
                self.wait()?;
            }
        }
        Ok(())
    }

    /// Orders the next URLs; how many were taken or refused for good.
    fn order(&mut self) -> Result<usize, ExitCode> {
        let room = BATCH_MAX.saturating_sub(self.under_way.len());
        let batch: Vec<String> = self.left.drain(..room.min(self.left.len())).collect();
        let body = json!({
            "urls": batch, "refresh": self.what.refresh, "priority": self.what.priority,
            "profile": self.what.profile,
        });
        let question = Question::post("/api/cache/prefetch", body.to_string());
        let told = match self.door.try_ask(&question.waiting(PATIENCE)) {
            Ok(told) => told,
            // In part, or not at all: each URL tells.
            Err(AskError::Told(_, told)) if told["refused"].is_array() => told,
            Err(error) => return Err(self.door.complain(&error)),
        };
        let mut taken = 0;
        for job in told["jobs"].as_array().into_iter().flatten() {
            if let Some(id) = job["id"].as_u64() {
                *self.under_way.entry(id).or_default() += 1;
                if self.what.no_wait && self.told.insert(id) {
                    self.shown.ordered(id, job)?;
                }
                taken += 1;
            }
        }
        for refused in told["refused"].as_array().into_iter().flatten() {
            let url = refused["url"].as_str().unwrap_or_default();
            if refused["code"] == "queue_full" {
                self.left.push_back(url.to_owned());
            } else {
                taken += 1;
                self.tally.failed += 1;
                self.shown.ended(
                    &json!({"url": url, "state": "failed", "failure": refused}),
                    1,
                );
            }
        }
        Ok(taken)
    }

    /// Waits a moment for what is under way, and shows what has ended.
    fn wait(&mut self) -> Result<(), ExitCode> {
        let ids: Vec<u64> = self.under_way.keys().copied().collect();
        // Any of them that ends makes room, so that is not waited for all.
        let body = json!({"ids": ids, "timeout": WAIT.as_secs_f64(), "any": true});
        let question = Question::post("/api/cache/jobs/wait", body.to_string());
        let told = self.door.ask(&question.waiting(PATIENCE))?;
        let mut bytes = 0;
        let mut known = HashSet::new();
        for job in told["jobs"].as_array().into_iter().flatten() {
            let id = job["id"].as_u64().unwrap_or_default();
            known.insert(id);
            match job["state"].as_str().unwrap_or_default() {
                "queued" => {}
                "running" => bytes += job["bytes"].as_u64().unwrap_or_default(),
                state => {
                    let count = self.under_way.remove(&id).unwrap_or_default();
                    match state {
                        "done" => self.tally.done += count,
                        _ => self.tally.failed += count,
                    }
                    self.shown.ended(job, count);
                }
            }
        }
        // One that ended so long ago that nobody knows how.
        let Self {
            under_way, tally, ..
        } = self;
        under_way.retain(|id, count| {
            let is_known = known.contains(id);
            if !is_known {
                tally.failed += *count;
            }
            is_known
        });
        self.shown.running(bytes);
        Ok(())
    }
}

/// How it is shown: as a bar on a terminal, else a line for each job.
enum Shown {
    Bar(ProgressBar),
    Lines,
    Json,
    /// Only the numbers of the jobs go to standard output.
    Numbers,
}

impl Shown {
    fn new(count: usize, what: &What) -> Self {
        if what.json {
            return Self::Json;
        }
        if what.no_wait {
            return Self::Numbers;
        }
        if !io::stderr().is_terminal() {
            return Self::Lines;
        }
        let bar = ProgressBar::new(count as u64);
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}");
        if let Ok(style) = style {
            bar.set_style(style);
        }
        Self::Bar(bar)
    }

    /// Shows a job that is not waited for.
    fn ordered(&self, id: u64, job: &Value) -> Result<(), ExitCode> {
        let written = match self {
            Self::Json => terminal::result(job),
            _ => terminal::result(id),
        };
        match written {
            ExitCode::Success => Ok(()),
            unwritten => Err(unwritten),
        }
    }

    /// Shows the end of a job that stands for `count` URLs.
    fn ended(&self, job: &Value, count: usize) {
        let line = line(job);
        match self {
            Self::Bar(bar) => {
                bar.inc(count as u64);
                if job["state"] != "done" {
                    bar.println(line);
                }
            }
            Self::Lines => drop(terminal::result(line)),
            // None of these has a job: the end of others is not waited for.
            Self::Numbers => {
                let url = terminal::printable(job["url"].as_str().unwrap_or_default());
                let why = terminal::printable(&Reason(&job["failure"]).to_string());
                terminal::complain(format_args!("{url}: {why}"), ExitCode::Failure);
            }
            Self::Json => drop(terminal::result(job)),
        }
    }

    fn running(&self, bytes: u64) {
        if let Self::Bar(bar) = self {
            bar.set_message(match bytes {
                0 => String::new(),
                bytes => format!("{} KiB on the way", bytes.div_ceil(1024)),
            });
        }
    }

    fn finish(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

/// A job that ended, as a line.
fn line(job: &Value) -> String {
    let url = terminal::printable(job["url"].as_str().unwrap_or_default());
    let state = job["state"].as_str().unwrap_or_default();
    match job["failure"]["error"].as_str() {
        Some(why) => format!("{state} {url}: {}", terminal::printable(why)),
        None => format!("{state} {url}"),
    }
}

/// All URLs: those named, those in files, those on standard input.
fn urls(what: &What) -> Result<Vec<String>, String> {
    let mut urls = Vec::new();
    for url in &what.urls {
        if url == "-" {
            for line in io::stdin().lock().lines() {
                let line = line.map_err(|error| format!("standard input: {error}"))?;
                urls.extend(url_of(&line));
            }
        } else {
            urls.push(url.clone());
        }
    }
    for file in &what.file {
        urls.extend(urls_in(file)?);
    }
    Ok(urls)
}

fn urls_in(file: &Path) -> Result<Vec<String>, String> {
    let text = std::fs::read_to_string(file);
    let text = text.map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(text.lines().filter_map(url_of).collect())
}

/// The URL of a line; none of an empty one or a comment.
fn url_of(line: &str) -> Option<String> {
    let line = line.trim();
    (!line.is_empty() && !line.starts_with('#')).then(|| line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn job_that_ended_is_a_line() {
        let done = json!({"url": "http://a/\u{1b}", "state": "done"});
        assert_eq!(line(&done), "done http://a/?");
        let failed = json!({"url": "http://a/", "state": "failed", "failure": {"error": "why"}});
        assert_eq!(line(&failed), "failed http://a/: why");
    }

    #[test]
    fn comments_and_empty_lines_are_no_urls() {
        assert_eq!(url_of(" http://a/ \r"), Some("http://a/".to_owned()));
        assert_eq!(
            (url_of(""), url_of("  "), url_of("# http://a/")),
            (None, None, None)
        );
    }
}
