"""Query strings, path parameters and headers that no client should send."""

from collections.abc import Iterator

import pytest
from conftest import Service
from full_bodies import full_bodies
from raw_connection import Answer, exchange, request_bytes

CANARY = "kanarienvogel"
