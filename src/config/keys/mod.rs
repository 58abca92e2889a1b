//! The table of keys: every table and key of the config with its default, its range and its help.

mod fill;
mod library;
mod limits;
mod pin;
mod prefetch;
mod profile;
mod rule;
mod server;
mod site;
mod stores;
mod upload;

use std::time::Duration;

use super::shape::{Key, Shape};

pub(super) use fill::FILL;
pub(super) use library::LIBRARY;
pub(super) use limits::LIMITS;
pub(super) use pin::PIN;
pub(super) use prefetch::PREFETCH;
pub(super) use profile::PROFILE;
pub(super) use rule::RULE;
pub(super) use server::SERVER;
pub(super) use site::{ORIGIN_KEYS, SITE};
pub(super) use stores::{DISK, MEMORY};
pub(super) use upload::UPLOAD;

/// Most `[[pin]]` tables.
pub(super) const PINS_MAX: usize = 65_536;
/// Most `[[site]]` tables; a site's number must fit [`SiteId`](crate::units::SiteId).
pub(super) const SITES_MAX: usize = 4096;
const _: () = assert!(SITES_MAX <= u16::MAX as usize);

/// Most `[[profile]]` tables.
pub(super) const PROFILES_MAX: usize = 256;

/// Most `[[prefetch]]` tables.
pub(super) const PREFETCHES_MAX: usize = 256;

/// Most `[[site.rule]]` tables of one site.
pub(super) const RULES_MAX: usize = 256;

const TIMEOUT_MIN: Duration = Duration::from_millis(100);
const TIMEOUT_MAX: Duration = Duration::from_secs(3600);

/// Most hosts of one table.
const HOSTS_MAX: usize = 1024;
const HOST_FORM: &str = "a host name or an IP literal without port, such as \"media.example.com\"";
const FIELD_FORM: &str = "a field value, such as \"public, max-age=3600\", or \"\" to send none";

/// The names of all tables that are in no other.
pub(super) fn tables() -> [&'static str; 11] {
    [
        SERVER.name,
        LIMITS.name,
        MEMORY.name,
        DISK.name,
        FILL.name,
        LIBRARY.name,
        PIN.name,
        SITE.name,
        PROFILE.name,
        PREFETCH.name,
        UPLOAD.name,
    ]
}

/// How the table is written that has a key of this name, or that has a table of this name inside; where several have, one
/// that is in `from` or around it goes first.
pub(super) fn table_of(key: &str, from: &str) -> Option<&'static str> {
    let family = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
    let all = [
        (SERVER.name, SERVER.written_if_has(key)),
        (LIMITS.name, LIMITS.written_if_has(key)),
        (MEMORY.name, MEMORY.written_if_has(key)),
        (DISK.name, DISK.written_if_has(key)),
        (FILL.name, FILL.written_if_has(key)),
        (LIBRARY.name, LIBRARY.written_if_has(key)),
        (PIN.name, PIN.written_if_has(key)),
        (SITE.name, SITE.written_if_has(key)),
        (RULE.name, RULE.written_if_has(key)),
        (PROFILE.name, PROFILE.written_if_has(key)),
        (PREFETCH.name, PREFETCH.written_if_has(key)),
        (UPLOAD.name, UPLOAD.written_if_has(key)),
    ];
    let near = all
        .iter()
        .filter(|(name, _)| family(name) == family(from))
        .find_map(|(_, written)| *written);
    near.or_else(|| all.iter().find_map(|(_, written)| *written))
}

/// The keys whose values must not be repeated; only `[server]` and `[[profile]]` have any.
pub(super) fn secrets() -> impl Iterator<Item = &'static str> {
    let of_server = SERVER.keys.iter().map(|key| (key.secret, key.name));
    let of_profile = PROFILE.keys.iter().map(|key| (key.secret, key.name));
    of_server
        .chain(of_profile)
        .filter_map(|(is_secret, name)| is_secret.then_some(name))
}

/// A row of a key that has a default.
const fn key<T>(
    name: &'static str,
    default: &'static str,
    help: &'static str,
    shape: Shape<T>,
) -> Key<T> {
    Key {
        name,
        default: Some(default),
        help,
        secret: false,
        shape,
    }
}

/// A row of a key that must be set.
const fn needed<T>(name: &'static str, help: &'static str, shape: Shape<T>) -> Key<T> {
    Key {
        name,
        default: None,
        help,
        secret: false,
        shape,
    }
}
