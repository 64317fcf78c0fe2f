"""The HTTP side of Coral's external moderation phase."""

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any, cast

import orjson
from pydantic import ValidationError

from moderation.compat.configuring import Configuring
from moderation.compat.coral import signature, wire
from moderation.compat.coral.plain import plain_text
from moderation.compat.dialect import Call, Declare, Header, Refusal, Reply, retry_after
from moderation.errors import CoralRefused
from moderation.policy.traits import Author
from moderation.screening import Screening, Submission
from moderation.store import Stored
from moderation.verdict import STATE_OF_VERDICT, Label, Origin, State, Verdict
from moderation.wire.strict import TEXT_LIMIT, paired

BODY_BYTES = 512 * 1024

_VERDICTS = {state: verdict for verdict, state in STATE_OF_VERDICT.items()} | {
    State.REMOVED: Verdict.REJECT,
}


class CoralRoutes:
    """Handler of `/coral/{site_id}/moderation`; *unseal* opens a secret that a site has set."""

    def __init__(
        self,
        *,
        screening: Screening,
        configuring: Configuring,
        unseal: Callable[[str, str], str],
    ) -> None:
        self._screening = screening
        self._configuring = configuring
        self._unseal = unseal

    def declare(self, declare: Declare) -> None:
        """Hand the operation to the doors."""
        declare(
            method="POST",
            path="/coral/{site_id}/moderation",
            handler=self.moderate,
            refuse=refuse,
            name="coralModeration",
            limit=BODY_BYTES,
        )

    async def moderate(self, call: Call) -> Reply:
        """Answer what should become of a comment, or 204 where there is no opinion."""
        site_id = call.path["site_id"]
        setting = (await self._configuring.find(site_id)).coral
        header = call.headers.get(b"x-coral-signature")
        try:
            signature.verify(
                call.body,
                None if header is None else header.decode("latin-1"),
                [self._unseal(site_id, sealed) for sealed in setting.secrets],
            )
        except CoralRefused as error:
            return _told(401, str(error))
        try:
            posted = wire.ModerationIn.model_validate_json(paired(call.body))
        except ValidationError:
            return _told(400, "expected an external moderation request of Coral's")
        text = plain_text(posted.comment.body)
        if not text:
            return Reply(204, b"")
        verdict, labels = Verdict.HOLD, cast("Sequence[Label]", ())
        # Refused, Coral would go on without us: what is too long to be read is held there.
        if len(text) <= TEXT_LIMIT:
            verdict, labels = await self._judge(
                setting.sites.get(posted.site.id, site_id), _submission(posted, text)
            )
        answer = wire.answer(
            verdict,
            labels,
            cast("dict[Verdict, wire.Status | None]", setting.statuses),
        )
        return Reply(204, b"") if answer is None else Reply(200, answer)

    async def _judge(self, site_id: str, submission: Submission) -> tuple[Verdict, Sequence[Label]]:
        """Store a comment; return what becomes of it, and the labels that moved the verdict."""
        stored = await self._screening.take(site_id, submission)
        if stored.state != State.ERASED:
            return _VERDICTS[State(stored.state)], _labels(stored)
        # Nothing of it is kept and nobody decides on it: what comes again is judged as it is.
        screened = await self._screening.score(site_id, submission)
        return screened.verdict, [reason.label for reason in screened.reasons if reason.label]


def refuse(_call: Call, refusal: Refusal) -> Reply:
    """Say what went wrong; Coral reads only the status, and goes on without us."""
    return _told(refusal.status, refusal.detail, *retry_after(refusal))


def _told(status: int, message: str, *headers: Header) -> Reply:
    return Reply(status, orjson.dumps({"error": message}), headers=headers)


def _labels(stored: Stored) -> Sequence[Label]:
    """Return the labels that moved the verdict."""
    return [Label(reason["label"]) for reason in orjson.loads(stored.reasons) if "label" in reason]


def _submission(posted: wire.ModerationIn, text: str) -> Submission:
    author = {"id": posted.author.id, "role": posted.author.role}
    thread = {"id": posted.story.id, "url": posted.story.url}
    details: dict[str, Any] = {"author": _present(author), "thread": _present(thread)}
    # Coral names no comment that is not stored yet: who says what, where, is its name.
    named = (posted.story.id, posted.author.id, posted.comment.parentID or "", text)
    digest = sha256("\0".join(named).encode()).hexdigest()
    return Submission(
        f"coral:{digest[:40]}",
        text,
        orjson.dumps(details).decode(),
        posted.story.id,
        posted.comment.parentID,
        author=Author(posted.author.id),
        origin=Origin.CORAL,
    )


def _present(members: dict[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in members.items() if value is not None}
