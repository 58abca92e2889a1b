//! Large files in parts, to servers that verify signatures and to one that fails as the scenario wants.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::harness::origin::{Origin, reply};
use crate::harness::{Driver, Server, Setup, eventually, get, pattern};
use crate::parts::{ACCOUNT_KEY, Azurite, BUCKET, Moto};
use crate::queue::{PATIENCE, accepted, await_state, json, put, said, setup, spooled, status};

const NAMES: [&str; 5] = [
    "plain.wav",
    "a b.wav",
    "c+d=e&f.wav",
    "100%25/g%3Fh.wav",
    "ü€.wav",
];

/// A server with a profile for `bucket.example`, and a site that reads what was put there.
fn server(profile: String, origin: &str, part_size: &str) -> Server {
    let mut setup = Setup::new().disk(&["size = \"256MiB\""]);
    setup.config.sites.push(format!(
        "hosts = [\"media.example\"]\norigin = {origin:?}\nprofile = \"it\"\n{profile}\n\
         [upload]\npart_size = {part_size:?}\nretry_min = \"30ms\"\nretry_max = \"200ms\""
    ));
    setup.start(Driver::Epoll)
}

/// Puts files of several sizes and names, and reads them back as clients do.
fn puts_and_reads(server: &Server, large: usize) {
    let mut sizes = vec![0, 1, 300_000, large];
    sizes.push(large + 1);
    for (seed, (name, size)) in (1..).zip(NAMES.into_iter().zip(sizes)) {
        let body = pattern(size, seed);
        let url = format!("http://media.example/{name}");
        let answer = put(server, &url, "&wait=true", &body);
        answer.expect(200);
        let name = name
            .replace(' ', "%20")
            .replace('ü', "%C3%BC")
            .replace('€', "%E2%82%AC");
        let name = name.replace('+', "%2B");
        let read = server.ask(&get(&format!("/{name}")).host("media.example"));
        read.expect(200).expect_body(&body);
        assert!(read.needs("content-type").contains("wav"), "{name}");
    }
    assert!(spooled(server).is_empty());
}

#[test]
fn s3_takes_whole_files_and_files_in_parts() {
    let Some(moto) = Moto::start(&[]) else {
        return;
    };
    let profile = moto.profile("it", "domains = [\"*.s3.example\"]\npath_style = true");
    let server = server(profile, &moto.url(), "5MiB");
    puts_and_reads(&server, 12 << 20);
    let metrics = server.ask_admin(&get("/metrics"));
    let metrics = String::from_utf8_lossy(&metrics.body).into_owned();
    assert!(
        metrics.contains("hotplate_upload_parts_total 6"),
        "{metrics}"
    );
}

#[test]
fn s3_refuses_a_wrong_key_for_good() {
    let Some(moto) = Moto::start(&[]) else {
        return;
    };
    let profile = moto
        .profile("it", "")
        .replace(&moto.secret_access_key, "wrongwrong");
    let server = server(profile, &moto.url(), "5MiB");
    for size in [10, 6 << 20] {
        let answer = put(
            &server,
            "http://media.example/a.wav",
            "&wait=true",
            &pattern(size, 1),
        );
        answer.expect(502);
        let told = json(&answer);
        let reason = told["reason"].as_str().unwrap_or_default();
        assert!(
            reason.contains("the origin refuses the signature"),
            "{reason}"
        );
    }
}

#[test]
fn azure_takes_whole_files_and_long_lists_of_blocks() {
    let Some(azurite) = Azurite::start(&[]) else {
        return;
    };
    // More blocks than a fixed buffer for their list had room for elsewhere.
    let server = server(azurite.profile("it", ""), &azurite.url(), "64KiB");
    puts_and_reads(&server, 3 << 20);
}

#[test]
fn azure_refuses_a_wrong_key_for_good() {
    let Some(azurite) = Azurite::start(&[]) else {
        return;
    };
    let profile = azurite
        .profile("it", "")
        .replace(ACCOUNT_KEY, "d3Jvbmdrd3Jvbmdr");
    let server = server(profile, &azurite.url(), "64KiB");
    for size in [10, 200_000] {
        let url = "http://media.example/a.wav";
        let answer = put(&server, url, "&wait=true", &pattern(size, 1));
        answer.expect(502);
        let told = json(&answer);
        assert_eq!(
            (&told["state"], &told["attempts"]),
            (&"given-up".into(), &1.into())
        );
        // Azurite's word for it is the service's for a lack of rights.
        let reason = told["reason"].as_str().unwrap_or_default();
        assert!(reason.contains("refuses it with 403"), "{reason}");
        assert!(!reason.contains("d3Jvbmdr"), "{reason}");
    }
}

/// A bucket that keeps what S3 keeps of an upload in parts, and fails where it is told.
fn bucket(
    fails: impl Fn(&str, usize) -> bool + Send + Sync + 'static,
) -> (Origin, Arc<AtomicUsize>) {
    let origin = Origin::start();
    let begun = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&begun);
    let tries = AtomicUsize::new(0);
    origin.otherwise(move |asked| {
        let (_, query) = asked.target.split_once('?').unwrap_or_default();
        let what = format!("{} {query}", asked.method);
        if fails(&what, tries.fetch_add(1, Ordering::SeqCst)) {
            return reply(500).body("<Error><Code>InternalError</Code></Error>");
        }
        if what == "POST uploads=" {
            let number = count.fetch_add(1, Ordering::SeqCst) + 1;
            return reply(200).body(format!("<R><UploadId>id+{number}/</UploadId></R>"));
        }
        match asked.method.as_str() {
            "PUT" => reply(200)
                .field("ETag", &format!("\"{}\"", asked.body.len()))
                .body(""),
            "DELETE" => said(204),
            _ => reply(200).body("<R><ETag>\"whole\"</ETag></R>"),
        }
    });
    (origin, begun)
}

fn before(origin: &Origin, lines: &str) -> Server {
    let mut setup = setup(&origin.url(), &format!("part_size = \"64KiB\"\n{lines}"));
    setup.config.sites[0].push_str(&format!(
        "\n[[profile]]\nname = \"s3\"\nkind = \"s3\"\ndomains = [\"*.s3.example\"]\nendpoint = {:?}\npath_style = true\n\
         access_key_id = \"AK\"\nsecret_access_key = \"key\"",
        origin.url()
    ));
    setup.start(Driver::Epoll)
}

const URL: &str = "http://calls.s3.example/large.wav";

/// What was asked, a word and a query each, one after the other without repetitions by resets.
fn asked(origin: &Origin) -> Vec<String> {
    let asked = origin.asked();
    let line = |asked: &crate::harness::origin::Asked| {
        let (path, query) = asked.target.split_once('?').unwrap_or_default();
        assert_eq!(path, format!("/{BUCKET}/large.wav"));
        format!("{} {query}", asked.method)
    };
    asked.iter().map(line).collect()
}

#[test]
fn part_that_fails_is_sent_again_and_the_others_are_not() {
    let failed = AtomicUsize::new(0);
    let (origin, begun) = bucket(move |what, _| {
        what.contains("partNumber=2") && failed.fetch_add(1, Ordering::SeqCst) < 2
    });
    let server = before(&origin, "");
    let body = pattern(150_000, 1);
    let id = accepted(&server, URL, &body);
    await_state(&server, id, "done");
    assert_eq!(begun.load(Ordering::SeqCst), 1);
    let part = |number: usize| format!("PUT partNumber={number}&uploadId=id%2B1%2F");
    let expected = [
        "POST uploads=".to_owned(),
        part(1),
        part(2),
        part(2),
        part(2),
        part(3),
        "POST uploadId=id%2B1%2F".to_owned(),
    ];
    assert_eq!(asked(&origin), expected);
    let all = origin.asked();
    let sent = [&all[1].body[..], &all[4].body, &all[5].body].concat();
    assert!(sent == body);
    let list = String::from_utf8_lossy(&all[6].body).into_owned();
    let expected = "<Part><PartNumber>3</PartNumber><ETag>\"18928\"</ETag></Part>";
    assert!(list.contains(expected), "{list}");
}

#[test]
fn parts_of_a_killed_server_are_removed_and_the_file_is_sent_anew() {
    let is_broken = Arc::new(AtomicUsize::new(1));
    let breaks = Arc::clone(&is_broken);
    let (origin, begun) =
        bucket(move |what, _| what.contains("partNumber=2") && breaks.load(Ordering::SeqCst) == 1);
    let mut server = before(&origin, "");
    let id = accepted(&server, URL, &pattern(150_000, 1));
    eventually(PATIENCE, "a part failed", || {
        status(&server, id)["attempts"].as_u64() > Some(1)
    });
    server.kill();
    origin.forget();
    is_broken.store(0, Ordering::SeqCst);
    server.start_again();
    eventually(PATIENCE, "it has arrived", || spooled(&server).is_empty());
    assert_eq!(begun.load(Ordering::SeqCst), 2);
    let asked = asked(&origin);
    assert_eq!(asked[..2], ["DELETE uploadId=id%2B1%2F", "POST uploads="]);
    assert_eq!(
        asked.last().map(String::as_str),
        Some("POST uploadId=id%2B2%2F")
    );
}

#[test]
fn parts_of_what_is_given_up_or_dropped_are_removed() {
    let (origin, _) = bucket(|what, _| what.contains("partNumber=2"));
    let server = before(&origin, "");
    let id = accepted(&server, URL, &pattern(150_000, 1));
    eventually(PATIENCE, "a part failed", || {
        status(&server, id)["attempts"].as_u64() > Some(1)
    });
    crate::queue::change(&server, "drop", id).expect(200);
    eventually(PATIENCE, "the parts are removed", || {
        asked(&origin).contains(&"DELETE uploadId=id%2B1%2F".to_owned())
    });
    let (origin, _) = bucket(|what, _| what.contains("partNumber=2"));
    let server = before(&origin, "give_up = \"1s\"");
    let id = accepted(&server, URL, &pattern(150_000, 1));
    await_state(&server, id, "given-up");
    eventually(PATIENCE, "the parts are removed", || {
        asked(&origin).contains(&"DELETE uploadId=id%2B1%2F".to_owned())
    });
}

#[test]
fn error_within_a_success_is_none() {
    let origin = Origin::start();
    let completes = AtomicUsize::new(0);
    origin.otherwise(move |asked| match asked.method.as_str() {
        "PUT" => reply(200).field("ETag", "\"1\"").body(""),
        "POST" if asked.target.ends_with("?uploads=") => {
            reply(200).body("<R><UploadId>one</UploadId></R>")
        }
        _ if completes.fetch_add(1, Ordering::SeqCst) == 0 => {
            reply(200).body("<Error><Code>InternalError</Code></Error>")
        }
        _ => reply(200).body("<R><ETag>\"whole\"</ETag></R>"),
    });
    let server = before(&origin, "");
    let id = accepted(&server, URL, &pattern(70_000, 1));
    let done = await_state(&server, id, "done");
    assert_eq!(done["attempts"].as_u64(), Some(1));
}

/// An origin for blocks: it keeps their names as the service does, and fails where it is told.
fn container(fails: impl Fn(&str, usize) -> bool + Send + Sync + 'static) -> Origin {
    let origin = Origin::start();
    let tries = AtomicUsize::new(0);
    origin.otherwise(move |asked| {
        let (_, query) = asked.target.split_once('?').unwrap_or_default();
        if fails(query, tries.fetch_add(1, Ordering::SeqCst)) {
            return reply(500)
                .field("x-ms-error-code", "InternalError")
                .body("");
        }
        said(201)
    });
    origin
}

fn before_blocks(origin: &Origin) -> Server {
    let mut setup = setup(&origin.url(), "part_size = \"64KiB\"");
    setup.config.sites[0].push_str(&format!(
        "\n[[profile]]\nname = \"blobs\"\nkind = \"azure\"\ndomains = [\"*.s3.example\"]\nendpoint = {:?}\npath_style = true\n\
         account = \"acme\"\naccount_key = \"a2V5\"",
        origin.url()
    ));
    setup.start(Driver::Epoll)
}

/// The names of the blocks that were sent, in the order in which they came.
fn blocks(origin: &Origin) -> Vec<String> {
    let names = asked(origin);
    let names = names.iter().filter_map(|line| {
        let name = line.strip_prefix("PUT comp=block&blockid=")?;
        Some(name.replace("%2B", "+").replace("%2F", "/"))
    });
    names.collect()
}

#[test]
fn block_that_fails_is_sent_again_and_the_others_are_not() {
    let origin = container(|_, at| (1..3).contains(&at));
    let server = before_blocks(&origin);
    let body = pattern(150_000, 1);
    let id = accepted(&server, URL, &body);
    assert_eq!(await_state(&server, id, "done")["attempts"], 2);
    let sent = blocks(&origin);
    let [first, second, _, _, third] = &sent[..] else {
        panic!("{sent:?}");
    };
    assert_eq!(sent[1..4], [second.clone(), second.clone(), second.clone()]);
    let all = origin.asked();
    assert!([&all[0].body[..], &all[3].body, &all[4].body].concat() == body);
    let list = String::from_utf8_lossy(&all[5].body).into_owned();
    let expected: String = [first, second, third]
        .map(|name| format!("<Latest>{name}</Latest>"))
        .concat();
    assert!(list.contains(&expected), "{list}");
    // Another upload to the same blob has blocks of its own, of names of the same length.
    origin.forget();
    let id = accepted(&server, URL, &body);
    await_state(&server, id, "done");
    let others = blocks(&origin);
    assert_eq!(others.len(), 3);
    assert!(others.iter().all(|name| !sent.contains(name)));
    assert_eq!(others[0].len(), first.len());
}

#[test]
fn blocks_that_are_gone_are_all_sent_anew() {
    let origin = Origin::start();
    let lists = AtomicUsize::new(0);
    origin.otherwise(move |asked| {
        let is_list = asked.target.ends_with("?comp=blocklist");
        match is_list.then(|| lists.fetch_add(1, Ordering::SeqCst)) {
            // The list of the first attempt fails, and then somebody has written the blob.
            Some(0) => said(503),
            Some(1) => reply(400)
                .field("x-ms-error-code", "InvalidBlockList")
                .body(""),
            _ => said(201),
        }
    });
    let server = before_blocks(&origin);
    let id = accepted(&server, URL, &pattern(150_000, 1));
    assert_eq!(await_state(&server, id, "done")["attempts"], 2);
    let sent = blocks(&origin);
    assert_eq!(sent.len(), 6);
    assert_eq!(sent[..3], sent[3..]);
    // Where it was there a moment ago, the origin means it.
    let origin = Origin::start();
    origin.otherwise(|asked| match asked.target.ends_with("?comp=blocklist") {
        true => reply(400)
            .field("x-ms-error-code", "InvalidBlockList")
            .body(""),
        false => said(201),
    });
    let server = before_blocks(&origin);
    let id = accepted(&server, URL, &pattern(150_000, 1));
    assert_eq!(await_state(&server, id, "given-up")["attempts"], 1);
}

/// Damages the last bytes of the spooled file between attempts, and lets the next one go on.
fn is_damaged_midway(server: &Server, go_on: impl FnOnce()) {
    let id = accepted(server, URL, &pattern(150_000, 1));
    eventually(PATIENCE, "a part failed", || {
        status(server, id)["attempts"].as_u64() > Some(1)
    });
    let path = server.folder.path(format!("store/uploads/{id:016x}.data"));
    let mut bytes = std::fs::read(&path).expect("the spooled file");
    let last = bytes.last_mut().expect("bytes");
    *last ^= 1;
    std::fs::write(&path, bytes).expect("the spooled file");
    go_on();
    let dead = await_state(server, id, "given-up");
    let reason = dead["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("not what was accepted"), "{reason}");
    assert_eq!(dead["code"], "disk_failed");
}

#[test]
fn file_that_is_damaged_between_its_parts_is_told_and_not_put_together() {
    let is_broken = Arc::new(AtomicUsize::new(1));
    let breaks = Arc::clone(&is_broken);
    let (origin, _) =
        bucket(move |what, _| what.contains("partNumber=2") && breaks.load(Ordering::SeqCst) == 1);
    let server = before(&origin, "");
    is_damaged_midway(&server, || is_broken.store(0, Ordering::SeqCst));
    // The part that is damaged did not come whole, and what had come is removed.
    eventually(PATIENCE, "the parts are removed", || {
        asked(&origin).contains(&"DELETE uploadId=id%2B1%2F".to_owned())
    });
    assert!(!asked(&origin).contains(&"POST uploadId=id%2B1%2F".to_owned()));
    let all = origin.asked();
    let mut last = all
        .iter()
        .filter(|asked| asked.target.contains("partNumber=3"));
    assert!(last.all(|asked| !asked.is_whole));
    let is_broken = Arc::new(AtomicUsize::new(1));
    let breaks = Arc::clone(&is_broken);
    let origin = container(move |query, at| {
        query.starts_with("comp=block&") && at > 0 && breaks.load(Ordering::SeqCst) == 1
    });
    let server = before_blocks(&origin);
    is_damaged_midway(&server, || is_broken.store(0, Ordering::SeqCst));
    assert!(!asked(&origin).contains(&"PUT comp=blocklist".to_owned()));
}
