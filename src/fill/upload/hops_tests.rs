//! Where redirects of uploads lead, with whose credentials.

use super::*;
use crate::fill::upload::target::tests::routes;

/// The URLs that the hops go to, each with its profile, and why it ends.
fn way(urls: &[&str]) -> (Vec<String>, Option<String>) {
    let routes = routes();
    let first = routes.resolve(urls[0], None).expect("a target");
    let mut hops = Hops::from(&first);
    let mut place = first.clone();
    let mut shown = Vec::new();
    for url in &urls[1..] {
        place = match hops.next(&place, (307, url.as_bytes()), &routes) {
            Ok(next) => next,
            Err(failure) => {
                assert_eq!(failure.cause, Code::RedirectRefused);
                return (shown, Some(failure.reason));
            }
        };
        let profile = place.settings.profile.as_ref();
        let name = profile.map_or("-", |profile| profile.name());
        let url = &place.settings.urls[0];
        shown.push(format!("{name} {url}{}", place.path));
    }
    (shown, None)
}

#[test]
fn redirect_picks_no_profile_and_keeps_that_of_the_first_for_its_hosts() {
    let own = way(&[
        "http://b.example/a",
        "http://t.example/b",
        "http://b.example/c",
        "/d",
    ]);
    let expected = [
        "- http://t.example/b",
        "bucket http://b.example/c",
        "bucket http://b.example/d",
    ];
    assert_eq!((own.0, own.1), (expected.map(str::to_owned).to_vec(), None));
    let sites = way(&["http://t.example/a", "https://s.example/b"]);
    assert_eq!(sites.0, ["- https://origin.example:444/b"]);
    // Its origin is asked over https already.
    let (shown, why) = way(&["http://s.example/a", "http://t.example/b"]);
    assert!(shown.is_empty() && why.is_some_and(|why| why.contains("from https to http")));
    let (shown, why) = way(&[
        "http://s.example/a",
        "http://s.example/b",
        "https://b.example/c",
    ]);
    let expected = [
        "bucket https://origin.example:444/b",
        "bucket https://b.example/c",
    ];
    assert_eq!((shown, why), (expected.map(str::to_owned).to_vec(), None));
    let (_, why) = way(&["http://b.example/a", "http://c.example/b"]);
    assert!(why.is_some_and(|why| why.contains("upload.hosts")));
}
