"""Posts: connected to what was checked, answered in time, led nowhere else."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path

import httpcore2
import pytest
from inside_addresses import INSIDE, SPELLINGS
from own_certificate import certify
from receiver import Receiver, listening, receiving

from aboveboard.errors import NotPosted
from aboveboard.posting import ANSWER_BYTES, RESOLVING, TRIED, Check, Poster, Resolve, Resolver
from aboveboard.targets import Targets, parse

LOOPBACK = Targets(["127.0.0.1"])


def post(
    url: str,
    *,
    check: Check = LOOPBACK.check_address,
    resolve: Resolve | None = None,
    patience_s: float = 15.0,
    tls: ssl.SSLContext | None = None,
    times: int = 1,
) -> list[int | str]:
    """Post so many times in a row; return each status, or why there was none."""

    async def go() -> list[int | str]:
        poster = Poster(check=check, resolve=resolve, patience_s=patience_s, tls=tls)
        told: list[int | str] = []
        for _ in range(times):
            try:
                told.append(await poster.post(parse(url), {"x-told": "1"}, b"hello"))
            except NotPosted as error:
                told.append(error.why)
        await poster.close()
        return told

    return asyncio.run(go())


def resolving(*answers: Sequence[str]) -> tuple[Resolve, Callable[[], int]]:
    """Return a resolver with an answer for each question, and what counts them."""
    asked = 0

    async def resolve(_host: str, _port: int) -> Sequence[str]:
        nonlocal asked
        asked += 1
        return answers[min(asked, len(answers)) - 1]

    return resolve, lambda: asked


# -- what is posted ---------------------------------------------------------------------------


def test_a_post_arrives_and_its_connection_is_kept() -> None:
    """With its host, length and headers; the next one travels on the same connection."""
    addresses: list[object] = []

    with receiving() as receiver:
        receiver.answer = lambda made: (addresses.append(made.headers["host"]), 201)[1]
        resolve, asked = resolving(["127.0.0.1"])
        assert post(f"{receiver.url}/hook?a=b", resolve=resolve, times=3) == [201] * 3
        first = receiver.taken()[0]

    assert (first.path, first.body) == ("/hook?a=b", "hello")
    assert first.headers["x-told"] == "1"
    assert first.headers["user-agent"] == "aboveboard"
    assert addresses == [f"127.0.0.1:{receiver.port}"] * 3
    assert asked() == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_answer_like_any_other(status: int) -> None:
    """Nobody goes where it leads: one post, and its status."""
    with receiving(Receiver(status=status)) as receiver:
        assert post(receiver.url) == [status]
        assert [made.path for made in receiver.taken()] == ["/"]


def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy would resolve the name once more, and reach what this machine must not."""
    with listening() as (port, count), receiving() as receiver:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
        assert post(receiver.url) == [204]
        assert count() == 0


# -- where it leads ---------------------------------------------------------------------------


@pytest.mark.parametrize("host", SPELLINGS)
def test_no_spelling_of_this_machine_is_connected_to(host: str) -> None:
    """The service's own door stays closed to it, whatever was checked before: 0 connections."""
    with listening() as (port, count):
        told = post(f"https://{host}:{port}/", check=Targets().check_address)

        # Not every system knows names below `localhost`.
        assert told in (["address_refused"], ["not_resolved"])
        assert told == ["address_refused"] or host == "api.localhost"
        assert count() == 0


@pytest.mark.parametrize("address", INSIDE)
def test_no_name_of_the_inside_is_connected_to(address: str) -> None:
    """A name of the outside that resolves to it, alone or among others: 0 connections."""
    for answer in ([address], ["1.1.1.1", address]):
        resolve, asked = resolving(answer)
        with listening() as (port, count):
            told = post(
                f"https://hooks.example:{port}/", check=Targets().check_address, resolve=resolve
            )

            assert told == ["address_refused"]
            assert (count(), asked()) == (0, 1)


def test_a_name_that_changes_its_mind_is_asked_once(absent: Receiver) -> None:
    """What was checked is what is connected to: DNS rebinding has no second question to answer."""
    with receiving() as receiver, listening() as (port, count):
        allowed = Targets(["hooks.example"]).check_address
        resolve, asked = resolving(["127.0.0.1"], ["127.0.0.2"])
        assert post(f"http://hooks.example:{receiver.port}/", check=allowed, resolve=resolve) == [
            204
        ]
        assert asked() == 1

        checked: list[str] = []

        def check(_host: str, address: object) -> None:
            checked.append(str(address))
            Targets(["127.0.0.1"]).check_address("", ip_address(str(address)))

        resolve, asked = resolving(["127.0.0.1"], ["127.0.0.3"])
        # Refused by nobody listening there: the next post asks anew, and what it hears is checked.
        told = post(f"http://hooks.example:{absent.port}/", check=check, resolve=resolve, times=2)
        assert told == ["unreachable", "address_refused"]
        assert (checked, count()) == (["127.0.0.1", "127.0.0.3"], 0)
        assert port


def test_the_next_address_is_tried_where_one_does_not_answer() -> None:
    """A name may have several, all of them checked."""
    with receiving() as receiver:
        resolve, _ = resolving(["127.0.0.9", "127.0.0.1"])
        allowed = Targets(["127.0.0.0/8"]).check_address
        # The server listens on the second alone.
        told = post(f"http://hooks.example:{receiver.port}/", check=allowed, resolve=resolve)

    assert told == [204]


def test_of_many_addresses_some_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hostile name may have any number, and each that is silent costs its time."""
    connected: list[str] = []

    async def connect(_self: object, host: str, _port: int, **_: object) -> None:
        connected.append(host)
        raise httpcore2.ConnectError

    monkeypatch.setattr(httpcore2.AnyIOBackend, "connect_tcp", connect)
    addresses = [f"127.0.0.{at}" for at in range(2, 30)]
    resolve, _ = resolving(addresses)
    allowed = Targets(["127.0.0.0/8"]).check_address

    told = post("http://hooks.example/", check=allowed, resolve=resolve)

    assert told == ["unreachable"]
    assert connected == addresses[:TRIED]


# -- when there is no answer ------------------------------------------------------------------


def test_nobody_there_is_told_as_such(absent: Receiver) -> None:
    """A closed port, a name that nobody has, a name without an address."""

    async def nowhere(_host: str, _port: int) -> Sequence[str]:
        raise socket.gaierror("expected an address")

    nothing, _ = resolving([])

    assert post(absent.url) == ["unreachable"]
    assert post("https://hooks.example/", resolve=nowhere) == ["not_resolved"]
    assert post("https://hooks.example/", resolve=nothing) == ["not_resolved"]
    assert post(f"https://{'a' * 64}.example/") == ["not_resolved"]


def test_who_does_not_answer_is_left() -> None:
    """In time: who is silent, who sends headers for ever, and who never ends its body."""
    for start, stop in (
        (b"", b""),
        (b"HTTP/1.1 200 OK\r\n", b"x-more: 1\r\n"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
    ):
        with dripping(start, stop) as port:
            assert post(f"http://127.0.0.1:{port}/", patience_s=0.5) == ["timeout"]


def test_a_flood_is_not_read_to_its_end() -> None:
    """Of an answer so much and no more is read; its status counts."""
    part = b"%x\r\n%s\r\n" % (ANSWER_BYTES, b"a" * ANSWER_BYTES)
    start = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + part * 4

    with dripping(start, b"") as port:
        assert post(f"http://127.0.0.1:{port}/") == [200]


def test_what_is_no_http_is_told_as_such() -> None:
    """Nonsense, an answer cut off, headers without end."""
    for nonsense in (
        b"SSH-2.0-OpenSSH_9.2p1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\n" + b"x" * 200_000,
        b"HTTP/1.1 abc OK\r\n\r\n",
    ):
        with dripping(nonsense, b"", hang_up=True) as port:
            assert post(f"http://127.0.0.1:{port}/") == ["broken"], nonsense[:40]


def test_names_that_hang_do_not_take_every_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """So many are asked at once and no more; those that wait hold up nothing else."""
    answered = threading.Event()
    asked = threading.Semaphore(0)

    def hang(*_: object, **__: object) -> list[tuple[object, ...]]:
        asked.release()
        answered.wait(30)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 443))]

    async def go() -> tuple[list[object], list[Sequence[str]]]:
        resolver = Resolver()
        monkeypatch.setattr(socket, "getaddrinfo", hang)
        hanging = [asyncio.create_task(resolver(f"{n}.example", 443)) for n in range(RESOLVING)]
        for _ in hanging:
            await asyncio.to_thread(asked.acquire)
        refused = await asyncio.gather(resolver("one-more.example", 443), return_exceptions=True)
        # Other work has its threads.
        assert await asyncio.to_thread(lambda: 1) == 1
        answered.set()
        return list(refused), await asyncio.gather(*hanging)

    refused, found = asyncio.run(go())

    assert [type(one) for one in refused] == [socket.gaierror]
    assert found == [["192.0.2.1"]] * RESOLVING


# -- TLS --------------------------------------------------------------------------------------


def test_a_certificate_is_held_against_the_name(tmp_path: Path) -> None:
    """Not against the address that is connected to; another name's is refused."""
    certificate = certify(tmp_path, "hooks.example")
    trusting = ssl.create_default_context(cafile=str(certificate))
    resolve, _ = resolving(["127.0.0.1"])
    allowed = Targets(["127.0.0.1"]).check_address

    with tls_receiving(certificate) as port:
        good = post(f"https://hooks.example:{port}/", check=allowed, resolve=resolve, tls=trusting)
        other = post(f"https://other.example:{port}/", check=allowed, resolve=resolve, tls=trusting)
        unknown = post(f"https://hooks.example:{port}/", check=allowed, resolve=resolve)

    assert (good, other, unknown) == ([200], ["tls"], ["tls"])


@contextmanager
def tls_receiving(certificate: Path) -> Iterator[int]:
    """Answer 200 over TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def answer(client: socket.socket) -> None:
        with context.wrap_socket(client, server_side=True) as wrapped:
            read(wrapped)
            wrapped.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")

    with serving(answer) as port:
        yield port


@contextmanager
def dripping(start: bytes, drip: bytes, *, hang_up: bool = False) -> Iterator[int]:
    """Answer with *start*, then with *drip* again and again, for as long as somebody reads."""

    def answer(client: socket.socket) -> None:
        read(client)
        client.sendall(start)
        if hang_up:
            return
        while not over.wait(0.05):
            client.sendall(drip)

    over = threading.Event()
    with serving(answer) as port:
        try:
            yield port
        finally:
            over.set()


def read(client: socket.socket) -> None:
    """Read the post to its end: closing before would reset the connection, answer and all."""
    received = b""
    while not received.endswith(b"\r\n\r\nhello"):
        part = client.recv(65_536)
        if not part:
            return
        received += part


@contextmanager
def serving(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """Accept connections, each answered in a thread."""

    def serve(client: socket.socket) -> None:
        with client:
            try:
                answer(client)
            except OSError:
                return  # whoever posted has left

    def accept() -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            threads.append(threading.Thread(target=serve, args=(client,)))
            threads[-1].start()

    threads: list[threading.Thread] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        accepting = threading.Thread(target=accept)
        accepting.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
    accepting.join()
    for thread in threads:
        thread.join()
