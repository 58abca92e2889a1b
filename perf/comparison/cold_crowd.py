"""A way to measure: many clients at once ask for a body that the cache does not have, and that its origin sends slowly.

What counts is how much later than the origin each client has its first and its last byte, and how often the origin was
asked. Origin and clients read the same clock.
"""

import asyncio
import time

import client
import origins
import way
from checks import expected_of
from client import WrongAnswer

DELAY_MS = 200
RATE = 5_000_000
# The origin takes a good two seconds: one that sends to one client after the other is slower.
WAIT_SECONDS_MAX = 300
HEAD_END = b"\r\n\r\n"


class Member(asyncio.BufferedProtocol):
    """One client. Compares what it gets with the file as it comes, which takes less time than a digest."""

    buffer = bytearray(1 << 18)

    def __init__(self, body):
        self.body = body
        self.view = memoryview(self.buffer)
        self.head = b""
        self.got = 0
        self.first = self.last = None
        self.wrong = ""
        self.ended = asyncio.get_running_loop().create_future()

    def get_buffer(self, _size):
        return self.view

    def buffer_updated(self, count):
        if self.first is None:
            self.first = time.monotonic()
        piece = self.view[:count]
        if not self.head.endswith(HEAD_END):
            self.head, end, rest = (self.head + bytes(piece)).partition(HEAD_END)
            self.head += end
            piece = rest
        if not self.body.startswith(piece, self.got):
            self.end("the body is not the file's")
        self.got += len(piece)
        if self.got >= len(self.body):
            self.last = time.monotonic()
            self.end("")

    def connection_lost(self, error):
        self.end(f"closed after {self.got} bytes of the body ({error})")

    def end(self, wrong):
        if not self.ended.done():
            self.wrong = wrong
            self.ended.set_result(None)

    def answer(self):
        """What it got, as the answers of other clients are."""
        status, _, lines = self.head.partition(b"\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in lines.split(b"\r\n") if line)
        return client.Answer(status, fields, self.got, b"")


async def gather(port, path, body, count):
    """All at once: connected first, then every request is sent before anything is read."""
    loop = asyncio.get_running_loop()
    ends = [await loop.create_connection(lambda: Member(body), "127.0.0.1", port) for _ in range(count)]
    for transport, _ in ends:
        transport.write(client.request(path, f"127.0.0.1:{port}"))
    members = [member for _, member in ends]
    await asyncio.wait_for(asyncio.gather(*(member.ended for member in members)), WAIT_SECONDS_MAX)
    for transport, _ in ends:
        transport.close()
    return members


def turn(stage):
    case, path = stage.case, stage.case.path
    body = stage.body.read_bytes()
    with stage.origin(origins.slow(DELAY_MS, RATE)) as origin, stage.start(origin) as server:
        members = asyncio.run(gather(server.port, path, body, case.connections))
        check(stage, members)
        seen = origin.seen(path)
        with client.Client(server.port) as asker:
            # Whether the cache has it now; not every peer takes so large a body.
            client.check(asker.ask(path), case.body_bytes, stage.digest, expected_of(stage, "hit"))
    origin_seconds = seen["last"] - seen["asked"]
    return {
        "origin_requests": seen["requests"],
        "origin_seconds": origin_seconds,
        "first_late_ms": max(member.first - seen["first"] for member in members) * 1e3,
        "last_late": max(member.last - seen["asked"] for member in members) / origin_seconds - 1,
        "seconds": max(member.last for member in members) - seen["asked"],
        "requests": len(members),
        "errors": 0,
    }


def check(stage, members):
    for member in members:
        answer = member.answer()
        if member.wrong:
            raise WrongAnswer(f"{member.wrong} (status line {answer.status!r})")
        if expected_of(stage, "uri-miss") not in (None, answer.said()):
            raise WrongAnswer(f"Cache-Status says {answer.said()} of a body that was on its way")


COLUMNS = (
    way.told("origin requests", "origin_requests", form="{:.0f}"),
    way.told("origin s", "origin_seconds"),
    way.told("first byte later, ms at most", "first_late_ms", form="{:.1f}"),
    way.told("last byte later, at most", "last_late", form="{:+.1%}"),
    way.told("all s", "seconds"),
)

WAY = way.Way(turn, COLUMNS, "last_late")
