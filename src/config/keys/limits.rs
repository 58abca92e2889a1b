//! The keys of `[limits]`.

use std::time::Duration;

use super::super::Settings;
use super::super::shape::{Key, Shape, Table};
use super::{TIMEOUT_MAX, TIMEOUT_MIN, key};
use crate::http::head::FIELDS_MAX;
use crate::units::ByteSize;

/// `[limits]`
pub(in crate::config) static LIMITS: Table<Settings> = Table {
    name: "limits",
    written: "[limits]",
    keys: &[
        key(
            "head",
            r#""16KiB""#,
            "Longest request head; a longer one gets 431, or 414 when its request line alone is too long.",
            Shape::Size {
                min: ByteSize::kib(1),
                max: ByteSize::kib(64),
                slot: |settings| &mut settings.server.limits.head,
            },
        ),
        key(
            "headers",
            "100",
            "Most header fields of a request; more get 431.",
            Shape::Count {
                min: 8,
                max: FIELDS_MAX,
                slot: |settings| &mut settings.server.limits.headers,
            },
        ),
        key(
            "connections",
            "20000",
            "Most client connections in all; the longest idle one gives way to a new one.",
            Shape::Count {
                min: 1,
                max: 1_000_000,
                slot: |settings| &mut settings.server.limits.connections,
            },
        ),
        key(
            "pipeline",
            "64",
            "Most answers of one connection that are prepared before the first of them is sent.",
            Shape::Count {
                min: 1,
                max: 1024,
                slot: |settings| &mut settings.server.limits.pipeline,
            },
        ),
        timeout(
            "head_timeout",
            r#""10s""#,
            "Longest time from a head's first byte to its last.",
            |settings| &mut settings.server.limits.head_timeout,
        ),
        timeout(
            "idle_timeout",
            r#""65s""#,
            "Longest time that a kept-alive connection waits for its next request.",
            |settings| &mut settings.server.limits.idle_timeout,
        ),
        timeout(
            "send_timeout",
            r#""30s""#,
            "Longest time that a send makes no progress.",
            |settings| &mut settings.server.limits.send_timeout,
        ),
        key(
            "drain_timeout",
            r#""30s""#,
            "Longest time that a stop waits for answers under way.",
            Shape::Time {
                min: Duration::ZERO,
                max: TIMEOUT_MAX,
                slot: |settings| &mut settings.server.limits.drain_timeout,
            },
        ),
    ],
    inner: &[],
};

const fn timeout(
    name: &'static str,
    default: &'static str,
    help: &'static str,
    slot: fn(&mut Settings) -> &mut Duration,
) -> Key<Settings> {
    let shape = Shape::Time {
        min: TIMEOUT_MIN,
        max: TIMEOUT_MAX,
        slot,
    };
    key(name, default, help, shape)
}
