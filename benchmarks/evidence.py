"""An evidence bundle of many records, filled, written, verified and checked by the real parts.

    python benchmarks/evidence.py [--records N]

Each step runs in a process of its own, so that its peak memory is its own. Verifying is one
process: it needs one of the cores. The log is filled through the use case of a choice that comes
in and the service's own writer, two records a visitor: asked, then answered.
"""

import argparse
import asyncio
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

from aboveboard import app, clock
from aboveboard.randomness import Randomness
from aboveboard.settings import Settings
from aboveboard.writer import Writer
from consent.choices.choice import Basis, Decision, EventType, Method, Origin, SubjectKind
from consent.choices.claim import Choice
from consent.choices.notice import Controller, Notice, Purpose
from consent.proofs import evidence
from consent.recording.publishing import Publishing
from consent.recording.recording import Recording

RECORDS = 1_000_000
AT_ONCE = 512  # records that wait for one commit
SITE = "shop-example"
KIB = 1024 if sys.platform == "linux" else 1  # what ru_maxrss counts in
PURPOSES = tuple(
    Purpose(id=name, name=name.title(), description=f"For {name}", basis=Basis.CONSENT)
    for name in ("ads", "statistics", "personalisation")
)
NOTICE = Notice("main", "en", "May we?", Controller("Shop Ltd"), PURPOSES)


def fill(folder: Path, records: int) -> None:
    """Record choices of visitors, as many at once as one commit takes."""
    asyncio.run(_fill(folder, records))


async def _fill(folder: Path, records: int) -> None:
    settings = Settings(data_dir=folder)
    databases = app.open_databases(settings)
    databases.migrate()
    app.open_accounts(settings, databases)
    random = Randomness()
    keyring = app.open_keyring(settings, random)
    writer = Writer(databases.consent, limit=4 * AT_ONCE)
    writer.start()
    publishing = Publishing(
        keyring=keyring, writing=writer, reading=databases.consent, clock=clock.now
    )
    recording = Recording(keyring=keyring, writing=writer, clock=clock.now, ids=clock.uuid7(random))
    await publishing.publish(SITE, "shop.example", NOTICE)

    async def visit(number: int) -> None:
        for kind in (EventType.REQUESTED, EventType.GIVEN):
            await recording.record(SITE, _choice(kind, number), key=f"{kind}-{number}", body=b"")

    visitors = iter(range(records // 2))
    while some := list(islice(visitors, AT_ONCE)):
        await asyncio.gather(*map(visit, some))
    await writer.stop()
    databases.close()


def _choice(kind: EventType, number: int) -> Choice:
    asked = kind is EventType.REQUESTED
    return Choice(
        SubjectKind.DEVICE,
        f"device-{number}",
        kind,
        Method.API if asked else Method.SAVE,
        Origin.BANNER,
        () if asked else tuple((purpose.id, Decision.GIVEN) for purpose in PURPOSES),
        notice_id="main",
        notice_version=1,
        language="en",
    )


def bundle(folder: Path, _records: int) -> None:
    """Write the bundle."""
    settings = Settings(data_dir=folder)
    databases = app.open_databases(settings)
    with (folder / "bundle.zip").open("wb") as file:
        for part in app.open_bundling(settings, databases).bundle(SITE):
            file.write(part)
    databases.close()


def verify(folder: Path, records: int) -> None:
    """Verify it, by the key that it brings along."""
    with (folder / "bundle.zip").open("rb") as file:
        verified = evidence.verify(file)
    if verified.logs[0].opened != records:
        raise ValueError(f"expected {records} records, got {verified.logs[0].opened}")


def fsck(folder: Path, records: int) -> None:
    """Check the database that it was made from."""
    settings = Settings(data_dir=folder)
    databases = app.open_databases(settings)
    found = app.open_examining(settings, databases).examine(SITE, [], lambda _: None)
    if found.records != records:
        raise ValueError(f"expected {records} records, got {found.records}")
    databases.close()


def _measured(step: Callable[[Path, int], None], folder: Path, records: int) -> tuple[float, int]:
    begun = time.perf_counter()
    step(folder, records)
    taken = time.perf_counter() - begun
    return taken, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIB


def measure(records: int) -> dict[str, float]:
    """Return for each step seconds, records a second and the peak of memory."""
    found: dict[str, float] = {"records": records, "cores": os.cpu_count() or 1}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for step in (fill, bundle, verify, fsck):
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
                seconds, peak = alone.submit(_measured, step, folder, records).result()
            found |= {
                f"{step.__name__}_s": round(seconds, 2),
                f"{step.__name__}_records_per_s": round(records / seconds),
                f"{step.__name__}_peak_rss_mb": round(peak / 1e6, 1),
            }
        found["bundle_mb"] = round((folder / "bundle.zip").stat().st_size / 1e6, 1)
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=RECORDS)
    for figure, value in measure(parser.parse_args().records // 2 * 2).items():
        print(f"{figure:24} {value:14,.1f}")
