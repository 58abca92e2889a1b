"""Load that goes on beside hits: misses with a fill, and hits on bodies that have to come from the disk."""

import contextlib
import os
import threading
import time

import bodies
import client
import cost
import load
from client import WrongAnswer

# The measurement ends it; this is for one that does not.
LOAD_SECONDS_MAX = 600
BEGIN_SECONDS_MAX = 30

COLD_BYTES = 256 * bodies.KIB
# Four times what the case lets the cache keep in memory.
COLD_OBJECTS = 1024
COLD_CONNECTIONS = 4
COLD_PAUSE_MS = 20
COLD_PREFIX = f"/u/{COLD_BYTES}/cold-"
COLD_PATHS = [f"{COLD_PREFIX}{number}" for number in range(1, COLD_OBJECTS + 1)]
# Each body is asked for again after some seconds.
FORGET_SECONDS = 0.25


class Other:
    """A load at `end`, a server or the origin itself, that is under way while the `with` lasts."""

    def __init__(self, stage, origin, end, connections, **settings):
        self.stage, self.origin, self.end = stage, origin, end
        self.connections, self.settings = connections, settings
        self.name = "past" if end is origin else "beside"

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self.asked_before = self.origin.requests()
            self.begin(stack)
            limit = time.monotonic() + BEGIN_SECONDS_MAX
            while not self.is_under_way():
                if time.monotonic() > limit:
                    raise WrongAnswer(f"the load {self.name} is not under way after {BEGIN_SECONDS_MAX} s")
                time.sleep(0.02)
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self.stack.close()

    def begin(self, stack):
        cpu = self.stage.cores.load
        wrk = load.Wrk(self.end.port, "/", self.connections, LOAD_SECONDS_MAX, cpu, **self.settings)
        self.wrk = stack.enter_context(wrk)

    def stop(self):
        """Ends the load; its outcome, after a check that the origin was asked as often as it should have been."""
        outcome = self.wrk.stop()
        asked, expected = self.origin.requests() - self.asked_before, self.asks(outcome["requests"])
        # Those under way when wrk ended were asked for and not counted.
        if not 0 <= asked - expected <= self.connections * bool(expected):
            raise WrongAnswer(f"the load {self.name} and the hits asked the origin {asked} times, not {expected}")
        return outcome


class MissesAndFill(Other):
    """Requests for URLs that nobody asked for before, and one for a large body."""

    def __init__(self, stage, origin, end, connections):
        super().__init__(stage, origin, end, connections)
        self.settings = {"unique": f"/u/{stage.case.body_bytes}/{self.name}-"}

    def begin(self, stack):
        super().begin(stack)
        path, file = f"/u/{bodies.GIB}/{self.name}", self.stage.files / bodies.name(bodies.GIB)
        self.download = stack.enter_context(Download(self.end.port, path, file))

    def is_under_way(self):
        return self.download.got and self.origin.requests() - self.asked_before > self.connections

    def asks(self, requests):
        return requests + 1

    def stop(self):
        if not self.download.is_alive():
            why = self.download.wrong or "before the measurement did"
            raise WrongAnswer(f"the fill ended after {self.download.got} bytes: {why}")
        return super().stop()


class Download(threading.Thread):
    """Fetches a body, compares it with the file, and leaves when the `with` ends."""

    def __init__(self, port, path, file):
        super().__init__(daemon=True)
        self.port, self.path, self.file = port, path, file
        self.got, self.wrong, self.is_leaving = 0, "", False

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.is_leaving = True
        self.join()

    def run(self):
        try:
            with client.Client(self.port) as asker, self.file.open("rb") as file:
                for piece in asker.pieces(self.path):
                    if piece != file.read(len(piece)):
                        raise WrongAnswer("the body is not the file's")
                    self.got += len(piece)
                    if self.is_leaving:
                        return
        except (OSError, WrongAnswer) as error:
            self.wrong = str(error)


class ColdHits(Other):
    """Requests for bodies on the disk, in turn, at a bounded rate, while the kernel is made to forget them."""

    def __init__(self, stage, origin, end):
        settings = {"unique": COLD_PREFIX, "turns": COLD_OBJECTS, "pause": COLD_PAUSE_MS}
        super().__init__(stage, origin, end, COLD_CONNECTIONS, **settings)

    def begin(self, stack):
        self.forgetting = stack.enter_context(Forgetting(self.stage.place / "disk"))
        self.read_before = cost.read_bytes(self.end.processes())
        super().begin(stack)

    def is_under_way(self):
        return self.forgetting.rounds > 1

    def asks(self, requests):
        return requests if self.end is self.origin else 0

    def stop(self):
        outcome = super().stop()
        read = cost.read_bytes(self.end.processes()) - self.read_before
        served = outcome["requests"] * COLD_BYTES
        if self.end is not self.origin and read < served / 2:
            raise WrongAnswer(f"hits were not cold: of {served >> 20} MiB, {read >> 20} MiB were read from the disk")
        return outcome


class Forgetting(threading.Thread):
    """Has the kernel drop the pages of all files in a folder, over and over while the `with` lasts."""

    def __init__(self, folder):
        super().__init__(daemon=True)
        self.folder, self.rounds, self.is_over = folder, 0, threading.Event()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        self.join()

    def run(self):
        while not self.is_over.wait(FORGET_SECONDS):
            for path in self.folder.rglob("*"):
                try:
                    self.forget(path)
                except OSError:
                    # Evicted meanwhile.
                    pass
            self.rounds += 1

    def forget(self, path):
        if not path.is_file():
            return
        file = os.open(path, os.O_RDONLY)
        try:
            if self.rounds == 0:
                # Pages that were not written yet would stay.
                os.fdatasync(file)
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(file)
