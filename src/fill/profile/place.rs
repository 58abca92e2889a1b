//! Where the hosts of a profile's URLs are really reached: an endpoint in their place, the bucket in the path or in the name.
//!
//! Pure.

use super::settings::{ProfileKind, ProfileRule};
use crate::policy::origin_rule::OriginUrl;

/// The URL that requests below `url` go to.
///
/// The bucket (the account, with Azure) is what stands before the profile's `base_domain` in the host's name, or before its `*.` domain,
/// or before the service's own part of it. With `path_style` it goes before the path; without, it stays before the endpoint's name.
pub(super) fn place(rule: &ProfileRule, url: &OriginUrl) -> OriginUrl {
    if rule.kind == ProfileKind::Headers {
        return url.clone();
    }
    let found = bucket(rule, &url.host);
    let (bucket, rest) = match found {
        Some((bucket, rest)) => (Some(bucket), rest),
        None => (None, url.host.as_str()),
    };
    let base = match bucket {
        Some(bucket) if rule.path_style => format!("/{bucket}{}", url.base),
        _ => url.base.clone(),
    };
    let host = |service: &str| match bucket {
        Some(bucket) if !rule.path_style => format!("{bucket}.{service}"),
        _ => service.to_owned(),
    };
    match &rule.endpoint {
        Some(endpoint) => OriginUrl {
            https: endpoint.https,
            host: host(&endpoint.host),
            port: endpoint.port,
            base: format!("{}{base}", endpoint.base),
        },
        None => OriginUrl {
            host: host(rest),
            base,
            ..url.clone()
        },
    }
}

/// Whether `path` below the placed URL `placed` is an object's: it, and the bucket where the host's name has none, are said. What is
/// not may be a bucket, and to read that is to list it.
pub(super) fn names_object(rule: &ProfileRule, placed: &OriginUrl, path: &[u8]) -> bool {
    let needed = match rule.kind {
        ProfileKind::Headers => return true,
        // Containers are told by the query.
        ProfileKind::Azure => 1,
        ProfileKind::S3 if names_bucket(rule, &placed.host) => 1,
        ProfileKind::S3 => 2,
    };
    let whole = [placed.base.as_bytes(), path].concat();
    segments(path) > 0 && segments(&whole) >= needed
}

/// Whether a placed URL's host has the bucket in its name.
fn names_bucket(rule: &ProfileRule, host: &str) -> bool {
    if rule.path_style {
        return false;
    }
    match &rule.endpoint {
        Some(endpoint) => {
            let before = host.strip_suffix(endpoint.host.as_str());
            before.is_some_and(|before| before.len() > 1 && before.ends_with('.'))
        }
        // AWS's private links have `bucket` itself before the service's name.
        None => bucket(rule, host).is_some() && !host.ends_with(".vpce.amazonaws.com"),
    }
}

/// How many names a path has, by the strictest reading: encoded slashes and dots are ones, and empty names none.
fn segments(path: &[u8]) -> usize {
    let text = String::from_utf8_lossy(path).to_ascii_lowercase();
    let text = text.replace("%2f", "/").replace("%2e", ".");
    text.split('/')
        .fold(0_usize, |count, segment| match segment {
            "" | "." => count,
            ".." => count.saturating_sub(1),
            _ => count + 1,
        })
}

/// Bucket and service of a host's name.
fn bucket<'h>(rule: &ProfileRule, host: &'h str) -> Option<(&'h str, &'h str)> {
    let after = |before: &'h str| {
        let rest = host.get(before.len() + 1..).unwrap_or_default();
        (before, rest)
    };
    let base = Some(rule.base_domain.as_str()).filter(|base| !base.is_empty());
    let before = base.and_then(|base| host.strip_suffix(base)?.strip_suffix('.'));
    if let Some(before) = before.filter(|before| !before.is_empty()) {
        return Some(after(before));
    }
    let own = rule.domains.iter().filter_map(|domain| domain.below(host));
    // The longest domain leaves the shortest bucket.
    if let Some(before) = own.min_by_key(|before| before.len()) {
        return Some(after(before));
    }
    let marks: &[&str] = match rule.kind {
        ProfileKind::S3 => &[".s3.", ".s3-"],
        ProfileKind::Azure => &[".blob."],
        ProfileKind::Headers => &[],
    };
    let at = marks.iter().filter_map(|mark| host.find(mark)).min()?;
    let before = host.get(..at).filter(|before| !before.is_empty())?;
    Some(after(before))
}

/// The region in the name of an AWS host: `bucket.s3.eu-central-1.amazonaws.com`, `s3-eu-west-1.amazonaws.com`.
pub(super) fn region_in(host: &str) -> Option<&str> {
    let rest = host
        .strip_suffix(".amazonaws.com")
        .or_else(|| host.strip_suffix(".amazonaws.com.cn"))?;
    let last = rest.rsplit('.').next()?;
    let name = last.strip_prefix("s3-").unwrap_or(last);
    let is_region = name.contains('-') && name.ends_with(|letter: char| letter.is_ascii_digit());
    is_region.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::super::domain::Domain;
    use super::*;

    fn url(https: bool, host: &str, port: u16, base: &str) -> OriginUrl {
        OriginUrl {
            https,
            host: host.to_owned(),
            port,
            base: base.to_owned(),
        }
    }

    fn rule(endpoint: Option<OriginUrl>, path_style: bool) -> ProfileRule {
        ProfileRule {
            domains: vec![Domain {
                is_suffix: true,
                name: "media.example".to_owned(),
                port: None,
            }],
            endpoint,
            path_style,
            ..ProfileRule::default()
        }
    }

    #[test]
    fn bucket_goes_into_the_path_or_stays_in_the_name() {
        let minio = || Some(url(false, "127.0.0.1", 9000, ""));
        let cases = [
            (
                rule(None, false),
                "calls.media.example",
                "https://calls.media.example/x",
            ),
            (
                rule(None, true),
                "calls.media.example",
                "https://media.example/calls/x",
            ),
            (
                rule(minio(), true),
                "calls.media.example",
                "http://127.0.0.1:9000/calls/x",
            ),
            (
                rule(minio(), false),
                "calls.media.example",
                "http://calls.127.0.0.1:9000/x",
            ),
            (
                rule(minio(), true),
                "a.b.s3.eu-west-1.amazonaws.com",
                "http://127.0.0.1:9000/a.b/x",
            ),
            (
                rule(None, true),
                "a.s3-eu-west-1.amazonaws.com",
                "https://s3-eu-west-1.amazonaws.com/a/x",
            ),
            (
                rule(minio(), true),
                "other.example",
                "http://127.0.0.1:9000/x",
            ),
            (
                rule(minio(), true),
                "media.example",
                "http://127.0.0.1:9000/x",
            ),
        ];
        for (rule, host, expected) in cases {
            let placed = place(&rule, &url(true, host, 443, "/x"));
            assert_eq!(placed.to_string(), expected, "{host}");
        }
    }

    #[test]
    fn bucket_itself_is_no_object_wherever_it_is_said() {
        let minio = || Some(url(false, "minio", 9000, ""));
        let cases = [
            (rule(None, false), "minio", "", "/recordings", false),
            (rule(None, false), "minio", "", "/recordings/", false),
            (rule(None, false), "minio", "", "//recordings//", false),
            (rule(None, false), "minio", "", "/recordings/%2F", false),
            (
                rule(None, false),
                "minio",
                "",
                "/recordings/a/%2e%2E",
                false,
            ),
            (rule(None, false), "minio", "", "/recordings/a", true),
            (rule(None, false), "minio", "/recordings", "/a", true),
            (rule(None, false), "minio", "/recordings", "/", false),
            (
                rule(None, false),
                "s3.eu-west-1.amazonaws.com",
                "",
                "/b",
                false,
            ),
            (
                rule(None, false),
                "b.s3.eu-west-1.amazonaws.com",
                "",
                "/a",
                true,
            ),
            (
                rule(None, false),
                "b.s3.eu-west-1.amazonaws.com",
                "",
                "/",
                false,
            ),
            (
                rule(None, false),
                "bucket.vpce-1.s3.us-east-1.vpce.amazonaws.com",
                "",
                "/b",
                false,
            ),
            (rule(None, false), "calls.media.example", "", "/a", true),
            (rule(None, true), "calls.media.example", "", "/a", true),
            (rule(None, true), "calls.media.example", "", "/", false),
            (rule(minio(), true), "calls.media.example", "", "/a", true),
            (rule(minio(), false), "calls.media.example", "", "/a", true),
            (rule(minio(), false), "other.example", "", "/a", false),
            (rule(minio(), false), "other.example", "", "/a/b", true),
        ];
        for (rule, host, base, path, expected) in cases {
            let placed = place(&rule, &url(true, host, 443, base));
            let found = names_object(&rule, &placed, path.as_bytes());
            assert_eq!(found, expected, "{host}{base}{path}");
        }
    }

    #[test]
    fn bucket_before_a_base_domain_is_found_whatever_the_domains_are() {
        let named = |endpoint, path_style| ProfileRule {
            domains: Vec::new(),
            base_domain: "storage.example".to_owned(),
            ..rule(endpoint, path_style)
        };
        let minio = || Some(url(false, "minio", 9000, ""));
        let is_object = |rule: &ProfileRule, host: &str, path: &str| {
            let placed = place(rule, &url(true, host, 443, ""));
            names_object(rule, &placed, path.as_bytes())
        };
        let plain = named(None, false);
        assert!(is_object(&plain, "calls.storage.example", "/a"));
        assert!(!is_object(&plain, "calls.storage.example", "/"));
        for host in [
            "storage.example",
            ".storage.example",
            "callsstorage.example",
        ] {
            assert!(!is_object(&plain, host, "/b"), "{host}");
        }
        let placed = place(
            &named(minio(), true),
            &url(true, "a.b.storage.example", 443, ""),
        );
        assert_eq!(placed.to_string(), "http://minio:9000/a.b");
        // The longest name behind the bucket is not the domain's here.
        let mut both = rule(None, true);
        both.base_domain = "eu.media.example".to_owned();
        let placed = place(&both, &url(true, "calls.eu.media.example", 443, ""));
        assert_eq!(placed.to_string(), "https://eu.media.example/calls");
    }

    #[test]
    fn account_of_azure_goes_into_the_path() {
        let rule = ProfileRule {
            kind: ProfileKind::Azure,
            endpoint: Some(url(false, "127.0.0.1", 10000, "")),
            path_style: true,
            ..ProfileRule::default()
        };
        let placed = place(&rule, &url(true, "acme.blob.core.windows.net", 443, ""));
        assert_eq!(placed.to_string(), "http://127.0.0.1:10000/acme");
    }

    #[test]
    fn region_is_read_from_the_names_of_aws() {
        let cases = [
            ("b.s3.eu-central-1.amazonaws.com", Some("eu-central-1")),
            ("s3-eu-west-1.amazonaws.com", Some("eu-west-1")),
            ("b.s3.cn-north-1.amazonaws.com.cn", Some("cn-north-1")),
            ("b.s3.us-gov-west-1.amazonaws.com", Some("us-gov-west-1")),
            ("b.s3.amazonaws.com", None),
            ("s3.amazonaws.com", None),
            ("b-1.s3.example", None),
        ];
        for (host, region) in cases {
            assert_eq!(region_in(host), region, "{host}");
        }
    }
}
