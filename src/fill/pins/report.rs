//! What became of the pins, for the operator.

use std::borrow::Cow;
use std::path::Path;

use serde::Serialize;

use super::slot::{Slot, State};
use crate::index::entry::{Entry, Representation};
use crate::index::pins::Placed;
use crate::store::Held;
use crate::store::pinned::load::Budgets;
use crate::store::pinned::{Hold, PinRule};

/// Most pins that are listed: the list stays readable, and short enough for a client of the admin API.
const LINES_MAX: usize = 1_000;

/// Most warnings that are told.
const WARNINGS_MAX: usize = 200;

/// What the pins take, and what became of them.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PinReport {
    /// The snapshot of the index that this tells of.
    pub generation: u64,
    /// Pinned files, in the order in which URLs are given away: the first thousand of them.
    pub pins: Vec<PinLine>,
    /// How many more there are.
    pub pins_omitted: u64,
    /// Sums over all pins.
    pub totals: PinTotals,
    /// What the operator should look at; `totals.problems` counts also those that are too many to be told.
    pub warnings: Vec<String>,
}

/// Sums over all pins.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PinTotals {
    /// Pinned files.
    pub pins: u64,
    /// Those that are served.
    pub ready: u64,
    /// Those that somebody is writing to.
    pub changing: u64,
    /// Those that can't be served.
    pub absent: u64,
    /// Those whose URL another pin has.
    pub shadowed: u64,
    /// Files, siblings included, that are held without a write guard.
    pub unguarded: u64,
    /// Descriptors held open, and how many may be.
    pub descriptors: u64,
    /// The most descriptors that pins may hold.
    pub descriptors_max: u64,
    /// Bytes of private copies.
    pub memory_bytes: u64,
    /// The most bytes of private copies.
    pub memory_bytes_max: u64,
    /// Bytes of sealed memory that larger copies take, slack and what they share with copies that went included.
    pub memory_held_bytes: u64,
    /// Bytes that are mapped.
    pub mapped_bytes: u64,
    /// The files that are served, by how they are held.
    pub held: HeldSums,
    /// Everything that the operator should look at.
    pub problems: u64,
}

/// Sums by how files are held.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct HeldSums {
    /// Open descriptors.
    pub file: HeldSum,
    /// Mappings.
    pub mmap: HeldSum,
    /// Private copies.
    pub memory: HeldSum,
}

/// Files that are held in one way.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct HeldSum {
    /// How many.
    pub files: u64,
    /// Their size, with that of their siblings.
    pub bytes: u64,
}

/// One pinned file.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PinLine {
    /// The URL's path.
    pub url: String,
    /// The hosts it answers for; empty: every host.
    pub hosts: Vec<String>,
    /// The file.
    pub path: String,
    /// The line of the config that the rule starts on.
    pub line: usize,
    /// `ready`, `changing`, `absent` or `shadowed`.
    pub state: &'static str,
    /// The hold that the rule asks for.
    pub asked: &'static str,
    /// How the bytes are held; empty while they are not.
    pub hold: &'static str,
    /// Why it is not as asked.
    pub why: Option<String>,
    /// Size of the file and its siblings.
    pub bytes: u64,
    /// Whether writers are kept out, or can do no harm because the bytes are a copy.
    pub guarded: bool,
    /// Content codings of its siblings.
    pub codings: Vec<&'static str>,
}

impl PinReport {
    pub(super) fn add_budgets(&mut self, budgets: &Budgets) {
        self.totals.descriptors = budgets.descriptors.taken();
        self.totals.descriptors_max = budgets.descriptors.max();
        self.totals.memory_bytes = budgets.memory.taken();
        self.totals.memory_bytes_max = budgets.memory.max();
    }

    /// Something that the operator should look at. Only the first [`WARNINGS_MAX`] are told, all are counted.
    pub(super) fn warn(&mut self, warning: impl FnOnce() -> String) {
        self.totals.problems += 1;
        if self.warnings.len() < WARNINGS_MAX {
            self.warnings.push(warning());
        }
    }

    /// Adds a pin to the sums, and to the list while it has room: a report of many pins costs no more than counting them.
    pub(super) fn add_pin(&mut self, rule: &PinRule, path: &Path, slot: &Slot) {
        let held = self.add_to_totals(slot);
        for why in whys(slot) {
            self.warn(|| format!("line {}: {}: {why}", rule.line, path.display()));
        }
        if self.pins.len() >= LINES_MAX {
            self.pins_omitted += 1;
            return;
        }
        let is_shadowed = slot.placed == Placed::Nowhere;
        let (state, entry) = match &slot.state {
            State::Ready(_) if is_shadowed => ("shadowed", None),
            State::Ready(entry) => ("ready", Some(entry)),
            State::Changing => ("changing", None),
            State::Absent => ("absent", None),
        };
        let siblings = entry.into_iter().flat_map(|entry| &entry.siblings);
        let whys: Vec<_> = whys(slot).collect();
        self.pins.push(PinLine {
            url: String::from_utf8_lossy(&slot.url).into_owned(),
            hosts: rule.hosts.clone(),
            path: path.display().to_string(),
            line: rule.line,
            state,
            asked: name_of(rule.hold),
            hold: entry.map_or("", |entry| name_of(entry.identity.object.hold())),
            why: (!whys.is_empty()).then(|| whys.join("; ")),
            bytes: held.bytes,
            guarded: entry.is_some() && held.unguarded == 0,
            codings: siblings.map(Representation::coding_name).collect(),
        });
    }

    fn add_to_totals(&mut self, slot: &Slot) -> Sum {
        let totals = &mut self.totals;
        totals.pins += 1;
        match &slot.state {
            State::Ready(_) if slot.placed == Placed::Nowhere => totals.shadowed += 1,
            State::Ready(entry) => {
                totals.ready += 1;
                let sum = Sum::of(entry);
                totals.unguarded += sum.unguarded;
                totals.mapped_bytes += sum.mapped;
                let held = match entry.identity.object.hold() {
                    Hold::File => &mut totals.held.file,
                    Hold::Mmap => &mut totals.held.mmap,
                    Hold::Memory => &mut totals.held.memory,
                };
                held.files += 1;
                held.bytes += sum.bytes;
                return sum;
            }
            State::Changing => totals.changing += 1,
            State::Absent => totals.absent += 1,
        }
        Sum::default()
    }
}

/// What a file and its siblings take.
#[derive(Clone, Copy, Default)]
struct Sum {
    bytes: u64,
    mapped: u64,
    unguarded: u64,
}

impl Sum {
    fn of(entry: &Entry) -> Self {
        let mut sum = Self::default();
        for one in entry.representations() {
            sum.bytes += one.object.size();
            match one.object.held() {
                Held::Mapping(mapping, _) => sum.mapped += mapping.size(),
                Held::Unguarded(_) => sum.unguarded += 1,
                Held::Heap(_)
                | Held::Sealed(_)
                | Held::File(_)
                | Held::Growing(_)
                | Held::Passing(_) => {}
            }
        }
        sum
    }
}

/// Why the pin is not as asked, and what else there is to know of it.
fn whys(slot: &Slot) -> impl Iterator<Item = Cow<'_, str>> {
    let (why, remarks) = match (&slot.state, &slot.placed) {
        (State::Ready(_), Placed::Nowhere) => (Some("an earlier pin has this URL".into()), &[][..]),
        (State::Ready(_), _) => {
            let shortfall = slot.shortfall.map(|shortfall| shortfall.to_string().into());
            (shortfall, slot.remarks.as_slice())
        }
        (State::Changing | State::Absent, _) => (slot.trouble.as_deref().map(Cow::from), &[][..]),
    };
    let taken = match &slot.placed {
        Placed::But(hosts) => {
            Some(format!("an earlier pin has this URL for {}", hosts.join(", ")).into())
        }
        Placed::Everywhere | Placed::Nowhere => None,
    };
    let remarks = remarks.iter().map(|remark| Cow::from(remark.as_str()));
    why.into_iter().chain(taken).chain(remarks)
}

fn name_of(hold: Hold) -> &'static str {
    match hold {
        Hold::File => "file",
        Hold::Mmap => "mmap",
        Hold::Memory => "memory",
    }
}
