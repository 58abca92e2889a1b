//! The keys of `[fill]`.

use super::super::Settings;
use super::super::shape::{Shape, Table};
use super::{TIMEOUT_MAX, TIMEOUT_MIN, key};
use crate::units::ByteSize;

/// `[fill]`
pub(in crate::config) static FILL: Table<Settings> = Table {
    name: "fill",
    written: "[fill]",
    keys: &[
        key(
            "fills",
            "1024",
            "Most fetches from origins at once; what needs one more gets 503.",
            Shape::Count {
                min: 1,
                max: 65_536,
                slot: |settings| &mut settings.fill.fills,
            },
        ),
        key(
            "waiters",
            "4096",
            "Most requests that wait for one fetch; one more gets 503.",
            Shape::Count {
                min: 1,
                max: 1_000_000,
                slot: |settings| &mut settings.fill.waiters,
            },
        ),
        key(
            "fill_timeout",
            r#""60s""#,
            "Longest time that a request waits for an origin's answer to begin, from its last byte on; then it gets 504.",
            Shape::Time {
                min: TIMEOUT_MIN,
                max: TIMEOUT_MAX,
                slot: |settings| &mut settings.fill.fill_timeout,
            },
        ),
        key(
            "memory",
            r#""256MiB""#,
            "Most bytes in memory of bodies that are being fetched, over all fetches.",
            Shape::Size {
                min: ByteSize::mib(1),
                max: ByteSize::mib(16 << 20),
                slot: |settings| &mut settings.fill.memory,
            },
        ),
        key(
            "pass_memory",
            r#""256KiB""#,
            "Most bytes in passing between origin and client, for each request whose response is not stored.",
            Shape::Size {
                min: ByteSize::kib(16),
                max: ByteSize::mib(16),
                slot: |settings| &mut settings.fill.pass_memory,
            },
        ),
    ],
    inner: &[],
};
