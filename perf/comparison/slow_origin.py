"""An origin that takes its time: it begins each answer late, sends it at a rate, and knows when it did what.

usage: slow_origin.py --port=N --files=DIR [--delay-ms=N] [--rate=BYTES_A_SECOND] [--max-age=SECONDS]

    /SIZE.bin, /u/SIZE/NAME    the bytes of DIR/SIZE.bin: any NAME is a URL of its own
    /counts                    {"requests": all that were taken, questions for counts left out}
    /counts/PATH               {"requests": of this path, "asked", "first", "last": times of the monotonic clock, or null}
"""

import argparse
import asyncio
import json
import mmap
import re
import time
from pathlib import Path

# How often more of an answer is sent.
TICK_SECONDS = 0.005
HEAD_BYTES_MAX = 65536
PATHS = re.compile(rb"/(?:u/(\d+)/[^ ]+|(\d+)\.bin)")


class Origin:
    """What all connections share: files and what was asked."""

    def __init__(self, options):
        self.files = options.files
        self.delay = options.delay_ms / 1000
        self.rate = options.rate
        self.max_age = options.max_age
        self.requests = 0
        self.seen = {}
        self.bodies = {}

    def body(self, path):
        """The bytes for `path`, or None."""
        match = PATHS.fullmatch(path)
        if not match:
            return None
        size = int(match[1] or match[2])
        if size not in self.bodies:
            self.bodies[size] = mapped(self.files / f"{size}.bin")
        return self.bodies[size]

    def counts(self, path):
        if path:
            return self.seen.get(path, {"requests": 0, "asked": None, "first": None, "last": None})
        return {"requests": self.requests}

    def take(self, path):
        """Notes a request; returns what is known of its path."""
        self.requests += 1
        seen = self.seen.setdefault(path, {"requests": 0, "asked": time.monotonic(), "first": None, "last": None})
        seen["requests"] += 1
        return seen


def mapped(path):
    try:
        with path.open("rb") as file:
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except OSError:
        return None


class Connection(asyncio.Protocol):
    """A kept-alive connection: one answer at a time, requests that come meanwhile wait."""

    def __init__(self, origin):
        self.origin = origin
        self.loop = asyncio.get_running_loop()
        self.received = b""
        self.timer = None
        self.is_full = False

    def connection_made(self, transport):
        self.transport = transport

    def connection_lost(self, _error):
        if self.timer:
            self.timer.cancel()

    def pause_writing(self):
        self.is_full = True

    def resume_writing(self):
        self.is_full = False

    def data_received(self, piece):
        self.received += piece
        if self.timer is None:
            self.next_request()

    def next_request(self):
        head, end, rest = self.received.partition(b"\r\n\r\n")
        if not end:
            if len(head) > HEAD_BYTES_MAX:
                self.transport.close()
            return
        self.received = rest
        method, path, _ = (head.split(b"\r\n", 1)[0].split(b" ") + [b"", b""])[:3]
        if path.startswith(b"/counts"):
            text = json.dumps(self.origin.counts(path.removeprefix(b"/counts"))).encode()
            self.transport.write(answer_head(b"200 OK", len(text), b"Cache-Control: no-store\r\n") + text)
            self.loop.call_soon(self.next_request)
            return
        body = self.origin.body(path) if method == b"GET" else None
        if body is None:
            self.transport.write(answer_head(b"404 Not Found", 0, b""))
            self.loop.call_soon(self.next_request)
            return
        seen = self.origin.take(path)
        self.timer = self.loop.call_later(self.origin.delay, self.begin, seen, body)

    def begin(self, seen, body):
        fields = f'ETag: "{len(body):x}"\r\nCache-Control: max-age={self.origin.max_age}\r\n'
        self.transport.write(answer_head(b"200 OK", len(body), fields.encode()))
        began = time.monotonic()
        seen["first"] = seen["first"] or began
        self.go_on(seen, body, 0, began)

    def go_on(self, seen, body, sent, began):
        """Sends what is due by now, and comes again while there is more."""
        due = len(body)
        if self.origin.rate:
            due = min(due, int((time.monotonic() - began + TICK_SECONDS) * self.origin.rate))
        if due > sent and not self.is_full:
            self.transport.write(body[sent:due])
            sent = due
        if sent < len(body):
            self.timer = self.loop.call_later(TICK_SECONDS, self.go_on, seen, body, sent, began)
            return
        seen["last"] = time.monotonic()
        self.timer = None
        self.next_request()


def answer_head(status, length, fields):
    return (
        b"HTTP/1.1 " + status + b"\r\nContent-Type: application/octet-stream\r\n"
        b"Content-Length: " + str(length).encode() + b"\r\n" + fields + b"\r\n"
    )


async def serve(options):
    origin = Origin(options)
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(origin), "127.0.0.1", options.port, backlog=4096
    )
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--files", type=Path, required=True)
    parser.add_argument("--delay-ms", type=int, default=0)
    parser.add_argument("--rate", type=int, default=0, help="bytes a second of each answer; 0: at once")
    parser.add_argument("--max-age", type=int, default=86400)
    asyncio.run(serve(parser.parse_args()))
