"""What is checked of a server before anything is measured, and after."""

import client


def verify(stage, server, expected=None):
    """Asks twice on one connection, then pipelined where the case does so; every answer must be the file."""
    case, path = stage.case, stage.case.path
    with client.Client(server.port) as asker:
        for depth in [1, 1] + ([case.pipeline] if case.pipeline > 1 else []):
            for answer in asker.ask_at_once(path, depth):
                client.check(answer, case.body_bytes, stage.digest, expected_of(stage, expected))


def verify_cached(stage, server, path, host=None):
    """The first answer for `path` is the origin's, the next ones are the cache's, and all are the file."""
    with client.Client(server.port, host=host) as asker:
        for expected in ("uri-miss", "hit", "hit"):
            client.check(asker.ask(path), stage.case.body_bytes, stage.digest, expected_of(stage, expected))


def expected_of(stage, word):
    """What Hotplate's Cache-Status is to say. Its peers have no such field: the origin's counts tell there."""
    return word if stage.subject.kind == "hotplate" else None
