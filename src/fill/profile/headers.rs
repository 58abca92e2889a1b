//! Fixed request fields, such as an Authorization of one's own: in the config or in a file, which is read for each request.

use std::path::PathBuf;

use hyper::http::HeaderName;
use hyper::http::request::Parts;

use super::environment::read_text;
use super::fault::CredentialFault;
use super::s3::sensitive;
use super::secret::Secret;
use super::settings::ProfileRule;

/// Where the fields are.
#[derive(Debug)]
pub(super) struct HeaderSource {
    fields: Vec<(String, Secret)>,
    file: Option<PathBuf>,
}

impl HeaderSource {
    pub(super) fn new(rule: &ProfileRule) -> Self {
        Self {
            fields: rule.request_headers.clone(),
            file: rule.request_headers_file.clone(),
        }
    }

    /// Puts the fields into a request, in the place of those of their names.
    pub(super) async fn put(&self, parts: &mut Parts) -> Result<(), CredentialFault> {
        for (name, value) in &self.fields {
            insert(parts, name, value.reveal())?;
        }
        let Some(file) = &self.file else {
            return Ok(());
        };
        let text = read_text(file.clone())
            .await
            .ok_or(CredentialFault::Unusable)?;
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let (name, value) = line.split_once(':').ok_or(CredentialFault::Unusable)?;
            if !may_be_set(name) {
                return Err(CredentialFault::Unusable);
            }
            insert(parts, name, value.trim())?;
        }
        Ok(())
    }
}

fn insert(parts: &mut Parts, name: &str, value: &str) -> Result<(), CredentialFault> {
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| CredentialFault::Unusable)?;
    let value = sensitive(value).ok_or(CredentialFault::Unusable)?;
    parts.headers.insert(name, value);
    Ok(())
}

/// Whether a profile may set the field of this name: not those that frame a message, belong to a connection or say where it
/// goes.
#[must_use]
pub fn may_be_set(name: &str) -> bool {
    const NEVER: [&str; 10] = [
        "host",
        "content-length",
        "transfer-encoding",
        "connection",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "upgrade",
        "expect",
    ];
    let is_token = HeaderName::from_bytes(name.as_bytes()).is_ok();
    is_token && !NEVER.iter().any(|never| name.eq_ignore_ascii_case(never))
}
