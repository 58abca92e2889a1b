//! The main job with a real origin: nginx serves files, Hotplate stands before it. What is cached is streamed, hit,
//! validated, fetched in parts, and there after a restart.

#[cfg(test)]
#[macro_use]
#[path = "harness/mod.rs"]
mod harness;

#[cfg(test)]
mod before_nginx {
    use std::fs;
    use std::io::Write as _;
    use std::net::TcpListener;
    use std::path::Path;
    use std::process::{Child, Command, Stdio};
    use std::time::Duration;

    use super::harness::{Answer, Driver, Server, Setup, eventually, get, pattern, pause};

    const SIZE: usize = 5_000_011;

    /// nginx, serving a folder; it ends with its value.
    struct Nginx(Child);

    impl Drop for Nginx {
        fn drop(&mut self) {
            self.0.kill().expect("a child of ours");
            self.0.wait().expect("its end");
        }
    }

    fn binary() -> Option<&'static str> {
        let candidates = ["/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/bin/nginx"];
        candidates.into_iter().find(|path| Path::new(path).exists())
    }

    fn start(binary: &str, work: &Path, root: &Path) -> (Nginx, u16) {
        let port = TcpListener::bind(("127.0.0.1", 0)).and_then(|free| free.local_addr());
        let port = port.expect("a free port").port();
        let temp = |name: &str| format!("{name}_temp_path {}/{name};", work.display());
        let temps: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .iter()
            .map(|name| temp(name))
            .collect();
        let user = if rustix::process::getuid().is_root() {
            "user root;"
        } else {
            ""
        };
        let config = format!(
            "{user} daemon off; master_process off; pid {work}/pid; error_log {work}/error warn; events {{}}
            http {{ access_log {work}/access; {temps}
            server {{ listen 127.0.0.1:{port}; root {root}; expires 2s; }} }}",
            work = work.display(),
            root = root.display(),
        );
        let file = work.join("nginx.conf");
        fs::write(&file, config).expect("its config");
        let child = Command::new(binary)
            .arg("-c")
            .arg(&file)
            .arg("-p")
            .arg(work)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nginx");
        (Nginx(child), port)
    }

    /// How often the origin was asked.
    fn asked(work: &Path) -> usize {
        fs::read_to_string(work.join("access"))
            .unwrap_or_default()
            .lines()
            .count()
    }

    #[track_caller]
    fn expect(answer: &Answer, body: &[u8], outcome: &str) {
        answer.expect(200).expect_body(body);
        let said = answer.needs("cache-status");
        assert!(said.contains(outcome), "{said}");
    }

    fn run(driver: Driver) {
        let Some(binary) = binary() else {
            let required = std::env::var_os("HOTPLATE_TEST_PARTS_REQUIRED");
            assert!(required.is_none_or(|required| required != "1"), "nginx");
            writeln!(
                std::io::stderr(),
                "skipped, nginx is not installed: {driver:?}"
            )
            .expect("stderr");
            return;
        };
        if !driver.is_permitted("before nginx") {
            return;
        }
        let mut setup = Setup::new()
            .file("www/large.mp3", pattern(SIZE, 1))
            .file("www/small.txt", b"hello\n")
            .disk(&["size = \"64MiB\""]);
        let work = setup.folder.path("nginx");
        fs::create_dir_all(&work).expect("its folder");
        let (_nginx, port) = start(binary, &work, &setup.folder.path("www"));
        let site = format!("hosts = []\norigin = \"http://127.0.0.1:{port}\"");
        setup.config.sites.push(site);
        let mut server = setup.start(driver);
        eventually(Duration::from_secs(20), "nginx answers", || {
            let answer = server.get("/missing");
            answer.status == 404
        });
        main_job(&mut server, &work);
    }

    fn main_job(server: &mut Server, work: &Path) {
        let large = pattern(SIZE, 1);
        // The first request streams while it is stored, the next is a hit.
        for (path, body) in [("/large.mp3", &large[..]), ("/small.txt", b"hello\n")] {
            expect(&server.get(path), body, "fwd=uri-miss; stored");
            let before = asked(work);
            expect(&server.get(path), body, "hit");
            assert_eq!(asked(work), before);
        }
        // After its lifetime it is validated.
        pause(Duration::from_millis(2100));
        for (path, body) in [("/large.mp3", &large[..]), ("/small.txt", b"hello\n")] {
            expect(&server.get(path), body, "fwd=stale; fwd-status=304");
        }
        // After a restart it is still there.
        server.restart();
        for (path, body) in [("/large.mp3", &large[..]), ("/small.txt", b"hello\n")] {
            let answer = server.get(path);
            answer.expect(200).expect_body(body);
            let said = answer.needs("cache-status").to_owned();
            assert!(
                said.contains("hit") || said.contains("fwd-status=304"),
                "{said}"
            );
        }
        // A part of something new is fetched as a part.
        let purge = super::harness::Request::new("POST", "/api/purge").body(b"{\"all\": true}");
        server
            .ask_admin(&purge.with("Content-Type", "application/json"))
            .expect(200);
        let range = get("/large.mp3").with("Range", "bytes=3000000-3000099");
        let answer = server.ask(&range);
        answer.expect(206).expect_body(&large[3_000_000..3_000_100]);
        let access = fs::read_to_string(work.join("access")).expect("nginx's log");
        let last = access.lines().last().expect("a line");
        assert!(last.contains(" 206 1048576 "), "{last}");
    }

    #[test]
    fn io_uring() {
        run(Driver::IoUring);
    }

    #[test]
    fn epoll() {
        run(Driver::Epoll);
    }
}
