"""One turn: a case, a subject, and all that they may use."""

import contextlib
import os
import shlex
from dataclasses import dataclass, field
from pathlib import Path

import processes
import subjects


@dataclass(frozen=True)
class Bounds:
    """How long and how much, as the command line has it."""

    seconds: int
    million_objects: int


@dataclass(frozen=True)
class Cores:
    """Which core runs what: the server has one for itself."""

    server: int
    load: int


@dataclass
class Stage:
    """What a way to measure gets: it starts servers here, loads them and returns figures."""

    case: object
    subject: subjects.Subject
    round: int
    place: Path  # goes with the turn
    memory_place: Path  # the same, on a file system in memory where there is one
    files: Path
    digest: bytes  # of the case's body
    bounds: Bounds
    cores: Cores
    written: list = field(default_factory=list)  # (what for, file name, text) of each configuration

    @property
    def body(self):
        return self.files / self.case.file

    def origin(self, begin):
        """The origin that `begin` starts, for a subject that needs one; ends with the `with`."""
        return begin(self) if self.subject.needs_origin else contextlib.nullcontext()

    def start(self, origin, place=None):
        """The subject, taking connections; ends with the `with`. In `place` it finds what it left there before."""
        turn = self.turn(place or self.place)
        turn.origin = origin.port if origin else 0
        command = self.subject.configure(turn)
        self.note(self.subject.name, turn, command)
        admin = turn.admin if self.subject.hold == subjects.LIBRARY else 0
        return processes.Process(command, turn.port, self.cores.server, turn.work / "log", admin)

    def turn(self, place):
        """Room for one start of a server, in the folder `place`."""
        place.mkdir(exist_ok=True)
        port, admin = processes.free_port(), processes.free_port()
        return subjects.Turn(
            place, self.memory_place, self.files, self.body, port, admin=admin, cache_bytes=self.case.cache_bytes
        )

    def note(self, whose, turn, command):
        """Keeps a command and the texts of configurations, without what differs from turn to turn."""
        program, *words = command
        command = shlex.join([os.path.basename(program), *words])
        for name, text in [("command", command), *turn.written.items()]:
            for word, stands_for in (
                (turn.body, "$BODY"),
                (turn.work, "$TURN"),
                (turn.memory_work, "$MEMORY"),
                (turn.port, "$PORT"),
                (turn.admin, "$ADMIN"),
                (turn.origin or "no origin", "$ORIGIN"),
            ):
                text = text.replace(str(word), stands_for)
            self.written.append((whose, name, text))
