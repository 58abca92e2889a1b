//! Every phase of a connection meets every event.
//!
//! A cell is the phase that follows, the statuses that are answered, and what the caller does next. `body` is the request
//! body that is being skimmed; its length is that of `HEAD`, so that a head sent in its place is swallowed.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::*;
use crate::index::pins::PinIndex;
use crate::index::response::Response;
use crate::index::responses::Responses;
use crate::index::sites::{SiteRule, SiteTable};
use crate::policy::origin_rule::OriginRule;
use crate::units::{MonoNanos, UnixSeconds};

const HEAD: &str = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n";
const SITE_HEAD: &str = "GET /x HTTP/1.1\r\nHost: site.test\r\n\r\n";
const UPLOAD_HEAD: &str = "POST /x HTTP/1.1\r\nHost: proxy.test\r\nContent-Length: 27\r\n\r\n";
const BAD_HEAD: &str = "NONSENSE\r\n\r\n";

/// What befalls a connection.
#[derive(Clone, Copy, Debug)]
enum Event {
    PartialHead,
    CompleteHead,
    HeadToFill,
    BadHead,
    BodyBytes,
    Pipelined,
    NoBytes,
    GiveUp,
    TimeOut,
    HeadInDrain,
    HeadToUpload,
}

const PHASES: [&str; 6] = [
    "Ready",
    "Head",
    "Skimming",
    "Filling",
    "Uploading",
    "Finished",
];

/// By event, in the order of [`PHASES`].
const MATRIX: [(Event, [&str; 6]); 11] = [
    (
        Event::PartialHead,
        [
            "Head; Receive",
            "Head; Receive",
            "Skimming; Receive",
            "Head; Receive",
            "Uploading; Receive",
            "Finished; Close",
        ],
    ),
    (
        Event::CompleteHead,
        [
            "Ready 404; Receive",
            "Ready 404; Receive",
            "Ready; Receive",
            "Ready 404; Receive",
            "Uploading; Hold",
            "Finished; Close",
        ],
    ),
    (
        Event::HeadToFill,
        [
            "Filling; Wait",
            "Filling; Wait",
            // The rest of it stands where a head should begin.
            "Finished 400; Close",
            "Filling; Wait",
            // The rest of it waits for the answer.
            "Uploading; Hold",
            "Finished; Close",
        ],
    ),
    (
        Event::BadHead,
        [
            "Finished 400; Close",
            "Finished 400; Close",
            "Skimming; Receive",
            "Finished 400; Close",
            "Uploading; Receive",
            "Finished; Close",
        ],
    ),
    (
        Event::BodyBytes,
        [
            "Head; Receive",
            "Head; Receive",
            "Skimming; Receive",
            "Head; Receive",
            "Uploading; Receive",
            "Finished; Close",
        ],
    ),
    (
        Event::Pipelined,
        [
            "Ready 404 404; Receive",
            "Ready 404 404; Receive",
            "Ready 404; Receive",
            "Ready 404 404; Receive",
            "Uploading; Hold",
            "Finished; Close",
        ],
    ),
    (
        Event::NoBytes,
        [
            "Ready; Receive",
            "Ready; Receive",
            "Skimming; Receive",
            "Ready; Receive",
            "Uploading; Receive",
            "Finished; Close",
        ],
    ),
    (
        Event::GiveUp,
        [
            "Finished 503",
            "Finished 503",
            "Finished 503",
            "Finished 503",
            "Finished 503",
            "Finished 503",
        ],
    ),
    (
        Event::TimeOut,
        [
            "Finished 408",
            "Finished 408",
            "Finished 408",
            "Finished 408",
            "Finished 408",
            "Finished 408",
        ],
    ),
    (
        Event::HeadInDrain,
        [
            "Finished 404; Close",
            "Finished 404; Close",
            "Ready; Receive",
            "Finished 404; Close",
            "Uploading; Hold",
            "Finished; Close",
        ],
    ),
    (
        Event::HeadToUpload,
        [
            "Uploading; Upload",
            "Uploading; Upload",
            // The rest of it stands where a head should begin.
            "Finished 400; Close",
            "Uploading; Upload",
            "Uploading; Hold",
            "Finished; Close",
        ],
    ),
];

/// What a turn is made of.
struct Bench {
    conn: Connection,
    desk: FrontDesk,
    stats: WorkerStats,
    log: AccessSink,
    limits: Limits,
    out: Vec<u8>,
    refreshes: Vec<(Ticket, Job, Arc<Response>)>,
}

impl Bench {
    /// A connection in `phase`.
    fn in_phase(phase: &str) -> Self {
        let files = SiteRule {
            hosts: vec!["site.test".to_owned()],
            root: Some("/nowhere".into()),
            line: 1,
            ..SiteRule::default()
        };
        let proxied = SiteRule {
            hosts: vec!["proxy.test".to_owned()],
            origin: Some(OriginRule::default()),
            line: 2,
            ..SiteRule::default()
        };
        let sites = SiteTable::new(&[files, proxied]);
        let pins = Arc::new(ArcSwap::from_pointee(PinIndex::default()));
        let mut bench = Self {
            conn: Connection::default(),
            desk: FrontDesk::new(pins, Arc::new(sites), Arc::new(Responses::new(1 << 20)), 16),
            stats: WorkerStats::new(),
            log: AccessSink::off(),
            limits: Limits::default(),
            out: Vec::new(),
            refreshes: Vec::new(),
        };
        let length = HEAD.len();
        let post = format!("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
        match phase {
            "Head" => bench.advance("G", false),
            "Skimming" => bench.advance(&post, false),
            "Filling" => bench.advance(SITE_HEAD, false),
            "Uploading" => bench.advance(UPLOAD_HEAD, false),
            "Finished" => bench.advance(BAD_HEAD, false),
            _ => String::new(),
        };
        assert_eq!(bench.phase(), phase);
        bench.out.clear();
        bench
    }

    fn phase(&self) -> &'static str {
        match self.conn.phase {
            Phase::Ready => "Ready",
            Phase::Head => "Head",
            Phase::Skimming(..) => "Skimming",
            Phase::Filling => "Filling",
            Phase::Uploading(_) => "Uploading",
            Phase::Finished => "Finished",
        }
    }

    fn with_turn<T>(
        &mut self,
        draining: bool,
        act: impl FnOnce(&mut Connection, &mut Turn<'_>) -> T,
    ) -> T {
        let mut turn = Turn {
            now: Moment {
                mono: MonoNanos(1),
                wall: UnixSeconds(1),
            },
            millis: 0,
            date: &[b'd'; 29],
            limits: &self.limits,
            desk: &mut self.desk,
            out: &mut self.out,
            answers: 0,
            stats: &self.stats,
            log: &mut self.log,
            peer: None,
            draining,
            filled: None,
            refreshes: &mut self.refreshes,
        };
        act(&mut self.conn, &mut turn)
    }

    fn advance(&mut self, bytes: &str, draining: bool) -> String {
        let step = self.with_turn(draining, |conn, turn| conn.advance(bytes.as_bytes(), turn));
        assert!(step.used <= bytes.len());
        let next = match step.next {
            Next::Receive => "Receive",
            Next::Flush => "Flush",
            Next::Body(_) => "Body",
            Next::Wait(..) => "Wait",
            Next::Upload(..) => "Upload",
            Next::Hold(_) => "Hold",
            Next::Close => "Close",
        };
        format!("; {next}")
    }

    /// Lets `event` happen and tells what came of it.
    fn meet(&mut self, event: Event) -> String {
        let next = match event {
            Event::PartialHead => self.advance("GET /x HT", false),
            Event::CompleteHead => self.advance(HEAD, false),
            Event::HeadToFill => self.advance(SITE_HEAD, false),
            Event::BadHead => self.advance(BAD_HEAD, false),
            Event::BodyBytes => self.advance("body", false),
            Event::Pipelined => self.advance(&HEAD.repeat(2), false),
            Event::NoBytes => self.advance("", false),
            Event::HeadInDrain => self.advance(HEAD, true),
            Event::HeadToUpload => self.advance(UPLOAD_HEAD, false),
            Event::GiveUp => self.with_turn(false, |conn, turn| {
                conn.give_up(Rule::FillTimeout, HEAD.as_bytes(), turn);
                String::new()
            }),
            Event::TimeOut => self.with_turn(false, |conn, turn| {
                conn.time_out(turn);
                String::new()
            }),
        };
        let out = String::from_utf8_lossy(&self.out);
        let heads = out.split("HTTP/1.1 ").skip(1);
        let statuses: String = heads.map(|head| format!(" {}", &head[..3])).collect();
        format!("{}{statuses}{next}", self.phase())
    }
}

#[test]
fn every_phase_meets_every_event() {
    let mut wrong = Vec::new();
    for (event, row) in MATRIX {
        for (phase, expected) in PHASES.iter().zip(row) {
            let found = Bench::in_phase(phase).meet(event);
            if found != expected {
                wrong.push(format!("{phase} x {event:?}: {found}, not {expected}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn each_last_answer_says_that_the_connection_closes() {
    for (event, row) in MATRIX {
        for (phase, expected) in PHASES.iter().zip(row) {
            let mut bench = Bench::in_phase(phase);
            bench.meet(event);
            let out = String::from_utf8_lossy(&bench.out);
            let closes = out.contains("\r\nConnection: close\r\n");
            let is_last = expected.starts_with("Finished ") && expected != "Finished; Close";
            assert_eq!(closes, is_last, "{phase} x {event:?}: {out}");
        }
    }
}
