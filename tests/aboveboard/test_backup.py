"""A backup as a file: what it may hold."""

from hashlib import sha256
from pathlib import Path
from zipfile import ZipFile

import pytest

from aboveboard import backup
from aboveboard.backup import Engine, FilePart, Manifest
from aboveboard.errors import BackupInvalid


@pytest.mark.parametrize("name", ["../moderation.sqlite3", "/tmp/moderation.sqlite3", "a/b"])  # noqa: S108
def test_no_file_is_written_elsewhere(tmp_path: Path, name: str) -> None:
    """Whatever its own manifest says: each file has a name alone, no place."""
    part = FilePart(name=name, bytes=1, sha256=sha256(b"x").hexdigest())
    manifest = Manifest(
        made="2026-01-02T03:04:05Z",
        made_by="somebody",
        engine=Engine.SQLITE,
        revisions={},
        keys={},
        logs=(),
        files=(part,),
    )
    path = tmp_path / "backup"
    with ZipFile(path, "w") as archive:
        archive.writestr(name, b"x")
        archive.writestr(backup.MANIFEST, manifest.model_dump_json())

    with pytest.raises(BackupInvalid, match="files of the manifest"), backup.opened(path):
        pass
