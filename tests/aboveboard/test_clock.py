"""Ids: UUIDv7 in its canonical form, in the order in which they were made."""

from uuid import UUID

from aboveboard import clock


def test_an_id_is_a_uuid_of_version_7() -> None:
    """Version, variant and the milliseconds of now are where RFC 9562 §5.7 puts them."""
    before = clock.now().timestamp() * 1000

    made = clock.uuid7(bytes)()

    after = clock.now().timestamp() * 1000
    parsed = UUID(made)
    assert str(parsed) == made
    assert (parsed.version, parsed.variant) == (7, "specified in RFC 4122")
    assert int(before) <= parsed.int >> 80 <= after


def test_ids_are_ordered_within_a_millisecond() -> None:
    """A batch's ids sort as they were made, though the random part ends them."""
    made = []
    ids = clock.uuid7(lambda count: b"\xff" * count if len(made) % 2 else bytes(count))

    for _ in range(500):
        made.append(ids())  # noqa: PERF401 - the random part looks at what was made

    assert len({one[:13] for one in made}) < 500
    assert made == sorted(made)


def test_the_clock_is_aware() -> None:
    """Now is an instant in UTC, never a local time."""
    assert str(clock.now().tzinfo) == "UTC"
