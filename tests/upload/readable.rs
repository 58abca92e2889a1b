//! Which files of the machine are read for who only names them.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use crate::harness::origin::Origin;
use crate::harness::server::run;
use crate::harness::{Answer, Server, eventually};
use crate::queue::{PATIENCE, arrived, assert_why, before, encoded, put, said, spooled, url};

fn taking() -> Origin {
    let origin = Origin::start();
    origin.otherwise(|_| said(201));
    origin
}

/// Names a file, which is sent to the URL of its name where it is accepted.
fn name(server: &Server, path: &Path) -> Answer {
    let file = path.to_str().expect("UTF-8");
    let name = path.file_name().and_then(|name| name.to_str());
    let more = format!("&wait=true&file={}", encoded(file));
    put(
        server,
        &url(&format!("/{}", name.expect("a name"))),
        &more,
        b"",
    )
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("its mode");
}

const REFUSED: (&str, &str) = ("file_not_allowed", "caller");

#[test]
fn only_what_everybody_may_read_is_read_for_who_names_it() {
    let origin = taking();
    let server = before(&origin.url(), "");
    let folder = server.folder.path("");
    let (open, key) = (folder.join("open.wav"), folder.join("key"));
    let (inner, link) = (folder.join("keys/inner"), folder.join("link.wav"));
    server.folder.place("open.wav", b"call");
    server.folder.place("key", b"secret");
    server.folder.place("keys/inner", b"secret");
    symlink(&key, &link).expect("a link");
    for (path, mode) in [
        (&folder, 0o755),
        (&open, 0o644),
        (&key, 0o600),
        (&inner, 0o644),
        (&folder.join("keys"), 0o700),
    ] {
        set_mode(path, mode);
    }
    name(&server, &open).expect(200);
    assert_eq!(arrived(&origin, "/open.wav"), [b"call"]);
    let (folders, none) = (folder.join("keys/../key"), folder.join("keys/none"));
    for path in [&key, &inner, &link, &folders, &none] {
        let refused = name(&server, path);
        assert_why(&refused, 403, REFUSED);
        let why = refused.json()["error"].as_str().expect("why").to_owned();
        assert!(why.contains("[upload] files"), "{why}");
    }
    for path in [folder.join("none"), folder.clone(), "/dev/null".into()] {
        assert_why(&name(&server, &path), 400, ("file", "caller"));
    }
    // Where it would be depends on the server, not on who asks.
    for path in ["open.wav", "./open.wav", "../key"] {
        assert_why(&name(&server, Path::new(path)), 400, ("file", "caller"));
    }
    // Nobody but its owner sees what is in the folder.
    set_mode(&folder, 0o700);
    assert_why(&name(&server, &open), 403, REFUSED);
    assert_eq!(origin.asked().len(), 1);
    assert!(spooled(&server).is_empty());
    // Whoever may read it sends its bytes.
    let admin = server.admin.expect("an address").to_string();
    let target = url("/sent");
    let words = ["put", "--wait", "--admin", &admin, &target, "key"];
    let sent = run(&words, &folder);
    assert_eq!(sent.code, Some(0), "{}", sent.output);
    assert_eq!(arrived(&origin, "/sent"), [b"secret"]);
}

#[test]
fn config_says_which_files_are_read_and_a_reload_changes_it() {
    let origin = taking();
    let mut server = before(&origin.url(), "files = [\"calls/**/*.wav\", \"one\"]");
    let folder = server.folder.path("");
    for file in ["calls/a.wav", "calls/1/b.wav", "calls/key", "one", "two"] {
        server.folder.place(file, file);
        set_mode(&folder.join(file), 0o600);
    }
    symlink(folder.join("two"), folder.join("calls/c.wav")).expect("a link");
    let status = |server: &Server, file: &str| name(server, &folder.join(file)).status;
    for (file, expected) in [
        ("calls/a.wav", 200),
        ("calls/1/b.wav", 200),
        ("one", 200),
        ("calls/key", 403),
        ("two", 403),
        ("calls/c.wav", 403),
        ("calls/none.wav", 400),
        ("calls/none", 403),
    ] {
        assert_eq!(status(&server, file), expected, "{file}");
    }
    let public = Path::new("/etc/passwd");
    assert_why(&name(&server, public), 403, REFUSED);
    let site = &mut server.config.sites[0];
    *site = site.replace("\"one\"", "\"two\"");
    server.reload();
    eventually(PATIENCE, "the other file is read", || {
        status(&server, "two") == 200
    });
    assert_eq!(status(&server, "one"), 403);
}
