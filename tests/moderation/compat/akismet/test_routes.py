"""Akismet's API over HTTP, on both engines: exact bodies, headers, and what is stored."""

from collections.abc import Iterator
from secrets import token_hex

import httpx2
import pytest
from akismet_desk import HAM, RUDE, SPAM, THANKS, Blog, open_blog
from conftest import Service
from raw_connection import exchange
from review_desk import Desk
from sqlalchemy import select

from moderation.tables import COMPAT_CALLBACK, REVISION

LEGACY = "abcdef012345"


@pytest.fixture
def blog(service: Service) -> Iterator[Blog]:
    """Open a blog of this test's own."""
    opened = open_blog(service, token_hex(6))
    yield opened
    opened.akismet.close()
    opened.native.close()


def test_a_key_is_verified(blog: Blog) -> None:
    """By its own name or the other; `key` is what is judged where both are there."""
    other = "ab" + "7" * 60

    good = [
        blog.send("verify-key", api_key=None, key=blog.key),
        blog.send("verify-key"),
        blog.send("verify-key", api_key=other, key=blog.key),
        blog.send("verify-key", version="1.2"),
        blog.akismet.get("/1.2/verify-key", params={"key": blog.key, "blog": blog.url}),
    ]
    bad = [
        blog.send("verify-key", key=other),
        blog.send("verify-key", api_key=None),
        blog.send("verify-key", blog="https://elsewhere.example.org"),
    ]

    assert {(each.status_code, each.text) for each in good} == {(200, "valid")}
    assert all("x-akismet-debug-help" not in each.headers for each in good)
    assert {(each.status_code, each.text) for each in bad} == {(200, "invalid")}
    assert all(each.headers["x-akismet-debug-help"] for each in bad)
    assert "site create" in bad[2].headers["x-akismet-debug-help"]


@pytest.mark.parametrize(
    ("text", "answer", "state"), [(HAM, "false", "published"), (SPAM, "true", "spam")]
)
def test_a_comment_is_checked_and_stored(blog: Blog, text: str, answer: str, state: str) -> None:
    """The body alone is the verdict; the comment is where every other comment is."""
    told = blog.check(text, comment_author_email="ann@example.org", comment_type="comment")

    assert (told.status_code, told.text) == (200, answer)
    assert told.headers["content-type"] == "text/plain; charset=utf-8"
    made = blog.comment()
    assert made["id"] == told.headers["x-akismet-guid"]
    assert (made["state"], made["origin"], made["text"]) == (state, "akismet", text)
    assert made["origin_details"] == {"comment_type": "comment"}
    unwanted = {"x-akismet-debug-help", "x-akismet-alert-code", "x-akismet-error"}
    unwanted |= {"x-akismet-pro-tip", "x-akismet-recheck-after", "x-akismet-classification"}
    assert not unwanted & set(told.headers)


def test_a_hold_is_what_the_site_says_it_is(blog: Blog) -> None:
    """`false` with a recheck by default, so that clients hold it; `true` where that is set."""
    first = blog.check(RUDE)
    blog.set(hold="true")
    again = blog.check(RUDE, recheck_reason="recheck_queue")

    assert first.text == "false"
    assert first.headers["x-akismet-recheck-after"] == "120"
    assert first.headers["x-akismet-error"] == "held for review"
    assert again.text == "true"
    assert "x-akismet-recheck-after" not in again.headers
    assert blog.comment()["state"] == "pending"


def test_wordpress_goes_on_holding_what_is_held(blog: Blog) -> None:
    """Its plugin publishes after `recheck-after`, and what a retry calls no spam, undecided."""
    wordpress = {"user-agent": "WordPress/6.8 | Akismet/5.5"}
    blog.akismet.headers.update(wordpress)

    first = blog.check(RUDE)
    again = blog.check(RUDE, recheck_reason="recheck_queue")
    retried = blog.check(RUDE, recheck_reason="retry")
    Desk(blog.native).decided(blog.comment(), "approve")
    decided = blog.check(RUDE, recheck_reason="retry")

    assert [each.text for each in (first, again, retried)] == ["false", "false", "held for review"]
    for each in (first, again, retried):
        assert "x-akismet-recheck-after" not in each.headers
        assert each.headers["x-akismet-error"] == "held for review"
    assert decided.text == "false"
    assert "x-akismet-error" not in decided.headers


def test_a_held_comment_waits_in_the_queue(blog: Blog) -> None:
    """With its origin; what a moderator decides is what a recheck is told."""
    blog.check(RUDE)
    desk = Desk(blog.native)

    (case,) = desk.cases(origin="akismet")
    desk.decided(blog.comment(), "reject")

    assert case["origin"] == "akismet"
    assert desk.cases(origin="perspective") == []
    assert blog.check(RUDE, recheck_reason="retry").text == "true"
    assert len(blog.comments()) == 1


@pytest.mark.parametrize(
    ("what", "text", "before", "after"),
    [
        ("spam", HAM, "published", "spam"),
        ("ham", SPAM, "spam", "published"),
        ("spam", RUDE, "pending", "spam"),
        ("ham", RUDE, "pending", "published"),
    ],
)
def test_what_people_say_is_decided(
    blog: Blog, what: str, text: str, before: str, after: str
) -> None:
    """As a moderator's decision, by name; told twice it happens once; a check is told of it."""
    blog.check(text)
    assert blog.comment()["state"] == before

    told = [blog.tell(what, text, reporter="eva", user_ip="203.0.113.9") for _ in range(2)]

    assert {(each.status_code, each.text) for each in told} == {(200, THANKS)}
    assert blog.comment()["state"] == after
    *_, last = blog.events()
    assert len(blog.events()) == 2
    assert last["actor"] == {"kind": "moderator", "id": "akismet:eva"}
    assert blog.check(text).text == ("true" if what == "spam" else "false")


def test_the_same_words_with_a_link_are_another_comment(blog: Blog) -> None:
    """What is said of the one decides nothing on the other."""
    plain = "Thank you for this very lovely article"
    linked = plain.replace("Thank you", '<a href="http://casino.top/viagra">Thank you</a>')

    checked = [blog.check(text).text for text in (plain, linked)]
    blog.tell("ham", plain)

    assert checked == ["false", "true"]
    assert {each["text"]: (each["state"], each["revision"]) for each in blog.comments()} == {
        plain: ("published", 1),
        linked: ("spam", 1),
    }


def test_what_is_said_of_one_registration_decides_no_other(blog: Blog) -> None:
    """Where nothing is written it is who registers, and by which address, that is judged."""
    first, second = ("https://ann.example.org", "http://cheap-pills.example")
    for url in (first, second):
        blog.check("", comment_type="signup", comment_author_url=url)
    before = blog.comment()

    blog.tell("ham", "", comment_type="signup", comment_author_url=first)

    assert (before["revision"], before["text"]) == (2, f"Ann {second}")
    assert blog.comment() == before


def test_a_comment_that_comes_again_in_another_way_is_judged_by_that(blog: Blog) -> None:
    """By the honeypot, and by lists that name its author; what is stored stays as it is."""
    policy = {
        "lists": [
            {"name": "shops", "verdict": "spam", "domains": ["shop.example"]},
            {"name": "networks", "verdict": "hold", "networks": ["203.0.113.0/24"]},
            {"name": "words", "verdict": "spam", "words": ["recipe"]},
            {"name": "allowed", "verdict": "approve", "domains": ["good.example"]},
        ]
    }
    first = blog.check(HAM)
    allowed = f"{HAM} http://good.example"
    blog.check(allowed)
    put = blog.native.put("/v1/policy", json={"replaces": 0, "policy": policy})
    put.raise_for_status()
    before = blog.comments()

    again = {
        "plainly": blog.check(HAM),
        "trap": blog.check(HAM, honeypot_field_name="trap", trap="x", classify="1"),
        "shop": blog.check(HAM, comment_author_url="https://shop.example/"),
        "network": blog.check(HAM, user_ip="203.0.113.9", callback=blog.url),
        "allowed": blog.check(allowed, comment_author_url="https://shop.example/"),
    }

    assert first.text == "false"
    assert {way: told.text for way, told in again.items()} == {
        "plainly": "false",
        "trap": "true",
        "shop": "true",
        "network": "false",
        "allowed": "false",
    }
    held = again.pop("network").headers
    assert held["x-akismet-error"] == "held for review"
    assert "x-akismet-recheck-after" not in held
    assert not any("x-akismet-error" in told.headers for told in again.values())
    assert blog.comments() == before
    assert {each["state"] for each in before} == {"published"}


def test_what_a_person_has_published_is_judged_by_nothing_else(blog: Blog) -> None:
    """However it comes again."""
    blog.check(HAM)
    trapped = {"honeypot_field_name": "trap", "trap": "x"}
    before = blog.check(HAM, **trapped)

    blog.tell("ham", HAM)

    assert before.text == "true"
    assert blog.check(HAM, **trapped).text == "false"


def test_what_was_never_seen_is_screened_first(blog: Blog) -> None:
    """Then decided; without a reporter the key has said it."""
    assert blog.tell("spam", HAM).text == THANKS

    submitted, marked = blog.events()
    assert (submitted["type"], submitted["to"]) == ("submitted", "published")
    assert (marked["type"], marked["to"]) == ("marked_spam", "spam")
    assert marked["actor"]["id"].startswith("akismet:")
    assert blog.comment()["origin"] == "akismet"


def test_those_who_test_leave_nothing_behind(blog: Blog) -> None:
    """Neither a comment nor a number nor a judgement."""
    spammer = "akismet-guaranteed-spam"
    answers = [
        blog.send("comment-check", comment_author=spammer, comment_content=HAM),
        blog.send("comment-check", comment_author="viagra-test-123", comment_content=HAM),
        blog.check(HAM, comment_author_email=f"{spammer}@example.com"),
        blog.check(SPAM, user_role="administrator"),
        blog.check(SPAM, is_test="1"),
        blog.check(HAM, is_test="true"),
        blog.check(RUDE, is_test="True"),
        blog.tell("ham", SPAM, is_test="1"),
        blog.send("submit-spam", comment_author=spammer, comment_content=HAM),
        blog.tell("spam", HAM, user_role="administrator,editor"),
    ]

    assert [each.text for each in answers] == [
        *["true"] * 3,
        "false",
        "true",
        "false",
        "false",
        *[THANKS] * 3,
    ]
    assert answers[6].headers["x-akismet-recheck-after"] == "120"
    assert all(each.headers["x-akismet-guid"] for each in answers[:7])
    assert blog.comments() == []
    assert blog.send("usage-limit", version="1.2").json()["usage"] == 0


def test_discarding_is_off_until_it_is_wanted(blog: Blog) -> None:
    """And then of what is blatant alone; a class is told to whoever asks."""
    blatant = (
        "free money click here win big now visit http://win.example earn $5000 per week from home "
        "guaranteed!!! limited offer buy now"
    )
    before = blog.check(blatant, classify="1")
    blog.set(discard=True)
    after = blog.check(blatant)
    doubtful = blog.check(SPAM)

    assert before.text == after.text == "true"
    assert before.headers["x-akismet-classification"] == "spam"
    assert "x-akismet-pro-tip" not in before.headers
    assert after.headers["x-akismet-pro-tip"] == "discard"
    assert "x-akismet-pro-tip" not in doubtful.headers


@pytest.mark.parametrize("field", ["blog", "user_ip"])
def test_what_is_missing_is_said(blog: Blog, field: str) -> None:
    """Neither true nor false, so that a client holds the comment; the header says why."""
    for told in (blog.check(HAM, **{field: None}), blog.tell("spam", HAM, **{field: None})):
        assert told.status_code == 200
        assert told.text == f"Missing required field: {field}"
        assert field in told.headers["x-akismet-debug-help"]
    assert blog.comments() == []


def test_an_address_may_be_empty(blog: Blog) -> None:
    """As Coral sends it, of what its moderators decide always, and Discourse of what is old."""
    checked = blog.check(SPAM, user_ip="")
    told = blog.tell("ham", SPAM, user_ip="")

    assert (checked.text, told.text) == ("true", THANKS)
    assert blog.comment()["state"] == "published"


def test_wrong_keys_and_addresses_are_invalid(blog: Blog, service: Service) -> None:
    """For every call alike, with status 200 and the reason in a header."""
    read_only = service.client(blog.key)
    with service.accounts() as accounts:
        narrow = accounts.create_key([blog.site], scopes=["comments:read"])
    for call in ("comment-check", "submit-spam", "usage-limit", "key-sites", "token", "get-stats"):
        for changed in ({"api_key": "nonsense"}, {"api_key": None}, {"api_key": narrow}):
            told = blog.send(call, version="1.2", comment_content=HAM, **changed)
            assert (told.status_code, told.text) == (200, "invalid"), (call, changed)
            assert told.headers["x-akismet-debug-help"]
    elsewhere = blog.check(HAM, blog="https://elsewhere.example.org/")
    assert elsewhere.text == "invalid"
    read_only.close()


def test_the_key_may_be_the_first_label_of_the_host(blog: Blog, service: Service) -> None:
    """As older clients have it; also a legacy key of twelve digits."""
    legacy = token_hex(6)
    url = f"https://{token_hex(6)}.example.org"
    service.add_site(url, key=legacy)

    for key, site in ((blog.key, blog.url), (legacy, url)):
        told = blog.akismet.post(
            "/1.1/comment-check",
            data={"blog": site, "user_ip": "198.51.100.7", "comment_content": HAM},
            headers={"host": f"{key}.rest.akismet.com"},
        )
        assert told.text == "false"


def test_http_1_0_is_spoken(blog: Blog, service: Service) -> None:
    """WordPress speaks it, with a charset in the content type."""
    body = f"blog={blog.url}&user_ip=198.51.100.7&comment_content=tea&api_key={blog.key}".encode()
    head = (
        "POST /1.1/comment-check HTTP/1.0\r\nHost: rest.akismet.com\r\n"
        "Content-Type: application/x-www-form-urlencoded; charset=UTF-8\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode()

    answer = exchange(service.port, head + body)

    assert answer.status == 200
    assert answer.body == b"false"


def test_thousands_of_fields_are_passed_over(blog: Blog) -> None:
    """Up to 256 KB; more is refused, and the connection closed."""
    many = {f"POST_field_{number}": "x" * 20 for number in range(4_000)}
    cookies = {"HTTP_COOKIE": "canary", "HTTP_AUTHORIZATION": "canary"}

    told = blog.check(HAM, **many, **cookies)
    refused = blog.check(HAM * 4_000)

    assert told.text == "false"
    assert "canary" not in str(blog.comments())
    assert refused.status_code == 413
    assert refused.text == "body-too-large"
    assert refused.headers["connection"] == "close"


def test_a_month_has_a_limit_where_one_is_set(blog: Blog) -> None:
    """Then 429, with when to come back; nothing is stored, and rechecks count as calls."""
    blog.set(monthly_limit=2)
    answers = [blog.check(HAM, permalink=f"https://x.example/{number}") for number in range(3)]

    assert [each.status_code for each in answers] == [200, 200, 429]
    assert 1 <= int(answers[2].headers["retry-after"]) <= 31 * 86_400
    assert answers[2].text not in {"true", "false", "invalid"}
    assert len(blog.comments()) == 2
    used = blog.send("usage-limit", version="1.2")
    assert used.json() == {"limit": 2, "usage": 2, "percentage": "100.00", "throttled": True}
    more = blog.akismet.get("/1.2/usage-limit", params={"api_key": blog.key, "extended": "true"})
    assert more.json()["notice_level"] == 0
    assert more.json()["upgrade"] is False
    assert blog.send("get-subscription").json()["limit_reached"] is True


def test_without_a_limit_there_is_none(blog: Blog) -> None:
    """Said in a word."""
    blog.check(HAM)

    assert blog.send("usage-limit", version="1.2").json() == {
        "limit": "none",
        "usage": 1,
        "percentage": "0.00",
        "throttled": False,
    }


def test_sites_of_one_host_are_told_together(blog: Blog, service: Service) -> None:
    """A row names a host alone."""
    host = f"https://{token_hex(6)}.example.net"
    sites = [service.add_site(f"{host}/{path}") for path in ("a", "b")]
    with service.accounts() as accounts:
        blog.key = accounts.create_key([site.id for site in sites])
    for site, text in zip((sites[0], *sites), (HAM, SPAM, HAM), strict=True):
        blog.check(text, blog=site.url)

    told = blog.send("key-sites", version="1.2").json()

    (row,) = next(rows for name, rows in told.items() if name not in {"limit", "offset", "total"})
    assert told["total"] == 1
    assert (row["api_calls"], row["spam"], row["ham"]) == ("3", "1", "2")


def test_sites_of_a_key_are_told(blog: Blog, service: Service) -> None:
    """Of one month, their numbers as texts; as CSV, too; filtered, ordered, cut."""
    other = service.add_site(f"https://{token_hex(6)}.example.net")
    with service.accounts() as accounts:
        blog.key = accounts.create_key([blog.site, other.id])
    blog.check(HAM)
    blog.check(SPAM)
    blog.tell("ham", SPAM)
    blog.check(HAM, blog=other.url)

    told = blog.send("key-sites", version="1.2").json()
    month = next(name for name in told if name not in {"limit", "offset", "total"})
    cut = blog.send("key-sites", version="1.2", filter=".net", order="ham", limit="1").json()
    as_csv = blog.send("key-sites", version="1.2", format="csv", limit="10")
    past = blog.send("key-sites", version="1.2", month="2001-01").json()
    wrong = blog.send("key-sites", version="1.2", month="2001-13")

    assert (told["limit"], told["offset"], told["total"]) == (500, 0, 2)
    assert told[month][0] == {
        "site": blog.url.removeprefix("https://"),
        "api_calls": "2",
        "spam": "1",
        "ham": "1",
        "missed_spam": "0",
        "false_positives": "1",
        "is_revoked": False,
    }
    assert [each["site"] for each in cut[month]] == [other.url.removeprefix("https://")]
    assert past == {"2001-01": [], "limit": 500, "offset": 0, "total": 0}
    first, second, *rows = as_csv.text.splitlines()
    assert first == f"Active sites for {blog.key} during {month} (limit:10, offset: 0, total: 2)"
    assert second == "Site,Total API Calls,Spam,Ham,Missed Spam,False Positives,Is Revoked"
    assert rows[0].endswith(",2,1,1,0,1,false")
    assert wrong.headers["x-akismet-debug-help"].startswith("month")


def test_statistics_are_told(blog: Blog) -> None:
    """As JSON, over a span, by month."""
    blog.check(HAM)
    blog.check(SPAM)
    blog.tell("spam", HAM)

    for call in ("get-stats", "get-key-stats"):
        told = blog.send(call, **{"from": "6-months"}).json()
        assert (told["spam"], told["ham"], told["missed_spam"]) == (1, 1, 1)
        assert told["accuracy"] == "50.00"
        assert len(told["breakdown"]) == 1


def test_small_calls_have_their_answers(blog: Blog) -> None:
    """`connected`, `deactivated` (and the key goes on), the id of the key for a token."""
    connected = [
        blog.akismet.get("/1.1/test"),
        blog.akismet.post("/1.1/test"),
        blog.akismet.get("/1.2/test"),
    ]
    gone = blog.send("deactivate", api_key=None, key=blog.key)
    token = blog.send("token")

    assert {each.text for each in connected} == {"connected"}
    assert gone.text == "deactivated"
    assert token.text == blog.key[2:10]
    assert blog.send("verify-key").text == "valid"


def test_methods_are_those_of_the_versions(blog: Blog) -> None:
    """1.1 takes forms alone; the refusal is no problem document either."""
    refused = blog.akismet.get("/1.1/comment-check", params={"api_key": blog.key})
    put = blog.akismet.put("/1.2/comment-check")

    assert (refused.status_code, refused.text) == (405, "method-not-allowed")
    assert put.status_code == 405
    assert refused.headers["allow"] == "POST"
    got = blog.akismet.get(
        "/1.2/comment-check",
        params={"api_key": blog.key, "blog": blog.url, "user_ip": "::1", "comment_content": SPAM},
    )
    assert got.text == "true"


@pytest.mark.parametrize(
    ("text", "answer", "held"),
    [(HAM, "false", False), (SPAM, "true", False), (RUDE, "false", True)],
)
def test_what_was_erased_stays_erased(
    blog: Blog, service: Service, text: str, answer: str, *, held: bool
) -> None:
    """The same words again are judged, kept nowhere, and nothing is decided on them here."""
    blog.check(text)
    comment_id = blog.comment()["id"]
    blog.native.delete(f"/v1/comments/{comment_id}").raise_for_status()

    told = blog.check(text, classify="1", callback="https://blog.example.org/")

    assert told.text == answer
    assert ("x-akismet-error" in told.headers) is held
    assert ("x-akismet-classification" in told.headers) is (text is not HAM)
    assert "x-akismet-recheck-after" not in told.headers  # nobody will ever say more
    assert blog.tell("spam", text).text == THANKS
    assert blog.native.get(f"/v1/comments/{comment_id}").json()["state"] == "erased"
    blog.set(hold="true")
    assert blog.check(text).text == ("true" if held else answer)
    with service.databases() as databases, databases.moderation.read() as connection:
        assert connection.execute(
            select(REVISION.c.text).where(REVISION.c.comment_id == comment_id)
        ).scalars().all() == [""]
        assert not connection.execute(
            select(COMPAT_CALLBACK).where(COMPAT_CALLBACK.c.comment_id == comment_id)
        ).all()


def test_wrong_keys_are_limited(service: Service) -> None:
    """After thirty a minute from one address even Akismet's clients are told to wait."""
    with httpx2.Client(base_url=service.url, timeout=60) as guessing:
        told = [
            guessing.post(
                "/1.1/verify-key",
                data={"key": token_hex(6), "blog": "https://x.example.org"},
            )
            for _ in range(32)
        ]

    assert told[-1].status_code == 429
    assert told[-1].headers["retry-after"] == "60"
    assert LEGACY not in told[-1].text


def test_forms_may_come_in_parts(blog: Blog) -> None:
    """As `multipart/form-data`: what programs send that hand a form to their HTTP library."""
    form = {
        "api_key": blog.key,
        "blog": blog.url,
        "user_ip": "198.51.100.7",
        "comment_author": "Ann",
        "comment_content": "Grüße & 100 % tea\r\n\r\n--more = good",
        "comment_context[]": "news",
    }

    told = blog.akismet.post(
        "/1.1/comment-check", files={name: (None, value) for name, value in form.items()}
    )

    assert told.text == "false"
    found = blog.native.get(f"/v1/comments/{blog.comment()['id']}").json()
    assert found["text"] == form["comment_content"]
    assert found["author"]["name"] == "Ann"
    assert found["origin_details"]["context"] == ["news"]
