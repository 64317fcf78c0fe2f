"""An at sign for a letter that is no a."""

import httpx2
import pytest


@pytest.mark.parametrize("text", ["f@ck you", "what the f@ck"])
def test_the_word_that_is_meant_is_read(client: httpx2.Client, text: str) -> None:
    """The rare word that the sign would make as an a is not what people mean."""
    assert client.post("/v1/score", json={"text": text}).json()["verdict"] == "hold"


@pytest.mark.parametrize("text", ["I h@ve a h@t and outer sp@ce", "jazz at the b@ll"])
def test_what_an_a_makes_stays(client: httpx2.Client, text: str) -> None:
    """Where the word is a frequent one."""
    assert client.post("/v1/score", json={"text": text}).json()["verdict"] == "approve"
