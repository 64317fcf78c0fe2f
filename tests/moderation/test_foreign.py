"""A comment in other letters than the model's language is in a language that it does not know."""

from secrets import token_hex

import httpx2
import pytest
from conftest import EVERY_SCOPE, Service


@pytest.mark.parametrize(
    "text",
    [
        "\u4f60\u662f\u4e2a\u767d\u75f4\uff0c\u6eda\u51fa\u53bb",  # Chinese
        "\u6b7b\u306d\u3001\u30d0\u30ab\u91ce\u90ce",  # Japanese
        "\u0e02\u0e2d\u0e1a\u0e04\u0e38\u0e13\u0e2a\u0e33\u0e2b\u0e23\u0e31\u0e1a",  # Thai
        "\u0442\u044b \u0438\u0434\u0438\u043e\u0442",  # Russian
        "\u05d0\u05ea\u05d4 \u05d8\u05d9\u05e4\u05e9",  # Hebrew
    ],
)
def test_what_the_model_cannot_read_is_held_where_the_site_asks(
    service: Service, text: str
) -> None:
    """However few its words are, the answer says so, and so does the explanation."""
    site = service.add_site(f"https://{token_hex(6)}.example.org", scopes=EVERY_SCOPE)
    with service.client(site.key) as client:
        held = {"replaces": 0, "policy": {"language_unknown": {}}}
        client.put("/v1/policy", json=held).raise_for_status()

        made = client.post("/v1/comments", json={"external_id": "c", "text": text}).json()
        why = client.get(f"/v1/comments/{made['id']}/explanation").json()

    assert (made["state"], made["detected_language"]["known"]) == ("pending", False)
    assert [each["code"] for each in made["reasons"]] == ["language_unknown"]
    assert why["detected_language"]["known"] is False


@pytest.mark.parametrize(
    "text", ["\uff59\uff4f\uff55 are kind", "\U0001d432\U0001d428\U0001d42e", "\u2764"]
)
def test_letters_that_look_like_others_are_those(client: httpx2.Client, text: str) -> None:
    """Mathematical, full-width and no letters at all are English as far as anybody can tell."""
    told = client.post("/v1/score", json={"text": text}).json()["detected_language"]

    assert told["known"] is not False or told["script"] in {None, "Latin"}
