"""Behind a reverse proxy: who asks is who the proxy says, if the operator trusts it."""

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from conftest import Service

from aboveboard import settings
from aboveboard.errors import SettingsInvalid

WRONG = {"authorization": "Bearer 0123456789ab"}


@pytest.fixture(params=["", "192.0.2.0/24", "127.0.0.1", "10.0.0.1, 127.0.0.0/8"])
def served(
    request: pytest.FixtureRequest, environment: dict[str, str], tmp_path: Path
) -> Iterator[tuple[Service, bool]]:
    """Serve with each setting; tell whether a client of this machine is trusted by it."""
    trusted = str(request.param)
    service = Service(tmp_path / "data", {**environment, "ABOVEBOARD_TRUSTED_PROXIES": trusted})
    service.start()
    yield service, "127" in trusted
    service.stop()


def test_wrong_keys_are_counted_by_who_asks(served: tuple[Service, bool]) -> None:
    """Whoever guesses through a trusted proxy slows down themselves alone."""
    service, is_trusted = served

    with service.client() as client:

        def guess(address: str) -> int:
            headers = {**WRONG, "x-forwarded-for": address}
            return client.get("/v1/comments", headers=headers).status_code

        guessing = [guess("203.0.113.1") for _ in range(32)]
        other = guess("203.0.113.2")

    assert guessing == [401] * 30 + [429] * 2
    assert other == (401 if is_trusted else 429)


def test_nobody_says_of_themselves_who_they_are(served: tuple[Service, bool]) -> None:
    """Of a chain only what trusted proxies added counts: the client's own part comes first."""
    service, _ = served

    with service.client() as client:
        answers = [
            client.get(
                "/v1/comments",
                headers={**WRONG, "x-forwarded-for": f"198.51.100.{at}, 203.0.113.1"},
            )
            for at in range(32)
        ]

    assert answers[-1].status_code == 429


def test_metrics_stay_inside(served: tuple[Service, bool]) -> None:
    """A request that was forwarded is not from this machine, whatever it says."""
    service, _ = served

    forwarded = httpx2.get(f"{service.url}/metrics", headers={"x-forwarded-for": "127.0.0.1"})

    assert forwarded.status_code == 404
    assert httpx2.get(f"{service.url}/metrics").status_code == 200


@pytest.mark.parametrize("told", ["everybody", "127.0.0.1/40", "*", "::1,nginx"])
def test_a_proxy_is_an_address(told: str, tmp_path: Path) -> None:
    """Names are refused: who answers to one may change."""
    with pytest.raises(SettingsInvalid, match="trusted_proxies"):
        settings.load(data_dir=tmp_path, trusted_proxies=told)
