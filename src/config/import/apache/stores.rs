//! The cache's stores: `CacheRoot` and `CacheMaxFileSize` are `[disk]`, `MCacheSize` and its kind `[memory]`.

use std::path::{Path, PathBuf};

use super::super::fault::{ImportError, ImportFault};
use super::super::page::{Block, Entry, Fate, text};
use super::ledger::Ledger;
use super::listen::unknown;
use super::tree::{Directive, MAIN};
use crate::units::ByteSize;

/// The tables of the stores.
#[derive(Debug)]
pub(super) struct Stores {
    /// `[memory]`.
    pub(super) memory: Block,
    /// `[disk]`.
    pub(super) disk: Block,
    /// Whether there is a disk store.
    pub(super) has_disk: bool,
}

/// Reads what the main server says; a virtual host's words are told at its site.
pub(super) fn stores(ledger: &mut Ledger<'_>) -> Result<Stores, ImportError> {
    let memory = memory(ledger)?;
    let mut disk = Block::new("[disk]");
    let roots = ledger.of_all("cacheroot");
    let mut has_disk = false;
    for number in roots {
        let directive = ledger.directive(number);
        if has_disk {
            let note = ledger.note(
                number,
                Fate::Dropped,
                "there is one disk store for all sites",
            );
            disk.notes.push(note);
            continue;
        }
        if !directive.unknown.is_empty() || directive.word(0).is_empty() {
            let note = ledger.note(number, Fate::Dropped, unknown(&directive.unknown));
            disk.notes.push(note);
            continue;
        }
        let path = beside(&ledger.tree.server_root.join(directive.word(0)));
        let note = ledger.note(
            number,
            Fate::Changed,
            "a folder of its own beside it: what Apache stored can't be used, and may be deleted when Apache is gone. It is \
             made at start where the folder around it is there. Unlike the CacheRoot it never grows beyond disk.size, so no \
             htcacheclean is needed",
        );
        disk.entries.push(Entry::needed(
            "path",
            text(&path.to_string_lossy()),
            vec![note],
        ));
        disk.entries.push(Entry::new(
            "size",
            "\"20GiB\"".to_owned(),
            vec![Ledger::unsaid(
                "the limit that htcacheclean -l keeps",
                "Hotplate's default; write yours",
            )],
        ));
        has_disk = true;
    }
    for number in ledger.of_all("cachemaxfilesize") {
        let bytes = count(ledger, number, 0)?;
        let is_first = !disk.entries.iter().any(|entry| entry.name == "max_object");
        let is_whole = ledger.tree.scope(ledger.directive(number)).is_none();
        if has_disk && is_first && is_whole && bytes > 0 {
            let note = ledger.note(number, Fate::Changed, "for the whole store. Without it, bodies of any size are stored; Apache stops at 1000000 bytes");
            let value = text(&ByteSize(bytes).to_string());
            disk.entries
                .push(Entry::new("max_object", value, vec![note]));
        } else {
            let note = ledger.note(
                number,
                Fate::Dropped,
                "one limit is for the whole disk store, and there is none without a CacheRoot",
            );
            disk.notes.push(note);
        }
    }
    Ok(Stores {
        memory,
        disk,
        has_disk,
    })
}

/// What MCacheSize and its kind say, each with its directive.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    size: (Option<usize>, u64),
    max: (Option<usize>, u64),
    min: (Option<usize>, u64),
}

impl Sizes {
    fn read(ledger: &Ledger<'_>) -> Result<Self, ImportError> {
        let value = |name: &str, default: u64| match ledger.last(MAIN, name) {
            Some(number) => Ok((Some(number), count(ledger, number, 0)?)),
            None => Ok((None, default)),
        };
        let (at, kib) = value("mcachesize", 100)?;
        let sizes = Self {
            size: (at, kib.saturating_mul(1024)),
            max: value("mcachemaxobjectsize", 10_000)?,
            min: value("mcacheminobjectsize", 1)?,
        };
        sizes.check(ledger)?;
        Ok(sizes)
    }

    /// The checks without which Apache does not start.
    fn check(self, ledger: &Ledger<'_>) -> Result<(), ImportError> {
        let (must, number) = if self.min.1 >= self.max.1 {
            let must = "MCacheMinObjectSize must be less than MCacheMaxObjectSize, or Apache does not start";
            (must, self.min.0.or(self.max.0))
        } else if self.max.1 >= self.size.1 {
            let must = "MCacheMaxObjectSize must be less than MCacheSize (which is in KiB), or Apache does not start";
            (must, self.max.0.or(self.size.0))
        } else {
            return Ok(());
        };
        // Where nothing is said, nothing is wrong.
        let Some(number) = number else { return Ok(()) };
        let place = ledger.directive(number).place;
        Err(ledger
            .tree
            .error(place, ImportFault::Contradiction { must }))
    }
}

/// `[memory]`.
fn memory(ledger: &mut Ledger<'_>) -> Result<Block, ImportError> {
    let mut block = Block::new("[memory]");
    let sizes = Sizes::read(ledger)?;
    if let (Some(number), size) = sizes.size {
        let why = "one store for all, with heads and keys counted; Apache has one for each process, and counts bodies only";
        let note = ledger.note(number, Fate::Changed, why);
        let value = text(&ByteSize(size).to_string());
        block.entries.push(Entry::new("size", value, vec![note]));
    }
    match sizes {
        Sizes { max: (Some(number), max), .. } => {
            let why = "larger bodies go to the disk store where there is one";
            let note = ledger.note(number, Fate::Translated, why);
            let value = text(&ByteSize(max).to_string());
            block.entries.push(Entry::new("max_object", value, vec![note]));
        }
        Sizes { size: (Some(_), _), .. } => block.notes.push(Ledger::unsaid(
            "no MCacheMaxObjectSize",
            "bodies up to 64 KiB are stored in memory, or up to the whole size where that is less; Apache stops at 10000 bytes",
        )),
        _ => {}
    }
    shared_objects(ledger, &mut block)?;
    Ok(block)
}

/// mod_cache_socache.
fn shared_objects(ledger: &mut Ledger<'_>, block: &mut Block) -> Result<(), ImportError> {
    for number in ledger.of_all("cachesocachemaxsize") {
        let bytes = count(ledger, number, 0)?;
        let is_taken = block.entries.iter().any(|entry| entry.name == "max_object");
        if is_taken || ledger.tree.scope(ledger.directive(number)).is_some() {
            let note = ledger.note(
                number,
                Fate::Dropped,
                "one limit is for the whole store in memory",
            );
            block.notes.push(note);
            continue;
        }
        let why = "for bodies alone; heads do not count against it";
        let note = ledger.note(number, Fate::Changed, why);
        let value = text(&ByteSize(bytes).to_string());
        block
            .entries
            .push(Entry::new("max_object", value, vec![note]));
    }
    for number in ledger.of_all("cachesocache") {
        let why = "the memory of Hotplate's process stands for it: memory.size bounds it, and what is there goes with the process";
        let note = ledger.note(number, Fate::Changed, why);
        block.notes.push(note);
    }
    Ok(())
}

/// The folder of the disk store beside another program's: they must not delete each other's files.
pub(in super::super) fn beside(folder: &Path) -> PathBuf {
    let folder: PathBuf = folder.components().collect();
    let around = folder.parent().unwrap_or(Path::new("/"));
    let own = around.join("hotplate");
    if own == folder {
        around.join("hotplate-store")
    } else {
        own
    }
}

/// A whole number.
pub(super) fn count(ledger: &Ledger<'_>, number: usize, word: usize) -> Result<u64, ImportError> {
    let directive: &Directive = ledger.directive(number);
    let digits = directive.word(word);
    match digits.parse() {
        Ok(count) if digits.bytes().all(|byte| byte.is_ascii_digit()) => Ok(count),
        _ if directive.unknown.is_empty() => {
            Err(ledger
                .tree
                .wrong(directive, word, "followed by a whole number"))
        }
        _ => Err(ledger.tree.wrong(
            directive,
            word,
            &format!(
                "followed by a whole number: {}",
                unknown(&directive.unknown)
            ),
        )),
    }
}
