"""Options that several commands share, and how settings are read from them."""

from pathlib import Path
from typing import Annotated, Any

import typer

DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", help="Where databases and keys live.", show_default="data"),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


def read_settings(**arguments: Any) -> Any:  # noqa: ANN401 - Settings, imported late
    """Read the settings with a command's options on top."""
    from aboveboard import settings

    return settings.load(**arguments)


def say(text: str) -> None:
    """Print a line on standard output, at once: a log must not miss a key shown only here."""
    print(text, flush=True)  # noqa: T201


def say_json(content: Any) -> None:  # noqa: ANN401
    """Print one line of JSON."""
    import json

    print(json.dumps(content, ensure_ascii=False))  # noqa: T201
