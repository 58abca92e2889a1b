//! Requests to Azure Blob Storage: signed with the account's key (Shared Key), with a token of shared access in the query, or
//! with a bearer token of the machine's identity.
//!
//! The string that is signed follows "Authorize with Shared Key" of the service's documentation, in its form since version
//! 2015-02-21 (an empty length for no body). It is our own: the library for it holds an RSA implementation with a known,
//! unmended flaw, for certificates that nobody needs here.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use hyper::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_TYPE, HOST,
    IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE, RANGE,
};
use hyper::http::request::Parts;
use hyper::http::uri::PathAndQuery;
use hyper::http::{HeaderName, HeaderValue, Request, Uri};
use reqsign_core::Context;
use reqsign_core::hash::{base64_decode, base64_hmac_sha256};
use serde::Deserialize;

use super::domain::host_and_port;
use super::environment::{Environment, read_text};
use super::fault::CredentialFault;
use super::s3::sensitive;
use super::search::Search;
use super::secret::Secret;
use super::settings::{AzureKeys, ProfileRule};
use crate::http::date;
use crate::sys::clock;
use crate::units::UnixSeconds;

/// The version of the service that requests are written for: blocks of up to 4000 MiB.
const VERSION: &str = "2021-08-06";

const ACCOUNT_NAMES: [&str; 2] = ["AZURE_STORAGE_ACCOUNT", "AZURE_STORAGE_ACCOUNT_NAME"];
const KEY_NAMES: [&str; 3] = [
    "AZURE_STORAGE_ACCESS_KEY",
    "AZURE_STORAGE_KEY",
    "AZURE_STORAGE_ACCOUNT_KEY",
];
const SAS_NAMES: [&str; 1] = ["AZURE_STORAGE_SAS_TOKEN"];

/// A token is renewed so long before its end.
const TOKEN_MARGIN_SECONDS: u64 = 300;

const X_MS_DATE: HeaderName = HeaderName::from_static("x-ms-date");
const X_MS_VERSION: HeaderName = HeaderName::from_static("x-ms-version");

/// Makes requests that Azure Blob Storage takes.
#[derive(Debug)]
pub(super) struct AzureSigner {
    keys: AzureKeys,
    base_domain: String,
    environment: Environment,
    context: Context,
    instance_role: bool,
    token: ArcSwapOption<Token>,
    search: Search<Arc<Token>>,
}

/// What is shown with a request.
enum Credential {
    Key(Secret),
    Sas(Secret),
    Bearer(Arc<Token>),
}

/// A bearer token with its end.
#[derive(Debug)]
struct Token {
    text: Secret,
    until: UnixSeconds,
}

impl AzureSigner {
    pub(super) fn new(rule: &ProfileRule, environment: &Environment) -> Self {
        Self {
            keys: rule.azure.clone(),
            base_domain: rule.base_domain.clone(),
            environment: environment.clone(),
            context: environment.context(),
            instance_role: rule.instance_role,
            token: ArcSwapOption::empty(),
            search: Search::default(),
        }
    }

    /// Whether its keys may be others without another config: those in files, and the machine's identity.
    pub(super) fn may_change(&self) -> bool {
        let keys = &self.keys;
        if keys.is_set() {
            return keys.account_key_file.is_some() || keys.sas_token_file.is_some();
        }
        let names = [&KEY_NAMES[..], &SAS_NAMES].concat();
        self.environment.first(&names).is_none()
    }

    /// Forgets the token that was found; files are read for each request.
    pub(super) fn forget(&self) {
        self.token.store(None);
    }

    /// Signs a request whose target is in origin form.
    pub(super) async fn sign(&self, parts: &mut Parts) -> Result<(), CredentialFault> {
        let (now, _) = clock::wall();
        let date = date::format(now);
        let date = HeaderValue::from_bytes(&date).map_err(|_| CredentialFault::Unsignable)?;
        let credential = self.credential(now).await?;
        parts.headers.insert(X_MS_DATE, date);
        let version = HeaderValue::from_static(VERSION);
        parts.headers.entry(X_MS_VERSION).or_insert(version);
        match credential {
            Credential::Key(key) => {
                let key = base64_decode(key.reveal()).map_err(|_| CredentialFault::Unusable)?;
                let account = self.account(parts).ok_or(CredentialFault::Missing)?;
                let signature =
                    base64_hmac_sha256(&key, string_to_sign(parts, &account).as_bytes());
                let line = sensitive(&format!("SharedKey {account}:{signature}"))
                    .ok_or(CredentialFault::Unusable)?;
                parts.headers.insert(AUTHORIZATION, line);
            }
            Credential::Sas(token) => {
                parts.uri = with_query(&parts.uri, token.reveal().trim_start_matches('?'))
                    .ok_or(CredentialFault::Unusable)?;
            }
            Credential::Bearer(token) => {
                let line = sensitive(&format!("Bearer {}", token.text.reveal()))
                    .ok_or(CredentialFault::Unusable)?;
                parts.headers.insert(AUTHORIZATION, line);
            }
        }
        Ok(())
    }

    /// The account: the config's, the environment's, or the first label of the host's name.
    fn account(&self, parts: &Parts) -> Option<String> {
        if !self.keys.account.is_empty() {
            return Some(self.keys.account.clone());
        }
        if let Some(account) = self.environment.first(&ACCOUNT_NAMES) {
            return Some(account.to_owned());
        }
        let host = parts.headers.get(HOST)?.to_str().ok()?;
        let (account, service) = host.split_once('.')?;
        let is_base = !service.is_empty() && host_and_port(service).0 == self.base_domain;
        (is_base || service.starts_with("blob.")).then(|| account.to_owned())
    }

    async fn credential(&self, now: UnixSeconds) -> Result<Credential, CredentialFault> {
        let keys = &self.keys;
        let read = async |text: &Secret, file: &Option<std::path::PathBuf>| match file {
            Some(path) => {
                let text = read_text(path.clone()).await;
                text.map(|text| Secret::new(&text))
                    .ok_or(CredentialFault::Unusable)
            }
            None => Ok(text.clone()),
        };
        let key = read(&keys.account_key, &keys.account_key_file).await?;
        if !key.is_empty() {
            return Ok(Credential::Key(key));
        }
        let token = read(&keys.sas_token, &keys.sas_token_file).await?;
        if !token.is_empty() {
            return Ok(Credential::Sas(token));
        }
        if keys.is_set() {
            return Err(CredentialFault::Missing);
        }
        if let Some(key) = self.environment.first(&KEY_NAMES) {
            return Ok(Credential::Key(Secret::new(key)));
        }
        if let Some(token) = self.environment.first(&SAS_NAMES) {
            return Ok(Credential::Sas(Secret::new(token)));
        }
        if !self.instance_role {
            return Err(CredentialFault::Missing);
        }
        if let Some(token) = self.token.load_full()
            && token.until.0 > now.0 + TOKEN_MARGIN_SECONDS
        {
            return Ok(Credential::Bearer(token));
        }
        let look = || {
            let (environment, context) = (self.environment.clone(), self.context.clone());
            async move { Ok(identity(&environment, &context, now).await.map(Arc::new)) }
        };
        let found = self.search.find(look).await.ok().flatten();
        let token = found.ok_or(CredentialFault::Missing)?;
        self.token.store(Some(Arc::clone(&token)));
        Ok(Credential::Bearer(token))
    }
}

/// A token of the machine's managed identity.
async fn identity(environment: &Environment, context: &Context, now: UnixSeconds) -> Option<Token> {
    #[derive(Deserialize)]
    struct Answer {
        access_token: String,
        /// A number, as text in most versions of the service.
        expires_in: Option<serde_json::Value>,
    }
    const RESOURCE: &str = "https%3A%2F%2Fstorage.azure.com%2F";
    let service = environment
        .first(&["AZURE_POD_IDENTITY_AUTHORITY_HOST"])
        .unwrap_or("http://169.254.169.254");
    let client = match environment.first(&["AZURE_CLIENT_ID"]) {
        Some(id) => format!("&client_id={id}"),
        None => String::new(),
    };
    let url = format!(
        "{}/metadata/identity/oauth2/token?api-version=2018-02-01&resource={RESOURCE}{client}",
        service.trim_end_matches('/')
    );
    let request = Request::get(url).header("Metadata", "true");
    let answer = context.http_send(request.body(Bytes::new()).ok()?);
    let answer = answer.await.ok()?;
    if !answer.status().is_success() {
        return None;
    }
    let answer: Answer = serde_json::from_slice(answer.body()).ok()?;
    let lasts = match answer.expires_in? {
        serde_json::Value::String(text) => text.parse().ok()?,
        number => number.as_u64()?,
    };
    Some(Token {
        text: Secret::new(&answer.access_token),
        until: UnixSeconds(now.0.saturating_add(lasts)),
    })
}

fn with_query(uri: &Uri, more: &str) -> Option<Uri> {
    let separator = if uri.query().is_some() { '&' } else { '?' };
    let text = format!("{}{separator}{more}", uri.path_and_query()?);
    PathAndQuery::try_from(text).ok().map(Uri::from)
}

/// What Shared Key signs of a request.
fn string_to_sign(parts: &Parts, account: &str) -> String {
    let field = |name: &HeaderName| {
        let value = parts.headers.get(name);
        value
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    let length = match field(&CONTENT_LENGTH) {
        "0" => "",
        length => length,
    };
    let lines = [
        parts.method.as_str(),
        field(&CONTENT_ENCODING),
        field(&CONTENT_LANGUAGE),
        length,
        field(&HeaderName::from_static("content-md5")),
        field(&CONTENT_TYPE),
        // Date: x-ms-date stands for it.
        "",
        field(&IF_MODIFIED_SINCE),
        field(&IF_MATCH),
        field(&IF_NONE_MATCH),
        field(&IF_UNMODIFIED_SINCE),
        field(&RANGE),
    ];
    let mut text = lines.join("\n");
    text.push('\n');
    let mut own: Vec<_> = parts
        .headers
        .iter()
        .filter(|(name, _)| name.as_str().starts_with("x-ms-"))
        .collect();
    own.sort_by_key(|(name, _)| name.as_str());
    for (name, value) in own {
        let value = value.to_str().unwrap_or_default().trim();
        text.push_str(&format!("{name}:{value}\n"));
    }
    text.push_str(&format!("/{account}{}", parts.uri.path()));
    let mut parameters: Vec<(String, String)> = parts
        .uri
        .query()
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name).to_ascii_lowercase(), decoded(value))
        })
        .collect();
    parameters.sort();
    let mut last = None;
    for (name, value) in parameters {
        if last.as_ref() == Some(&name) {
            text.push_str(&format!(",{value}"));
        } else {
            text.push_str(&format!("\n{name}:{value}"));
        }
        last = Some(name);
    }
    text
}

/// A part of a query with its encodings undone; what is no UTF-8 then is replaced, and refused by the service.
fn decoded(text: &str) -> String {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&octet, after)) = rest.split_first() {
        let number = after.get(..2).and_then(|digits| {
            let digits = std::str::from_utf8(digits).ok()?;
            let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            u8::from_str_radix(digits, 16).ok().filter(|_| is_hex)
        });
        match (octet, number) {
            (b'%', Some(number)) => {
                octets.push(number);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                octets.push(octet);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&octets).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(target: &str, lines: &[(&str, &str)]) -> Parts {
        let mut request = Request::put(target).header("Host", "acme.blob.core.windows.net");
        for (name, value) in lines {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn run<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(work)
    }

    fn signer(keys: AzureKeys) -> AzureSigner {
        let rule = ProfileRule {
            azure: keys,
            instance_role: false,
            ..ProfileRule::default()
        };
        AzureSigner::new(&rule, &Environment::default())
    }

    #[test]
    fn string_to_sign_is_that_of_the_service() {
        let lines = [
            ("Content-Length", "11"),
            ("Content-Type", "audio/wav"),
            ("x-ms-version", "2021-08-06"),
            ("x-ms-blob-type", "BlockBlob"),
            ("Range", "bytes=0-9"),
            ("Via", "1.1 x"),
        ];
        let signed = parts("/c/a%20b?comp=block&BlockId=QQ%3D%3D&x=2&x=1", &lines);
        let expected = "PUT\n\n\n11\n\naudio/wav\n\n\n\n\n\nbytes=0-9\nx-ms-blob-type:BlockBlob\n\
                        x-ms-version:2021-08-06\n/acme/c/a%20b\nblockid:QQ==\ncomp:block\nx:1,2";
        assert_eq!(string_to_sign(&signed, "acme"), expected);
        let empty = parts("/c/a", &[("Content-Length", "0")]);
        let text = string_to_sign(&empty, "acme");
        assert_eq!(text, "PUT\n\n\n\n\n\n\n\n\n\n\n\n/acme/c/a");
    }

    #[test]
    fn account_is_the_hosts_where_nobody_names_one() {
        let keys = AzureKeys {
            account_key: Secret::new("a2V5"),
            ..AzureKeys::default()
        };
        let mut signed = parts("/c/a", &[]);
        run(signer(keys).sign(&mut signed)).unwrap();
        let line = signed.headers["authorization"].to_str().unwrap();
        assert!(line.starts_with("SharedKey acme:"), "{line}");
        assert!(!format!("{:?}", signed.headers).contains("SharedKey"));
    }

    #[test]
    fn token_of_shared_access_goes_behind_the_query() {
        for (target, expected) in [("/c/a", "/c/a?sv=1&sig=x"), ("/c/a?b", "/c/a?b&sv=1&sig=x")] {
            let keys = AzureKeys {
                sas_token: Secret::new("?sv=1&sig=x"),
                ..AzureKeys::default()
            };
            let mut signed = parts(target, &[]);
            run(signer(keys).sign(&mut signed)).unwrap();
            assert_eq!(signed.uri.to_string(), expected);
            assert!(!signed.headers.contains_key("authorization"));
        }
    }

    #[test]
    fn key_that_is_nowhere_is_missing_and_one_that_is_none_unusable() {
        let mut signed = parts("/c/a", &[]);
        let found = run(signer(AzureKeys::default()).sign(&mut signed));
        assert_eq!(found, Err(CredentialFault::Missing));
        let odd = AzureKeys {
            account_key: Secret::new("!!"),
            ..AzureKeys::default()
        };
        assert_eq!(
            run(signer(odd).sign(&mut signed)),
            Err(CredentialFault::Unusable)
        );
    }
}
