//! Keys that are not in the config: in files, in the environment, in AWS's shared files, and from the services that give roles
//! to machines and containers.

use std::time::Duration;

use crate::harness::origin::{Gate, Origin, reply};
use crate::harness::{Driver, Server, Setup, eventually, get, now, pause};

/// What an origin was shown as the name of a key, by a server with this profile and this environment.
fn shown(profile: &str, environment: &[(&str, &str)], files: &[(&str, &str)]) -> String {
    let origin = Origin::start();
    origin.otherwise(|_| reply(200).max_age(60).body("ours"));
    let mut setup = Setup::new();
    for (name, text) in files {
        setup = setup.file(name, text);
    }
    let site = format!("hosts = []\norigin = {:?}\nprofile = \"it\"", origin.url());
    setup
        .config
        .sites
        .push(format!("{site}\n[[profile]]\nname = \"it\"\n{profile}"));
    setup.config.environment = [("HOME", setup.folder.path("").to_str().expect("UTF-8"))]
        .iter()
        .chain(environment)
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let server = setup.start(Driver::Epoll);
    server.ask(&get("/b/a")).expect(200);
    let asked = origin.await_asked(1);
    let line = asked[0]
        .field("authorization")
        .unwrap_or_default()
        .to_owned();
    let output = server.output();
    assert!(!output.contains("hidden"), "{output}");
    let token = asked[0].field("x-amz-security-token").unwrap_or("none");
    let key = line
        .split_once("Credential=")
        .map_or(line.as_str(), |(_, rest)| {
            rest.split('/').next().unwrap_or_default()
        });
    format!("{key} {token}")
}

const S3: &str = "kind = \"s3\"";

#[test]
fn keys_of_the_environment_are_used() {
    let environment = [
        ("AWS_ACCESS_KEY_ID", "AKENV"),
        ("AWS_SECRET_ACCESS_KEY", "hidden"),
        ("AWS_SESSION_TOKEN", "session"),
    ];
    assert_eq!(shown(S3, &environment, &[]), "AKENV session");
    // Those of the config go first.
    let own = "kind = \"s3\"\naccess_key_id = \"AKOWN\"\nsecret_access_key = \"hidden\"";
    assert_eq!(shown(own, &environment, &[]), "AKOWN none");
    let azure = "kind = \"azure\"";
    let environment = [
        ("AZURE_STORAGE_ACCOUNT", "acme"),
        ("AZURE_STORAGE_ACCESS_KEY", "aGlkZGVu"),
    ];
    let line = shown(azure, &environment, &[]);
    assert!(line.starts_with("SharedKey acme:"), "{line}");
}

#[test]
fn keys_of_files_are_used() {
    let own = "kind = \"s3\"\naccess_key_id_file = \"id\"\nsecret_access_key_file = \"key\"\nsession_token_file = \"token\"";
    let files = [
        ("id", "AKFILE\n"),
        ("key", "hidden\n"),
        ("token", "of-file\n"),
    ];
    assert_eq!(shown(own, &[], &files), "AKFILE of-file");
}

#[test]
fn shared_files_of_aws_are_used_by_their_profile() {
    let text = "[default]\naws_access_key_id = AKDEFAULT\naws_secret_access_key = hidden\n\
                [other]\naws_access_key_id = AKOTHER\naws_secret_access_key = hidden\n";
    let files = [(".aws/credentials", text)];
    assert_eq!(shown(S3, &[], &files), "AKDEFAULT none");
    let environment = [("AWS_PROFILE", "other")];
    assert_eq!(shown(S3, &environment, &files), "AKOTHER none");
}

#[test]
fn role_of_a_container_is_used() {
    let service = Origin::start();
    let json = r#"{"AccessKeyId":"AKROLE","SecretAccessKey":"hidden","Token":"of-role","Expiration":"2099-01-01T00:00:00Z"}"#;
    service.says(
        "/role",
        reply(200)
            .field("Content-Type", "application/json")
            .body(json),
    );
    let url = format!("{}/role", service.url());
    let environment = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", url.as_str()),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "pass"),
    ];
    assert_eq!(shown(S3, &environment, &[]), "AKROLE of-role");
    let asked = service.await_asked(1);
    assert_eq!(asked[0].field("authorization"), Some("pass"));
}

#[test]
fn identity_of_an_azure_machine_is_used() {
    let service = Origin::start();
    let json = r#"{"access_token":"of-identity","expires_in":"3600","token_type":"Bearer"}"#;
    service.says("/metadata/identity/oauth2/token", reply(200).body(json));
    let url = service.url();
    let environment = [("AZURE_POD_IDENTITY_AUTHORITY_HOST", url.as_str())];
    let line = shown("kind = \"azure\"", &environment, &[]);
    assert_eq!(line, "Bearer of-identity none");
    assert_eq!(service.await_asked(1)[0].field("metadata"), Some("true"));
}

#[test]
fn profile_without_keys_anywhere_fails_at_once_and_says_so() {
    let origin = Origin::start();
    let mut setup = Setup::new();
    let site = format!("hosts = []\norigin = {:?}\nprofile = \"it\"", origin.url());
    let profile = "[[profile]]\nname = \"it\"\nkind = \"s3\"\ninstance_role = false";
    setup.config.sites.push(format!("{site}\n{profile}"));
    setup.config.environment = vec![("HOME".to_owned(), "/nonexistent".to_owned())];
    let server = setup.start(Driver::Epoll);
    server.ask(&get("/b/a")).expect(502);
    server.ask(&get("/b/a")).expect(502);
    assert!(origin.asked().is_empty());
    let output = server.output();
    assert_eq!(
        output.matches("profile \"it\": no credentials").count(),
        1,
        "{output}"
    );
}

/// A server whose site's keys come from a service, after `more` of its settings.
fn with_role(origin: &Origin, service: &Origin, more: &str) -> Server {
    let mut setup = Setup::new();
    let site = format!(
        "hosts = []\norigin = {:?}\nprofile = \"it\"\n{more}",
        origin.url()
    );
    let profile = "[[profile]]\nname = \"it\"\nkind = \"s3\"";
    setup.config.sites.push(format!("{site}\n{profile}"));
    let url = format!("{}/role", service.url());
    let environment = [
        ("HOME", "/nonexistent"),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &url),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "pass"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ];
    setup.config.environment = environment
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    setup.start(Driver::Epoll)
}

const ROLE: &str = r#"{"AccessKeyId":"AKROLE","SecretAccessKey":"hidden","Token":"of-role","Expiration":"2099-01-01T00:00:00Z"}"#;

#[test]
fn burst_of_requests_looks_for_a_role_once_although_there_is_none() {
    let asked_by = |count: usize| {
        let (origin, service) = (Origin::start(), Origin::start());
        let gate = Gate::new();
        service.says("/role", reply(404).length(0).wait(&gate));
        let server = with_role(&origin, &service, "");
        std::thread::scope(|scope| {
            for number in 0..count {
                let server = &server;
                scope.spawn(move || {
                    server.get(&format!("/b/{number}")).expect(502);
                });
            }
            service.await_asked(1);
            // So that all of them wait.
            pause(Duration::from_millis(200));
            gate.open();
        });
        assert!(origin.asked().is_empty());
        service.asked().len()
    };
    assert_eq!(asked_by(8), asked_by(1));
}

#[test]
fn role_that_is_late_fails_the_request_and_is_there_for_the_next() {
    let (origin, service) = (Origin::start(), Origin::start());
    origin.otherwise(|_| reply(200).max_age(60).body("ours"));
    let gate = Gate::new();
    let role = reply(200).length(ROLE.len() as u64).wait(&gate);
    service.says("/role", role.bytes(ROLE));
    let server = with_role(&origin, &service, "connect_timeout = \"200ms\"");
    let began = now();
    server.get("/b/a").expect(502);
    assert!(
        began.elapsed() < Duration::from_secs(3),
        "it waited too long"
    );
    assert!(origin.asked().is_empty());
    let output = server.output();
    assert!(
        output.contains("profile \"it\": the credentials did not come in time"),
        "{output}"
    );
    gate.open();
    eventually(Duration::from_secs(10), "the role is there", || {
        server.get("/b/a").status == 200
    });
    assert_eq!(service.asked().len(), 1);
}
