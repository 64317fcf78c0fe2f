"""The public log as JSON."""

from base64 import b64encode
from collections.abc import Sequence
from typing import Annotated, Any

import orjson
from pydantic import BaseModel, Field

from consent.choices.choice import Reason
from consent.recording.proving import Log
from consent.sealing.vault import Opened
from consent.wire.strict import Wire


class InclusionIn(Wire):
    """Which leaf, in the tree of which size; sizes are counts of leaves."""

    index: Annotated[int, Field(ge=0, le=2**63 - 1)]
    size: Annotated[int, Field(ge=1, le=2**63 - 1)]


class ConsistencyIn(Wire):
    """From which size to which."""

    from_: Annotated[int, Field(ge=1, le=2**63 - 1, alias="from")]
    to: Annotated[int, Field(ge=1, le=2**63 - 1)]


class ContinuesOut(BaseModel):
    """What an epoch continues: the event of its entry 0, opened, and the salt to check it by."""

    epoch: int
    reason: Reason
    event: dict[str, Any]
    salt: str


class LogOut(BaseModel):
    """One epoch of a site's log; every one but the first continues another."""

    epoch: int
    origin: str
    key: str
    size: int
    continues: ContinuesOut | None = None


class LogsOut(BaseModel):
    """The epochs of a site's log, oldest first."""

    items: list[LogOut]


class HashesOut(BaseModel):
    """The hashes of a proof, base64, in the order of RFC 9162."""

    hashes: list[str]


def logs(logs: Sequence[Log]) -> bytes:
    """Write the epochs of a log, each with its verifier key."""
    return orjson.dumps(
        {
            "items": [
                {
                    "epoch": log.head.epoch,
                    "origin": log.head.origin,
                    "key": log.vkey,
                    "size": log.head.frontier.size,
                }
                | ({} if log.continues is None else {"continues": _continues(log.continues)})
                for log in logs
            ]
        }
    )


def _continues(opened: Opened) -> dict[str, Any]:
    event = orjson.loads(opened.event)
    return {
        "epoch": event["previous"]["epoch"],
        "reason": event["previous"]["reason"],
        "event": event,
        "salt": b64encode(opened.salt).decode(),
    }


def hashes(path: Sequence[bytes]) -> bytes:
    """Write the hashes of a proof."""
    return orjson.dumps({"hashes": [b64encode(item).decode() for item in path]})
