//! A whole connection: any bytes, in pieces, through the state machine and the front desk that serve real clients.
//!
//! Input: the first line gives the sizes of the pieces, a byte each, in turn; the rest is what the client sends. The
//! caller here does what a worker does: it keeps the bytes that were not used, sends between answers, and has the
//! orders filled.
//!
//! What must hold: the answers do not depend on the pieces; each complete request has exactly one, well formed, of the
//! length that it tells and with the bytes that its entity-tag stands for; nothing follows an answer that closes; and
//! neither the output nor what is kept grows past its bound.

#![no_main]

use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use hotplate::cache::order::{Job, Outcome, Ticket};
use hotplate::cache::{FrontDesk, Moment};
use hotplate::http::accept_encoding::Coding;
use hotplate::http::date;
use hotplate::http::framing::{BodySkimmer, RequestBody, Skim, request_body};
use hotplate::http::head::{EMPTY_LINES_MAX, FieldScratch, HeadLimits, Method, Parsed, parse_head};
use hotplate::index::entry::{Entry, Making, Source};
use hotplate::index::pins::{PinIndex, PinIndexBuilder, Placed};
use hotplate::index::responses::Responses;
use hotplate::index::sites::{SiteRule, SiteTable};
use hotplate::server::conn::{Connection, Next, Turn};
use hotplate::server::settings::Limits;
use hotplate::server::transfer::{NextPart, Transfer};
use hotplate::stats::{AccessSink, WorkerStats};
use hotplate::store::pinned::Hold;
use hotplate::store::{Held, Object};
use hotplate::sys::file::FileIdentity;
use hotplate::units::{ByteSize, MonoNanos, UnixSeconds};
use libfuzzer_sys::fuzz_target;

const NOW: Moment = Moment {
    mono: MonoNanos(1),
    wall: UnixSeconds(1_700_000_000),
};
const HEAD_BYTES_MAX: usize = 1024;
const HEAD_FIELDS_MAX: usize = 16;
const PIPELINE: usize = 4;
/// Past this a connection sends before it answers more: the state machine's own bound, one more body that is copied
/// behind its head, and the head.
const OUTPUT_MAX: usize = (64 << 10) + (16 << 10) + 4096;

fuzz_target!(|input: &[u8]| {
    let line = input.iter().position(|&byte| byte == b'\n');
    let Some((sizes, bytes)) = line.map(|at| (&input[..at], &input[at + 1..])) else {
        return;
    };
    let whole = converse(&[], bytes);
    judge(bytes, &whole);
    let pieces = converse(sizes, bytes);
    assert_eq!(
        String::from_utf8_lossy(&whole),
        String::from_utf8_lossy(&pieces),
        "the pieces change the answers"
    );
});

/// Every pin, with its path.
fn pins() -> &'static [(&'static str, Arc<Entry>)] {
    static PINS: OnceLock<Vec<(&str, Arc<Entry>)>> = OnceLock::new();
    PINS.get_or_init(|| {
        let siblings = vec![
            (Coding::Gzip, object(2, 33)),
            (Coding::Brotli, object(3, 22)),
        ];
        vec![
            ("/a.txt", entry(object(1, 100), siblings)),
            ("/b.bin", entry(object(4, 40_000), Vec::new())),
            ("/c", entry(object(5, 0), Vec::new())),
        ]
    })
}

fn object(inode: u64, size: u64) -> Arc<Object> {
    let identity = FileIdentity {
        device: 1,
        inode,
        size,
        modified: (784_111_777, 0),
        changed: (784_111_777, 0),
    };
    let bytes = (0..size).map(|at| (at.wrapping_mul(inode + 6) % 251) as u8);
    Arc::new(Object::new(Held::Heap(bytes.collect()), identity))
}

fn entry(identity: Arc<Object>, siblings: Vec<(Coding, Arc<Object>)>) -> Arc<Entry> {
    Arc::new(Entry::build(Making {
        source: Source::Pin(Hold::Memory),
        cache_control: "max-age=60",
        content_type: "text/plain",
        identity,
        siblings,
        now: NOW.wall,
    }))
}

fn index() -> PinIndex {
    let mut builder = PinIndexBuilder::new(1);
    for (path, entry) in pins() {
        assert_eq!(
            builder.insert(&[], path.as_bytes(), Arc::clone(entry)),
            Placed::Everywhere
        );
    }
    builder.build()
}

/// A site for one host, whose paths are looked up by orders.
fn sites() -> SiteTable {
    SiteTable::new(&[SiteRule {
        hosts: vec!["s".to_owned()],
        root: Some("/nowhere".into()),
        line: 1,
        ..SiteRule::default()
    }])
}

/// What a worker keeps for a connection.
struct Caller {
    connection: Connection,
    desk: FrontDesk,
    limits: Limits,
    stats: WorkerStats,
    log: AccessSink,
    /// Received and not used.
    kept: Vec<u8>,
    /// Answers not yet sent, and how many.
    out: Vec<u8>,
    answers: usize,
    /// An order under way.
    order: Option<(Ticket, Job)>,
    closed: bool,
    sent: Vec<u8>,
}

/// Sends `bytes` in pieces of these sizes, in turn, or whole; returns all that was answered.
fn converse(sizes: &[u8], bytes: &[u8]) -> Vec<u8> {
    let mut caller = Caller {
        connection: Connection::default(),
        desk: FrontDesk::new(
            Arc::new(ArcSwap::from_pointee(index())),
            Arc::new(sites()),
            Arc::new(Responses::new(1 << 20)),
            4,
        ),
        limits: Limits {
            head: ByteSize::kib(1),
            headers: HEAD_FIELDS_MAX,
            pipeline: PIPELINE,
            ..Limits::default()
        },
        stats: WorkerStats::new(),
        log: AccessSink::off(),
        kept: Vec::new(),
        out: Vec::new(),
        answers: 0,
        order: None,
        closed: false,
        sent: Vec::new(),
    };
    let mut sizes = sizes.iter().cycle();
    let mut rest = bytes;
    while !rest.is_empty() {
        let size = sizes
            .next()
            .map_or(rest.len(), |&size| usize::from(size) + 1);
        let (piece, after) = rest.split_at(size.min(rest.len()));
        rest = after;
        caller.receive(piece);
    }
    // A fill ends some time after the bytes behind its request have come.
    while caller.order.is_some() {
        caller.fill();
    }
    caller.sent
}

impl Caller {
    fn receive(&mut self, piece: &[u8]) {
        self.kept.extend_from_slice(piece);
        if self.order.is_some() {
            self.fill();
        } else {
            self.advance();
        }
    }

    /// Answers the order under way, by the path's last byte.
    fn fill(&mut self) {
        let Some((ticket, job)) = self.order.take() else {
            return;
        };
        let Job::Resolve { path, .. } = job else {
            panic!("a connection asks for paths only");
        };
        let outcome = match path.last() {
            Some(b'd') => Outcome::Directory,
            Some(b'f') => Outcome::Forbidden,
            Some(b'u') => Outcome::Unavailable,
            _ => Outcome::Missing,
        };
        self.desk.filled(ticket, outcome, NOW.mono, NOW.mono);
        self.advance();
    }

    /// Advances until more bytes or an order are needed.
    fn advance(&mut self) {
        let kept = std::mem::take(&mut self.kept);
        let mut refreshes = Vec::new();
        let mut used = 0;
        loop {
            let before = (used, self.out.len(), self.sent.len());
            let mut turn = Turn {
                now: NOW,
                millis: 0,
                date: &date::format(NOW.wall),
                limits: &self.limits,
                desk: &mut self.desk,
                out: &mut self.out,
                answers: self.answers,
                stats: &self.stats,
                log: &mut self.log,
                peer: None,
                draining: false,
                filled: None,
                refreshes: &mut refreshes,
            };
            let step = self.connection.advance(&kept[used..], &mut turn);
            self.answers = turn.answers;
            used += step.used;
            assert!(used <= kept.len());
            assert!(self.answers <= PIPELINE && self.out.len() <= OUTPUT_MAX);
            if self.closed {
                assert!(matches!(step.next, Next::Close) && self.out.is_empty());
                return;
            }
            match step.next {
                Next::Receive => break,
                Next::Flush => assert!(self.answers > 0, "nothing to send"),
                Next::Body(transfer) => self.append_body(transfer),
                Next::Wait(ticket, job) => {
                    let job = job.expect("nobody else asks, so no order is joined");
                    self.order = Some((ticket, job));
                    break;
                }
                Next::Upload(..) | Next::Hold(_) => panic!("no site has an origin"),
                Next::Close => {
                    assert!(self.connection.is_finished());
                    self.closed = true;
                    break;
                }
            }
            self.send();
            let after = (used, self.out.len(), self.sent.len());
            assert_ne!(before, after, "no step forward");
        }
        self.send();
        self.kept.extend_from_slice(&kept[used..]);
        if self.order.is_none() && !self.closed {
            assert!(self.kept.len() < HEAD_BYTES_MAX, "an endless head is kept");
        }
    }

    fn send(&mut self) {
        self.sent.append(&mut self.out);
        self.answers = 0;
    }

    fn append_body(&mut self, mut transfer: Transfer) {
        let lease = transfer.lease.clone();
        let Held::Heap(bytes) = lease.object().held() else {
            panic!("every pin is on the heap");
        };
        loop {
            let (next, end) = (transfer.next as usize, transfer.end as usize);
            self.out.extend_from_slice(&bytes[next..end]);
            transfer.advance(transfer.left());
            if transfer.next_part(&mut self.out) != NextPart::More {
                return;
            }
        }
    }
}

/// Walks over requests and answers side by side.
fn judge(mut requests: &[u8], mut answers: &[u8]) {
    let limits = HeadLimits {
        bytes_max: HEAD_BYTES_MAX,
        fields_max: HEAD_FIELDS_MAX,
    };
    while !requests.is_empty() {
        let mut scratch = FieldScratch::new();
        let (method, size, body) = match parse_head(requests, &limits, &mut scratch) {
            Ok(Parsed::Partial) => break,
            Ok(Parsed::Complete { head, size }) => (head.method, size, request_body(&head)),
            Err(reject) => (method_of_refused(requests), requests.len(), Err(reject)),
        };
        let answer = read(method, answers);
        answers = &answers[answer.size..];
        if answer.closes {
            break;
        }
        let body = body.expect("what can't be read is refused, and closes");
        requests = &requests[size..];
        if body != RequestBody::None {
            match BodySkimmer::new(body).skim(requests) {
                Ok(Skim::Done { used }) => requests = &requests[used..],
                Ok(Skim::More) | Err(_) => break,
            }
        }
    }
    assert!(
        answers.is_empty(),
        "an answer that nothing asked for: {}",
        String::from_utf8_lossy(answers)
    );
}

/// The method that the answer to a refused head is for: that of its request line, as soon as it stands where one may.
fn method_of_refused(mut bytes: &[u8]) -> Method {
    for _ in 0..EMPTY_LINES_MAX {
        bytes = bytes.strip_prefix(b"\r\n").unwrap_or(bytes);
    }
    if bytes.starts_with(b"HEAD ") {
        Method::Head
    } else {
        Method::Get
    }
}

struct Answer {
    size: usize,
    closes: bool,
}

/// Reads one answer to a request with `method`.
fn read(method: Method, answers: &[u8]) -> Answer {
    let mut headers = [httparse::EMPTY_HEADER; 24];
    let mut response = httparse::Response::new(&mut headers);
    let Ok(httparse::Status::Complete(head_size)) = response.parse(answers) else {
        panic!("no answer: {}", String::from_utf8_lossy(answers));
    };
    let head = &answers[..head_size];
    assert!(head.starts_with(b"HTTP/1.1 ") && head.ends_with(b"\r\n\r\n"));
    let lines = head.iter().filter(|&&byte| byte == b'\n').count();
    assert_eq!(lines, response.headers.len() + 2, "a line that is no field");
    let field = |name: &str| {
        let mut found = response
            .headers
            .iter()
            .filter(|header| header.name.eq_ignore_ascii_case(name));
        let first = found.next();
        assert!(found.next().is_none(), "{name} twice");
        first.map(|header| std::str::from_utf8(header.value).expect("text"))
    };
    let status = response.code.expect("a status");
    assert!(status >= 200, "nothing is answered before its time");
    assert_eq!(field("date").map(str::len), Some(29));
    assert!(field("transfer-encoding").is_none());
    let length = field("content-length").map(|text| text.parse::<usize>().expect("a number"));
    let has_body = method != Method::Head && status != 204 && status != 304;
    if status == 204 {
        assert_eq!(length, None, "RFC 9110 s8.6");
    }
    let size = if has_body {
        length.expect("a body has its length")
    } else {
        0
    };
    let body = answers[head_size..]
        .get(..size)
        .expect("a body of the length that was told");
    if has_body && (status == 200 || status == 206) {
        let bytes = bytes_of(field("etag").expect("a validator"));
        match field("content-range") {
            Some(range) => assert_eq!(part(bytes, range), body),
            None if status == 200 => assert_eq!(bytes, body),
            None => judge_parts(bytes, field("content-type").expect("a type"), body),
        }
    }
    let connection = field("connection");
    Answer {
        size: head_size + size,
        closes: connection.is_some_and(|value| value.eq_ignore_ascii_case("close")),
    }
}

/// The bytes that an entity-tag stands for.
fn bytes_of(etag: &str) -> &'static [u8] {
    let mut all = pins().iter().flat_map(|(_, pin)| pin.representations());
    let found = all.find(|one| *one.etag == *etag);
    match found.map(|one| one.object.held()) {
        Some(Held::Heap(bytes)) => bytes,
        _ => panic!("no pin has the entity-tag {etag}"),
    }
}

/// The part that a Content-Range names.
fn part<'b>(bytes: &'b [u8], range: &str) -> &'b [u8] {
    let (range, size) = range
        .strip_prefix("bytes ")
        .and_then(|range| range.split_once('/'))
        .expect("bytes FIRST-LAST/SIZE");
    let (first, last) = range.split_once('-').expect("FIRST-LAST");
    let number = |text: &str| text.parse::<usize>().expect("a number");
    assert_eq!(number(size), bytes.len());
    &bytes[number(first)..=number(last)]
}

/// Reads a multipart/byteranges body (RFC 9110 s14.6).
fn judge_parts(bytes: &[u8], content_type: &str, mut body: &[u8]) {
    let boundary = content_type
        .strip_prefix("multipart/byteranges; boundary=")
        .expect("parts");
    let (next, closing) = (
        format!("\r\n--{boundary}\r\n"),
        format!("\r\n--{boundary}--\r\n"),
    );
    let mut count = 0;
    while let Some(rest) = body.strip_prefix(next.as_bytes()) {
        let mut headers = [httparse::EMPTY_HEADER; 4];
        let Ok(httparse::Status::Complete((size, headers))) =
            httparse::parse_headers(rest, &mut headers)
        else {
            panic!("no part's head: {}", String::from_utf8_lossy(rest));
        };
        let range = headers
            .iter()
            .find(|header| header.name == "Content-Range")
            .expect("a part's range");
        let part = part(bytes, std::str::from_utf8(range.value).expect("text"));
        body = rest[size..].strip_prefix(part).expect("the part's bytes");
        count += 1;
    }
    assert!(count > 1, "one part needs no boundary");
    assert_eq!(body, closing.as_bytes());
}
