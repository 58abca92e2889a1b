"""perf/compare: one run from installing the peers to the pages of results. `--help` tells the options."""

import argparse
import datetime
import os
import resource
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import cases
import host
import report
import subjects
import turns
from servers import ROOT

# The idle case: its connections, those of the load, the server's own.
DESCRIPTORS_MIN = cases.IDLE_CONNECTIONS + 1_000
CACHING_TEXT = [
    "Origins run on the last core, all threads of a cache on the first. That hits are hits and misses are misses is told by",
    "the origin's count of requests, and by Hotplate's Cache-Status.",
]


def main():
    options = arguments()
    chosen = cases.chosen(options.cases)
    peers = list(dict.fromkeys(peer for case in chosen for peer in case.peers(options.peers)))
    has_origin = any(case not in cases.PINNED for case in chosen)
    prepare(options, peers, has_origin)
    everything = subjects.all_of(binaries(options), peers)
    taking_part = {case: cases.taking_part(case, everything, options) for case in chosen}
    out = options.out or ROOT / "perf/results" / f"{datetime.date.today()}-{options.topic}"
    out.mkdir(parents=True, exist_ok=True)
    measured = [subject for subject in everything if any(subject in those for those in taking_part.values())]
    about = describe(measured, has_origin)
    work = Path(tempfile.mkdtemp(prefix="hotplate-compare-"))
    # Servers that drop privileges enter it too.
    work.chmod(0o755)
    try:
        run = turns.Run(options, work, out)
        for case in chosen:
            run.case(case, taking_part[case])
    finally:
        shutil.rmtree(work, ignore_errors=True)
    label = next(iter(binaries(options)))
    page = report.summary(report.Figures(run.turns), chosen, label, options.judge, peers, run.absent)
    (out / "summary.md").write_text(page, encoding="utf-8")
    (out / "README.md").write_text(readme(about, run), encoding="utf-8")
    print(page)
    print(f"results: {os.path.relpath(out, ROOT)}")


def split(text):
    """The words of a list with commas."""
    return [word for word in text.split(",") if word]


def arguments():
    parser = argparse.ArgumentParser(prog="perf/compare", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two rounds of one second, fewer cases: a first look")
    parser.add_argument("--rounds", type=int, help="rounds (5)")
    parser.add_argument("--seconds", type=int, help="seconds of each measurement (3)")
    names = ", ".join(case.name for case in cases.CASES)
    groups = "; sweep: all of the sweep; caching: all of a cache; library: all of the media library; pinned: all others, which is the default"
    parser.add_argument("--cases", type=split, help=f"of {names}{groups}")
    parser.add_argument("--peers", type=split, help=f"of {', '.join(subjects.PEERS)} (those that a case has targets for)")
    parser.add_argument("--subjects", type=split, help="only subjects that match one of these patterns, as hotplate-*")
    parser.add_argument("--judge", choices=subjects.HOLDS, default="memory", help="the hold that targets are checked on")
    parser.add_argument(
        "--hotplate",
        action="append",
        default=[],
        metavar="LABEL=BINARY",
        help="another build to measure beside or, as hotplate=..., instead of this tree's; repeatable",
    )
    parser.add_argument("--million-objects", type=int, default=1_000_000, metavar="N", help="of the case million")
    parser.add_argument("--no-build", action="store_true", help="take the builds that are there")
    parser.add_argument("--no-install", action="store_true", help="take the peers that are there")
    parser.add_argument("--topic", default="compare", help="names the folder of results")
    parser.add_argument("--out", type=Path, help="folder of results (perf/results/DATE-TOPIC)")
    options = parser.parse_args()
    unknown = [name for name in options.peers or [] if name not in subjects.PEERS]
    if unknown:
        parser.error(f"no such peer: {', '.join(unknown)}")
    options.rounds = options.rounds or (2 if options.quick else 5)
    options.seconds = options.seconds or (1 if options.quick else 3)
    options.cases = options.cases or (cases.QUICK if options.quick else ["pinned"])
    return options


def binaries(options):
    """Builds of Hotplate by label; this tree's comes first unless its label is given another binary."""
    found = {"hotplate": ROOT / "target/release/hotplate"}
    for word in options.hotplate:
        label, _, binary = word.partition("=")
        found[label] = Path(binary).resolve()
    return found


def prepare(options, peers, has_origin):
    """Installs, builds, and asks for all the descriptors there are."""
    if not options.no_install:
        packages = {subjects.PACKAGES.get(name, name) for name in peers} | {"wrk"}
        packages = sorted(packages | ({subjects.PACKAGES["nginx"]} if has_origin else set()))
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


def describe(everything, has_origin):
    """The head of the results' README: taken at the start, as the load average is."""
    lines = [
        "# Comparison",
        "",
        f"Command: `{shlex.join(['perf/compare', *map(portable, sys.argv[1:])])}`",
        "",
        f"Hotplate's commit: {host.commit(ROOT)}. Server on the first core with one worker, wrk with one thread on the last,",
        "keep-alive, loopback. Each turn starts the server afresh, checks its bodies, warms it for a second, measures, checks",
        "again and ends it. The order of turns is shuffled each round. Figures: `summary.md`; every turn: `raw.jsonl`.",
        *(CACHING_TEXT if has_origin else []),
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
    """The whole README: with the configurations that were used, words such as $TURN standing for folders and ports."""
    lines = [*about, "", "## Configurations", ""]
    for (whose, name), texts in sorted(run.configs.items()):
        for text, served in texts.items():
            lines += [f"### {whose}: {name} ({', '.join(served)})", "", "```", text.strip(), "```", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
