"""What the results say of the machine and the programs."""

import platform
import re
import subprocess
from pathlib import Path


def machine():
    """Lines that describe the hardware and the kernel, without the machine's name."""
    cpu = said(["lscpu"])
    lines = [
        f"{name}: {match[1].strip()}"
        for name in ("Model name", "CPU(s)", "Thread(s) per core", "L2 cache", "L3 cache", "Hypervisor vendor")
        if (match := re.search(rf"^{re.escape(name)}:(.*)$", cpu, re.M))
    ]
    memory = re.search(r"^MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text(encoding="ascii"), re.M)
    lines.append(f"Memory: {int(memory[1]) >> 20} GiB")
    lines.append(f"Kernel: {platform.system()} {platform.release()} {platform.machine()}")
    lines.append(f"Load average at the start: {Path('/proc/loadavg').read_text(encoding='ascii').split()[0]}")
    for setting in ("net/ipv4/tcp_wmem", "net/ipv4/tcp_rmem", "net/core/somaxconn"):
        value = " ".join(Path("/proc/sys", setting).read_text(encoding="ascii").split())
        lines.append(f"{setting.replace('/', '.')}: {value}")
    return lines


def version(command):
    """The first line of what a program says of its version."""
    if not command:
        return ""
    text = said(list(command)).strip()
    return text.splitlines()[0].strip() if text else "says no version"


def commit(root):
    """The commit that was built, and whether it was changed since."""
    number = said(["git", "-C", str(root), "rev-parse", "--short=12", "HEAD"]).strip() or "unknown"
    is_changed = said(["git", "-C", str(root), "status", "--porcelain", "--untracked-files=no"]).strip()
    return number + (" with changes" if is_changed else "")


def said(command):
    """Standard output and error of a command; empty when there is no such command."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout + done.stderr
