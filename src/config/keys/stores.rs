//! The keys of `[memory]` and `[disk]`.

use super::super::shape::{Shape, Table};
use super::super::{Settings, values};
use super::key;
use crate::store::tiers::DiskSettings;
use crate::units::ByteSize;

const MEMORY_MAX: ByteSize = ByteSize::mib(16 << 20);
const DISK_MIN: ByteSize = ByteSize::mib(4);
const DISK_MAX: ByteSize = ByteSize::mib(1 << 30);

/// `[memory]`
pub(in crate::config) static MEMORY: Table<Settings> = Table {
    name: "memory",
    written: "[memory]",
    keys: &[
        key(
            "size",
            r#""512MiB""#,
            "Most bytes that pins with hold = \"memory\" and the cache's memory store take together; \"0\": none.",
            Shape::Size {
                min: ByteSize(0),
                max: MEMORY_MAX,
                slot: |settings| &mut settings.memory.size,
            },
        ),
        key(
            "max_object",
            r#""64KiB""#,
            "Largest body that the memory store takes, at most size; \"0\": it takes none.",
            Shape::Size {
                min: ByteSize(0),
                max: MEMORY_MAX,
                slot: |settings| &mut settings.memory.max_object,
            },
        ),
    ],
    inner: &[],
};

/// `[disk]`
pub(in crate::config) static DISK: Table<DiskSettings> = Table {
    name: "disk",
    written: "[disk]",
    keys: &[
        key(
            "path",
            r#""""#,
            "Folder of the cache's disk store, its own alone; relative to this file's folder; \"\": no disk store.",
            Shape::Text {
                accepts: "the path of a folder that is there or can be made, or \"\"",
                set: |disk, text, folder| {
                    disk.path = values::store_folder(text, folder)?;
                    Ok(())
                },
            },
        ),
        key(
            "size",
            r#""20GiB""#,
            "Most bytes that the disk store takes on disk.",
            Shape::Size {
                min: DISK_MIN,
                max: DISK_MAX,
                slot: |disk| &mut disk.size,
            },
        ),
        key(
            "max_object",
            r#""0""#,
            "Largest body that the disk store takes, at most size; \"0\": no limit of its own.",
            Shape::Size {
                min: ByteSize(0),
                max: DISK_MAX,
                slot: |disk| &mut disk.max_object,
            },
        ),
        key(
            "block",
            r#""1MiB""#,
            "Unit in which parts of a body are fetched and kept when ranges of it are asked for.",
            Shape::PowerOfTwo {
                min: ByteSize::kib(64),
                max: ByteSize::mib(16),
                slot: |disk| &mut disk.block,
            },
        ),
    ],
    inner: &[],
};
