"""What a site wants of clients that speak other dialects, a member a dialect.

Pure. Stored as JSON; what a site has not set is as it is here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import lru_cache
from typing import Any, get_type_hints

import orjson

from moderation.errors import SettingDamaged


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
class PerspectiveSetting:
    """How Perspective's clients are answered.

    *store* is whether comments are kept and reviewed, where a client does not say otherwise.
    *omit_attributes* leaves out attributes that no label fits; *any_language* scores comments of
    which the model does not know the language. Either is an error otherwise.
    """

    store: bool = True
    omit_attributes: bool = False
    any_language: bool = False


@dataclass(frozen=True, slots=True)
class OpenaiSetting:
    """How OpenAI's clients are answered.

    *store* is whether texts are kept and reviewed. *categories* says what each is made of, as
    JSON; None is the default. *other* is set where the policy keeps a text back for what no
    category stands for.
    """

    store: bool = True
    categories: Mapping[str, Mapping[str, Any]] | None = None
    other: str | None = None


@dataclass(frozen=True, slots=True)
class CoralSetting:
    """How Coral is answered.

    *secrets* are those that Coral signs with, sealed. *sites* says which site of ours a site of
    Coral's is; any other is the one that the address names. *statuses* are what Coral is to do, by
    verdict, where a site wants another than the default.
    """

    secrets: Sequence[str] = field(default_factory=list)
    sites: Mapping[str, str] = field(default_factory=dict)
    statuses: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CompatSetting:
    """What is set for every dialect."""

    akismet: AkismetSetting = field(default_factory=AkismetSetting)
    perspective: PerspectiveSetting = field(default_factory=PerspectiveSetting)
    openai: OpenaiSetting = field(default_factory=OpenaiSetting)
    coral: CoralSetting = field(default_factory=CoralSetting)


DEFAULT = CompatSetting()
_DIALECTS: Mapping[str, type[Any]] = get_type_hints(CompatSetting)


def write(setting: CompatSetting) -> str:
    """Write a setting as it is stored."""
    return orjson.dumps(asdict(setting)).decode()


@lru_cache(maxsize=1024)
def read(stored: str | None) -> CompatSetting:
    """Read a setting as it is stored; None is that of a site that has set nothing.

    Raises SettingDamaged.
    """
    if stored is None:
        return DEFAULT
    try:
        found = orjson.loads(stored)
        members: dict[str, Any] = {
            name: kind(**_known(kind, found[name]))
            for name, kind in _DIALECTS.items()
            if name in found
        }
    except (AttributeError, TypeError, ValueError):
        raise SettingDamaged("expected settings as they were stored, got others") from None
    return CompatSetting(**members)


def _known(kind: type[Any], found: dict[str, Any]) -> dict[str, Any]:
    # Written by a newer release, it may have members that this one does not know.
    names = {each.name for each in fields(kind)}
    return {name: value for name, value in found.items() if name in names}
