"""Query strings, path parameters and headers that no client should send.

Every route of the served OpenAPI document takes part. No 5xx, the same status on both engines,
and the input is quoted neither in a problem nor in the log.
"""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from conftest import EVERY_SCOPE, Service, Site
from full_bodies import full_bodies, notice
from raw_connection import Answer, exchange, request_bytes

CANARY = "kanarienvogel"  # in no word of ours: where it appears, input was quoted

PATH_PARTS = {
    "NUL": "%00",
    "NUL inside": f"{CANARY}%00x",
    "invalid percent": f"%zz%{CANARY}",
    "half a percent": f"{CANARY}%4",
    "invalid UTF-8": f"%ff%fe{CANARY}",
    "surrogate": f"%ed%a0%80{CANARY}",
    "slash": f"{CANARY}%2f..%2f..%2fetc",
    "dots": "..",
    "encoded dots": "%2e%2e",
    "newline": f"{CANARY}%0d%0aX-Injected:%201",
    "quote": f"{CANARY}'%20OR%201=1--",
    "percent signs": "%25s%25(x)s%25n",
    "brackets": f"%7B{CANARY}%7D",
    "long": CANARY * 800,
    "emoji": "%F0%9F%98%80",
    "negative": "-1",
    "huge number": "9" * 30,
    "other digits": "%D9%A1",
}
QUERIES = {
    "NUL": "{name}=%00",
    "invalid percent": "{name}=%zz%",
    "invalid UTF-8": "{name}=%ff%fe" + CANARY,
    "surrogate": "{name}=%ed%a0%80" + CANARY,
    "surrogate name": "%ed%a0%80" + CANARY + "=1",
    "NUL name": CANARY + "%00=1",
    "unknown name": CANARY + "=1",
    "no value": "{name}",
    "empty": "{name}=",
    "only signs": "&&&===&;;",
    "list": "{name}[]=1",
    "injection": "{name}=" + CANARY + "'%3BDROP%20TABLE%20comment--",
    "thirty digits": "{name}=" + "9" * 30,
    "many digits": "{name}=" + "9" * 5_000,
    "exponent": "{name}=1e999",
    "NaN": "{name}=NaN",
    "negative": "{name}=-1",
    "fraction": "{name}=1.5",
    "other digits": "{name}=%D9%A1",
    "long": "{name}=" + CANARY * 4_000,
    "many": "&".join(["{name}=" + CANARY] * 3_000),
}


@dataclass
class Hostile:
    """The served site, and what each case was answered on either engine."""

    service: Service
    site: Site
    engine: str
    document: dict[str, Any]
    statuses: dict[str, dict[str, int]]

    def send(self, case: str, method: str, target: str, **headers: str | bytes) -> Answer:
        """Send a request's bytes; judged by status, shape, echo and the other engine's status."""
        answer = exchange(self.service.port, request_bytes(method, target, headers=headers))
        assert answer is not None, case
        return self.judge(case, answer)

    def get(self, case: str, target: str) -> Answer:
        """Get with the site's key."""
        return self.send(case, "GET", target, authorization=f"Bearer {self.site.key}")

    def judge(self, case: str, answer: Answer) -> Answer:
        """Check one answer and hold it against the other engine's."""
        assert answer.status < 500, (case, answer)
        assert "x-injected" not in answer.headers, case
        if answer.status >= 400:
            assert set(answer.problem) <= {"type", "title", "status", "detail", "code", "errors"}
            assert CANARY.encode() not in answer.body, (case, answer.body)
        seen = self.statuses.setdefault(case, {})
        seen[self.engine] = answer.status
        assert len(set(seen.values())) == 1, (case, seen)
        return answer

    def still_serves(self) -> None:
        """Check that a decent comment is taken and that the log quotes nothing."""
        with self.service.client(self.site.key) as client:
            body = full_bodies(self.site.id)["/v1/comments"]()
            assert client.post("/v1/comments", json=body).status_code == 201
        written = self.service.log.read_text()
        assert CANARY not in written
        assert "operation_failed" not in written
        assert "Traceback" not in written


@pytest.fixture(scope="session")
def statuses() -> dict[str, dict[str, int]]:
    """Keep what each engine answered to each case, for the whole session."""
    return {}


@pytest.fixture(scope="module")
def hostile(
    service: Service, engine: str, statuses: dict[str, dict[str, int]]
) -> Iterator[Hostile]:
    """Serve one site with an open log."""
    site = service.add_site("https://addresses.example.org", scopes=EVERY_SCOPE)
    with service.client(site.key) as client:
        client.post("/v1/consent/notices", json=notice(site.id)).raise_for_status()
        document = dict(client.get("/openapi.json").json())
    prepared = Hostile(service, site, engine, document, statuses)
    yield prepared
    prepared.still_serves()


def _good(parameter: dict[str, Any], site: Site) -> str:
    """Return a value that a parameter takes."""
    name = parameter["name"]
    known = {"site": site.id, "epoch": "1", "subject_kind": "device", "purpose": "ads"}
    numeric = parameter["schema"].get("type") == "integer"
    return known.get(name, "1" if numeric else "pending" if name == "state" else "main")


def _path(path: str, item: dict[str, Any], site: Site, spoiled: str = "", by: str = "") -> str:
    for parameter in item.get("parameters", []):
        if parameter["in"] == "path":
            name = parameter["name"]
            value = by if name == spoiled else _good(parameter, site)
            path = path.replace(f"{{{name}}}", value)
    return path


def _query(item: dict[str, Any], site: Site, without: str = "") -> str:
    return "&".join(
        f"{parameter['name']}={_good(parameter, site)}"
        for parameter in item.get("parameters", [])
        if parameter["in"] == "query" and parameter["required"] and parameter["name"] != without
    )


def test_path_parameters_of_any_bytes_name_nothing(hostile: Hostile) -> None:
    """Rubbish in any part of any path is not found, or not of the shape: never an error of ours."""
    for path, methods in hostile.document["paths"].items():
        item = methods.get("get", {})
        for parameter in item.get("parameters", []):
            if parameter["in"] != "path":
                continue
            for case, rubbish in PATH_PARTS.items():
                target = _path(path, item, hostile.site, parameter["name"], rubbish)
                answer = hostile.get(
                    f"{path} {parameter['name']} {case}", f"{target}?{_query(item, hostile.site)}"
                )
                assert answer.status in {400, 404, 422}, (path, case, answer)
    hostile.still_serves()


def test_query_strings_of_any_bytes_are_answered(hostile: Hostile) -> None:
    """Rubbish in any parameter of any query is refused, or found to be harmless."""
    for path, methods in hostile.document["paths"].items():
        item = methods.get("get", {})
        names = [part["name"] for part in item.get("parameters", []) if part["in"] == "query"]
        for name in names:
            for case, rubbish in QUERIES.items():
                query = f"{_query(item, hostile.site, name)}&{rubbish.replace('{name}', name)}"
                target = f"{_path(path, item, hostile.site)}?{query}"
                answer = hostile.get(f"{path} {name} {case}", target)
                if "surrogate" in case or "UTF-8" in case or case == "unknown name":
                    assert answer.status in {400, 404, 422}, (path, name, case, answer)
    hostile.still_serves()


def test_paths_without_a_query_do_not_mind_one(hostile: Hostile) -> None:
    """Operations that take no parameters answer as ever, whatever query comes with them."""
    for path, methods in hostile.document["paths"].items():
        item = methods.get("get")
        if item and not any(part["in"] == "query" for part in item.get("parameters", [])):
            for case, rubbish in QUERIES.items():
                target = f"{_path(path, item, hostile.site)}?{rubbish.replace('{name}', 'a')}"
                hostile.get(f"{path} {case}", target)
    hostile.still_serves()


def test_cursors_are_taken_only_as_they_were_given(hostile: Hostile) -> None:
    """A cursor that we did not make answers 400, whatever it decodes to."""

    def encoded(content: bytes) -> str:
        return base64.urlsafe_b64encode(content).decode().rstrip("=")

    cursors = {
        "NUL": encoded(b"\0"),
        "NUL inside": encoded(b"01a20438-4f0f-7b20-bfd4-59e3b63da3\x0007"),
        "UTF-8": encoded("ü".encode()),
        "invalid UTF-8": encoded(b"\xff\xfe"),
        "words": encoded(CANARY.encode()),
        "empty": "",
        "short": "A",
        "standard base64": "%2B%2B%2F%2F",
        "newline": "%0A",
        "padding": "====",
        "no base64": CANARY + "!",
    }
    for case, cursor in cursors.items():
        answer = hostile.get(f"cursor {case}", f"/v1/comments?cursor={cursor}")
        assert answer.status == 400, (case, answer)
    hostile.still_serves()


def test_targets_that_are_no_path_are_refused(hostile: Hostile) -> None:
    """Targets outside of what HTTP allows, or of no route, answer a problem."""
    targets: dict[str, str] = {
        "asterisk": "*",
        "empty query": "/v1/comments?",
        "double slash": "//v1/comments",
        "dots": "/v1/../v1/comments",
        "raw bytes": "/v1/\xff\xfe",
        "unknown": f"/{CANARY}",
        "very long": "/" + CANARY * 4_000,
        "tab": "/v1/\tcomments",
        "fragment": f"/v1/comments#{CANARY}",
        "no slash": CANARY,
        "control": "/v1/\x01",
    }
    for case, target in targets.items():
        answer = hostile.get(f"target {case}", target)
        assert answer.status in {200, 400, 404}, (case, answer)
    for method in ("TRACE", "CONNECT", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND", "get"):
        answer = hostile.send(f"method {method}", method, "/v1/comments")
        assert answer.status in {400, 404, 405}, (method, answer)
    hostile.still_serves()


def test_credentials_of_any_bytes_are_no_key(hostile: Hostile) -> None:
    """Whatever stands in Authorization, without a key it answers 401 (429 once there are many)."""
    values: dict[str, str | bytes] = {
        "empty": "",
        "scheme only": "Bearer",
        "scheme and space": "Bearer ",
        "another scheme": f"Basic {CANARY}",
        "non-ASCII": b"Bearer \xff\xfe" + CANARY.encode(),
        "UTF-8": "Bearer ключ".encode(),
        "long": f"Bearer {CANARY * 4_000}",
        "two words": f"Bearer {hostile.site.key} {CANARY}",
        "in quotes": f'Bearer "{hostile.site.key}"',
        "upper case": f"Bearer {hostile.site.key.upper()}",
        "cut": f"Bearer {hostile.site.key[:-1]}",
        "key alone": hostile.site.key,
    }
    for case, value in values.items():
        answer = hostile.send(f"authorization {case}", "GET", "/v1/comments", authorization=value)
        assert answer.status == 401, (case, answer)
        assert answer.headers["www-authenticate"] == "Bearer"
        assert hostile.site.key.encode() not in answer.body
    assert hostile.send("no authorization", "GET", "/v1/comments").status == 401
    assert hostile.site.key not in hostile.service.log.read_text()
    hostile.still_serves()


def test_sites_of_any_bytes_are_no_site(hostile: Hostile) -> None:
    """Whatever stands in X-Site, in a query or in a body, another's site answers 404."""
    values: dict[str, str | bytes] = {
        "empty": "",
        "unknown": CANARY,
        "non-ASCII": b"\xff\xfe" + CANARY.encode(),
        "UTF-8": "сайт".encode(),
        "upper case": hostile.site.id.upper(),
        "list": f"{hostile.site.id}, {hostile.site.id}",
        "long": CANARY * 4_000,
        "quote": "' OR 1=1--",
    }
    authorization = f"Bearer {hostile.site.key}"
    for case, value in values.items():
        answer = hostile.send(
            f"X-Site {case}",
            "GET",
            "/v1/comments",
            **{"authorization": authorization, "x-site": value},
        )
        assert answer.status == 404, (case, answer)
    hostile.still_serves()


def test_odd_idempotency_keys_are_refused_or_kept_apart(hostile: Hostile) -> None:
    """Keys that are empty, too long, unprintable or at odds with the body answer 400."""
    body_key = "in-the-body"
    keys: dict[str, tuple[str | bytes, set[int]]] = {
        "empty": ("", {400}),
        "256 characters": ("k" * 256, {400}),
        "long": (CANARY * 4_000, {400}),
        "tab": ("a\tb", {400}),
        "control": (b"a\x01b", {400}),
        "NUL": (b"a\x00b", {400}),
        "DEL": (b"a\x7fb", {400}),
        "C1": (b"a\x85b", {400}),
        "no-break space": (b"a\xa0b", {400}),
        "255 characters": ("k" * 255, {201}),
        "Latin-1": (b"\xe9\xff", {201}),
        "UTF-8": ("ключ".encode(), {201}),
        "quotes": ('"quoted"', {201}),
        "injection": ("'; DROP TABLE idempotency; --", {201}),
    }
    bodies = full_bodies(hostile.site.id)
    for route in ("/v1/comments", "/v1/comments:batch", "/v1/consent/events"):
        for case, (key, expected) in keys.items():
            body = bodies[route]()
            del body["idempotency_key"]
            answer = _post(hostile, f"{route} key {case}", route, body, key)
            allowed = expected | ({200} if 201 in expected else set())
            assert answer.status in allowed, (route, case, answer)
        at_odds = {**bodies[route](), "idempotency_key": body_key}
        assert _post(hostile, f"{route} two keys", route, at_odds, "other").status == 400
    hostile.still_serves()


def _post(
    hostile: Hostile, case: str, route: str, body: dict[str, Any], key: str | bytes
) -> Answer:
    content = json.dumps(body).encode()
    request = request_bytes(
        "POST",
        route,
        headers={
            "authorization": f"Bearer {hostile.site.key}",
            "content-type": "application/json",
            "content-length": str(len(content)),
            "idempotency-key": key,
        },
        body=content,
    )
    answer = exchange(hostile.service.port, request)
    assert answer is not None, case
    return hostile.judge(case, answer)


def test_many_and_large_headers_are_refused(hostile: Hostile) -> None:
    """Headers past the limit answer 431 and close, whether one is large or many are small."""
    port = hostile.service.port
    large = request_bytes("GET", "/healthz", headers={"x-large": "x" * 1_000_000})
    many = request_bytes("GET", "/healthz", headers={f"x-{n}": "x" * 50 for n in range(10_000)})
    for case, request in {"large": large, "many": many}.items():
        answer = exchange(port, request)
        assert answer is None or answer.status == 431, (case, answer)
    hostile.still_serves()


def test_wrong_keys_are_slowed_down_but_right_ones_serve(hostile: Hostile) -> None:
    """After many wrong keys from one address 429 comes with Retry-After; the right key still works.

    It stands last in this file, for the address stays slowed down for a minute.
    """
    with hostile.service.client() as client:
        statuses = [_wrong(client, number) for number in range(60)]

        assert set(statuses) == {401, 429}
        assert statuses[-1] == 429
    hostile.still_serves()


def _wrong(client: httpx2.Client, number: int) -> int:
    key = "ab" + f"{number:08}".translate(str.maketrans("0189", "wxyz")) + "a" * 52
    answer = client.get("/v1/comments", headers={"authorization": f"Bearer {key}"})
    if answer.status_code == 429:
        assert int(answer.headers["retry-after"]) > 0
    return answer.status_code
