"""What a dialect needs of the door: a request as it came, who is asking, answers in its own words.

A handler takes a `Call` and returns a `Reply`. Whatever goes wrong, at the door or in the handler,
the dialect's `refuse` is asked to say it: a client of another API never sees a problem document.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

TEXT = b"text/plain; charset=utf-8"
JSON = b"application/json"

Header = tuple[bytes, bytes]


class Reply(NamedTuple):
    """An answer: *media* is its Content-Type; *headers* come beside it."""

    status: int
    body: bytes
    media: bytes = JSON
    headers: tuple[Header, ...] = ()


class Speaker(Protocol):
    """Whom a key belongs to."""

    @property
    def key_id(self) -> str:
        """The key's id, which is no secret."""
        ...

    @property
    def sites(self) -> tuple[str, ...]:
        """The sites that the key is good for."""
        ...


class Refusal(Protocol):
    """What went wrong: the HTTP status and the code of the problem that the native API tells."""

    @property
    def status(self) -> int:
        """An HTTP status, 400 to 599."""
        ...

    @property
    def code(self) -> str:
        """The last part of the problem's `type`, such as `unauthenticated`."""
        ...

    @property
    def detail(self) -> str:
        """One sentence, which quotes nothing that was sent."""
        ...

    @property
    def retry_after_s(self) -> int | None:
        """After how many seconds another try makes sense."""
        ...


def retry_after(refusal: Refusal) -> tuple[Header, ...]:
    """Return the header that says when another try makes sense; none where no time is known."""
    if refusal.retry_after_s is None:
        return ()
    return ((b"retry-after", b"%d" % refusal.retry_after_s),)


def bearer(authorization: str) -> str | None:
    """Return the key that the header `Authorization` carries, None where it carries none."""
    kind, _, key = authorization.partition(" ")
    return (key.strip() or None) if kind.lower() == "bearer" else None


class Call(Protocol):
    """One request, as it came."""

    @property
    def method(self) -> str:
        """The method, in capitals."""
        ...

    @property
    def path(self) -> Mapping[str, str]:
        """The path's parameters."""
        ...

    @property
    def headers(self) -> Mapping[bytes, bytes]:
        """The headers, their names in lower case; of those sent twice the last."""
        ...

    @property
    def query_string(self) -> bytes:
        """What followed the question mark."""
        ...

    @property
    def body(self) -> bytes:
        """The body, within the operation's limit; empty until it was read."""
        ...

    async def identify(self, credential: str | None, *, scope: str) -> Speaker:
        """Return whom *credential*, an API key, belongs to; wrong ones are counted and limited.

        Raises what `refuse` is then handed: 401 unauthenticated, 403 scope-missing, 429.
        """
        ...

    async def site(self, speaker: Speaker, url: str | None = None) -> str:
        """Return the id of the site spoken for.

        The one that X-Site names; else the one that lives at *url*, where one is given; else the
        speaker's only one. Raises what becomes 404 site-not-found or 400 site-unclear.
        """
        ...

    def explain(self, error: Exception, operation: str) -> Refusal:
        """Return what went wrong in one *operation* of several that a request holds.

        Of one that fails alone the door does so itself.
        """
        ...


Refuse = Callable[[Call, Refusal], Reply]
"""Says in a dialect what went wrong."""


class Declare(Protocol):
    """Adds an operation to those that the service offers."""

    def __call__(  # noqa: D102 - the class says it
        self,
        *,
        method: str,
        path: str,
        handler: object,
        refuse: Refuse,
        name: str,
        limit: int = ...,
    ) -> None: ...
