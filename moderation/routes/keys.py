"""The idempotency keys of requests."""

from collections.abc import Callable

from moderation.routes.call import Call
from moderation.store import Idempotency


class Keys:
    """Reads a request's key; *fingerprint* is a keyed digest of its body."""

    def __init__(self, fingerprint: Callable[[bytes], str]) -> None:
        self._fingerprint = fingerprint

    def of(self, call: Call, route: str, in_body: str | None) -> Idempotency | None:
        """Return the key of a request on *route*, or None where it has none."""
        key = call.idempotency_key(in_body)
        return None if key is None else Idempotency(route, key, self._fingerprint(call.body))

    def on_comment(self, call: Call, what: str, in_body: str | None) -> Idempotency | None:
        """Return the key of a request that does *what* with the comment of its path."""
        return self.of(call, f"comments/{call.path['comment_id']}/{what}", in_body)
