"""A policy as its site writes it: JSON or TOML, strict, bounded, every error with both sides."""

import tomllib
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal, Self, get_args

import orjson
from pydantic import AfterValidator, BaseModel, Field, ValidationError, model_validator

from moderation.errors import PatternInvalid, PolicyInvalid
from moderation.policy.judging import Bands, Policy
from moderation.policy.matching import (
    Kind,
    Listing,
    compile_pattern,
    plain_domain,
    plain_email,
    plain_network,
    plain_words,
)
from moderation.policy.rules import ADDRESS_MINUTES, Delay, Languages, Limit, Rules, Steps
from moderation.verdict import LABELS, Label, Verdict
from moderation.wire.strict import Probability, Wire, storable

ENTRY_CHARS = 256
PATTERN_CHARS = 1_000
PATTERNS = 100  # of one list
LISTS = 20
ENTRIES = 100_000  # of all lists together
DAYS_LIMIT = 36_500
MINUTES_LIMIT = 30 * 24 * 60

Severe = Literal["hold", "spam", "reject"]
Count = Annotated[int, Field(ge=1, le=1_000)]
_Entry = Annotated[str, Field(min_length=1, max_length=ENTRY_CHARS), AfterValidator(storable)]

_Pattern = Annotated[str, Field(min_length=1, max_length=PATTERN_CHARS), AfterValidator(storable)]


def _taken(read: Any) -> AfterValidator:  # noqa: ANN401 - any of the functions that read an entry
    """Return a validator that keeps an entry as it is, where *read* takes it."""

    def check(entry: str) -> str:
        try:
            read(entry)
        except PatternInvalid as error:
            raise ValueError(str(error)) from None
        return entry

    return AfterValidator(check)


class BandsIn(Wire):
    """From which probability on a label holds, marks as spam, rejects; left out: never."""

    hold: Probability | None = None
    spam: Probability | None = None
    reject: Probability | None = None

    @model_validator(mode="after")
    def _rise(self) -> Self:
        given = [at for at in (self.hold, self.spam, self.reject) if at is not None]
        if given != sorted(given):
            raise ValueError("expected hold, spam and reject to rise in this order, they do not")
        return self


class ThresholdsIn(Wire):
    """The bands of labels; one that is named has these and none of the model's."""

    spam: BandsIn | None = None
    toxicity: BandsIn | None = None
    severe_toxicity: BandsIn | None = None
    obscene: BandsIn | None = None
    threat: BandsIn | None = None
    insult: BandsIn | None = None
    identity_attack: BandsIn | None = None
    sexual_explicit: BandsIn | None = None

    def bands(self) -> dict[Label, Bands]:
        """Return the bands of the labels that are named."""
        named = ((label, getattr(self, label.value)) for label in LABELS)
        return {label: Bands(*_values(given)) for label, given in named if given is not None}


class StepsIn(Wire):
    """From how many on a comment is held, spam, rejected; left out: never."""

    hold: Count | None = None
    spam: Count | None = None
    reject: Count | None = None


class LimitIn(Wire):
    """At most so many within so many minutes."""

    limit: Count
    minutes: Annotated[int, Field(ge=1, le=MINUTES_LIMIT)]
    verdict: Severe = "hold"


class AddressLimitIn(LimitIn):
    """The same by network, which is known by one name for no longer than a day."""

    minutes: Annotated[int, Field(ge=1, le=ADDRESS_MINUTES)]


class FloodIn(Wire):
    """How many comments may have one author, network or link domain in common."""

    author: LimitIn | None = None
    address: AddressLimitIn | None = None
    domain: LimitIn | None = None


class DuplicatesIn(Wire):
    """How many comments may say the same, to the word or nearly."""

    exact: LimitIn | None = None
    near: LimitIn | None = None


class HoneypotIn(Wire):
    """What becomes of a comment whose hidden field was filled in; approve ignores it."""

    verdict: Verdict = Verdict.SPAM


class TooFastIn(Wire):
    """How long a comment takes to write at least, by `form_shown_at`."""

    seconds: Annotated[int, Field(ge=1, le=3600)]
    verdict: Severe = "hold"


class OldThreadIn(Wire):
    """How long after `thread.published_at` comments are expected."""

    days: Annotated[int, Field(ge=1, le=DAYS_LIMIT)]
    verdict: Severe = "hold"


class LanguageIn(Wire):
    """In which languages comments are expected, by `language`: primary subtags of BCP 47."""

    accepted: Annotated[
        list[Annotated[str, Field(pattern="^[a-z]{2,3}$")]], Field(min_length=1, max_length=100)
    ]
    verdict: Severe = "hold"


class StoredLanguageIn(LanguageIn):
    """The same as earlier releases took it: `english`, too, which comments may say they are in."""

    accepted: list[str]


class LanguageUnknownIn(Wire):
    """What becomes of a comment in a language that the model does not know."""

    verdict: Severe = "hold"


class FirstTimeIn(Wire):
    """What becomes of authors of whom nothing has been published."""

    verdict: Severe = "hold"


class TrustedIn(Wire):
    """After how many published comments, and none refused, an author is trusted."""

    approvals: Annotated[int, Field(ge=1, le=50)]


class ListIn(Wire):
    """A list of entries and the verdict of comments that match one; approve: it is allowed."""

    name: _Entry
    verdict: Verdict
    words: list[Annotated[_Entry, _taken(plain_words)]] = Field([], max_length=ENTRIES)
    contains: list[_Entry] = Field([], max_length=ENTRIES)
    patterns: list[Annotated[_Pattern, _taken(compile_pattern)]] = Field([], max_length=PATTERNS)
    domains: list[Annotated[_Entry, _taken(plain_domain)]] = Field([], max_length=ENTRIES)
    emails: list[Annotated[_Entry, _taken(plain_email)]] = Field([], max_length=ENTRIES)
    networks: list[Annotated[_Entry, _taken(plain_network)]] = Field([], max_length=ENTRIES)
    user_agents: list[_Entry] = Field([], max_length=ENTRIES)

    def listing(self) -> Listing:
        """Return it compiled. Raises PatternInvalid."""
        entries = {kind: tuple(getattr(self, kind.value)) for kind in Kind}
        return Listing(self.name, self.verdict, entries)


class PolicyIn(Wire):
    """What a site wants done with comments; what is left out is as the model and service have it.

    A label under `thresholds` replaces the model's thresholds for it: `{}` switches it off.
    """

    thresholds: ThresholdsIn = ThresholdsIn()
    hold_everything: bool = False
    honeypot: HoneypotIn = HoneypotIn()
    lists: list[ListIn] = Field([], max_length=LISTS)
    links: StepsIn | None = None
    too_fast: TooFastIn | None = None
    old_thread: OldThreadIn | None = None
    language: LanguageIn | None = None
    language_unknown: LanguageUnknownIn | None = None
    first_time: FirstTimeIn | None = None
    trusted: TrustedIn | None = None
    flood: FloodIn = FloodIn()
    duplicates: DuplicatesIn = DuplicatesIn()

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        names = [listing.name for listing in self.lists]
        if len(set(names)) < len(names):
            raise ValueError("expected lists of different names, got one name twice")
        entries = sum(len(getattr(each, kind.value)) for each in self.lists for kind in Kind)
        if entries > ENTRIES:
            raise ValueError(f"expected at most {ENTRIES} entries in all lists, got {entries}")
        return self

    def to_json(self) -> str:
        """Write it for its row: only what was set."""
        return self.model_dump_json(exclude_defaults=True)

    def over(self, bands: Mapping[Label, Bands]) -> dict[Label, Bands]:
        """Return the model's *bands* with those of the labels that are named in their place."""
        return {**bands, **self.thresholds.bands()}

    def policy(self, version: str, bands: Mapping[Label, Bands]) -> Policy:
        """Return it compiled, over the model's *bands*. Raises PatternInvalid."""
        ignored = self.honeypot.verdict is Verdict.APPROVE
        rules = Rules(
            hold_everything=self.hold_everything,
            honeypot=None if ignored else self.honeypot.verdict,
            lists=tuple(given.listing() for given in self.lists),
            links=None if self.links is None else Steps(*_values(self.links)),
            too_fast=None
            if self.too_fast is None
            else Delay(timedelta(seconds=self.too_fast.seconds), Verdict(self.too_fast.verdict)),
            old_thread=None
            if self.old_thread is None
            else Delay(timedelta(days=self.old_thread.days), Verdict(self.old_thread.verdict)),
            language=None
            if self.language is None
            else Languages(frozenset(self.language.accepted), Verdict(self.language.verdict)),
            language_unknown=None
            if self.language_unknown is None
            else Verdict(self.language_unknown.verdict),
            first_time=None if self.first_time is None else Verdict(self.first_time.verdict),
            trusted=None if self.trusted is None else self.trusted.approvals,
            author_flood=_limit(self.flood.author),
            address_flood=_limit(self.flood.address),
            domain_flood=_limit(self.flood.domain),
            same=_limit(self.duplicates.exact),
            alike=_limit(self.duplicates.near),
        )
        return Policy(version, self.over(bands), rules)


class StoredPolicyIn(PolicyIn):
    """A policy that is in the database already: what holds goes on holding."""

    language: StoredLanguageIn | None = None


def _values(given: BaseModel) -> tuple[Any, ...]:
    return tuple(getattr(given, name) for name in type(given).model_fields)


def _limit(given: LimitIn | None) -> Limit | None:
    return None if given is None else Limit(given.limit, given.minutes, Verdict(given.verdict))


def read_json(text: bytes | str) -> PolicyIn:
    """Read a policy. Raises PolicyInvalid, which names the place and both sides."""
    return _read(PolicyIn, text)


def read_stored(text: str) -> PolicyIn:
    """Read a policy that was stored, by an earlier release perhaps. Raises PolicyInvalid."""
    return _read(StoredPolicyIn, text)


def _read(model: type[PolicyIn], text: bytes | str) -> PolicyIn:
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        raise PolicyInvalid("; ".join(map(_told, error.errors(include_url=False)))) from None


def read_toml(text: str) -> PolicyIn:
    """Read a policy that is written as TOML. Raises PolicyInvalid."""
    try:
        return read_json(orjson.dumps(tomllib.loads(text)))
    except (ValueError, TypeError) as error:  # ValueError: a number of thousands of digits, too
        raise PolicyInvalid(f"expected TOML, got: {error}") from None
    except RecursionError:
        raise PolicyInvalid("expected TOML, got brackets in brackets beyond any policy") from None


def _told(error: Any) -> str:  # noqa: ANN401 - pydantic's own
    where = ".".join(map(str, error["loc"]))
    if error["type"] == "extra_forbidden":
        *place, name = error["loc"]
        expected = ", ".join(_members(place))
        inside = ".".join(map(str, place)) or "policy"
        return f"{inside}: expected one of {expected}, got {name}"
    got = "" if error["type"] in {"value_error", "missing"} else f", got {_short(error['input'])}"
    return f"{where or 'policy'}: {error['msg'].removeprefix('Value error, ')}{got}"


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:59]}…"  # noqa: PLR2004


def _members(place: list[int | str]) -> list[str]:
    """Return the members that a policy has at a place."""
    model: type[BaseModel] = PolicyIn
    for part in place:
        if isinstance(part, str) and part in model.model_fields:
            model = _model_in(model.model_fields[part].annotation) or model
    return list(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:  # noqa: ANN401 - any type
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, get_args(annotation))), None)
