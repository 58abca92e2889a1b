//! Why a request would be answered as it would: the same functions as for a request, and nothing changes by it.

use std::fmt;
use std::sync::Arc;

use super::asked_url::AskedUrl;
use super::explanation::{
    AskedRequest, Explanation, Freshness, RuleChosen, SiteChosen, Variant, Verdict,
};
use super::listing::{tier_of, variant};
use super::verdicts::{forwarded, judged, missed, not_found, of_root, pinned, upgrade_refused};
use super::{CacheOperator, key_text};
use crate::cache::Moment;
use crate::http::cache_control::{MaxStale, RequestDirectives};
use crate::http::fields::Fields;
use crate::http::head::{FIELDS_MAX, FieldScratch, HeadLimits, Parsed, RequestHead, parse_head};
use crate::index::pins::Found;
use crate::index::response::Response;
use crate::index::sites::SiteRule;
use crate::policy::cache_status::Forward;
use crate::policy::request::Asked;
use crate::policy::reuse;
use crate::policy::settings::{CacheRule, Overrides, SetCookie, Tier};
use crate::policy::stored::Stored;
use crate::policy::{upgrade, vary};
use crate::units::UnixSeconds;

/// A request to explain: a GET.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExplainOrder {
    /// The URL.
    pub url: String,
    /// Its fields without Host, each as `name: value`.
    pub fields: Vec<String>,
}

/// Why there is nothing to explain: no client could send such a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unexplained {
    /// The URL is none; why.
    NoUrl(&'static str),
    /// This is no field line.
    NoField(String),
    /// The request would be refused; why.
    Refused(&'static str),
}

impl fmt::Display for Unexplained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoUrl(why) => write!(
                f,
                "not an absolute http or https URL that a request could have ({why})"
            ),
            Self::NoField(line) => write!(f, "not a field as in \"Accept: text/html\": {line:?}"),
            Self::Refused(why) => write!(f, "such a request is refused: {why}"),
        }
    }
}

impl std::error::Error for Unexplained {}

impl CacheOperator {
    /// Explains what becomes of a request that comes at `now`.
    ///
    /// # Errors
    ///
    /// There can be no such request.
    pub fn explain(&self, order: &ExplainOrder, now: Moment) -> Result<Explanation, Unexplained> {
        let url =
            AskedUrl::parse(&order.url).map_err(|reject| Unexplained::NoUrl(reject.name()))?;
        let bytes = head_bytes(&url, &order.fields)?;
        let limits = HeadLimits {
            bytes_max: bytes.len(),
            fields_max: FIELDS_MAX,
        };
        let mut scratch = FieldScratch::new();
        let head = match parse_head(&bytes, &limits, &mut scratch) {
            Ok(Parsed::Complete { head, .. }) => head,
            Ok(Parsed::Partial) => return Err(Unexplained::Refused("it has no end")),
            Err(reject) => return Err(Unexplained::Refused(reject.name())),
        };
        Ok(self.explain_head(&url, &head, now))
    }

    /// The steps in the order in which a request takes them.
    fn explain_head(&self, url: &AskedUrl, head: &RequestHead<'_>, now: Moment) -> Explanation {
        let asked = Asked::of(head.method, head);
        let mut told = Explanation {
            request: request(url, head, &asked.directives),
            pin: None,
            site: None,
            rule: None,
            key: None,
            variants: Vec::new(),
            freshness: None,
            verdict: not_found("no site is for this host"),
        };
        let pins = self.pins.load();
        if let Some(found) = pins.find(&url.host(), url.path()) {
            let source = match found {
                Found::Entry(number) => pins.entry(number).map(|entry| entry.source.rule()),
                Found::Changing => None,
            };
            told.pin = Some(String::from_utf8_lossy(url.path()).into_owned());
            told.verdict = pinned(source);
            return told;
        }
        let sites = self.sites.load();
        let Some(id) = url.site(&sites) else {
            return told;
        };
        let facts = sites.facts(id);
        told.site = sites.rule(id).map(site);
        let has_root = facts.is_some_and(|facts| facts.has_root);
        let Some(rules) = facts.and_then(|facts| facts.rules.as_ref()) else {
            told.verdict = of_root();
            return told;
        };
        let rule = rules.of(url.path());
        let scope = facts.and_then(|facts| facts.scope.as_deref());
        told.rule = Some(describe(rule));
        told.verdict = if upgrade::asks_for_websocket(head) {
            upgrade_refused()
        } else {
            self.explain_stored(&mut told, url, head, &asked, (rule, scope), now)
        };
        if has_root {
            let first = "this is where there is no such file below the root, which goes first";
            told.verdict.then.insert(0, first.to_owned());
        }
        told
    }

    /// What the cache has for the request.
    fn explain_stored(
        &self,
        told: &mut Explanation,
        url: &AskedUrl,
        head: &RequestHead<'_>,
        asked: &Asked,
        (rule, scope): (&Arc<CacheRule>, Option<&[u8]>),
        now: Moment,
    ) -> Verdict {
        if !rule.cache {
            let mut verdict = forwarded(Forward::Bypass, "the rule turns the cache off");
            verdict.then.push("the answer is not stored".to_owned());
            return verdict;
        }
        let key = url.key(&rule.overrides, scope);
        told.key = Some(key_text(&key));
        let found = self.responses.find(&key);
        let mut stored: Vec<Arc<Response>> =
            found.map_or_else(Vec::new, |found| found.iter().cloned().collect());
        let in_memory = stored.len();
        if let Some(disk) = self
            .disk
            .as_ref()
            .filter(|_| rule.tiers.contains(&Tier::Disk))
        {
            // What memory has of a variant goes before what the disk has of it.
            let on_disk = disk.peek(&key, rule);
            let is_new = |one: &Arc<Response>| {
                let mut known = stored.iter().take(in_memory);
                known.all(|known| known.variant != one.variant)
            };
            let new: Vec<_> = on_disk.into_iter().filter(is_new).collect();
            stored.extend(new);
        }
        let selections = stored
            .iter()
            .map(|response| (&*response.variant, response.stored.recency()));
        let chosen = vary::choose(selections, head);
        told.variants = stored
            .iter()
            .enumerate()
            .map(|(place, response)| {
                let tier = match place < in_memory {
                    true => tier_of(&response.object),
                    false => "disk",
                };
                describe_variant(response, head, chosen == Some(place), (tier, now.wall))
            })
            .collect();
        let Some(response) = chosen.and_then(|place| stored.get(place)) else {
            return missed(asked, &rule.overrides, !stored.is_empty());
        };
        told.freshness = Some(freshness(&response.stored, now.wall));
        let verdict = reuse::judge(asked, &response.stored, &rule.overrides, now.wall);
        judged(verdict, response, head, asked, rule, now)
    }
}

/// The head that a client would send.
fn head_bytes(url: &AskedUrl, lines: &[String]) -> Result<Vec<u8>, Unexplained> {
    let mut fields = Fields::new();
    for line in lines {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let is_host = name.eq_ignore_ascii_case("host");
        if is_host || !line.contains(':') || !fields.push(name.as_bytes(), value.as_bytes()) {
            return Err(Unexplained::NoField(line.clone()));
        }
    }
    let mut bytes = b"GET ".to_vec();
    bytes.extend_from_slice(&url.target());
    bytes.extend_from_slice(b" HTTP/1.1\r\nHost: ");
    bytes.extend_from_slice(url.authority());
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(fields.as_bytes());
    bytes.extend_from_slice(b"\r\n");
    Ok(bytes)
}

fn request(url: &AskedUrl, head: &RequestHead<'_>, directives: &RequestDirectives) -> AskedRequest {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let others = head
        .fields()
        .filter(|(name, _)| !name.eq_ignore_ascii_case(b"host"));
    AskedRequest {
        target: text(&url.target()),
        host: text(url.authority()),
        fields: others
            .map(|(name, value)| format!("{}: {}", text(name), text(value)))
            .collect(),
        directives: describe_directives(directives),
    }
}

fn describe_directives(directives: &RequestDirectives) -> Vec<String> {
    let RequestDirectives {
        no_cache,
        no_store,
        no_transform,
        only_if_cached,
        max_age,
        max_stale,
        min_fresh,
        stale_if_error,
        pragma_no_cache,
    } = *directives;
    let said = |is_said: bool, what: &str| is_said.then(|| what.to_owned());
    let seconds = |what: &str, value: Option<u64>| value.map(|value| format!("{what} {value} s"));
    let told = [
        said(no_cache, "no-cache: nothing stored without validation"),
        said(pragma_no_cache, "no-cache, by Pragma"),
        said(no_store, "no-store: the answer to it is not stored"),
        said(no_transform, "no-transform"),
        said(only_if_cached, "only-if-cached: what is stored, or 504"),
        seconds("max-age: no older than", max_age),
        max_stale.map(|max| match max {
            MaxStale::Any => "max-stale: however stale".to_owned(),
            MaxStale::Seconds(over) => format!("max-stale: stale by at most {over} s"),
        }),
        seconds("min-fresh: fresh for at least", min_fresh),
        seconds(
            "stale-if-error: in place of an error stale by at most",
            stale_if_error,
        ),
    ];
    told.into_iter().flatten().collect()
}

fn site(rule: &SiteRule) -> SiteChosen {
    let origin = rule.origin.iter().flat_map(|origin| &origin.urls);
    SiteChosen {
        line: rule.line,
        hosts: rule.hosts.clone(),
        root: rule.root.as_ref().map(|root| root.display().to_string()),
        origin: origin.map(ToString::to_string).collect(),
    }
}

fn describe(rule: &CacheRule) -> RuleChosen {
    RuleChosen {
        path: String::from_utf8_lossy(&rule.path).into_owned(),
        cache: rule.cache,
        departures: departures(&rule.overrides),
    }
}

/// What a rule says that RFC 9111 does not.
fn departures(rule: &Overrides) -> Vec<String> {
    let usual = Overrides::default();
    let said = |is_said: bool, name: &str| is_said.then(|| name.to_owned());
    let ttl = |name: &str, value: Option<std::time::Duration>| {
        value.map(|value| format!("{name} = {} s", value.as_secs()))
    };
    let names = |name: &str, values: &[Box<str>]| {
        (!values.is_empty()).then(|| format!("{name} = {}", values.join(", ")))
    };
    let told = [
        ttl("default_ttl", rule.default_ttl),
        ttl("min_ttl", rule.min_ttl),
        ttl("max_ttl", rule.max_ttl),
        (rule.heuristic_permille != usual.heuristic_permille).then(|| {
            format!(
                "heuristic_factor = {}",
                f64::from(rule.heuristic_permille) / 1000.0
            )
        }),
        said(
            rule.ignore_client_cache_control,
            "ignore_client_cache_control",
        ),
        said(rule.store_private, "store_private"),
        said(rule.store_no_store, "store_no_store"),
        said(rule.store_expired, "store_expired"),
        said(rule.ignore_no_last_modified, "ignore_no_last_modified"),
        names("ignore_headers", &rule.ignore_headers),
        (rule.vary_refuse != usual.vary_refuse)
            .then(|| format!("vary_refuse = [{}]", rule.vary_refuse.join(", "))),
        said(rule.ignore_query, "ignore_query"),
        names("strip_query", &rule.strip_query),
        match rule.set_cookie {
            SetCookie::Refuse => None,
            SetCookie::Strip => Some("set_cookie = strip".to_owned()),
            SetCookie::Store => Some("set_cookie = store".to_owned()),
        },
        (!rule.negative_ttl.is_empty()).then(|| {
            let entries = rule.negative_ttl.iter();
            let entries: Vec<String> = entries
                .map(|entry| format!("{}-{}: {} s", entry.first, entry.last, entry.ttl.as_secs()))
                .collect();
            format!("negative_ttl = {}", entries.join(", "))
        }),
        ttl("stale_if_error", rule.stale_if_error),
        ttl("stale_while_revalidate", rule.stale_while_revalidate),
        rule.key_base_url
            .as_ref()
            .map(|base| format!("key_base_url = {base}")),
    ];
    told.into_iter().flatten().collect()
}

fn describe_variant(
    response: &Response,
    head: &RequestHead<'_>,
    is_chosen: bool,
    (tier, now): (&'static str, UnixSeconds),
) -> Variant {
    Variant {
        fields: variant(&response.variant),
        matches: vary::matches(&response.variant, head),
        differs_by: vary::differs_by(&response.variant, head).map(str::to_owned),
        chosen: is_chosen,
        status: response.stored.status,
        resident: resident(&response.stored, now),
        complete: response.object.is_complete(),
        tier,
    }
}

fn resident(stored: &Stored, now: UnixSeconds) -> u64 {
    now.0.saturating_sub(stored.response_time.0)
}

fn freshness(stored: &Stored, now: UnixSeconds) -> Freshness {
    let said = |is_said: bool, what: &str| is_said.then(|| what.to_owned());
    let window =
        |what: &str, seconds: u64| (seconds > 0).then(|| format!("{what} for {seconds} s"));
    let facts = [
        said(
            stored.invalidated,
            "marked stale: purged softly, or invalidated",
        ),
        said(stored.no_cache, "no-cache: validated before each use"),
        said(
            stored.must_revalidate,
            "not to be used stale: must-revalidate, proxy-revalidate or s-maxage",
        ),
        said(stored.immutable, "immutable"),
        window("stale-while-revalidate", stored.stale_while_revalidate),
        window("stale-if-error", stored.stale_if_error),
        stored
            .etag
            .as_ref()
            .map(|etag| format!("ETag {}", String::from_utf8_lossy(etag))),
        said(stored.last_modified.is_some(), "has a Last-Modified"),
        said(!stored.has_validator(), "nothing to validate it by"),
    ];
    Freshness {
        lifetime: stored.lifetime,
        lifetime_from: stored.lifetime_from.to_string(),
        initial_age: stored.initial_age,
        resident: resident(stored, now),
        age: stored.age(now),
        ttl: stored.ttl(now),
        facts: facts.into_iter().flatten().collect(),
    }
}
