//! The floor: a server that does the least a server can do, as the limit that Hotplate is measured against.
//!
//! One thread, one ring. It answers every request with the same bytes, prepared at start, and does not parse: it only
//! counts the blank lines that end heads, so that kept-alive and pipelined requests get as many answers as they ask
//! for. No deadlines, no limits, no log: not for use as a server.
//!
//! `floor --listen ADDR --body FILE --variant memory|sendfile|splice`

mod answer;
mod buffers;
mod connection;
mod file_sender;
mod listener;
mod memory_sender;
mod splice_sender;
mod turn;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use answer::Answer;

/// How bodies leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Variant {
    Memory,
    Sendfile,
    Splice,
}

struct Arguments {
    listen: SocketAddr,
    body: PathBuf,
    variant: Variant,
}

const USAGE: &str = "usage: floor --listen ADDR --body FILE --variant memory|sendfile|splice";

fn main() -> ExitCode {
    let arguments = match parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(mistake) => {
            eprintln!("floor: {mistake}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match serve(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("floor: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(arguments: &Arguments) -> std::io::Result<()> {
    let answer = Answer::open(&arguments.body)?;
    let listener = listener::listen(arguments.listen)?;
    match arguments.variant {
        Variant::Memory => turn::run(listener, memory_sender::MemorySender::new(&answer)?),
        Variant::Sendfile => turn::run(listener, file_sender::FileSender::new(&answer)),
        Variant::Splice => turn::run(listener, splice_sender::SpliceSender::new(&answer)),
    }
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let (mut listen, mut body, mut variant) = (None, None, Variant::Memory);
    while let Some(word) = words.next() {
        let value = words.next().ok_or(format!("{word} needs a value"))?;
        match word.as_str() {
            "--listen" => {
                listen = Some(
                    value
                        .parse()
                        .map_err(|_| format!("--listen {value}: not an address"))?,
                );
            }
            "--body" => body = Some(PathBuf::from(value)),
            "--variant" => {
                variant = match value.as_str() {
                    "memory" => Variant::Memory,
                    "sendfile" => Variant::Sendfile,
                    "splice" => Variant::Splice,
                    _ => return Err(format!("--variant {value}: no such variant")),
                };
            }
            _ => return Err(format!("{word}: no such option")),
        }
    }
    Ok(Arguments {
        listen: listen.ok_or("--listen is missing")?,
        body: body.ok_or("--body is missing")?,
        variant,
    })
}
