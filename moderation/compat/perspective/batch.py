"""Several calls in one request, as Google's clients send them: multipart/mixed of application/http.

Pure. A part is a request of its own, with a request line, headers and a body; its answer carries
its Content-ID, with `response-` in front.
"""

import re
from collections.abc import Mapping, Sequence
from email.message import Message
from email.parser import BytesHeaderParser
from http import HTTPStatus
from itertools import pairwise
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from moderation.compat.perspective import refusals
from moderation.errors import PerspectiveRefused

PARTS = 1000  # calls in one batch, as in Google's own clients
HEAD_BYTES = 16 * 1024  # of one part's headers
TYPE_CHARS = 1024  # of the content type: reading one takes time in proportion to its square

_BLANK = re.compile(rb"\r?\n\r?\n")


class Part(NamedTuple):
    """One call of a batch; *content_id* is empty where the client gave none."""

    content_id: str
    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


class Unreadable(NamedTuple):
    """A part that is no call: *error* is its answer, which costs no other part theirs."""

    content_id: str
    error: PerspectiveRefused


class Answered(NamedTuple):
    """What a part was answered; *body* is JSON."""

    content_id: str
    status: int
    body: bytes


def read(body: bytes, content_type: str | None) -> list[Part | Unreadable]:
    """Take a batch apart. Raises PerspectiveRefused where its parts cannot be told."""
    boundary = _boundary(content_type)
    delimiter = re.compile(
        rb"(?:\A|\r?\n)--" + re.escape(boundary) + rb"(?P<last>--)?[ \t]*+(?:\r?\n|\Z)"
    )
    delimiters = list(delimiter.finditer(body))
    if not delimiters or delimiters[-1]["last"] is None:
        raise refusals.batch_invalid("expected the boundary after the last part")
    pieces = [body[one.end() : other.start()] for one, other in pairwise(delimiters)]
    if not 1 <= len(pieces) <= PARTS:
        raise refusals.batch_invalid(f"expected 1 to {PARTS} parts, got {len(pieces)}")
    return [_part(piece) for piece in pieces]


def write(answers: Sequence[Answered], boundary: str) -> bytes:
    """Put the answers of a batch together, in the order of its parts."""
    told = []
    for answer in answers:
        content_id = f"Content-ID: {_answer_id(answer.content_id)}\r\n" if answer.content_id else ""
        head = (
            f"--{boundary}\r\nContent-Type: application/http\r\n{content_id}\r\n"
            f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}\r\n"
            "Content-Type: application/json; charset=UTF-8\r\n"
            f"Content-Length: {len(answer.body)}\r\n\r\n"
        )
        told.append(head.encode("latin-1", "replace") + answer.body + b"\r\n")
    return b"".join(told) + f"--{boundary}--\r\n".encode()


def _boundary(content_type: str | None) -> bytes:
    if len(content_type or "") > TYPE_CHARS:
        raise refusals.batch_invalid(f"expected a content type of up to {TYPE_CHARS} characters")
    head = Message()
    head["content-type"] = (content_type or "").replace("\r", "").replace("\n", "")
    boundary = head.get_boundary()
    if head.get_content_type() != "multipart/mixed" or not boundary or not boundary.isascii():
        raise refusals.batch_invalid("expected the content type multipart/mixed with a boundary")
    return boundary.encode()


def _part(piece: bytes) -> Part | Unreadable:
    content_id = ""
    try:
        outer, rest = _split(piece)
        content_id = " ".join(_headers(outer).get("content-id", "").split())
        return _call(content_id, rest)
    except PerspectiveRefused as error:
        return Unreadable(content_id, error)


def _call(content_id: str, request: bytes) -> Part:
    head, body = _split(request)
    line, _, fields = head.partition(b"\n")
    words = line.decode("latin-1").split()
    if len(words) not in {2, 3}:  # method, address, and mostly a version
        raise refusals.batch_invalid("expected a part to begin with a request line")
    try:
        address = urlsplit(words[1])
    except ValueError:
        raise refusals.batch_invalid("expected a part to name an address") from None
    return Part(content_id, words[0], unquote(address.path), address.query, _headers(fields), body)


def _split(piece: bytes) -> tuple[bytes, bytes]:
    """Return what stands before the first blank line, and what after it."""
    found = _BLANK.search(piece, 0, HEAD_BYTES)
    if found is None:
        raise refusals.batch_invalid(
            f"expected a part to have a blank line within {HEAD_BYTES} bytes"
        )
    return piece[: found.start()], piece[found.end() :]


def _headers(head: bytes) -> dict[str, str]:
    parsed = BytesHeaderParser().parsebytes(head + b"\n\n")
    return {name.lower(): str(value) for name, value in parsed.items()}


def _answer_id(content_id: str) -> str:
    if content_id.startswith("<"):
        return f"<response-{content_id[1:]}"
    return f"response-{content_id}"
