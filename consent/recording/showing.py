"""Use case: a notice is about to be shown to somebody of whom nothing is recorded."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from consent import store
from consent.choices.record import instant
from consent.choices.served import LIFE, Served, token
from consent.database import Rows, Writing
from consent.errors import NoticeSuperseded, NoticeUnknown
from consent.sealing.keyring import Keyring

NONCE_BYTES = 8


class Show(NamedTuple):
    """Count one showing of a notice of a site."""

    site_id: str
    served: Served


class Showing:
    """Hands out served tokens and counts them; the visitor leaves no trace."""

    def __init__(
        self, *, keyring: Keyring, writing: Writing, clock: Callable[[], datetime]
    ) -> None:
        self._keyring = keyring
        self._writing = writing
        self._clock = clock

    async def show(
        self, site_id: str, notice_id: str, version: int, language: str, layer: int | None
    ) -> tuple[str, str]:
        """Return a served token and when it ends. Raises NoticeUnknown and NoticeSuperseded."""
        now = self._clock()
        served = Served(notice_id, version, language, layer, now)
        await self._writing.write(self.carry_out, Show(site_id, served))
        key = self._keyring.served_key(site_id)
        made = token(key, served, nonce=self._keyring.random(NONCE_BYTES))
        return made, instant(now + LIFE)

    def carry_out(self, rows: Rows, commands: Sequence[Show]) -> list[Exception | None]:
        """Count a batch of showings inside the writer's transaction."""
        times: dict[tuple[str, str, int, str, str], int] = {}
        outcomes: list[Exception | None] = []
        for command in commands:
            notice = (command.site_id, *command.served[:3])
            place = (*notice, instant(command.served.at)[:10])
            refusal = None if place in times else _refusal(rows, *notice)
            outcomes.append(refusal)
            if refusal is None:
                times[place] = times.get(place, 0) + 1
        store.count_shown(rows, [(*place, count) for place, count in sorted(times.items())])
        return outcomes


def _refusal(
    rows: Rows, site_id: str, notice_id: str, version: int, language: str
) -> Exception | None:
    """Return why a notice is not to be shown: no yes to it would be taken."""
    material = store.find_material(rows, site_id, notice_id, version, language)
    if material is None:
        return NoticeUnknown(
            "expected a notice, version and language that this site has published, got another"
        )
    current, substance = store.ask_versions(rows, site_id, [notice_id])()[notice_id]
    if material != substance:
        return NoticeSuperseded(
            f"expected version {current} of the notice, got version {version}, "
            "which differs in substance"
        )
    return None
