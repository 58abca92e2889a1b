"""What is checked of a server before anything is measured, and after."""

import client


def verify(stage, server):
    """Asks twice on one connection, then pipelined where the case does so; every answer must be the file."""
    case, path = stage.case, stage.case.path
    with client.Client(server.port) as asker:
        for depth in [1, 1] + ([case.pipeline] if case.pipeline > 1 else []):
            for answer in asker.ask_at_once(path, depth):
                client.check(answer, case.body_bytes, stage.digest)
