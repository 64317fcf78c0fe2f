"""The benchmark's requests: valid, of the length they state, and never the same twice."""

import json
import sys
from itertools import islice
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from consent.wire import events as consent_wire
from moderation.compat.akismet import check
from moderation.compat.akismet.form import Form
from moderation.compat.openai import wire as openai
from moderation.compat.perspective import wire as perspective
from moderation.wire import comments as moderation_wire

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from traffic import DIALECTS, Route, Sender, identifier, page, requests

SENDER = Sender(run="r00n16", key="k" * 62)


def sent(route: Route, count: int, *, connection: int = 3) -> list[tuple[bytes, bytes]]:
    """Return the head and the body of the first *count* requests."""
    found = []
    for request in islice(requests(route, SENDER, connection), count):
        head, _, body = request.partition(b"\r\n\r\n")
        found.append((head, body))
    return found


@pytest.mark.parametrize(
    "route",
    [Route.ECHO, Route.SCORE, Route.COMMENT, Route.TOLD, *DIALECTS, Route.CONSENT],
)
def test_length_is_the_body_s(route: Route) -> None:
    """The stated length is the length."""
    for head, body in sent(route, 50):
        stated = head.rpartition(b"Content-Length: ")[2].partition(b"\r\n")[0]

        assert int(stated) == len(body)


def test_comments_are_valid_and_all_different() -> None:
    """The service takes every comment, none for an earlier one."""
    comments = [
        moderation_wire.CommentIn.model_validate_json(body)
        for connection in range(2)
        for _, body in sent(Route.COMMENT, 3000, connection=connection)
    ]

    assert len({comment.external_id for comment in comments}) == 6000
    assert len({comment.text for comment in comments}) == 6000
    assert comments[3000].external_id == identifier(SENDER.run, 1, 0)


def test_checks_are_forms_and_all_different() -> None:
    """Each is a comment of its own, with the text that it would have as JSON."""
    checks = [check.read(Form(body), slashed=False) for _, body in sent(Route.CHECK, 3000)]
    comments = [json.loads(body) for _, body in sent(Route.COMMENT, 3000)]

    assert len({each.submission.external_id for each in checks}) == 3000
    assert [each.submission.text for each in checks] == [each["text"] for each in comments]
    assert checks[0].submission.thread_id == page(identifier(SENDER.run, 3, 0))


def test_the_native_call_beside_a_check_tells_the_same() -> None:
    """Author and thread as the form has them, and each a comment of its own."""
    told = [
        moderation_wire.CommentIn.model_validate_json(body) for _, body in sent(Route.TOLD, 3000)
    ]
    checked = [check.read(Form(body), slashed=False).submission for _, body in sent(Route.CHECK, 9)]

    assert len({each.external_id for each in told}) == 3000
    for native, form in zip(told, checked, strict=False):
        assert native.author is not None
        assert native.thread is not None
        assert (native.text, native.thread.id) == (form.text, form.thread_id)
        assert (native.author.name, native.author.ip) == (form.author.name, form.author.ip)
        assert native.author.user_agent == form.author.user_agent


def test_analyses_and_moderations_are_valid_and_all_different() -> None:
    """They hold the texts that the native API is sent; an analysis has a token to be found by."""
    comments = [json.loads(body)["text"] for _, body in sent(Route.COMMENT, 3000)]
    analyses = [
        perspective.read(perspective.AnalyzeCommentRequest, body)
        for _, body in sent(Route.ANALYZE, 3000)
    ]
    moderations = [openai.read(body) for _, body in sent(Route.MODERATE, 3000)]

    assert [each.comment.text for each in analyses if each.comment] == comments
    assert [text for texts in moderations for text in texts] == comments
    assert len({each.client_token for each in analyses}) == 3000


def test_scores_are_valid_and_all_different() -> None:
    """No text is scored twice."""
    bodies = [body for _, body in sent(Route.SCORE, 3000)]

    assert all(moderation_wire.ScoreIn.model_validate_json(body) for body in bodies)
    assert len(set(bodies)) == 3000


def test_events_come_in_pairs() -> None:
    """A subject is asked, then answers, and each event has its own key."""
    events = [
        consent_wire.EventIn.model_validate_json(body) for _, body in sent(Route.CONSENT, 100)
    ]

    assert [event.event_type for event in events] == ["requested", "given"] * 50
    assert len({event.idempotency_key for event in events}) == 100
    assert len({event.subject.id for event in events}) == 50
    assert all(
        asked.subject == answered.subject
        for asked, answered in zip(events[::2], events[1::2], strict=True)
    )


def test_standing_asks_for_seeded_subjects() -> None:
    """Every subject asked for was given a standing before."""
    seeded = {
        json.loads(body)["subject"]["id"]
        for connection in range(8)
        for request in islice(requests(Route.CONSENT, Sender("seed", ""), connection), 500)
        for body in [request.partition(b"\r\n\r\n")[2]]
    }

    for head, _ in sent(Route.STANDING, 200):
        query = parse_qs(head.split(b" ")[1].partition(b"?")[2].decode())
        assert query["subject_id"][0] in seeded
