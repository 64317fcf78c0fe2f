"""Comments as screening hands them to the store, without a model that scores them."""

from collections.abc import Sequence
from typing import Any

from moderation.cases.arrivals import Screened
from moderation.store import Encoded, Put
from moderation.verdict import Verdict


def screened(
    name: str,
    verdict: Verdict,
    text: str = "",
    *,
    details: str = "{}",
    **more: Any,  # noqa: ANN401 - its other members
) -> Screened:
    """Return a comment that was judged so; without a *text* it says its name, which is its id."""
    said = text or name
    return Screened(
        name, said, said, details, None, None, verdict, (0.5,) * 8, (), "m", "p", **more
    )


def putting(
    site_id: str,
    comments: Sequence[Screened],
    received: str,
    **more: Any,  # noqa: ANN401 - its other members
) -> Put[tuple[int, bytes]]:
    """Return the command that stores *comments*, each under its own name."""
    return Put(
        site_id,
        comments,
        [item.external_id for item in comments],
        received,
        lambda _: (200, b""),
        lambda item: Encoded("null", "[]", item.details),
        **more,
    )
