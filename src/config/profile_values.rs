//! Texts of profiles: names, domains, regions, keys, fields, files.

use std::path::{Path, PathBuf};

use super::fault::Fault;
use super::profile_fault::ProfileFault;
use super::{origin_url, values};
use crate::fill::profile::Secret;
use crate::fill::profile::domain::{Domain, host_and_port};
use crate::fill::profile::headers::may_be_set;

/// Longest name of a profile or a region.
const NAME_BYTES_MAX: usize = 64;
/// Longest key or token: session tokens have one or two KiB.
const KEY_BYTES_MAX: usize = 8192;

/// Reads a profile's name.
pub(super) fn name(text: &str) -> Result<String, Fault> {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if (1..=NAME_BYTES_MAX).contains(&text.len()) && text.bytes().all(known) {
        Ok(text.to_owned())
    } else {
        Err(Fault::Profile(ProfileFault::NotAName))
    }
}

/// Reads the name of the profile that a site's origin is asked with; empty for none.
pub(super) fn name_or_none(text: &str) -> Result<String, Fault> {
    if text.is_empty() {
        return Ok(String::new());
    }
    name(text)
}

/// Reads a domain: a host with or without port, or `*.` and one.
pub(super) fn domain(text: &str) -> Result<Domain, Fault> {
    let (is_suffix, bare) = match text.strip_prefix("*.") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    if bare.is_empty() || bare.contains('*') {
        return Err(Fault::Profile(ProfileFault::StarInDomain));
    }
    let authority = origin_url::host_field(bare)?;
    let (name, port) = host_and_port(&authority);
    Ok(Domain {
        is_suffix,
        name,
        port,
    })
}

/// Reads what stands behind a bucket in a host's name; empty for nothing.
pub(super) fn base_domain(text: &str) -> Result<String, Fault> {
    if text.contains('*') {
        return Err(Fault::Profile(ProfileFault::StarInDomain));
    }
    let authority = origin_url::host_field(text)?;
    match host_and_port(&authority) {
        (name, None) => Ok(name),
        _ => Err(Fault::Profile(ProfileFault::PortInBaseDomain)),
    }
}

/// Reads the name of a region; empty: the host's.
pub(super) fn region(text: &str) -> Result<String, Fault> {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if text.len() <= NAME_BYTES_MAX && text.bytes().all(known) {
        Ok(text.to_owned())
    } else {
        Err(Fault::Profile(ProfileFault::NotARegion))
    }
}

/// Reads a key or a token; empty: it is looked for elsewhere.
pub(super) fn key(text: &str) -> Result<Secret, Fault> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic());
    if is_plain && text.len() <= KEY_BYTES_MAX {
        Ok(Secret::new(text))
    } else {
        Err(Fault::Profile(ProfileFault::KeyOctet))
    }
}

/// Reads an Azure account's key.
pub(super) fn account_key(text: &str) -> Result<Secret, Fault> {
    let key = key(text)?;
    match reqsign_core::hash::base64_decode(text) {
        Ok(_) => Ok(key),
        Err(_) => Err(Fault::Profile(ProfileFault::NotBase64)),
    }
}

/// Reads an Azure account's name; empty: the environment's or the host's.
pub(super) fn account(text: &str) -> Result<String, Fault> {
    let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_account = (3..=24).contains(&text.len()) && text.bytes().all(known);
    if text.is_empty() || is_account {
        Ok(text.to_owned())
    } else {
        Err(Fault::Profile(ProfileFault::NotAnAccount))
    }
}

/// Reads a request field, `Name: value`.
pub(super) fn request_header(text: &str) -> Result<(String, Secret), Fault> {
    let found = text.split_once(':');
    let (name, value) = found.ok_or(Fault::Profile(ProfileFault::NotAField))?;
    if !may_be_set(name) {
        return Err(Fault::Profile(ProfileFault::FieldNotSettable));
    }
    let value = value.trim();
    let octet = |byte: u8| byte.is_ascii_graphic() || byte == b' ' || byte == b'\t';
    if !value.bytes().all(octet) || value.len() > KEY_BYTES_MAX {
        return Err(Fault::Profile(ProfileFault::NotAField));
    }
    Ok((name.to_owned(), Secret::new(value)))
}

/// Reads the path of a file that must be there; empty for none.
pub(super) fn file(text: &str, folder: &Path) -> Result<Option<PathBuf>, Fault> {
    if text.is_empty() {
        return Ok(None);
    }
    let path = values::below(folder, text)?;
    let reason = match std::fs::File::open(&path).and_then(|file| file.metadata()) {
        Ok(found) if found.is_file() => return Ok(Some(path)),
        Ok(_) => "it is no file".to_owned(),
        Err(error) => error.to_string(),
    };
    Err(Fault::Profile(ProfileFault::Unreadable { path, reason }))
}

/// Reads the URL of an endpoint; empty for none.
pub(super) fn endpoint(text: &str) -> Result<Option<crate::policy::origin_rule::OriginUrl>, Fault> {
    if text.is_empty() {
        return Ok(None);
    }
    origin_url::origin(text).map(Some)
}
