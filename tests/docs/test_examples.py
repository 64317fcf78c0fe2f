"""Every example in a docstring does what it says."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHOWN = sorted(
    path.relative_to(ROOT)
    for package in ("aboveboard", "consent", "moderation")
    for path in (ROOT / package).rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("path", SHOWN, ids=str)
def test_examples_say_what_happens(path: Path) -> None:
    """As whoever reads them would run them."""
    module = import_module(".".join(path.with_suffix("").parts))

    found = doctest.testmod(module)

    assert found.attempted
    assert not found.failed
