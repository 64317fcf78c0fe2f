"""What the benchmark looks for afterwards is what the service stores."""

import sys
from pathlib import Path
from urllib.parse import parse_qs

import orjson
import pytest

from moderation.compat.akismet import check
from moderation.compat.akismet.form import Form
from moderation.compat.perspective import routes as perspective
from moderation.compat.perspective import wire

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from audit import Acknowledged
from load import Result, Spec
from traffic import Route, Sender, requests


def acknowledged(route: Route) -> Acknowledged:
    """Return what is looked for after two connections had three answers each, one a refusal."""
    found = Acknowledged()
    result = Result(
        requests=6,
        elapsed_s=1.0,
        rate=6.0,
        p50_ms=1.0,
        p99_ms=1.0,
        cpu_us={},
        client_load=0.1,
        statuses={"200": 5, "503": 1},
        dropped=0,
        first_problem="",
        answered=[3, 3],
        refused=[(1, 2)],
        indexes=[],
    )
    found.add(Spec(route=route, port=1, connections=2, run="r00n02", seconds=1.0), result)
    return found


def bodies(route: Route) -> list[bytes]:
    """Return the bodies of what was sent and not refused."""
    sender = Sender(run="r00n02", key="k" * 62)
    streams = [requests(route, sender, connection) for connection in (0, 1)]
    sent = [next(stream).partition(b"\r\n\r\n")[2] for stream in streams for _ in range(3)]
    return sent[:-1]


@pytest.mark.parametrize("route", [Route.COMMENT, Route.TOLD])
def test_comments_are_looked_for_by_their_names(route: Route) -> None:
    """A comment that was refused is not missed."""
    assert acknowledged(route).comments == {
        orjson.loads(body)["external_id"] for body in bodies(route)
    }


def test_an_analysis_is_looked_for_by_the_name_it_is_stored_under() -> None:
    """Which is not the token alone: no other dialect's comment may answer for it."""
    asked = [wire.read(wire.AnalyzeCommentRequest, body) for body in bodies(Route.ANALYZE)]

    assert acknowledged(Route.ANALYZE).comments == {
        f"{perspective.PREFIX}{each.client_token}" for each in asked
    }


def test_a_check_is_looked_for_by_its_page() -> None:
    """It has no other name that its client gave it."""
    sent = bodies(Route.CHECK)

    assert acknowledged(Route.CHECK).checks == {
        check.read(Form(body), slashed=False).submission.thread_id for body in sent
    }
    assert len({parse_qs(body.decode())["permalink"][0] for body in sent}) == len(sent)
