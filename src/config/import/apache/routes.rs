//! `ProxyPass` and `ProxyPassMatch`: which paths go to which URL.

use super::super::fault::ImportError;
use super::ledger::Ledger;
use super::listen::unknown;
use super::tree::{Directive, Scope};
use crate::config::origin_url;
use crate::config::url;

/// Where a path goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// To an http or https URL: scheme and authority, then the path that replaces the prefix.
    Url {
        /// Scheme and authority.
        base: String,
        /// The path, without a slash at its end.
        path: String,
    },
    /// To the members of a balancer.
    Balancer {
        /// Its name.
        name: String,
        /// As above.
        path: String,
    },
    /// Not to the proxy.
    Local,
    /// To what Hotplate can't reach, and why.
    Unreachable(&'static str),
}

/// One `ProxyPass`.
#[derive(Clone, Debug)]
pub(super) struct Route {
    /// The number of the directive.
    pub(super) number: usize,
    /// The path that it is for with all below, without a slash at its end: `""` is for all; none for a pattern.
    pub(super) prefix: Option<String>,
    /// Where it goes.
    pub(super) target: Target,
    /// Its parameters, `key=value`.
    pub(super) parameters: Vec<String>,
}

impl Route {
    /// Whether paths stay as they are.
    pub(super) fn keeps_paths(&self) -> bool {
        match (&self.prefix, &self.target) {
            // A path before all others is an origin's base.
            (Some(prefix), _) if prefix.is_empty() => true,
            (Some(prefix), Target::Url { path, .. } | Target::Balancer { path, .. }) => {
                prefix == path
            }
            _ => true,
        }
    }
}

/// The routes of a host in the order in which Apache tries them: those in `<Location>` go first.
pub(super) fn routes(ledger: &Ledger<'_>, host: usize) -> Result<Vec<Route>, ImportError> {
    let mut routes = Vec::new();
    let mut numbers = ledger.of_host(host, "proxypass");
    numbers.extend(ledger.of_host(host, "proxypassmatch"));
    numbers.sort_by_key(|number| {
        let directive = ledger.directive(*number);
        let is_in_location = ledger.tree.scope(directive).is_some();
        (!is_in_location, directive.host, *number)
    });
    for number in numbers {
        routes.push(route(ledger, number)?);
    }
    Ok(routes)
}

fn route(ledger: &Ledger<'_>, number: usize) -> Result<Route, ImportError> {
    let directive = ledger.directive(number);
    let is_flag = |word: &&String| ["interpolate", "noquery"].contains(&word.as_str());
    let mut words = directive
        .words
        .iter()
        .skip_while(is_flag)
        .map(String::as_str)
        .peekable();
    let is_match = directive.name == "proxypassmatch" || words.next_if_eq(&"~").is_some();
    let scope = ledger.tree.scope(directive).map(|section| &section.scope);
    let accepts = "followed by a path and a URL, or by a URL alone in a <Location>";
    let path = match scope {
        None => words
            .next()
            .ok_or_else(|| ledger.tree.wrong(directive, 0, accepts))?,
        Some(Scope::Location(path)) => path.as_str(),
        Some(_) => "",
    };
    let url = words
        .next()
        .ok_or_else(|| ledger.tree.wrong(directive, 1, accepts))?;
    let is_pattern = is_match && scope.is_none()
        || matches!(scope, Some(scope) if !matches!(scope, Scope::Location(_)));
    let (prefix, url) = match is_pattern {
        false => (Some(path), url.to_owned()),
        true => match plain(path, url) {
            Some((prefix, url)) => (Some(prefix), url),
            None => (None, url.to_owned()),
        },
    };
    let parameters = words.map(str::to_owned).collect();
    let canonical = prefix.map(|prefix| match prefix {
        "" => Some(String::new()),
        prefix => url::canonical(prefix)
            .ok()
            .map(|path| path.trim_end_matches('/').to_owned()),
    });
    let (prefix, is_path) = match canonical {
        None => (None, true),
        Some(None) => (None, false),
        Some(Some(prefix)) => (Some(prefix), true),
    };
    let target = match target(directive, &url) {
        _ if !directive.unknown.is_empty() => Target::Unreachable(""),
        _ if !is_path => Target::Unreachable("the path is no URL path"),
        target => target,
    };
    Ok(Route {
        number,
        prefix,
        target,
        parameters,
    })
}

/// Reads where a route goes.
fn target(directive: &Directive, url: &str) -> Target {
    if url == "!" {
        return Target::Local;
    }
    let Some((scheme, rest)) = url.split_once("://") else {
        return Target::Unreachable("it goes to a socket or to a name that is no URL");
    };
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let path = match path.trim_end_matches('/') {
        "" => String::new(),
        path => match url::canonical(path) {
            Ok(path) => path,
            Err(_) => {
                return Target::Unreachable(
                    "the URL's path is none, or has parts of the pattern in it",
                );
            }
        },
    };
    match scheme.to_ascii_lowercase().as_str() {
        "balancer" => Target::Balancer {
            name: authority.to_ascii_lowercase(),
            path,
        },
        "http" | "https" if path.contains('$') || authority.contains('$') => {
            Target::Unreachable("the URL has parts of the pattern or of the request in it")
        }
        "http" | "https" => match origin_url::origin(&format!("{scheme}://{authority}")) {
            Ok(origin) => Target::Url {
                base: origin.to_string(),
                path,
            },
            Err(_) if directive.written.contains('@') => {
                Target::Unreachable("the URL has a user in it, which origins are not asked with")
            }
            Err(_) => Target::Unreachable("the URL has no host that can be asked"),
        },
        "ws" | "wss" => Target::Unreachable("WebSockets are not passed on"),
        _ => Target::Unreachable("origins are asked by http or https only"),
    }
}

/// The prefix and the URL of a pattern that says no more than a prefix does: `^/images/(.*)$` with `$1` at the URL's end.
fn plain<'p>(pattern: &'p str, url: &str) -> Option<(&'p str, String)> {
    let inner = pattern.strip_prefix('^')?;
    if url == "!" {
        return is_literal(inner).then(|| (inner, url.to_owned()));
    }
    let inner = inner.strip_suffix('$').unwrap_or(inner);
    let base = url.strip_suffix("$1")?;
    if let Some(prefix) = inner.strip_suffix("(.*)") {
        return is_literal(prefix).then(|| (prefix, base.to_owned()));
    }
    // The group has the whole path: ^(/images/.*)$
    let prefix = inner.strip_prefix('(')?.strip_suffix(".*)")?;
    is_literal(prefix).then(|| (prefix, format!("{base}{prefix}")))
}

/// Whether no character means anything else than itself in a regular expression but a dot, which is taken for one.
fn is_literal(text: &str) -> bool {
    text.starts_with('/')
        && !text.contains([
            '(', ')', '[', ']', '{', '}', '*', '+', '?', '|', '^', '$', '\\',
        ])
}

/// Why a route that can't be reached is dropped.
pub(super) fn why_unreachable(directive: &Directive, why: &str) -> String {
    match directive.unknown.is_empty() {
        true => why.to_owned(),
        false => unknown(&directive.unknown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pattern_that_is_a_prefix_is_one() {
        let cases = [
            ("^/(.*)$", "http://a/$1", Some(("/", "http://a/"))),
            (
                "^/images/(.*)",
                "http://a/images/$1",
                Some(("/images/", "http://a/images/")),
            ),
            (
                "^(/images/.*)$",
                "http://a$1",
                Some(("/images/", "http://a/images/")),
            ),
            ("^/local/", "!", Some(("/local/", "!"))),
            (r"^(/.*\.gif)$", "http://a$1", None),
            ("^/(a|b)/(.*)$", "http://a/$1", None),
            ("/images/(.*)", "http://a/$1", None),
            ("^/images/(.*)$", "http://a/$2", None),
        ];
        for (pattern, url, expected) in cases {
            let found = plain(pattern, url);
            let found = found.as_ref().map(|(prefix, url)| (*prefix, url.as_str()));
            assert_eq!(found, expected, "{pattern}");
        }
    }
}
