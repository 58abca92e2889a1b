"""A way to measure: how fast many small objects are prefetched, beside what the same origin gives to wrk at the same
concurrency."""

import time

import library
import load
import origins
import way
from client import WrongAnswer
from libraries import CONCURRENCY, PREFETCHES

BATCH = 1000


def turn(stage):
    size, seconds = stage.case.body_bytes, stage.bounds.seconds
    with stage.origin(origins.nginx) as origin:
        # Where Hotplate runs afterwards, and as it has it: each URL once.
        limit = load.wrk(origin.port, "/", CONCURRENCY, seconds, stage.cores.server, unique=f"/u/{size}/wrk-")
        with stage.start(origin) as server:
            order(stage, server, "warm", PREFETCHES // 10)
            asked = origin.requests()
            began = time.monotonic()
            order(stage, server, "measured", PREFETCHES)
            spent = time.monotonic() - began
            asked = origin.requests() - asked
            if asked != PREFETCHES:
                raise WrongAnswer(f"the origin was asked {asked} times for {PREFETCHES} prefetches")
            for number in (0, PREFETCHES - 1):
                got = library.get(server, library.url(server, f"/u/{size}/measured-{number}"))
                if library.digest_of(got["path"])[0] != stage.digest:
                    raise WrongAnswer("a prefetched object is not the file")
    origin_rate = load.counted(limit)["rate"]
    return {
        "rate": PREFETCHES / spent,
        "origin_rate": origin_rate,
        "part": PREFETCHES / spent / origin_rate,
        "requests": PREFETCHES,
        "errors": load.counted(limit)["errors"],
    }


def order(stage, server, name, count):
    """Has so many URLs prefetched and waits until all are there."""
    urls = [library.url(server, f"/u/{stage.case.body_bytes}/{name}-{number}") for number in range(count)]
    ids = []
    for start in range(0, count, BATCH):
        told = library.ask(server, "POST", "/api/cache/prefetch", {"urls": urls[start : start + BATCH]})
        if told["refused"]:
            raise WrongAnswer(f"refused: {told['refused'][0]}")
        ids += [job["id"] for job in told["jobs"]]
    for start in range(0, count, BATCH):
        asked = {"ids": ids[start : start + BATCH], "timeout": "60s"}
        told = library.ask(server, "POST", "/api/cache/jobs/wait", asked)
        wrong = [job for job in told["jobs"] if job["state"] != "done"]
        if wrong:
            raise WrongAnswer(f"{len(wrong)} prefetches are not done: {wrong[0]}")


COLUMNS = (
    way.told("objects/s", "rate", form="{:.0f}"),
    way.told("origin to wrk, req/s", "origin_rate", form="{:.0f}"),
    way.told("part of it", "part"),
)

WAY = way.Way(turn, COLUMNS, "rate")
