"""The benchmark's figures: what is paired with what."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from load import Result
from report import JUDGED_AT, Measurement, beside_native
from traffic import Route


def measured(number: int, route: Route, cpu: float, connections: int = JUDGED_AT) -> Measurement:
    """Return a run of which nothing is known but its CPU."""
    result = Result.__new__(Result)
    object.__setattr__(result, "cpu_us", {"service": cpu})
    return Measurement(number, "sqlite", route, connections, result)


def test_a_dialect_is_beside_the_native_call_of_its_own_round() -> None:
    """The median of the pairs, not a pair of medians; other numbers of connections do not count."""
    rounds = [
        measured(number, route, cpu)
        for number, cpus in enumerate([(10, 20, 30), (100, 100, 110), (10, 10, 15)])
        for route, cpu in zip((Route.COMMENT, Route.TOLD, Route.CHECK), cpus, strict=True)
    ]
    elsewhere = [measured(0, Route.CHECK, 1000, 16), measured(0, Route.TOLD, 1, 16)]

    found = beside_native([*rounds, *elsewhere, measured(1, Route.ANALYZE, 300)])

    assert found == {
        "sqlite.check.native": 1.5,
        "sqlite.check.lean": 1.5,
        "sqlite.analyze.native": 3.0,
        "sqlite.analyze.lean": 3.0,
    }
