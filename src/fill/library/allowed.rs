//! Which hosts may be asked although they are no site's: fetched from, or uploaded to. Pure.

use std::net::IpAddr;

/// A host, or all below a domain; with a port, at that port alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPattern {
    name: Name,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Name {
    /// `*`.
    Every,
    /// `*.example.com`, as `.example.com`.
    Below(String),
    /// A name or an address.
    Exact(String),
}

impl HostPattern {
    /// A pattern of `host`, which is in lower case: `*`, `*.` and a domain, or a name or an address (IPv6 in brackets).
    #[must_use]
    pub fn new(host: &str, port: Option<u16>) -> Self {
        let name = match host.strip_prefix('*') {
            Some("") => Name::Every,
            Some(domain) => Name::Below(domain.to_owned()),
            None => Name::Exact(host.to_owned()),
        };
        Self { name, port }
    }

    /// Whether `host`, in lower case, may be asked at `port`.
    #[must_use]
    pub fn allows(&self, host: &str, port: u16) -> bool {
        let is_named = match &self.name {
            Name::Every => true,
            Name::Exact(name) => name == host,
            Name::Below(domain) => host.len() > domain.len() && host.ends_with(domain.as_str()),
        };
        is_named && self.port.is_none_or(|only| only == port)
    }

    /// Whether it names one address, so that this is meant although it may be a private one.
    #[must_use]
    pub fn is_an_address(&self) -> bool {
        let Name::Exact(name) = &self.name else {
            return false;
        };
        let bare = name
            .strip_prefix('[')
            .and_then(|name| name.strip_suffix(']'));
        bare.unwrap_or(name).parse::<IpAddr>().is_ok()
    }
}

/// Whether a host is asked at its public addresses alone; none where none of `patterns` allows it. One that is listed as an address is
/// meant, whatever that is.
#[must_use]
pub fn public_only(
    patterns: &[HostPattern],
    allow_private: bool,
    (host, port): (&str, u16),
) -> Option<bool> {
    let mut allowing = patterns
        .iter()
        .filter(|pattern| pattern.allows(host, port))
        .peekable();
    allowing.peek()?;
    let is_meant = allowing.any(HostPattern::is_an_address);
    Some(!(allow_private || is_meant))
}

/// Whether a Content-Type is among `wanted`, which are in lower case; all are where none is wanted.
#[must_use]
pub(super) fn is_wanted_type(wanted: &[Box<str>], content_type: &[u8]) -> bool {
    let end = memchr::memchr(b';', content_type).unwrap_or(content_type.len());
    let essence = content_type.get(..end).unwrap_or_default().trim_ascii();
    let essence = essence.to_ascii_lowercase();
    let fits = |pattern: &str| match pattern.strip_suffix('*') {
        Some(kind) => essence.starts_with(kind.as_bytes()),
        None => essence == pattern.as_bytes(),
    };
    wanted.is_empty() || wanted.iter().any(|pattern| fits(pattern))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pattern_allows_a_host_a_domain_or_everything_at_one_port_or_all() {
        let cases = [
            ("a.example", None, "a.example", 80, true),
            ("a.example", None, "b.a.example", 80, false),
            ("a.example", Some(8080), "a.example", 8080, true),
            ("a.example", Some(8080), "a.example", 80, false),
            ("*.example", None, "a.example", 1, true),
            ("*.example", None, "b.a.example", 1, true),
            ("*.example", None, "example", 1, false),
            ("*.example", None, "badexample", 1, false),
            ("*", None, "anything", 1, true),
            ("[::1]", None, "[::1]", 1, true),
        ];
        for (pattern, only, host, port, allowed) in cases {
            let pattern = HostPattern::new(pattern, only);
            assert_eq!(pattern.allows(host, port), allowed, "{pattern:?} {host}");
        }
    }

    #[test]
    fn address_is_told_from_a_name() {
        for (text, is_address) in [
            ("127.0.0.1", true),
            ("[::1]", true),
            ("a.example", false),
            ("*", false),
            ("*.0.0.1", false),
        ] {
            assert_eq!(HostPattern::new(text, None).is_an_address(), is_address);
        }
    }

    #[test]
    fn private_addresses_are_for_hosts_that_are_listed_as_such() {
        let patterns = [
            HostPattern::new("*", Some(80)),
            HostPattern::new("127.0.0.1", None),
        ];
        let found = |allow_private, host| public_only(&patterns, allow_private, host);
        assert_eq!(found(false, ("a.example", 80)), Some(true));
        assert_eq!(found(true, ("a.example", 80)), Some(false));
        assert_eq!(found(false, ("127.0.0.1", 80)), Some(false));
        assert_eq!(found(false, ("127.0.0.2", 80)), Some(true));
        assert_eq!(found(true, ("a.example", 81)), None);
    }

    #[test]
    fn content_type_is_compared_without_parameters_and_case() {
        let wanted: [Box<str>; 2] = ["audio/*".into(), "application/ogg".into()];
        for (content_type, is_wanted) in [
            ("audio/wav", true),
            ("Audio/MPEG; rate=8000", true),
            ("application/OGG ;x=y", true),
            ("application/octet-stream", false),
            ("text/html; charset=utf-8", false),
            ("", false),
        ] {
            assert_eq!(is_wanted_type(&wanted, content_type.as_bytes()), is_wanted);
        }
        assert!(is_wanted_type(&[], b"text/html"));
    }
}
