"""Policies over HTTP, on both engines: set, versioned, tried, and what comments meet."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from secrets import token_hex
from typing import Any

import httpx2
import pytest
from conftest import EVERY_SCOPE, Service, Site

from aboveboard import clock
from aboveboard.accounts import Caller, Scope
from aboveboard.installation import Databases, open_accounts
from aboveboard.moderating import Governance, open_governance, open_selection
from aboveboard.operations import Call
from aboveboard.settings import Settings
from aboveboard.writer import CommandWriter
from moderation.policy.rules import Languages
from moderation.routes.policies import PolicyRoutes
from moderation.tables import METADATA
from moderation.wire.document import PolicyIn

HAM = "Thanks for the recipe, I baked it on Sunday and my family liked it."
WORDS = ["apple", "bridge", "candle", "dragon", "engine", "forest", "garden", "harbour"]


@pytest.fixture
def site(whole: Site) -> Site:
    """Create a site whose key may do everything."""
    return whole


def put(client: httpx2.Client, policy: dict[str, Any], *, replaces: int = 0) -> dict[str, Any]:
    """Set the policy."""
    answer = client.put("/v1/policy", json={"replaces": replaces, "policy": policy})
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()
    return made


def told(number: int) -> str:
    """Return a harmless text that resembles no other."""
    return (
        f"The {WORDS[number % 8]} in chapter {number} was {WORDS[number * 3 % 8]} number {number}."
    )


def send(client: httpx2.Client, external_id: str, text: str = HAM, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    """Submit a comment; return its answer."""
    answer = client.post("/v1/comments", json={"external_id": external_id, "text": text, **more})
    assert answer.status_code in {200, 201}, answer.text
    made: dict[str, Any] = answer.json()
    return made


def codes(made: dict[str, Any]) -> list[str]:
    """Return the codes of a comment's reasons."""
    return [reason["code"] for reason in made["reasons"]]


def verdicts(client: httpx2.Client, comments: list[dict[str, Any]]) -> list[str]:
    """Submit comments as one batch; return their verdicts."""
    answer = client.post("/v1/comments:batch", json={"comments": comments})
    assert answer.status_code == 200, answer.text
    return [result["comment"]["verdict"] for result in answer.json()["results"]]


def test_patterns_that_are_large_to_compile_are_refused(client: httpx2.Client) -> None:
    """However small they are to write."""
    patterns = [rf"(?i)\pL{{1000}}{at}" for at in range(100)]
    policy = {"lists": [{"name": "bad", "verdict": "hold", "patterns": patterns}]}

    for path, method in (("/v1/policy", "PUT"), ("/v1/policy:dry-run", "POST")):
        assert client.request(method, path, json={"policy": policy}).status_code == 422


# -- the policy itself ------------------------------------------------------------------------


def test_a_site_that_set_none_has_version_0(client: httpx2.Client) -> None:
    """It is empty; the thresholds that hold are told, and comments name the model's policy."""
    held = client.get("/v1/policy").json()

    assert (held["version"], held["policy"], held["made"]) == (0, {}, None)
    assert 0 < held["thresholds"]["spam"]["hold"] < held["thresholds"]["spam"]["spam"] <= 1
    assert send(client, "c-1")["policy"].startswith("default-")


def test_a_policy_holds_from_the_next_comment_on(client: httpx2.Client) -> None:
    """A comment names the version that it was judged by; what is left out stays the model's."""
    before = send(client, "c-1")
    made = put(client, {"hold_everything": True, "thresholds": {"insult": {"hold": 0.5}}})
    during = send(client, "c-2")
    put(client, {}, replaces=1)
    after = send(client, "c-3")
    held = client.get("/v1/policy").json()

    assert (made["version"], made["policy"]["hold_everything"]) == (1, True)
    assert before["verdict"] == "approve"
    assert (during["verdict"], during["state"], during["policy"]) == ("hold", "pending", "1")
    assert codes(during) == ["hold_everything"]
    assert (after["verdict"], after["policy"]) == ("approve", "2")
    assert (held["version"], held["policy"]) == (2, {})


def test_two_who_change_one_version_do_not_undo_each_other(client: httpx2.Client) -> None:
    """The second is told which version holds; sending the same again is no change."""
    put(client, {"links": {"hold": 2}})

    late = client.put("/v1/policy", json={"replaces": 0, "policy": {"links": {"hold": 9}}})
    again = put(client, {"links": {"hold": 2}})
    ahead = client.put("/v1/policy", json={"replaces": 7, "policy": {}})

    assert late.status_code == ahead.status_code == 409
    assert late.json()["type"] == "/problems/policy-conflict"
    assert late.json()["detail"] == "expected to replace version 1, the present one, got 0"
    assert again["version"] == 1
    assert client.get("/v1/policy").json()["policy"] == {"links": {"hold": 2}}


def test_earlier_versions_are_kept(client: httpx2.Client) -> None:
    """Listed newest first, in pages, and read one by one."""
    for number in range(3):
        put(client, {"links": {"hold": number + 1}}, replaces=number)

    first = client.get("/v1/policy/versions", params={"limit": 2}).json()
    rest = client.get("/v1/policy/versions", params={"limit": 2, "before": first["next"]}).json()
    one = client.get("/v1/policy/versions/1")
    wrong = [client.get(f"/v1/policy/versions/{name}") for name in ("4", "x", "-1", "9" * 30)]

    assert [item["version"] for item in first["items"]] == [3, 2]
    assert [item["version"] for item in rest["items"]] == [1]
    assert rest["next"] is None
    assert one.json() == rest["items"][0]
    assert one.json()["policy"] == {"links": {"hold": 1}}
    assert client.get("/v1/policy/versions/0").json()["policy"] == {}
    assert [answer.status_code for answer in wrong] == [404] * 4
    assert {answer.json()["type"] for answer in wrong} == {"/problems/policy-not-found"}


@pytest.mark.parametrize(
    ("policy", "type_", "where"),
    [
        ({"lniks": 1}, "invalid-request", "policy"),
        ({"links": {"hold": 0}}, "invalid-request", "policy.links.hold"),
        (
            {"lists": [{"name": "a", "verdict": "hold", "patterns": ["canary("]}]},
            "invalid-request",
            "policy.lists.0.patterns.0",
        ),
        (
            {
                "lists": [
                    {
                        "name": "a",
                        "verdict": "hold",
                        "patterns": [f"a[ab]{{900}}{at}" for at in range(30)],
                    }
                ]
            },
            "policy-invalid",
            None,
        ),
    ],
)
def test_a_policy_that_cannot_be_used_is_refused(
    client: httpx2.Client, policy: dict[str, Any], type_: str, where: str | None
) -> None:
    """422 says where, and repeats nothing; the present policy goes on."""
    answer = client.put("/v1/policy", json={"replaces": 0, "policy": policy})

    assert answer.status_code == 422
    assert answer.json()["type"] == f"/problems/{type_}"
    assert "canary" not in answer.text
    if where is not None:
        assert answer.json()["errors"][0]["where"] == where
    assert client.get("/v1/policy").json()["version"] == 0


# -- rules on comments ------------------------------------------------------------------------


def test_lists_and_links_are_asked_of_every_comment(client: httpx2.Client) -> None:
    """Also where a text is only scored; the address is held against networks, then dropped."""
    put(
        client,
        {
            "lists": [
                {"name": "bad", "verdict": "reject", "words": ["sunday"]},
                {"name": "net", "verdict": "spam", "networks": ["192.0.2.0/24"]},
                {"name": "good", "verdict": "approve", "emails": ["@example.org"]},
            ],
            "links": {"hold": 1},
        },
    )

    blocked = send(client, "c-1")
    network = send(client, "c-2", told(1), author={"ip": "192.0.2.9"})
    allowed = send(client, "c-3", author={"email": "ann@example.org", "ip": "192.0.2.9"})
    links = send(client, "c-4", f"{told(2)} http://example.com/")
    scored = client.post("/v1/score", json={"text": HAM}).json()

    assert (blocked["state"], codes(blocked)) == ("rejected", ["list"])
    assert (network["state"], codes(network)) == ("spam", ["list"])
    assert (allowed["state"], codes(allowed)) == ("published", [])
    assert "links" in codes(links)
    assert (scored["verdict"], codes(scored)) == ("reject", ["list"])


def test_times_are_what_the_site_says(client: httpx2.Client) -> None:
    """When the form was shown, when the thread was published; both are given back."""
    put(client, {"too_fast": {"seconds": 600}, "old_thread": {"days": 14}})
    now = clock.now()
    quick = now.isoformat()
    old = (now - timedelta(days=15)).isoformat()

    fast = send(client, "c-1", form_shown_at=quick)
    late = send(client, "c-2", told(1), thread={"published_at": old})
    fine = send(client, "c-3", told(2), form_shown_at=old, thread={"published_at": quick})
    kept = client.get(f"/v1/comments/{fine['id']}").json()

    assert codes(fast) == ["too_fast"]
    assert codes(late) == ["old_thread"]
    assert fine["verdict"] == "approve"
    assert kept["form_shown_at"] == old.replace("+00:00", "Z")
    assert kept["thread"] == {"published_at": quick.replace("+00:00", "Z")}


def test_first_comments_wait_and_known_authors_do_not(client: httpx2.Client) -> None:
    """Whoever has something published is no stranger any more; nobody is one for ever."""
    known, new = {"id": "a-1"}, {"email": "New@example.org"}
    send(client, "c-1", told(1), author=known)
    put(client, {"first_time": {}})

    again = send(client, "c-2", told(2), author=known)
    first = send(client, "c-3", told(3), author=new)
    second = send(client, "c-4", told(4), author={"email": "new@example.org"})
    nobody = send(client, "c-5", told(5))

    assert again["verdict"] == "approve"
    assert [codes(made) for made in (first, second, nobody)] == [["first_time"]] * 3


def test_trusted_authors_are_not_held_as_strangers_are(client: httpx2.Client) -> None:
    """After two published comments a link is no reason any more."""
    put(client, {"trusted": {"approvals": 2}, "links": {"hold": 1}, "thresholds": {"spam": {}}})
    author = {"id": "a-1"}

    verdicts_ = [
        send(client, f"c-{number}", text, author=author)["verdict"]
        for number, text in enumerate(
            [
                f"{told(1)} http://example.com/",
                told(2),
                told(3),
                f"{told(4)} http://example.com/",
            ]
        )
    ]

    assert verdicts_ == ["hold", "approve", "approve", "approve"]


@pytest.mark.parametrize(
    ("flood", "alike", "other"),
    [
        ("author", {"author": {"id": "a-1"}}, {"author": {"id": "a-2"}}),
        ("address", {"author": {"ip": "192.0.2.1"}}, {"author": {"ip": "192.0.3.1"}}),
        ("domain", {}, {}),
    ],
)
def test_floods_are_held(
    client: httpx2.Client, flood: str, alike: dict[str, Any], other: dict[str, Any]
) -> None:
    """The third within the time is over a limit of two, one by one and within one batch."""
    put(
        client,
        {"flood": {flood: {"limit": 2, "minutes": 60}}, "thresholds": {"spam": {}}},
    )
    link = " http://a.example.com/" if flood == "domain" else ""
    elsewhere = " http://b.example.net/" if flood == "domain" else ""

    one_by_one = [send(client, f"c-{n}", told(n) + link, **alike) for n in range(3)]
    beside = send(client, "c-3", told(3) + elsewhere, **other)
    together = verdicts(
        client,
        [{"external_id": f"d-{n}", "text": told(n) + elsewhere, **other} for n in range(10, 13)],
    )

    assert [made["verdict"] for made in one_by_one] == ["approve", "approve", "hold"]
    assert codes(one_by_one[2]) == [f"{flood}_flood"]
    assert beside["verdict"] == "approve"
    # One of this kind was there before.
    assert together == ["approve", "hold", "hold"]


def test_duplicates_are_held(client: httpx2.Client) -> None:
    """To the word, and nearly; the comment's own earlier revisions do not count."""
    put(
        client,
        {
            "duplicates": {
                "exact": {"limit": 1, "minutes": 60},
                "near": {"limit": 1, "minutes": 60, "verdict": "spam"},
            }
        },
    )
    near = HAM.replace("Sunday", "Monday")

    first = send(client, "c-1")
    same = send(client, "c-2", HAM.upper())
    alike = send(client, "c-3", near)
    edited = send(client, "c-4", told(1))
    again = send(client, "c-4", f"{told(1)} Yes.")
    together = verdicts(
        client, [{"external_id": f"d-{n}", "text": "One two three four five six"} for n in (1, 2)]
    )

    assert first["verdict"] == "approve"
    assert set(codes(same)) == {"duplicate", "near_duplicate"}
    assert (alike["verdict"], codes(alike)) == ("spam", ["near_duplicate"])
    assert (edited["verdict"], again["verdict"], again["revision"]) == ("approve", "approve", 2)
    assert together == ["approve", "spam"]


def test_rules_see_no_other_site(service: Service, client: httpx2.Client) -> None:
    """The same author, network and words on another site are nobody's and nothing's."""
    other = service.add_site(f"https://{token_hex(6)}.example.org", scopes=EVERY_SCOPE)
    limit = {"limit": 1, "minutes": 60}
    policy = {
        "flood": {"author": limit, "address": limit},
        "duplicates": {"exact": limit, "near": limit},
    }
    author = {"id": "a-1", "ip": "192.0.2.1"}

    put(client, policy)
    here = send(client, "c-1", author=author)
    with service.client(other.key) as there:
        put(there, policy)
        elsewhere = send(there, "c-1", author=author)

    assert here["verdict"] == elsewhere["verdict"] == "approve"
    assert send(client, "c-2", author=author)["verdict"] == "hold"


def test_edits_of_one_batch_are_held_against_each_other(client: httpx2.Client) -> None:
    """As they are when they come one by one; what only changed its commas counts once."""
    limit = {"limit": 2, "minutes": 60}
    put(client, {"duplicates": {"exact": limit, "near": limit | {"verdict": "spam"}}})
    for number in range(4):
        send(client, f"c-{number}", told(number))

    def edited(texts: list[str]) -> list[str]:
        return verdicts(
            client, [{"external_id": f"c-{n}", "text": text} for n, text in enumerate(texts)]
        )

    first = send(client, "c-0", "One two three four five six")
    twice = edited(["One, two, three, four, five, six", "one two three four five six"])
    thrice = edited(["Seven eight nine ten eleven twelve"] * 3)

    assert (first["verdict"], twice) == ("approve", ["approve", "approve"])
    assert thrice == ["approve", "approve", "spam"]


# -- dry runs ---------------------------------------------------------------------------------


def test_a_dry_run_tells_what_would_change(client: httpx2.Client) -> None:
    """Counts by change with ids; nothing is changed, and what stays is not told."""
    kept = send(client, "c-1", told(1))
    linked = [send(client, f"c-{n}", f"{told(n)} See www.example.org") for n in (2, 3)]
    assert {made["verdict"] for made in linked} <= {"approve", "hold", "spam"}
    put(client, {"thresholds": {"spam": {}}})

    found = client.post(
        "/v1/policy:dry-run",
        json={
            "policy": {"thresholds": {"spam": {}}, "links": {"reject": 1}},
            "days": 1,
        },
    )

    assert found.status_code == 200, found.text
    assert found.json() == {
        "comments": 3,
        "changes": [
            {
                "before": "approve",
                "after": "reject",
                "comments": 2,
                "examples": [linked[1]["id"], linked[0]["id"]],
            }
        ],
    }
    assert client.get(f"/v1/comments/{kept['id']}").json()["state"] == "published"
    assert client.get("/v1/policy").json()["version"] == 1


def test_a_dry_run_looks_at_each_comment_as_of_its_time(client: httpx2.Client) -> None:
    """Floods, duplicates and first times are counted as they would have been; newest first."""
    author = {"id": "a-1"}
    made = [send(client, f"c-{n}", told(n), author=author) for n in range(4)]

    def changed(policy: dict[str, Any], **more: int) -> dict[str, Any]:
        answer = client.post("/v1/policy:dry-run", json={"policy": policy, **more})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    flood = changed({"flood": {"author": {"limit": 3, "minutes": 60}}})
    first = changed({"first_time": {}})
    newest = changed({"hold_everything": True}, limit=1)

    assert flood["changes"][0]["examples"] == [made[3]["id"]]
    assert first["changes"][0]["examples"] == [made[0]["id"]]
    assert (newest["comments"], newest["changes"][0]["examples"]) == (1, [made[3]["id"]])


def test_a_dry_run_has_the_comments_of_a_batch_come_in_one_after_another(
    client: httpx2.Client,
) -> None:
    """As they are counted when they come in: they have one instant, and came in one order."""
    many = {"limit": 1_000, "minutes": 60}
    put(client, {"duplicates": {"exact": many, "near": many}})
    author = {"id": "a-1"}
    batch = [{"external_id": f"c-{n}", "text": HAM, "author": author} for n in range(3)]
    answer = client.post("/v1/comments:batch", json={"comments": batch})
    made = [result["comment"]["id"] for result in answer.json()["results"]]

    def changed(policy: dict[str, Any]) -> list[str]:
        found = client.post("/v1/policy:dry-run", json={"policy": policy}).json()
        return [comment_id for change in found["changes"] for comment_id in change["examples"]]

    assert changed({"duplicates": {"exact": {"limit": 1, "minutes": 60}}}) == [made[2], made[1]]
    assert changed({"duplicates": {"near": {"limit": 1, "minutes": 60}}}) == [made[2], made[1]]
    assert changed({"flood": {"author": {"limit": 2, "minutes": 60}}}) == [made[2]]
    assert changed({"first_time": {}}) == [made[0]]


# -- what is stored ---------------------------------------------------------------------------


def test_no_address_is_in_any_file(new_service: Service) -> None:
    """With a rule that counts by address, and lists of networks: not in tables, logs or keys."""
    new_service.start()
    own = new_service.add_site("https://blog.example.org", scopes=EVERY_SCOPE)
    addresses = ["192.0.2.213", "2001:db8:77:88::1234"]
    with new_service.client(own.key) as client:
        put(client, {"flood": {"address": {"limit": 1, "minutes": 60}}})
        made = [
            send(client, f"c-{n}", told(n), author={"ip": address})
            for n, address in enumerate([*addresses, "2001:db8:77:99::1", "192.0.2.1"])
        ]
    log = new_service.log.read_bytes()
    new_service.stop()
    with new_service.databases() as databases, databases.moderation.read() as connection:
        dump = json.dumps(
            [
                [str(value) for row in connection.execute(table.select()) for value in row]
                for table in METADATA.sorted_tables
            ]
        ).encode()
    files = [path.read_bytes() for path in new_service.data_dir.rglob("*") if path.is_file()]

    assert [one["verdict"] for one in made] == ["approve", "approve", "hold", "hold"]
    for address in [*addresses, "192.0.2", "2001:db8:77"]:
        for content in [log, dump, *files]:
            assert address.encode() not in content


def governed(databases: Databases, data_dir: Path) -> Governance:
    """Return what a service would ask of the policies of a new installation."""
    settings = Settings(data_dir=data_dir)
    open_accounts(settings, databases)
    writing = CommandWriter(databases.moderation)
    return open_governance(settings, databases, writing, open_selection(settings).load())


def read(governance: Governance, site_id: str) -> dict[str, Any]:
    """Return what `GET /v1/policy` tells."""
    routes = PolicyRoutes(
        configuring=governance.configuring,
        policies=governance.policies,
        rehearsing=governance.rehearsing,
        clock=clock.now,
    )
    caller = Caller("k", frozenset({Scope.SITE_ADMIN}), (site_id,))
    status, body = asyncio.run(routes.get(Call(b"", {}, {}, b"", caller)))
    assert status == 200
    found: dict[str, Any] = json.loads(body)
    return found


def test_a_policy_is_read_without_being_compiled(
    databases: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Long lists take a second, for which nobody else would be answered."""
    governance = governed(databases, tmp_path / "data")
    content = {
        "thresholds": {"spam": {"hold": 0.5}},
        "lists": [{"name": "l", "verdict": "spam", "words": ["x"]}],
    }
    asyncio.run(governance.configuring.put("s", json.dumps(content), replaces=0))
    monkeypatch.setattr(PolicyIn, "policy", lambda *_: pytest.fail("it was compiled"))

    found = read(governance, "s")

    assert found["thresholds"]["spam"] == {"hold": 0.5}


def test_what_earlier_releases_stored_goes_on_holding(databases: Databases, tmp_path: Path) -> None:
    """A word that is no language is refused today, and no comment is held because it once was not.

    Of a stored policy that cannot be read everything would be held.
    """
    governance = governed(databases, tmp_path / "data")
    content = {"language": {"accepted": ["english"]}}
    asyncio.run(governance.configuring.put("s", json.dumps(content), replaces=0))

    policy = asyncio.run(governance.policies.find("s"))
    found = read(governance, "s")

    assert policy.rules.language == Languages(frozenset({"english"}))
    assert not policy.rules.hold_everything
    assert found["policy"] == content
