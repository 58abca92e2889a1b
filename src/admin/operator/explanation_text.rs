//! An explanation as plain text: one step a line, what belongs to it below.

use std::fmt::{self, Display, Formatter};

use serde_json::{Map, Value};

use super::explanation::{AnsweredBy, Explanation, Freshness, Variant, Verdict};

/// Width of the steps' names.
const NAME_WIDTH: usize = 13;

impl Display for Explanation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let request = &self.request;
        line(f, "request", &format_args!("GET {}", request.target))?;
        line(f, "host", &request.host)?;
        for field in &request.fields {
            line(f, "field", field)?;
        }
        for directive in &request.directives {
            line(f, "asks for", directive)?;
        }
        if let Some(pin) = &self.pin {
            line(f, "pin", pin)?;
        }
        if let Some(site) = &self.site {
            let hosts = match site.hosts.as_slice() {
                [] => "every host".to_owned(),
                hosts => hosts.join(", "),
            };
            line(
                f,
                "site",
                &format_args!("[[site]] of line {}, for {hosts}", site.line),
            )?;
            if let Some(root) = &site.root {
                line(f, "", &format_args!("root {root}"))?;
            }
            for url in &site.origin {
                line(f, "", &format_args!("origin {url}"))?;
            }
        }
        if let Some(rule) = &self.rule {
            let cache = if rule.cache { "on" } else { "off" };
            line(f, "rule", &format_args!("for {}: cache {cache}", rule.path))?;
            for departure in &rule.departures {
                line(f, "", departure)?;
            }
        }
        if let Some(key) = &self.key {
            line(f, "key", key)?;
            let stored = match self.variants.len() {
                0 => "nothing".to_owned(),
                1 => "1 response".to_owned(),
                count => format!("{count} responses"),
            };
            line(f, "stored", &stored)?;
        }
        for variant in &self.variants {
            describe_variant(f, variant)?;
        }
        if let Some(freshness) = &self.freshness {
            describe_freshness(f, freshness)?;
        }
        describe_verdict(f, &self.verdict)
    }
}

fn line(f: &mut Formatter<'_>, name: &str, value: &dyn Display) -> fmt::Result {
    writeln!(f, "{name:<NAME_WIDTH$}{value}")
}

fn describe_variant(f: &mut Formatter<'_>, variant: &Variant) -> fmt::Result {
    let mark = if variant.chosen { "->" } else { " -" };
    let answers = match (&variant.differs_by, variant.matches, variant.chosen) {
        (_, true, true) => "answers this request, and is chosen".to_owned(),
        (_, true, false) => "answers this request, but another one goes before it".to_owned(),
        (Some(name), ..) => format!("does not answer this request: it differs in {name}"),
        (None, ..) => "does not answer this request".to_owned(),
    };
    let body = match (variant.tier, variant.complete) {
        ("disk", true) => ", its body on disk",
        ("disk", false) => ", its body in part on disk",
        (_, true) => "",
        (_, false) => ", its body is still on its way",
    };
    writeln!(
        f,
        "{:<width$}{mark} {}, received {} s ago{body}: {answers}",
        "",
        variant.status,
        variant.resident,
        width = NAME_WIDTH - 3,
    )?;
    if variant.fields.is_empty() {
        return line(f, "", &"does not vary");
    }
    line(
        f,
        "",
        &format_args!("varies by {}", FieldsText(&variant.fields)),
    )
}

fn describe_freshness(f: &mut Formatter<'_>, freshness: &Freshness) -> fmt::Result {
    let Freshness {
        lifetime,
        lifetime_from,
        initial_age,
        resident,
        age,
        ttl,
        facts,
    } = freshness;
    line(
        f,
        "lifetime",
        &format_args!("{lifetime} s, from {lifetime_from}"),
    )?;
    line(
        f,
        "age",
        &format_args!("{age} s = {initial_age} s when it was received + {resident} s since"),
    )?;
    line(f, "ttl", &format_args!("{ttl} s = {lifetime} s - {age} s"))?;
    for fact in facts {
        line(f, "", fact)?;
    }
    Ok(())
}

fn describe_verdict(f: &mut Formatter<'_>, verdict: &Verdict) -> fmt::Result {
    let by = match verdict.answered_by {
        AnsweredBy::Pin => "a pinned file",
        AnsweredBy::Root => "a file below the root",
        AnsweredBy::Cache => "the cache",
        AnsweredBy::Origin => "the origin",
        AnsweredBy::Error => "hotplate, with an error",
    };
    line(
        f,
        "verdict",
        &format_args!("{}: {}", verdict.name, verdict.reason),
    )?;
    match verdict.status {
        Some(status) => line(f, "answer", &format_args!("{status}, from {by}"))?,
        None => line(f, "answer", &format_args!("from {by}"))?,
    }
    if let Some(status) = &verdict.cache_status {
        let more = match verdict.answered_by {
            AnsweredBy::Origin => " ...",
            _ => "",
        };
        line(f, "Cache-Status", &format_args!("{status}{more}"))?;
    }
    for then in &verdict.then {
        line(f, "then", then)?;
    }
    Ok(())
}

/// Fields as `name: value`, with commas between.
struct FieldsText<'a>(&'a Map<String, Value>);

impl Display for FieldsText<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (place, (name, value)) in self.0.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            match value.as_str() {
                Some(value) => write!(f, "{comma}{name}: {value:?}")?,
                None => write!(f, "{comma}{name} (absent)")?,
            }
        }
        Ok(())
    }
}
