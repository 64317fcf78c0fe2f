"""What a site's own people decided elsewhere, where they work: the same decision, told later.

A work on a desk, like those of `deciding`. Whoever tells it knows nothing of revisions and claims,
but knows what was read: of another text than that nothing is decided. Told twice, it happens once.
"""

from collections.abc import Mapping
from typing import NamedTuple

from moderation.cases.case import Moderator
from moderation.cases.judgement import Source
from moderation.cases.transition import EVENTS, Action, EventKind
from moderation.cases.usage import Tally
from moderation.errors import RevisionChanged
from moderation.review import deciding
from moderation.review.deciding import Decided, Decision
from moderation.review.desk import Desk
from moderation.verdict import RESTRICTED, Label, State

OTHERWISE = "other"  # the reason code of a refusal that names none


class Feedback(NamedTuple):
    """What was decided: `approve`, `spam` or `reject`; *labels* is what was said outright."""

    action: Action
    labels: Mapping[Label, bool] | None = None
    reason_code: str | None = None


_SPAM_ALONE = {Label.SPAM: True}
HAM = Feedback(Action.APPROVE)
SPAM = Feedback(Action.SPAM)


def of_labels(labels: Mapping[Label, bool]) -> Feedback:
    """Return the feedback that label values come to: a comment of which none is true stays.

    >>> of_labels({Label.TOXICITY: True}).action, of_labels({Label.INSULT: False}).action
    (<Action.REJECT: 'reject'>, <Action.APPROVE: 'approve'>)
    """
    true = [label for label, value in labels.items() if value]
    if not true:
        return Feedback(Action.APPROVE, labels)
    if true == [Label.SPAM]:
        return Feedback(Action.SPAM, labels)
    return Feedback(Action.REJECT, labels, true[0].value)


def give(
    desk: Desk,
    comment_id: str,
    feedback: Feedback,
    by: Moderator,
    *,
    text_sha256: str,
    decision_id: str,
    tally: Tally | None = None,
) -> Decided:
    """Decide on a comment as it stands; without an event where nothing new is said.

    *text_sha256* is of the text that was judged.
    Raises CommentNotFound, CommentErased where there is nothing left to decide on, and
    RevisionChanged where the comment says something else by now.
    """
    standing = desk.standing(comment_id)
    if standing.state is not State.ERASED:
        present = desk.text_sha256(comment_id, standing.revision)
        if present != text_sha256:
            raise RevisionChanged(
                f"expected a judgement of the text {present[:8]}…, got one of {text_sha256[:8]}…"
            )
    action = _fitting(feedback.action, standing.state)
    decision = Decision(
        comment_id,
        action,
        standing.revision,
        standing.version,
        reason_code=feedback.reason_code or (OTHERWISE if action is Action.REJECT else None),
        labels=feedback.labels or (_SPAM_ALONE if feedback.action is Action.SPAM else None),
    )
    told = deciding.decide(
        desk, decision, by, decision_id=decision_id, dry=True, source=Source.FEEDBACK
    )
    if standing.human and told.to_state is standing.state:
        # Of what stands already, only another word on a label is news.
        said = {label.value: value for label, value in (feedback.labels or {}).items()}
        if said.items() <= desk.judgements(comment_id, standing.revision).items():
            return told
    done = deciding.decide(desk, decision, by, decision_id=decision_id, source=Source.FEEDBACK)
    desk.hush(comment_id, done.to_state)
    if tally is not None:
        desk.count(tally, done.from_state, done.to_state)
    return done


def _fitting(action: Action, state: State) -> Action:
    """Return the action that keeps a comment out of sight where it is already."""
    if action is Action.APPROVE or EVENTS[action].get(state) is not None:
        return action
    if state in RESTRICTED:
        return next(each for each, events in EVENTS.items() if events.get(state) is EventKind.KEPT)
    return action
