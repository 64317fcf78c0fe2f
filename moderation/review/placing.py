"""Open cases get their places anew, some at a time, once their site has changed `wait_hours`.

By one aim and by another, what is urgent passes what is older by another number of hours. A queue
of tens of thousands of cases would keep everybody waiting, so others have their turn in between:
until the end some stand by the one aim and some by the other. That it is not at its end is
written down with the setting: whoever was stopped is followed by the next round.
"""

from collections.abc import Sequence
from functools import partial

from sqlalchemy import Connection, select

from moderation.database import Reading, Writing
from moderation.review.deciding import DECISION_ROWS, Work, carry_out
from moderation.review.desk import Desk
from moderation.review.queue import UNRESOLVED
from moderation.tables import CASE

PLACED = 200  # cases in one transaction; what comes in waits for it


async def place_again(
    writing: Writing, reading: Reading, site_id: str, mark: str, *, now: str
) -> None:
    """Have every open case of a site stand where it belongs, and take *mark* away.

    What is opened meanwhile stands by the new aim already.
    """
    waiting = await reading.query(partial(_open_cases, site_id=site_id))
    for at in range(0, len(waiting), PLACED):
        comment_ids = waiting[at : at + PLACED]
        work = Work(site_id, now, partial(_place, comment_ids))
        await writing.write(carry_out, work, size=DECISION_ROWS * len(comment_ids))
    await writing.write(carry_out, Work(site_id, now, lambda desk: desk.placed(mark)))


def _open_cases(connection: Connection, *, site_id: str) -> list[str]:
    # What is looked at first is put in order first.
    found = connection.execute(
        select(CASE.c.comment_id)
        .where(CASE.c.site_id == site_id, UNRESOLVED)
        .order_by(CASE.c.escalated, CASE.c.place)
    )
    return list(found.scalars())


def _place(comment_ids: Sequence[str], desk: Desk) -> None:
    desk.look(comment_ids)
    for comment_id in comment_ids:
        desk.place_again(comment_id)
