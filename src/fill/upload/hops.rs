//! The way of an upload over redirects.
//!
//! A redirect is the word of an origin, not of who asks: it never picks a profile, or an origin could have this machine write to a
//! bucket of ours, signed. The profile of the first URL is kept where it is for the next host too; else the hop goes without
//! credentials, and only where files may go. Nothing goes in clear text once a hop was encrypted. Pure but for the log of routes.

use super::target::{NoTarget, Routes, Target};
use super::verdict::Failure;
use crate::fill::library::Code;
use crate::policy::key::{self, Scheme};

/// Where an upload has been so far.
#[derive(Debug)]
pub(super) struct Hops<'f> {
    first: &'f Target,
    was_https: bool,
}

impl<'f> Hops<'f> {
    /// Begins at a target.
    pub(super) const fn from(first: &'f Target) -> Self {
        Self {
            first,
            was_https: false,
        }
    }

    /// Where a redirect with this status from `from` leads to.
    ///
    /// # Errors
    /// `RedirectRefused`: it leads nowhere, or where it must not go.
    pub(super) fn next(
        &mut self,
        from: &Target,
        (status, location): (u16, &[u8]),
        routes: &Routes,
    ) -> Result<Target, Failure> {
        let refuse = |why: &dyn std::fmt::Display| {
            let reason = format!("a redirect with {status} is not followed: {why}");
            Failure::permanent(reason).of_cause(Code::RedirectRefused)
        };
        self.was_https |= from.is_https();
        let location = String::from_utf8_lossy(location);
        let told = location.split('#').next().unwrap_or_default();
        if told.starts_with('/') && !told.starts_with("//") {
            return Ok(from.at_root(told.to_owned()));
        }
        let url = match told.starts_with("//") {
            true => format!("{}:{told}", from.scheme().name()),
            false => told.to_owned(),
        };
        let moved = Moved::of(&url).ok_or_else(|| refuse(&"it leads nowhere"))?;
        let known = [from, self.first];
        let next = match known.into_iter().find(|known| moved.is_of(known)) {
            Some(same) => same.at_root(moved.path),
            None => {
                let kept = self.first.settings.profile.as_ref();
                routes
                    .resolve_hop(&url, kept)
                    .map_err(|error: NoTarget| refuse(&error))?
            }
        };
        if self.was_https && !next.is_https() {
            return Err(refuse(&"it leads from https to http"));
        }
        Ok(next)
    }
}

/// An absolute URL, taken apart for the comparison of origins.
struct Moved {
    scheme: Scheme,
    authority: String,
    path: String,
}

impl Moved {
    fn of(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return None,
        };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end)?;
        let path = match path {
            "" => "/".to_owned(),
            path if path.starts_with('?') => format!("/{path}"),
            path => path.to_owned(),
        };
        Some(Self {
            scheme,
            authority: authority.to_owned(),
            path,
        })
    }

    /// Whether it is of a target's origin, as the caller names it or as it is really asked.
    fn is_of(&self, target: &Target) -> bool {
        let (scheme, authority) = &target.origin;
        let url = target.settings.urls.first();
        self.is(*scheme, authority)
            || url.is_some_and(|url| self.is(target.scheme(), &url.authority()))
    }

    fn is(&self, scheme: Scheme, authority: &str) -> bool {
        let own = self.authority.as_bytes();
        self.scheme == scheme && key::is_same_origin(scheme, own, authority.as_bytes())
    }
}

#[cfg(test)]
#[path = "hops_tests.rs"]
mod tests;
