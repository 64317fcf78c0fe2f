"""One site's comments and cases inside one open transaction: read, changed, told of.

The site is locked: what is read here is what the change rests on. Every change of a comment's
state goes through `happen`, which appends the event and brings the comment's row up to date.
What was read is kept, and kept up to date, as long as the desk: of many comments it is read at
once, for others wait, and each wait for the server costs as much as many rows.
Takes rows; never commits them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import (
    Connection,
    bindparam,
    delete,
    func,
    insert,
    null,
    select,
    update,
)

from moderation.cases import events, priority, search, setting
from moderation.cases.case import Case, CaseState, Cause, is_claimed, is_open, release, state_of
from moderation.cases.judgement import Source
from moderation.cases.setting import ReviewSetting
from moderation.cases.transition import (
    ActorKind,
    Event,
    EventKind,
    Standing,
    decisions,
    was_decided,
)
from moderation.cases.usage import Tally, Usage
from moderation.database import Rows
from moderation.errors import CommentNotFound
from moderation.policy.resemblance import resemblance
from moderation.tables import (
    CASE,
    CASE_TEXT,
    COMMENT,
    COMPAT_CALLBACK,
    EVENT,
    IS_CURRENT,
    JUDGEMENT,
    NOTE,
    REPORT,
    REPORTER,
    REVIEW_SETTING,
    REVISION,
    SAMPLE,
    SKIP,
    of_comment,
)
from moderation.verdict import RESTRICTED, State


@dataclass(slots=True)
class _Seen:
    """A comment as far as decisions rest on it.

    *reasons* is the JSON of its current revision, *sampled* the revision that chance drew.
    *reports* are how many there are and what they weigh, by the event that settled them.
    """

    standing: Standing
    reasons: str
    case: Case | None = None
    sampled: int | None = None
    reports: dict[int | None, tuple[int, float]] = field(default_factory=dict)

    def move_reports(self, source: int | None, target: int | None) -> bool:
        """Have what one event settled, None for none, settled by another; whether there is any."""
        number, weight = self.reports.pop(source, (0, 0.0))
        more, heavier = self.reports.get(target, (0, 0.0))
        self.reports[target] = (more + number, heavier + weight)
        return number > 0


class Desk:
    """What a moderator's request works on; *now* is an instant as text."""

    def __init__(self, rows: Rows, site_id: str, now: str) -> None:
        self.site_id = site_id
        self.now = now
        self.rows = rows
        self._seen: dict[str, _Seen] = {}
        self._stories: dict[str, list[Event]] = {}
        self._usage = Usage(rows)
        self._seq, stored = events.read_head(rows, site_id)
        self.setting = setting.read_or_default(stored)
        self._unplaced = setting.unplaced(stored)

    @property
    def connection(self) -> Connection:
        """The connection; everything before is carried out first."""
        return self.rows.connection

    # -- comments -----------------------------------------------------------------------------

    def look(self, comment_ids: Iterable[str]) -> None:
        """Read at once what decisions on comments rest on."""
        wanted = [each for each in comment_ids if each not in self._seen]
        if not wanted:
            return
        asked = [
            self.rows.ask(statement, site_id=self.site_id, ids=wanted)
            for statement in (_STOOD, _CASES, _DRAWN, _REPORTED)
        ]
        stood, cases, drawn, reported = (answer() for answer in asked)
        for comment_id, state, revision, version, human, reasons in stood:
            standing = Standing(State(state), revision, version, bool(human))
            self._seen[comment_id] = _Seen(standing, reasons)
        for row in cases:
            case = Case._make(row)
            # As the driver has them: SQLite knows numbers alone.
            self._seen[case.comment_id].case = case._replace(
                escalated=bool(case.escalated), alarmed=bool(case.alarmed)
            )
        for comment_id, revision in drawn:
            self._seen[comment_id].sampled = revision
        for comment_id, event_seq, number, weight in reported:
            self._seen[comment_id].reports[event_seq] = (number, weight)

    def forget(self, comment_id: str) -> None:
        """Read anew what a comment comes to: it was changed elsewhere than here."""
        self._seen.pop(comment_id, None)

    def standing(self, comment_id: str) -> Standing:
        """Return where a comment stands. Raises CommentNotFound."""
        return self._look(comment_id).standing

    def events(self, comment_id: str) -> list[Event]:
        """Return what happened to a comment, oldest first."""
        if comment_id not in self._stories:
            # Where one of many is asked about, the others are likely to be.
            wanted = [each for each in {comment_id, *self._seen} if each not in self._stories]
            self._stories |= events.list_comments(self.rows, self.site_id, wanted)
        return list(self._stories[comment_id])

    def decided(self, decision_id: str) -> list[tuple[str, int]]:
        """Return the comments and the seqs of what was decided at once."""
        found = self.connection.execute(
            select(EVENT.c.comment_id, EVENT.c.seq)
            .where(EVENT.c.site_id == self.site_id, EVENT.c.decision_id == decision_id)
            .order_by(EVENT.c.seq)
        )
        return [(row.comment_id, row.seq) for row in found]

    def happen(
        self,
        comment_id: str,
        standing: Standing,
        kind: EventKind,
        target: State,
        actor: ActorKind,
        actor_id: str | None = None,
        *,
        human: bool,
        **told: Any,  # noqa: ANN401 - the event's own members
    ) -> Event:
        """Append the next event, and have a comment that stood at *standing* stand at *target*."""
        self._seq += 1
        event = Event(
            self.site_id,
            self._seq,
            self.now,
            comment_id,
            standing.revision,
            kind,
            actor,
            actor_id,
            standing.state,
            target,
            **told,
        )
        events.append(self.rows, [event])
        if (story := self._stories.get(comment_id)) is not None:
            story.append(event)
        if (seen := self._seen.get(comment_id)) is not None:
            seen.standing = Standing(target, standing.revision, event.seq, human)
        self.rows.change(
            _STANDS,
            of_site=self.site_id,
            of_comment=event.comment_id,
            to_state=event.to_state.value,
            to_version=event.seq,
            to_human=human,
        )
        if event.from_state is not event.to_state:
            self.rows.change(
                _CALLED_BACK, of_site=self.site_id, of_comment=event.comment_id, at=self.now
            )
        return event

    def hush(self, comment_id: str, state: State) -> None:
        """Have nobody called back of what the client itself has told: it knows the state."""
        told = "true" if state in RESTRICTED else "false"
        self.rows.change(_HUSHED, of_site=self.site_id, of_comment=comment_id, as_told=told)

    def text_sha256(self, comment_id: str, revision: int) -> str:
        """Return the digest of a revision's text, empty where the comment was erased."""
        found = self.connection.execute(
            select(REVISION.c.text_sha256).where(
                REVISION.c.site_id == self.site_id,
                REVISION.c.comment_id == comment_id,
                REVISION.c.revision == revision,
            )
        )
        return str(found.scalar_one())

    def moved_by(self, comment_id: str) -> list[str]:
        """Return the labels that moved the verdict on the current revision of a comment."""
        stored = orjson.loads(self._look(comment_id).reasons)
        return [reason["label"] for reason in stored if reason.get("label")]

    def present(self, comment_id: str) -> dict[str, Any] | None:
        """Return how a comment stands and who brought it there, for whoever was too late.

        What nobody is to know before it is decided is left out.
        """
        every = self.events(comment_id)
        if not every:
            return None
        last = every[-1]
        case = self.find_case(comment_id)
        told: dict[str, Any] = {
            "state": last.to_state.value,
            "revision": last.revision,
            "version": last.seq,
            "changed_by": {"kind": last.actor_kind.value, "id": last.actor_id},
            "changed_at": last.at,
            "change": last.kind.value,
        }
        if self.setting.blind and is_open(case) and not was_decided(every):
            del told["state"], told["changed_by"]
        if case is not None:
            state = state_of(case, self.now)
            told["case"] = {"state": state.value}
            if state is CaseState.CLAIMED:
                told["case"] |= {"claimed_by": case.claimed_by, "claim_until": case.claim_until}
        return told

    def count(self, tally: Tally, source: State, target: State) -> None:
        """Count what the site's people took back of what was answered."""
        self._usage.corrected(self.site_id, tally, source, target)
        self._usage.flush()

    def _look(self, comment_id: str) -> _Seen:
        self.look([comment_id])
        seen = self._seen.get(comment_id)
        if seen is None:
            raise CommentNotFound("expected the id of a comment of this site, got another")
        return seen

    # -- cases --------------------------------------------------------------------------------

    def find_case(self, comment_id: str) -> Case | None:
        """Return the case of a comment, or None."""
        self.look([comment_id])
        seen = self._seen.get(comment_id)
        return None if seen is None else seen.case

    def save(self, case: Case) -> None:
        """Store a case that was there before."""
        values = {f"to_{name}": value for name, value in case._asdict().items()}
        self.rows.change(_SAVED, of_site=self.site_id, of_comment=case.comment_id, **values)
        self._keep(case)

    def _keep(self, case: Case) -> None:
        if (seen := self._seen.get(case.comment_id)) is not None:
            seen.case = case

    def resolve(self, case: Case, seq: int) -> None:
        """Close a case by the event *seq*."""
        self.save(
            release(case)._replace(
                state=CaseState.RESOLVED,
                reporters=0,
                report_weight=0.0,
                resolved=self.now,
                resolved_seq=seq,
            )
        )

    def reopen(self, case: Case, state: State) -> None:
        """Have a case stand as it did before the event that resolved it.

        Its comment is in *state* again. Placed anew: `wait_hours` may be another by now.
        """
        self.stand(case._replace(state=CaseState.OPEN, resolved=None, resolved_seq=None), state)

    def wait(self, case: Case | None, comment_id: str, standing: Standing) -> None:
        """Have an open case for a comment that waits for a person again.

        One that is open already stays as old as it is, and with managers where it was.
        """
        if case is None:
            again = self._new_case(comment_id, standing)._replace(cause=Cause.REVIEW)
        elif is_open(case):
            again = release(case)._replace(alarmed=False, snoozed_until=None)
        else:
            again = self._reopened(case, standing)
        self.stand(again, standing.state, new=case is None)

    def stand(self, case: Case, state: State, *, new: bool = False) -> None:
        """Have a case stand where its comment, now in *state*, and its open reports have it."""
        reporters, weight = self._open_reports(case.comment_id)
        placed = self._placed(case._replace(reporters=reporters, report_weight=weight), state)
        if new:
            self.rows.insert(CASE, [placed])
            self._keep(placed)
        else:
            self.save(placed)

    def is_untouched(self, case: Case, since: str, by: str) -> bool:
        """Whether an open case was opened at *since*, and nobody but *by* has been at it."""
        return (
            case.opened == since
            and not case.escalated
            and (not is_claimed(case, self.now) or case.claimed_by == by)
            and self._open_reports(case.comment_id)[0] == 0
        )

    def _placed(self, case: Case, state: State) -> Case:
        """Return a case where it belongs in the queue now."""
        dangerous = case.tier == priority.Tier.DANGER
        tier = priority.tier(state, dangerous=dangerous, reports=case.report_weight)
        return case._replace(
            tier=int(tier),
            place=priority.place(
                tier,
                priority.urgency(case.harm, state, case.report_weight),
                datetime.fromisoformat(case.opened),
                wait_hours=self.setting.wait_hours,
            ),
        )

    # -- what goes with a decision ------------------------------------------------------------

    def judgements(self, comment_id: str, revision: int) -> dict[str, bool]:
        """Return what people say of a revision, by label; the last word of each counts."""
        found = self.connection.execute(
            select(JUDGEMENT.c.label, JUDGEMENT.c.value)
            .where(
                JUDGEMENT.c.site_id == self.site_id,
                JUDGEMENT.c.comment_id == comment_id,
                JUDGEMENT.c.revision == revision,
                JUDGEMENT.c.withdrawn.is_(False),
            )
            .order_by(JUDGEMENT.c.event_seq)
        )
        return {row.label: row.value for row in found}

    def judge(self, event: Event, judged: Mapping[str, bool], source: Source) -> None:
        """Write down what the decision *event* says of the text.

        Of a comment in the blind sample the source is the sample, whatever *source* is given, and
        the last word counts.
        """
        sampled = self._look(event.comment_id).sampled == event.revision
        if sampled:
            self.rows.change(
                _DRAWN_JUDGED,
                of_site=self.site_id,
                of_comment=event.comment_id,
                to_violating=event.to_state in RESTRICTED,
                to_seq=event.seq,
            )
        source = Source.SAMPLE if sampled else source
        self.rows.insert(
            JUDGEMENT,
            [
                (
                    self.site_id,
                    event.seq,
                    label,
                    event.comment_id,
                    event.revision,
                    value,
                    source.value,
                    self.now,
                    event.actor_id,
                    False,
                )
                for label, value in judged.items()
            ],
        )

    def settle_reports(self, event: Event) -> None:
        """Say of every open report whether the decision *event* upholds it."""
        if not self._look(event.comment_id).move_reports(None, event.seq):
            return
        upheld = event.to_state in RESTRICTED
        of_comment = {"of_site": self.site_id, "of_comment": event.comment_id}
        self.rows.change(_SETTLED, **of_comment, to_upheld=upheld, to_seq=event.seq)
        self.rows.change(_COUNTED[upheld], **of_comment, of_seq=event.seq, step=1)

    def withdraw(self, undone: Event) -> None:
        """Take back what went with a decision."""
        seen = self._look(undone.comment_id)
        self.rows.change(_WITHDRAWN, of_site=self.site_id, of_seq=undone.seq)
        of_comment = {"of_site": self.site_id, "of_comment": undone.comment_id}
        if seen.sampled is not None:
            # What was said of the same text before counts again.
            earlier = [
                event
                for event in decisions(self.events(undone.comment_id))
                if event.revision == undone.revision
            ]
            before = earlier[-1] if earlier else None
            self.rows.change(
                _DRAWN_AGAIN,
                **of_comment,
                of_seq=undone.seq,
                to_violating=None if before is None else before.to_state in RESTRICTED,
                to_seq=None if before is None else before.seq,
            )
        if seen.move_reports(undone.seq, None):
            upheld = undone.to_state in RESTRICTED
            self.rows.change(_COUNTED[upheld], **of_comment, of_seq=undone.seq, step=-1)
            self.rows.change(_UNSETTLED, **of_comment, of_seq=undone.seq)

    # -- notes and skips ----------------------------------------------------------------------

    def note(self, note_id: str, comment_id: str, moderator: str, text: str) -> None:
        """Keep what a moderator wrote down."""
        self.rows.insert(NOTE, [(self.site_id, note_id, comment_id, self.now, moderator, text)])

    def skip(self, comment_id: str, moderator: str, until: str) -> None:
        """Hide a case from a moderator until an instant."""
        of_moderator = (SKIP.c.site_id == self.site_id, SKIP.c.moderator == moderator)
        self.connection.execute(
            delete(SKIP).where(
                *of_moderator, (SKIP.c.comment_id == comment_id) | (SKIP.c.until <= self.now)
            )
        )
        self.connection.execute(
            insert(SKIP).values(
                site_id=self.site_id, moderator=moderator, comment_id=comment_id, until=until
            )
        )

    def configure(self, wanted: ReviewSetting, mark: str) -> str | None:
        """Store how the site reviews.

        By another `wait_hours` open cases are to be placed again: then they have *mark*, which is
        returned, or the one that they still had.
        """
        if wanted.wait_hours != self.setting.wait_hours:
            self._unplaced = mark
        self.setting = wanted
        self._store_setting()
        return self._unplaced

    def placed(self, mark: str) -> None:
        """Have open cases stand where they belong, unless they got another mark meanwhile."""
        if self._unplaced == mark:
            self._unplaced = None
            self._store_setting()

    def place_again(self, comment_id: str) -> None:
        """Have a case that is still open stand where it belongs by the present `wait_hours`."""
        case = self.find_case(comment_id)
        if case is not None and is_open(case):
            placed = self._placed(case, self.standing(comment_id).state)
            self.rows.change(_PLACED, of_site=self.site_id, of_comment=comment_id, to=placed.place)
            self._keep(placed)

    def _store_setting(self) -> None:
        stored = setting.write(self.setting, unplaced=self._unplaced)
        self.connection.execute(
            delete(REVIEW_SETTING).where(REVIEW_SETTING.c.site_id == self.site_id)
        )
        self.rows.insert(REVIEW_SETTING, [(self.site_id, stored, self.now)])

    # -- opening ------------------------------------------------------------------------------

    def report(self, comment_id: str, standing: Standing, reporter: str, reason: str) -> None:
        """Keep a reader's report and have the comment's case stand where it belongs now.

        A reader's second report of one comment replaces the first.
        """
        right, wrong = self._accuracy(reporter)
        weight = (right + 1) / (right + wrong + 2)
        of_reader = (
            REPORT.c.site_id == self.site_id,
            REPORT.c.comment_id == comment_id,
            REPORT.c.reporter == reporter,
        )
        self.connection.execute(delete(REPORT).where(*of_reader))
        self.connection.execute(
            insert(REPORT).values(
                site_id=self.site_id,
                comment_id=comment_id,
                reporter=reporter,
                at=self.now,
                reason=reason,
                weight=weight,
            )
        )
        self.forget(comment_id)
        known = self.find_case(comment_id)
        if known is None:
            case = self._new_case(comment_id, standing)
        elif is_open(known):
            case = known._replace(snoozed_until=None)
        else:
            case = self._reopened(known, standing)
        self.stand(case._replace(cause=Cause.REPORTED), standing.state, new=known is None)

    def _open_reports(self, comment_id: str) -> tuple[int, float]:
        """Return how many reports nobody has decided on, and what they weigh together."""
        return self._look(comment_id).reports.get(None, (0, 0.0))

    def _accuracy(self, reporter: str) -> tuple[int, int]:
        of_reader = (REPORTER.c.site_id == self.site_id, REPORTER.c.reporter == reporter)
        row = self.connection.execute(
            select(REPORTER.c.upheld, REPORTER.c.dismissed).where(*of_reader)
        ).first()
        if row is not None:
            return row.upheld, row.dismissed
        self.connection.execute(
            insert(REPORTER).values(site_id=self.site_id, reporter=reporter, upheld=0, dismissed=0)
        )
        return 0, 0

    def _reopened(self, case: Case, standing: Standing) -> Case:
        """Return a resolved case opened again, for what the comment says by now."""
        # An edit that needed nobody has left the case, its words too, as they were.
        forget, which = search.forgetting(self.site_id, case.comment_id)
        self.rows.change(forget, **which)
        again = self._new_case(case.comment_id, standing)
        return again._replace(cause=case.cause, openings=case.openings + 1)

    def _new_case(self, comment_id: str, standing: Standing) -> Case:
        """Return a case for a comment as it stands, and have its text found."""
        row = self.connection.execute(
            select(
                REVISION.c.text,
                REVISION.c.details,
                REVISION.c.labels,
                REVISION.c.reasons,
                COMMENT.c.thread_id,
                COMMENT.c.author_ref,
                COMMENT.c.fingerprint,
            )
            .join_from(COMMENT, REVISION, IS_CURRENT)
            .where(COMMENT.c.site_id == self.site_id, COMMENT.c.id == comment_id)
        ).one()
        labels = orjson.loads(row.labels)
        reasons = orjson.loads(row.reasons)
        weighed = priority.weigh_stored(labels, reasons)
        self.rows.insert(CASE_TEXT, [search.row(self.site_id, comment_id, row.text)])
        return Case(
            site_id=self.site_id,
            comment_id=comment_id,
            revision=standing.revision,
            state=CaseState.OPEN,
            cause=Cause.REPORTED,
            tier=int(priority.Tier.DANGER if weighed.dangerous else priority.Tier.HELD),
            place=0.0,
            harm=weighed.harm,
            doubt=weighed.doubt,
            label=weighed.label,
            reason=weighed.reason,
            language=orjson.loads(row.details).get("language"),
            author=row.author_ref,
            thread_id=row.thread_id,
            fingerprint=row.fingerprint or resemblance(row.text).fingerprint,
            opened=self.now,
            openings=1,
            escalated=False,
            reporters=0,
            report_weight=0.0,
            alarmed=False,
        )


_STOOD = (
    select(
        COMMENT.c.id,
        COMMENT.c.state,
        COMMENT.c.revision,
        COMMENT.c.version,
        COMMENT.c.human,
        REVISION.c.reasons,
    )
    .join_from(COMMENT, REVISION, IS_CURRENT)
    .where(
        COMMENT.c.site_id == bindparam("site_id"),
        COMMENT.c.id.in_(bindparam("ids", expanding=True)),
    )
)
_CASES = select(CASE).where(
    CASE.c.site_id == bindparam("site_id"), CASE.c.comment_id.in_(bindparam("ids", expanding=True))
)
_DRAWN = select(SAMPLE.c.comment_id, SAMPLE.c.revision).where(
    SAMPLE.c.site_id == bindparam("site_id"),
    SAMPLE.c.comment_id.in_(bindparam("ids", expanding=True)),
)
_REPORTED = (
    select(REPORT.c.comment_id, REPORT.c.event_seq, func.count(), func.sum(REPORT.c.weight))
    .where(
        REPORT.c.site_id == bindparam("site_id"),
        REPORT.c.comment_id.in_(bindparam("ids", expanding=True)),
    )
    .group_by(REPORT.c.comment_id, REPORT.c.event_seq)
)
_SAVED = (
    update(CASE)
    .where(*of_comment(CASE))
    .values({column: bindparam(f"to_{column.name}") for column in CASE.c})
)
_DRAWN_JUDGED = (
    update(SAMPLE)
    .where(*of_comment(SAMPLE))
    .values(violating=bindparam("to_violating"), event_seq=bindparam("to_seq"))
)
_DRAWN_AGAIN = _DRAWN_JUDGED.where(SAMPLE.c.event_seq == bindparam("of_seq"))
_WITHDRAWN = (
    update(JUDGEMENT)
    .where(
        JUDGEMENT.c.site_id == bindparam("of_site"), JUDGEMENT.c.event_seq == bindparam("of_seq")
    )
    .values(withdrawn=True)
)
_SETTLED = (
    update(REPORT)
    .where(*of_comment(REPORT), REPORT.c.event_seq.is_(None))
    .values(upheld=bindparam("to_upheld"), event_seq=bindparam("to_seq"))
)
_OF_EVENT = (*of_comment(REPORT), REPORT.c.event_seq == bindparam("of_seq"))
_UNSETTLED = update(REPORT).where(*_OF_EVENT).values(upheld=null(), event_seq=null())
# In one statement: of a comment that thousands have reported everybody waits for the rest.
_COUNTED = {
    upheld: update(REPORTER)
    .where(
        REPORTER.c.site_id == bindparam("of_site"),
        REPORTER.c.reporter.in_(select(REPORT.c.reporter).where(*_OF_EVENT)),
    )
    .values({column: column + bindparam("step")})
    for upheld, column in ((True, REPORTER.c.upheld), (False, REPORTER.c.dismissed))
}
_CALLED_BACK = (
    update(COMPAT_CALLBACK)
    .where(*of_comment(COMPAT_CALLBACK))
    .values(due=bindparam("at"), attempts=0, first_tried=null())
)
_HUSHED = (
    update(COMPAT_CALLBACK)
    .where(*of_comment(COMPAT_CALLBACK))
    .values(due=null(), told=bindparam("as_told"))
)
_PLACED = update(CASE).where(*of_comment(CASE)).values(place=bindparam("to"))
_STANDS = (
    update(COMMENT)
    .where(*of_comment(COMMENT))
    .values(
        state=bindparam("to_state"), version=bindparam("to_version"), human=bindparam("to_human")
    )
)
