"""The shipped bundle under another name: a bundle of one's own, for whoever needs a second."""

from pathlib import Path

from moderation.model import bundle
from moderation.verdict import LABELS


def renamed(folder: Path, name: str, *, hold: float | None = None) -> Path:
    """Write it to *folder*; *hold* takes the place of every label's threshold for holding."""
    found = bundle.shipped()
    labels = dict(found.manifest["labels"])
    if hold is not None:
        for label in LABELS:
            thresholds = {**labels[label]["thresholds"], "hold": hold}
            labels[label] = {**labels[label], "thresholds": thresholds}
    manifest = {**found.manifest, "name": name, "labels": labels}
    bundle.save(folder, scorer=found.scorer, seen=found.seen, manifest=manifest)
    return folder
