"""Which law's defaults hold for a visitor, and what a Global Privacy Control signal ends.

Pure: the day is handed in. Where which regime holds is in `consent/regimes.json`: part of
the package like its code, dated, with a source for every line. It is no legal advice; whoever
knows better configures the regime. Wherever nothing is known, the visitor is asked first.

>>> resolve("US-CA", on=date(2026, 1, 1), source=RegimeSource.EDGE_GEO).regime
<Regime.US_OPTOUT: 'us_optout'>
>>> resolve("US-WY", on=date(2026, 1, 1), source=RegimeSource.EDGE_GEO)
Resolved(regime=<Regime.EU_OPTIN: 'eu_optin'>, source=<RegimeSource.FALLBACK: 'fallback'>)
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import lru_cache
from importlib.resources import files
from typing import NamedTuple, Protocol

from consent.choices.choice import Basis


class Regime(StrEnum):
    """What the law lets run before a visitor has decided."""

    EU_OPTIN = "eu_optin"
    UK_PECR = "uk_pecr"
    US_OPTOUT = "us_optout"
    NOTICE_ONLY = "notice_only"
    CUSTOM = "custom"


class RegimeSource(StrEnum):
    """How a regime was found."""

    CONFIG = "config"
    DECLARED = "declared"
    """The caller said where the visitor is."""

    EDGE_GEO = "edge_geo"
    """The network's edge said so, from the visitor's address."""

    FALLBACK = "fallback"
    """Nothing is known of that place on that day, so that the visitor is asked first."""


class GpcPolicy(StrEnum):
    """What a site makes of the signal where no law says that it opts out."""

    REFUSE_ADVERTISING = "refuse_advertising"
    IGNORE = "ignore"
    REFUSE_ALL = "refuse_all"


class Resolved(NamedTuple):
    """A regime and how it was found."""

    regime: Regime
    source: RegimeSource


class Law(NamedTuple):
    """What holds in a place from some day on; `regimes.json` has its name and its source."""

    regime: Regime
    since: date


@dataclass(frozen=True, slots=True)
class Defaults:
    """What may run for a purpose that nobody has decided about; as it stands, nothing optional.

    The regime `custom` is one of these, made by the operator.
    Purposes on `consent` wait for it everywhere, and the strictly necessary always run.
    """

    legitimate_interest: bool = False
    """Purposes on legitimate interest run until the visitor objects."""

    opt_out: bool = False
    """Purposes that one may opt out of run until the visitor does."""

    exempt_statistics: bool = False
    """Statistics that the law exempts from consent run until the visitor objects."""

    signal_opts_out: bool = False
    """A Global Privacy Control signal is an opt-out, whatever the site's `GpcPolicy`."""


class Marked(Protocol):
    """What is asked of a purpose here; `consent.choices.notice.Purpose` is one."""

    @property
    def id(self) -> str:
        """The purpose's name in its notice."""
        ...

    @property
    def basis(self) -> Basis:
        """On what the purpose rests."""
        ...

    @property
    def advertising(self) -> bool:
        """Whether the notice marks it as advertising, or as sale or sharing of data."""
        ...


class _Book(NamedTuple):
    """The data file, read."""

    updated: date
    laws: Mapping[str, Law]
    exempt_statistics: Mapping[Regime, date]


@lru_cache(maxsize=1)
def _book() -> _Book:
    content = json.loads(files("consent").joinpath("regimes.json").read_text(encoding="utf-8"))
    laws = {
        entry["code"]: Law(Regime(entry["regime"]), date.fromisoformat(entry["from"]))
        for entry in content["laws"]
    }
    exempt = {
        Regime(entry["regime"]): date.fromisoformat(entry["from"])
        for entry in content["exemptions"]
        if entry["basis"] == Basis.EXEMPT_STATISTICS
    }
    return _Book(date.fromisoformat(content["updated"]), laws, exempt)


def updated() -> date:
    """Return the day that `regimes.json` was last held against its sources."""
    return _book().updated


def law_of(jurisdiction: str | None, *, on: date) -> Law | None:
    """Return the law of *jurisdiction*, ISO 3166-2 or 3166-1, that is in force *on* that day.

    A subdivision without a law of its own has its country's.
    """
    if jurisdiction is None:
        return None
    known = _book().laws
    for code in (jurisdiction, jurisdiction.partition("-")[0]):
        law = known.get(code)
        if law is not None and law.since <= on:
            return law
    return None


def resolve(
    jurisdiction: str | None,
    *,
    on: date,
    source: RegimeSource,
    configured: Regime | None = None,
) -> Resolved:
    """Say which regime holds in *jurisdiction* *on* that day, and by which *source*.

    A *configured* regime wins. Where nothing is known, or not yet in force, it is opt-in.
    """
    if configured is not None:
        return Resolved(configured, RegimeSource.CONFIG)
    law = law_of(jurisdiction, on=on)
    if law is None:
        return Resolved(Regime.EU_OPTIN, RegimeSource.FALLBACK)
    return Resolved(law.regime, source)


def defaults(regime: Regime, *, on: date, custom: Defaults | None = None) -> Defaults:
    """Return what may run undecided under *regime* *on* that day.

    *custom* is the operator's own for `custom`; without it, that regime lets nothing optional run.
    """
    if regime is Regime.CUSTOM:
        return custom or Defaults()
    since = _book().exempt_statistics.get(regime)
    exempt = since is not None and since <= on
    lenient = regime in {Regime.US_OPTOUT, Regime.NOTICE_ONLY}
    return Defaults(
        legitimate_interest=lenient,
        opt_out=lenient,
        exempt_statistics=lenient or exempt,
        signal_opts_out=regime is Regime.US_OPTOUT,
    )


def runs_undecided(basis: Basis, given: Defaults) -> bool:
    """Say whether a purpose on *basis* may run before the visitor decided about it."""
    if basis is Basis.STRICTLY_NECESSARY:
        return True
    if basis is Basis.CONSENT:
        return False
    return {
        Basis.LEGITIMATE_INTEREST: given.legitimate_interest,
        Basis.OPT_OUT: given.opt_out,
        Basis.EXEMPT_STATISTICS: given.exempt_statistics,
    }[basis]


def sec_gpc(values: Sequence[str]) -> bool:
    """Say whether the `Sec-GPC` headers of a request carry the signal.

    Exactly `1` does, in one header of several too; everything else is as if it were not there
    (https://w3c.github.io/gpc/). No signal is no consent.
    """
    return "1" in values


def gpc_ends(
    purposes: Iterable[Marked],
    given: Defaults,
    policy: GpcPolicy,
) -> frozenset[str]:
    """Return the ids of the *purposes* that a Global Privacy Control signal ends.

    Where the signal opts out, those that one may opt out of and advertising; where the notice
    marks none as such, all but the strictly necessary and exempt statistics, since any of them
    might sell or share. Elsewhere *policy* decides. What is strictly necessary never ends, and
    whatever the signal does not end is not consented to by it.
    """
    optional = [each for each in purposes if each.basis is not Basis.STRICTLY_NECESSARY]
    sharing = frozenset(
        each.id for each in optional if each.advertising or each.basis is Basis.OPT_OUT
    )
    if given.signal_opts_out:
        return sharing or frozenset(
            each.id for each in optional if each.basis is not Basis.EXEMPT_STATISTICS
        )
    if policy is GpcPolicy.REFUSE_ALL:
        return frozenset(each.id for each in optional)
    return sharing if policy is GpcPolicy.REFUSE_ADVERTISING else frozenset()


def gpc_json(last_update: date, *, honoured: bool = True) -> bytes:
    """Write `/.well-known/gpc.json`, by which a site says whether it honours the signal.

    *last_update* is the day of that statement. The file belongs on the site's own host.
    """
    return json.dumps(
        {"gpc": honoured, "lastUpdate": last_update.isoformat()}, separators=(",", ":")
    ).encode()
