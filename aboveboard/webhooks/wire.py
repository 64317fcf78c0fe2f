"""Webhooks and deliveries as JSON."""

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Annotated, Any

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from aboveboard.errors import WebhookCursorInvalid
from aboveboard.targets import URL_LIMIT
from aboveboard.webhooks.endpoint import Delivery, DeliveryState, Disabled, Tried, Webhook
from aboveboard.webhooks.managing import Made, Page

PAGE_LIMIT = 200
OVERLAP_HOURS = 168  # at most
IDS_LIMIT = 500

_PLACE = re.compile(r"([0-9TZ:.-]{27}) (msg_[a-z2-7]{32})", re.ASCII)


def _without_nul(value: str) -> str:
    if "\0" in value:
        raise ValueError("expected text without U+0000")
    return value


Text = Annotated[str, AfterValidator(_without_nul)]
Short = Annotated[Text, Field(min_length=1, max_length=256)]
Url = Annotated[Text, Field(min_length=1, max_length=URL_LIMIT)]
InstantOut = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
Events = Annotated[list[Short], Field(min_length=1, max_length=32)]


class Wire(BaseModel):
    """What every model that is read here is: strict, frozen, and closed to unknown members."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", hide_input_in_errors=True)


class WebhooksIn(Wire):
    """Whose webhooks."""

    site: Short | None = None


class WebhookIn(Wire):
    """A webhook to be made; without *events* it is told of all that there are."""

    url: Url
    events: Events | None = None
    site: Short | None = None


class WebhookChangeIn(Wire):
    """What shall be otherwise; what is left out stays."""

    url: Url | None = None
    events: Events | None = None
    enabled: bool | None = None
    site: Short | None = None


class SecretIn(Wire):
    """How long the secret before the new one goes on signing, too."""

    overlap_hours: Annotated[int, Field(ge=0, le=OVERLAP_HOURS)] = 24
    site: Short | None = None


class TestIn(Wire):
    """Whose webhook is tested."""

    __test__ = False  # no test, whatever its name says to pytest

    site: Short | None = None


class DeliveriesIn(Wire):
    """Which deliveries to list."""

    state: DeliveryState | None = None
    cursor: Short | None = Field(None, description="the `next` of the page before")
    limit: Annotated[int, Field(ge=1, le=PAGE_LIMIT)] = 50
    site: Short | None = None


class RedeliverIn(Wire):
    """Which deliveries to try anew; without *ids* all that are parked."""

    ids: Annotated[list[Short], Field(min_length=1, max_length=IDS_LIMIT)] | None = None
    site: Short | None = None


class WebhookOut(BaseModel):
    """A webhook without its secrets.

    `disabled` says why nothing is delivered: `by_hand`, or `gone` where its receiver answered 410.
    `failures` counts the tries in a row that had no answer; until `held_until` none is made.
    """

    id: str
    site: str
    url: str
    events: list[str]
    created: InstantOut
    disabled: Disabled | None
    failures: int
    held_until: InstantOut | None
    older_secret_until: InstantOut | None


class WebhookMadeOut(WebhookOut):
    """A webhook with its newest secret, shown this once."""

    secret: str


class WebhooksOut(BaseModel):
    """The webhooks of a site, oldest first."""

    items: list[WebhookOut]


class TestOut(BaseModel):
    """What came of a test: the receiver's status, or a word for why there was none."""

    __test__ = False  # no test, whatever its name says to pytest

    delivered: bool
    status: int | None
    outcome: str


class DeliveryOut(BaseModel):
    """One message to one webhook; `id` is the `webhook-id` that the receiver sees.

    `outcome` is that of the last try: a status, or a word. A pending one is tried next at `due`;
    of one that ended, that is when it is forgotten.
    """

    id: str
    event: str
    state: DeliveryState
    queued: str
    due: InstantOut
    attempts: int
    first_tried: str | None
    last_tried: str | None
    outcome: str | None


class DeliveriesOut(BaseModel):
    """Deliveries of a webhook, the last queued first."""

    items: list[DeliveryOut]
    next: str | None


class RedeliveredOut(BaseModel):
    """How many deliveries are tried anew."""

    redelivered: int


def webhook(found: Webhook) -> dict[str, Any]:
    """Write a webhook."""
    return {
        "id": found.id,
        "site": found.site_id,
        "url": found.url,
        "events": list(found.events),
        "created": found.created,
        "disabled": found.disabled,
        "failures": found.failures,
        "held_until": found.held_until,
        "older_secret_until": found.older_until,
    }


def made(new: Made) -> dict[str, Any]:
    """Write a webhook and its newest secret."""
    return {**webhook(new.webhook), "secret": new.secret}


def webhooks(found: Sequence[Webhook]) -> dict[str, Any]:
    """Write webhooks."""
    return {"items": [webhook(one) for one in found]}


def tested(tried: Tried) -> dict[str, Any]:
    """Write what came of a test."""
    return {"delivered": tried.is_well, "status": tried.status, "outcome": tried.outcome}


def delivery(found: Delivery) -> dict[str, Any]:
    """Write a delivery."""
    return {name: getattr(found, name) for name in DeliveryOut.model_fields}


def deliveries(page: Page) -> dict[str, Any]:
    """Write a page of deliveries."""
    following = None
    if page.following is not None:
        place = " ".join(page.following).encode()
        following = base64.urlsafe_b64encode(place).decode().rstrip("=")
    return {"items": [delivery(one) for one in page.deliveries], "next": following}


def before(cursor: str | None) -> tuple[str, str] | None:
    """Read where a page begins. Raises WebhookCursorInvalid."""
    if cursor is None:
        return None
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        place = base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        place = ""
    found = _PLACE.fullmatch(place)
    if found is None:
        raise WebhookCursorInvalid("expected the `next` of an earlier answer, got something else")
    return found[1], found[2]


def encode(content: dict[str, Any]) -> bytes:
    """Write JSON."""
    return orjson.dumps(content)
