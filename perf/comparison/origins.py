"""The origin of servers that are caches: the floor, on the server's core. It has nothing to do once it was asked."""

import processes
import servers


def floor(stage):
    return begin(stage, servers.floor("memory"), stage.cores.server)


def begin(stage, configure, cpu):
    turn = stage.turn(stage.place / "origin")
    command = configure(turn)
    stage.note("origin", turn, command)
    return processes.Process(command, turn.port, cpu, turn.work / "log")
