"""A way to measure: the memory that a body takes which is far larger than the cache's, while one client fetches it, and
again."""

import threading
import time

import bodies
import client
import cost
import origins
import way
from checks import expected_of
from client import WrongAnswer

SAMPLE_SECONDS = 0.01


def turn(stage):
    case, path = stage.case, stage.case.path
    _, small = bodies.make(stage.files, bodies.KIB)
    # In memory alone there is no place for it: it passes each time.
    again = "hit" if stage.subject.hold == "disk" else "uri-miss"
    with stage.origin(origins.nginx) as origin, stage.start(origin) as server:
        with client.Client(server.port) as asker:
            # What a first request takes is none of the body's.
            client.check(asker.ask(f"/{bodies.name(bodies.KIB)}"), bodies.KIB, small)
            with Samples(server.processes()) as samples:
                began = time.monotonic()
                for expected in ("uri-miss", again):
                    client.check(asker.ask(path), case.body_bytes, stage.digest, expected_of(stage, expected))
                seconds = time.monotonic() - began
        asked = origin.requests() - 1
    if asked != 1 + (again == "uri-miss"):
        raise WrongAnswer(f"the origin was asked {asked} times")
    return {
        "rss_before_bytes": samples.before["rss"],
        "rss_growth_bytes": samples.most["rss"] - samples.before["rss"],
        "memory_growth_bytes": samples.most["memory"] - samples.before["memory"],
        "origin_requests": asked,
        "seconds": seconds,
        "requests": 2,
        "errors": 0,
    }


class Samples(threading.Thread):
    """The memory of processes before, and the most that was seen of each part while the `with` lasted."""

    def __init__(self, processes):
        super().__init__(daemon=True)
        self.processes, self.is_over = processes, threading.Event()
        self.before = self.most = self.sample()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        self.join()

    def sample(self):
        parts = cost.memory_parts(self.processes)
        # Anonymous files that are mapped are in both.
        return parts | {"memory": parts["anon"] + max(parts["shmem"], parts["memfd"])}

    def run(self):
        while not self.is_over.wait(SAMPLE_SECONDS):
            now = self.sample()
            self.most = {name: max(now[name], self.most[name]) for name in now}


COLUMNS = (
    way.told("VmRSS MiB before", "rss_before_bytes", bodies.MIB, "{:.1f}"),
    way.told("VmRSS grows by MiB", "rss_growth_bytes", bodies.MIB, "{:.1f}"),
    way.told("own memory grows by MiB", "memory_growth_bytes", bodies.MIB, "{:.1f}"),
    way.told("origin requests", "origin_requests", form="{:.0f}"),
    way.told("both, s", "seconds"),
)

WAY = way.Way(turn, COLUMNS, "rss_growth_bytes")
