"""The turns of a run: every subject of a case once a round, in a new order each time."""

import json
import os
import random
import shutil
import subprocess
import tempfile
from pathlib import Path

import bodies
import stage
from client import WrongAnswer
from processes import Unavailable
from servers import ROOT

SEED = 20_260_101
IN_MEMORY = Path("/dev/shm")


class Run:
    """What turns found, and what was learned beside the figures."""

    def __init__(self, options, work, out):
        self.options, self.work = options, work
        self.turns, self.absent, self.configs = [], [], {}
        self.raw = (out / "raw.jsonl").open("w", encoding="utf-8")
        allowed = sorted(os.sched_getaffinity(0))
        self.cores = stage.Cores(allowed[0], allowed[-1])
        # What watches the servers is not to take their core's time.
        os.sched_setaffinity(0, {self.cores.load})
        self.bounds = stage.Bounds(options.seconds, options.million_objects)
        self.order = random.Random(SEED)
        self.files = work / "files"
        self.files.mkdir()
        self.files.chmod(0o755)

    def case(self, case, taking_part):
        """Lets the subjects take turns. One that is wrong or cannot be measured is left out of the rounds that follow."""
        _, digest = bodies.make(self.files, case.body_bytes)
        for number in range(min(self.options.rounds, case.rounds_max)):
            self.order.shuffle(taking_part)
            for subject in list(taking_part):
                try:
                    self.turn(case, subject, number, digest)
                except (Unavailable, WrongAnswer, OSError, subprocess.TimeoutExpired) as error:
                    print(f"{case.name} {subject.name}: NOT MEASURED: {error}", flush=True)
                    self.absent.append((case.name, subject.name, self.anonymous(str(error).replace("\n", "; "))))
                    taking_part.remove(subject)

    def turn(self, case, subject, number, digest):
        """Measures a subject once, in folders of its own."""
        place = Path(tempfile.mkdtemp(prefix=f"{subject.name}-", dir=self.work))
        memory_place = place / "memory"
        if IN_MEMORY.is_dir():
            memory_place = Path(tempfile.mkdtemp(prefix=f"{self.work.name}-", dir=IN_MEMORY))
        memory_place.mkdir(exist_ok=True)
        for folder in (place, memory_place):
            # Servers that drop privileges enter it too.
            folder.chmod(0o755)
        cores, bounds = self.cores, self.bounds
        setting = stage.Stage(case, subject, number, place, memory_place, self.files, digest, bounds, cores)
        try:
            found = case.way.turn(setting)
        finally:
            self.note(case, setting.written)
            shutil.rmtree(place, ignore_errors=True)
            shutil.rmtree(memory_place, ignore_errors=True)
        figures = {"case": case.name, "subject": subject.name, "round": number} | found
        self.turns.append(figures)
        self.raw.write(json.dumps(figures) + "\n")
        self.raw.flush()
        told = (column for column in case.way.columns if column.is_told and column.measure in found)
        said = (f"{column.title} {column.show(found[column.measure])}" for column in told)
        print(
            f"{case.name} {subject.name} round {number + 1}: {', '.join(said)}"
            + (f", {figures['errors']} ERRORS" if figures["errors"] else ""),
            flush=True,
        )

    def note(self, case, written):
        """Keeps each configuration once, with the cases that it served."""
        for whose, name, text in written:
            served = self.configs.setdefault((whose, name), {}).setdefault(self.anonymous(text), [])
            if case.name not in served:
                served.append(case.name)

    def anonymous(self, text):
        """Text without this machine's folders."""
        return text.replace(str(self.work), "$WORK").replace(str(ROOT) + "/", "")
