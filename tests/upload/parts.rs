//! Servers of others, which verify signatures: started on free ports, ended with their values.

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use reqsign_core::hash::{base64_decode, base64_hmac_sha256};

use crate::harness::{Answer, Client, Folder, Request, eventually, get};

/// How long such a server may take to start.
const START_WITHIN: Duration = Duration::from_secs(60);

/// Where `tests/install` puts them.
fn folder() -> PathBuf {
    let named = std::env::var_os("HOTPLATE_TEST_PARTS").map(PathBuf::from);
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
    named.unwrap_or_else(|| {
        let cache = cache.or_else(home).unwrap_or_default();
        cache.join("hotplate-tests")
    })
}

/// Says on the real stderr, past the test runner's capture, that something is not installed.
///
/// # Panics
/// Where `HOTPLATE_TEST_PARTS_REQUIRED=1` says that it has to be.
fn skipped(what: &str) {
    let required = std::env::var_os("HOTPLATE_TEST_PARTS_REQUIRED");
    assert!(
        required.is_none_or(|required| required != "1"),
        "{what} is not installed: run tests/install"
    );
    writeln!(std::io::stderr(), "skipped, {what} is not installed").expect("stderr");
}

/// A port that nobody has, and that no server of another test is given before its own server takes it: those get theirs from above.
fn free_port() -> u16 {
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    // Each run of tests begins somewhere else.
    let first = u16::try_from(std::process::id() % 500).expect("it fits") * 20;
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let mut ports = (0..10_000).map(|_| {
        let taken = TAKEN.fetch_add(1, Ordering::Relaxed);
        20_000 + (first + taken) % 10_000
    });
    ports.find(is_free).expect("a free port")
}

/// A process that ends with its value.
#[derive(Debug)]
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().expect("a child of ours");
        self.0.wait().expect("its end");
    }
}

fn start(command: &mut Command, address: SocketAddr, log: &Path) -> Running {
    let log = std::fs::File::create(log).expect("its log");
    let child = command
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("its log"))
        .stderr(log)
        .spawn()
        .expect("an installed program");
    let running = Running(child);
    eventually(START_WITHIN, "the part listens", || {
        Client::try_open(address).is_ok()
    });
    running
}

fn ask(address: SocketAddr, request: &Request) -> Answer {
    let mut client = Client::open(address).with_patience(START_WITHIN);
    // By another name, moto would look for a bucket in it.
    client.ask(&request.clone().host(&address.to_string()).close())
}

/// moto: an S3 server that verifies signatures once its set-up is done.
#[derive(Debug)]
pub(crate) struct Moto {
    pub(crate) address: SocketAddr,
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
    _folder: Folder,
    _process: Running,
}

/// The bucket that is there.
pub(crate) const BUCKET: &str = "calls";

impl Moto {
    /// Starts it with a user who may do everything in a bucket, and these objects in it, by their encoded names. None where
    /// it is not installed.
    pub(crate) fn start(objects: &[(&str, &[u8])]) -> Option<Self> {
        let program = super::parts::folder().join("moto/bin/moto_server");
        if !program.exists() {
            skipped("moto");
            return None;
        }
        let folder = Folder::new();
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let actions_of_setup = 4 + objects.len();
        let mut command = Command::new(program);
        command
            .args(["-H", "127.0.0.1", "-p", &address.port().to_string()])
            .env("INITIAL_NO_AUTH_ACTION_COUNT", actions_of_setup.to_string());
        let process = start(&mut command, address, &folder.path("log"));
        let iam = |body: &str| {
            let body = format!("{body}&UserName=app&Version=2010-05-08");
            let request = Request::new("POST", "/")
                .with("Authorization", &unverified("iam"))
                .with("Content-Type", "application/x-www-form-urlencoded")
                .body(body.as_bytes());
            let answer = ask(address, &request);
            answer.expect(200);
            String::from_utf8_lossy(&answer.body).into_owned()
        };
        iam("Action=CreateUser");
        let key = iam("Action=CreateAccessKey");
        let element = |name: &str| {
            let (_, rest) = key.split_once(&format!("<{name}>")).expect("a key");
            rest.split('<').next().unwrap_or_default().to_owned()
        };
        let (access_key_id, secret_access_key) =
            (element("AccessKeyId"), element("SecretAccessKey"));
        let policy = "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C\
                      %22Action%22%3A%22s3%3A%2A%22%2C%22Resource%22%3A%22%2A%22%7D%5D%7D";
        iam(&format!(
            "Action=PutUserPolicy&PolicyName=all&PolicyDocument={policy}"
        ));
        let put = |path: &str, body: &[u8]| {
            let request = Request::new("PUT", path)
                .with("Authorization", &unverified("s3"))
                .with("Content-Type", "audio/x-wav")
                .body(body);
            ask(address, &request).expect(200);
        };
        put(&format!("/{BUCKET}"), b"");
        for (name, body) in objects {
            put(&format!("/{BUCKET}/{name}"), body);
        }
        // From now on nothing goes without a signature.
        let refused = ask(
            address,
            &get(&format!("/{BUCKET}/x")).with("Authorization", &unverified("s3")),
        );
        refused.expect(403);
        Some(Self {
            address,
            access_key_id,
            secret_access_key,
            _folder: folder,
            _process: process,
        })
    }

    /// Its bucket's URL.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/{BUCKET}", self.address)
    }

    /// A `[[profile]]` with its keys.
    pub(crate) fn profile(&self, name: &str, more: &str) -> String {
        format!(
            "\n[[profile]]\nname = {name:?}\nkind = \"s3\"\naccess_key_id = {:?}\nsecret_access_key = {:?}\n{more}\n",
            self.access_key_id, self.secret_access_key
        )
    }
}

/// An Authorization field that names its service and proves nothing.
fn unverified(service: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential=setup/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
    )
}

/// Azurite: a server of Azure Blob Storage that verifies signatures.
#[derive(Debug)]
pub(crate) struct Azurite {
    pub(crate) address: SocketAddr,
    _folder: Folder,
    _process: Running,
}

/// The account that Azurite has.
pub(crate) const ACCOUNT: &str = "devstoreaccount1";
/// Its key, which everybody knows.
pub(crate) const ACCOUNT_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

impl Azurite {
    /// Starts it with a container named as the bucket, and these blobs in it, by their encoded names. None where it is not
    /// installed.
    pub(crate) fn start(blobs: &[(&str, &[u8])]) -> Option<Self> {
        let program =
            super::parts::folder().join("azurite/node_modules/azurite/dist/src/blob/main.js");
        if !program.exists() {
            skipped("Azurite");
            return None;
        }
        let folder = Folder::new();
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let mut command = Command::new("node");
        command
            .arg(program)
            .args([
                "--blobHost",
                "127.0.0.1",
                "--blobPort",
                &address.port().to_string(),
            ])
            .args(["--disableTelemetry", "--location"])
            .arg(folder.path("data"))
            .current_dir(folder.path(""));
        let process = start(&mut command, address, &folder.path("log"));
        let azurite = Self {
            address,
            _folder: folder,
            _process: process,
        };
        azurite.put(BUCKET, "restype=container", &[], b"");
        for (name, body) in blobs {
            let name = format!("{BUCKET}/{name}");
            azurite.put(&name, "", &[("x-ms-blob-type", "BlockBlob")], body);
        }
        Some(azurite)
    }

    /// Puts something, signed here and not by what is under test.
    fn put(&self, name: &str, query: &str, own: &[(&str, &str)], body: &[u8]) {
        let date = httpdate::fmt_http_date(crate::harness::waiting::wall_clock());
        let mut lines: Vec<(&str, &str)> = own.to_vec();
        lines.extend([("x-ms-date", date.as_str()), ("x-ms-version", "2021-08-06")]);
        lines.sort_unstable();
        let path = format!("/{ACCOUNT}/{name}");
        let length = match body.len() {
            0 => String::new(),
            length => length.to_string(),
        };
        let mut text = format!("PUT\n\n\n{length}\n\n\n\n\n\n\n\n\n");
        for (name, value) in &lines {
            text.push_str(&format!("{name}:{value}\n"));
        }
        text.push_str(&format!("/{ACCOUNT}{path}"));
        if let Some((name, value)) = query.split_once('=') {
            text.push_str(&format!("\n{name}:{value}"));
        }
        let key = base64_decode(ACCOUNT_KEY).expect("base64");
        let signature = base64_hmac_sha256(&key, text.as_bytes());
        let target = match query {
            "" => path,
            query => format!("{path}?{query}"),
        };
        let mut request = Request::new("PUT", &target)
            .with("Authorization", &format!("SharedKey {ACCOUNT}:{signature}"));
        for (name, value) in lines {
            request = request.with(name, value);
        }
        ask(self.address, &request.body(body)).expect(201);
    }

    /// Its container's URL.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/{ACCOUNT}/{BUCKET}", self.address)
    }

    /// A `[[profile]]` with its key.
    pub(crate) fn profile(&self, name: &str, more: &str) -> String {
        format!(
            "\n[[profile]]\nname = {name:?}\nkind = \"azure\"\naccount = {ACCOUNT:?}\naccount_key = {ACCOUNT_KEY:?}\n{more}\n"
        )
    }
}
