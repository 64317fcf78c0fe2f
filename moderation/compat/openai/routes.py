"""The HTTP side of OpenAI's moderation endpoint."""

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from moderation.compat.configuring import Configuring
from moderation.compat.dialect import Call, Declare, Header, Refusal, Reply, bearer, retry_after
from moderation.compat.openai import refusals, wire
from moderation.compat.openai.categories import judge, mapped
from moderation.compat.setting import OpenaiSetting
from moderation.errors import OpenaiRefused
from moderation.model.turn import Read
from moderation.screening import Governing, Screening, Submission
from moderation.verdict import Origin, State, Verdict

BODY_BYTES = 1024 * 1024


class Standing(NamedTuple):
    """Whether a text is *kept* back, or was *cleared*: published by a person all the same."""

    kept: bool = False
    cleared: bool = False


class OpenaiRoutes:
    """Handler of `/v1/moderations`."""

    def __init__(
        self,
        *,
        screening: Screening,
        governing: Governing,
        configuring: Configuring,
        ids: Callable[[], str],
    ) -> None:
        self._screening = screening
        self._governing = governing
        self._configuring = configuring
        self._ids = ids

    def declare(self, declare: Declare) -> None:
        """Hand the operation to the doors."""
        declare(
            method="POST",
            path="/v1/moderations",
            handler=self.moderate,
            refuse=self.refuse,
            name="openaiModerations",
            limit=BODY_BYTES,
        )

    async def moderate(self, call: Call) -> Reply:
        """Answer with a result a text."""
        try:
            body = await self._moderate(call)
        except OpenaiRefused as error:
            return self._refused(error)
        return Reply(200, body, headers=self._named())

    def refuse(self, call: Call, refusal: Refusal) -> Reply:
        """Say in OpenAI's shape what went wrong."""
        error = _error(refusal, given=b"authorization" in call.headers)
        return self._refused(error, *retry_after(refusal))

    async def _moderate(self, call: Call) -> bytes:
        speaker = await call.identify(
            bearer(call.headers.get(b"authorization", b"").decode("latin-1")),
            scope="comments:submit",
        )
        site_id = await call.site(speaker)
        texts = wire.read(call.body)
        setting = (await self._configuring.find(site_id)).openai
        policy = await self._governing.find(site_id)
        if len(texts) == 1:  # scored together with what others ask in the same turn
            reads = [await self._screening.read(texts[0])]
        else:
            reads = await self._screening.read_many(texts)
        standings = await self._judge(site_id, setting, texts, reads)
        categories = mapped(setting.categories)
        other = setting.other
        results: list[Mapping[str, Any]] = []
        for read, (kept, cleared) in zip(reads, standings, strict=True):
            if read.scores is None:
                raise refusals.unavailable()
            findings = judge(read.scores, policy.floors, categories)
            if cleared:
                findings = {name: each._replace(flagged=False) for name, each in findings.items()}
            if other is not None and kept and not any(each.flagged for each in findings.values()):
                findings[other] = findings[other]._replace(flagged=True, looked=True)
            results.append(wire.result(findings))
        return wire.moderation(f"modr-{self._new()}", reads[0].classifier.name, results)

    async def _judge(
        self, site_id: str, setting: OpenaiSetting, texts: Sequence[str], reads: Sequence[Read]
    ) -> list[Standing]:
        """Return where each text stands, storing it where the site wants that."""
        submissions = [Submission(_external_id(text), text, origin=Origin.OPENAI) for text in texts]
        if not setting.store:
            if setting.other is None:
                return [Standing()] * len(texts)
            return [await self._judge_alone(site_id, submission) for submission in submissions]
        said = [at for at, text in enumerate(texts) if text.strip()]
        standings = [Standing()] * len(texts)
        if said:  # of an empty text there is nothing to keep
            stored = await self._screening.take_many(
                site_id, [submissions[at] for at in said], [reads[at] for at in said]
            )
            for at, one in zip(said, stored, strict=True):
                if one.state == State.ERASED:
                    # Nothing of it is kept and nobody decides on it: it is judged as it is.
                    standings[at] = await self._judge_alone(site_id, submissions[at])
                    continue
                published = one.state == State.PUBLISHED
                # Only a person publishes what the policy kept back.
                cleared = published and one.verdict != Verdict.APPROVE
                standings[at] = Standing(not published, cleared)
        return standings

    async def _judge_alone(self, site_id: str, submission: Submission) -> Standing:
        """Return where a text would stand, storing nothing."""
        screened = await self._screening.score(site_id, submission)
        return Standing(kept=screened.verdict is not Verdict.APPROVE)

    def _refused(self, error: OpenaiRefused, *headers: Header) -> Reply:
        return Reply(error.status, refusals.body(error), headers=(*self._named(), *headers))

    def _named(self) -> tuple[Header, ...]:
        return ((b"x-request-id", f"req_{self._new()}".encode()),)

    def _new(self) -> str:
        return self._ids().replace("-", "")


def _external_id(text: str) -> str:
    """Return under which name a text is known: nothing in a request names it."""
    said = " ".join(text.split())
    return f"openai:{sha256(said.encode()).hexdigest()[:40]}"


def _error(refusal: Refusal, *, given: bool) -> OpenaiRefused:
    if refusal.code == "unauthenticated":
        return refusals.key_invalid() if given else refusals.key_missing()
    if refusal.code == "scope-missing":
        return refusals.scope_missing(refusal.detail)
    if refusal.code == "too-many-failures":
        return refusals.rate_limited(refusal.detail)
    if refusal.status == 503:  # noqa: PLR2004
        return refusals.unavailable()
    if refusal.status >= 500:  # noqa: PLR2004
        return refusals.internal()
    return refusals.refused(refusal.detail, refusal.status)
