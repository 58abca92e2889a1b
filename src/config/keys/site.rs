//! The keys of `[[site]]`.

use super::super::shape::{Shape, Table};
use super::super::values;
use super::{FIELD_FORM, HOST_FORM, HOSTS_MAX, key, needed};
use crate::index::sites::SiteRule;

/// `[[site]]`
pub(in crate::config) static SITE: Table<SiteRule> = Table {
    name: "site",
    written: "[[site]]",
    keys: &[
        key(
            "hosts",
            "[]",
            "Hosts that the site answers for; none or \"*\": all that no other site has.",
            Shape::List {
                accepts: HOST_FORM,
                min: 0,
                max: HOSTS_MAX,
                clear: |site| site.hosts.clear(),
                add: |site, text, _| {
                    site.hosts.push(values::host(text)?);
                    Ok(())
                },
            },
        ),
        needed(
            "root",
            "Folder whose files are served; relative to this file's folder.",
            Shape::Text {
                accepts: "the path of a folder",
                set: |site, text, folder| {
                    site.root = values::root(text, folder)?;
                    Ok(())
                },
            },
        ),
        key(
            "cache_control",
            r#""""#,
            "The Cache-Control field of its answers.",
            Shape::Text {
                accepts: FIELD_FORM,
                set: |site, text, _| {
                    site.cache_control = values::field_value(text)?;
                    Ok(())
                },
            },
        ),
    ],
};
