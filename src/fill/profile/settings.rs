//! A profile as checked settings: whom it is for, what it shows them, and how they are reached.

use std::path::PathBuf;
use std::time::Duration;

use super::domain::Domain;
use super::secret::Secret;
use crate::policy::origin_rule::OriginUrl;

/// One `[[profile]]` of the config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileRule {
    /// Its name: what callers ask for, and the scope of cache keys.
    pub name: String,
    /// What kind of credentials it shows.
    pub kind: ProfileKind,
    /// The domains that it is for without being named.
    pub domains: Vec<Domain>,
    /// The region of an S3 service; empty: the one in the host's name, or `us-east-1`.
    pub region: String,
    /// What stands behind the bucket, or the account, in hosts' names; empty: what `domains` and the names tell.
    pub base_domain: String,
    /// Where its domains are really reached; none: at their own hosts.
    pub endpoint: Option<OriginUrl>,
    /// Whether the bucket, or the account, goes into the path rather than the host's name.
    pub path_style: bool,
    /// Keys of an S3 service.
    pub s3: S3Keys,
    /// Keys of an Azure account.
    pub azure: AzureKeys,
    /// Whether the role of the machine or the container is asked for where no key is found.
    pub instance_role: bool,
    /// Request fields of kind `headers`, name and value.
    pub request_headers: Vec<(String, Secret)>,
    /// A file with more of them, a line each.
    pub request_headers_file: Option<PathBuf>,
    /// What https hosts have to prove.
    pub tls: ProfileTls,
    /// Longest time to connect, TLS included.
    pub connect_timeout: Duration,
    /// Longest time from a request's last byte to its answer's first.
    pub first_byte_timeout: Duration,
    /// Longest time of one request with its answer.
    pub total_timeout: Duration,
    /// The line of the config that it starts on, 1-based, for messages.
    pub line: usize,
}

impl Default for ProfileRule {
    fn default() -> Self {
        Self {
            name: String::new(),
            kind: ProfileKind::S3,
            domains: Vec::new(),
            region: String::new(),
            base_domain: String::new(),
            endpoint: None,
            path_style: false,
            s3: S3Keys::default(),
            azure: AzureKeys::default(),
            instance_role: true,
            request_headers: Vec::new(),
            request_headers_file: None,
            tls: ProfileTls::default(),
            connect_timeout: Duration::from_secs(5),
            first_byte_timeout: Duration::from_secs(30),
            total_timeout: Duration::from_secs(3600),
            line: 0,
        }
    }
}

/// What a profile shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProfileKind {
    /// Signatures of S3 (AWS Signature Version 4).
    S3,
    /// Signatures, tokens or identities of Azure Blob Storage.
    Azure,
    /// Fixed request fields.
    Headers,
}

impl ProfileKind {
    /// Its name in the config.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Azure => "azure",
            Self::Headers => "headers",
        }
    }
}

/// Keys of an S3 service: in the config or in files, which are read again now and then.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct S3Keys {
    /// `access_key_id`
    pub access_key_id: Secret,
    /// `secret_access_key`
    pub secret_access_key: Secret,
    /// `session_token`
    pub session_token: Secret,
    /// `access_key_id_file`
    pub access_key_id_file: Option<PathBuf>,
    /// `secret_access_key_file`
    pub secret_access_key_file: Option<PathBuf>,
    /// `session_token_file`
    pub session_token_file: Option<PathBuf>,
}

impl S3Keys {
    /// Whether the config says where keys are.
    #[must_use]
    pub fn is_set(&self) -> bool {
        !self.access_key_id.is_empty() || self.access_key_id_file.is_some()
    }

    /// Whether any of them is in a file.
    #[must_use]
    pub fn has_files(&self) -> bool {
        self.access_key_id_file.is_some()
            || self.secret_access_key_file.is_some()
            || self.session_token_file.is_some()
    }
}

/// Keys of an Azure account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AzureKeys {
    /// `account`; empty: the environment's, or the first label of the host's name.
    pub account: String,
    /// `account_key`
    pub account_key: Secret,
    /// `account_key_file`
    pub account_key_file: Option<PathBuf>,
    /// `sas_token`
    pub sas_token: Secret,
    /// `sas_token_file`
    pub sas_token_file: Option<PathBuf>,
}

impl AzureKeys {
    /// Whether the config says where a key or a token is.
    #[must_use]
    pub fn is_set(&self) -> bool {
        !self.account_key.is_empty()
            || !self.sas_token.is_empty()
            || self.account_key_file.is_some()
            || self.sas_token_file.is_some()
    }
}

/// What https hosts have to prove, and what is proved to them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileTls {
    /// A file of PEM certificates that they are verified by too.
    pub ca_file: Option<PathBuf>,
    /// Whether they are verified by the certificates that this system trusts.
    pub system_roots: bool,
    /// Whether they must prove who they are.
    pub verify_peer: bool,
    /// Whether their certificate must be for the URL's host.
    pub verify_host: bool,
    /// A PEM file with our certificate and those between it and its authority.
    pub client_cert: Option<PathBuf>,
    /// A PEM file with the certificate's key.
    pub client_key: Option<PathBuf>,
}

impl Default for ProfileTls {
    fn default() -> Self {
        Self {
            ca_file: None,
            system_roots: true,
            verify_peer: true,
            verify_host: true,
            client_cert: None,
            client_key: None,
        }
    }
}
