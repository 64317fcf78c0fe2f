"""How a site wants consent to be handled: which law's defaults, how patient, how long.

Pure. What is not set follows the law that holds where the visitor is, and the most careful reading
of it.
"""

from calendar import monthrange
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from functools import lru_cache
from typing import Any

import orjson

from consent.choices.choice import EventType
from consent.choices.projection import FOREVER, PurposeStanding
from consent.choices.record import instant, parse_instant
from consent.choices.regime import (
    Defaults,
    GpcPolicy,
    Regime,
    RegimeSource,
    Resolved,
    defaults,
    resolve,
)
from consent.errors import SettingDamaged


@dataclass(frozen=True, slots=True)
class Setting:
    """The settings of one site."""

    regime: Regime | None = None
    """The regime for every visitor; None finds it by where the visitor is."""

    custom: Defaults = field(default_factory=Defaults)
    """What may run undecided under the regime `custom`."""

    gpc: GpcPolicy = GpcPolicy.REFUSE_ADVERTISING
    """What a Global Privacy Control signal ends where no law makes it an opt-out."""

    ask_again_months: int = 6
    """How long nobody is asked again after a no: CNIL's good practice."""

    opt_in_again_months: int = 12
    """How long nobody is asked to opt in again: California Civil Code §1798.135(c)(4)."""

    valid_months: int | None = None
    """How long consent lasts that says nothing of its own; None: until it is withdrawn."""

    retention_days: int | None = None
    """After how long records go that no present standing rests on; None: never by themselves."""

    def to_json(self) -> str:
        """Write it for its row."""
        return orjson.dumps(asdict(self)).decode()

    @classmethod
    @lru_cache(maxsize=256)
    def from_json(cls, text: str) -> "Setting":
        """Read what `to_json` wrote. Raises SettingDamaged."""
        try:
            content: dict[str, Any] = orjson.loads(text)
            regime = content.pop("regime")
            return cls(
                regime=None if regime is None else Regime(regime),
                custom=Defaults(**content.pop("custom")),
                gpc=GpcPolicy(content.pop("gpc")),
                **content,
            )
        except (AttributeError, LookupError, TypeError, ValueError):
            raise SettingDamaged("expected settings as they were stored, got others") from None

    def resolve(
        self, jurisdiction: str | None, *, on: date, source: RegimeSource = RegimeSource.DECLARED
    ) -> Resolved:
        """Say which regime holds for a visitor on that day."""
        return _resolve(jurisdiction, on, source, self.regime)

    def defaults(self, regime: Regime, *, on: date) -> Defaults:
        """Return what may run undecided under *regime* on that day."""
        return defaults(regime, on=on, custom=self.custom)

    def honours_signal(self, *, on: date) -> bool:
        """Say whether a Global Privacy Control signal ends anything for anybody.

        What `gpc` ignores, it ignores only where no law makes the signal an opt-out.
        """
        if self.gpc is not GpcPolicy.IGNORE or self.regime is None:
            return True
        return self.defaults(self.regime, on=on).signal_opts_out

    def patience(self, at: PurposeStanding) -> str:
        """Return the instant before which the subject is not asked about a no again."""
        if at.final:
            return FOREVER
        opted_out = at.state == EventType.OPTED_OUT
        if at.ask_after is not None and not opted_out:
            return at.ask_after
        months = self.opt_in_again_months if opted_out else self.ask_again_months
        # Civil Code §1798.135(c)(4) lets no event ask sooner about an opt-out, only later.
        return max(later(at.refused_at or at.occurred_at, months), at.ask_after or "")

    def validity(self, since: datetime) -> datetime | None:
        """Return when consent of that moment ends by itself."""
        if self.valid_months is None:
            return None
        return parse_instant(later(instant(since), self.valid_months))


@lru_cache(maxsize=1024)
def _resolve(
    jurisdiction: str | None, on: date, source: RegimeSource, configured: Regime | None
) -> Resolved:
    return resolve(jurisdiction, on=on, source=source, configured=configured)


@lru_cache(maxsize=4096)
def later(moment: str, months: int) -> str:
    """Return the same day *months* later, or the last of a shorter month.

    >>> later("2026-08-31T12:00:00Z", 6)
    '2027-02-28T12:00:00Z'
    """
    year, month = divmod(int(moment[:4]) * 12 + int(moment[5:7]) - 1 + months, 12)
    day = min(int(moment[8:10]), monthrange(year, month + 1)[1])
    return f"{year:04}-{month + 1:02}-{day:02}{moment[10:]}"


NOTHING_SET = Setting()
