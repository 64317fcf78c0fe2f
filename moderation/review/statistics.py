"""What the blind sample shows of a site's policy, counted.

Takes a connection; reads only.
"""

from sqlalchemy import Connection, case, func, select

from moderation.cases import sampling
from moderation.cases.sampling import Outcome
from moderation.tables import EVENT, SAMPLE


def read(connection: Connection, site_id: str, *, since: str, before: str) -> Outcome:
    """Return what comments drawn between two instants show, as decided until the second."""
    # Looked up one by one: for a join PostgreSQL would rather read every event of the site.
    decided = (
        select(EVENT.c.at)
        .where(EVENT.c.site_id == SAMPLE.c.site_id, EVENT.c.seq == SAMPLE.c.event_seq)
        .scalar_subquery()
    )
    drawn = (
        select(SAMPLE.c.held, case((decided < before, SAMPLE.c.violating)).label("violating"))
        .where(SAMPLE.c.site_id == site_id, SAMPLE.c.at >= since, SAMPLE.c.at < before)
        .subquery()
    )
    counted = {
        (row.held, row.violating): row.number
        for row in connection.execute(
            select(*drawn.c, func.count().label("number")).group_by(*drawn.c)
        )
    }
    return sampling.outcome(
        undecided=counted.get((True, None), 0) + counted.get((False, None), 0),
        held_bad=counted.get((True, True), 0),
        held_good=counted.get((True, False), 0),
        passed_bad=counted.get((False, True), 0),
        passed_good=counted.get((False, False), 0),
    )
