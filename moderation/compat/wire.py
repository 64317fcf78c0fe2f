"""The one door for the JSON of a site's setting for other dialects."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Literal

import orjson
from pydantic import BaseModel, Field, field_validator

from moderation.compat.coral.wire import STATUSES, Status
from moderation.compat.openai.categories import Category, mapped
from moderation.compat.setting import (
    DEFAULT,
    AkismetSetting,
    CompatSetting,
    CoralSetting,
    OpenaiSetting,
    PerspectiveSetting,
)
from moderation.verdict import Label, Verdict
from moderation.wire.strict import Name, Short, Wire

CALLS_LIMIT = 10**12
RECHECK_LIMIT_S = 86_400
SECRETS_LIMIT = 4
SITES_LIMIT = 200


class AkismetIn(Wire):
    """How Akismet's clients are answered; what is left out is as it is by default."""

    hold: Literal["false", "true"] = Field(
        "false", description="what a client is told of a comment that waits for a person"
    )
    recheck_after_s: int = Field(
        DEFAULT.akismet.recheck_after_s,
        ge=1,
        le=RECHECK_LIMIT_S,
        description="when it is to ask again, told with `false`",
    )
    discard: bool = Field(False, description="let clients drop blatant spam without a review")
    monthly_limit: int | None = Field(None, ge=0, le=CALLS_LIMIT, description="calls a month")


class PerspectiveIn(Wire):
    """How Perspective's clients are answered; what is left out is as it is by default."""

    store: bool = Field(
        True, description="keep what is analysed and let people review what is held"
    )
    unsupported_attributes: Literal["error", "omit"] = Field(
        "error", description="what becomes of attributes that no label fits"
    )
    unknown_languages: Literal["error", "score"] = Field(
        "error", description="what becomes of comments in languages that the model does not know"
    )


class MixIn(Wire):
    """What a category is made of: the highest score of its labels, or, with `every`, the lowest."""

    category: Category
    labels: Annotated[list[Label], Field(min_length=1, max_length=len(Label))]
    every: bool = False


class OpenaiIn(Wire):
    """How OpenAI's clients are answered; what is left out is as it is by default."""

    store: bool = Field(
        True, description="keep what is moderated and let people review what is held"
    )
    categories: Annotated[list[MixIn], Field(max_length=len(Category))] | None = Field(
        None, description="what each category is made of; the others score nothing"
    )

    @field_validator("categories")
    @classmethod
    def _each_once(cls, categories: list[MixIn] | None) -> list[MixIn] | None:
        named = [mix.category for mix in categories or ()]
        if len(set(named)) != len(named):
            raise ValueError("expected each category once, got one twice")
        return categories

    other: Category | None = Field(
        None,
        description="what is flagged where the policy keeps a text back for spam, a rule or "
        "whatever else no category stands for",
    )


class StatusesIn(Wire):
    """What Coral is told to do, by verdict; null is nothing."""

    approve: Status | None = STATUSES[Verdict.APPROVE]
    hold: Status | None = STATUSES[Verdict.HOLD]
    spam: Status | None = STATUSES[Verdict.SPAM]
    reject: Status | None = STATUSES[Verdict.REJECT]


class CoralSiteIn(Wire):
    """Which site of ours a site of Coral's is."""

    coral_id: Name
    site: Short


class CoralIn(Wire):
    """How Coral is answered; what is left out is as it is by default, secrets as they were."""

    secrets: Annotated[list[Name], Field(max_length=SECRETS_LIMIT)] | None = Field(
        None, description="what Coral signs with; several while it is being changed"
    )
    secrets_known: int | None = Field(
        None, description="what `GET` tells, so that it can be sent back; not looked at"
    )
    sites: Annotated[list[CoralSiteIn], Field(max_length=SITES_LIMIT)] = Field(
        [], description="which site of ours each site of Coral's is; any other is this one"
    )
    statuses: StatusesIn = StatusesIn()


class CompatSettingIn(Wire):
    """How clients of other APIs are answered, a member for each of these APIs."""

    akismet: AkismetIn = AkismetIn()
    perspective: PerspectiveIn = PerspectiveIn()
    openai: OpenaiIn = OpenaiIn()
    coral: CoralIn = CoralIn()
    site: Short | None = None


class AkismetOut(BaseModel):
    """How Akismet's clients are answered."""

    hold: Literal["false", "true"]
    recheck_after_s: int
    discard: bool
    monthly_limit: int | None


class PerspectiveOut(BaseModel):
    """How Perspective's clients are answered."""

    store: bool
    unsupported_attributes: Literal["error", "omit"]
    unknown_languages: Literal["error", "score"]


class MixOut(BaseModel):
    """What a category is made of."""

    category: Category
    labels: list[Label]
    every: bool


class OpenaiOut(BaseModel):
    """How OpenAI's clients are answered."""

    store: bool
    categories: list[MixOut]
    other: Category | None


class StatusesOut(BaseModel):
    """What Coral is told to do, by verdict."""

    approve: Status | None
    hold: Status | None
    spam: Status | None
    reject: Status | None


class CoralSiteOut(BaseModel):
    """Which site of ours a site of Coral's is."""

    coral_id: str
    site: str


class CoralOut(BaseModel):
    """How Coral is answered; secrets are never told."""

    secrets_known: int
    sites: list[CoralSiteOut]
    statuses: StatusesOut


class CompatSettingOut(BaseModel):
    """How clients of other APIs are answered."""

    akismet: AkismetOut
    perspective: PerspectiveOut
    openai: OpenaiOut
    coral: CoralOut


def setting(given: CompatSettingIn, *, secrets: Sequence[str]) -> CompatSetting:
    """Read what a site wants; *secrets* are Coral's, sealed."""
    akismet, perspective, openai, coral = (
        given.akismet,
        given.perspective,
        given.openai,
        given.coral,
    )
    return CompatSetting(
        AkismetSetting(
            hold=akismet.hold == "true",
            recheck_after_s=akismet.recheck_after_s,
            discard=akismet.discard,
            monthly_limit=akismet.monthly_limit,
        ),
        PerspectiveSetting(
            store=perspective.store,
            omit_attributes=perspective.unsupported_attributes == "omit",
            any_language=perspective.unknown_languages == "score",
        ),
        OpenaiSetting(
            store=openai.store,
            categories=None
            if openai.categories is None
            else {
                mix.category.value: mix.model_dump(include={"labels", "every"})
                for mix in openai.categories
            },
            other=openai.other,
        ),
        CoralSetting(
            list(secrets),
            {mapped.coral_id: mapped.site for mapped in coral.sites},
            coral.statuses.model_dump(),
        ),
    )


def setting_out(found: CompatSetting) -> bytes:
    """Write what is set."""
    akismet = asdict(found.akismet)
    akismet["hold"] = "true" if found.akismet.hold else "false"
    perspective, openai, coral = found.perspective, found.openai, found.coral
    return orjson.dumps(
        {
            "akismet": akismet,
            "perspective": {
                "store": perspective.store,
                "unsupported_attributes": "omit" if perspective.omit_attributes else "error",
                "unknown_languages": "score" if perspective.any_language else "error",
            },
            "openai": {
                "store": openai.store,
                "categories": [
                    {"category": category, "labels": mix.labels, "every": mix.every}
                    for category, mix in mapped(openai.categories).items()
                ],
                "other": openai.other,
            },
            "coral": {
                "secrets_known": len(coral.secrets),
                "sites": [
                    {"coral_id": coral_id, "site": site} for coral_id, site in coral.sites.items()
                ],
                "statuses": StatusesIn().model_dump() | dict(coral.statuses),
            },
        }
    )
