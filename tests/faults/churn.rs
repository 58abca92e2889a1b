//! 100,000 connections opened and closed in every manner leave descriptors and memory flat.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use crate::harness::{Client, Server, Setup, eventually, get, pattern};

const CONNECTIONS: usize = 100_000;
const THREADS: usize = 4;
/// Connections after which memory is first measured: pools have their size by then.
const WARM_UP: usize = 8_000;
/// How much private memory may grow over the rest.
const GROWTH_BYTES_MAX: u64 = 8 << 20;

fn small() -> Setup {
    Setup::new()
        .file("p/small.bin", pattern(500, 1))
        .file("p/large.bin", pattern(400_000, 1))
        .pin("p/*", "/")
        .limit("connections = 5000")
}

/// Connects from one of many loopback addresses, so that closed connections that linger never use up the ports.
fn connect_from(number: usize, address: SocketAddr) -> Client {
    let host = u8::try_from(number % 100).expect("below 100") + 2;
    let source = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 1, host)), 0);
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).expect("a socket");
    socket.bind(&source.into()).expect("a loopback address");
    socket.connect(&address.into()).expect("a connection");
    Client::from(TcpStream::from(socket))
}

/// One connection's life, each in one of six manners.
fn live(number: usize, address: SocketAddr) {
    let mut client = connect_from(number, address);
    match number % 6 {
        0 => drop(client.ask(&get("/small.bin")).expect(200)),
        1 => {
            client.ask(&get("/small.bin").close()).expect(200);
            client.expect_closed();
        }
        2 => {}
        3 => {
            client.ask(&get("/small.bin")).expect(200);
            client.reset();
        }
        4 => {
            client.send(b"GET /small.bin HT");
        }
        _ => {
            client.send(get("/large.bin").bytes());
            client.read_some(1);
            client.reset();
        }
    }
}

fn live_many(server: &Server, range: std::ops::Range<usize>) {
    let address = server.address;
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let range = range.clone();
            scope.spawn(move || {
                range
                    .skip(thread)
                    .step_by(THREADS)
                    .for_each(|number| live(number, address))
            });
        }
    });
}

on_both_drivers!(
    hundred_thousand_connections_leave_descriptors_and_memory_flat,
    small,
    |server| {
        server.get("/small.bin").expect(200);
        let at_rest = server.process().descriptor_count();
        live_many(server, 0..WARM_UP);
        let back_at_rest = |server: &Server| {
            eventually(
                Duration::from_secs(20),
                "descriptors are back where they were",
                || server.process().descriptor_count() <= at_rest + 2,
            );
        };
        back_at_rest(server);
        let warm = server.process().private_bytes();
        live_many(server, WARM_UP..CONNECTIONS);
        back_at_rest(server);
        let end = server.process().private_bytes();
        assert!(
            end <= warm + GROWTH_BYTES_MAX,
            "private memory went from {warm} to {end} bytes"
        );
        server.get("/small.bin").expect(200);
    }
);
