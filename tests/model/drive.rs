//! Carries out the steps against the real server, and holds each answer to the reference.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::asking::Asking;
use crate::crowd::{self, Crowd};
use crate::harness::origin::Origin;
use crate::harness::waiting::{now, wall_clock};
use crate::harness::{Answer, Broken, Driver, Request, Server, Setup, get, pause};
use crate::plan::{IGNORING, PATHS, Step, next};
use crate::random::Random;
use crate::reference::{Ending, Purged, Reference, Seen};
use crate::resource::{Exchange, Resources, date, seconds};
use crate::stored::Between;

/// How long the server may take for what it does behind an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often it is looked at meanwhile.
const POLL: Duration = Duration::from_millis(2);

/// How many steps a failure lists.
const LISTED: usize = 80;

/// A turn of the server may read its clock a moment before the request is there.
const CLOCK_LAG: Duration = Duration::from_millis(50);

/// Where the server keeps what is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lasting {
    Memory,
    Disk,
}

struct Scenario {
    server: Server,
    origin: Origin,
    is_down: bool,
    resources: Resources,
    reference: Reference,
    lasting: Lasting,
    history: Vec<String>,
    /// How many requests the fill threads have answered, and how many of them were refreshes.
    fetched: u64,
    refreshes: u64,
}

/// Runs one seed for so many steps.
pub(crate) fn drive(driver: Driver, lasting: Lasting, seed: u64, steps: usize) {
    let origin = Origin::start();
    let resources = Resources::default();
    resources.serve(&origin, &PATHS);
    let mut setup = Setup::new();
    setup.config.sites.push(format!(
        "origin = {:?}\n[[site.rule]]\npath = {IGNORING:?}\nignore_query = true",
        origin.url()
    ));
    if lasting == Lasting::Disk {
        let folder = setup.folder.path("cache");
        setup
            .config
            .disk
            .push(format!("path = {folder:?}\nsize = \"256MiB\""));
    }
    let mut scenario = Scenario {
        server: setup.start(driver),
        origin,
        is_down: false,
        resources,
        reference: Reference::default(),
        lasting,
        history: Vec::new(),
        fetched: 0,
        refreshes: 0,
    };
    let mut random = Random::new(seed);
    for number in 0..steps {
        let resources = &scenario.resources;
        let step = next(&mut random, |path| resources.get(path), scenario.is_down);
        if let Err(mismatch) = scenario.carry_out(number, step) {
            let from = scenario.history.len().saturating_sub(LISTED);
            panic!(
                "HOTPLATE_MODEL_SEED={seed} HOTPLATE_MODEL_STEPS={} ({driver:?}, {lasting:?}):\n{}\n{mismatch}\n{}",
                number + 1,
                scenario.history[from..].join("\n"),
                scenario.server.output(),
            );
        }
    }
}

impl Scenario {
    fn carry_out(&mut self, number: usize, step: Step) -> Result<(), String> {
        match step {
            Step::Ask(asking) => return self.ask(number, &asking),
            Step::Crowd(askings) => return self.ask_at_once(number, &askings),
            Step::Change(path, resource) => {
                self.note(number, format!("{path} becomes {resource:?}"));
                self.resources.change(path, |old| *old = resource);
            }
            Step::Purge(purged, is_soft) => {
                let how = if is_soft { "softly" } else { "for good" };
                self.note(number, format!("purge {purged:?} {how}"));
                self.purge(purged, is_soft);
            }
            Step::Wait(duration) => {
                self.note(number, format!("{duration:?} pass"));
                pause(duration);
            }
            Step::Outage => {
                self.is_down = !self.is_down;
                let how = if self.is_down { "down" } else { "up" };
                self.note(number, format!("the origin is {how}"));
                if self.is_down {
                    self.origin.go_down();
                } else {
                    self.origin.come_up();
                }
            }
            Step::Restart { is_crash } => {
                let how = if is_crash { "crashes" } else { "ends" };
                self.note(number, format!("the server {how} and starts again"));
                self.restart(is_crash);
            }
        }
        Ok(())
    }

    fn note(&mut self, number: usize, what: String) {
        self.history.push(format!("{number:4} {what}"));
    }

    fn ask(&mut self, number: usize, asking: &Asking) -> Result<(), String> {
        let began = seconds_at(CLOCK_LAG);
        let mut client = self.server.connect();
        client.send(asking.request().bytes());
        let answer = client.try_fetched(asking.method);
        self.settle(&answer);
        let time = Between(began, seconds());
        let exchanges = self.resources.take_exchanges();
        self.note(number, told(asking, &answer, &exchanges));
        let came: &[u8] = match &answer {
            Err(Broken::Late(_)) => return Err("stuck".to_owned()),
            Err(Broken::Cut(came)) => came,
            _ => &[],
        };
        self.reference.see(&Seen {
            asking,
            answer: answer.as_ref().map_err(|_| came),
            exchanges: &exchanges,
            is_origin_down: self.is_down,
            time,
        })
    }

    /// Sends requests for one URL at once. What is stored then is not known: it is purged.
    fn ask_at_once(&mut self, number: usize, askings: &[Asking]) -> Result<(), String> {
        let path = askings[0].path;
        let began = seconds_at(CLOCK_LAG);
        let mut clients: Vec<_> = askings.iter().map(|_| self.server.connect()).collect();
        for (client, asking) in clients.iter_mut().zip(askings) {
            client.send(asking.request().bytes());
        }
        let answers: Vec<_> = clients
            .iter_mut()
            .map(|client| client.try_fetched("GET"))
            .collect();
        let is_refreshed = |answer: &Result<Answer, Broken>| {
            let status = answer
                .as_ref()
                .ok()
                .and_then(|one| one.field("cache-status"));
            status.is_some_and(|status| status.contains("detail=stale-while-revalidate"))
        };
        self.settle_all(u64::from(answers.iter().any(is_refreshed)));
        let time = Between(began, seconds());
        let exchanges = self.resources.take_exchanges();
        for (place, (asking, answer)) in askings.iter().zip(&answers).enumerate() {
            let of_all: &[Exchange] = if place + 1 == askings.len() {
                &exchanges
            } else {
                &[]
            };
            self.note(number, told(asking, answer, of_all));
        }
        if answers
            .iter()
            .any(|one| matches!(one, Err(Broken::Late(_))))
        {
            return Err("stuck".to_owned());
        }
        let crowd = Crowd {
            askings,
            answers: &answers,
            exchanges: &exchanges,
            is_origin_down: self.is_down,
            time,
        };
        crowd::check(&self.reference.worlds(path), &crowd)?;
        self.purge(Purged::Path(path), false);
        Ok(())
    }

    /// Waits until all that the answer set going has come to its end: a fill, or a refresh where one was promised. One that does
    /// not come in all the time is the reference's to judge.
    fn settle(&mut self, answer: &Result<Answer, Broken>) {
        let status = answer
            .as_ref()
            .ok()
            .and_then(|answer| answer.field("cache-status"));
        let status = status.unwrap_or_default().to_owned();
        let promised = u64::from(status.contains("detail=stale-while-revalidate"));
        if status.contains("; hit") && promised == 0 {
            return;
        }
        self.settle_all(promised);
    }

    /// Waits until all fills have come to their ends, and so many refreshes.
    fn settle_all(&mut self, promised: u64) {
        let (refreshes, fetched) = (self.refreshes + promised, self.fetched + promised);
        let mut quiet = 0;
        let deadline = now() + PATIENCE;
        while quiet < 2 && now() < deadline {
            pause(POLL);
            let page = self.metrics();
            let counts = (
                sum(&page, "hotplate_refreshes"),
                sum(&page, "hotplate_fetches"),
            );
            let is_quiet = sum(&page, "hotplate_fills_under_way") == 0;
            // Twice, since an answer is counted a moment after its fill is done.
            quiet = match is_quiet && counts.0 >= refreshes && counts.1 >= fetched {
                true if counts == (self.refreshes, self.fetched) => quiet + 1,
                true => 1,
                false => 0,
            };
            (self.refreshes, self.fetched) = counts;
        }
    }

    fn metrics(&self) -> String {
        let page = self.server.ask_admin(&get("/metrics"));
        String::from_utf8_lossy(&page.expect(200).body).into_owned()
    }

    fn purge(&mut self, purged: Purged, is_soft: bool) {
        let mut order = match purged {
            Purged::Path(path) => json!({"url": format!("http://media.test{path}")}),
            Purged::Prefix(path) => json!({"prefix": format!("http://media.test{path}")}),
            Purged::Tag(tag) => json!({"tag": tag}),
            Purged::All => json!({"all": true}),
        };
        order["soft"] = Value::Bool(is_soft);
        let request = Request::new("POST", "/api/purge").body(order.to_string().as_bytes());
        let began = seconds();
        self.server.ask_admin(&request).expect(200);
        let time = Between(began, seconds());
        self.reference.purge(purged, is_soft, time);
    }

    fn restart(&mut self, is_crash: bool) {
        if is_crash {
            self.server.kill();
        } else {
            self.server.process().signal(Signal::TERM);
            let status = self.server.wait_for_exit(PATIENCE);
            assert!(status.success(), "{status}: {}", self.server.output());
        }
        self.server.start_again();
        (self.fetched, self.refreshes) = (0, 0);
        self.reference.restart(match self.lasting {
            Lasting::Memory => Ending::Forgets,
            Lasting::Disk if is_crash => Ending::Crash,
            Lasting::Disk => Ending::Orderly,
        });
    }
}

/// The sum of a family's counts.
fn sum(page: &str, family: &str) -> u64 {
    let lines = page.lines().filter(|line| {
        let rest = line.strip_prefix(family).unwrap_or_default();
        let rest = rest.strip_prefix("_total").unwrap_or(rest);
        rest.starts_with(['{', ' '])
    });
    let values = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
    values.sum::<f64>() as u64
}

/// The wall clock's second so long ago.
fn seconds_at(ago: Duration) -> u64 {
    let then = wall_clock() - ago;
    let since = then.duration_since(std::time::UNIX_EPOCH);
    since.expect("after 1970").as_secs()
}

fn told(asking: &Asking, answer: &Result<Answer, Broken>, exchanges: &[Exchange]) -> String {
    let mut told = format!("{} {asking}\n     <- ", &date(seconds())[17..25]);
    match answer {
        Ok(answer) => {
            told.push_str(&format!("{} {} bytes", answer.status, answer.body.len()));
            for name in ["age", "etag", "cache-control", "cache-status", "x-turn"] {
                if let Some(value) = answer.field(name) {
                    told.push_str(&format!(" [{name}: {value}]"));
                }
            }
        }
        Err(broken) => {
            let text = format!("{broken:?}");
            told.push_str(&text[..text.len().min(60)]);
        }
    }
    for Exchange { asked, said, .. } in exchanges {
        told.push_str(&format!("\n     origin: {} {}", asked.method, asked.target));
        for name in ["if-none-match", "if-modified-since", "range", "if-range"] {
            if let Some(value) = asked.field(name) {
                told.push_str(&format!(" [{name}: {value}]"));
            }
        }
        let cut = if said.is_cut { " cut" } else { "" };
        told.push_str(&format!(" -> {}{cut} {:?}", said.status, said.fields));
    }
    told
}
