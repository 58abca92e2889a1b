"""An origin that takes what is put to it, as fast as it comes, and knows afterwards what it was.

usage: sink.py --port=N --folder=DIR

    PUT /PATH        takes the body into a file of DIR; 201
    GET /counts      {"requests": all that were taken, questions for counts left out}
    GET /counts/PATH {"requests": of this path, "asked", "last": times of the monotonic clock, "sha256"}

The digest is taken when it is asked for: not while somebody is measured.
"""

import argparse
import hashlib
import json
import socket
import socketserver
import time
from pathlib import Path

PIECE_BYTES = 1 << 20


class Taker(socketserver.StreamRequestHandler):
    def handle(self):
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while head := self.rfile.readline():
            method, path, _ = head.decode().split()
            asked = time.monotonic()
            fields = {}
            while line := self.rfile.readline().strip():
                name, _, value = line.decode().partition(":")
                fields[name.lower()] = value.strip()
            if method == "PUT":
                if fields.get("expect"):
                    self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                self.take(path, int(fields["content-length"]), asked)
                self.wfile.write(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")
            else:
                said = json.dumps(self.server.counts(path.removeprefix("/counts"))).encode()
                self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(said), said))

    def take(self, path, left, asked):
        place = self.server.folder / path.strip("/").replace("/", "_")
        buffer = memoryview(bytearray(PIECE_BYTES))
        with place.open("wb", buffering=0) as file:
            while left:
                got = self.rfile.readinto1(buffer[: min(left, PIECE_BYTES)])
                if not got:
                    return
                file.write(buffer[:got])
                left -= got
        seen = self.server.seen.setdefault(path, {"requests": 0})
        seen |= {"requests": seen["requests"] + 1, "asked": asked, "last": time.monotonic(), "place": place}


class Sink(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, port, folder):
        super().__init__(("127.0.0.1", port), Taker)
        self.folder, self.seen = folder, {}

    def counts(self, path):
        if not path:
            return {"requests": sum(seen["requests"] for seen in self.seen.values())}
        seen = self.seen.get(path)
        if not seen:
            return {"requests": 0}
        with seen["place"].open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return {name: seen[name] for name in ("requests", "asked", "last")} | {"sha256": digest}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    options = parser.parse_args()
    options.folder.mkdir(exist_ok=True)
    with Sink(options.port, options.folder) as sink:
        sink.serve_forever()


if __name__ == "__main__":
    main()
