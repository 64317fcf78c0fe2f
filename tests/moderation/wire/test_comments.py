"""Comments as JSON, read from rows that anything may have happened to."""

from dataclasses import replace

import orjson
import pytest

from moderation.store import Detail, Stored
from moderation.wire import comments

STORED = Stored(
    "id-1",
    "42",
    1,
    "published",
    "approve",
    '{"spam":0.5}',
    "[]",
    "model",
    "policy",
    "native",
    "{}",
    new=False,
)


@pytest.mark.parametrize("torn", [{"labels": '{"spam"z0.5}'}, {"reasons": "["}, {"details": "{"}])
def test_what_is_no_json_is_passed_on_to_nobody(torn: dict[str, str]) -> None:
    """It is a fault of ours, which is logged, not an answer that no client can read."""
    whole = Detail(STORED, "a text", None, None, "2026-01-02T03:04:05Z", 1)

    assert orjson.loads(comments.detail(whole))["labels"] == {"spam": 0.5}
    with pytest.raises(ValueError, match=r"unexpected|expected"):
        comments.detail(replace(whole, stored=STORED._replace(**torn)))
