"""What works beside the serving: whatever ends it, it begins anew, and is told of."""

import asyncio

import pytest
from structlog.testing import capture_logs

from aboveboard import background
from aboveboard.background import Background, Works


def run(works: Works) -> Background:
    """Start works and let them go on until each has nothing more to do."""
    kept = Background(works)

    async def lived() -> None:
        kept.start()
        await asyncio.gather(*kept._tasks)

    asyncio.run(lived())
    return kept


def test_work_that_fails_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of any kind is counted and logged by its type; no other work notices."""
    monkeypatch.setattr(background, "AGAIN_S", 0)
    begun: list[str] = []

    async def fails() -> None:
        begun.append("fails")
        if begun.count("fails") < 3:
            raise KeyError("canary")

    async def works() -> None:
        begun.append("works")

    with capture_logs() as told:
        kept = run({"first": fails, "second": works})

    assert sorted(begun) == ["fails"] * 3 + ["works"]
    assert (
        told
        == [{"event": "work_failed", "work": "first", "error": "KeyError", "log_level": "error"}]
        * 2
    )
    assert kept.failures == {"first": 2, "second": 0}


def test_work_ends_with_the_serving() -> None:
    """What is cancelled does not begin anew."""

    async def works() -> None:
        await asyncio.Event().wait()

    async def lived() -> list[BaseException | None]:
        kept = Background({"only": works})
        kept.start()
        await asyncio.sleep(0)
        kept.cancel()
        return await asyncio.gather(*kept._tasks, return_exceptions=True)

    assert [type(one) for one in asyncio.run(lived())] == [asyncio.CancelledError]
