"""Policies, their versions and dry runs as JSON."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import orjson
from pydantic import BaseModel, Field

from moderation.policy.judging import Bands
from moderation.policy.rehearsal import Rehearsal
from moderation.policy.versions import Version
from moderation.verdict import Label, Verdict
from moderation.wire.document import PolicyIn, ThresholdsIn
from moderation.wire.strict import PAGE_LIMIT, InstantOut, Short, Wire

REHEARSED = 10_000  # comments, at most
VERSION_LIMIT = 2**31 - 1  # what PostgreSQL takes for a number


class PolicyPutIn(Wire):
    """A policy, and the version whose place it takes: 0 where none was set."""

    replaces: Annotated[int, Field(ge=0)]
    policy: PolicyIn
    site: Short | None = None


class VersionsIn(Wire):
    """Which versions to list, the newest first."""

    before: Annotated[int, Field(ge=1, le=VERSION_LIMIT)] | None = None
    limit: Annotated[int, Field(ge=1, le=PAGE_LIMIT)] = 50
    site: Short | None = None


class DryRunIn(Wire):
    """A policy to be tried on comments of the last days, at most so many, the newest."""

    policy: PolicyIn
    days: Annotated[int, Field(ge=1, le=365)] = 30
    limit: Annotated[int, Field(ge=1, le=REHEARSED)] = 1_000
    site: Short | None = None


class PolicyOut(BaseModel):
    """A version of a policy, only what was set; version 0 is what holds where nothing is."""

    version: int
    policy: PolicyIn
    made: InstantOut | None


class PresentOut(PolicyOut):
    """The policy that holds; `thresholds` are all of them, the model's included."""

    thresholds: ThresholdsIn


class VersionsOut(BaseModel):
    """Versions, the newest first; `next` is the `before` of the next page."""

    items: list[PolicyOut]
    next: int | None


class PolicyChangeOut(BaseModel):
    """How many comments would fare otherwise, and the ids of up to ten of them."""

    before: Verdict
    after: Verdict
    comments: int
    examples: list[str]


class DryRunOut(BaseModel):
    """What would change; `comments` is how many were judged again."""

    comments: int
    changes: list[PolicyChangeOut]


def present(version: Version, bands: Mapping[Label, Bands]) -> bytes:
    """Write the policy that holds."""
    thresholds = {
        label.value: {band: at for band, at in given._asdict().items() if at is not None}
        for label, given in bands.items()
    }
    return orjson.dumps({**_version(version), "thresholds": thresholds})


def one(version: Version) -> bytes:
    """Write a version."""
    return orjson.dumps(_version(version))


def page(found: Sequence[Version], following: int | None) -> bytes:
    """Write a page of versions."""
    return orjson.dumps({"items": list(map(_version, found)), "next": following})


def dry_run(rehearsal: Rehearsal) -> bytes:
    """Write what would change."""
    changes = [change._asdict() for change in rehearsal.changes]
    return orjson.dumps({"comments": rehearsal.comments, "changes": changes})


def _version(version: Version) -> dict[str, Any]:
    return {
        "version": version.version,
        "policy": orjson.Fragment(version.content),
        "made": version.made,
    }
