//! What the origin is told of the client, and by which name it is asked (RFC 9110 s7.6).

use crate::harness::get;
use crate::harness::origin::reply;
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
