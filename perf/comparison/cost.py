"""What a server costs: processor time and memory of all its processes and threads."""

import glob
import os
import time


def tree(root):
    """The process `root` and its descendants, as (pid, start time) so that a number used anew is told apart."""
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            started = stat(int(name))
            if started:
                parents[int(name)] = started
    found, wave = [], [root]
    while wave:
        found += [(pid, parents[pid][1]) for pid in wave if pid in parents]
        wave = [pid for pid, (parent, _) in parents.items() if parent in wave]
    return found


def stat(pid):
    """(parent, start time) of a process, or None when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return None
    return int(fields[1]), int(fields[19])


def cpu_seconds(processes):
    """Processor time, user and system, of the processes with all their threads, ended ones too.

    Read from each process's own clock: nanoseconds, where utime and stime of /proc count in hundredths of a second.
    The kernel's helper threads of io_uring are threads of the process and are counted.
    """
    total = 0.0
    for pid, _ in processes:
        try:
            total += time.clock_gettime((~pid << 3) | 2)
        except OSError:
            pass
    return total


def memory_bytes(processes):
    """(VmRSS, Pss) summed over the processes. VmRSS counts a page once for each process that shares it."""
    resident = shared = 0
    for pid, _ in processes:
        resident += field(f"/proc/{pid}/status", "VmRSS:")
        shared += field(f"/proc/{pid}/smaps_rollup", "Pss:")
    return resident, shared


MEMORY_FIELDS = {"anon": "RssAnon:", "file": "RssFile:", "shmem": "RssShmem:"}


def memory_parts(processes):
    """Resident bytes by kind, `rss` their sum, and `memfd`: anonymous files, whether mapped or not.

    A process's anonymous files that it has not mapped are memory too, but in none of the kernel's sums of the process.
    """
    parts = {"memfd": memfd_bytes(processes)}
    for name, field_name in MEMORY_FIELDS.items():
        parts[name] = sum(field(f"/proc/{pid}/status", field_name) for pid, _ in processes)
    return parts | {"rss": sum(parts[name] for name in MEMORY_FIELDS)}


def memfd_bytes(processes):
    """Bytes of memory in anonymous files that the processes have open."""
    found = {}
    for pid, _ in processes:
        for path in glob.glob(f"/proc/{pid}/fd/*"):
            try:
                if os.readlink(path).startswith("/memfd:"):
                    about = os.stat(path)
                    found[about.st_dev, about.st_ino] = about.st_blocks * 512
            except OSError:
                # Closed meanwhile.
                pass
    return sum(found.values())


def read_bytes(processes):
    """Bytes that the processes had read from block devices."""
    return sum(field(f"/proc/{pid}/io", "read_bytes:", 1) for pid, _ in processes)


def field(path, name, unit=1024):
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            for line in file:
                if line.startswith(name):
                    return int(line.split()[1]) * unit
    except OSError:
        pass
    return 0
