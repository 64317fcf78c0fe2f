"""Settings as JSON."""

from dataclasses import asdict
from typing import Annotated

import orjson
from pydantic import BaseModel, Field

from consent.choices.regime import Defaults, GpcPolicy, Regime
from consent.choices.setting import Setting
from consent.wire.strict import Short, Wire

Months = Annotated[int, Field(ge=0, le=120)]


class DefaultsIn(Wire):
    """What may run for a purpose that nobody has decided about, under the regime `custom`."""

    legitimate_interest: bool = False
    opt_out: bool = False
    exempt_statistics: bool = False
    signal_opts_out: bool = False


class SettingsIn(Wire):
    """How a site wants consent to be handled; what is left out is as if it was never set."""

    regime: Regime | None = Field(
        None, description="for every visitor; without it, by where the visitor is"
    )
    custom: DefaultsIn = DefaultsIn()
    gpc: GpcPolicy = Field(
        GpcPolicy.REFUSE_ADVERTISING,
        description="what Global Privacy Control ends where no law makes it an opt-out",
    )
    ask_again_months: Months = Field(6, description="how long nobody is asked after a no")
    opt_in_again_months: Months = Field(12, description="how long nobody is asked to opt in again")
    valid_months: Annotated[int, Field(ge=1, le=120)] | None = Field(
        None, description="how long consent lasts that says nothing of its own"
    )
    retention_days: Annotated[int, Field(ge=1, le=36_500)] | None = Field(
        None, description="after how long records go that no present standing rests on"
    )
    site: Short | None = None

    def setting(self) -> Setting:
        """Return what was set."""
        told = self.model_dump(exclude={"site", "custom"})
        return Setting(**told, custom=Defaults(**self.custom.model_dump()))


class GpcOut(BaseModel):
    """Whether a site honours Global Privacy Control, and since when it says so."""

    gpc: bool
    lastUpdate: str  # noqa: N815 - the specification's own name


def setting(held: Setting) -> bytes:
    """Write settings."""
    return orjson.dumps(asdict(held))
