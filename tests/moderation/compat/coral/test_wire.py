"""What Coral posts, and what it is answered."""

import orjson
import pytest

from moderation.compat.coral.wire import ModerationIn, answer
from moderation.verdict import Label, Verdict

POSTED = {
    "action": "NEW",
    "comment": {"body": "Here's a comment!", "parentID": None},
    "author": {"id": "a1", "role": "COMMENTER"},
    "story": {"id": "s1", "url": "http://localhost:1313/posts/a-story-url/"},
    "site": {"id": "c1"},
    "tenantID": "t1",
    "tenantDomain": "localhost",
}


def test_what_corals_guide_shows_is_read() -> None:
    """Members that a later release adds are passed over."""
    posted = orjson.dumps(POSTED | {"later": {"more": 1}})

    assert ModerationIn.model_validate_json(posted).comment.body == "Here's a comment!"


def test_there_is_no_opinion_of_what_is_approved() -> None:
    """Coral's own later phases and settings go on as if nobody had been asked."""
    assert answer(Verdict.APPROVE, []) is None
    assert answer(Verdict.APPROVE, [], {Verdict.APPROVE: "APPROVED"}) == b'{"status":"APPROVED"}'


@pytest.mark.parametrize("verdict", [Verdict.HOLD, Verdict.SPAM])
def test_what_is_held_or_hidden_waits_for_a_person(verdict: Verdict) -> None:
    """A machine hides nothing for good: a moderator of Coral's sees it, with the flags."""
    told = answer(verdict, [Label.SPAM, Label.INSULT, Label.THREAT])

    assert told is not None
    assert orjson.loads(told) == {
        "actions": [
            {"actionType": "FLAG", "reason": "COMMENT_DETECTED_SPAM"},
            {"actionType": "FLAG", "reason": "COMMENT_DETECTED_TOXIC"},
        ],
        "status": "SYSTEM_WITHHELD",
    }


def test_a_site_may_only_flag() -> None:
    """Without a status the comment goes on, flagged; without either there is no opinion."""
    statuses = {Verdict.HOLD: None}

    assert answer(Verdict.HOLD, [], statuses) is None
    assert answer(Verdict.HOLD, [Label.SPAM], statuses) == (
        b'{"actions":[{"actionType":"FLAG","reason":"COMMENT_DETECTED_SPAM"}]}'
    )
    assert answer(Verdict.REJECT, []) == b'{"status":"REJECTED"}'


def test_what_is_approved_is_not_flagged() -> None:
    """A person may have approved what the labels spoke against."""
    statuses = {Verdict.APPROVE: "APPROVED"}

    assert answer(Verdict.APPROVE, [Label.TOXICITY], statuses) == b'{"status":"APPROVED"}'
