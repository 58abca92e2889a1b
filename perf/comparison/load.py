"""Load: wrk, and a crowd that stays connected and quiet."""

import functools
import json
import signal
import subprocess
import sys
from pathlib import Path

from client import WrongAnswer

HERE = Path(__file__).resolve().parent
LUA = HERE.parent / "wrk.lua"
END_SECONDS_MAX = 30


class Wrk:
    """A wrk under way. `settings` are those of wrk.lua."""

    def __init__(self, port, path, connections, seconds, cpu, is_ahead=False, **settings):
        command = ["taskset", "-c", str(cpu), "wrk", "-t1", f"-c{connections}", f"-d{seconds}s"]
        command += ["--timeout", "10s", "-s", str(LUA), f"http://127.0.0.1:{port}{path}"]
        command += ["--", *(f"{name}={value}" for name, value in settings.items())]
        if is_ahead:
            command = [*ahead(), *command]
        self.seconds = seconds
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def outcome(self):
        """Its outcome as a dict, once it has ended; a run that outlives its time is cut."""
        try:
            said, wrong = self.process.communicate(timeout=self.seconds + END_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            raise
        for line in said.splitlines():
            if line.startswith("outcome "):
                return json.loads(line.removeprefix("outcome ").replace("nan", "0"))
        raise WrongAnswer(f"wrk: {(wrong or said).strip()[-300:]}")

    def stop(self):
        """Ends it early; its outcome so far."""
        self.process.send_signal(signal.SIGINT)
        return self.outcome()


def wrk(port, path, connections, seconds, cpu, **settings):
    """One run of wrk from begin to end; its outcome as a dict."""
    return Wrk(port, path, connections, seconds, cpu, **settings).outcome()


def counted(outcome):
    """What of an outcome adds up."""
    return {
        "rate": outcome["requests"] / outcome["duration_us"] * 1e6,
        "requests": outcome["requests"],
        "errors": outcome["errors"] + outcome["timeouts"],
    }


def latencies(outcome):
    """wrk gives 0 where its correction for late requests has left a percentile without a value."""
    return {name: outcome[name] for name in ("p50_us", "p99_us", "p999_us") if outcome[name] > 0}


@functools.cache
def ahead():
    """What puts a command before all others on its core, so that these don't make its answers look late; [] where that is
    not allowed."""
    command = ["chrt", "--fifo", "1"]
    try:
        return command if subprocess.run([*command, "true"], check=False, capture_output=True).returncode == 0 else []
    except OSError:
        return []


class Crowd:
    """Idle connections, held by a process of their own until `leave`."""

    def __init__(self, port, case, cpu):
        self.process = subprocess.Popen(
            ["taskset", "-c", str(cpu), sys.executable, str(HERE / "crowd.py"), str(port), case.file, str(case.idle)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.count = int(self.process.stdout.readline() or 0)

    def leave(self):
        """Closes them; returns how many were still open."""
        try:
            left, _ = self.process.communicate("leave\n", timeout=30)
            return int(left or 0)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return 0
