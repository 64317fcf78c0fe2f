"""Housekeeping: whatever one chore meets, the others are done, and it is tried again."""

import asyncio

import pytest
from structlog.testing import capture_logs

from aboveboard import housekeeping
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

    house = housekeeping.Housekeeping(Kept(), {"first": fails, "second": works})

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
