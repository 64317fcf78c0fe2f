"""What a result is of: when, which code, which machine."""

import os
import platform
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

from aboveboard import clock

HOME = Path(__file__).parent


def facts(**measured: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return what every page of results begins with; *measured* is what was asked for."""
    return {
        "date": f"{clock.now():%Y-%m-%d %H:%M} UTC",
        "commit": commit(),
        **measured,
        "cores": os.cpu_count(),
        "machine": f"{platform.system()} {platform.release()} {platform.machine()}",
        "Python": platform.python_version(),
        "SQLite": sqlite3.sqlite_version,
    }


def commit() -> str:
    """Return the commit, and whether the code differs from it; `none` outside a repository."""
    short = _git("rev-parse", "--short", "HEAD")
    dirty = " with uncommitted changes" if _git("status", "--porcelain") else ""
    return short + dirty if short else "none"


def listed(told: dict[str, Any]) -> list[str]:
    """Return facts as lines of a list."""
    return [f"- {name}: {value}" for name, value in told.items()]


def _git(*words: str) -> str:
    said = subprocess.run(  # noqa: S603 - fixed words
        ["/usr/bin/env", "git", *words], cwd=HOME, capture_output=True, text=True, check=False
    )
    return said.stdout.strip() if said.returncode == 0 else ""
