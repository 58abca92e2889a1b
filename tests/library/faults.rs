//! Origins that fail, disks that are full, and two processes at one folder.

use serde_json::json;

use crate::harness::origin::{Gate, Made, Origin, content, reply};
use crate::harness::{Driver, Server, Setup};
use crate::shelf::{Shelf, bytes, fails, figure, got, post, told};

#[test]
fn origin_that_fails_is_told_from_one_that_has_nothing() {
    let mut origin = Origin::start();
    let server = Shelf::open().start();
    let url = |name: &str| format!("{}{name}", origin.url());
    for (name, status, expected) in [
        ("/404", 404, (404, "not_found", "origin")),
        ("/410", 410, (404, "not_found", "origin")),
        ("/401", 401, (502, "origin_status", "origin")),
        ("/403", 403, (502, "origin_status", "origin")),
        ("/500", 500, (502, "origin_status", "origin")),
        ("/204", 204, (502, "origin_status", "origin")),
    ] {
        origin.says(name, reply(status).end());
        let why = fails(&server, &url(name), expected);
        assert_eq!(why["origin_status"], status);
    }
    let short = reply(200).max_age(600).length(1000).bytes("abc").close();
    origin.says("/short", short);
    fails(&server, &url("/short"), (502, "incomplete", "origin"));
    let large = reply(200).max_age(600).length(300_000);
    origin.says("/cut", large.bytes(content(1, 0..100_000)).reset());
    fails(&server, &url("/cut"), (502, "incomplete", "origin"));
    let urls = [url("/x"), url("/404")];
    origin.go_down();
    for url in urls {
        fails(&server, &url, (502, "origin_unreachable", "origin"));
    }
    assert_eq!(figure(&server, &["library", "gets", "failed-origin"]), 10);
}

#[test]
fn get_ends_at_its_timeout() {
    let origin = Origin::start();
    let server = Shelf::open().start();
    let gate = Gate::new();
    let slow = reply(200).max_age(600).length(6).bytes("abc").wait(&gate);
    origin.says("/a.wav", slow.bytes("def"));
    let url = format!("{}/a.wav", origin.url());
    let answer = post(&server, "get", &json!({"url": url, "timeout": "200ms"}));
    let value = told(answer.expect(504));
    assert_eq!(
        (&value["code"], &value["fault"]),
        (&json!("origin_timeout"), &json!("origin"))
    );
    gate.open();
    assert_eq!(bytes(&got(&server, &url)), b"abcdef");
}

#[test]
fn error_is_remembered_as_long_as_the_config_says() {
    let origin = Origin::start();
    let server = Shelf::open()
        .line("negative_ttl = { 404 = \"10m\" }")
        .start();
    let url = format!("{}/a.wav", origin.url());
    for _ in 0..3 {
        fails(&server, &url, (404, "not_found", "origin"));
    }
    assert_eq!(origin.asked().len(), 1);
}

#[test]
fn file_larger_than_the_disk_store_is_refused() {
    let origin = Origin::start();
    let server = Shelf::open()
        .with(|mut setup| {
            setup.config.disk.push("max_object = \"2MiB\"".to_owned());
            setup.config.memory.push("size = \"1MiB\"".to_owned());
            setup
        })
        .start();
    origin.serve("/a.wav", Made::new(1, 3 << 20).max_age(600));
    let url = format!("{}/a.wav", origin.url());
    let why = fails(&server, &url, (507, "too_large", "hotplate"));
    assert!(
        why["error"].as_str().unwrap().contains("disk.max_object"),
        "{why}"
    );
    let chunked = reply(200).max_age(600).chunked();
    let chunked = (0..12).fold(chunked, |reply, number| {
        reply.chunk(content(1, number << 18..(number + 1) << 18))
    });
    origin.says("/b.wav", chunked.last_chunk(&[]));
    let url = format!("{}/b.wav", origin.url());
    // The second time it is known by then, and passed on from the start.
    for _ in 0..2 {
        let why = fails(&server, &url, (507, "too_large", "hotplate"));
        assert!(
            why["error"].as_str().unwrap().contains("disk.max_object"),
            "{why}"
        );
    }
    origin.serve("/c.wav", Made::new(1, 1 << 20).max_age(600));
    got(&server, &format!("{}/c.wav", origin.url()));
}

#[test]
fn cap_of_the_disk_store_that_is_reached_costs_no_get() {
    let origin = Origin::start();
    let server = Shelf::open()
        .with(|mut setup| {
            setup.config.disk[1] = "size = \"8MiB\"".to_owned();
            setup
        })
        .start();
    for number in 0..20 {
        let name = format!("/{number}.wav");
        origin.serve(&name, Made::new(number, 2_000_000).max_age(600));
        let found = got(&server, &format!("{}{name}", origin.url()));
        assert_eq!(bytes(&found), content(number, 0..2_000_000));
    }
}

#[test]
fn gets_beyond_their_bound_are_refused_at_once() {
    let origin = Origin::start();
    let server = Shelf::open().line("gets = 2").start();
    let gate = Gate::new();
    let slow = reply(200).max_age(600).length(3).wait(&gate).bytes("abc");
    origin.otherwise(move |_| slow.clone());
    let url = |number: usize| format!("{}/{number}.wav", origin.url());
    std::thread::scope(|scope| {
        let waiting: Vec<_> = (0..2)
            .map(|number| {
                let (server, url) = (&server, url(number));
                scope.spawn(move || got(server, &url))
            })
            .collect();
        origin.await_asked(2);
        let answer = post(&server, "get", &json!({"url": url(2)}));
        assert_eq!(told(answer.expect(503))["code"], "busy");
        assert_eq!(answer.needs("retry-after"), "1");
        gate.open();
        for one in waiting {
            assert_eq!(bytes(&one.join().unwrap()), b"abc");
        }
    });
    assert_eq!(figure(&server, &["library", "limits", "gets"]), 1);
}

#[test]
fn stored_file_is_handed_out_however_many_gets_wait() {
    let origin = Origin::start();
    let server = Shelf::open().line("gets = 1").start();
    origin.serve("/there.wav", Made::new(1, 1000).max_age(600));
    let there = format!("{}/there.wav", origin.url());
    got(&server, &there);
    let gate = Gate::new();
    let slow = reply(200).max_age(600).length(3).wait(&gate).bytes("abc");
    origin.says("/slow.wav", slow);
    let url = format!("{}/slow.wav", origin.url());
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| got(&server, &url));
        origin.await_asked_for("/slow.wav", 1);
        assert_eq!(bytes(&got(&server, &there)), content(1, 0..1000));
        gate.open();
        assert_eq!(bytes(&waits.join().unwrap()), b"abc");
    });
    assert_eq!(figure(&server, &["library", "limits", "gets"]), 0);
}

#[test]
fn second_process_at_the_same_folder_is_refused_and_leaves_it_alone() {
    let origin = Origin::start();
    origin.serve("/a.wav", Made::new(1, 1000).max_age(600));
    let server = Shelf::open().start();
    let found = got(&server, &format!("{}/a.wav", origin.url()));
    let mut second = Setup::new();
    second.config.disk = server.config.disk.clone();
    second.config.library = server.config.library.clone();
    let refused = Server::start(second, Driver::Epoll, None).expect_err("one too many");
    assert_eq!(refused.code, Some(1), "{refused}");
    assert!(
        refused.output.contains("in use by the process"),
        "{refused}"
    );
    assert_eq!(bytes(&found), content(1, 0..1000));
}
