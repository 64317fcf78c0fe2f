"""Regimes: what holds where and when, what runs undecided, and what a GPC signal ends."""

import json
import re
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.choices import regime
from consent.choices.choice import Basis
from consent.choices.regime import Defaults, GpcPolicy, Regime, RegimeSource, Resolved

ROOT = Path(__file__).parents[3]
FILE = json.loads((ROOT / "consent" / "regimes.json").read_text("utf-8"))
TODAY = date(2026, 11, 22)
STATES = {"CA", "CO", "CT", "DE", "MD", "MN", "MT", "NE", "NH", "NJ", "OR", "TX"}
OPTIONAL = {Basis.LEGITIMATE_INTEREST, Basis.OPT_OUT, Basis.EXEMPT_STATISTICS}


def resolve(jurisdiction: str | None, on: date = TODAY) -> Resolved:
    """Resolve a place that the network's edge named."""
    return regime.resolve(jurisdiction, on=on, source=RegimeSource.EDGE_GEO)


@pytest.mark.parametrize(
    ("jurisdiction", "expected"),
    [
        ("DE", Regime.EU_OPTIN),
        ("DE-BY", Regime.EU_OPTIN),
        ("NO", Regime.EU_OPTIN),
        ("RE", Regime.EU_OPTIN),
        ("GB", Regime.UK_PECR),
        ("GB-SCT", Regime.UK_PECR),
        ("US-CA", Regime.US_OPTOUT),
        ("US-VA", Regime.US_OPTOUT),
    ],
)
def test_a_known_place_has_its_regime(jurisdiction: str, expected: Regime) -> None:
    """By its subdivision, else by its country, and the answer says who named the place."""
    declared = regime.resolve(jurisdiction, on=TODAY, source=RegimeSource.DECLARED)

    assert resolve(jurisdiction) == (expected, RegimeSource.EDGE_GEO)
    assert declared == (expected, RegimeSource.DECLARED)


@pytest.mark.parametrize("jurisdiction", [None, "", "US", "US-WY", "CH", "XX", "us-ca", "CA", "-"])
def test_an_unknown_place_is_opt_in(jurisdiction: str | None) -> None:
    """Nothing known, a state without a law, a country that is not listed: ask first."""
    assert resolve(jurisdiction) == (Regime.EU_OPTIN, RegimeSource.FALLBACK)


PLACES = st.sampled_from([entry["code"] for entry in FILE["laws"]])


@given(st.one_of(st.text(max_size=6), st.from_regex("[A-Z]{2}(-[A-Z]{2})?"), PLACES), st.dates())
def test_only_what_is_listed_leaves_opt_in(jurisdiction: str, on: date) -> None:
    """No text whatever, on no day, reaches a lenient regime but the codes of the file."""
    found = resolve(jurisdiction, on)

    codes = {entry["code"] for entry in FILE["laws"]}
    if found.source is RegimeSource.FALLBACK:
        assert found.regime is Regime.EU_OPTIN
    else:
        assert codes & {jurisdiction, jurisdiction.partition("-")[0]}


def test_a_law_holds_from_its_day() -> None:
    """The day before, the place is unknown; every law of the file is so, those to come too."""
    for entry in FILE["laws"]:
        since = date.fromisoformat(entry["from"])

        assert resolve(entry["code"], since - timedelta(1)).source is RegimeSource.FALLBACK
        assert resolve(entry["code"], since) == (entry["regime"], RegimeSource.EDGE_GEO)

    assert resolve("US-OK").source is RegimeSource.FALLBACK
    assert resolve("US-OK", date(2027, 1, 1)).regime is Regime.US_OPTOUT


def test_what_is_configured_wins() -> None:
    """Wherever the visitor is, and even where nothing is known."""
    for place in ("US-CA", "DE", None):
        found = regime.resolve(
            place, on=TODAY, source=RegimeSource.DECLARED, configured=Regime.NOTICE_ONLY
        )
        assert found == (Regime.NOTICE_ONLY, RegimeSource.CONFIG)


def test_the_file_is_dated_and_every_line_has_a_source() -> None:
    """Codes are of ISO's form and named once; a signal's date is there exactly with a signal."""
    codes = [entry["code"] for entry in FILE["laws"]]

    assert regime.updated() == date.fromisoformat(FILE["updated"])
    assert len(set(codes)) == len(codes)
    for entry in (*FILE["laws"], *FILE["exemptions"]):
        assert entry["source"].startswith("http")
        assert date.fromisoformat(entry["from"]) < date(2028, 1, 1)
        assert isinstance(entry["verified"], bool)
    for entry in FILE["laws"]:
        assert re.fullmatch(r"[A-Z]{2}(-[A-Z0-9]{1,3})?", entry["code"])
        assert entry["signal"] == ("signal_from" in entry)
        if entry["signal"]:
            assert entry["signal_source"].startswith("http")
            assert entry["signal_from"] >= entry["from"]


def test_states_that_know_a_signal() -> None:
    """The list of the law firm that was read, Minnesota beside it unconfirmed."""
    obliged = {
        entry["code"].removeprefix("US-"): entry
        for entry in FILE["laws"]
        if entry["signal"] and date.fromisoformat(entry["signal_from"]) <= TODAY
    }

    assert obliged.keys() == STATES
    assert [code for code in obliged if not obliged[code].get("signal_verified", True)] == ["MN"]
    assert all(entry["verified"] for entry in obliged.values())
    assert obliged["CA"]["law"] == "California Consumer Privacy Act"


def test_the_eea_is_whole() -> None:
    """27 members and the three of the EEA Agreement."""
    known = {entry["code"] for entry in FILE["laws"] if entry["regime"] == Regime.EU_OPTIN}
    members = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IS IT LI LT LU LV MT NL NO PL PT RO SE"

    assert known >= {*members.split(), "SI", "SK"}


def running(given_: Defaults) -> set[Basis]:
    """Collect the bases that run undecided."""
    return {basis for basis in Basis if regime.runs_undecided(basis, given_)}


@pytest.mark.parametrize(
    ("law", "optional"),
    [
        (Regime.EU_OPTIN, set()),
        (Regime.UK_PECR, {Basis.EXEMPT_STATISTICS}),
        (Regime.US_OPTOUT, OPTIONAL),
        (Regime.NOTICE_ONLY, OPTIONAL),
        (Regime.CUSTOM, set()),
    ],
)
def test_what_runs_before_anything_is_decided(law: Regime, optional: set[Basis]) -> None:
    """The strictly necessary everywhere, what rests on consent nowhere."""
    assert running(regime.defaults(law, on=TODAY)) == {Basis.STRICTLY_NECESSARY} | optional


def test_british_statistics_wait_for_the_exemption() -> None:
    """PECR Schedule A1 holds from 5 February 2026."""
    day = date(2026, 2, 5)
    before = regime.defaults(Regime.UK_PECR, on=day - timedelta(1))

    assert running(before) == {Basis.STRICTLY_NECESSARY}
    assert Basis.EXEMPT_STATISTICS in running(regime.defaults(Regime.UK_PECR, on=day))


@given(st.builds(Defaults, st.booleans(), st.booleans(), st.booleans(), st.booleans()))
def test_custom_is_what_the_operator_says(mine: Defaults) -> None:
    """Each switch is one basis; none reaches consent or the strictly necessary."""
    found = running(regime.defaults(Regime.CUSTOM, on=TODAY, custom=mine))

    assert (Basis.LEGITIMATE_INTEREST in found) == mine.legitimate_interest
    assert (Basis.OPT_OUT in found) == mine.opt_out
    assert (Basis.EXEMPT_STATISTICS in found) == mine.exempt_statistics
    assert Basis.STRICTLY_NECESSARY in found
    assert Basis.CONSENT not in found


def test_custom_changes_no_other_regime() -> None:
    """A leftover setting does not open an opt-in regime."""
    mine = Defaults(legitimate_interest=True, opt_out=True, exempt_statistics=True)

    assert regime.defaults(Regime.EU_OPTIN, on=TODAY, custom=mine) == Defaults()


@pytest.mark.parametrize(
    ("values", "signalled"),
    [
        (["1"], True),
        (["0", "1"], True),
        (["1", "1"], True),
        ([], False),
        (["0"], False),
        (["true"], False),
        (["1, 1"], False),
        (["1 "], False),
        (["１"], False),  # noqa: RUF001 - a digit that is not ours
        ([""], False),
        (["11"], False),
    ],
)
def test_the_header_is_exactly_one(values: Sequence[str], *, signalled: bool) -> None:
    """One header of several is enough; any other value is as if it were not there."""
    assert regime.sec_gpc(values) is signalled


class Marked(NamedTuple):
    """A purpose, as far as the signal cares."""

    id: str
    basis: Basis
    advertising: bool = False


NEEDED = Marked("needed", Basis.STRICTLY_NECESSARY)
COUNTS = Marked("counts", Basis.EXEMPT_STATISTICS)
COMFORT = Marked("comfort", Basis.CONSENT)
SOUND = Marked("sound", Basis.LEGITIMATE_INTEREST)
SALE = Marked("sale", Basis.OPT_OUT)
ADS = Marked("ads", Basis.CONSENT, advertising=True)
ALL = (NEEDED, COUNTS, COMFORT, SOUND, SALE, ADS)


def ends(
    law: Regime, purposes: Sequence[Marked], policy: GpcPolicy = GpcPolicy.REFUSE_ADVERTISING
) -> set[str]:
    """Collect what the signal ends under a regime of today."""
    return set(regime.gpc_ends(purposes, regime.defaults(law, on=TODAY), policy))


@pytest.mark.parametrize("policy", GpcPolicy)
def test_where_it_opts_out_no_policy_keeps_the_signal_off(policy: GpcPolicy) -> None:
    """Sale and advertising end, nothing else."""
    assert ends(Regime.US_OPTOUT, ALL, policy) == {"sale", "ads"}


def test_where_it_opts_out_an_unmarked_notice_ends_whole() -> None:
    """Any purpose might sell or share, but for the necessary and the exempt."""
    assert ends(Regime.US_OPTOUT, (NEEDED, COUNTS, COMFORT, SOUND)) == {"comfort", "sound"}
    assert ends(Regime.US_OPTOUT, (NEEDED, COUNTS)) == set()


@pytest.mark.parametrize("law", [Regime.EU_OPTIN, Regime.UK_PECR, Regime.NOTICE_ONLY])
def test_elsewhere_the_policy_decides(law: Regime) -> None:
    """By default advertising is refused, and an unmarked notice loses nothing."""
    unmarked = (NEEDED, COUNTS, COMFORT, SOUND)

    assert ends(law, ALL) == {"sale", "ads"}
    assert ends(law, unmarked) == set()
    assert ends(law, ALL, GpcPolicy.IGNORE) == set()
    assert ends(law, ALL, GpcPolicy.REFUSE_ALL) == {"counts", "comfort", "sound", "sale", "ads"}


def test_custom_says_whether_the_signal_opts_out() -> None:
    """With the switch it does, whatever the policy; without, the policy decides."""
    for signal, ended in ((True, {"sale", "ads"}), (False, frozenset())):
        mine = regime.defaults(Regime.CUSTOM, on=TODAY, custom=Defaults(signal_opts_out=signal))
        assert regime.gpc_ends(ALL, mine, GpcPolicy.IGNORE) == ended


def test_the_necessary_never_end() -> None:
    """Not even where a notice marks them as advertising, or refuses all."""
    wrong = Marked("wrong", Basis.STRICTLY_NECESSARY, advertising=True)

    for law in Regime:
        for policy in GpcPolicy:
            assert ends(law, (wrong,), policy) == set()


def test_the_support_file_is_the_one_of_the_specification() -> None:
    """`/.well-known/gpc.json` holds a boolean and a day."""
    assert regime.gpc_json(date(2025, 4, 15)) == b'{"gpc":true,"lastUpdate":"2025-04-15"}'
