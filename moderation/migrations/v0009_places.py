"""Places are hours, so that the cases of sites with other aims stand in one order."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

DEFAULT_HOURS = 24.0


def upgrade() -> None:
    connection = op.get_bind()
    stored = connection.execute(sa.text("SELECT site_id, setting FROM review_setting"))
    aims = {site_id: _hours(setting) for site_id, setting in stored}
    sites = connection.execute(sa.text("SELECT DISTINCT site_id FROM review_case")).scalars().all()
    for site_id in sites:
        # They were quarters of what the site lets a case wait.
        hours = aims.get(site_id, DEFAULT_HOURS) / 4
        connection.execute(
            sa.text(
                "UPDATE review_case SET place = tier * 1e7 + (place - tier * 1e7) * :hours"
                " WHERE site_id = :site_id"
            ),
            {"hours": hours, "site_id": site_id},
        )


def _hours(setting: str) -> float:
    try:
        return float(json.loads(setting)["wait_hours"])
    except (LookupError, TypeError, ValueError):
        return DEFAULT_HOURS  # one that is damaged must not keep all sites from this release
