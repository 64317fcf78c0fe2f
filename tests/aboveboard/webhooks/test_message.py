"""Messages: one body, one id, a signature for each secret."""

import hashlib
import hmac
from base64 import b64decode, b64encode
from datetime import UTC, datetime

from aboveboard.webhooks.message import Message, body, headers, message_id

SECRETS = ["whsec_" + b64encode(bytes([number] * 32)).decode() for number in (1, 2)]
MESSAGE = Message("1.42", "consent.changed", "2026-11-28T12:00:00Z", {"site": "shop"})


def test_a_body_has_type_time_and_data() -> None:
    """In the order of Standard Webhooks, without a space."""
    assert body(MESSAGE) == (
        b'{"type":"consent.changed","timestamp":"2026-11-28T12:00:00Z","data":{"site":"shop"}}'
    )


def test_a_signature_is_the_hmac_that_the_specification_says() -> None:
    """Of id, time and body with dots between, in base64, for each secret in turn."""
    sent = datetime(2026, 11, 28, 12, 0, 0, 999_999, tzinfo=UTC)
    content = body(MESSAGE)
    made = headers("msg_1", sent, content, SECRETS)

    signed = f"msg_1.{int(sent.timestamp())}.".encode() + content
    keys = [b64decode(secret.removeprefix("whsec_")) for secret in SECRETS]
    macs = [hmac.digest(key, signed, hashlib.sha256) for key in keys]
    assert made == {
        "content-type": "application/json",
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(sent.timestamp())),
        "webhook-signature": " ".join(f"v1,{b64encode(mac).decode()}" for mac in macs),
    }


def test_an_id_is_of_one_message_to_one_webhook() -> None:
    """The same in every process; another for each part that it is made of."""
    parts = ("w-1", "consent", "shop", "1.42")
    changed = [(*parts[:at], "other", *parts[at + 1 :]) for at in range(4)]

    assert message_id(*parts) == "msg_4jyhql2t67k2g6fxr5tjzwlsernikad4"
    assert len({message_id(*parts), *(message_id(*other) for other in changed)}) == 5
