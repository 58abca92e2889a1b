"""The origins that caches ask: how each is started, and how it tells what it was asked.

All answer `/FILE` with a file of the run and, but for the floor, `/u/SIZE/ANYTHING` with the file of that many bytes, so
that there are as many URLs as a case wants. They run on the load's core; the floor, which is for cases of files' servers, on
the server's: it has nothing to do once it was asked.
"""

import http.client
import json
import re
import sys
from pathlib import Path

import processes
import servers

HERE = Path(__file__).resolve().parent
SLOW, SINK = HERE / "slow_origin.py", HERE / "sink.py"
# Time for which what it sends may be kept.
MAX_AGE = 86400


def floor(stage):
    return begin(Origin, stage, servers.floor("memory"), stage.cores.server)


def nginx(stage):
    """As fast as an origin gets: files, kept-alive connections, ETag."""

    def configure(turn):
        return servers.nginx_command(
            turn,
            "on",
            f"""server {{
        listen 127.0.0.1:{turn.port} backlog=4096;
        root {turn.files};
        add_header Cache-Control "max-age={MAX_AGE}";
        location ~ "^/u/(\\d+)/" {{ try_files /$1.bin =404; }}
        location = /counts {{ stub_status; }}
    }}""",
        )

    return begin(Nginx, stage, configure, stage.cores.load)


def slow(delay_ms, bytes_per_second):
    """One that begins each answer late and sends it no faster than so many bytes a second."""

    def configure(turn):
        options = {"port": turn.port, "files": turn.files, "max-age": MAX_AGE}
        options |= {"delay-ms": delay_ms, "rate": bytes_per_second}
        return [sys.executable, str(SLOW), *(f"--{name}={value}" for name, value in options.items())]

    return lambda stage: begin(Slow, stage, configure, stage.cores.load)


def sink(stage):
    """One that takes files, into memory where there is a file system for that."""

    def configure(turn):
        return [sys.executable, str(SINK), f"--port={turn.port}", f"--folder={turn.memory_work}/sink"]

    return begin(Slow, stage, configure, stage.cores.load)


def begin(kind, stage, configure, cpu):
    turn = stage.turn(stage.place / "origin")
    command = configure(turn)
    stage.note("origin", turn, command)
    return kind(command, turn.port, cpu, turn.work / "log")


class Origin(processes.Process):
    """An origin under way."""

    def ask(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path)
            return connection.getresponse().read().decode()
        finally:
            connection.close()


class Nginx(Origin):
    asked_for_counts = 0

    def requests(self):
        """How many requests it took, these questions not counted."""
        self.asked_for_counts += 1
        # "server accepts handled requests", then their numbers.
        taken = re.search(r"requests\s+\d+ \d+ (\d+)", self.ask("/counts"))
        return int(taken[1]) - self.asked_for_counts


class Slow(Origin):
    """One of ours."""

    def requests(self):
        """How many requests it took, these questions not counted."""
        return json.loads(self.ask("/counts"))["requests"]

    def seen(self, path):
        """What it knows of one path: `requests`, and when it was `asked` first, and sent its `first` and `last` byte."""
        return json.loads(self.ask("/counts" + path))
