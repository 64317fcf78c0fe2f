"""What processes cost: the CPU of a process and its descendants, on Linux and macOS."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

_TICKS_PER_SECOND: Final = os.sysconf("SC_CLK_TCK")


def tree_cpu_seconds(root: int) -> float:
    """Return the CPU seconds, user and system, of *root*, its threads and its descendants.

    Counts 1/100 s on Linux and macOS alike; a descendant that ended and was waited for counts on
    Linux only.
    """
    table = _linux() if sys.platform == "linux" else _elsewhere()
    children: dict[int, list[int]] = {}
    for pid, (parent, _) in table.items():
        children.setdefault(parent, []).append(pid)
    total, todo = 0.0, [root]
    while todo:
        pid = todo.pop()
        todo += children.get(pid, [])
        total += table[pid][1] if pid in table else 0.0
    return total


def _linux() -> dict[int, tuple[int, float]]:
    """Map each process to its parent and its CPU seconds, from `/proc` (proc_pid_stat(5))."""
    table = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                stat = (entry / "stat").read_text()
            except OSError:  # it ended meanwhile
                continue
            # The name, in parentheses, may hold blanks and parentheses of its own.
            fields = stat[stat.rindex(")") + 2 :].split()
            ticks = sum(int(value) for value in fields[11:15])
            table[int(entry.name)] = int(fields[1]), ticks / _TICKS_PER_SECOND
    return table


def _elsewhere() -> dict[int, tuple[int, float]]:
    """Map each process to its parent and its CPU seconds, as `ps` tells them."""
    command = ["/bin/ps", "-A", "-o", "pid=,ppid=,time="]
    listing = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - fixed words
    table = {}
    for line in listing.stdout.splitlines():
        pid, parent, spent = line.split()
        seconds = 0.0
        for part in spent.replace("-", ":").split(":"):
            seconds = seconds * 60 + float(part)
        table[int(pid)] = int(parent), seconds
    return table
