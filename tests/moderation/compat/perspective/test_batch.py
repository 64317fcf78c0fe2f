"""Several calls in one request."""

from contextlib import suppress
from email.parser import BytesParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation.compat.perspective import batch
from moderation.compat.perspective.batch import Answered, Part, Unreadable
from moderation.errors import PerspectiveRefused

MEDIA = 'multipart/mixed; boundary="===1=="'


def test_parts_are_taken_apart_as_googles_client_writes_them() -> None:
    """Lines end as the client likes; a long Content-ID may be folded."""
    body = (
        b"--===1==\nContent-Type: application/http\nMIME-Version: 1.0\n"
        b"Content-Transfer-Encoding: binary\nContent-ID: <0123 +\n 1>\n\n"
        b"POST /v1alpha1/comments:analyze?key=K&alt=json HTTP/1.1\n"
        b"Content-Type: application/json\nX-Goog-Api-Key: other\nHost: localhost\n\n"
        b'{"comment": {"text": "a\\n\\nb"}}\n'
        b"--===1==--\n"
    )

    (part,) = batch.read(body, MEDIA)

    assert isinstance(part, Part)
    assert part.content_id == "<0123 + 1>"
    assert (part.method, part.path, part.query) == (
        "POST",
        "/v1alpha1/comments:analyze",
        "key=K&alt=json",
    )
    assert part.headers["x-goog-api-key"] == "other"
    assert part.body == b'{"comment": {"text": "a\\n\\nb"}}'


def test_answers_are_put_together_under_the_ids_of_their_parts() -> None:
    """Any MIME parser finds them; `response-` stands in front of each id."""
    answers = [Answered("<0123 + 1>", 200, b'{"a":1}'), Answered("two", 400, '{"é":2}'.encode())]

    written = batch.write(answers, "batch_1")

    message = BytesParser().parsebytes(
        b"Content-Type: multipart/mixed; boundary=batch_1\r\n\r\n" + written
    )
    first, second = message.get_payload()
    assert first["Content-ID"] == "<response-0123 + 1>"
    assert second["Content-ID"] == "response-two"
    payload = first.get_payload()
    assert payload.startswith("HTTP/1.1 200 OK\r\n")
    assert payload.endswith('\r\n\r\n{"a":1}')
    assert second.get_payload().startswith("HTTP/1.1 400 Bad Request\r\n")


@pytest.mark.parametrize(
    ("body", "media"),
    [
        (b"", MEDIA),
        (b"--===1==--", MEDIA),
        (b"--===1==\nContent-ID: 1\n\nPOST /a HTTP/1.1\n\n{}", MEDIA),
        (b"--a\n\n\nPOST /a HTTP/1.1\n\n{}\n--a--", "application/json"),
        (b"--a\n\n\nPOST /a HTTP/1.1\n\n{}\n--a--", "multipart/mixed"),
        (b"--a\n\n\nPOST /a HTTP/1.1\n\n{}\n--a--", None),
    ],
)
def test_what_is_no_batch_is_refused(body: bytes, media: str | None) -> None:
    """No part is lost in silence: without its last boundary, a batch has been cut off."""
    with pytest.raises(PerspectiveRefused, match="Failed to parse batch request"):
        batch.read(body, media)


def test_a_content_type_is_short() -> None:
    """Before each semicolon Python's parser counts all quotes again: for minutes, without a key."""
    with pytest.raises(PerspectiveRefused, match="a content type of up to 1024 characters"):
        batch.read(b"--a--", 'multipart/mixed; boundary="' + ";" * 200_000)


@pytest.mark.parametrize(
    ("piece", "content_id"),
    [
        (b"\n", ""),
        (b"Content-ID: 1\n\nPOST\n\n{}", "1"),
        (b"Content-ID: 1\n\nPOST /a HTTP/1.1 more\n\n{}", "1"),
        (b"Content-ID: 1\n\nPOST //[ HTTP/1.1\n\n{}", "1"),
        (b"Content-ID: 1\n\nPOST /a HTTP/1.1", "1"),
        (b"X: " + b"y" * 20_000 + b"\n\nPOST /a HTTP/1.1\n\n{}", ""),
    ],
)
def test_a_part_that_cannot_be_read_costs_no_other(piece: bytes, content_id: str) -> None:
    """It has an answer of its own, under its id where that can be read."""
    good = b"\n--===1==\nContent-ID: 2\n\nPOST /a HTTP/1.1\n\n{}"

    bad, other = batch.read(b"--===1==\n" + piece + good + b"\n--===1==--", MEDIA)

    assert isinstance(bad, Unreadable)
    assert (bad.content_id, bad.error.status) == (content_id, 400)
    assert "Failed to parse batch request" in str(bad.error)
    assert other == Part("2", "POST", "/a", "", {}, b"{}")


@pytest.mark.parametrize(
    "line",
    [
        b"POST /v1alpha1/comments:analyze?key=a%26b",
        b"POST /v1alpha1/comments%3Aanalyze?key=a%26b HTTP/1.1",
        b"POST https://localhost/v1alpha1/comments:analyze?key=a%26b HTTP/2",
    ],
)
def test_a_request_line_is_read_as_a_server_reads_it(line: bytes) -> None:
    """The version may be missing, and a path is the same however it is quoted."""
    (part,) = batch.read(b"--===1==\nMIME-Version: 1.0\n\n" + line + b"\n\n{}\n--===1==--", MEDIA)

    assert isinstance(part, Part)
    assert (part.path, part.query) == ("/v1alpha1/comments:analyze", "key=a%26b")


@given(
    st.text(alphabet="-a:\r\n POSTHTTP/1.1=;{}", max_size=80).map(
        lambda inner: f"--a\r\n{inner}\r\n--a--"
    ),
    st.sampled_from(["multipart/mixed; boundary=a", 'multipart/mixed; boundary="a', "x\r\ny"]),
)
def test_any_bytes_are_taken_apart_or_refused(body: str, media: str) -> None:
    """Nothing but a refusal ever comes of what is no batch."""
    with suppress(PerspectiveRefused):
        batch.read(body.encode(), media)
