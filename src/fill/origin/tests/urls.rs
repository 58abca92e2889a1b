//! Several URLs of one origin, and addresses that lead nowhere.

use std::net::{Ipv4Addr, SocketAddr};

use socket2::{Domain, Socket, Type};

use super::*;

/// A port on which nobody listens.
fn closed_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}

fn named(name: &'static str) -> Peer {
    Peer::each(move |_, mut talk| {
        while !talk.head().is_empty() {
            talk.answer(name);
        }
    })
}

async fn ask(origin: &Origin, request: OriginRequest) -> Result<(usize, String), OriginFault> {
    let mut response = origin.send(request).await?;
    let body = whole(&mut response.body).await?;
    Ok((response.url_index, String::from_utf8(body).unwrap()))
}

#[test]
fn nobody_listening_is_refused() {
    run(async {
        let origin = origin(OriginSettings {
            urls: vec![url(closed_port())],
            ..settings(&[])
        });
        for _ in 0..2 {
            assert_eq!(ask(&origin, get("/")).await, Err(OriginFault::Refused));
        }
        let figures = origin.counts().figures();
        assert_eq!((figures.connect_failures, figures.in_use), (2, 0));
        // The only one is tried again and again.
        assert_eq!(figures.skips, 0);
    });
}

#[test]
fn listener_that_takes_no_more_connections_is_a_connect_timeout() {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    socket.bind(&any.into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    // The kernel swallows what comes once its queue is full.
    let within = Duration::from_millis(200);
    let queued: Vec<_> =
        std::iter::from_fn(|| std::net::TcpStream::connect_timeout(&address, within).ok())
            .take(100)
            .collect();
    assert!(queued.len() < 100);
    run(async {
        let origin = origin(OriginSettings {
            urls: vec![url(address.port())],
            connect_timeout: Duration::from_millis(60),
            ..settings(&[])
        });
        let found = ask(&origin, get("/")).await;
        assert_eq!(found, Err(OriginFault::ConnectTimeout));
    });
}

#[test]
fn name_without_address_is_a_dns_fault_and_a_good_one_is_found() {
    let peer = named("a");
    run(async {
        let mut settings = settings(&[&peer]);
        settings.urls[0].host = "no-such-name.invalid".to_owned();
        settings.connect_timeout = Duration::from_millis(500);
        let found = ask(&origin(settings.clone()), get("/")).await;
        assert_eq!(found, Err(OriginFault::Dns));
        settings.connect_timeout = peer::PATIENCE;
        settings.urls[0].host = "localhost".to_owned();
        let found = ask(&origin(settings), get("/")).await;
        assert_eq!(found, Ok((0, "a".to_owned())));
    });
}

#[test]
fn request_goes_on_to_the_next_url_where_the_first_is_down_and_passes_it_over_for_a_while() {
    let peer = named("second");
    run(async {
        let mut settings = settings(&[&peer]);
        settings.urls.insert(0, url(closed_port()));
        settings.skip_for = peer::PATIENCE * 10;
        let origin = origin(settings);
        for _ in 0..3 {
            let post = OriginRequest {
                retry: Retry::Never,
                ..request("POST", "/")
            };
            assert_eq!(ask(&origin, post).await, Ok((1, "second".to_owned())));
        }
        let figures = origin.counts().figures();
        assert_eq!((figures.failovers, figures.skips), (1, 2));
        assert_eq!(counted(&figures, OriginFault::Refused), 1);
    });
}

#[test]
fn url_that_was_passed_over_is_asked_again_after_its_time() {
    let peer = named("second");
    run(async {
        let mut settings = settings(&[&peer]);
        settings.urls.insert(0, url(closed_port()));
        settings.skip_for = Duration::from_millis(1);
        let origin = origin(settings);
        for round in 1..4 {
            assert!(ask(&origin, get("/")).await.is_ok());
            tokio::time::sleep(Duration::from_millis(5)).await;
            assert_eq!(origin.counts().figures().connect_failures, round);
        }
    });
}

#[test]
fn all_urls_down_gives_the_last_ones_fault_each_time() {
    run(async {
        let origin = origin(OriginSettings {
            urls: vec![url(closed_port()), url(closed_port())],
            ..settings(&[])
        });
        for round in 1..4 {
            assert_eq!(ask(&origin, get("/")).await, Err(OriginFault::Refused));
            assert_eq!(origin.counts().figures().connect_failures, 2 * round);
        }
    });
}

#[test]
fn silent_url_is_left_for_the_next_only_by_requests_that_may_be_repeated() {
    let silent = Peer::each(|_, mut talk| {
        talk.head();
        talk.is_closed();
    });
    let second = named("second");
    run(async {
        let settings = OriginSettings {
            first_byte_timeout: Duration::from_millis(100),
            failures_max: 100,
            ..settings(&[&silent, &second])
        };
        let origin = origin(settings);
        let post = OriginRequest {
            retry: Retry::Never,
            ..request("POST", "/")
        };
        let found = ask(&origin, post).await;
        assert_eq!(found, Err(OriginFault::FirstByteTimeout));
        assert_eq!(ask(&origin, get("/")).await, Ok((1, "second".to_owned())));
    });
}

#[test]
fn answer_of_any_status_is_an_answer() {
    let first = Peer::each(|_, mut talk| {
        talk.head();
        talk.say("HTTP/1.1 503 Down\r\nContent-Length: 1\r\n\r\nx");
    });
    let second = named("second");
    run(async {
        let origin = origin(settings(&[&first, &second]));
        assert_eq!(ask(&origin, get("/")).await, Ok((0, "x".to_owned())));
    });
    assert_eq!(second.accepted(), 0);
}

#[test]
fn head_that_breaks_off_is_not_asked_for_elsewhere() {
    let first = Peer::each(|_, mut talk| {
        talk.head();
        talk.say("HTTP/1.1 2");
    });
    let second = named("second");
    run(async {
        let origin = origin(settings(&[&first, &second]));
        assert_eq!(ask(&origin, get("/")).await, Err(OriginFault::Truncated));
    });
    assert_eq!(second.accepted(), 0);
}
