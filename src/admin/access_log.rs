//! The access log's thread: takes batches of records from the workers, writes them as lines, gives the buffers back.
//!
//! A batch is one write. A log that cannot be written to loses its lines, counted, and is tried again with the next
//! batch; the operator is told when that begins and when it ends, not in between. A write that blocks (a full pipe)
//! holds only this thread up: the workers drop records when their buffers run out.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use super::access_line::LineFormatter;
use super::error::AdminError;
use super::settings::{AccessLogTarget, AdminSettings};
use crate::stats::access::{AccessSink, AccessStream, Batch, Parcel, StreamWaker, access_pipe};
use crate::stats::{AccessRecord, WorkerStats};

/// The log file's permissions when it is created: it holds addresses of clients.
const FILE_MODE: u32 = 0o640;

/// A running access log. Dropping it leaves the thread to the process's end; [`stop`](Self::stop) ends it in order.
#[derive(Debug)]
pub struct AccessLog {
    shared: Arc<Shared>,
    waker: StreamWaker,
    /// Closed when the thread ends; nothing is ever sent.
    ended: Receiver<()>,
}

/// What the log wrote and lost; readable from any thread.
#[derive(Debug, Default)]
pub struct AccessLogCounts {
    lines_written: AtomicU64,
    lines_lost: AtomicU64,
    write_errors: AtomicU64,
}

impl AccessLogCounts {
    /// Lines written.
    #[must_use]
    pub fn lines_written(&self) -> u64 {
        self.lines_written.load(Ordering::Relaxed)
    }

    /// Lines lost because a write failed; the last of them may stand in the log in part.
    #[must_use]
    pub fn lines_lost(&self) -> u64 {
        self.lines_lost.load(Ordering::Relaxed)
    }

    /// Writes and reopenings that failed.
    #[must_use]
    pub fn write_errors(&self) -> u64 {
        self.write_errors.load(Ordering::Relaxed)
    }
}

#[derive(Debug, Default)]
struct Shared {
    counts: Arc<AccessLogCounts>,
    reopen: AtomicBool,
    stop: AtomicBool,
}

/// Starts the access log that `settings` ask for, and makes the sinks of `workers`, in their order. With the log off
/// the sinks take nothing and there is no thread.
///
/// # Errors
/// [`AdminError::AccessLog`] when the log cannot be opened, [`AdminError::Thread`] when there is no thread for it.
pub fn start(
    settings: &AdminSettings,
    workers: &[Arc<WorkerStats>],
) -> Result<(Option<AccessLog>, Vec<AccessSink>), AdminError> {
    let Some(output) = Output::open(&settings.access_log)? else {
        let sinks = workers.iter().map(|_| AccessSink::off()).collect();
        return Ok((None, sinks));
    };
    let (sinks, stream) = access_pipe(workers);
    let shared = Arc::new(Shared::default());
    let waker = stream.waker();
    let (end, ended) = sync_channel(0);
    let scribe = Scribe {
        formatter: LineFormatter::new(settings.format),
        output,
        text: Vec::new(),
        failing: false,
        shared: Arc::clone(&shared),
    };
    thread::Builder::new()
        .name("access-log".to_owned())
        .spawn(move || {
            scribe.run(&stream);
            drop(end);
        })
        .map_err(AdminError::Thread)?;
    let log = AccessLog {
        shared,
        waker,
        ended,
    };
    Ok((Some(log), sinks))
}

impl AccessLog {
    /// Opens the log file anew, so that a rotated one is let go. Returns at once; records that are on their way may
    /// still go to the old file. Does nothing to stdout and stderr.
    pub fn reopen(&self) {
        self.shared.reopen.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// What the log wrote and lost.
    #[must_use]
    pub fn counts(&self) -> Arc<AccessLogCounts> {
        Arc::clone(&self.shared.counts)
    }

    /// Writes what is on its way and ends the thread, waiting for it at most `patience`; says whether it ended. Drop
    /// the sinks first: they hand over their last records then.
    #[must_use = "false means that records may be missing from the log"]
    pub fn stop(self, patience: Duration) -> bool {
        self.shared.stop.store(true, Ordering::Release);
        self.waker.wake();
        // The thread holds the sender until it ends and never sends.
        self.ended.recv_timeout(patience) == Err(RecvTimeoutError::Disconnected)
    }
}

/// The thread's own state.
struct Scribe {
    formatter: LineFormatter,
    output: Output,
    text: Vec<u8>,
    failing: bool,
    shared: Arc<Shared>,
}

impl Scribe {
    fn run(mut self, stream: &AccessStream) {
        loop {
            self.take(stream.next());
            if self.shared.reopen.swap(false, Ordering::Acquire) {
                self.reopen();
            }
            if self.shared.stop.load(Ordering::Acquire) {
                while let Some(parcel) = stream.next_ready() {
                    self.take(parcel);
                }
                return;
            }
        }
    }

    fn take(&mut self, parcel: Parcel) {
        if let Parcel::Batch(batch) = parcel {
            self.write(batch);
        }
    }

    fn write(&mut self, batch: Batch) {
        self.text.clear();
        let mut lines = 0;
        let mut rest = batch.records();
        while let Some(record) = AccessRecord::decode(&mut rest) {
            self.formatter.append(&record, &mut self.text);
            lines += 1;
        }
        batch.give_back();
        let counts = &self.shared.counts;
        match self.output.write(&self.text) {
            Ok(()) => {
                counts.lines_written.fetch_add(lines, Ordering::Relaxed);
                if self.failing {
                    tracing::info!("the access log is written again");
                }
                self.failing = false;
            }
            Err(error) => {
                counts.lines_lost.fetch_add(lines, Ordering::Relaxed);
                counts.write_errors.fetch_add(1, Ordering::Relaxed);
                if !self.failing {
                    tracing::warn!(%error, "the access log cannot be written; its lines are lost");
                }
                self.failing = true;
            }
        }
    }

    fn reopen(&mut self) {
        if let Err(error) = self.output.reopen() {
            let counts = &self.shared.counts;
            counts.write_errors.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(%error, "the access log cannot be opened anew; the old file stays in use");
        }
    }
}

/// Where lines go. Standard output and error are written through a duplicate, without std's buffer in between.
#[derive(Debug)]
struct Output {
    target: AccessLogTarget,
    file: File,
    /// A failed write left part of a line: the next one starts on a line of its own.
    mid_line: bool,
}

impl Output {
    /// Opens `target`; none when the log is off.
    fn open(target: &AccessLogTarget) -> Result<Option<Self>, AdminError> {
        let (file, name) = match target {
            AccessLogTarget::Off => return Ok(None),
            AccessLogTarget::Stdout => (duplicate(&io::stdout()), "stdout".to_owned()),
            AccessLogTarget::Stderr => (duplicate(&io::stderr()), "stderr".to_owned()),
            AccessLogTarget::File(path) => (open_file(path), path.display().to_string()),
        };
        match file {
            Ok(file) => Ok(Some(Self {
                target: target.clone(),
                file,
                mid_line: false,
            })),
            Err(cause) => Err(AdminError::AccessLog {
                target: name,
                cause,
            }),
        }
    }

    fn reopen(&mut self) -> io::Result<()> {
        if let AccessLogTarget::File(path) = &self.target {
            self.file = open_file(path)?;
            self.mid_line = false;
        }
        Ok(())
    }

    fn write(&mut self, text: &[u8]) -> io::Result<()> {
        if self.mid_line {
            self.file.write_all(b"\n")?;
            self.mid_line = false;
        }
        let mut rest = text;
        while !rest.is_empty() {
            match self.file.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    self.mid_line = rest.get(written.wrapping_sub(1)) != Some(&b'\n');
                    rest = rest.get(written..).unwrap_or_default();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn duplicate(stream: &impl AsFd) -> io::Result<File> {
    Ok(File::from(stream.as_fd().try_clone_to_owned()?))
}

fn open_file(path: &Path) -> io::Result<File> {
    File::options()
        .create(true)
        .append(true)
        .mode(FILE_MODE)
        .open(path)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::stats::Counter;
    use crate::sys::clock;

    const PATIENCE: Duration = Duration::from_secs(10);

    fn settings(path: &Path) -> AdminSettings {
        AdminSettings {
            access_log: AccessLogTarget::File(path.to_owned()),
            ..AdminSettings::default()
        }
    }

    fn record(target: &[u8]) -> AccessRecord<'_> {
        AccessRecord {
            method: b"GET",
            target,
            version: "HTTP/1.1",
            status: 200,
            ..AccessRecord::default()
        }
    }

    #[test]
    fn log_off_makes_sinks_that_take_nothing() {
        let workers = [Arc::new(WorkerStats::new()), Arc::new(WorkerStats::new())];
        let (log, sinks) = start(&AdminSettings::default(), &workers).unwrap();
        assert!(log.is_none());
        assert_eq!(sinks.len(), 2);
        assert!(sinks.iter().all(|sink| !sink.is_on()));
    }

    #[test]
    fn every_record_of_every_worker_is_in_the_file_after_stop() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.log");
        let workers = [Arc::new(WorkerStats::new()), Arc::new(WorkerStats::new())];
        let (log, mut sinks) = start(&settings(&path), &workers).unwrap();
        let log = log.unwrap();
        for number in 0..1_000 {
            let target = format!("/{number}");
            sinks[number % 2].record(&record(target.as_bytes()));
        }
        drop(sinks);
        let counts = log.counts();
        assert!(log.stop(PATIENCE));
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 1_000);
        assert_eq!(counts.lines_written(), 1_000);
        assert_eq!(workers[0].read(Counter::AccessRecords), 500);
        for number in 0..1_000 {
            assert!(text.contains(&format!("\"GET /{number} HTTP/1.1\" 200")));
        }
    }

    #[test]
    fn reopen_follows_a_rotated_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.log");
        let rotated = folder.path().join("access.log.1");
        let workers = [Arc::new(WorkerStats::new())];
        let (log, mut sinks) = start(&settings(&path), &workers).unwrap();
        let log = log.unwrap();
        sinks[0].record(&record(b"/before"));
        sinks[0].flush();
        while log.counts().lines_written() == 0 {
            clock::pause(Duration::from_millis(1));
        }
        fs::rename(&path, &rotated).unwrap();
        log.reopen();
        while !path.exists() {
            clock::pause(Duration::from_millis(1));
        }
        sinks[0].record(&record(b"/after"));
        drop(sinks);
        assert!(log.stop(PATIENCE));
        assert!(fs::read_to_string(&rotated).unwrap().contains("/before"));
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains("/after") && !text.contains("/before"));
    }

    #[test]
    fn full_device_loses_lines_and_counts_them() {
        let workers = [Arc::new(WorkerStats::new())];
        let (log, mut sinks) = start(&settings(Path::new("/dev/full")), &workers).unwrap();
        let log = log.unwrap();
        for _ in 0..3 {
            sinks[0].record(&record(b"/"));
            sinks[0].flush();
        }
        drop(sinks);
        let counts = log.counts();
        assert!(log.stop(PATIENCE));
        assert_eq!(counts.lines_lost(), 3);
        assert_eq!(counts.lines_written(), 0);
        assert_eq!(counts.write_errors(), 3);
    }

    #[test]
    fn log_that_cannot_be_opened_is_an_error_that_names_it() {
        let error = start(&settings(Path::new("/nonexistent/access.log")), &[]).unwrap_err();
        assert!(error.to_string().contains("/nonexistent/access.log"));
    }
}
