"""What is measured: sizes, connections, in which way, and which subjects take part."""

import fnmatch
from dataclasses import dataclass

import answers
import beside
import bodies
import cold_crowd
import gets
import large
import million
import prefetches
import subjects
import uploads
from bodies import GIB, KIB, MIB
from way import Way


# Those that keep bodies for themselves take part in the cases with an origin.
PINNED_PEERS = ["nginx", "nginx-read", "h2o", "lighttpd"]


@dataclass(frozen=True)
class Case:
    """One way to load a server of files."""

    name: str
    title: str
    body_bytes: int
    connections: int
    pipeline: int = 1
    idle: int = 0
    # Whether only each kind's first variant takes part: what varies is not the way bodies leave.
    brief: bool = False
    way: Way = answers.PINNED
    # Most that a cache keeps in memory.
    cache_bytes: int = 256 * MIB
    rounds_max: int = 1_000

    @property
    def file(self):
        return bodies.name(self.body_bytes)

    @property
    def path(self):
        return f"/{self.file}"

    def judged(self, label, hold):
        """The subject whose figures targets are about; `hold` is the one that the command line judges by."""
        return f"{label}-io_uring-{hold}"

    def peers(self, wanted):
        """The peers that take part, of those that the command line names."""
        return wanted or PINNED_PEERS

    def takes(self, subject, options):
        if subject.kind == "peer":
            return subject.name in self.peers(options.peers)
        if subject.name == "floor-splice" and self.body_bytes < 64 * KIB:
            return False
        if subject.kind == "hotplate":
            if subject.hold not in subjects.HOLDS:
                return False
            if options.quick and subject.driver == "epoll":
                return subject.hold == options.judge
        return not self.brief or subject.hold == options.judge or subject.name == "floor-memory"


@dataclass(frozen=True)
class CachingCase(Case):
    """One way to load a cache before an origin."""

    # How Hotplate keeps what it sends; what targets are about comes first.
    holds: tuple = subjects.CACHES
    rivals: tuple = ("nginx-cache", "varnish", "haproxy")
    cache_bytes: int = 6 * GIB
    # Those that show what is the least that an answer costs here.
    floors: tuple = ()

    def judged(self, label, hold):
        return f"{label}-io_uring-{self.holds[0]}"

    def peers(self, wanted):
        return [name for name in wanted or self.rivals if name in self.rivals]

    def takes(self, subject, options):
        if subject.kind == "peer":
            return subject.name in self.peers(options.peers)
        if subject.kind == "floor":
            return subject.name in self.floors
        return subject.hold in self.holds and not (self.brief and subject.driver == "epoll")


IDLE_CONNECTIONS = 10_000

PINNED = [
    Case("1k", "1 KiB, 256 connections", KIB, 256),
    Case("16k", "16 KiB, 64 connections", 16 * KIB, 64),
    Case("64k", "64 KiB, 64 connections", 64 * KIB, 64),
    Case("256k", "256 KiB, 64 connections", 256 * KIB, 64),
    Case("1m", "1 MiB, 64 connections", MIB, 64),
    Case("pipelined", "128 B, 256 connections, 16 requests pipelined", 128, 256, pipeline=16),
    Case(
        "idle",
        "1 KiB, 256 connections, beside 10,000 idle ones",
        KIB,
        256,
        idle=IDLE_CONNECTIONS,
        brief=True,
        way=answers.IDLE,
    ),
    *(
        Case(f"sweep-{count}", f"1 KiB, {count} connections", KIB, count, brief=True)
        for count in (1, 16, 256, 1000, 2000)
    ),
]

HIT_RIVALS = ("nginx-cache", "nginx-cache-read", "varnish", "haproxy")
SMALL_CACHE = 64 * MIB

CACHING = [
    CachingCase(
        "cached-1k",
        "1 KiB from the cache, 256 connections, beside the pinned file",
        KIB,
        256,
        way=answers.HITS,
        holds=("cached", "disk", "memory"),
        rivals=HIT_RIVALS,
        floors=("floor-memory",),
    ),
    CachingCase(
        "cached-1m",
        "1 MiB from the cache, 64 connections, beside the pinned file",
        MIB,
        64,
        way=answers.HITS,
        holds=("cached", "disk", "file"),
        rivals=HIT_RIVALS,
        floors=("floor-sendfile",),
    ),
    CachingCase("miss-1k", "1 KiB, each request for a URL of its own, 64 connections", KIB, 64, way=answers.MISSES),
    CachingCase(
        "crowd",
        "100 clients at once for 10 MiB that are not there, from an origin at 5 MB/s",
        10 * MIB,
        100,
        brief=True,
        way=cold_crowd.WAY,
    ),
    CachingCase(
        "beside-misses",
        "hits on 1 KiB, 20,000 a second, beside misses, a tenth of all, at an origin that takes 200 ms, and a fill of 1 GiB",
        KIB,
        200,
        brief=True,
        way=beside.MISSES,
    ),
    CachingCase(
        "beside-cold-disk",
        "hits on 1 KiB in memory, 20,000 a second, beside hits on 256 KiB that are on the disk alone",
        KIB,
        200,
        brief=True,
        way=beside.COLD_DISK,
        holds=("disk",),
        rivals=(),
        cache_bytes=SMALL_CACHE,
    ),
    CachingCase(
        "large",
        "1 GiB through 64 MiB of memory, fetched twice by one client",
        GIB,
        1,
        brief=True,
        way=large.WAY,
        rivals=(),
        cache_bytes=SMALL_CACHE,
    ),
    CachingCase(
        "million",
        "as many objects of 1 KiB on the disk as --million-objects has it, after a restart",
        KIB,
        128,
        brief=True,
        way=million.WAY,
        holds=("disk",),
        rivals=(),
        cache_bytes=SMALL_CACHE,
        rounds_max=1,
    ),
]

LIBRARY = [
    CachingCase(
        "gets",
        "gets of a cached object of 64 KiB on the admin address, beside hits on 1 KiB, 20,000 a second",
        KIB,
        200,
        way=gets.WAY,
        holds=(subjects.LIBRARY,),
        rivals=(),
    ),
    CachingCase(
        "prefetch",
        "10,000 objects of 1 KiB prefetched, 8 at once, beside wrk on their origin",
        KIB,
        8,
        way=prefetches.WAY,
        holds=(subjects.LIBRARY,),
        rivals=(),
    ),
    CachingCase(
        "upload",
        "1 GiB uploaded, beside curl",
        GIB,
        1,
        way=uploads.WAY,
        holds=(subjects.LIBRARY,),
        rivals=(),
    ),
]

CASES = PINNED + CACHING + LIBRARY
GROUPS = {"pinned": PINNED, "caching": CACHING, "library": LIBRARY}
QUICK = ["1k", "64k", "1m", "pipelined"]


def chosen(names):
    """The cases with these names, or of these groups; `sweep` stands for all of the sweep. Unknown names end the run."""
    found = []
    for name in names:
        fits = GROUPS.get(name) or [case for case in CASES if case.name == name or case.name.startswith(name + "-")]
        if not fits:
            raise SystemExit(f"compare: no such case: {name} (there are {', '.join(c.name for c in CASES)})")
        found += [case for case in fits if case not in found]
    return found


def taking_part(case, everything, options):
    """The subjects of a case, those that the command line's patterns leave."""
    return [
        subject
        for subject in everything
        if case.takes(subject, options)
        and (not options.subjects or any(fnmatch.fnmatch(subject.name, pattern) for pattern in options.subjects))
    ]
