//! URLs and authorities of origins: the one place where the config takes them apart.
//!
//! A user or a password in them is refused (RFC 9110 s4.2.4) and never repeated.

use super::fault::Fault;
use super::{url, values};
use crate::fill::library::HostPattern;
use crate::policy::origin_rule::OriginUrl;

/// Reads an origin's URL: scheme, host, port, and a path to go before the requests'.
pub(super) fn origin(text: &str) -> Result<OriginUrl, Fault> {
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err(if text.contains('@') {
            Fault::UrlWithUser
        } else {
            Fault::UrlWithoutScheme
        });
    };
    let https = match scheme.to_ascii_lowercase().as_str() {
        "http" => false,
        "https" => true,
        _ => return Err(Fault::UrlWithoutScheme),
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let (host, port) = host_and_port(authority)?;
    if path.contains(['?', '#']) {
        return Err(Fault::UrlWithQuery);
    }
    let base = if path.is_empty() {
        String::new()
    } else {
        url::canonical(path)?.trim_end_matches('/').to_owned()
    };
    Ok(OriginUrl {
        https,
        host,
        port: port.unwrap_or(if https { 443 } else { 80 }),
        base,
    })
}

/// Reads the Host field of an origin's requests, in lower case; empty for the client's.
pub(super) fn host_field(text: &str) -> Result<String, Fault> {
    if text.is_empty() {
        return Ok(String::new());
    }
    let (host, port) = host_and_port(text)?;
    Ok(match port {
        Some(port) => format!("{host}:{port}"),
        None => host,
    })
}

/// Reads what stands for scheme and authority in a key; empty for none.
pub(super) fn key_base(text: &str) -> Result<Option<Box<str>>, Fault> {
    if text.is_empty() {
        return Ok(None);
    }
    let url = origin(text)?;
    if url.base.is_empty() {
        Ok(Some(url.to_string().into()))
    } else {
        Err(Fault::UrlWithPath)
    }
}

/// Reads hosts that may be asked: a host, `*.` and a domain, or `*`, each with or without a port.
pub(super) fn host_pattern(text: &str) -> Result<HostPattern, Fault> {
    if text == "*" {
        return Ok(HostPattern::new(text, None));
    }
    let below = text.strip_prefix("*.");
    let (host, port) = host_and_port(below.unwrap_or(text))?;
    if below.is_some()
        && host
            .bytes()
            .all(|byte| byte.is_ascii_digit() || b".[]:".contains(&byte))
    {
        return Err(Fault::NotAHost);
    }
    let star = if below.is_some() { "*." } else { "" };
    Ok(HostPattern::new(&format!("{star}{host}"), port))
}

/// Host, in lower case, and port of an authority (RFC 3986 s3.2).
fn host_and_port(authority: &str) -> Result<(String, Option<u16>), Fault> {
    if authority.contains('@') {
        return Err(Fault::UrlWithUser);
    }
    let host_end = if authority.starts_with('[') {
        authority.find(']').map_or(authority.len(), |at| at + 1)
    } else {
        authority.find(':').unwrap_or(authority.len())
    };
    let (host, after) = authority.split_at(host_end);
    if host == "*" {
        return Err(Fault::NotAHost);
    }
    let host = values::host(host)?;
    if after.is_empty() {
        return Ok((host, None));
    }
    let digits = after.strip_prefix(':').ok_or(Fault::NotAHost)?;
    let is_number = digits.bytes().all(|digit| digit.is_ascii_digit());
    match digits.parse() {
        Ok(port @ 1..) if is_number => Ok((host, Some(port))),
        _ => Err(Fault::NotAPort),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origin_is_taken_apart() {
        let cases = [
            ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
            ("http://a.example", "http://a.example"),
            ("HTTPS://A.Example:443/", "https://a.example"),
            ("https://a.example:80", "https://a.example:80"),
            ("http://[2001:DB8::1]:81/x/", "http://[2001:db8::1]:81/x"),
            ("http://[::1]", "http://[::1]"),
            ("http://a/b/../c%2d/", "http://a/c-"),
            ("http://my_host:08080//", "http://my_host:8080"),
        ];
        for (text, expected) in cases {
            let read = origin(text).map(|url| url.to_string());
            assert_eq!(read.as_deref(), Ok(expected), "{text}");
            assert_eq!(origin(expected), origin(text), "{text}");
        }
        let url = origin("https://a.example/x").unwrap();
        assert_eq!((url.https, url.port, url.base.as_str()), (true, 443, "/x"));
    }

    #[test]
    fn origin_that_is_none_names_its_fault() {
        let cases = [
            ("", Fault::UrlWithoutScheme),
            ("127.0.0.1:8000", Fault::UrlWithoutScheme),
            ("//a.example", Fault::UrlWithoutScheme),
            ("ftp://a.example", Fault::UrlWithoutScheme),
            ("http:/a.example", Fault::UrlWithoutScheme),
            ("http://", Fault::NotAHost),
            ("http:///x", Fault::NotAHost),
            ("http://*", Fault::NotAHost),
            ("http://a b", Fault::NotAHost),
            ("http://a\\b", Fault::NotAHost),
            ("http://::1", Fault::NotAHost),
            ("http://[::1", Fault::NotAHost),
            ("http://[::1]x", Fault::NotAHost),
            ("http://1.2.3.256", Fault::NotAHost),
            ("http://bücher.example", Fault::HostNotAscii),
            ("http://a:", Fault::NotAPort),
            ("http://a:0", Fault::NotAPort),
            ("http://a:65536", Fault::NotAPort),
            ("http://a:+80", Fault::NotAPort),
            ("http://a:80:80", Fault::NotAPort),
            ("http://a:http", Fault::NotAPort),
            ("http://u@a", Fault::UrlWithUser),
            ("http://u:p@a:80/x", Fault::UrlWithUser),
            ("u:p@a:80", Fault::UrlWithUser),
            ("http://a?b", Fault::UrlWithQuery),
            ("http://a/b?c", Fault::UrlWithQuery),
            ("http://a#b", Fault::UrlWithQuery),
            ("http://a/b c", Fault::UrlOctet),
            ("http://a/%zz", Fault::UrlPercent),
            ("http://a/..", Fault::UrlEscapes),
        ];
        for (text, fault) in cases {
            assert_eq!(origin(text), Err(fault), "{text}");
        }
    }

    #[test]
    fn host_field_is_a_host_with_or_without_a_port() {
        let cases = [
            ("", Ok("")),
            ("Media.Example.com", Ok("media.example.com")),
            ("a.example:8080", Ok("a.example:8080")),
            ("[::1]:80", Ok("[::1]:80")),
            ("*", Err(Fault::NotAHost)),
            ("http://a", Err(Fault::NotAPort)),
            ("u:p@a", Err(Fault::UrlWithUser)),
            ("a/b", Err(Fault::NotAHost)),
        ];
        for (text, expected) in cases {
            assert_eq!(
                host_field(text).as_deref(),
                expected.as_ref().copied(),
                "{text}"
            );
        }
    }

    #[test]
    fn host_pattern_is_a_host_a_domain_or_all() {
        for (text, host, port) in [
            ("*", "*", None),
            ("Media.Example.com", "media.example.com", None),
            ("*.Example.com:8080", "*.example.com", Some(8080)),
            ("127.0.0.1", "127.0.0.1", None),
            ("[::1]:81", "[::1]", Some(81)),
        ] {
            assert_eq!(
                host_pattern(text),
                Ok(HostPattern::new(host, port)),
                "{text}"
            );
        }
        for text in [
            "", "*.", "*a", "a.*", "*.*", "*.1.2.3", "http://a", "a/b", "u@a", "a:0",
        ] {
            assert!(host_pattern(text).is_err(), "{text}");
        }
    }

    #[test]
    fn key_base_is_a_scheme_and_an_authority() {
        let cases = [
            ("", Ok(None)),
            (
                "HTTP://Media.Example.com:80/",
                Ok(Some("http://media.example.com")),
            ),
            ("https://a:8443", Ok(Some("https://a:8443"))),
            ("a.example", Err(Fault::UrlWithoutScheme)),
            ("http://a/b", Err(Fault::UrlWithPath)),
            ("http://u@a", Err(Fault::UrlWithUser)),
        ];
        for (text, expected) in cases {
            let read = key_base(text);
            assert_eq!(
                read.as_ref().map(Option::as_deref),
                expected.as_ref().map(|base| *base),
                "{text}"
            );
        }
    }
}
