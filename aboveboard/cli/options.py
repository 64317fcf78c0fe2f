"""Options that several commands share, and how settings are read from them."""

import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from errno import EBADF
from io import BytesIO
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer

DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", help="Where databases and keys live.", show_default="data"),
]
INTEGER_LIMIT = 2**31 - 1  # what a column of integers holds, on either engine
Site = Annotated[str, typer.Option(help="The site id.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


def read_settings(**arguments: Any) -> Any:  # noqa: ANN401 - Settings, imported late
    """Read the settings with a command's options on top."""
    from aboveboard import settings

    return settings.load(**arguments)


@contextmanager
def open_accounts(data_dir: Path | None, *, make: bool = False) -> Iterator[Any]:
    """Lend the sites and keys of an installation: `Accounts`, imported late.

    Only a command that says *make* begins a new installation.
    """
    from aboveboard import installation

    with open_databases(data_dir, make=make) as (settings, databases):
        yield installation.open_accounts(settings, databases)


@contextmanager
def open_databases(
    data_dir: Path | None, *, make: bool = False, as_is: bool = False
) -> Iterator[tuple[Any, Any]]:
    """Lend the settings and the migrated databases of an installation, imported late.

    To all commands that do not *make* one, a data directory that is not there is a mistyped one.
    A command that changes nothing takes them *as_is*, or not at all. Raises KeysChanged where a key
    is not the one that they were made with: whoever reads the keys would make one that is gone.
    """
    from aboveboard import arrivals, installation
    from aboveboard.errors import DataDirUnusable

    settings = read_settings(data_dir=data_dir)
    if not make and not settings.data_dir.exists():
        raise DataDirUnusable(f"expected a data directory at {settings.data_dir}, there is none")
    databases = installation.open_databases(settings)
    try:
        if as_is:
            _check_revisions(databases)
        else:
            databases.migrate()
        installation.open_accounts(settings, databases)
        if not as_is and arrivals.are_new(settings.data_dir):
            from aboveboard import restoring

            # A restore was cut off; nothing may be written before its logs were looked at.
            restoring.resume(settings, databases)
        yield settings, databases
    finally:
        databases.close()


@contextmanager
def open_site(
    site_id: str, data_dir: Path | None, *, as_is: bool = False
) -> Iterator[tuple[Any, Any]]:
    """Lend what `open_databases` does of an installation that has this site.

    Raises SiteNotFound, and as `open_databases` does.
    """
    import asyncio

    from aboveboard import installation

    with open_databases(data_dir, as_is=as_is) as (settings, databases):
        asyncio.run(installation.open_accounts(settings, databases).get_site(site_id))
        yield settings, databases


def _check_revisions(databases: Any) -> None:  # noqa: ANN401 - Databases, imported late
    from aboveboard.errors import DataDirUnusable

    for database in databases:
        found, expected = database.revision()
        if found != expected:
            if found is not None:
                database.check_known(found)
            raise DataDirUnusable(
                f"{database.name}: expected tables at revision {expected}, got {found}; "
                "run aboveboard migrate first"
            )


def standard_input() -> BinaryIO:
    """Return what is piped in: nothing where that was closed before we came, as by `<&-`."""
    return BytesIO() if sys.stdin is None else sys.stdin.buffer


def read_line() -> str:
    """Read a line of standard input as UTF-8, whatever the locale says; other bytes stay as such.

    Those become surrogates, which are no name of anybody.
    """
    return standard_input().readline().decode(errors="surrogateescape").rstrip("\r\n")


def split_words(given: Sequence[str] | None) -> list[str] | None:
    """Read an option of several words, given at once with commas or time and again; or not."""
    if not given:
        return None
    return [word.strip() for each in given for word in each.split(",") if word.strip()]


@contextmanager
def counting(what: str) -> Iterator[Callable[[int], None]]:
    """Show on the terminal, if one is looking, how many were done; what is yielded takes that."""
    if not sys.stderr.isatty():
        yield lambda _done: None
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    with Progress(
        SpinnerColumn(),
        TextColumn("{task.completed:,} " + what),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done: progress.update(task, completed=done)


@contextmanager
def drafted(out: Path) -> Iterator[BinaryIO]:
    """Lend a file that gets its name only once it is whole; private from its first byte.

    Raises DataDirUnusable where it cannot be written, or is there already.
    """
    import tempfile

    from aboveboard.errors import DataDirUnusable

    if out.name == "-":
        raise DataDirUnusable("expected the name of a file to write, got - for standard output")
    try:
        if out.exists():
            raise FileExistsError("it is there already")
        handle, draft = tempfile.mkstemp(prefix=f".{out.name}.", dir=out.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                yield file
            Path(draft).rename(out)
        finally:
            Path(draft).unlink(missing_ok=True)
    except OSError as error:
        raise DataDirUnusable(f"expected to write {out}, got: {error}") from error


def say(text: str) -> None:
    """Print a line on standard output, at once: a log must not miss a key shown only here."""
    print(text, flush=True)  # noqa: T201


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Put off SIGTERM and Ctrl-C: a key that is made and not shown is lost."""
    came: list[int] = []
    # Not by a mask, which is of one thread: libraries have threads that would take the signal.
    before = {
        each: signal.signal(each, lambda number, _: came.append(number))
        for each in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
        if came:
            signal.raise_signal(came[0])


def showing_a_key_of(site_id: str) -> AbstractContextManager[None]:
    """Say what to do where a key that is shown only here cannot be. Raises KeyNotShown."""
    return showing(f"key of {site_id}", again=f"aboveboard key create {site_id}")


@contextmanager
def showing(what: str, *, again: str) -> Iterator[None]:
    """Say which command makes another where a secret that is shown only here cannot be.

    Raises KeyNotShown.
    """
    from aboveboard.errors import KeyNotShown

    try:
        _check_output()
        yield
    except OSError as error:
        raise KeyNotShown(
            f"expected to show the new {what}, got: {error.strerror}; {again} makes another"
        ) from error


def _check_output() -> None:
    """Raise OSError where standard output was closed before we came, as by `>&-`."""
    if sys.stdout is None:  # printing would do nothing, without a word
        raise OSError(EBADF, os.strerror(EBADF))


def say_json(content: Any) -> None:  # noqa: ANN401
    """Print one line of JSON."""
    import json

    say(json.dumps(content, ensure_ascii=False))
