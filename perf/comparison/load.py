"""The clients: a check of every byte, wrk for load, and a crowd that stays connected and quiet."""

import hashlib
import json
import socket
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
LUA = HERE.parent / "wrk.lua"
ANSWER_SECONDS_MAX = 10


class WrongAnswer(Exception):
    """A server answered something else than the file."""


def verify(port, case, digest):
    """Asks twice on one connection, then pipelined where the case does so; every answer must be the file."""
    batches = [1, 1] + ([case.pipeline] if case.pipeline > 1 else [])
    with socket.create_connection(("127.0.0.1", port), timeout=ANSWER_SECONDS_MAX) as client:
        stream = client.makefile("rb")
        for depth in batches:
            client.sendall(request(case, port) * depth)
            for _ in range(depth):
                check(stream, case, digest)


def request(case, port):
    return f"GET /{case.file} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()


def check(stream, case, digest):
    status = stream.readline().split()
    if len(status) < 2 or status[1] != b"200":
        raise WrongAnswer(f"status line {b' '.join(status)!r}")
    fields = {}
    while (line := stream.readline().strip()):
        name, _, value = line.partition(b":")
        fields[name.lower()] = value.strip()
    length = fields.get(b"content-length")
    if length != str(case.body_bytes).encode():
        raise WrongAnswer(f"Content-Length {length!r}, the file has {case.body_bytes}")
    body = stream.read(case.body_bytes)
    if hashlib.sha256(body).digest() != digest:
        raise WrongAnswer("the body is not the file's")


def wrk(port, case, seconds, cpu):
    """One run of wrk; its outcome as a dict. `cut` ends a run that outlives its time."""
    command = ["taskset", "-c", str(cpu), "wrk", "-t1", f"-c{case.connections}", f"-d{seconds}s"]
    command += ["--timeout", "10s", "-s", str(LUA), f"http://127.0.0.1:{port}/{case.file}"]
    command += ["--", str(case.pipeline)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 30, check=False)
    for line in done.stdout.splitlines():
        if line.startswith("outcome "):
            return json.loads(line.removeprefix("outcome ").replace("nan", "0"))
    raise WrongAnswer(f"wrk: {(done.stderr or done.stdout).strip()[-300:]}")


class Crowd:
    """Idle connections, held by a process of their own until `leave`."""

    def __init__(self, port, case, cpu):
        self.process = subprocess.Popen(
            ["taskset", "-c", str(cpu), sys.executable, str(HERE / "crowd.py"), str(port), case.file, str(case.idle)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.count = int(self.process.stdout.readline() or 0)

    def leave(self):
        """Closes them; returns how many were still open."""
        try:
            left, _ = self.process.communicate("leave\n", timeout=30)
            return int(left or 0)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return 0
