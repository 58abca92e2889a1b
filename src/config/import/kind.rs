//! Which program's config a text is, told by what is in it.

use super::apache::syntax::{Lines, Statement};

/// The programs whose configs can be imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Apache httpd.
    Apache,
    /// FreeSWITCH, mod_http_cache.
    FreeSwitch,
}

/// Directives of which one at least is in every config that there is anything to import of.
const DIRECTIVES: [&str; 13] = [
    "listen",
    "servername",
    "serverroot",
    "documentroot",
    "include",
    "includeoptional",
    "loadmodule",
    "define",
    "alias",
    "header",
    "proxypass",
    "proxypassmatch",
    "mmapfile",
];

/// Sections that no other program's configs have.
const SECTIONS: [&str; 4] = ["virtualhost", "ifmodule", "directory", "location"];

/// Most bytes that are looked at.
const LOOK_BYTES_MAX: usize = 1 << 20;

/// The program that a config is of; none: neither.
pub(super) fn of(bytes: &[u8]) -> Option<Kind> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let looked = &bytes[..bytes.len().min(LOOK_BYTES_MAX)];
    if looked.contains(&0) {
        return None;
    }
    let text = String::from_utf8_lossy(looked);
    let start = text.trim_start();
    let xml = [
        "<?xml",
        "<!--",
        "<!DOCTYPE",
        "<configuration",
        "<include>",
        "<include ",
        "<document",
        "<section",
        "<X-PRE-PROCESS",
    ];
    if xml.iter().any(|word| start.starts_with(word)) {
        return Some(Kind::FreeSwitch);
    }
    let mut is_known = false;
    for line in Lines::new(looked).flatten() {
        // Other programs' words are alike, but their lines end otherwise.
        if line.text.trim_end().ends_with(['{', ';']) {
            return None;
        }
        let (name, is_section, is_alone) = match line.statement() {
            Ok(Statement::Directive { name, arguments }) => (name, false, arguments.is_empty()),
            Ok(Statement::Open { name, .. } | Statement::Close { name }) => (name, true, false),
            // A mistake in a config, or no config at all.
            Err(_) => break,
        };
        let name = line.text[name].to_ascii_lowercase();
        is_known |= match is_section {
            true => SECTIONS.contains(&name.as_str()),
            false => !is_alone && is_directive(&name),
        };
    }
    is_known.then_some(Kind::Apache)
}

fn is_directive(name: &str) -> bool {
    DIRECTIVES.contains(&name) || name.starts_with("cache") || name.starts_with("mcache")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kind_is_told_by_what_is_in_the_text() {
        let cases = [
            (
                "<configuration name=\"http_cache.conf\">",
                Some(Kind::FreeSwitch),
            ),
            (
                "\u{feff}\n<?xml version=\"1.0\"?><include/>",
                Some(Kind::FreeSwitch),
            ),
            ("<include>\n", Some(Kind::FreeSwitch)),
            ("# a\nListen 80\n", Some(Kind::Apache)),
            ("<VirtualHost *:80>\n</VirtualHost>", Some(Kind::Apache)),
            (
                "<IfModule mod_cache.c>\nCacheEnable disk /\n",
                Some(Kind::Apache),
            ),
            ("cacheroot /a", Some(Kind::Apache)),
            ("User ${APACHE_RUN_USER}\nInclude a", Some(Kind::Apache)),
            ("server {\n  listen 80;\n}", None),
            ("[server]\nlisten = [\"a\"]\n", None),
            ("{\"a\": 1}", None),
            ("#!/bin/sh\necho a", None),
            ("Listen 80\0", None),
            ("Listen 80\n *\n", Some(Kind::Apache)),
            ("ServerAlias a \\\n  *.b\nListen 80", Some(Kind::Apache)),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(of(text.as_bytes()), expected, "{text}");
        }
    }
}
