//! Hosts (RFC 9110 s7.2): which site and which pin answers for a name.

use crate::harness::{Setup, get};

/// Two named sites, a default one, and pins bound to hosts, to every host, and to both under one path.
fn houses() -> Setup {
    Setup::new()
        .file("one/where.txt", b"site one")
        .file("two/where.txt", b"site two")
        .file("other/where.txt", b"default site")
        .file("a.txt", b"pin of a")
        .file("b.txt", b"pin of b")
        .file("every.txt", b"pin of every host")
        .pin_with("a.txt", "/pin.txt", |pin| pin.hosts(&["a.test"]))
        .pin_with("b.txt", "/pin.txt", |pin| pin.hosts(&["b.test", "bb.test"]))
        .pin("every.txt", "/every.txt")
        .pin_with("a.txt", "/every-but-a.txt", |pin| pin.hosts(&["a.test"]))
        .pin("every.txt", "/every-but-a.txt")
        .site(&["one.test", "www.one.test"], "one")
        .site(&["two.test"], "two")
        .site(&[], "other")
}

on_both_drivers!(site_answers_for_its_hosts, houses, |server| {
    let mut client = server.connect();
    for (host, body) in [
        ("one.test", "site one"),
        ("www.one.test", "site one"),
        ("two.test", "site two"),
        ("three.test", "default site"),
        ("test", "default site"),
        ("xone.test", "default site"),
        ("one.test.other.test", "default site"),
        ("127.0.0.1", "default site"),
        ("[::1]", "default site"),
    ] {
        let answer = client.ask(&get("/where.txt").host(host));
        answer.expect(200).expect_body(body.as_bytes());
    }
});

on_both_drivers!(host_ignores_case_and_port, houses, |server| {
    let mut client = server.connect();
    for host in [
        "ONE.test",
        "One.Test",
        "one.test:80",
        "ONE.TEST:8080",
        "one.test:",
    ] {
        client
            .ask(&get("/where.txt").host(host))
            .expect(200)
            .expect_body(b"site one");
    }
    client
        .ask(&get("/pin.txt").host("A.Test:1234"))
        .expect(200)
        .expect_body(b"pin of a");
    client
        .ask(&get("/where.txt").host("[::1]:8080"))
        .expect(200)
        .expect_body(b"default site");
});

on_both_drivers!(absolute_form_wins_over_host, houses, |server| {
    for (target, host, body) in [
        ("http://two.test/where.txt", "one.test", "site two"),
        ("http://TWO.test:81/where.txt", "one.test", "site two"),
        ("http://b.test/pin.txt", "a.test", "pin of b"),
    ] {
        let answer = server.ask(&get(target).host(host));
        answer.expect(200).expect_body(body.as_bytes());
    }
});

on_both_drivers!(pin_answers_for_its_hosts_only, houses, |server| {
    let mut client = server.connect();
    for (host, body) in [
        ("a.test", "pin of a"),
        ("b.test", "pin of b"),
        ("bb.test", "pin of b"),
    ] {
        client
            .ask(&get("/pin.txt").host(host))
            .expect(200)
            .expect_body(body.as_bytes());
    }
    for host in ["c.test", "one.test", "test", "aa.test"] {
        client.ask(&get("/pin.txt").host(host)).expect(404);
    }
});

on_both_drivers!(pin_of_every_host_answers_everywhere, houses, |server| {
    for host in ["a.test", "one.test", "unknown.test"] {
        server
            .ask(&get("/every.txt").host(host))
            .expect(200)
            .expect_body(b"pin of every host");
    }
    server.ask(&get("/every.txt").http10()).expect(200);
});

on_both_drivers!(
    pin_of_the_host_goes_before_one_of_every_host,
    houses,
    |server| {
        let target = "/every-but-a.txt";
        server
            .ask(&get(target).host("a.test"))
            .expect(200)
            .expect_body(b"pin of a");
        server
            .ask(&get(target).host("b.test"))
            .expect(200)
            .expect_body(b"pin of every host");
    }
);

fn only_named() -> Setup {
    Setup::new()
        .file("one/where.txt", b"site one")
        .site(&["one.test"], "one")
}

on_both_drivers!(
    unknown_host_without_a_default_site_is_not_found,
    only_named,
    |server| {
        server.ask(&get("/where.txt").host("one.test")).expect(200);
        server
            .ask(&get("/where.txt").host("other.test"))
            .expect_one_of(&[404, 421]);
        server
            .ask(&get("/where.txt").http10())
            .expect_one_of(&[404, 421]);
    }
);
