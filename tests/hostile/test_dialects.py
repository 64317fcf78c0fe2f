"""What no client should send to Perspective's, OpenAI's and Coral's addresses: never a 5xx.

And never a problem document: whatever goes wrong is told in the words of the dialect.
"""

import hmac
import json
import re
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import httpx2
import pytest
import schemathesis
from conftest import EVERY_SCOPE, Service, Site
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode

from moderation.compat.openai.wire import ModerationRequest
from moderation.wire.strict import paired

EXAMPLES = 60
SECRET = "keyed-by-coral"
ANALYZE = "/v1alpha1/comments:analyze"
SUGGEST = "/v1alpha1/comments:suggestscore"
MODERATIONS = "/v1/moderations"
BATCH = "/batch"
CANARY = "kanarienvogel"
HALF = re.compile("[\ud800-\udfff]")

ANALYSIS = {
    "comment": {"text": "Hello there", "type": "PLAIN_TEXT"},
    "requestedAttributes": {"TOXICITY": {"scoreType": "PROBABILITY", "scoreThreshold": 0.5}},
    "languages": ["en"],
    "clientToken": "c-1",
    "communityId": "c",
    "spanAnnotations": True,
}
SUGGESTION = {
    "comment": {"text": "Hello there"},
    "attributeScores": {"SPAM": {"summaryScore": {"value": 1}}},
    "clientToken": "c-1",
}
POSTED = {
    "action": "NEW",
    "comment": {"body": "<p>Hello there</p>", "parentID": None},
    "author": {"id": "a1", "role": "COMMENTER"},
    "story": {"id": "s1", "url": "https://news.example.org/a-story"},
    "site": {"id": "c1"},
    "tenantID": "t1",
    "tenantDomain": "coral.example.org",
}
NASTY = {
    "empty": b"",
    "no JSON": CANARY.encode(),
    "a number": b"1e999",
    "not a number": b'{"comment": NaN}',
    "invalid UTF-8": b'{"input": "\xff", "comment": {"text": "\xff"}}',
    "a lone surrogate in bytes": b'{"input": "\xed\xa0\x80", "comment": {"text": "\xed\xa0\x80"}}',
    "a byte order mark": b"\xef\xbb\xbf{}",
    "open lists": b"[" * 50_000,
    "open members": b'{"comment":' * 20_000,
    "names without an end": b"{" + b"a" * 100_000,
    "strings without an end": b'{comment: "' + b'\\"' * 60_000,
    "a long number": b'{"doNotStore": ' + b"9" * 10_000 + b"}",
    "twice the same": b'{"comment": {"text": "a"}, "comment": {}, "input": 1, "input": 2}',
}


@pytest.fixture(scope="module")
def site(service: Service) -> Site:
    """Create a site whose key may do everything, and which knows a secret of Coral's."""
    made = service.add_site("https://dialects.example.org", scopes=EVERY_SCOPE)
    with service.client(made.key) as client:
        client.put("/v1/compat/settings", json={"coral": {"secrets": [SECRET]}}).raise_for_status()
    return made


@pytest.fixture(scope="module")
def client(service: Service, site: Site) -> Iterator[httpx2.Client]:
    """Speak every dialect for that site; at the end nothing has failed inside."""
    with service.client(site.key) as opened:
        yield opened
    assert "operation_failed" not in service.log.read_text()
    assert CANARY not in service.log.read_text()


def coral(site: Site) -> str:
    """Return where Coral posts."""
    return f"/coral/{site.id}/moderation"


def signed(body: bytes) -> dict[str, str]:
    """Return Coral's signature; the others pass it over."""
    return {"x-coral-signature": f"sha256={hmac.new(SECRET.encode(), body, sha256).hexdigest()}"}


def check(answer: httpx2.Response, case: object) -> None:
    """Check that an answer is no failure and no problem document."""
    assert answer.status_code < 500, (case, answer.text)
    assert not answer.headers.get("content-type", "").startswith("application/problem"), case
    if answer.status_code >= 400:
        assert "error" in answer.json(), (case, answer.text)


@pytest.mark.parametrize("case", NASTY)
def test_nasty_bodies_are_refused_in_the_dialect(
    client: httpx2.Client, site: Site, case: str
) -> None:
    """Each address, each body, with the headers that let it in."""
    body = NASTY[case]
    for path in (ANALYZE, SUGGEST, MODERATIONS, BATCH, coral(site)):
        for media in ("application/json", "multipart/mixed; boundary=b", "x", ""):
            headers = signed(body) | {"content-type": media}
            answer = client.post(path, content=body, headers=headers)
            check(answer, (path, case, media))
            assert answer.status_code == 400, (path, case, answer.text)


def test_what_is_not_read_is_refused_in_the_dialect(client: httpx2.Client, site: Site) -> None:
    """Compressed, too large, with another method, at an address with NUL in it."""
    for path in (ANALYZE, SUGGEST, MODERATIONS, BATCH, coral(site)):
        gzip = client.post(path, content=b"\x1f\x8b", headers={"content-encoding": "gzip"})
        large = client.post(path, content=b" " * 2_000_000)
        other = client.request("DELETE", path)

        for answer in (gzip, large, other):
            check(answer, path)
        assert [large.status_code, other.status_code] == [413, 405]
        assert gzip.status_code in {400, 415}
    check(client.post("/coral/%00/moderation", content=b"{}"), "NUL")
    check(client.get("/$discovery/rest?version=%00%ff&version=2"), "discovery")
    check(client.post(f"{ANALYZE}?key=%00&key=%ff", content=b"{}"), "keys")


def test_nul_is_taken_out_of_what_is_stored(client: httpx2.Client, site: Site) -> None:
    """In the text and beside it; PostgreSQL could store none of it."""
    for path, content in (
        (ANALYZE, ANALYSIS),
        (SUGGEST, SUGGESTION),
        (MODERATIONS, {"input": ["Hello there"]}),
        (coral(site), POSTED),
    ):
        text = json.dumps(content)
        for plain in ("Hello there", "c-1", "a1", "s1", "a-story"):
            text = text.replace(plain, f"{plain}\\u0000")
        body = text.encode()
        answer = client.post(path, content=body, headers=signed(body))
        assert answer.status_code in {200, 204}, (path, answer.text)


def test_half_a_pair_is_read_as_what_stands_for_it(client: httpx2.Client, site: Site) -> None:
    """JavaScript sends it as an escape; refused, one character would get a comment past us."""
    for path, content in (
        (ANALYZE, ANALYSIS),
        (SUGGEST, SUGGESTION),
        (MODERATIONS, {"input": ["Hello there"]}),
        (coral(site), POSTED),
    ):
        for half in (r"\ud83d", r"\uDE00", r"\ude00\ud83d", r"\ud83d\u0041", r"\\\ud83d"):
            body = json.dumps(content).replace("Hello there", f"Hello there {half}").encode()
            answer = client.post(path, content=body, headers=signed(body))
            assert answer.status_code in {200, 204}, (path, half, answer.text)


PIECES = (
    *("\\", '\\"', "\\n", "\\u", "\\udb", "\\u0041", "é", "d83d"),
    *("\\ud83d", "\\uD83D", "\\udE00", "\\ude00"),
)


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_escapes_are_read_as_python_reads_them(inside: str) -> None:
    """But for the halves; what is no JSON is none afterwards, whatever backslashes stand there."""
    body = f'"{inside}"'
    try:
        wanted = json.loads(body)
    except ValueError:
        wanted = None
    mended = paired(body.encode())

    assert len(mended) == len(body.encode())
    if wanted is None:
        with pytest.raises(json.JSONDecodeError):
            json.loads(mended)
    else:
        assert json.loads(mended) == HALF.sub("\ufffd", wanted)


@given(st.text())
def test_what_has_no_half_is_left_as_it_is(text: str) -> None:
    """Byte for byte, whole pairs included, and with nothing escaped or everything."""
    for body in (json.dumps(text).encode(), json.dumps(text, ensure_ascii=False).encode()):
        assert paired(body) == body


@pytest.mark.parametrize("piece", [b"\\\\", rb"\ud83d", rb"\ud83d\ude00", rb"\\\\u"])
def test_halves_are_found_in_any_length(piece: bytes) -> None:
    """A body of nothing else, as long as a door lets in, and half a pair at its end."""
    body = b'"' + piece * (2**18 // len(piece)) + rb'\ud83d"'

    read = json.loads(paired(body))

    assert read == HALF.sub("\ufffd", json.loads(body))


def test_long_and_empty_texts_are_answered_as_documented(client: httpx2.Client, site: Site) -> None:
    """Twenty kilobytes count bytes; OpenAI's inputs have the native limit."""

    def analyse(text: str) -> tuple[int, str | None]:
        answer = client.post(ANALYZE, json={**ANALYSIS, "comment": {"text": text}})
        details = answer.json().get("error", {}).get("details", [{}])
        return answer.status_code, details[0].get("errorType")

    assert analyse("") == analyse(" \n") == analyse("\0") == (400, "COMMENT_EMPTY")
    assert analyse("word " * 4096) == (200, None)
    assert analyse("word " * 4096 + "x") == (400, "COMMENT_TOO_LONG")
    assert analyse("é" * 10_241) == (400, "COMMENT_TOO_LONG")
    for text, status in (("", 200), ("a " * 50_000, 200), ("a" * 100_001, 400)):
        assert client.post(MODERATIONS, json={"input": text}).status_code == status
    for html, status in (("", 204), ("<" * 50_000, 204), ("a" * 100_001, 400)):
        body = json.dumps(POSTED | {"comment": {"body": html}}).encode()
        answer = client.post(coral(site), content=body, headers=signed(body))
        assert answer.status_code in {status, 200}, (len(html), answer.text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


def spoiled(content: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Return what *content* is with one of its members anything at all."""
    return st.tuples(st.sampled_from(sorted(content)), JSON).map(
        lambda change: {**content, change[0]: change[1]}
    )


@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(
    st.one_of(
        st.tuples(st.just(ANALYZE), spoiled(ANALYSIS)),
        st.tuples(st.just(SUGGEST), spoiled(SUGGESTION)),
        st.tuples(st.just(MODERATIONS), spoiled({"input": "a", "model": "x"})),
        st.tuples(st.just("coral"), spoiled(POSTED)),
    )
)
def test_a_member_may_be_anything(
    client: httpx2.Client, site: Site, sent: tuple[str, dict[str, Any]]
) -> None:
    """A body that fits but for one member is answered or refused, never failed on."""
    path = coral(site) if sent[0] == "coral" else sent[0]
    body = json.dumps(sent[1]).encode("utf-8", "replace")

    check(client.post(path, content=body, headers=signed(body)), sent)


def described(client: httpx2.Client) -> dict[str, Any]:
    """Return OpenAPI of what the discovery document and OpenAI's request model tell."""
    found = client.get("/$discovery/rest").json()
    schemas = json.loads(
        json.dumps(found["schemas"]).replace('"$ref": "', '"$ref": "#/components/schemas/')
    )
    moderation = ModerationRequest.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= moderation.pop("$defs", {}) | {"ModerationRequest": moderation}
    for schema in schemas.values():
        schema.pop("id", None)
    bodies = {
        ANALYZE: "AnalyzeCommentRequest",
        SUGGEST: "SuggestCommentScoreRequest",
        MODERATIONS: "ModerationRequest",
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "dialects", "version": "1"},
        "components": {"schemas": schemas},
        "paths": {
            path: {
                "post": {
                    "requestBody": {
                        "required": True,
                        "content": {
                            "application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}
                        },
                    },
                    "responses": {"default": {"description": "anything"}},
                }
            }
            for path, name in bodies.items()
        },
    }


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_what_the_documents_describe_never_fails(
    service: Service, client: httpx2.Client, site: Site, mode: GenerationMode
) -> None:
    """Schemathesis makes requests that fit the documents, and requests that do not."""
    schema = schemathesis.openapi.from_dict(described(client))
    headers = {"authorization": f"Bearer {site.key}"}
    for result in schema.get_all_operations():
        operation = result.ok()

        @settings(
            max_examples=EXAMPLES,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def answered(case: schemathesis.Case) -> None:
            case.call_and_validate(
                base_url=service.url, headers=headers, checks=[not_a_server_error], timeout=60
            )

        answered()
