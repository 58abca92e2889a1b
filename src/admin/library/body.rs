//! The bodies of requests to the media library.

use std::fmt;
use std::time::Duration;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};

use crate::fill::library::GetOrder;

/// A duration: a number of seconds, or a text with a unit, such as `"30s"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span(pub(super) Duration);

/// The longest that makes sense: a year.
const SPAN_MAX: Duration = Duration::from_secs(365 * 24 * 3600);

impl From<Span> for Duration {
    fn from(span: Span) -> Self {
        span.0
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl Visitor<'_> for Read {
            type Value = Span;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of seconds, or a duration such as \"500ms\", \"30s\", \"5m\" or \"1h\"")
            }

            fn visit_u64<E: Error>(self, seconds: u64) -> Result<Span, E> {
                Ok(Span(Duration::from_secs(seconds).min(SPAN_MAX)))
            }

            fn visit_f64<E: Error>(self, seconds: f64) -> Result<Span, E> {
                let span = Duration::try_from_secs_f64(seconds);
                span.map(|span| Span(span.min(SPAN_MAX))).map_err(E::custom)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Span, E> {
                span(text).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_any(Read)
    }
}

/// Reads a duration with its unit.
pub(super) fn span(text: &str) -> Option<Span> {
    let end = text.find(|letter: char| !letter.is_ascii_digit())?;
    let (number, unit) = text.split_at(end);
    let number: u64 = number.parse().ok()?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    let span = Duration::from_millis(number.checked_mul(millis)?);
    Some(Span(span.min(SPAN_MAX)))
}

/// The body of get and tryget.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GetBody {
    url: String,
    #[serde(default)]
    refresh: bool,
    lease: Option<Span>,
    timeout: Option<Span>,
    extension: Option<String>,
    profile: Option<String>,
}

impl GetBody {
    /// What is ordered.
    pub(super) fn order(self) -> GetOrder {
        GetOrder {
            url: self.url,
            refresh: self.refresh,
            profile: named(self.profile),
            lease: self.lease.map(Into::into),
            extension: self.extension,
            timeout: self.timeout.map(Into::into),
        }
    }
}

/// The profile that is named; an empty name is none.
pub(super) fn named(profile: Option<String>) -> Option<String> {
    profile.filter(|name| !name.is_empty())
}

/// The body of remove.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UrlBody {
    pub(super) url: String,
}

/// What is done to a lease.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Act {
    /// Its end is put off.
    Renew,
    /// It is given back.
    Release,
}

/// The body of lease.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LeaseBody {
    pub(super) id: String,
    pub(super) act: Act,
    pub(super) lease: Option<Span>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn span_is_a_number_of_seconds_or_has_a_unit() {
        let read = |text: &str| serde_json::from_str::<Span>(text).ok().map(|span| span.0);
        let seconds = Duration::from_secs_f64;
        for (text, span) in [
            ("30", Some(seconds(30.0))),
            ("0.5", Some(seconds(0.5))),
            ("\"500ms\"", Some(seconds(0.5))),
            ("\"30s\"", Some(seconds(30.0))),
            ("\"5m\"", Some(seconds(300.0))),
            ("\"1h\"", Some(seconds(3600.0))),
            ("\"99999999999h\"", Some(SPAN_MAX)),
            ("-1", None),
            ("\"\"", None),
            ("\"30\"", None),
            ("\"s\"", None),
            ("\"1.5s\"", None),
            ("\"1d\"", None),
            ("true", None),
        ] {
            assert_eq!(read(text), span, "{text}");
        }
    }

    #[test]
    fn order_has_only_known_options() {
        let read = |text: &str| serde_json::from_str::<GetBody>(text);
        let body = read("{\"url\":\"http://a/\",\"refresh\":true,\"lease\":\"1m\"}").unwrap();
        let order = body.order();
        assert!(order.refresh);
        assert_eq!(order.lease, Some(Duration::from_secs(60)));
        assert!(read("{\"url\":\"http://a/\",\"refesh\":true}").is_err());
        assert!(read("{}").is_err());
        let body = read("{\"url\":\"http://a/\",\"profile\":\"s3\"}").unwrap();
        assert_eq!(body.order().profile.as_deref(), Some("s3"));
        let body = read("{\"url\":\"http://a/\",\"profile\":\"\"}").unwrap();
        assert_eq!(body.order().profile, None);
    }
}
