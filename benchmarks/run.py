"""`make bench`: measure everything side by side, judge it, and write the results down.

Starts a bare echo and the service on SQLite and on PostgreSQL, sends each route its load with 1,
16 and 64 connections, one after the other in an order that turns with every round, and checks
afterwards that nothing acknowledged is missing. Ends with status 1 when a floor was missed.
"""

import argparse
import importlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import psycopg
from audit import Acknowledged, audit
from disk import fsync_p50_ms, grouped_over_single
from facts import facts
from load import DRAIN_S, Result, Spec
from postgres import embedded
from report import (
    JUDGED_AT,
    MEASUREMENTS,
    SHORT,
    Measurement,
    beside_native,
    figures,
    page,
    rows,
)
from rich.console import Console
from rich.markdown import Markdown
from servers import Server, echo, service
from traffic import DIALECTS, NOTICE_ID, PURPOSE, SEED_CONNECTIONS, SEED_RUN, SEED_SUBJECTS, Route

from aboveboard import clock

CONNECTIONS: Final = (1, 16, 64)
HOME: Final = Path(__file__).parent
SERVICE: Final = (
    Route.SCORE,
    Route.COMMENT,
    Route.TOLD,
    *DIALECTS,
    Route.CONSENT,
    Route.STANDING,
)
SEED_S: Final = 60.0


@dataclass(slots=True)
class Bench:
    """One run of the benchmark: its servers, what they acknowledged, what was measured."""

    options: argparse.Namespace
    servers: dict[str, Server] = field(default_factory=dict)
    notice_version: dict[str, int] = field(default_factory=dict)
    acknowledged: dict[str, Acknowledged] = field(default_factory=dict)
    measurements: list[Measurement] = field(default_factory=list)

    def start(self, stack: ExitStack, folder: Path) -> None:
        """Start all servers and give the consent half a notice and subjects with a standing."""
        self.servers["echo"] = stack.enter_context(echo(folder))
        self.servers["frame"] = stack.enter_context(echo(folder, framed=True))
        self.servers["sqlite"] = stack.enter_context(service(folder / "sqlite"))
        postgres = stack.enter_context(embedded())
        self.servers["postgresql"] = stack.enter_context(
            service(folder / "postgresql", postgres=postgres)
        )
        for group in ("sqlite", "postgresql"):
            self.acknowledged[group] = Acknowledged()
            if {Route.CONSENT, Route.STANDING} & set(self.options.only):
                made = self.servers[group].call("POST", "/v1/consent/notices", _notice())
                self.notice_version[group] = made["version"]
                self._send(group, Route.CONSENT, SEED_CONNECTIONS, SEED_RUN, 2 * SEED_SUBJECTS)

    def measure(self) -> None:
        """Run every round; each group meets the echo at its own place in it."""
        for number in range(self.options.rounds):
            for connections in CONNECTIONS:
                for group, route in self._order(number, connections):
                    # Of the route, too: a name that another has sent would be a mere repeat.
                    run = f"{SHORT[route]}{number:02d}n{connections:02d}"
                    result = self._send(group, route, connections, run)
                    self.measurements.append(Measurement(number, group, route, connections, result))
                    print(
                        f"round {number + 1}/{self.options.rounds}  {connections:2d} connections  "
                        f"{group:10}  {route.name.lower():8}  {result.rate:8,.0f} requests/s",
                        flush=True,
                    )

    def _order(self, number: int, connections: int) -> Iterator[tuple[str, Route]]:
        wanted = [route for route in SERVICE if route in self.options.only]
        groups = {"sqlite": wanted, "postgresql": wanted}
        if connections == JUDGED_AT:
            groups["frame"] = [Route.FRAMED]
        for group in _turned(list(groups), number):
            for route in _turned([Route.ECHO, *groups[group]], number):
                yield group, route

    def _send(
        self, group: str, route: Route, connections: int, run: str, count: int | None = None
    ) -> Result:
        """Let the generator, a process of its own, send one route's load."""
        server = self.servers["echo" if route is Route.ECHO else group]
        spec = Spec(
            route=route,
            port=server.port,
            connections=connections,
            run=run,
            seconds=self.options.seconds if count is None else SEED_S,
            count=count,
            key=server.key,
            notice_version=self.notice_version.get(group, 1),
            processes=server.processes,
        )
        generator = subprocess.run(  # noqa: S603 - our own words
            [sys.executable, str(HOME / "load.py")],
            input=json.dumps(asdict(spec)),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=spec.seconds + DRAIN_S + SEED_S,
        )
        told = json.loads(generator.stdout)
        told["refused"] = [(connection, request) for connection, request in told["refused"]]
        result = Result(**told)
        if result.first_problem:
            print(f"{group} {route}: {result.statuses}\n{result.first_problem}", file=sys.stderr)
        if group in self.acknowledged:
            self.acknowledged[group].add(spec, result)
        return result

    def audit(self) -> dict[str, dict[str, int]]:
        """Look for what was acknowledged, in the databases."""
        return {
            group: audit(self.servers[group], said) for group, said in self.acknowledged.items()
        }


def main() -> int:
    """Measure, write the results, return the exit status."""
    options = _options()
    bench = Bench(options)
    with tempfile.TemporaryDirectory(prefix="aboveboard-bench-", dir=options.dir) as name:
        folder = Path(name)
        told = facts(
            rounds=f"{options.rounds} of {options.seconds:g} s a run",
            **{name: version(name) for name in ("uvicorn", "uvloop", "httptools")},
        ) | {"fsync p50 ms": round(fsync_p50_ms(folder), 3)}
        with ExitStack() as stack:
            bench.start(stack, folder)
            told["PostgreSQL"] = _postgresql_version(bench.servers["postgresql"])
            bench.measure()
            found = bench.audit()
        group = grouped_over_single(
            folder, rounds=options.rounds, seconds=min(1.0, options.seconds)
        )
    scorer = _scorer(options.rounds)
    table = rows(bench.measurements)
    extra = _extra(bench.measurements, found, group, scorer)
    named = figures(table, extra | beside_native(bench.measurements))
    text, reached = page(told, table, named)
    _write(
        told | {"figures": named, "audit": found, "group commit": group, "scorer": scorer},
        bench.measurements,
        text,
        keep=not options.quick,
    )
    Console().print(Markdown(text.partition(MEASUREMENTS)[0]))
    return 0 if reached else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="measured, of each run")
    parser.add_argument("--quick", action="store_true", help="one short round, not written down")
    parser.add_argument(
        "--only",
        type=lambda words: [Route[word.upper()] for word in words.split(",")],
        default=list(SERVICE),
        help=f"routes, with commas: {','.join(SHORT[route] for route in SERVICE)}",
    )
    parser.add_argument("--dir", help="where SQLite puts its data; PostgreSQL's lies in /tmp")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds = 1, 0.5
    return options


def _turned(items: Sequence[Any], number: int) -> list[Any]:
    """Return *items* in the order of round *number*, so that none always comes after the same."""
    start = number % len(items)
    return [*items[start:], *items[:start]]


def _notice() -> dict[str, object]:
    return {
        "notice_id": NOTICE_ID,
        "language": "en",
        "text": "We count visits to learn which articles are read. You may refuse.",
        "controller": {"name": "Bench Ltd"},
        "purposes": [
            {
                "id": PURPOSE,
                "name": "Statistics",
                "description": "Counting visits",
                "basis": "consent",
            }
        ],
    }


def _extra(
    measurements: Sequence[Measurement],
    found: dict[str, dict[str, int]],
    group: dict[str, float],
    scorer: dict[str, float],
) -> dict[str, float]:
    """Name the figures that are not ratios of two routes."""

    def total(*names: str) -> int:
        return sum(one.get(name, 0) for one in found.values() for name in names)

    failed = sum(
        one.result.dropped
        + sum(count for status, count in one.result.statuses.items() if status >= "500")
        for one in measurements
    )
    ratios = {f"group.{name}": value for name, value in group.items() if "ratio" in name}
    return {
        **ratios,
        **{f"scorer.{name}": value for name, value in scorer.items()},
        "audit.missing": total("comments_missing", "events_missing"),
        "audit.gaps": total("indexes_twice", "index_gaps"),
        "audit.errors": failed,
    }


def _scorer(rounds: int) -> dict[str, float]:
    """Measure the scorer alone, if its benchmark is there."""
    try:
        module = importlib.import_module("scorer")
    except ModuleNotFoundError as error:
        print(f"the scorer alone was not measured: {error}", file=sys.stderr)
        return {}
    measured: dict[str, float] = module.measure(rounds)
    return measured


def _postgresql_version(server: Server) -> str:
    with psycopg.connect(server.database_url or "") as connection:
        return connection.info.parameter_status("server_version") or "unknown"


def _write(
    told: dict[str, Any], measurements: Sequence[Measurement], text: str, *, keep: bool
) -> None:
    """Write the page and, for a full run, every measurement; a quick one stays out of the way."""
    if not keep:
        return
    results = HOME / "results"
    results.mkdir(exist_ok=True)
    (results / "latest.md").write_text(text, encoding="utf-8")
    raw = [asdict(one) for one in measurements]
    for one in raw:
        # Needed for the audit alone, and a hundred times larger than the rest.
        for name in ("answered", "refused", "indexes"):
            del one["result"][name]
    commit = str(told["commit"]).partition(" ")[0]
    path = results / f"{clock.now():%Y-%m-%d}-{commit}.json"
    path.write_text(json.dumps(told | {"runs": raw}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
