//! The keys of `[library]`.

use std::time::Duration;

use super::super::shape::{Key, Shape, Table};
use super::super::{origin_url, rule_values, values};
use super::{HOSTS_MAX, TIMEOUT_MAX, TIMEOUT_MIN, key};
use crate::fill::library::{LEASE_MAX, LibrarySettings};
use crate::policy::settings::SetCookie;
use crate::units::ByteSize;

const SECOND: Duration = Duration::from_secs(1);
/// Most entries of `content_types`, and of `strip_query`.
const NAMES_MAX: usize = 64;
/// Most entries of `negative_ttl`.
const STATUSES_MAX: usize = 32;
/// Most gets at once: each holds a connection to the admin address.
const GETS_MAX: usize = 192;
/// Most connections to an origin.
const CONNECTIONS_MAX: usize = 16_384;

/// `[library]`
pub(in crate::config) static LIBRARY: Table<LibrarySettings> = Table {
    name: "library",
    written: "[library]",
    keys: &[
        key(
            "hosts",
            "[]",
            "Hosts that may be fetched beside those of sites; one with a port at that port alone.",
            Shape::List {
                accepts: "a host, \"*.\" and a domain for all below it, or \"*\" for every host, with or without a port",
                lone: false,
                min: 0,
                max: HOSTS_MAX,
                clear: |library| library.hosts.clear(),
                add: |library, text, _| {
                    library.hosts.push(origin_url::host_pattern(text)?);
                    Ok(())
                },
            },
        ),
        flag(
            "allow_private",
            "false",
            "Whether these may have private, loopback and link-local addresses; one that hosts lists as an address always may.",
            |library| &mut library.allow_private,
        ),
        key(
            "redirects",
            "10",
            "Most redirects that are followed for one URL; each hop must be allowed.",
            Shape::Count {
                min: 0,
                max: 50,
                slot: |library| &mut library.redirects,
            },
        ),
        key(
            "content_types",
            "[]",
            "Media types that are handed out; none: all. Keeps login pages from being played.",
            Shape::List {
                accepts: "a media type, such as \"audio/wav\", or all of a kind, such as \"audio/*\"",
                lone: false,
                min: 0,
                max: NAMES_MAX,
                clear: |library| library.content_types.clear(),
                add: |library, text, _| {
                    library.content_types.push(values::type_pattern(text)?);
                    Ok(())
                },
            },
        ),
        key(
            "extension",
            r#""""#,
            "The extension of files of which neither URL nor Content-Type tells one; \"\": none.",
            Shape::Text {
                accepts: "1 to 8 letters and digits, such as \"wav\", or \"\"",
                set: |library, text, _| {
                    library.extension = values::extension(text)?;
                    Ok(())
                },
            },
        ),
        key(
            "lease",
            r#""30s""#,
            "How long a path that was handed out stays, whatever happens to what is stored.",
            Shape::Time {
                min: SECOND,
                max: LEASE_MAX,
                slot: |library| &mut library.lease,
            },
        ),
        key(
            "leases",
            "10000",
            "Most files that are leased at once.",
            Shape::Count {
                min: 1,
                max: 1_000_000,
                slot: |library| &mut library.leases,
            },
        ),
        key(
            "size",
            r#""1GiB""#,
            "Most bytes on disk of leased files that the disk store does not have, or has no more; beside disk.size.",
            Shape::Size {
                min: ByteSize::mib(1),
                max: ByteSize::mib(1 << 30),
                slot: |library| &mut library.size,
            },
        ),
        key(
            "group",
            r#""""#,
            "Group whose members may read the files; \"\": none, only this process's user may.",
            Shape::Text {
                accepts: "a group's name or number, or \"\"",
                set: |library, text, _| {
                    library.group = values::group(text)?;
                    Ok(())
                },
            },
        ),
        key(
            "gets",
            "192",
            "Most gets that wait at once; one more gets 503.",
            Shape::Count {
                min: 1,
                max: GETS_MAX,
                slot: |library| &mut library.gets,
            },
        ),
        key(
            "attempts",
            "3",
            "Most attempts of a get or a prefetch within its time, where an origin is down or answers with 429 or 5xx.",
            Shape::Count {
                min: 1,
                max: 10,
                slot: |library| &mut library.attempts,
            },
        ),
        timeout(
            "get_timeout",
            r#""300s""#,
            "Longest time of a get, its redirects and its whole body included.",
            |library| &mut library.get_timeout,
        ),
        key(
            "queue",
            "100",
            "Most prefetches that wait; one more gets 429.",
            Shape::Count {
                min: 1,
                max: 1_000_000,
                slot: |library| &mut library.queue,
            },
        ),
        key(
            "concurrency",
            "8",
            "Most prefetches at once.",
            Shape::Count {
                min: 1,
                max: 1024,
                slot: |library| &mut library.concurrency,
            },
        ),
        key(
            "user_agent",
            concat!("\"hotplate/", env!("CARGO_PKG_VERSION"), "\""),
            "The User-Agent of the library's requests.",
            Shape::Text {
                accepts: super::FIELD_FORM,
                set: |library, text, _| {
                    library.user_agent = values::field_value(text)?;
                    Ok(())
                },
            },
        ),
        timeout(
            "connect_timeout",
            r#""5s""#,
            "Longest time to connect to a host of hosts, TLS handshake included.",
            |library| &mut library.origin.connect_timeout,
        ),
        timeout(
            "first_byte_timeout",
            r#""30s""#,
            "Longest time from a request's last byte to its answer's first, at hosts.",
            |library| &mut library.origin.first_byte_timeout,
        ),
        timeout(
            "between_bytes_timeout",
            r#""30s""#,
            "Longest time in which nothing more of an answer comes, at hosts.",
            |library| &mut library.origin.between_bytes_timeout,
        ),
        key(
            "connections",
            "256",
            "Most connections to each of hosts.",
            Shape::Count {
                min: 1,
                max: CONNECTIONS_MAX,
                slot: |library| &mut library.origin.connections,
            },
        ),
        key(
            "ca_file",
            r#""""#,
            "PEM file of certificates that hosts are verified by over https beside the system's; \"\": none.",
            Shape::Text {
                accepts: "the path of a file of PEM certificates, or \"\"",
                set: |library, text, folder| {
                    library.origin.ca_file = values::certificates(text, folder)?;
                    Ok(())
                },
            },
        ),
        flag(
            "system_roots",
            "true",
            "Whether the system's certificates are trusted, too; false leaves ca_file's alone.",
            |library| &mut library.origin.system_roots,
        ),
        flag(
            "verify_peer",
            "true",
            "Whether hosts must prove who they are over https; false trusts whoever answers.",
            |library| &mut library.origin.verify_peer,
        ),
        lifetime(
            "default_ttl",
            "Lifetime of what comes from hosts, states none and has no Last-Modified; as in [[site.rule]], like all that follow.",
            |library| &mut library.rule.overrides.default_ttl,
        ),
        lifetime(
            "min_ttl",
            "No lifetime is shorter; never applies to no-store, private or no-cache.",
            |library| &mut library.rule.overrides.min_ttl,
        ),
        lifetime(
            "max_ttl",
            "No lifetime is longer, stated or not.",
            |library| &mut library.rule.overrides.max_ttl,
        ),
        flag(
            "store_private",
            "false",
            "Stores what is marked private. Only where the mark is known to be wrong.",
            |library| &mut library.rule.overrides.store_private,
        ),
        flag(
            "store_no_store",
            "false",
            "Stores what is marked no-store, on disk too. Only where the mark is known to be wrong.",
            |library| &mut library.rule.overrides.store_no_store,
        ),
        flag(
            "store_expired",
            "false",
            "Stores what is stale already even without a validator.",
            |library| &mut library.rule.overrides.store_expired,
        ),
        flag(
            "ignore_no_last_modified",
            "false",
            "Stores 200 responses with neither validator nor lifetime; default_ttl is then their lifetime.",
            |library| &mut library.rule.overrides.ignore_no_last_modified,
        ),
        flag(
            "ignore_query",
            "false",
            "One file for all queries of a path.",
            |library| &mut library.rule.overrides.ignore_query,
        ),
        key(
            "strip_query",
            "[]",
            "Query parameters that make no difference: signatures, tokens, session ids.",
            Shape::List {
                accepts: "a parameter's name, such as \"X-Amz-Date\", or \"X-Amz-*\" for all that start so",
                lone: false,
                min: 0,
                max: NAMES_MAX,
                clear: |library| library.rule.overrides.strip_query.clear(),
                add: |library, text, _| {
                    let name = rule_values::parameter(text)?;
                    library.rule.overrides.strip_query.push(name);
                    Ok(())
                },
            },
        ),
        key(
            "set_cookie",
            r#""refuse""#,
            "What sets a cookie: not stored, stored without the field, or stored with it.",
            Shape::Choice(&[
                ("refuse", |library| {
                    library.rule.overrides.set_cookie = SetCookie::Refuse
                }),
                ("strip", |library| {
                    library.rule.overrides.set_cookie = SetCookie::Strip
                }),
                ("store", |library| {
                    library.rule.overrides.set_cookie = SetCookie::Store
                }),
            ]),
        ),
        key(
            "negative_ttl",
            "{}",
            "Lifetimes of errors that state none, by status; so long the origin is not asked again.",
            Shape::Statuses {
                max: STATUSES_MAX,
                clear: |library| library.rule.overrides.negative_ttl.clear(),
                add: |library, text, ttl| {
                    let entries = &mut library.rule.overrides.negative_ttl;
                    Ok(rule_values::add_negative_ttl(entries, text, ttl)?)
                },
            },
        ),
        lifetime(
            "stale_if_error",
            "How long a stale file stands in for a failing origin, where it does not say itself (RFC 5861 s4).",
            |library| &mut library.rule.overrides.stale_if_error,
        ),
        lifetime(
            "stale_while_revalidate",
            "How long a stale file is handed out while a newer one is fetched, where it does not say itself (RFC 5861 s3).",
            |library| &mut library.rule.overrides.stale_while_revalidate,
        ),
    ],
    inner: &[],
};

const fn flag(
    name: &'static str,
    default: &'static str,
    help: &'static str,
    slot: fn(&mut LibrarySettings) -> &mut bool,
) -> Key<LibrarySettings> {
    key(name, default, help, Shape::Flag(slot))
}

const fn lifetime(
    name: &'static str,
    help: &'static str,
    slot: fn(&mut LibrarySettings) -> &mut Option<Duration>,
) -> Key<LibrarySettings> {
    key(name, r#""""#, help, Shape::Lifetime(slot))
}

const fn timeout(
    name: &'static str,
    default: &'static str,
    help: &'static str,
    slot: fn(&mut LibrarySettings) -> &mut Duration,
) -> Key<LibrarySettings> {
    let shape = Shape::Time {
        min: TIMEOUT_MIN,
        max: TIMEOUT_MAX,
        slot,
    };
    key(name, default, help, shape)
}
