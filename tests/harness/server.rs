//! The real server: started on a free port with a config of its own, watched, signalled, and ended with its value.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use super::answer::Answer;
use super::client::{Broken, Client};
use super::config::Config;
use super::driver::Driver;
use super::folder::Folder;
use super::process::Process;
use super::request::{Request, get};
use super::setup::Setup;
use super::waiting::{eventually, now, pause};

/// How long a server may take to start or to end before the scenario fails.
pub(crate) const START_WITHIN: Duration = Duration::from_secs(30);

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Where its admin API listens, if over TCP.
    pub(crate) admin: Option<SocketAddr>,
    /// Its files.
    pub(crate) folder: Folder,
    /// Its config as last written.
    pub(crate) config: Config,
    /// Its driver.
    pub(crate) driver: Driver,
    child: Child,
}

/// How a server that did not start ended.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) code: Option<i32>,
    pub(crate) output: String,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit code {:?}, output:\n{}", self.code, self.output)
    }
}

impl Server {
    pub(crate) fn start(
        setup: Setup,
        driver: Driver,
        descriptors_max: Option<u32>,
    ) -> Result<Self, Refused> {
        let Setup { folder, config } = setup;
        let (child, stdout) = Self::launch(&folder, &config, driver, descriptors_max)?;
        Ok(Self {
            address: address_in(&stdout, "listening on ").expect("a listener's line"),
            admin: address_in(&stdout, "admin on "),
            folder,
            config,
            driver,
            child,
        })
    }

    /// Starts the process and waits until it is ready; gives it and what it printed.
    fn launch(
        folder: &Folder,
        config: &Config,
        driver: Driver,
        descriptors_max: Option<u32>,
    ) -> Result<(Child, String), Refused> {
        let file = folder.path("hotplate.toml");
        fs::write(&file, config.text(driver)).expect("the config");
        let output = |name: &str| fs::File::create(folder.path(name)).expect("an output file");
        let mut command = command(descriptors_max);
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("AWS_") || text.starts_with("AZURE_") {
                command.env_remove(&name);
            }
        }
        let environment = config.environment.iter();
        let mut child = command
            .envs(environment.map(|(name, value)| (name, value)))
            .args(["serve", "--config"])
            .arg(&file)
            .current_dir(folder.path(""))
            .stdin(Stdio::null())
            .stdout(output(".stdout"))
            .stderr(output(".stderr"))
            .spawn()
            .expect("the built binary");
        let deadline = now() + START_WITHIN;
        loop {
            let ended = child.try_wait().expect("a child");
            let stdout = fs::read_to_string(folder.path(".stdout")).unwrap_or_default();
            if stdout.lines().any(|line| line.starts_with("ready")) {
                return Ok((child, stdout));
            }
            if ended.is_some() || now() >= deadline {
                child.kill().expect("a child of ours");
                let status = child.wait().expect("its end");
                return Err(Refused {
                    code: status.code(),
                    output: output_in(folder),
                });
            }
            pause(Duration::from_millis(2));
        }
    }

    /// Ends the process, and starts another one with the config as it stands now, on the same files.
    #[track_caller]
    pub(crate) fn restart(&mut self) {
        self.terminate();
        self.wait_for_exit(START_WITHIN);
        self.start_again();
    }

    /// Kills the process, and starts another one on the same files.
    #[track_caller]
    pub(crate) fn kill_and_start(&mut self) {
        self.kill();
        self.start_again();
    }

    /// Kills the process without a word.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("a child of ours");
        self.child.wait().expect("its end");
    }

    /// Starts another process on the same files; the one before must have ended.
    #[track_caller]
    pub(crate) fn start_again(&mut self) {
        let started = Self::launch(&self.folder, &self.config, self.driver, None);
        let (child, stdout) = started.unwrap_or_else(|refused| panic!("not started: {refused}"));
        self.address = address_in(&stdout, "listening on ").expect("a listener's line");
        self.admin = address_in(&stdout, "admin on ");
        self.child = child;
    }

    /// A new connection.
    #[track_caller]
    pub(crate) fn connect(&self) -> Client {
        Client::open(self.address)
    }

    /// Sends a request on a connection of its own and reads the answer.
    #[track_caller]
    pub(crate) fn ask(&self, request: &Request) -> Answer {
        self.connect().ask(request)
    }

    /// GETs a target on a connection of its own.
    #[track_caller]
    pub(crate) fn get(&self, target: &str) -> Answer {
        self.ask(&get(target))
    }

    /// GETs a target whose file changes just now, so that the answer may be broken off.
    #[track_caller]
    pub(crate) fn try_get(&self, target: &str) -> Option<Answer> {
        let mut client = self.connect();
        client.send(get(target).bytes());
        match client.try_answer("GET") {
            Ok(answer) => Some(answer),
            Err(Broken::Closed | Broken::Cut(_)) => None,
            Err(Broken::Late(came)) => panic!("{target}: stuck after {} bytes", came.len()),
        }
    }

    /// How many descriptors it holds on files of its folder that are deleted or replaced.
    pub(crate) fn descriptors_on_deleted(&self) -> usize {
        let folder = self.folder.path("");
        self.process()
            .descriptors_on_deleted(folder.to_str().expect("UTF-8"))
    }

    /// Asks the admin API.
    #[track_caller]
    pub(crate) fn ask_admin(&self, request: &Request) -> Answer {
        let address = self.admin.expect("an admin address");
        let request = request.clone().host(&address.to_string());
        Client::open(address).ask(&request)
    }

    /// Posts JSON to an endpoint of the admin API below `/api/cache/`.
    #[track_caller]
    pub(crate) fn post(&self, endpoint: &str, body: &serde_json::Value) -> Answer {
        let target = format!("/api/cache/{endpoint}");
        self.ask_admin(&Request::new("POST", &target).body(body.to_string().as_bytes()))
    }

    /// Everything it has printed.
    pub(crate) fn output(&self) -> String {
        output_in(&self.folder)
    }

    /// The process.
    pub(crate) fn process(&self) -> Process {
        Process(self.child.id())
    }

    /// The config's file.
    pub(crate) fn config_path(&self) -> PathBuf {
        self.folder.path("hotplate.toml")
    }

    /// Writes the config as it stands now, and asks for a reload.
    pub(crate) fn reload(&self) {
        self.reload_text(&self.config.text(self.driver));
    }

    /// Writes any text as the config, and asks for a reload.
    pub(crate) fn reload_text(&self, text: &str) {
        fs::write(self.config_path(), text).expect("the config");
        self.process().signal(Signal::HUP);
    }

    /// Asks it to drain.
    pub(crate) fn terminate(&self) {
        self.process().signal(Signal::TERM);
    }

    /// Whether it still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_none()
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn wait_for_exit(&mut self, within: Duration) -> ExitStatus {
        let mut status = None;
        eventually(within, "the server ends", || {
            status = self.child.try_wait().expect("a child");
            status.is_some()
        });
        status.expect("just seen")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let alive = matches!(self.child.try_wait(), Ok(None));
        if alive && self.child.kill().is_ok() {
            self.child.wait().expect("its end");
        }
        if std::thread::panicking() {
            eprintln!("--- the server's output:\n{}---", self.output());
        } else {
            assert!(
                alive || !self.output().contains("panicked at"),
                "the server panicked:\n{}",
                self.output()
            );
        }
    }
}

/// Runs one of the command line's other commands to its end.
pub(crate) fn run(arguments: &[&str], folder: &Path) -> Refused {
    let output = command(None)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .expect("the built binary");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Refused {
        code: output.status.code(),
        output: text(&output.stdout) + &text(&output.stderr),
    }
}

fn command(descriptors_max: Option<u32>) -> Command {
    let binary = env!("CARGO_BIN_EXE_hotplate");
    match descriptors_max {
        None => Command::new(binary),
        Some(count) => {
            let mut shell = Command::new("sh");
            shell.arg("-c");
            shell.arg(format!("ulimit -n {count}; exec \"$0\" \"$@\""));
            shell.arg(binary);
            shell
        }
    }
}

fn address_in(output: &str, label: &str) -> Option<SocketAddr> {
    let line = output.lines().find(|line| line.contains(label))?;
    let (_, url) = line.split_once("http://")?;
    let end = url
        .find(|character: char| !(character.is_ascii_digit() || ".:[]".contains(character)))
        .unwrap_or(url.len());
    url[..end].trim_end_matches('.').parse().ok()
}

fn output_in(folder: &Folder) -> String {
    let text = |name: &str| fs::read(folder.path(name)).unwrap_or_default();
    let bytes = [text(".stdout"), text(".stderr")].concat();
    String::from_utf8_lossy(&bytes).into_owned()
}
