"""From measurements to figures, and from figures to the page that people read."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from load import Result
from targets import TARGETS, Mark
from traffic import DIALECTS, NATIVE, Route

JUDGED_AT: Final = 64  # connections
PATIENT_AT: Final = 16  # connections, of a site whose clients wait for less than a second
SHORT: Final = {route: route.name.lower() for route in Route}

MEASUREMENTS: Final = "## All measurements"
INTRODUCTION: Final = """\
# Benchmark

Written by `make bench`; every figure is from this one run, the variants interleaved.
Ratios are medians of pairs: a route and the bare echo of the same round, on the same settings.
Absolute figures move with the machine and its neighbours.
Ratios are what to compare, those of durable routes only on a like disk.
"""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One run of the load: in which round, against what, with how many connections."""

    round: int
    group: str
    route: Route
    connections: int
    result: Result


@dataclass(frozen=True, slots=True)
class Row:
    """The medians of one route at one number of connections, and of its ratios to the echo."""

    group: str
    route: Route
    connections: int
    rate: float
    cpu_us: dict[str, float]
    p50_ms: float
    p99_ms: float
    rate_ratio: float
    cpu_ratio: float
    p99_ratio: float
    refused: int
    dropped: int
    client_load: float  # the highest of the rounds; near 1, the generator was the limit


def rows(measurements: Iterable[Measurement]) -> list[Row]:
    """Pair every measurement with the echo of its own round and take medians over the rounds."""
    cells: dict[tuple[str, Route, int], dict[int, Result]] = {}
    for one in measurements:
        cells.setdefault((one.group, one.route, one.connections), {})[one.round] = one.result
    found = []
    for (group, route, connections), results in cells.items():
        echoes = cells[group, Route.ECHO, connections]
        pairs = [(result, echoes[number]) for number, result in results.items()]
        found.append(
            Row(
                group,
                route,
                connections,
                rate=median(one.rate for one, _ in pairs),
                cpu_us={
                    name: median(one.cpu_us[name] for one, _ in pairs)
                    for name in pairs[0][0].cpu_us
                },
                p50_ms=median(one.p50_ms for one, _ in pairs),
                p99_ms=median(one.p99_ms for one, _ in pairs),
                rate_ratio=median(one.rate / echo.rate for one, echo in pairs),
                cpu_ratio=median(
                    one.cpu_us["service"] / echo.cpu_us["service"] for one, echo in pairs
                ),
                p99_ratio=median(one.p99_ms / echo.p99_ms for one, echo in pairs),
                refused=sum(len(one.refused) for one, _ in pairs),
                dropped=sum(one.dropped for one, _ in pairs),
                client_load=max(one.client_load for one, _ in pairs),
            )
        )
    return found


def beside_native(measurements: Iterable[Measurement]) -> dict[str, float]:
    """Return what a dialect costs beside the native call of its own round, as CPU; medians."""
    cpu = {
        (one.group, one.round, one.route): one.result.cpu_us["service"]
        for one in measurements
        if one.connections == JUDGED_AT
    }
    pairs: dict[str, list[float]] = {}
    for (group, number, route), spent in cpu.items():
        for name, other in (("native", NATIVE.get(route)), ("lean", Route.COMMENT)):
            native = None if other is None else cpu.get((group, number, other))
            if route in DIALECTS and native is not None:
                pairs.setdefault(f"{group}.{SHORT[route]}.{name}", []).append(spent / native)
    return {name: median(ratios) for name, ratios in pairs.items()}


def figures(table: Iterable[Row], extra: Mapping[str, float]) -> dict[str, float]:
    """Name the figures that the targets ask for."""
    named = dict(extra)
    for row in table:
        if row.connections == PATIENT_AT and row.route in DIALECTS:
            named[f"{row.group}.{SHORT[row.route]}.p99_ms"] = row.p99_ms
        if row.connections == JUDGED_AT and row.route is not Route.ECHO:
            name = f"{row.group}.{SHORT[row.route]}"
            named |= {
                f"{name}.rate": row.rate_ratio,
                f"{name}.cpu": row.cpu_ratio,
                f"{name}.p99": row.p99_ratio,
            }
    return named


def page(
    facts: Mapping[str, Any], table: Iterable[Row], named: Mapping[str, float]
) -> tuple[str, bool]:
    """Return the page in Markdown, and whether every floor that was measured was reached."""
    judged = [(target, target.judge(named)) for target in TARGETS]
    lines = [
        *INTRODUCTION.splitlines(),
        "",
        *(f"- {name}: {value}" for name, value in facts.items()),
        "",
        f"## Floors and aims ({JUDGED_AT} connections)",
        "",
        "| figure | measured | floor | aim | |",
        "|---|--:|--:|--:|---|",
    ]
    for target, mark in judged:
        measured = f"{named[target.figure]:.2f}" if target.figure in named else "-"
        sign = "≥" if target.at_least else "≤"
        lines.append(
            f"| {target.says} | {measured} | {sign} {target.floor:g} | {sign} {target.aim:g} "
            f"| {mark} |"
        )
    lines += ["", MEASUREMENTS, "", *_measured(table), ""]
    return "\n".join(lines), all(mark is not Mark.MISS for _, mark in judged)


def _measured(table: Iterable[Row]) -> Iterable[str]:
    yield (
        "| on | route | connections | requests/s | / echo | CPU us | / echo | PostgreSQL CPU us "
        "| p50 ms | p99 ms | / echo | not 2xx | generator's load |"
    )
    yield "|---|---|" + "--:|" * 11
    for row in sorted(
        table, key=lambda row: (row.group, row.connections, list(Route).index(row.route))
    ):
        beside = row.cpu_us.get("postgres")
        yield (
            f"| {row.group} | {SHORT[row.route]} | {row.connections} | {row.rate:,.0f} "
            f"| {row.rate_ratio:.2f} | {row.cpu_us['service']:.0f} | {row.cpu_ratio:.2f} "
            f"| {'' if beside is None else f'{beside:.0f}'} | {row.p50_ms:.2f} | {row.p99_ms:.2f} "
            f"| {row.p99_ratio:.2f} | {row.refused + row.dropped} | {row.client_load:.2f} |"
        )
