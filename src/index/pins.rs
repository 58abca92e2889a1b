//! The pin index: host and canonical path to entry. A snapshot never changes; a reload or a changed file makes a new one.

use std::sync::Arc;

use hashbrown::HashMap;

use super::entry::Entry;

/// Entries of one host, or of every host, by canonical path.
pub type PathTable = HashMap<Box<[u8]>, u32>;

/// What stands under a URL that is pinned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// The number of the entry.
    Entry(u32),
    /// Somebody is writing to the file, so there is nothing to answer with yet: try again in a second.
    Changing,
}

/// Where a pin was placed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Placed {
    /// Under its URL for all its hosts.
    Everywhere,
    /// Not for these hosts, which have the URL already.
    But(Vec<String>),
    /// Nowhere: all its hosts have the URL already.
    Nowhere,
}

/// The number in a table that stands for [`Found::Changing`].
const CHANGING: u32 = u32::MAX;

/// An immutable snapshot of all pins.
#[derive(Debug, Default)]
pub struct PinIndex {
    generation: u64,
    entries: Vec<Arc<Entry>>,
    every_host: PathTable,
    by_host: HashMap<Box<[u8]>, PathTable>,
}

/// Collects pins and makes a [`PinIndex`] of them.
#[derive(Debug, Default)]
pub struct PinIndexBuilder {
    index: PinIndex,
}

impl Found {
    fn of(number: u32) -> Self {
        if number == CHANGING {
            Self::Changing
        } else {
            Self::Entry(number)
        }
    }
}

impl PinIndexBuilder {
    /// Starts an empty index with its place in the sequence of snapshots.
    #[must_use]
    pub fn new(generation: u64) -> Self {
        Self {
            index: PinIndex {
                generation,
                ..PinIndex::default()
            },
        }
    }

    /// Puts `entry` under `path` (canonical) for `hosts` (lower case, no port; empty: every host). Nothing changes for a
    /// host that has this path already: the first pin of a URL wins.
    pub fn insert(&mut self, hosts: &[String], path: &[u8], entry: Arc<Entry>) -> Placed {
        let number = u32::try_from(self.index.entries.len()).unwrap_or(CHANGING);
        let placed = self.place(hosts, path, number);
        if placed != Placed::Nowhere {
            self.index.entries.push(entry);
        }
        placed
    }

    /// Puts [`Found::Changing`] under `path` for `hosts`, by the rules of [`insert`](Self::insert).
    pub fn insert_changing(&mut self, hosts: &[String], path: &[u8]) -> Placed {
        self.place(hosts, path, CHANGING)
    }

    fn place(&mut self, hosts: &[String], path: &[u8], number: u32) -> Placed {
        let place = |table: &mut PathTable| {
            let is_free = !table.contains_key(path);
            if is_free {
                table.insert(path.into(), number);
            }
            is_free
        };
        let mut taken = Vec::new();
        for host in hosts {
            let table = self.index.by_host.entry(host.as_bytes().into());
            if !place(table.or_default()) {
                taken.push(host.clone());
            }
        }
        let is_nowhere = match hosts {
            [] => !place(&mut self.index.every_host),
            hosts => taken.len() == hosts.len(),
        };
        match taken {
            _ if is_nowhere => Placed::Nowhere,
            taken if taken.is_empty() => Placed::Everywhere,
            taken => Placed::But(taken),
        }
    }

    /// The finished snapshot.
    #[must_use]
    pub fn build(self) -> PinIndex {
        self.index
    }
}

impl PinIndex {
    /// Which snapshot this is; later ones have higher numbers.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// What stands under `path` for `host` (lower case): pins of the host itself go before those of every host.
    #[must_use]
    pub fn find(&self, host: &[u8], path: &[u8]) -> Option<Found> {
        if !self.by_host.is_empty()
            && let Some(number) = self.by_host.get(host).and_then(|table| table.get(path))
        {
            return Some(Found::of(*number));
        }
        self.every_host.get(path).map(|number| Found::of(*number))
    }

    /// Whether any pin is bound to a host, so that [`find`](Self::find) needs the host.
    #[must_use]
    pub fn needs_host(&self) -> bool {
        !self.by_host.is_empty()
    }

    /// The entry with this number.
    #[must_use]
    pub fn entry(&self, number: u32) -> Option<&Arc<Entry>> {
        self.entries.get(number as usize)
    }

    /// All entries.
    #[must_use]
    pub fn entries(&self) -> &[Arc<Entry>] {
        &self.entries
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry::{Making, Source};
    use super::*;
    use crate::store::pinned::Hold;
    use crate::store::{Held, Object};
    use crate::sys::file::FileIdentity;
    use crate::units::UnixSeconds;

    fn entry() -> Arc<Entry> {
        let identity = FileIdentity {
            device: 1,
            inode: 2,
            size: 0,
            modified: (3, 0),
            changed: (3, 0),
        };
        Arc::new(Entry::build(Making {
            source: Source::Pin(Hold::File),
            cache_control: "",
            content_type: "audio/wav",
            identity: Arc::new(Object::new(Held::Heap(Box::default()), identity)),
            siblings: Vec::new(),
            now: UnixSeconds(4),
        }))
    }

    #[test]
    fn pin_of_the_host_goes_before_that_of_every_host() {
        let mut builder = PinIndexBuilder::new(7);
        let hosts = ["example.com".to_owned()];
        assert_eq!(builder.insert(&[], b"/a", entry()), Placed::Everywhere);
        assert_eq!(builder.insert(&hosts, b"/a", entry()), Placed::Everywhere);
        let index = builder.build();
        assert_eq!(index.generation(), 7);
        assert_eq!(index.find(b"example.com", b"/a"), Some(Found::Entry(1)));
        assert_eq!(index.find(b"other", b"/a"), Some(Found::Entry(0)));
        assert_eq!(index.find(b"other", b"/b"), None);
        assert!(index.needs_host());
    }

    #[test]
    fn first_pin_of_a_url_wins_and_changing_holds_the_place() {
        let mut builder = PinIndexBuilder::new(1);
        assert_eq!(builder.insert_changing(&[], b"/a"), Placed::Everywhere);
        assert_eq!(builder.insert(&[], b"/a", entry()), Placed::Nowhere);
        let index = builder.build();
        assert_eq!(index.find(b"", b"/a"), Some(Found::Changing));
        assert!(index.entries().is_empty());
    }

    #[test]
    fn pin_tells_which_of_its_hosts_have_the_url_already() {
        let hosts =
            |names: &[&str]| -> Vec<String> { names.iter().map(ToString::to_string).collect() };
        let mut builder = PinIndexBuilder::new(1);
        for (names, placed) in [
            (&["a"][..], Placed::Everywhere),
            (&["a", "b"], Placed::But(hosts(&["a"]))),
            (&["b", "a"], Placed::Nowhere),
        ] {
            assert_eq!(builder.insert(&hosts(names), b"/x", entry()), placed);
        }
        assert_eq!(builder.build().find(b"b", b"/x"), Some(Found::Entry(1)));
    }
}
