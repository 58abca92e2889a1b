"""Processes of a run: started on a core of their own, waited for, ended by number."""

import os
import resource
import signal
import socket
import subprocess
import time

import cost

START_SECONDS_MAX = 15
STOP_SECONDS_MAX = 5


class Unavailable(Exception):
    """Something cannot be measured here; the text says why."""


class Process:
    """A server of the run, taking connections. Ends what it started, and only that, by process number."""

    def __init__(self, command, port, cpu, log, admin=0):
        self.port = port
        self.admin = admin  # the port of its admin API, where a case asks it
        try:
            self.root = start(command, cpu, log)
        except OSError as error:
            raise Unavailable(str(error)) from error
        try:
            for number in filter(None, (port, admin)):
                self.wait_open(number, log)
        except BaseException:
            self.stop()
            raise

    def wait_open(self, port, log):
        """Waits until a port takes connections, or tells why it never will."""
        limit = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < limit:
            if self.root.poll() is not None:
                said = log.read_text(errors="replace").strip()[-300:] or "said nothing"
                raise Unavailable(f"ended with code {self.root.returncode} instead of serving: {said}")
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.02)
        raise Unavailable(f"did not listen within {START_SECONDS_MAX} s")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def processes(self):
        return cost.tree(self.root.pid)

    def stop(self, patience=STOP_SECONDS_MAX):
        """Ends it with all that it started; `patience` is for the orderly end."""
        ours = self.processes()
        end(self.root, patience)
        for pid, started in ours:
            now = cost.stat(pid)
            if pid != self.root.pid and now and now[1] == started:
                os.kill(pid, signal.SIGKILL)


def start(command, cpu, log):
    with open(log, "ab") as file:
        return subprocess.Popen(
            ["taskset", "-c", str(cpu), *command],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )


def end(process, patience):
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def descriptors():
    """How many descriptors a server may have."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def free_port():
    """A port that nobody uses now. Each start takes a new one: io_uring gives listeners back some time after an end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
