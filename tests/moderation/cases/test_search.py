"""What somebody is looking for, as the index is asked for it."""

from moderation.cases.search import BEGINNINGS_LIMIT, read


def test_what_is_said_twice_is_asked_once() -> None:
    """A beginning that is asked thirty times would be merged thirty times."""
    query = read('tea "hot milk" TEA* tea tea* "hot milk" te*')

    assert query is not None
    assert query.terms == [
        (("tea",), False),
        (("hot", "milk"), False),
        (("tea",), True),
        (("te",), True),
    ]


def test_beginnings_are_few() -> None:
    """Each costs what all sites have, whole words do not."""
    query = read(" ".join(f"{letter}* {letter}" for letter in "abcdefgh"))

    assert query is not None
    assert sum(begins for _, begins in query.terms) == BEGINNINGS_LIMIT
    assert sum(not begins for _, begins in query.terms) == len("abcdefgh")
