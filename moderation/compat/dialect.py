"""What a dialect needs of the door: a request as it came, who is asking, answers in its own words.

A handler takes a `Call` and returns a `Reply`. Whatever goes wrong, at the door or in the handler,
the dialect's `refuse` is asked to say it: a client of another API never sees a problem document.
"""

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

TEXT = b"text/plain; charset=utf-8"
JSON = b"application/json"

Header = tuple[bytes, bytes]

_SURROGATE = re.compile(
    # An odd number of backslashes, or else it is text; with its low half it is a pair.
    rb"(\\(?<!\\\\)(?:\\\\)*+u)[dD](?:[89abAB][0-9a-fA-F]{2}(\\u[dD][c-fC-F][0-9a-fA-F]{2})?"
    rb"|[c-fC-F][0-9a-fA-F]{2})"
)


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


def paired(body: bytes) -> bytes:
    r"""Return JSON with each surrogate escape that stands alone replaced by that of U+FFFD.

    JavaScript cuts a text between the halves of a pair and sends what is left; refused, a comment
    would pass unmoderated, since clients go on where they get no answer. Linear in *body*.

    >>> paired(rb'"\ud83d\ude00 \ud83d"')
    b'"\\ud83d\\ude00 \\ufffd"'
    """
    if b"\\ud" not in body and b"\\uD" not in body:
        return body
    return _SURROGATE.sub(_replaced, body)


def _replaced(found: re.Match[bytes]) -> bytes:
    return found[0] if found[2] is not None else found[1] + b"fffd"


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
