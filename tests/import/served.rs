//! A page is served as it was printed: pins, files, and an origin's responses from the cache.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::bench::Bench;

/// A server that ends with its value.
struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Imports `httpd.conf` of the bench, without the admin API, and serves it.
fn serve(bench: &Bench) -> Served {
    let (page, _) = bench.checked(&["httpd.conf"]);
    let page = page.replace("@ROOT@", &bench.path("").display().to_string());
    bench.place(
        "hotplate.toml",
        &page.replace("[server]\n", "[server]\nadmin = \"\"\n"),
    );
    let child = Command::new(env!("CARGO_BIN_EXE_hotplate"))
        .args(["serve", "--config", "hotplate.toml"])
        .current_dir(bench.path(""))
        .stdout(Stdio::piped())
        .stderr(fs::File::create(bench.path("stderr")).unwrap())
        .spawn()
        .unwrap();
    let mut served = Served(child);
    let lines = BufReader::new(served.0.stdout.take().unwrap()).lines();
    let is_ready = lines.map(Result::unwrap).any(|line| line == "ready");
    assert!(
        is_ready,
        "{}",
        fs::read_to_string(bench.path("stderr")).unwrap()
    );
    served
}

/// The answer to a request, head and body.
fn get(port: u16, host: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.to_ascii_lowercase()
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// An origin that gives its Host field back, for a minute; and how often it was asked.
fn origin() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut reader = BufReader::new(stream.unwrap());
            let mut host = String::new();
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if line.to_ascii_lowercase().starts_with("host:") {
                    line.trim().clone_into(&mut host);
                }
                if line.trim().is_empty() {
                    break;
                }
            }
            count.fetch_add(1, Ordering::Relaxed);
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nCache-Control: max-age=60\r\nConnection: close\r\n\r\n",
                host.len()
            );
            reader
                .get_mut()
                .write_all(format!("{head}{host}").as_bytes())
                .unwrap();
        }
    });
    (port, asked)
}

#[test]
fn files_and_pins_of_apache_are_served() {
    let bench = Bench::new("apache");
    let port = free_port();
    let root = bench.path("htdocs").display().to_string();
    bench.place("httpd.conf", &format!(
        "Listen 127.0.0.1:{port}\nDocumentRoot {root}\nCacheFile {root}/hold.wav\nHeader set Cache-Control \"max-age=7\"\n"
    ));
    let _served = serve(&bench);
    for (path, body) in [("/hold.wav", "riff"), ("/index.html", "<p>hello</p>\n")] {
        let answer = get(port, "any.example", path);
        assert!(
            answer.starts_with("http/1.1 200") && answer.ends_with(body),
            "{answer}"
        );
        assert!(answer.contains("cache-control: max-age=7\r\n"), "{answer}");
    }
    assert!(get(port, "any.example", "/none").starts_with("http/1.1 404"));
}

#[test]
fn origin_of_apache_is_cached_where_it_said_so_and_gets_its_own_name() {
    let bench = Bench::new("apache");
    let (port, (origin_port, asked)) = (free_port(), origin());
    bench.place("httpd.conf", &format!(
        "Listen 127.0.0.1:{port}\nProxyPass / http://127.0.0.1:{origin_port}/\nCacheEnable mem /\nCacheDisable /live\nCacheHeader on\n"
    ));
    let _served = serve(&bench);
    let name = format!("host: 127.0.0.1:{origin_port}");
    for (path, count) in [("/a", 1), ("/a", 1), ("/live/a", 2), ("/live/a", 3)] {
        let answer = get(port, "any.example", path);
        assert!(answer.ends_with(&name), "{answer}");
        let is_stored = !path.starts_with("/live");
        assert_eq!(answer.contains("\r\nx-cache: "), is_stored, "{answer}");
        assert_eq!(asked.load(Ordering::Relaxed), count, "{path}");
    }
}
