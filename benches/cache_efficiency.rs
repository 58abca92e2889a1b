//! Miss ratios of the eviction in `index::eviction` beside those of LRU, at equal bytes, as a table in Markdown.
//!
//! No timing, so no statistics: the traces have fixed seeds, each run gives the same table; `--seed NUMBER` gives others.
//! `--test` is a look at whether it runs, with short traces whose ratios mean nothing.
#![expect(clippy::expect_used, reason = "a bench that cannot go on fails")]

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::rc::Rc;

use hotplate::index::eviction::{Counted, S3Fifo, UseCount};

/// Objects that each trace asks for, scans aside.
const OBJECTS: usize = 100_000;
const REQUESTS: usize = 2_000_000;
/// How many times shorter the traces of `--test` are.
const SHORTER: usize = 50;
const CACHE_PERCENTS: [u64; 4] = [1, 5, 10, 20];

/// SplitMix64.
struct Sequence(u64);

fn mixed(mut number: u64) -> u64 {
    number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// 53 bits as a number from 0 to below 1.
fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

impl Sequence {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed(self.0)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

/// Draws ranks from 0, the most popular.
struct Zipf(Vec<f64>);

impl Zipf {
    fn new(count: usize, exponent: f64) -> Self {
        let mut sum = 0.0;
        let sums = (1..=count).map(|rank| {
            sum += (rank as f64).powf(-exponent);
            sum
        });
        Self(sums.collect())
    }

    fn draw(&self, sequence: &mut Sequence) -> usize {
        let total = self.0.last().copied().unwrap_or(0.0);
        let at = unit(sequence.next()) * total;
        self.0
            .partition_point(|sum| *sum <= at)
            .min(self.0.len() - 1)
    }
}

/// Requests by the number of the object.
struct Trace {
    name: &'static str,
    requests: Vec<usize>,
}

/// All traces, `shorter` times shorter and smaller than in full.
fn traces(shorter: usize, seed: u64) -> Vec<Trace> {
    // Seeds of one run are apart from each other and from those of the next.
    let sequence = |number: u64| Sequence(1000 * seed + number);
    let (objects, requests) = (OBJECTS / shorter, REQUESTS / shorter);
    let window = objects / 5;
    let independent = |exponent: f64, number: u64| {
        let (zipf, mut sequence) = (Zipf::new(objects, exponent), sequence(number));
        (0..requests).map(|_| zipf.draw(&mut sequence)).collect()
    };
    // How far a window has moved by the time of a request, if it passes over all objects.
    let moved = |at: usize, window: usize| at * (objects - window) / requests;
    let by_rank = |number: u64, place: &dyn Fn(usize, usize) -> usize| {
        let (zipf, mut sequence) = (Zipf::new(window, 0.8), sequence(number));
        (0..requests)
            .map(|at| place(at, zipf.draw(&mut sequence)))
            .collect()
    };
    let scan_mix = {
        let (zipf, mut sequence) = (Zipf::new(objects, 1.0), sequence(3));
        let mut scanned = objects;
        let step = |at: usize| {
            // After 20,000 requests of the ordinary kind come 5,000 for objects that are asked for once.
            if at % 25_000 < 20_000 {
                zipf.draw(&mut sequence)
            } else {
                scanned += 1;
                scanned
            }
        };
        (0..requests).map(step).collect()
    };
    let jumps = {
        let (zipf, mut sequence) = (Zipf::new(objects, 1.0), sequence(6));
        (0..requests)
            .map(|at| (zipf.draw(&mut sequence) + at / (requests / 10) * (objects / 10)) % objects)
            .collect()
    };
    let uniform = {
        let (window, mut sequence) = (objects / 20, sequence(7));
        (0..requests)
            .map(|at| moved(at, window) + sequence.below(window))
            .collect()
    };
    let trace = |name, requests| Trace { name, requests };
    vec![
        trace("Zipf 0.8", independent(0.8, 1)),
        trace("Zipf 1.0", independent(1.0, 2)),
        trace("scan mix", scan_mix),
        trace(
            "shifting: drift",
            by_rank(4, &|at, rank| {
                moved(at, window) + (mixed(rank as u64) % window as u64) as usize
            }),
        ),
        trace(
            "shifting: newest",
            by_rank(5, &|at, rank| moved(at, window) + window - 1 - rank),
        ),
        trace("shifting: jumps", jumps),
        trace("shifting: uniform", uniform),
    ]
}

/// The size of an object: 1, or lognormal with a median of 8 KiB.
fn size(object: usize, is_unit: bool, seed: u64) -> u64 {
    if is_unit {
        return 1;
    }
    let mut sequence = Sequence(mixed(seed) ^ object as u64);
    let (one, other) = (sequence.next(), sequence.next());
    let radius = (-2.0 * (1.0 - unit(one)).ln()).sqrt();
    let normal = radius * (std::f64::consts::TAU * unit(other)).cos();
    ((8192_f64.ln() + 1.5 * normal).exp() as u64).clamp(64, 16 << 20)
}

/// A cache under test: whether the object was there, which it is afterwards if it fits.
trait Cache {
    fn request(&mut self, object: usize, size: u64) -> bool;
}

/// Least recently used, by bytes: neighbours by number in a list from the most recent to the least.
struct Lru {
    /// Next more and next less recent; the list's ends meet at the last place.
    links: Vec<(usize, usize)>,
    sizes: Vec<u64>,
    bytes: u64,
    cap: u64,
}

impl Lru {
    fn new(objects: usize, cap: u64) -> Self {
        Self {
            links: (0..=objects).map(|at| (at, at)).collect(),
            sizes: vec![0; objects],
            bytes: 0,
            cap,
        }
    }

    fn unlink(&mut self, at: usize) {
        let (newer, older) = self.links[at];
        self.links[newer].1 = older;
        self.links[older].0 = newer;
    }

    fn push(&mut self, at: usize) {
        let end = self.sizes.len();
        let newest = self.links[end].1;
        self.links[at] = (end, newest);
        self.links[newest].0 = at;
        self.links[end].1 = at;
    }
}

impl Cache for Lru {
    fn request(&mut self, object: usize, size: u64) -> bool {
        if self.sizes[object] > 0 {
            self.unlink(object);
            self.push(object);
            return true;
        }
        if size <= self.cap {
            while self.bytes + size > self.cap {
                let oldest = self.links[self.sizes.len()].0;
                self.unlink(oldest);
                self.bytes -= std::mem::take(&mut self.sizes[oldest]);
            }
            self.bytes += size;
            self.sizes[object] = size;
            self.push(object);
        }
        false
    }
}

struct Value {
    object: usize,
    uses: UseCount,
}

struct Handle(Rc<Value>);

impl Counted for Handle {
    fn uses(&self) -> &UseCount {
        &self.0.uses
    }
}

struct Ours {
    fifo: S3Fifo<Handle>,
    values: Vec<Option<Rc<Value>>>,
    evicted: Vec<Handle>,
}

impl Ours {
    fn new(objects: usize, cap: u64) -> Self {
        Self {
            fifo: S3Fifo::new(cap),
            values: (0..objects).map(|_| None).collect(),
            evicted: Vec::new(),
        }
    }
}

impl Cache for Ours {
    fn request(&mut self, object: usize, size: u64) -> bool {
        if let Some(value) = &self.values[object] {
            value.uses.bump();
            return true;
        }
        let uses = UseCount::new();
        let value = Rc::new(Value { object, uses });
        let (handle, fingerprint) = (Handle(Rc::clone(&value)), mixed(object as u64));
        let inserted = self
            .fifo
            .insert(handle, fingerprint, size, &mut self.evicted);
        if inserted.is_ok() {
            self.values[object] = Some(value);
        }
        for gone in self.evicted.drain(..) {
            self.values[gone.0.object] = None;
        }
        false
    }
}

/// Misses in percent of the requests and of the bytes asked for.
fn misses(trace: &Trace, sizes: &[u64], cache: &mut dyn Cache) -> (f64, f64) {
    let (mut missed, mut missed_bytes, mut bytes) = (0_u64, 0_u64, 0_u64);
    for object in &trace.requests {
        let size = sizes[*object];
        bytes += size;
        if !cache.request(*object, size) {
            missed += 1;
            missed_bytes += size;
        }
    }
    let percent = |part: u64, whole: u64| part as f64 * 100.0 / whole as f64;
    let requests = trace.requests.len() as u64;
    (percent(missed, requests), percent(missed_bytes, bytes))
}

/// What the targets are about.
#[derive(Default)]
struct Extremes {
    worst_points: f64,
    worst_relative: f64,
    zipf_at_five: f64,
}

fn table(traces: &[Trace], is_unit: bool, seed: u64, extremes: &mut Extremes) -> String {
    let kind = if is_unit {
        "of one size"
    } else {
        "of lognormal sizes"
    };
    let mut text = format!(
        "## Objects {kind}\n\n\
         | trace | cache | LRU | ours | points | relative | LRU bytes | our bytes | points |\n\
         |---|--:|--:|--:|--:|--:|--:|--:|--:|\n"
    );
    for trace in traces {
        let objects = trace.requests.iter().max().map_or(0, |last| last + 1);
        let sizes: Vec<u64> = (0..objects).map(|it| size(it, is_unit, seed)).collect();
        let mut is_asked_for = vec![false; objects];
        trace
            .requests
            .iter()
            .for_each(|it| is_asked_for[*it] = true);
        let asked_for = sizes.iter().zip(&is_asked_for).filter(|(_, is)| **is);
        let footprint: u64 = asked_for.map(|(size, _)| size).sum();
        for percent in CACHE_PERCENTS {
            let cap = footprint * percent / 100;
            let (lru, lru_bytes) = misses(trace, &sizes, &mut Lru::new(objects, cap));
            let (ours, our_bytes) = misses(trace, &sizes, &mut Ours::new(objects, cap));
            let (points, relative) = (ours - lru, (ours / lru - 1.0) * 100.0);
            extremes.worst_points = extremes.worst_points.max(points);
            extremes.worst_relative = extremes.worst_relative.max(relative);
            if trace.name == "Zipf 1.0" && percent == 5 {
                extremes.zipf_at_five = extremes.zipf_at_five.min(-points);
            }
            writeln!(
                text,
                "| {} | {percent} % | {lru:.2} | {ours:.2} | {points:+.2} | {relative:+.1} % | {lru_bytes:.2} | {our_bytes:.2} | {:+.2} |",
                trace.name,
                our_bytes - lru_bytes,
            )
            .expect("a string takes all");
        }
    }
    text
}

fn main() -> io::Result<()> {
    let is_test = std::env::args().any(|argument| argument == "--test");
    let mut arguments = std::env::args().skip_while(|argument| argument != "--seed");
    let seed = arguments
        .nth(1)
        .map_or(0, |seed| seed.parse().expect("--seed NUMBER"));
    let traces = traces(if is_test { SHORTER } else { 1 }, seed);
    let mut extremes = Extremes {
        zipf_at_five: f64::INFINITY,
        ..Extremes::default()
    };
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "Misses in percent of the requests, and of the bytes.\n"
    )?;
    for is_unit in [true, false] {
        writeln!(out, "{}", table(&traces, is_unit, seed, &mut extremes))?;
    }
    let reached = |is: bool| if is { "reached" } else { "missed" };
    let Extremes {
        worst_points,
        worst_relative,
        zipf_at_five,
    } = extremes;
    writeln!(
        out,
        "## Targets, by requests\n\n\
         | target | found | |\n|---|--:|---|\n\
         | never worse than LRU by more than 1 point | {worst_points:+.2} | {} |\n\
         | never worse than LRU by more than 1 % of its misses | {worst_relative:+.2} % | {} |\n\
         | better by 5 points on Zipf 1.0 at 5 % | {zipf_at_five:.2} | {} |",
        reached(worst_points <= 1.0),
        reached(worst_relative <= 1.0),
        reached(zipf_at_five >= 5.0),
    )
}
