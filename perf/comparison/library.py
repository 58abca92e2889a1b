"""What ways to measure the media library have in common: its API, and how it is loaded."""

import hashlib
import http.client
import json
import urllib.parse

import load
from client import WrongAnswer

ANSWER_SECONDS_MAX = 300


def url(server, path):
    """A URL as the site's clients have it."""
    return f"http://127.0.0.1:{server.port}{path}"


def ask(server, method, path, body=None):
    """What the admin API says to a question; `body` goes as JSON."""
    connection = http.client.HTTPConnection("127.0.0.1", server.admin, timeout=ANSWER_SECONDS_MAX)
    try:
        connection.request(method, path, None if body is None else json.dumps(body))
        answer = connection.getresponse()
        said = answer.read()
    finally:
        connection.close()
    if answer.status >= 300:
        raise WrongAnswer(f"{path}: {answer.status}: {said[:300]!r}")
    return json.loads(said)


def get(server, wanted):
    return ask(server, "POST", "/api/cache/get", {"url": wanted})


def put(server, wanted, file):
    """Uploads a file and waits until it is at its origin."""
    query = urllib.parse.urlencode({"url": wanted, "file": file, "wait": "true"})
    told = ask(server, "POST", f"/api/cache/put?{query}")
    if told["state"] != "done":
        raise WrongAnswer(f"the upload is {told['state']}: {told}")
    return told


def load_of_gets(server, wanted, connections, seconds, cpu, **settings):
    """A wrk under way that gets one URL again and again."""
    body = json.dumps({"url": wanted}, separators=(",", ":"))
    return load.Wrk(server.admin, "/api/cache/get", connections, seconds, cpu, post=body, **settings)


def digest_of(path):
    """The digest and the size of a file."""
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").digest()
        return digest, file.tell()
