"""What is measured against what: each server in each of its configurations."""

from dataclasses import dataclass, field
from pathlib import Path

import caches
import libraries
import servers


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
    memory_work: Path  # for what belongs in memory though it looks like files
    files: Path
    body: Path
    port: int
    origin: int = 0
    admin: int = 0  # port of the admin API, where a case asks it
    cache_bytes: int = 0  # most that a cache may keep in memory
    written: dict = field(default_factory=dict)

    def write(self, name, text):
        """Writes a configuration file and keeps its text for the results."""
        path = self.work / name
        path.write_text(text, encoding="utf-8")
        self.written[name] = text
        return str(path)


def peer(name, configure, version, needs_origin=False):
    return Subject(name, "peer", configure, version, needs_origin)


PEERS = {
    subject.name: subject
    for subject in (
        peer("nginx", servers.nginx("on"), ("nginx", "-v")),
        peer("nginx-read", servers.nginx("off"), ("nginx", "-v")),
        peer("h2o", servers.h2o, ("h2o", "-v")),
        peer("lighttpd", servers.lighttpd, ("lighttpd", "-v")),
        peer("apache", servers.apache, ("apache2", "-v")),
        peer("nginx-cache", caches.nginx("on"), ("nginx", "-v"), needs_origin=True),
        peer("nginx-cache-read", caches.nginx("off"), ("nginx", "-v"), needs_origin=True),
        peer("varnish", caches.varnish, ("varnishd", "-V"), needs_origin=True),
        peer("haproxy", caches.haproxy, ("haproxy", "-v"), needs_origin=True),
    )
}

PACKAGES = {"apache": "apache2"} | {name: "nginx-light" for name in PEERS if name.startswith("nginx")}

DRIVERS = ("io_uring", "epoll")
# How Hotplate keeps a pinned file, and what it fetched: in memory alone, or on disk too.
HOLDS = ("memory", "file", "mmap")
CACHES = ("cached", "disk")
LIBRARY = "library"
FLOORS = ("memory", "sendfile", "splice")


def all_of(binaries, peers):
    """Every subject: each build of Hotplate by driver and hold, with pins and as a cache, the floors, the peers."""
    found = []
    for label, binary in binaries.items():
        for driver in DRIVERS:
            for hold in HOLDS + CACHES:
                is_cache = hold in CACHES
                start = (caches.hotplate if is_cache else servers.hotplate)(binary, driver, hold)
                version = (str(binary), "--version")
                name = f"{label}-{driver}-{hold}"
                found.append(Subject(name, "hotplate", start, version, is_cache, hold, driver))
        start = libraries.hotplate(binary, DRIVERS[0])
        version = (str(binary), "--version")
        found.append(Subject(f"{label}-{DRIVERS[0]}-{LIBRARY}", "hotplate", start, version, True, LIBRARY, DRIVERS[0]))
    found += [Subject(f"floor-{variant}", "floor", servers.floor(variant)) for variant in FLOORS]
    return found + [PEERS[name] for name in peers]
