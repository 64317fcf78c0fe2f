"""`consent rotate-key` as an operator calls it, beside a service that goes on being used."""

import json
import threading
from pathlib import Path
from typing import Self

import httpx2
import pytest
from audited_site import AuditedSite, audited_site
from conftest import Service
from stored_rows import rows


def versions(service: Service) -> set[int]:
    """Return under which versions data keys are wrapped."""
    found = rows(service, "consent", "SELECT DISTINCT key_version FROM subject")
    return {version for (version,) in found}


def pseudonyms(service: Service) -> set[str]:
    """Return under which versions of the key there are pseudonyms."""
    found = rows(service, "consent", "SELECT subject_ref FROM subject")
    return {ref.partition(".")[0] for (ref,) in found}


class Crowd:
    """Visitors who go on refusing until they are told to stop."""

    def __init__(self, site: AuditedSite) -> None:
        self._site = site
        self._enough = threading.Event()
        self._threads = [threading.Thread(target=self._come, args=(at,)) for at in range(2)]
        self.came = threading.Semaphore(0)
        self.told: list[str] = []

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        for thread in self._threads:
            thread.join()

    def await_more(self, number: int) -> None:
        """Wait until so many more were recorded."""
        for _ in range(number):
            assert self.came.acquire(timeout=60)

    def _come(self, thread: int) -> None:
        number = 0
        while not self._enough.is_set():
            # Every second one was here before.
            name = f"crowd-{thread}-{number - number % 2}"
            self.told.append(self._site.record("refused", name)["record_id"])
            self.came.release()
            number += 1


def test_keys_are_rotated_beside_the_service(new_service: Service) -> None:
    """Visitors meanwhile lose nothing; the service follows at once; a lost key is missed."""
    new_service.start()
    with audited_site(new_service) as site:
        first = [site.record("refused", f"device-{number}")["record_id"] for number in range(5)]
        with Crowd(site) as crowd:
            crowd.await_more(10)
            made = json.loads(new_service.command("consent", "rotate-key", "wrapping", "--json"))
            crowd.await_more(10)
            after = versions(new_service)
            subject = new_service.command("consent", "rotate-key", "subject")
            crowd.await_more(10)

        assert (made["version"], made["retired"]) == (2, [])
        assert made["keys"] > 5
        assert after == {2}
        assert "subject.2" in subject
        assert pseudonyms(new_service) == {"1", "2"}
        for record_id in [*first, *crowd.told[:20], *crowd.told[::50], *crowd.told[-20:]]:
            assert site.get(f"records/{record_id}")["event"]["event_type"] == "refused"
        again = new_service.command("consent", "rotate-key", "wrapping", "--resume")
        assert again.startswith("0 data keys are wrapped under key-encryption.2")
        retired = new_service.command("consent", "rotate-key", "wrapping", "--retire-old", "--json")
        assert json.loads(retired)["retired"] == [1, 2]
        last = site.record("refused", "device-0")["record_id"]

        keys = {path.name for path in (new_service.data_dir / "keys").glob("*.key")}
        assert "key-encryption.3.key" in keys
        assert not {"key-encryption.1.key", "key-encryption.2.key"} & keys
        new_service.stop()
        new_service.start()
        site.client = httpx2.Client(
            base_url=new_service.url, headers=site.client.headers, timeout=60
        )
        with site.client:
            for record_id in [first[0], last]:
                assert site.get(f"records/{record_id}")["event"]["event_type"] == "refused"
            site.record("refused", "device-0")
        assert versions(new_service) == {3}
    assert "failed" not in new_service.log.read_text()
    new_service.stop()
    # From the rotation on the key belongs to the databases.
    Path(new_service.data_dir / "keys" / "key-encryption.3.key").unlink()
    with pytest.raises(AssertionError, match=r"key-encryption\.3\.key, it is gone"):
        new_service.command("site", "list")
