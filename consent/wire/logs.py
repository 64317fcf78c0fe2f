"""The public log as JSON."""

from base64 import b64encode
from collections.abc import Sequence
from typing import Annotated

import orjson
from pydantic import BaseModel, Field

from consent.ledger import Head
from consent.wire.strict import Wire


class InclusionIn(Wire):
    """Which leaf, in the tree of which size; sizes are counts of leaves."""

    index: Annotated[int, Field(ge=0, le=2**63 - 1)]
    size: Annotated[int, Field(ge=1, le=2**63 - 1)]


class ConsistencyIn(Wire):
    """From which size to which."""

    from_: Annotated[int, Field(ge=1, le=2**63 - 1, alias="from")]
    to: Annotated[int, Field(ge=1, le=2**63 - 1)]


class LogOut(BaseModel):
    """One epoch of a site's log."""

    epoch: int
    origin: str
    key: str
    size: int


class LogsOut(BaseModel):
    """The epochs of a site's log, oldest first."""

    items: list[LogOut]


class HashesOut(BaseModel):
    """The hashes of a proof, base64, in the order of RFC 9162."""

    hashes: list[str]


def logs(heads: Sequence[tuple[Head, str]]) -> bytes:
    """Write the epochs of a log, each with its verifier key."""
    return orjson.dumps(
        {
            "items": [
                {
                    "epoch": head.epoch,
                    "origin": head.origin,
                    "key": vkey,
                    "size": head.frontier.size,
                }
                for head, vkey in heads
            ]
        }
    )


def hashes(path: Sequence[bytes]) -> bytes:
    """Write the hashes of a proof."""
    return orjson.dumps({"hashes": [b64encode(item).decode() for item in path]})
