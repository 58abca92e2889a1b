//! The table of keys: every table and key of the config with its default, its range and its help.

mod limits;
mod pin;
mod server;
mod site;

use super::shape::{Key, Shape};

pub(super) use limits::{LIMITS, MEMORY};
pub(super) use pin::PIN;
pub(super) use server::SERVER;
pub(super) use site::SITE;

/// Most `[[pin]]` tables.
pub(super) const PINS_MAX: usize = 65_536;
/// Most `[[site]]` tables; a site's number must fit [`SiteId`](crate::units::SiteId).
pub(super) const SITES_MAX: usize = 4096;
const _: () = assert!(SITES_MAX <= u16::MAX as usize);

/// Most hosts of one table.
const HOSTS_MAX: usize = 1024;
const HOST_FORM: &str = "a host name or an IP literal without port, such as \"media.example.com\"";
const FIELD_FORM: &str = "a field value, such as \"public, max-age=3600\", or \"\" to send none";

/// The names of all tables.
pub(super) fn tables() -> [&'static str; 5] {
    [SERVER.name, LIMITS.name, MEMORY.name, PIN.name, SITE.name]
}

/// How the table is written that has a key of this name.
pub(super) fn table_of(key: &str) -> Option<&'static str> {
    SERVER
        .written_if_has(key)
        .or_else(|| LIMITS.written_if_has(key))
        .or_else(|| MEMORY.written_if_has(key))
        .or_else(|| PIN.written_if_has(key))
        .or_else(|| SITE.written_if_has(key))
}

/// The keys whose values must not be repeated; only `[server]` has any.
pub(super) fn secrets() -> impl Iterator<Item = &'static str> {
    SERVER
        .keys
        .iter()
        .filter(|key| key.secret)
        .map(|key| key.name)
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
