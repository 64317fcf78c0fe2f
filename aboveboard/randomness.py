"""Random bytes of the operating system, drawn a page at a time.

Asking the system gives up Python's lock; between two busy threads each ask would cost tens of
microseconds of waiting for it. No byte is ever handed out twice.
"""

import os
from threading import Lock

PAGE_BYTES = 4096


class Randomness:
    """A source that several threads may share: `random(n)` answers *n* unforeseeable bytes."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._page = b""
        self._used = 0

    def __call__(self, count: int) -> bytes:
        """Return *count* bytes."""
        with self._lock:
            start = self._used
            if start + count > len(self._page):
                self._page = os.urandom(max(PAGE_BYTES, count))
                start = 0
            self._used = start + count
            return self._page[start : self._used]
