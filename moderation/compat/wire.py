"""The one door for the JSON of a site's setting for other dialects."""

from dataclasses import asdict
from typing import Literal

import orjson
from pydantic import BaseModel, Field

from moderation.compat.setting import AkismetSetting, CompatSetting
from moderation.wire.comments import Short, Wire

CALLS_LIMIT = 10**12
RECHECK_LIMIT_S = 86_400


class AkismetIn(Wire):
    """How Akismet's clients are answered; what is left out is as it is by default."""

    hold: Literal["false", "true"] = Field(
        "false", description="what a client is told of a comment that waits for a person"
    )
    recheck_after_s: int = Field(
        120, ge=1, le=RECHECK_LIMIT_S, description="when it is to ask again, told with `false`"
    )
    discard: bool = Field(False, description="let clients drop blatant spam without a review")
    monthly_limit: int | None = Field(None, ge=0, le=CALLS_LIMIT, description="calls a month")


class CompatSettingIn(Wire):
    """How clients of other APIs are answered, a member for each of these APIs."""

    akismet: AkismetIn = AkismetIn()
    site: Short | None = None


class AkismetOut(BaseModel):
    """How Akismet's clients are answered."""

    hold: Literal["false", "true"]
    recheck_after_s: int
    discard: bool
    monthly_limit: int | None


class CompatSettingOut(BaseModel):
    """How clients of other APIs are answered."""

    akismet: AkismetOut


def setting(given: CompatSettingIn) -> CompatSetting:
    """Read what a site wants."""
    akismet = given.akismet
    return CompatSetting(
        AkismetSetting(
            hold=akismet.hold == "true",
            recheck_after_s=akismet.recheck_after_s,
            discard=akismet.discard,
            monthly_limit=akismet.monthly_limit,
        )
    )


def setting_out(found: CompatSetting) -> bytes:
    """Write what is set."""
    akismet = asdict(found.akismet)
    akismet["hold"] = "true" if found.akismet.hold else "false"
    return orjson.dumps({"akismet": akismet})
