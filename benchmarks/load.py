"""A load generator light enough to share two cores with what it measures.

Keep-alive connections in a closed loop: each sends its next request when the answer to its last
one is read. Runs as a process of its own: a `Spec` as JSON on standard input, a `Result` as JSON
on standard output.
"""

import asyncio
import json
import re
import sys
import time
from array import array
from collections import Counter
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Final, cast

import uvloop
from processes import tree_cpu_seconds
from traffic import Route, Sender, requests

DRAIN_S: Final = 30.0  # seconds that requests under way at the end may take
_LENGTH: Final = b"\r\ncontent-length: "
_INDEX: Final = re.compile(rb'"leaf_index":\s*(\d+)')


@dataclass(frozen=True, slots=True)
class Spec:
    """What to send, where, and whose CPU to read meanwhile.

    *seconds* are measured after *warmup_s*; with *count*, each connection sends that many requests
    instead. *processes* maps a name to the root of a process tree.
    """

    route: Route
    port: int
    connections: int
    run: str
    seconds: float
    warmup_s: float = 0.3
    count: int | None = None
    key: str = ""
    notice_version: int = 1
    processes: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Result:
    """What one run saw; rates and latencies of the measured seconds, statuses of the whole run.

    *answered* counts the answers of each connection, *refused* lists those that were not 2xx, by
    connection and number of the request; *indexes* are the `leaf_index` members of the answers.
    """

    requests: int
    elapsed_s: float
    rate: float  # requests a second
    p50_ms: float
    p99_ms: float
    cpu_us: dict[str, float]  # microseconds of CPU a request, by process tree
    client_load: float  # CPU of this process over the elapsed time; near 1, it is the limit
    statuses: dict[str, int]
    dropped: int  # connections that the server closed
    first_problem: str
    answered: list[int]
    refused: list[tuple[int, int]]
    indexes: list[int]


class _Run:
    """What the connections share: the clock's window and the tallies."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.stopping = False
        self.latencies = array("d")  # seconds, within the window
        self.statuses: Counter[int] = Counter()
        self.dropped = 0
        self.first_problem = ""
        self.refused: list[tuple[int, int]] = []
        self.indexes = array("q")
        self.started = self.ended = (0.0, 0.0)  # seconds of the clock and of own CPU
        self.cpu_before: dict[str, float] = {}
        self.cpu_after: dict[str, float] = {}
        self.measured = 0  # requests answered within the window

    def begin(self) -> None:
        """Open the window."""
        self.cpu_before = self._cpu()
        del self.latencies[:]
        self.started = time.perf_counter(), time.process_time()

    def end(self) -> None:
        """Close the window and let every connection finish what it has sent."""
        self.ended = time.perf_counter(), time.process_time()
        self.stopping = True
        self.cpu_after = self._cpu()
        self.measured = len(self.latencies)

    def _cpu(self) -> dict[str, float]:
        return {name: tree_cpu_seconds(pid) for name, pid in self.spec.processes.items()}

    def result(self, answered: list[int]) -> Result:
        """Sum up."""
        latencies = sorted(self.latencies[: self.measured])
        elapsed = self.ended[0] - self.started[0]
        count = len(latencies)
        return Result(
            requests=count,
            elapsed_s=elapsed,
            rate=count / elapsed,
            p50_ms=latencies[count // 2] * 1e3 if count else 0.0,
            p99_ms=latencies[count * 99 // 100] * 1e3 if count else 0.0,
            cpu_us={
                name: (after - self.cpu_before[name]) / max(count, 1) * 1e6
                for name, after in self.cpu_after.items()
            },
            client_load=(self.ended[1] - self.started[1]) / elapsed,
            statuses={str(status): n for status, n in sorted(self.statuses.items())},
            dropped=self.dropped,
            first_problem=self.first_problem,
            answered=answered,
            refused=self.refused,
            indexes=self.indexes.tolist(),
        )


class _Connection(asyncio.Protocol):
    """One client: sends, reads the answer, sends the next."""

    def __init__(self, run: _Run, number: int, done: asyncio.Future[None]) -> None:
        spec = run.spec
        sender = Sender(run=spec.run, key=spec.key, notice_version=spec.notice_version)
        self._run = run
        self._number = number
        self._stream = requests(spec.route, sender, number)
        self._done = done
        self._left = spec.count or sys.maxsize
        self._unread = b""
        self._sent = 0.0
        self._wants_index = spec.route is Route.CONSENT
        self.answered = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        if not self._done.done():
            self._run.dropped += 1
            self._done.set_result(None)

    def _send(self) -> None:
        if self._run.stopping or self._left == 0:
            self._done.set_result(None)
            self._transport.close()
            return
        self._left -= 1
        request = next(self._stream)
        self._sent = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        if self._unread:
            data = self._unread + data
        end = data.find(b"\r\n\r\n")
        length = data.find(_LENGTH, 0, end + 2)
        if end < 0:
            self._unread = data
            return
        if length >= 0:
            length += len(_LENGTH)
            if len(data) < end + 4 + int(data[length : data.index(b"\r", length)]):
                self._unread = data
                return
        self._unread = b""
        run = self._run
        run.latencies.append(time.perf_counter() - self._sent)
        status = int(data[9:12])
        run.statuses[status] += 1
        if not 200 <= status < 300:
            run.refused.append((self._number, self.answered))
            run.first_problem = run.first_problem or data[:1000].decode(errors="replace")
        elif self._wants_index:
            index = _INDEX.search(data, end)
            run.indexes.append(int(index[1]) if index else -1)
        self.answered += 1
        self._send()


async def _measure(spec: Spec) -> Result:
    loop = asyncio.get_running_loop()
    run = _Run(spec)
    done = [loop.create_future() for _ in range(spec.connections)]
    connections = []
    for number, future in enumerate(done):
        client = partial(_Connection, run, number, future)
        _, connection = await loop.create_connection(client, "127.0.0.1", spec.port)
        connections.append(connection)
    if spec.count is None:
        await asyncio.sleep(spec.warmup_s)
        run.begin()
        await asyncio.sleep(spec.seconds)
        run.end()
        await asyncio.wait(done, timeout=DRAIN_S)
    else:
        run.begin()
        await asyncio.wait(done, timeout=spec.seconds)
        run.end()
    for future in done:
        if not future.done():
            run.dropped += 1
            future.cancel()
    return run.result([connection.answered for connection in connections])


def main() -> None:
    """Read a `Spec`, run it, write its `Result`."""
    given = json.load(sys.stdin)
    spec = Spec(**{**given, "route": Route(given["route"])})
    json.dump(asdict(uvloop.run(_measure(spec))), sys.stdout)


if __name__ == "__main__":
    main()
