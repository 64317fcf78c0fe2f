"""What events, settings and standing tell over HTTP, on both engines, from door to answer."""

import json
from secrets import token_hex
from typing import Any

import httpx2
import pytest
from conftest import Service, Site

NOTICE = {
    "notice_id": "main",
    "language": "en",
    "text": "May we show ads that fit?",
    "controller": {"name": "Shop Ltd"},
    "purposes": [
        {
            "id": "ads",
            "name": "Ads",
            "description": "Ads that fit",
            "basis": "opt_out",
            "advertising": True,
        }
    ],
}
SHOWN = {"notice_id": "main", "version": 1, "language": "en"}
DEVICE = {"kind": "device", "id": "d-1"}
ACCOUNT = {"kind": "account", "id": "a-1"}
SCOPED = ("2001:db8::%ada@x/48", "2001:db8::%1/48")
"""Networks with a scope, which is any text."""


@pytest.fixture
def shop(client: httpx2.Client) -> httpx2.Client:
    """Publish a notice."""
    assert client.post("/v1/consent/notices", json=NOTICE).status_code == 201
    return client


def send(client: httpx2.Client, kind: str, method: str, **more: Any) -> httpx2.Response:  # noqa: ANN401
    """Send an event of the device in the banner."""
    body = {
        "subject": DEVICE,
        "event_type": kind,
        "method": method,
        "origin": "banner",
        "notice": SHOWN,
        "idempotency_key": token_hex(8),
        **more,
    }
    return client.post("/v1/consent/events", json=body)


def test_settings_are_read_as_they_were_set(shop: httpx2.Client) -> None:
    """Defaults first; what is set holds whole, and what is left out falls back."""
    first = shop.get("/v1/consent/settings").json()
    changed = {"regime": "custom", "custom": {"opt_out": True}, "ask_again_months": 12}
    put = shop.put("/v1/consent/settings", json=changed)
    held = shop.get("/v1/consent/settings").json()
    shop.put("/v1/consent/settings", json={})

    assert (first["regime"], first["gpc"]) == (None, "refuse_advertising")
    assert (put.status_code, put.json()) == (200, held)
    assert held["custom"]["opt_out"] is True
    assert held["ask_again_months"] == 12
    assert shop.get("/v1/consent/settings").json() == first


@pytest.mark.parametrize("header", ["1", "0", "true", "", "1, 1", " 1"])
def test_only_a_one_is_a_signal(shop: httpx2.Client, header: str) -> None:
    """`Sec-GPC` counts when it is exactly 1, and nothing else is a signal."""
    asked = {
        "subject_kind": "device",
        "subject_id": "d-1",
        "purpose": "ads",
        "jurisdiction": "US-CA",
        "sec_gpc": header,
    }

    answer = shop.get("/v1/consent/standing", params=asked).json()

    assert answer["allowed"] is (header != "1")
    assert answer.get("signal", False) is (header == "1")


def test_one_signal_among_several_headers_counts(shop: httpx2.Client) -> None:
    """The record shows the signal and what it decided."""
    made = send(
        shop,
        "opted_out",
        "gpc",
        signals={
            "sec_gpc": ["0", "1"],
            "tc_string": "CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA",
        },
        jurisdiction="US-CA",
    )
    silent = send(shop, "opted_out", "gpc", signals={"sec_gpc": ["0"]})

    assert made.status_code == 201, made.text
    event = made.json()["event"]
    assert event["signals"]["sec_gpc"] is True
    assert event["decisions"] == [{"purpose_id": "ads", "decision": "refused", "basis": "opt_out"}]
    assert silent.json()["type"] == "/problems/signal-missing"


@pytest.mark.parametrize(
    ("settings", "honoured"),
    [
        ({}, True),
        ({"gpc": "ignore"}, True),  # it still opts out visitors from California
        ({"gpc": "ignore", "regime": "us_optout"}, True),
        ({"gpc": "ignore", "regime": "custom", "custom": {"signal_opts_out": True}}, True),
        ({"gpc": "ignore", "regime": "eu_optin"}, False),
        ({"gpc": "ignore", "regime": "custom"}, False),
    ],
)
def test_a_site_says_whether_it_honours_the_signal(
    shop: httpx2.Client,
    site: Site,
    settings: dict[str, Any],
    honoured: bool,  # noqa: FBT001
) -> None:
    """The statement for its own host: false only where the signal ends nothing for anybody."""
    shop.put("/v1/consent/settings", json=settings)

    stated = shop.get(f"/v1/consent/sites/{site.id}/gpc.json").json()

    assert stated.keys() == {"gpc", "lastUpdate"}
    assert stated["gpc"] is honoured
    assert shop.get("/v1/consent/sites/nobody/gpc.json").status_code == 404


def test_strings_of_other_tools_are_kept_and_shown_decoded(
    service: Service, shop: httpx2.Client, site: Site
) -> None:
    """A TC string as it came, what it says beside the record; nonsense is kept and said to be."""
    tc = "COvFyGBOvFyGBAbAAAENAPCAAOAAAAAAAAAAAEEUACCKAAA"
    made = send(shop, "requested", "api", signals={"tc_string": tc, "gpp_string": "DBnonsense"})
    with service.accounts() as accounts:
        auditor = accounts.create_key([site.id], scopes=["consent:audit"])
    with service.client(auditor) as reading:
        shown = reading.get(f"/v1/consent/records/{made.json()['record_id']}").json()

    assert shown["event"]["signals"]["tc_string"] == tc
    assert shown["strings"]["tc_string"]["cmp_id"] == 27
    assert "expected" in shown["strings"]["gpp_string"]["problem"]


def test_a_served_notice_is_answered(shop: httpx2.Client) -> None:
    """The token alone is the question; without it there is none."""
    token = shop.post("/v1/consent/served", json={"notice": SHOWN})
    yes = {"decisions": [{"purpose_id": "ads", "decision": "given"}]}
    unasked = send(shop, "given", "save", **yes)
    made = send(shop, "given", "save", served=token.json()["served"], **yes)
    unknown = shop.post("/v1/consent/served", json={"notice": {**SHOWN, "version": 9}})

    assert (token.status_code, unasked.status_code, made.status_code) == (201, 409, 201)
    assert (unknown.status_code, unknown.json()["type"]) == (422, "/problems/notice-unknown")


def test_a_yes_to_nobody_is_no_yes(shop: httpx2.Client) -> None:
    """An empty list of vendors is not all of them; a no is one to all, whomever it names."""
    send(shop, "requested", "api")
    yes, no = (
        {"decisions": [{"purpose_id": "ads", "decision": decision, "vendor_ids": []}]}
        for decision in ("given", "refused")
    )
    nobody = send(shop, "given", "save", **yes)
    refused = send(shop, "refused", "save", **no)

    assert (nobody.status_code, nobody.json()["type"]) == (422, "/problems/invalid-request")
    assert nobody.json()["errors"][0]["where"] == "decisions.0"
    assert refused.status_code == 201, refused.text
    assert "vendor_ids" not in refused.json()["event"]["decisions"][0]


def test_generated_clients_send_the_default_along(shop: httpx2.Client) -> None:
    """A yes with each default that the document tells is a yes to all vendors."""
    told = shop.get("/openapi.json").json()["components"]["schemas"]["DecisionIn"]["properties"]
    defaults = {name: schema["default"] for name, schema in told.items() if "default" in schema}
    send(shop, "requested", "api")
    yes = send(
        shop, "given", "save", decisions=[{"purpose_id": "ads", "decision": "given", **defaults}]
    )

    assert yes.status_code == 201, yes.text
    assert "vendor_ids" not in yes.json()["event"]["decisions"][0]


@pytest.mark.parametrize(
    ("told", "kept", "regime"),
    [
        ("UK", "GB", "uk_pecr"),
        ("UK-SCT", "GB-SCT", "uk_pecr"),
        ("EL", "GR", "eu_optin"),
        ("XX", "XX", "eu_optin"),
    ],
)
def test_a_country_by_another_name(shop: httpx2.Client, told: str, kept: str, regime: str) -> None:
    """As the kingdom or the EU writes it, it is the country that ISO 3166 has, on record too."""
    event = send(shop, "requested", "api", jurisdiction=told).json()["event"]

    assert (event["jurisdiction"], event["regime"]) == (kept, regime)
    assert event["regime_source"] == ("fallback" if told == "XX" else "declared")


def test_an_account_and_its_device(shop: httpx2.Client) -> None:
    """Linked, a no of one is a no of both; asked together, the careful answer wins."""
    nobody = {"kind": "external", "id": "x-1"}
    linked = send(shop, "linked", "api", subject=ACCOUNT, linked=DEVICE, notice=None)
    ended = [{"purpose_id": "ads", "decision": "refused"}]
    send(shop, "objected", "link", decisions=ended)
    asked = {"subjects": [ACCOUNT, DEVICE, nobody], "purposes": ["ads"], "jurisdiction": "US-CA"}
    found = shop.post("/v1/consent/standing:query", json=asked).json()

    assert linked.status_code == 201, linked.text
    assert linked.json()["event"]["linked"].keys() == {"subject_kind", "subject_ref"}
    whys = [one["items"][0]["why"] for one in found["subjects"]]
    assert whys == ["objected", "objected", "undecided"]
    assert found["items"] == found["subjects"][0]["items"]


def test_no_address_and_nothing_behind_the_page_is_kept(shop: httpx2.Client) -> None:
    """A network, never an address; a page without query, fragment or user."""
    kept = send(
        shop,
        "requested",
        "api",
        context={"page": "https://ada:pw@shop.example/a?mail=b#c", "ip_trunc": "203.0.113.0/24"},
    )
    bare = ("203.0.113.7", "203.0.113.7/32", "203.0.113.7/24", "2001:db8::/64", "x")
    for address in (*bare, *SCOPED):
        refused = send(shop, "requested", "api", context={"ip_trunc": address})
        assert refused.status_code == 422
        assert address not in refused.text or address == "x"

    assert kept.json()["event"]["context"] == {
        "page": "https://shop.example/a",
        "ip_trunc": "203.0.113.0/24",
    }


BODY = {
    "idempotency_key": "k-1",
    "subject": DEVICE,
    "event_type": "refused",
    "method": "save",
    "origin": "banner",
    "notice": SHOWN,
    "decisions": [{"purpose_id": "ads", "decision": "refused"}],
    "signals": {"sec_gpc": ["1"], "gcm": {"ad_storage": "denied", "analytics_storage": "denied"}},
    "context": {"page": "https://shop.example/a"},
}


@pytest.mark.parametrize(
    ("once", "twice"),
    [
        ('"event_type":', '"event_type":"refused","event_type":'),
        ('"event_type":', '"event_type" :"given","event_type":'),
        ('"event_type":', '"event_type":"given","event\\u005ftype":'),
        ('"decisions":', '"decisions":[],"decisions":'),
        ('"decision":', '"decision":"given","decision":'),
        ('"subject":', '"subject":{"kind":"device","id":"d-2"},"subject":'),
        ('"kind":', '"kind":"account","kind":'),
        ('"version":', '"version":' + "9" * 4000 + ',"version":'),
        ('"sec_gpc":', '"sec_gpc":false,"sec_gpc":'),
        ('"ad_storage":', '"ad_storage":"granted","ad_storage":'),
        ('"page":', '"page":":","page":'),
    ],
)
def test_a_member_is_there_once(shop: httpx2.Client, once: str, twice: str) -> None:
    """Of two of a name one reader takes the first, another the last: neither is what was said."""
    body = json.dumps(BODY, separators=(",", ":"))
    json_type = {"Content-Type": "application/json"}

    assert body.count(once) == 1
    refused = shop.post("/v1/consent/events", content=body.replace(once, twice), headers=json_type)

    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/invalid-request")
    assert "got one twice" in refused.json()["detail"]
    assert shop.post("/v1/consent/events", content=body, headers=json_type).status_code == 201


@pytest.mark.parametrize(
    "written",
    [
        json.dumps(BODY),
        json.dumps(BODY, indent=2),
        json.dumps(BODY).replace('":', '" :'),
        json.dumps(BODY).replace("d-1", ":"),
        json.dumps(BODY).replace("d-1", '\\"event_type\\":'),
        json.dumps(BODY).replace("d-1", "\\u00e9 event_type"),
    ],
)
def test_a_body_may_be_written_in_any_way(shop: httpx2.Client, written: str) -> None:
    """With space, escapes, and texts that look like names."""
    json_type = {"Content-Type": "application/json"}
    made = shop.post("/v1/consent/events", content=written, headers=json_type)

    assert made.status_code == 201, made.text


@pytest.mark.parametrize(
    "wrong",
    [
        {"linked": DEVICE},
        {"event_type": "linked"},
        {"notice": None},
        {"signals": {"gcm": {"ad_storage": "maybe"}}},
        {"jurisdiction": "Austria"},
        {"by": "nobody"},
    ],
)
def test_what_has_no_shape_is_refused(shop: httpx2.Client, wrong: dict[str, Any]) -> None:
    """422, and nothing is recorded."""
    assert send(shop, "requested", "api", **wrong).status_code == 422
