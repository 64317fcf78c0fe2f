"""`make bench-ledger`: a ledger of a million records, searched, counted, exported and proved.

On SQLite and on PostgreSQL, over HTTP, by one client. Every search is asked with ever other
values and periods, first pages and later ones; its plans are the database's own. A missed bound
ends with status 1.
"""

import argparse
import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from random import Random
from statistics import median, quantiles
from typing import Any, Final
from urllib.parse import urlencode

from facts import facts, listed
from postgres import embedded
from servers import Server, service
from sqlalchemy import Connection

from aboveboard import clock, installation
from aboveboard.settings import Settings
from consent.log.ledger import Nodes, read_head

sys.path.append(str(Path(__file__).parent.parent / "tests"))
from full_ledger import Visitors, fill
from searches import DAYS, SEARCHES, Asked, plans

RECORDS: Final = 1_000_000
ROUNDS: Final = 100  # times every search is asked
SITE: Final = "bench-example"
BOUND_MS: Final = 100.0  # p95 of a search
PROOFS: Final = 500
SMALL: Final = 10_000  # records; a proof in a log of a million may take twice as long
SMALL_SITE: Final = "small-example"
RESULTS: Final = Path(__file__).parent / "results"


class Auditor:
    """Asks a service over one connection."""

    def __init__(self, server: Server, key: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=600)
        self._headers = {"Authorization": f"Bearer {key}"}

    def get(self, path: str, **query: Any) -> bytes:  # noqa: ANN401
        """Return a whole answer. Raises RuntimeError unless it is a 200."""
        answer = self._ask(path, query)
        content = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path}: expected 200, got {answer.status}: {content[:500]!r}")
        return content

    def stream(self, path: str, **query: Any) -> tuple[int, int]:  # noqa: ANN401
        """Read an answer to its end without keeping it; return its bytes and its lines."""
        answer = self._ask(path, query)
        size = lines = 0
        while part := answer.read(1 << 16):
            size += len(part)
            lines += part.count(b"\n")
        return size, lines

    def _ask(self, path: str, query: dict[str, Any]) -> http.client.HTTPResponse:
        target = f"{path}?{urlencode(query)}"
        try:
            self._connection.request("GET", target, headers=self._headers)
            return self._connection.getresponse()
        except http.client.RemoteDisconnected:  # it was idle for too long
            self._connection.close()
            self._connection.request("GET", target, headers=self._headers)
            return self._connection.getresponse()


def searched(auditor: Auditor, asked: Asked, rounds: int) -> dict[str, float]:
    """Ask for pages of 50, first ones and, half of the times, the one after; time each in ms."""
    random, taken, found = Random(7), [], 0
    for _ in range(rounds):
        query = asked(random)
        for _page in range(random.randint(1, 2)):
            begun = time.perf_counter()
            page = json.loads(auditor.get("/v1/consent/records", **query))
            taken.append(1000 * (time.perf_counter() - begun))
            found += len(page["items"])
            if page["next"] is None:
                break
            query["cursor"] = page["next"]
    return {
        "p50_ms": median(taken),
        "p95_ms": quantiles(taken, n=20)[18],
        "max_ms": max(taken),
        "records_a_page": found / len(taken),
    }


def proved(connection: Connection) -> dict[str, float]:
    """Prove leaves up to the newest checkpoint, of a small log and of the large one; medians."""
    random, taken = Random(9), {}
    for site_id in (SMALL_SITE, SITE):
        head, times = read_head(connection, site_id, 1), []
        for _ in range(PROOFS):
            index = random.randrange(head.frontier.size)
            begun = time.perf_counter()
            Nodes(connection, head).inclusion(index, head.frontier.size)
            times.append(1000 * (time.perf_counter() - begun))
        taken[site_id] = median(times)
    small, large = taken.values()
    return {"proof_small_ms": small, "proof_large_ms": large, "proof_ratio": large / small}


def exported(auditor: Auditor, server: Server) -> dict[str, float]:
    """Export everything over HTTP in either format; what it takes of the server's memory."""
    found: dict[str, float] = {"server_mb_before": _peak_mb(server)}
    for name in ("jsonl", "csv"):
        begun = time.perf_counter()
        size, lines = auditor.stream("/v1/consent/export", format=name)
        found |= {
            f"{name}_s": time.perf_counter() - begun,
            f"{name}_mb": size / 1e6,
            f"{name}_lines": lines,
        }
    return found | {"server_mb_after": _peak_mb(server)}


def exported_by_command(server: Server, folder: Path) -> dict[str, float]:
    """Export everything as Parquet; seconds, size and the peak of the command's memory."""
    out = folder / "records.parquet"
    words = ["consent", "export", "--site", SITE, "--format", "parquet", "--out", str(out)]
    begun = time.perf_counter()
    process = subprocess.Popen(_command(server, *words), stdout=subprocess.DEVNULL)  # noqa: S603 - our own words
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"expected an export, the command ended with {process.returncode}")
    unit = 1024 if sys.platform == "linux" else 1
    return {
        "parquet_s": time.perf_counter() - begun,
        "parquet_mb": out.stat().st_size / 1e6,
        "command_mb": used.ru_maxrss * unit / 1e6,
    }


def _command(server: Server, *words: str) -> list[str]:
    url = server.database_url
    prefix = [] if url is None else ["/usr/bin/env", f"ABOVEBOARD_DATABASE_URL={url}"]
    program = str(Path(sys.executable).with_name("aboveboard"))
    return [*prefix, program, *words, "--data-dir", str(server.data_dir)]


def _peak_mb(server: Server) -> float:
    """Return the most memory that the server's process has ever held, on Linux; else 0."""
    try:
        status = Path(f"/proc/{server.processes['service']}/status").read_text(encoding="utf-8")
    except OSError:
        return 0.0
    (peak,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    return int(peak) * 1024 / 1e6


def measure(server: Server, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Fill a ledger beside a running service, and measure what auditors do with it."""
    made = subprocess.run(  # noqa: S603 - our own words
        _command(server, "key", "create", SITE, "--scopes", "consent:audit", "--json"),
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    auditor = Auditor(server, json.loads(made.stdout)["key"])
    settings = Settings(data_dir=server.data_dir, database_url=server.database_url)
    databases = installation.open_databases(settings)
    keyring = installation.open_keyring(settings)
    begun = time.perf_counter()
    fill(databases.consent, keyring, Visitors(keyring, SITE, options.records, days=DAYS))
    found: dict[str, Any] = {"fill_s": time.perf_counter() - begun, "searches": {}}
    fill(databases.consent, keyring, Visitors(keyring, SMALL_SITE, SMALL, days=DAYS))
    with databases.consent.read() as connection:
        for name, asked in SEARCHES.items():
            found["searches"][name] = searched(auditor, asked, options.rounds) | {
                "plan": plans(connection, SITE, asked(Random(7)))
            }
            print(f"  {name:32} p95 {found['searches'][name]['p95_ms']:7.1f} ms", flush=True)
        found |= proved(connection)
        size = connection.exec_driver_sql(_SIZE[connection.dialect.name]).scalar_one()
        found["bytes_a_record"] = size / (options.records + SMALL)
    for name in ("day", "month"):
        begun = time.perf_counter()
        auditor.get("/v1/consent/statistics", by=name)
        found[f"statistics_{name}_s"] = time.perf_counter() - begun
    found |= exported(auditor, server)
    found |= exported_by_command(server, folder)
    databases.close()
    return found


_SIZE = {
    "sqlite": "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
    "postgresql": "SELECT sum(pg_total_relation_size(oid))::bigint FROM pg_class "
    "WHERE relkind = 'r' AND relnamespace = 'consent'::regnamespace",
}


def main() -> int:
    """Measure on both engines, write the results, return the exit status."""
    options = _options()
    found: dict[str, Any] = {}
    with (
        tempfile.TemporaryDirectory(prefix="aboveboard-bench-", dir=options.dir) as name,
        ExitStack() as stack,
    ):
        folder = Path(name)
        for engine in options.only:
            print(engine, flush=True)
            postgres = stack.enter_context(embedded()) if engine == "postgresql" else None
            server = stack.enter_context(service(folder / engine, postgres=postgres))
            found[engine] = measure(server, folder / engine, options)
    told = facts(records=f"{options.records:,}", rounds=options.rounds)
    text = page(told, found)
    print(text)
    if not options.quick:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "ledger.md").write_text(text, encoding="utf-8")
        raw = json.dumps(told | found, indent=1)
        path = RESULTS / f"{clock.now():%Y-%m-%d}-ledger.json"
        path.write_text(raw + "\n", encoding="utf-8")
    return 0 if all(_reached(one) for one in found.values()) else 1


def page(told: dict[str, Any], found: dict[str, dict[str, Any]]) -> str:
    """Return what people read."""
    lines = [
        "# The ledger at size",
        "",
        "Written by `make bench-ledger`: one client, over HTTP, pages of 50, first and later ones.",
        "Absolute figures move with the machine and its neighbours.",
        "",
        *listed(told),
        "",
    ]
    for engine, one in found.items():
        lines += [
            f"## {engine}",
            "",
            f"| search, p95 ≤ {BOUND_MS:g} ms | p50 ms | p95 ms | max ms | records a page | |",
            "|---|--:|--:|--:|--:|---|",
        ]
        lines += [
            f"| {name} | {each['p50_ms']:.1f} | {each['p95_ms']:.1f} | {each['max_ms']:.1f} "
            f"| {each['records_a_page']:.1f} | {_mark(each['p95_ms'] <= BOUND_MS)} |"
            for name, each in one["searches"].items()
        ]
        lines += ["", "| | |", "|---|--:|"]
        lines += [
            f"| {name} | {value:,.2f} |"
            for name, value in one.items()
            if isinstance(value, int | float)
        ]
        lines += ["", "Plans, each kind of statement once:", "", "```"]
        plan = {line for each in one["searches"].values() for line in each["plan"]}
        lines += [*sorted(plan), "```", ""]
    return "\n".join(lines)


def _reached(found: dict[str, Any]) -> bool:
    return (
        all(told["p95_ms"] <= BOUND_MS for told in found["searches"].values())
        and found["proof_ratio"] <= 2
    )


def _mark(reached: bool) -> str:  # noqa: FBT001
    return "pass" if reached else "MISS"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--records", type=int, default=RECORDS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--quick", action="store_true", help="20,000 records, not written down")
    parser.add_argument(
        "--only",
        type=lambda words: words.split(","),
        default=["sqlite", "postgresql"],
        help="engines, with a comma",
    )
    parser.add_argument("--dir", help="where SQLite puts its data; PostgreSQL's lies in /tmp")
    options = parser.parse_args()
    if options.quick:
        options.records, options.rounds = 20_000, 20
    return options


if __name__ == "__main__":
    sys.exit(main())
