//! A URL as an operator writes it, and the cache keys that it stands for.
//!
//! Keys are made by the same functions as for a request, from the same table of sites. One URL can have several: the one
//! that a request for it has under the rules of today, the one that it had without them, and that of every host whose rule
//! puts this URL's host in its own place (`key_base_url`). The library has keys of its own, by the rule of `[library]` and
//! under the URL's own scheme. All of them exist in each scope.

use std::collections::BTreeSet;

use crate::http::authority::host_of;
use crate::http::reject::Reject;
use crate::index::sites::SiteTable;
use crate::policy::key::{self, KeyParts, Scheme};
use crate::policy::settings::{CacheRule, Overrides};
use crate::units::SiteId;

/// The scopes that keys have: those of the configs so far, and those of what is stored.
pub type Scopes = BTreeSet<Box<[u8]>>;

/// An absolute http or https URL, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedUrl {
    scheme: Scheme,
    authority: Box<[u8]>,
    path: Box<[u8]>,
    query: Option<Box<[u8]>>,
}

/// Why a prefix stands for no keys: it has a query, and the rule for this path takes queries apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryInPrefix {
    /// The path of the rule.
    pub rule: Box<[u8]>,
}

impl AskedUrl {
    /// Takes `text` apart.
    ///
    /// # Errors
    ///
    /// It is no such URL, or one that no request could have.
    pub fn parse(text: &str) -> Result<Self, Reject> {
        let mut scratch = Vec::new();
        let parts = key::from_url(text.as_bytes(), &mut scratch)?;
        // RFC 9110 s4.2.3: the scheme's own port and none are the same.
        let own_port: &[u8] = match parts.scheme {
            Scheme::Http => b":80",
            Scheme::Https => b":443",
        };
        let authority = parts.authority;
        Ok(Self {
            scheme: parts.scheme,
            authority: authority.strip_suffix(own_port).unwrap_or(authority).into(),
            path: parts.path.into(),
            query: parts.query.map(Into::into),
        })
    }

    /// The authority, without the port where that is the scheme's own.
    #[must_use]
    pub fn authority(&self) -> &[u8] {
        &self.authority
    }

    /// The host in lower case, as sites are found by it.
    #[must_use]
    pub fn host(&self) -> Vec<u8> {
        let host = host_of(&self.authority).unwrap_or_default();
        host.to_ascii_lowercase()
    }

    /// The canonical path.
    #[must_use]
    pub fn path(&self) -> &[u8] {
        &self.path
    }

    /// The request target in origin form.
    #[must_use]
    pub fn target(&self) -> Vec<u8> {
        let mut target = self.path.to_vec();
        if let Some(query) = &self.query {
            target.push(b'?');
            target.extend_from_slice(query);
        }
        target
    }

    /// Whether it is an https URL. Requests come in clear text, if need be from whoever speaks TLS in front, so its key is
    /// that of the http URL.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.scheme == Scheme::Https
    }

    /// The site that answers for it.
    #[must_use]
    pub fn site(&self, sites: &SiteTable) -> Option<SiteId> {
        sites.find(&self.host())
    }

    /// The key under `rule` in a scope.
    #[must_use]
    pub fn key(&self, rule: &Overrides, scope: Option<&[u8]>) -> Vec<u8> {
        let mut key = Vec::new();
        let parts = KeyParts {
            scope,
            ..self.parts(Scheme::Http)
        };
        key::append(&mut key, &parts, rule);
        key
    }

    /// All keys that it stands for.
    #[must_use]
    pub fn keys(&self, sites: &SiteTable, scopes: &Scopes) -> BTreeSet<Vec<u8>> {
        let own = self.site_rules(sites).map(|rules| rules.of(&self.path));
        let based = sites.iter().filter_map(|(_, facts)| {
            let rule = facts.rules.as_ref()?.of(&self.path);
            self.is_base_of(rule).then_some(rule)
        });
        let mut keys: BTreeSet<Vec<u8>> = own
            .into_iter()
            .chain(based)
            .map(|rule| self.key(&rule.overrides, None))
            .collect();
        keys.insert(self.key(&Overrides::default(), None));
        for rule in [&Overrides::default(), sites.library()] {
            let mut key = Vec::new();
            key::append(&mut key, &self.parts(self.scheme), rule);
            keys.insert(key);
        }
        in_every_scope(keys, scopes)
    }

    /// The beginnings of the keys of all URLs that begin with this one; none of them is the beginning of another.
    ///
    /// # Errors
    ///
    /// It has a query, and a rule below it takes queries apart.
    pub fn prefixes(
        &self,
        sites: &SiteTable,
        scopes: &Scopes,
    ) -> Result<Vec<Vec<u8>>, QueryInPrefix> {
        let own = self.site_rules(sites);
        let own = own.map(|rules| rules.of_prefix(&self.path));
        let based = sites.iter().flat_map(|(_, facts)| {
            let rules = facts.rules.as_ref();
            let below = rules.map(|rules| rules.of_prefix(&self.path));
            let below = below.into_iter().flatten();
            below.filter(|rule| self.is_base_of(rule))
        });
        let mut prefixes = BTreeSet::from([self.key(&Overrides::default(), None)]);
        let mut key = Vec::new();
        key::append(&mut key, &self.parts(self.scheme), &Overrides::default());
        prefixes.insert(key);
        // What a site names is the site's to the library, too, unless it has files alone.
        let named = sites.named(&self.host());
        let facts = named.and_then(|site| sites.facts(site));
        if facts.is_none_or(|facts| facts.rules.is_none()) {
            let mut prefix = Vec::new();
            if !key::append_prefix(&mut prefix, &self.parts(self.scheme), sites.library()) {
                return Err(QueryInPrefix {
                    rule: b"[library]"[..].into(),
                });
            }
            prefixes.insert(prefix);
        }
        for rule in own.into_iter().flatten().chain(based) {
            let mut prefix = Vec::new();
            let parts = self.parts(Scheme::Http);
            if !key::append_prefix(&mut prefix, &parts, &rule.overrides) {
                return Err(QueryInPrefix {
                    rule: rule.path.clone(),
                });
            }
            prefixes.insert(prefix);
        }
        // In their order a beginning stands before what begins with it.
        let mut shortest: Vec<Vec<u8>> = Vec::new();
        for prefix in in_every_scope(prefixes, scopes) {
            let is_covered = shortest.last().is_some_and(|last| prefix.starts_with(last));
            if !is_covered {
                shortest.push(prefix);
            }
        }
        Ok(shortest)
    }

    fn parts(&self, scheme: Scheme) -> KeyParts<'_> {
        KeyParts {
            scope: None,
            scheme,
            authority: &self.authority,
            path: &self.path,
            query: self.query.as_deref(),
        }
    }

    fn site_rules<'t>(&self, sites: &'t SiteTable) -> Option<&'t crate::policy::rules::Rules> {
        sites.facts(self.site(sites)?)?.rules.as_ref()
    }

    /// Whether `rule` puts this URL's scheme and authority in the place of its own.
    fn is_base_of(&self, rule: &CacheRule) -> bool {
        let Some(base) = &rule.overrides.key_base_url else {
            return false;
        };
        [Scheme::Http, self.scheme].into_iter().any(|scheme| {
            let mut origin = Vec::new();
            key::append_origin(&mut origin, scheme, &self.authority);
            origin == base.trim_end_matches('/').as_bytes()
        })
    }
}

/// The keys, and the same ones in each scope that there is: one URL can be stored under several profiles.
fn in_every_scope(keys: BTreeSet<Vec<u8>>, scopes: &Scopes) -> BTreeSet<Vec<u8>> {
    let scoped = scopes
        .iter()
        .flat_map(|scope| keys.iter().map(|key| key::in_scope(key, scope)));
    scoped.chain(keys.iter().cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::sites::SiteRule;
    use crate::policy::origin_rule::OriginRule;

    fn rule(path: &str, overrides: Overrides) -> CacheRule {
        CacheRule {
            path: path.as_bytes().into(),
            overrides,
            ..CacheRule::default()
        }
    }

    fn site(host: &str, rules: Vec<CacheRule>) -> SiteRule {
        SiteRule {
            hosts: vec![host.to_owned()],
            origin: Some(OriginRule::default()),
            rules,
            ..SiteRule::default()
        }
    }

    fn based(base: &str) -> Overrides {
        Overrides {
            key_base_url: Some(base.into()),
            ..Overrides::default()
        }
    }

    fn stripping() -> Overrides {
        Overrides {
            strip_query: vec!["sid".into()],
            ..Overrides::default()
        }
    }

    fn table() -> SiteTable {
        SiteTable::new(&[
            site(
                "a",
                vec![
                    rule("/", Overrides::default()),
                    rule("/s", stripping()),
                    rule(
                        "/i",
                        Overrides {
                            ignore_query: true,
                            ..Overrides::default()
                        },
                    ),
                ],
            ),
            site("b", vec![rule("/", based("http://shared"))]),
            site("c", vec![rule("/", based("http://shared"))]),
        ])
    }

    fn keys(url: &str) -> Vec<String> {
        let keys = AskedUrl::parse(url).unwrap().keys(&table(), &Scopes::new());
        keys.into_iter()
            .map(|key| String::from_utf8(key).unwrap())
            .collect()
    }

    fn prefixes(url: &str) -> Result<Vec<String>, QueryInPrefix> {
        let prefixes = AskedUrl::parse(url)
            .unwrap()
            .prefixes(&table(), &Scopes::new())?;
        let text = |key| String::from_utf8(key).unwrap();
        Ok(prefixes.into_iter().map(text).collect())
    }

    #[test]
    fn url_has_the_key_of_a_request_and_the_one_without_rules() {
        assert_eq!(keys("http://A:80/x/../y?q=1#f"), ["http://a/y?q=1"]);
        assert_eq!(
            keys("http://a/s?sid=1&b=2"),
            ["http://a/s?b=2", "http://a/s?sid=1&b=2"]
        );
        assert_eq!(keys("http://a/i/1?x"), ["http://a/i/1", "http://a/i/1?x"]);
        assert_eq!(keys("http://a:8080/"), ["http://a:8080/"]);
        assert_eq!(keys("http://nowhere/x"), ["http://nowhere/x"]);
    }

    #[test]
    fn url_of_a_shared_key_is_known_by_every_host_and_by_the_base() {
        assert_eq!(keys("http://b/x"), ["http://b/x", "http://shared/x"]);
        assert_eq!(keys("http://shared/x"), ["http://shared/x"]);
    }

    #[test]
    fn https_url_is_that_of_the_requests_that_come_in_clear_text() {
        assert_eq!(keys("https://a:443/x"), ["http://a/x", "https://a/x"]);
        assert_eq!(keys("https://a:80/x"), ["http://a/x", "https://a:80/x"]);
    }

    #[test]
    fn prefix_has_the_beginnings_of_all_keys_below() {
        assert_eq!(prefixes("http://a").unwrap(), ["http://a/"]);
        assert_eq!(prefixes("http://a/s/im").unwrap(), ["http://a/s/im"]);
        assert_eq!(
            prefixes("http://b/im").unwrap(),
            ["http://b/im", "http://shared/im"]
        );
        assert_eq!(prefixes("http://a/x?a").unwrap(), ["http://a/x?a"]);
    }

    #[test]
    fn prefix_with_a_query_that_a_rule_takes_apart_names_the_rule() {
        assert_eq!(*prefixes("http://a/s/x?a").unwrap_err().rule, *b"/s");
        assert_eq!(*prefixes("http://a/i?").unwrap_err().rule, *b"/i");
    }

    #[test]
    fn url_has_the_keys_of_the_library_in_all_scopes() {
        let library = Overrides {
            strip_query: vec!["sig".into()],
            ..Overrides::default()
        };
        let table = table().with_library(library);
        let scopes = Scopes::from([key::library_scope(""), b"it"[..].into()]);
        let url = AskedUrl::parse("https://n/x?sig=1&b=2").unwrap();
        let keys = url.keys(&table, &scopes);
        for (scope, expected) in [
            (Some(&b"/"[..]), "https://n/x?b=2"),
            (Some(b"it"), "http://n/x?sig=1&b=2"),
            (None, "https://n/x?sig=1&b=2"),
        ] {
            let key = match scope {
                Some(scope) => key::in_scope(expected.as_bytes(), scope),
                None => expected.as_bytes().to_vec(),
            };
            assert!(keys.contains(&key), "{expected}");
        }
        let prefixes = AskedUrl::parse("https://n/x").unwrap();
        let prefixes = prefixes.prefixes(&table, &scopes).unwrap();
        assert!(prefixes.contains(&key::in_scope(b"https://n/x", b"/")));
        let refused = url.prefixes(&table, &scopes).unwrap_err();
        assert_eq!(*refused.rule, *b"[library]");
        // The rule of a site that names the host stands for the library's, too.
        let own = AskedUrl::parse("http://a/x?sig=1").unwrap();
        assert!(own.prefixes(&table, &scopes).is_ok());
        // That of one with files alone does not: the library may fetch from its host.
        let files = SiteTable::new(&[SiteRule {
            hosts: vec!["a".to_owned()],
            ..SiteRule::default()
        }]);
        let files = files.with_library(Overrides {
            strip_query: vec!["sig".into()],
            ..Overrides::default()
        });
        let refused = own.prefixes(&files, &scopes).unwrap_err();
        assert_eq!(*refused.rule, *b"[library]");
    }

    #[test]
    fn text_that_is_no_url_is_refused() {
        for text in ["", "/x", "a/x", "ftp://a/x", "http://", "http://a/%"] {
            assert!(AskedUrl::parse(text).is_err(), "{text}");
        }
    }
}
