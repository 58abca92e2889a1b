//! Refusals that pass: somebody else is at the same thing, or the credentials are about to be others.

use crate::harness::origin::{Origin, reply};
use crate::harness::{Driver, eventually, pattern};
use crate::parts::{BUCKET, Moto};
use crate::queue::{
    PATIENCE, accepted, arrived, await_state, before, json, put, said, setup, status, url,
};

#[test]
fn conflicts_locks_and_bodies_that_came_too_slowly_are_tried_again() {
    let origin = Origin::start();
    let busy = reply(409).body("<Error><Code>OperationAborted</Code></Error>");
    origin.queue("/busy", [busy, said(200)]);
    origin.queue("/locked", [said(423), said(423), said(201)]);
    let slow = reply(400).body("<Error><Code>RequestTimeout</Code></Error>");
    origin.queue("/slow", [slow, said(200)]);
    let refused = reply(400).body("<Error><Code>EntityTooLarge</Code></Error>");
    origin.says("/refused", refused);
    let server = before(&origin.url(), "");
    for (path, attempts) in [("/busy", 1), ("/locked", 2), ("/slow", 1)] {
        let told = json(&put(&server, &url(path), "", b"once"));
        let done = await_state(&server, told["id"].as_u64().expect("a number"), "done");
        assert_eq!(done["attempts"].as_u64(), Some(attempts), "{path}");
        assert_eq!(
            arrived(&origin, path).last().map(Vec::as_slice),
            Some(&b"once"[..])
        );
    }
    let refused = json(&put(&server, &url("/refused"), "&wait=true", b"once"));
    assert_eq!(
        (&refused["state"], &refused["attempts"]),
        (&"given-up".into(), &1.into())
    );
}

#[test]
fn token_of_a_file_that_is_renewed_late_gives_nothing_up() {
    let origin = Origin::start();
    origin.otherwise(|asked| match asked.field("authorization") {
        Some("Bearer new") => said(201),
        _ => said(401),
    });
    let host = origin.address();
    for (line, passes) in [
        ("request_headers_file = \"token\"", true),
        ("request_headers = [\"Authorization: Bearer old\"]", false),
    ] {
        let mut setup = setup(&origin.url(), &format!("hosts = [\"{host}\"]"));
        setup.folder.place("token", "Authorization: Bearer old\n");
        setup.config.profiles.push(format!(
            "name = \"it\"\nkind = \"headers\"\ndomains = [\"{host}\"]\n{line}"
        ));
        let server = setup.start(Driver::Epoll);
        let url = format!("{}/call.wav", origin.url());
        if !passes {
            let dead = json(&put(&server, &url, "&wait=true", b"call"));
            assert_eq!(
                (&dead["state"], &dead["attempts"]),
                (&"given-up".into(), &1.into())
            );
            continue;
        }
        let id = accepted(&server, &url, b"call");
        eventually(PATIENCE, "it was refused more than once", || {
            status(&server, id)["attempts"].as_u64() > Some(1)
        });
        assert_eq!(status(&server, id)["state"], "waiting");
        server.folder.place("token", "Authorization: Bearer new\n");
        await_state(&server, id, "done");
    }
}

#[test]
fn key_of_a_file_that_is_put_right_sends_what_has_waited() {
    let Some(moto) = Moto::start(&[]) else {
        return;
    };
    let mut setup = setup(
        "http://127.0.0.1:9",
        &format!("hosts = [\"{}\"]\npart_size = \"5MiB\"", moto.address),
    );
    setup.folder.place("key", "hidden-and-wrong\n");
    setup.config.profiles.push(format!(
        "name = \"it\"\nkind = \"s3\"\ndomains = [\"{}\"]\naccess_key_id = {:?}\nsecret_access_key_file = \"key\"",
        moto.address, moto.access_key_id
    ));
    let server = setup.start(Driver::Epoll);
    let ids = [1000, 6 << 20].map(|size| {
        let url = format!("http://{}/{BUCKET}/{size}.wav", moto.address);
        accepted(&server, &url, &pattern(size, 1))
    });
    for id in ids {
        eventually(PATIENCE, "the wrong key was refused twice", || {
            status(&server, id)["attempts"].as_u64() > Some(1)
        });
        let waits = status(&server, id);
        assert_eq!(waits["code"], "credentials", "{waits}");
        let reason = waits["reason"].as_str().unwrap_or_default();
        assert!(
            reason.contains("the origin refuses the signature"),
            "{reason}"
        );
    }
    server.folder.place("key", &moto.secret_access_key);
    for id in ids {
        await_state(&server, id, "done");
    }
    assert!(!server.output().contains("hidden"));
}
