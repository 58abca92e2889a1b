//! `[[profile]]`: where its keys land, what is said about wrong ones, and that no secret is ever repeated.

use std::path::Path;
use std::time::Duration;

use super::super::parse;
use super::{assert_one, mistakes, parsed};
use crate::fill::profile::{ProfileKind, Secret};

/// A `[[profile]]` that has `keys` from its line 4 on.
fn profile_with(kind: &str, keys: &str) -> String {
    format!("[[profile]]\nname = 'a'\nkind = '{kind}'\n{keys}")
}

#[test]
fn every_key_of_a_profile_lands_in_its_setting() {
    let (folder, settings) = parsed(
        r#"
[[site]]
origin = "https://b.s3.example"
profile = "bucket"

[[profile]]
name = "bucket"
kind = "s3"
domains = ["*.S3.example", "b.example:9000"]
region = "eu-central-1"
endpoint = "http://127.0.0.1:9000"
path_style = true
access_key_id = "AKID"
secret_access_key_file = "a.wav"
session_token = "token"
instance_role = false
ca_file = "ca.pem"
system_roots = false
verify_host = false
client_cert = "ca.pem"
client_key = "a.wav"
connect_timeout = "1s"
first_byte_timeout = "2s"
total_timeout = "3s"

[[profile]]
name = "blobs"
kind = "azure"
account = "acme"
account_key = "a2V5"

[[profile]]
name = "token"
kind = "headers"
request_headers = ["Authorization: Bearer abc", "X-Tenant:  one "]
"#,
    );
    let settings = settings.unwrap();
    assert_eq!(settings.sites[0].origin.as_ref().unwrap().profile, "bucket");
    let [bucket, blobs, token] = &settings.profiles[..] else {
        panic!("{:?}", settings.profiles);
    };
    let domains: Vec<String> = bucket.domains.iter().map(ToString::to_string).collect();
    assert_eq!(domains, ["*.s3.example", "b.example:9000"]);
    let endpoint = bucket.endpoint.as_ref().map(ToString::to_string);
    assert_eq!(endpoint.as_deref(), Some("http://127.0.0.1:9000"));
    assert_eq!((bucket.kind, bucket.path_style), (ProfileKind::S3, true));
    assert_eq!(bucket.s3.access_key_id, Secret::new("AKID"));
    let file = bucket.s3.secret_access_key_file.as_deref();
    assert_eq!(file, Some(&*folder.path().join("a.wav")));
    assert_eq!(bucket.s3.session_token, Secret::new("token"));
    assert!(!bucket.instance_role && !bucket.tls.verify_host && bucket.tls.verify_peer);
    assert_eq!(bucket.total_timeout, Duration::from_secs(3));
    assert_eq!(
        (blobs.kind, blobs.azure.account.as_str()),
        (ProfileKind::Azure, "acme")
    );
    let fields = [("Authorization", "Bearer abc"), ("X-Tenant", "one")];
    let fields = fields.map(|(name, value)| (name.to_owned(), Secret::new(value)));
    assert_eq!(token.request_headers, fields);
}

#[test]
fn wrong_key_of_a_profile_is_told() {
    #[rustfmt::skip]
    let cases = [
        ("s3", "domains = ['*']", "profile.domains", "below a domain"),
        ("s3", "domains = ['a.*.example']", "profile.domains", "below a domain"),
        ("s3", "domains = ['http://a']", "profile.domains", "a port is a number"),
        ("s3", "region = 'eu central'", "profile.region", "not a name of a region"),
        ("s3", "endpoint = 'minio:9000'", "profile.endpoint", "neither http:// nor https://"),
        ("s3", "access_key_id = 'a b'\nsecret_access_key = 'c'", "profile.access_key_id", "visible ASCII"),
        ("s3", "access_key_id = 'a'", "profile.access_key_id", "of no use without secret_access_key"),
        ("s3", "secret_access_key = 'a'", "profile.secret_access_key", "of no use without access_key_id"),
        ("s3", "access_key_id_file = 'missing'\nsecret_access_key = 'b'", "profile.access_key_id_file", "can't be read"),
        ("s3", "account = 'acme'", "profile.account", "kind = \"azure\""),
        ("azure", "region = 'a'", "profile.region", "kind = \"s3\""),
        ("azure", "account = 'AB'", "profile.account", "lower-case"),
        ("azure", "account_key = '!'", "profile.account_key", "base64"),
        ("azure", "account_key = 'a2V5'\nsas_token = 'sv'", "profile.sas_token", "account_key is used"),
        ("headers", "", "profile", "needs request_headers"),
        ("headers", "request_headers = ['A: b']\nendpoint = 'http://a'", "profile.endpoint", "\"s3\" or \"azure\""),
        ("headers", "request_headers = ['A: b']\npath_style = true", "profile.path_style", "\"s3\" or \"azure\""),
        ("headers", "request_headers = ['Host: a']", "profile.request_headers", "can't set it"),
        ("headers", "request_headers = ['Authorization']", "profile.request_headers", "not a field"),
        ("s3", "client_cert = 'ca.pem'", "profile.client_cert", "without client_key"),
        ("s3", "ca_file = 'ca.pem'\nverify_peer = false", "profile.ca_file", "verifies by no certificates"),
        ("s3", "system_roots = false", "profile.system_roots", "set ca_file"),
        ("s3", "system_roots = false\nverify_peer = false", "profile.system_roots", "verifies by no certificates"),
        ("s4", "", "profile.kind", "did you mean \"s3\""),
        ("s3", "secret_acess_key = 'a'", "profile.secret_acess_key", "did you mean"),
    ];
    for (kind, keys, key, words) in cases {
        let text = profile_with(kind, keys);
        let found = mistakes(&text);
        assert_eq!(found.len(), 1, "{text}\n{found:#?}");
        assert_eq!(found[0].1, key, "{text}");
        assert!(found[0].2.contains(words), "{text}\n{}", found[0].2);
    }
}

#[test]
fn profiles_and_sites_that_clash_are_told() {
    let one = "[[profile]]\nname = 'bucket'\nkind = 's3'\ndomains = ['a.example']\n";
    let twice = mistakes(&format!("{one}{one}"));
    let keys: Vec<&str> = twice.iter().map(|(_, key, _)| key.as_str()).collect();
    assert_eq!(keys, ["profile.name", "profile.domains"], "{twice:#?}");
    let other = "[[profile]]\nname = 'b'\nkind = 's3'\ndomains = ['A.example']\n";
    assert_one(
        &format!("{one}{other}"),
        8,
        "profile.domains",
        "claimed on line 4",
    );
    let site = "[[site]]\norigin = 'http://a'\nprofile = 'buckt'\n";
    assert_one(
        &format!("{site}{one}"),
        3,
        "site.profile",
        "did you mean \"bucket\"",
    );
    assert_one(
        "[[site]]\nroot = 'www'\nprofile = 'a'\n",
        3,
        "site.profile",
        "it needs origin",
    );
}

#[test]
fn secrets_of_a_profile_are_never_repeated() {
    for keys in [
        "access_key_id = 'hunter2 x'\nsecret_access_key = 'hunter2'",
        "secret_access_key = 'hunter2",
        "secret_access_key = hunter2",
        "secret_acces_key = 'hunter2'",
        "account_key = 'hunter2!'",
        "sas_token = ['hunter2']",
        "session_token = 'hunter2\\q'",
        "request_headers = [\n'Authorization hunter2',\n'Host: hunter2']",
        "request_headers = 'Authorization: hunter2'",
    ] {
        let list = parse(&profile_with("s3", keys), Path::new("a.toml")).unwrap_err();
        let printed: String = list
            .iter()
            .map(|mistake| format!("{mistake} {mistake:?}"))
            .collect();
        assert!(!printed.contains("hunter2"), "{keys}\n{printed}");
    }
    let (_folder, settings) = parsed(&profile_with(
        "s3",
        "access_key_id = 'hunter2'\nsecret_access_key = 'hunter2'\nsession_token = 'hunter2'",
    ));
    assert!(!format!("{settings:?}").contains("hunter2"));
}
