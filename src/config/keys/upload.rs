//! The keys of `[upload]`.

use std::time::Duration;

use super::super::shape::{Shape, Table};
use super::super::{origin_url, values};
use super::{FIELD_FORM, HOSTS_MAX, key};
use crate::fill::upload::UploadSettings;
use crate::units::ByteSize;

/// Most entries of `files`.
const FILES_MAX: usize = 256;
const RETRY_MIN: Duration = Duration::from_millis(10);
const RETRY_MAX: Duration = Duration::from_secs(24 * 3600);
const GIVE_UP_MIN: Duration = Duration::from_secs(1);
const GIVE_UP_MAX: Duration = Duration::from_secs(365 * 24 * 3600);

/// `[upload]`
pub(in crate::config) static UPLOAD: Table<UploadSettings> = Table {
    name: "upload",
    written: "[upload]",
    keys: &[
        key(
            "path",
            r#""""#,
            "Folder in which uploads wait; \"\": uploads in the disk store's folder, or none where there is no disk store.",
            Shape::Text {
                accepts: "the path of a folder that is there or can be made, or \"\"",
                set: |upload, text, folder| {
                    upload.path = values::store_folder(text, folder)?;
                    Ok(())
                },
            },
        ),
        key(
            "hosts",
            "[]",
            "Hosts that files may go to beside those of sites and of profiles' domains; one with a port at that port alone. What may be \
             fetched (library.hosts) may not be written for that.",
            Shape::List {
                accepts: "a host, \"*.\" and a domain for all below it, or \"*\" for every host, with or without a port",
                lone: false,
                min: 0,
                max: HOSTS_MAX,
                clear: |upload| upload.hosts.clear(),
                add: |upload, text, _| {
                    upload.hosts.push(origin_url::host_pattern(text)?);
                    Ok(())
                },
            },
        ),
        key(
            "allow_private",
            "false",
            "Whether these may have private, loopback and link-local addresses; one that hosts lists as an address always may.",
            Shape::Flag(|upload| &mut upload.allow_private),
        ),
        key(
            "files",
            "[]",
            "Files of this machine that are read for who names them (file=, http_put), links followed; none: those that everybody, or \
             library.group, may read.",
            Shape::List {
                accepts: "the path of a file or a folder, or a glob such as \"/var/spool/calls/**/*.wav\"",
                lone: false,
                min: 0,
                max: FILES_MAX,
                clear: |upload| upload.files.clear(),
                add: |upload, text, folder| {
                    upload.files.push(values::pin_path(text, folder)?);
                    Ok(())
                },
            },
        ),
        key(
            "queue",
            "10000",
            "Most uploads that wait, those given up included; one more gets 429.",
            Shape::Count {
                min: 1,
                max: 1_000_000,
                slot: |upload| &mut upload.queue,
            },
        ),
        key(
            "size",
            r#""20GiB""#,
            "Most bytes that they take on disk; what would exceed it gets 507.",
            Shape::Size {
                min: ByteSize::kib(64),
                max: ByteSize::mib(1 << 30),
                slot: |upload| &mut upload.size,
            },
        ),
        key(
            "concurrency",
            "4",
            "Most uploads under way at once.",
            Shape::Count {
                min: 1,
                max: 64,
                slot: |upload| &mut upload.concurrency,
            },
        ),
        key(
            "part_size",
            r#""16MiB""#,
            "Larger files go to S3 and Azure in parts of this size; AWS takes parts of 5MiB and more.",
            Shape::Size {
                min: ByteSize::kib(64),
                max: ByteSize::mib(4 << 10),
                slot: |upload| &mut upload.part_size,
            },
        ),
        key(
            "user_agent",
            concat!("\"hotplate/", env!("CARGO_PKG_VERSION"), "\""),
            "The User-Agent of requests with uploads.",
            Shape::Text {
                accepts: FIELD_FORM,
                set: |upload, text, _| {
                    upload.user_agent = values::field_value(text)?;
                    Ok(())
                },
            },
        ),
        key(
            "retry_min",
            r#""1s""#,
            "The wait after an upload's first failure; it doubles with each further one.",
            Shape::Time {
                min: RETRY_MIN,
                max: RETRY_MAX,
                slot: |upload| &mut upload.retry_min,
            },
        ),
        key(
            "retry_max",
            r#""10m""#,
            "The longest wait between two attempts.",
            Shape::Time {
                min: RETRY_MIN,
                max: RETRY_MAX,
                slot: |upload| &mut upload.retry_max,
            },
        ),
        key(
            "give_up",
            r#""168h""#,
            "How long an upload is tried for; then it stays until somebody retries or drops it.",
            Shape::Time {
                min: GIVE_UP_MIN,
                max: GIVE_UP_MAX,
                slot: |upload| &mut upload.give_up,
            },
        ),
        key(
            "record_limit",
            r#""24h""#,
            "How long a recording is kept that nobody has written anything to.",
            Shape::Time {
                min: GIVE_UP_MIN,
                max: GIVE_UP_MAX,
                slot: |upload| &mut upload.record_limit,
            },
        ),
        key(
            "cache",
            "false",
            "Whether what was uploaded becomes the cached copy of its URL. Only where the origin keeps what it is sent as it is.",
            Shape::Flag(|upload| &mut upload.cache),
        ),
    ],
    inner: &[],
};
