//! The names of the tables and keys that FreeSWITCH's parameters become.

/// The files that are fetched for local programs.
pub(super) const LIBRARY: &str = "[library]";
/// The files that are sent to origins.
pub(super) const UPLOAD: &str = "[upload]";
/// Keys of `[upload]`.
pub(super) const UPLOAD_HOSTS: &str = "hosts";
pub(super) const UPLOAD_FILES: &str = "files";
pub(super) const UPLOAD_CACHE: &str = "cache";
/// Credentials for private storage.
pub(super) const PROFILE: &str = "[[profile]]";

/// The most hosts: all.
pub(super) const EVERY_HOST: &str = "*";

/// Keys of `[library]`.
pub(super) mod library {
    pub(in super::super) const HOSTS: &str = "hosts";
    pub(in super::super) const GROUP: &str = "group";
    pub(in super::super) const DEFAULT_TTL: &str = "default_ttl";
    pub(in super::super) const IGNORE_NO_LAST_MODIFIED: &str = "ignore_no_last_modified";
    pub(in super::super) const CONNECT_TIMEOUT: &str = "connect_timeout";
    pub(in super::super) const GET_TIMEOUT: &str = "get_timeout";
    pub(in super::super) const PREFETCH_QUEUE: &str = "queue";
    pub(in super::super) const PREFETCH_CONCURRENCY: &str = "concurrency";
    pub(in super::super) const CA_FILE: &str = "ca_file";
    pub(in super::super) const VERIFY_PEER: &str = "verify_peer";
}

/// Keys of `[[profile]]`.
pub(super) mod profile {
    pub(in super::super) const NAME: &str = "name";
    pub(in super::super) const KIND: &str = "kind";
    pub(in super::super) const DOMAINS: &str = "domains";
    pub(in super::super) const BASE_DOMAIN: &str = "base_domain";
    pub(in super::super) const REGION: &str = "region";
    pub(in super::super) const ACCESS_KEY_ID: &str = "access_key_id";
    pub(in super::super) const ACCESS_KEY_ID_FILE: &str = "access_key_id_file";
    pub(in super::super) const SECRET_ACCESS_KEY: &str = "secret_access_key";
    pub(in super::super) const SECRET_ACCESS_KEY_FILE: &str = "secret_access_key_file";
    pub(in super::super) const ACCOUNT_KEY: &str = "account_key";
    pub(in super::super) const ACCOUNT_KEY_FILE: &str = "account_key_file";
    pub(in super::super) const REQUEST_HEADERS: &str = "request_headers";
    pub(in super::super) const REQUEST_HEADERS_FILE: &str = "request_headers_file";
    pub(in super::super) const CA_FILE: &str = "ca_file";
    pub(in super::super) const VERIFY_PEER: &str = "verify_peer";
    pub(in super::super) const VERIFY_HOST: &str = "verify_host";
    pub(in super::super) const CONNECT_TIMEOUT: &str = "connect_timeout";
    pub(in super::super) const TOTAL_TIMEOUT: &str = "total_timeout";

    pub(in super::super) const KIND_S3: &str = "s3";
    pub(in super::super) const KIND_AZURE: &str = "azure";
    pub(in super::super) const KIND_HEADERS: &str = "headers";
}
