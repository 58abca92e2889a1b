//! `hotplate put` and `hotplate uploads`: files into the queue of uploads, and what becomes of them.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use clap::Args;
use hyper::StatusCode;
use hyper::body::{Body, Bytes, Frame, SizeHint};
use serde_json::Value;
use tokio::sync::mpsc;

use super::admin_client::Question;
use super::admin_door::AdminDoor;
use super::exit_code::ExitCode;
use super::terminal;
use crate::admin::query::encoded;
use crate::sys::clock;

/// Bytes that are read at once.
const PIECE: usize = 256 << 10;

/// How often an upload that is waited for is asked after.
const ASK_EVERY: Duration = Duration::from_millis(500);

/// What is uploaded where.
#[derive(Debug, Args)]
pub(super) struct What {
    /// An absolute http or https URL, on a host of a [[profile]], of a [[site]] with an origin, or of upload.hosts
    url: String,
    /// The file; "-" is standard input
    file: PathBuf,
    /// Use this [[profile]] rather than that of the host
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// The Content-Type; by the URL's extension where none is named
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,
    /// Make it the cached copy of its URL when it is at the origin
    #[arg(long)]
    cache: bool,
    /// Wait for the first attempt, and fail with 1 where the file is not at the origin then
    #[arg(long)]
    wait: bool,
    /// Print the JSON as the server sends it
    #[arg(long)]
    json: bool,
}

/// Hands a file to the queue, and tells what became of it.
pub(super) fn command(door: &AdminDoor, what: &What) -> ExitCode {
    let (source, size): (Box<dyn Read + Send>, Option<u64>) = if what.file.as_os_str() == "-" {
        (Box::new(io::stdin()), None)
    } else {
        let opened = File::open(&what.file).and_then(|file| {
            let found = file.metadata()?;
            if found.is_dir() {
                return Err(io::Error::other("it is a folder"));
            }
            Ok((file, found.is_file().then_some(found.len())))
        });
        match opened {
            Ok((file, size)) => (Box::new(file), size),
            Err(error) => {
                let text = format!("{}: {error}", what.file.display());
                return terminal::complain(text, ExitCode::Failure);
            }
        }
    };
    let mut path = format!("/api/cache/put?url={}", encoded(&what.url));
    for (name, value) in [
        ("profile", &what.profile),
        ("content_type", &what.content_type),
    ] {
        if let Some(value) = value {
            path.push_str(&format!("&{name}={}", encoded(value)));
        }
    }
    if what.cache {
        path.push_str("&cache=true");
    }
    let (status, mut told) = match door.send(&path, FileBody::reading(source, size)) {
        Ok(answer) => answer,
        Err(code) => return code,
    };
    if !status.is_success() {
        let error = told["error"].as_str().unwrap_or("it was not accepted");
        let code = match status {
            StatusCode::BAD_REQUEST => ExitCode::Usage,
            _ => ExitCode::Failure,
        };
        return terminal::complain(error, code);
    }
    if what.wait {
        let id = told["id"].as_u64().unwrap_or_default();
        told = match settled(door, id) {
            Ok(told) => told,
            Err(code) => return code,
        };
    }
    let shown = if what.json {
        terminal::result(format_args!("{told:#}"))
    } else {
        terminal::result(describe(&told))
    };
    match shown {
        ExitCode::Success if what.wait && told["state"] != "done" => ExitCode::Failure,
        code => code,
    }
}

/// Waits until an upload's first attempt has come to a result, or until that of one to the same URL which comes first has failed.
fn settled(door: &AdminDoor, id: u64) -> Result<Value, ExitCode> {
    loop {
        let told = asked(door, id)?;
        let is_open = told["state"] == "waiting" || told["state"] == "running";
        if !is_open || has_failed_once(&told) {
            return Ok(told);
        }
        if let Some(before) = told["behind"].as_u64() {
            let first = asked(door, before)?;
            if first["state"] == "waiting" && has_failed_once(&first) {
                return Ok(told);
            }
        }
        clock::pause(ASK_EVERY);
    }
}

fn asked(door: &AdminDoor, id: u64) -> Result<Value, ExitCode> {
    door.ask(&Question::get(format!("/api/cache/uploads?id={id}")))
}

fn has_failed_once(told: &Value) -> bool {
    told["attempts"].as_u64() > Some(0)
}

/// An upload in a sentence.
fn describe(told: &Value) -> String {
    let id = told["id"].as_u64().unwrap_or_default();
    let reason = told["reason"].as_str().map(terminal::printable);
    let status = told["status"].as_u64();
    match (told["state"].as_str().unwrap_or_default(), reason) {
        ("done", _) => format!("uploaded: {}", status.unwrap_or_default()),
        ("given-up", Some(reason)) => format!("given up: {reason} (upload {id})"),
        ("waiting" | "running", Some(reason)) => {
            format!("not yet: {reason}; it is tried again (upload {id})")
        }
        (state, _) => format!("accepted: upload {id} is {state}"),
    }
}

/// Which uploads are meant, and what is to be done with them.
#[derive(Debug, Args)]
pub(super) struct Which {
    /// The number of an upload; all where none is named
    id: Option<u64>,
    /// Have it tried again at once
    #[arg(long, requires = "id", conflicts_with = "drop")]
    retry: bool,
    /// Take it out for good
    #[arg(long, requires = "id")]
    drop: bool,
    /// Also those that ended lately
    #[arg(long)]
    ended: bool,
    /// Print the JSON as the server sends it
    #[arg(long)]
    json: bool,
}

/// Tells what becomes of uploads, or changes it.
pub(super) fn uploads(door: &AdminDoor, which: &Which) -> ExitCode {
    if let (Some(id), true) = (which.id, which.retry || which.drop) {
        let what = if which.drop { "drop" } else { "retry" };
        let path = format!("/api/cache/uploads/{what}?id={id}");
        let none = FileBody::reading(Box::new(io::empty()), Some(0));
        return match door.send(&path, none) {
            Ok((status, told)) if status.is_success() => show(which, &told),
            Ok((_, told)) => {
                let error = told["error"].as_str().unwrap_or("it was refused");
                terminal::complain(error, ExitCode::Failure)
            }
            Err(code) => code,
        };
    }
    let mut shown: Vec<Value> = Vec::new();
    let mut after = 0;
    loop {
        let query = match which.id {
            Some(id) => format!("id={id}"),
            None => format!("limit=1000&after={after}&ended={}", which.ended),
        };
        let told = match door.ask(&Question::get(format!("/api/cache/uploads?{query}"))) {
            Ok(told) => told,
            Err(code) => return code,
        };
        if which.id.is_some() {
            return show(which, &told);
        }
        shown.extend(told["uploads"].as_array().cloned().unwrap_or_default());
        match told["next"].as_u64() {
            Some(next) => after = next,
            None => return show(which, &Value::from(shown)),
        }
    }
}

fn show(which: &Which, told: &Value) -> ExitCode {
    if which.json {
        return terminal::result(format_args!("{told:#}"));
    }
    let one = std::slice::from_ref(told);
    let uploads = told.as_array().map_or(one, Vec::as_slice);
    let lines: Vec<String> = uploads.iter().map(line).collect();
    match lines.is_empty() {
        true => terminal::result("no uploads"),
        false => terminal::result(lines.join("\n")),
    }
}

/// An upload in a line: number, state, how far, where to, and why not yet.
fn line(upload: &Value) -> String {
    let number = |name: &str| upload[name].as_u64().unwrap_or_default();
    let text = |name: &str| terminal::printable(upload[name].as_str().unwrap_or_default());
    let mut line = format!(
        "{:>6}  {:8}  {}/{} bytes  {}",
        number("id"),
        text("state"),
        number("sent"),
        number("size"),
        text("url")
    );
    if let Some(reason) = upload["reason"].as_str() {
        let attempts = number("attempts");
        line.push_str(&format!(
            "  ({attempts} failed: {})",
            terminal::printable(reason)
        ));
    }
    if let Some(other) = upload["behind"].as_u64() {
        line.push_str(&format!(
            "  after upload {other}, which goes to the same URL"
        ));
    } else if let Some(seconds) = upload["next_attempt_in"].as_u64() {
        line.push_str(&format!("  next in {seconds} s"));
    }
    line
}

/// A file or a pipe as the body of a request, read on a thread of its own.
struct FileBody {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    left: Option<u64>,
}

impl FileBody {
    fn reading(mut source: Box<dyn Read + Send>, size: Option<u64>) -> Self {
        let (sender, pieces) = mpsc::channel(4);
        // Ends at the source's end, or when nobody takes more.
        drop(std::thread::spawn(move || {
            let mut left = size.unwrap_or(u64::MAX);
            while left > 0 {
                let mut piece = vec![0; usize::try_from(left).unwrap_or(PIECE).min(PIECE)];
                let read = match source.read(&mut piece) {
                    Ok(0) => return,
                    Ok(count) => {
                        piece.truncate(count);
                        left -= count as u64;
                        Ok(Bytes::from(piece))
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => Err(error),
                };
                if sender.blocking_send(read).is_err() {
                    return;
                }
            }
        }));
        Self { pieces, left: size }
    }
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let piece = std::task::ready!(self.pieces.poll_recv(cx));
        Poll::Ready(match piece {
            Some(Ok(bytes)) => {
                self.left = self
                    .left
                    .map(|left| left.saturating_sub(bytes.len() as u64));
                Some(Ok(Frame::data(bytes)))
            }
            Some(Err(error)) => Some(Err(error)),
            // A file that shrank while it was read.
            None if self.left.is_some_and(|left| left > 0) => {
                self.left = None;
                Some(Err(io::ErrorKind::UnexpectedEof.into()))
            }
            None => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.left == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.left
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn upload_is_told_in_a_sentence() {
        let told = |state: &str, reason: Option<&str>| {
            describe(&json!({"id": 7, "state": state, "reason": reason, "status": 201}))
        };
        assert_eq!(told("done", None), "uploaded: 201");
        assert_eq!(told("waiting", None), "accepted: upload 7 is waiting");
        assert_eq!(
            told("given-up", Some("no\u{1b}")),
            "given up: no? (upload 7)"
        );
        assert_eq!(
            told("waiting", Some("no")),
            "not yet: no; it is tried again (upload 7)"
        );
    }

    #[test]
    fn upload_is_shown_in_a_line() {
        let upload = json!({
            "id": 7, "state": "waiting", "sent": 0, "size": 9, "url": "http://a/b", "attempts": 2,
            "reason": "nobody listens there", "next_attempt_in": 3,
        });
        let expected = "     7  waiting   0/9 bytes  http://a/b  (2 failed: nobody listens there)  next in 3 s";
        assert_eq!(line(&upload), expected);
    }
}
