"""Whether a request was signed with a known secret."""

import hmac
from hashlib import sha256

import pytest

from moderation.compat.coral.signature import verify
from moderation.errors import CoralRefused

BODY = b'{"action":"NEW"}'


def signed(secret: str, body: bytes = BODY) -> str:
    """Sign as Coral does."""
    return f"sha256={hmac.new(secret.encode(), body, sha256).hexdigest()}"


def test_one_signature_of_one_known_secret_is_enough() -> None:
    """While a secret is rotated, either side may already or still know two."""
    verify(BODY, signed("new"), ["new"])
    verify(BODY, f"{signed('old')},{signed('new')}", ["new"])
    verify(BODY, signed("old"), ["new", "old"])
    verify(BODY, f"{signed('older')}, {signed('old').upper().replace('SHA', 'sha')}", ["old"])


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "sha256=",
        signed("new").removeprefix("sha256="),
        signed("new", b"{}"),
        signed("other"),
        "sha256=é",
        "sha1=00",
    ],
)
def test_whatever_is_not_signed_is_refused(header: str | None) -> None:
    """No header, another scheme, another body, another secret."""
    with pytest.raises(CoralRefused):
        verify(BODY, header, ["new"])


def test_without_secrets_nothing_is_let_in() -> None:
    """A site that has set no secret takes nothing from Coral."""
    with pytest.raises(CoralRefused):
        verify(BODY, signed(""), [])
