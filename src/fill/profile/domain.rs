//! The domains that a profile is for: host names, alone or with all names below them.
//!
//! Pure. A domain without a port is for its scheme's own port; one with a port is for that port alone: what listens on another
//! port of the same machine is somebody else.

use std::fmt;

/// A domain of a profile.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Domain {
    /// Whether it is written `*.name`: every name below is meant, and the name itself is not.
    pub is_suffix: bool,
    /// The name or IP literal in lower case.
    pub name: String,
    /// The port; none: the scheme's own.
    pub port: Option<u16>,
}

impl Domain {
    /// How well the domain fits `host`, in lower case, and `port`, none for the scheme's own: better is larger. None where it
    /// does not fit.
    #[must_use]
    pub fn fit(&self, host: &str, port: Option<u16>) -> Option<usize> {
        if self.port != port {
            return None;
        }
        if !self.is_suffix {
            return (self.name == host).then_some(usize::MAX);
        }
        self.below(host).map(|_| self.name.len())
    }

    /// What stands before the domain and its dot in `host`.
    #[must_use]
    pub fn below<'h>(&self, host: &'h str) -> Option<&'h str> {
        if !self.is_suffix {
            return None;
        }
        let before = host.strip_suffix(self.name.as_str())?.strip_suffix('.')?;
        (!before.is_empty()).then_some(before)
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let star = if self.is_suffix { "*." } else { "" };
        write!(f, "{star}{}", self.name)?;
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

/// Takes an authority apart into host, in lower case, and port.
#[must_use]
pub fn host_and_port(authority: &str) -> (String, Option<u16>) {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && !port.contains(']') => (host, port.parse().ok()),
        _ => (authority, None),
    };
    (host.to_ascii_lowercase(), port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domain(text: &str) -> Domain {
        let (host, port) = host_and_port(text);
        let suffix = host.strip_prefix("*.");
        Domain {
            is_suffix: suffix.is_some(),
            name: suffix.unwrap_or(&host).to_owned(),
            port,
        }
    }

    #[test]
    fn domain_fits_its_name_and_its_port_alone() {
        let cases = [
            ("a.example", "a.example", true),
            ("a.example", "A.Example", true),
            ("a.example", "b.a.example", false),
            ("a.example", "a.example:8080", false),
            ("a.example:8080", "a.example:8080", true),
            ("a.example:8080", "a.example", false),
            ("*.a.example", "b.a.example", true),
            ("*.a.example", "c.b.a.example", true),
            ("*.a.example", "a.example", false),
            ("*.a.example", ".a.example", false),
            ("*.a.example", "ba.example", false),
            ("*.a.example", "b.a.example.com", false),
            ("*.a.example:81", "b.a.example:81", true),
            ("[::1]:81", "[::1]:81", true),
            ("[::1]", "[::1]", true),
        ];
        for (pattern, authority, fits) in cases {
            let (host, port) = host_and_port(authority);
            let found = domain(pattern).fit(&host, port).is_some();
            assert_eq!(found, fits, "{pattern} for {authority}");
        }
    }

    #[test]
    fn longer_suffix_fits_better_and_the_whole_name_best() {
        let fits = ["*.example", "*.a.example", "b.a.example"]
            .map(|pattern| domain(pattern).fit("b.a.example", None));
        assert!(fits[0] < fits[1] && fits[1] < fits[2]);
        assert_eq!(domain("*.a.example").to_string(), "*.a.example");
        assert_eq!(domain("*.a.example:81").to_string(), "*.a.example:81");
    }
}
