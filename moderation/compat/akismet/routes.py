"""The HTTP side of Akismet's API: parse leniently, call one use case, answer in its own words."""

import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

import orjson

from moderation import store
from moderation.cases import usage
from moderation.cases.arrivals import Screened
from moderation.cases.usage import Counts, Tally
from moderation.compat.akismet import check, replies, reports
from moderation.compat.akismet.callbacks import Callbacks
from moderation.compat.akismet.check import Check
from moderation.compat.akismet.form import Form, of_parts
from moderation.compat.akismet.replies import Answered
from moderation.compat.configuring import Configuring
from moderation.compat.dialect import Call, Declare, Refusal, Reply, Speaker
from moderation.compat.feedback import Feedbacking
from moderation.compat.setting import AkismetSetting
from moderation.database import Reading
from moderation.review.feedback import HAM, SPAM, Feedback
from moderation.screening import Screening
from moderation.store import Stored
from moderation.verdict import LABELS, RESTRICTED, STATE_OF_VERDICT, Label, Origin, State, Verdict
from moderation.wire.strict import TEXT_LIMIT

SUBMIT, FEEDBACK = "comments:submit", "comments:feedback"
BODY_BYTES = 256 * 1024
_KEY = re.compile(r"[0-9a-f]{12}|ab[a-z2-7]{60}")
_CHARSET = re.compile(rb"""charset\s*+=\s*+["']?([\w.:-]+)""", re.IGNORECASE)
_BOUNDARY = re.compile(
    rb"""multipart/form-data\s*+;(?:.*;)?\s*+boundary\s*+=\s*+"?([^",;\s]+)""", re.IGNORECASE
)
_REPORT = ("month", "filter", "format", "order", "limit", "offset")
_SPAM_AT = LABELS.index(Label.SPAM)
_OF_SENDERS = frozenset({"honeypot", "list"})
"""The rules that may find something where nothing is said."""


class AkismetRoutes:
    """Handlers of `/1.1/…` and `/1.2/…`; *host_of* says where a site lives."""

    def __init__(
        self,
        *,
        screening: Screening,
        feedbacking: Feedbacking,
        configuring: Configuring,
        reading: Reading,
        host_of: Callable[[str], Awaitable[str]],
        clock: Callable[[], datetime],
        ids: Callable[[], str],
        callbacks: Callbacks,
    ) -> None:
        self._screening = screening
        self._feedbacking = feedbacking
        self._configuring = configuring
        self._reading = reading
        self._host_of = host_of
        self._clock = clock
        self._ids = ids
        self._callbacks = callbacks

    def declare(self, operation: Declare) -> None:
        """Hand every operation over: 1.1 takes forms alone, 1.2 a query as well."""
        for name, handler in self._handlers().items():
            methods = {"1.1": ["POST"], "1.2": ["GET", "POST"]}
            if name == "test":
                methods["1.1"].append("GET")
            for version, taken in methods.items():
                for method in taken:
                    operation(
                        method=method,
                        path=f"/{version}/{name}",
                        handler=handler,
                        refuse=refuse,
                        name=f"akismet.{name}",
                        limit=BODY_BYTES,
                    )

    def _handlers(self) -> Mapping[str, Callable[[Call], Awaitable[Reply]]]:
        return {
            "verify-key": self.verify_key,
            "comment-check": self.comment_check,
            "submit-spam": self.submit_spam,
            "submit-ham": self.submit_ham,
            "usage-limit": self.usage_limit,
            "key-sites": self.key_sites,
            "deactivate": self.deactivate,
            "test": self.test,
            "token": self.token,
            "get-stats": self.get_stats,
            "get-key-stats": self.get_stats,
            "get-subscription": self.get_subscription,
        }

    # -- keys ---------------------------------------------------------------------------------

    async def verify_key(self, call: Call) -> Reply:
        """Answer `valid` where the key is one of the site at `blog`."""
        await self._check_site(call)
        return replies.text(replies.VALID)

    async def deactivate(self, call: Call) -> Reply:
        """Answer `deactivated`: the key goes on, for only the operator ends it."""
        await self._check_site(call)
        return replies.text(replies.DEACTIVATED)

    async def test(self, _call: Call) -> Reply:
        """Answer `connected`."""
        return replies.text(replies.CONNECTED)

    async def token(self, call: Call) -> Reply:
        """Answer with the key's id, which is no secret and good for nothing."""
        speaker = await self._identify(call, _form(call))
        return replies.text(speaker.key_id.encode())

    # -- comments -----------------------------------------------------------------------------

    async def comment_check(self, call: Call) -> Reply:
        """Answer `true` for spam and what is refused, `false` for the rest."""
        form = _form(call)
        speaker = await self._identify(call, form)
        lacking = check.missing(form)
        if lacking is not None:
            return replies.wrong(f"Missing required field: {lacking}")
        if len(form.get("comment_content")) > TEXT_LIMIT:
            # Of what is not read to its end nobody can say that it is no spam.
            return replies.wrong(f"comment_content: expected at most {TEXT_LIMIT} characters")
        site_id = await call.site(speaker, form.get("blog"))
        setting = (await self._configuring.find(site_id)).akismet
        wordpress = _is_wordpress(call)
        asked = check.read(form, slashed=wordpress)
        if asked.is_administrator or asked.is_spammer:
            state = State.PUBLISHED if asked.is_administrator else State.SPAM
            return replies.checked(asked, Answered(self._ids(), state), setting)
        if asked.is_test:
            found = await self._tried(site_id, asked)
            return replies.checked(asked, found, setting, wordpress=wordpress)
        limit = setting.monthly_limit
        if limit is not None and await self._calls((site_id,)) >= limit:
            return replies.over_quota(limit, reports.until_next_month(self._clock()))
        tally = self._tally(speaker, setting)
        stored = await self._screening.take(site_id, asked.submission, tally=tally)
        anew = await self._judge_anew(site_id, asked, stored)
        if anew is not None:
            return replies.checked(asked, anew, setting, wordpress=wordpress)
        found = Answered(stored.id, State(stored.state))
        if asked.classify or setting.discard:
            spam, category = _read(stored.labels, stored.reasons)
            found = found._replace(spam=spam, category=category)
        reply = replies.checked(asked, found, setting, wordpress=wordpress)
        if asked.callback:
            told, key = replies.told(reply), _credential(call, form)
            await self._callbacks.keep(site_id, stored.id, asked.callback, key, told=told)
        return reply

    async def submit_spam(self, call: Call) -> Reply:
        """Take in that the site's people call a comment spam."""
        return await self._submit(call, SPAM)

    async def submit_ham(self, call: Call) -> Reply:
        """Take in that the site's people call a comment none."""
        return await self._submit(call, HAM)

    # -- reports ------------------------------------------------------------------------------

    async def usage_limit(self, call: Call) -> Reply:
        """Answer how many calls of this month are used, of how many."""
        form = _form(call)
        speaker = await self._identify(call, form)
        used, limit = await self._used(speaker)
        return replies.json(reports.usage_limit(used, limit, extended=form.truth("extended")))

    async def key_sites(self, call: Call) -> Reply:
        """Answer what each site of the key asked for in a month."""
        form = _form(call)
        speaker = await self._identify(call, form)
        want = reports.asked({name: form.get(name) for name in _REPORT}, self._clock())
        if isinstance(want, str):
            return replies.wrong(want)
        found = await self._reading.query(
            lambda asked: usage.read(asked, speaker.sites, month=want.month, origin=Origin.AKISMET)
        )
        used: dict[str, Counts] = {}
        for each in found:
            if each.key_id == speaker.key_id:
                host = await self._host_of(each.site_id)  # of several sites, maybe
                used[host] = reports.total([used.get(host, Counts()), each.counts])
        told = reports.key_sites(used, want, _credential(call, form))
        return replies.text(told) if want.as_csv else replies.json(told)

    async def get_stats(self, call: Call) -> Reply:
        """Answer with numbers for the site at `blog`, or for every site of the key."""
        form = _form(call)
        speaker = await self._identify(call, form, first="key")
        blog = form.get("blog")
        sites = (await call.site(speaker, blog),) if blog else speaker.sites
        now = reports.month_of(self._clock())
        span = reports.SPANS.get(form.get("from"), reports.SPANS["all"])
        since = reports.months_before(now, span)
        months = await self._reading.query(
            lambda asked: usage.by_month(asked, sites, since=since, origin=Origin.AKISMET)
        )
        return replies.json(reports.statistics(months))

    async def get_subscription(self, call: Call) -> Reply:
        """Answer that nobody has to pay."""
        speaker = await self._identify(call, _form(call), first="key")
        used, limit = await self._used(speaker)
        reached = limit is not None and used >= limit
        return replies.json(reports.subscription(speaker.key_id, limit_reached=reached))

    # -- parts --------------------------------------------------------------------------------

    async def _submit(self, call: Call, given: Feedback) -> Reply:
        form = _form(call)
        speaker = await self._identify(call, form, scope=FEEDBACK)
        lacking = check.missing(form)
        if lacking is not None:
            return replies.wrong(f"Missing required field: {lacking}")
        site_id = await call.site(speaker, form.get("blog"))
        told = check.read(form, slashed=_is_wordpress(call))
        if not (told.is_test or told.is_spammer or told.is_administrator):
            setting = (await self._configuring.find(site_id)).akismet
            await self._feedbacking.take(
                site_id,
                told.submission,
                given,
                actor=f"akismet:{told.reporter or speaker.key_id}",
                said=check.said,
                tally=self._tally(speaker, setting),
            )
        return replies.text(replies.THANKS)

    async def _tried(self, site_id: str, asked: Check) -> Answered:
        """Return what would become of a comment that nothing is kept of."""
        screened = await self._screening.score(site_id, asked.submission)
        spam = None if screened.scores is None else screened.scores[_SPAM_AT]
        category = screened.reasons[0].label if screened.reasons else None
        return Answered(self._ids(), STATE_OF_VERDICT[screened.verdict], spam, category)

    async def _judge_anew(self, site_id: str, asked: Check, stored: Stored) -> Answered | None:
        """Return what to answer instead of where a comment stands; None where that is the answer.

        Of an erased one nothing is kept and nobody decides on it: what comes again is judged as it
        is. One that is published, but by no person, may come again in another way.
        """
        if stored.state == State.ERASED:
            tried = await self._tried(site_id, asked)
            return tried._replace(guid=stored.id, final=True)
        if stored.new or stored.state != State.PUBLISHED:
            return None
        sender = await self._judge_sender(site_id, asked)
        if sender is Verdict.APPROVE:
            return None
        if await self._reading.query(lambda looked: store.is_human(looked, site_id, stored.id)):
            return None
        return Answered(stored.id, STATE_OF_VERDICT[sender], final=True)

    async def _judge_sender(self, site_id: str, asked: Check) -> Verdict:
        """Judge how, and by whom, a comment is sent, whatever it says."""
        given = asked.submission
        silent = await self._screening.score(site_id, given._replace(text=""))
        if not _is_of_sender(silent):
            return Verdict.APPROVE
        # Whatever allows the text, or its links, allows whoever sends it.
        whole = await self._screening.score(site_id, given)
        return silent.verdict if _is_of_sender(whole) else Verdict.APPROVE

    async def _used(self, speaker: Speaker) -> tuple[int, int | None]:
        """Return the calls of a key's sites this month, and how many they may make together."""
        limits = [
            (await self._configuring.find(one)).akismet.monthly_limit for one in speaker.sites
        ]
        set_limits = [limit for limit in limits if limit is not None]
        limit = sum(set_limits) if set_limits and len(set_limits) == len(limits) else None
        return await self._calls(speaker.sites), limit

    async def _calls(self, sites: tuple[str, ...]) -> int:
        month = reports.month_of(self._clock())
        return await self._reading.query(
            lambda asked: usage.count_calls(asked, sites, month=month, origin=Origin.AKISMET)
        )

    def _tally(self, speaker: Speaker, setting: AkismetSetting) -> Tally:
        spam = RESTRICTED | {State.PENDING} if setting.hold else RESTRICTED
        month = reports.month_of(self._clock())
        return Tally(speaker.key_id, month, Origin.AKISMET, spam)

    async def _identify(
        self, call: Call, form: Form, *, scope: str = SUBMIT, first: str = "api_key"
    ) -> Speaker:
        return await call.identify(_credential(call, form, first), scope=scope)

    async def _check_site(self, call: Call) -> None:
        """Check that the key is one of the site at `blog`."""
        form = _form(call)
        # WordPress sends the key that is being set as `key`, and the one in use as `api_key`.
        await call.site(await self._identify(call, form, first="key"), form.get("blog"))


def refuse(_call: Call, refusal: Refusal) -> Reply:
    """Say in Akismet's words what went wrong."""
    return replies.refused(refusal)


def _form(call: Call) -> Form:
    media = call.headers.get(b"content-type", b"")
    found = _CHARSET.search(media) if b"charset" in media.lower() else None
    charset = "" if found is None else found[1].decode("latin-1")
    # Akismet is PHP's, which reads both kinds of form, so that some clients send parts.
    parts = _BOUNDARY.match(media)
    body = call.body if parts is None else of_parts(call.body, parts[1])
    return Form(call.query_string, body, charset=charset)


def _credential(call: Call, form: Form, first: str = "api_key") -> str:
    """Return the key, from the form, or the first label of the host."""
    named = form.get(first) or form.get("api_key") or form.get("key")
    if named:
        return named.lower()
    label = call.headers.get(b"host", b"").partition(b".")[0].decode("latin-1").lower()
    return label if _KEY.fullmatch(label) else ""


def _is_wordpress(call: Call) -> bool:
    # Its comments come with the slashes that WordPress puts before quotes.
    return call.headers.get(b"user-agent", b"").startswith(b"WordPress/")


def _is_of_sender(screened: Screened) -> bool:
    return any(reason.code in _OF_SENDERS for reason in screened.reasons)


def _read(labels: str, reasons: str) -> tuple[float | None, str | None]:
    """Return the probability of spam and the label that moved the verdict, from stored JSON."""
    found: dict[str, float] | None = orjson.loads(labels)
    moved: list[dict[str, Any]] = orjson.loads(reasons)
    spam = found[Label.SPAM] if found else None
    return spam, moved[0].get("label") if moved else None
