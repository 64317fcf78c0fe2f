"""Part of `make bench-ledger`: an evidence bundle of a million records, written and verified.

Each step runs in a process of its own, so that its peak memory is its own. Verifying is one
process: it needs one of the cores.
"""

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from facts import facts, listed

from aboveboard import consenting, installation
from aboveboard.settings import Settings
from consent.proofs import evidence

sys.path.append(str(Path(__file__).parent.parent / "tests"))
from full_ledger import Visitors, fill

RECORDS = 1_000_000
BOUND_S = 60.0  # for verifying
RESULTS = Path(__file__).parent / "results"
SITE = "shop-example"
KIB = 1024 if sys.platform == "linux" else 1  # what ru_maxrss counts in


def filled(folder: Path, records: int) -> None:
    """Fill a ledger."""
    settings = Settings(data_dir=folder)
    databases = installation.open_databases(settings)
    databases.migrate()
    installation.open_accounts(settings, databases)
    keyring = installation.open_keyring(settings)
    fill(databases.consent, keyring, Visitors(keyring, SITE, records))
    databases.close()


def bundle(folder: Path, _records: int) -> None:
    """Write the bundle."""
    settings = Settings(data_dir=folder)
    databases = installation.open_databases(settings)
    with (folder / "bundle.zip").open("wb") as file:
        for part in consenting.open_bundling(settings, databases).bundle(SITE):
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
    databases = installation.open_databases(settings)
    found = consenting.open_examining(settings, databases).examine(SITE, [], lambda _: None)
    if found.records != records:
        raise ValueError(f"expected {records} records, got {found.records}")
    databases.close()


def _measured(step: Callable[[Path, int], None], folder: Path, records: int) -> tuple[float, int]:
    begun = time.perf_counter()
    step(folder, records)
    taken = time.perf_counter() - begun
    return taken, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIB


def measure(records: int) -> dict[str, dict[str, float]]:
    """Return for each step seconds, records a second and the peak of memory."""
    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory(prefix="aboveboard-bench-") as name:
        folder = Path(name)
        for step in (filled, bundle, verify, fsck):
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
                seconds, peak = alone.submit(_measured, step, folder, records).result()
            found[step.__name__] = {
                "s": seconds,
                "records_per_s": records / seconds,
                "peak_rss_mb": peak / 1e6,
            }
        found["bundle"]["mb"] = (folder / "bundle.zip").stat().st_size / 1e6
    return found


def page(told: dict[str, Any], found: dict[str, dict[str, float]]) -> str:
    """Return what people read."""
    lines = [
        "# An evidence bundle at size",
        "",
        "Written by `make bench-ledger`, on SQLite: each step a process of its own.",
        "Absolute figures move with the machine and its neighbours.",
        "",
        *listed(told),
        f"- bundle: {found['bundle']['mb']:,.0f} MB",
        "",
        "| step | s | records a second | peak memory MB | |",
        "|---|--:|--:|--:|---|",
    ]
    lines += [
        f"| {name} | {one['s']:.1f} | {one['records_per_s']:,.0f} | {one['peak_rss_mb']:.0f} "
        f"| {_mark(one['s']) if name == 'verify' else ''} |"
        for name, one in found.items()
    ]
    return "\n".join([*lines, ""])


def _mark(seconds: float) -> str:
    return f"≤ {BOUND_S:g} s: {'pass' if seconds <= BOUND_S else 'MISS'}"


def main() -> int:
    """Measure, write the results, return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--records", type=int, default=RECORDS)
    parser.add_argument("--quick", action="store_true", help="20,000 records, not written down")
    options = parser.parse_args()
    records = 20_000 if options.quick else options.records // 2 * 2
    found = measure(records)
    text = page(facts(records=f"{records:,}"), found)
    print(text)
    if not options.quick:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "evidence.md").write_text(text, encoding="utf-8")
    return 0 if found["verify"]["s"] <= BOUND_S else 1


if __name__ == "__main__":
    sys.exit(main())
