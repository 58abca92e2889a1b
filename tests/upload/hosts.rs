//! Hosts that `[upload]` names: files go there, and what may be fetched alone may not be written.

use crate::harness::origin::Origin;
use crate::harness::server::run;
use crate::harness::{Driver, Server, Setup, eventually};
use crate::queue::{PATIENCE, await_state, change, json, put, said, spooled};

/// An origin that takes everything.
fn taking() -> Origin {
    let origin = Origin::start();
    origin.otherwise(|_| said(201));
    origin
}

fn authority(origin: &Origin) -> String {
    origin.url().trim_start_matches("http://").to_owned()
}

/// A server without sites.
fn with(lines: &str) -> Server {
    let mut setup = Setup::new().disk(&["size = \"64MiB\""]);
    setup.config.fill.push(format!(
        "[upload]\nretry_min = \"30ms\"\nretry_max = \"200ms\"\n{lines}"
    ));
    setup.start(Driver::Epoll)
}

/// Why a put is not accepted.
#[track_caller]
fn refused(server: &Server, url: &str, more: &str) -> String {
    let answer = put(server, url, more, b"x");
    answer.expect(400);
    json(&answer)["error"]
        .as_str()
        .expect("a reason")
        .to_owned()
}

#[test]
fn file_goes_to_a_host_that_upload_names_at_that_port() {
    let (origin, other) = (taking(), taking());
    let server = with(&format!(
        "hosts = [{:?}]\n[[profile]]\nname = \"keys\"\nkind = \"s3\"\nregion = \"here\"\naccess_key_id = \"AK\"\n\
         secret_access_key = \"hidden\"\n[[profile]]\nname = \"fields\"\nkind = \"headers\"\nrequest_headers = [\"X-Key: hidden\"]",
        authority(&origin)
    ));
    let url = format!("{}/calls/a b.wav?x=1", origin.url());
    put(&server, &url, "&wait=true", b"call").expect(200);
    let asked = origin.asked().pop().expect("a request");
    assert_eq!(asked.target, "/calls/a%20b.wav?x=1");
    assert_eq!(asked.field("host"), Some(authority(&origin).as_str()));
    assert_eq!(asked.field("authorization"), None);
    assert!(asked.is_whole && asked.body == b"call");
    // By its name, a profile signs for it; fixed fields are for its own hosts alone.
    let url = format!("{}/bucket/a.wav", origin.url());
    put(&server, &url, "&wait=true&profile=keys", b"call").expect(200);
    let asked = origin.asked().pop().expect("a request");
    let line = asked.field("authorization").unwrap_or_default();
    assert!(line.contains("Credential=AK/"), "{line}");
    let reason = refused(&server, &url, "&profile=fields");
    assert!(reason.contains("is not for this host"), "{reason}");
    let reason = refused(&server, &format!("{}/a", other.url()), "");
    assert!(reason.contains("upload.hosts"), "{reason}");
    refused(&server, &format!("ftp://{}/a", authority(&origin)), "");
    assert!(other.asked().is_empty());
    // So do recordings.
    let folder = server.folder.path("");
    let admin = server.admin.expect("an address").to_string();
    let url = format!("{}/calls/recorded.wav", origin.url());
    let words = [
        "record",
        &url,
        "--config",
        "hotplate.toml",
        "--admin",
        &admin,
    ];
    let opened = run(&words, &folder);
    assert_eq!(opened.code, Some(0), "{}", opened.output);
    std::fs::write(opened.output.trim(), b"recorded").expect("the recording");
    eventually(PATIENCE, "the recording has arrived", || {
        let asked = origin.asked_for("/calls/recorded.wav");
        asked
            .iter()
            .any(|asked| asked.is_whole && asked.body == b"recorded")
    });
}

#[test]
fn host_that_may_be_fetched_may_not_be_written_for_that() {
    let origin = taking();
    let mut setup = Setup::new().disk(&["size = \"64MiB\""]);
    let lines = ["hosts = [\"*\"]", "allow_private = true"];
    setup.config.library = lines.map(str::to_owned).to_vec();
    let server = setup.start(Driver::Epoll);
    let reason = refused(&server, &format!("{}/a", origin.url()), "");
    assert!(reason.contains("upload.hosts"), "{reason}");
    assert!(origin.asked().is_empty() && spooled(&server).is_empty());
}

#[test]
fn private_address_is_refused_until_it_is_allowed() {
    let origin = taking();
    let mut server = with("hosts = [\"*\"]");
    let reason = refused(&server, &format!("{}/a", origin.url()), "");
    assert!(reason.contains("private address"), "{reason}");
    // A name is looked at when it is asked.
    let port = origin.url().rsplit(':').next().expect("a port").to_owned();
    let url = format!("http://localhost:{port}/a");
    let answer = put(&server, &url, "&wait=true", b"call");
    answer.expect(502);
    let told = json(&answer);
    assert_eq!(told["state"], "given-up");
    let reason = told["reason"].as_str().expect("a reason");
    assert!(reason.contains("upload.allow_private"), "{reason}");
    assert!(origin.asked().is_empty());
    let id = told["id"].as_u64().expect("a number");
    let words = &mut server.config.fill[0];
    *words = words.replace("hosts = [\"*\"]", "hosts = [\"*\"]\nallow_private = true");
    server.reload();
    eventually(PATIENCE, "the reload is done", || {
        put(&server, &format!("{}/b", origin.url()), "", b"b").status == 202
    });
    change(&server, "retry", id).expect(200);
    await_state(&server, id, "done");
    assert_eq!(origin.asked_for("/a").len(), 1);
    assert!(!server.output().contains("takes a restart"));
    // And no more when it is taken back.
    let words = &mut server.config.fill[0];
    *words = words.replace("hosts = [\"*\"]\nallow_private = true", "hosts = []");
    server.reload();
    eventually(PATIENCE, "the reload is done", || {
        put(&server, &format!("{}/c", origin.url()), "", b"c").status == 400
    });
}

#[test]
fn redirect_leads_to_a_host_that_upload_names_and_no_other() {
    let (origin, second, other) = (taking(), taking(), taking());
    let moved = |to: &Origin| {
        crate::harness::origin::reply(307)
            .field("Location", &format!("{}/there", to.url()))
            .body("")
    };
    origin.says("/second", moved(&second));
    origin.says("/other", moved(&other));
    let hosts = [authority(&origin), authority(&second)];
    let server = with(&format!("hosts = {hosts:?}"));
    let url = |path: &str| format!("{}{path}", origin.url());
    put(&server, &url("/second"), "&wait=true", b"call").expect(200);
    assert!(second.asked()[0].is_whole && second.asked()[0].body == b"call");
    put(&server, &url("/other"), "&wait=true", b"call").expect(502);
    assert!(other.asked().is_empty());
}
