"""Clients that others wrote, and a served blog that they ask.

What npm or Python installs has to be there: `make test-clients` puts it in its place. PHP and
WordPress come from the system; where they are not, the tests of them say how to get them.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex

import httpx2
import pytest
from akismet_desk import Blog, open_blog
from conftest import Service, Site

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def engine() -> str:
    """Serve from SQLite alone: to clients both engines look the same."""
    return "sqlite"


@pytest.fixture
def site(whole: Site) -> Site:
    """Speak for a site whose key may do everything."""
    return whole


@pytest.fixture
def native(service: Service, site: Site) -> Iterator[httpx2.Client]:
    """Speak the native API for that site."""
    with service.client(site.key) as opened:
        yield opened


@pytest.fixture
def blog(service: Service) -> Iterator[Blog]:
    """Open a blog of this test's own, with a key that WordPress takes, too."""
    opened = open_blog(service, token_hex(6), key=token_hex(6))
    yield opened
    opened.akismet.close()
    opened.native.close()


@pytest.fixture(scope="session")
def node() -> str:
    """Find Node.js, and the clients that npm installed."""
    command = shutil.which("node")
    assert command, "expected the node command, there is none"
    assert (HERE / "node" / "node_modules").exists(), "expected make test-clients to run this"
    return command
