"""How Hotplate is configured as a media library: a cache that hands out paths and takes files to upload."""

from caches import DISK_SIZE, ORIGIN_CONNECTIONS_MAX
from bodies import MIB
from servers import CONNECTIONS_MAX, IDLE_SECONDS

# As many prefetches as a case orders at once; they run at the concurrency that the load it is compared with has.
PREFETCHES = 10_000
CONCURRENCY = 8


def hotplate(binary, driver):
    def configure(turn):
        memory = turn.cache_bytes // MIB
        config = turn.write(
            "hotplate.toml",
            f"""[server]
listen = ["127.0.0.1:{turn.port}"]
workers = 1
driver = "{driver}"
admin = "127.0.0.1:{turn.admin}"

[limits]
connections = {CONNECTIONS_MAX}
idle_timeout = "{IDLE_SECONDS}s"

[memory]
size = "{memory}MiB"

[fill]
memory = "{memory}MiB"

[disk]
path = "{turn.work}/disk"
size = "{DISK_SIZE}"

[library]
queue = {PREFETCHES}
concurrency = {CONCURRENCY}

[[site]]
hosts = ["127.0.0.1"]
origin = "http://127.0.0.1:{turn.origin}"
connections = {ORIGIN_CONNECTIONS_MAX}
""",
        )
        return [str(binary), "serve", "--config", config]

    return configure
