//! kill -9 at random moments of uploads: what was accepted arrives once or more, whole, and never half, and no wrong byte is cached.
//!
//! `HOTPLATE_UPLOAD_KILLS` says how often, a fifth of it for each kind of files in parts. The moments are of a seed that a failure
//! tells; `HOTPLATE_UPLOAD_SEED` has them once more.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use crate::harness::origin::{Asked, Origin, Reply, reply};
use crate::harness::waiting::{number_from_environment, wall_clock};
use crate::harness::{Answer, Client, Driver, Request, Server, Setup, get, now, pattern, pause};
use crate::queue::{HOST, PATIENCE, encoded, json, said, spooled, url};

const KILLS: u64 = 50;

/// Of files in parts, in relation to these.
const FEWER: u64 = 5;

/// How the origin takes files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Takes {
    /// Each in one request.
    Whole,
    /// As S3 does, in parts.
    Parts,
    /// As Azure does, in blocks and a list of them.
    Blocks,
}

/// What the origin has been asked, as counts.
#[derive(Debug, Default)]
struct Seen {
    /// Bytes of files.
    pieces: AtomicUsize,
    /// What puts a file together.
    ends: AtomicUsize,
}

impl Takes {
    /// Some fail, so that attempts and records are under way when the process dies.
    fn fails(self, asked: &Asked) -> bool {
        match self {
            Self::Whole => asked.number.is_multiple_of(3),
            Self::Parts | Self::Blocks => asked.number % 11 == 3,
        }
    }

    fn query(asked: &Asked) -> &str {
        asked.target.split_once('?').map_or("", |it| it.1)
    }

    /// Whether it asks for a file's being put together: all of it is there.
    fn is_end(self, asked: &Asked) -> bool {
        match self {
            Self::Whole => false,
            Self::Parts => asked.method == "POST" && Self::query(asked).starts_with("uploadId="),
            Self::Blocks => Self::query(asked) == "comp=blocklist" && asked.method == "PUT",
        }
    }

    fn answer(self, asked: &Asked, seen: &Seen) -> Reply {
        let is_put = asked.method == "PUT";
        match self.is_end(asked) {
            true => seen.ends.fetch_add(1, Ordering::SeqCst),
            false => seen.pieces.fetch_add(usize::from(is_put), Ordering::SeqCst),
        };
        let number = asked.number;
        match (self, asked.method.as_str()) {
            // What was begun before a kill is of no use.
            (Self::Parts, "DELETE") => said(204),
            (_, "PUT" | "POST") if self.fails(asked) => said(503),
            (Self::Whole | Self::Blocks, "PUT") => said(201),
            (Self::Parts, "PUT") => reply(200).field("ETag", &format!("\"{number}\"")).body(""),
            (Self::Parts, "POST") if self.is_end(asked) => {
                reply(200).body("<R><ETag>\"whole\"</ETag></R>")
            }
            (Self::Parts, "POST") => {
                reply(200).body(format!("<R><UploadId>id-{number}</UploadId></R>"))
            }
            _ => said(503),
        }
    }

    /// The file that a request has put in its place; none where it has not.
    fn file(self, asked: &Asked, all: &[Asked]) -> Option<Vec<u8>> {
        if !asked.is_whole || self.fails(asked) {
            return None;
        }
        // Small ones go in one request everywhere.
        if asked.method == "PUT" && Self::query(asked).is_empty() {
            return Some(asked.body.clone());
        }
        if !self.is_end(asked) {
            return None;
        }
        let list = String::from_utf8_lossy(&asked.body);
        let (open, close) = match self {
            Self::Parts => ("<ETag>\"", "\"</ETag>"),
            _ => ("<Latest>", "</Latest>"),
        };
        let named = list.split(open).skip(1).map(|rest| {
            let name = rest.split(close).next().expect("a name");
            match self {
                Self::Parts => all.get(name.parse::<usize>().expect("a part's number")),
                _ => {
                    let query = format!("comp=block&blockid={}", encoded(name));
                    let mut before = all[..asked.number].iter().rev();
                    before.find(|block| {
                        let is_here = block.path() == asked.path() && Self::query(block) == query;
                        is_here && block.is_whole && !self.fails(block)
                    })
                }
            }
        });
        let parts: Vec<&Asked> = named
            .map(|part| part.unwrap_or_else(|| panic!("a part is missing: {list}")))
            .collect();
        for part in &parts {
            assert!(part.is_whole && part.path() == asked.path(), "{list}");
            let of_upload = Self::query(part).ends_with(Self::query(asked));
            assert!(self != Self::Parts || of_upload, "{list}");
        }
        Some(parts.iter().flat_map(|part| part.body.clone()).collect())
    }

    /// The site and its profile, where it needs one.
    fn lines(self, origin: &str) -> String {
        let profile = match self {
            Self::Whole => return format!("origin = {origin:?}"),
            Self::Parts => {
                "kind = \"s3\"\ndomains = [\"*.s3.example\"]\npath_style = true\naccess_key_id = \"AK\"\n\
                 secret_access_key = \"key\""
            }
            Self::Blocks => {
                "kind = \"azure\"\naccount = \"devstoreaccount1\"\naccount_key = \"a2V5\""
            }
        };
        let base = match self {
            Self::Blocks => "/devstoreaccount1/calls",
            _ => "/calls",
        };
        format!(
            "origin = \"{origin}{base}\"\nprofile = \"it\"\n\n[[profile]]\nname = \"it\"\n{profile}"
        )
    }
}

/// A number of a sequence that has no order (SplitMix64).
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Lets time pass until the moment of a kill: any, or one about what the origin is asked.
fn await_moment(state: &mut u64, seen: &Seen, takes: Takes) {
    let awaited = match random(state) % 3 {
        0 => None,
        1 if takes != Takes::Whole => Some(&seen.ends),
        _ => Some(&seen.pieces),
    };
    let Some(count) = awaited else {
        return pause(Duration::from_micros(3_000 + random(state) % 150_000));
    };
    let (deadline, before) = (now() + PATIENCE, count.load(Ordering::SeqCst));
    let more = usize::try_from(1 + random(state) % 5).expect("a small number");
    while count.load(Ordering::SeqCst) < before + more {
        assert!(now() < deadline, "nothing is sent any more: {seen:?}");
        pause(Duration::from_micros(50));
    }
    // Before its answer, or after it, while that is noted.
    pause(Duration::from_micros(random(state) % 3_000));
}

/// Asks a server that may be killed meanwhile.
fn try_ask(admin: SocketAddr, request: &Request) -> Option<Answer> {
    let mut client = Client::try_open(admin).ok()?;
    client.try_send(request.bytes()).ok()?;
    client.try_answer("POST").ok()
}

/// Hands a file over, in another way each time; whether it was accepted for certain.
fn hand_over(admin: SocketAddr, folder: &Path, number: u64, path: &str, body: &[u8]) -> bool {
    let query = format!("url={}&cache=true", encoded(&url(path)));
    let accepted = |target: &str, body: &[u8]| {
        let answer = try_ask(admin, &Request::new("POST", target).body(body));
        answer.is_some_and(|answer| answer.status == 202)
    };
    match number % 3 {
        0 => accepted(&format!("/api/cache/put?{query}"), body),
        1 => {
            let file = folder.join("file.wav");
            std::fs::write(&file, body).expect("the file");
            let file = encoded(file.to_str().expect("UTF-8"));
            accepted(&format!("/api/cache/put?{query}&file={file}"), b"")
        }
        _ => {
            let target = format!("/api/cache/record?{query}");
            let Some(opened) = try_ask(admin, &Request::new("POST", &target).body(b"")) else {
                return false;
            };
            let opened = json(&opened);
            let path = opened["path"].as_str();
            let path = path.unwrap_or_else(|| panic!("no recording: {opened}"));
            std::fs::write(path, body).expect("the recording");
            let target = format!("/api/cache/uploads?id={}", opened["id"]);
            // Its close is heard of, or the server is gone.
            loop {
                match try_ask(admin, &get(&target)) {
                    None => return false,
                    Some(told) if json(&told)["state"] != "recording" => return true,
                    Some(_) => pause(Duration::from_millis(1)),
                }
            }
        }
    }
}

/// Waits until all is sent. Recordings whose path nobody was told are dropped in time.
fn await_empty_spool(server: &Server) {
    let mut left = spooled(server);
    let deadline = now() + PATIENCE * 2;
    while !left.is_empty() {
        assert!(now() < deadline, "left in the spool: {left:?}");
        pause(Duration::from_millis(20));
        left = spooled(server);
    }
}

/// Files by their paths.
type Files = BTreeMap<String, Vec<u8>>;

/// Puts file after file until the server was killed: all that were offered, and those that were accepted for certain.
fn put_until(is_over: &AtomicBool, (admin, folder): (SocketAddr, &Path), round: u64) -> [Files; 2] {
    let [mut offered, mut accepted] = [Files::new(), Files::new()];
    for number in 0.. {
        if is_over.load(Ordering::SeqCst) {
            break;
        }
        let path = format!("/{round}-{number}.wav");
        let size = 20_000 + usize::try_from(number % 7).unwrap_or(0) * 30_000;
        let body = pattern(size, number + round * 1000);
        offered.insert(path.clone(), body.clone());
        if hand_over(admin, folder, number + round, &path, &body) {
            accepted.insert(path, body);
        }
    }
    [offered, accepted]
}

fn survive(takes: Takes, kills: u64) {
    let time = wall_clock()
        .duration_since(UNIX_EPOCH)
        .map_or(1, |it| it.as_secs());
    let mut seed = number_from_environment("HOTPLATE_UPLOAD_SEED", time);
    println!("HOTPLATE_UPLOAD_SEED={seed}");
    let origin = Origin::start();
    let seen = Arc::<Seen>::default();
    let told = Arc::clone(&seen);
    origin.otherwise(move |asked| takes.answer(asked, &told));
    let mut setup = Setup::new().disk(&["size = \"64MiB\""]);
    setup.config.sites.push(format!(
        "hosts = [{HOST:?}]\n[[site.rule]]\npath = \"/\"\ndefault_ttl = \"1h\"\n[upload]\nretry_min = \"30ms\"\n\
         retry_max = \"200ms\"\nconcurrency = 2\nrecord_limit = \"1s\"\npart_size = \"64KiB\"\nfiles = [\"**\"]"
    ));
    let site = &mut setup.config.sites[0];
    let lines = takes.lines(&origin.url());
    let (own, profile) = lines.split_once("\n\n").unwrap_or((&lines, ""));
    *site = format!("{own}\n{site}\n{profile}");
    let mut server = setup.start(Driver::Epoll);
    let folder = server.folder.path("");
    let [mut offered, mut accepted] = [Files::new(), Files::new()];
    for round in 0..kills {
        let admin = server.admin.expect("an address");
        let is_over = AtomicBool::new(false);
        let [tried, found] = std::thread::scope(|scope| {
            let putting = scope.spawn(|| put_until(&is_over, (admin, &folder), round));
            await_moment(&mut seed, &seen, takes);
            server.kill();
            is_over.store(true, Ordering::SeqCst);
            putting.join().expect("the thread that puts")
        });
        offered.extend(tried);
        accepted.extend(found);
        server.start_again();
    }
    await_empty_spool(&server);
    assert!(!accepted.is_empty());
    let asked = origin.asked();
    let base = match takes {
        Takes::Whole => "",
        Takes::Parts => "/calls",
        Takes::Blocks => "/devstoreaccount1/calls",
    };
    let mut arrived = BTreeMap::<&str, usize>::new();
    // Whatever was not accepted for certain arrived as it was offered or not at all, too: the writer of a recording is no part of the
    // server, and goes on where that dies.
    for one in &asked {
        if let Some(file) = takes.file(one, &asked) {
            let path = one.path().strip_prefix(base).expect("the site's base");
            assert!(offered.get(path) == Some(&file), "{path} arrived otherwise");
            *arrived.entry(path).or_default() += 1;
        }
    }
    let mut cached = 0;
    for (path, body) in &accepted {
        assert!(arrived.contains_key(path.as_str()), "{path} never arrived");
        // Its copy may be lost with the process, but not half, and not another's.
        let mut client = server.connect();
        client.send(get(path).host(HOST).bytes());
        // One that turns out to be lost when it is read is cut, and dropped.
        let Ok(copy) = client.try_fetched("GET") else {
            continue;
        };
        if copy.status == 200 {
            copy.expect_body(body);
            cached += 1;
        }
    }
    assert!(cached > 0, "no copy of {} was left", accepted.len());
}

fn kills() -> u64 {
    number_from_environment("HOTPLATE_UPLOAD_KILLS", KILLS)
}

#[test]
fn accepted_uploads_survive_kills_at_any_moment() {
    survive(Takes::Whole, kills());
}

#[test]
fn files_in_parts_survive_kills_at_any_moment() {
    survive(Takes::Parts, kills().div_ceil(FEWER));
}

#[test]
fn files_in_blocks_survive_kills_at_any_moment() {
    survive(Takes::Blocks, kills().div_ceil(FEWER));
}
