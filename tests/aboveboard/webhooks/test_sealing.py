"""Secrets: 256 bits in the form of Standard Webhooks, sealed for one webhook under one pepper."""

import os
from base64 import b64decode

import pytest

from aboveboard.errors import SecretUnreadable
from aboveboard.webhooks.sealing import Sealing

PEPPER = bytes(range(32))


def test_a_sealed_secret_opens_as_it_was_shown() -> None:
    """In every process that has the pepper."""
    secret, sealed = Sealing(PEPPER, os.urandom).make("w-1")

    assert secret.startswith("whsec_")
    assert len(b64decode(secret.removeprefix("whsec_"))) == 32
    assert Sealing(PEPPER, os.urandom).open("w-1", sealed) == secret
    assert b64decode(secret.removeprefix("whsec_")) not in sealed


def test_no_two_secrets_are_alike() -> None:
    """Nor is the same one sealed twice alike."""
    sealing = Sealing(PEPPER, os.urandom)
    made = [sealing.make("w-1") for _ in range(100)]

    assert len({secret for secret, _ in made}) == len({sealed for _, sealed in made}) == 100


def test_it_opens_for_nobody_else() -> None:
    """Under another pepper, for another webhook, with any byte changed, cut short: not at all."""
    sealing = Sealing(PEPPER, os.urandom)
    _, sealed = sealing.make("w-1")
    others = [bytes([*sealed[:at], sealed[at] ^ 1, *sealed[at + 1 :]]) for at in range(len(sealed))]

    for wrong in (*others, sealed[:-1], sealed[:12], b""):
        with pytest.raises(SecretUnreadable):
            sealing.open("w-1", wrong)
    with pytest.raises(SecretUnreadable):
        sealing.open("w-2", sealed)
    with pytest.raises(SecretUnreadable):
        Sealing(bytes(32), os.urandom).open("w-1", sealed)
