"""What the blind sample shows of a site's policy, counted.

Takes a connection; reads only.
"""

from sqlalchemy import Connection, case, func, select

from moderation.cases import sampling
from moderation.cases.sampling import Outcome
from moderation.tables import EVENT, SAMPLE


def read(connection: Connection, site_id: str, *, since: str, before: str) -> Outcome:
    """Return what comments drawn between two instants show, as decided until the second."""
    violating = case((EVENT.c.at < before, SAMPLE.c.violating)).label("violating")
    counted = {
        (row.held, row.violating): row.number
        for row in connection.execute(
            select(SAMPLE.c.held, violating, func.count().label("number"))
            .join_from(
                SAMPLE,
                EVENT,
                (EVENT.c.site_id == SAMPLE.c.site_id) & (EVENT.c.seq == SAMPLE.c.event_seq),
                isouter=True,
            )
            .where(SAMPLE.c.site_id == site_id, SAMPLE.c.at >= since, SAMPLE.c.at < before)
            .group_by(SAMPLE.c.held, violating)
        )
    }
    return sampling.outcome(
        undecided=counted.get((True, None), 0) + counted.get((False, None), 0),
        held_bad=counted.get((True, True), 0),
        held_good=counted.get((True, False), 0),
        passed_bad=counted.get((False, True), 0),
        passed_good=counted.get((False, False), 0),
    )
