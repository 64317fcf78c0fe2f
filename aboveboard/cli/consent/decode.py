"""`aboveboard consent decode`: what a TC or GPP string says."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Annotated

import typer

from aboveboard.cli.options import AsJson, say, say_json, standard_input

if TYPE_CHECKING:
    from consent.iab.gpp import GppString, UsNational, UsPrivacy
    from consent.iab.tcf import TcString


def decode(
    string: Annotated[str, typer.Argument(help="A TC string or a GPP string; - reads a pipe.")],
    json: AsJson = False,
) -> None:
    """Say what an IAB TC string (version 2) or GPP string holds."""
    from consent.iab import gpp
    from consent.iab.tcf import MAX_STRING_CHARS

    if string == "-":
        # Some more than are allowed, so that too many are found to be too many.
        piped = standard_input().read(MAX_STRING_CHARS + 16)
        string = piped.decode("ascii", errors="replace").strip()
    decoded = gpp.decode(string)
    if json:
        say_json(gpp.plain(decoded))
    elif isinstance(decoded, gpp.GppString):
        _say_gpp(decoded)
    else:
        say("TC string, version 2")
        _say(_tc_rows(decoded), "  ")


def _say_gpp(decoded: "GppString") -> None:
    from consent.iab.gpp import UsNational, UsPrivacy

    count = len(decoded.sections)
    say(f"GPP string, version {decoded.version}, {count} section{'' if count == 1 else 's'}")
    for section in decoded.sections:
        say(f"  section {section.id}, {section.name or 'not known'}")
        if section.content is None:
            # A section that is not read may hold anything, also what steers a terminal.
            say(f"    {section.text if section.text.isprintable() else repr(section.text)}")
        elif isinstance(section.content, UsNational | UsPrivacy):
            _say(_us_rows(section.content), "    ")
        else:
            _say(_tc_rows(section.content), "    ")


def _say(rows: Iterator[tuple[str, str]], indent: str) -> None:
    listed = list(rows)
    width = max(len(label) for label, _ in listed)
    for label, value in listed:
        say(f"{indent}{label:<{width}}  {value or 'none'}")


def _tc_rows(tc: "TcString") -> Iterator[tuple[str, str]]:
    from consent.choices.record import instant
    from consent.iab.tcf import PURPOSES, SPECIAL_FEATURES

    yield "created", instant(tc.created)
    yield "updated", instant(tc.updated)
    yield "CMP", f"{tc.cmp_id}, its version {tc.cmp_version}, screen {tc.consent_screen}"
    yield "language", tc.consent_language
    yield "publisher's country", tc.publisher_country
    yield "vendor list", f"version {tc.vendor_list_version}, policy version {tc.policy_version}"
    yield "service specific", _yes(tc.service_specific)
    yield "non-standard texts", _yes(tc.non_standard_texts)
    yield "purpose 1 not disclosed", _yes(tc.purpose_one_treatment)
    yield from _named("purposes, consent", tc.purposes_consent, PURPOSES)
    yield from _named("purposes, interest", tc.purposes_interest, PURPOSES)
    yield from _named("special features", tc.special_features, SPECIAL_FEATURES)
    yield "vendors, consent", str(tc.vendors_consent)
    yield "vendors, interest", str(tc.vendors_interest)
    for restriction in tc.restrictions:
        words = _words(restriction.type)
        yield f"restriction, purpose {restriction.purpose_id}", f"{words}: {restriction.vendors}"
    if tc.disclosed_vendors is not None:
        yield "vendors, disclosed", str(tc.disclosed_vendors)
    if tc.allowed_vendors is not None:
        yield "vendors, allowed", str(tc.allowed_vendors)
    if tc.publisher is not None:
        yield from _named("publisher, consent", tc.publisher.purposes_consent, PURPOSES)
        yield from _named("publisher, interest", tc.publisher.purposes_interest, PURPOSES)
        yield "custom purposes, consent", _listed(tc.publisher.custom_purposes_consent)
        yield "custom purposes, interest", _listed(tc.publisher.custom_purposes_interest)
    for segment in tc.unknown_segments:
        yield "unknown segment", segment


def _us_rows(us: "UsNational | UsPrivacy") -> Iterator[tuple[str, str]]:
    for member in fields(us):
        value = getattr(us, member.name)
        if isinstance(value, Mapping):
            for kind, word in value.items():
                yield _words(f"{member.name}, {kind}"), _words(word)
        elif isinstance(value, bool):
            yield member.name, _yes(value)
        else:
            yield _words(member.name), "not said" if value is None else _words(str(value))


def _named(label: str, ids: Sequence[int], names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """List *ids* one a row, with their names where the list has them."""
    if not ids:
        yield label, ""
    for each in ids:
        yield label, f"{each}  {names[each - 1] if each <= len(names) else '(no name known)'}"
        label = ""


def _listed(ids: Sequence[int]) -> str:
    return ", ".join(map(str, ids))


def _yes(value: bool) -> str:  # noqa: FBT001 - what is said
    return "yes" if value else "no"


def _words(name: str) -> str:
    return name.replace("_", " ")
