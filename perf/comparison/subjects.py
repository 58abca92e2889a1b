"""What is measured against what: how each server is configured, started and ended.

Every peer gets the settings that serve it best here: one worker, open files cached, no access log, no limit on
requests a connection, room for the idle crowd. nginx's tcp_nopush stays off: with it, bodies of 64 KiB stall for a
delayed acknowledgement. Its best sendfile setting depends on the size, so it takes part twice: `nginx` with sendfile on,
the better for large bodies and the one that targets name, and `nginx-read` with sendfile off, the better for small ones.
"""

import os
import resource
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import cost

ROOT = Path(__file__).resolve().parents[2]
FLOOR = ROOT / "perf/floor/target/release/floor"
START_SECONDS_MAX = 15
STOP_SECONDS_MAX = 5
CONNECTIONS_MAX = 15_000
IDLE_SECONDS = 300


class Unavailable(Exception):
    """The subject cannot be measured here; the text says why."""


@dataclass(frozen=True)
class Subject:
    """A server in one configuration. `configure` writes its files and gives its command."""

    name: str
    kind: str  # hotplate, floor or peer
    configure: object
    version: tuple = ()
    # Through a cache: the server asks an origin once for each body.
    needs_origin: bool = False
    hold: str = ""
    driver: str = ""


@dataclass
class Turn:
    """Where one start of a subject finds its things."""

    work: Path
    files: Path
    body: Path
    port: int
    origin: int = 0
    written: dict = field(default_factory=dict)

    def write(self, name, text):
        """Writes a configuration file and keeps its text for the results."""
        path = self.work / name
        path.write_text(text, encoding="utf-8")
        self.written[name] = text
        return str(path)


def hotplate(binary, driver, hold):
    def configure(turn):
        config = turn.write(
            "hotplate.toml",
            f"""[server]
listen = ["127.0.0.1:{turn.port}"]
workers = 1
driver = "{driver}"
admin = ""

[limits]
connections = {CONNECTIONS_MAX}
idle_timeout = "{IDLE_SECONDS}s"

[[pin]]
path = "{turn.body}"
url = "/"
hold = "{hold}"
""",
        )
        return [str(binary), "serve", "--config", config]

    return configure


def floor(variant):
    def configure(turn):
        command = [str(FLOOR), "--listen", f"127.0.0.1:{turn.port}"]
        return command + ["--body", str(turn.body), "--variant", variant]

    return configure


def nginx(sendfile):
    def configure(turn):
        user = "user root;" if os.geteuid() == 0 else ""
        config = turn.write(
            "nginx.conf",
            f"""{user}
worker_processes 1;
daemon off;
pid {turn.work}/nginx.pid;
error_log stderr warn;
events {{ worker_connections {CONNECTIONS_MAX}; use epoll; multi_accept on; }}
http {{
    access_log off;
    sendfile {sendfile};
    tcp_nopush off;
    tcp_nodelay on;
    keepalive_timeout {IDLE_SECONDS}s;
    keepalive_requests 1000000000;
    open_file_cache max=1000 inactive=1h;
    open_file_cache_valid 1h;
    open_file_cache_min_uses 1;
    client_body_temp_path {turn.work}/nginx-body;
    proxy_temp_path {turn.work}/nginx-proxy;
    fastcgi_temp_path {turn.work}/nginx-fastcgi;
    uwsgi_temp_path {turn.work}/nginx-uwsgi;
    scgi_temp_path {turn.work}/nginx-scgi;
    server {{
        listen 127.0.0.1:{turn.port} backlog=4096;
        root {turn.files};
    }}
}}
""",
        )
        return ["nginx", "-c", config, "-p", str(turn.work)]

    return configure


def h2o(turn):
    user = "user: root" if os.geteuid() == 0 else ""
    config = turn.write(
        "h2o.yaml",
        f"""{user}
num-threads: 1
max-connections: {CONNECTIONS_MAX}
http1-request-timeout: {IDLE_SECONDS}
tcp-fastopen: 0
error-log: /dev/null
listen: {{ host: 127.0.0.1, port: {turn.port} }}
hosts:
  default:
    paths:
      "/":
        file.dir: {turn.files}
""",
    )
    return ["h2o", "-m", "worker", "-c", config]


def lighttpd(turn):
    config = turn.write(
        "lighttpd.conf",
        f"""server.document-root = "{turn.files}"
server.bind = "127.0.0.1"
server.port = {turn.port}
server.errorlog = "/dev/null"
server.network-backend = "sendfile"
server.event-handler = "linux-sysepoll"
server.stat-cache-engine = "simple"
server.max-fds = {descriptors()}
server.max-connections = {CONNECTIONS_MAX}
server.max-keep-alive-requests = 1000000000
server.max-keep-alive-idle = {IDLE_SECONDS}
server.listen-backlog = 4096
mimetype.assign = ( "" => "application/octet-stream" )
""",
    )
    return ["lighttpd", "-D", "-f", config]


def varnish(turn):
    config = turn.write(
        "varnish.vcl",
        f"""vcl 4.1;
backend origin {{ .host = "127.0.0.1"; .port = "{turn.origin}"; }}
sub vcl_recv {{ return (hash); }}
""",
    )
    options = {
        "thread_pools": 1,
        "thread_pool_min": 100,
        "thread_pool_max": 3000,
        "timeout_idle": IDLE_SECONDS,
    }
    command = ["varnishd", "-F", "-j", "none", "-n", str(turn.work / "varnish"), "-f", config]
    command += ["-a", f"127.0.0.1:{turn.port}", "-s", "malloc,256m"]
    for name, value in options.items():
        command += ["-p", f"{name}={value}"]
    return command


def haproxy(turn):
    config = turn.write(
        "haproxy.cfg",
        f"""global
    nbthread 1
    maxconn {min(CONNECTIONS_MAX, descriptors() // 2 - 100)}
cache hot
    total-max-size 64
    max-object-size 4194304
    max-age 3600
defaults
    mode http
    timeout connect 5s
    timeout server 30s
    timeout client {IDLE_SECONDS}s
    timeout http-keep-alive {IDLE_SECONDS}s
frontend front
    bind 127.0.0.1:{turn.port} backlog 4096
    http-request cache-use hot
    http-response cache-store hot
    default_backend back
backend back
    server origin 127.0.0.1:{turn.origin}
""",
    )
    return ["haproxy", "-db", "-f", config]


def apache(turn):
    config = turn.write(
        "apache.conf",
        f"""ServerRoot {turn.work}
ServerName localhost
PidFile {turn.work}/apache.pid
ErrorLog /dev/null
Listen 127.0.0.1:{turn.port}
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule file_cache_module /usr/lib/apache2/modules/mod_file_cache.so
StartServers 1
ServerLimit 1
ThreadLimit 400
ThreadsPerChild 400
MaxRequestWorkers 400
AsyncRequestWorkerFactor 40
KeepAlive On
MaxKeepAliveRequests 0
KeepAliveTimeout {IDLE_SECONDS}
DocumentRoot {turn.files}
<Directory {turn.files}>
    Require all granted
</Directory>
MMapFile {turn.body}
""",
    )
    return ["apache2", "-DFOREGROUND", "-f", config]


PEERS = {
    "nginx": Subject("nginx", "peer", nginx("on"), ("nginx", "-v")),
    "nginx-read": Subject("nginx-read", "peer", nginx("off"), ("nginx", "-v")),
    "h2o": Subject("h2o", "peer", h2o, ("h2o", "-v")),
    "lighttpd": Subject("lighttpd", "peer", lighttpd, ("lighttpd", "-v")),
    "varnish": Subject("varnish", "peer", varnish, ("varnishd", "-V"), needs_origin=True),
    "haproxy": Subject("haproxy", "peer", haproxy, ("haproxy", "-v"), needs_origin=True),
    "apache": Subject("apache", "peer", apache, ("apache2", "-v")),
}

PACKAGES = {"nginx": "nginx-light", "nginx-read": "nginx-light", "apache": "apache2"}

DRIVERS = ("io_uring", "epoll")
HOLDS = ("memory", "file", "mmap")
FLOORS = ("memory", "sendfile", "splice")


def all_of(binaries, peers):
    """Every subject: each build of Hotplate by driver and hold, the floors, the peers."""
    found = []
    for label, binary in binaries.items():
        for driver in DRIVERS:
            for hold in HOLDS:
                name = f"{label}-{driver}-{hold}"
                start = hotplate(binary, driver, hold)
                found.append(Subject(name, "hotplate", start, (str(binary), "--version"), hold=hold, driver=driver))
    found += [Subject(f"floor-{variant}", "floor", floor(variant)) for variant in FLOORS]
    return found + [PEERS[name] for name in peers]


class Running:
    """A started subject. Ends what it started, and only that, by process number."""

    def __init__(self, subject, turn, cpu):
        self.turn = turn
        self.origin = None
        self.log = turn.work / "log"
        try:
            if subject.needs_origin:
                turn.origin = free_port()
                ask = Turn(turn.work, turn.files, turn.body, turn.origin)
                self.origin = start(floor("memory")(ask), cpu, self.log)
                wait_open(turn.origin, self.origin, self.log)
            self.root = start(subject.configure(turn), cpu, self.log)
        except (OSError, Unavailable) as error:
            self.stop_origin()
            raise Unavailable(str(error)) from error
        try:
            wait_open(turn.port, self.root, self.log)
        except Unavailable:
            self.stop()
            raise

    def processes(self):
        return cost.tree(self.root.pid)

    def stop(self):
        ours = self.processes()
        end(self.root)
        for pid, started in ours:
            now = cost.stat(pid)
            if pid != self.root.pid and now and now[1] == started:
                os.kill(pid, signal.SIGKILL)
        self.stop_origin()

    def stop_origin(self):
        if self.origin:
            end(self.origin)
            self.origin = None


def start(command, cpu, log):
    with open(log, "ab") as file:
        return subprocess.Popen(
            ["taskset", "-c", str(cpu), *command],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )


def end(process):
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_open(port, process, log):
    """Waits until the port takes connections, or tells why it never will."""
    limit = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < limit:
        if process.poll() is not None:
            said = log.read_text(errors="replace").strip()[-300:]
            raise Unavailable(f"ended with code {process.returncode} instead of serving: {said or 'said nothing'}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise Unavailable(f"did not listen within {START_SECONDS_MAX} s")


def descriptors():
    """How many descriptors a server may have."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def free_port():
    """A port that nobody uses now. Each start takes a new one: io_uring gives listeners back some time after an end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
