"""What comes of a comment that comes in: its event, and a case where a person has to look.

Takes rows inside a transaction whose sites are locked; never commits one. Everything is gathered,
and written by a statement a table.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, NamedTuple

import orjson
from sqlalchemy import bindparam, case, null, select, update

from moderation.cases import events, priority, search, setting
from moderation.cases.case import Case, CaseState, Cause
from moderation.cases.setting import ReviewSetting
from moderation.cases.transition import ActorKind, EventKind, Standing, edit, stays
from moderation.database import Rows
from moderation.policy.history import Question
from moderation.policy.resemblance import resemblance
from moderation.policy.traits import NOTHING, Traits
from moderation.tables import CASE, CASE_TEXT, SAMPLE, of_comment
from moderation.text.language import Language
from moderation.verdict import STATE_OF_VERDICT, Origin, Reason, ReasonKind, State, Verdict


def never(_comment_id: str) -> float:
    """Draw no comment into the blind sample."""
    return 1.0


class Screened(NamedTuple):
    """A revision that was scored and judged, not yet stored.

    *details* is the JSON of what came with the text; *scores* are rounded probabilities in the
    order of `LABELS`, or None when the text could not be scored.
    """

    external_id: str
    text: str
    text_sha256: str
    details: str
    thread_id: str | None
    parent_id: str | None
    verdict: Verdict
    scores: tuple[float, ...] | None
    reasons: tuple[Reason, ...]
    model: str
    policy: str
    traits: Traits = NOTHING
    question: Question | None = None
    """What other comments have to say before the verdict holds."""
    origin: Origin = Origin.NATIVE
    language: Language | None = None
    """What was told of its language when it was scored."""


class _Known(NamedTuple):
    """The case that a comment has had."""

    state: str
    opened: str
    openings: int
    report_weight: float


class Arrivals:
    """The events and cases of one batch."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._seqs: dict[str, int] = {}
        self._settings: dict[str, ReviewSetting] = {}
        self._known: dict[tuple[str, str], _Known] = {}
        self._events: list[tuple[Any, ...]] = []
        self._cases: dict[tuple[str, str], Case] = {}
        self._moved: dict[tuple[str, str], dict[str, Any]] = {}
        self._texts: dict[tuple[str, str], str] = {}
        self._samples: list[tuple[Any, ...]] = []

    def read(self, site_id: str, known: Iterable[str]) -> None:
        """Read where a site's events end, and the cases of comments that are *known*."""
        seq, stored = events.read_head(self._rows, site_id)
        self._seqs[site_id] = seq
        self._settings[site_id] = setting.read_or_default(stored)
        wanted = list(known)
        if not wanted:
            return
        for comment_id, *columns in self._rows.find(_KNOWN, site_id=site_id, ids=wanted):
            self._known[site_id, comment_id] = _Known(*columns)

    def submitted(
        self,
        site_id: str,
        comment_id: str,
        item: Screened,
        at: str,
        draw: Callable[[str], float],
    ) -> Standing:
        """Note a new comment (A1); return where it stands."""
        state = STATE_OF_VERDICT[item.verdict]
        standing = self._note(EventKind.SUBMITTED, site_id, comment_id, item, at, 1, None, state)
        held = state is State.PENDING
        sampled = (
            item.verdict in {Verdict.APPROVE, Verdict.HOLD}
            and draw(comment_id) < self._settings[site_id].sample_rate
        )
        if sampled:
            self._samples.append((site_id, comment_id, 1, held, at, None, None))
        if held or sampled:
            self._open(site_id, comment_id, item, at, 1, state, draw)
        return standing

    def edited(
        self,
        site_id: str,
        comment_id: str,
        item: Screened,
        at: str,
        standing: Standing,
        draw: Callable[[str], float],
    ) -> Standing:
        """Note the next revision of a comment (A7); return where it stands."""
        place = (site_id, comment_id)
        state, human = edit(standing, STATE_OF_VERDICT[item.verdict])
        revision = standing.revision + 1
        made = self._note(
            EventKind.EDITED, site_id, comment_id, item, at, revision, standing.state, state
        )
        known = self._known.get(place)
        is_open = self.opened(*place) or (known is not None and known.state != CaseState.RESOLVED)
        if is_open or state is State.PENDING or stays(standing):
            self._open(site_id, comment_id, item, at, revision, state, draw)
        return made._replace(human=human)

    def opened(self, site_id: str, comment_id: str) -> bool:
        """Whether a person has to look at what was just noted."""
        place = (site_id, comment_id)
        return place in self._cases or place in self._moved

    def flush(self) -> None:
        """Write everything."""
        events.append(self._rows, self._events)
        self._rows.insert(CASE, list(self._cases.values()))
        for (site_id, comment_id), values in self._moved.items():
            self._rows.change(_MOVED, of_site=site_id, of_comment=comment_id, **values)
            forget, which = search.forgetting(site_id, comment_id)
            self._rows.change(forget, **which)
        self._rows.insert(
            CASE_TEXT, [search.row(*place, text) for place, text in self._texts.items()]
        )
        self._rows.insert(SAMPLE, self._samples)

    # -- parts --------------------------------------------------------------------------------

    def _note(
        self,
        kind: EventKind,
        site_id: str,
        comment_id: str,
        item: Screened,
        at: str,
        revision: int,
        source: State | None,
        target: State,
    ) -> Standing:
        seq = self._seqs[site_id] = self._seqs[site_id] + 1
        first = item.reasons[0] if item.reasons else None
        actor = _ACTORS[first.kind if first else None]
        if kind is EventKind.EDITED:
            actor = ActorKind.AUTHOR
        # A plain row of plain texts: this is done for every comment.
        self._events.append(
            (
                site_id,
                seq,
                at,
                comment_id,
                revision,
                kind.value,
                actor.value,
                None,
                None if source is None else source.value,
                target.value,
                first.code if first else None,
                None,
                item.policy,
                item.model,
                first.score if first else None,
                None,
                None,
                None,
            )
        )
        return Standing(target, revision, seq)

    def _open(
        self,
        site_id: str,
        comment_id: str,
        item: Screened,
        at: str,
        revision: int,
        state: State,
        draw: Callable[[str], float],
    ) -> None:
        """Open a case, or move the one that there is to a new revision and drop its claim."""
        place = (site_id, comment_id)
        known = self._known.get(place)
        going_on = known is not None and known.state != CaseState.RESOLVED
        opened = known.opened if known is not None and going_on else at
        weight = known.report_weight if known is not None else 0.0
        if item.reasons or weight > 0:
            weighed = priority.weigh(item.scores, item.reasons)
        else:
            weighed = priority.weigh_unmoved(item.scores, draw(comment_id) * _SPREAD % 1)
        tier = priority.tier(state, dangerous=weighed.dangerous, reports=weight)
        where = priority.place(
            tier,
            priority.urgency(weighed.harm, state, weight),
            datetime.fromisoformat(opened),
            wait_hours=self._settings[site_id].wait_hours,
        )
        details = orjson.loads(item.details)
        # Of what was approved and drawn, too: nothing is to tell the sample from the rest.
        fingerprint = item.traits.fingerprint or resemblance(item.text).fingerprint
        self._texts[place] = item.text
        if known is None:
            self._cases[place] = Case(
                site_id=site_id,
                comment_id=comment_id,
                revision=revision,
                state=CaseState.OPEN,
                cause=Cause.REVIEW,
                tier=tier,
                place=where,
                harm=weighed.harm,
                doubt=weighed.doubt,
                label=weighed.label,
                reason=weighed.reason,
                language=details.get("language"),
                author=item.traits.author_ref,
                thread_id=item.thread_id,
                fingerprint=fingerprint,
                opened=opened,
                openings=1,
                escalated=False,
                reporters=0,
                report_weight=0.0,
                alarmed=False,
            )
            return
        self._moved[place] = {
            "to_revision": revision,
            "to_tier": tier,
            "to_place": where,
            "to_harm": weighed.harm,
            "to_doubt": weighed.doubt,
            "to_label": weighed.label,
            "to_reason": weighed.reason,
            "to_language": details.get("language"),
            "to_author": item.traits.author_ref,
            "to_fingerprint": fingerprint,
            "to_opened": opened,
            "more": 0 if going_on else 1,
        }


_SPREAD = 9_973  # what was drawn has small numbers alone; this makes any of them
_ACTORS = {
    None: ActorKind.MODEL,
    ReasonKind.SCORE: ActorKind.MODEL,
    ReasonKind.RULE: ActorKind.RULE,
    ReasonKind.ERROR: ActorKind.SYSTEM,
}
_KNOWN = select(
    CASE.c.comment_id, CASE.c.state, CASE.c.opened, CASE.c.openings, CASE.c.report_weight
).where(
    CASE.c.site_id == bindparam("site_id"), CASE.c.comment_id.in_(bindparam("ids", expanding=True))
)
_MOVED = (
    update(CASE)
    .where(*of_comment(CASE))
    .values(
        revision=bindparam("to_revision"),
        state=CaseState.OPEN,
        cause=Cause.EDITED,
        tier=bindparam("to_tier"),
        place=bindparam("to_place"),
        harm=bindparam("to_harm"),
        doubt=bindparam("to_doubt"),
        label=bindparam("to_label"),
        reason=bindparam("to_reason"),
        language=bindparam("to_language"),
        author=bindparam("to_author"),
        fingerprint=bindparam("to_fingerprint"),
        opened=bindparam("to_opened"),
        openings=CASE.c.openings + bindparam("more"),
        claimed_by=null(),
        claim_token=null(),
        claim_until=null(),
        snoozed_until=null(),
        escalated=case((CASE.c.state == CaseState.RESOLVED, False), else_=CASE.c.escalated),
        alarmed=False,
        resolved=null(),
        resolved_seq=null(),
    )
)
