"""How caches are configured and started: servers that ask an origin for each body once."""

from processes import descriptors
from servers import CONNECTIONS_MAX, IDLE_SECONDS


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
