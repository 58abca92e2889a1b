"""How caches are configured and started: Hotplate before an origin, and its peers.

Each gets the settings that serve it best here, as servers of files do: kept-alive connections to the origin, no log, room
for all that a case stores, one origin request for a body that many wait for where the cache can do so. nginx keeps its
files in memory where there is a file system for that: others do without a disk, too. As with files, it takes part twice in
hits, with sendfile and, for small bodies, without.

Hotplate's `memory.max_object` stays at its default: larger bodies are in memory too, but are sent without copying them.
"""

from bodies import KIB, MIB
from processes import descriptors
from servers import CONNECTIONS_MAX, IDLE_SECONDS, nginx_command

# Most connections that any cache keeps to the origin: more than any case has clients that miss.
ORIGIN_CONNECTIONS_MAX = 1024
DISK_SIZE = "20GiB"
# haproxy writes to all of its cache when it starts, and takes no object larger than half of it.
HAPROXY_BYTES_MAX = 1024 * MIB
# Its buffers: the default is best for small bodies, larger ones for large bodies.
HAPROXY_BUFFER, HAPROXY_BUFFER_LARGE = 16_384, 65_536
# What varnish would log of each request into shared memory although nobody reads it.
VARNISH_UNLOGGED = (
    "Begin,End,Link,SessOpen,SessClose,ReqStart,ReqMethod,ReqURL,ReqProtocol,ReqHeader,ReqUnset,ReqAcct,RespProtocol,"
    "RespStatus,RespReason,RespHeader,RespUnset,VCL_call,VCL_return,VCL_use,Hit,HitMiss,HitPass,Timestamp,Storage,TTL,"
    "Length,Filters,BereqMethod,BereqURL,BereqProtocol,BereqHeader,BereqUnset,BereqAcct,BerespProtocol,BerespStatus,"
    "BerespReason,BerespHeader,BerespUnset,Fetch_Body,Backend,BackendOpen,BackendReuse,BackendClose,BackendStart,ExpBan,"
    "VSL"
)


def hotplate(binary, driver, hold):
    """Hotplate as a cache: `hold` is "cached", in memory alone, or "disk", with a disk store too."""

    return lambda turn: hotplate_command(turn, binary, driver, has_disk=hold == "disk")


def hotplate_command(turn, binary, driver, has_disk, admin="", more="", site=""):
    """The command of a Hotplate before an origin; `more` stands before its [[site]], `site` in it."""
    memory = turn.cache_bytes // MIB
    disk = f'[disk]\npath = "{turn.work}/disk"\nsize = "{DISK_SIZE}"\n' if has_disk else ""
    config = turn.write(
        "hotplate.toml",
        f"""[server]
listen = ["127.0.0.1:{turn.port}"]
workers = 1
driver = "{driver}"
admin = "{admin}"

[limits]
connections = {CONNECTIONS_MAX}
idle_timeout = "{IDLE_SECONDS}s"

[memory]
size = "{memory}MiB"

[fill]
memory = "{memory}MiB"

{disk}{more}
[[site]]
origin = "http://127.0.0.1:{turn.origin}"
connections = {ORIGIN_CONNECTIONS_MAX}
{site}""",
    )
    return [str(binary), "serve", "--config", config]


def nginx(sendfile):
    def configure(turn):
        return nginx_command(
            turn,
            sendfile,
            f"""proxy_cache_path {turn.memory_work}/nginx-cache levels=1:2 keys_zone=hot:256m inactive=1d
        max_size={turn.cache_bytes // MIB}m use_temp_path=off;
    upstream origin {{
        server 127.0.0.1:{turn.origin};
        keepalive {ORIGIN_CONNECTIONS_MAX};
        keepalive_requests 1000000000;
        keepalive_timeout {IDLE_SECONDS}s;
    }}
    server {{
        listen 127.0.0.1:{turn.port} backlog=4096;
        location / {{
            proxy_pass http://origin;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_cache hot;
            proxy_cache_valid 200 1d;
            proxy_cache_lock on;
            proxy_cache_lock_timeout {IDLE_SECONDS}s;
            proxy_cache_lock_age {IDLE_SECONDS}s;
        }}
    }}""",
        )

    return configure


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
        "thread_pool_min": 1000,
        "thread_pool_max": 3000,
        "timeout_idle": IDLE_SECONDS,
        "backend_idle_timeout": IDLE_SECONDS,
        "http_gzip_support": "off",
        "vsl_mask": ",".join(f"-{tag}" for tag in VARNISH_UNLOGGED.split(",")),
    }
    command = ["varnishd", "-F", "-j", "none", "-n", str(turn.work / "varnish"), "-f", config]
    command += ["-a", f"127.0.0.1:{turn.port}", "-s", f"malloc,{turn.cache_bytes // MIB}m"]
    for name, value in options.items():
        command += ["-p", f"{name}={value}"]
    return command


def haproxy(turn):
    cache_bytes = min(turn.cache_bytes, HAPROXY_BYTES_MAX)
    is_large = turn.body.stat().st_size > 64 * KIB
    config = turn.write(
        "haproxy.cfg",
        f"""global
    nbthread 1
    tune.bufsize {HAPROXY_BUFFER_LARGE if is_large else HAPROXY_BUFFER}
    maxconn {min(CONNECTIONS_MAX, descriptors() // 2 - 100)}
cache hot
    total-max-size {cache_bytes // MIB}
    max-object-size {cache_bytes // 2}
    max-age 86400
defaults
    mode http
    timeout connect 5s
    timeout server {IDLE_SECONDS}s
    timeout client {IDLE_SECONDS}s
    timeout http-keep-alive {IDLE_SECONDS}s
    http-reuse always
frontend front
    bind 127.0.0.1:{turn.port} backlog 4096
    http-request cache-use hot
    http-response cache-store hot
    default_backend back
backend back
    server origin 127.0.0.1:{turn.origin} pool-max-conn {ORIGIN_CONNECTIONS_MAX}
""",
    )
    return ["haproxy", "-db", "-f", config]
