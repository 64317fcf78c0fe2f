"""Bodies that no client should send: always a problem, the same on both engines, never an echo.

Every POST route of the served OpenAPI document takes part; one that is new fails here until
`full_bodies` knows it.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import httpx2
import pytest
from conftest import EVERY_SCOPE, Service, Site
from full_bodies import KNOWN, NOBODY, full_bodies, places, replaced, review_bodies
from raw_connection import Answer, connected, exchange, request_bytes

CANARY = "kanarienvogel"  # in no word of ours: where it appears, input was quoted
SINGLE_BYTES = 256 * 1024
BATCH_BYTES = 8 * 1024 * 1024
BATCH = "/v1/comments:batch"
LARGE = {BATCH, "/v1/consent/banners", "/v1/policy:dry-run"}  # routes whose limit is the larger one
HUGE = 10 * 1024 * 1024

Outcome = tuple[int, ...]


@dataclass
class Hostile:
    """The served site, and what each case was answered on either engine."""

    service: Service
    site: Site
    engine: str
    client: httpx2.Client
    outcomes: dict[str, dict[str, Outcome]]
    webhook_id: str = ""

    @cached_property
    def document(self) -> dict[str, Any]:
        """The served OpenAPI document."""
        return dict(self.client.get("/openapi.json").json())

    @cached_property
    def every_route(self) -> list[str]:
        """The paths of every POST route."""
        return [path for path, item in self.document["paths"].items() if "post" in item]

    @cached_property
    def routes(self) -> list[str]:
        """Those that accept a body whatever was asked before."""
        return [path for path in self.every_route if path not in review_bodies("")]

    def address(self, route: str) -> str:
        """Return where a route is: what its parameters name is there."""
        named = route.replace("{webhook_id}", self.webhook_id)
        return named.replace("{comment_id}", NOBODY).replace("{decision_id}", NOBODY)

    def body(self, route: str) -> dict[str, Any]:
        """Return a fresh body with every member, which *route* accepts."""
        return full_bodies(self.site.id)[route]()

    def post(
        self, route: str, content: bytes, case: str, media: str = "application/json"
    ) -> Outcome:
        """Send *content*; no 5xx, no echo, and the other engine answers the same."""
        headers = {"content-type": media}
        answer = self.client.post(self.address(route), content=content, headers=headers)
        return self.judge(f"{route} {case}", answer.status_code, answer.headers, answer.content)

    def judge(self, case: str, status: int, headers: Mapping[str, str], body: bytes) -> Outcome:
        """Check one answer and hold it against the other engine's; returns its statuses."""
        assert status < 500, (case, body)
        if status >= 400:
            assert headers["content-type"] == "application/problem+json", (case, body)
            document = json.loads(body)
            assert document["status"] == status, case
            assert set(document) <= {"type", "title", "status", "detail", "code", "errors"}, case
            assert CANARY.encode() not in body, (case, body)
        outcome: Outcome = (status,)
        if status == 200 and b'"results"' in body[:12]:
            results = json.loads(body)["results"]
            outcome = (status, *(item["status"] for item in results))
            problems = [item["problem"] for item in results if "problem" in item]
            assert CANARY not in json.dumps(problems), (case, body)
        seen = self.outcomes.setdefault(case, {})
        seen[self.engine] = outcome
        assert len(set(seen.values())) == 1, (case, seen)
        return outcome

    def raw(self, case: str, request: bytes) -> int:
        """Send a request's bytes on a connection of its own; judged like every other."""
        answer = exchange(self.service.port, request)
        assert answer is not None, case
        return self.judge_raw(case, answer)

    def judge_raw(self, case: str, answer: Answer) -> int:
        """Judge an answer that was read from a raw connection."""
        return self.judge(case, answer.status, answer.headers, answer.body)[0]

    def head(self, **more: str) -> dict[str, str]:
        """Return the headers of a request with a body."""
        return {
            "authorization": f"Bearer {self.site.key}",
            "content-type": "application/json",
            **more,
        }

    def still_serves(self) -> None:
        """Check that a decent comment is taken and that the log quotes nothing."""
        answer = self.client.post("/v1/comments", json=self.body("/v1/comments"))
        assert answer.status_code == 201, answer.text
        written = self.service.log.read_text()
        assert CANARY not in written
        assert "operation_failed" not in written
        assert "Traceback" not in written


@pytest.fixture(scope="session")
def outcomes() -> dict[str, dict[str, Outcome]]:
    """Keep what each engine answered to each case, for the whole session."""
    return {}


@pytest.fixture(scope="module")
def hostile(
    service: Service, engine: str, outcomes: dict[str, dict[str, Outcome]]
) -> Iterator[Hostile]:
    """Serve one site, with the notice published that its events name."""
    site = service.add_site("https://hostile.example.org", scopes=EVERY_SCOPE)
    with service.client(site.key) as client:
        prepared = Hostile(service, site, engine, client, outcomes)
        published = client.post("/v1/consent/notices", json=prepared.body("/v1/consent/notices"))
        assert published.status_code == 201, published.text
        for name in KNOWN:
            refusal = {
                "subject": {"kind": "device", "id": name},
                "event_type": "withdrawn",
                "method": "withdraw_link",
                "origin": "preferences",
                "decisions": [{"purpose_id": "ads", "decision": "refused"}],
                "idempotency_key": name,
            }
            client.post("/v1/consent/events", json=refusal).raise_for_status()
        made = client.post("/v1/webhooks", json=prepared.body("/v1/webhooks"))
        prepared.webhook_id = made.json()["id"]
        yield prepared
        prepared.still_serves()


def refused(outcome: Outcome) -> bool:
    """Whether the request, or every item of a batch, was answered by a problem."""
    statuses = outcome[1:] or outcome
    return all(400 <= status < 500 for status in statuses)


def some_refused(outcome: Outcome) -> bool:
    """Whether the request, or an item of a batch, was answered by a problem."""
    return any(400 <= status < 500 for status in outcome)


def members(schemas: dict[str, Any], schema: dict[str, Any], found: set[str]) -> set[str]:
    """Return the names of all members that a schema knows, at any depth."""
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    for name, inner in schema.get("properties", {}).items():
        found.add(name)
        members(schemas, inner, found)
    for inner in [schema.get("items", {}), *schema.get("anyOf", [])]:
        if inner:
            members(schemas, inner, found)
    return found


def test_what_reviewers_send_is_judged_before_anything_is_looked_for(hostile: Hostile) -> None:
    """No JSON, another type, an unknown member, NUL in a text: 400 or 422, of every route."""
    schemas = hostile.document["components"]["schemas"]
    bodies = review_bodies(hostile.site.id)
    assert {*hostile.routes, *bodies} == set(hostile.every_route)
    for route, body in bodies.items():
        content = hostile.document["paths"][route]["post"]["requestBody"]["content"]
        expected = members(schemas, content["application/json"]["schema"], set())
        assert {path[-1] for path, _ in places(body) if isinstance(path[-1], str)} == expected
        fits = hostile.post(route, json.dumps(body).encode(), "full body")
        assert fits[0] in {200, 404, 409}, (route, fits)
        for case, sent in {
            "empty": b"",
            "invalid UTF-8": b'{"moderator": "\xff' + CANARY.encode() + b'"}',
            "truncated": b'{"moderator": "' + CANARY.encode(),
            "a bare word": CANARY.encode(),
            "open lists": b"[" * 10_000,
        }.items():
            assert hostile.post(route, sent, case) == (400,), (route, case)
        spoiled: dict[str, Any] = {"a list": [body], "nothing": {}}
        spoiled["unknown"] = {**body, CANARY: 1}
        for path, value in places(body):
            name = ".".join(map(str, path))
            spoiled[f"{name} as objects"] = replaced(body, path, [[{CANARY: 1}]])
            spoiled[f"{name} as a huge number"] = replaced(body, path, -(10**30))
            if isinstance(value, str):
                spoiled[f"{name} with NUL"] = replaced(body, path, CANARY + "\0")
        for case, changed in spoiled.items():
            sent = json.dumps(changed).encode()
            assert hostile.post(route, sent, case) == (422,), (route, case)
    hostile.still_serves()


def test_every_post_route_takes_part_with_every_member(hostile: Hostile) -> None:
    """The full bodies know each POST route and each member of its schema, and are accepted."""
    schemas = hostile.document["components"]["schemas"]

    assert set(hostile.routes) == set(full_bodies(""))
    for route in hostile.routes:
        content = hostile.document["paths"][route]["post"]["requestBody"]["content"]
        expected = members(schemas, content["application/json"]["schema"], set())
        body = hostile.body(route)
        assert {path[-1] for path, _ in places(body) if isinstance(path[-1], str)} == expected
        assert not some_refused(hostile.post(route, json.dumps(body).encode(), "full body")), route


def compulsory(document: dict[str, Any], route: str) -> list[Any]:
    """Return the members that a body cannot do without, or must have one of."""
    content = document["paths"][route]["post"]["requestBody"]["content"]
    name = content["application/json"]["schema"]["$ref"].rpartition("/")[2]
    schema = document["components"]["schemas"][name]
    members: list[Any] = schema.get("required", []) or schema.get("anyOf", [])
    return members


def test_bytes_that_are_no_json_object_are_refused(hostile: Hostile) -> None:
    """What is not one JSON object in UTF-8 answers 400, or 422 where it is another JSON value."""
    contents = {
        "empty": b"",
        "space": b" \n",
        "invalid UTF-8": b'{"text": "' + CANARY.encode() + b'\xff\xfe"}',
        "overlong UTF-8": b'{"text": "\xc0\xaf' + CANARY.encode() + b'"}',
        "raw lone surrogate": b'{"text": "\xed\xa0\x80' + CANARY.encode() + b'"}',
        "UTF-16": json.dumps({"text": CANARY}).encode("utf-16"),
        "UTF-32": json.dumps({"text": CANARY}).encode("utf-32"),
        "NUL bytes": b"\x00" * 100,
        "truncated": b'{"text": "' + CANARY.encode(),
        "trailing": b'{"text": "' + CANARY.encode() + b'"} x',
        "two objects": b'{"text": "x"}{"text": "x"}',
        "raw newline in a text": b'{"text": "' + CANARY.encode() + b'\n"}',
        "raw NUL in a text": b'{"text": "' + CANARY.encode() + b'\x00"}',
        "bad escape": b'{"text": "\\x' + CANARY.encode() + b'"}',
        "half an escape": b'{"text": "\\u12"}',
        "form": b"text=" + CANARY.encode(),
        "JSON5": b"{text: 'x', /* c */}",
        "trailing comma": b'{"text": "x",}',
        "a bare word": CANARY.encode(),
    }
    for route in hostile.routes:
        whole = json.dumps(hostile.body(route)).encode()
        for case, content in contents.items():
            assert hostile.post(route, content, case) == (400,), (route, case)
        assert hostile.post(route, b"\xef\xbb\xbf" + whole, "BOM") == (400,), route
        for value in (b"[]", b'"x"', b"1", b"null", b"true", b"[" + whole + b"]"):
            case = value[:4].decode()
            assert hostile.post(route, value, f"value {case}") == (422,), (route, case)
        lacking = hostile.post(route, b"{}", "no members")
        fitting = {(422,)} if compulsory(hostile.document, route) else {(200,), (201,)}
        assert lacking in fitting, route
    hostile.still_serves()


def test_nesting_is_bounded(hostile: Hostile) -> None:
    """Ten thousand levels, alone or within a member, are refused without any harm."""
    deep = {
        "lists": b"[" * 10_000 + b"]" * 10_000,
        "open lists": b"[" * 10_000,
        "objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    }
    for route in hostile.routes:
        for case, content in deep.items():
            assert refused(hostile.post(route, content, f"deep {case}")), (route, case)
            for name in hostile.body(route):
                inside = b'{"' + name.encode() + b'": ' + content + b"}"
                assert refused(hostile.post(route, inside, f"{name} deep {case}")), (route, name)
    hostile.still_serves()


def test_texts_that_no_engine_can_hold_are_refused(hostile: Hostile) -> None:
    """U+0000 and lone surrogates are refused in every text of every route."""
    for route in hostile.routes:
        body = hostile.body(route)
        texts = [path for path, value in places(body) if isinstance(value, str)]
        assert texts, route
        for path in texts:
            case = ".".join(map(str, path))
            spoiled = json.dumps(replaced(body, path, CANARY + "\0")).encode()
            assert 422 in hostile.post(route, spoiled, f"{case} NUL"), (route, path)
            for surrogate in ("\ud800", "\udfff", "\ude00\ud83d"):
                spoiled = json.dumps(replaced(body, path, CANARY + surrogate)).encode()
                outcome = hostile.post(route, spoiled, f"{case} {surrogate!a}")
                assert some_refused(outcome), (route, path)
    hostile.still_serves()


def test_numbers_beyond_any_type_are_refused(hostile: Hostile) -> None:
    """NaN, infinities, 1e999 and numbers of thirty or ten thousand digits are never taken."""
    numbers = ("NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1.5", "9" * 30, "-" + "9" * 30)
    for route in hostile.routes:
        body = hostile.body(route)
        for path, value in places(body):
            for number in (*numbers, "9" * 10_000):
                marked = json.dumps(replaced(body, path, "@number@"))
                content = marked.replace('"@number@"', number).encode()
                case = f"{'.'.join(map(str, path))} {number[:12]} of {len(number)}"
                assert some_refused(hostile.post(route, content, case)), (route, path, value)
        for number in numbers:
            outcome = hostile.post(route, number.encode(), f"bare {number[:12]}")
            assert refused(outcome), (route, number)
    hostile.still_serves()


def test_members_of_another_type_are_refused(hostile: Hostile) -> None:
    """No member is converted: a value of another JSON type answers 422 wherever it stands."""
    others: list[Any] = [True, 7, CANARY, [CANARY], {CANARY: CANARY}, [[]], {"": {}}]
    for route in hostile.routes:
        body = hostile.body(route)
        for path, value in places(body):
            for other in others:
                if type(other) is type(value) or (value is None and isinstance(other, str)):
                    continue
                content = json.dumps(replaced(body, path, other)).encode()
                case = f"{'.'.join(map(str, path))} as {json.dumps(other)}"
                assert some_refused(hostile.post(route, content, case)), (route, path, other)
            hostile.post(
                route,
                json.dumps(replaced(body, path, None)).encode(),
                f"{'.'.join(map(str, path))} as null",
            )
    hostile.still_serves()


def test_members_that_nobody_knows_are_refused_and_not_named(hostile: Hostile) -> None:
    """An unknown member at any level answers 422, whatever its name, which is not repeated."""
    names = [CANARY, f"{CANARY}\0", f"{CANARY} \u202e", "__proto__", "constructor", "", "$ref"]
    for route in hostile.routes:
        body = hostile.body(route)
        objects = [(), *(path for path, value in places(body) if isinstance(value, dict))]
        for path in objects:
            for name in names:
                spoiled = replaced(body, (*path, name), CANARY) if path else {**body, name: CANARY}
                case = f"{'.'.join(map(str, path))} with {name!a}"
                outcome = hostile.post(route, json.dumps(spoiled).encode(), case)
                assert some_refused(outcome), (route, path, name)
        surrogate = json.dumps({**body, f"{CANARY}\ud800": 1}).encode()
        assert refused(hostile.post(route, surrogate, "surrogate name")), route
        many = json.dumps({**body, **{f"{CANARY}{n}": 1 for n in range(5_000)}}).encode()
        assert refused(hostile.post(route, many, "5,000 unknown members")), route
    hostile.still_serves()


def test_of_duplicate_members_the_last_counts(hostile: Hostile) -> None:
    """Where a member comes twice its last value is the one that is judged, on both engines."""
    for route in hostile.routes:
        body = hostile.body(route)
        for name in body:
            good = json.dumps(body)
            bad = f'"{name}": {{"{CANARY}": 1}}'
            last_good = f"{{{bad}, {good[1:]}".encode()
            last_bad = f"{good[:-1]}, {bad}}}".encode()
            assert refused(hostile.post(route, last_bad, f"{name} twice, last bad")), (route, name)
            outcome = hostile.post(route, last_good, f"{name} twice, last good")
            assert not some_refused(outcome) or outcome == (422,), (route, name)
            # A repetition of a request is another answer, so each gets a body of its own.
            body = hostile.body(route)
    hostile.still_serves()


def test_other_media_types_and_encodings_are_refused(hostile: Hostile) -> None:
    """Only JSON as it is: other types and every Content-Encoding answer 415, before the body."""
    medias = ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "x", "a/b;")
    for route in hostile.routes:
        content = json.dumps(hostile.body(route)).encode()
        for media in medias:
            assert hostile.post(route, content, f"media {media}", media) == (415,), (route, media)
        for encoding in ("gzip", "br", "deflate", "gzip, gzip", "x", "GZIP"):
            head = hostile.head(**{"content-length": "100", "content-encoding": encoding})
            # No byte of a body follows: the answer cannot have waited for one.
            request = request_bytes("POST", hostile.address(route), headers=head)
            assert hostile.raw(f"{route} encoding {encoding}", request) == 415, (route, encoding)
    hostile.still_serves()


def test_a_content_length_too_large_is_refused_before_the_body(hostile: Hostile) -> None:
    """A length over the route's limit answers 413 and closes, with no byte of the body sent."""
    for route in hostile.routes:
        limit = BATCH_BYTES if route in LARGE else SINGLE_BYTES
        for length in (limit + 1, HUGE, 2**31, 2**63 - 1):
            head = hostile.head(**{"content-length": str(length)})
            with connected(hostile.service.port) as connection:
                connection.send(request_bytes("POST", hostile.address(route), headers=head))
                answer = connection.answer()
                assert answer is not None, (route, length)
                assert hostile.judge_raw(f"{route} length {length}", answer) == 413
                assert answer.headers["connection"] == "close", (route, length)
                assert connection.read_to_end() == b"", (route, length)
    hostile.still_serves()


@pytest.mark.parametrize("route", ["/v1/comments", BATCH, "/v1/moderations"])
def test_a_client_that_sends_everything_before_it_reads_is_told(
    hostile: Hostile, route: str
) -> None:
    """As Python's urllib does: closed at once, it would be reset and never see the answer."""
    head = hostile.head(**{"content-length": str(HUGE)})
    with connected(hostile.service.port) as connection:
        sent = connection.send(request_bytes("POST", route, headers=head, body=b" " * HUGE))
        answer = connection.answer()

    assert sent
    assert answer is not None
    assert answer.status == 413


def test_a_chunked_body_is_refused_at_the_first_byte_over(hostile: Hostile) -> None:
    """Without a length, the byte that exceeds the limit is the last that is waited for."""
    for route in hostile.routes:
        limit = BATCH_BYTES if route in LARGE else SINGLE_BYTES
        head = hostile.head(**{"transfer-encoding": "chunked"})
        with connected(hostile.service.port) as connection:
            connection.send(request_bytes("POST", hostile.address(route), headers=head))
            for _ in range(limit // 65536):
                connection.send(b"10000\r\n" + b" " * 65536 + b"\r\n")
            connection.send(b"1\r\n \r\n")
            answer = connection.answer()
            assert answer is not None, route
            assert hostile.judge_raw(f"{route} chunked", answer) == 413, route
            assert answer.headers["connection"] == "close", route
    hostile.still_serves()


def test_bodies_up_to_the_limit_are_read(hostile: Hostile) -> None:
    """A body of exactly the limit is taken, with a length and chunked; one byte more is not."""
    for route in hostile.routes:
        limit = BATCH_BYTES if route in LARGE else SINGLE_BYTES
        whole = json.dumps(hostile.body(route)).encode().ljust(limit)
        assert not some_refused(hostile.post(route, whole, "at the limit")), route
        assert hostile.post(route, whole + b" ", "over the limit") == (413,), route
        chunks = json.dumps(hostile.body(route)).encode().ljust(limit)
        pieces = [chunks[at : at + 50_000] for at in range(0, limit, 50_000)]
        answer = hostile.client.post(
            hostile.address(route),
            content=iter(pieces),
            headers={"content-type": "application/json"},
        )
        assert answer.status_code < 300, (route, answer.text)
    hostile.still_serves()


def test_lengths_that_lie_hurt_only_their_own_connection(hostile: Hostile) -> None:
    """A body longer or shorter than said, two lengths or no sense at all: refused, then served."""
    for route in hostile.routes:
        whole = json.dumps(hostile.body(route)).encode()
        short = hostile.head(**{"content-length": str(len(whole) - 5)})
        with connected(hostile.service.port) as connection:
            connection.send(
                request_bytes("POST", hostile.address(route), headers=short, body=whole)
            )
            answer = connection.answer()
            assert answer is not None, route
            assert hostile.judge_raw(f"{route} length too short", answer) == 400, route
            connection.finish()
            # The rest is no request: at most it is told so, once, and the connection ends.
            assert connection.read_to_end().count(b"HTTP/1.1 ") <= 1, route
        with connected(hostile.service.port) as connection:
            long = hostile.head(**{"content-length": str(len(whole) + 5)})
            connection.send(request_bytes("POST", hostile.address(route), headers=long, body=whole))
            connection.finish()
            assert connection.read_to_end() == b"", route
        for case, lines in {
            "letters": "x",
            "negative": "-1",
            "plus": "+10",
            "hexadecimal": "0x10",
            "beyond 64 bits": "9" * 30,
            "two": "10, 11",
        }.items():
            request = request_bytes(
                "POST", route, headers=hostile.head(**{"content-length": lines}), body=whole
            )
            assert 400 <= hostile.raw(f"{route} length {case}", request) < 500, (route, case)
        twice = request_bytes(
            "POST",
            route,
            headers=hostile.head(
                **{"content-length": str(len(whole)), "transfer-encoding": "chunked"}
            ),
            body=whole,
        )
        assert hostile.raw(f"{route} length and chunked", twice) == 400, route
        broken = request_bytes(
            "POST",
            route,
            headers=hostile.head(**{"transfer-encoding": "chunked"}),
            body=b"zz\r\n" + whole,
        )
        assert hostile.raw(f"{route} chunk size of letters", broken) == 400, route
    hostile.still_serves()


def test_instants_at_the_end_of_the_calendar_are_no_crash(hostile: Hostile) -> None:
    """Instants that leave the calendar in UTC, or lie far away, are answered like any other."""
    instants = (
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999999Z",
        "2025-02-30T00:00:00Z",
        "2025-01-31T24:00:00Z",
        "2025-01-31T10:00:60Z",
        "2025-01-31T10:00:00",
        "2025-01-31",
        "1e99",
        "2025-01-31T10:00:00+99:99",
        "2025-01-31T10:00:00.1234567890123Z",
        "20250131T100000Z",
        "\u0662025-01-31T10:00:00Z",
    )
    for route in hostile.routes:
        instants_at = [
            path
            for path, value in places(hostile.body(route))
            if path[-1] in {"occurred_at", "valid_until", "submitted_at", "registered_at"}
        ]
        for path in instants_at:
            for moment in instants:
                content = json.dumps(replaced(hostile.body(route), path, moment)).encode()
                hostile.post(route, content, f"{path} {moment!a}")
    hostile.still_serves()


def test_texts_at_their_longest_are_counted_in_characters(hostile: Hostile) -> None:
    """Every text has a limit; a hundred thousand emoji or letters are answered, never a crash."""
    for route in hostile.routes:
        body = hostile.body(route)
        for path in [path for path, value in places(body) if isinstance(value, str)]:
            for filler in ("a", "\U0001f600"):
                length = 50_000 if filler != "a" else 200_000
                length *= 25 if route in LARGE else 1
                content = json.dumps(
                    replaced(body, path, filler * length), ensure_ascii=False
                ).encode()
                outcome = hostile.post(route, content, f"{path} {filler!a} x {length}")
                if path[-1] != "text" or filler == "a":
                    assert some_refused(outcome), (route, path)
    hostile.still_serves()
