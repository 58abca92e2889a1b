//! The requests that clients send, and what each must be answered with.

use std::collections::HashMap;

use crate::fixture::{Fixture, content};
use crate::random::Random;

/// The files that are pinned, under every hold.
pub(crate) const FILES: [(&str, usize); 4] = [
    ("small.bin", 1_000),
    ("heap.bin", 20 << 10),
    ("sealed.bin", 90_000),
    ("large.bin", 700_000),
];
const HOLDS: [&str; 3] = ["file", "mmap", "memory"];
/// A field's value that makes a head long.
const PAD: usize = 3_000;

/// What the first line and the framing of a head that is refused look like.
const REFUSED: [(&str, u16); 6] = [
    ("NONSENSE\r\n\r\n", 400),
    ("GET /file/small.bin HTTP/1.1\r\n\r\n", 400),
    (
        "GET /file/small.bin HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        400,
    ),
    ("GET /file/small.bin HTTP/3.5\r\nHost: a\r\n\r\n", 505),
    (
        "POST /file/small.bin HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        400,
    ),
    ("GET /file/../.. HTTP/1.1\r\nHost: a\r\n\r\n", 400),
];

/// What a client's requests are mostly like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flavour {
    Plain,
    /// Long heads.
    Stuffed,
    /// Large answers.
    Greedy,
}

/// A request as sent.
#[derive(Debug)]
pub(crate) struct Request {
    /// The whole of it.
    pub(crate) bytes: Vec<u8>,
    /// Its head without padding: requests that are alike in it are answered alike.
    pub(crate) plain: Vec<u8>,
    /// After how many of its bytes the answer is due.
    pub(crate) due: usize,
    /// Whether nothing is answered behind it.
    pub(crate) closes: bool,
    /// Whether a part of it may be answered already, because it can only be refused.
    pub(crate) refused: bool,
    /// The status and, where it is known beforehand, the body.
    status: u16,
    body: Option<&'static [u8]>,
}

impl Request {
    fn refused(random: &mut Random) -> Self {
        let (text, status) = random.one_of(&REFUSED);
        Self {
            bytes: text.into(),
            plain: text.into(),
            due: text.len(),
            closes: true,
            refused: true,
            status,
            body: None,
        }
    }

    /// A request that the fill threads are asked about; `number` tells it from others.
    fn of_the_site(number: usize) -> Self {
        let bytes = format!("GET /site/{number} HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes();
        Self {
            due: bytes.len(),
            bytes,
            plain: b"GET /site/x HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(),
            closes: false,
            refused: false,
            status: 404,
            body: Some(b"404 Not Found\n"),
        }
    }

    /// Any request of a client's.
    pub(crate) fn any(random: &mut Random, number: usize, flavour: Flavour) -> Self {
        match random.below(40) {
            0 => return Self::refused(random),
            1..=3 => return Self::of_the_site(number),
            _ => {}
        }
        let files: &[usize] = match flavour {
            Flavour::Greedy => &[0, 3, 3, 3],
            _ => &[0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 3],
        };
        let (name, size) = FILES[random.one_of(files)];
        let hold = random.one_of(&HOLDS);
        let method = random.one_of(&["GET", "GET", "GET", "GET", "HEAD", "POST"]);
        let mut fields = String::from("Host: a\r\n");
        let (mut status, mut body) = (200, Some(content(size)));
        if method == "POST" {
            (status, body) = (405, Some(&b"405 Method Not Allowed\n"[..]));
        } else if random.once_in(4) {
            let first = random.below(3) * 300;
            let (range, came) = match random.below(3) {
                0 => ("bytes=0-9,200-299".to_owned(), None),
                1 => ("bytes=-7".to_owned(), Some(&content(size)[size - 7..])),
                _ => (format!("bytes={first}-"), Some(&content(size)[first..])),
            };
            fields += &format!("Range: {range}\r\n");
            (status, body) = (if method == "GET" { 206 } else { 200 }, came);
        }
        if method == "HEAD" {
            body = Some(&[]);
        }
        let mut closes = random.once_in(25);
        let old = random.once_in(30);
        closes |= old;
        if closes && !old {
            fields += "Connection: close\r\n";
        }
        let mut message_body = Vec::new();
        if method == "POST" {
            closes |= add_body(random, &mut fields, &mut message_body, old);
        }
        let version = if old { "1.0" } else { "1.1" };
        let line = format!("{method} /{hold}/{name} HTTP/{version}\r\n{fields}");
        let pad = if flavour == Flavour::Stuffed {
            random.one_of(&[0, PAD, 2 * PAD])
        } else {
            0
        };
        let head = if pad > 0 {
            format!("{line}X-Pad: {}\r\n\r\n", "p".repeat(pad))
        } else {
            format!("{line}\r\n")
        };
        let mut bytes = head.into_bytes();
        let due = bytes.len();
        let mut plain = format!("{line}\r\n").into_bytes();
        plain.extend_from_slice(&message_body);
        bytes.append(&mut message_body);
        Self {
            bytes,
            plain,
            due,
            closes,
            refused: false,
            status,
            body,
        }
    }

    /// Asserts that `answer` is what this request asks for, as far as that can be said without knowing its validators.
    fn check(&self, answer: &[u8]) {
        let asked = String::from_utf8_lossy(&self.plain);
        let text = String::from_utf8_lossy(answer);
        let line = format!("HTTP/1.1 {} ", self.status);
        assert!(text.starts_with(&line), "{asked}: {text}");
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
        let (head, came) = answer.split_at(end.expect("a head") + 4);
        if let Some(body) = self.body {
            assert!(came == body, "{asked}: the body");
        }
        let head = String::from_utf8_lossy(head);
        let says_close = head.contains("\r\nConnection: close\r\n");
        // A body that is broken ends the connection after an answer that could not know.
        if !asked.contains("\r\nzz\r\n") {
            assert_eq!(says_close, self.closes, "{asked}: {head}");
        }
    }
}

/// Gives a request a body; true when nothing can be read behind it.
fn add_body(random: &mut Random, fields: &mut String, body: &mut Vec<u8>, old: bool) -> bool {
    let size = random.one_of(&[0, 1, 50, 5_000]);
    match random.below(if old { 1 } else { 5 }) {
        0 | 1 => {
            *fields += &format!("Content-Length: {size}\r\n");
            body.resize(size, b'b');
            false
        }
        2 => {
            *fields += "Transfer-Encoding: chunked\r\n";
            for _ in 0..random.below(4) {
                body.extend_from_slice(b"a;x=y\r\n0123456789\r\n");
            }
            body.extend_from_slice(b"0\r\nTrailer: x\r\n\r\n");
            false
        }
        3 => {
            *fields += "Transfer-Encoding: chunked\r\n";
            body.extend_from_slice(b"1\r\nx\r\nzz\r\n");
            true
        }
        _ => {
            *fields += "Expect: 100-continue\r\nContent-Length: 5\r\n";
            body.extend_from_slice(b"12345");
            true
        }
    }
}

/// What requests are answered with, each asked alone of a worker that has nothing else to do.
#[derive(Debug, Default)]
pub(crate) struct Book(HashMap<Vec<u8>, Vec<u8>>);

impl Book {
    pub(crate) fn answer(&mut self, fixture: &Fixture, request: &Request) -> &[u8] {
        self.0.entry(request.plain.clone()).or_insert_with(|| {
            let answer = fixture.ask_alone(&request.plain);
            request.check(&answer);
            answer
        })
    }
}
