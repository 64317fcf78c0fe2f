"""Housekeeping: whatever one chore meets, the others are done, and it is tried again."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from aboveboard import clock, housekeeping
from aboveboard.errors import DataDirUnusable, StorageUnavailable


class Kept:
    """Checkpoints that are on the disk already."""

    def sync(self) -> None:
        """Wait for nothing."""


@pytest.mark.parametrize("error", [DataDirUnusable, StorageUnavailable, KeyError])
def test_a_chore_that_fails_ends_no_other(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of any kind is counted, logged by its type, and tried again in the next round."""
    done: list[str] = []
    monkeypatch.setattr(housekeeping, "HOUSEKEEPING_S", 0)

    async def fails() -> None:
        done.append("fails")
        raise error("canary")

    async def works() -> None:
        done.append("works")
        if done.count("works") == 2:
            raise asyncio.CancelledError

    chores = {"first": fails, "second": works}
    house = housekeeping.Housekeeping(Kept(), chores, clock=clock.now)

    with capture_logs() as told, pytest.raises(asyncio.CancelledError):
        asyncio.run(house.run())

    assert done == ["fails", "works"] * 2
    failed = {"event": "chore_failed", "chore": "first", "error": error.__name__}
    assert told == [{**failed, "log_level": "error"}] * 2
    assert house.outcomes == {
        ("first", "done"): 0,
        ("first", "failed"): 2,
        ("second", "done"): 1,
        ("second", "failed"): 0,
    }


def test_a_round_by_a_clock_that_jumped_ahead_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is an hour to set it right; what it says for longer is believed, and what is late."""
    monkeypatch.setattr(housekeeping, "HOUSEKEEPING_S", 0)
    begin = datetime(2026, 11, 30, tzinfo=UTC)
    hour, year = timedelta(hours=1), timedelta(days=365)
    told_by_the_clock = [
        begin,
        begin,
        begin + hour + year,
        begin + hour * 2 + year,
        begin + hour * 3,
        begin + hour * 4 + year,
        begin + hour * 5,
        begin + hour * 100,
    ]
    clocks, hours = iter(told_by_the_clock), iter([0, 0, 1, 2, 3, 4, 5, 100])
    done: list[datetime] = []
    now = begin

    def tell() -> datetime:
        nonlocal now
        now = next(clocks)
        return now

    async def works() -> None:
        done.append(now)
        if len(done) == 5:
            raise asyncio.CancelledError

    house = housekeeping.Housekeeping(
        Kept(), {"retention": works}, clock=tell, elapsed=lambda: next(hours) * 3600.0
    )

    with capture_logs() as told, pytest.raises(asyncio.CancelledError):
        asyncio.run(house.run())

    jumped = {"event": "clock_jumped", "log_level": "warning"}
    assert told == [jumped] * 2
    left_out = {told_by_the_clock[2], told_by_the_clock[5]}
    assert done == [at for at in told_by_the_clock[1:] if at not in left_out]
