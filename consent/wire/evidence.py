"""What an auditor may ask of an evidence bundle."""

from typing import Annotated

from pydantic import Field

from consent.wire.records import SubjectFilterIn


class EvidenceIn(SubjectFilterIn):
    """Which records to open, and of which log; all entries are always there."""

    epoch: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = Field(
        None, description="one log of the site; by default all of them"
    )
