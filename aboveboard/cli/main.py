"""`aboveboard`: everything an operator does, as one command."""

import os
import signal
import sys
from io import TextIOWrapper
from typing import Annotated

import typer

from aboveboard.cli import authors, backup, keys, learn, operate, policies, score, sites, webhooks
from aboveboard.cli.consent import group as consent

app = typer.Typer(
    name="aboveboard",
    help="Comment moderation and provable consent behind one small service.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("serve")(operate.serve)
app.command("score")(score.score)
app.command("train")(learn.train)
app.command("evaluate")(learn.evaluate)
app.command("thresholds")(learn.thresholds)
app.add_typer(learn.model, name="model")
app.add_typer(sites.app, name="site")
app.add_typer(keys.app, name="key")
app.add_typer(policies.app, name="policy")
app.add_typer(authors.app, name="author")
app.add_typer(webhooks.app, name="webhook")
app.add_typer(consent.app, name="consent")
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
app.command("migrate")(operate.migrate)
app.command("doctor")(operate.doctor)
app.add_typer(operate.config, name="config")


def _version(value: bool) -> None:  # noqa: FBT001 - typer's callback
    if value:
        from importlib.metadata import version

        print(version("aboveboard"))  # noqa: T201
        raise typer.Exit


@app.callback()
def _main(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Read the options that stand before every command."""


def run() -> None:
    """Run the command; what goes wrong is told in one readable line."""
    # Ended early, as by a timer, a command takes its drafts away, which nobody else would.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    # Whatever the locale says: what is printed, a checkpoint too, is UTF-8; names of files that
    # are no text are printed byte for byte.
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape")
    try:
        app()
    except Exception as error:
        from aboveboard.errors import AboveboardError
        from consent.errors import ConsentError
        from moderation.errors import ModerationError

        # A full disk behind standard output, or a name too long, is no fault of this program.
        known = AboveboardError | ConsentError | ModerationError | OSError
        if not isinstance(error, known):
            raise
        # A driver's words may have line breaks of their own.
        print(f"aboveboard: {' '.join(str(error).split())}", file=sys.stderr)  # noqa: T201
        _let_go_of_output()
        sys.exit(1)


def _let_go_of_output() -> None:
    """Write what is still to be written; where it cannot be, it must not fail again at the end."""
    if sys.stdout is None:  # It was closed before we came, as by `>&-`.
        return
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
