//! One pinned file under one URL: its state, and what a change on disk does to it.
//!
//! | state      | the URL answers        | it is left by |
//! |------------|------------------------|---------------|
//! | `Ready`    | from the entry         | a change that was loaded (to `Ready`), a writer at the file itself (`Changing`), removal (`Absent`) |
//! | `Changing` | 503, try again         | the writer closing the file (`Ready`), removal (`Absent`) |
//! | `Absent`   | as if it was not pinned | the file appearing (`Ready` or `Changing`) |
//!
//! While a new content is not complete, a `Ready` slot keeps its entry as long as that stays true: a copy does, and so
//! does a guarded file that was unlinked. With `keep`, a `Ready` slot is left alone for as long as its entry is true.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::remarks::{Kept, remarks_on, with_ending};
use crate::fill::siblings::{ENDINGS, Family, Seen, load_family, look_all};
use crate::http::mime::content_type_of;
use crate::index::entry::{Entry, Making, Source};
use crate::index::pins::Placed;
use crate::store::Held;
use crate::store::pinned::load::Budgets;
use crate::store::pinned::{LoadError, Loader, OnChange, Patience, PinRule, Shortfall};
use crate::sys::clock;
use crate::sys::file::{HeldFile, look};
use crate::sys::guard::GuardRefused;
use crate::units::MonoNanos;

/// After this long a file that somebody keeps open for writing is held unguarded.
const PATIENCE: Duration = Duration::from_secs(1);

/// A copy that found no room, or a guard that a writer stood against, is tried again this often.
const BETTER_RETRY: Duration = Duration::from_secs(5);

const WRITTEN_NOW: Shortfall = Shortfall::Unguarded(GuardRefused::WrittenNow);

/// What the file system refused is tried again this often.
const TROUBLE_RETRY: Duration = Duration::from_secs(1);

/// See the module's header.
#[derive(Debug)]
pub(super) enum State {
    Ready(Arc<Entry>),
    Changing,
    Absent,
}

/// One pinned file under one URL.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) url: Box<[u8]>,
    pub(super) state: State,
    /// Why the state is not `Ready`, or what the last try met.
    pub(super) trouble: Option<String>,
    /// Why the file is held otherwise than asked.
    pub(super) shortfall: Option<Shortfall>,
    /// What the operator should know although the file is served.
    pub(super) remarks: Vec<String>,
    /// Under which of its hosts it has the URL.
    pub(super) placed: Placed,
    /// There is something new to report.
    pub(super) is_retold: bool,
    /// Nothing has the name, not even a link that leads nowhere.
    pub(super) is_missing: bool,
    /// When to try again without being told of a change.
    pub(super) retry_at: Option<MonoNanos>,
    seen: Seen,
    trying_since: Option<MonoNanos>,
    kept: Kept,
}

/// How closely to look for a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// At the file and the siblings it has.
    Glance,
    /// Also for siblings it does not have.
    Whole,
}

/// Where a slot's file is and what it is loaded with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) rule: &'a PinRule,
    pub(super) path: &'a Path,
    /// The folder that the rule searches; none for a rule that names the file itself.
    pub(super) base: Option<&'a Path>,
    pub(super) loader: &'a Loader,
    pub(super) budgets: &'a Budgets,
    pub(super) now: MonoNanos,
}

impl Place<'_> {
    fn with(&self, ending: &str) -> PathBuf {
        with_ending(self.path, ending)
    }
}

impl Slot {
    /// A slot that was not loaded yet.
    pub(super) fn new(url: Vec<u8>) -> Self {
        Self {
            url: url.into(),
            state: State::Absent,
            trouble: None,
            shortfall: None,
            remarks: Vec::new(),
            placed: Placed::Everywhere,
            is_retold: true,
            is_missing: false,
            retry_at: None,
            seen: [None; ENDINGS.len()],
            trying_since: None,
            kept: Kept::default(),
        }
    }

    /// Whether there is an entry that is not true any more.
    pub(super) fn is_revoked(&self) -> bool {
        matches!(&self.state, State::Ready(entry) if entry.is_revoked())
    }

    /// Loads the file anew if it changed. Returns whether the index must be made anew.
    pub(super) fn inspect(&mut self, place: &Place<'_>, closeness: Look) -> bool {
        let is_true = match &self.state {
            State::Ready(entry) => is_true(entry),
            State::Changing | State::Absent => false,
        };
        if place.rule.on_change == OnChange::Keep && is_true {
            return false;
        }
        let is_untrue = !is_true && matches!(self.state, State::Ready(_));
        // What is no readable file looks like nothing, before its name goes as well as after.
        let is_gone =
            matches!(self.state, State::Absent) && self.is_missing == is_named(place.path);
        // The event may be that of a writer who closed the file.
        let is_better = closeness == Look::Whole && self.is_well_unguarded();
        if is_untrue || is_gone || is_better || self.differs(place, closeness) {
            return self.refresh(place);
        }
        false
    }

    fn differs(&self, place: &Place<'_>, closeness: Look) -> bool {
        (0..ENDINGS.len())
            .filter(|at| *at == 0 || closeness == Look::Whole || self.seen[*at].is_some())
            .any(|at| look(&place.with(ENDINGS[at].0)).ok() != self.seen[at])
    }

    /// Loads the file. Returns whether the index must be made anew.
    pub(super) fn refresh(&mut self, place: &Place<'_>) -> bool {
        // Before the load: what changes while it runs is seen by the next look.
        self.seen = look_all(|ending| look(&place.with(ending)));
        self.retry_at = None;
        self.is_missing = false;
        let patience = match self.trying_since {
            _ if self.is_well_unguarded() => Patience::TakeUnguarded,
            Some(since) if place.now.since(since) >= PATIENCE => Patience::TakeUnguarded,
            _ => Patience::Wait,
        };
        let kept = self.kept_file(place.rule);
        let open = |ending: &str| match &kept {
            Some(entry) if ending.is_empty() => match entry.identity.object.held() {
                Held::Unguarded(file) => file.share(),
                _ => HeldFile::open(place.path),
            },
            _ => HeldFile::open(&place.with(ending)),
        };
        let loaded = load_family(
            place.loader,
            open,
            &self.seen,
            place.rule.hold,
            patience,
            place.budgets,
        );
        match loaded {
            Ok(family) => self.adopt(family, place),
            Err(error) => self.fail(&error, place),
        }
    }

    /// Whether there is an entry that is true, but that each answer must verify.
    fn is_well_unguarded(&self) -> bool {
        matches!(self.shortfall, Some(Shortfall::Unguarded(_)))
            && matches!(&self.state, State::Ready(entry) if is_true(entry))
    }

    /// With `keep`, an unguarded file whose times changed (it was renamed or unlinked, or edited) is taken again from
    /// its descriptor: the name may lead elsewhere by now.
    fn kept_file(&self, rule: &PinRule) -> Option<Arc<Entry>> {
        match &self.state {
            State::Ready(entry) if rule.on_change == OnChange::Keep => Some(Arc::clone(entry)),
            _ => None,
        }
    }

    fn adopt(&mut self, family: Family, place: &Place<'_>) -> bool {
        self.trying_since = None;
        self.trouble = None;
        self.kept.note(&family, place);
        let remarks = remarks_on(&family, &self.kept, place);
        self.is_retold |= (&remarks, family.identity.shortfall) != (&self.remarks, self.shortfall);
        self.remarks = remarks;
        self.shortfall = family.identity.shortfall;
        if family.is_growing {
            self.retry_at = Some(place.now.after(retry_delay(Duration::ZERO)));
        } else if matches!(
            self.shortfall,
            Some(Shortfall::OverBudget { .. } | WRITTEN_NOW)
        ) {
            self.retry_at = Some(place.now.after(BETTER_RETRY));
        }
        if matches!(&self.state, State::Ready(entry) if is_made_of(entry, &family)) {
            return false;
        }
        let content_type = match place.rule.content_type.as_str() {
            "" => content_type_of(place.path.as_os_str().as_encoded_bytes()),
            given => given,
        };
        let siblings = family.siblings.into_iter();
        self.state = State::Ready(Arc::new(Entry::build(Making {
            source: Source::Pin(family.identity.object.hold()),
            cache_control: &place.rule.cache_control,
            content_type,
            identity: family.identity.object,
            siblings: siblings.map(|(coding, one)| (coding, one.object)).collect(),
            now: clock::wall().0,
        })));
        true
    }

    fn fail(&mut self, error: &LoadError, place: &Place<'_>) -> bool {
        let now = place.now;
        self.tell(error.to_string());
        let is_still_true = matches!(&self.state, State::Ready(entry) if is_true(entry));
        match error {
            LoadError::WriterWaits => {
                // Patience is for a writer who was let in: this one has not begun.
                self.trying_since = None;
                self.await_writer(Duration::ZERO, is_still_true, now)
            }
            LoadError::ChangingNow => {
                let since = *self.trying_since.get_or_insert(now);
                self.await_writer(now.since(since), is_still_true, now)
            }
            LoadError::OutOfDescriptors { .. } | LoadError::Io(_) => {
                self.retry_at = Some(now.after(TROUBLE_RETRY));
                !is_still_true && self.withdraw()
            }
            LoadError::Missing
            | LoadError::Directory
            | LoadError::NotRegular
            | LoadError::NotReadable
            | LoadError::OutsideRoot => {
                self.is_missing = matches!(error, LoadError::Missing) && !is_named(place.path);
                if matches!(error, LoadError::Missing) && !self.is_missing {
                    self.tell("it is a link that leads to no file".to_owned());
                }
                self.withdraw()
            }
        }
    }

    fn tell(&mut self, trouble: String) {
        self.is_retold |= self.trouble.as_ref() != Some(&trouble);
        self.trouble = Some(trouble);
    }

    fn await_writer(&mut self, waited: Duration, is_still_true: bool, now: MonoNanos) -> bool {
        self.retry_at = Some(now.after(retry_delay(waited)));
        if is_still_true || matches!(self.state, State::Changing) {
            return false;
        }
        self.state = State::Changing;
        true
    }

    fn withdraw(&mut self) -> bool {
        self.trying_since = None;
        let was_shown = !matches!(self.state, State::Absent);
        self.state = State::Absent;
        was_shown
    }
}

/// Whether anything has the name, be it a link that leads nowhere.
fn is_named(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok()
}

/// Often at first, when most writers are about to finish.
fn retry_delay(trying: Duration) -> Duration {
    Duration::from_millis(match trying.as_secs() {
        0..2 => 50,
        2..60 => 250,
        _ => 1000,
    })
}

fn is_true(entry: &Entry) -> bool {
    entry.representations().all(|one| one.object.is_true())
}

fn is_made_of(entry: &Entry, family: &Family) -> bool {
    !entry.is_revoked()
        && Arc::ptr_eq(&entry.identity.object, &family.identity.object)
        && entry.siblings.len() == family.siblings.len()
        && entry
            .siblings
            .iter()
            .zip(&family.siblings)
            .all(|(old, (coding, new))| {
                old.coding == *coding && Arc::ptr_eq(&old.object, &new.object)
            })
}
