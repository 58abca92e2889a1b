"""Ways to measure answers under load."""

import time

import cost
import load
import origins
import processes
import way
from checks import verify
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


def measure(stage, server):
    case, ours = stage.case, server.processes()
    before = cost.cpu_seconds(ours)
    seconds, cpu = stage.bounds.seconds, stage.cores.load
    outcome = load.wrk(server.port, case.path, case.connections, seconds, cpu, depth=case.pipeline)
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
