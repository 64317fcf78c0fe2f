"""Groups, on both engines: what is found, and how much is looked at for it."""

import asyncio

from screened_comments import putting, screened
from sqlalchemy import Connection, event

from aboveboard.installation import Databases
from aboveboard.writer import CommandWriter
from moderation.policy.resemblance import resemblance
from moderation.policy.traits import Traits
from moderation.review import likeness
from moderation.store import put
from moderation.verdict import Verdict

SPAM = "buy our wonderful cheap watches today and tell all your friends about it"
NEARLY = "buy our wonderful cheap watches today and tell all your friends about them"
OTHER = "i do not agree with what the minister said about schools in the north {}"


def store(databases: Databases, texts: dict[str, str]) -> None:
    """Hold comments: id, text."""
    held = []
    for comment_id, text in texts.items():
        found = resemblance(text)
        traits = Traits(fingerprint=found.fingerprint, signature=found.signature)
        held.append(screened(comment_id, Verdict.HOLD, text, traits=traits))
    command = putting("blog", held, "2026-11-28T00:00:00.000000Z")
    asyncio.run(CommandWriter(databases.moderation).write(put, command))


def test_a_group_is_the_same_and_nearly_the_same_in_the_order_of_the_queue(
    databases: Databases,
) -> None:
    """Without the comment itself and without what says something else."""
    texts = {"c-1": SPAM, "c-2": NEARLY, "c-3": OTHER, "c-4": SPAM, "c-5": NEARLY}
    store(databases, texts)

    with databases.moderation.read() as connection:
        found = likeness.group(connection, "blog", "c-1")
        alone = likeness.group(connection, "blog", "c-3")

    assert [member.comment_id for member in found] == ["c-2", "c-4", "c-5"]
    assert alone == []


def test_finding_a_group_does_not_walk_the_queue(databases: Databases) -> None:
    """Every statement is one look-up in an index: no plan reads cases by their place alone."""
    store(databases, {"c-1": SPAM, "c-2": NEARLY, "c-4": SPAM})
    statements: list[str] = []

    def note(_connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    with databases.moderation.read() as connection:
        event.listen(connection, "before_cursor_execute", note)
        likeness.group(connection, "blog", "c-1")

    _, *of_cases = [each for each in statements if "review_case" in each]
    assert len(of_cases) == 2
    assert not any(" OR " in each for each in of_cases)
    assert "LIMIT" in of_cases[0]
    assert " IN (" in of_cases[1]
