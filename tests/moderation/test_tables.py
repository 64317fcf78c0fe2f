"""Rows that are read and written by place have their table's columns, in its order."""

import pytest
from sqlalchemy import Table

from moderation.cases.case import Case
from moderation.cases.transition import Event
from moderation.tables import CASE, EVENT


@pytest.mark.parametrize(("row", "table"), [(Case, CASE), (Event, EVENT)])
def test_a_row_has_the_columns_of_its_table(row: type[Case] | type[Event], table: Table) -> None:
    """Two texts that changed places would be stored, and nobody would notice."""
    assert row._fields == tuple(table.columns.keys())
