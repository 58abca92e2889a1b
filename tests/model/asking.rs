//! A client's request, and what of it caches look at.

use crate::harness::Request;

/// A request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asking {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    /// Of a URL whose rule ignores it.
    pub(crate) query: &'static str,
    /// Field lines, names in lower case.
    pub(crate) fields: Vec<(&'static str, String)>,
}

/// What RFC 9111 s5.2.1 lets a client wish.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wishes {
    pub(crate) no_cache: bool,
    pub(crate) no_store: bool,
    pub(crate) only_if_cached: bool,
    pub(crate) max_age: Option<u64>,
    pub(crate) min_fresh: Option<u64>,
    /// The most that is accepted.
    pub(crate) max_stale: Option<u64>,
}

impl Asking {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn wishes(&self) -> Wishes {
        let mut wishes = Wishes::default();
        let directives = self.field("cache-control").unwrap_or_default();
        for directive in directives.split(", ") {
            let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
            let seconds = value.parse().ok();
            match name {
                "no-cache" => wishes.no_cache = true,
                "no-store" => wishes.no_store = true,
                "only-if-cached" => wishes.only_if_cached = true,
                "max-age" => wishes.max_age = seconds,
                "min-fresh" => wishes.min_fresh = seconds,
                "max-stale" => wishes.max_stale = Some(seconds.unwrap_or(u64::MAX)),
                _ => {}
            }
        }
        wishes.no_cache |= directives.is_empty() && self.field("pragma") == Some("no-cache");
        wishes
    }

    pub(crate) fn request(&self) -> Request {
        let target = format!("{}{}", self.path, self.query);
        let mut request = Request::new(self.method, &target);
        for (name, value) in &self.fields {
            request = request.with(name, value);
        }
        if self.is_safe() {
            request
        } else {
            request.body(b"change")
        }
    }

    pub(crate) fn is_safe(&self) -> bool {
        matches!(self.method, "GET" | "HEAD")
    }
}

impl std::fmt::Display for Asking {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}{}", self.method, self.path, self.query)?;
        for (name, value) in &self.fields {
            write!(f, " [{name}: {value}]")?;
        }
        Ok(())
    }
}
