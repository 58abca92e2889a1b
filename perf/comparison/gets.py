"""A way to measure: gets of a cached object over the admin address, alone, and beside hits of HTTP clients."""

import bodies
import client
import cost
import library
import load
import origins
import way
from beside import PAUSE_MS, hits
from checks import verify_cached
from client import WrongAnswer

# So many connections that ask at the hits' pace make somewhat more than 10,000 gets a second.
GET_CONNECTIONS = 112
BESIDE_SECONDS_MORE = 2
# A prompt of some seconds.
GOT_BYTES = 64 * bodies.KIB


def turn(stage):
    case, seconds = stage.case, stage.bounds.seconds
    _, digest = bodies.make(stage.files, GOT_BYTES)
    with stage.origin(origins.nginx) as origin, stage.start(origin) as server:
        verify_cached(stage, server, case.path)
        url = library.url(server, f"/{bodies.name(GOT_BYTES)}")
        got = library.get(server, url)
        check(got, digest)
        asked = origin.requests()
        one = library.load_of_gets(server, url, 1, seconds, stage.cores.load)
        before = cost.cpu_seconds(server.processes())
        outcome = one.outcome()
        spent = cost.cpu_seconds(server.processes()) - before
        alone = hits(stage, server)
        pace = {"pause": PAUSE_MS}
        with library.load_of_gets(server, url, GET_CONNECTIONS, seconds + BESIDE_SECONDS_MORE, stage.cores.load, **pace) as many:
            beside = hits(stage, server)
            many_outcome = load.counted(many.stop())
        again = library.get(server, url)
        check(again, digest)
        if again["path"] != got["path"] or origin.requests() != asked:
            raise WrongAnswer("the gets were not all of one stored object")
    return load.latencies(outcome) | {
        "cpu_us": spent / outcome["requests"] * 1e6,
        "rate": outcome["requests"] / outcome["duration_us"] * 1e6,
        "many_rate": many_outcome["rate"],
        "hits_rate": beside["rate"],
        "hits_p99_us": alone["p99_us"],
        "hits_beside_p99_us": beside["p99_us"],
        "beside_ratio": beside["p99_us"] / alone["p99_us"],
        "requests": outcome["requests"],
        "errors": load.counted(outcome)["errors"] + many_outcome["errors"] + alone["errors"] + beside["errors"],
    }


def check(got, wanted):
    """That the path leads to the file."""
    digest, size = library.digest_of(got["path"])
    if (digest, size) != (wanted, GOT_BYTES):
        raise WrongAnswer(f"{got['path']} has {size} other bytes")
    if got["size_bytes"] != size:
        raise WrongAnswer(f"the answer says {got['size_bytes']} bytes, the file has {size}")


COLUMNS = (
    way.told("p50 us of one client", "p50_us", form="{:.0f}"),
    way.told("p99 us", "p99_us", form="{:.0f}"),
    way.told("its gets/s", "rate", form="{:.0f}"),
    way.told("CPU us", "cpu_us"),
    way.told("many: gets/s", "many_rate", form="{:.0f}"),
    way.told("beside hits/s", "hits_rate", form="{:.0f}"),
    way.told("hits' p99 us alone", "hits_p99_us", form="{:.0f}"),
    way.told("beside", "hits_beside_p99_us", form="{:.0f}"),
    way.told("beside/alone", "beside_ratio"),
)

WAY = way.Way(turn, COLUMNS, "p50_us")
