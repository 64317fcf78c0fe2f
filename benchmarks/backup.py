"""`make bench-backup`: a ledger of a million records backed up, verified and put back.

On SQLite and on PostgreSQL, each step a command of its own. A missed bound ends with status 1.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from facts import facts, listed
from postgres import embedded

from aboveboard import installation
from aboveboard.installation import Databases
from aboveboard.settings import Settings

sys.path.append(str(Path(__file__).parent.parent / "tests"))
from embedded_postgres import programs
from full_ledger import Visitors, fill

RECORDS: Final = 1_000_000
SITE: Final = "bench-example"
BOUND_S: Final = 60.0  # for putting a million records back
RESULTS: Final = Path(__file__).parent / "results"


def measure(folder: Path, url: str | None, records: int) -> dict[str, float]:
    """Fill a ledger, back it up, verify that, and put it back where only the keys are."""
    here, there, file = folder / "here", folder / "there", folder / "backup.zip"
    settings = Settings(data_dir=here, database_url=url)
    databases = installation.open_databases(settings)
    databases.migrate()
    installation.open_accounts(settings, databases)
    keyring = installation.open_keyring(settings)
    fill(databases.consent, keyring, Visitors(keyring, SITE, records))
    before = _entries(databases)
    databases.close()
    there.mkdir()
    shutil.copytree(here / "keys", there / "keys")
    replace = [] if url is None else ["--replace"]
    found = {
        "backup_s": _run(url, "backup", str(file), "--data-dir", str(here)),
        "backup_mb": file.stat().st_size / 1e6,
        "verify_s": _run(url, "backup", "--verify", str(file)),
        "restore_s": _run(url, "restore", str(file), "--data-dir", str(there), *replace),
    }
    databases = installation.open_databases(Settings(data_dir=there, database_url=url))
    after = _entries(databases)
    databases.close()
    # Elsewhere the log has gone on by the entry that begins its new epoch.
    if after != before + (url is None):
        raise RuntimeError(f"expected the {before} entries after the restore, got {after}")
    return found


def _entries(databases: Databases) -> int:
    with databases.consent.read() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM entry").scalar_one())


def _run(url: str | None, *words: str) -> float:
    """Run a command; returns its seconds."""
    settings = [f"ABOVEBOARD_DATABASE_URL={url}", f"ABOVEBOARD_POSTGRES_BIN={programs()}"]
    prefix = [] if url is None else ["/usr/bin/env", *settings]
    program = str(Path(sys.executable).with_name("aboveboard"))
    begun = time.perf_counter()
    subprocess.run([*prefix, program, *words], check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own words
    return time.perf_counter() - begun


def page(told: dict[str, Any], found: dict[str, dict[str, float]]) -> str:
    """Return what people read."""
    lines = [
        "# Backup at size",
        "",
        "Written by `make bench-backup`: each step a command, its start-up among its seconds.",
        "Absolute figures move with the machine and its neighbours.",
        "",
        *listed(told),
        "",
        f"| engine | backup s | MB | verify s | restore s, ≤ {BOUND_S:g} | |",
        "|---|--:|--:|--:|--:|---|",
    ]
    lines += [
        f"| {engine} | {one['backup_s']:.1f} | {one['backup_mb']:,.0f} | {one['verify_s']:.1f} "
        f"| {one['restore_s']:.1f} | {'pass' if one['restore_s'] <= BOUND_S else 'MISS'} |"
        for engine, one in found.items()
    ]
    return "\n".join([*lines, ""])


def main() -> int:
    """Measure on both engines, write the results, return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--records", type=int, default=RECORDS)
    parser.add_argument("--quick", action="store_true", help="20,000 records, not written down")
    parser.add_argument("--dir", help="where data goes; PostgreSQL's lies in /tmp")
    options = parser.parse_args()
    records = 20_000 if options.quick else options.records
    found: dict[str, dict[str, float]] = {}
    for engine in ("sqlite", "postgresql"):
        with (
            tempfile.TemporaryDirectory(prefix="aboveboard-bench-", dir=options.dir) as name,
            ExitStack() as stack,
        ):
            url = stack.enter_context(embedded())[0] if engine == "postgresql" else None
            found[engine] = measure(Path(name), url, records)
    text = page(facts(records=f"{records:,}"), found)
    print(text)
    if not options.quick:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "backup.md").write_text(text, encoding="utf-8")
    return 0 if all(one["restore_s"] <= BOUND_S for one in found.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
