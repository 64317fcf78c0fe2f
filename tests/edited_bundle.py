"""Evidence bundles taken apart and put together again, as whoever tampers with one would."""

import io
import zipfile
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from consent.proofs.archive import ArchiveWriter, Manifest

Content = dict[str, bytes]


def unzipped(zipped: bytes) -> Content:
    """Return every file of a zip, in its order."""
    with zipfile.ZipFile(io.BytesIO(zipped)) as file:
        return {member.filename: file.read(member) for member in file.infolist()}


def rezipped(content: Content, **how: Any) -> bytes:  # noqa: ANN401
    """Zip files as they are: nothing of the manifest is made anew."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        for name, told in content.items():
            file.writestr(name, told, **how)
    return out.getvalue()


def remade(
    manifest: Manifest,
    content: Content,
    sign: Callable[[str], str] = str,
    **told: Any,  # noqa: ANN401
) -> bytes:
    """Zip files with a manifest that fits them; *told* are members of it, `log` of every log."""
    change = told.pop("log", {})
    logs = tuple(
        replace(
            log,
            **{
                "records": len(content[f"logs/{log.epoch}/records.jsonl"].splitlines()),
                **change,
            },
        )
        for log in manifest.logs
    )
    out = io.BytesIO()
    writer = ArchiveWriter(out)
    for name, file in content.items():
        if name not in {"manifest.json", "seal"}:
            writer.add(name, file)
    writer.close(replace(manifest, **{"logs": logs, **told}), sign)
    return out.getvalue()


def lines(content: bytes) -> list[bytes]:
    """Cut a file into lines that keep their ends."""
    return content.splitlines(keepends=True)


def edited(content: Content, name: str, edit: Callable[[list[bytes]], list[bytes]]) -> Content:
    """Edit the lines of a file."""
    return {**content, name: b"".join(edit(lines(content[name])))}
