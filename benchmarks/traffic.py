"""The requests of the load: for each route an endless stream of prepared bytes, no two alike.

Every comment has its own `external_id` and every consent event its own key, made of the run, the
connection and a number, so that the audit can tell which acknowledged row is missing. Text is made
from a seeded vocabulary, the same on every machine, with one word in each that was never said
before: the scorer must not be praised for remembering the benchmark.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from itertools import accumulate
from urllib.parse import urlencode
from zlib import crc32

TEXTS = 2048
TEXT_CHARACTERS = 200
VOCABULARY = 20_000
SEED_CONNECTIONS = 8
SEED_SUBJECTS = 250  # per connection of the seeding run, each with a requested and a given event
SEED_RUN = "seed"
SITE = "https://bench.example"
NOTICE_ID = "cookies"
PURPOSE = "analytics"
ADDRESS = "198.51.100.7"
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


class Route(StrEnum):
    """What is measured; the values are the words of the report."""

    ECHO = "echo"
    FRAMED = "echo in the service's middleware"
    SCORE = "score"
    COMMENT = "comment"
    TOLD = "comment with what the form of a check tells"
    CHECK = "Akismet's comment-check"
    ANALYZE = "Perspective's comments:analyze"
    MODERATE = "OpenAI's moderations"
    CONSENT = "consent"
    STANDING = "standing"


DIALECTS = (Route.CHECK, Route.ANALYZE, Route.MODERATE)
"""What does the work of `POST /v1/comments` for clients of other APIs."""

NATIVE = {Route.CHECK: Route.TOLD, Route.ANALYZE: Route.COMMENT, Route.MODERATE: Route.COMMENT}
"""What a client of the native API sends to have the same comment stored.

A check tells address, browser and page of a comment; the other two tell less than `COMMENT` does.
"""


@dataclass(frozen=True, slots=True)
class Sender:
    """Whose requests these are: *run* sets one run's identifiers apart from another's."""

    run: str
    key: str
    notice_version: int = 1


def identifier(run: str, connection: int, number: int) -> str:
    """Return the name of one comment or subject; its width never changes."""
    return f"{run}-{connection:03d}-{number:08d}"


def requests(route: Route, sender: Sender, connection: int) -> Iterator[bytes]:
    """Yield the requests that one connection sends, one after the other, without end."""
    if route is Route.STANDING:
        return _standings(sender, connection)
    if route is Route.CONSENT:
        return _events(sender, connection)
    return _comments(route, sender, connection)


def _comments(route: Route, sender: Sender, connection: int) -> Iterator[bytes]:
    templates = _comment_templates(route, sender)
    offset = crc32(f"{sender.run}-{connection}".encode())
    number = 0
    while True:
        # Connections start at different texts, so that a batch never holds one text twice.
        template = templates[(number + connection * 31) % TEXTS]
        word = b"%08d" % ((offset + number * 38_717_011) % 100_000_000)
        word = word.translate(_LETTERS)
        name = identifier(sender.run, connection, number).encode()
        if route in {Route.SCORE, Route.MODERATE}:
            yield template % word
        elif route is Route.TOLD:
            yield template % (name, word, name, name)
        else:
            yield template % (name, word)
        number += 1


@cache
def _comment_templates(route: Route, sender: Sender) -> list[bytes]:
    if route is Route.CHECK:
        return [_filled("/1.1/comment-check", sender, FORM, _form(sender, t)) for t in _texts()]
    path, content = {
        Route.SCORE: ("/v1/score", _text),
        Route.COMMENT: ("/v1/comments", _comment),
        Route.TOLD: ("/v1/comments", _told),
        Route.ANALYZE: (f"/v1alpha1/comments:analyze?key={sender.key}", _analysis),
        Route.MODERATE: ("/v1/moderations", _moderation),
    }.get(route, ("/echo", _comment))
    return [_template(path, sender, content(text)) for text in _texts()]


def _text(text: str) -> dict[str, object]:
    return {"text": text}


def _moderation(text: str) -> dict[str, object]:
    return {"model": "omni-moderation-latest", "input": text}


def _analysis(text: str) -> dict[str, object]:
    # The language is said, as Coral says it: no language has the benchmark's words.
    return {
        "clientToken": _HOLE,
        "comment": {"text": text},
        "requestedAttributes": {"TOXICITY": {}},
        "languages": ["en"],
    }


def _comment(text: str) -> dict[str, object]:
    return {
        "external_id": _HOLE,
        "text": text,
        "author": {"name": "A. Reader"},
        "thread": {"id": "article-1"},
    }


def _told(text: str) -> dict[str, object]:
    """Return the comment that `_form` tells, in the native API's words."""
    return {
        "external_id": _HOLE,
        "text": text,
        "author": {"name": "A. Reader", "ip": ADDRESS, "user_agent": BROWSER},
        "thread": {"id": page(_HOLE), "url": page(_HOLE)},
    }


def _form(sender: Sender, text: str) -> str:
    """Return what a plain client of Akismet sends of a comment, its page named by the hole."""
    fields = {
        "blog": SITE,
        "user_ip": ADDRESS,
        "user_agent": BROWSER,
        "referrer": f"{SITE}/",
        "permalink": page(_HOLE),
        "comment_type": "comment",
        "comment_author": "A. Reader",
        "comment_content": text,
        "blog_lang": "en",
        "blog_charset": "UTF-8",
        "api_key": sender.key,
    }
    written = urlencode(fields)
    return written.replace("%00", _HOLE).replace("%01", _WORD)


def page(name: str) -> str:
    """Return the address of the page that a comment of this name is written on."""
    return f"{SITE}/{name}"


def _events(sender: Sender, connection: int) -> Iterator[bytes]:
    def event(which: str, **members: object) -> bytes:
        content = {
            "idempotency_key": f"{which}-{_HOLE}",
            "subject": {"kind": "device", "id": _HOLE},
            "origin": "banner",
            "notice": {
                "notice_id": NOTICE_ID,
                "version": sender.notice_version,
                "language": "en",
            },
        }
        return _template("/v1/consent/events", sender, content | members)

    requested = event("r", event_type="requested", method="api")
    given = event(
        "g",
        event_type="given",
        method="accept_all",
        decisions=[{"purpose_id": PURPOSE, "decision": "given"}],
    )
    number = 0
    while True:
        name = identifier(sender.run, connection, number).encode()
        yield requested % (name, name)
        yield given % (name, name)
        number += 1


def _standings(sender: Sender, connection: int) -> Iterator[bytes]:
    choice = random.Random(connection)
    while True:
        subject = identifier(
            SEED_RUN, choice.randrange(SEED_CONNECTIONS), choice.randrange(SEED_SUBJECTS)
        )
        query = f"subject_kind=device&subject_id={subject}&purpose={PURPOSE}"
        yield _head("GET", f"/v1/consent/standing?{query}", sender) + b"\r\n"


_HOLE = "\x00"
"""Where an identifier goes; no text holds one."""

_WORD = "\x01"
"""Where a word goes that was never said before."""

_LETTERS = bytes.maketrans(b"0123456789", b"aelnorstiu")


def _template(path: str, sender: Sender, content: dict[str, object]) -> bytes:
    """Return a POST with `%b` for each hole, its length already that of the filled request."""
    body = json.dumps(content, separators=(",", ":"))
    for hole in (_HOLE, _WORD):
        body = body.replace(json.dumps(hole)[1:-1], hole)
    return _filled(path, sender, "application/json", body)


FORM = "application/x-www-form-urlencoded; charset=UTF-8"


def _filled(path: str, sender: Sender, media: str, body: str) -> bytes:
    holes = {_HOLE: len(identifier(sender.run, 0, 0)), _WORD: 8}
    length = len(body) + sum(
        body.count(hole) * (width - len(hole)) for hole, width in holes.items()
    )
    template = _head("POST", path, sender) + (
        f"Content-Type: {media}\r\nContent-Length: {length}\r\n\r\n{body}"
    ).encode().replace(b"%", b"%%")
    for hole in holes:
        template = template.replace(hole.encode(), b"%b")
    return template


def _head(method: str, path: str, sender: Sender) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Bearer {sender.key}"]
    return ("\r\n".join(lines) + "\r\n").encode()


@cache
def _texts() -> list[str]:
    """Return comments of about `TEXT_CHARACTERS`, their words as unevenly spread as in speech."""
    chance = random.Random(20)
    syllables = [a + b for a in "bcdfghklmnprstvw" for b in ("a", "e", "i", "o", "u", "er", "in")]
    words = ["".join(chance.choices(syllables, k=chance.randint(1, 4))) for _ in range(VOCABULARY)]
    weights = list(accumulate(1 / rank for rank in range(2, VOCABULARY + 2)))
    texts = []
    for _ in range(TEXTS):
        text = ""
        while len(text) < TEXT_CHARACTERS:
            sentence = " ".join(chance.choices(words, cum_weights=weights, k=chance.randint(4, 14)))
            text += sentence.capitalize() + ". "
        texts.append(f"{text[: TEXT_CHARACTERS - 9]} {_WORD}")
    return texts
