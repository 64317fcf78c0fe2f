"""`/v1/consent/evidence`: proof to take along."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, TypeVar

from consent.audit.auditing import Auditing
from consent.audit.bundling import Bundling
from consent.routes.call import PROBLEM, Answer, Call, Streamed
from consent.routes.records import subject_filter
from consent.wire.evidence import EvidenceIn

T = TypeVar("T")

ZIP = "application/zip"

_ASIDE: Final = ThreadPoolExecutor(2, thread_name_prefix="evidence")
# Threads of its own: bundles wait for each other, and readiness and reads for none of them.


async def _aside(work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(_ASIDE, work)


class EvidenceRoutes:
    """Evidence bundles."""

    def __init__(self, *, auditing: Auditing, bundling: Bundling) -> None:
        self._auditing = auditing
        self._bundling = bundling

    def declare(self, operation: Callable[..., None]) -> None:
        """Hand every operation to the catalogue."""
        operation(
            method="GET",
            path="/v1/consent/evidence",
            handler=self.bundle,
            name="getEvidence",
            summary="Take along a site's log as an evidence bundle, with the records asked for",
            scope="consent:audit",
            query=EvidenceIn,
            answers={200: ZIP, 404: PROBLEM},
        )

    async def bundle(self, call: Call) -> Answer:
        """Answer 200 with the bundle, while it is written; 404 where there is no such log."""
        asked = EvidenceIn.model_validate_strings(call.query())
        site_id = call.site(asked.site)
        wanted = subject_filter(self._auditing, site_id, asked)
        parts = await _aside(partial(self._bundling.bundle, site_id, wanted, epoch=asked.epoch))
        name = f'attachment; filename="evidence-{site_id}.zip"'.encode()
        return 200, Streamed(ZIP.encode(), _parts(parts), ((b"content-disposition", name),))


async def _parts(parts: Iterator[bytes]) -> AsyncGenerator[bytes, None]:
    """Have each part written in a thread."""
    while (part := await _aside(partial(next, parts, None))) is not None:
        yield part
