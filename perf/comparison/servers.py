"""How servers of files are configured and started: Hotplate with a pin, the floor, the peers.

Every peer gets the settings that serve it best here: one worker, open files cached, no access log, no limit on
requests a connection, room for the idle crowd. nginx's tcp_nopush stays off: with it, bodies of 64 KiB stall for a
delayed acknowledgement. Its best sendfile setting depends on the size, so it takes part twice: `nginx` with sendfile on,
the better for large bodies and the one that targets name, and `nginx-read` with sendfile off, the better for small ones.
"""

import os
from pathlib import Path

from processes import descriptors

ROOT = Path(__file__).resolve().parents[2]
FLOOR = ROOT / "perf/floor/target/release/floor"
CONNECTIONS_MAX = 15_000
IDLE_SECONDS = 300


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
        return nginx_command(turn, sendfile, f"""server {{
        listen 127.0.0.1:{turn.port} backlog=4096;
        root {turn.files};
    }}""")

    return configure


def nginx_command(turn, sendfile, server):
    """The command of an nginx of one worker with the `server` block; other blocks of `http` may stand with it."""
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
    {server}
}}
""",
    )
    return ["nginx", "-c", config, "-p", str(turn.work)]


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
