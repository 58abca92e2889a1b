//! The origin of a site, as checked settings.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Where a site's content comes from, and how it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginRule {
    /// The origin's URLs, in the order in which they are tried; never empty, none twice.
    pub urls: Vec<OriginUrl>,
    /// Longest time to connect to one of them, its TLS handshake included.
    pub connect_timeout: Duration,
    /// Longest time from a request's last byte to its answer's first.
    pub first_byte_timeout: Duration,
    /// Longest time in which nothing more of an answer comes.
    pub between_bytes_timeout: Duration,
    /// Most connections to each of the URLs, idle ones included.
    pub connections: usize,
    /// The Host field of its requests; empty: the client's.
    pub host: String,
    /// Whether what clients say of those before them is believed: their `Forwarded` and `X-Forwarded-` fields go on.
    pub trusts_forwarded: bool,
    /// A file of PEM certificates, absolute, that https origins are verified by too.
    pub ca_file: Option<PathBuf>,
    /// Whether https origins are verified by the certificates that this system trusts.
    pub system_roots: bool,
    /// Whether https origins must prove who they are.
    pub verify_peer: bool,
    /// The name of the profile whose credentials the origin is asked with; empty: none. The scope of its keys.
    pub profile: String,
    /// Whether only public addresses are connected to (see `policy::public_address`), whatever the names resolve to.
    pub public_only: bool,
}

impl Default for OriginRule {
    /// No URLs; the other keys as they are when they aren't set.
    fn default() -> Self {
        Self {
            urls: Vec::new(),
            connect_timeout: Duration::from_secs(5),
            first_byte_timeout: Duration::from_secs(30),
            between_bytes_timeout: Duration::from_secs(30),
            connections: 256,
            host: String::new(),
            trusts_forwarded: false,
            ca_file: None,
            system_roots: true,
            verify_peer: true,
            profile: String::new(),
            public_only: false,
        }
    }
}

/// One URL of an origin.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OriginUrl {
    /// Whether it is asked over TLS.
    pub https: bool,
    /// A host name or an IP literal in lower case; IPv6 in brackets, as in a URL.
    pub host: String,
    /// The port; never 0.
    pub port: u16,
    /// What goes before a request's canonical path: empty, or a canonical path that does not end with `/`.
    pub base: String,
}

impl OriginUrl {
    /// The scheme: `http` or `https`.
    #[must_use]
    pub const fn scheme(&self) -> &'static str {
        if self.https { "https" } else { "http" }
    }

    /// The host without the brackets of an IPv6 literal, as resolvers and certificates have it.
    #[must_use]
    pub fn bare_host(&self) -> &str {
        let inner = self.host.strip_prefix('[');
        inner
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(&self.host)
    }

    /// Host and port as the Host field has them, the port left out where it is the scheme's own (RFC 9110 s4.2.3).
    #[must_use]
    pub fn authority(&self) -> String {
        let own_port = if self.https { 443 } else { 80 };
        if self.port == own_port {
            self.host.clone()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for OriginUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme(), self.authority(), self.base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bare_host_of_an_ipv6_literal_has_no_brackets() {
        for (host, bare) in [
            ("[::1]", "::1"),
            ("a.example", "a.example"),
            ("[::1", "[::1"),
        ] {
            let url = OriginUrl {
                https: false,
                host: host.to_owned(),
                port: 80,
                base: String::new(),
            };
            assert_eq!(url.bare_host(), bare);
        }
    }

    #[test]
    fn rfc9110_s4_2_3_own_port_of_the_scheme_is_left_out() {
        let url = |https, port| OriginUrl {
            https,
            host: "a.example".to_owned(),
            port,
            base: "/b".to_owned(),
        };
        let cases = [
            (false, 80, "http://a.example/b"),
            (false, 443, "http://a.example:443/b"),
            (true, 443, "https://a.example/b"),
            (true, 80, "https://a.example:80/b"),
        ];
        for (https, port, text) in cases {
            assert_eq!(url(https, port).to_string(), text);
        }
    }
}
