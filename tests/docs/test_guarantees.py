"""The page of guarantees names tests, targets and files that exist."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "GUARANTEES.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"`(pytest [^`]+)`", PAGE)


@pytest.mark.parametrize("node", sorted({node for words in COMMANDS for node in words.split()[1:]}))
def test_a_test_that_is_named_exists(node: str) -> None:
    """Each file, and in it each function, by the name that the command has."""
    path, _, name = node.partition("::")
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))

    functions = {item.name for item in tree.body if isinstance(item, ast.FunctionDef)}

    assert any(made.startswith("test_") for made in functions)
    assert not name or name in functions


def test_targets_and_links_exist() -> None:
    """Each make target, and each file that is linked."""
    made = (ROOT / "Makefile").read_text(encoding="utf-8")

    for target in re.findall(r"`make ([a-z-]+)`", PAGE):
        assert re.search(rf"^{target}:", made, re.MULTILINE), target
    for link in re.findall(r"\]\(([^)#]+)", PAGE):
        assert (ROOT / link).exists(), link


def test_every_row_has_a_command_or_says_why() -> None:
    """A promise without a test, and an aim that is missing nothing, are neither."""
    promised, aimed = PAGE.split("## Not met yet")
    rows = [line.split("|")[1:-1] for line in promised.splitlines() if re.match(r"\| [RS ]", line)]

    assert len(COMMANDS) > 20
    for _, promise, shown, figure in rows:
        assert promise.strip()
        assert figure.strip()
        assert "`" in shown or "none yet" in figure
    assert all(line.count("|") == 4 for line in aimed.splitlines() if line.startswith("| "))
