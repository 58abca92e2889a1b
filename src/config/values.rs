//! Texts of a form of their own: addresses, hosts, paths, field values, tokens. Each is checked here and nowhere else.

use std::io::{ErrorKind, Read as _};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use super::fault::Fault;
use crate::admin::settings::{AccessLogTarget, AdminAddress};
use crate::store::disk::Extension;
use crate::store::pinned::rule::has_wildcard;

/// Longest host name (RFC 1035 s2.3.4).
const HOST_BYTES_MAX: usize = 253;
/// Longest label of a host name (RFC 1035 s2.3.4).
const LABEL_BYTES_MAX: usize = 63;
/// Longest path of a unix socket: `sun_path` less its NUL.
pub(super) const SOCKET_PATH_BYTES_MAX: usize = 107;
/// Longest field value that a rule may add to each answer.
pub(super) const FIELD_VALUE_BYTES_MAX: usize = 1024;
/// How far certificates are looked for in a file: the system's bundle is a quarter of that.
const CERTIFICATES_BYTES_MAX: u64 = 1 << 20;
/// Shortest admin token: a guess must not be worth trying.
pub(super) const TOKEN_BYTES_MIN: usize = 16;
/// Longest admin token.
pub(super) const TOKEN_BYTES_MAX: usize = 256;

/// Reads an IP address with a port.
pub(super) fn socket_address(text: &str) -> Result<SocketAddr, Fault> {
    text.parse().map_err(|_| Fault::NotAnAddress)
}

/// Reads the admin API's address.
pub(super) fn admin_address(text: &str, folder: &Path) -> Result<AdminAddress, Fault> {
    if text.is_empty() {
        return Ok(AdminAddress::Off);
    }
    let Some(path) = text.strip_prefix("unix:") else {
        return socket_address(text).map(AdminAddress::Tcp);
    };
    let path = below(folder, path)?;
    if path.as_os_str().len() > SOCKET_PATH_BYTES_MAX {
        return Err(Fault::SocketPathTooLong);
    }
    Ok(AdminAddress::Unix(path))
}

/// Reads where the access log goes.
pub(super) fn access_log(text: &str, folder: &Path) -> Result<AccessLogTarget, Fault> {
    match text {
        "" => return Ok(AccessLogTarget::Off),
        "stdout" => return Ok(AccessLogTarget::Stdout),
        "stderr" => return Ok(AccessLogTarget::Stderr),
        _ => {}
    }
    if !text.contains('/') {
        return Err(Fault::BareLogName);
    }
    let path = below(folder, text)?;
    if path.is_dir() {
        return Err(Fault::LogIsAFolder);
    }
    match path.parent() {
        Some(parent) if !parent.is_dir() => Err(Fault::NoLogFolder(parent.to_path_buf())),
        _ => Ok(AccessLogTarget::File(path)),
    }
}

/// Reads a bearer token (RFC 6750 s2.1); empty means none.
pub(super) fn token(text: &str) -> Result<String, Fault> {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    if text.is_empty() {
        return Ok(String::new());
    }
    if !text.trim_end_matches('=').bytes().all(known) {
        return Err(Fault::TokenOctet);
    }
    if !(TOKEN_BYTES_MIN..=TOKEN_BYTES_MAX).contains(&text.len()) {
        return Err(Fault::TokenSize);
    }
    Ok(text.to_owned())
}

/// Reads a host name or an IP literal without port, in lower case; `*` stays as it is.
pub(super) fn host(text: &str) -> Result<String, Fault> {
    if text == "*" {
        return Ok(text.to_owned());
    }
    if !text.is_ascii() {
        return Err(Fault::HostNotAscii);
    }
    let lower = text.to_ascii_lowercase();
    if let Some(after) = lower.strip_prefix('[') {
        let (inner, rest) = after.split_once(']').ok_or(Fault::NotAHost)?;
        inner.parse::<Ipv6Addr>().map_err(|_| Fault::NotAHost)?;
        return match rest.strip_prefix(':') {
            None if rest.is_empty() => Ok(lower),
            Some(_) => Err(Fault::HostWithPort),
            None => Err(Fault::NotAHost),
        };
    }
    match lower.rsplit_once(':') {
        Some((name, port)) if is_host_name(name) && port.bytes().all(|b| b.is_ascii_digit()) => {
            Err(Fault::HostWithPort)
        }
        None if is_host_name(&lower) => Ok(lower),
        _ => Err(Fault::NotAHost),
    }
}

/// Whether this is a host name as DNS has it; underscores are let through because names with them are in use.
fn is_host_name(name: &str) -> bool {
    let octet = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let label = |label: &str| {
        (1..=LABEL_BYTES_MAX).contains(&label.len())
            && label.bytes().all(octet)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let all_digits = name
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    name.len() <= HOST_BYTES_MAX
        && name.split('.').all(label)
        && (!all_digits || name.parse::<IpAddr>().is_ok())
}

/// Reads a folder of files to serve.
pub(super) fn root(text: &str, folder: &Path) -> Result<PathBuf, Fault> {
    let path = below(folder, text)?;
    let reason = match std::fs::metadata(&path) {
        Ok(found) if found.is_dir() => return Ok(path),
        Ok(_) => "a file is there".to_owned(),
        Err(error) => error.to_string(),
    };
    Err(Fault::NotAFolder { path, reason })
}

/// Reads the disk store's folder; empty for none. It is made at start where it is missing, but not the folder around it:
/// that one is missing when a volume isn't mounted.
pub(super) fn store_folder(text: &str, folder: &Path) -> Result<PathBuf, Fault> {
    if text.is_empty() {
        return Ok(PathBuf::new());
    }
    let path = below(folder, text)?;
    let unfit = |path: &Path, reason: String| Fault::NoStoreFolder {
        path: path.to_path_buf(),
        reason,
    };
    match std::fs::metadata(&path) {
        Ok(found) if found.is_dir() => Ok(path),
        Ok(_) => Err(unfit(&path, "a file is there".to_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => match path.parent() {
            Some(parent) if !parent.is_dir() => Err(unfit(
                &path,
                format!("the folder {parent:?} isn't there; make it first"),
            )),
            _ => Ok(path),
        },
        Err(error) => Err(unfit(&path, error.to_string())),
    }
}

/// Reads the path of a file of PEM certificates; empty for none.
pub(super) fn certificates(text: &str, folder: &Path) -> Result<Option<PathBuf>, Fault> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    if text.is_empty() {
        return Ok(None);
    }
    let path = below(folder, text)?;
    let mut pem = Vec::new();
    let read = std::fs::File::open(&path)
        .and_then(|file| file.take(CERTIFICATES_BYTES_MAX).read_to_end(&mut pem));
    let reason = match read {
        Ok(_) if memchr::memmem::find(&pem, BEGIN.as_bytes()).is_some() => return Ok(Some(path)),
        Ok(_) => format!("nothing in it starts with {BEGIN}"),
        Err(error) => error.to_string(),
    };
    Err(Fault::NoCertificates { path, reason })
}

/// Reads a pin's path: a file, a folder or a glob. Whether files are there is for the start to find out: a missing
/// file must not keep the others from being served.
pub(super) fn pin_path(text: &str, folder: &Path) -> Result<PathBuf, Fault> {
    let path = below(folder, text)?;
    if !is_glob(&path) {
        return Ok(path);
    }
    if Path::new(text).is_relative() && has_wildcard(folder) {
        return Err(Fault::GlobInFolder(folder.to_path_buf()));
    }
    globset::GlobBuilder::new(text)
        .literal_separator(true)
        .build()
        .map_err(|error| Fault::BadGlob(error.kind().to_string()))?;
    Ok(path)
}

/// Whether a pin's path is a glob: a file of that very name goes before what the characters mean.
pub(super) fn is_glob(path: &Path) -> bool {
    has_wildcard(path) && !path.exists()
}

/// The absolute path of `text` seen from `folder`.
pub(super) fn below(folder: &Path, text: &str) -> Result<PathBuf, Fault> {
    if text.is_empty() {
        return Err(Fault::EmptyPath);
    }
    if text.contains('\0') {
        return Err(Fault::NulInPath);
    }
    let path = folder.join(text);
    // It only fails when there is no current folder; the path as written is then the best there is.
    Ok(std::path::absolute(&path).unwrap_or(path))
}

/// Reads a field value (RFC 9110 s5.5), without the octets beyond ASCII that it allows for old senders; empty means none.
pub(super) fn field_value(text: &str) -> Result<String, Fault> {
    let octet = |byte: u8| byte.is_ascii_graphic() || byte == b' ' || byte == b'\t';
    if !text.bytes().all(octet) {
        return Err(Fault::FieldValueOctet);
    }
    if text.trim() != text {
        return Err(Fault::FieldValueEnds);
    }
    if text.len() > FIELD_VALUE_BYTES_MAX {
        return Err(Fault::FieldValueTooLong);
    }
    Ok(text.to_owned())
}

/// Reads a media type with its parameters (RFC 9110 s8.3.1); empty means none.
pub(super) fn content_type(text: &str) -> Result<String, Fault> {
    let token = |part: &str| {
        let octet = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        !part.is_empty() && part.bytes().all(octet)
    };
    let value = field_value(text)?;
    let essence = value.split(';').next().unwrap_or_default().trim_end();
    match essence.split_once('/') {
        Some((kind, subtype)) if token(kind) && token(subtype) => Ok(value),
        None if value.is_empty() => Ok(value),
        _ => Err(Fault::NotAMediaType),
    }
}

/// Reads the path of a file with URLs, which may be written later; empty for none.
pub(super) fn file_of_urls(text: &str, folder: &Path) -> Result<Option<PathBuf>, Fault> {
    match text.is_empty() {
        true => Ok(None),
        false => below(folder, text).map(Some),
    }
}

/// Reads a media type, or all of a kind such as `audio/*`, in lower case and without parameters.
pub(super) fn type_pattern(text: &str) -> Result<Box<str>, Fault> {
    let lower = text.to_ascii_lowercase();
    let kind = lower.strip_suffix('*').map(|kind| format!("{kind}x"));
    let essence = content_type(kind.as_deref().unwrap_or(&lower))?;
    match essence.is_empty() || essence.contains(';') || essence.contains('*') {
        true => Err(Fault::NotAMediaType),
        false => Ok(lower.into()),
    }
}

/// Reads the extension of a file, in lower case; empty for none.
pub(super) fn extension(text: &str) -> Result<String, Fault> {
    let lower = text.trim_start_matches('.').to_ascii_lowercase();
    match lower.is_empty() || !Extension::new(&lower).as_str().is_empty() {
        true => Ok(lower),
        false => Err(Fault::NotAnExtension),
    }
}

/// Reads a group, by its name in /etc/group or by its number; empty for none.
pub(super) fn group(text: &str) -> Result<Option<u32>, Fault> {
    const GROUPS: &str = "/etc/group";
    if text.is_empty() {
        return Ok(None);
    }
    if let Ok(number) = text.parse() {
        return Ok(Some(number));
    }
    let known = std::fs::read_to_string(GROUPS).unwrap_or_default();
    let number = known.lines().find_map(|line| {
        let mut parts = line.split(':');
        let is_it = parts.next() == Some(text);
        is_it.then(|| parts.nth(1)?.parse().ok()).flatten()
    });
    number.map(Some).ok_or(Fault::NoSuchGroup)
}

#[cfg(test)]
#[path = "values_tests.rs"]
mod tests;
