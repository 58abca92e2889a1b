//! Prefetches: ordered, merged, bounded, looked at, waited for, cancelled; by endpoint, command and config.

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::origin::{Gate, Made, Origin, content, reply};
use crate::harness::{Server, eventually, get, now};
use crate::shelf::{SOON, Shelf, bytes, figure, post, told, tried};

#[track_caller]
fn order(server: &Server, urls: &[String], status: u16) -> Value {
    let answer = post(server, "prefetch", &json!({"urls": urls}));
    told(answer.expect(status))
}

fn ids(ordered: &Value) -> Vec<u64> {
    let jobs = ordered["jobs"].as_array().expect("a list");
    jobs.iter()
        .map(|job| job["id"].as_u64().expect("a number"))
        .collect()
}

#[track_caller]
fn wait(server: &Server, ids: &[u64]) -> Value {
    let answer = post(server, "jobs/wait", &json!({"ids": ids, "timeout": "20s"}));
    let value = told(answer.expect(200));
    assert_eq!(value["done"], true, "{value}");
    value["jobs"].clone()
}

fn job(server: &Server, id: u64) -> Value {
    let answer = server.ask_admin(&get(&format!("/api/cache/jobs?id={id}")));
    told(answer.expect(200))["jobs"][0].clone()
}

fn cancel(server: &Server, ids: &[u64]) -> u64 {
    let answer = post(server, "jobs/cancel", &json!({"ids": ids}));
    told(answer.expect(200))["cancelled"]
        .as_u64()
        .expect("a number")
}

/// An origin that answers nothing before the gate is open.
fn gated() -> (Origin, Gate) {
    let (origin, gate) = (Origin::start(), Gate::new());
    let slow = reply(200).max_age(600).length(3).wait(&gate).bytes("abc");
    origin.otherwise(move |_| slow.clone());
    (origin, gate)
}

#[test]
fn list_of_urls_is_fetched_and_told() {
    let origin = Origin::start();
    let server = Shelf::open().start();
    let urls: Vec<String> = (0..30)
        .map(|number| {
            let name = format!("/{number}.wav");
            origin.serve(
                &name,
                Made::new(number, 1000 + number * 20_000).max_age(600),
            );
            format!("{}{name}", origin.url())
        })
        .chain([format!("{}/none.wav", origin.url())])
        .collect();
    let ordered = order(&server, &urls, 202);
    assert!(ordered["refused"].as_array().unwrap().is_empty());
    let jobs = wait(&server, &ids(&ordered));
    for (number, url) in (0..30).zip(&urls) {
        let job = &jobs[usize::try_from(number).unwrap()];
        assert_eq!((&job["url"], &job["state"]), (&json!(url), &json!("done")));
        assert_eq!(job["size_bytes"], 1000 + number * 20_000);
        assert_eq!(job["was_there"], false);
        let (status, found) = tried(&server, url);
        assert_eq!(status, 200, "{found}");
        assert_eq!(bytes(&found), content(number, 0..1000 + number * 20_000));
    }
    assert_eq!(jobs[30]["state"], "failed");
    assert_eq!(jobs[30]["failure"]["code"], "not_found");
    let again = wait(&server, &ids(&order(&server, &urls[..1], 202)));
    assert_eq!(again[0]["was_there"], true);
    assert_eq!(origin.asked().len(), 31);
    assert_eq!(figure(&server, &["library", "prefetches", "done"]), 31);
    assert_eq!(figure(&server, &["library", "prefetches", "failed"]), 1);
}

#[test]
fn no_more_run_at_once_than_may_and_one_that_runs_shows_its_bytes() {
    let origin = Origin::start();
    let gate = Gate::new();
    let slow = reply(200).max_age(600).length(200_000);
    let slow = slow.bytes(content(1, 0..150_000)).wait(&gate);
    let slow = slow.bytes(content(1, 150_000..200_000));
    origin.otherwise(move |_| slow.clone());
    let server = Shelf::open().line("concurrency = 3").start();
    let urls: Vec<String> = (0..10)
        .map(|it| format!("{}/{it}.wav", origin.url()))
        .collect();
    let ids = ids(&order(&server, &urls, 202));
    origin.await_asked(3);
    eventually(SOON, "its bytes are shown", || {
        let job = job(&server, ids[0]);
        job["state"] == "running" && job["bytes"] == 150_000 && job["size_bytes"] == 200_000
    });
    assert_eq!(origin.asked().len(), 3);
    assert_eq!(
        figure(&server, &["library", "prefetches_now", "running"]),
        3
    );
    assert_eq!(figure(&server, &["library", "prefetches_now", "queued"]), 7);
    assert_eq!(job(&server, ids[9])["state"], "queued");
    gate.open();
    wait(&server, &ids);
    assert_eq!(origin.asked().len(), 10);
}

#[test]
fn more_run_from_a_reload_on_that_allows_them() {
    let (origin, gate) = gated();
    let mut server = Shelf::open().line("concurrency = 1").start();
    let urls: Vec<String> = (0..5).map(|it| format!("{}/{it}", origin.url())).collect();
    let ids = ids(&order(&server, &urls, 202));
    origin.await_asked(1);
    for line in &mut server.config.library {
        *line = line.replace("concurrency = 1", "concurrency = 3");
    }
    server.reload();
    origin.await_asked(3);
    assert_eq!(
        figure(&server, &["library", "prefetches_now", "running"]),
        3
    );
    gate.open();
    wait(&server, &ids);
}

#[test]
fn same_url_is_one_job_and_larger_priority_goes_first() {
    let (origin, gate) = gated();
    let server = Shelf::open().line("concurrency = 1").start();
    let url = |name: &str| format!("{}/{name}", origin.url());
    let first = order(&server, &[url("a"), url("b"), url("b"), url("c")], 202);
    let first = ids(&first);
    assert_eq!(first[1], first[2]);
    origin.await_asked(1);
    let urgent = json!({"urls": [url("c")], "priority": 5});
    let urgent = ids(&told(post(&server, "prefetch", &urgent).expect(202)));
    assert_eq!(urgent[0], first[3]);
    gate.open();
    wait(&server, &first);
    let asked: Vec<String> = origin
        .asked()
        .iter()
        .map(|asked| asked.target.clone())
        .collect();
    assert_eq!(asked, ["/a", "/c", "/b"]);
    assert_eq!(figure(&server, &["library", "prefetches_merged"]), 2);
}

#[test]
fn job_that_runs_asks_the_origin_once_more_for_who_wants_it_anew() {
    let (origin, gate) = gated();
    let server = Shelf::open().start();
    let url = format!("{}/a", origin.url());
    let first = ids(&order(&server, std::slice::from_ref(&url), 202));
    origin.await_asked(1);
    let anew = json!({"urls": [url, url], "refresh": true});
    let anew = told(post(&server, "prefetch", &anew).expect(202));
    assert_eq!(ids(&anew), [first[0], first[0]]);
    gate.open();
    let jobs = wait(&server, &first);
    assert_eq!(
        (&jobs[0]["state"], &jobs[0]["was_there"]),
        (&json!("done"), &json!(false))
    );
    assert_eq!(origin.asked().len(), 2);
    assert_eq!(figure(&server, &["library", "prefetches", "done"]), 1);
}

#[test]
fn full_queue_is_429_with_what_was_taken_and_what_was_not() {
    let (origin, gate) = gated();
    let server = Shelf::open()
        .line("queue = 2")
        .line("concurrency = 1")
        .start();
    let urls: Vec<String> = (0..5).map(|it| format!("{}/{it}", origin.url())).collect();
    let running = ids(&order(&server, &urls[..1], 202));
    origin.await_asked(1);
    let answer = post(&server, "prefetch", &json!({"urls": urls[1..]}));
    let value = told(answer.expect(429));
    assert_eq!(answer.needs("retry-after"), "1");
    assert_eq!(
        (&value["code"], &value["fault"]),
        (&json!("queue_full"), &json!("hotplate"))
    );
    let taken = ids(&value);
    assert_eq!(taken.len(), 2);
    let refused = value["refused"].as_array().unwrap();
    assert_eq!(refused.len(), 2);
    assert_eq!(refused[0]["url"], urls[3].as_str());
    gate.open();
    wait(&server, &[running, taken].concat());
    order(&server, &urls[3..], 202);
}

#[test]
fn cancelled_job_ends_and_makes_room() {
    let (origin, gate) = gated();
    let server = Shelf::open().line("concurrency = 1").start();
    let urls: Vec<String> = (0..3).map(|it| format!("{}/{it}", origin.url())).collect();
    let ids = ids(&order(&server, &urls, 202));
    origin.await_asked(1);
    assert_eq!(cancel(&server, &ids[..2]), 2);
    let ended = wait(&server, &ids[..2]);
    assert_eq!(
        (&ended[0]["state"], &ended[1]["state"]),
        (&json!("cancelled"), &json!("cancelled"))
    );
    gate.open();
    assert_eq!(wait(&server, &ids[2..])[0]["state"], "done");
    assert!(origin.asked_for("/1").is_empty());
    assert_eq!(cancel(&server, &ids), 0);
    assert_eq!(figure(&server, &["library", "prefetches", "cancelled"]), 2);
}

#[test]
fn wait_ends_at_its_time_and_unknown_jobs_are_told() {
    let (origin, gate) = gated();
    let server = Shelf::open().start();
    let ids = ids(&order(&server, &[format!("{}/a", origin.url())], 202));
    let began = now();
    let body = json!({"ids": ids, "timeout": "100ms"});
    let value = told(post(&server, "jobs/wait", &body).expect(200));
    assert_eq!(value["done"], false);
    assert!(began.elapsed() >= Duration::from_millis(100));
    let answer = server.ask_admin(&get("/api/cache/jobs?id=99"));
    assert_eq!(told(answer.expect(404))["code"], "no_job");
    for query in ["id=x", "limit=-1", "sort=id"] {
        server
            .ask_admin(&get(&format!("/api/cache/jobs?{query}")))
            .expect(400);
    }
    let running = server.ask_admin(&get("/api/cache/jobs?state=running"));
    assert_eq!(told(&running)["jobs"].as_array().unwrap().len(), 1);
    let refused = order(&server, &["http://other.test/".to_owned()], 403);
    assert_eq!(refused["refused"][0]["code"], "host_not_allowed");
    gate.open();
    wait(&server, &ids);
}

fn prefetch(server: &Server, words: &[&str], input: &str) -> (Option<i32>, String, String) {
    use std::io::Write as _;
    let mut child = Command::new(env!("CARGO_BIN_EXE_hotplate"))
        .arg("prefetch")
        .args([
            "--admin",
            &server.admin.expect("an admin address").to_string(),
        ])
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the built binary");
    let mut stdin = child.stdin.take().expect("its input");
    stdin.write_all(input.as_bytes()).expect("its input");
    drop(stdin);
    let output = child.wait_with_output().expect("its end");
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

#[test]
fn command_takes_urls_files_and_standard_input_through_a_small_queue() {
    let origin = Origin::start();
    origin.otherwise(|_| reply(200).max_age(600).body("abc"));
    let server = Shelf::open()
        .line("queue = 3")
        .line("concurrency = 2")
        .start();
    let url = |name: &str| format!("{}/{name}", origin.url());
    let list: String = (0..40)
        .map(|it| format!("{}\n", url(&it.to_string())))
        .collect();
    let file = server.folder.path("urls.txt");
    std::fs::write(&file, format!("# a list\n\n{list}")).unwrap();
    let words = [&url("x"), "--file", file.to_str().unwrap(), "-"];
    let (code, said, why) = prefetch(&server, &words, &format!("{}\n", url("y")));
    assert_eq!(code, Some(0), "{said} {why}");
    assert!(said.ends_with("42 of 42 prefetched, 0 failed\n"), "{said}");
    assert_eq!(
        said.lines()
            .filter(|line| line.starts_with("done http://"))
            .count(),
        42
    );
    assert_eq!(origin.asked().len(), 42);
}

#[test]
fn command_tells_what_failed_and_exits_with_1() {
    let origin = Origin::start();
    origin.serve("/a", Made::new(1, 10).max_age(60));
    let server = Shelf::open().start();
    let url = |name: &str| format!("{}/{name}", origin.url());
    let words = [&*url("a"), &url("none"), "http://other.test/"];
    let (code, said, _) = prefetch(&server, &words, "");
    assert_eq!(code, Some(1));
    assert!(said.contains("1 of 3 prefetched, 2 failed"), "{said}");
    assert!(said.contains("failed http://other.test/: "), "{said}");
    // The same URL twice is one job, and fails or not as that does.
    let words = [
        &*url("none"),
        &url("a"),
        &url("none"),
        &url("a"),
        &url("none"),
    ];
    let (code, said, _) = prefetch(&server, &words, "");
    assert_eq!(code, Some(1));
    assert!(said.contains("2 of 5 prefetched, 3 failed"), "{said}");
    let (code, said, _) = prefetch(&server, &["--json", &url("a")], "");
    assert_eq!(code, Some(0));
    let job: Value = serde_json::from_str(said.trim()).expect("a line of JSON");
    assert_eq!(job["state"], "done");
    assert_eq!(prefetch(&server, &[], "").0, Some(2));
    let (code, _, why) = prefetch(&server, &["--file", "/nonexistent"], "");
    assert_eq!(code, Some(2), "{why}");
}

#[test]
fn config_leaves_half_of_the_queue_to_callers() {
    let (origin, gate) = gated();
    let mut shelf = Shelf::open().line("queue = 4").line("concurrency = 1");
    let url = |number: u64| format!("{}/{number}", origin.url());
    let urls: Vec<String> = (0..10).map(url).collect();
    shelf.setup.config.prefetches = vec![format!("urls = {urls:?}")];
    let server = shelf.start();
    let queued = || figure(&server, &["library", "prefetches_now", "queued"]);
    origin.await_asked(1);
    eventually(SOON, "half of the queue is full", || queued() == 2);
    order(&server, &[url(20), url(21)], 202);
    assert_eq!(queued(), 4);
    order(&server, &[url(22)], 429);
    gate.open();
    eventually(SOON, "all are there", || {
        (0..10)
            .chain(20..22)
            .all(|number| tried(&server, &url(number)).0 == 200)
    });
}

#[test]
fn config_warms_at_start_and_again_and_is_reloaded() {
    let origin = Origin::start();
    for name in ["/a", "/b", "/c", "/d"] {
        origin.serve(name, Made::new(1, 100).max_age(600));
    }
    let url = |name: &str| format!("{}{name}", origin.url());
    let mut shelf = Shelf::open().line("queue = 1");
    let file = shelf.setup.folder.path("urls.txt");
    std::fs::write(&file, format!("{}\n# no more\n", url("/b"))).unwrap();
    let once = format!("urls = [{:?}]\nfile = {file:?}", url("/a"));
    let often = format!(
        "urls = [{:?}]\ninterval = \"200ms\"\nrefresh = true",
        url("/c")
    );
    shelf.setup.config.prefetches = vec![once, often];
    let mut server = shelf.start();
    for name in ["/a", "/b"] {
        origin.await_asked_for(name, 1);
        eventually(SOON, "it is there", || tried(&server, &url(name)).0 == 200);
    }
    origin.await_asked_for("/c", 3);
    server.config.prefetches[1] = format!("urls = [{:?}]", url("/d"));
    server.reload();
    origin.await_asked_for("/d", 1);
    let count = origin.asked_for("/c").len();
    crate::harness::pause(Duration::from_millis(700));
    assert!(origin.asked_for("/c").len() <= count + 1);
    // The table that stayed has not begun anew.
    assert_eq!(origin.asked_for("/a").len(), 1);
}

#[test]
fn log_shows_no_query_of_what_is_not_prefetched() {
    let signed = "http://other.test/a.wav?X-Amz-Signature=hidden\nhttp://user:hidden@127.0.0.1/a.wav\n\
                  ftp://other.test/a.wav?sig=hidden\n";
    let server = Shelf::open().with(|setup| {
        let mut setup = setup.file("urls.txt", signed);
        let file = setup.folder.path("urls.txt");
        setup.config.prefetches = vec![format!("urls = []\nfile = {file:?}")];
        setup
    });
    let server = server.start();
    eventually(SOON, "it is told", || {
        server.output().matches("is not prefetched").count() == 3
    });
    let output = server.output();
    let expected = "http://other.test/a.wav?... is not prefetched: host_not_allowed";
    assert!(output.contains(expected), "{output}");
    assert!(!output.contains("hidden"), "{output}");
}

#[test]
fn thousands_of_jobs_are_waited_for_and_cancelled_as_one() {
    const JOBS: usize = 12_000;
    let (origin, gate) = gated();
    let server = Shelf::open()
        .line("queue = 20000")
        .line("concurrency = 1")
        .start();
    let urls: Vec<String> = (0..JOBS)
        .map(|it| format!("{}/{it}", origin.url()))
        .collect();
    let ids: Vec<u64> = urls
        .chunks(6000)
        .flat_map(|urls| ids(&order(&server, urls, 202)))
        .collect();
    origin.await_asked(1);
    // As many as a request may name, and more bytes than other requests may have.
    let body = json!({"ids": ids[JOBS - 10_000..], "timeout": "1ms"});
    let pretty = serde_json::to_vec_pretty(&body).expect("JSON");
    assert!(pretty.len() > 64 << 10);
    let request = crate::harness::Request::new("POST", "/api/cache/jobs/wait").body(&pretty);
    let value = told(server.ask_admin(&request).expect(200));
    assert_eq!(value["done"], false);
    assert_eq!(value["jobs"].as_array().expect("a list").len(), 10_000);
    let admin = server.admin.expect("an admin address").to_string();
    let jobs = |more: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_hotplate"))
            .args(["jobs", "--admin", &admin])
            .args(ids.iter().map(u64::to_string))
            .args(more)
            .output()
            .expect("the built binary");
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
        (
            output.status.code(),
            text(&output.stdout),
            text(&output.stderr),
        )
    };
    let (code, _, why) = jobs(&["--wait", "--timeout", "100ms"]);
    assert_eq!(code, Some(1));
    assert!(why.contains("has not ended in time"), "{why}");
    let (code, said, why) = jobs(&["--cancel"]);
    assert_eq!(
        (code, &*said),
        (Some(0), "cancelled 12000 of 12000 jobs\n"),
        "{why}"
    );
    let (code, said, why) = jobs(&["--wait", "--json"]);
    assert_eq!(code, Some(1));
    let value: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(value["done"], true);
    assert_eq!(value["jobs"].as_array().expect("a list").len(), JOBS);
    // None of them is unknown.
    assert_eq!(why.matches("was cancelled").count(), JOBS);
    let (code, _, why) = jobs(&["--wait", "--timeout", "soon"]);
    assert_eq!(code, Some(2), "{why}");
    gate.open();
}

#[test]
fn config_warms_although_the_origin_starts_later() {
    let mut origin = Origin::start();
    origin.serve("/a", Made::new(1, 100).max_age(600));
    origin.queue(
        "/b",
        [
            reply(503).body(""),
            reply(503).body(""),
            reply(200).max_age(600).body("abc"),
        ],
    );
    origin.says("/none", reply(404).body(""));
    origin.go_down();
    let address = origin.url();
    let url = |name: &str| format!("{address}{name}");
    let mut shelf = Shelf::open().line("attempts = 1");
    let urls = [url("/a"), url("/b"), url("/none")];
    shelf.setup.config.prefetches = vec![format!("urls = {urls:?}")];
    let server = shelf.start();
    eventually(SOON, "all have failed", || {
        figure(&server, &["library", "prefetches", "failed"]) >= 3
    });
    origin.come_up();
    for name in ["/a", "/b"] {
        eventually(SOON, "it is there", || tried(&server, &url(name)).0 == 200);
    }
    assert_eq!(origin.asked_for("/a").len(), 1);
    assert_eq!(origin.asked_for("/b").len(), 3);
    assert_eq!(origin.asked_for("/none").len(), 1);
    assert!(figure(&server, &["library", "tried_again", "scheduled"]) >= 5);
    let output = server.output();
    let words = "3 URLs of the [[prefetch]] on line";
    assert!(output.contains(words), "{output}");
}

#[test]
fn config_warms_with_the_profile_that_it_names() {
    let origin = Origin::start();
    origin.on("/bucket/a", |asked| match asked.field("authorization") {
        Some(line) if line.starts_with("AWS4-HMAC-SHA256 ") => {
            let public = reply(200).field("Cache-Control", "public, max-age=600");
            public.body("abc")
        }
        _ => reply(403).body(""),
    });
    let url = format!("{}/bucket/a", origin.url());
    let mut shelf = Shelf::open();
    // For no host by itself.
    let profile =
        "name = \"mine\"\nkind = \"s3\"\naccess_key_id = \"AKID\"\nsecret_access_key = \"key\"";
    shelf.setup.config.profiles = vec![profile.to_owned()];
    shelf.setup.config.prefetches = vec![format!("urls = [{url:?}]\nprofile = \"mine\"")];
    let server = shelf.start();
    let with = json!({"url": url, "profile": "mine"});
    eventually(SOON, "it is there", || {
        post(&server, "tryget", &with).status == 200
    });
    assert_eq!(tried(&server, &url).0, 404);
    assert_eq!(origin.asked_for("/bucket/a").len(), 1);
}
