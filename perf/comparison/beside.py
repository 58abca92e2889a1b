"""Ways to measure: hits alone, and hits beside other work of the same cache. Their latency tells what that costs them.

Hits come at a bounded rate, so that they don't wait for each other, from a wrk that goes before all else on the load's
core: else the rest of the load would make them look late. They are measured three times:

- alone;
- past: while the other load goes past the cache, straight to the origin, and takes its time of the load's core;
- beside: while the other load goes through the cache.

What the cache lets its hits feel is the difference between past and beside.
"""

import bodies
import client
import load
import origins
import way
from checks import expected_of, verify_cached
from client import WrongAnswer
from others import COLD_BYTES, COLD_PATHS, ColdHits, MissesAndFill

# Of each connection, in the mean: 200 connections make 20,000 requests a second, an eighth of what saturates a core.
PAUSE_MS = 10
MISS_DELAY_MS = 200
# A pause of hits is this part of a miss's time; so many connections that miss make a tenth of all requests misses.
MISS_CONNECTIONS_FOR_HIT = MISS_DELAY_MS / PAUSE_MS / 9
FILL_RATE_MAX = 100_000_000


def misses(stage):
    """Beside misses, a tenth of all requests, and a body of 1 GiB being filled, from an origin that takes its time."""
    bodies.make(stage.files, bodies.GIB)
    # The fill outlasts the measurement.
    rate = min(FILL_RATE_MAX, bodies.GIB // (stage.bounds.seconds + 4))
    connections = int(stage.case.connections * MISS_CONNECTIONS_FOR_HIT)
    with stage.origin(origins.slow(MISS_DELAY_MS, rate)) as origin, stage.start(origin) as server:
        verify_cached(stage, server, stage.case.path)
        verify_cached(stage, server, f"/u/{stage.case.body_bytes}/before")
        return phases(stage, server, origin, lambda end: MissesAndFill(stage, origin, end, connections))


def cold_disk(stage):
    """Beside hits on bodies that stand on the disk and not in memory."""
    _, digest = bodies.make(stage.files, COLD_BYTES)
    with stage.origin(origins.nginx) as origin, stage.start(origin) as server:
        verify_cached(stage, server, stage.case.path)
        with client.Client(server.port) as asker:
            for expected in ("uri-miss", "hit"):
                for path in COLD_PATHS:
                    client.check(asker.ask(path), COLD_BYTES, digest, expected_of(stage, expected))
        return phases(stage, server, origin, lambda end: ColdHits(stage, origin, end))


def phases(stage, server, origin, begin_other):
    """Figures of the hits in each phase. `begin_other` gives the other load, sent to the server or to the origin itself."""
    before = origin.requests()
    alone = hits(stage, server)
    if asked := origin.requests() - before:
        raise WrongAnswer(f"{asked} of {alone['requests']} hits asked the origin")
    with begin_other(origin) as other:
        past, past_other = hits(stage, server), load.counted(other.stop())
    with begin_other(server) as other:
        beside, beside_other = hits(stage, server), load.counted(other.stop())
    with client.Client(server.port) as asker:
        answer = asker.ask(stage.case.path)
        client.check(answer, stage.case.body_bytes, stage.digest, expected_of(stage, "hit"))
    return alone | {
        "past_p99_us": past["p99_us"],
        "beside_p99_us": beside["p99_us"],
        "beside_ratio": beside["p99_us"] / past["p99_us"],
        "beside_ratio_alone": beside["p99_us"] / alone["p99_us"],
        "beside_rate": beside["rate"],
        "other_rate": beside_other["rate"],
        "other_share": beside_other["rate"] / (beside_other["rate"] + beside["rate"]),
        "errors": sum(outcome["errors"] for outcome in (alone, past, past_other, beside, beside_other)),
    }


def hits(stage, server):
    """Latencies of the hits, with their rate."""
    wrk = load.Wrk(
        server.port,
        stage.case.path,
        stage.case.connections,
        stage.bounds.seconds,
        stage.cores.load,
        is_ahead=True,
        pause=PAUSE_MS,
    )
    with wrk:
        outcome = wrk.outcome()
    found = load.latencies(outcome)
    if "p99_us" not in found:
        raise WrongAnswer("wrk gave no p99 of the hits")
    return found | load.counted(outcome)


COLUMNS = (
    way.told("hits/s", "beside_rate", form="{:.0f}"),
    way.told("others/s", "other_rate", form="{:.0f}"),
    way.told("their share", "other_share", form="{:.1%}"),
    way.told("p99 us alone", "p99_us", form="{:.0f}"),
    way.told("past", "past_p99_us", form="{:.0f}"),
    way.told("beside", "beside_p99_us", form="{:.0f}"),
    way.told("beside/past", "beside_ratio"),
    way.told("beside/alone", "beside_ratio_alone"),
)

MISSES = way.Way(misses, COLUMNS, "beside_ratio")
COLD_DISK = way.Way(cold_disk, COLUMNS, "beside_ratio")
