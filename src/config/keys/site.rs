//! The keys of `[[site]]`, its origin's included.

use std::path::Path;
use std::time::Duration;

use super::super::draft::SiteDraft;
use super::super::fault::Fault;
use super::super::shape::{Key, Shape, Table};
use super::super::{origin_url, profile_values, values};
use super::{FIELD_FORM, HOST_FORM, HOSTS_MAX, TIMEOUT_MAX, TIMEOUT_MIN, key};

/// Most URLs of an origin.
const ORIGINS_MAX: usize = 16;
/// Most connections to an origin: below what one address has ports for.
const CONNECTIONS_MAX: usize = 16_384;

/// The keys of `[[site]]` that mean nothing without `origin`.
pub(in crate::config) const ORIGIN_KEYS: [&str; 10] = [
    "connect_timeout",
    "first_byte_timeout",
    "between_bytes_timeout",
    "connections",
    "host",
    "trust_forwarded",
    "ca_file",
    "system_roots",
    "verify_peer",
    "profile",
];

/// `[[site]]`
pub(in crate::config) static SITE: Table<SiteDraft> = Table {
    name: "site",
    written: "[[site]]",
    keys: &[
        key(
            "hosts",
            "[]",
            "Hosts that the site answers for; none or \"*\": all that no other site has.",
            Shape::List {
                accepts: HOST_FORM,
                lone: false,
                min: 0,
                max: HOSTS_MAX,
                clear: |draft| draft.site.hosts.clear(),
                add: |draft, text, _| {
                    draft.site.hosts.push(values::host(text)?);
                    Ok(())
                },
            },
        ),
        key(
            "root",
            r#""""#,
            "Folder whose files are served, before the origin is asked; relative to this file's folder; \"\": none.",
            Shape::Text {
                accepts: "the path of a folder, or \"\"",
                set: set_root,
            },
        ),
        key(
            "cache_control",
            r#""""#,
            "The Cache-Control field of answers from root; the origin's answers keep theirs.",
            Shape::Text {
                accepts: FIELD_FORM,
                set: |draft, text, _| {
                    draft.site.cache_control = values::field_value(text)?;
                    Ok(())
                },
            },
        ),
        key(
            "origin",
            r#""""#,
            "URL that the rest is fetched from and cached by; a list is tried in its order; a path goes before the requests'.",
            Shape::List {
                accepts: "an http or https URL, such as \"http://127.0.0.1:8000\"",
                lone: true,
                min: 0,
                max: ORIGINS_MAX,
                clear: |draft| draft.origin.urls.clear(),
                add: |draft, text, _| {
                    draft.origin.urls.push(origin_url::origin(text)?);
                    Ok(())
                },
            },
        ),
        timeout(
            "connect_timeout",
            r#""5s""#,
            "Longest time to connect to an origin's URL, its TLS handshake included; then the next is tried.",
            |draft| &mut draft.origin.connect_timeout,
        ),
        timeout(
            "first_byte_timeout",
            r#""30s""#,
            "Longest time from a request's last byte to the first of the origin's answer.",
            |draft| &mut draft.origin.first_byte_timeout,
        ),
        timeout(
            "between_bytes_timeout",
            r#""30s""#,
            "Longest time in which nothing more of the origin's answer comes.",
            |draft| &mut draft.origin.between_bytes_timeout,
        ),
        key(
            "connections",
            "256",
            "Most connections to each of the origin's URLs, idle ones included.",
            Shape::Count {
                min: 1,
                max: CONNECTIONS_MAX,
                slot: |draft| &mut draft.origin.connections,
            },
        ),
        key(
            "host",
            r#""""#,
            "The Host field that the origin gets; \"\": the client's.",
            Shape::Text {
                accepts: "a host with or without a port, such as \"media.example.com\", or \"\"",
                set: |draft, text, _| {
                    draft.origin.host = origin_url::host_field(text)?;
                    Ok(())
                },
            },
        ),
        key(
            "trust_forwarded",
            "false",
            "Whether clients' own Forwarded and X-Forwarded- fields reach the origin; true only behind a proxy of your own.",
            Shape::Flag(|draft| &mut draft.origin.trusts_forwarded),
        ),
        key(
            "ca_file",
            r#""""#,
            "PEM file of certificates that https origins are verified by beside the system's; \"\": none.",
            Shape::Text {
                accepts: "the path of a file of PEM certificates, or \"\"",
                set: |draft, text, folder| {
                    draft.origin.ca_file = values::certificates(text, folder)?;
                    Ok(())
                },
            },
        ),
        key(
            "system_roots",
            "true",
            "Whether the system's certificates are trusted, too; false leaves ca_file's alone.",
            Shape::Flag(|draft| &mut draft.origin.system_roots),
        ),
        key(
            "verify_peer",
            "true",
            "Whether https origins must prove who they are; false trusts whoever answers.",
            Shape::Flag(|draft| &mut draft.origin.verify_peer),
        ),
        key(
            "profile",
            r#""""#,
            "The [[profile]] whose credentials the origin is asked with when clients read; \"\": none.",
            Shape::Text {
                accepts: "the name of a [[profile]], or \"\"",
                set: |draft, text, _| {
                    draft.origin.profile = profile_values::name_or_none(text)?;
                    Ok(())
                },
            },
        ),
    ],
    inner: &["rule"],
};

fn set_root(draft: &mut SiteDraft, text: &str, folder: &Path) -> Result<(), Fault> {
    draft.site.root = if text.is_empty() {
        None
    } else {
        Some(values::root(text, folder)?)
    };
    Ok(())
}

const fn timeout(
    name: &'static str,
    default: &'static str,
    help: &'static str,
    slot: fn(&mut SiteDraft) -> &mut Duration,
) -> Key<SiteDraft> {
    let shape = Shape::Time {
        min: TIMEOUT_MIN,
        max: TIMEOUT_MAX,
        slot,
    };
    key(name, default, help, shape)
}
