"""The HTTP side of Perspective's API: analyse, take suggestions, describe itself, take batches."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl

import orjson

from moderation.compat.configuring import Configuring
from moderation.compat.dialect import Call, Declare, Header, Refusal, Reply, bearer, retry_after
from moderation.compat.feedback import Feedbacking
from moderation.compat.perspective import analysing, batch, discovery, refusals, wire
from moderation.compat.perspective.attributes import SUPPORTED
from moderation.compat.perspective.batch import Answered, Part, Unreadable
from moderation.compat.perspective.sentences import Sentence, sentences, units
from moderation.compat.perspective.tongues import detected
from moderation.errors import PerspectiveRefused
from moderation.review.feedback import of_labels
from moderation.screening import Screening, Submission
from moderation.verdict import Label, Origin

ANALYZE = "/v1alpha1/comments:analyze"
SUGGEST = "/v1alpha1/comments:suggestscore"
BODY_BYTES = 256 * 1024
BATCH_BYTES = 1024 * 1024
QUERY_FIELDS = 100
ID_LIMIT = 256  # characters of an external id
PREFIX = "perspective:"  # of every external id: no comment of another origin is meant by one
TRUE = 0.5  # a suggested score from which on the attribute holds

_JSON = b"application/json; charset=UTF-8"
_DIGEST = re.compile(r"[0-9a-f]{40}")
_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}(?::[0-9]{1,5})?|\[[0-9a-fA-F:.]{2,45}\](?::[0-9]{1,5})?")
_STATUSES = {
    400: refusals.INVALID,
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "UNIMPLEMENTED",
    409: "ABORTED",
    415: refusals.INVALID,
    422: refusals.INVALID,
    429: "RESOURCE_EXHAUSTED",
}

Handler = Callable[[Call, str | None, bytes], Awaitable[bytes]]


class PerspectiveRoutes:
    """Handlers of Perspective's addresses.

    *public_url* is where clients reach the service, None where each request says so; *boundary*
    makes a new word that no answer holds.
    """

    def __init__(
        self,
        *,
        screening: Screening,
        feedbacking: Feedbacking,
        configuring: Configuring,
        public_url: str | None,
        boundary: Callable[[], str],
    ) -> None:
        self._screening = screening
        self._feedbacking = feedbacking
        self._configuring = configuring
        self._public_url = public_url
        self._boundary = boundary

    def declare(self, declare: Declare) -> None:
        """Hand every operation to the doors."""
        for method, path, handler, name, limit in (
            ("POST", ANALYZE, self.analyze, "perspectiveAnalyze", BODY_BYTES),
            ("POST", SUGGEST, self.suggest, "perspectiveSuggestScore", BODY_BYTES),
            ("POST", "/batch", self.batch, "perspectiveBatch", BATCH_BYTES),
            ("GET", "/$discovery/rest", self.discover, "perspectiveDiscovery", BODY_BYTES),
        ):
            declare(
                method=method, path=path, handler=handler, refuse=refuse, name=name, limit=limit
            )

    async def analyze(self, call: Call) -> Reply:
        """Answer with the scores of the attributes asked for."""
        return await _replied(self._analyze(call, _credential(call), call.body))

    async def suggest(self, call: Call) -> Reply:
        """Take what somebody says a comment's scores should be, as a judgement."""
        return await _replied(self._suggest(call, _credential(call), call.body))

    async def discover(self, call: Call) -> Reply:
        """Answer what a client of Google's builds its methods from."""
        version = _query(call.query_string).get("version", discovery.VERSION)
        if version != discovery.VERSION:
            return _refused(refusals.not_found())
        return Reply(200, discovery.document(self._root_url(call)), _JSON)

    async def batch(self, call: Call) -> Reply:
        """Answer several calls at once, each for itself."""
        media = call.headers.get(b"content-type", b"").decode("latin-1")
        try:
            parts = batch.read(call.body, media)
        except PerspectiveRefused as error:
            return _refused(error)
        answers = await asyncio.gather(*(self._part(call, part) for part in parts))
        boundary = f"batch_{self._boundary()}"
        return Reply(
            200,
            batch.write(answers, boundary),
            f"multipart/mixed; boundary={boundary}".encode(),
        )

    # -- parts --------------------------------------------------------------------------------

    async def _part(self, call: Call, part: Part | Unreadable) -> Answered:
        if isinstance(part, Unreadable):
            return Answered(part.content_id, part.error.status, refusals.body(part.error))
        handlers: Mapping[str, Handler] = {ANALYZE: self._analyze, SUGGEST: self._suggest}
        handler = handlers.get(part.path) if part.method == "POST" else None
        if handler is None:
            return Answered(part.content_id, 404, refusals.body(refusals.not_found()))
        credential = _credential_in(part.query.encode(), part.headers) or _credential(call)
        try:
            reply = await _replied(handler(call, credential, part.body))
        except Exception as error:  # noqa: BLE001 - whatever it is, the other parts are answered
            reply = _said(call.explain(error, handler.__name__), credential)
        return Answered(part.content_id, reply.status, reply.body)

    async def _analyze(self, call: Call, credential: str | None, body: bytes) -> bytes:
        speaker = await call.identify(credential, scope="comments:submit")
        site_id = await call.site(speaker)
        asked = wire.read(wire.AnalyzeCommentRequest, body)
        setting = (await self._configuring.find(site_id)).perspective
        text = wire.text_of(asked)
        read = await self._screening.read(text)
        wanted = analysing.wanted(
            asked,
            known=read.known,
            language=read.classifier.language,
            setting=setting,
        )
        if setting.store and not asked.do_not_store:
            await self._screening.take(
                site_id, _submission(asked, _external_ids(asked)[0]), read=read
            )
        if read.scores is None:
            raise refusals.unavailable()
        spans = [(Sentence(text, 0, units(text)), read.scores)]
        if asked.span_annotations:
            spans += await self._sentences(text)
        return wire.analysis(
            analysing.answers(asked, wanted.labels, spans),
            languages=wanted.languages,
            detected=wanted.detected,
            client_token=asked.client_token,
        )

    async def _sentences(self, text: str) -> list[tuple[Sentence, list[float]]]:
        found = sentences(text)
        if len(found) == 1:
            return []
        reads = await self._screening.read_many([sentence.text for sentence in found])
        return [
            (sentence, read.scores)
            for sentence, read in zip(found, reads, strict=True)
            if read.scores is not None
        ]

    async def _suggest(self, call: Call, credential: str | None, body: bytes) -> bytes:
        speaker = await call.identify(credential, scope="comments:feedback")
        site_id = await call.site(speaker)
        asked = wire.read(wire.SuggestCommentScoreRequest, body)
        setting = (await self._configuring.find(site_id)).perspective
        text = wire.text_of(asked)
        read = await self._screening.read(text)
        found = detected(text, known=read.known, language=read.classifier.language).tags
        labels: dict[Label, bool] = {}
        for name, value in wire.suggested(asked).items():
            label = SUPPORTED.get(name)
            if label is not None:
                labels[label] = labels.get(label, False) or value >= TRUE
        if labels:
            first, *also = _external_ids(asked)
            await self._feedbacking.take(
                site_id,
                _submission(asked, first),
                of_labels(labels),
                actor=_actor(asked),
                said=str.split,
                also=also,
            )
        elif not setting.omit_attributes:
            languages = asked.languages or found
            raise refusals.language_unsupported(
                next(iter(asked.attribute_scores or {})), languages, requested=bool(asked.languages)
            )
        return wire.suggestion(
            requested=asked.languages or [], detected=found, client_token=asked.client_token
        )

    def _root_url(self, call: Call) -> str:
        if self._public_url is not None:
            return f"{self._public_url.rstrip('/')}/"
        host = call.headers.get(b"host", b"").decode("latin-1")
        # TLS ends in front of us, so only the setting can know of it.
        return f"http://{host if _HOST.fullmatch(host) else 'localhost'}/"


def refuse(call: Call, refusal: Refusal) -> Reply:
    """Say in Google's shape what went wrong."""
    return _said(refusal, _credential(call))


def _said(refusal: Refusal, credential: str | None) -> Reply:
    return _refused(_error(refusal, credential), retry_after(refusal))


def _error(refusal: Refusal, credential: str | None) -> PerspectiveRefused:
    if refusal.code == "unauthenticated":
        return refusals.key_invalid() if credential else refusals.key_missing()
    if refusal.code == "scope-missing":
        return refusals.key_blocked(refusal.detail)
    if refusal.code == "too-many-failures":
        return refusals.quota_exceeded(refusal.detail)
    if refusal.status == 503:  # noqa: PLR2004
        return refusals.unavailable()
    if refusal.status >= 500:  # noqa: PLR2004
        return refusals.internal()
    reason = _STATUSES.get(refusal.status, refusals.INVALID)
    return PerspectiveRefused(refusal.detail, refusal.status, reason)


async def _replied(answer: Awaitable[bytes]) -> Reply:
    try:
        return Reply(200, await answer, _JSON)
    except PerspectiveRefused as error:
        return _refused(error)


def _refused(error: PerspectiveRefused, headers: tuple[Header, ...] = ()) -> Reply:
    return Reply(error.status, refusals.body(error), _JSON, headers)


def _query(query: bytes) -> dict[str, str]:
    # Of a query of thousands of parameters, each of which takes its time, the first are read.
    read = b"&".join(query.split(b"&", QUERY_FIELDS)[:QUERY_FIELDS])
    return dict(parse_qsl(read.decode("latin-1"), errors="replace"))


def _credential(call: Call) -> str | None:
    headers = {
        name: call.headers[name.encode()].decode("latin-1")
        for name in ("x-goog-api-key", "authorization")
        if name.encode() in call.headers
    }
    return _credential_in(call.query_string, headers)


def _credential_in(query: bytes, headers: Mapping[str, str]) -> str | None:
    """Return the key of a request: the query's, else a header's."""
    key = _query(query).get("key") if b"key=" in query else None
    if key:
        return key.strip()
    named = headers.get("x-goog-api-key", "").strip()
    if named:
        return named
    return bearer(headers.get("authorization", ""))


def _external_ids(asked: wire.Request) -> list[str]:
    """Return under which names a comment may be known, the one it is stored under first.

    Who analyses may have given no token and no community and judge with both, as Coral does.
    """
    said = " ".join(wire.text_of(asked).split())
    found = [_derived(community or "", said) for community in (asked.community_id, None)]
    token = asked.client_token
    if token:
        found.insert(0, _named(token))
    return list(dict.fromkeys(found))


def _named(token: str) -> str:
    """Return the external id that *token* stands for, which no text without a token has."""
    named = f"{PREFIX}{token}"
    return _derived(token) if len(named) > ID_LIMIT or _DIGEST.fullmatch(token) else named


def _derived(*parts: str) -> str:
    digest = sha256("\0".join(parts).encode()).hexdigest()
    return f"{PREFIX}{digest[:40]}"


def _submission(asked: wire.Request, external_id: str) -> Submission:
    language = asked.languages[0][:35] if asked.languages else None
    details: dict[str, Any] = {} if language is None else {"language": language}
    return Submission(
        external_id,
        wire.text_of(asked),
        orjson.dumps(details).decode(),
        language=language,
        origin=Origin.PERSPECTIVE,
    )


def _actor(asked: wire.SuggestCommentScoreRequest) -> str:
    community = asked.community_id
    return f"perspective:{community}"[:ID_LIMIT] if community else "perspective"
