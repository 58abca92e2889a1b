//! What the origin is told of the client, and by which name it is asked (RFC 9110 s7.6).

use crate::harness::origin::reply;
use crate::harness::{Request, get};
use crate::site::{Site, expect_forward, expect_hit, fetch};

before_an_origin!(
    the_origin_is_asked_by_the_name_that_the_site_gives_it,
    Site::plain().line("host = \"origin.example:8000\""),
    |origin, server| {
        origin.otherwise(|_| reply(200).max_age(60).body("hello"));
        for host in ["a.example", "b.example"] {
            // The key is still the client's.
            let request = get("/a").host(host);
            expect_forward(&fetch(server, &request), "uri-miss");
            expect_hit(&fetch(server, &request));
        }
        let asked = origin.asked();
        assert_eq!(asked.len(), 2);
        for asked in asked {
            assert_eq!(asked.lines("host"), ["origin.example:8000"]);
        }
    }
);

/// It was told only where the access log was on.
fn expect_told(origin: &crate::harness::origin::Origin, server: &crate::harness::Server) {
    origin.otherwise(|_| reply(200).body("hello"));
    // What clients say themselves goes nowhere.
    let dressed = |request: Request| {
        request
            .with("X-Forwarded-For", "192.0.2.1")
            .with("X-Forwarded-Proto", "https")
            .with("X-Forwarded-Host", "evil.example")
            .with("Forwarded", "for=192.0.2.1")
    };
    let mut client = server.connect();
    client.fetch(&dressed(get("/a"))).expect(200);
    client
        .fetch(&dressed(Request::new("POST", "/a").body(b"x")))
        .expect(200);
    let asked = origin.asked();
    assert_eq!(asked.len(), 2);
    for asked in asked {
        assert_eq!(asked.lines("x-forwarded-for"), ["127.0.0.1"]);
        assert_eq!(asked.lines("x-forwarded-proto"), ["http"]);
        assert_eq!(asked.field("x-forwarded-host"), None);
        assert_eq!(asked.field("forwarded"), None);
    }
}

before_an_origin!(
    the_origin_is_told_the_clients_address,
    Site::plain(),
    |origin, server| { expect_told(origin, server) }
);

before_an_origin!(
    the_origin_is_told_the_clients_address_where_there_is_a_log,
    Site::plain().with(|setup| setup.server("access_log = \"stdout\"")),
    |origin, server| { expect_told(origin, server) }
);
