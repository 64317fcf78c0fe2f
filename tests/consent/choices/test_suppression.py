"""What outlives the records: noes, by name and day; of a yes the no that it had ended."""

from typing import Any

from consent.choices.projection import Asked, PurposeStanding, Standing
from consent.choices.suppression import (
    NO_RECORD,
    evidence,
    in_force,
    remember,
    without,
    without_consent,
)

ERASED_AT = "2026-06-01T10:00:00Z"
NO = PurposeStanding(
    "opted_out",
    "no",
    3,
    "2026-01-05T09:30:00Z",
    "main",
    1,
    refused_at="2026-01-05T09:30:00Z",
    ask_after="2027-01-05T09:30:00Z",
)
YES = PurposeStanding(
    "given", "yes", 7, "2026-02-01T08:00:00Z", "main", 1, refused_at="2026-01-05T09:30:00Z"
)
PLAIN_YES = YES._replace(refused_at=None)
REMEMBERED = PurposeStanding(
    "opted_out",
    NO_RECORD,
    3,
    "2026-01-05T00:00:00Z",
    refused_at="2026-01-05T23:59:59Z",
    ask_after="2027-01-05T09:30:00Z",
)


def left(at: PurposeStanding, *erased: str, **more: Any) -> PurposeStanding | None:  # noqa: ANN401
    """Return what is left about a purpose when records go."""
    told = {"told": {"ads": NO}, "left": {}, "erased_at": ERASED_AT, **more}
    return without(Standing({"ads": at}), erased, **told).purposes.get("ads")


def test_a_no_is_remembered_by_its_name_and_day() -> None:
    """In its place of the log where other records stay, without one where none does."""
    alone = remember(Standing({"ads": NO}), noes={}, erased_at=ERASED_AT)

    assert left(NO, "no") == REMEMBERED
    assert alone == Standing({"ads": REMEMBERED._replace(leaf_index=0)}, whole=False)


def test_a_no_of_the_day_of_its_erasure_is_remembered_up_to_then() -> None:
    """Not to the day's end: what is said later that day is said after it."""
    same_day = "2026-01-05T12:00:00Z"

    assert left(NO, "no", erased_at=same_day) == REMEMBERED._replace(refused_at=same_day)


def test_of_a_yes_the_no_is_left_that_it_had_ended() -> None:
    """Told by its record, which may stay or go, or else by the yes alone."""
    untold = REMEMBERED._replace(state="refused", leaf_index=7, ask_after=None)

    assert left(YES, "yes", left={"ads": NO}) == NO._replace(leaf_index=7)
    assert left(YES, "yes", "no") == REMEMBERED._replace(leaf_index=7)
    assert left(YES, "yes", told={}) == untold
    assert remember(Standing({"ads": YES}), noes={}, erased_at=ERASED_AT) == Standing(
        {"ads": untold._replace(leaf_index=0)}, whole=False
    )


def test_of_a_yes_that_ended_nothing_nothing_is_left() -> None:
    """Nor of what is to be forgotten, but for the no of a record that stays."""
    assert left(PLAIN_YES, "yes") is None
    assert remember(Standing({"ads": PLAIN_YES}), noes={}, erased_at=ERASED_AT) is None
    assert left(YES, "yes", forgotten={"yes"}) is None
    assert left(NO, "no", forgotten={"no"}) is None
    older = NO._replace(record_id="older", leaf_index=1)
    assert left(NO, "no", forgotten={"no"}, left={"ads": older}) == older._replace(leaf_index=3)


def test_an_older_no_that_stays_does_not_hide_the_last() -> None:
    """Whoever objected and went with the yes after it is not one who merely refused before."""
    older = NO._replace(record_id="older", state="refused", leaf_index=1)

    assert left(YES, "yes", "no", left={"ads": older}) == REMEMBERED._replace(leaf_index=7)


def test_a_yes_that_stays_forgets_the_no_it_had_ended() -> None:
    """Or it would come back as a remembered one once the yes goes."""
    older = NO._replace(record_id="older", leaf_index=1, refused_at="2026-01-01T00:00:00Z")

    assert left(YES, "no") == YES
    assert left(YES, "no", forgotten={"no"}) == PLAIN_YES
    assert left(YES, "no", forgotten={"no"}, left={"ads": older}) == YES._replace(
        refused_at=older.refused_at, ended_no=older.state
    )


def test_what_was_remembered_stays_as_it_is() -> None:
    """A day that stands for an instant is not cut again, whatever goes later."""
    assert left(REMEMBERED, "no", "yes", forgotten={"no", "yes"}) == REMEMBERED
    again = remember(Standing({"ads": REMEMBERED}), noes={}, erased_at="2026-09-01T10:00:00Z")
    assert again is not None
    assert again.purposes["ads"] == REMEMBERED._replace(leaf_index=0)


def test_consent_that_nobody_may_rest_on_leaves_a_no() -> None:
    """The one it had ended; a no stays, whosever record it names."""
    standing = Standing({"ads": YES, "count": PLAIN_YES, "sell": NO})

    kept = without_consent(standing, {"yes", "no"}, {}).purposes

    assert list(kept) == ["ads", "sell"]
    assert (kept["ads"].state, kept["ads"].record_id) == ("refused", NO_RECORD)
    assert kept["ads"].refused_at == YES.refused_at
    assert kept["sell"] == NO


def test_evidence_is_of_what_is_in_force() -> None:
    """Consents that stand and have not run out, and the newest questions of their notices."""
    lapsed = YES._replace(record_id="lapsed", notice_id="old", valid_until="2026-03-01T00:00:00Z")
    standing = Standing(
        {"ads": YES, "count": lapsed, "sell": NO},
        {"main": Asked(1, "asked", 6), "old": Asked(1, "asked-old", 2)},
    )

    assert in_force(standing, now=ERASED_AT) == {"yes"}
    assert evidence(standing, now=ERASED_AT) == {"yes", "asked"}
