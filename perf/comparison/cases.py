"""What is measured: sizes, connections, and which subjects take part."""

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True)
class Case:
    """One way to load a server."""

    name: str
    title: str
    body_bytes: int
    connections: int
    pipeline: int = 1
    idle: int = 0
    # Whether only each kind's first variant takes part: what varies is not the way bodies leave.
    brief: bool = False

    @property
    def file(self):
        return f"{self.body_bytes}.bin"


IDLE_CONNECTIONS = 10_000

CASES = [
    Case("1k", "1 KiB, 256 connections", KIB, 256),
    Case("16k", "16 KiB, 64 connections", 16 * KIB, 64),
    Case("64k", "64 KiB, 64 connections", 64 * KIB, 64),
    Case("256k", "256 KiB, 64 connections", 256 * KIB, 64),
    Case("1m", "1 MiB, 64 connections", MIB, 64),
    Case("pipelined", "128 B, 256 connections, 16 requests pipelined", 128, 256, pipeline=16),
    Case(
        "idle",
        "1 KiB, 256 connections, beside 10,000 idle ones",
        KIB,
        256,
        idle=IDLE_CONNECTIONS,
        brief=True,
    ),
    *(
        Case(f"sweep-{count}", f"1 KiB, {count} connections", KIB, count, brief=True)
        for count in (1, 16, 256, 1000, 2000)
    ),
]

QUICK = ["1k", "64k", "1m", "pipelined"]


def chosen(names):
    """The cases with these names; `sweep` stands for all of the sweep. Unknown names end the run."""
    found = []
    for name in names:
        fits = [case for case in CASES if case.name == name or case.name.startswith(name + "-")]
        if not fits:
            raise SystemExit(f"compare: no such case: {name} (there are {', '.join(c.name for c in CASES)})")
        found += [case for case in fits if case not in found]
    return found
