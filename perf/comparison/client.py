"""A client that looks at every byte: answers with their fields, and how a cache says it came by them."""

import hashlib
import socket
from dataclasses import dataclass

ANSWER_SECONDS_MAX = 10
PIECE_BYTES = 1 << 18


class WrongAnswer(Exception):
    """A server answered something else than it should have."""


@dataclass
class Answer:
    """One answer, its body as a digest."""

    status: bytes
    fields: dict
    length: int
    digest: bytes

    def said(self):
        """What the last cache on the way says it did (RFC 9211): "hit", "uri-miss" and so on; "" where it says nothing."""
        member = self.fields.get(b"cache-status", b"").rpartition(b",")[2]
        for parameter in member.split(b";")[1:]:
            word = parameter.strip().removeprefix(b"fwd=")
            if parameter.strip() == b"hit" or word != parameter.strip():
                return word.decode()
        return ""


class Client:
    """One kept-alive connection."""

    def __init__(self, port, timeout=ANSWER_SECONDS_MAX, host=None):
        self.host = host or f"127.0.0.1:{port}"
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.stream = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stream.close()
        self.socket.close()

    def ask(self, path):
        return self.ask_at_once(path, 1)[0]

    def ask_at_once(self, path, count):
        """The answers to `count` pipelined requests."""
        self.socket.sendall(request(path, self.host) * count)
        return [self.answer() for _ in range(count)]

    def answer(self):
        """The next answer. Of one without a length, no body is read."""
        status, fields = self.head()
        digest, got = hashlib.sha256(), 0
        for piece in self.body(fields):
            digest.update(piece)
            got += len(piece)
        return Answer(status, fields, got, digest.digest())

    def pieces(self, path):
        """The body for `path`, as it comes."""
        self.socket.sendall(request(path, self.host))
        status, fields = self.head()
        if b" 200 " not in status + b" ":
            raise WrongAnswer(f"status line {status!r}")
        return self.body(fields)

    def head(self):
        status = b" ".join(self.stream.readline().split())
        fields = {}
        while line := self.stream.readline().strip():
            name, _, value = line.partition(b":")
            fields[name.lower()] = value.strip()
        return status, fields

    def body(self, fields):
        left = int(fields.get(b"content-length", b"0"))
        while left > 0:
            piece = self.stream.read1(min(left, PIECE_BYTES))
            if not piece:
                raise WrongAnswer(f"closed {left} bytes before the body's end")
            left -= len(piece)
            yield piece


def request(path, host):
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()


def check(answer, body_bytes, digest, expected=None):
    """That an answer is the file; and, where `expected` is given, that the cache says so: "hit", "uri-miss"."""
    words = answer.status.split()
    if len(words) < 2 or words[1] != b"200":
        raise WrongAnswer(f"status line {answer.status!r}")
    if answer.length != body_bytes:
        raise WrongAnswer(f"a body of {answer.length} bytes, the file has {body_bytes}")
    if answer.digest != digest:
        raise WrongAnswer("the body is not the file's")
    if expected and answer.said() != expected:
        raise WrongAnswer(f"Cache-Status {answer.fields.get(b'cache-status', b'')!r}, not {expected}")
