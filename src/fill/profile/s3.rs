//! Signatures of S3: AWS Signature Version 4 in the Authorization field, the payload unsigned.
//!
//! The library signs what it is given, so it is given only what S3 needs to be signed: Host and the `x-amz-` fields. A proxy on
//! the way may then add or change others. Path and query are put on the wire in the one form that every server decodes
//! as it was meant: all but unreserved octets percent-encoded, `+` too, which some take for a space.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use hyper::header::{AUTHORIZATION, HOST};
use hyper::http::request::Parts;
use hyper::http::uri::{PathAndQuery, Uri};
use hyper::http::{HeaderName, HeaderValue, Request};
use reqsign_aws_v4::{
    AssumeRoleWithWebIdentityCredentialProvider, Credential, DefaultCredentialProvider,
    EnvCredentialProvider, ProfileCredentialProvider, RequestSigner,
};
use reqsign_core::time::Timestamp;
use reqsign_core::{Context, Error, ErrorKind, ProvideCredential, Result, Signer};

use super::environment::{Environment, read_text};
use super::fault::CredentialFault;
use super::place::region_in;
use super::search::{Failed, Search};
use super::settings::{ProfileRule, S3Keys};

/// The region where nothing names one.
const REGION: &str = "us-east-1";

/// How long keys from files are used before the files are read again.
const FILES_FOR: Duration = Duration::from_secs(300);

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// Signs requests to S3 services.
#[derive(Debug)]
pub(super) struct S3Signer {
    /// With the keys that were found last.
    signer: ArcSwap<Signer<Credential>>,
    keys: S3Keys,
    environment: Environment,
    instance_role: bool,
    region: String,
}

impl S3Signer {
    pub(super) fn new(rule: &ProfileRule, environment: &Environment) -> Self {
        Self {
            signer: ArcSwap::from_pointee(signer(&rule.s3, environment, rule.instance_role)),
            keys: rule.s3.clone(),
            environment: environment.clone(),
            instance_role: rule.instance_role,
            region: rule.region.clone(),
        }
    }

    /// Whether its keys may be others without another config: those in files and of roles.
    pub(super) fn may_change(&self) -> bool {
        if self.keys.is_set() {
            self.keys.has_files()
        } else {
            self.environment.first(&["AWS_ACCESS_KEY_ID"]).is_none()
        }
    }

    /// Forgets the keys that were found: the next request looks for them.
    pub(super) fn forget(&self) {
        let signer = signer(&self.keys, &self.environment, self.instance_role);
        self.signer.store(Arc::new(signer));
    }

    /// Signs a request whose target is in origin form.
    pub(super) async fn sign(
        &self,
        parts: &mut Parts,
        is_https: bool,
    ) -> std::result::Result<(), CredentialFault> {
        let path = strict(&parts.uri).ok_or(CredentialFault::Unsignable)?;
        let host = parts.headers.get(HOST).cloned();
        let authority = host.as_ref().and_then(|host| host.to_str().ok());
        let authority = authority.ok_or(CredentialFault::Unsignable)?;
        let scheme = if is_https { "https" } else { "http" };
        let mut signed = Request::new(()).into_parts().0;
        signed.method = parts.method.clone();
        signed.uri = Uri::builder()
            .scheme(scheme)
            .authority(authority)
            .path_and_query(path.clone())
            .build()
            .map_err(|_| CredentialFault::Unsignable)?;
        let lines = parts.headers.iter();
        for (name, value) in lines.filter(|(name, _)| is_signed(name)) {
            signed.headers.append(name.clone(), value.clone());
        }
        let region = match self.region.as_str() {
            "" => region_in(signed.uri.host().unwrap_or_default()).unwrap_or(REGION),
            region => region,
        };
        let signer = Signer::clone(&self.signer.load())
            .with_request_signer(RequestSigner::new("s3", region).with_standard_session_token());
        signer
            .sign(&mut signed, None)
            .await
            .map_err(|error| fault_of(&error))?;
        parts.uri = Uri::from(path);
        for (name, mut value) in signed.headers {
            let Some(name) = name.filter(|name| *name != HOST) else {
                continue;
            };
            if name == AUTHORIZATION || name.as_str().ends_with("-token") {
                value.set_sensitive(true);
            }
            parts.headers.insert(name, value);
        }
        Ok(())
    }
}

/// A signer that has yet to look for its keys.
fn signer(keys: &S3Keys, environment: &Environment, instance_role: bool) -> Signer<Credential> {
    let context = environment.context();
    // Takes the region of each request's host in turn; this one is a stand-in.
    let stand_in = RequestSigner::new("s3", REGION);
    if keys.is_set() {
        Signer::new(context, Keys(keys.clone()), stand_in)
    } else {
        Signer::new(context, Chain::new(instance_role), stand_in)
    }
}

fn is_signed(name: &HeaderName) -> bool {
    *name == HOST || name.as_str().starts_with("x-amz-")
}

fn fault_of(error: &Error) -> CredentialFault {
    match error.kind() {
        ErrorKind::CredentialInvalid => CredentialFault::Missing,
        ErrorKind::RequestInvalid => CredentialFault::Unsignable,
        _ => CredentialFault::Unusable,
    }
}

/// Where keys are looked for that the config does not have: in the order of AWS's own programs. A program that prints
/// credentials (`credential_process`) is not started.
#[derive(Debug)]
struct Chain {
    places: Arc<DefaultCredentialProvider>,
    search: Search<Credential>,
}

impl Chain {
    fn new(instance_role: bool) -> Self {
        let builder = DefaultCredentialProvider::builder()
            .env(EnvCredentialProvider::new())
            .profile(ProfileCredentialProvider::default())
            .web_identity(AssumeRoleWithWebIdentityCredentialProvider::default())
            .no_process();
        let places = if instance_role {
            builder.build()
        } else {
            builder.no_ecs().no_imds().build()
        };
        Self {
            places: Arc::new(places),
            search: Search::default(),
        }
    }
}

impl ProvideCredential for Chain {
    type Credential = Credential;

    async fn provide_credential(&self, context: &Context) -> Result<Option<Credential>> {
        let look = || {
            let (places, context) = (Arc::clone(&self.places), context.clone());
            async move {
                match places.provide_credential(&context).await {
                    Ok(found) => Ok(found.map(for_a_while)),
                    Err(error) if error.kind() == ErrorKind::CredentialInvalid => Ok(None),
                    Err(_) => Err(Failed),
                }
            }
        };
        let found = self.search.find(look).await;
        found.map_err(|Failed| Error::unexpected("no place of credentials could be asked"))
    }
}

/// Keys that nobody says an end of stand in a file that may be written anew.
fn for_a_while(found: Credential) -> Credential {
    let until = found
        .expires_in
        .unwrap_or_else(|| Timestamp::now() + FILES_FOR);
    Credential {
        expires_in: Some(until),
        ..found
    }
}

/// Keys of the config, in itself or in files.
#[derive(Debug)]
struct Keys(S3Keys);

impl ProvideCredential for Keys {
    type Credential = Credential;

    async fn provide_credential(&self, _: &Context) -> Result<Option<Credential>> {
        let keys = &self.0;
        let read = async |text: &super::Secret, file: &Option<std::path::PathBuf>| match file {
            Some(path) => read_text(path.clone())
                .await
                .ok_or_else(|| Error::config_invalid("a file of keys can't be read")),
            None => Ok(text.reveal().to_owned()),
        };
        let access_key_id = read(&keys.access_key_id, &keys.access_key_id_file).await?;
        let secret_access_key = read(&keys.secret_access_key, &keys.secret_access_key_file).await?;
        let token = read(&keys.session_token, &keys.session_token_file).await?;
        if access_key_id.is_empty() || secret_access_key.is_empty() {
            return Ok(None);
        }
        Ok(Some(Credential {
            access_key_id,
            secret_access_key,
            session_token: (!token.is_empty()).then_some(token),
            expires_in: keys.has_files().then(|| Timestamp::now() + FILES_FOR),
        }))
    }
}

/// Path and query with all but unreserved octets encoded, and what delimits them.
fn strict(uri: &Uri) -> Option<PathAndQuery> {
    let mut text = Vec::with_capacity(uri.path().len() + 32);
    encode(uri.path().as_bytes(), b"/%", &mut text);
    if let Some(query) = uri.query() {
        text.push(b'?');
        for (at, pair) in query.split('&').enumerate() {
            if at > 0 {
                text.push(b'&');
            }
            // What comes behind the first is the value's.
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            encode(name.as_bytes(), b"%", &mut text);
            if pair.len() > name.len() {
                text.push(b'=');
                encode(value.as_bytes(), b"%", &mut text);
            }
        }
    }
    PathAndQuery::try_from(text).ok()
}

/// Appends `octets` with those encoded that are neither unreserved (RFC 3986 s2.3) nor `kept`. A `%` stays where it begins
/// an encoding.
fn encode(octets: &[u8], kept: &[u8], text: &mut Vec<u8>) {
    for (at, &octet) in octets.iter().enumerate() {
        let is_plain = octet.is_ascii_alphanumeric() || b"-._~".contains(&octet);
        let is_kept = kept.contains(&octet) && (octet != b'%' || is_encoding(octets, at));
        if is_plain || is_kept {
            text.push(octet);
        } else {
            let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or_default();
            text.extend([b'%', digit(octet >> 4), digit(octet & 15)]);
        }
    }
}

fn is_encoding(octets: &[u8], at: usize) -> bool {
    let digits = octets.get(at + 1..at + 3);
    digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
}

/// A value for a field that nobody logs.
pub(super) fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fill::profile::Secret;

    fn signer(keys: S3Keys) -> S3Signer {
        let rule = ProfileRule {
            s3: keys,
            instance_role: false,
            ..ProfileRule::default()
        };
        S3Signer::new(&rule, &Environment::default())
    }

    fn keys() -> S3Keys {
        S3Keys {
            access_key_id: Secret::new("AKIDEXAMPLE"),
            secret_access_key: Secret::new("wJalrXUtnFEMI"),
            session_token: Secret::new("tokentokentoken"),
            ..S3Keys::default()
        }
    }

    fn parts(target: &str) -> Parts {
        let request = Request::get(target)
            .header("Host", "b.s3.eu-central-1.amazonaws.com")
            .header("Via", "1.1 x")
            .header("Range", "bytes=0-1");
        request.body(()).unwrap().into_parts().0
    }

    fn run<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(work)
    }

    #[test]
    fn signature_covers_the_host_and_leaves_other_fields_alone() {
        let mut signed = parts("/a b+c?d=e+f".replace(' ', "%20").as_str());
        run(signer(keys()).sign(&mut signed, true)).unwrap();
        assert_eq!(signed.uri.to_string(), "/a%20b%2Bc?d=e%2Bf");
        let line = signed.headers["authorization"].to_str().unwrap();
        let expected = "SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token,";
        assert!(line.contains(expected), "{line}");
        assert!(line.contains("/eu-central-1/s3/aws4_request"), "{line}");
        assert_eq!(signed.headers["via"], "1.1 x");
        assert_eq!(signed.headers["x-amz-content-sha256"], "UNSIGNED-PAYLOAD");
        let shown = format!("{:?}", signed.headers);
        assert!(
            !shown.contains("tokentoken") && !shown.contains("Signature="),
            "{shown}"
        );
    }

    /// The signature of a request, by the words of AWS: what is sent is decoded, and encoded once more.
    fn expected_signature(signed: &Parts, query: &str) -> String {
        use reqsign_core::hash::{hex_hmac_sha256, hex_sha256, hmac_sha256};
        let field = |name: &str| signed.headers[name].to_str().unwrap();
        let date = field("x-amz-date");
        let names = [
            "host",
            "x-amz-content-sha256",
            "x-amz-date",
            "x-amz-security-token",
        ];
        let lines: String = names
            .map(|name| format!("{name}:{}\n", field(name)))
            .concat();
        let request = format!(
            "GET\n{}\n{query}\n{lines}\n{}\n{}",
            signed.uri.path(),
            names.join(";"),
            field("x-amz-content-sha256")
        );
        let scope = ["eu-central-1", "s3", "aws4_request"];
        let text = format!(
            "AWS4-HMAC-SHA256\n{date}\n{}/{}\n{}",
            &date[..8],
            scope.join("/"),
            hex_sha256(request.as_bytes())
        );
        let first = hmac_sha256(b"AWS4wJalrXUtnFEMI", &date.as_bytes()[..8]);
        let key = scope
            .iter()
            .fold(first, |key, part| hmac_sha256(&key, part.as_bytes()));
        hex_hmac_sha256(&key, text.as_bytes())
    }

    #[test]
    fn query_is_signed_as_the_service_reads_it() {
        for (target, query) in [
            (
                "/a?versionId=3%2FL4kq+J=x==",
                "versionId=3%2FL4kq%2BJ%3Dx%3D%3D",
            ),
            (
                "/a?y=%C3%BC(~)*'&x=a%20b:@",
                "x=a%20b%3A%40&y=%C3%BC%28~%29%2A%27",
            ),
            ("/a?versionId", "versionId="),
            ("/a?b=2&b=1&a", "a=&b=1&b=2"),
        ] {
            let mut signed = parts(target);
            run(signer(keys()).sign(&mut signed, true)).unwrap();
            let line = signed.headers["authorization"].to_str().unwrap();
            let expected = expected_signature(&signed, query);
            assert!(
                line.ends_with(&format!("Signature={expected}")),
                "{target}: {line}"
            );
        }
    }

    #[test]
    fn keys_that_are_nowhere_are_missing() {
        let mut signed = parts("/");
        let found = run(signer(S3Keys::default()).sign(&mut signed, true));
        assert_eq!(found, Err(CredentialFault::Missing));
        let gone = S3Keys {
            secret_access_key: Secret::default(),
            secret_access_key_file: Some("/nowhere/at/all".into()),
            ..keys()
        };
        let found = run(signer(gone).sign(&mut signed, true));
        assert_eq!(found, Err(CredentialFault::Unusable));
    }

    #[test]
    fn shared_files_of_aws_are_read_again_and_keys_of_roles_as_long_as_they_last() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credentials");
        let write = |id: &str| {
            let text =
                format!("[default]\naws_access_key_id = {id}\naws_secret_access_key = key\n");
            std::fs::write(&path, text).unwrap();
        };
        write("AKOLD");
        let file = ("AWS_SHARED_CREDENTIALS_FILE", path.to_str().unwrap());
        let environment = |variables: &[(&str, &str)]| {
            Environment::of(
                variables
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
            )
        };
        let found = run(Chain::new(false).provide_credential(&environment(&[file]).context()));
        let until = found.unwrap().unwrap().expires_in.expect("an end");
        assert!(until <= Timestamp::now() + FILES_FOR);
        let last = Timestamp::now() + Duration::from_secs(9000);
        let of_role = Credential {
            expires_in: Some(last),
            ..Credential::default()
        };
        assert_eq!(for_a_while(of_role).expires_in, Some(last));
        // Before that, where they are forgotten.
        let rule = ProfileRule {
            instance_role: false,
            ..ProfileRule::default()
        };
        let signer = S3Signer::new(&rule, &environment(&[file]));
        assert!(signer.may_change());
        let shown = || {
            let mut signed = parts("/a");
            run(signer.sign(&mut signed, true)).unwrap();
            let line = signed.headers["authorization"].to_str().unwrap();
            line.contains("Credential=AKNEW/")
        };
        assert!(!shown());
        write("AKNEW");
        assert!(!shown());
        signer.forget();
        assert!(shown());
        let fixed = [file, ("AWS_ACCESS_KEY_ID", "AKENV")];
        assert!(!S3Signer::new(&rule, &environment(&fixed)).may_change());
    }

    #[test]
    fn path_that_is_not_utf8_is_not_signed() {
        let mut signed = parts("/%E9");
        let found = run(signer(keys()).sign(&mut signed, true));
        assert_eq!(found, Err(CredentialFault::Unsignable));
    }

    #[test]
    fn target_is_encoded_once() {
        let cases = [
            ("/a%20b", "/a%20b"),
            ("/a+b:c@d(e)!'*", "/a%2Bb%3Ac%40d%28e%29%21%27%2A"),
            ("/a%zz%2", "/a%25zz%252"),
            ("/a//b/./c", "/a//b/./c"),
            ("/a?x=1/2&y", "/a?x=1%2F2&y"),
            ("/a?x=a==&&y=", "/a?x=a%3D%3D&&y="),
        ];
        for (target, expected) in cases {
            let uri: Uri = target.parse().unwrap();
            assert_eq!(strict(&uri).unwrap().as_str(), expected);
        }
    }
}
