"""A way to measure: the upload of a large file, beside curl's to the same origin, and the memory that it takes."""

import subprocess
import time

import bodies
import library
import origins
import way
from client import WrongAnswer
from large import Samples
from processes import Unavailable

CURL_SECONDS_MAX = 120


def turn(stage):
    size = stage.case.body_bytes
    with stage.origin(origins.sink) as origin:
        curl_seconds = curl(stage, origin)
        verify(stage, origin, "/curl")
        with stage.start(origin) as server:
            library.put(server, library.url(server, "/first"), str(small(stage)))
            with Samples(server.processes()) as samples:
                began = time.monotonic()
                library.put(server, library.url(server, "/put"), str(stage.body))
                put_seconds = time.monotonic() - began
            sent_seconds = verify(stage, origin, "/put")
    return {
        "curl_rate": size / curl_seconds,
        "sent_rate": size / sent_seconds,
        "whole_rate": size / put_seconds,
        "sent_part": curl_seconds / sent_seconds,
        "whole_part": curl_seconds / put_seconds,
        "rss_growth_bytes": samples.most["rss"] - samples.before["rss"],
        "requests": 1,
        "errors": 0,
    }


def small(stage):
    path, _ = bodies.make(stage.files, bodies.KIB)
    return path


def curl(stage, origin):
    """Seconds that curl takes, where the server runs afterwards."""
    command = ["taskset", "-c", str(stage.cores.server), "curl", "--silent", "--show-error", "--fail", "--noproxy", "*"]
    command += ["--expect100-timeout", "0", "--upload-file", str(stage.body), f"http://127.0.0.1:{origin.port}/curl"]
    began = time.monotonic()
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=CURL_SECONDS_MAX)
    except OSError as error:
        raise Unavailable(str(error)) from error
    if done.returncode != 0:
        raise WrongAnswer(f"curl: {done.stderr.strip()}")
    return time.monotonic() - began


def verify(stage, origin, path):
    """That the origin has the file; the seconds from the head of the request to the body's end."""
    seen = origin.seen(path)
    if seen["requests"] != 1 or bytes.fromhex(seen["sha256"]) != stage.digest:
        raise WrongAnswer(f"{path} at the origin is not the file: {seen}")
    return seen["last"] - seen["asked"]


COLUMNS = (
    way.told("curl MiB/s", "curl_rate", bodies.MIB, "{:.0f}"),
    way.told("sent MiB/s", "sent_rate", bodies.MIB, "{:.0f}"),
    way.told("part of curl's", "sent_part"),
    way.told("with spooling MiB/s", "whole_rate", bodies.MIB, "{:.0f}"),
    way.told("part of curl's with spooling", "whole_part"),
    way.told("VmRSS grows by MiB", "rss_growth_bytes", bodies.MIB, "{:.1f}"),
)

WAY = way.Way(turn, COLUMNS, "whole_part")
