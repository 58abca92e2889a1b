"""A way to measure: a disk store full of small objects. How soon it serves after a start, and what memory they take."""

import time

import bodies
import client
import load
import origins
import way
from checks import expected_of, verify_cached
from client import WrongAnswer
from large import Samples

PREFIX = "many-"
# Each start has a port of its own; what is stored is to be found under the same name.
HOST = "many.test"
# The slowest filling that is waited for.
FILL_RATE_MIN = 1000
# Of each connection, in the mean: at full speed the disk would fall behind, and what waits too long is not written.
PAUSE_MS = 20
FILL_SECONDS_MORE = 60
STOP_SECONDS_MAX = 120
REST_SECONDS = 3
# How many of the objects are looked for afterwards.
PROBES = 1000


def turn(stage):
    count, size = stage.bounds.million_objects, stage.case.body_bytes
    full, empty = stage.place / "full", stage.place / "empty"
    with stage.origin(origins.nginx) as origin:
        with stage.start(origin, full) as server:
            verify_cached(stage, server, f"/u/{size}/{PREFIX}0", HOST)
            fill_seconds = fill(stage, origin, server, count)
            server.stop(STOP_SECONDS_MAX)
        with stage.start(origin, empty) as server:
            verify_cached(stage, server, f"/u/{size}/{PREFIX}0", HOST)
            without = at_rest(server)
        began = time.monotonic()
        with stage.start(origin, full) as server:
            with client.Client(server.port, host=HOST) as asker:
                answer = asker.ask(f"/u/{size}/{PREFIX}0")
                ready_seconds = time.monotonic() - began
                client.check(answer, size, stage.digest, expected_of(stage, "hit"))
            within = at_rest(server)
            stored = count * kept(stage, server, count)
    return {
        "fill_rate": count / fill_seconds,
        "stored": stored,
        "ready_seconds": ready_seconds,
        "bytes_each": (within["rss"] - without["rss"]) / stored,
        "rss_bytes": within["rss"],
        "rss_empty_bytes": without["rss"],
        **{f"{part}_growth_bytes": within[part] - without[part] for part in ("anon", "file", "shmem", "memfd")},
        "requests": count,
        "errors": 0,
    }


def fill(stage, origin, server, count):
    """Asks for so many URLs once each; returns how long that took."""
    seconds = count // FILL_RATE_MIN + FILL_SECONDS_MORE
    before, began = origin.requests(), time.monotonic()
    # The last one is asked for again and again until all were.
    settings = {"unique": f"/u/{stage.case.body_bytes}/{PREFIX}", "last": count, "pause": PAUSE_MS, "host": HOST}
    with load.Wrk(server.port, "/", stage.case.connections, seconds, stage.cores.load, **settings) as wrk:
        while (asked := origin.requests() - before) < count:
            if wrk.process.poll() is not None or time.monotonic() - began > seconds:
                raise WrongAnswer(f"the origin was asked for {asked} of {count} objects in {seconds} s")
            time.sleep(0.2)
        spent = time.monotonic() - began
        outcome = load.counted(wrk.stop())
    if outcome["errors"]:
        raise WrongAnswer(f"{outcome['errors']} errors while {count} objects were fetched")
    return spent


def at_rest(server):
    """The most memory of a server that nobody asks for anything."""
    with Samples(server.processes()) as samples:
        time.sleep(REST_SECONDS)
    return samples.most


def kept(stage, server, count):
    """The part of the objects that are there, by a sample."""
    size, found = stage.case.body_bytes, 0
    numbers = range(1, count + 1, max(1, count // PROBES))
    with client.Client(server.port, host=HOST) as asker:
        for number in numbers:
            answer = asker.ask(f"/u/{size}/{PREFIX}{number}")
            client.check(answer, size, stage.digest)
            found += answer.said() == "hit"
    if found < len(numbers) * 0.99:
        raise WrongAnswer(f"of {len(numbers)} objects, {found} are there after the restart")
    return found / len(numbers)


COLUMNS = (
    way.told("objects", "stored", form="{:.0f}"),
    way.told("filled/s", "fill_rate", form="{:.0f}"),
    way.told("first hit after s", "ready_seconds"),
    way.told("bytes of memory each", "bytes_each", form="{:.0f}"),
    way.told("VmRSS MiB", "rss_bytes", bodies.MIB, "{:.1f}"),
    way.told("empty", "rss_empty_bytes", bodies.MIB, "{:.1f}"),
    way.told("more anonymous", "anon_growth_bytes", bodies.MIB, "{:.1f}"),
    way.told("of files", "file_growth_bytes", bodies.MIB, "{:.1f}"),
    way.told("shared", "shmem_growth_bytes", bodies.MIB, "{:.1f}"),
)

WAY = way.Way(turn, COLUMNS, "bytes_each")
