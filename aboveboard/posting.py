"""Posts to addresses outside: resolved once, checked, connected to as checked, answered in time.

Follows no redirect, uses no proxy, keeps no cookie. Of an answer its status counts; the rest is
read within bounds, for the sake of the connection, and forgotten.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from enum import StrEnum
from ipaddress import ip_address
from threading import Thread

import httpcore2

from aboveboard.errors import AddressRefused, NotPosted
from aboveboard.targets import Address, Target

PATIENCE_S = 15.0  # for the whole answer
CONNECT_S = 5.0  # for each address, and for TLS
ANSWER_BYTES = 65_536  # of an answer, before the connection is given up
IDLE_S = 30.0  # for which a connection is kept
RESOLVING = 64  # names at once; a name server that does not answer keeps a thread for a while
TRIED = 3  # addresses of one name

Check = Callable[[str, Address], None]
"""Raises AddressRefused for a host's address that nothing may be sent to."""

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Answers the addresses of a host; raises OSError."""


class Why(StrEnum):
    """Why there was no answer."""

    ADDRESS_REFUSED = "address_refused"
    NOT_RESOLVED = "not_resolved"
    UNREACHABLE = "unreachable"
    TLS = "tls"
    TIMEOUT = "timeout"
    BROKEN = "broken"


class Poster:
    """Posts bytes and returns the status of the answer."""

    def __init__(
        self,
        *,
        check: Check | None = None,
        resolve: Resolve | None = None,
        tls: ssl.SSLContext | None = None,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._backend = Checked(check or _anywhere, resolve or Resolver())
        self._tls = tls
        self._patience_s = patience_s
        self._pool: httpcore2.AsyncConnectionPool | None = None

    async def post(self, target: Target, headers: Mapping[str, str], body: bytes) -> int:
        """Post *body* and return the status. Raises NotPosted."""
        sent = [
            ("host", target.netloc),
            ("user-agent", "aboveboard"),
            ("content-length", str(len(body))),
            *headers.items(),
        ]
        # Not handed over as text: whoever parses it again might find another host in it.
        url = httpcore2.URL(
            scheme=target.scheme, host=target.host, port=target.port, target=target.path
        )
        try:
            async with (
                asyncio.timeout(self._patience_s),
                self._opened().stream("POST", url, headers=sent, content=body) as answer,
            ):
                read = 0
                async for part in answer.aiter_stream():
                    read += len(part)
                    if read > ANSWER_BYTES:
                        break
                return answer.status
        except AddressRefused:
            raise NotPosted(Why.ADDRESS_REFUSED) from None
        except socket.gaierror:
            raise NotPosted(Why.NOT_RESOLVED) from None
        except (TimeoutError, httpcore2.TimeoutException):
            raise NotPosted(Why.TIMEOUT) from None
        except (OSError, httpcore2.ConnectError) as error:
            raise NotPosted(Why.TLS if _is_of_tls(error) else Why.UNREACHABLE) from None
        except (httpcore2.NetworkError, httpcore2.ProtocolError, ValueError):
            raise NotPosted(Why.BROKEN) from None

    async def close(self) -> None:
        """Let go of the connections."""
        if self._pool is not None:
            await self._pool.aclose()
            self._pool = None

    def _opened(self) -> httpcore2.AsyncConnectionPool:
        if self._tls is None:
            self._tls = httpcore2.default_ssl_context()
        if self._pool is None:
            # Unbounded: who waits for a dead receiver must not make others wait for a connection.
            self._pool = httpcore2.AsyncConnectionPool(
                ssl_context=self._tls,
                max_connections=None,
                max_keepalive_connections=100,
                keepalive_expiry=IDLE_S,
                network_backend=self._backend,
            )
        return self._pool


class Checked(httpcore2.AsyncNetworkBackend):
    """Connects to addresses that were checked, and to no other that the name may have by then."""

    def __init__(self, check: Check, resolve: Resolve) -> None:
        self._check = check
        self._resolve = resolve
        self._below = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is httpcore's
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Resolve once, check every address, connect to the first that answers."""
        addresses = [ip_address(text) for text in await self._resolve(host, port)]
        # All of them: a name that leads inside by half leads inside.
        for address in addresses:
            self._check(host, address)
        failure: Exception = socket.gaierror("expected an address, got none")
        for address in addresses[:TRIED]:
            try:
                return await self._below.connect_tcp(
                    str(address),
                    port,
                    timeout=min(CONNECT_S, timeout or CONNECT_S),
                    local_address=local_address,
                    socket_options=socket_options,
                )
            except (OSError, httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure


class Resolver:
    """Asks the system for a host's addresses, each time in a thread of its own.

    The event loop's threads are few and others need them: one dead name server would take all.
    """

    def __init__(self) -> None:
        self._asking = 0

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """Return the addresses of *host*. Raises socket.gaierror, also when too many are asked."""
        if self._asking >= RESOLVING:
            raise socket.gaierror("expected a free thread to resolve in, got none")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Sequence[str]] = loop.create_future()
        self._asking += 1

        def answer(found: Sequence[str] | Exception) -> None:
            self._asking -= 1
            if future.done():
                return
            if isinstance(found, Exception):
                future.set_exception(found)
            else:
                future.set_result(found)

        def ask() -> None:
            found: Sequence[str] | Exception
            try:
                records = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
                found = [str(record[4][0]) for record in records]
            except OSError as error:
                found = error
            except UnicodeError:
                found = socket.gaierror("expected a name that can be asked for, got another")
            with suppress(RuntimeError):  # a loop that was closed has nobody left to tell
                loop.call_soon_threadsafe(answer, found)

        # A daemon: one that hangs ends with the process.
        Thread(target=ask, name="resolver", daemon=True).start()
        return await future


def _anywhere(_host: str, _address: Address) -> None:
    """Refuse nothing: the operator has named the target."""


def _is_of_tls(error: BaseException | None) -> bool:
    """Whether a connection failed for a certificate, or for another reason of TLS."""
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False
