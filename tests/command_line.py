"""The command as a stranger calls it: in a process of its own, to its end."""

import json
import subprocess
from pathlib import Path
from typing import Any

from conftest import COMMAND, PATIENCE_S

Done = subprocess.CompletedProcess[bytes]


def run(
    environment: dict[str, str], *arguments: str | Path, given: bytes = b"", **more: str
) -> Done:
    """Run the command, whatever comes of it; *more* are variables of its environment."""
    return subprocess.run(  # noqa: S603
        [*COMMAND, *map(str, arguments)],
        env={**environment, **more},
        input=given,
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )


def told(done: Done) -> Any:  # noqa: ANN401
    """Return the JSON that a command printed."""
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def error_line(done: Done) -> str:
    """Return the one line in which a command says what went wrong."""
    assert done.returncode == 1, done.stdout.decode() + done.stderr.decode()
    lines = done.stderr.decode().splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("aboveboard: ")
    return lines[0]
