"""One site's comments and cases inside one open transaction: read, changed, told of.

The site is locked: what is read here is what the change rests on. Every change of a comment's
state goes through `happen`, which appends the event and brings the comment's row up to date.
Takes rows; never commits them.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import (
    ColumnElement,
    Connection,
    bindparam,
    delete,
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
from moderation.review.queue import UNRESOLVED
from moderation.tables import (
    CASE,
    CASE_TEXT,
    COMMENT,
    COMPAT_CALLBACK,
    EVENT,
    HAS_CASE,
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


class Desk:
    """What a moderator's request works on; *now* is an instant as text."""

    def __init__(self, rows: Rows, site_id: str, now: str) -> None:
        self.site_id = site_id
        self.now = now
        self._rows = rows
        self._usage = Usage(rows)
        self._seq, stored = events.read_head(rows, site_id)
        self.setting = setting.read(stored)

    @property
    def connection(self) -> Connection:
        """The connection; everything before is carried out first."""
        return self._rows.connection

    # -- comments -----------------------------------------------------------------------------

    def standing(self, comment_id: str) -> Standing:
        """Return where a comment stands. Raises CommentNotFound."""
        row = self.connection.execute(
            select(COMMENT.c.state, COMMENT.c.revision, COMMENT.c.version, COMMENT.c.human).where(
                COMMENT.c.site_id == self.site_id, COMMENT.c.id == comment_id
            )
        ).first()
        if row is None:
            raise CommentNotFound("expected the id of a comment of this site, got another")
        return Standing(State(row.state), row.revision, row.version, bool(row.human))

    def events(self, comment_id: str) -> list[Event]:
        """Return what happened to a comment, oldest first."""
        return events.list_comment(self.connection, self.site_id, comment_id)

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
        events.append(self._rows, [event])
        self._rows.change(
            _STANDS,
            of_site=self.site_id,
            of_comment=event.comment_id,
            to_state=event.to_state.value,
            to_version=event.seq,
            to_human=human,
        )
        if event.from_state is not event.to_state:
            self._rows.change(
                _CALLED_BACK, of_site=self.site_id, of_comment=event.comment_id, at=self.now
            )
        return event

    def hush(self, comment_id: str, state: State) -> None:
        """Have nobody called back of what the client itself has told: it knows the state."""
        told = "true" if state in RESTRICTED else "false"
        self._rows.change(_HUSHED, of_site=self.site_id, of_comment=comment_id, as_told=told)

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

    def moved_by(self, comment_id: str, revision: int) -> list[str]:
        """Return the labels that moved the verdict on a revision."""
        stored = self.connection.execute(
            select(REVISION.c.reasons).where(
                REVISION.c.site_id == self.site_id,
                REVISION.c.comment_id == comment_id,
                REVISION.c.revision == revision,
            )
        ).scalar_one()
        return [reason["label"] for reason in orjson.loads(stored) if reason.get("label")]

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

    # -- cases --------------------------------------------------------------------------------

    def find_case(self, comment_id: str) -> Case | None:
        """Return the case of a comment, or None."""
        row = self.connection.execute(
            select(CASE).where(CASE.c.site_id == self.site_id, CASE.c.comment_id == comment_id)
        ).first()
        return None if row is None else Case._make(row)

    def save(self, case: Case) -> None:
        """Store a case that was there before."""
        self.connection.execute(
            update(CASE)
            .where(CASE.c.site_id == self.site_id, CASE.c.comment_id == case.comment_id)
            .values(case._asdict())
        )

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

        One that is open already stays as old as it is.
        """
        if case is None:
            again = self._new_case(comment_id, standing)._replace(cause=Cause.REVIEW)
        elif is_open(case):
            again = release(case)._replace(escalated=False, alarmed=False, snoozed_until=None)
        else:
            again = self._reopened(case, standing)
        self.stand(again, standing.state, new=case is None)

    def stand(self, case: Case, state: State, *, new: bool = False) -> None:
        """Have a case stand where its comment, now in *state*, and its open reports have it."""
        reporters, weight = self._open_reports(case.comment_id)
        placed = self._placed(case._replace(reporters=reporters, report_weight=weight), state)
        if new:
            self.connection.execute(insert(CASE).values(placed._asdict()))
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
        sampled = self.connection.execute(
            update(SAMPLE)
            .where(
                SAMPLE.c.site_id == self.site_id,
                SAMPLE.c.comment_id == event.comment_id,
                SAMPLE.c.revision == event.revision,
            )
            .values(violating=event.to_state in RESTRICTED, event_seq=event.seq)
        ).rowcount
        source = Source.SAMPLE if sampled else source
        self.connection.execute(
            insert(JUDGEMENT),
            [
                {
                    "site_id": self.site_id,
                    "event_seq": event.seq,
                    "label": label,
                    "comment_id": event.comment_id,
                    "revision": event.revision,
                    "value": value,
                    "source": source.value,
                    "at": self.now,
                    "moderator": event.actor_id,
                    "withdrawn": False,
                }
                for label, value in judged.items()
            ],
        )

    def settle_reports(self, event: Event) -> None:
        """Say of every open report whether the decision *event* upholds it."""
        upheld = event.to_state in RESTRICTED
        open_reports = (
            REPORT.c.site_id == self.site_id,
            REPORT.c.comment_id == event.comment_id,
            REPORT.c.upheld.is_(None),
        )
        self._count(open_reports, upheld=upheld, step=1)
        self.connection.execute(
            update(REPORT).where(*open_reports).values(upheld=upheld, event_seq=event.seq)
        )

    def withdraw(self, undone: Event) -> None:
        """Take back what went with a decision."""
        of_event = (JUDGEMENT.c.site_id == self.site_id, JUDGEMENT.c.event_seq == undone.seq)
        self.connection.execute(update(JUDGEMENT).where(*of_event).values(withdrawn=True))
        # What was said of the same text before counts again.
        earlier = [
            event
            for event in decisions(self.events(undone.comment_id))
            if event.revision == undone.revision
        ]
        before = earlier[-1] if earlier else None
        self.connection.execute(
            update(SAMPLE)
            .where(
                SAMPLE.c.site_id == self.site_id,
                SAMPLE.c.comment_id == undone.comment_id,
                SAMPLE.c.event_seq == undone.seq,
            )
            .values(
                violating=null() if before is None else before.to_state in RESTRICTED,
                event_seq=null() if before is None else before.seq,
            )
        )
        settled = (
            REPORT.c.site_id == self.site_id,
            REPORT.c.comment_id == undone.comment_id,
            REPORT.c.event_seq == undone.seq,
        )
        self._count(settled, upheld=undone.to_state in RESTRICTED, step=-1)
        self.connection.execute(
            update(REPORT).where(*settled).values(upheld=null(), event_seq=null())
        )

    def _count(self, reports: Sequence[ColumnElement[bool]], *, upheld: bool, step: int) -> None:
        column = REPORTER.c.upheld if upheld else REPORTER.c.dismissed
        # In one statement: of a comment that thousands have reported everybody waits for the rest.
        self.connection.execute(
            update(REPORTER)
            .where(
                REPORTER.c.site_id == self.site_id,
                REPORTER.c.reporter.in_(select(REPORT.c.reporter).where(*reports)),
            )
            .values({column: column + step})
        )

    # -- notes and skips ----------------------------------------------------------------------

    def note(self, note_id: str, comment_id: str, moderator: str, text: str) -> None:
        """Keep what a moderator wrote down."""
        self.connection.execute(
            insert(NOTE).values(
                site_id=self.site_id,
                id=note_id,
                comment_id=comment_id,
                at=self.now,
                moderator=moderator,
                text=text,
            )
        )

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

    def configure(self, wanted: ReviewSetting) -> None:
        """Store how the site reviews."""
        self.connection.execute(
            delete(REVIEW_SETTING).where(REVIEW_SETTING.c.site_id == self.site_id)
        )
        self.connection.execute(
            insert(REVIEW_SETTING).values(
                site_id=self.site_id, setting=setting.write(wanted), changed=self.now
            )
        )
        before, self.setting = self.setting, wanted
        if wanted.wait_hours != before.wait_hours:
            self._place_again()

    def _place_again(self) -> None:
        """Have every open case stand where it belongs by another `wait_hours`.

        By one and by another, what is urgent passes what is older by another number of hours.
        """
        found = self.connection.execute(
            select(CASE, COMMENT.c.state)
            .join_from(CASE, COMMENT, HAS_CASE)
            .where(CASE.c.site_id == self.site_id, UNRESOLVED)
        ).all()
        placed = [self._placed(Case._make(row[:-1]), State(row[-1])) for row in found]
        if placed:
            self.connection.execute(
                _PLACED,
                [
                    {"of_site": self.site_id, "of_comment": case.comment_id, "to": case.place}
                    for case in placed
                ],
            )

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
        weights = self.connection.execute(
            select(REPORT.c.weight).where(
                REPORT.c.site_id == self.site_id,
                REPORT.c.comment_id == comment_id,
                REPORT.c.upheld.is_(None),
            )
        ).scalars()
        found = list(weights)
        return len(found), sum(found)

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
        self.connection.execute(forget, which)
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
        self._rows.insert(CASE_TEXT, [search.row(self.site_id, comment_id, row.text)])
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
