//! The pin board: the state of every pinned file, and the index made of it.
//!
//! Lives on the thread "pins"; nothing else changes it. Slots are ordered by rule and path, which is the order in which
//! URLs are given away. A change ends in [`Board::publish`]: a new snapshot of the index, then a wake-up of those who
//! hold the old one.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use super::ahead::Ahead;
use super::expand::Pattern;
use super::folders::Folders;
use super::report::PinReport;
use super::slot::{Look, Place, Slot, State};
use crate::fill::siblings::sibling_of;
use crate::index::pins::{PinIndex, PinIndexBuilder, Placed};
use crate::store::pinned::load::Budgets;
use crate::store::pinned::{Loader, PinRule};
use crate::sys::clock;
use crate::units::MonoNanos;

/// Called after a new snapshot of the index was published.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// Most pinned files.
const PINS_MAX: usize = 1 << 18;

/// How often a part of the pins is looked at, in case an event was not seen.
const TICK: Duration = Duration::from_millis(100);

/// Ticks in which every pin is looked at, as long as there are no more than `SWEEP_MAX` for each of them.
const TICKS_PER_SWEEP: usize = 8;

/// Most pins that are looked at in a tick: about half a millisecond of a core.
const SWEEP_MAX: usize = 400;

type Key = (usize, PathBuf);

/// See the module's header.
pub(super) struct Board {
    loader: Arc<Loader>,
    budgets: Budgets,
    index: Arc<ArcSwap<PinIndex>>,
    wake: Wake,
    /// The report of the newest snapshot, for those who can't wait for the board.
    shown: Arc<ArcSwap<PinReport>>,
    patterns: Vec<Pattern>,
    slots: BTreeMap<Key, Slot>,
    /// The rules that pin a path.
    by_path: BTreeMap<PathBuf, Vec<usize>>,
    folders: Folders,
    ahead: Ahead,
    generation: u64,
    /// Where the sweep goes on.
    cursor: Option<Key>,
    tick_at: MonoNanos,
    /// Not after the first time that a slot wants to be tried again.
    retry_at: Option<MonoNanos>,
    /// The index is.
    is_stale: bool,
    /// The report is.
    is_retold: bool,
    is_full: bool,
}

impl Board {
    pub(super) fn new(
        loader: Arc<Loader>,
        budgets: Budgets,
        index: Arc<ArcSwap<PinIndex>>,
        wake: Wake,
        shown: Arc<ArcSwap<PinReport>>,
        folders: Folders,
        ahead: Ahead,
    ) -> Self {
        let generation = index.load().generation();
        Self {
            loader,
            budgets,
            index,
            wake,
            shown,
            patterns: Vec::new(),
            slots: BTreeMap::new(),
            by_path: BTreeMap::new(),
            folders,
            ahead,
            generation,
            cursor: None,
            tick_at: clock::mono().after(TICK),
            retry_at: None,
            is_stale: false,
            is_retold: false,
            is_full: false,
        }
    }

    pub(super) fn loader(&self) -> &Arc<Loader> {
        &self.loader
    }

    /// Pins what `rules` say. Objects whose file and hold are unchanged are shared with the slots before.
    pub(super) fn set_rules(&mut self, rules: Vec<PinRule>) {
        // Kept until the new slots are loaded: the loader shares what is alive.
        let before = std::mem::take(&mut self.slots);
        let loader = Arc::clone(&self.loader);
        let packing = loader.pack();
        self.by_path.clear();
        self.folders.clear();
        self.cursor = None;
        self.is_full = false;
        self.patterns = rules.into_iter().map(Pattern::new).collect();
        for number in 0..self.patterns.len() {
            let base = self.patterns[number].base().to_owned();
            self.folders.follow(&base, true);
            match self.patterns[number].single().map(Path::to_owned) {
                Some(path) => self.add(number, &path),
                None => self.scan(&base),
            }
        }
        drop(packing);
        self.is_stale = true;
        self.publish();
        drop(before);
    }

    /// Makes a new snapshot if anything changed since the last one, and a new report if there is something to tell.
    pub(super) fn publish(&mut self) {
        if std::mem::take(&mut self.is_stale) {
            self.publish_index();
            self.is_retold = true;
        }
        if std::mem::take(&mut self.is_retold) {
            self.shown.store(Arc::new(self.report()));
        }
        self.ahead.send();
    }

    fn publish_index(&mut self) {
        self.generation += 1;
        let mut builder = PinIndexBuilder::new(self.generation);
        for ((number, _), slot) in &mut self.slots {
            let hosts = &self.patterns[*number].rule.hosts;
            slot.placed = match &slot.state {
                State::Ready(entry) => builder.insert(hosts, &slot.url, Arc::clone(entry)),
                State::Changing => builder.insert_changing(hosts, &slot.url),
                State::Absent => Placed::Everywhere,
            };
        }
        self.index.store(Arc::new(builder.build()));
        (self.wake)();
    }

    /// Takes entries whose objects are wanted back out of their slots.
    pub(super) fn drop_revoked(&mut self) {
        let revoked = self.keys_where(Slot::is_revoked);
        for key in revoked {
            self.with_slot(&key, |slot, place| slot.refresh(place));
        }
    }

    /// An event told that something happened to `path`.
    pub(super) fn touch(&mut self, path: &Path) {
        self.inspect_path(path, Look::Whole);
        if let Some(stem) = sibling_of(path) {
            self.inspect_path(stem, Look::Whole);
        }
        match std::fs::symlink_metadata(path) {
            Ok(found) if found.is_dir() => {
                if self.patterns.iter().any(|pattern| pattern.searches(path)) {
                    self.scan(path);
                }
                self.inspect_beneath(path);
            }
            Ok(_) => self.consider(path),
            Err(_) => self.inspect_beneath(path),
        }
    }

    /// Events were lost: looks at everything.
    pub(super) fn look_at_all(&mut self) {
        for number in 0..self.patterns.len() {
            if self.patterns[number].single().is_none() {
                let base = self.patterns[number].base().to_owned();
                self.scan(&base);
            }
        }
        for key in self.keys_where(|_| true) {
            self.with_slot(&key, |slot, place| slot.inspect(place, Look::Whole));
        }
    }

    /// When [`tick`](Self::tick) wants to be called.
    pub(super) fn next_due(&self) -> Option<MonoNanos> {
        let tick = (self.folders.count() > 0).then_some(self.tick_at);
        self.retry_at.into_iter().chain(tick).min()
    }

    /// Tries again what is due, and looks at the next part of the pins.
    pub(super) fn tick(&mut self, now: MonoNanos) {
        if self.retry_at.is_some_and(|at| at <= now) {
            self.retry(now);
        }
        if now < self.tick_at {
            return;
        }
        self.tick_at = now.after(TICK);
        for key in self.next_to_sweep() {
            self.with_slot(&key, |slot, place| slot.inspect(place, Look::Glance));
        }
        let quota = self.folders.count().div_ceil(TICKS_PER_SWEEP);
        for folder in self.folders.sweep(quota.min(SWEEP_MAX)) {
            self.scan(&folder);
            self.inspect_beneath(&folder);
        }
    }

    fn retry(&mut self, now: MonoNanos) {
        for key in self.keys_where(|slot| slot.retry_at.is_some_and(|at| at <= now)) {
            self.with_slot(&key, |slot, place| slot.refresh(place));
        }
        self.retry_at = self.slots.values().filter_map(|slot| slot.retry_at).min();
    }

    pub(super) fn report(&self) -> PinReport {
        let mut report = PinReport {
            generation: self.generation,
            ..PinReport::default()
        };
        report.add_budgets(&self.budgets);
        report.totals.memory_held_bytes = self.loader.memory_held();
        let mut matched = vec![false; self.patterns.len()];
        for (number, _) in self.slots.keys() {
            matched[*number] = true;
        }
        for (pattern, is_matched) in self.patterns.iter().zip(matched) {
            let rule = &pattern.rule;
            let at = || format!("line {}: {}", rule.line, rule.path.display());
            if let Some(mistake) = pattern.mistake() {
                report.warn(|| format!("{}: {mistake}", at()));
            } else if !is_matched {
                report.warn(|| format!("{}: matches no file", at()));
            }
        }
        if let Some(trouble) = self.folders.trouble() {
            report.warn(|| {
                format!("changes are found by looking, not by events, in some folders: {trouble} (fs.inotify.max_user_watches)")
            });
        }
        if self.is_full {
            report.warn(|| format!("more than {PINS_MAX} files: the rest is not pinned"));
        }
        for ((number, path), slot) in &self.slots {
            report.add_pin(&self.patterns[*number].rule, path, slot);
        }
        report
    }

    /// Follows the folder and those below it, and pins the files in them that a rule admits.
    fn scan(&mut self, folder: &Path) {
        let mut folders = vec![folder.to_owned()];
        while let Some(folder) = folders.pop() {
            // First followed, then listed: what comes later is an event.
            self.folders.follow(&folder, false);
            let Ok(names) = std::fs::read_dir(&folder) else {
                continue;
            };
            for name in names.flatten() {
                let path = name.path();
                if !name.file_type().is_ok_and(|kind| kind.is_dir()) {
                    self.consider(&path);
                } else if !self.folders.knows(&path)
                    && self.patterns.iter().any(|pattern| pattern.searches(&path))
                {
                    folders.push(path);
                }
            }
        }
    }

    /// Pins the name under every rule that admits it and has not pinned it yet. What is no readable file is reported.
    fn consider(&mut self, path: &Path) {
        for number in 0..self.patterns.len() {
            let is_pinned = self
                .by_path
                .get(path)
                .is_some_and(|rules| rules.contains(&number));
            let pattern = &self.patterns[number];
            if !is_pinned && pattern.single().is_none() && pattern.admits(path) {
                self.add(number, path);
            }
        }
    }

    fn add(&mut self, number: usize, path: &Path) {
        if self.slots.len() >= PINS_MAX {
            self.is_full = true;
            self.is_retold = true;
            return;
        }
        let key = (number, path.to_owned());
        let slot = Slot::new(self.patterns[number].url_of(path));
        self.slots.insert(key.clone(), slot);
        self.by_path
            .entry(path.to_owned())
            .or_default()
            .push(number);
        self.with_slot(&key, |slot, place| slot.refresh(place));
    }

    /// Lets `act` change a slot, notes whether the index is stale, and drops a slot whose file went.
    fn with_slot(&mut self, key: &Key, act: impl FnOnce(&mut Slot, &Place<'_>) -> bool) {
        let Some(slot) = self.slots.get_mut(key) else {
            return;
        };
        let pattern = &self.patterns[key.0];
        let place = Place {
            rule: &pattern.rule,
            path: &key.1,
            base: pattern.single().is_none().then(|| pattern.base()),
            loader: &self.loader,
            budgets: &self.budgets,
            now: clock::mono(),
        };
        if act(slot, &place) {
            self.is_stale = true;
            if let State::Ready(entry) = &slot.state {
                self.ahead.gather(entry);
            }
        }
        self.is_retold |= std::mem::take(&mut slot.is_retold);
        self.retry_at = self.retry_at.into_iter().chain(slot.retry_at).min();
        if slot.is_missing && pattern.single().is_none() {
            self.slots.remove(key);
            self.is_retold = true;
            if let Some(rules) = self.by_path.get_mut(&key.1) {
                rules.retain(|number| *number != key.0);
                if rules.is_empty() {
                    self.by_path.remove(&key.1);
                }
            }
        }
    }

    fn inspect_path(&mut self, path: &Path, closeness: Look) {
        for number in self.by_path.get(path).cloned().unwrap_or_default() {
            let key = (number, path.to_owned());
            self.with_slot(&key, |slot, place| slot.inspect(place, closeness));
        }
    }

    fn inspect_beneath(&mut self, folder: &Path) {
        let from = Bound::Excluded(folder.to_owned());
        let beneath: Vec<PathBuf> = self
            .by_path
            .range::<PathBuf, _>((from, Bound::Unbounded))
            .map(|(path, _)| path)
            .take_while(|path| path.starts_with(folder))
            .cloned()
            .collect();
        for path in beneath {
            self.inspect_path(&path, Look::Whole);
        }
    }

    fn next_to_sweep(&mut self) -> Vec<Key> {
        let quota = self.slots.len().div_ceil(TICKS_PER_SWEEP).min(SWEEP_MAX);
        let from = match self.cursor.take() {
            Some(key) => Bound::Excluded(key),
            None => Bound::Unbounded,
        };
        let next: Vec<Key> = self
            .slots
            .range::<Key, _>((from, Bound::Unbounded))
            .take(quota)
            .map(|(key, _)| key.clone())
            .collect();
        if next.len() == quota {
            self.cursor = next.last().cloned();
        }
        next
    }

    fn keys_where(&self, is_wanted: impl Fn(&Slot) -> bool) -> Vec<Key> {
        let wanted = self.slots.iter().filter(|(_, slot)| is_wanted(slot));
        wanted.map(|(key, _)| key.clone()).collect()
    }
}
