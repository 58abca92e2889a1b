//! What the origin is told of the client, and by which name it is asked (RFC 9110 s7.6).

use crate::harness::origin::{Asked, Origin, reply};
use crate::harness::{Request, Server, get};
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

/// A request whose client says what it likes of those before it.
fn dressed(request: Request) -> Request {
    request
        .with("X-Forwarded-For", "192.0.2.1, 192.0.2.2")
        .with("X-Forwarded-Proto", "https")
        .with("X-Forwarded-Host", "outer.example")
        .with("Forwarded", "for=192.0.2.1")
}

/// Asks as such a client, with and without a body; gives what the origin was asked.
fn ask(origin: &Origin, server: &Server) -> Vec<Asked> {
    origin.otherwise(|_| reply(200).body("hello"));
    let mut client = server.connect();
    client.fetch(&dressed(get("/a"))).expect(200);
    let post = Request::new("POST", "/a").body(b"x");
    client.fetch(&dressed(post)).expect(200);
    let asked = origin.asked();
    assert_eq!(asked.len(), 2);
    asked
}

/// It was told only where the access log was on.
fn expect_own_word(origin: &Origin, server: &Server) {
    for asked in ask(origin, server) {
        assert_eq!(asked.lines("x-forwarded-for"), ["127.0.0.1"]);
        assert_eq!(asked.lines("x-forwarded-proto"), ["http"]);
        assert_eq!(asked.field("x-forwarded-host"), None);
        assert_eq!(asked.field("forwarded"), None);
    }
}

before_an_origin!(
    the_origin_is_told_the_clients_address,
    Site::plain(),
    |origin, server| { expect_own_word(origin, server) }
);

before_an_origin!(
    the_origin_is_told_the_clients_address_where_there_is_a_log,
    Site::plain().with(|setup| setup.server("access_log = \"stdout\"")),
    |origin, server| { expect_own_word(origin, server) }
);

before_an_origin!(
    trust_forwarded_passes_on_what_a_proxy_in_front_says,
    Site::plain().line("trust_forwarded = true"),
    |origin, server| {
        for asked in ask(origin, server) {
            let way = "192.0.2.1, 192.0.2.2, 127.0.0.1";
            assert_eq!(asked.lines("x-forwarded-for"), [way]);
            assert_eq!(asked.lines("x-forwarded-proto"), ["https"]);
            assert_eq!(asked.lines("x-forwarded-host"), ["outer.example"]);
            assert_eq!(asked.lines("forwarded"), ["for=192.0.2.1"]);
        }
    }
);
