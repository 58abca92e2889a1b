//! URL paths of pins: the one place where the config turns what the operator wrote into a canonical path.

use std::path::Path;

use super::fault::Fault;
use crate::http::head::Method;
use crate::http::reject::Reject;
use crate::http::target::{encode_path, normalise};

/// Reads a URL path and returns its canonical form, the one that the index has for a request's target.
pub(super) fn canonical(text: &str) -> Result<String, Fault> {
    if !text.starts_with('/') {
        return Err(Fault::UrlNotRooted);
    }
    if text.contains(['?', '#']) {
        return Err(Fault::UrlWithQuery);
    }
    let mut scratch = Vec::new();
    match normalise(Method::Get, text.as_bytes(), &mut scratch) {
        // A canonical path is ASCII, so nothing is lost.
        Ok(target) => Ok(String::from_utf8_lossy(target.path).into_owned()),
        Err(Reject::TargetPercentMalformed | Reject::TargetNul) => Err(Fault::UrlPercent),
        Err(Reject::TargetEscapes) => Err(Fault::UrlEscapes),
        Err(_) => Err(Fault::UrlOctet),
    }
}

/// The URL path of the file at `path` under a rule's canonical `url`: a `url` that ends with `/` gets the file's name.
pub(super) fn of_file(url: &str, path: &Path) -> String {
    if !url.ends_with('/') {
        return url.to_owned();
    }
    let name = path.file_name().unwrap_or_default();
    let mut encoded = Vec::new();
    encode_path(name.as_encoded_bytes(), &mut encoded);
    format!("{url}{}", String::from_utf8_lossy(&encoded))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_becomes_canonical() {
        let cases = [
            ("/", "/"),
            ("/prompts/", "/prompts/"),
            ("/a%2db", "/a-b"),
            ("/a%2fb", "/a%2Fb"),
            ("/a/./b/../c", "/a/c"),
            ("/a/..", "/"),
            ("/a/%2e%2E/b", "/b"),
            ("/ä", "/%C3%A4"),
            ("/a//b", "/a//b"),
            ("/a b".replace(' ', "%20").as_str(), "/a%20b"),
        ]
        .map(|(text, path)| (text.to_owned(), path));
        for (text, path) in cases {
            assert_eq!(canonical(&text).as_deref(), Ok(path), "{text}");
            assert_eq!(canonical(path).as_deref(), Ok(path), "{path}");
        }
    }

    #[test]
    fn url_that_is_none_names_its_fault() {
        let cases = [
            ("", Fault::UrlNotRooted),
            ("prompts/", Fault::UrlNotRooted),
            ("http://host/", Fault::UrlNotRooted),
            ("/a?b", Fault::UrlWithQuery),
            ("/a#b", Fault::UrlWithQuery),
            ("/a b", Fault::UrlOctet),
            ("/a\tb", Fault::UrlOctet),
            ("/a\\b", Fault::UrlOctet),
            ("/a%", Fault::UrlPercent),
            ("/a%4", Fault::UrlPercent),
            ("/a%zz", Fault::UrlPercent),
            ("/a%00", Fault::UrlPercent),
            ("/..", Fault::UrlEscapes),
            ("/a/../..", Fault::UrlEscapes),
        ];
        for (text, fault) in cases {
            assert_eq!(canonical(text), Err(fault), "{text}");
        }
    }

    #[test]
    fn name_of_a_file_is_appended_to_a_url_that_ends_with_a_slash() {
        let cases = [
            ("/x/", "/srv/a b.wav", "/x/a%20b.wav"),
            ("/x", "/srv/a.wav", "/x"),
            ("/", "/srv/100%.wav", "/100%25.wav"),
        ];
        for (url, path, full) in cases {
            assert_eq!(of_file(url, Path::new(path)), full);
        }
    }
}
