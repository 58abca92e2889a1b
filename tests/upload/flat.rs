//! Memory stays flat however large a file is: received, spooled, and sent in one request or in parts.
//!
//! `HOTPLATE_UPLOAD_MIB` says how large; the default is what takes seconds, 5120 is the largest object that S3 takes in one request.

#![expect(
    clippy::disallowed_types,
    reason = "threads of a test share what has arrived"
)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use crate::harness::waiting::number_from_environment;
use crate::harness::{Client, Driver, Server, Setup, eventually, get};
use crate::queue::{encoded, json, put, spooled};

/// The size where none is said.
const MIB: u64 = 128;

/// By how much a server may grow, in bytes.
const GROWTH_MAX: u64 = 32 << 20;

/// Bytes that are made at once.
const BLOCK: usize = 1 << 20;

/// How long a transfer may take for each MiB, on a machine that does other things.
const PATIENCE_EACH: Duration = Duration::from_millis(500);

/// Where files end: counts and checks bytes, keeps none, and answers as S3 does to uploads in parts.
struct Sink {
    address: SocketAddr,
    arrived: Arc<Mutex<Arrived>>,
}

/// What has arrived, one request after the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Arrived {
    size: u64,
    sum: u32,
    requests: u64,
}

impl Sink {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let arrived = Arc::<Mutex<Arrived>>::default();
        let shared = Arc::clone(&arrived);
        // Ends with the process: nobody connects once the test is over.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let arrived = Arc::clone(&shared);
                std::thread::spawn(move || serve(&stream, &arrived));
            }
        });
        Self { address, arrived }
    }

    fn arrived(&self) -> Arrived {
        *self.arrived.lock().expect("nobody panicked")
    }
}

/// Answers the requests of a connection until it ends.
fn serve(stream: &TcpStream, arrived: &Mutex<Arrived>) -> Option<()> {
    let mut reader = BufReader::with_capacity(BLOCK, stream);
    let mut buffer = vec![0; BLOCK];
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            let is_length = name.eq_ignore_ascii_case("content-length");
            is_length.then(|| value.trim().parse::<u64>().ok())?
        });
        let (mut left, mut sum) = (length.unwrap_or(0), 0);
        let method = head.split(' ').next().unwrap_or_default();
        let counts = method == "PUT";
        if counts {
            sum = arrived.lock().ok()?.sum;
        }
        while left > 0 {
            let count = usize::try_from(left).unwrap_or(BLOCK).min(BLOCK);
            let count = reader
                .read(&mut buffer[..count])
                .ok()
                .filter(|it| *it > 0)?;
            sum = crc32c::crc32c_append(sum, &buffer[..count]);
            left -= count as u64;
        }
        if counts {
            let mut arrived = arrived.lock().ok()?;
            arrived.sum = sum;
            arrived.size += length.unwrap_or(0);
            arrived.requests += 1;
        }
        let body = match head.contains("?uploads= ") {
            true => "<R><UploadId>one</UploadId></R>",
            false if method == "POST" => "<R><ETag>\"whole\"</ETag></R>",
            false => "",
        };
        let answer = format!(
            "HTTP/1.1 200 OK\r\nETag: \"part\"\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut writer = stream;
        writer.write_all(answer.as_bytes()).ok()?;
    }
}

/// Hands the server a file of this many bytes, no two MiB alike; its number and its checksum.
fn hand_over(server: &Server, url: &str, size: u64) -> (u64, u32) {
    let mut client = Client::open(server.admin.expect("an address"));
    client.send(format!(
        "POST /api/cache/put?url={} HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n",
        encoded(url)
    ));
    let mut block = crate::harness::pattern(BLOCK, 1);
    let (mut left, mut sum) = (size, 0);
    while left > 0 {
        block[..8].copy_from_slice(&left.to_le_bytes());
        let count = usize::try_from(left).unwrap_or(BLOCK).min(BLOCK);
        sum = crc32c::crc32c_append(sum, &block[..count]);
        client.send(&block[..count]);
        left -= count as u64;
    }
    let answer = client.answer("POST");
    answer.expect(202);
    (json(&answer)["id"].as_u64().expect("a number"), sum)
}

fn is_flat(setup: impl FnOnce(&Sink) -> Setup, url: &str, requests: impl FnOnce(u64) -> u64) {
    let mib = number_from_environment("HOTPLATE_UPLOAD_MIB", MIB);
    // Not a whole number of parts.
    let size = (mib << 20) + 4321;
    let sink = Sink::start();
    let server = setup(&sink).start(Driver::Epoll);
    // What comes with the first upload, such as buffers and connections, is no growth.
    put(&server, url, "&wait=true", b"first").expect(200);
    *sink.arrived.lock().expect("nobody panicked") = Arrived::default();
    let before = server.process().resident_bytes();
    let (id, sum) = hand_over(&server, url, size);
    let patience = PATIENCE_EACH * u32::try_from(mib).expect("not that large") + PATIENCE_EACH * 60;
    eventually(patience, "it has arrived", || {
        let told = server.ask_admin(&get(&format!("/api/cache/uploads?id={id}")));
        let told: Value = json(&told);
        assert_eq!(told["reason"], Value::Null);
        told["state"] == "done"
    });
    let grown = server
        .process()
        .peak_resident_bytes()
        .saturating_sub(before);
    let mut stderr = std::io::stderr();
    writeln!(stderr, "{mib} MiB: grown by {} KiB", grown >> 10).expect("stderr takes a line");
    let expected = Arrived {
        size,
        sum,
        requests: requests(size),
    };
    assert_eq!(sink.arrived(), expected);
    assert!(grown <= GROWTH_MAX, "{grown} bytes for {size}");
    assert_eq!(spooled(&server), Vec::<String>::new());
}

#[test]
fn large_file_goes_in_one_request_with_flat_memory() {
    let setup = |sink: &Sink| crate::queue::setup(&format!("http://{}", sink.address), "");
    is_flat(setup, &crate::queue::url("/large.wav"), |_| 1);
}

#[test]
fn large_file_goes_to_a_bucket_in_parts_with_flat_memory() {
    let setup = |sink: &Sink| {
        let address = sink.address;
        let profile = format!(
            "part_size = \"16MiB\"\n[[profile]]\nname = \"s3\"\nkind = \"s3\"\ndomains = [\"*.s3.example\"]\npath_style = true\n\
             endpoint = \"http://{address}\"\naccess_key_id = \"AK\"\nsecret_access_key = \"hidden\""
        );
        crate::queue::setup(&format!("http://{address}"), &profile)
    };
    is_flat(setup, "http://calls.s3.example/large.wav", |size| {
        size.div_ceil(16 << 20)
    });
}
