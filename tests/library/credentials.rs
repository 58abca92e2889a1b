//! Private storage whose credentials are wrong, are others than before, or are not shown: what callers are told, and when it works
//! again. Where signatures have to be verified, servers of others do.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::harness::origin::{Gate, Made, Origin, reply};
use crate::harness::server::run;
use crate::harness::{Server, eventually, get};
use crate::parts::{ACCOUNT_KEY, Azurite, BUCKET, Moto};
use crate::shelf::{SOON, Shelf, bytes, fails, got, got_with, post, told};

/// Whose fault it is that credentials won't do.
const REFUSED: (u16, &str, &str) = (502, "credentials", "hotplate");

/// A server with these profiles, a table each.
fn server(profiles: &[String]) -> Server {
    let mut shelf = Shelf::open();
    shelf.setup.config.profiles = profiles.to_vec();
    shelf.start()
}

/// A `[[profile]]` without its header.
fn table(profile: &str) -> String {
    profile.replace("\n[[profile]]\n", "")
}

fn s3(domain: &str, more: &str) -> String {
    format!("name = \"bucket\"\nkind = \"s3\"\ndomains = [{domain:?}]\n{more}")
}

const KEYS: &str = "access_key_id = \"AKID\"\nsecret_access_key = \"hidden\"";

/// Gets a URL, which must fail so and say this.
#[track_caller]
fn says(server: &Server, url: &str, expected: (u16, &str, &str), words: &str) {
    let why = fails(server, url, expected);
    let said = why["error"].as_str().unwrap_or_default();
    assert!(said.contains(words), "{words:?} in {said:?}");
    assert!(said.contains(url), "{said}");
}

#[test]
fn wrong_key_and_unknown_name_are_told_apart() {
    let Some(moto) = Moto::start(&[("a.wav", b"ours")]) else {
        return;
    };
    let (id, secret) = (&moto.access_key_id, &moto.secret_access_key);
    let profile = |name: &str| table(&moto.profile(name, ""));
    let server = server(&[
        profile("good"),
        profile("wrong").replace(secret, "hidden-and-wrong"),
        profile("unknown").replace(id, "AKIAUNKNOWN000000000"),
    ]);
    let url = format!("{}/a.wav", moto.url());
    for (name, words) in [
        ("wrong", "the origin refuses the signature"),
        ("unknown", "the origin does not know the key's name"),
    ] {
        let refused = post(&server, "get", &json!({"url": url, "profile": name}));
        let why = told(refused.expect(REFUSED.0));
        assert_eq!(
            (&why["code"], &why["fault"]),
            (&json!(REFUSED.1), &json!(REFUSED.2))
        );
        let said = why["error"].as_str().unwrap_or_default();
        assert!(said.contains(words), "{said}");
        // Prefetches say the same.
        let asked = json!({"urls": [url], "profile": name, "wait": true});
        let jobs = String::from_utf8_lossy(&post(&server, "prefetch", &asked).body).into_owned();
        assert!(!jobs.contains("hidden"), "{jobs}");
    }
    let found = got_with(&server, &url, json!({"profile": "good"}));
    assert_eq!(bytes(&found), b"ours");
    let output = server.output();
    assert!(
        !output.contains("hidden") && !output.contains(secret),
        "{output}"
    );
}

#[test]
fn wrong_key_of_azure_is_a_refusal_with_its_status() {
    let Some(azurite) = Azurite::start(&[("a.wav", b"ours")]) else {
        return;
    };
    let domains = format!("domains = [\"{}\"]", azurite.address);
    let profile = azurite.profile("blobs", &domains);
    let wrong = profile.replace(ACCOUNT_KEY, "d3Jvbmdrd3Jvbmdr");
    let url = format!("{}/a.wav", azurite.url());
    // Azurite's word for it is the service's for a lack of rights.
    let refused = fails(
        &server(&[table(&wrong)]),
        &url,
        (502, "origin_status", "origin"),
    );
    assert_eq!(refused["origin_status"], 403);
    let said = refused["error"].as_str().unwrap_or_default();
    assert!(!said.contains("without the credentials"), "{said}");
    assert_eq!(bytes(&got(&server(&[table(&profile)]), &url)), b"ours");
}

#[test]
fn clock_region_and_session_are_told() {
    let origin = Origin::start();
    let refusal = |code: &str| reply(403).body(format!("<Error><Code>{code}</Code></Error>"));
    let skewed = reply(403)
        .undated()
        .field("Date", "Sun, 06 Nov 1994 08:49:37 GMT")
        .body("<Error><Code>RequestTimeTooSkewed</Code></Error>");
    origin.says("/b/skewed.wav", skewed);
    origin.says("/b/region.wav", refusal("AuthorizationHeaderMalformed"));
    origin.says("/b/session.wav", refusal("ExpiredToken"));
    let server = server(&[s3(&origin.address().to_string(), KEYS)]);
    for (name, words) in [
        (
            "skewed",
            "s ahead of the origin's, which refuses such signatures; set the clock",
        ),
        ("region", "the bucket is in another region"),
        ("session", "the session of these credentials is over"),
    ] {
        let url = format!("{}/b/{name}.wav", origin.url());
        says(&server, &url, REFUSED, words);
    }
}

#[test]
fn faults_of_connections_are_told_apart() {
    let mut origin = Origin::start();
    let server = server(&[]);
    let unreachable = (502, "origin_unreachable", "origin");
    // It answers in plain text.
    let url = format!("https://{}/a.wav", server.address);
    says(
        &server,
        &url,
        unreachable,
        "TLS failed: what the origin sent is no TLS",
    );
    origin.go_down();
    let url = format!("{}/b.wav", origin.url());
    says(&server, &url, unreachable, "nobody listens there");
}

#[test]
fn all_who_wait_for_one_answer_are_told_why_there_is_none() {
    let (origin, gate) = (Origin::start(), Gate::new());
    let held = gate.clone();
    origin.otherwise(move |_| {
        let refusal = reply(403).wait(&held);
        refusal.body("<Error><Code>SignatureDoesNotMatch</Code></Error>")
    });
    let server = server(&[s3(&origin.address().to_string(), KEYS)]);
    let url = format!("{}/b/a.wav", origin.url());
    std::thread::scope(|scope| {
        let one = || says(&server, &url, REFUSED, "the origin refuses the signature");
        let all: Vec<_> = (0..4).map(|_| scope.spawn(one)).collect();
        gate.await_reached(1);
        eventually(SOON, "the others wait", || {
            let metrics = server.ask_admin(&get("/metrics")).body;
            String::from_utf8_lossy(&metrics).contains("\nhotplate_library_gets_waiting 4\n")
        });
        gate.open();
        for one in all {
            one.join().expect("a failure");
        }
    });
    assert_eq!(origin.asked().len(), 1);
}

/// The names of keys, one after the other.
const NAMES: [&str; 3] = ["AKOLD", "AKNEW", "AKLATE"];

/// An origin that takes one of them alone, and which.
fn taking() -> (Origin, Arc<AtomicUsize>) {
    let (origin, taken) = (Origin::start(), Arc::new(AtomicUsize::new(0)));
    let known = Arc::clone(&taken);
    let made = Made::new(1, 1000).max_age(600);
    origin.otherwise(move |asked| {
        let known = NAMES[known.load(Ordering::SeqCst)];
        match asked.field("authorization") {
            Some(line) if line.contains(&format!("Credential={known}/")) => made.reply(asked),
            _ => reply(403).body("<Error><Code>InvalidAccessKeyId</Code></Error>"),
        }
    });
    (origin, taken)
}

#[test]
fn keys_that_were_changed_in_a_file_are_used_as_soon_as_the_old_ones_are_refused() {
    let shared =
        |id: &str| format!("[default]\naws_access_key_id = {id}\naws_secret_access_key = hidden\n");
    let own = "access_key_id_file = \"id\"\nsecret_access_key_file = \"secret\"";
    for (file, more) in [(".aws/credentials", ""), ("id", own)] {
        let text = |id: &str| match more {
            "" => shared(id),
            _ => format!("{id}\n"),
        };
        let (origin, taken) = taking();
        let mut shelf = Shelf::open();
        let folder = &shelf.setup.folder;
        let home = folder.path("").to_str().expect("UTF-8").to_owned();
        folder.place("secret", "hidden\n");
        folder.place(file, text(NAMES[0]));
        shelf.setup.config.environment = vec![("HOME".to_owned(), home)];
        shelf.setup.config.profiles = vec![s3(&origin.address().to_string(), more)];
        let server = shelf.start();
        let takes = |at| taken.store(at, Ordering::SeqCst);
        let url = |name: &str| format!("{}/b/{name}.wav", origin.url());
        got(&server, &url("first"));
        server.folder.place(file, text(NAMES[1]));
        takes(1);
        // Those that come at once are all refused with the old one, and have it looked for once.
        std::thread::scope(|scope| {
            for number in 0..4 {
                let (server, url) = (&server, url(&number.to_string()));
                scope.spawn(move || got(server, &url));
            }
        });
        // What is wrong in the file, too, is not asked for again and again.
        takes(2);
        let before = origin.asked().len();
        for name in ["a", "b", "c"] {
            says(&server, &url(name), REFUSED, "does not know the key's name");
        }
        assert!(origin.asked().len() <= before + 4, "{file}");
        server.folder.place(file, text(NAMES[2]));
        eventually(SOON, "the new key is used", || {
            post(&server, "get", &json!({"url": url("late")})).status == 200
        });
        let output = server.output();
        assert!(!output.contains("hidden"), "{output}");
    }
}

#[test]
fn key_that_is_put_right_in_its_file_is_verified() {
    let Some(moto) = Moto::start(&[("a.wav", b"ours")]) else {
        return;
    };
    let mut shelf = Shelf::open();
    shelf.setup.folder.place("secret", "hidden-and-wrong\n");
    let keys = format!(
        "access_key_id = {:?}\nsecret_access_key_file = \"secret\"",
        moto.access_key_id
    );
    shelf.setup.config.profiles = vec![s3(&moto.address.to_string(), &keys)];
    let server = shelf.start();
    let url = format!("{}/a.wav", moto.url());
    says(&server, &url, REFUSED, "the origin refuses the signature");
    server.folder.place("secret", &moto.secret_access_key);
    eventually(SOON, "the key is read again", || {
        post(&server, "get", &json!({"url": url})).status == 200
    });
    assert_eq!(bytes(&got(&server, &url)), b"ours");
}

/// The `[[profile]]` table that `hotplate import` makes of FreeSWITCH's profile for a host and what stands behind its bucket.
fn imported(server: &Server, keys: (&str, &str), base_domain: &str, host: &str) -> String {
    let xml = format!(
        "<configuration name=\"http_cache.conf\"><settings><param name=\"location\" value=\"/tmp/cache\"/></settings>\
         <profiles><profile name=\"bucket\"><aws-s3><access-key-id>{}</access-key-id>\
         <secret-access-key>{}</secret-access-key><base-domain>{base_domain}</base-domain></aws-s3>\
         <domains><domain name={host:?}/></domains></profile></profiles></configuration>",
        keys.0, keys.1
    );
    server.folder.place("http_cache.conf.xml", xml);
    let words = ["import", "--with-secrets", "http_cache.conf.xml"];
    let page = run(&words, &server.folder.path(""));
    let (_, table) = page.output.split_once("\n[[profile]]\n").expect("a table");
    let (table, _) = table.split_once("\n\n").expect("its end");
    table.to_owned()
}

#[test]
fn imported_bucket_in_the_name_of_its_host_is_read_with_a_signature() {
    // Resolvers take this for 127.0.0.1; what stands before the base domain is the bucket.
    let (host, base_domain) = ("127.0x1", "0x1");
    let origin = Origin::start();
    let made = Made::new(1, 1000).max_age(600);
    origin.otherwise(move |asked| match asked.field("authorization") {
        Some(line) if line.starts_with("AWS4-HMAC-SHA256 ") => made.reply(asked),
        _ => reply(403).body("<Error><Code>AccessDenied</Code></Error>"),
    });
    let plain = server(&[]);
    let authority = format!("{host}:{}", origin.address().port());
    let table = imported(&plain, ("AKID", "hidden"), base_domain, &authority);
    let server = |profile: &str| {
        let mut shelf = Shelf::plain().line(&format!("hosts = [{host:?}]\nallow_private = true"));
        shelf.setup.config.profiles = vec![profile.to_owned()];
        shelf.start()
    };
    let url = format!("http://{authority}/a.wav");
    let signing = server(&table);
    assert_eq!(bytes(&got(&signing, &url)), Made::new(1, 1000).body());
    // The bucket itself is not: that would list it.
    let unsigned = "was asked without the credentials of its [[profile]]";
    let refused = (502, "origin_status", "origin");
    says(&signing, &format!("http://{authority}/"), refused, unsigned);
    // Without the base domain the first name in the path is taken for the bucket, and it is told why nothing is signed.
    let without: Vec<&str> = table
        .lines()
        .filter(|line| !line.starts_with("base_domain"))
        .collect();
    says(&server(&without.join("\n")), &url, refused, unsigned);
}

#[test]
fn imported_bucket_is_found_by_who_verifies() {
    let Some(moto) = Moto::start(&[("a.wav", b"ours")]) else {
        return;
    };
    let host = format!("{BUCKET}.storage.example");
    let keys = (moto.access_key_id.as_str(), moto.secret_access_key.as_str());
    let table = imported(&server(&[]), keys, "Storage.Example", &host);
    let endpoint = format!("endpoint = \"http://{}\"\npath_style = true", moto.address);
    let mut shelf = Shelf::plain().line(&format!("hosts = [{host:?}]"));
    shelf.setup.config.profiles = vec![format!("{table}\n{endpoint}")];
    let server = shelf.start();
    assert_eq!(
        bytes(&got(&server, &format!("http://{host}/a.wav"))),
        b"ours"
    );
    let none: Value = fails(
        &server,
        &format!("http://{host}/b.wav"),
        (404, "not_found", "origin"),
    );
    assert_eq!(none["origin_status"], 404);
}
