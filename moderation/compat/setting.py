"""What a site wants of clients that speak other dialects, a member a dialect.

Pure. Stored as JSON; what a site has not set is as it is here.
"""

from dataclasses import asdict, dataclass, field, fields
from functools import lru_cache
from typing import Any

import orjson


@dataclass(frozen=True, slots=True)
class AkismetSetting:
    """How Akismet's clients are answered.

    *hold* is what a comment that waits for a person is called: spam or not. Where not, the client
    is told to ask again after *recheck_after_s*. *discard* lets clients drop what is blatant
    without a review. Beyond *monthly_limit* calls a month, clients are told to come back later.
    """

    hold: bool = False
    recheck_after_s: int = 120
    discard: bool = False
    monthly_limit: int | None = None


@dataclass(frozen=True, slots=True)
class CompatSetting:
    """What is set for every dialect."""

    akismet: AkismetSetting = field(default_factory=AkismetSetting)


DEFAULT = CompatSetting()
_DIALECTS = {
    "akismet": AkismetSetting,
}


def write(setting: CompatSetting) -> str:
    """Write a setting as it is stored."""
    return orjson.dumps(asdict(setting)).decode()


@lru_cache(maxsize=1024)
def read(stored: str | None) -> CompatSetting:
    """Read a setting as it is stored; None is that of a site that has set nothing."""
    if stored is None:
        return DEFAULT
    found = orjson.loads(stored)
    members: dict[str, Any] = {
        name: kind(**_known(kind, found[name])) for name, kind in _DIALECTS.items() if name in found
    }
    return CompatSetting(**members)


def _known(kind: type[Any], found: dict[str, Any]) -> dict[str, Any]:
    # Written by a newer release, it may have members that this one does not know.
    names = {each.name for each in fields(kind)}
    return {name: value for name, value in found.items() if name in names}
