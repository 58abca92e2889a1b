//! The keys of `[[pin]]`.

use super::super::shape::{Shape, Table};
use super::super::{url, values};
use super::{FIELD_FORM, HOST_FORM, HOSTS_MAX, key, needed};
use crate::store::pinned::{Hold, OnChange, PinRule};

/// `[[pin]]`
pub(in crate::config) static PIN: Table<PinRule> = Table {
    name: "pin",
    written: "[[pin]]",
    keys: &[
        needed(
            "path",
            "File, folder or glob to keep ready; relative to this file's folder.",
            Shape::Text {
                accepts: "the path of a file or a folder, or a glob such as \"/srv/prompts/**/*.wav\"",
                set: |pin, text, folder| {
                    pin.path = values::pin_path(text, folder)?;
                    Ok(())
                },
            },
        ),
        needed(
            "url",
            "URL path; one that ends with / gets the file's name, or its path below the folder or the glob's fixed part, appended.",
            Shape::Text {
                accepts: "a URL path, such as \"/prompts/\"",
                set: |pin, text, _| {
                    pin.url = url::canonical(text)?;
                    Ok(())
                },
            },
        ),
        key(
            "hosts",
            "[]",
            "Hosts that the pin is for; none: every host.",
            Shape::List {
                accepts: HOST_FORM,
                lone: false,
                min: 0,
                max: HOSTS_MAX,
                clear: |pin| pin.hosts.clear(),
                add: |pin, text, _| {
                    pin.hosts.push(values::host(text)?);
                    Ok(())
                },
            },
        ),
        key(
            "hold",
            r#""file""#,
            "Where the bytes live: an open descriptor, a shared read-only mapping, or a private copy in memory.",
            Shape::Choice(&[
                ("file", |pin| pin.hold = Hold::File),
                ("mmap", |pin| pin.hold = Hold::Mmap),
                ("memory", |pin| pin.hold = Hold::Memory),
            ]),
        ),
        key(
            "on_change",
            r#""swap""#,
            "What a change on disk does: swap shows the new file within a second, keep stays with the old one.",
            Shape::Choice(&[
                ("swap", |pin| pin.on_change = OnChange::Swap),
                ("keep", |pin| pin.on_change = OnChange::Keep),
            ]),
        ),
        key(
            "cache_control",
            r#""""#,
            "The Cache-Control field of its answers.",
            Shape::Text {
                accepts: FIELD_FORM,
                set: |pin, text, _| {
                    pin.cache_control = values::field_value(text)?;
                    Ok(())
                },
            },
        ),
        key(
            "content_type",
            r#""""#,
            "The Content-Type field of its answers; \"\" takes it from the file's name.",
            Shape::Text {
                accepts: "a media type, such as \"audio/wav\", or \"\"",
                set: |pin, text, _| {
                    pin.content_type = values::content_type(text)?;
                    Ok(())
                },
            },
        ),
    ],
    inner: &[],
};
