//! Apache httpd 2.2 and 2.4: `httpd.conf` and all that it includes.

mod access;
mod caching;
mod conditions;
mod include;
mod ledger;
mod listen;
mod local;
mod names;
mod origin;
pub(super) mod read;
mod reasons;
mod routes;
mod running;
mod settings;
mod sites;
pub(super) mod stores;
pub(in crate::config::import) mod syntax;
#[cfg(test)]
mod syntax_tests;
mod tree;

use super::Options;
use super::fault::{ImportError, ImportFault};
use super::page::{Block, Entry, Page, seconds};
use ledger::Ledger;
use tree::{MAIN, Tree};

/// Most directives of the main server, counted for each host that inherits them.
const INHERITED_MAX: usize = 1_000_000;

/// The longest wait of a request for an origin where nothing says another, in seconds.
const FILL_TIMEOUT: u64 = 60;

/// Translates the config `bytes`.
pub(super) fn import(options: &Options, bytes: &[u8]) -> Result<Page, ImportError> {
    let tree = read::read(options, bytes)?;
    bounded(&tree)?;
    let mut ledger = Ledger::new(&tree);
    let (server, listeners) = listen::server(&mut ledger)?;
    let stores = stores::stores(&mut ledger)?;
    let common = sites::Common {
        listeners: &listeners,
        has_disk: stores.has_disk,
        opens: options.opens,
    };
    let sites = sites::sites(&mut ledger, common)?;
    let mut blocks = vec![server, stores.memory, stores.disk, fill(sites.longest_wait)];
    blocks.retain(|block| !block.is_empty());
    blocks.extend(sites.pins);
    blocks.extend(sites.blocks);
    Ok(Page {
        intro: Vec::new(),
        blocks,
        groups: ledger.rest(),
    })
}

/// Refuses a config in which so much holds for so many hosts that it would take minutes.
fn bounded(tree: &Tree) -> Result<(), ImportError> {
    let of_all = tree.directives.iter().filter(|found| found.host == MAIN);
    if of_all.count().saturating_mul(tree.hosts.len()) <= INHERITED_MAX {
        return Ok(());
    }
    let place = tree.hosts[MAIN].place;
    let what = "directives that virtual hosts inherit, over all of them";
    let max = INHERITED_MAX;
    Err(tree.error(place, ImportFault::TooMany { what, max }))
}

/// `[fill]`, where an origin may take longer than requests wait.
fn fill(longest_wait: u64) -> Block {
    let mut block = Block::new("[fill]");
    if longest_wait > FILL_TIMEOUT {
        let note = Ledger::unsaid(
            "the longest of the origins' time-outs",
            "no request waits longer than this for an origin",
        );
        block.entries.push(Entry::new(
            "fill_timeout",
            seconds(longest_wait),
            vec![note],
        ));
    }
    block
}
