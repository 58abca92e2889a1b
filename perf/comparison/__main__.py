"""perf/compare: one run from installing the peers to the pages of results. `--help` tells the options."""

import argparse
import datetime
import fnmatch
import hashlib
import json
import os
import random
import resource
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cases
import cost
import host
import load
import report
import subjects

ROOT = subjects.ROOT
# The idle case: its connections, those of the load, the server's own.
DESCRIPTORS_MIN = cases.IDLE_CONNECTIONS + 1_000
WARM_SECONDS = 1
SEED = 20_260_101


def main():
    options = arguments()
    prepare(options)
    chosen = cases.chosen(options.cases)
    everything = subjects.all_of(binaries(options), options.peers)
    if options.subjects:
        everything = [s for s in everything if any(fnmatch.fnmatch(s.name, p) for p in options.subjects)]
    out = options.out or ROOT / "perf/results" / f"{datetime.date.today()}-{options.topic}"
    out.mkdir(parents=True, exist_ok=True)
    about = describe(everything)
    work = Path(tempfile.mkdtemp(prefix="hotplate-compare-"))
    # Servers that drop privileges read the files too.
    work.chmod(0o755)
    try:
        run = Run(options, work, out)
        for case in chosen:
            run.case(case, [subject for subject in everything if takes_part(subject, case, options)])
    finally:
        shutil.rmtree(work, ignore_errors=True)
    figures = report.Figures(run.turns)
    label = next(iter(binaries(options)))
    page = report.summary(figures, chosen, label, options.judge, options.peers, run.absent)
    (out / "summary.md").write_text(page, encoding="utf-8")
    (out / "README.md").write_text(readme(about, run), encoding="utf-8")
    print(page)
    print(f"results: {os.path.relpath(out, ROOT)}")


class Run:
    """The turns of a run, and what was learned beside the figures."""

    def __init__(self, options, work, out):
        self.options, self.work = options, work
        self.turns, self.absent, self.configs = [], [], {}
        self.raw = (out / "raw.jsonl").open("w", encoding="utf-8")
        allowed = sorted(os.sched_getaffinity(0))
        self.cpu, self.load_cpu = allowed[0], allowed[-1]
        self.order = random.Random(SEED)

    def case(self, case, taking_part):
        """Verifies every subject, then lets those that are right take turns, in a new order each round."""
        files = self.work / "files"
        files.mkdir(exist_ok=True)
        body = files / case.file
        body.write_bytes(random.Random(case.body_bytes).randbytes(case.body_bytes))
        body.chmod(0o644)
        digest = hashlib.sha256(body.read_bytes()).digest()
        for number in range(self.options.rounds):
            self.order.shuffle(taking_part)
            for subject in list(taking_part):
                try:
                    self.turn(case, subject, number, digest)
                except (subjects.Unavailable, load.WrongAnswer, OSError, subprocess.TimeoutExpired) as error:
                    print(f"{case.name} {subject.name}: NOT MEASURED: {error}", flush=True)
                    self.absent.append((case.name, subject.name, self.anonymous(str(error).replace("\n", "; "))))
                    taking_part.remove(subject)

    def turn(self, case, subject, number, digest):
        """Starts the subject, checks its answers, loads it, notes the figures, ends it."""
        place = Path(tempfile.mkdtemp(prefix=f"{subject.name}-", dir=self.work))
        place.chmod(0o755)
        files = self.work / "files"
        turn = subjects.Turn(place, files, files / case.file, subjects.free_port())
        running = subjects.Running(subject, turn, self.cpu)
        try:
            load.verify(turn.port, case, digest)
            load.wrk(turn.port, case, WARM_SECONDS, self.load_cpu)
            figures = self.measure(running, case)
            if case.idle:
                figures |= self.with_crowd(running, case, figures)
            load.verify(turn.port, case, digest)
        finally:
            running.stop()
            shutil.rmtree(place, ignore_errors=True)
        figures = {"case": case.name, "subject": subject.name, "round": number} | figures
        self.turns.append(figures)
        self.raw.write(json.dumps(figures) + "\n")
        self.raw.flush()
        for name, text in turn.written.items():
            self.configs[subject.name, name] = self.anonymous(text.replace(str(place), "$TURN"))
        print(
            f"{case.name} {subject.name} round {number + 1}: {figures['rate']:.0f} req/s, "
            f"{figures['cpu_us']:.2f} us CPU, p99 {figures.get('p99_us', 0) / 1e3:.2f} ms"
            + (f", {figures['errors']} ERRORS" if figures["errors"] else ""),
            flush=True,
        )

    def measure(self, running, case):
        processes = running.processes()
        before = cost.cpu_seconds(processes)
        outcome = load.wrk(running.turn.port, case, self.options.seconds, self.load_cpu)
        spent = cost.cpu_seconds(processes) - before
        resident, shared = cost.memory_bytes(processes)
        requests = outcome["requests"]
        if requests == 0:
            raise load.WrongAnswer(f"no request was answered (with {subjects.descriptors()} descriptors to use)")
        # wrk gives 0 where its correction for late requests has left a percentile without a value.
        latency = {name: outcome[name] for name in ("p50_us", "p99_us", "p999_us") if outcome[name] > 0}
        return latency | {
            "rate": requests / outcome["duration_us"] * 1e6,
            "cpu_us": spent / requests * 1e6,
            "max_us": outcome["max_us"],
            "requests": requests,
            "errors": outcome["errors"] + outcome["timeouts"],
            "rss_bytes": resident,
            "pss_bytes": shared,
        }

    def with_crowd(self, running, case, alone):
        """The same load beside the idle connections."""
        crowd = load.Crowd(running.turn.port, case, self.load_cpu)
        try:
            time.sleep(0.5)
            resident, _ = cost.memory_bytes(running.processes())
            beside = self.measure(running, case)
        finally:
            still_open = crowd.leave()
        if crowd.count < case.idle:
            raise load.WrongAnswer(f"took {crowd.count} of {case.idle} idle connections")
        return {
            "idle_bytes_each": (resident - alone["rss_bytes"]) / case.idle,
            "idle_p99_us": beside["p99_us"],
            "idle_p99_change": beside["p99_us"] / alone["p99_us"] - 1,
            "idle_rate": beside["rate"],
            "idle_cpu_us": beside["cpu_us"],
            "idle_open": still_open,
            "errors": alone["errors"] + beside["errors"],
        }

    def anonymous(self, text):
        """Text without this machine's folders."""
        return text.replace(str(self.work), "$WORK").replace(str(ROOT) + "/", "")


def takes_part(subject, case, options):
    if subject.name == "floor-splice" and case.body_bytes < 64 * cases.KIB:
        return False
    if subject.kind == "hotplate" and options.quick and subject.driver == "epoll":
        return subject.hold == options.judge
    if not case.brief:
        return True
    return subject.kind == "peer" or subject.hold == options.judge or subject.name == "floor-memory"


def split(text):
    """The words of a list with commas."""
    return [word for word in text.split(",") if word]


def arguments():
    parser = argparse.ArgumentParser(prog="perf/compare", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two rounds of one second, fewer cases: a first look")
    parser.add_argument("--rounds", type=int, help="rounds (5)")
    parser.add_argument("--seconds", type=int, help="seconds of each measurement (3)")
    names = ", ".join(case.name for case in cases.CASES)
    parser.add_argument("--cases", type=split, help=f"of {names}; sweep: all of the sweep")
    default = "nginx,nginx-read,h2o,lighttpd"
    parser.add_argument("--peers", type=split, default=split(default), help=f"of {', '.join(subjects.PEERS)} ({default})")
    parser.add_argument("--subjects", type=split, help="only subjects that match one of these patterns, as hotplate-*")
    parser.add_argument("--judge", choices=subjects.HOLDS, default="memory", help="the hold that targets are checked on")
    parser.add_argument(
        "--hotplate",
        action="append",
        default=[],
        metavar="LABEL=BINARY",
        help="another build to measure beside or, as hotplate=..., instead of this tree's; repeatable",
    )
    parser.add_argument("--no-build", action="store_true", help="take the builds that are there")
    parser.add_argument("--no-install", action="store_true", help="take the peers that are there")
    parser.add_argument("--topic", default="compare", help="names the folder of results")
    parser.add_argument("--out", type=Path, help="folder of results (perf/results/DATE-TOPIC)")
    options = parser.parse_args()
    unknown = [name for name in options.peers if name not in subjects.PEERS]
    if unknown:
        parser.error(f"no such peer: {', '.join(unknown)}")
    options.rounds = options.rounds or (2 if options.quick else 5)
    options.seconds = options.seconds or (1 if options.quick else 3)
    options.cases = options.cases or (cases.QUICK if options.quick else [case.name for case in cases.CASES])
    return options


def binaries(options):
    """Builds of Hotplate by label; this tree's comes first unless its label is given another binary."""
    found = {"hotplate": ROOT / "target/release/hotplate"}
    for word in options.hotplate:
        label, _, binary = word.partition("=")
        found[label] = Path(binary).resolve()
    return found


def prepare(options):
    """Installs, builds, and asks for all the descriptors there are."""
    if not options.no_install:
        packages = sorted({subjects.PACKAGES.get(name, name) for name in options.peers} | {"wrk"})
        subprocess.run([ROOT / "perf/install-peers", *packages], check=False)
    if not shutil.which("wrk"):
        raise SystemExit("compare: there is no wrk (see perf/install-peers)")
    if not options.no_build:
        for manifest in ("Cargo.toml", "perf/floor/Cargo.toml"):
            command = ["cargo", "build", "--release", "--locked", "--manifest-path", ROOT / manifest]
            if subprocess.run(command, check=False).returncode != 0:
                print(f"compare: {manifest} does not build", file=sys.stderr)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard < DESCRIPTORS_MIN:
        print(f"compare: {hard} descriptors are too few for the idle case (ulimit -n)", file=sys.stderr)


def portable(word):
    """An argument without the folders of this machine."""
    label, sign, path = word.rpartition("=")
    return label + sign + (os.path.basename(path) if os.path.isabs(path) else path)


def describe(everything):
    """The head of the results' README: taken at the start, as the load average is."""
    lines = [
        "# Comparison",
        "",
        f"Command: `{shlex.join(['perf/compare', *map(portable, sys.argv[1:])])}`",
        "",
        f"Hotplate's commit: {host.commit(ROOT)}. Server on the first core with one worker, wrk with one thread on the last,",
        "keep-alive, loopback. Each turn starts the server afresh, checks its bodies, warms it for a second, measures, checks",
        "again and ends it. The order of turns is shuffled each round. Figures: `summary.md`; every turn: `raw.jsonl`.",
        "",
        "## Machine",
        "",
        *(f"- {line}" for line in host.machine()),
        "",
        "## Versions",
        "",
        f"- wrk: {host.version(('wrk', '-v'))}",
    ]
    seen = set()
    for subject in everything:
        if subject.version and subject.version not in seen:
            seen.add(subject.version)
            name = subject.kind if subject.kind == "hotplate" else subject.name
            lines.append(f"- {name}: {host.version(subject.version)}")
    return lines


def readme(about, run):
    """The whole README: with the configurations that were used, $WORK and $TURN standing for folders of the run."""
    lines = [*about, "", "## Configurations", ""]
    for (subject, name), text in sorted(run.configs.items()):
        lines += [f"### {subject}: {name}", "", "```", text.strip(), "```", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
