"""Go's sumdb and Sigstore's verifier, ready to be asked.

What is missing fails: `make test-verifiers` puts everything in its place.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from strangers import Stranger

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def engine() -> str:
    """Serve from SQLite alone: to strangers both engines look the same."""
    return "sqlite"


@pytest.fixture(scope="session")
def go(tmp_path_factory: pytest.TempPathFactory) -> Stranger:
    """Build Go's `sumdb/note` and `sumdb/tlog`, with the glue in `go/`."""
    command = tmp_path_factory.mktemp("go") / "verify-log"
    subprocess.run([sys.executable, HERE / "build_go.py", command], check=True)  # noqa: S603
    return Stranger([str(command)])


@pytest.fixture(scope="session")
def sigstore() -> Stranger:
    """Run `@sigstore/verify`, with the glue in `node/`."""
    node = shutil.which("node")
    assert node, "expected the node command, there is none"
    assert (HERE / "node" / "node_modules").exists(), "expected make test-verifiers to run this"
    return Stranger([node, str(HERE / "node" / "verify.js")])


@pytest.fixture(scope="session", params=["go", "sigstore"])
def stranger(request: pytest.FixtureRequest) -> Stranger:
    """Take every verifier in turn."""
    found: Stranger = request.getfixturevalue(request.param)
    return found
