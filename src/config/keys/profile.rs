//! The keys of `[[profile]]`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::super::fault::Fault;
use super::super::shape::{Key, Shape, Table};
use super::super::{profile_values, values};
use super::{TIMEOUT_MAX, TIMEOUT_MIN, key, needed};
use crate::fill::profile::{ProfileKind, ProfileRule};

/// Most domains of a profile.
const DOMAINS_MAX: usize = 256;
/// Most request fields of a profile.
const FIELDS_MAX: usize = 16;
const TOTAL_MIN: Duration = Duration::from_secs(1);
const TOTAL_MAX: Duration = Duration::from_secs(7 * 24 * 3600);
const FILE_FORM: &str = "the path of a file that can be read, or \"\"";

/// `[[profile]]`
pub(in crate::config) static PROFILE: Table<ProfileRule> = Table {
    name: "profile",
    written: "[[profile]]",
    keys: &[
        needed(
            "name",
            "What commands, requests and sites call it; part of the cache key of what is fetched with it.",
            Shape::Text {
                accepts: "1 to 64 letters, digits and -._",
                set: |profile, text, _| {
                    profile.name = profile_values::name(text)?;
                    Ok(())
                },
            },
        ),
        needed(
            "kind",
            "What it shows: signatures of S3, those of Azure Blob Storage (or its tokens), or fixed request fields.",
            Shape::Choice(&[
                ("s3", |profile| profile.kind = ProfileKind::S3),
                ("azure", |profile| profile.kind = ProfileKind::Azure),
                ("headers", |profile| profile.kind = ProfileKind::Headers),
            ]),
        ),
        key(
            "domains",
            "[]",
            "Hosts that it is used for without being named; \"*.\" stands for all names below; the longest wins.",
            Shape::List {
                accepts: "a host, with its port unless that is the scheme's own, or \"*.\" and one, such as \"*.s3.example.com\"",
                lone: false,
                min: 0,
                max: DOMAINS_MAX,
                clear: |profile| profile.domains.clear(),
                add: |profile, text, _| {
                    profile.domains.push(profile_values::domain(text)?);
                    Ok(())
                },
            },
        ),
        key(
            "region",
            r#""""#,
            "The region that S3 signatures are for; \"\": the one in an AWS host's name, or us-east-1.",
            Shape::Text {
                accepts: "the name of a region, such as \"eu-central-1\", or \"\"",
                set: |profile, text, _| {
                    profile.region = profile_values::region(text)?;
                    Ok(())
                },
            },
        ),
        key(
            "base_domain",
            r#""""#,
            "What stands behind the bucket (Azure: the account) in hosts' names; \"\": a \"*.\" domain, or the service's own name.",
            Shape::Text {
                accepts: "a host's name without a port, such as \"storage.example.com\", or \"\"",
                set: |profile, text, _| {
                    profile.base_domain = profile_values::base_domain(text)?;
                    Ok(())
                },
            },
        ),
        key(
            "endpoint",
            r#""""#,
            "Where its hosts are really reached, for MinIO, Garage, Azurite and gateways; \"\": at their own names.",
            Shape::Text {
                accepts: "an http or https URL, such as \"http://127.0.0.1:9000\", or \"\"",
                set: |profile, text, _| {
                    profile.endpoint = profile_values::endpoint(text)?;
                    Ok(())
                },
            },
        ),
        key(
            "path_style",
            "false",
            "Whether the bucket (Azure: the account) goes from the host's name into the path.",
            Shape::Flag(|profile| &mut profile.path_style),
        ),
        secret(
            "access_key_id",
            "S3: the name of the key; without it, the environment, AWS's shared files and roles are asked.",
            |profile, text, _| {
                profile.s3.access_key_id = profile_values::key(text)?;
                Ok(())
            },
        ),
        file(
            "access_key_id_file",
            "S3: a file with the name of the key, which is read again every few minutes.",
            |profile| &mut profile.s3.access_key_id_file,
        ),
        secret("secret_access_key", "S3: the key.", |profile, text, _| {
            profile.s3.secret_access_key = profile_values::key(text)?;
            Ok(())
        }),
        file(
            "secret_access_key_file",
            "S3: a file with the key.",
            |profile| &mut profile.s3.secret_access_key_file,
        ),
        secret(
            "session_token",
            "S3: the token of a session, for keys that have one.",
            |profile, text, _| {
                profile.s3.session_token = profile_values::key(text)?;
                Ok(())
            },
        ),
        file(
            "session_token_file",
            "S3: a file with the session's token.",
            |profile| &mut profile.s3.session_token_file,
        ),
        key(
            "account",
            r#""""#,
            "Azure: the account; \"\": the environment's, or the first label of the host's name.",
            Shape::Text {
                accepts: "3 to 24 lower-case letters and digits, or \"\"",
                set: |profile, text, _| {
                    profile.azure.account = profile_values::account(text)?;
                    Ok(())
                },
            },
        ),
        secret(
            "account_key",
            "Azure: a key of the account, in base64; without any, the environment and the machine's identity are asked.",
            |profile, text, _| {
                profile.azure.account_key = profile_values::account_key(text)?;
                Ok(())
            },
        ),
        file(
            "account_key_file",
            "Azure: a file with the key.",
            |profile| &mut profile.azure.account_key_file,
        ),
        secret(
            "sas_token",
            "Azure: a token of shared access, in the place of a key.",
            |profile, text, _| {
                profile.azure.sas_token = profile_values::key(text)?;
                Ok(())
            },
        ),
        file(
            "sas_token_file",
            "Azure: a file with the token.",
            |profile| &mut profile.azure.sas_token_file,
        ),
        key(
            "instance_role",
            "true",
            "Whether the role of this machine or container is asked for where no key is found.",
            Shape::Flag(|profile| &mut profile.instance_role),
        ),
        Key {
            name: "request_headers",
            default: Some("[]"),
            help: "Headers: request fields that are added, in the place of those of the same name.",
            secret: true,
            shape: Shape::List {
                accepts: "a field, such as \"Authorization: Bearer abc\"",
                lone: false,
                min: 0,
                max: FIELDS_MAX,
                clear: |profile| profile.request_headers.clear(),
                add: |profile, text, _| {
                    let field = profile_values::request_header(text)?;
                    profile.request_headers.push(field);
                    Ok(())
                },
            },
        },
        file(
            "request_headers_file",
            "Headers: a file with a field on each line, read for each request.",
            |profile| &mut profile.request_headers_file,
        ),
        key(
            "ca_file",
            r#""""#,
            "PEM file of certificates that https hosts are verified by beside the system's; \"\": none.",
            Shape::Text {
                accepts: "the path of a file of PEM certificates, or \"\"",
                set: |profile, text, folder| {
                    profile.tls.ca_file = values::certificates(text, folder)?;
                    Ok(())
                },
            },
        ),
        key(
            "system_roots",
            "true",
            "Whether the system's certificates are trusted, too; false leaves ca_file's alone.",
            Shape::Flag(|profile| &mut profile.tls.system_roots),
        ),
        key(
            "verify_peer",
            "true",
            "Whether https hosts must prove who they are; false trusts whoever answers.",
            Shape::Flag(|profile| &mut profile.tls.verify_peer),
        ),
        key(
            "verify_host",
            "true",
            "Whether their certificate must be for the host's name.",
            Shape::Flag(|profile| &mut profile.tls.verify_host),
        ),
        key(
            "client_cert",
            r#""""#,
            "PEM file of the certificate that is shown to https hosts which ask for one.",
            Shape::Text {
                accepts: "the path of a file of PEM certificates, or \"\"",
                set: |profile, text, folder| {
                    profile.tls.client_cert = values::certificates(text, folder)?;
                    Ok(())
                },
            },
        ),
        file(
            "client_key",
            "PEM file of the certificate's key.",
            |profile| &mut profile.tls.client_key,
        ),
        timeout(
            "connect_timeout",
            r#""5s""#,
            "Longest time to connect, the TLS handshake included; for a site, the site's own key counts.",
            |profile| &mut profile.connect_timeout,
        ),
        timeout(
            "first_byte_timeout",
            r#""30s""#,
            "Longest time from a request's last byte to the answer's first; for a site, the site's own key counts.",
            |profile| &mut profile.first_byte_timeout,
        ),
        key(
            "total_timeout",
            r#""1h""#,
            "Longest time of one request and its answer, outside of sites; a part of a large upload is one request.",
            Shape::Time {
                min: TOTAL_MIN,
                max: TOTAL_MAX,
                slot: |profile| &mut profile.total_timeout,
            },
        ),
    ],
    inner: &[],
};

/// A row of a key whose value nobody may see.
const fn secret(
    name: &'static str,
    help: &'static str,
    set: fn(&mut ProfileRule, &str, &Path) -> Result<(), Fault>,
) -> Key<ProfileRule> {
    Key {
        name,
        default: Some(r#""""#),
        help,
        secret: true,
        shape: Shape::Text {
            accepts: "visible ASCII characters, or \"\" for none",
            set,
        },
    }
}

/// A row of a file that is read at run time.
const fn file(
    name: &'static str,
    help: &'static str,
    slot: fn(&mut ProfileRule) -> &mut Option<PathBuf>,
) -> Key<ProfileRule> {
    key(
        name,
        r#""""#,
        help,
        Shape::File {
            accepts: FILE_FORM,
            slot,
        },
    )
}

const fn timeout(
    name: &'static str,
    default: &'static str,
    help: &'static str,
    slot: fn(&mut ProfileRule) -> &mut Duration,
) -> Key<ProfileRule> {
    let shape = Shape::Time {
        min: TIMEOUT_MIN,
        max: TIMEOUT_MAX,
        slot,
    };
    key(name, default, help, shape)
}
