"""Ways to measure answers under load: of a file's server, of a cache that has the body, of one that never has it."""

import time

import cost
import load
import origins
import processes
import way
from checks import verify, verify_cached
from client import WrongAnswer

WARM_SECONDS = 1


def pinned(stage):
    """Checks the answers, loads the server, also beside a crowd where the case has one, and checks again."""
    case = stage.case
    with stage.origin(origins.floor) as origin, stage.start(origin) as server:
        verify(stage, server)
        load.wrk(server.port, case.path, case.connections, WARM_SECONDS, stage.cores.load, depth=case.pipeline)
        figures = measure(stage, server)
        if case.idle:
            figures |= with_crowd(stage, server, figures)
        verify(stage, server)
    return figures


def hits(stage):
    """As `pinned`, of a body that a cache got from its origin before: while it is loaded, it asks for nothing."""
    path = stage.case.path
    with stage.origin(origins.nginx) as origin, stage.start(origin) as server:
        if origin:
            verify_cached(stage, server, path)
        else:
            verify(stage, server)
        load.wrk(server.port, path, stage.case.connections, WARM_SECONDS, stage.cores.load)
        before = origin.requests() if origin else 0
        figures = measure(stage, server)
        asked = origin.requests() - before if origin else 0
        if asked:
            raise WrongAnswer(f"{asked} of {figures['requests']} hits asked the origin")
        verify(stage, server, expected="hit" if origin else None)
    return figures


def misses(stage):
    """Each request is for a URL that nobody asked for before: the origin sees them all."""
    size, connections = stage.case.body_bytes, stage.case.connections
    with stage.origin(origins.nginx) as origin, stage.start(origin) as server:
        verify_cached(stage, server, f"/u/{size}/before")
        load.wrk(server.port, "/", connections, WARM_SECONDS, stage.cores.load, unique=f"/u/{size}/warm-")
        before = origin.requests()
        figures = measure(stage, server, unique=f"/u/{size}/round-{stage.round}-")
        asked = origin.requests() - before
        # Those under way when a load ends were asked for and not counted, at both ends of the measurement.
        if not 0 <= asked - figures["requests"] <= 2 * connections:
            raise WrongAnswer(f"the origin was asked {asked} times for {figures['requests']} misses")
        verify_cached(stage, server, f"/u/{size}/after")
    return figures


def measure(stage, server, **settings):
    case, ours = stage.case, server.processes()
    settings = settings or {"depth": case.pipeline}
    before = cost.cpu_seconds(ours)
    outcome = load.wrk(server.port, case.path, case.connections, stage.bounds.seconds, stage.cores.load, **settings)
    spent = cost.cpu_seconds(ours) - before
    resident, shared = cost.memory_bytes(ours)
    requests = outcome["requests"]
    if requests == 0:
        raise WrongAnswer(f"no request was answered (with {processes.descriptors()} descriptors to use)")
    return load.latencies(outcome) | load.counted(outcome) | {
        "cpu_us": spent / requests * 1e6,
        "max_us": outcome["max_us"],
        "rss_bytes": resident,
        "pss_bytes": shared,
    }


def with_crowd(stage, server, alone):
    """The same load beside the idle connections."""
    case = stage.case
    crowd = load.Crowd(server.port, case, stage.cores.load)
    try:
        time.sleep(0.5)
        resident, _ = cost.memory_bytes(server.processes())
        beside = measure(stage, server)
    finally:
        still_open = crowd.leave()
    if crowd.count < case.idle:
        raise WrongAnswer(f"took {crowd.count} of {case.idle} idle connections")
    return {
        "idle_bytes_each": (resident - alone["rss_bytes"]) / case.idle,
        "idle_p99_us": beside["p99_us"],
        "idle_p99_change": beside["p99_us"] / alone["p99_us"] - 1,
        "idle_rate": beside["rate"],
        "idle_cpu_us": beside["cpu_us"],
        "idle_open": still_open,
        "errors": alone["errors"] + beside["errors"],
    }


PINNED = way.Way(pinned, way.LOAD, "cpu_us")
IDLE = way.Way(pinned, way.LOAD + way.IDLE, "cpu_us")
HITS = way.Way(hits, way.LOAD, "cpu_us")
MISSES = way.Way(misses, way.LOAD, "cpu_us")
